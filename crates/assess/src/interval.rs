//! What is known of a share: an interval, from what is not known counted as failed to it counted as passed. Counted in whole
//! hundredths of a percent and rounded outwards, so that the same evidence is the same text everywhere and more evidence
//! never widens it.

use serde::{Deserialize, Serialize};

/// Percent, or points of a score.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Interval {
    pub at_least: f64,
    pub at_most: f64,
}

/// The same in hundredths: what is computed with. `low <= high <= WHOLE`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Points {
    pub(crate) low: u32,
    pub(crate) high: u32,
}

pub(crate) const WHOLE: u32 = 10_000;

impl Interval {
    /// Nothing is known.
    pub const UNKNOWN: Self = Self { at_least: 0.0, at_most: 100.0 };

    /// Of `of` so many certainly passed and so many certainly failed.
    pub fn share(passed: u64, failed: u64, of: u64) -> Self {
        Points::share(passed, failed, of).into()
    }

    /// Whether it says nothing at all.
    pub fn is_unknown(self) -> bool {
        self.at_least <= 0.0 && self.at_most >= 100.0
    }
}

impl From<Points> for Interval {
    fn from(points: Points) -> Self {
        Self { at_least: f64::from(points.low) / 100.0, at_most: f64::from(points.high) / 100.0 }
    }
}

impl std::fmt::Display for Interval {
    /// `64.5 %`, or `12 to 80 %`; rounded outwards, so that what is not whole never reads as whole.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.at_least == self.at_most {
            write!(f, "{} %", self.at_least)
        } else {
            write!(f, "{} to {} %", self.at_least.floor(), self.at_most.ceil())
        }
    }
}

impl Points {
    pub(crate) const UNKNOWN: Self = Self { low: 0, high: WHOLE };
    pub(crate) const ALL: Self = Self { low: WHOLE, high: WHOLE };

    pub(crate) fn share(passed: u64, failed: u64, of: u64) -> Self {
        if of == 0 {
            return Self::UNKNOWN;
        }
        Self { low: part(passed, of), high: WHOLE - part(failed, of) }
    }

    /// The mean of some. `None`: of none.
    pub(crate) fn mean(some: impl Iterator<Item = Self>) -> Option<Self> {
        let (mut low, mut high, mut count) = (0u32, 0u32, 0u32);
        for points in some {
            (low, high, count) = (low.saturating_add(points.low), high.saturating_add(points.high), count + 1);
        }
        (count > 0).then(|| Self { low: low / count, high: high.div_ceil(count) })
    }
}

/// Hundredths of a percent, rounded down.
fn part(part: u64, of: u64) -> u32 {
    let hundredths = u128::from(part.min(of)) * u128::from(WHOLE) / u128::from(of.max(1));
    u32::try_from(hundredths).unwrap_or(WHOLE)
}

/// How far something is, in the words of CISA's Zero Trust Maturity Model, the weakest first. What is not assessed at all
/// stands above what is known to be weak and below what is known to be begun.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    Traditional,
    NotAssessed,
    Initial,
    Advanced,
    Optimal,
}

impl Stage {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Traditional => "traditional",
            Self::NotAssessed => "not assessed",
            Self::Initial => "initial",
            Self::Advanced => "advanced",
            Self::Optimal => "optimal",
        }
    }

    /// What is certain: what is not known counts as failed.
    pub(crate) const fn of(points: Points) -> Self {
        match points.low {
            OPTIMAL.. => Self::Optimal,
            ADVANCED.. => Self::Advanced,
            INITIAL.. => Self::Initial,
            _ => Self::Traditional,
        }
    }
}

/// Where a stage begins, in hundredths of a score.
pub(crate) const INITIAL: u32 = 3_333;
pub(crate) const ADVANCED: u32 = 6_667;
pub(crate) const OPTIMAL: u32 = WHOLE;

/// From which share on an indicator is at which stage, in hundredths of a percent. Between them the score runs straight.
///
/// A share alone misleads: of ten thousand accounts a hundred that their people left behind are one percent, and a hundred open doors.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Scale {
    initial: u32,
    advanced: u32,
    optimal: u32,
}

impl Scale {
    /// What grows over years: factors, coverage.
    pub(crate) const GROWING: Self = Self { initial: 5_000, advanced: 8_000, optimal: 9_800 };
    /// What should not be there at all: each one counts.
    pub(crate) const STRICT: Self = Self { initial: 9_500, advanced: 9_900, optimal: WHOLE };

    pub(crate) fn score(self, share: Points) -> Points {
        Points { low: self.at(share.low, u32::wrapping_div), high: self.at(share.high, u32::div_ceil) }
    }

    fn at(self, share: u32, divided: impl Fn(u32, u32) -> u32) -> u32 {
        let (from, to) = match share {
            _ if share >= self.optimal => return WHOLE,
            _ if share >= self.advanced => ((self.advanced, ADVANCED), (self.optimal, OPTIMAL)),
            _ if share >= self.initial => ((self.initial, INITIAL), (self.advanced, ADVANCED)),
            _ => ((0, 0), (self.initial, INITIAL)),
        };
        from.1 + divided((share - from.0) * (to.1 - from.1), to.0 - from.0)
    }

    /// In words, for the documentation: initial, advanced and optimal in percent.
    pub(crate) const fn percent(self) -> [u32; 3] {
        [self.initial / 100, self.advanced / 100, self.optimal / 100]
    }
}
