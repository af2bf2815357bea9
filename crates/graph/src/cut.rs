//! The cheapest set of edges without which no start reaches any target: a minimum cut, by Dinic's algorithm (1970) over the vertices that
//! stand on a way from a start to a target. Exact, and without recursion.
#![expect(clippy::indexing_slicing, reason = "arcs and places are numbered here")]

use std::collections::VecDeque;

use crate::graph::EdgeId;
use crate::progress::{Stopped, Watch, tell};
use crate::reach::{Ends, spread};
use crate::routes::Routes;

/// More than all prices together: 2^30 edges of less than 2^32 each.
const UNPAYABLE: u64 = 1 << 62;
const UNREACHED: u32 = u32::MAX;
/// Ways that are filled between two reports.
const REPORT: usize = 4096;

/// `price` of an edge: at least 1; `None` may not go. Each way from a start to a target has an edge that may.
pub(crate) fn cheapest(
    routes: &Routes<'_>,
    ends: &Ends,
    price: impl Fn(EdgeId) -> Option<u32>,
    open: impl Fn(EdgeId) -> bool,
    watch: Watch<'_>,
) -> Result<Vec<EdgeId>, Stopped> {
    let ahead = spread(&routes.forward, ends.starts.iter().map(|node| routes.start(*node)), &open);
    let behind = routes.sees(&ends.targets, &open);
    let between = |vertex: u32| ahead[vertex as usize] && behind[vertex as usize];

    // The places of the network: source, sink, then each vertex on a way.
    let mut places = vec![UNREACHED; routes.vertices()];
    let mut network = Network::new(2 + (0..routes.vertices() as u32).filter(|vertex| between(*vertex)).count());
    for (place, vertex) in (2..).zip((0..routes.vertices() as u32).filter(|vertex| between(*vertex))) {
        places[vertex as usize] = place;
    }
    let place = |vertex: u32| places[vertex as usize];
    let mut edges = Vec::new();
    for vertex in (0..routes.vertices() as u32).filter(|vertex| between(*vertex)) {
        for (end, edge) in routes.forward.steps(vertex) {
            if between(end) && edge.is_none_or(&open) {
                let room = edge.and_then(&price).map_or(UNPAYABLE, u64::from);
                edges.push((network.arcs.len(), edge));
                network.join(place(vertex), place(end), room);
            }
        }
    }
    for vertex in ends.starts.iter().map(|node| routes.start(*node)).filter(|vertex| between(*vertex)) {
        network.join(SOURCE, place(vertex), UNPAYABLE);
    }
    for vertex in ends.targets.iter().map(|node| routes.reached(*node)).filter(|vertex| between(*vertex)) {
        network.join(place(vertex), SINK, UNPAYABLE);
    }

    network.fill(watch)?;
    // What still has room from the source on stands on this side; the full arcs out of it are the cut.
    let this_side = |place: u32| network.levels[place as usize] != UNREACHED;
    let crossing = edges.into_iter().filter(|(arc, _)| {
        let (to, back) = (network.arcs[*arc].to, network.arcs[*arc ^ 1].to);
        this_side(back) && !this_side(to)
    });
    let mut cut: Vec<EdgeId> = crossing.filter_map(|(_, edge)| edge).collect();
    cut.sort_unstable();
    Ok(cut)
}

const SOURCE: u32 = 0;
const SINK: u32 = 1;

/// An arc with the room that is left; its opposite stands at its own number with the last bit turned.
struct Arc {
    to: u32,
    room: u64,
}

struct Network {
    arcs: Vec<Arc>,
    /// The arcs out of each place.
    out: Vec<Vec<u32>>,
    /// Steps from the source over arcs with room.
    levels: Vec<u32>,
}

impl Network {
    fn new(places: usize) -> Self {
        Self { arcs: Vec::new(), out: vec![Vec::new(); places], levels: vec![UNREACHED; places] }
    }

    fn join(&mut self, from: u32, to: u32, room: u64) {
        for (from, to, room) in [(from, to, room), (to, from, 0)] {
            self.out[from as usize].push(self.arcs.len() as u32);
            self.arcs.push(Arc { to, room });
        }
    }

    /// The greatest flow.
    fn fill(&mut self, watch: Watch<'_>) -> Result<(), Stopped> {
        let mut ways = 0;
        while self.level() {
            tell(watch, ways, ways + 1)?;
            let mut cursors = vec![0; self.out.len()];
            while self.way(&mut cursors) {
                ways += 1;
                if ways % REPORT == 0 {
                    tell(watch, ways, ways + 1)?;
                }
            }
        }
        Ok(())
    }

    /// Breadth first from the source; whether the sink is reached.
    fn level(&mut self) -> bool {
        self.levels.fill(UNREACHED);
        self.levels[SOURCE as usize] = 0;
        let mut open = VecDeque::from([SOURCE]);
        while let Some(place) = open.pop_front() {
            for &arc in &self.out[place as usize] {
                let Arc { to, room } = self.arcs[arc as usize];
                if room > 0 && self.levels[to as usize] == UNREACHED {
                    self.levels[to as usize] = self.levels[place as usize] + 1;
                    open.push_back(to);
                }
            }
        }
        self.levels[SINK as usize] != UNREACHED
    }

    /// Fills one way from level to level, if there is one. What led nowhere is not tried again (`cursors`).
    fn way(&mut self, cursors: &mut [usize]) -> bool {
        let (mut trail, mut at) = (Vec::new(), SOURCE);
        while at != SINK {
            let onwards = self.out[at as usize].get(cursors[at as usize]).copied();
            if let Some(arc) = onwards {
                let Arc { to, room } = self.arcs[arc as usize];
                if room > 0 && self.levels[to as usize] == self.levels[at as usize] + 1 {
                    trail.push(arc);
                    at = to;
                } else {
                    cursors[at as usize] += 1;
                }
            } else {
                let Some(arc) = trail.pop() else { return false };
                at = self.arcs[arc as usize ^ 1].to;
                cursors[at as usize] += 1;
            }
        }
        let least = trail.iter().map(|arc| self.arcs[*arc as usize].room).min().unwrap_or_default();
        for arc in trail {
            self.arcs[arc as usize].room -= least;
            self.arcs[arc as usize ^ 1].room += least;
        }
        least > 0
    }
}
