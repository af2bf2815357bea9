//! The gap map: what it is made of, that nothing unassessed reads as passed, that more evidence never widens an interval, what
//! somebody's word is worth, and that steps are counted and close themselves.

mod attested;
mod monotone;
mod remedied;

use std::collections::BTreeSet;

use serde_json::json;

use super::{Estate, USERS, ago, chain, imported};
use crate::{
    Assessment, Control, GapMap, Interval, Own, Parameters, Snapshot, Stage, State, Tally, Told, definitions,
    indicators, metric_definitions, prometheus, trend,
};

pub(super) fn assessed(inventory: &countersign_estate::Inventory, own: &Own) -> Assessment {
    let projection = inventory.project().unwrap();
    Assessment::of(inventory, &projection, own, &Parameters::default(), imported()).unwrap()
}

pub(super) fn control<'m>(map: &'m GapMap, id: &str) -> &'m Control {
    map.controls().find(|control| control.id == id).unwrap_or_else(|| panic!("{id} is a control"))
}

pub(super) fn told(told: Told, good: u64, known: u64, of: u64) -> (Told, Tally) {
    (told, Tally { good, known, of, oldest: ago(30), newest: ago(0) })
}

/// Everything that a server can tell, all well.
pub(super) fn perfect() -> Own {
    Own { tallies: Told::ALL.iter().map(|one| told(*one, 7, 7, 7)).collect(), ..Own::default() }
}

#[test]
fn every_indicator_has_one_place() {
    let mut ids = BTreeSet::new();
    let mut controls = BTreeSet::new();
    for control in definitions() {
        assert!(controls.insert(control.control), "{} stands twice", control.control);
        for indicator in control.indicators {
            assert!(ids.insert(indicator.id), "{} stands twice", indicator.id);
        }
    }
    for indicator in indicators().iter().chain(crate::gaps::more()) {
        assert!(ids.contains(indicator.id), "{} has no control", indicator.id);
    }
    let areas: Vec<&str> = crate::gaps::areas().iter().map(|area| area.id).collect();
    assert_eq!(areas, ["identity", "device", "network", "privileged-access", "visibility-and-governance"]);
    for area in crate::gaps::areas() {
        let gating = |control: &crate::gaps::ControlDefined| control.probes.iter().any(|probe| probe.gating);
        assert!(area.controls.iter().any(gating), "{} has no gating indicator", area.id);
    }
    for sequence in crate::Sequence::ALL {
        assert!(definitions().any(|control| control.sequence == sequence), "{sequence:?} has no control");
    }
}

#[test]
fn the_crosswalk_is_whole_and_names_what_is_there() {
    let known: BTreeSet<&str> =
        definitions().flat_map(|control| control.indicators).map(|indicator| indicator.id).collect();
    let mut rows = Vec::new();
    for framework in &crate::crosswalk::FRAMEWORKS {
        let mut ids = BTreeSet::new();
        for row in framework.rows {
            assert!(ids.insert(row.id), "{} stands twice", row.id);
            assert!(!row.indicators.is_empty() || !row.outside.is_empty(), "{} says nothing", row.id);
            for indicator in row.indicators {
                assert!(known.contains(indicator), "{}: {indicator} is no indicator", row.id);
            }
        }
        rows.push((framework.id, ids.len()));
    }
    assert_eq!(rows, [("nist-800-207", 7), ("nist-csf-2.0", 11), ("cisa-ztmm-2.0", 37), ("owasp-nhi-2025", 10)]);
    let csf: Vec<&str> = crate::crosswalk::FRAMEWORKS[1].rows.iter().map(|row| row.id).collect();
    let aa = ["PR.AA-01", "PR.AA-02", "PR.AA-03", "PR.AA-04", "PR.AA-05", "PR.AA-06"];
    assert_eq!(csf[..6], aa);
    assert_eq!(csf[6..], ["DE.CM-01", "DE.CM-02", "DE.CM-03", "DE.CM-06", "DE.CM-09"]);
}

#[test]
fn of_nothing_nothing_is_passed() {
    let assessment = assessed(&countersign_estate::Inventory::new(), &Own::default());
    let map = &assessment.gaps;
    assert_eq!(map.score, Interval::UNKNOWN);
    for area in &map.areas {
        assert_eq!((area.score, area.stage), (Interval::UNKNOWN, Stage::NotAssessed), "{}", area.id);
    }
    for control in map.controls() {
        assert_eq!(control.state, State::NotAssessed, "{}", control.id);
    }
    for measured in map.measured() {
        assert_eq!((measured.numerator, measured.assessed), (0, 0), "{}", measured.id);
        assert!(measured.why_not_assessed.is_some(), "{}", measured.id);
    }
    for row in assessment.crosswalk.iter().flat_map(|framework| &framework.rows) {
        assert_eq!(row.state, State::NotAssessed, "{}", row.id);
    }
    for metric in &assessment.metrics {
        let scored = metric.id == "gap-score";
        assert_eq!((metric.value.is_some(), metric.why_not_assessed.is_none()), (scored, scored), "{}", metric.id);
    }
    assert!(assessment.steps.iter().all(|step| step.id.starts_with("assess-") && step.gain.at_least == 0.0));
    assert_eq!(map.earliest_skipped, Some(crate::Sequence::Identity));
}

#[test]
fn a_directory_alone_is_known_to_be_weak_where_it_is_and_unknown_elsewhere() {
    let assessment = assessed(&chain::inventory(), &Own::default());
    let map = &assessment.gaps;
    let nesting = map.find("privileged-by-nesting").unwrap();
    assert_eq!((nesting.found(), nesting.numerator + nesting.found()), (1, nesting.assessed));
    assert_eq!(control(map, "sound-credentials").state, State::NotInPlace);
    assert_eq!(control(map, "strong-sign-in").state, State::NotAssessed);
    let identity = &map.areas[0];
    assert_eq!((identity.stage, identity.gating), (Stage::Traditional, Some("service-credential-without-expiry")));
    assert_eq!(map.areas[1].stage, Stage::NotAssessed);
    // Nobody is a guest, as far as these files say, and they do not say it.
    let guests = map.find("guest-with-privilege").unwrap();
    assert_eq!((guests.state, guests.assessed), (Some(State::NotAssessed), 0));
    assert_eq!(map.weakest_first()[0].stage, Stage::Traditional);
    // Two of five that may be.
    assert_eq!(map.find("privileged-beyond-allowed").unwrap().state, Some(State::InPlace));
}

#[test]
fn the_stage_is_that_of_the_weakest_gate() {
    let mut own = perfect();
    let estate = Estate::default().node(USERS, "a", "human", json!({"enabled": true})).inventory();
    let device = |own: &Own| {
        let area = assessed(&estate, own).gaps.areas.remove(1);
        (area.stage, area.gating.unwrap_or_default())
    };
    own.tallies.extend([told(Told::DevicesCompliant, 85, 100, 100)]);
    assert_eq!(device(&own), (Stage::Advanced, "devices-compliant"));
    // Unknown counts as failed.
    own.tallies.extend([told(Told::DecisionsWithVerifiedPosture, 60, 60, 100)]);
    assert_eq!(device(&own), (Stage::Initial, "decisions-with-verified-posture"));
    own.tallies.remove(&Told::UnmanagedDevicesLimited);
    assert_eq!(device(&own), (Stage::NotAssessed, "unmanaged-devices-limited"));
    own.tallies.extend([told(Told::DevicesEnrolled, 1, 100, 100)]);
    assert_eq!(device(&own), (Stage::Traditional, "devices-enrolled"));
    // What does not gate holds nothing back.
    own.tallies = perfect().tallies;
    own.tallies.extend([told(Told::DevicesAttested, 0, 100, 100)]);
    assert_eq!(device(&own).0, Stage::Optimal);
}

#[test]
fn numbers_that_contradict_themselves_make_nothing_better() {
    let mut own = Own::default();
    own.tallies.extend([told(Told::DoorsCovered, 900, 200, 10)]);
    let estate = Estate::default().inventory();
    let measured = assessed(&estate, &own).gaps.find("doors-covered").unwrap().clone();
    assert_eq!((measured.numerator, measured.assessed, measured.population), (10, 10, 10));
}

#[test]
fn the_same_evidence_is_the_same_snapshot() {
    let own = Own { attestations: vec![attested::word("break-glass", State::InPlace)], ..perfect() };
    let snapshot = Snapshot::of(&assessed(&chain::inventory(), &own));
    let bytes = snapshot.to_bytes().unwrap();
    // Recomputed from its evidence: the inventory from its saved form.
    let mut saved = Vec::new();
    chain::inventory().save(&mut saved).unwrap();
    let inventory = countersign_estate::Inventory::load(saved.as_slice()).unwrap();
    let told: Own = serde_json::from_slice(&serde_json::to_vec(&own).unwrap()).unwrap();
    assert_eq!(Snapshot::of(&assessed(&inventory, &told)).to_bytes().unwrap(), bytes);
    let read = Snapshot::from_bytes(&bytes).unwrap();
    assert_eq!((&read, read.to_bytes().unwrap()), (&snapshot, bytes.clone()));
    assert!(bytes.len() < 20_000, "{} bytes", bytes.len());
    let other = String::from_utf8(bytes).unwrap().replace("\"version\":1", "\"version\":2");
    assert!(Snapshot::from_bytes(other.as_bytes()).is_err());
}

#[test]
fn a_trend_is_in_the_order_of_dates() {
    let now = Snapshot::of(&assessed(&chain::inventory(), &perfect()));
    let mut before = Snapshot::of(&assessed(&chain::inventory(), &Own::default()));
    before.as_of = ago(30);
    let lines = trend(&[now.clone(), before.clone()]);
    let line = |of: &str| lines.iter().find(|line| line.of == of).unwrap();
    let dates: Vec<_> = line("score").points.iter().map(|(at, _)| *at).collect();
    assert_eq!(dates, [ago(30), imported()]);
    // What was not known then has no point then.
    assert_eq!(line("coverage-doors").points[0].1, None);
    assert!(line("coverage-doors").points[1].1.is_some());
    let since = now.since(&before);
    assert!(since.closed.contains(&"assess-doors-covered".to_owned()) && since.opened.is_empty(), "{since:?}");
    assert!(since.controls.iter().any(|moved| moved.id == "coverage" && moved.now == State::InPlace));
}

#[test]
fn metrics_are_defined_and_read_by_prometheus() {
    let names: BTreeSet<&str> = metric_definitions().iter().map(|one| one.prometheus).collect();
    assert_eq!(names.len(), metric_definitions().len());
    let plain = |name: &&str| {
        name.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_')
    };
    assert!(names.iter().all(plain));
    let mut own = perfect();
    own.privilege = Some(crate::PrivilegeTime { from: ago(7), until: ago(0), just_in_time_seconds: 84 * 2 * 3600 });
    own.exceptions = Some(crate::ExceptionCount { in_force: 3, relaxable: 4, at: imported() });
    let assessment = assessed(&chain::inventory(), &own);
    let text = prometheus(&assessment.metrics);
    for line in [
        "countersign_standing_privilege_person_hours 336",
        "countersign_just_in_time_privilege_person_hours 168",
        "countersign_exception_ratio 0.75",
        "countersign_coverage_doors_percent{bound=\"lower\"} 100",
        "countersign_gap_score_percent{area=\"network\",bound=\"upper\"} ",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    // Nothing detects yet, and zero seconds would be a lie.
    assert!(!text.contains("detection_seconds"));
    let share = assessment.metrics.iter().find(|metric| metric.id == "standing-privilege-share").unwrap();
    assert_eq!(share.value, Some(crate::Figure::Share(Interval { at_least: 66.67, at_most: 66.67 })));
}
