//! Several tenants' evidence packs on one page, for whoever looks after them all. Each pack is verified before a figure of it counts,
//! and stays its own tenant's: nothing is added up over tenants but how many there are. What does not verify is named, and no
//! figure of it is shown.

mod page;

use std::collections::BTreeMap;

use countersign_assess::{Interval, Snapshot, Stage};
use countersign_model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::pack::{Fields, open};

/// All tenants, in the order in which somebody should look at them: the least certain score first.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Portfolio {
    pub as_of: Timestamp,
    pub tenants: Vec<Standing>,
    /// Packs that do not count.
    pub refused: Vec<Refused>,
    #[serde(skip)]
    packs: BTreeMap<String, Vec<Standing>>,
}

/// One tenant by its newest pack.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Standing {
    /// The folder that its packs are in; or, of packs that were named one by one, the organisation.
    pub tenant: String,
    pub organisation: Option<String>,
    pub file: String,
    pub root: String,
    /// Of the assessment.
    pub as_of: Timestamp,
    pub score: Interval,
    /// Of its weakest area.
    pub stage: Stage,
    pub reach_tier_zero: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub earlier: Option<Earlier>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_risk: Option<Risk>,
    /// What to do first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_step: Option<String>,
    /// Between these imports lies what it rests on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence_from: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence_until: Option<Timestamp>,
}

/// The assessment before.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Earlier {
    pub as_of: Timestamp,
    pub score: Interval,
}

/// The worst that the health check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Risk {
    pub title: String,
    pub severity: String,
    pub found: u64,
    pub population: u64,
}

/// A file that is not counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Refused {
    pub tenant: Option<String>,
    pub file: String,
    pub why: Vec<String>,
}

/// As much of an indicator's part as tells how bad it is.
#[derive(Deserialize)]
struct Indicator {
    title: String,
    severity: String,
    outcome: String,
    found: u64,
    population: u64,
}

/// The severities, the worst first.
const SEVERITIES: [&str; 4] = ["critical", "high", "medium", "low"];

impl Portfolio {
    /// So far without anybody.
    pub const fn new(as_of: Timestamp) -> Self {
        Self { as_of, tenants: Vec::new(), refused: Vec::new(), packs: BTreeMap::new() }
    }

    /// Takes a pack in, or says why not. `folder` is the tenant whose it is; without one it goes to the tenant that it names.
    pub fn add(&mut self, folder: Option<&str>, file: &str, pack: &[u8]) {
        match standing(folder, file, pack) {
            Ok(standing) if standing.as_of > self.as_of => {
                self.refuse(folder, file, vec![format!("it is of {}, which is still to come", standing.as_of)]);
            }
            Ok(standing) => self.packs.entry(standing.tenant.clone()).or_default().push(standing),
            Err(why) => self.refuse(folder, file, why),
        }
    }

    /// Names a file that could not even be read.
    pub fn refuse(&mut self, folder: Option<&str>, file: &str, why: Vec<String>) {
        self.refused.push(Refused { tenant: folder.map(str::to_owned), file: file.to_owned(), why });
    }

    /// With all packs in: the newest of each tenant beside the one before it.
    #[must_use]
    pub fn finished(mut self) -> Self {
        for (tenant, mut packs) in std::mem::take(&mut self.packs) {
            packs.sort_by(|one, other| (one.as_of, &one.file).cmp(&(other.as_of, &other.file)));
            let Some(mut newest) = packs.pop() else { continue };
            // Two organisations in one folder is a mistake that nobody may make in silence.
            let (same, others): (Vec<_>, Vec<_>) =
                packs.into_iter().partition(|pack| pack.organisation == newest.organisation);
            let before = same.iter().rev().find(|pack| pack.as_of < newest.as_of);
            if let Some(before) = before {
                newest.earlier = Some(Earlier { as_of: before.as_of, score: before.score });
            }
            for other in others {
                let why = "it is of another organisation than the newest pack of this tenant".to_owned();
                self.refuse(Some(&tenant), &other.file, vec![why]);
            }
            self.tenants.push(newest);
        }
        self.tenants.sort_by(|one, other| {
            let order = one.score.at_least.total_cmp(&other.score.at_least);
            order.then(one.score.at_most.total_cmp(&other.score.at_most)).then_with(|| one.tenant.cmp(&other.tenant))
        });
        self.refused.sort_by(|one, other| (&one.tenant, &one.file).cmp(&(&other.tenant, &other.file)));
        self
    }

    /// One page that needs nothing else.
    pub fn html(&self) -> String {
        crate::html::render(&page::document(self))
    }
}

fn standing(folder: Option<&str>, file: &str, pack: &[u8]) -> Result<Standing, Vec<String>> {
    let (verified, mut parts) = open(pack).map_err(|error| vec![error.to_string()])?;
    if !verified.wrong.is_empty() {
        return Err(verified.wrong.iter().map(ToString::to_string).collect());
    }
    let unreadable = |what: &str| vec![format!("its {what} cannot be read")];
    let snapshot = parts.get_mut("snapshot").map(serde_json::Value::take);
    let snapshot =
        serde_json::from_value::<Snapshot>(snapshot.unwrap_or_default()).map_err(|_| unreadable("snapshot"))?;
    let sound =
        |score: Interval| (0.0..=100.0).contains(&score.at_least) && (score.at_least..=100.0).contains(&score.at_most);
    // Hashes hold whatever somebody hashed: what it says of itself has to be one thing.
    let same = snapshot.organisation == verified.organisation && snapshot.as_of.to_string() == verified.as_of;
    if !same || !sound(snapshot.score) {
        return Err(vec!["its manifest and its figures do not say the same".to_owned()]);
    }
    let before = parts.get_mut("before").map(serde_json::Value::take);
    let before =
        before.map(serde_json::from_value::<Snapshot>).transpose().map_err(|_| unreadable("earlier snapshot"))?;
    let before = before.filter(|before| before.as_of < snapshot.as_of && sound(before.score));
    let named = verified.organisation.clone().filter(|name| !name.is_empty());
    let dates = || snapshot.sources.iter().map(|source| source.at);
    Ok(Standing {
        tenant: folder.map(str::to_owned).or(named).unwrap_or_else(|| file.to_owned()),
        organisation: verified.organisation,
        file: file.to_owned(),
        root: verified.root,
        as_of: snapshot.as_of,
        score: snapshot.score,
        stage: snapshot.areas.values().map(|area| area.stage).min().unwrap_or(Stage::NotAssessed),
        reach_tier_zero: snapshot.reach_tier_zero,
        earlier: before.map(|before| Earlier { as_of: before.as_of, score: before.score }),
        top_risk: worst(&parts),
        next_step: parts
            .get("assessment")
            .and_then(|whole| whole.pointer("/steps/0/title")?.as_str())
            .map(str::to_owned),
        evidence_from: dates().min(),
        evidence_until: dates().max(),
    })
}

fn worst(parts: &Fields) -> Option<Risk> {
    let indicators = parts.iter().filter(|(name, _)| name.starts_with("indicator/"));
    let found = indicators.filter_map(|(_, part)| {
        let one = Indicator::deserialize(part).ok().filter(|one| one.outcome == "found")?;
        let rank = SEVERITIES.iter().position(|severity| **severity == one.severity)?;
        Some((rank, std::cmp::Reverse(one.found), one))
    });
    let (.., one) = found.min_by_key(|(rank, found, _)| (*rank, *found))?;
    let Indicator { title, severity, found, population, .. } = one;
    Some(Risk { title, severity, found, population })
}
