//! One identity, or anything else of the estate, on one page: what each source says of it, its other accounts, what is wrong with it
//! and by which evidence, what it has power over and what has power over it, how far its compromise gets, and what it is.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use countersign_assess::{Checked, Finding, NamedPath, OneRadius};
use countersign_govern::{Assessed, EdgeLine, Lines, NodePage, NotAssessed};
use countersign_model::{Tier, Timestamp};
use serde::{Deserialize, Serialize};

use super::ROWS;
use super::as_of::Slider;
use super::inventory::{ESTATE, identity_url};
use crate::Site;
use crate::api::inventory::{basis, findings, said};
use crate::error::{Fault, PageFault};
use crate::extract::{Form, PageQuery};
use crate::guard::Caller;
use crate::page::{Done, Shell, html, query};
use crate::wire::ClassificationBody;
use crate::words::{Sign, sign};

pub(super) const IDENTITY: &str = "/console/estate/identity";
const EDGES: &str = "/console/estate/identity/edges";
pub(super) const PATHS: &str = "/console/health/paths";

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    key: String,
    as_of: String,
    day: String,
    done: Option<String>,
}

#[derive(Template)]
#[template(path = "console/identity.html")]
struct IdentityPage {
    shell: Shell,
    assessed: Arc<Assessed>,
    page: NodePage,
    slider: Slider,
    found: Vec<(Checked, Finding)>,
    radius: Option<OneRadius>,
    tiers: [Tier; 4],
}

impl IdentityPage {
    fn is_tier(&self, tier: &Tier) -> bool {
        self.page.row.tier == Some(*tier)
    }

    /// Whether something was first seen after the day that was chosen.
    fn is_later(&self, first: &Timestamp) -> bool {
        self.slider.chosen.is_some_and(|day| *first > day)
    }

    fn more(&self, direction: &str) -> String {
        edges_url(&self.page.row.key, direction, None)
    }
}

fn edges_url(key: &str, direction: &str, skip: Option<usize>) -> String {
    let asked = EdgesAsked { key: key.to_owned(), direction: direction.to_owned(), skip };
    format!("{EDGES}{}", query(&asked))
}

pub(super) async fn identity(
    State(site): State<Site>,
    caller: Caller,
    PageQuery(asked): PageQuery<Asked>,
) -> Result<Response, PageFault> {
    let assessed = site.estate().assessed().ok_or(Fault::from(NotAssessed::NotYet))?;
    let keep = vec![("key", asked.key.clone())];
    let slider = Slider::new(&site, IDENTITY, keep, &asked.as_of, &asked.day).await?;
    let found = site.estate().ask(move |standing| {
        let page = standing.page(&asked.key)?;
        let radius = standing.named.find(&page.row.key).ok().and_then(|id| standing.named.radius(&standing.routes, id));
        Some((page, radius))
    });
    let (page, radius) = found.await.map_err(Fault::from)?.ok_or(Fault::Absent)?;
    let line =
        |checked: &Checked, finding: &Finding| (Checked { findings: Vec::new(), ..checked.clone() }, finding.clone());
    let found = match slider.chosen {
        None => findings(&assessed, &page).map(|(checked, finding)| line(checked, finding)).collect(),
        Some(day) => {
            let health = super::health::on(&site, day).await?;
            let all =
                health.indicators.iter().flat_map(|checked| checked.findings.iter().map(move |one| (checked, one)));
            all.filter(|(_, one)| one.key == page.row.key).map(|(checked, one)| line(checked, one)).collect()
        }
    };
    Ok(html(&IdentityPage {
        shell: Shell::new(&caller, ESTATE, site.now(), asked.done.as_deref()),
        found,
        assessed,
        page,
        slider,
        radius,
        tiers: Tier::ALL,
    }))
}

pub(super) async fn classify(
    State(site): State<Site>,
    caller: Caller,
    Form(body): Form<ClassificationBody>,
) -> Result<Response, PageFault> {
    let to = identity_url(&body.key);
    site.estate().decide(vec![said(body)?], &caller.actor()).await.map_err(Fault::from)?;
    super::inventory::settle(&site).await;
    Ok(Redirect::to(&format!("{to}&done={}", Done::Classified.code())).into_response())
}

#[derive(Debug, Default, Clone, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct EdgesAsked {
    key: String,
    direction: String,
    skip: Option<usize>,
}

#[derive(Template)]
#[template(path = "console/identity_edges.html")]
struct EdgesPage {
    shell: Shell,
    key: String,
    name: String,
    outgoing: bool,
    lines: Lines,
    first: Option<String>,
    next: Option<String>,
}

pub(super) async fn edges(
    State(site): State<Site>,
    caller: Caller,
    PageQuery(asked): PageQuery<EdgesAsked>,
) -> Result<Response, PageFault> {
    let (outgoing, skip) = (asked.direction != "incoming", asked.skip.unwrap_or(0));
    let key = asked.key.clone();
    let found = site
        .estate()
        .ask(move |standing| Some((standing.row(&key)?.name, standing.edges(&key, outgoing, skip, ROWS)?)));
    let (name, lines) = found.await.map_err(Fault::from)?.ok_or(Fault::Absent)?;
    let until = skip + lines.lines.len();
    Ok(html(&EdgesPage {
        shell: Shell::new(&caller, ESTATE, site.now(), None),
        first: (skip > 0).then(|| edges_url(&asked.key, &asked.direction, None)),
        next: (until < lines.total).then(|| edges_url(&asked.key, &asked.direction, Some(until))),
        key: asked.key,
        name,
        outgoing,
        lines,
    }))
}

#[derive(Debug, Default, Clone, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct PathsAsked {
    from: String,
    to: String,
}

#[derive(Template)]
#[template(path = "console/paths.html")]
struct PathsPage {
    shell: Shell,
    asked: PathsAsked,
    notice: Option<String>,
    /// `None`: nothing was asked.
    paths: Option<Vec<NamedPath>>,
    count: String,
    length: u64,
}

/// How many of the shortest ways a page shows.
const SHOWN: usize = 10;

pub(super) async fn paths(
    State(site): State<Site>,
    caller: Caller,
    PageQuery(asked): PageQuery<PathsAsked>,
) -> Result<Response, PageFault> {
    let mut page = PathsPage {
        shell: Shell::new(&caller, super::health::HEALTH, site.now(), None),
        asked: asked.clone(),
        notice: None,
        paths: None,
        count: String::new(),
        length: 0,
    };
    if !asked.from.trim().is_empty() {
        let found = site.estate().ask(move |standing| {
            let from = standing.find(&asked.from).map_err(|error| error.to_string())?;
            let to = match asked.to.trim() {
                "" => standing.named.tier_zero(),
                to => vec![standing.find(to).map_err(|error| error.to_string())?],
            };
            Ok::<_, String>(standing.named.ways(&standing.routes, &[from], &to, false, SHOWN))
        });
        match found.await.map_err(Fault::from)? {
            Err(why) => page.notice = Some(why),
            Ok(None) => page.paths = Some(Vec::new()),
            Ok(Some(ways)) => {
                page.count = ways.count.unwrap_or_else(|| "more than anybody counts".to_owned());
                page.length = ways.length;
                page.paths = Some(ways.paths);
            }
        }
    }
    Ok(html(&page))
}

/// A word of the graph or the inventory, as it is read.
pub(crate) fn spaced(word: &str) -> String {
    word.replace('-', " ")
}

/// A kind or a relation, as it is read.
pub(crate) fn kind_word(kind: &impl Serialize) -> String {
    spaced(&countersign_govern::word(kind))
}

pub(crate) fn relation(line: &EdgeLine) -> String {
    spaced(&countersign_govern::word(line.relation))
}

pub(crate) const fn severity(severity: &countersign_assess::Severity) -> Sign {
    use countersign_assess::Severity;
    match severity {
        Severity::Critical => sign("bad", "critical"),
        Severity::High => sign("bad", "high"),
        Severity::Medium => sign("warn", "medium"),
        Severity::Low => sign("plain", "low"),
    }
}

pub(crate) const fn basis_words(one: &countersign_estate::Basis) -> &'static str {
    basis(*one)
}
