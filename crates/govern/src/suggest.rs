//! What a thing probably is, with the reason: for a person to confirm, never taken as said.

use countersign_estate::{Inventory, Kind, Node, Relation};
use countersign_model::Tier;

/// A proposal for one of the three, with why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggestion {
    pub tier: Option<Tier>,
    pub owner: Option<String>,
    pub segment: Option<String>,
    pub because: String,
}

impl Suggestion {
    fn tier(tier: Tier, because: impl Into<String>) -> Self {
        Self { tier: Some(tier), owner: None, segment: None, because: because.into() }
    }
}

/// Whether a person is to say what it is.
pub(crate) const fn is_classifiable(kind: Kind) -> bool {
    matches!(kind, Kind::Resource | Kind::Scope | Kind::Device | Kind::Workload)
}

/// `incoming` are the inventory's edges that lead to it.
pub(crate) fn suggestions(
    inventory: &Inventory,
    node: &Node,
    tier_zero: bool,
    incoming: impl Iterator<Item = u32>,
) -> Vec<Suggestion> {
    let attributes = node.attributes();
    let mut found = Vec::new();
    if inventory.tier(node).is_none() {
        if attributes.domain_controller == Some(true) {
            found.push(Suggestion::tier(Tier::CrownJewel, "a domain controller: whoever has it has every account"));
        } else if tier_zero {
            found.push(Suggestion::tier(Tier::CrownJewel, "it is of tier zero: whoever has it has the rest"));
        } else if let Some(tier) = attributes.tier {
            found.push(Suggestion::tier(tier, "its source says so"));
        } else if attributes.high_value == Some(true) || attributes.admin_count == Some(true) {
            found.push(Suggestion::tier(Tier::High, "its source counts it among what must not fall"));
        }
    }
    let (mut owners, mut containers) = (Vec::new(), Vec::new());
    for edge in incoming.filter_map(|edge| inventory.edges().get(edge as usize)).filter(|edge| !edge.is_gone()) {
        let Some(from) = inventory.nodes().get(edge.from as usize) else { continue };
        let person = matches!(from.kind(), Kind::Human | Kind::Account);
        match edge.relation {
            Relation::Owns if person => owners.push((from, "the directory names it as the owner")),
            Relation::Administers if person => owners.push((from, "the only account that administers it")),
            Relation::Contains if matches!(from.kind(), Kind::Container | Kind::Segment) => containers.push(from),
            _ => {}
        }
    }
    let confirmed = inventory.classification(&node.key);
    if confirmed.is_none_or(|said| said.owner.is_none()) {
        let said = attributes.owner.map(|owner| (owner.to_string(), "its source names it"));
        let only = match owners.as_slice() {
            [(owner, because)] => Some((owner.key.to_string(), *because)),
            _ => None,
        };
        found.extend(said.or(only).map(|(owner, because)| Suggestion {
            tier: None,
            owner: Some(owner),
            segment: None,
            because: because.to_owned(),
        }));
    }
    if inventory.segment(node).is_none()
        && let [container] = containers.as_slice()
    {
        found.push(Suggestion {
            tier: None,
            owner: None,
            segment: Some(container.name().chars().take(200).collect()),
            because: "the container that it lies in".to_owned(),
        });
    }
    found
}
