//! Texts that are nested without end are a mistake with a line, on however small a stack.

use std::path::PathBuf;
use std::sync::Arc;

use crate::{PolicySet, SourceFile, Symbols, format};

#[test]
fn what_is_nested_without_end_is_a_mistake() {
    let deep = |open: &str, close: &str, times: usize| {
        format!(
            "@id(\"a\")\n@owner(\"o\")\n@review_by(\"2030-01-01\")\npermit (principal, action, resource)\nwhen {{ {}context.risk < 0{} }};\n",
            open.repeat(times),
            close.repeat(times)
        )
    };
    for (text, loads) in [
        (deep("(", ")", 150), true),
        (deep("(", ")", 10_000), false),
        (deep("[", "]", 10_000), false),
        (deep("if true then true else ", "", 10_000), false),
        (deep("1 + ", "", 2_000), false),
        ("((((".repeat(10_000), false),
    ] {
        let small = std::thread::Builder::new().stack_size(2 * 1024 * 1024);
        let thread = small.spawn(move || {
            let file = SourceFile { path: PathBuf::from("deep.cedar"), text };
            let formatted = format(&file.path, &file.text).is_ok();
            (PolicySet::load(vec![file], &Arc::new(Symbols::default())).is_ok(), formatted)
        });
        assert_eq!(thread.unwrap().join().unwrap().0, loads);
    }
    // Whoever stops the parser is told from whoever finds no room.
    let stopped = crate::room::with_room(|| -> u8 { panic!("a test of stopping") });
    assert_eq!(stopped, Err(crate::room::RoomError::Stopped));
    assert_eq!(crate::room::with_room(|| 7), Ok(7));
    // What only looks nested is not.
    let text = deep("", "", 0).replace("context.risk < 0", &format!("context.risk < 0 // {}\n", "(".repeat(500)));
    let file = SourceFile { path: PathBuf::from("plain.cedar"), text };
    PolicySet::load(vec![file], &Arc::new(Symbols::default())).unwrap();
}
