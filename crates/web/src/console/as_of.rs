//! The day that a page is as of: a slider over the days for which there is evidence, and a field for any day. Both are forms that need no
//! script. Where evidence is of after that day, it is said.

use countersign_govern::NotAssessed;
use countersign_model::Timestamp;

use crate::Site;
use crate::error::Fault;
use crate::page::encode;
use crate::words::exact;

const DAY: i64 = 86_400_000;

/// What a page needs for `console/as_of.html`.
#[derive(Debug, Clone)]
pub(super) struct Slider {
    pub(super) action: &'static str,
    /// What the page has to be told again.
    pub(super) keep: Vec<(&'static str, String)>,
    /// Days since 1970.
    pub(super) first: i64,
    pub(super) last: i64,
    pub(super) day: i64,
    pub(super) first_date: String,
    pub(super) last_date: String,
    /// As a browser's field writes it.
    pub(super) date: String,
    pub(super) newest_url: String,
    /// `None`: the newest assessment.
    pub(super) chosen: Option<Timestamp>,
    pub(super) parts: usize,
    pub(super) later_parts: usize,
    pub(super) later: Option<Timestamp>,
}

impl Slider {
    /// `as_of` is what the field said, `day` what the slider said; the newest day is the newest assessment.
    pub(super) async fn new(
        site: &Site,
        action: &'static str,
        keep: Vec<(&'static str, String)>,
        as_of: &str,
        day: &str,
    ) -> Result<Self, Fault> {
        let newest = site.estate().assessed().ok_or(NotAssessed::NotYet)?.as_of;
        let last = newest.millis().div_euclid(DAY);
        let chosen = match (as_of.trim(), day.trim()) {
            ("", "") => None,
            ("", day) => {
                let day: i64 = crate::asking::parsed(day)?;
                let millis = day.checked_mul(DAY).filter(|_| day >= 0);
                let at = millis.ok_or_else(|| Fault::Malformed("there is no such day".to_owned()))?;
                (day < last).then(|| Timestamp::from_millis(at))
            }
            (date, _) => Some(crate::asking::parsed::<Timestamp>(&format!("{date}T00:00:00Z"))?),
        };
        let at = chosen.unwrap_or(newest);
        let evidence = site.estate().ask(move |standing| standing.evidence(at)).await?;
        let first = evidence.first.millis().div_euclid(DAY).min(last);
        let words: Vec<String> = keep.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
        Ok(Self {
            action,
            first,
            last,
            day: at.millis().div_euclid(DAY).clamp(first, last),
            first_date: date(Timestamp::from_millis(first * DAY)),
            last_date: date(newest),
            date: date(at),
            newest_url: if words.is_empty() { action.to_owned() } else { format!("{action}?{}", words.join("&")) },
            chosen,
            parts: evidence.parts,
            later_parts: evidence.later,
            later: evidence.newest.filter(|_| chosen.is_some()),
            keep,
        })
    }

    /// The day for links to pages on the same day; empty for the newest assessment.
    pub(super) fn word(&self) -> String {
        self.chosen.map(date).unwrap_or_default()
    }
}

fn date(at: Timestamp) -> String {
    exact(&at).chars().take_while(|letter| *letter != ' ').collect()
}
