//! How far an attacker gets from any one compromise, in figures and by name. The graph computes over numbers; here its answers
//! get the names, techniques and evidence of the inventory ([`Named`]), and a summary that a report can carry ([`RadiusSummary`]).
//! Nothing is searched here that the graph cannot search, and nothing is judged.
//!
//! Whoever may be compromised is an enabled identity: a person's account, a service, an agent. Devices are reached, and are ways.

mod named;
mod one;
mod summary;
mod what_if;

use countersign_model::Tier;
use serde::{Deserialize, Serialize};

pub use named::{Cited, Exercised, Layers, Named, NamedEdge, NamedNode, NoEdge, NoNode};
pub use one::{NamedPath, NamedStep, OneRadius, Ways};
pub(crate) use what_if::figures;
pub use what_if::{ChangedRadius, Figures, WhatIf};

/// The blast radius of an estate.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RadiusSummary {
    pub nodes: u64,
    pub edges: u64,
    /// Of the edges, those that hold under a condition that nobody here can decide. They are followed: the figures are upper
    /// bounds where there are any.
    pub conditional: u64,
    /// Enabled identities: whom every figure below is about.
    pub identities: u64,
    /// What controls the rest: domains, their controllers and administrators, and what a source counts so.
    pub tier_zero: u64,
    /// Identities that belong to tier zero, themselves or through groups.
    pub tier_zero_members: u64,
    /// Identities that get to tier zero by any way, its members among them.
    pub reach_tier_zero: u64,
    /// How many others one identity reaches.
    pub radius: Spread,
    /// How many others of a tier one identity reaches, for each tier that somebody has classified anything as.
    pub by_tier: Vec<Spread>,
    /// How many others the identities of a segment reach, for each segment that is known.
    pub by_segment: Vec<Spread>,
    /// At most twenty, the farthest reach first.
    pub worst: Vec<Worst>,
    /// Tier zero and crown jewels, at most twenty, the most exposed first.
    pub exposed: Vec<Exposed>,
    /// At most twenty nodes that every way of some identities to tier zero passes, the busiest first.
    pub choke_points: Vec<Choke>,
    /// What to take away first, each step counted on top of those before it.
    pub removals: Vec<RemovalStep>,
}

/// How a figure is spread over some identities: the smallest value that so many of them do not exceed.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Spread {
    pub of: String,
    /// How many identities it is about.
    pub identities: u64,
    pub median: u64,
    pub p95: u64,
    pub max: u64,
}

impl Spread {
    /// Of these values, which it sorts.
    pub(crate) fn new(of: &str, values: &mut [u64]) -> Self {
        values.sort_unstable();
        let at = |percent: usize| {
            let rank = (values.len() * percent).div_ceil(100);
            values.get(rank.saturating_sub(1)).copied().unwrap_or(0)
        };
        Self { of: of.to_owned(), identities: values.len() as u64, median: at(50), p95: at(95), max: at(100) }
    }
}

/// An identity with a far reach.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Worst {
    pub node: NamedNode,
    pub reached: u64,
    pub tier_zero_reached: u64,
}

/// Something that must not fall, and how many identities get to it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Exposed {
    pub node: NamedNode,
    pub identities: u64,
}

/// A node that carries ways to tier zero.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Choke {
    pub node: NamedNode,
    /// Identities that have no way to tier zero without it.
    pub identities: u64,
    /// Nodes of tier zero that nobody reaches without it.
    pub targets: u64,
}

/// Edges between two nodes that go together, and how many identities, members left out, reach tier zero before and after.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RemovalStep {
    pub edges: Vec<NamedEdge>,
    pub before: u64,
    pub after: u64,
}

pub(crate) fn is_jewel(tier: Option<Tier>) -> bool {
    tier == Some(Tier::CrownJewel)
}
