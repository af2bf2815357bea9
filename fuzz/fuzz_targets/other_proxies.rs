//! A request as another proxy tells of it: in its fields, as its own request, in Envoy's message. What is read has one
//! host and one path, in the spelling that policies compare.
#![no_main]

use countersign_gateway::{Told, normalize_path, told_to_decide_on};

/// The fields that a proxy writes. A client's own are named by the input.
const WRITTEN: [&str; 9] = [
    "x-forwarded-method",
    "x-forwarded-host",
    "x-forwarded-uri",
    "x-forwarded-for",
    "x-forwarded-proto",
    "host",
    "connection",
    "upgrade",
    "cookie",
];

libfuzzer_sys::fuzz_target!(|input: (u8, &str, Vec<(u8, &[u8], &[u8])>)| {
    let (form, target, fields) = input;
    let named = fields.iter().map(|(number, name, value)| {
        (WRITTEN.get(usize::from(*number)).map_or(*name, |written| written.as_bytes()), *value)
    });
    let fields: Vec<(&[u8], &[u8])> = named.collect();
    let told = if form % 2 == 0 {
        // One that can be read but for what the input says otherwise.
        let usual = [("GET", 0), ("app", 1), ("/a", 2), ("192.0.2.7", 3), ("https", 4)];
        let usual = usual.iter().map(|(value, number)| (WRITTEN[*number].as_bytes(), value.as_bytes()));
        let missing = usual.filter(|(name, _)| !fields.iter().any(|(other, _)| other == name));
        let fields: Vec<_> = missing.chain(fields.iter().copied()).collect();
        told_to_decide_on(Told::Forwarded(&fields))
    } else {
        told_to_decide_on(Told::Below(&format!("/ext-authz{target}"), &fields))
    };
    check(told);
});

fn check(told: Option<(String, String)>) {
    if let Some((host, path)) = told {
        assert!(!host.is_empty() && !host.bytes().any(|byte| byte.is_ascii_uppercase() || b",@/ ".contains(&byte)));
        assert_eq!(normalize_path(&path).as_deref(), Ok(&*path));
    }
}
