//! What was used, by whom and under which circumstances: every decision of the window that gave access, in the order of
//! the ledger, by resource, kind of subject and class of action. Nothing is concluded here.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::ControlFlow;
use std::sync::Arc;

use countersign_ledger::{DecisionEntry, Entries, Entry, TILE};
use countersign_model::{
    Action, ActionClass, Circumstances, Decision, Denial, DenialCause, GroupId, PolicyId, PolicyRole, Question,
    ResourceId, ResourceKind, SessionId, Shown, ShownId, ShownResource, ShownSubject, SubjectId, SubjectKind,
    Timestamp,
};
use countersign_policy::{Effect, PolicySet, Record, Slice, Symbols};

use super::common::Common;
use super::cover::Members;
use super::{Counted, Marked, Terms, Window};
use crate::read::shown;
use crate::replay::{Progress, ReplayError, Stretch};

/// So many uses are kept whole, of each kind.
const SAMPLES: usize = 8;

/// What policies were shown of a subject or a resource.
pub(super) struct Known {
    pub(super) shown: Shown,
    /// As it would be if nothing were observed.
    pub(super) record: Arc<Record>,
}

/// All that was shown up to some entry.
#[derive(Default)]
pub(super) struct Facts {
    pub(super) known: HashMap<ShownId, Known>,
    /// What each subject and each resource was last.
    pub(super) subjects: BTreeMap<SubjectId, ShownId>,
    pub(super) resources: BTreeMap<ResourceId, ShownId>,
}

impl Facts {
    fn know(&mut self, id: ShownId, shown: Shown, symbols: &Symbols) {
        match &shown {
            Shown::Subject(subject) => self.subjects.insert(subject.id.clone(), id),
            Shown::Resource(resource) => self.resources.insert(resource.id.clone(), id),
        };
        // The same content is the same record.
        self.known
            .entry(id)
            .or_insert_with(|| Known { record: Arc::new(Record::of(symbols, &enforced(&shown))), shown });
    }

    pub(super) fn subject(&self, id: ShownId) -> Option<&ShownSubject> {
        match &self.known.get(&id)?.shown {
            Shown::Subject(subject) => Some(subject),
            Shown::Resource(_) => None,
        }
    }

    pub(super) fn resource(&self, id: &ResourceId) -> Option<&ShownResource> {
        match &self.known.get(self.resources.get(id)?)?.shown {
            Shown::Resource(resource) => Some(resource),
            Shown::Subject(_) => None,
        }
    }

    /// Every group that somebody was seen in, or that a resource names.
    pub(super) fn groups(&self) -> BTreeSet<&GroupId> {
        let mut groups = BTreeSet::new();
        for known in self.known.values() {
            match &known.shown {
                Shown::Subject(subject) => groups.extend(&subject.groups),
                Shown::Resource(ShownResource { entitled, .. }) => {
                    groups.extend(entitled.readers.iter().chain(&entitled.writers).chain(&entitled.administrators));
                }
            }
        }
        groups
    }

    /// Who is in which group, as far as anybody was seen: by the last that was shown of each.
    pub(super) fn members(&self) -> Members {
        let mut members = Members::new();
        for subject in self.subjects.values().filter_map(|id| self.subject(*id)) {
            for group in &subject.groups {
                members.entry(group.clone()).or_default().insert(subject.id.clone());
            }
        }
        members
    }
}

/// One decision, with what it was shown where that is known.
pub(super) struct Seen<'a> {
    pub(super) at: Timestamp,
    pub(super) entry: &'a DecisionEntry,
    pub(super) facts: Option<(ShownId, &'a Known, &'a Known)>,
}

impl Seen<'_> {
    /// Whether the resource was in observe mode then: what policies refuse was let through.
    pub(super) fn observed(&self) -> bool {
        let until = self.facts.as_ref().and_then(|(_, _, resource)| match &resource.shown {
            Shown::Resource(resource) if resource.kind != ResourceKind::Countersign => resource.observe_until,
            _ => None,
        });
        until.is_some_and(|until| self.entry.question.circumstances.time.now < until)
    }

    pub(super) fn gave_access(&self) -> bool {
        matches!(self.entry.decision, Decision::Allow(_))
    }

    pub(super) fn question(&self) -> Option<Question> {
        self.entry.question.question()
    }
}

/// As if nothing were observed.
fn enforced(shown: &Shown) -> Shown {
    match shown {
        Shown::Resource(resource) => Shown::Resource(ShownResource { observe_until: None, ..resource.clone() }),
        Shown::Subject(_) => shown.clone(),
    }
}

/// Reads from `stretch`, in order; `visit` hears of the decisions of the window.
pub(super) fn each<L: Entries>(
    log: &L,
    symbols: &Symbols,
    stretch: &Stretch,
    since: Option<Timestamp>,
    mut progress: impl FnMut(&Progress) -> ControlFlow<()>,
    mut visit: impl FnMut(&Seen<'_>),
) -> Result<Facts, ReplayError> {
    let since = since.map(|since| since.to_string()).unwrap_or_default();
    let mut facts = Facts::default();
    let mut so_far = Progress { total: stretch.end - stretch.from, ..Progress::default() };
    for bundle in stretch.from / TILE..stretch.end.div_ceil(TILE) {
        let entries = log.bundle(bundle)?;
        for (index, bytes) in (bundle * TILE..).zip(entries.iter()) {
            if !(stretch.from..stretch.end).contains(&index) {
                continue;
            }
            let unreadable = |cause: &dyn std::fmt::Display| ReplayError::Entry { index, cause: cause.to_string() };
            let peeked = Entry::peek(bytes).ok_or_else(|| unreadable(&"it is no entry"))?;
            match peeked.kind {
                "shown" => {
                    let (id, shown) = shown(&peeked).map_err(|error| unreadable(&error))?;
                    facts.know(id, shown, symbols);
                }
                "decision" if index >= stretch.start && peeked.at >= since.as_str() => {
                    let entry: DecisionEntry =
                        serde_json::from_slice(peeked.content).map_err(|error| unreadable(&error))?;
                    let at = peeked.at.parse().map_err(|error| unreadable(&error))?;
                    let known = &facts.known;
                    let facts = entry
                        .shown
                        .and_then(|pair| Some((pair.subject, known.get(&pair.subject)?, known.get(&pair.resource)?)));
                    so_far.decisions += 1;
                    visit(&Seen { at, entry: &entry, facts });
                }
                _ => {}
            }
            so_far.done += 1;
        }
        if progress(&so_far).is_break() {
            return Err(ReplayError::Interrupted);
        }
    }
    Ok(facts)
}

/// One use as a whole, to see what else the policies ask for.
pub(super) struct Sample {
    pub(super) subject: Arc<Record>,
    pub(super) resource: Arc<Record>,
    pub(super) action: Action,
    pub(super) session: Option<SessionId>,
    pub(super) circumstances: Circumstances,
}

impl Sample {
    /// What `policies` say of it under other circumstances.
    pub(super) fn effect(&self, policies: &PolicySet, circumstances: &Circumstances) -> Effect {
        let slice = Slice { subject: &self.subject, resource: &self.resource };
        policies.effect(&slice, self.action, self.session, circumstances)
    }
}

#[derive(Clone, Debug)]
pub(super) struct Span {
    pub(super) uses: u64,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
}

impl Span {
    fn add(into: &mut Option<Self>, at: Timestamp, counts: bool) {
        let span = into.get_or_insert(Self { uses: 0, first: at, last: at });
        span.uses += u64::from(counts);
        (span.first, span.last) = (span.first.min(at), span.last.max(at));
    }
}

/// One who used something.
#[derive(Default)]
pub(super) struct Who {
    pub(super) span: Option<Span>,
    /// What it was at the time: facts change.
    pub(super) shapes: BTreeSet<ShownId>,
}

/// Uses of one resource by one kind of subject for one class of action.
#[derive(Default)]
pub(super) struct Evidence {
    pub(super) span: Option<Span>,
    pub(super) who: BTreeMap<SubjectId, Who>,
    pub(super) common: Option<Common>,
    pub(super) samples: Vec<Sample>,
}

/// Refused, and by what: nothing where nobody permits it.
#[derive(Default)]
pub(super) struct Refused {
    pub(super) span: Option<Span>,
    pub(super) who: BTreeSet<SubjectId>,
}

pub(super) type Key = (ResourceId, SubjectKind, ActionClass);
pub(super) type Refusals = BTreeMap<(ResourceId, Option<PolicyId>), Refused>;

#[derive(Default)]
pub(super) struct Uses {
    pub(super) window: Window,
    pub(super) counted: Counted,
    pub(super) evidence: BTreeMap<Key, Evidence>,
    /// Let through by observe mode, and permitted by no policy.
    pub(super) unpermitted: BTreeMap<Key, Evidence>,
    /// Given at the time, and refused by the policies that things start from.
    pub(super) refused_now: Refusals,
    /// Let through by observe mode, and forbidden, or nothing that a permit is proposed for.
    pub(super) still_refused: Refusals,
    /// Whether some of it was in observe mode.
    pub(super) observed: bool,
    /// How many decisions each policy determined.
    pub(super) determined: BTreeMap<PolicyId, u64>,
    pub(super) facts: Facts,
}

impl Evidence {
    fn add(&mut self, seen: &Seen<'_>, question: Question, facts: (ShownId, &Known, &Known), counts: bool) {
        let (shape, subject, resource) = facts;
        Span::add(&mut self.span, seen.at, counts);
        let who = self.who.entry(question.subject).or_default();
        Span::add(&mut who.span, seen.at, counts);
        who.shapes.insert(shape);
        match &mut self.common {
            Some(common) => common.meet(&question.circumstances),
            None => self.common = Some(Common::of(&question.circumstances)),
        }
        if self.samples.len() < SAMPLES {
            self.samples.push(Sample {
                subject: Arc::clone(&subject.record),
                resource: Arc::clone(&resource.record),
                action: question.action,
                session: question.session,
                circumstances: question.circumstances,
            });
        }
    }
}

fn refuse(refusals: &mut Refusals, seen: &Seen<'_>, resource: &ResourceId, decision: &Decision, counts: bool) {
    let forbids = decision.reasons().determining.iter().filter(|policy| policy.role == PolicyRole::Forbid);
    let mut by: Vec<Option<PolicyId>> = forbids.map(|policy| Some(policy.id.clone())).collect();
    if by.is_empty() {
        by.push(None);
    }
    for policy in by {
        let refused = refusals.entry((resource.clone(), policy)).or_default();
        Span::add(&mut refused.span, seen.at, counts);
        refused.who.insert(seen.entry.question.subject.clone());
    }
}

impl Uses {
    fn take(&mut self, seen: &Seen<'_>, current: &PolicySet, terms: &Terms, marked: &Marked) {
        let entry = seen.entry;
        self.counted.decisions += 1;
        self.window.first_decision.get_or_insert(seen.at);
        self.window.last_decision = Some(seen.at);
        for policy in &entry.decision.reasons().determining {
            *self.determined.entry(policy.id.clone()).or_default() += 1;
        }
        let Decision::Allow(allowance) = &entry.decision else { return };
        self.observed |= seen.observed();
        let (Some(facts), Some(question)) = (seen.facts, seen.question()) else {
            self.counted.unknown += 1;
            return;
        };
        let (_, subject, resource) = facts;
        let (Shown::Subject(person), Shown::Resource(place)) = (&subject.shown, &resource.shown) else {
            self.counted.unknown += 1;
            return;
        };
        // One access, decided again while it lasted, is one use: its first decision was in the window, or this one stands
        // for it. The id says when that was made.
        let counts = entry.supersedes.is_none_or(|first| self.window.since.is_some_and(|since| first.made() < since));
        if counts {
            self.counted.uses += 1;
        } else {
            self.counted.again += 1;
        }
        let slice = Slice { subject: &subject.record, resource: &resource.record };
        let effect = current.effect(&slice, question.action, question.session, &question.circumstances);
        let refused = (effect != Effect::Allow).then(|| current.decide(&slice, &question));
        // Even observe mode lets nothing through where a forbid fails.
        let failed = |denial: &Denial| denial.cause == DenialCause::ForbidFailed;
        match &refused {
            None => {}
            Some(Decision::Deny(denial)) if seen.observed() && !failed(denial) => self.counted.let_through += 1,
            Some(Decision::Challenge(_)) if seen.observed() => self.counted.let_through += 1,
            Some(decision) => {
                self.counted.refused_now += 1;
                return refuse(&mut self.refused_now, seen, &place.id, decision, counts);
            }
        }
        if place.kind == ResourceKind::Countersign {
            self.counted.own += 1;
            return;
        }
        let permits = &allowance.reasons.determining;
        let spared = marked.resource(&place.id)
            || person.groups.iter().any(|group| marked.group(group))
            || (!permits.is_empty() && permits.iter().all(|policy| marked.policy(&policy.id)));
        if spared {
            self.counted.left_out += 1;
            return;
        }
        if !terms.resources.is_empty() && !terms.resources.contains(&place.id) {
            return;
        }
        let key = (place.id.clone(), question.subject.kind(), question.action.class);
        // Whoever would be challenged could have met the challenge: a use like any other.
        if let Some(decision @ Decision::Deny(denial)) = &refused {
            let forbidden = denial.cause != DenialCause::NoPermit;
            // Nobody proposes that everybody may.
            if forbidden || person.id.kind() == SubjectKind::Anonymous {
                return refuse(&mut self.still_refused, seen, &place.id, decision, counts);
            }
            self.unpermitted.entry(key.clone()).or_default().add(seen, question.clone(), facts, counts);
        }
        self.evidence.entry(key).or_default().add(seen, question, facts, counts);
    }

    pub(super) fn gather<L: Entries>(
        log: &L,
        current: &PolicySet,
        stretch: &Stretch,
        terms: &Terms,
        marked: &Marked,
        progress: impl FnMut(&Progress) -> ControlFlow<()>,
    ) -> Result<Self, ReplayError> {
        let mut uses = Self { window: Window::of(log, stretch, terms.since)?, ..Self::default() };
        let visit = |seen: &Seen<'_>| uses.take(seen, current, terms, marked);
        let facts = each(log, current.symbols(), stretch, terms.since, progress, visit)?;
        uses.facts = facts;
        Ok(uses)
    }
}
