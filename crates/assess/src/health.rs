//! The identity health check: each indicator asked of the inventory on one date, with what was found, what passed, and what
//! could not be told and why. What is not known is in the population and in neither of the other two.

mod indicators;

use std::collections::{BTreeMap, BTreeSet};

use countersign_model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::filter::{Filter, FilterError};
use crate::truth::Truth;
use crate::view::{Entry, Evidence, View};

pub use indicators::indicators;

/// How bad it is, the worst first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    Critical,
    High,
    Medium,
    Low,
}

/// The numbers that indicators measure against.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Parameters {
    pub unused_days: u64,
    /// An account that is newer may still be waiting for its first sign-in.
    pub first_use_days: u64,
    pub password_age_days: u64,
    pub key_age_days: u64,
    pub krbtgt_age_days: u64,
    pub privileged_allowed: u64,
    /// On more devices at one time an account looks shared.
    pub session_devices: u64,
    /// Fewer of the peers than this have it: unusual for the role.
    pub peer_share_percent: u64,
    pub peers_at_least: u64,
    /// What was imported longer ago is no longer current.
    pub source_days: u64,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            unused_days: 90,
            first_use_days: 30,
            password_age_days: 365,
            key_age_days: 90,
            krbtgt_age_days: 180,
            privileged_allowed: 5,
            session_devices: 10,
            peer_share_percent: 20,
            peers_at_least: 5,
            source_days: 35,
        }
    }
}

impl Parameters {
    /// The text with `{unused-days}` and the like filled in.
    fn fill(&self, text: &str) -> String {
        [
            ("{unused-days}", self.unused_days),
            ("{first-use-days}", self.first_use_days),
            ("{password-age-days}", self.password_age_days),
            ("{key-age-days}", self.key_age_days),
            ("{krbtgt-age-days}", self.krbtgt_age_days),
            ("{privileged-allowed}", self.privileged_allowed),
            ("{session-devices}", self.session_devices),
            ("{peer-share-percent}", self.peer_share_percent),
            ("{peers-at-least}", self.peers_at_least),
            ("{source-days}", self.source_days),
        ]
        .into_iter()
        .fold(text.to_owned(), |text, (name, value)| text.replace(name, &value.to_string()))
    }
}

/// One thing that can be wrong. Its two queries are all that there is to it.
#[derive(Clone, Copy, Debug)]
pub struct Indicator {
    pub id: &'static str,
    pub title: &'static str,
    /// What a finding means, in a sentence.
    pub meaning: &'static str,
    pub severity: Severity,
    pub requirement: &'static str,
    /// Whom it is asked of: the denominator.
    pub population: &'static str,
    /// What is wrong with one of them.
    pub finding: &'static str,
    /// So many may be; only beyond it they are findings.
    pub allowed: Option<fn(&Parameters) -> u64>,
    /// The name of the share that passed, where it is a figure of its own.
    pub share: Option<&'static str>,
    pub remedy: &'static str,
}

/// What became of an indicator.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    Found,
    /// Nothing was found, and not everything could be told.
    NotAssessed,
    Passed,
    /// There is nobody whom it could be asked of.
    NotApplicable,
}

/// How many may be, how many there certainly are, and how many of them are too many.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Allowed {
    pub number: u64,
    pub count: u64,
    pub beyond: u64,
}

/// A share of the population as an interval, in percent: what is not known counted as failed, and as passed.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Share {
    pub name: &'static str,
    pub at_least: f64,
    pub at_most: f64,
}

/// What could not be told for one reason.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct NotAssessed {
    pub why: &'static str,
    pub count: u64,
    /// The first of them by key. All of them: the query of the result.
    pub examples: Vec<String>,
}

/// One account, or whatever else the indicator is about, with what shows it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Finding {
    pub key: String,
    pub name: String,
    pub evidence: Vec<Evidence>,
}

/// One indicator, asked. `found + passed + not_assessed = population`.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Checked {
    pub id: &'static str,
    pub title: String,
    pub meaning: String,
    pub severity: Severity,
    pub requirement: &'static str,
    pub outcome: Outcome,
    /// Everybody whom it concerns, or of whom that is not known.
    pub population: u64,
    pub found: u64,
    pub passed: u64,
    /// Of the passed: those of whom it is not known whether it concerns them at all.
    pub passed_perhaps: u64,
    pub not_assessed: u64,
    /// Identities among the found: one person's several accounts count once.
    pub identities: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed: Option<Allowed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share: Option<Share>,
    pub reasons: Vec<NotAssessed>,
    pub findings: Vec<Finding>,
    pub remedy: String,
    /// Selects the found (with an allowed number: all whom it counts).
    pub query: String,
    pub query_not_assessed: String,
    /// Between these imports lies what is known of the population.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence_from: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence_until: Option<Timestamp>,
}

/// A part of a source, and its newest import.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Imported {
    pub part: String,
    pub at: Timestamp,
}

/// The whole check, the worst first.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Health {
    pub as_of: Timestamp,
    pub parameters: Parameters,
    pub sources: Vec<Imported>,
    pub indicators: Vec<Checked>,
}

/// An indicator whose query is none.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the query of indicator `{id}` is wrong: {fault}")]
pub struct IndicatorFault {
    pub id: &'static str,
    pub fault: FilterError,
}

/// How many examples stand beside a reason.
const EXAMPLES: usize = 10;

/// The check, ready to be asked.
#[derive(Clone, Debug)]
pub struct HealthCheck {
    parameters: Parameters,
    indicators: Vec<Prepared>,
}

#[derive(Clone, Debug)]
struct Prepared {
    indicator: &'static Indicator,
    population: Filter,
    finding: Filter,
    query: String,
}

impl HealthCheck {
    /// # Errors
    /// When the query of an indicator cannot be read.
    pub fn new(parameters: Parameters) -> Result<Self, IndicatorFault> {
        Self::over(parameters, indicators())
    }

    /// The same of other indicators.
    pub(crate) fn over(parameters: Parameters, asked: &'static [Indicator]) -> Result<Self, IndicatorFault> {
        let prepare = |indicator: &'static Indicator| {
            let fault = |fault| IndicatorFault { id: indicator.id, fault };
            let (population, finding) = (parameters.fill(indicator.population), parameters.fill(indicator.finding));
            let query = format!("({population}) and ({finding})");
            // INVARIANT: what finds is what is printed; the text is read once as a whole as well.
            Filter::parse(&query).map_err(fault)?;
            let (population, finding) = (Filter::parse(&population), Filter::parse(&finding));
            Ok(Prepared { indicator, population: population.map_err(fault)?, finding: finding.map_err(fault)?, query })
        };
        let indicators = asked.iter().map(prepare).collect::<Result<_, _>>()?;
        Ok(Self { parameters, indicators })
    }

    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The two queries of an indicator.
    #[cfg(test)]
    pub(crate) fn prepared(&self, id: &str) -> Option<(&Filter, &Filter)> {
        let prepared = self.indicators.iter().find(|prepared| prepared.indicator.id == id)?;
        Some((&prepared.population, &prepared.finding))
    }

    /// Asks all indicators, on the view's date.
    pub fn check(&self, view: &View<'_>) -> Health {
        let mut checked = self.asked(view, true);
        checked
            .sort_by_key(|one| (one.outcome, one.severity, std::cmp::Reverse((one.found, one.not_assessed)), one.id));
        let sources = view.imported().into_iter().map(|(part, at)| Imported { part, at }).collect();
        Health { as_of: view.as_of, parameters: self.parameters, sources, indicators: checked }
    }

    /// Each by itself, in the order of the table. Without evidence a finding is a name.
    pub(crate) fn asked(&self, view: &View<'_>, evidence: bool) -> Vec<Checked> {
        self.indicators.iter().map(|one| self.ask(one, view, evidence)).collect()
    }

    fn ask(&self, prepared: &Prepared, view: &View<'_>, evidence: bool) -> Checked {
        let indicator = prepared.indicator;
        let mut found: Vec<&Entry<'_>> = Vec::new();
        let mut reasons: BTreeMap<&'static str, (u64, BTreeSet<&str>)> = BTreeMap::new();
        let (mut population, mut passed, mut passed_perhaps) = (0u64, 0u64, 0u64);
        let (mut from, mut until) = (None, None);
        for entry in view.present() {
            let member = prepared.population.holds(view, entry, view.as_of);
            if member == Truth::No {
                continue;
            }
            population += 1;
            from = Some(from.map_or(entry.seen, |from: Timestamp| from.min(entry.seen)));
            until = until.max(Some(entry.seen));
            let wrong = prepared.finding.holds(view, entry, view.as_of);
            let why = match (member, wrong) {
                (Truth::Yes, Truth::Yes) => {
                    found.push(entry);
                    continue;
                }
                // Whether it is concerned or not, it has not got what is looked for.
                (_, Truth::No) => {
                    passed += 1;
                    passed_perhaps += u64::from(member != Truth::Yes);
                    continue;
                }
                (Truth::Unknown(why), _) | (_, Truth::Unknown(why)) => why,
                (Truth::No, _) => continue,
            };
            let (count, examples) = reasons.entry(why).or_default();
            *count += 1;
            examples.insert(&entry.node.key);
            if examples.len() > EXAMPLES {
                examples.pop_last();
            }
        }
        let not_assessed: u64 = reasons.values().map(|(count, _)| count).sum();
        let allowed = indicator.allowed.map(|allowed| allowed(&self.parameters)).map(|number| {
            let count = found.len() as u64;
            Allowed { number, count, beyond: count.saturating_sub(number) }
        });
        if allowed.is_some_and(|allowed| allowed.beyond == 0) {
            passed += found.len() as u64;
            found.clear();
        }
        let outcome = if !found.is_empty() {
            Outcome::Found
        } else if population == 0 {
            Outcome::NotApplicable
        } else if not_assessed > 0 {
            Outcome::NotAssessed
        } else {
            Outcome::Passed
        };
        found.sort_by(|one, other| one.node.key.cmp(&other.node.key));
        let identities: BTreeSet<u32> = found.iter().map(|entry| view.people().identity(entry.number)).collect();
        let fields = prepared.finding.fields();
        let finding = |entry: &&Entry<'_>| Finding {
            key: entry.node.key.to_string(),
            name: entry.node.name().to_owned(),
            evidence: if evidence { view.evidence(entry, &fields) } else { Vec::new() },
        };
        let percent = |part: u64| part as f64 * 100.0 / population as f64;
        Checked {
            id: indicator.id,
            title: self.parameters.fill(indicator.title),
            meaning: self.parameters.fill(indicator.meaning),
            severity: indicator.severity,
            requirement: indicator.requirement,
            outcome,
            population,
            found: found.len() as u64,
            passed,
            passed_perhaps,
            not_assessed,
            identities: identities.len() as u64,
            allowed,
            share: indicator.share.filter(|_| population > 0).map(|name| Share {
                name,
                at_least: percent(passed),
                at_most: percent(passed + not_assessed),
            }),
            reasons: reasons
                .into_iter()
                .map(|(why, (count, examples))| NotAssessed {
                    why,
                    count,
                    examples: examples.into_iter().map(str::to_owned).collect(),
                })
                .collect(),
            findings: found.iter().map(finding).collect(),
            remedy: self.parameters.fill(indicator.remedy),
            query_not_assessed: format!("unknown ({})", prepared.query),
            query: prepared.query.clone(),
            evidence_from: from,
            evidence_until: until,
        }
    }
}
