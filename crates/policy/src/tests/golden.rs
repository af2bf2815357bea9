//! The golden matrix: every kind of subject × what it asks from × action × tier, decided by the starter policies and
//! compared with `tests/golden/starter.txt`, so that a change of policy shows in review as changed cells. Written anew
//! with `UPDATE_GOLDEN=1`.

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

use countersign_model::AuthenticationMethod as Method;
use countersign_model::*;

use super::fixtures::*;
use crate::{PolicySet, Symbols};

struct Row {
    name: &'static str,
    case: Case,
}

fn row(name: &'static str, id: &str, group: Option<&str>, proof: Option<Authentication>) -> Row {
    let mut case = Case::new(id);
    case.groups = group.map(|group| GroupId::new(group).unwrap()).into_iter().collect();
    case.circumstances.authentication = proof;
    if case.subject.id.kind() == SubjectKind::Agent {
        case.subject.acts_for = Some("human:mia".parse().unwrap());
    }
    Row { name, case }
}

fn subjects() -> Vec<Row> {
    let passkey = |age| Some(proof(Method::Passkey, age));
    let key = || Some(proof(Method::ApiKey, 0));
    vec![
        row("anonymous", "anonymous", None, None),
        row("stranger, passkey 1 min", "human:mia", None, passkey(60)),
        row("reader, federated", "human:mia", Some("readers"), Some(proof(Method::Federated, 60))),
        row("reader, multi-factor 1 min", "human:mia", Some("readers"), Some(proof(Method::FederatedMultiFactor, 60))),
        row("reader, passkey 1 min", "human:mia", Some("readers"), passkey(60)),
        row("reader, passkey 2 h", "human:mia", Some("readers"), passkey(7200)),
        row("reader, passkey 13 h", "human:mia", Some("readers"), passkey(46800)),
        row("writer, passkey 1 min", "human:mia", Some("writers"), passkey(60)),
        row("administrator, passkey 1 min", "human:mia", Some("administrators"), passkey(60)),
        row("owner, passkey 1 min", "human:olga", Some("owners"), passkey(60)),
        row("auditor, passkey 1 min", "human:axel", Some("auditors"), passkey(60)),
        row("reading service, API key", "service:backup", Some("readers"), key()),
        row("writing service, API key", "service:backup", Some("writers"), key()),
        row("administrating service, API key", "service:backup", Some("administrators"), key()),
        row("local operator", "service:local-operator", None, Some(proof(Method::LocalOperator, 0))),
        row("writing agent, API key", "agent:planner", Some("writers"), key()),
        row("administrating agent, API key", "agent:planner", Some("administrators"), key()),
    ]
}

type Place = (&'static str, fn(&mut Circumstances));

fn places() -> Vec<Place> {
    vec![
        ("no device", |_| {}),
        ("no device, loopback", loopback),
        ("unmanaged", |c| c.device = Some(device(false, true, Some(60)))),
        ("managed, failing", |c| c.device = Some(device(true, false, Some(60)))),
        ("managed, old posture", |c| c.device = Some(device(true, true, Some(700)))),
        ("managed, healthy", |c| c.device = Some(device(true, true, Some(60)))),
        ("managed, healthy, risk 70", |c| {
            c.device = Some(device(true, true, Some(60)));
            c.risk = 70;
        }),
    ]
}

fn resources() -> Vec<Resource> {
    let mut resources: Vec<_> =
        Tier::ALL.into_iter().map(|tier| resource(tier.name(), ResourceKind::Http, tier)).collect();
    for (part, tier) in [
        ("countersign-sign-in", Tier::Public),
        ("countersign-portal", Tier::Standard),
        ("countersign-console", Tier::High),
        ("countersign-api", Tier::High),
    ] {
        resources.push(resource(part, ResourceKind::Countersign, tier));
    }
    resources
}

/// `+` allowed, `?` challenged, `-` denied, `=` denied with a remedy that takes longer.
fn cell(decision: &Decision) -> char {
    match decision {
        Decision::Allow(_) => '+',
        Decision::Challenge(_) => '?',
        Decision::Deny(denial) if denial.remedy.as_ref().is_some_and(|remedy| !remedy.needs.is_empty()) => '=',
        Decision::Deny(_) => '-',
    }
}

#[test]
fn the_starter_policies_decide_as_reviewed() {
    let symbols = Arc::new(Symbols::default());
    let policies = PolicySet::load(starter_files(), &symbols).unwrap_or_else(|diagnostics| panic!("{diagnostics}"));
    let mut text = String::from(
        "+ allow   ? challenge   = deny, with needs that take longer   - deny\n\
         Each cell: read write administer connect\n",
    );
    let resources = resources();
    for (place, change) in places() {
        write!(text, "\n{place:<34}").unwrap();
        for resource in &resources {
            write!(text, " {:<12}", resource.id.as_str().trim_start_matches("countersign-")).unwrap();
        }
        text.push('\n');
        for mut row in subjects() {
            change(&mut row.case.circumstances);
            write!(text, "  {:<32}", row.name).unwrap();
            for resource in &resources {
                row.case.resource = resource.clone();
                let cells: String = Action::all()
                    .map(|action| {
                        row.case.action = action;
                        cell(&row.case.decide(&policies))
                    })
                    .collect();
                write!(text, " {cells:<12}").unwrap();
            }
            text.truncate(text.trim_end().len());
            text.push('\n');
        }
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/starter.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).expect("tests/golden/starter.txt; write it with UPDATE_GOLDEN=1");
    for (at, (is, was)) in text.lines().zip(golden.lines()).enumerate() {
        assert_eq!(is, was, "line {}: review the change, then UPDATE_GOLDEN=1", at + 1);
    }
    assert_eq!(text.len(), golden.len(), "rows came or went: review the change, then UPDATE_GOLDEN=1");
}

/// A new kind of anything has to take its place in the matrix.
#[test]
fn no_kind_is_missing() {
    for kind in SubjectKind::ALL {
        assert!(subjects().iter().any(|row| row.case.subject.id.kind() == kind), "{kind} is not in the matrix");
    }
    for kind in ResourceKind::ALL {
        assert!(resources().iter().any(|resource| resource.kind == kind), "{kind:?} is not in the matrix");
    }
    for tier in Tier::ALL {
        assert!(resources().iter().any(|resource| resource.tier == tier), "{tier} is not in the matrix");
    }
    for action in Action::all() {
        assert_eq!(action.protocol, Protocol::Http, "{action} is not in the matrix");
    }
    let states = places().into_iter().map(|(_, change)| {
        let mut circumstances = circumstances();
        change(&mut circumstances);
        circumstances.device.map(|device| (device.managed, device.compliant))
    });
    let states: Vec<_> = states.collect();
    for state in [None, Some((false, true)), Some((true, false)), Some((true, true))] {
        assert!(states.contains(&state), "device state {state:?} is not in the matrix");
    }
}
