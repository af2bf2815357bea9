#![expect(clippy::print_stdout, clippy::unwrap_used, clippy::indexing_slicing, reason = "a bench prints, and may stop")]
//! The exact blast radius of every node of a directory of 100,000 nodes and 600,000 edges, on one core, beside one breadth-first
//! search per node in the same run: our own, petgraph's over its compressed rows, and that of a graph database, on samples.
//! `cargo bench -p countersign-graph --bench reach [-- NODES]`; the database is Kùzu, of the Python that `PYTHON` names (`pip
//! install kuzu`), and is left out where it is not installed.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::hint::black_box;
use std::io::Write as _;
use std::process::Command;
use std::time::Duration;

use countersign_graph::{
    Builder, Edge, EdgeKind, Evidence, Graph, Memory, NodeId, NodeKind, Routes, Traversal, unwatched,
};
use countersign_model::Tier;
use petgraph::csr::Csr;
use petgraph::visit::Bfs;

/// Nodes that are searched from one by one for comparison.
const SAMPLE: usize = 100;
/// Every how many of them are asked of the database.
const DATABASE: usize = 5;

/// The same numbers in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % end.max(1)
    }
}

/// How much of the directory is knotted together.
#[derive(Clone, Copy)]
enum Shape {
    /// Whoever stands high controls what stands lower, and only some mistakes lead back: nearly every node is a component of
    /// its own, which is the hardest case.
    Tiered,
    /// Everybody signs in everywhere: one large component.
    Flat,
}

/// Two fifths people, two fifths devices, one fifth groups; memberships, sessions, local administrators, rights over
/// objects, containers. The first of each list stand highest.
fn directory(nodes: usize, shape: Shape) -> Graph {
    let mut numbers = Numbers(7);
    let mut builder = Builder::new();
    builder.reserve(nodes, nodes * 6);
    let (people, devices, units) = (nodes * 2 / 5, nodes * 2 / 5, nodes / 500 + 1);
    let groups = nodes - people - devices - units - 1;
    let mut make = |count: usize, name: &str, kind| -> Vec<NodeId> {
        (0..count).map(|n| builder.node(&format!("S-1-5-21-{name}-{n}"), kind).unwrap()).collect()
    };
    let domain = make(1, "domain", NodeKind::Domain)[0];
    let units = make(units, "unit", NodeKind::Container);
    let groups = make(groups, "group", NodeKind::Group);
    let people = make(people, "person", NodeKind::Human);
    let devices = make(devices, "device", NodeKind::Device);
    builder.set_tier_zero(domain, true).unwrap();
    for id in people.iter().step_by(20) {
        builder.set_enabled(*id, false).unwrap();
    }
    for id in devices.iter().step_by(200) {
        builder.set_tier(*id, Some(Tier::CrownJewel)).unwrap();
    }

    let mut edges = vec![(groups[0], EdgeKind::FullControl, domain), (domain, EdgeKind::Contains, units[0])];
    edges.extend((1..units.len()).map(|n| (units[n / 8], EdgeKind::Contains, units[n])));
    let contained = people.iter().chain(&devices).enumerate();
    edges.extend(contained.map(|(n, id)| (units[1 + n % (units.len() - 1)], EdgeKind::Contains, *id)));
    while edges.len() < nodes * 6 {
        let n = edges.len();
        let (from, kind, to) = match n % 20 {
            0..11 => (&people, EdgeKind::MemberOf, &groups),
            11 => (&groups, EdgeKind::MemberOf, &groups),
            12..16 => (&devices, EdgeKind::HasSession, &people),
            16 => (&people, EdgeKind::LogsOnTo, &devices),
            17 => (&groups, EdgeKind::Administers, &devices),
            18 => (&groups, EdgeKind::CanResetPassword, &people),
            _ => (&groups, EdgeKind::LogsOnTo, &devices),
        };
        let at = numbers.below(from.len());
        let highest = match shape {
            Shape::Tiered if n % 50_000 != 0 => at * to.len() / from.len(),
            Shape::Tiered | Shape::Flat => 0,
        };
        edges.push((from[at], kind, to[highest + numbers.below(to.len() - highest)]));
    }
    for (n, (from, kind, to)) in edges.into_iter().enumerate() {
        builder.edge(Edge::granted(from, kind, to, Evidence(n as u32))).unwrap();
    }
    builder.finish()
}

/// What a directory comes to without this crate: every node a vertex, rows of neighbours.
fn plain(graph: &Graph) -> Vec<Vec<u32>> {
    let mut rows = vec![Vec::new(); graph.node_count()];
    for id in graph.edge_ids() {
        let edge = graph.edge(id).unwrap();
        rows[edge.from.index()].push(edge.to.index() as u32);
    }
    rows
}

fn searched(rows: &[Vec<u32>], start: u32) -> usize {
    let mut seen = vec![false; rows.len()];
    seen[start as usize] = true;
    let (mut open, mut count) = (VecDeque::from([start]), 0);
    while let Some(next) = open.pop_front() {
        for &end in &rows[next as usize] {
            if !std::mem::replace(&mut seen[end as usize], true) {
                count += 1;
                open.push_back(end);
            }
        }
    }
    count
}

/// Processor time of this process, which has one thread: what it took, whatever else the machine was doing.
fn processor() -> Duration {
    let times = std::fs::read_to_string("/proc/self/schedstat").unwrap();
    Duration::from_nanos(times.split_whitespace().next().unwrap().parse().unwrap())
}

/// What some work took, and what came of it.
fn timed<T>(work: impl FnOnce() -> T) -> (f64, T) {
    let began = processor();
    let done = black_box(work());
    ((processor() - began).as_secs_f64(), done)
}

/// Seconds that a search from each node would take, from a sample: over lists of neighbours, and over petgraph's rows.
fn searches(graph: &Graph, starts: &[NodeId]) -> (f64, f64) {
    let rows = plain(graph);
    let mut pairs: Vec<(u32, u32)> =
        rows.iter().enumerate().flat_map(|(from, row)| row.iter().map(move |&to| (from as u32, to))).collect();
    pairs.sort_unstable();
    pairs.dedup();
    let csr: &Csr<(), ()> = &Csr::from_sorted_edges(&pairs).unwrap();
    let starts = starts.iter().map(|start| start.index() as u32);
    let (by_hand, _) = timed(|| starts.clone().map(|start| searched(&rows, start)).sum::<usize>());
    let (petgraph, _) = timed(|| {
        let reached = |start| {
            let mut search = Bfs::new(csr, start);
            std::iter::from_fn(move || search.next(csr)).count()
        };
        starts.clone().map(reached).sum::<usize>()
    });
    let all = graph.node_count() as f64 / starts.len() as f64;
    (by_hand * all, petgraph * all)
}

/// The same of a graph database, where there is one.
fn asked(graph: &Graph, starts: &[NodeId]) -> Option<f64> {
    let rows = plain(graph);
    let mut edges = tempfile::NamedTempFile::with_suffix(".csv").unwrap();
    for (from, row) in rows.iter().enumerate() {
        row.iter().for_each(|to| writeln!(edges, "{from},{to}").unwrap());
    }
    edges.flush().unwrap();
    let starts: Vec<u32> = starts.iter().step_by(DATABASE).map(|start| start.index() as u32).collect();
    let python = std::env::var_os("PYTHON").unwrap_or_else(|| "python3".into());
    let ran = Command::new(python)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/database.py"))
        .arg(edges.path())
        .arg(rows.len().to_string())
        .args(starts.iter().map(u32::to_string))
        .output()
        .ok()?;
    if ran.status.code() == Some(3) {
        eprintln!("the Python package kuzu is not installed, and the database is left out");
        return None;
    }
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let said = String::from_utf8(ran.stdout).unwrap();
    let mut seconds = 0.0;
    for (line, start) in said.lines().zip(&starts) {
        let words: Vec<&str> = line.split(' ').collect();
        assert_eq!((words[0], words[1]), (&*start.to_string(), &*searched(&rows, *start).to_string()));
        seconds += words[2].parse::<f64>().unwrap();
    }
    Some(seconds * graph.node_count() as f64 / starts.len() as f64)
}

fn main() {
    let nodes: usize = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(100_000);
    let (mut reaches, mut answers) = (String::new(), String::new());
    for (name, shape) in [("tiers kept apart", Shape::Tiered), ("everybody everywhere", Shape::Flat)] {
        let (load, graph) = timed(|| directory(nodes, shape));
        let (ways, routes) = timed(|| Routes::new(&graph, &Traversal::default()));
        let (all, reach) = timed(|| routes.blast_radius(Memory::default(), &mut unwatched).unwrap());
        let (exposure, _) = timed(|| routes.exposure(Memory::default(), &mut unwatched).unwrap());

        let starts: Vec<NodeId> = graph.node_ids().step_by(nodes / SAMPLE).collect();
        let (one, lists) =
            timed(|| starts.iter().map(|start| routes.reached_from(&[*start]).len()).collect::<Vec<_>>());
        for (start, list) in starts.iter().zip(lists) {
            assert_eq!(reach.of(*start).unwrap().all(), list as u64);
        }
        let (by_hand, petgraph) = searches(&graph, &starts);
        let database = asked(&graph, &starts).map_or_else(|| "–".to_owned(), |seconds| format!("{seconds:.0}"));
        let radius: Vec<u64> = graph.node_ids().map(|node| reach.of(node).unwrap().all()).collect();
        let mean = radius.iter().sum::<u64>() / nodes as u64;
        writeln!(
            reaches,
            "| {name} | {} / {} | {mean} | {load:.2} | {ways:.2} | {all:.2} | {exposure:.2} | {by_hand:.0} | {petgraph:.0} | {database} | {:.0} × |",
            graph.node_count(),
            graph.edge_count(),
            petgraph / (ways + all),
        )
        .unwrap();

        let of = |kind| graph.node_ids().filter(|id| graph.kind(*id) == Some(kind)).collect::<Vec<_>>();
        let (people, devices) = (of(NodeKind::Human), of(NodeKind::Device));
        let jewels: Vec<NodeId> =
            devices.into_iter().filter(|id| graph.node(*id).unwrap().tier == Some(Tier::CrownJewel)).collect();
        let (shortest, found) = timed(|| routes.shortest(&people, &jewels, |edge| routes.effort(edge)));
        let (chokes, points) = timed(|| routes.choke_points(&people, &jewels));
        let (cut, plan) = timed(|| routes.removals(&people, &jewels, 0, |_| Some(1), &mut unwatched).unwrap());
        let most = points.starts * 9 / 10;
        let (fewer, tenth) = timed(|| routes.removals(&people, &jewels, most, |_| Some(1), &mut unwatched).unwrap());
        writeln!(
            answers,
            "| {name} | {:.1} | {:.0} | {:.0} | {:.0} ({} edges) | {:.0} ({} edges) |",
            one * 1000.0 / SAMPLE as f64,
            shortest * 1000.0,
            chokes * 1000.0,
            cut * 1000.0,
            plan.price,
            fewer * 1000.0,
            tenth.price,
        )
        .unwrap();
        eprintln!(
            "{name}: {} of {} people reach a crown jewel, {:?}",
            points.starts,
            people.len(),
            found.map(|f| f.count())
        );
    }
    println!("<!-- figures -->");
    println!(
        "| directory | nodes / edges | reached, mean | load s | ways s | blast radius of all s | exposure of all s | a search per node s | petgraph's s | Kùzu's s | petgraph's / ours |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    print!("{reaches}");
    println!("| budget | 100000 / 600000 | | 2 | | 3 | | | | | |\n");
    println!(
        "| from all people to 200 crown jewels | one node's list ms | shortest paths ms | choke points ms | cheapest cut ms | down to nine tenths ms |"
    );
    println!("|---|---|---|---|---|---|");
    print!("{answers}");
    println!("<!-- end of figures -->");
}
