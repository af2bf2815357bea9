//! Circumstances as a person says them.

use std::fmt;

use super::{DeviceBound, Place, SignIn, SignInBound, Sufficient, Way, Window};

/// An age that has to stay below `limit`: `at most 1 h old` where the last second that counts is a round number.
fn age(limit: u64, what: &str) -> String {
    match limit.checked_sub(1) {
        Some(last) if last % 60 == 0 && last > 0 => format!("{what} at most {} ago", span(last)),
        _ => format!("{what} less than {} ago", span(limit)),
    }
}

fn span(seconds: u64) -> String {
    let parts = [(seconds / 86_400, "d"), (seconds / 3600 % 24, "h"), (seconds / 60 % 60, "min"), (seconds % 60, "s")];
    let hours = seconds / 3600;
    if seconds > 0 && seconds.is_multiple_of(3600) && hours <= 48 {
        return format!("{hours} h");
    }
    let shown: Vec<String> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count} {unit}")).collect();
    if shown.is_empty() { "0 s".to_owned() } else { shown.join(" ") }
}

impl fmt::Display for SignInBound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = match self.strength {
            None => "with its key",
            Some(SignIn::None) => "signed in",
            Some(SignIn::Federated) => "signed in through the identity provider",
            Some(SignIn::MultiFactor) => "with multi-factor sign-in",
            Some(SignIn::PhishingResistant) => "with phishing-resistant sign-in",
            Some(SignIn::Passkey) => "with a passkey",
        };
        match self.younger_than {
            None => f.write_str(how),
            Some(limit) => f.write_str(&age(limit, how)),
        }
    }
}

impl fmt::Display for DeviceBound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.managed, self.compliant) {
            (true, true) => "on a managed, compliant device",
            (true, false) => "on a managed device",
            (false, true) => "on a compliant device",
            (false, false) => "on an enrolled device",
        })?;
        match (self.reported_within, self.reported) {
            (Some(limit), _) => f.write_str(&age(limit, " that reported")),
            (None, true) => f.write_str(" that has reported"),
            (None, false) => Ok(()),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Zone(zone) => write!(f, "the network {zone}"),
            Self::Range(range) => write!(f, "{range}"),
        }
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
        let name = |day: u8| DAYS.get(usize::from(day).wrapping_sub(1)).copied().unwrap_or("?");
        let consecutive = self.days.windows(2).all(|pair| matches!(pair, [one, next] if *next == one + 1));
        match self.days.as_slice() {
            [_, _, _, _, _, _, _] => f.write_str("every day")?,
            [first, .., last] if consecutive && self.days.len() > 2 => {
                write!(f, "{} to {}", name(*first), name(*last))?
            }
            days => {
                let names: Vec<&str> = days.iter().map(|day| name(*day)).collect();
                f.write_str(&names.join(" and "))?;
            }
        }
        if self.hours != [(0, 24)] {
            let hours: Vec<String> = self.hours.iter().map(|(from, to)| format!("{from:02}:00–{to:02}:00")).collect();
            write!(f, " {}", hours.join(" and "))?;
        }
        Ok(())
    }
}

impl Way {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Standing => "standing",
            Self::Grant => "grant",
            Self::Exception => "exception",
        }
    }
}

impl fmt::Display for Sufficient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts: Vec<String> = Vec::new();
        parts.extend(self.sign_in.map(|bound| bound.to_string()));
        parts.extend(self.device.map(|bound| bound.to_string()));
        if self.encrypted {
            parts.push("over an encrypted connection".to_owned());
        }
        parts.extend(self.place.as_ref().map(|place| format!("from {place}")));
        parts.extend(self.not_from.iter().map(|place| format!("not from {place}")));
        parts.extend(
            self.windows.as_ref().map(|windows| windows.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")),
        );
        match self.way {
            Way::Standing => {}
            Way::Grant => parts.push("with a grant".to_owned()),
            Way::Exception => parts.push("with an exception".to_owned()),
        }
        let words = if parts.is_empty() { "always".to_owned() } else { parts.join(", ") };
        if self.exactly { write!(f, "exactly: {words}") } else { f.write_str(&words) }
    }
}
