//! The groups that cover everybody who used something, with as few others as can be. A group costs one, and each of its
//! members that never used it costs one: so ten teams give way to the department that they are when nearly all of it
//! was there. With a few groups to choose from every choice is tried; with more the best next one is taken.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use countersign_model::{GroupId, SubjectId};
use serde::{Deserialize, Serialize};

/// Of so many groups every choice is tried.
const EXACT: usize = 10;

/// Who is in which group, directly or not.
pub(super) type Members = BTreeMap<GroupId, BTreeSet<SubjectId>>;

/// One who has to be covered: as it was, each time that it was something else.
pub(super) struct User<'a> {
    pub(super) id: &'a SubjectId,
    pub(super) shapes: Vec<&'a [GroupId]>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cover {
    pub groups: Vec<Share>,
    /// Those whom no group fits.
    pub people: Vec<SubjectId>,
    /// Members of the groups that never used it.
    pub excess: u64,
    /// Whether no choice of groups is better; otherwise it is a good one.
    pub exact: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    pub group: GroupId,
    pub members: u64,
    /// How many of them used it.
    pub used: u64,
}

#[derive(Clone, Default, PartialEq, Eq)]
struct Bits(Vec<u64>);

impl Bits {
    fn put(&mut self, at: usize) {
        if self.0.len() <= at / 64 {
            self.0.resize(at / 64 + 1, 0);
        }
        if let Some(word) = self.0.get_mut(at / 64) {
            *word |= 1 << (at % 64);
        }
    }

    fn join(&mut self, other: &Self) {
        self.0.resize(self.0.len().max(other.0.len()), 0);
        self.0.iter_mut().zip(&other.0).for_each(|(word, more)| *word |= more);
    }

    fn count(&self) -> u64 {
        self.0.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    /// How many of `other` are not in it.
    fn lacks(&self, other: &Self) -> u64 {
        let mine = self.0.iter().copied().chain(std::iter::repeat(0));
        other.0.iter().zip(mine).map(|(theirs, mine)| u64::from((theirs & !mine).count_ones())).sum()
    }
}

/// A group that may be proposed.
struct Candidate<'a> {
    share: Share,
    group: &'a GroupId,
    /// Which shapes it covers, and whom it has too many.
    covers: Bits,
    idle: Bits,
}

#[derive(Clone, Default)]
struct Choice {
    picked: Vec<usize>,
    covers: Bits,
    idle: Bits,
}

impl Choice {
    fn with(&self, at: usize, candidate: &Candidate<'_>) -> Self {
        let mut more = self.clone();
        more.picked.push(at);
        more.covers.join(&candidate.covers);
        more.idle.join(&candidate.idle);
        more
    }

    fn of(picked: impl IntoIterator<Item = usize>, candidates: &[Candidate<'_>]) -> Self {
        let picked = picked.into_iter().filter_map(|at| Some((at, candidates.get(at)?)));
        picked.fold(Self::default(), |choice, (at, candidate)| choice.with(at, candidate))
    }

    /// Least is best; among equals fewest strangers, then the first by name.
    fn cost(&self) -> (u64, u64) {
        let idle = self.idle.count();
        (idle + self.picked.len() as u64, idle)
    }
}

/// Groups of which more than `excess` percent never used it are not proposed, nor are those without a `rank`. Of two that
/// are as good the one of the lower rank is taken.
pub(super) fn cover(users: &[User<'_>], members: &Members, excess: u8, rank: impl Fn(&GroupId) -> Option<u8>) -> Cover {
    let used: BTreeSet<&SubjectId> = users.iter().map(|user| user.id).collect();
    // Of those who were in it at the time as well as of those who are.
    let mut at_the_time: BTreeMap<&GroupId, BTreeSet<&SubjectId>> = BTreeMap::new();
    for user in users {
        for group in user.shapes.iter().copied().flatten() {
            at_the_time.entry(group).or_default().insert(user.id);
        }
    }
    let none = BTreeSet::new();
    let mut strangers: HashMap<&SubjectId, usize> = HashMap::new();
    let mut candidates: Vec<Candidate<'_>> = Vec::new();
    for (group, were) in &at_the_time {
        let are = members.get(*group).unwrap_or(&none);
        // Too wide, without looking at each member.
        let most = used.len() as u64 * 100;
        if rank(group).is_none() || (excess < 100 && are.len() as u64 * u64::from(100 - excess) > most) {
            continue;
        }
        let idle: Vec<&SubjectId> = are.iter().filter(|member| !used.contains(member)).collect();
        let users = were.len() as u64 + are.iter().filter(|it| used.contains(it) && !were.contains(it)).count() as u64;
        let members = users + idle.len() as u64;
        if idle.len() as u64 * 100 > members * u64::from(excess) {
            continue;
        }
        let mut bits = Bits::default();
        for stranger in idle {
            let next = strangers.len();
            bits.put(*strangers.entry(stranger).or_insert(next));
        }
        let share = Share { group: (*group).clone(), members, used: users };
        candidates.push(Candidate { share, group, covers: Bits::default(), idle: bits });
    }
    candidates.sort_by_key(|candidate| (rank(candidate.group), candidate.group));
    let fits: BTreeSet<&GroupId> = candidates.iter().map(|candidate| candidate.group).collect();
    let mut shapes: BTreeMap<&[GroupId], usize> = BTreeMap::new();
    let mut people = Vec::new();
    for user in users {
        let fit = |shape: &&[GroupId]| shape.iter().any(|group| fits.contains(group));
        if user.shapes.iter().all(fit) {
            for shape in &user.shapes {
                let next = shapes.len();
                shapes.entry(shape).or_insert(next);
            }
        } else {
            people.push(user.id.clone());
        }
    }
    let mut all = Bits::default();
    for (shape, at) in &shapes {
        all.put(*at);
        for candidate in candidates.iter_mut().filter(|candidate| shape.contains(candidate.group)) {
            candidate.covers.put(*at);
        }
    }
    let candidates = undominated(candidates);
    let exact = candidates.len() <= EXACT;
    let choice = if exact { best(&candidates, &all) } else { greedy(&candidates, &all) };
    let groups = choice.picked.iter().filter_map(|at| Some(candidates.get(*at)?.share.clone())).collect();
    Cover { groups, people, excess: choice.idle.count(), exact }
}

/// Without those in whose place another does as well and costs no more.
fn undominated(candidates: Vec<Candidate<'_>>) -> Vec<Candidate<'_>> {
    let mut kept: Vec<Candidate<'_>> = Vec::new();
    for candidate in candidates {
        let beats = |one: &Candidate<'_>, other: &Candidate<'_>| {
            one.covers.lacks(&other.covers) == 0 && other.idle.lacks(&one.idle) == 0
        };
        if candidate.covers.count() > 0 && !kept.iter().any(|other| beats(other, &candidate)) {
            kept.retain(|other| !beats(&candidate, other));
            kept.push(candidate);
        }
    }
    kept
}

fn best(candidates: &[Candidate<'_>], all: &Bits) -> Choice {
    let choices = (0..1_u32 << candidates.len())
        .map(|mask| Choice::of((0..candidates.len()).filter(|at| mask & (1 << at) != 0), candidates));
    choices.filter(|choice| choice.covers.lacks(all) == 0).min_by_key(Choice::cost).unwrap_or_default()
}

fn greedy(candidates: &[Candidate<'_>], all: &Bits) -> Choice {
    let mut choice = Choice::default();
    while choice.covers.lacks(all) > 0 {
        let next = candidates.iter().enumerate().filter_map(|(at, candidate)| {
            let gain = choice.covers.lacks(&candidate.covers);
            let price = 1 + choice.idle.lacks(&candidate.idle);
            // In thousandths: of two that bring as much for each that they cost, the first by name.
            (gain > 0).then(|| (gain.saturating_mul(1000) / price, std::cmp::Reverse(at)))
        });
        // Every shape is covered by some candidate.
        let Some((_, std::cmp::Reverse(at))) = next.max() else { break };
        choice = Choice::of(choice.picked.iter().copied().chain([at]), candidates);
    }
    for at in choice.picked.clone() {
        let without = Choice::of(choice.picked.iter().copied().filter(|other| *other != at), candidates);
        if without.covers.lacks(all) == 0 {
            choice = without;
        }
    }
    choice.picked.sort_unstable();
    Choice::of(choice.picked, candidates)
}
