//! Holds the health check against public directories that are not part of this repository, and against counts of their lines
//! that share no code with it. `cargo run --release -p countersign-assess --example public_health -- FOLDER`, where the folder
//! has `adsynth/*.jsonl`, unpacked. It stops at the first difference.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a check may stop, and say what it counted"
)]

use std::fs;
use std::ops::ControlFlow;
use std::path::PathBuf;

use countersign_assess::{Assessment, Checked, HealthCheck, Outcome, Own, Parameters, Snapshot, View};
use countersign_estate::{Input, Inventory, Limits, Watch, read};
use countersign_model::Timestamp;

/// Among the stamps in the files: some are later.
const AT: Timestamp = Timestamp::from_seconds(1_780_000_000);

fn main() {
    let folder = PathBuf::from(std::env::args_os().nth(1).expect("a folder"));
    for name in ["vul_10k", "secure_100k"] {
        let path = folder.join(format!("adsynth/{name}.jsonl"));
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let input = Input { name, bytes: text.as_bytes() };
        let batch = read(&[input], &Limits::default(), &mut Watch::new(&mut |_| ControlFlow::Continue(())));
        let mut inventory = Inventory::new();
        inventory.merge(&batch.unwrap_or_else(|fault| panic!("{fault}")), AT).expect("the first import");
        let projection = inventory.project().expect("numbers suffice");
        let parameters = Parameters::default();
        let view = View::new(&inventory, &projection, &parameters, AT);
        let health = HealthCheck::new(parameters).expect("queries").check(&view);
        for one in &health.indicators {
            println!(
                "{name}: {:34} {:6} found {:6} passed {:6} not assessed, of {}",
                one.id, one.found, one.passed, one.not_assessed, one.population
            );
            assert_eq!(one.found + one.passed + one.not_assessed, one.population, "{name} {}", one.id);
        }
        let one = |id: &str| -> &Checked { health.indicators.iter().find(|one| one.id == id).expect("an indicator") };
        let built_in = ["-500\"", "-501\"", "-502\"", "-503\""];
        let accounts = || {
            let users = text.lines().filter(|line| line.contains(r#""type":"node""#) && line.contains(r#""User""#));
            users.filter(|line| line.contains(r#""enabled":true"#) && !built_in.iter().any(|id| line.contains(id)))
        };
        let count = |sign: &str| accounts().filter(|line| line.contains(sign)).count() as u64;
        for (id, sign) in [
            ("as-rep-roastable", r#""dontreqpreauth":true"#),
            ("password-never-expires", r#""pwdneverexpires":true"#),
            ("password-not-required", r#""passwordnotreqd":true"#),
        ] {
            assert_eq!(one(id).found, count(sign), "{name} {id}");
        }
        // These files say nothing of leavers: nobody passes.
        let left = one("left-still-enabled");
        assert_eq!((left.outcome, left.passed), (Outcome::NotAssessed, 0), "{name}");
        gaps(name, &inventory);
    }
}

/// The whole map, twice: from the same evidence the same bytes.
fn gaps(name: &str, inventory: &Inventory) {
    let projection = inventory.project().expect("numbers suffice");
    let parameters = Parameters::default();
    let of = || Assessment::of(inventory, &projection, &Own::default(), &parameters, AT).expect("an assessment");
    let assessment = of();
    println!("{name}: the whole is {}", assessment.gaps.score);
    for area in &assessment.gaps.areas {
        println!("{name}: {:28} {:16} {}", area.title, area.stage.name(), area.score);
    }
    for measured in assessment.gaps.measured() {
        assert!(measured.numerator <= measured.assessed && measured.assessed <= measured.population, "{measured:?}");
    }
    for step in &assessment.steps {
        println!(
            "{name}: {:40} {:7} {:6.2} {:6.2} {:?}",
            step.id, step.count, step.gain.at_least, step.gain.at_most, step.radius
        );
    }
    let bytes = |assessment: &Assessment| Snapshot::of(assessment).to_bytes().expect("a snapshot");
    assert_eq!(bytes(&assessment), bytes(&of()), "{name}");
}
