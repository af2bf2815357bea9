//! Makes an example as small as it can be: what it shows without a fact, it shows better without it.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use cedar_policy_core::ast::{ExprKind, Literal, Policy};
use countersign_model::{AuthenticationMethod, GroupId, HttpCircumstances, TimeCircumstances, Timestamp};
use countersign_policy::Trial;

/// Wednesday, 2026-01-07, at noon, in UTC: what a policy test takes where it says nothing.
const NOON: Timestamp = Timestamp::from_seconds(1_767_787_200);

/// What policy tests take where they say nothing.
const FRESH: u64 = 60;

type Step = fn(&mut Trial);

/// Each makes a request plainer, and is done only if it still shows what it is to show.
const STEPS: [Step; 22] = [
    |trial| trial.circumstances.grant = None,
    |trial| trial.circumstances.exception = None,
    |trial| trial.circumstances.device = None,
    |trial| trial.circumstances.authentication = None,
    |trial| trial.resource.segment = None,
    |trial| trial.resource.owner = None,
    |trial| trial.subject.owner = None,
    |trial| trial.subject.acts_for = None,
    |trial| trial.resource.entitled.readers.clear(),
    |trial| trial.resource.entitled.writers.clear(),
    |trial| trial.resource.entitled.administrators.clear(),
    |trial| trial.circumstances.risk = 0,
    |trial| trial.circumstances.network.zones.clear(),
    |trial| trial.circumstances.network.encrypted = true,
    |trial| trial.circumstances.network.address = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7)),
    |trial| trial.circumstances.time = noon(),
    |trial| trial.circumstances.http = Some(Arc::new(plain_request(trial))),
    |trial| methods(trial, AuthenticationMethod::Passkey),
    |trial| methods(trial, AuthenticationMethod::ApiKey),
    |trial| age(trial, FRESH),
    |trial| posture_age(trial, FRESH),
    |trial| {
        // The same time, an hour and a day that belong to it.
        let now = trial.circumstances.time.now.seconds();
        let (hour, day) = (now.rem_euclid(86_400) / 3600, (now.div_euclid(86_400) + 3).rem_euclid(7) + 1);
        let time = &mut trial.circumstances.time;
        (time.hour, time.weekday) = (u8::try_from(hour).unwrap_or_default(), u8::try_from(day).unwrap_or(1));
        time.zone = "UTC".into();
    },
];

/// The groups that a resource names.
const ENTITLED: [fn(&mut Trial) -> &mut Vec<GroupId>; 3] = [
    |trial| &mut trial.resource.entitled.readers,
    |trial| &mut trial.resource.entitled.writers,
    |trial| &mut trial.resource.entitled.administrators,
];

fn noon() -> TimeCircumstances {
    TimeCircumstances { now: NOON, hour: 12, weekday: 3, zone: "UTC".into() }
}

fn plain_request(trial: &Trial) -> HttpCircumstances {
    use countersign_model::ActionClass::{Administer, Connect, Read, Write};
    let method = match trial.action.class {
        Read | Connect => "GET",
        Write | Administer => "POST",
    };
    HttpCircumstances {
        method: method.to_owned(),
        host: format!("{}.localhost", trial.resource.id),
        path: "/".to_owned(),
    }
}

fn methods(trial: &mut Trial, method: AuthenticationMethod) {
    if let Some(proof) = &mut trial.circumstances.authentication {
        proof.methods = BTreeSet::from([method]);
    }
}

fn age(trial: &mut Trial, seconds: u64) {
    let now = trial.circumstances.time.now;
    if let Some(proof) = &mut trial.circumstances.authentication {
        proof.age = seconds;
        proof.at = now.minus(Duration::from_secs(seconds));
    }
}

fn posture_age(trial: &mut Trial, seconds: u64) {
    if let Some(device) = &mut trial.circumstances.device {
        device.posture_age = Some(seconds);
    }
}

/// An hour and a weekday of the working week that contains [`NOON`], for examples that are about them.
fn at(hour: u8, weekday: u8) -> TimeCircumstances {
    let days = i64::from(weekday) - 3;
    let hours = i64::from(hour) - 12;
    let now = Timestamp::from_seconds(NOON.seconds() + days * 86_400 + hours * 3600);
    TimeCircumstances { now, hour, weekday, zone: "UTC".into() }
}

/// The ages at which some policy may begin to decide otherwise, and what people would write; the shortest first. A solver
/// takes any number for an age, such as more seconds than there ever were.
pub(crate) fn spans<'p>(policies: impl IntoIterator<Item = &'p Policy>) -> BTreeSet<u64> {
    let mut spans = BTreeSet::from([FRESH, 3600, 86_400, 30 * 86_400, 365 * 86_400]);
    for policy in policies {
        for part in policy.condition().subexpressions() {
            if let ExprKind::Lit(Literal::Long(number)) = part.expr_kind() {
                let near = [number.saturating_sub(1), *number, number.saturating_add(1)];
                spans.extend(near.into_iter().filter_map(|span| u64::try_from(span).ok()));
            }
        }
    }
    spans
}

/// `spans` are the ages that are tried, see [`spans`].
pub(crate) fn of(mut trial: Trial, spans: &BTreeSet<u64>, shows: impl Fn(&Trial) -> bool) -> Trial {
    let attempt = |trial: &mut Trial, step: &dyn Fn(&mut Trial)| {
        let mut smaller = trial.clone();
        step(&mut smaller);
        if shows(&smaller) {
            *trial = smaller;
        }
    };
    for step in STEPS {
        attempt(&mut trial, &step);
    }
    for span in spans.iter().rev() {
        attempt(&mut trial, &|trial| age(trial, *span));
        attempt(&mut trial, &|trial| posture_age(trial, *span));
    }
    let (hour, weekday) = (trial.circumstances.time.hour, trial.circumstances.time.weekday);
    attempt(&mut trial, &|trial| trial.circumstances.time = at(hour, weekday));
    attempt(&mut trial, &|trial| trial.circumstances.time = at(hour, 3));
    attempt(&mut trial, &|trial| trial.circumstances.time = at(12, weekday));
    attempt(&mut trial, &|trial| trial.circumstances.time = noon());
    for entitled in ENTITLED {
        for group in entitled(&mut trial).clone() {
            attempt(&mut trial, &|trial| entitled(trial).retain(|other| *other != group));
        }
    }
    for group in trial.groups.clone() {
        attempt(&mut trial, &|trial| {
            trial.groups.retain(|other| *other != group);
            trial.subject.groups.retain(|other| *other != group);
        });
    }
    trial
}
