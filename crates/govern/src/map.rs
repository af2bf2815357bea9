//! The estate as a map of trust boundaries and the ways over them: boxes with counts instead of nodes, the edges between two boxes summed,
//! and one box at a time opened, into smaller boxes or, where it is small, into its nodes. However large the estate is, what leaves
//! here is bounded; what is left out is counted. Edges point the way an attacker goes. Nothing is drawn here.

mod division;
mod flows;

use countersign_assess::{NamedEdge, NamedNode};
use countersign_graph::{Direction, Edge, EdgeId, EdgeKind};
use serde::Serialize;

use crate::standing::Standing;
use division::Division;

pub(crate) use division::Divisions;
pub use flows::{Flow, Flows, ImplicitTrust, MapFlow};

/// How many boxes stand beside each other, how many stand around an opened one, how many nodes of one are shown.
const MOST_BOXES: usize = 24;
const MOST_AROUND: usize = 10;
const MOST_NODES: usize = 24;
/// How many sums of edges between two boxes are told.
const MOST_EDGES: usize = 60;
/// How many relations each of them names.
const MOST_RELATIONS: usize = 3;

/// In no box.
const NOWHERE: u16 = u16::MAX;
const REST: &str = "rest";
const REST_INSIDE: &str = "rest-inside";

/// What the boxes are.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum By {
    /// System and realm: a domain, a tenant, an account of a cloud. What several describe is in the first of them.
    Source,
    Tier,
    Segment,
    Kind,
}

impl By {
    pub const ALL: [Self; 4] = [Self::Source, Self::Tier, Self::Segment, Self::Kind];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Tier => "tier",
            Self::Segment => "segment",
            Self::Kind => "kind",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|by| by.name() == name)
    }

    /// What an opened box falls apart into.
    const fn inside(self) -> Self {
        match self {
            Self::Source | Self::Tier | Self::Segment => Self::Kind,
            Self::Kind => Self::Source,
        }
    }
}

/// What somebody wants to see. Boxes go by their ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MapWish {
    /// By source where there are several, or else by kind.
    pub by: Option<By>,
    pub open: Option<String>,
    /// A box inside the one that is open.
    pub within: Option<String>,
    /// How many of the innermost list come before those that are shown.
    pub skip: usize,
}

/// What was named is not on the map.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("there is no {0:?} on the map")]
pub struct NotOnMap(pub String);

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MapWhat {
    /// A box that can be opened.
    Box,
    /// A box inside the one that is open.
    Part,
    /// The other parts of the one that is open.
    Siblings,
    Node,
    /// What the list has no room for.
    Rest,
}

/// Something on the map.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct MapItem {
    pub id: String,
    pub what: MapWhat,
    /// Of a box; absent: what no source and no person says it of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<NamedNode>,
    /// Inside the box that is open.
    pub inside: bool,
    /// How many boxes it stands for; 0: for nodes of one alone.
    pub boxes: u64,
    pub nodes: u64,
    /// Enabled accounts of people, services and agents.
    pub identities: u64,
    pub tier_zero: u64,
    /// Nodes that have a way to tier zero and are not of it.
    pub leads: u64,
    /// How many steps the nearest of them is from tier zero.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<u32>,
}

/// All edges from one thing on the map to another.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct MapEdge {
    /// Places in the list of items.
    pub from: usize,
    pub to: usize,
    pub edges: u64,
    /// Of them, those that a way to tier zero takes.
    pub ways: u64,
    /// Of them, those that hold under a condition that nobody here can decide.
    pub conditional: u64,
    /// The most frequent.
    pub relations: Vec<(&'static str, u64)>,
}

/// The box that is open.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Opened {
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The box inside it that is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within_label: Option<String>,
    pub nodes: u64,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct EstateMap {
    pub by: By,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open: Option<Opened>,
    pub items: Vec<MapItem>,
    /// Those on a way to tier zero first, then the most.
    pub edges: Vec<MapEdge>,
    /// Pairs of boxes that there is no room for, and the edges between them.
    pub more_pairs: u64,
    pub more_edges: u64,
    /// Edges between two nodes of the same box.
    pub inner_edges: u64,
    /// How many things the innermost list has, and how many come before those that are shown.
    pub listed: u64,
    pub skip: u64,
    /// Where the list goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
    pub flows: Vec<MapFlow>,
    /// Observed between nodes of the same box.
    pub inner_flows: u64,
    /// Observed between boxes that there is no room for.
    pub more_flows: u64,
    /// Observed between what is not in the estate.
    pub unplaced_flows: u64,
}

/// The edges between two things on the map, one by one.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct MapEdges {
    pub from: MapItem,
    pub to: MapItem,
    pub total: u64,
    pub ways: u64,
    /// Those that a way to tier zero takes come first.
    pub lines: Vec<MapLine>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct MapLine {
    pub edge: NamedEdge,
    pub on_a_way: bool,
}

/// Where each node is drawn.
struct Placed {
    by: By,
    open: Option<Opened>,
    items: Vec<MapItem>,
    /// By node.
    of: Vec<u16>,
    listed: usize,
    skip: usize,
    shown: usize,
}

impl Placed {
    fn item(&mut self, id: String, what: MapWhat, label: Option<&str>, inside: bool) -> u16 {
        let number = u16::try_from(self.items.len()).unwrap_or(NOWHERE);
        self.items.push(MapItem {
            id,
            what,
            label: label.map(str::to_owned),
            node: None,
            inside,
            boxes: 1,
            nodes: 0,
            identities: 0,
            tier_zero: 0,
            leads: 0,
            steps: None,
        });
        number
    }

    fn put(&mut self, node: usize, item: u16) {
        if let Some(place) = self.of.get_mut(node) {
            *place = item;
        }
    }

    fn at(&self, node: usize) -> Option<usize> {
        self.of.get(node).filter(|item| **item != NOWHERE).map(|item| usize::from(*item))
    }

    /// Some of a list of boxes as items, and one more that stands for all others.
    fn boxes(
        &mut self,
        division: &Division,
        order: &[usize],
        skip: usize,
        most: usize,
        what: MapWhat,
        nodes: &[usize],
    ) -> usize {
        let inside = what == MapWhat::Part;
        let mut places = vec![NOWHERE; division.len()];
        let shown: Vec<usize> = order.iter().skip(skip).take(most).copied().collect();
        for number in &shown {
            let item = self.item(division.id(*number), what, division.label(*number), inside);
            if let Some(place) = places.get_mut(*number) {
                *place = item;
            }
        }
        let left = order.len() - shown.len();
        let rest = (left > 0).then(|| {
            let id = if inside { REST_INSIDE } else { REST };
            let rest = self.item(id.to_owned(), MapWhat::Rest, None, inside);
            if let Some(item) = self.items.last_mut() {
                item.boxes = left as u64;
            }
            rest
        });
        for node in nodes {
            let place = division.box_of(*node).and_then(|number| places.get(number)).copied().unwrap_or(NOWHERE);
            let place = if place == NOWHERE { rest.unwrap_or(NOWHERE) } else { place };
            self.put(*node, place);
        }
        shown.len()
    }
}

/// All edges between two items.
#[derive(Clone, Copy)]
struct Sum {
    edges: u64,
    ways: u64,
    conditional: u64,
    kinds: [u32; EdgeKind::ALL.len()],
}

impl Sum {
    const NONE: Self = Self { edges: 0, ways: 0, conditional: 0, kinds: [0; EdgeKind::ALL.len()] };

    fn relations(&self) -> Vec<(&'static str, u64)> {
        let counts = EdgeKind::ALL.into_iter().zip(self.kinds).filter(|(_, count)| *count > 0);
        let mut relations: Vec<(&'static str, u64)> =
            counts.map(|(kind, count)| (kind.name(), u64::from(count))).collect();
        relations.sort_by(|one, other| other.1.cmp(&one.1).then(one.0.cmp(other.0)));
        relations.truncate(MOST_RELATIONS);
        relations
    }
}

impl Standing<'_> {
    pub(crate) fn divisions(&self) -> &Divisions {
        self.divided.get_or_init(|| Divisions::new(self))
    }

    /// The map, with what was observed on it.
    ///
    /// # Errors
    /// When what is to be open is not there.
    pub fn map(&self, wish: &MapWish, flows: &[Flow]) -> Result<EstateMap, NotOnMap> {
        let mut placed = self.placed(wish)?;
        self.count(&mut placed);
        let (edges, more, inner_edges) = self.sums(&placed);
        let observed = self.place_flows(&placed, flows);
        let next = placed.skip + placed.shown;
        Ok(EstateMap {
            by: placed.by,
            open: placed.open,
            items: placed.items,
            edges,
            more_pairs: more.0,
            more_edges: more.1,
            inner_edges,
            listed: placed.listed as u64,
            skip: placed.skip as u64,
            next: (next < placed.listed).then_some(next as u64),
            flows: observed.between,
            inner_flows: observed.inner,
            more_flows: observed.more,
            unplaced_flows: observed.unplaced,
        })
    }

    /// A page of the edges from one thing on a map to another, or within it.
    ///
    /// # Errors
    /// When one of the two is not on the map.
    pub fn map_edges(
        &self,
        wish: &MapWish,
        from: &str,
        to: &str,
        skip: usize,
        limit: usize,
    ) -> Result<MapEdges, NotOnMap> {
        let mut placed = self.placed(wish)?;
        self.count(&mut placed);
        let find = |id: &str| {
            let found = placed.items.iter().enumerate().find(|(_, item)| item.id == id);
            found.map(|(number, item)| (number, item.clone())).ok_or_else(|| NotOnMap(id.to_owned()))
        };
        let (from, to) = (find(from)?, find(to)?);
        let towards = &self.divisions().towards;
        let (mut ways, mut others) = (Vec::new(), Vec::new());
        self.each_edge(|id, edge| {
            let (start, end) = reach(edge);
            if placed.at(start) == Some(from.0) && placed.at(end) == Some(to.0) {
                if towards.takes(id) { ways.push(id) } else { others.push(id) }
            }
        });
        let all = ways.iter().map(|id| (*id, true)).chain(others.iter().map(|id| (*id, false)));
        let lines = all.skip(skip).take(limit).filter_map(|(id, on_a_way)| {
            let edge = self.named.edge(id)?;
            Some(MapLine { edge, on_a_way })
        });
        Ok(MapEdges {
            lines: lines.collect(),
            total: (ways.len() + others.len()) as u64,
            ways: ways.len() as u64,
            from: from.1,
            to: to.1,
        })
    }

    fn placed(&self, wish: &MapWish) -> Result<Placed, NotOnMap> {
        let divisions = self.divisions();
        let several = divisions.of(By::Source).is_divided();
        let by = wish.by.unwrap_or(if several { By::Source } else { By::Kind });
        let outer = divisions.of(by);
        let all: Vec<usize> = (0..divisions.tier_zero.len()).filter(|node| outer.box_of(*node).is_some()).collect();
        let order = outer.order(divisions, all.iter().copied());
        let mut placed = Placed {
            by,
            open: None,
            items: Vec::new(),
            of: vec![NOWHERE; divisions.tier_zero.len()],
            listed: order.len(),
            skip: wish.skip.min(order.len()),
            shown: 0,
        };
        let Some(open) = &wish.open else {
            placed.shown = placed.boxes(outer, &order, placed.skip, MOST_BOXES, MapWhat::Box, &all);
            return Ok(placed);
        };
        let opened = outer.find(open).ok_or_else(|| NotOnMap(open.clone()))?;
        let (members, others): (Vec<usize>, Vec<usize>) =
            all.into_iter().partition(|node| outer.box_of(*node) == Some(opened));
        let around = self.around(outer, &order, opened);
        placed.boxes(outer, &around, 0, MOST_AROUND, MapWhat::Box, &others);
        self.inside(&mut placed, wish, (outer, opened), &members)?;
        Ok(placed)
    }

    /// What is in the box that is open.
    fn inside(
        &self,
        placed: &mut Placed,
        wish: &MapWish,
        (outer, opened): (&Division, usize),
        members: &[usize],
    ) -> Result<(), NotOnMap> {
        let divisions = self.divisions();
        let inner = divisions.of(placed.by.inside());
        let parts = inner.order(divisions, members.iter().copied());
        let within = match &wish.within {
            None => None,
            Some(id) => {
                let found = inner.find(id).filter(|number| parts.contains(number));
                Some(found.ok_or_else(|| NotOnMap(id.clone()))?)
            }
        };
        placed.open = Some(Opened {
            id: outer.id(opened),
            label: outer.label(opened).map(str::to_owned),
            within: within.map(|number| inner.id(number)),
            within_label: within.and_then(|number| inner.label(number)).map(str::to_owned),
            nodes: members.len() as u64,
        });
        if within.is_none() && parts.len() > 1 && members.len() > MOST_NODES {
            placed.listed = parts.len();
            placed.skip = wish.skip.min(parts.len());
            placed.shown = placed.boxes(inner, &parts, placed.skip, MOST_BOXES, MapWhat::Part, members);
            return Ok(());
        }
        let is_shown = |node: &usize| within.is_none_or(|number| inner.box_of(*node) == Some(number));
        let (mut nodes, siblings): (Vec<usize>, Vec<usize>) = members.iter().copied().partition(is_shown);
        // The most dangerous first; the order of the names decides the rest, so that it is the same every time.
        let steps = |node: usize| divisions.steps(node).unwrap_or(u32::MAX);
        nodes.sort_by_key(|node| (steps(*node), self.name_rank(*node)));
        placed.listed = nodes.len();
        placed.skip = wish.skip.min(nodes.len());
        let window = placed.skip..(placed.skip + MOST_NODES).min(nodes.len());
        placed.shown = window.len();
        for node in nodes.get(window.clone()).unwrap_or_default() {
            let Some(known) = divisions.ids.get(*node).and_then(|id| self.named.node(*id)) else { continue };
            let item = placed.item(format!("node:{}", known.key), MapWhat::Node, None, true);
            if let Some(drawn) = placed.items.last_mut() {
                drawn.node = Some(known);
            }
            placed.put(*node, item);
        }
        let left = nodes.iter().enumerate().filter(|(place, _)| !window.contains(place)).map(|(_, node)| *node);
        let left: Vec<usize> = left.collect();
        for (nodes, id, what) in
            [(left, REST_INSIDE.to_owned(), MapWhat::Rest), (siblings, outer.id(opened), MapWhat::Siblings)]
        {
            if !nodes.is_empty() {
                let item = placed.item(id, what, None, true);
                if let Some(item) = placed.items.last_mut() {
                    item.boxes = 0;
                }
                nodes.iter().for_each(|node| placed.put(*node, item));
            }
        }
        Ok(())
    }

    /// The other boxes, those first that have the most to do with the one that is open.
    fn around(&self, outer: &Division, order: &[usize], opened: usize) -> Vec<usize> {
        let mut between = vec![0u64; outer.len()];
        self.each_edge(|_, edge| {
            let ends = (outer.box_of(edge.from.index()), outer.box_of(edge.to.index()));
            if let (Some(one), Some(other)) = ends
                && one != other
                && (one == opened || other == opened)
                && let Some(count) = between.get_mut(if one == opened { other } else { one })
            {
                *count += 1;
            }
        });
        let mut around: Vec<usize> = order.iter().copied().filter(|number| *number != opened).collect();
        around.sort_by_key(|number| std::cmp::Reverse(between.get(*number).copied().unwrap_or(0)));
        around
    }

    fn count(&self, placed: &mut Placed) {
        let divisions = self.divisions();
        for node in 0..divisions.ids.len() {
            let Some(item) = placed.at(node).and_then(|item| placed.items.get_mut(item)) else { continue };
            item.nodes += 1;
            item.identities += u64::from(divisions.identity.get(node).copied().unwrap_or(false));
            item.tier_zero += u64::from(divisions.is_tier_zero(node));
            if let Some(steps) = divisions.steps(node) {
                item.leads += u64::from(steps > 0);
                item.steps = Some(item.steps.map_or(steps, |known| known.min(steps)));
            }
        }
    }

    /// What is told and gives something; denials give nothing.
    fn each_edge(&self, mut take: impl FnMut(EdgeId, &Edge)) {
        let graph = self.named.graph();
        for id in graph.edge_ids() {
            if let Some(edge) = graph.edge(id).filter(|edge| !edge.denies && edge.from != edge.to) {
                take(id, &edge);
            }
        }
    }

    /// The sums that there is room for; of the others how many, and of how many edges; and the edges within one item.
    fn sums(&self, placed: &Placed) -> (Vec<MapEdge>, (u64, u64), u64) {
        let towards = &self.divisions().towards;
        let width = placed.items.len();
        let mut sums = vec![Sum::NONE; width * width];
        let mut inner = 0;
        self.each_edge(|id, edge| {
            let (start, end) = reach(edge);
            let (Some(from), Some(to)) = (placed.at(start), placed.at(end)) else { return };
            if from == to {
                inner += 1;
            } else if let Some(sum) = sums.get_mut(from * width + to) {
                sum.edges += 1;
                sum.ways += u64::from(towards.takes(id));
                sum.conditional += u64::from(edge.conditional);
                if let Some(count) = sum.kinds.get_mut(edge.kind as usize) {
                    *count += 1;
                }
            }
        });
        let mut edges: Vec<MapEdge> = sums
            .iter()
            .enumerate()
            .filter(|(_, sum)| sum.edges > 0)
            .map(|(place, sum)| MapEdge {
                from: place / width,
                to: place % width,
                edges: sum.edges,
                ways: sum.ways,
                conditional: sum.conditional,
                relations: sum.relations(),
            })
            .collect();
        edges.sort_by_key(|edge| (std::cmp::Reverse((edge.ways, edge.edges)), edge.from, edge.to));
        let left = edges.split_off(MOST_EDGES.min(edges.len()));
        (edges, (left.len() as u64, left.iter().map(|edge| edge.edges).sum()), inner)
    }
}

/// From where to where an attacker goes.
fn reach(edge: &Edge) -> (usize, usize) {
    match edge.kind.meaning().direction {
        Direction::Forward => (edge.from.index(), edge.to.index()),
        Direction::Backward => (edge.to.index(), edge.from.index()),
    }
}
