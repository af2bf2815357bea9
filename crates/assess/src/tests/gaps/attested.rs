//! What somebody's word is worth: less than evidence, only for a while, and never more than "partial" where evidence is possible.

use super::{assessed, control, perfect, told};
use crate::tests::{Estate, ago, imported};
use crate::{Attestation, Interval, LONGEST_ATTESTATION, Own, State, Told};

pub(super) fn word(control: &str, claim: State) -> Attestation {
    Attestation {
        control: control.to_owned(),
        claim,
        statement: "Two envelopes in the safe, opened twice a year.".to_owned(),
        by: "ana@corp.example".to_owned(),
        at: ago(10),
        until: ago(-80),
        entry: Some(7),
    }
}

fn state(own: &Own, id: &str) -> State {
    let assessment = assessed(&Estate::default().inventory(), own);
    control(&assessment.gaps, id).state
}

#[test]
fn where_nothing_can_be_measured_it_counts() {
    let own = Own { attestations: vec![word("break-glass", State::InPlace)], ..Own::default() };
    let assessment = assessed(&Estate::default().inventory(), &own);
    let control = control(&assessment.gaps, "break-glass");
    assert_eq!(control.state, State::InPlace);
    assert_eq!(control.score, Interval { at_least: 100.0, at_most: 100.0 });
    assert_eq!(control.attested.as_ref().map(|word| &*word.by), Some("ana@corp.example"));
    // Nothing that gates was measured by it.
    assert!(assessment.gaps.areas.iter().all(|area| area.stage == crate::Stage::NotAssessed));
}

#[test]
fn where_something_can_be_measured_it_is_partial_at_most_and_never_against_evidence() {
    let mut own = Own { attestations: vec![word("coverage", State::InPlace)], ..Own::default() };
    assert_eq!(state(&own, "coverage"), State::Partial);
    let score = |own: &Own| control(&assessed(&Estate::default().inventory(), own).gaps, "coverage").score;
    assert_eq!(score(&own), Interval::UNKNOWN);
    own.tallies.extend([told(Told::DoorsCovered, 0, 10, 10)]);
    assert_eq!(state(&own, "coverage"), State::NotInPlace);
    // And it is said that it stands against it.
    let gaps = assessed(&Estate::default().inventory(), &own).gaps;
    let against: Vec<_> =
        gaps.contradicted().map(|(control, word, wrong)| (control.id, &*word.by, wrong.id, wrong.found())).collect();
    assert_eq!(against, [("coverage", "ana@corp.example", "doors-covered", 10)]);
    // A word against it takes nothing from what is shown to be in place.
    let own = Own { attestations: vec![word("coverage", State::NotInPlace)], ..perfect() };
    assert_eq!(state(&own, "coverage"), State::InPlace);
    assert_eq!(assessed(&Estate::default().inventory(), &own).gaps.contradicted().count(), 0);
}

#[test]
fn it_ends() {
    for (word, counts) in [
        (word("break-glass", State::InPlace), true),
        (Attestation { until: imported(), ..word("break-glass", State::InPlace) }, false),
        (Attestation { at: ago(-1), ..word("break-glass", State::InPlace) }, false),
        (Attestation { by: " ".to_owned(), ..word("break-glass", State::InPlace) }, false),
        (word("break-glass", State::NotAssessed), false),
        // However long it says.
        (
            Attestation {
                at: imported().minus(LONGEST_ATTESTATION),
                until: countersign_model::Timestamp::FOREVER,
                ..word("break-glass", State::InPlace)
            },
            false,
        ),
    ] {
        assert_eq!(word.in_force(imported()), counts, "{word:?}");
        let own = Own { attestations: vec![word], ..Own::default() };
        assert_eq!(state(&own, "break-glass") == State::InPlace, counts);
    }
    let lapsed = Attestation { until: ago(1), ..word("break-glass", State::InPlace) };
    let own = Own { attestations: vec![lapsed.clone()], ..Own::default() };
    let assessment = assessed(&Estate::default().inventory(), &own);
    let control = control(&assessment.gaps, "break-glass");
    assert_eq!((&control.attested, &control.lapsed), (&None, &Some(lapsed)));
}
