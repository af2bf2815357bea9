//! Bodies that applications send to ask for themselves. What stands in the words of the standard is a question or a
//! mistake; so is what only begins like it.
#![no_main]

use countersign_web::authzen_questions;

libfuzzer_sys::fuzz_target!(|input: (Vec<(usize, &[u8])>, &[u8])| {
    let (changes, bytes) = input;
    authzen_questions(bytes);
    let mut body = QUESTION.as_bytes().to_vec();
    assert_eq!(authzen_questions(&body), 2);
    for (at, bytes) in changes {
        let at = at % body.len();
        let end = body.len().min(at + bytes.len());
        body.splice(at..end, bytes.iter().copied());
    }
    // The list says how many there are at most.
    assert!(authzen_questions(&body) <= 1000);
});

const QUESTION: &str = r#"{"subject": {"type": "user", "id": "alice"}, "action": {"name": "GET"}, "resource": {"type": "record", "id": "1"},
"context": {"ip_address": "192.0.2.7", "encrypted": true, "device": "laptop", "authentication": {"methods": ["federated"], "age": 9},
"http": {"host": "app.localhost", "path": "/a/b"}}, "evaluations": [{}, {"action": {"name": "read"}}],
"options": {"evaluations_semantic": "execute_all"}, "page": {"token": "eyJsaW1pdCI6MSwiYWZ0ZXIiOm51bGx9", "limit": 2}}"#;
