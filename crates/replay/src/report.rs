//! What a replay found: counts, and for whom, at which resource and by which policy it would be otherwise.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

use countersign_model::{DecisionId, PolicyRole, Reasons, Timestamp};
use countersign_policy::Effect;
use serde::{Deserialize, Serialize};

use crate::read::Recorded;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// SHA-256 of the proposed set, in hex.
    pub proposed: String,
    pub covered: Covered,
    /// Decisions by the set that made them.
    pub recorded_under: BTreeMap<String, u64>,
    pub unchanged: Unchanged,
    pub newly_denied: Changes,
    pub newly_challenged: Changes,
    pub newly_allowed: Changes,
}

impl Report {
    /// How many come out otherwise.
    pub fn changed(&self) -> u64 {
        self.newly_denied.all.count + self.newly_challenged.all.count + self.newly_allowed.all.count
    }
}

/// What the report speaks about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Covered {
    /// Of the ledger: from the first entry of the span, up to its end.
    pub first_entry: u64,
    pub end_entry: u64,
    /// Of the decisions in it.
    pub first: Option<Timestamp>,
    pub last: Option<Timestamp>,
    /// Entries that are archived and not at hand, where the span may reach into them.
    pub archived: u64,
    pub decisions: u64,
    /// Decided again.
    pub replayed: u64,
    /// Denied before a policy was asked (no such resource, no valid credential, …): no policy changes that.
    pub before_policies: u64,
    /// What the policies were shown is not recorded, or not at hand: nothing is said about these.
    pub unknown: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unchanged {
    pub allowed: u64,
    pub challenged: u64,
    pub denied: u64,
}

/// All decisions with one new outcome.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    pub all: Tally,
    /// What they were.
    pub were: Unchanged,
    /// Whoever asked, a service or an agent too. The most first, as everywhere below.
    pub people: Vec<Part>,
    pub resources: Vec<Part>,
    pub policies: Vec<Part>,
    /// Of those that asked in a session.
    pub sessions: Vec<Part>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    pub name: String,
    /// Of a policy: what it does that it did not, or the other way round.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub how: Option<How>,
    #[serde(flatten)]
    pub tally: Tally,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    Forbids,
    NoLongerForbids,
    Permits,
    NoLongerPermits,
}

impl How {
    pub const fn words(self) -> &'static str {
        match self {
            Self::Forbids => "forbids",
            Self::NoLongerForbids => "no longer forbids",
            Self::Permits => "permits",
            Self::NoLongerPermits => "no longer permits",
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    pub count: u64,
    pub first: Option<Timestamp>,
    pub last: Option<Timestamp>,
    /// The first of them.
    pub examples: Vec<DecisionId>,
}

/// One decision that comes out otherwise.
pub(crate) struct Changed<'a> {
    pub(crate) index: u64,
    pub(crate) at: Timestamp,
    pub(crate) id: DecisionId,
    pub(crate) subject: String,
    pub(crate) resource: String,
    pub(crate) session: Option<String>,
    pub(crate) was: (Effect, &'a Reasons),
    pub(crate) is: (Effect, &'a Reasons),
}

impl Changed<'_> {
    /// Whose doing it is. All forbids that hold are in the reasons, and the permits only of an allow.
    fn policies(&self) -> Vec<(String, How)> {
        let of = |reasons: &Reasons, role: PolicyRole| -> Vec<String> {
            let named = reasons.determining.iter().filter(|policy| policy.role == role);
            named.map(|policy| policy.id.to_string()).collect()
        };
        let (was, is) = (of(self.was.1, PolicyRole::Forbid), of(self.is.1, PolicyRole::Forbid));
        let new = is.iter().filter(|id| !was.contains(id)).map(|id| (id.clone(), How::Forbids));
        let gone = was.iter().filter(|id| !is.contains(id)).map(|id| (id.clone(), How::NoLongerForbids));
        let mut all: Vec<(String, How)> = new.chain(gone).collect();
        let forbids = |how| all.iter().any(|(_, it)| *it == how);
        let (forbidden, freed) = (forbids(How::Forbids), forbids(How::NoLongerForbids));
        if self.is.0 == Effect::Allow && !freed {
            all.extend(of(self.is.1, PolicyRole::Permit).into_iter().map(|id| (id, How::Permits)));
        }
        if self.was.0 == Effect::Allow && !forbidden {
            all.extend(of(self.was.1, PolicyRole::Permit).into_iter().map(|id| (id, How::NoLongerPermits)));
        }
        if all.is_empty() {
            // The same policies, and another way out of them.
            all.extend(is.into_iter().map(|id| (id, How::Forbids)));
        }
        all
    }
}

/// A report in the making: of one thread, then of all.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    pub(crate) covered: Covered,
    pub(crate) under: HashMap<String, u64>,
    unchanged: [u64; 3],
    changes: [GatheredChanges; 3],
    pub(crate) changed: u64,
}

#[derive(Debug, Default)]
struct GatheredChanges {
    all: GatheredTally,
    were: [u64; 3],
    people: HashMap<String, GatheredTally>,
    resources: HashMap<String, GatheredTally>,
    policies: HashMap<(String, How), GatheredTally>,
    sessions: HashMap<String, GatheredTally>,
}

#[derive(Debug, Default)]
struct GatheredTally {
    count: u64,
    span: Option<(Timestamp, Timestamp)>,
    examples: BTreeMap<u64, DecisionId>,
}

pub(crate) const fn place(effect: Effect) -> usize {
    match effect {
        Effect::Allow => 0,
        Effect::Challenge => 1,
        Effect::Deny => 2,
    }
}

fn counts([allowed, challenged, denied]: [u64; 3]) -> Unchanged {
    Unchanged { allowed, challenged, denied }
}

impl GatheredTally {
    fn add(&mut self, index: u64, id: DecisionId, at: Timestamp, examples: usize) {
        self.count += 1;
        self.span = Some(self.span.map_or((at, at), |(first, last)| (first.min(at), last.max(at))));
        self.examples.insert(index, id);
        if self.examples.len() > examples {
            self.examples.pop_last();
        }
    }

    fn merge(&mut self, other: Self, examples: usize) {
        self.count += other.count;
        self.span = match (self.span, other.span) {
            (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
            (one, other) => one.or(other),
        };
        self.examples.extend(other.examples);
        while self.examples.len() > examples {
            self.examples.pop_last();
        }
    }

    fn finish(self) -> Tally {
        let (first, last) = self.span.unzip();
        Tally { count: self.count, first, last, examples: self.examples.into_values().collect() }
    }
}

fn merge_all<K: Hash + Eq>(into: &mut HashMap<K, GatheredTally>, from: HashMap<K, GatheredTally>, examples: usize) {
    for (key, tally) in from {
        into.entry(key).or_default().merge(tally, examples);
    }
}

fn parts<K>(of: HashMap<K, GatheredTally>, name: impl Fn(K) -> (String, Option<How>)) -> Vec<Part> {
    let part = |(key, tally): (K, GatheredTally)| {
        let (name, how) = name(key);
        Part { name, how, tally: tally.finish() }
    };
    let mut parts: Vec<Part> = of.into_iter().map(part).collect();
    parts.sort_unstable_by(|a, b| {
        b.tally.count.cmp(&a.tally.count).then_with(|| a.name.cmp(&b.name)).then(a.how.cmp(&b.how))
    });
    parts
}

impl Gathered {
    pub(crate) fn count(&mut self, recorded: &Recorded<'_>) {
        self.covered.decisions += 1;
        self.covered.before_policies += u64::from(recorded.before_policies);
        match self.under.get_mut(recorded.policy_set()) {
            Some(count) => *count += 1,
            None => {
                self.under.insert(recorded.policy_set().to_owned(), 1);
            }
        }
    }

    pub(crate) fn unchanged(&mut self, effect: Effect) {
        self.covered.replayed += 1;
        if let Some(count) = self.unchanged.get_mut(place(effect)) {
            *count += 1;
        }
    }

    pub(crate) fn change(&mut self, change: Changed<'_>, examples: usize) {
        self.covered.replayed += 1;
        self.changed += 1;
        let policies = change.policies();
        let Changed { index, at, id, subject, resource, session, was, is } = change;
        let Some(changes) = self.changes.get_mut(place(is.0)) else { return };
        if let Some(were) = changes.were.get_mut(place(was.0)) {
            *were += 1;
        }
        let add = |tally: &mut GatheredTally| tally.add(index, id, at, examples);
        add(&mut changes.all);
        add(changes.people.entry(subject).or_default());
        add(changes.resources.entry(resource).or_default());
        for policy in policies {
            add(changes.policies.entry(policy).or_default());
        }
        if let Some(session) = session {
            add(changes.sessions.entry(session).or_default());
        }
    }

    pub(crate) fn merge(&mut self, other: Self, examples: usize) {
        let (a, b) = (&mut self.covered, other.covered);
        a.decisions += b.decisions;
        a.replayed += b.replayed;
        a.before_policies += b.before_policies;
        a.unknown += b.unknown;
        a.first = [a.first, b.first].into_iter().flatten().min();
        a.last = a.last.max(b.last);
        for (set, count) in other.under {
            *self.under.entry(set).or_default() += count;
        }
        for (mine, more) in self.unchanged.iter_mut().zip(other.unchanged) {
            *mine += more;
        }
        self.changed += other.changed;
        for (mine, more) in self.changes.iter_mut().zip(other.changes) {
            for (were, and) in mine.were.iter_mut().zip(more.were) {
                *were += and;
            }
            mine.all.merge(more.all, examples);
            merge_all(&mut mine.people, more.people, examples);
            merge_all(&mut mine.resources, more.resources, examples);
            merge_all(&mut mine.policies, more.policies, examples);
            merge_all(&mut mine.sessions, more.sessions, examples);
        }
    }

    pub(crate) fn finish(self, proposed: String) -> Report {
        let finish = |changes: GatheredChanges| Changes {
            all: changes.all.finish(),
            were: counts(changes.were),
            people: parts(changes.people, |name| (name, None)),
            resources: parts(changes.resources, |name| (name, None)),
            policies: parts(changes.policies, |(name, how)| (name, Some(how))),
            sessions: parts(changes.sessions, |name| (name, None)),
        };
        let [newly_allowed, newly_challenged, newly_denied] = self.changes.map(finish);
        Report {
            proposed,
            covered: self.covered,
            recorded_under: self.under.into_iter().collect(),
            unchanged: counts(self.unchanged),
            newly_denied,
            newly_challenged,
            newly_allowed,
        }
    }
}
