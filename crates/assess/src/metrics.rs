//! Figures that tell whether it works: each with its definition, formula, unit and Prometheus name, over time by the snapshots.
//! A figure that nobody can compute yet has none, and says why; it is never zero instead.

use countersign_model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::gaps::GapMap;
use crate::health::Checked;
use crate::interval::Interval;
use crate::own::{Own, Told};
use crate::radius::{RadiusSummary, Spread};

/// A number, or a share that is only known to lie between two.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Figure {
    Number(f64),
    Share(Interval),
}

/// What a metric is, whatever its value.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Definition {
    pub id: &'static str,
    pub title: &'static str,
    pub definition: &'static str,
    pub formula: &'static str,
    pub unit: &'static str,
    /// Of a share there are two series: this name with `bound="lower"` and `bound="upper"`.
    pub prometheus: &'static str,
    /// What the values under `by` are apart in; the Prometheus label.
    pub by: Option<&'static str>,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Metric {
    pub id: &'static str,
    pub title: &'static str,
    pub definition: &'static str,
    pub formula: &'static str,
    pub unit: &'static str,
    pub prometheus: &'static str,
    pub value: Option<Figure>,
    /// What the parts are apart in: `area`, or `of` a tier or segment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub by: Vec<(String, Figure)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why_not_assessed: Option<&'static str>,
}

const OFFLINE: &str = "a running Countersign counts this; nothing was told";
const EMPTY: &str = "there is nothing of the kind to measure";
const LATER: &str = "nothing that detects lateral movement reports yet";

macro_rules! metrics {
    ($($id:literal $title:literal $definition:literal $formula:literal $unit:literal $prometheus:literal $by:expr, $value:expr;)*) => {
        const DEFINITIONS: &[Definition] = &[$(Definition {
            id: $id,
            title: $title,
            definition: $definition,
            formula: $formula,
            unit: $unit,
            prometheus: $prometheus,
            by: $by,
        },)*];
        const VALUES: &[fn(&Sources<'_>) -> Value] = &[$($value,)*];
    };
}

/// Every metric, as it is defined.
pub fn metric_definitions() -> &'static [Definition] {
    DEFINITIONS
}

/// What metrics are computed from.
pub(crate) struct Sources<'s> {
    pub(crate) radius: &'s RadiusSummary,
    pub(crate) gaps: &'s GapMap,
    pub(crate) checked: &'s [&'s Checked],
    pub(crate) own: &'s Own,
    pub(crate) as_of: Timestamp,
}

impl std::fmt::Debug for Sources<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sources as of {}", self.as_of)
    }
}

/// The value and what it is apart in, or why there is none.
type Value = Result<(Figure, Vec<(String, Figure)>), &'static str>;

pub(crate) fn metrics(sources: &Sources<'_>) -> Vec<Metric> {
    let told = |(defined, value): (&Definition, &fn(&Sources<'_>) -> Value)| {
        let (value, by, why_not_assessed) = match value(sources) {
            Ok((value, by)) => (Some(value), by, None),
            Err(why) => (None, Vec::new(), Some(why)),
        };
        let Definition { id, title, definition, formula, unit, prometheus, by: label } = *defined;
        Metric { id, title, definition, formula, unit, prometheus, value, label, by, why_not_assessed }
    };
    DEFINITIONS.iter().zip(VALUES).map(told).collect()
}

metrics! {
    "gap-score" "Zero Trust score" "How much of the gap map is in place, by area" "mean of the areas; an area is the mean of its controls" "percent"
        "countersign_gap_score_percent" Some("area"),
        |sources| {
            let by = sources.gaps.areas.iter().map(|area| (area.id.to_owned(), Figure::Share(area.score))).collect();
            Ok((Figure::Share(sources.gaps.score), by))
        };
    "blast-radius-median" "Blast radius, median" "How many others half of the enabled identities reach at most, by tier of what is reached and by segment of who reaches" "median over enabled identities of the nodes that each reaches" "nodes"
        "countersign_blast_radius_median_nodes" Some("of"), |sources| spread(sources.radius, |spread| spread.median);
    "blast-radius-p95" "Blast radius, 95th percentile" "How many others all but the farthest twentieth of the enabled identities reach at most, apart in the same way" "95th percentile over enabled identities of the nodes that each reaches" "nodes"
        "countersign_blast_radius_p95_nodes" Some("of"), |sources| spread(sources.radius, |spread| spread.p95);
    "tier-zero-members" "Members of tier zero" "Enabled identities that belong to tier zero, themselves or through groups" "count" "identities"
        "countersign_tier_zero_members" None, |sources| counted(sources.radius, sources.radius.tier_zero_members);
    "tier-zero-exposure" "Exposure of tier zero" "Enabled identities that get to tier zero by any way, its members among them" "count" "identities"
        "countersign_tier_zero_exposed_identities" None, |sources| counted(sources.radius, sources.radius.reach_tier_zero);
    "tier-zero-exposure-share" "Share of identities that reach tier zero" "Of the enabled identities, those that get to tier zero by any way" "reach tier zero / enabled identities" "percent"
        "countersign_tier_zero_exposed_percent" None,
        |sources| {
            let (part, of) = (sources.radius.reach_tier_zero, sources.radius.identities);
            if of == 0 {
                return Err(EMPTY);
            }
            Ok((Figure::Share(Interval::share(part, of.saturating_sub(part), of)), Vec::new()))
        };
    "standing-privilege" "Standing privilege" "Time for which people hold privilege without an end, a week" "enabled privileged accounts * 168 h" "person-hours a week"
        "countersign_standing_privilege_person_hours" None,
        |sources| standing(sources).map(|(accounts, _)| (Figure::Number(accounts * WEEK_HOURS), Vec::new()));
    "just-in-time-privilege" "Just-in-time privilege" "Time for which privilege was given for a while, a week" "sum of the grants' hours / the time counted * 168 h" "person-hours a week"
        "countersign_just_in_time_privilege_person_hours" None,
        |sources| just_in_time(sources).map(|hours| (Figure::Number(rounded(hours)), Vec::new()));
    "standing-privilege-share" "Standing of all privilege" "Of the time for which somebody is privileged, that without an end" "standing / (standing + just-in-time)" "percent"
        "countersign_standing_privilege_percent" None,
        |sources| {
            let (just_in_time, (least, most)) = (just_in_time(sources)?, standing(sources)?);
            let share = |accounts: f64| {
                let standing = accounts * WEEK_HOURS;
                if standing + just_in_time > 0.0 { rounded(standing * 100.0 / (standing + just_in_time)) } else { 0.0 }
            };
            Ok((Figure::Share(Interval { at_least: share(least), at_most: share(most) }), Vec::new()))
        };
    "exception-rate" "Exception rate" "Exceptions in force for each policy that one may relax" "exceptions in force / relaxable policies" "ratio"
        "countersign_exception_ratio" None,
        |sources| {
            let exceptions = sources.own.exceptions.ok_or(OFFLINE)?;
            if exceptions.relaxable == 0 {
                return Err(EMPTY);
            }
            Ok((Figure::Number(rounded(exceptions.in_force as f64 / exceptions.relaxable as f64)), Vec::new()))
        };
    "mfa-identities" "Identities with multi-factor sign-in" "Of the people's enabled accounts, those with more than a password" "with a second factor / people's enabled accounts" "percent"
        "countersign_mfa_identities_percent" None, |sources| enrolled(sources, "without-mfa");
    "phishing-resistant-identities" "Identities with a phishing-resistant factor" "Of the people's enabled accounts, those with a passkey, hardware key or smart card" "with such a factor / people's enabled accounts" "percent"
        "countersign_phishing_resistant_identities_percent" None, |sources| enrolled(sources, "not-phishing-resistant");
    "mfa-sign-ins" "Sign-ins with more than a password" "Of the sign-ins in the time, those with a second factor" "with a second factor / sign-ins" "percent"
        "countersign_mfa_sign_ins_percent" None, |sources| tally(sources, Told::SignInsMultiFactor);
    "phishing-resistant-sign-ins" "Sign-ins that cannot be phished" "Of the sign-ins in the time, those with a passkey, hardware key or smart card" "with such a factor / sign-ins" "percent"
        "countersign_phishing_resistant_sign_ins_percent" None, |sources| tally(sources, Told::SignInsPhishingResistant);
    "sso-accounts" "Single sign-on of accounts" "Of the people's enabled accounts, those of an identity provider or linked to one" "under single sign-on / people's enabled accounts" "percent"
        "countersign_sso_accounts_percent" None, |sources| enrolled(sources, "outside-single-sign-on");
    "sso-applications" "Single sign-on of applications" "Of the applications, those that an identity provider lets somebody at" "under single sign-on / applications" "percent"
        "countersign_sso_applications_percent" None, |sources| enrolled(sources, "application-outside-single-sign-on");
    "verified-posture" "Decisions with verified posture" "Of the decisions on anything above public, those that saw a device with fresh posture" "with fresh posture / decisions" "percent"
        "countersign_verified_posture_decisions_percent" None, |sources| tally(sources, Told::DecisionsWithVerifiedPosture);
    "coverage-identities" "Coverage of identities" "Of the active identities, those that some policy speaks for" "spoken for / active identities" "percent"
        "countersign_coverage_identities_percent" None, |sources| tally(sources, Told::IdentitiesCovered);
    "coverage-devices" "Coverage of devices" "Of the active devices, those that make a difference to some policy" "make a difference / active devices" "percent"
        "countersign_coverage_devices_percent" None, |sources| tally(sources, Told::DevicesCovered);
    "coverage-doors" "Coverage of ways into resources" "Of the ways into resources, those that some policy speaks for" "spoken for / ways in" "percent"
        "countersign_coverage_doors_percent" None, |sources| tally(sources, Told::DoorsCovered);
    "mean-time-to-detect" "Mean time to detect lateral movement" "From the first step of a lateral movement to the alarm" "mean over lateral movements of (detected - begun)" "seconds"
        "countersign_lateral_movement_detection_seconds" None, |_| Err(LATER);
}

const WEEK_HOURS: f64 = 168.0;

fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

fn counted(radius: &RadiusSummary, count: u64) -> Value {
    if radius.identities == 0 {
        return Err(EMPTY);
    }
    Ok((Figure::Number(count as f64), Vec::new()))
}

fn spread(radius: &RadiusSummary, of: fn(&Spread) -> u64) -> Value {
    if radius.identities == 0 {
        return Err(EMPTY);
    }
    let by = |kind: &'static str| {
        move |spread: &Spread| (format!("{kind} {}", spread.of), Figure::Number(of(spread) as f64))
    };
    let tiers = radius.by_tier.iter().map(by("tier"));
    let all = tiers.chain(radius.by_segment.iter().map(by("segment"))).collect();
    Ok((Figure::Number(of(&radius.radius) as f64), all))
}

/// Privileged accounts: certainly, and at most.
fn standing(sources: &Sources<'_>) -> Result<(f64, f64), &'static str> {
    let checked = crate::gaps::find(sources.checked, "privileged-beyond-allowed").ok_or(EMPTY)?;
    let allowed = checked.allowed.filter(|_| checked.population > 0).ok_or(EMPTY)?;
    if checked.not_assessed == checked.population {
        return Err("whether an account is privileged could not be told of any");
    }
    Ok((allowed.count as f64, (allowed.count + checked.not_assessed) as f64))
}

/// Hours a week.
fn just_in_time(sources: &Sources<'_>) -> Result<f64, &'static str> {
    let privilege = sources.own.privilege.ok_or(OFFLINE)?;
    let counted = privilege.until.since(privilege.from).as_secs_f64() / 3600.0;
    if counted <= 0.0 {
        return Err(EMPTY);
    }
    Ok(privilege.just_in_time_seconds as f64 / 3600.0 / counted * WEEK_HOURS)
}

/// The share of those whom an indicator did not find.
fn enrolled(sources: &Sources<'_>, indicator: &str) -> Value {
    let checked = crate::gaps::find(sources.checked, indicator).ok_or(EMPTY)?;
    if checked.population == 0 {
        return Err(EMPTY);
    }
    let passed = checked.passed.saturating_sub(checked.passed_perhaps);
    if passed + checked.found == 0 {
        let why = checked.reasons.iter().max_by_key(|reason| reason.count).map(|reason| reason.why);
        return Err(why.unwrap_or("it is not known whom it concerns"));
    }
    Ok((Figure::Share(Interval::share(passed, checked.found, checked.population)), Vec::new()))
}

fn tally(sources: &Sources<'_>, told: Told) -> Value {
    let tally = sources.own.tally(told).ok_or(OFFLINE)?;
    if tally.known == 0 {
        return Err(EMPTY);
    }
    Ok((Figure::Share(Interval::share(tally.good, tally.known - tally.good, tally.of)), Vec::new()))
}

/// The text that Prometheus reads. What has no value has no series: a zero would be a lie.
pub fn prometheus(metrics: &[Metric]) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    for metric in metrics.iter() {
        let Some(value) = metric.value else { continue };
        let name = metric.prometheus;
        let _ = writeln!(text, "# HELP {name} {}\n# TYPE {name} gauge", metric.definition);
        let whole = (None, value);
        let parts = metric.by.iter().map(|(of, value)| (Some(of.as_str()), *value));
        for (of, value) in std::iter::once(whole).chain(parts) {
            let label = match (metric.label, of) {
                (Some(by), Some(of)) => Some(format!("{by}=\"{}\"", escaped(of))),
                _ => None,
            };
            let mut line = |bound: Option<&str>, value: f64| {
                let bound = bound.map(|bound| format!("bound=\"{bound}\""));
                let labels: Vec<String> = label.clone().into_iter().chain(bound).collect();
                let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
                let _ = writeln!(text, "{name}{labels} {value}");
            };
            match value {
                Figure::Number(value) => line(None, value),
                Figure::Share(share) => {
                    line(Some("lower"), share.at_least);
                    line(Some("upper"), share.at_most);
                }
            }
        }
    }
    text
}

fn escaped(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
