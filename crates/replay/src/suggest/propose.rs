//! From what was used to what is to be: for each resource the ways in which it was used, and the policies that leave them.

use std::collections::{BTreeMap, BTreeSet};

use countersign_model::{
    Action, ActionClass, Entitled, GroupId, PolicyId, PolicyRole, ResourceId, SubjectKind, Timestamp,
};
use countersign_policy::{Demand, Draft, EVERYONE, Effect, PolicySet, Slice, Way};

use super::cover::{Cover, Members, User, cover};
use super::uses::{Evidence, Key, Span, Uses};
use super::{AtResource, Marked, Rare, Taken, Terms, Used};

/// A policy names no more people than this. Nobody would read it.
const MOST_NAMED: usize = 100;

/// A name has at most 256 bytes, and a number may have to go with it.
const LONGEST_ID: usize = 240;

pub(super) struct Proposed {
    pub(super) resources: Vec<AtResource>,
    pub(super) drafts: Vec<Draft>,
}

struct Propose<'a> {
    uses: &'a Uses,
    set: &'a PolicySet,
    terms: &'a Terms,
    marked: &'a Marked<'a>,
    members: &'a Members,
    taken: BTreeSet<PolicyId>,
}

pub(super) fn propose(uses: &Uses, set: &PolicySet, terms: &Terms, marked: &Marked<'_>, members: &Members) -> Proposed {
    let taken = set.policies().iter().map(|info| info.id.clone()).collect();
    let mut propose = Propose { uses, set, terms, marked, members, taken };
    let mut by_resource: BTreeMap<&ResourceId, Vec<(&Key, &Evidence, bool)>> = BTreeMap::new();
    for (all, unpermitted) in [(&uses.evidence, false), (&uses.unpermitted, true)] {
        for (key, evidence) in all {
            by_resource.entry(&key.0).or_default().push((key, evidence, unpermitted));
        }
    }
    let (mut resources, mut drafts) = (Vec::new(), Vec::new());
    for (id, evidence) in by_resource {
        let (at, more) = propose.resource(id, &evidence);
        resources.extend(at);
        drafts.extend(more);
    }
    Proposed { resources, drafts }
}

impl Propose<'_> {
    fn resource(&mut self, id: &ResourceId, evidence: &[(&Key, &Evidence, bool)]) -> (Option<AtResource>, Vec<Draft>) {
        let Some(shown) = self.uses.facts.resource(id) else { return (None, Vec::new()) };
        let used: Vec<Used> =
            evidence.iter().filter_map(|(key, evidence, unpermitted)| self.used(key, evidence, *unpermitted)).collect();
        let (mut drafts, mut policies) = (Vec::new(), Vec::new());
        // The unpermitted uses are among all of them.
        for (role, unpermitted) in [(PolicyRole::Forbid, false), (PolicyRole::Permit, true)] {
            let part: Vec<&Used> = used.iter().filter(|used| used.unpermitted == unpermitted).collect();
            // Where the ledger does not reach as far back as it should, disuse shows nothing.
            if part.is_empty() || (role == PolicyRole::Forbid && self.uses.window.short) {
                continue;
            }
            let Some(draft) = self.draft(id, role, &part) else { continue };
            policies.push(draft.id.clone());
            drafts.push(draft);
        }
        let classes: BTreeSet<ActionClass> = used.iter().map(|used| used.class).collect();
        let at = AtResource {
            resource: id.clone(),
            tier: shown.tier,
            unused: ActionClass::ALL.into_iter().filter(|class| !classes.contains(class)).collect(),
            entitled: entitled(&used),
            taken: None,
            used,
            policies,
        };
        (Some(at), drafts)
    }

    fn used(&self, (resource, kind, class): &Key, evidence: &Evidence, unpermitted: bool) -> Option<Used> {
        let Span { uses, first, last } = evidence.span.clone()?;
        let nobody = *kind == SubjectKind::Anonymous;
        // What a stranger does nobody loses by saying who they are.
        let strangers = (resource.clone(), SubjectKind::Anonymous, *class);
        let open = !nobody && !unpermitted && self.uses.evidence.contains_key(&strangers);
        let users: Vec<User<'_>> = evidence
            .who
            .iter()
            .map(|(id, who)| {
                let shapes = who.shapes.iter().filter_map(|shape| self.uses.facts.subject(*shape));
                User { id, shapes: shapes.map(|subject| subject.groups.as_slice()).collect() }
            })
            .collect();
        let entitled = self.uses.facts.resource(resource).map(|resource| &resource.entitled);
        // What the resource names already before what it does not, and what has everybody in it last: of its members the
        // ledger knows the fewest.
        let rank = |group: &GroupId| match group.as_str() {
            _ if self.marked.group(group) => None,
            EVERYONE => Some(2),
            _ => Some(u8::from(!entitled.is_some_and(|of| {
                [&of.readers, &of.writers, &of.administrators].into_iter().any(|groups| groups.contains(group))
            }))),
        };
        let mut cover = if nobody || open {
            Cover { exact: true, ..Cover::default() }
        } else {
            cover(&users, self.members, self.terms.excess, rank)
        };
        let anybody = nobody || open || cover.people.len() > MOST_NAMED;
        if anybody {
            cover = Cover { exact: cover.exact, ..Cover::default() };
        }
        let all = evidence.common.as_ref().map(|common| common.demands(*kind, &self.terms.circumstances));
        // A permit says all that it takes; a forbid need not repeat what others forbid.
        let (demanded, demands): (BTreeSet<Demand>, BTreeSet<Demand>) = all
            .filter(|_| !open)
            .unwrap_or_default()
            .into_iter()
            .partition(|demand| !unpermitted && self.is_demanded(demand, evidence));
        let rare = match evidence.who.len() {
            1 if !nobody => Some(Rare::ByOne),
            _ if uses < self.terms.rare => Some(Rare::Seldom),
            _ => None,
        };
        let subjects = evidence.who.len() as u64;
        Some(Used {
            kind: *kind,
            class: *class,
            uses,
            subjects,
            first,
            last,
            unpermitted,
            cover,
            anybody,
            demands,
            demanded,
            rare,
        })
    }

    /// Whether the policies refuse each of the uses that were kept, without it.
    fn is_demanded(&self, demand: &Demand, evidence: &Evidence) -> bool {
        let mut allowed = evidence.samples.iter().filter(|it| it.effect(self.set, &it.circumstances) == Effect::Allow);
        let refused =
            |it: &super::uses::Sample| it.effect(self.set, &demand.without(&it.circumstances)) != Effect::Allow;
        allowed.next().is_some_and(refused) && allowed.all(refused)
    }

    fn draft(&mut self, resource: &ResourceId, role: PolicyRole, used: &[&Used]) -> Option<Draft> {
        let days: Option<(Timestamp, Timestamp)> =
            used.iter().map(|used| (used.first, used.last)).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
        let day = |at: Timestamp| at.to_string().chars().take(10).collect::<String>();
        let span = days.map(|(first, last)| format!(" from {} to {}", day(first), day(last))).unwrap_or_default();
        let uses: u64 = used.iter().map(|used| used.uses).sum();
        let (suffix, description, remedy) = match role {
            PolicyRole::Forbid => (
                "",
                format!("What this resource was used for{span} (uses: {uses}), and nothing else."),
                format!("Nobody like you used this in this way before. If you need it, ask {}.", self.terms.owner),
            ),
            PolicyRole::Permit => (
                "-permit",
                format!("What only observe mode let through{span} (uses: {uses})."),
                format!("Ask {}.", self.terms.owner),
            ),
        };
        let permits = self.set.policies().iter().filter(|info| info.role == PolicyRole::Permit);
        let spared_permits = permits.filter(|info| self.marked.policy(&info.id)).map(|info| info.id.clone()).collect();
        let groups = self.uses.facts.groups().into_iter().chain(self.members.keys());
        let spared_groups = groups.filter(|group| self.marked.group(group)).cloned().collect();
        Some(Draft {
            id: self.id(&format!("suggested-{resource}{suffix}"))?,
            owner: self.terms.owner.clone(),
            review_by: self.terms.review_by,
            remedy,
            description,
            observe: false,
            role,
            resource: resource.clone(),
            ways: ways(used),
            spared_groups,
            spared_permits,
        })
    }

    /// One that nobody has, as near to the wish as can be.
    fn id(&mut self, wish: &str) -> Option<PolicyId> {
        let mut end = wish.len().min(LONGEST_ID);
        while !wish.is_char_boundary(end) {
            end -= 1;
        }
        let wish = wish.get(..end).unwrap_or_default().trim_end();
        let names = std::iter::once(wish.to_owned()).chain((2_u64..).map(|at| format!("{wish}-{at}")));
        // A part of a name and a number are a name.
        let id = names.map_while(|name| PolicyId::new(name).ok()).find(|id| !self.taken.contains(id))?;
        self.taken.insert(id.clone());
        Some(id)
    }
}

/// So many pairs of somebody and a resource are looked at.
const MOST_PAIRS: usize = 200_000;

/// Examples of those from whom something is taken.
const EXAMPLES: usize = 5;

/// Who could and can no longer, of those whom the ledger has seen: under circumstances in which it was used.
pub(super) fn take_away(resources: &mut [AtResource], uses: &Uses, (before, after): (&PolicySet, &PolicySet)) {
    let narrowed: Vec<&mut AtResource> = resources.iter_mut().filter(|at| !at.policies.is_empty()).collect();
    if narrowed.len().saturating_mul(uses.facts.subjects.len()) > MOST_PAIRS {
        return;
    }
    for at in narrowed {
        let mut taken: BTreeMap<ActionClass, Taken> = BTreeMap::new();
        for (id, shape) in &uses.facts.subjects {
            let with = uses.evidence.iter().filter(|(key, _)| key.0 == at.resource && key.1 == id.kind());
            let mut samples = with.flat_map(|(_, evidence)| &evidence.samples);
            let sample = samples.find(|sample| sample.effect(before, &sample.circumstances) == Effect::Allow);
            let (Some(sample), Some(known)) = (sample, uses.facts.known.get(shape)) else { continue };
            let slice = Slice { subject: &known.record, resource: &sample.resource };
            for class in ActionClass::ALL {
                let effect = |of: &PolicySet| of.effect(&slice, Action::http(class), None, &sample.circumstances);
                if effect(before) != Effect::Allow || effect(after) == Effect::Allow {
                    continue;
                }
                let taken = taken.entry(class).or_insert_with(|| Taken { class, subjects: 0, examples: Vec::new() });
                taken.subjects += 1;
                if taken.examples.len() < EXAMPLES {
                    taken.examples.push(id.clone());
                }
            }
        }
        at.taken = Some(taken.into_values().collect());
    }
}

/// Whether it only says again what an earlier proposal about the resource said.
pub(super) fn says_it_again(draft: &Draft, resources: &[AtResource], set: &PolicySet) -> bool {
    let earlier = format!("suggested-{}", draft.resource);
    let nothing = |at: &AtResource| at.resource == draft.resource && at.taken.as_ref().is_some_and(Vec::is_empty);
    draft.role == PolicyRole::Forbid
        && draft.ways.iter().all(|way| way.demands.is_empty())
        && set.policies().iter().any(|info| info.role == PolicyRole::Forbid && info.id.as_str() == earlier)
        && resources.iter().any(nothing)
}

/// What is the same but for the class of action is said once.
fn ways(used: &[&Used]) -> Vec<Way> {
    let mut ways: Vec<Way> = Vec::new();
    for used in used {
        let way = Way {
            kind: used.kind,
            classes: BTreeSet::from([used.class]),
            anybody: used.anybody,
            groups: used.cover.groups.iter().map(|share| share.group.clone()).collect(),
            people: used.cover.people.clone(),
            demands: used.demands.clone(),
        };
        let same = |other: &&mut Way| Way { classes: way.classes.clone(), ..(**other).clone() } == way;
        match ways.iter_mut().find(same) {
            Some(other) => {
                other.classes.insert(used.class);
            }
            None => ways.push(way),
        }
    }
    ways
}

/// Whoever may write may read: nobody is named twice.
fn entitled(used: &[Used]) -> Entitled {
    let of = |classes: &[ActionClass]| -> BTreeSet<GroupId> {
        let used = used.iter().filter(|used| classes.contains(&used.class));
        used.flat_map(|used| &used.cover.groups).map(|share| share.group.clone()).collect()
    };
    let administrators = of(&[ActionClass::Administer]);
    let writers: BTreeSet<GroupId> =
        of(&[ActionClass::Write, ActionClass::Connect]).difference(&administrators).cloned().collect();
    let readers = of(&[ActionClass::Read]);
    let readers = readers.difference(&administrators).filter(|group| !writers.contains(*group)).cloned();
    Entitled {
        readers: readers.collect(),
        writers: writers.into_iter().collect(),
        administrators: administrators.into_iter().collect(),
    }
}
