//! The estate: what is in it, importing by dropping files or with the keyboard alone, what each import did and what it skipped, and
//! the identities that a person has to confirm. Lists come in pages; nothing is drawn that grows with the estate.

use askama::Template;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use countersign_govern::{How, ImportError, Imported, NodeRow, Nodes, Sort, Status, Wanted, Wish, Word};
use countersign_model::Timestamp;
use serde::{Deserialize, Serialize};

use super::ROWS;
use crate::Site;
use crate::api::inventory::{kind, over, pairs};
use crate::error::{Fault, PageFault};
use crate::extract::{Form, PagePath, PageQuery};
use crate::guard::Caller;
use crate::page::{Done, Shell, done, html, query};
use crate::upload;
use crate::wire::IdentityPair;

pub(super) const ESTATE: &str = "/console/estate";
pub(super) const IMPORTS: &str = "/console/estate/imports";
pub(super) const LINKS: &str = "/console/estate/links";

/// The kinds that the filter offers.
const KINDS: [&str; 13] = [
    "account",
    "human",
    "service",
    "agent",
    "key",
    "group",
    "role",
    "device",
    "workload",
    "resource",
    "segment",
    "container",
    "scope",
];

/// How long a page waits for an import before it shows how far it is.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(40);

#[derive(Debug, Default, Clone, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Search {
    search: String,
    kind: String,
    found: String,
    unclassified: String,
    cursor: Option<String>,
    #[serde(skip_serializing)]
    done: Option<String>,
}

#[derive(Template)]
#[template(path = "console/estate.html")]
struct EstatePage {
    shell: Shell,
    status: Status,
    search: Search,
    kinds: &'static [&'static str],
    filtered: bool,
    nodes: Nodes,
    proposals: u64,
    first: Option<String>,
    next: Option<String>,
}

pub(super) async fn estate(
    State(site): State<Site>,
    caller: Caller,
    PageQuery(search): PageQuery<Search>,
) -> Result<Response, PageFault> {
    let status = site.estate().status();
    let wish = Wish {
        search: search.search.clone(),
        kind: Some(search.kind.as_str()).filter(|text| !text.is_empty()).map(kind).transpose()?,
        source: None,
        found: !search.found.is_empty(),
        unclassified: !search.unclassified.is_empty(),
        sort: Sort::Findings,
        after: search.cursor.clone(),
        limit: ROWS,
    };
    let nodes = match status.assessed {
        Some(_) => site.estate().ask(move |standing| standing.nodes(&wish)).await.map_err(Fault::from)?,
        None => Nodes::default(),
    };
    let url = |cursor: Option<String>| format!("{ESTATE}{}", query(&Search { cursor, ..search.clone() }));
    Ok(html(&EstatePage {
        shell: Shell::new(&caller, ESTATE, site.now(), search.done.as_deref()),
        filtered: [&search.search, &search.kind, &search.found, &search.unclassified]
            .iter()
            .any(|text| !text.is_empty()),
        first: search.cursor.is_some().then(|| url(None)),
        next: nodes.rows.last().filter(|_| nodes.more).map(|last| url(Some(last.key.clone()))),
        proposals: status.assessed.as_ref().map_or(0, |assessed| assessed.proposals.len() as u64),
        kinds: &KINDS,
        status,
        nodes,
        search,
    }))
}

#[derive(Template)]
#[template(path = "console/estate_imports.html")]
struct ImportsPage {
    shell: Shell,
    status: Status,
    fault: Option<String>,
    imports: Vec<Imported>,
    first: Option<String>,
    next: Option<String>,
}

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
pub(super) struct Older {
    before: Option<u64>,
    done: Option<String>,
}

fn imports_page(site: &Site, caller: &Caller, older: &Older, fault: Option<String>) -> Result<Response, Fault> {
    // An estate that cannot be read has a page that says so.
    let mut imports = site.estate().history(older.before, ROWS + 1).unwrap_or_default();
    let more = imports.len() > ROWS;
    imports.truncate(ROWS);
    let status = site.estate().status();
    // One that nobody waited for to the end says here why it did nothing.
    let last = status.last.as_ref().and_then(|last| last.as_ref().err()).map(|error| Fault::from(&**error).detail());
    Ok(html(&ImportsPage {
        shell: Shell::new(caller, ESTATE, site.now(), older.done.as_deref()),
        status,
        fault: fault.or(last),
        first: older.before.map(|_| IMPORTS.to_owned()),
        next: imports.last().filter(|_| more).map(|last| format!("{IMPORTS}?before={}", last.number)),
        imports,
    }))
}

pub(super) async fn imports(
    State(site): State<Site>,
    caller: Caller,
    PageQuery(older): PageQuery<Older>,
) -> Result<Response, PageFault> {
    Ok(imports_page(&site, &caller, &older, None)?)
}

/// Without a script: the form as the browser sends it.
pub(super) async fn import(State(site): State<Site>, caller: Caller, request: Request) -> Result<Response, PageFault> {
    match imported(&site, &caller, request).await {
        Ok(answer) => Ok(answer),
        Err(fault @ (Fault::Unreadable { .. } | Fault::Unacceptable(_) | Fault::Conflict(_) | Fault::TooLarge)) => {
            let page = imports_page(&site, &caller, &Older::default(), Some(fault.detail()))?;
            Ok((fault.outside().0, page).into_response())
        }
        Err(fault) => Err(PageFault(fault)),
    }
}

async fn imported(site: &Site, caller: &Caller, request: Request) -> Result<Response, Fault> {
    let turn = site.estate().turn()?;
    let received = upload::receive(&turn, request, None).await?;
    let at = match received.word("at") {
        None => None,
        // A browser's field for a moment has no zone: it is meant in UTC, and the page says so.
        Some(text) if text.len() == 16 => Some(crate::asking::parsed::<Timestamp>(&format!("{text}:00Z"))?),
        Some(text) => Some(crate::asking::parsed(text)?),
    };
    let (own, dry_run) = (received.word("own").is_some(), received.word("dry_run").is_some());
    let mut pending = turn.import(Wanted { uploads: received.uploads, own, at, dry_run }, caller.actor());
    let Ok(ended) = tokio::time::timeout(PATIENCE, pending.ended()).await else {
        return Ok(Redirect::to(IMPORTS).into_response());
    };
    let import = over(ended)?;
    if dry_run {
        return Ok(html(&ImportPage {
            shell: Shell::new(caller, ESTATE, site.now(), None),
            import: (*import).clone(),
        }));
    }
    Ok(done(&import_url(&import.number), Done::EstateImported))
}

pub(crate) fn import_url(number: &u64) -> String {
    format!("{IMPORTS}/{number}")
}

#[derive(Template)]
#[template(path = "console/estate_import.html")]
struct ImportPage {
    shell: Shell,
    import: Imported,
}

impl ImportPage {
    fn more_changes(&self) -> bool {
        self.import.change_count > self.import.changes.len() as u64
    }

    fn more_files(&self) -> bool {
        self.import.file_count > self.import.files.len() as u64
    }

    fn skipped(&self) -> String {
        crate::words::count(&self.import.skipped.iter().map(|one| one.count).sum())
    }
}

pub(super) async fn one_import(
    State(site): State<Site>,
    caller: Caller,
    PagePath(number): PagePath<u64>,
    PageQuery(older): PageQuery<Older>,
) -> Result<Response, PageFault> {
    let import = site.estate().import_of(number).map_err(Fault::from)?.ok_or(Fault::Absent)?;
    Ok(html(&ImportPage { shell: Shell::new(&caller, ESTATE, site.now(), older.done.as_deref()), import }))
}

pub(super) async fn stop_import(State(site): State<Site>, _: Caller) -> Result<Response, PageFault> {
    if !site.estate().stop_import() {
        return Err(Fault::from(ImportError::Stopped).into());
    }
    Ok(done(IMPORTS, Done::ImportStopped))
}

pub(super) async fn assess(State(site): State<Site>, _: Caller) -> Response {
    site.estate().assess();
    done(ESTATE, Done::AssessmentBegun)
}

pub(crate) const fn how(how: &How) -> crate::words::Sign {
    use crate::words::sign;
    match how {
        How::Added => sign("good", "new"),
        How::Changed => sign("plain", "changed"),
        How::Gone => sign("warn", "gone"),
        How::Back => sign("plain", "back"),
    }
}

#[derive(Template)]
#[template(path = "console/estate_links.html")]
struct LinksPage {
    shell: Shell,
    proposed: bool,
    total: u64,
    pairs: Vec<IdentityPair>,
    first: Option<String>,
    next: Option<String>,
}

#[derive(Debug, Default, Clone, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct LinksSearch {
    state: String,
    skip: Option<usize>,
    #[serde(skip_serializing)]
    done: Option<String>,
}

pub(super) async fn links(
    State(site): State<Site>,
    caller: Caller,
    PageQuery(search): PageQuery<LinksSearch>,
) -> Result<Response, PageFault> {
    let proposed = search.state != "linked";
    let found = pairs(&site, proposed, search.skip.unwrap_or(0), ROWS).await?;
    let url = |skip: Option<usize>| format!("{LINKS}{}", query(&LinksSearch { skip, ..search.clone() }));
    Ok(html(&LinksPage {
        shell: Shell::new(&caller, ESTATE, site.now(), search.done.as_deref()),
        proposed,
        total: found.total,
        pairs: found.items,
        first: search.skip.map(|_| url(None)),
        next: found.next.and_then(|next| next.parse().ok()).map(|skip| url(Some(skip))),
    }))
}

/// One pair, with the button that was pressed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PairForm {
    one: String,
    other: String,
    same: String,
}

pub(super) async fn decide_link(
    State(site): State<Site>,
    caller: Caller,
    Form(form): Form<PairForm>,
) -> Result<Response, PageFault> {
    let same = match form.same.as_str() {
        "yes" => true,
        "no" => false,
        _ => return Err(Fault::Malformed("the form is not one of ours".to_owned()).into()),
    };
    let word = Word::Link { one: form.one, other: form.other, same };
    site.estate().decide(vec![word], &caller.actor()).await.map_err(Fault::from)?;
    // The list is the newest assessment's: it loses the pair once the next one is there.
    settle(&site).await;
    Ok(done(LINKS, if same { Done::LinkConfirmed } else { Done::LinkRefused }))
}

/// Waits a moment for the next assessment, so that most people see what they just decided.
pub(super) async fn settle(site: &Site) {
    const MOMENT: std::time::Duration = std::time::Duration::from_secs(3);
    // Whoever waited long enough sees the one before, with its date.
    let _late = tokio::time::timeout(MOMENT, site.estate().settled()).await;
}

pub(crate) fn identity_url(key: &str) -> String {
    format!("{}?key={}", super::identity::IDENTITY, crate::page::encode(key))
}

pub(crate) fn counted(count: &usize) -> String {
    crate::words::count(&(*count as u64))
}

pub(crate) fn size(bytes: &u64) -> String {
    crate::words::bytes(*bytes)
}

/// Shown beside a node in every list.
pub(crate) fn signs(row: &NodeRow) -> Vec<crate::words::Sign> {
    use crate::words::sign;
    let mut signs = Vec::new();
    if row.gone {
        signs.push(sign("warn", "gone"));
    }
    if row.enabled == Some(false) {
        signs.push(sign("plain", "disabled"));
    }
    if row.tier_zero {
        signs.push(sign("jewel", "tier zero"));
    }
    if let Some(tier) = row.tier {
        signs.push(crate::words::tier(&tier));
    }
    signs
}
