//! The map of trust boundaries: boxes with counts and the ways between them as a drawing made here, and the same as tables. Opening
//! a box is a link, so it needs no script; an edge opens the list of its evidence, a node its own page.

pub(crate) mod drawing;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use countersign_govern::{
    By, EstateMap, ImplicitTrust, MapEdge, MapEdges, MapItem, MapWhat, MapWish, NotAssessed, NotOnMap, Status,
};
use countersign_model::Timestamp;
use serde::{Deserialize, Serialize};

use self::drawing::Drawing;
use super::ROWS;
use super::identity::spaced;
use super::inventory::identity_url;
use crate::Site;
use crate::error::{Fault, PageFault};
use crate::extract::PageQuery;
use crate::guard::Caller;
use crate::page::{Shell, html, query};
use crate::words::count;

pub(super) const MAP: &str = "/console/map";
pub(super) const EDGES: &str = "/console/map/edges";

#[derive(Debug, Default, Clone, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    by: String,
    open: Option<String>,
    within: Option<String>,
    skip: Option<usize>,
}

impl From<NotOnMap> for Fault {
    fn from(error: NotOnMap) -> Self {
        Self::Unknown(error.to_string())
    }
}

/// What an address asks for; an empty word asks for nothing.
pub(crate) fn wish(
    by: &str,
    open: Option<String>,
    within: Option<String>,
    skip: Option<usize>,
) -> Result<MapWish, Fault> {
    let by = match by {
        "" => None,
        by => Some(
            By::from_name(by)
                .ok_or_else(|| Fault::Malformed("the map is by `source`, `tier`, `segment` or `kind`".to_owned()))?,
        ),
    };
    let said = |text: Option<String>| text.filter(|text| !text.is_empty());
    Ok(MapWish { by, open: said(open), within: said(within), skip: skip.unwrap_or(0) })
}

/// The addresses of one map.
#[derive(Debug, Clone)]
struct Here {
    asked: Asked,
}

impl Here {
    fn new(map: &EstateMap) -> Self {
        let open = map.open.as_ref();
        Self {
            asked: Asked {
                by: map.by.name().to_owned(),
                open: open.map(|open| open.id.clone()),
                within: open.and_then(|open| open.within.clone()),
                skip: Some(map.skip).filter(|skip| *skip > 0).and_then(|skip| usize::try_from(skip).ok()),
            },
        }
    }

    fn url(&self, open: Option<String>, within: Option<String>, skip: Option<usize>) -> String {
        format!("{MAP}{}", query(&Asked { by: self.asked.by.clone(), open, within, skip }))
    }

    fn page(&self, skip: Option<u64>) -> String {
        let skip = skip.and_then(|skip| usize::try_from(skip).ok()).filter(|skip| *skip > 0);
        self.url(self.asked.open.clone(), self.asked.within.clone(), skip)
    }

    /// Where something on the map leads.
    fn item(&self, map: &EstateMap, item: &MapItem) -> String {
        match item.what {
            MapWhat::Node => item.node.as_ref().map(|node| identity_url(&node.key)).unwrap_or_default(),
            MapWhat::Box => self.url(Some(item.id.clone()), None, None),
            MapWhat::Part => self.url(self.asked.open.clone(), Some(item.id.clone()), None),
            MapWhat::Siblings => self.url(self.asked.open.clone(), None, None),
            // What stands around an opened box is all there once it is closed; the innermost list goes on, and then begins anew.
            MapWhat::Rest if !item.inside && self.asked.open.is_some() => self.url(None, None, None),
            MapWhat::Rest => self.page(map.next),
        }
    }

    fn edges(&self, from: &MapItem, to: &MapItem, page: Option<usize>) -> String {
        let Asked { by, open, within, skip } = self.asked.clone();
        let (from, to) = (from.id.clone(), to.id.clone());
        format!("{EDGES}{}", query(&EdgesAsked { by, open, within, skip, from, to, page }))
    }
}

/// What something on the map is called.
fn name(map_by: By, open: Option<&str>, item: &MapItem) -> String {
    let by = match item.what {
        MapWhat::Part if map_by == By::Kind => By::Source,
        MapWhat::Part => By::Kind,
        _ => map_by,
    };
    match (item.what, &item.node, &item.label) {
        (MapWhat::Node, Some(node), _) => node.name.clone(),
        (MapWhat::Rest, ..) if item.boxes > 0 => format!("… and {} more", count(&item.boxes)),
        (MapWhat::Rest, ..) => format!("… and {} more", count(&item.nodes)),
        (MapWhat::Siblings, ..) => format!("the rest of {}", open.unwrap_or("it")),
        (_, _, Some(label)) if by == By::Kind || by == By::Tier => spaced(label),
        (_, _, Some(label)) => label.clone(),
        (.., None) => match by {
            By::Source => "described by no source".to_owned(),
            By::Tier => "classified by nobody".to_owned(),
            By::Segment => "in no known segment".to_owned(),
            By::Kind => "of no known kind".to_owned(),
        },
    }
}

/// Something on the map, in the table.
#[derive(Debug)]
struct Row {
    url: String,
    name: String,
    what: &'static str,
    nodes: u64,
    identities: u64,
    tier_zero: u64,
    leads: u64,
    steps: String,
}

/// A sum of edges, in the table.
#[derive(Debug)]
struct Way {
    url: String,
    from: String,
    to: String,
    edges: u64,
    ways: u64,
    conditional: u64,
    relations: String,
}

#[derive(Debug)]
struct Seen {
    from: String,
    to: String,
    count: u64,
    implicit: u64,
    last: Timestamp,
}

/// A way to divide the estate.
#[derive(Debug)]
struct Choice {
    url: String,
    word: &'static str,
    chosen: bool,
}

#[derive(Template)]
#[template(path = "console/map.html")]
struct MapPage {
    shell: Shell,
    status: Status,
    as_of: Timestamp,
    choices: Vec<Choice>,
    title: Option<String>,
    closed: Option<String>,
    outer: Option<String>,
    drawing: Drawing,
    rows: Vec<Row>,
    ways: Vec<Way>,
    seen: Vec<Seen>,
    implicit: Vec<ImplicitTrust>,
    more_implicit: usize,
    entries: u64,
    since: Option<Timestamp>,
    map: EstateMap,
    first: Option<String>,
    next: Option<String>,
}

fn steps(item: &MapItem) -> String {
    match item.steps {
        None => "none known".to_owned(),
        Some(0) => "of it".to_owned(),
        Some(1) => "1 step".to_owned(),
        Some(steps) => format!("{steps} steps"),
    }
}

const fn what(item: &MapItem) -> &'static str {
    match item.what {
        MapWhat::Node => "node",
        MapWhat::Box => "box",
        MapWhat::Part => "part",
        MapWhat::Siblings => "other parts",
        MapWhat::Rest => "what there is no room for",
    }
}

fn relations(edge: &MapEdge) -> String {
    let words: Vec<String> =
        edge.relations.iter().map(|(name, number)| format!("{} {}", spaced(name), count(number))).collect();
    words.join(", ")
}

#[derive(Template)]
#[template(path = "console/map_empty.html")]
struct EmptyPage {
    shell: Shell,
    status: Status,
}

pub(super) async fn map(
    State(site): State<Site>,
    caller: Caller,
    PageQuery(asked): PageQuery<Asked>,
) -> Result<Response, PageFault> {
    let shell = Shell::new(&caller, MAP, site.now(), None);
    let status = site.estate().status();
    let Some(assessed) = status.assessed.clone() else { return Ok(html(&EmptyPage { shell, status })) };
    let wish = wish(&asked.by, asked.open, asked.within, asked.skip)?;
    let observed = site.estate().flows().await.map_err(Fault::from)?;
    let flows = observed.flows.clone();
    let found = site.estate().ask(move |standing| standing.map(&wish, &flows)).await.map_err(Fault::from)?;
    let map = found.map_err(Fault::from)?;
    let here = Here::new(&map);
    let open = map.open.as_ref().map(|open| open.label.clone().unwrap_or_else(|| open.id.clone()));
    let names: Vec<String> = map.items.iter().map(|item| name(map.by, open.as_deref(), item)).collect();
    let named = |place: usize| names.get(place).cloned().unwrap_or_default();
    let (implicit, all_implicit) = observed.implicit();
    let within = map.open.as_ref().and_then(|open| open.within_label.as_deref());
    Ok(html(&MapPage {
        shell,
        as_of: assessed.as_of,
        status,
        choices: By::ALL
            .into_iter()
            .map(|by| Choice { url: format!("{MAP}?by={}", by.name()), word: by.name(), chosen: by == map.by })
            .collect(),
        title: open.as_ref().map(|open| match within {
            Some(within) => format!("{open}, {}", spaced(within)),
            None => open.clone(),
        }),
        closed: open.is_some().then(|| here.url(None, None, None)),
        outer: within.is_some().then(|| here.url(here.asked.open.clone(), None, None)),
        drawing: drawing::draw(&map, &names, &|item| here.item(&map, item), &|from, to| here.edges(from, to, None)),
        rows: map
            .items
            .iter()
            .zip(&names)
            .map(|(item, name)| Row {
                url: here.item(&map, item),
                name: name.clone(),
                what: what(item),
                nodes: item.nodes,
                identities: item.identities,
                tier_zero: item.tier_zero,
                leads: item.leads,
                steps: steps(item),
            })
            .collect(),
        ways: map
            .edges
            .iter()
            .filter_map(|edge| {
                Some(Way {
                    url: here.edges(map.items.get(edge.from)?, map.items.get(edge.to)?, None),
                    from: named(edge.from),
                    to: named(edge.to),
                    edges: edge.edges,
                    ways: edge.ways,
                    conditional: edge.conditional,
                    relations: relations(edge),
                })
            })
            .collect(),
        seen: map
            .flows
            .iter()
            .map(|flow| Seen {
                from: named(flow.from),
                to: named(flow.to),
                count: flow.count,
                implicit: flow.implicit,
                last: flow.last,
            })
            .collect(),
        more_implicit: all_implicit - implicit.len(),
        implicit,
        entries: observed.entries,
        since: observed.since,
        first: (map.skip > 0).then(|| here.page(None)),
        next: map.next.map(|next| here.page(Some(next))),
        map,
    }))
}

#[derive(Debug, Default, Clone, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct EdgesAsked {
    by: String,
    open: Option<String>,
    within: Option<String>,
    skip: Option<usize>,
    from: String,
    to: String,
    page: Option<usize>,
}

#[derive(Template)]
#[template(path = "console/map_edges.html")]
struct EdgesPage {
    shell: Shell,
    back: String,
    from: String,
    to: String,
    found: MapEdges,
    first: Option<String>,
    next: Option<String>,
}

pub(super) async fn edges(
    State(site): State<Site>,
    caller: Caller,
    PageQuery(asked): PageQuery<EdgesAsked>,
) -> Result<Response, PageFault> {
    site.estate().assessed().ok_or(Fault::from(NotAssessed::NotYet))?;
    let wish = wish(&asked.by, asked.open.clone(), asked.within.clone(), asked.skip)?;
    let by = wish.by.unwrap_or(By::Source);
    let (from, to, skip) = (asked.from.clone(), asked.to.clone(), asked.page.unwrap_or(0));
    let found = site.estate().ask(move |standing| standing.map_edges(&wish, &from, &to, skip, ROWS));
    let found = found.await.map_err(Fault::from)?.map_err(Fault::from)?;
    let until = skip + found.lines.len();
    let open = asked.open.as_deref().map(|open| open.split_once(':').map_or(open, |(_, label)| label));
    let url = |page| format!("{EDGES}{}", query(&EdgesAsked { page, ..asked.clone() }));
    let EdgesAsked { by: word, open: opened, within, skip: around, .. } = asked.clone();
    Ok(html(&EdgesPage {
        shell: Shell::new(&caller, MAP, site.now(), None),
        back: format!("{MAP}{}", query(&Asked { by: word, open: opened, within, skip: around })),
        from: name(by, open, &found.from),
        to: name(by, open, &found.to),
        first: (skip > 0).then(|| url(None)),
        next: ((until as u64) < found.total).then(|| url(Some(until))),
        found,
    }))
}
