//! The estate: importing into it, what is in it, which identities are one and what things are. Files are read by
//! `countersign_estate` and kept by `countersign_govern`; here they come in and answers go out.

use std::io::{BufWriter, Write};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use countersign_estate::{Basis, Kind, Reason};
use countersign_govern::{
    Assessed, DecideError, Ended, ImportError, Lines, NodePage, Nodes, NotAssessed, NotReady, ProofsError, Said, Sort,
    Standing, Wanted, Wish, Word, word,
};
use countersign_model::Tier;
use futures_util::stream;
use http::{StatusCode, header};
use serde_json::{Value, json};

use crate::Site;
use crate::error::{Fault, Problem};
use crate::extract::{Json, Path, Query};
use crate::guard::Caller;
use crate::upload;
use crate::wire::{
    ClassificationBody, ClassificationSuggestion, ClassificationsBody, EdgesQuery, EstateAttribute, EstateEdge,
    EstateEdges, EstateEvidence, EstateFacts, EstateImport, EstateNode, EstateNodePage, EstateNodes, EstateStatus,
    IdentityPair, IdentityPairs, ImportQuery, LinkDecision, LinkDecisions, LinkedIdentity, LinksQuery, NodeQuery,
    NodesQuery, Page, PageQuery,
};

/// Whoever waits for an import hears by then that it goes on; the gateway gives up soon after.
const PATIENCE: Duration = Duration::from_secs(40);

impl From<NotReady> for Fault {
    fn from(error: NotReady) -> Self {
        match error {
            NotReady::Reading => Self::NotYet(error.to_string()),
            NotReady::Damaged(_) => Self::Conflict(error.to_string()),
        }
    }
}

impl From<NotAssessed> for Fault {
    fn from(error: NotAssessed) -> Self {
        match error {
            NotAssessed::NotYet | NotAssessed::Busy => Self::NotYet(error.to_string()),
            NotAssessed::Failed => Self::Internal(error.to_string()),
        }
    }
}

impl From<&ImportError> for Fault {
    fn from(error: &ImportError) -> Self {
        match error {
            ImportError::Busy | ImportError::Stopped => Self::Conflict(error.to_string()),
            ImportError::NotReady(why) => why.clone().into(),
            ImportError::Nothing | ImportError::Future(_) => Self::Unacceptable(error.to_string()),
            ImportError::Fault(fault) => Self::Unreadable {
                file: fault.file.clone(),
                place: fault.place.as_ref().map(ToString::to_string),
                reason: fault.cause.to_string(),
            },
            ImportError::Kept(error) => Self::Internal(format!("the estate cannot be written: {error}")),
            ImportError::NotRecorded => Self::Unavailable,
        }
    }
}

impl From<ImportError> for Fault {
    fn from(error: ImportError) -> Self {
        Self::from(&error)
    }
}

impl From<DecideError> for Fault {
    fn from(error: DecideError) -> Self {
        match error {
            DecideError::NotReady(why) => why.into(),
            DecideError::Refused(_) | DecideError::Unknown(_) => Self::Unacceptable(error.to_string()),
            DecideError::Kept(error) => Self::Internal(format!("the estate cannot be written: {error}")),
            DecideError::NotRecorded => Self::Unavailable,
        }
    }
}

/// What there is, and what is going on.
#[utoipa::path(get, path = "/api/v1/estate", tag = "estate", responses((status = 200, body = EstateStatus),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn status(State(site): State<Site>, _: Caller) -> axum::Json<EstateStatus> {
    axum::Json(EstateStatus::from(site.estate().status()))
}

/// Imports files: a form with any number of them (`multipart/form-data`), or one file as the body. All of it or nothing: a fault
/// names file, place and reason, and the estate stays as it was. What takes long goes on after a 202; the estate's status tells.
#[utoipa::path(post, path = "/api/v1/estate/imports", tag = "estate", params(ImportQuery),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, body = EstateImport), (status = 202, body = EstateStatus),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn import(
    State(site): State<Site>,
    caller: Caller,
    Query(query): Query<ImportQuery>,
    request: Request,
) -> Result<Response, Fault> {
    // Before the first byte of the body: there is one import at a time, its upload included.
    let turn = site.estate().turn()?;
    let received = upload::receive(&turn, request, query.name.as_deref()).await?;
    let uploads = received.uploads.into_iter().filter(|upload| !query.own || !upload.bytes.is_empty()).collect();
    let wanted = Wanted { uploads, own: query.own, at: query.at, dry_run: query.dry_run };
    let mut pending = turn.import(wanted, caller.actor());
    match tokio::time::timeout(PATIENCE, pending.ended()).await {
        Ok(ended) => Ok(axum::Json(EstateImport::from(&*over(ended)?)).into_response()),
        Err(_) => {
            let status = axum::Json(EstateStatus::from(site.estate().status()));
            Ok((StatusCode::ACCEPTED, status).into_response())
        }
    }
}

/// What an import did.
pub(crate) fn over(ended: Ended) -> Result<std::sync::Arc<countersign_govern::Imported>, Fault> {
    ended.map_err(|error| Fault::from(&*error))
}

/// Stops the import under way, which leaves nothing behind.
#[utoipa::path(delete, path = "/api/v1/estate/imports/under-way", tag = "estate", responses((status = 204),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn stop_import(State(site): State<Site>, _: Caller) -> Result<StatusCode, Fault> {
    if site.estate().stop_import() { Ok(StatusCode::NO_CONTENT) } else { Err(Fault::Absent) }
}

/// What was imported, the newest first.
#[utoipa::path(get, path = "/api/v1/estate/imports", tag = "estate", params(PageQuery),
    responses((status = 200, body = Page<EstateImport>), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn imports(
    State(site): State<Site>,
    _: Caller,
    Query(query): Query<PageQuery>,
) -> Result<axum::Json<Page<EstateImport>>, Fault> {
    let limit = super::limit(query.limit)?;
    let before = query.cursor.as_deref().map(crate::asking::parsed::<u64>).transpose()?;
    let found = site.estate().history(before, limit + 1)?;
    Ok(super::cut(found, limit, |import| import.number.to_string(), |import| EstateImport::from(import)))
}

/// One import.
#[utoipa::path(get, path = "/api/v1/estate/imports/{number}", tag = "estate", params(("number" = u64, Path)),
    responses((status = 200, body = EstateImport), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn one_import(
    State(site): State<Site>,
    _: Caller,
    Path(number): Path<u64>,
) -> Result<axum::Json<EstateImport>, Fault> {
    let import = site.estate().import_of(number)?.ok_or(Fault::Absent)?;
    Ok(axum::Json(EstateImport::from(&import)))
}

/// Writes into a channel that a response is fed from; whoever reads slowly holds this thread up, and nobody else.
struct Chunks(tokio::sync::mpsc::Sender<std::io::Result<Bytes>>);

impl Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let gone = |_| std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        self.0.blocking_send(Ok(Bytes::copy_from_slice(bytes))).map_err(gone)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The whole inventory in its saved form, as `--estate` of the command line reads it: every name and address that was imported. For
/// owners.
#[utoipa::path(get, path = "/api/v1/estate/inventory", tag = "estate",
    responses((status = 200, body = Vec<u8>, content_type = "application/jsonl"),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn inventory(State(site): State<Site>, caller: Caller) -> Result<Response, Fault> {
    const CHUNK: usize = 64 * 1024;
    let save = site.estate().saved()?;
    site.administrator().record_act(&caller.actor(), "estate.export", "inventory", "").await?;
    let (sender, receiver) = tokio::sync::mpsc::channel(4);
    tokio::task::spawn_blocking(move || {
        let broken = sender.clone();
        let mut out = BufWriter::with_capacity(CHUNK, Chunks(sender));
        if let Err(error) = save(&mut out).and_then(|()| out.flush()) {
            // Whoever reads must not take half of it for the whole.
            let _gone = broken.blocking_send(Err(error));
        }
    });
    let chunks = stream::unfold(receiver, |mut receiver| async move {
        let chunk = receiver.recv().await?;
        Some((chunk, receiver))
    });
    let headers = [
        (header::CONTENT_TYPE, "application/jsonl"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"estate.jsonl\""),
    ];
    Ok((headers, Body::from_stream(chunks)).into_response())
}

/// That what the estate rests on was imported by recorded acts: for each import the SHA-256 of its files, and the ledger's inclusion proof
/// of the act, under a checkpoint. An evidence pack carries them.
#[utoipa::path(get, path = "/api/v1/estate/proofs", tag = "estate",
    responses((status = 200, body = Value), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn proofs(State(site): State<Site>, _: Caller) -> Result<axum::Json<Value>, Fault> {
    let proofs = site.estate().proofs().await.map_err(|error| match error {
        ProofsError::NotReady(error) => Fault::from(error),
        other => Fault::Internal(other.to_string()),
    })?;
    Ok(axum::Json(json!({ "proofs": proofs })))
}

pub(crate) fn kind(text: &str) -> Result<Kind, Fault> {
    let kind = serde_json::from_value(Value::String(text.to_owned()));
    kind.map_err(|_| Fault::Malformed(format!("{text:?} is no kind of node")))
}

pub(crate) fn tier(text: &str) -> Result<Tier, Fault> {
    let found = Tier::ALL.into_iter().find(|tier| tier.name() == text);
    found.ok_or_else(|| Fault::Malformed(format!("{text:?} is no tier: crown-jewel, high, standard or public")))
}

/// Nodes, by what they are called or by a query.
#[utoipa::path(get, path = "/api/v1/estate/nodes", tag = "estate", params(NodesQuery),
    responses((status = 200, body = EstateNodes), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn nodes(
    State(site): State<Site>,
    _: Caller,
    Query(query): Query<NodesQuery>,
) -> Result<axum::Json<EstateNodes>, Fault> {
    let limit = super::limit(query.limit)?;
    let as_of = site.estate().assessed().map(|assessed| assessed.as_of);
    let (found, unknown) = match (query.query, as_of) {
        (Some(text), Some(as_of)) => {
            let ask = move |standing: &Standing<'_>| standing.query(&text, as_of, query.cursor.as_deref(), limit);
            let answer = site.estate().ask(ask).await?.map_err(|error| Fault::Malformed(error.to_string()))?;
            (answer.matching, Some(answer.unknown as u64))
        }
        _ => {
            let wish = Wish {
                search: query.search.unwrap_or_default(),
                kind: query.kind.as_deref().map(kind).transpose()?,
                source: query.source,
                found: query.found,
                unclassified: query.unclassified,
                sort: match query.sort.as_deref() {
                    None | Some("name") => Sort::Name,
                    Some("findings") => Sort::Findings,
                    Some(other) => return Err(Fault::Malformed(format!("{other:?} is neither name nor findings"))),
                },
                after: query.cursor,
                limit,
            };
            (site.estate().ask(move |standing| standing.nodes(&wish)).await?, None)
        }
    };
    let Nodes { total, rows, more } = found;
    Ok(axum::Json(EstateNodes {
        total: total as u64,
        unknown,
        next: rows.last().filter(|_| more).map(|last| last.key.clone()),
        items: rows.iter().map(EstateNode::from).collect(),
        assessed: as_of,
    }))
}

/// The key of what somebody named by a key or a name.
fn named(standing: &Standing<'_>, text: &str) -> Result<String, Fault> {
    let id = standing.find(text).map_err(|error| Fault::Unknown(error.to_string()))?;
    standing.named.node(id).map(|node| node.key).ok_or(Fault::Absent)
}

pub(crate) fn edges(lines: &Lines, skipped: usize) -> EstateEdges {
    let until = skipped + lines.lines.len();
    EstateEdges {
        total: lines.total as u64,
        items: lines.lines.iter().map(EstateEdge::from).collect(),
        next: (until < lines.total).then(|| until.to_string()),
    }
}

/// What the health check found about a node: the indicator and its evidence.
pub(crate) fn findings<'a>(
    assessed: &'a Assessed,
    page: &'a NodePage,
) -> impl Iterator<Item = (&'a countersign_assess::Checked, &'a countersign_assess::Finding)> {
    page.found.iter().filter_map(|place| {
        let checked = assessed.health.indicators.get(*place)?;
        // Findings are in the order of the keys.
        let at = checked.findings.binary_search_by(|finding| finding.key.as_str().cmp(&page.row.key)).ok()?;
        Some((checked, checked.findings.get(at)?))
    })
}

/// Everything about one node: what each source says, other accounts of the same identity, what it has power over and what has power
/// over it, findings, blast radius and a shortest way to tier zero.
#[utoipa::path(get, path = "/api/v1/estate/node", tag = "estate", params(NodeQuery),
    responses((status = 200, body = EstateNodePage), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn node(
    State(site): State<Site>,
    _: Caller,
    Query(query): Query<NodeQuery>,
) -> Result<axum::Json<EstateNodePage>, Fault> {
    let assessed = site.estate().assessed().ok_or(NotAssessed::NotYet)?;
    let found = site.estate().ask(move |standing| {
        let key = named(standing, &query.key)?;
        let radius = standing.named.find(&key).ok().and_then(|id| standing.named.radius(&standing.routes, id));
        Ok::<_, Fault>((standing.page(&key).ok_or(Fault::Absent)?, radius))
    });
    let (page, radius) = found.await??;
    let found = findings(&assessed, &page);
    let findings = found.map(|(checked, finding)| {
        json!({ "indicator": checked.id, "title": checked.title, "severity": checked.severity,
            "meaning": checked.meaning, "remedy": checked.remedy, "evidence": finding.evidence })
    });
    Ok(axum::Json(EstateNodePage {
        findings: findings.collect(),
        node: EstateNode::from(&page.row),
        facts: page
            .facts
            .iter()
            .map(|facts| EstateFacts {
                evidence: EstateEvidence::from(&facts.at),
                kind: word(facts.kind),
                name: facts.name.clone(),
                attributes: facts
                    .says
                    .iter()
                    .map(|(name, value)| EstateAttribute { name: name.clone(), value: value.clone() })
                    .collect(),
            })
            .collect(),
        linked: page
            .linked
            .iter()
            .map(|linked| LinkedIdentity {
                node: EstateNode::from(&linked.node),
                basis: basis(linked.basis).to_owned(),
            })
            .collect(),
        outgoing: edges(&page.outgoing, 0),
        incoming: edges(&page.incoming, 0),
        owner: page.owner.clone(),
        segment: page.segment.clone(),
        classified_by: page.classified.as_ref().map(|(by, _)| by.clone()),
        classified_at: page.classified.as_ref().map(|(_, at)| *at),
        suggestions: page.suggestions.iter().map(ClassificationSuggestion::from).collect(),
        radius: radius.and_then(|radius| serde_json::to_value(radius).ok()),
        assessed: Some(assessed.as_of),
    }))
}

/// Edges of a node, a page at a time.
#[utoipa::path(get, path = "/api/v1/estate/node/edges", tag = "estate", params(EdgesQuery),
    responses((status = 200, body = EstateEdges), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn node_edges(
    State(site): State<Site>,
    _: Caller,
    Query(query): Query<EdgesQuery>,
) -> Result<axum::Json<EstateEdges>, Fault> {
    let limit = super::limit(query.limit)?;
    let outgoing = match query.direction.as_str() {
        "outgoing" => true,
        "incoming" => false,
        other => return Err(Fault::Malformed(format!("{other:?} is neither outgoing nor incoming"))),
    };
    let skip = query.cursor.as_deref().map(crate::asking::parsed::<usize>).transpose()?.unwrap_or(0);
    let lines = site.estate().ask(move |standing| {
        let key = named(standing, &query.key)?;
        standing.edges(&key, outgoing, skip, limit).ok_or(Fault::Absent)
    });
    Ok(axum::Json(edges(&lines.await??, skip)))
}

/// Why two identities are one, in words.
pub(crate) const fn basis(basis: Basis) -> &'static str {
    match basis {
        Basis::Named => "one source names the other",
        Basis::Identifier => "the same identifier, kept by a synchronisation",
        Basis::PrincipalName => "the same principal name",
        Basis::VerifiedEmail => "the same address, verified by both",
        Basis::EmployeeNumber => "the same number of an employee, in the list of people and in a directory",
        Basis::Confirmed => "confirmed by a person",
    }
}

/// Why two identities may be one, in words.
pub(crate) const fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::Ambiguous(_) => "an exact key, which several have",
        Reason::Email => "the same address",
        Reason::AccountName => "the same account name",
        Reason::DisplayName => "the same display name",
        Reason::Department => "the same department",
        Reason::Title => "the same title",
    }
}

/// Pairs of identities that may be one, the likeliest first; or that are.
#[utoipa::path(get, path = "/api/v1/estate/links", tag = "estate", params(LinksQuery),
    responses((status = 200, body = IdentityPairs), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn links(
    State(site): State<Site>,
    _: Caller,
    Query(query): Query<LinksQuery>,
) -> Result<axum::Json<IdentityPairs>, Fault> {
    let limit = super::limit(query.limit)?;
    let proposed = match query.state.as_deref() {
        None | Some("proposed") => true,
        Some("linked") => false,
        Some(other) => return Err(Fault::Malformed(format!("{other:?} is neither proposed nor linked"))),
    };
    let skip = query.cursor.as_deref().map(crate::asking::parsed::<usize>).transpose()?.unwrap_or(0);
    Ok(axum::Json(pairs(&site, proposed, skip, limit).await?))
}

pub(crate) async fn pairs(site: &Site, proposed: bool, skip: usize, limit: usize) -> Result<IdentityPairs, Fault> {
    let assessed = site.estate().assessed().ok_or(NotAssessed::NotYet)?;
    let all = if proposed { assessed.proposals.len() } else { assessed.links.len() };
    let found: Vec<_> = if proposed {
        let pairs = assessed.proposals.iter().skip(skip).take(limit);
        let reasons = |reasons: &[Reason]| reasons.iter().map(|one| reason(*one).to_owned()).collect::<Vec<_>>();
        pairs.map(|one| (one.one.clone(), one.other.clone(), Some(one.score), reasons(&one.reasons))).collect()
    } else {
        let pairs = assessed.links.iter().skip(skip).take(limit);
        pairs.map(|one| (one.one.clone(), one.other.clone(), None, vec![basis(one.basis).to_owned()])).collect()
    };
    let until = skip + found.len();
    let items = site.estate().ask(move |standing| {
        let pairs = found.into_iter().filter_map(|(one, other, score, reasons)| {
            let node = |key: &str| standing.row(key).as_ref().map(EstateNode::from);
            Some(IdentityPair { one: node(&one)?, other: node(&other)?, score, reasons })
        });
        pairs.collect()
    });
    Ok(IdentityPairs { total: all as u64, items: items.await?, next: (until < all).then(|| until.to_string()) })
}

/// Confirms that two identities are one, or says that they are not.
#[utoipa::path(post, path = "/api/v1/estate/links", tag = "estate", request_body = LinkDecisions, responses((status = 204),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn decide_links(
    State(site): State<Site>,
    caller: Caller,
    Json(body): Json<LinkDecisions>,
) -> Result<StatusCode, Fault> {
    let word = |LinkDecision { one, other, same }| Word::Link { one, other, same };
    site.estate().decide(body.decisions.into_iter().map(word).collect(), &caller.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Says what things are: how sensitive, who answers for them, inside which boundary.
#[utoipa::path(post, path = "/api/v1/estate/classifications", tag = "estate", request_body = ClassificationsBody,
    responses((status = 204), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn classify(
    State(site): State<Site>,
    caller: Caller,
    Json(body): Json<ClassificationsBody>,
) -> Result<StatusCode, Fault> {
    let words = body.items.into_iter().map(said).collect::<Result<Vec<_>, _>>()?;
    site.estate().decide(words, &caller.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) fn said(body: ClassificationBody) -> Result<Word, Fault> {
    let ClassificationBody { key, tier: named, owner, segment } = body;
    let named = named.as_deref().filter(|text| !text.is_empty()).map(tier).transpose()?;
    Ok(Word::Classify { key, said: Said { tier: named, owner, segment } })
}
