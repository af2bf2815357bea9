//! `graph`, `blast-radius`, `paths`, `choke-points`, `what-if`: how far an attacker gets. Computed here, from the inventory, whether it
//! comes from files, from a saved estate or from the server.

mod told;

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::{Context as _, bail};
use countersign_assess::{Figures, Named, NamedEdge, NamedNode, OneRadius, Ways, WhatIf};
use countersign_estate::{Inventory, Projection};
use countersign_graph::{Change, Memory, NodeId, Routes, Traversal};
use serde::Serialize;
use serde_json::{Value, json};

use super::Found;
use super::estate::open::{dates, open};
use super::estate::{by_kind, pairs, shown};
use super::work::Work;
use crate::command_line::{BlastRadius, ChokePoints, Followed, Graph, Paths, WhatIf as Asked, Which};
use crate::control::Control;
use crate::terminal::{Table, Terminal, plain};

/// What an analysis works on.
struct Estate {
    inventory: Inventory,
    projection: Projection,
}

impl Estate {
    async fn open(
        which: &Which,
        control: impl FnOnce() -> anyhow::Result<Control>,
        work: &Work,
        terminal: &Terminal,
    ) -> anyhow::Result<Self> {
        let inventory = open(which, dates(None).1, control, work, terminal).await?;
        let projection = work.run(|| {
            work.doing("building the graph");
            Ok(inventory.project()?)
        })?;
        Ok(Self { inventory, projection })
    }

    fn named(&self) -> Named<'_> {
        Named::new(&self.inventory, &self.projection)
    }

    fn routes(&self, followed: Followed) -> Routes<'_> {
        Routes::new(&self.projection.graph, &Traversal::default().conditional(!followed.certain))
    }
}

/// Said wherever a figure may be too high.
fn tell_bound(estate: &Estate, followed: Followed, terminal: &Terminal) {
    let graph = &estate.projection.graph;
    let conditional = graph.edge_ids().filter(|id| graph.edge(*id).is_some_and(|edge| edge.conditional)).count();
    if conditional > 0 {
        terminal.note(match followed.certain {
            true => format!("a lower bound: {conditional} edges that hold under a condition are not followed"),
            false => format!("an upper bound: {conditional} edges that hold under a condition are followed (--certain leaves them out)"),
        });
    }
}

/// The graph in figures.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct InFigures {
    nodes: u64,
    /// In the inventory, of each kind.
    kinds: BTreeMap<String, u64>,
    edges: u64,
    relations: BTreeMap<&'static str, u64>,
    conditional: u64,
    /// Of the inventory's edges, those that open nothing by themselves.
    left_out: u64,
    components: u64,
    /// Nodes that all reach one another.
    largest_component: u64,
    tier_zero: u64,
    identities: u64,
    milliseconds_to_build: u64,
}

pub(super) async fn graph(
    control: impl Fn() -> anyhow::Result<Control>,
    options: Graph,
    terminal: &Terminal,
) -> anyhow::Result<()> {
    let work = Work::begin(terminal);
    let began = Instant::now();
    let estate = Estate::open(&options.looked.into(), control, &work, terminal).await?;
    let figures = work.run(|| {
        let graph = &estate.projection.graph;
        let routes = Routes::new(graph, &Traversal::default());
        let took = began.elapsed();
        let mut relations = BTreeMap::new();
        let mut conditional = 0;
        for edge in graph.edge_ids().filter_map(|id| graph.edge(id)) {
            *relations.entry(edge.kind.name()).or_insert(0) += 1;
            conditional += u64::from(edge.conditional);
        }
        let named = estate.named();
        let components = routes.components();
        Ok(InFigures {
            nodes: graph.node_count() as u64,
            kinds: by_kind(&estate.inventory),
            edges: graph.edge_count() as u64,
            relations,
            conditional,
            left_out: estate.projection.left_out,
            components: components.count,
            largest_component: components.largest,
            tier_zero: named.tier_zero().len() as u64,
            identities: named.identities().len() as u64,
            milliseconds_to_build: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        })
    })?;
    if terminal.json {
        return terminal.json(&figures);
    }
    let rows = [
        ("nodes", figures.nodes),
        ("edges", figures.edges),
        ("of them under a condition", figures.conditional),
        ("edges that open nothing alone", figures.left_out),
        ("components", figures.components),
        ("nodes in the largest", figures.largest_component),
        ("tier zero", figures.tier_zero),
        ("enabled identities", figures.identities),
        ("read and built in ms", figures.milliseconds_to_build),
    ];
    pairs(terminal, rows.map(|(name, value)| (name.to_owned(), value.to_string())));
    for (what, counts) in [
        ("nodes", figures.kinds),
        ("edges", figures.relations.into_iter().map(|(name, count)| (name.to_owned(), count)).collect()),
    ] {
        terminal.line("");
        let mut table = Table::new(what, &[what, "count"]);
        counts.iter().for_each(|(name, count)| table.row([name.clone(), count.to_string()]));
        terminal.table(&table);
    }
    Ok(())
}

/// Every name, or what is wrong with each that is none.
fn find_all(named: &Named<'_>, texts: &[String]) -> anyhow::Result<Vec<NodeId>> {
    let found: Vec<_> = texts.iter().map(|text| named.find(text)).collect();
    let wrong: Vec<String> = found.iter().filter_map(|found| found.as_ref().err()).map(ToString::to_string).collect();
    if !wrong.is_empty() {
        bail!("{}", wrong.join("\n"));
    }
    Ok(found.into_iter().flatten().collect())
}

pub(super) async fn blast_radius(
    control: impl Fn() -> anyhow::Result<Control>,
    options: BlastRadius,
    terminal: &Terminal,
) -> anyhow::Result<()> {
    if options.never_used {
        return never_used(&control()?, &options, terminal).await;
    }
    let work = Work::begin(terminal);
    let estate = Estate::open(&options.which, control, &work, terminal).await?;
    let (named, routes) = (estate.named(), estate.routes(options.followed));
    if options.all {
        let rows = work.run(|| everybody(&named, &routes, options.top, &work))?;
        let columns = [
            ("name", "/name"),
            ("kind", "/kind"),
            ("reaches", "/reached"),
            ("of tier zero", "/tier-zero-reached"),
            ("key", "/key"),
        ];
        shown(terminal, "identities", &rows, &columns, options.csv)?;
        tell_bound(&estate, options.followed, terminal);
        return Ok(());
    }
    let radii: Vec<OneRadius> = work.run(|| {
        let nodes = find_all(&named, &options.accounts)?;
        work.doing("following");
        Ok(nodes.into_iter().filter_map(|node| named.radius(&routes, node)).collect())
    })?;
    if terminal.json {
        return terminal.json(&radii);
    }
    if options.csv {
        let rows: Vec<Value> = radii.iter().map(|one| row(&one.node, one.reached, one.tier_zero_reached)).collect();
        let columns = [
            ("name", "/name"),
            ("kind", "/kind"),
            ("reaches", "/reached"),
            ("of tier zero", "/tier-zero-reached"),
            ("key", "/key"),
        ];
        return shown(terminal, "identities", &rows, &columns, true);
    }
    for radius in &radii {
        told::radius(radius, terminal);
    }
    tell_bound(&estate, options.followed, terminal);
    Ok(())
}

/// Only the server knows what was used.
async fn never_used(control: &Control, options: &BlastRadius, terminal: &Terminal) -> anyhow::Result<()> {
    let answer = control.get("/api/v1/graph/blast-radius").await?;
    let found = answer.get("never-exercised").filter(|found| !found.is_null());
    let found = found.context("the server could not read its ledger, or could not ask its policies")?;
    let edges = found.get("edges").and_then(Value::as_array).context("the server's answer is no list")?;
    let rows: Vec<Value> = edges.iter().take(options.top).cloned().collect();
    let columns =
        [("group", "/from/name"), ("may", "/relation"), ("resource", "/to/name"), ("resource's key", "/to/key")];
    shown(terminal, "grants", &rows, &columns, options.csv)?;
    let figure = |name: &str| super::answer::cell(found, name);
    terminal.note(format!("{} of {} grants were not used since {}", figure("/count"), figure("/of"), figure("/since")));
    Ok(())
}

fn row(node: &NamedNode, reached: u64, tier_zero: u64) -> Value {
    json!({"key": node.key, "name": node.name, "kind": node.kind, "reached": reached, "tier-zero-reached": tier_zero})
}

fn everybody(named: &Named<'_>, routes: &Routes<'_>, most: usize, work: &Work) -> anyhow::Result<Vec<Value>> {
    let reach = routes.blast_radius(Memory::default(), &mut work.computing("following everybody"))?;
    let mut all: Vec<(u64, u64, NodeId)> = named
        .identities()
        .into_iter()
        .filter_map(|id| reach.of(id).map(|counts| (counts.all(), counts.tier_zero(), id)))
        .collect();
    all.sort_by_key(|(reached, zero, id)| std::cmp::Reverse((*zero > 0, *reached, *zero, std::cmp::Reverse(*id))));
    all.truncate(most);
    let rows = all.into_iter().filter_map(|(reached, zero, id)| Some(row(&named.node(id)?, reached, zero)));
    Ok(rows.collect())
}

pub(super) async fn paths(
    control: impl Fn() -> anyhow::Result<Control>,
    options: Paths,
    terminal: &Terminal,
) -> anyhow::Result<()> {
    let work = Work::begin(terminal);
    let estate = Estate::open(&options.which, control, &work, terminal).await?;
    let (named, routes) = (estate.named(), estate.routes(options.followed));
    let most = if options.all { options.limit } else { 1 };
    let ways: Option<Ways> = work.run(|| {
        let from = find_all(&named, std::slice::from_ref(&options.from))?;
        let to = match &options.to {
            Some(to) => find_all(&named, std::slice::from_ref(to))?,
            None => named.tier_zero(),
        };
        work.doing("following");
        Ok(named.ways(&routes, &from, &to, options.by_effort, most))
    })?;
    if terminal.json {
        terminal.json(&ways)?;
    } else {
        match &ways {
            Some(ways) => told::ways(ways, options.by_effort, terminal),
            None => terminal.line("no way leads there"),
        }
        tell_bound(&estate, options.followed, terminal);
    }
    // No way is the good answer, and the answer to the question is: nothing.
    if ways.is_some() { Ok(()) } else { Err(Found.into()) }
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Chokes {
    /// Identities that get there, members of tier zero left out where it is about tier zero.
    identities: u64,
    targets: u64,
    nodes: Vec<Value>,
    steps: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<Plan>,
}

/// What to take away so that at most so many get there.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Plan {
    before: u64,
    after: u64,
    price: u64,
    cheapest: bool,
    removals: Vec<Vec<NamedEdge>>,
}

pub(super) async fn choke_points(
    control: impl Fn() -> anyhow::Result<Control>,
    options: ChokePoints,
    terminal: &Terminal,
) -> anyhow::Result<()> {
    let work = Work::begin(terminal);
    let estate = Estate::open(&options.looked.clone().into(), control, &work, terminal).await?;
    let (named, routes) = (estate.named(), estate.routes(options.followed));
    let chokes = work.run(|| {
        let targets = if options.to.is_empty() { named.tier_zero() } else { find_all(&named, &options.to)? };
        let members = if options.to.is_empty() { named.members_of(&targets) } else { Vec::new() };
        let starts: Vec<NodeId> =
            named.identities().into_iter().filter(|id| members.binary_search(id).is_err()).collect();
        work.doing("looking for choke points");
        let found = routes.choke_points(&starts, &targets);
        let nodes = found.nodes.iter().take(options.top).filter_map(|choke| {
            let node = named.node(choke.node)?;
            Some(json!({"node": node, "identities": choke.gain.starts, "targets": choke.gain.targets}))
        });
        let steps = found.steps.iter().take(options.top).map(|step| {
            let edges = named.edges(step.edges.iter().copied());
            json!({"edges": edges, "identities": step.gain.starts, "targets": step.gain.targets})
        });
        let (nodes, steps) = (nodes.collect(), steps.collect());
        let plan = match options.at_most {
            None => None,
            Some(most) => {
                let graph = named.graph();
                let mut watch = work.computing("looking for what to take away");
                let plan = routes.removals(&starts, &targets, most, |edge| graph.price_of_use(edge), &mut watch)?;
                let removals = plan.removals.iter().map(|removal| named.edges(removal.edges.iter().copied())).collect();
                let (before, after, price, cheapest) = (plan.before, plan.after, plan.price, plan.cheapest);
                Some(Plan { before, after, price, cheapest, removals })
            }
        };
        Ok(Chokes { identities: found.starts, targets: found.targets, nodes, steps, plan })
    })?;
    if terminal.json {
        return terminal.json(&chokes);
    }
    told::chokes(&chokes, terminal);
    if chokes.targets == 0 {
        terminal.note("nothing in this estate is known to be of tier zero: --to NODE names what is to be protected");
    }
    tell_bound(&estate, options.followed, terminal);
    Ok(())
}

pub(super) async fn what_if(
    control: impl Fn() -> anyhow::Result<Control>,
    options: Asked,
    terminal: &Terminal,
) -> anyhow::Result<()> {
    let work = Work::begin(terminal);
    let estate = Estate::open(&options.which, control, &work, terminal).await?;
    let (named, routes) = (estate.named(), estate.routes(options.followed));
    let what_if: WhatIf = work.run(|| {
        let mut change = Change {
            remove_nodes: find_all(&named, &options.remove_node)?,
            disable: find_all(&named, &options.disable)?,
            ..Change::default()
        };
        for edge in &options.remove {
            change.remove_edges.extend(named.find_edges(edge)?);
        }
        Ok(named.what_if(&routes, &change, options.top, &mut work.computing("following everybody"))?)
    })?;
    if terminal.json {
        return terminal.json(&what_if);
    }
    let WhatIf { before, after, changed, nodes } = &what_if;
    let mut table = Table::new("figures", &["", "before", "after"]);
    type Told = fn(&Figures) -> u64;
    let figures: [(&str, Told); 4] = [
        ("identities that reach tier zero", |figures| figures.reach_tier_zero),
        ("reached by half of them at most", |figures| figures.radius.median),
        ("reached by 95 of 100 at most", |figures| figures.radius.p95),
        ("reached by anybody at most", |figures| figures.radius.max),
    ];
    for (name, of) in figures {
        table.row([name.to_owned(), of(before).to_string(), of(after).to_string()]);
    }
    terminal.table(&table);
    if !nodes.is_empty() {
        terminal.line("");
        let mut table = Table::new("changes", &["name", "kind", "reaches", "then", "of tier zero", "then"]);
        for one in nodes {
            table.row([
                plain(&one.node.name),
                one.node.kind.clone(),
                one.before.to_string(),
                one.after.to_string(),
                one.tier_zero_before.to_string(),
                one.tier_zero_after.to_string(),
            ]);
        }
        terminal.table(&table);
    }
    terminal.note(format!("{changed} nodes reach another number of others"));
    tell_bound(&estate, options.followed, terminal);
    Ok(())
}
