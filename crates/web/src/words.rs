//! What a person reads: decisions, posture and moments in plain words. Machines read `wire`. What a template
//! calls takes references, because a template has references of varying depth.

use std::time::Duration;

use countersign_administrator::Mode;
use countersign_model::{
    AuthenticationMethod, Decision, DenialCause, Finding, Observed, ObservedBecause, PostureAspect, PostureRequirement,
    PostureValue, Resource, Source, Tier, Timestamp,
};

/// A word, and how it is shown: `good`, `bad`, `warn` or nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sign {
    pub(crate) tone: &'static str,
    pub(crate) word: &'static str,
}

pub(crate) const fn sign(tone: &'static str, word: &'static str) -> Sign {
    Sign { tone, word }
}

pub(crate) const fn tier(tier: &Tier) -> Sign {
    match tier {
        Tier::Public => sign("plain", "public"),
        Tier::Standard => sign("plain", "standard"),
        Tier::High => sign("warn", "high"),
        Tier::CrownJewel => sign("jewel", "crown jewel"),
    }
}

/// What a decision would have been without observe mode, beside what it was.
pub(crate) const fn observed(observed: &Observed) -> Sign {
    match (&observed.decision, observed.because) {
        (Decision::Deny(_), _) => sign("warn", "would be denied"),
        (Decision::Challenge(_), _) => sign("warn", "would be challenged"),
        (Decision::Allow(_), ObservedBecause::Policies) => sign("warn", "would be allowed"),
        // By a policy that is in observe mode too.
        (Decision::Allow(_), ObservedBecause::Resource) => sign("warn", "not enforced"),
    }
}

/// What that comes from.
pub(crate) const fn because(observed: &Observed) -> &'static str {
    match observed.because {
        ObservedBecause::Resource => "The resource is in observe mode, so it was let through whatever policies say.",
        ObservedBecause::Policies => {
            "Policies in observe mode took no part; with them it would have come out otherwise."
        }
    }
}

/// Until when a resource is in observe mode, where it is.
pub(crate) fn observed_until(resource: &Resource, now: &Timestamp) -> Option<Timestamp> {
    resource.observed_until(*now)
}

/// Of a policy.
pub(crate) const fn mode(mode: &Mode) -> Sign {
    match mode {
        Mode::Enforce => sign("plain", "enforced"),
        Mode::Observe => sign("warn", "observe mode"),
    }
}

/// Why it was denied, to an administrator.
pub(crate) const fn cause(cause: DenialCause) -> &'static str {
    match cause {
        DenialCause::UnknownResource => "Nothing is known at this address.",
        DenialCause::InvalidCredential => {
            "The credential proves nothing: it is unknown, malformed, expired, revoked, or was made for another device \
             or another host."
        }
        DenialCause::SubjectDisabled => "The subject is disabled.",
        DenialCause::OutOfScope => "The key was used outside its scope.",
        DenialCause::Unavailable => "A fact that is needed to decide was not available, so nothing was let through.",
        DenialCause::NoPermit => "No policy permits it.",
        DenialCause::Forbidden => "A policy forbids it.",
        DenialCause::ForbidFailed => "A policy that forbids could not be evaluated, so it counts as forbidding.",
    }
}

pub(crate) const fn aspect(aspect: &PostureAspect) -> &'static str {
    aspect.plain()
}

pub(crate) const fn finding(finding: &Finding) -> Sign {
    match finding {
        Finding::Failed => sign("bad", "failed"),
        Finding::Stale => sign("warn", "too old"),
        Finding::Unknown => sign("warn", "never reported"),
    }
}

pub(crate) fn posture(value: &PostureValue) -> String {
    match value {
        PostureValue::On => "on".to_owned(),
        PostureValue::Off => "off".to_owned(),
        PostureValue::Days(1) => "1 day".to_owned(),
        PostureValue::Days(days) => format!("{days} days"),
        PostureValue::Version(version) => version.clone(),
    }
}

pub(crate) fn requirement(requirement: &PostureRequirement) -> String {
    match requirement {
        PostureRequirement::On => "on".to_owned(),
        PostureRequirement::AtMostDays(days) => format!("at most {days} days"),
        PostureRequirement::AtLeastVersion(version) => format!("at least {version}"),
    }
}

pub(crate) const fn method(method: &AuthenticationMethod) -> &'static str {
    match method {
        AuthenticationMethod::Passkey => "passkey",
        AuthenticationMethod::FederatedPhishingResistant => "identity provider, phishing-resistant",
        AuthenticationMethod::FederatedMultiFactor => "identity provider, several factors",
        AuthenticationMethod::Federated => "identity provider",
        AuthenticationMethod::ApiKey => "API key",
        AuthenticationMethod::LocalOperator => "local operator",
        AuthenticationMethod::Invitation => "invitation",
    }
}

pub(crate) const fn source(source: &Source) -> &'static str {
    match source {
        Source::Configuration => "configuration",
        Source::Administrator => "administrator",
        Source::Enrolment => "enrolment",
        Source::OpenIdConnect => "OpenID Connect",
        Source::DeviceReport => "device report",
        Source::Countersign => "Countersign",
    }
}

/// A span in one unit, as people say it.
pub(crate) fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    let (count, unit) = match seconds {
        0..60 => (seconds, "second"),
        60..3_600 => (seconds / 60, "minute"),
        3_600..172_800 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// `3 minutes ago`, `in 2 hours`, `now`.
pub(crate) fn relative(instant: &Timestamp, now: &Timestamp) -> String {
    let (instant, now) = (*instant, *now);
    if instant == Timestamp::FOREVER {
        "never".to_owned()
    } else if instant > now {
        format!("in {}", span(instant.since(now)))
    } else if now.since(instant) < Duration::from_secs(1) {
        "now".to_owned()
    } else {
        format!("{} ago", span(now.since(instant)))
    }
}

/// `2026-03-01 14:05:09 UTC`.
pub(crate) fn exact(instant: &Timestamp) -> String {
    match jiff::Timestamp::from_millisecond(instant.millis()) {
        Ok(instant) => instant.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        Err(_) => instant.to_string(),
    }
}

/// `1 234 567`, with narrow no-break spaces.
pub(crate) fn count(number: &u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() * 2);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            grouped.push('\u{202F}');
        }
        grouped.push(digit);
    }
    grouped
}

pub(crate) fn bytes(number: u64) -> String {
    match number {
        0..1_000 => format!("{number} B"),
        1_000..1_000_000 => format!("{:.1} kB", number as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", number as f64 / 1e6),
        _ => format!("{:.1} GB", number as f64 / 1e9),
    }
}
