//! The world and the policies as they were: those of today, with every change since taken back. What a change took the
//! place of stands in the ledger before it (`former.rs`); whose change does not say it is unknown, not guessed.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use countersign_ledger::{ActEntry, Entries, Entry, EntryBody, Ledger, ReadError, TILE};
use countersign_model::{
    ExceptionId, GroupId, ResourceId, SegmentId, Signal, SignalKind, Source, SubjectId, Timestamp,
};

use super::{AskError, Moment, Tick};
use crate::Administrator;
use crate::policies::Rules;
use crate::world::{View, World};

/// Why nobody can say what was then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PastError {
    #[error("{0} is not in the past")]
    NotPast(Timestamp),
    #[error("the ledger does not reach back to then: its first entry is of {0}")]
    BeforeLedger(Timestamp),
    #[error("entries before {before} are archived, and with them what was in force then")]
    Archived { before: u64 },
    /// A change of the groups that says nothing of what was before: anybody may have been in any group.
    #[error("changes of groups before {0} do not say what they took the place of: from then on the answer is exact")]
    NotRecorded(Timestamp),
    #[error("the text of the policies of then, {0}, is not kept")]
    PoliciesNotKept(String),
    #[error("what is recorded does not say how {0} was at that time")]
    Unknown(String),
    #[error("what was then cannot be put together: {0}")]
    Unreadable(String),
}

impl From<ReadError> for PastError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Archived { before } => Self::Archived { before },
            other => Self::Unreadable(other.to_string()),
        }
    }
}

/// Whose facts of that time are not recorded.
#[derive(Debug, Default)]
pub(super) struct Unknown {
    pub(super) subjects: BTreeSet<SubjectId>,
    pub(super) resources: BTreeSet<ResourceId>,
}

/// A fact that a change replaces as a whole.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum About {
    Segment(SegmentId),
    Group(GroupId),
    Subject(SubjectId),
    Risk(SubjectId),
    Resource(ResourceId),
    Exception(ExceptionId),
}

/// What a change was about; nothing where it was about a device.
fn about(kind: &SignalKind) -> Vec<About> {
    match kind {
        SignalKind::SubjectPut { subject } => vec![About::Subject(subject.id.clone())],
        SignalKind::SubjectState { id, .. } | SignalKind::MembershipChanged { subject: id, .. } => {
            vec![About::Subject(id.clone())]
        }
        SignalKind::SubjectRemoved { id } => vec![About::Subject(id.clone()), About::Risk(id.clone())],
        SignalKind::RiskChanged { subject, .. } => vec![About::Risk(subject.clone())],
        SignalKind::GroupPut { group } => vec![About::Group(group.id.clone())],
        SignalKind::GroupRemoved { id } => vec![About::Group(id.clone())],
        SignalKind::ResourcePut { resource } => vec![About::Resource(resource.id.clone())],
        SignalKind::ResourceRemoved { id } => vec![About::Resource(id.clone())],
        SignalKind::SegmentPut { segment } => vec![About::Segment(segment.id.clone())],
        SignalKind::SegmentRemoved { id } => vec![About::Segment(id.clone())],
        SignalKind::ExceptionPut { exception } => vec![About::Exception(exception.id.clone())],
        SignalKind::DevicePut { .. }
        | SignalKind::DeviceManaged { .. }
        | SignalKind::DeviceState { .. }
        | SignalKind::PostureReported { .. } => Vec::new(),
    }
}

/// What the ledger says of the time since.
#[derive(Debug, Default)]
struct Since {
    /// What each fact was: the earliest that took its place says it.
    former: BTreeMap<About, SignalKind>,
    /// Facts that changed, and nothing says from what; with the time of the change.
    silent: BTreeMap<About, Timestamp>,
    /// The policies that were put in force last before.
    policy_set: Option<String>,
}

impl Since {
    /// Reads from the last of `end` entries back to `instant`, and on to the policies that were in force then.
    fn read(ledger: &Ledger, end: u64, instant: Timestamp, tick: Tick<'_>) -> Result<Self, AskError> {
        let read = |n| ledger.bundle(n).map_err(PastError::from);
        let unreadable = |error: &dyn std::fmt::Display| PastError::Unreadable(error.to_string());
        // Entries stand nearly in the order of their times: before this one all are earlier.
        let earlier = ledger.not_before(instant).map_err(PastError::from)?;
        let mut since = Self::default();
        let mut first = None;
        for n in (0..end.div_ceil(TILE)).rev() {
            let bundle = read(n)?;
            for (index, bytes) in (n * TILE..end).zip(bundle.iter()).collect::<Vec<_>>().into_iter().rev() {
                let kind = Entry::peek(bytes).ok_or_else(|| unreadable(&format!("entry {index} is none")))?.kind;
                let counts = index >= earlier && matches!(kind, "signal" | "former" | "act");
                if counts || kind == "policy-published" || index == 0 {
                    let entry = Entry::decode(bytes).map_err(|error| unreadable(&error))?;
                    first = Some(entry.at);
                    if entry.at > instant {
                        since.take(entry);
                    } else if let EntryBody::PolicyPublished { hash, .. } = entry.body {
                        since.policy_set = Some(hash);
                        return Ok(since);
                    }
                }
            }
            let done = usize::try_from(end.saturating_sub(n * TILE)).unwrap_or(usize::MAX);
            if tick(done, 0) == ControlFlow::Break(()) {
                return Err(AskError::Cancelled);
            }
        }
        Err(PastError::BeforeLedger(first.unwrap_or(instant)).into())
    }

    fn take(&mut self, entry: Entry) {
        match entry.body {
            EntryBody::Former(kind) => {
                let Some(about) = about(&kind).into_iter().next() else { return };
                self.silent.remove(&about);
                self.former.insert(about, *kind);
            }
            EntryBody::Signal(signal) => {
                self.silent.extend(about(&signal.kind).into_iter().map(|about| (about, entry.at)));
            }
            EntryBody::Act(ActEntry { verb, target, .. }) if verb == crate::invitations::BROKEN_IN => {
                let owner = target.parse().map(About::Subject);
                self.silent.extend(owner.into_iter().map(|owner| (owner, entry.at)));
            }
            _ => {}
        }
    }

    /// The changes that bring it all back, in an order in which nothing refers to what is not there yet.
    fn signals(&self, view: &View, instant: Timestamp) -> Vec<Signal> {
        let (mut gone, mut groups, mut put, mut back) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let exists = |id: &SubjectId| match self.former.get(&About::Subject(id.clone())) {
            Some(former) => !matches!(former, SignalKind::SubjectRemoved { .. }),
            None => view.subject(id).is_some(),
        };
        for (about, kind) in self.former.clone() {
            if matches!(&about, About::Risk(id) if !exists(id)) {
                continue;
            }
            match &kind {
                SignalKind::SubjectRemoved { .. }
                | SignalKind::GroupRemoved { .. }
                | SignalKind::SegmentRemoved { .. } => gone.push(kind),
                SignalKind::GroupPut { group } => {
                    // Without what they were in, so that no order of them makes a circle.
                    let alone = countersign_model::Group { member_of: Vec::new(), ..group.clone() };
                    groups.push(SignalKind::GroupPut { group: alone });
                    put.push(kind);
                }
                _ => put.push(kind),
            }
            // Their routes may have changed places: all make room first.
            if let About::Resource(id) = about
                && view.resource(&id).is_some()
            {
                back.push(SignalKind::ResourceRemoved { id });
            }
        }
        // Segments go last: a resource may have been in one that came later.
        let order = |kind: &SignalKind| matches!(kind, SignalKind::SegmentPut { .. });
        let (segments, put): (Vec<SignalKind>, Vec<SignalKind>) = put.into_iter().partition(order);
        gone.reverse();
        let all = back.into_iter().chain(segments).chain(groups).chain(put).chain(gone);
        all.map(|kind| Signal { at: instant, source: Source::Countersign, by: None, kind }).collect()
    }
}

impl Moment {
    /// As it was, or as it is where no time is given. Blocks: not for an async thread.
    pub(super) fn at(
        administrator: &Administrator,
        instant: Option<Timestamp>,
        tick: Tick<'_>,
    ) -> Result<Self, AskError> {
        let Some(instant) = instant else { return Ok(Self::of(administrator)) };
        // Between two changes, so that what one has taken already and not yet recorded is not missed.
        let (present, end) = {
            let _turn = administrator.0.order.blocking_lock();
            (Self::of(administrator), administrator.ledger().size())
        };
        if instant >= present.now {
            return Err(PastError::NotPast(instant).into());
        }
        let mut since = Since::read(administrator.ledger(), end, instant, tick)?;
        let mut unknown = Unknown::default();
        for (about, at) in std::mem::take(&mut since.silent) {
            since.former.remove(&about);
            match about {
                About::Subject(id) | About::Risk(id) => drop(unknown.subjects.insert(id)),
                About::Resource(id) => drop(unknown.resources.insert(id)),
                About::Group(_) | About::Segment(_) | About::Exception(_) => {
                    return Err(PastError::NotRecorded(at).into());
                }
            }
        }
        let hash = since.policy_set.take().unwrap_or_default();
        let rules = administrator.rules_of(&present.rules, hash)?;
        let signals = since.signals(&present.view, instant);
        let view = World::taken_back(&present.view, administrator.symbols(), &signals);
        let view = Arc::new(view.map_err(|error| PastError::Unreadable(error.to_string()))?);
        Ok(Self { view, rules, now: instant, unknown: Some(unknown) })
    }
}

impl Administrator {
    /// Today's settings with the policies of this hash.
    fn rules_of(&self, present: &Arc<Rules>, hash: String) -> Result<Arc<Rules>, PastError> {
        if present.policies.hash() == hash {
            return Ok(Arc::clone(present));
        }
        let unreadable = |error: &dyn std::fmt::Display| PastError::Unreadable(error.to_string());
        let kept = crate::policies::kept(&*self.0.store, &hash).map_err(|error| unreadable(&error))?;
        let Some(files) = kept else { return Err(PastError::PoliciesNotKept(hash)) };
        let set = self.load_sources(&files).map_err(|error| unreadable(&error))?;
        // Another version of the product may have another schema: then they are not the same policies.
        if set.hash() == hash { Ok(Arc::new(present.with(set))) } else { Err(PastError::PoliciesNotKept(hash)) }
    }
}
