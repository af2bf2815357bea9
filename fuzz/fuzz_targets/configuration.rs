//! The configuration file: any text is a configuration or a list of mistakes.
#![no_main]

use std::path::Path;

use countersign::configuration::Configuration;

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Err(mistakes) = Configuration::parse(Path::new("fuzz.toml"), text) {
        assert!(!mistakes.to_string().is_empty());
    }
});
