//! What a person says a thing is: how sensitive, who answers for it, inside which boundary. A source that says so is believed only
//! where it is Countersign itself, whose resources were classified by a person too; everything else is at most a suggestion.

use std::sync::Arc;

use countersign_model::{Tier, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Inventory, Node, NodeSighting, UnknownNode};
use crate::batch::System;

/// A person's word on one node. `None`: not said.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Classification {
    pub key: Arc<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<Tier>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segment: Option<Box<str>>,
    pub by: String,
    pub at: Timestamp,
}

impl Inventory {
    /// Takes a person's word in place of the former one; one that says nothing takes it back.
    ///
    /// # Errors
    /// When there is no such node.
    pub fn classify(&mut self, said: Classification) -> Result<(), UnknownNode> {
        if !self.index.contains_key(&said.key) {
            return Err(UnknownNode(said.key));
        }
        let says_nothing = said.tier.is_none() && said.owner.is_none() && said.segment.is_none();
        match (self.classifications.binary_search_by(|known| known.key.cmp(&said.key)), says_nothing) {
            (Ok(place), true) => drop(self.classifications.remove(place)),
            (Ok(place), false) => {
                if let Some(known) = self.classifications.get_mut(place) {
                    *known = said;
                }
            }
            (Err(_), true) => {}
            (Err(place), false) => self.classifications.insert(place, said),
        }
        Ok(())
    }

    /// In the order of the keys.
    pub fn classifications(&self) -> &[Classification] {
        &self.classifications
    }

    pub fn classification(&self, key: &str) -> Option<&Classification> {
        let place = self.classifications.binary_search_by(|known| (*known.key).cmp(key)).ok()?;
        self.classifications.get(place)
    }

    /// How sensitive it is: a person's word, or that of the people who configured Countersign.
    pub fn tier(&self, node: &Node) -> Option<Tier> {
        self.classification(&node.key).and_then(|said| said.tier).or_else(|| {
            let own = |seen: &NodeSighting| seen.attributes.as_ref().and_then(|said| said.tier);
            self.own(node).find_map(own)
        })
    }

    /// The boundary that it is in.
    pub fn segment<'i>(&'i self, node: &'i Node) -> Option<&'i str> {
        self.classification(&node.key).and_then(|said| said.segment.as_deref()).or_else(|| {
            let own = |seen: &'i NodeSighting| seen.attributes.as_ref().and_then(|said| said.segment.as_deref());
            self.own(node).find_map(own)
        })
    }

    fn own<'i>(&'i self, node: &'i Node) -> impl Iterator<Item = &'i NodeSighting> {
        let own = |part: u32| self.part(part).is_some_and(|part| part.system == System::Countersign);
        node.sightings.iter().filter(move |seen| seen.span.gone.is_none() && own(seen.part))
    }
}
