//! When something last happened, as far as it is known: an interval, since a directory's stamps lag, and since nothing that
//! happened after the import is known. Whether it is older than so many days is therefore yes, no, or not to be told.

use std::time::Duration;

use countersign_estate::{Moment, SignIn, SignInKind};
use countersign_model::Timestamp;

use crate::truth::Truth;

pub(crate) const LAG: &str = "the sign-in stamp lags by days: the last use may be on either side of the limit";
pub(crate) const PARTIAL: &str =
    "the source sees only a part of the sign-ins (one controller, or the provider's dashboard)";
const STALE: &str = "nothing newer than the import is known";
const LATER: &str = "the source says only what happened after this date";

/// The latest that it can have been.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Latest {
    Never,
    At(Timestamp),
    /// Any time until the import.
    Open,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct When {
    /// It happened then, or later.
    pub(crate) earliest: Option<Timestamp>,
    pub(crate) latest: Latest,
    /// What happened after this is not known.
    pub(crate) known_until: Timestamp,
    /// A new value replaces an old one: with a value after the date that is asked for, what held on that date is lost.
    pub(crate) recurring: bool,
}

impl When {
    /// Happens once, at a known instant.
    pub(crate) fn once(at: Timestamp) -> Self {
        Self { earliest: Some(at), latest: Latest::At(at), known_until: Timestamp::FOREVER, recurring: false }
    }

    pub(crate) fn never() -> Self {
        Self { earliest: None, latest: Latest::Never, known_until: Timestamp::FOREVER, recurring: false }
    }

    pub(crate) fn recurring(moment: Moment, known_until: Timestamp) -> Self {
        let (earliest, latest) = match moment {
            Moment::Never => (None, Latest::Never),
            Moment::At(at) => (Some(at), Latest::At(at)),
        };
        Self { earliest, latest, known_until, recurring: true }
    }

    /// What several stamps of one account say together. `None`: there is no stamp.
    pub(crate) fn last_use(sign_ins: &[SignIn], known_until: Timestamp) -> Option<Self> {
        use SignInKind as K;
        // Stamps of one channel see the same sign-ins: one that sees all of them bounds the other that does not.
        const CHANNELS: [&[SignInKind]; 5] = [
            &[K::Replicated, K::OneController],
            &[K::Interactive, K::Dashboard],
            &[K::Password],
            &[K::Key],
            &[K::Role],
        ];
        let of = |kind: K| sign_ins.iter().filter(move |sign_in| sign_in.kind == kind);
        let earliest = sign_ins.iter().filter_map(|sign_in| instant(sign_in.when)).max();
        let channel = |kinds: &&[K]| {
            let said = kinds.iter().flat_map(|kind| of(*kind));
            let bounds = said.map(|sign_in| latest(sign_in.kind, sign_in.when));
            // A closed bound is worth more than an open one; of two closed ones the later counts.
            let (open, closed): (Vec<Latest>, Vec<Latest>) = bounds.partition(|bound| *bound == Latest::Open);
            closed.into_iter().max().or(open.first().copied())
        };
        let latest = CHANNELS.iter().filter_map(channel).max()?;
        let latest = match (latest, earliest) {
            (Latest::Never | Latest::At(_), Some(earliest)) => latest.max(Latest::At(earliest)),
            (latest, _) => latest,
        };
        Some(Self { earliest, latest, known_until, recurring: true })
    }

    /// INVARIANT: as the date goes forward the answer goes from no to not known to yes, and never back.
    pub(crate) fn older_than(&self, days: u64, as_of: Timestamp) -> Truth {
        let limit = Duration::from_secs(days.saturating_mul(86_400));
        let over = |at: Timestamp, on: Timestamp| on.since(at) > limit;
        match (self.earliest, self.latest) {
            // What never happened is not old.
            (None, Latest::Never) => Truth::No,
            (None, _) => Truth::Unknown(PARTIAL),
            (Some(earliest), _) if as_of < earliest && self.recurring => Truth::Unknown(LATER),
            (Some(earliest), _) if !over(earliest, as_of) => Truth::No,
            (Some(_), Latest::Open | Latest::Never) => Truth::Unknown(PARTIAL),
            (Some(_), Latest::At(latest)) if over(latest, as_of.min(self.known_until)) => Truth::Yes,
            (Some(_), Latest::At(latest)) if over(latest, as_of) => Truth::Unknown(STALE),
            (Some(_), Latest::At(_)) => Truth::Unknown(LAG),
        }
    }

    pub(crate) fn never_happened(&self) -> Truth {
        match (self.earliest, self.latest) {
            (Some(_), _) => Truth::No,
            (None, Latest::Never) => Truth::Yes,
            (None, _) => Truth::Unknown(PARTIAL),
        }
    }
}

fn instant(moment: Moment) -> Option<Timestamp> {
    match moment {
        Moment::Never => None,
        Moment::At(at) => Some(at),
    }
}

fn latest(kind: SignInKind, when: Moment) -> Latest {
    match (kind.lag(), when) {
        (None, _) => Latest::Open,
        // The first sign-in writes the stamp at once: one that was never written does not lag.
        (Some(_), Moment::Never) => Latest::Never,
        (Some(lag), Moment::At(at)) => Latest::At(at.plus(lag)),
    }
}
