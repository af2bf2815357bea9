//! The golden matrix: what the starter policies decide for every kind of subject × device and place × action × tier,
//! compared with `policies/matrix.txt`, so that a change of policy shows in review as changed cells. Written anew with
//! `UPDATE_GOLDEN=1`, or by `countersign policy matrix --write`.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use countersign_model::*;

use super::fixtures::*;
use crate::{Matrix, NoMatrix, PolicySet, Symbols};

static STARTER: LazyLock<Matrix> = LazyLock::new(starter);

fn starter() -> Matrix {
    let symbols = Arc::new(Symbols::default());
    let policies = PolicySet::load(starter_files(), &symbols).unwrap_or_else(|diagnostics| panic!("{diagnostics}"));
    // By the plan; of one in a hundred it is checked that Cedar's `Authorizer`, much slower, says the same.
    let count = std::cell::Cell::new(0);
    let decide = |trial: &crate::Trial| match count.replace(count.get() + 1) % 101 {
        0 => trial.decide(&policies).unwrap_or_else(|_| panic!("they differ: {trial:?}")),
        _ => trial.decide_by_plan(&policies),
    };
    Matrix::decided(&policies, &[], decide).unwrap()
}

#[test]
fn the_starter_policies_decide_as_reviewed() {
    let matrix = &*STARTER;
    let text = matrix.to_string();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies/matrix.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).expect("policies/matrix.txt; write it with UPDATE_GOLDEN=1");
    let was: Matrix = golden.parse().unwrap();
    let changes: Vec<String> = matrix.changes(&was).iter().map(ToString::to_string).collect();
    assert!(changes.is_empty(), "review the change, then UPDATE_GOLDEN=1:\n{}", changes.join("\n"));
    assert_eq!(text, golden, "review the change, then UPDATE_GOLDEN=1");
    assert_eq!(text.parse::<Matrix>().unwrap(), *matrix, "what is written is what is read");
}

/// A new kind of anything has to take its place in the matrix.
#[test]
fn no_kind_is_missing() {
    let matrix = &*STARTER;
    let (place, rows) = matrix.sections.first().map(|section| (&section.place, &section.rows)).unwrap();
    assert_eq!(place, "no device");
    for kind in SubjectKind::ALL {
        assert!(rows.iter().any(|row| row.subject.starts_with(&kind.to_string())), "{kind} is not in the matrix");
    }
    for tier in Tier::ALL {
        assert!(matrix.columns.iter().any(|column| column == tier.name()), "{tier} is not in the matrix");
    }
    for method in ["passkey", "federated", "federated-multi-factor", "api-key", "local-operator", "passkey 1h 1s ago"] {
        assert!(rows.iter().any(|row| row.subject.ends_with(&format!(", {method}"))), "{method} is not in the matrix");
    }
    let cells = rows.iter().flat_map(|row| &row.cells);
    assert!(cells.clone().count() > 0);
    for cell in cells {
        assert_eq!(cell.len(), Action::all().count());
    }
    for place in [
        "no device, zone loopback",
        "unmanaged device, failing",
        "unmanaged device, compliant",
        "managed device, failing",
        "managed device, compliant",
        "managed device, compliant, posture 10m 1s old",
        "managed device, compliant, risk 70",
    ] {
        assert!(matrix.sections.iter().any(|section| section.place == place), "{place} is not in the matrix");
    }
}

#[test]
fn what_the_policies_name_has_rows_and_columns_of_its_own() {
    let symbols = Arc::new(Symbols::default());
    let with = |policy: &str| {
        let base = "permit (principal in Group::\"staff\", action in Action::\"access\", resource);";
        let policies = set(&symbols, &[base, policy]);
        Matrix::of(&policies, &[resource("payroll", ResourceKind::Http, Tier::High)]).unwrap()
    };
    let before = with("forbid (principal, action, resource) when { context.risk >= 50 };");
    let after = with(
        "forbid (principal, action in Action::\"write\", resource == Resource::\"payroll\") unless { context has grant && \
         context.network.zones.contains(\"office\") && context.time.hour < 18 };",
    );
    assert!(after.columns.contains(&"payroll:high".to_owned()), "{:?}", after.columns);
    let places: Vec<_> = after.sections.iter().map(|section| section.place.as_str()).collect();
    for place in [
        "no device, zone office",
        "managed device, compliant, Saturday at 23:00",
        "managed device, compliant, grant to write",
    ] {
        assert!(places.contains(&place), "{places:?}");
    }
    let changes: Vec<String> = after.changes(&before).iter().map(ToString::to_string).collect();
    for change in [
        "new place: no device, zone office",
        "no more place: managed device, compliant, risk 50",
        "new resource: payroll:high",
    ] {
        assert!(changes.contains(&change.to_owned()), "{change}");
    }
    let cells = after.cells();
    assert_eq!(cells.get(&("no device", "human, staff, passkey", "payroll:high")), Some(&"+=++"));
}

#[test]
fn a_changed_cell_is_named_by_its_action() {
    let symbols = Arc::new(Symbols::default());
    let of = |action| {
        let text = format!("permit (principal in Group::\"staff\", action in Action::\"{action}\", resource);");
        Matrix::of(&set(&symbols, &[&text]), &[]).unwrap()
    };
    let changes = of("read").changes(&of("access"));
    let first =
        "no device / human, staff, passkey / public: write allow → deny, administer allow → deny, connect allow → deny";
    assert!(changes.iter().any(|change| change.to_string() == first), "{:?}", changes.first());
    assert!("no matrix".parse::<Matrix>().unwrap_err().to_string().starts_with("line 1"));
    let text = of("read").to_string();
    assert!(text.replace("+---", "+--").parse::<Matrix>().is_err());
}

/// Names multiply: groups by resources, by places, by ages of a sign-in.
#[test]
fn a_matrix_that_nobody_could_read_is_not_begun() {
    let symbols = Arc::new(Symbols::default());
    let many = |count: usize| -> PolicySet {
        let texts: Vec<String> = (0..count)
            .map(|it| {
                format!(
                    "permit (principal in Group::\"g{it}\", action, resource == Resource::\"r{it}\") when {{ \
                     context.network.zones.contains(\"z{it}\") && context has authentication && \
                     context.authentication.age < {} }};",
                    it + 1
                )
            })
            .collect();
        set(&symbols, &texts.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let (few, all) = (many(2), many(100));
    let too_large = |made: Result<(), NoMatrix>| match made {
        Err(NoMatrix::TooLarge { cells }) => assert!(cells > 100_000_000, "{cells}"),
        other => panic!("{other:?}"),
    };
    too_large(Matrix::of(&all, &[]).map(|_| ()));
    too_large(Matrix::of_both(&few, &all, &[]).map(|_| ()));
    Matrix::of_both(&few, &few, &[]).unwrap();
}
