//! The starter policies decide what their texts say.

use std::sync::Arc;

use countersign_model::*;

use super::fixtures::*;
use crate::{PolicySet, Symbols};

#[test]
fn they_load() {
    let symbols = Arc::new(Symbols::default());
    match PolicySet::load(starter_files(), &symbols) {
        Ok(set) => {
            for warning in set.warnings() {
                println!("{warning}");
            }
            assert!(set.warnings().is_empty());
            assert!(set.policies().iter().all(|info| info.compiled), "every starter policy is compiled");
        }
        Err(diagnostics) => panic!("{diagnostics}"),
    }
}
