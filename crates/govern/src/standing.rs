//! The estate as it was assessed, ready to be asked: pages of nodes, one node with everything about it, a query with what it selects.
//! Lives on the thread that assessed it and borrows from the inventory; whatever leaves it is owned and of bounded size.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use countersign_assess::{Filter, FilterError, Health, Named, Own, Parameters, Severity, View};
use countersign_estate::{Basis, Inventory, Kind, Link, Node, Projection, Relation};
use countersign_graph::{NodeId, Routes, Traversal};
use countersign_model::{Tier, Timestamp};
use serde::Serialize;
use serde_json::Value;

use crate::map::Divisions;
use crate::suggest::{self, Suggestion};

/// What somebody looks for. Empty does not narrow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// Part of a name, key, address or account name, in any case.
    pub search: String,
    pub kind: Option<Kind>,
    /// The system of a source, such as `active-directory`.
    pub source: Option<String>,
    /// Only what an indicator found.
    pub found: bool,
    /// Only what a person is to classify and nobody has.
    pub unclassified: bool,
    pub sort: Sort,
    /// The key of the last one of the page before.
    pub after: Option<String>,
    pub limit: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    #[default]
    Name,
    /// What has the worst finding first.
    Findings,
}

/// A node in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeRow {
    pub key: String,
    pub name: String,
    pub kind: Kind,
    pub enabled: Option<bool>,
    pub gone: bool,
    pub tier: Option<Tier>,
    pub tier_zero: bool,
    /// The systems that know it.
    pub systems: Vec<String>,
    /// How many indicators found it, and the worst of them.
    pub findings: usize,
    pub worst: Option<Severity>,
}

/// A page of nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Nodes {
    /// Of all pages.
    pub total: usize,
    pub rows: Vec<NodeRow>,
    /// Whether there are more after the last row.
    pub more: bool,
}

/// What a query selects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueryAnswer {
    pub matching: Nodes,
    /// Of whom it cannot be told; the query is `unknown (…)`.
    pub unknown: usize,
}

/// Where something stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenAt {
    /// System, realm and part.
    pub part: String,
    pub first: Timestamp,
    pub last: Timestamp,
    pub gone: Option<Timestamp>,
    pub file: String,
    pub place: String,
    pub sha256: String,
}

/// What one source says of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    pub at: SeenAt,
    pub kind: Kind,
    pub name: String,
    /// Attribute and value, as people read them.
    pub says: Vec<(String, String)>,
}

/// An edge from or to a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EdgeLine {
    pub relation: Relation,
    /// The other end.
    pub node: NodeRow,
    pub gone: bool,
    pub seen: Vec<EdgeSeen>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EdgeSeen {
    pub at: SeenAt,
    pub condition: Option<String>,
}

/// A page of edges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    pub total: usize,
    pub lines: Vec<EdgeLine>,
}

/// A node that is, or may be, the same identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkedNode {
    pub node: NodeRow,
    pub basis: Basis,
}

/// An indicator that found a node, by its place in the assessment's list.
pub type FoundHere = usize;

/// Everything about one node but what the assessment has itself: findings and reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodePage {
    pub row: NodeRow,
    pub facts: Vec<Facts>,
    /// Accounts of the same person or programme, through any number of links.
    pub linked: Vec<LinkedNode>,
    pub found: Vec<FoundHere>,
    /// What it has power over, and what has power over it.
    pub outgoing: Lines,
    pub incoming: Lines,
    pub owner: Option<String>,
    pub segment: Option<String>,
    /// Who said what it is, and when.
    pub classified: Option<(String, Timestamp)>,
    pub is_classifiable: bool,
    pub suggestions: Vec<Suggestion>,
}

/// How many sources, edges and linked accounts a page lists.
const LISTED: usize = 100;
/// How many accounts one identity may have before something is wrong with its links.
const MOST_LINKED: usize = 200;

/// Columns of edges by one of their ends.
#[derive(Debug)]
struct Ends {
    offsets: Vec<u32>,
    edges: Vec<u32>,
}

impl Ends {
    fn new(nodes: usize, ends: impl Iterator<Item = u32> + Clone) -> Self {
        let mut offsets = vec![0u32; nodes + 1];
        for end in ends.clone() {
            if let Some(count) = offsets.get_mut(end as usize + 1) {
                *count += 1;
            }
        }
        let mut sum = 0;
        for offset in &mut offsets {
            sum += *offset;
            *offset = sum;
        }
        let mut next = offsets.clone();
        let mut edges = vec![0u32; sum as usize];
        for (edge, end) in (0u32..).zip(ends) {
            if let Some(place) = next.get_mut(end as usize) {
                if let Some(slot) = edges.get_mut(*place as usize) {
                    *slot = edge;
                }
                *place += 1;
            }
        }
        Self { offsets, edges }
    }

    fn of(&self, node: usize) -> &[u32] {
        let at = |node: usize| self.offsets.get(node).copied().unwrap_or(0) as usize;
        self.edges.get(at(node)..at(node + 1)).unwrap_or_default()
    }
}

/// The estate, assessed.
#[derive(Debug)]
pub struct Standing<'s> {
    pub inventory: &'s Inventory,
    pub named: Named<'s>,
    pub routes: Routes<'s>,
    pub view: View<'s>,
    pub(crate) projection: &'s Projection,
    pub(crate) own: &'s Own,
    pub(crate) parameters: Parameters,
    /// The health check on the date that was asked for last.
    pub(crate) other: RefCell<Option<(Timestamp, Arc<Health>)>>,
    from: Ends,
    to: Ends,
    /// What is searched in, lower case, by node.
    words: Vec<Box<str>>,
    by_name: Vec<u32>,
    by_findings: Vec<u32>,
    /// Places in the two orders, by node.
    name_rank: Vec<u32>,
    findings_rank: Vec<u32>,
    /// By node: the indicators that found it, the worst first.
    found: HashMap<u32, Vec<(Severity, FoundHere)>>,
    links: HashMap<String, Vec<(String, Basis)>>,
    /// Made when somebody looks at the map.
    pub(crate) divided: OnceCell<Divisions>,
}

impl<'s> Standing<'s> {
    pub(crate) fn new(
        inventory: &'s Inventory,
        projection: &'s Projection,
        own: &'s Own,
        parameters: &Parameters,
        as_of: Timestamp,
    ) -> Self {
        let nodes = inventory.nodes();
        let words: Vec<Box<str>> = nodes.iter().map(words).collect();
        let mut by_name: Vec<u32> = (0..).take(nodes.len()).collect();
        let key = |node: &u32| (words.get(*node as usize), nodes.get(*node as usize).map(|node| &node.key));
        by_name.sort_by(|one, other| key(one).cmp(&key(other)));
        let name_rank = ranks(&by_name);
        Self {
            inventory,
            named: Named::new(inventory, projection),
            routes: Routes::new(&projection.graph, &Traversal::default()),
            view: View::new(inventory, projection, parameters, as_of),
            projection,
            own,
            parameters: *parameters,
            other: RefCell::new(None),
            from: Ends::new(nodes.len(), inventory.edges().iter().map(|edge| edge.from)),
            to: Ends::new(nodes.len(), inventory.edges().iter().map(|edge| edge.to)),
            words,
            by_findings: Vec::new(),
            findings_rank: Vec::new(),
            by_name,
            name_rank,
            found: HashMap::new(),
            links: HashMap::new(),
            divided: OnceCell::new(),
        }
    }

    /// What the health check found and which identities are one, for lists and pages.
    pub(crate) fn take(&mut self, health: &Health, links: &[Link]) {
        for (place, checked) in health.indicators.iter().enumerate() {
            for finding in &checked.findings {
                if let Some(id) = self.named.graph().find(&finding.key) {
                    let number = u32::try_from(id.index()).unwrap_or(u32::MAX);
                    self.found.entry(number).or_default().push((checked.severity, place));
                }
            }
        }
        for found in self.found.values_mut() {
            found.sort_unstable();
        }
        let mut order = self.by_name.clone();
        let worst =
            |node: &u32| self.found.get(node).map(|found| (found.first().map(|(severity, _)| *severity), found.len()));
        order.sort_by_key(|node| match worst(node) {
            Some((severity, count)) => (0, severity, std::cmp::Reverse(count)),
            None => (1, None, std::cmp::Reverse(0)),
        });
        self.findings_rank = ranks(&order);
        self.by_findings = order;
        for link in links {
            for (one, other) in [(&link.one, &link.other), (&link.other, &link.one)] {
                self.links.entry(one.to_string()).or_default().push((other.to_string(), link.basis));
            }
        }
    }

    /// The node's place in the order of the names.
    pub(crate) fn name_rank(&self, node: usize) -> u32 {
        self.name_rank.get(node).copied().unwrap_or(u32::MAX)
    }

    fn node(&self, number: u32) -> Option<&'s Node> {
        self.inventory.nodes().get(number as usize)
    }

    fn number(&self, key: &str) -> Option<u32> {
        self.named.graph().find(key).and_then(|id| u32::try_from(id.index()).ok())
    }

    /// How many things a person is to classify, and how many of them nobody has.
    pub(crate) fn classified(&self) -> (u64, u64) {
        let to_classify = self.inventory.nodes().iter().filter(|node| self.is_classifiable(node));
        to_classify
            .fold((0, 0), |(all, without), node| (all + 1, without + u64::from(self.inventory.tier(node).is_none())))
    }

    fn is_classifiable(&self, node: &Node) -> bool {
        !node.sightings.is_empty() && !node.is_gone() && suggest::is_classifiable(node.kind())
    }

    pub fn row(&self, key: &str) -> Option<NodeRow> {
        self.row_of(self.number(key)?)
    }

    fn row_of(&self, number: u32) -> Option<NodeRow> {
        let node = self.node(number)?;
        let mut enabled = None;
        for seen in node.sightings.iter().filter(|seen| seen.span.gone.is_none()) {
            enabled = enabled.or(seen.attributes.as_ref().and_then(|said| said.enabled));
        }
        let mut systems: Vec<String> = node
            .sightings
            .iter()
            .filter_map(|seen| self.inventory.part(seen.part))
            .map(|part| part.system.to_string())
            .collect();
        systems.sort();
        systems.dedup();
        let found = self.found.get(&number);
        let place = self.named.graph().find(&node.key).and_then(|id| self.named.graph().node(id));
        Some(NodeRow {
            key: node.key.to_string(),
            name: node.name().to_owned(),
            kind: node.kind(),
            enabled,
            gone: node.is_gone(),
            tier: self.inventory.tier(node),
            tier_zero: place.is_some_and(|node| node.tier_zero),
            systems,
            findings: found.map_or(0, Vec::len),
            worst: found.and_then(|found| found.first()).map(|(severity, _)| *severity),
        })
    }

    /// A page of nodes.
    pub fn nodes(&self, wish: &Wish) -> Nodes {
        let (order, rank) = match wish.sort {
            Sort::Name => (&self.by_name, &self.name_rank),
            Sort::Findings => (&self.by_findings, &self.findings_rank),
        };
        let search = wish.search.trim().to_lowercase();
        let fits = |number: &u32| {
            let (Some(node), Some(words)) = (self.node(*number), self.words.get(*number as usize)) else {
                return false;
            };
            (search.is_empty() || words.contains(&search))
                && !(node.sightings.is_empty() && search.is_empty())
                && wish.kind.is_none_or(|kind| node.kind() == kind)
                && wish.source.as_deref().is_none_or(|source| self.is_of(node, source))
                && (!wish.found || self.found.contains_key(number))
                && (!wish.unclassified || self.is_classifiable(node) && self.inventory.tier(node).is_none())
        };
        let begin = wish.after.as_deref().and_then(|after| self.number(after));
        let begin = begin.and_then(|number| rank.get(number as usize)).map_or(0, |rank| rank + 1);
        let mut page = Nodes::default();
        for (place, number) in (0u32..).zip(order).filter(|(_, number)| fits(number)) {
            page.total += 1;
            if place < begin {
                continue;
            }
            if page.rows.len() < wish.limit {
                page.rows.extend(self.row_of(*number));
            } else {
                page.more = true;
            }
        }
        page
    }

    fn is_of(&self, node: &Node, source: &str) -> bool {
        let mut parts = node.sightings.iter().filter_map(|seen| self.inventory.part(seen.part));
        parts.any(|part| part.system.to_string() == source)
    }

    /// What a query of the health check's language selects, a page at a time, in the order of the names.
    ///
    /// # Errors
    /// When it is no query.
    pub fn query(
        &self,
        text: &str,
        as_of: Timestamp,
        after: Option<&str>,
        limit: usize,
    ) -> Result<QueryAnswer, FilterError> {
        let (matching, unknown) = Filter::parse(text)?.select(&self.view, as_of);
        let mut numbers: Vec<u32> = matching.iter().filter_map(|key| self.number(key)).collect();
        numbers.sort_unstable_by_key(|number| self.name_rank.get(*number as usize));
        let begin = after.and_then(|after| self.number(after));
        let begin = begin.map_or(0, |after| {
            let rank = self.name_rank.get(after as usize);
            numbers.partition_point(|number| self.name_rank.get(*number as usize) <= rank)
        });
        let rows: Vec<NodeRow> =
            numbers.iter().skip(begin).take(limit).filter_map(|number| self.row_of(*number)).collect();
        let more = numbers.len() > begin + rows.len();
        Ok(QueryAnswer { matching: Nodes { total: numbers.len(), rows, more }, unknown: unknown.len() })
    }

    /// Everything about one node.
    pub fn page(&self, key: &str) -> Option<NodePage> {
        let number = self.number(key)?;
        let node = self.node(number)?;
        let row = self.row_of(number)?;
        let said = self.inventory.classification(key);
        Some(NodePage {
            facts: node.sightings.iter().take(LISTED).map(|seen| self.facts(seen)).collect(),
            linked: self.linked(key),
            found: self.found.get(&number).into_iter().flatten().map(|(_, place)| *place).collect(),
            outgoing: self.edges(key, true, 0, LISTED).unwrap_or_default(),
            incoming: self.edges(key, false, 0, LISTED).unwrap_or_default(),
            owner: said.and_then(|said| said.owner.as_deref()).map(str::to_owned),
            segment: self.inventory.segment(node).map(str::to_owned),
            classified: said.map(|said| (said.by.clone(), said.at)),
            is_classifiable: self.is_classifiable(node),
            suggestions: if self.is_classifiable(node) {
                suggest::suggestions(self.inventory, node, row.tier_zero, self.to.of(number as usize).iter().copied())
            } else {
                Vec::new()
            },
            row,
        })
    }

    /// What is proposed for a thing that a person is to classify.
    pub fn suggestions(&self, key: &str) -> Vec<Suggestion> {
        self.page(key).map(|page| page.suggestions).unwrap_or_default()
    }

    /// A page of the edges that begin (`outgoing`) or end at a node.
    pub fn edges(&self, key: &str, outgoing: bool, skip: usize, limit: usize) -> Option<Lines> {
        let number = self.number(key)?;
        let ends = if outgoing { &self.from } else { &self.to };
        let all = ends.of(number as usize);
        let lines = all.iter().skip(skip).take(limit).filter_map(|edge| {
            let edge = self.inventory.edges().get(*edge as usize)?;
            Some(EdgeLine {
                relation: edge.relation,
                node: self.row_of(if outgoing { edge.to } else { edge.from })?,
                gone: edge.is_gone(),
                seen: edge
                    .sightings
                    .iter()
                    .take(LISTED)
                    .map(|seen| EdgeSeen {
                        at: self.seen_at(seen.part, seen.span, &seen.evidence),
                        condition: seen.condition.as_deref().map(str::to_owned),
                    })
                    .collect(),
            })
        });
        Some(Lines { total: all.len(), lines: lines.collect() })
    }

    fn facts(&self, seen: &countersign_estate::NodeSighting) -> Facts {
        let says = seen.attributes.as_deref().and_then(|said| serde_json::to_value(said).ok());
        let says = says.as_ref().and_then(Value::as_object).into_iter().flatten();
        let says = says.map(|(name, value)| (name.replace('_', " "), plain(value)));
        Facts {
            at: self.seen_at(seen.part, seen.span, &seen.evidence),
            kind: seen.kind,
            name: seen.name.to_string(),
            says: says.collect(),
        }
    }

    fn seen_at(&self, part: u32, span: countersign_estate::Span, evidence: &countersign_estate::Evidence) -> SeenAt {
        let file = self.inventory.files().get(evidence.file as usize);
        SeenAt {
            part: self.inventory.part(part).map(ToString::to_string).unwrap_or_default(),
            first: span.first,
            last: span.last,
            gone: span.gone,
            file: file.map(|file| file.name.to_string()).unwrap_or_default(),
            place: evidence.place.to_string(),
            sha256: file.map(|file| file.sha256.to_string()).unwrap_or_default(),
        }
    }

    fn linked(&self, key: &str) -> Vec<LinkedNode> {
        let mut found: BTreeMap<&str, Basis> = BTreeMap::new();
        let mut open = vec![key];
        while let Some(one) = open.pop() {
            for (other, basis) in self.links.get(one).map_or(&[][..], Vec::as_slice) {
                if other != key && found.len() < MOST_LINKED && !found.contains_key(other.as_str()) {
                    found.insert(other, *basis);
                    open.push(other);
                }
            }
        }
        let linked = found.into_iter().filter_map(|(key, basis)| Some(LinkedNode { node: self.row(key)?, basis }));
        linked.collect()
    }

    /// The node of a key or a name.
    ///
    /// # Errors
    /// When there is none, or several.
    pub fn find(&self, text: &str) -> Result<NodeId, countersign_assess::NoNode> {
        self.named.find(text)
    }
}

fn ranks(order: &[u32]) -> Vec<u32> {
    let mut ranks = vec![0; order.len()];
    for (rank, node) in (0u32..).zip(order) {
        if let Some(slot) = ranks.get_mut(*node as usize) {
            *slot = rank;
        }
    }
    ranks
}

/// The name first: lists are in its order.
fn words(node: &Node) -> Box<str> {
    let mut text = node.name().to_lowercase();
    let mut add = |word: &str| {
        let word = word.to_lowercase();
        if !text.contains(&word) {
            text.push('\n');
            text.push_str(&word);
        }
    };
    add(&node.key);
    for seen in &node.sightings {
        add(&seen.name);
        if let Some(said) = seen.attributes.as_deref() {
            let names = [&said.account_name, &said.email, &said.principal_name, &said.display_name];
            names.into_iter().flatten().for_each(|name| add(name));
        }
    }
    text.into()
}

/// A word of the inventory as it is written everywhere.
pub fn word(value: impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => word,
        _ => String::new(),
    }
}

/// A value as people read it.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(list) if list.is_empty() => "none".to_owned(),
        Value::Array(list) => list.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Object(fields) => match (fields.get("at"), fields.get("kind"), fields.get("when")) {
            (Some(at), ..) => plain(at),
            (None, Some(kind), Some(when)) => format!("{} ({})", plain(when), plain(kind)),
            _ => fields.iter().map(|(name, value)| format!("{name} {}", plain(value))).collect::<Vec<_>>().join(", "),
        },
    }
}
