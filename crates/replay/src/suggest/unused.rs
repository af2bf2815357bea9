//! What was granted and not used, as far as the window tells: the groups that resources name, and who of them came.

use std::collections::{BTreeMap, BTreeSet};

use countersign_model::{ActionClass, GroupId, ResourceId, ResourceKind, SubjectId, Timestamp};
use serde::{Deserialize, Serialize};

use super::cover::Members;
use super::uses::Uses;
use super::{Marked, Terms};

/// As what a resource names a group.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Right {
    Readers,
    Writers,
    Administrators,
}

impl Right {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Readers => "readers",
            Self::Writers => "writers",
            Self::Administrators => "administrators",
        }
    }

    /// What it gives that the right before it does not.
    const fn classes(self) -> &'static [ActionClass] {
        match self {
            Self::Readers => &[ActionClass::Read],
            Self::Writers => &[ActionClass::Write, ActionClass::Connect],
            Self::Administrators => &[ActionClass::Administer],
        }
    }
}

/// A group that a resource names, and what its members did with that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnusedGroup {
    pub resource: ResourceId,
    pub right: Right,
    pub group: GroupId,
    /// As far as they are known.
    pub members: u64,
    /// How many of them used the resource at all, and when the last of them did.
    pub came: u64,
    pub last: Option<Timestamp>,
    /// How many did what only this right is for.
    pub used: u64,
}

/// Of each resource that somebody asked for, as it was last. Those of which nobody used the right first.
pub(super) fn groups(uses: &Uses, terms: &Terms, marked: &Marked<'_>, members: &Members) -> Vec<UnusedGroup> {
    let none = BTreeSet::new();
    let mut came: BTreeMap<&ResourceId, BTreeMap<&SubjectId, (Timestamp, BTreeSet<ActionClass>)>> = BTreeMap::new();
    for ((resource, _, class), evidence) in &uses.evidence {
        for (id, who) in &evidence.who {
            let Some(span) = &who.span else { continue };
            let (last, classes) =
                came.entry(resource).or_default().entry(id).or_insert_with(|| (span.last, BTreeSet::new()));
            *last = (*last).max(span.last);
            classes.insert(*class);
        }
    }
    let nobody = BTreeMap::new();
    let mut all = Vec::new();
    for id in uses.facts.resources.keys() {
        let Some(resource) = uses.facts.resource(id) else { continue };
        let asked = terms.resources.is_empty() || terms.resources.contains(id);
        if !asked || resource.kind == ResourceKind::Countersign || marked.resource(id) {
            continue;
        }
        let came = came.get(id).unwrap_or(&nobody);
        let entitled = &resource.entitled;
        for (right, groups) in [
            (Right::Readers, &entitled.readers),
            (Right::Writers, &entitled.writers),
            (Right::Administrators, &entitled.administrators),
        ] {
            for group in groups.iter().filter(|group| !marked.group(group)) {
                let of = members.get(group).unwrap_or(&none);
                let mine: Vec<_> = of.iter().filter_map(|member| came.get(member)).collect();
                let did = |classes: &BTreeSet<ActionClass>| right.classes().iter().any(|class| classes.contains(class));
                all.push(UnusedGroup {
                    resource: id.clone(),
                    right,
                    group: group.clone(),
                    members: of.len() as u64,
                    came: mine.len() as u64,
                    last: mine.iter().map(|(last, _)| *last).max(),
                    used: mine.iter().filter(|(_, classes)| did(classes)).count() as u64,
                });
            }
        }
    }
    all.retain(|row| row.used < row.members || row.members == 0);
    all.sort_by(|a, b| {
        (a.used > 0)
            .cmp(&(b.used > 0))
            .then_with(|| (&a.resource, a.right, &a.group).cmp(&(&b.resource, b.right, &b.group)))
    });
    all
}
