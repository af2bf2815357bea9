//! Several tenants on one page: each pack verified first, kept apart, and named where it does not hold.

use serde_json::{Value, json};

use super::estate::Estate;
use super::sample::NOON;
use crate::{Content, Pack, Portfolio};

/// The pack of an organisation, as if the assessment had been of another day.
fn pack(organisation: &str, days_ago: u64, before: bool) -> Vec<u8> {
    let mut estate = Estate::new();
    estate.assessment.as_of = NOON.minus(std::time::Duration::from_secs(days_ago * 86_400));
    estate.assessment = estate.assessment.named(Some(organisation.to_owned()));
    let earlier = estate.before();
    let content = Content {
        assessment: &estate.assessment,
        files: estate.inventory.files(),
        before: before.then_some(&earlier),
        trend: &[],
    };
    Pack::of(&content).unwrap().to_json().into_bytes()
}

fn damaged(pack: &[u8]) -> Vec<u8> {
    let mut pack: Value = serde_json::from_slice(pack).unwrap();
    pack["parts"]["snapshot"]["reach-tier-zero"] = json!(0);
    pack.to_string().into_bytes()
}

#[test]
fn each_tenant_has_its_newest_pack_beside_the_one_before() {
    let mut all = Portfolio::new(NOON);
    all.add(Some("ada"), "new.json", &pack("Ada Ltd", 1, false));
    all.add(Some("ada"), "old.json", &pack("Ada Ltd", 90, false));
    all.add(None, "bert.json", &pack("Bert GmbH", 2, true));
    let all = all.finished();
    assert_eq!(all.refused, []);
    let ada = all.tenants.iter().find(|one| one.tenant == "ada").unwrap();
    assert_eq!((ada.file.as_str(), ada.organisation.as_deref()), ("new.json", Some("Ada Ltd")));
    assert_eq!(ada.earlier.unwrap().as_of, NOON.minus(std::time::Duration::from_secs(90 * 86_400)));
    let risk = ada.top_risk.as_ref().unwrap();
    assert!(risk.found > 0 && risk.population >= risk.found);
    let bert = all.tenants.iter().find(|one| one.tenant == "Bert GmbH").unwrap();
    assert_eq!(bert.earlier.unwrap().as_of.to_string(), "2026-06-01T12:00:00.000Z", "from the pack itself");
    let page = all.html();
    for said in ["Ada Ltd", "Bert GmbH", "Zero Trust portfolio", "default-src &#39;none&#39;"] {
        assert!(page.contains(said) || page.contains(&said.replace("&#39;", "'")), "{said}");
    }
    assert!(!page.contains("<script"));
}

#[test]
fn what_does_not_verify_is_named_and_not_counted() {
    let good = pack("Ada Ltd", 1, false);
    let mut all = Portfolio::new(NOON);
    all.add(Some("ada"), "good.json", &good);
    all.add(Some("ada"), "changed.json", &damaged(&good));
    all.add(Some("bert"), "changed.json", &damaged(&good));
    all.add(None, "<b>x</b>.json", b"{}");
    all.add(Some("ada"), "other.json", &pack("Somebody else", 30, false));
    let all = all.finished();
    assert_eq!(all.tenants.len(), 1);
    assert_eq!(all.tenants[0].earlier, None, "another organisation is no earlier state of this one");
    let refused: Vec<&str> = all.refused.iter().map(|one| one.file.as_str()).collect();
    assert_eq!(refused, ["<b>x</b>.json", "changed.json", "other.json", "changed.json"]);
    assert_eq!(all.refused[1].why, ["part `snapshot` was changed"]);
    let page = all.html();
    assert!(page.contains("other.json") && !page.contains("<b>x"));
}

#[test]
fn a_pack_of_tomorrow_or_of_two_minds_does_not_count() {
    let mut all = Portfolio::new(NOON.minus(std::time::Duration::from_secs(86_400)));
    all.add(None, "tomorrow.json", &pack("Ada Ltd", 0, false));
    let all = all.finished();
    assert_eq!((all.tenants.len(), all.refused.len()), (0, 1));
    assert!(all.html().contains("None of the packs verifies."));
}
