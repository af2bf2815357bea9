//! What may be cut from a table, and what never.

use super::{Table, Terminal};

fn drawn(width: Option<usize>) -> String {
    let mut table = Table::new("rows", &["id", "why"]);
    table.row([
        "0192f0c1-aaaa-bbbb-cccc-0123456789ab",
        "a sentence that goes on for longer than a narrow screen is wide",
    ]);
    table.draw(&Terminal { json: false, colour: false, width })
}

#[test]
fn prose_gives_way_to_ids_and_only_on_a_screen() {
    let narrow = drawn(Some(40));
    assert!(narrow.contains("0192f0c1-aaaa-bbbb-cccc-0123456789ab") && narrow.contains('…'), "{narrow}");
    assert!(drawn(None).contains("than a narrow screen is wide"));
}
