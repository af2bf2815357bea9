//! Lists of people: three ways to write one, and what a date can mean.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test may stop")]

use crate::tests::{NOON, import, inventory, reasons, try_read};
use crate::{Basis, Inventory, Kind, Limits};

pub(crate) const TABLE: &str = "Employee ID,Name,Email - Work,Job Title,Hire Date,Termination Date,Worker Status,Worker Type\n\
    1001,\"A, Ana\",ana@corp.example,Lead,2020-01-01,,Active,Employee\n\
    1002,Ben,,,2020-01-01,2025-03-31-07:00,Terminated,Contingent Worker\n\
    1003,Cy,,,2024-01-01,2023-01-01,Active,Employee\n\
    1004,Di,,,2020-01-01,03/04/2025,Terminated,Employee\n\
    ,Nobody,,,,,,\n";

#[test]
fn who_left_and_when() {
    let mut inventory = Inventory::new();
    let report = import(&mut inventory, TABLE, NOON);
    let of = |number: &str| inventory.node(&format!("person:/{number}")).unwrap().attributes();
    assert_eq!((of("1001").left, of("1001").enabled, of("1001").guest), (None, Some(true), Some(false)));
    assert_eq!(inventory.node("person:/1001").unwrap().name(), "A, Ana");
    assert_eq!(inventory.node("person:/1001").unwrap().kind(), Kind::Human);
    assert_eq!(of("1002").left, "2025-03-31T00:00:00Z".parse().ok());
    assert_eq!((of("1002").enabled, of("1002").guest), (Some(false), Some(true)));
    // Hired again after leaving.
    assert_eq!((of("1003").left, of("1003").enabled), (None, Some(true)));
    // The third of April or the fourth of March: not known, and said so.
    assert_eq!((of("1004").left, of("1004").enabled), (None, Some(false)));
    assert_eq!(
        reasons(&report),
        [
            ("a date that is not written as 2026-03-31", 1),
            ("a person without a number", 1),
            ("somebody who left, without a date of it: the account of the list is taken as disabled", 1)
        ]
    );
}

#[test]
fn semicolons_quotes_and_line_ends() {
    let table = "\u{feff}Employee ID;Name;Status\r\n1;\"A \"\"B\"\"\nC\";Active\r\n\r\n2;Ben;Terminated";
    let inventory = inventory(table);
    assert_eq!(inventory.nodes().len(), 2);
    assert_eq!(inventory.node("person:/1").unwrap().attributes().display_name.as_deref(), Some("A \"B\"\u{fffd}C"));
}

#[test]
fn reports_of_workday_and_documents() {
    let report = r#"{"Report_Entry": [{"Employee_ID": "1001", "Name": "Ana", "Email_-_Work": "ana@corp.example",
        "businessTitle": "Lead", "Termination_Date": "2025-03-31", "Worker_s_Manager_group": [{"Manager_ID": "1000"}]}]}"#;
    let of = inventory(report);
    let ana = of.node("person:/1001").unwrap().attributes();
    assert_eq!((ana.title.as_deref(), ana.left), (Some("Lead"), "2025-03-31T00:00:00Z".parse().ok()));
    let document = r#"{"source": "people", "realm": "Corp", "people": [{"employeeId": 1001, "displayName": "Ana", "hireDate": null}]}"#;
    let of = inventory(document);
    assert_eq!(of.node("person:corp/1001").unwrap().attributes().display_name.as_deref(), Some("Ana"));
}

#[test]
fn the_number_is_exact_between_the_list_and_a_directory_and_nowhere_else() {
    let mut inventory = inventory(TABLE);
    let okta = |realm: &str| {
        format!(
            r#"{{"source": "okta", "realm": "{realm}", "users": [{{"id": "u", "profile": {{"employeeNumber": "1001"}}}}]}}"#
        )
    };
    import(&mut inventory, &okta("one"), NOON);
    let links = inventory.links();
    assert_eq!(links.len(), 1);
    assert_eq!(links[0].basis, Basis::EmployeeNumber);
    import(&mut inventory, &okta("two"), NOON);
    assert!(inventory.links().iter().all(|link| link.one.starts_with("person:") || link.other.starts_with("person:")));
}

#[test]
fn broken_tables_say_where() {
    let refused =
        |text: &str| try_read(&[("people.csv", text.as_bytes())], &Limits::default()).expect_err("refused").to_string();
    let head = "Employee ID,Name,Status\n";
    assert_eq!(
        refused(&format!("{head}1,Ana,Active\n2,\"Ben,Active\n")),
        "people.csv, line 3 column 3: a quote that is never closed"
    );
    assert_eq!(
        refused(&format!("{head}1,An\"a,Active\n")),
        "people.csv, line 2 column 5: a quote within a value that does not begin with one"
    );
    assert!(refused(&format!("{head}1,\"Ana\"x,Active\n")).contains("line 2 column 8"));
    assert!(refused(&format!("{head}1,Ana\n")).contains("line 2: another number of values"));
    assert!(refused(&format!("{head}{}\n", ",".repeat(2000))).contains("more than 1000 values"));
}
