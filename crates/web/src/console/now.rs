//! What is happening now: the overview, decisions (also as they are made), sessions and leases.

use std::convert::Infallible;
use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use countersign_administrator::{Administrator, LeaseFilter, LeaseView, SessionFilter, SessionView};
use countersign_ledger::InclusionProof;
use countersign_model::{
    Decision, DecisionId, FactRead, Observed, PolicyId, PolicyRole, SessionId, SubjectId, Timestamp,
};
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};

use super::ROWS;
use crate::Site;
use crate::decisions::{self, Heard, Listed};
use crate::error::{Fault, PageFault};
use crate::extract::{PagePath, PageQuery};
use crate::guard::Caller;
use crate::page::{Done, Shell, done, html, query};
use crate::portal::After;
use crate::rows::{DecisionRow, DeviceRow, SessionRow};
use crate::wire::{DecisionQuery, Effect};
use crate::words::{Sign, sign};

#[derive(Template)]
#[template(path = "console/overview.html")]
struct OverviewPage {
    shell: Shell,
    per_minute: u64,
    decided: u64,
    refused: u64,
    /// Whether the whole hour was looked at.
    complete: bool,
    leases: u64,
    sessions: u64,
    entries: u64,
    writable: bool,
    bars: Vec<Bar>,
    /// The decisions of the busiest minute.
    most: u64,
    chart_words: String,
    refusals: Vec<DecisionRow>,
    weak: Vec<Weak>,
}

/// One minute in the chart, in its units: 600 wide, 100 high, upside down.
#[derive(Debug, Clone, Default)]
struct Bar {
    x: usize,
    allowed: u64,
    allowed_y: u64,
    other: u64,
    other_y: u64,
}

/// Something that should not stay as it is.
#[derive(Debug, Clone)]
struct Weak {
    what: String,
    remedy: &'static str,
    link: String,
    sign: Sign,
}

/// More than a page can show; a busy hour is cut short, and says so.
const LOOK_AT: usize = 20_000;
const MINUTES: usize = 60;

pub(super) async fn overview(State(site): State<Site>, caller: Caller) -> Result<Response, PageFault> {
    let shell = Shell::new(&caller, "/console", site.now(), None);
    let now = shell.now;
    let (rows, complete) = site.read(move |administrator| last_hour(administrator.ledger(), now)).await??;
    let mut minutes = vec![(0_u64, 0_u64); MINUTES];
    for row in &rows {
        let ago = usize::try_from(now.since(row.at).as_secs() / 60).unwrap_or(MINUTES);
        if let Some((allowed, other)) = minutes.get_mut(ago) {
            match row.entry.decision {
                Decision::Allow(_) => *allowed += 1,
                Decision::Challenge(_) | Decision::Deny(_) => *other += 1,
            }
        }
    }
    let refused: u64 = minutes.iter().map(|(_, other)| other).sum();
    let most = minutes.iter().map(|(allowed, other)| allowed + other).max().unwrap_or(0);
    let refusals = rows.iter().filter(|row| !matches!(row.entry.decision, Decision::Allow(_))).take(6).cloned();
    let status = site.administrator().status();
    Ok(html(&OverviewPage {
        per_minute: minutes.first().map_or(0, |(allowed, other)| allowed + other),
        decided: minutes.iter().map(|(allowed, other)| allowed + other).sum(),
        refused,
        complete,
        leases: status.leases as u64,
        sessions: site.administrator().sessions(&SessionFilter::default()).len() as u64,
        entries: status.ledger.size,
        writable: status.ledger.broken.is_none(),
        bars: bars(&minutes, most),
        most,
        chart_words: format!("The busiest minute had {most} decisions; {refused} in the hour were not allowed."),
        refusals: refusals.collect(),
        weak: site.read(move |administrator| weak(administrator, now)).await?,
        shell,
    }))
}

/// Newest first, and whether that is all of them.
fn last_hour(
    ledger: &countersign_ledger::Ledger,
    now: Timestamp,
) -> Result<(Vec<DecisionRow>, bool), countersign_ledger::ReadError> {
    let from = now.minus(Duration::from_secs(MINUTES as u64 * 60));
    let mut rows = Vec::new();
    for (looked_at, found) in decisions::at_hand(ledger, ledger.size()).enumerate() {
        let Ok((index, entry)) = found? else { return Ok((rows, false)) };
        if entry.at <= from {
            break;
        }
        if looked_at >= LOOK_AT {
            return Ok((rows, false));
        }
        rows.extend(decisions::row(index, entry));
    }
    Ok((rows, true))
}

fn bars(minutes: &[(u64, u64)], most: u64) -> Vec<Bar> {
    let scale = |count: u64| if most == 0 { 0 } else { (count * 100).div_ceil(most) };
    let bar = |(ago, &(allowed, other)): (usize, &(u64, u64))| {
        let (allowed, other) = (scale(allowed), scale(other).min(100));
        let allowed = allowed.min(100 - other);
        let x = MINUTES.saturating_sub(ago + 1) * 10 + 1;
        Bar { x, allowed, allowed_y: 100 - allowed, other, other_y: 100 - allowed - other }
    };
    minutes.iter().enumerate().map(bar).collect()
}

fn weak(administrator: &Administrator, now: Timestamp) -> Vec<Weak> {
    let settings = administrator.settings();
    let mut found = Vec::new();
    let mut add = |many: usize, one: &str, more: &str, remedy, link: &str, sign| {
        if many > 0 {
            let what = if many == 1 { format!("1 {one}") } else { format!("{many} {more}") };
            found.push(Weak { what, remedy, link: link.to_owned(), sign });
        }
    };
    let page = countersign_administrator::Page { after: None, limit: 10_000 };
    let devices: Vec<DeviceRow> = administrator
        .devices(&page, None)
        .into_iter()
        .map(|device| DeviceRow::new(device, &settings.posture, now))
        .filter(|row| !row.revoked())
        .collect();
    let failing = devices.iter().filter(|row| !row.compliant()).count();
    add(
        failing,
        "device is not compliant",
        "devices are not compliant",
        "Its owner sees what is missing under My devices.",
        "/console/devices",
        sign("bad", "posture"),
    );
    let unmanaged = devices.iter().filter(|row| !row.device.managed).count();
    add(
        unmanaged,
        "device is in quarantine",
        "devices are in quarantine",
        "Take it into management, or revoke it.",
        "/console/devices",
        sign("warn", "management"),
    );
    let owners = administrator.owners().len();
    add(
        usize::from(owners == 1),
        "person alone administers Countersign",
        "",
        "Put a second person into the group owners.",
        "/console/subjects",
        sign("warn", "lock-out"),
    );
    let policies = administrator.policies();
    let overdue = policies.policies().iter().filter(|policy| policy.review_by <= now).count();
    add(
        overdue,
        "policy is past its review date",
        "policies are past their review date",
        "Review it, and set a new date.",
        "/console/policies",
        sign("warn", "review"),
    );
    let ending = now.plus(Duration::from_secs(14 * 24 * 3600));
    let keys = administrator.keys(None).iter().filter(|key| key.expires < ending).count();
    add(
        keys,
        "key ends within 14 days",
        "keys end within 14 days",
        "Make its successor in time.",
        "/console/keys",
        sign("warn", "expiry"),
    );
    let observed = administrator.resources().iter().filter(|one| one.observed_until(now).is_some()).count();
    add(
        observed,
        "resource is in observe mode",
        "resources are in observe mode",
        "Whoever asks is let through. Enforce it when its policies are as they should be.",
        "/console/coverage",
        sign("bad", "not enforced"),
    );
    add(
        policies.observed().count(),
        "policy is in observe mode",
        "policies are in observe mode",
        "They enforce nothing. Look at what they would change, and take @mode away.",
        "/console/decisions?effect=observed",
        sign("warn", "not enforced"),
    );
    let ownerless = administrator
        .resources()
        .into_iter()
        .filter(|one| one.owner.is_none() && matches!(one.kind, countersign_model::ResourceKind::Http));
    add(
        ownerless.count(),
        "resource has no owner",
        "resources have no owner",
        "Name somebody who answers for it.",
        "/console/resources",
        sign("warn", "owner"),
    );
    found
}

/// In place of an effect: whatever it was, observe mode made a difference.
const OBSERVED: &str = "observed";

/// Filters as a form sends them: empty means any.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Filters {
    effect: String,
    subject: String,
    resource: String,
    cursor: Option<String>,
}

impl Filters {
    fn filtered(&self) -> bool {
        !(self.effect.is_empty() && self.subject.is_empty() && self.resource.is_empty())
    }

    /// `None` where a filter names something that cannot exist: nothing fits it.
    fn query(&self) -> Option<DecisionQuery> {
        fn given<T: std::str::FromStr>(text: &str) -> Option<Option<T>> {
            if text.is_empty() { Some(None) } else { text.trim().parse().ok().map(Some) }
        }
        let effect = match self.effect.as_str() {
            "" | OBSERVED => None,
            "allow" => Some(Effect::Allow),
            "challenge" => Some(Effect::Challenge),
            "deny" => Some(Effect::Deny),
            _ => return None,
        };
        Some(DecisionQuery {
            cursor: self.cursor.clone(),
            limit: None,
            effect,
            subject: given(&self.subject)?,
            resource: given(&self.resource)?,
            device: None,
            observed: (self.effect == OBSERVED).then_some(true),
        })
    }

    fn url(&self, path: &str, cursor: Option<String>) -> String {
        format!("{path}{}", query(&Self { cursor, ..self.clone() }))
    }
}

#[derive(Template)]
#[template(path = "console/decisions.html")]
struct DecisionsPage {
    shell: Shell,
    rows: Vec<DecisionRow>,
    effect: String,
    subject: String,
    resource: String,
    filtered: bool,
    /// Where new rows come from, on the first page.
    live: Option<String>,
    first: Option<String>,
    next: Option<String>,
    archived: Option<u64>,
}

pub(super) async fn decisions(
    State(site): State<Site>,
    caller: Caller,
    PageQuery(filters): PageQuery<Filters>,
) -> Result<Response, PageFault> {
    const PATH: &str = "/console/decisions";
    let Listed { rows, next, archived } = match filters.query() {
        None => Listed::default(),
        Some(query) => site.read(move |it| decisions::page(it.ledger(), &query, ROWS)).await??,
    };
    let live = filters.cursor.is_none().then(|| filters.url("/console/decisions/stream", None));
    Ok(html(&DecisionsPage {
        shell: Shell::new(&caller, PATH, site.now(), None),
        rows,
        filtered: filters.filtered(),
        live,
        first: filters.cursor.is_some().then(|| filters.url(PATH, None)),
        next: next.map(|next| filters.url(PATH, Some(next.to_string()))),
        archived,
        effect: filters.effect,
        subject: filters.subject,
        resource: filters.resource,
    }))
}

#[derive(Template)]
#[template(path = "console/decision_row.html")]
struct RowFragment {
    shell: Shell,
    row: DecisionRow,
}

/// Rows as decisions are made, rendered by the page's own template. It ends when the lease of this request is cut.
pub(super) async fn stream(
    State(site): State<Site>,
    caller: Caller,
    PageQuery(filters): PageQuery<Filters>,
) -> Result<Response, PageFault> {
    let query = filters.query().ok_or(Fault::Absent)?;
    let heard = decisions::listen(site.administrator().stream());
    let events = heard.filter_map(move |heard: Heard| {
        let event = heard.decision().filter(|row| decisions::covers(&query, row)).and_then(|row| {
            let shell = Shell::new(&caller, "/console/decisions", row.at, None);
            let text = RowFragment { shell, row }.render().ok()?;
            Some(Ok::<_, Infallible>(Event::default().event("row").data(text.trim())))
        });
        std::future::ready(event)
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()).into_response())
}

#[derive(Template)]
#[template(path = "console/decision.html")]
struct DecisionPage {
    shell: Shell,
    row: DecisionRow,
    remedies: Vec<String>,
    policies: Vec<Determining>,
    /// What would have been decided without observe mode.
    observed: Option<Without>,
    /// Whether the set that decided is the one in force now.
    same_set: bool,
    proof: Option<Proof>,
}

/// The decision that was not enforced.
struct Without {
    sign: Sign,
    because: &'static str,
    remedies: Vec<String>,
    policies: Vec<Determining>,
    facts: Vec<FactRead>,
}

struct Determining {
    id: PolicyId,
    role: &'static str,
    text: Option<String>,
}

struct Proof {
    path: Vec<String>,
    checkpoint: String,
}

impl From<InclusionProof> for Proof {
    fn from(proof: InclusionProof) -> Self {
        Self { path: proof.path, checkpoint: proof.checkpoint }
    }
}

pub(crate) const fn role(role: PolicyRole) -> &'static str {
    match role {
        PolicyRole::Permit => "permit",
        PolicyRole::Forbid => "forbid",
    }
}

pub(super) async fn decision(
    State(site): State<Site>,
    caller: Caller,
    PagePath(id): PagePath<DecisionId>,
) -> Result<Response, PageFault> {
    let found = site
        .read(move |administrator| -> Result<_, countersign_ledger::ReadError> {
            let row = decisions::find(administrator.ledger(), id)?;
            // Not under a checkpoint yet: no proof yet.
            let proof = row.as_ref().and_then(|row| administrator.ledger().prove_inclusion(row.index).ok());
            Ok(row.map(|row| (row, proof)))
        })
        .await??;
    let (row, proof) = found.ok_or(Fault::Absent)?;
    let set = site.administrator().policies();
    let text = |id: &PolicyId| set.policies().iter().find(|policy| policy.id == *id).map(|policy| policy.text.clone());
    let determining = |decision: &Decision| -> Vec<Determining> {
        let all = decision.reasons().determining.iter();
        all.map(|one| Determining { id: one.id.clone(), role: role(one.role), text: text(&one.id) }).collect()
    };
    let without = |observed: &Observed| Without {
        sign: crate::words::observed(observed),
        because: crate::words::because(observed),
        remedies: crate::rows::remedies(&observed.decision),
        policies: determining(&observed.decision),
        facts: observed.decision.reasons().facts.clone(),
    };
    Ok(html(&DecisionPage {
        shell: Shell::new(&caller, "/console/decisions", site.now(), None),
        remedies: row.remedies(),
        policies: determining(&row.entry.decision),
        observed: row.entry.observed.as_deref().map(without),
        same_set: set.hash() == row.entry.policy_set,
        proof: proof.map(Proof::from),
        row,
    }))
}

/// The proof as a file, for `countersign ledger verify`.
pub(super) async fn proof(
    State(site): State<Site>,
    _: Caller,
    PagePath(id): PagePath<DecisionId>,
) -> Result<Response, PageFault> {
    let found = site
        .read(move |administrator| -> Result<_, countersign_ledger::ReadError> {
            let row = decisions::find(administrator.ledger(), id)?;
            Ok(row.and_then(|row| administrator.ledger().prove_inclusion(row.index).ok()))
        })
        .await??;
    let json = found.ok_or(Fault::Absent)?.to_json();
    Ok(([(http::header::CONTENT_TYPE, "application/json")], json).into_response())
}

#[derive(Template)]
#[template(path = "console/sessions.html")]
struct SessionsPage {
    shell: Shell,
    rows: Vec<SessionRow>,
    subject: String,
    first: Option<String>,
    next: Option<String>,
}

fn session_row(site: &Site, caller: &Caller, view: SessionView) -> SessionRow {
    let leases = site.administrator().leases_of(view.id);
    SessionRow { own: caller.principal.session == Some(view.id), leases, view }
}

/// What [`After`] and the filters have together.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SessionFilters {
    subject: String,
    cursor: Option<SessionId>,
    done: Option<String>,
}

pub(super) async fn sessions(
    State(site): State<Site>,
    caller: Caller,
    PageQuery(filters): PageQuery<SessionFilters>,
) -> Response {
    const PATH: &str = "/console/sessions";
    let subject = filters.subject.trim().parse::<SubjectId>().ok();
    // Text that names nobody fits nobody.
    let nobody = subject.is_none() && !filters.subject.trim().is_empty();
    let mut found = site.administrator().sessions(&SessionFilter { subject, device: None });
    found.retain(|view| !nobody && filters.cursor.is_none_or(|cursor| view.id < cursor));
    let more = found.len() > ROWS;
    found.truncate(ROWS);
    #[derive(Serialize)]
    struct Link<'a> {
        subject: &'a str,
        cursor: Option<SessionId>,
    }
    let link = |cursor| format!("{PATH}{}", query(&Link { subject: &filters.subject, cursor }));
    html(&SessionsPage {
        shell: Shell::new(&caller, PATH, site.now(), filters.done.as_deref()),
        first: filters.cursor.is_some().then(|| link(None)),
        next: found.last().filter(|_| more).map(|last| link(Some(last.id))),
        rows: found.into_iter().map(|view| session_row(&site, &caller, view)).collect(),
        subject: filters.subject,
    })
}

#[derive(Template)]
#[template(path = "console/session.html")]
struct SessionPage {
    shell: Shell,
    one: SessionRow,
    leases: Vec<LeaseView>,
    first: Option<String>,
    next: Option<String>,
}

pub(super) async fn session(
    State(site): State<Site>,
    caller: Caller,
    PagePath(id): PagePath<SessionId>,
    PageQuery(after): PageQuery<After>,
) -> Result<Response, PageFault> {
    let view = site.administrator().session(id).ok_or(Fault::Absent)?;
    Ok(html(&SessionPage {
        shell: Shell::new(&caller, "/console/sessions", site.now(), after.done.as_deref()),
        leases: site.administrator().leases(&LeaseFilter { session: Some(id), ..LeaseFilter::default() }),
        one: session_row(&site, &caller, view),
        first: None,
        next: None,
    }))
}

pub(super) async fn kill(
    State(site): State<Site>,
    caller: Caller,
    PagePath(id): PagePath<SessionId>,
) -> Result<Response, PageFault> {
    site.administrator().kill_session(id, &caller.actor()).await?;
    Ok(crate::sign_in::unless_left(&site, &caller, done("/console/sessions", Done::SessionEnded)))
}

#[derive(Template)]
#[template(path = "console/leases.html")]
struct LeasesPage {
    shell: Shell,
    leases: Vec<LeaseView>,
    subject: String,
    resource: String,
    filtered: bool,
    first: Option<String>,
    next: Option<String>,
}

pub(super) async fn leases(
    State(site): State<Site>,
    caller: Caller,
    PageQuery(filters): PageQuery<Filters>,
) -> Response {
    const PATH: &str = "/console/leases";
    let cursor = filters.cursor.as_ref().and_then(|cursor| cursor.parse::<countersign_model::LeaseId>().ok());
    let mut leases = match filters.query() {
        None => Vec::new(),
        Some(query) => {
            let filter = LeaseFilter { subject: query.subject, resource: query.resource, ..LeaseFilter::default() };
            site.administrator().leases(&filter)
        }
    };
    leases.retain(|lease| cursor.is_none_or(|cursor| lease.id < cursor));
    let more = leases.len() > ROWS;
    leases.truncate(ROWS);
    html(&LeasesPage {
        shell: Shell::new(&caller, PATH, site.now(), None),
        first: filters.cursor.is_some().then(|| filters.url(PATH, None)),
        next: leases.last().filter(|_| more).map(|last| filters.url(PATH, Some(last.id.to_string()))),
        leases,
        filtered: filters.filtered(),
        subject: filters.subject,
        resource: filters.resource,
    })
}
