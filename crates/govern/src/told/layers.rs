//! The three layers of what Countersign's own source grants: a group that a resource names is *granted*; what policies let somebody of it
//! do is *enforceable*; what the ledger has of it, lately, is *exercised*. Edges of other sources pass where no policy is enforced:
//! theirs stay unknown.

use std::collections::{BTreeMap, BTreeSet};

use countersign_administrator::{Administrator, Enforced};
use countersign_assess::NamedEdge;
use countersign_estate::{Because, Inventory, Projection, Relation};
use countersign_graph::{EdgeId, Enforceable, Exercise};
use countersign_model::{ActionClass, GroupId, ResourceId, Timestamp};
use serde::Serialize;

use super::lately::Used;
use super::{Groups, tick};
use crate::progress::Progress;

/// How many edges are listed.
const LISTED: usize = 200;

/// Standing access that nobody used: the first to go.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct NeverExercised {
    /// Use before it was not looked at.
    pub since: Timestamp,
    /// Grants of Countersign's own source that policy does not refuse and nobody used since.
    pub count: u64,
    /// Of how many.
    pub of: u64,
    /// The first of them: what leads to tier zero or to the most sensitive stands first.
    pub edges: Vec<NamedEdge>,
}

/// What is known of the own edges, before there is a graph.
#[derive(Debug)]
pub(crate) struct Layers {
    installation: String,
    since: Timestamp,
    rows: Vec<Row>,
}

/// A grant, and its use.
type Row = (Enforced, Option<Exercise>);

/// The edges of the graph that it was put on.
#[derive(Debug)]
pub(crate) struct Put {
    since: Timestamp,
    edges: BTreeSet<EdgeId>,
}

impl Layers {
    /// Nothing where the ledger was not read or the policies not asked.
    pub(super) fn of(
        administrator: &Administrator,
        used: &Used,
        since: Timestamp,
        progress: &Progress,
    ) -> Option<Self> {
        let enforced = administrator.enforced(&tick(progress)).ok()?;
        let mut groups = Groups::new(administrator);
        let mut exercise = |row: &Enforced| {
            let classes: &[ActionClass] = if row.administers {
                &[ActionClass::Administer]
            } else {
                &[ActionClass::Read, ActionClass::Write, ActionClass::Connect]
            };
            let mut seen: Option<Exercise> = None;
            for class in classes {
                for (subject, one) in used.get(&(row.resource.clone(), *class)).into_iter().flatten() {
                    if groups.within(subject, &row.group) {
                        let so_far = seen.unwrap_or(Exercise { last: one.last, count: 0 });
                        let count = so_far.count.saturating_add(one.count);
                        seen = Some(Exercise { last: so_far.last.max(one.last), count });
                    }
                }
            }
            seen
        };
        let rows = enforced.into_iter().map(|row| (exercise(&row), row)).map(|(seen, row)| (row, seen)).collect();
        Some(Self { installation: administrator.settings().control_host.clone(), since, rows })
    }

    /// Puts them on the edges that are of the own source.
    pub(crate) fn put(&self, inventory: &Inventory, projection: &mut Projection) -> Put {
        let mut by_key: BTreeMap<(&GroupId, &ResourceId, bool), &Row> = BTreeMap::new();
        for row in &self.rows {
            by_key.insert((&row.0.group, &row.0.resource, row.0.administers), row);
        }
        let own = |number: u32, what: &str| {
            let key = &inventory.nodes().get(number as usize)?.key;
            Some(key.strip_prefix(&format!("countersign:{}/{what}:", self.installation))?.to_owned())
        };
        let found = |id: EdgeId| {
            let edge = projection.graph.edge(id)?;
            let Because::Edge(number) = projection.because.get(edge.evidence.0 as usize)? else { return None };
            let edge = inventory.edges().get(*number as usize)?;
            let administers = match edge.relation {
                Relation::Permits => false,
                Relation::Administers => true,
                _ => return None,
            };
            let group = GroupId::new(own(edge.from, "group")?).ok()?;
            let resource = ResourceId::new(own(edge.to, "resource")?).ok()?;
            let (row, seen) = by_key.get(&(&group, &resource, administers))?;
            Some((id, row.lets, *seen))
        };
        let found: Vec<(EdgeId, Option<bool>, Option<Exercise>)> =
            projection.graph.edge_ids().filter_map(found).collect();
        let mut edges = BTreeSet::new();
        for (id, lets, seen) in found {
            edges.insert(id);
            projection.graph.set_enforceable(
                id,
                match lets {
                    Some(true) => Enforceable::Allowed,
                    Some(false) => Enforceable::Refused,
                    None => Enforceable::Unknown,
                },
            );
            if let Some(seen) = seen {
                projection.graph.exercise(id, seen);
            }
        }
        Put { since: self.since, edges }
    }
}

impl Put {
    /// What of it was never used, as the graph orders it.
    pub(crate) fn never_exercised(
        &self,
        projection: &Projection,
        named: impl Fn(EdgeId) -> Option<NamedEdge>,
    ) -> NeverExercised {
        let unused = projection.graph.compare(self.since).unused;
        let own: Vec<EdgeId> = unused.into_iter().filter(|id| self.edges.contains(id)).collect();
        NeverExercised {
            since: self.since,
            count: own.len() as u64,
            of: self.edges.len() as u64,
            edges: own.iter().take(LISTED).filter_map(|id| named(*id)).collect(),
        }
    }
}
