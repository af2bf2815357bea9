//! Control: policies as loaded, keys, invitations, the ledger.

use std::collections::BTreeSet;
use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use countersign_administrator::{Guardrail, InvitationView, KeyScope, Mode, NewKey, PolicySet, Proposal};
use countersign_ledger::{Entry, EntryBody};
use countersign_model::{
    ActionClass, GroupId, KeyId, PolicyId, ProofResult, Proofs, ResourceId, Shown, Source, Subject, SubjectId,
    SubjectKind, SubjectState, Timestamp,
};
use serde::Deserialize;

use super::ROWS;
use super::estate::{OncePage, typed};
use crate::Site;
use crate::error::{Fault, PageFault};
use crate::extract::{Form, PagePath, PageQuery};
use crate::guard::{Caller, origin};
use crate::page::{Done, Shell, done, html};
use crate::portal::After;
use crate::rows::KeyRow;
use crate::words::{Sign, sign};

#[derive(Template)]
#[template(path = "console/policies.html")]
struct PoliciesPage {
    shell: Shell,
    hash: String,
    warnings: Vec<String>,
    rows: Vec<PolicyRow>,
    /// What waits for a second person.
    proposals: Vec<Proposal>,
    guardrails: Vec<GuardrailRow>,
    /// By which solver, and when, or that nobody tried.
    tried: String,
}

/// One guardrail, and what became of it here.
#[derive(Debug, Clone)]
struct GuardrailRow {
    id: PolicyId,
    claim: &'static str,
    description: String,
    owner: String,
    /// As it is written; nothing of what is built in.
    text: String,
    result: Sign,
}

/// What was not proven here is shown as that: a result comes from this server's own record or not at all.
fn guardrail_rows(set: &PolicySet) -> Vec<GuardrailRow> {
    let row = |guardrail: &Guardrail| GuardrailRow {
        id: guardrail.id.clone(),
        claim: guardrail.claim.name(),
        description: guardrail.description.clone(),
        owner: guardrail.owner.clone(),
        text: guardrail.text.clone(),
        result: match set.proven().map_or(ProofResult::NotRun, |proofs| proofs.result(&guardrail.id)) {
            ProofResult::Proven => sign("good", "proven"),
            ProofResult::Failed => sign("bad", "failed"),
            ProofResult::Unknown => sign("warn", "unknown"),
            ProofResult::NotRun => sign("plain", "not proven here"),
        },
    };
    set.guardrails().iter().map(row).collect()
}

fn tried(set: &PolicySet) -> String {
    match set.proven() {
        None => "not tried on this server".to_owned(),
        Some(Proofs { solver: None, at, .. }) => format!("no solver on this server, {at}"),
        Some(Proofs { solver: Some(solver), at, .. }) => format!("by {solver}, {at}"),
    }
}

/// One policy as loaded.
#[derive(Debug, Clone)]
struct PolicyRow {
    id: PolicyId,
    role: &'static str,
    mode: Mode,
    owner: String,
    review_by: String,
    overdue: bool,
    remedy: Option<String>,
    hash: String,
    path: String,
    text: String,
}

fn policy_rows(site: &Site) -> Vec<PolicyRow> {
    let now = site.now();
    let set = site.administrator().policies();
    let row = |policy: &countersign_administrator::PolicyInfo| PolicyRow {
        id: policy.id.clone(),
        role: super::now::role(policy.role),
        mode: policy.mode,
        owner: policy.owner.clone(),
        review_by: policy.review_by.to_string().chars().take(10).collect(),
        overdue: policy.review_by <= now,
        remedy: policy.remedy.clone(),
        hash: policy.hash.clone(),
        path: format!("{}:{}", policy.file.display(), policy.line),
        text: policy.text.clone(),
    };
    set.policies().iter().map(row).collect()
}

pub(super) async fn policies(
    State(site): State<Site>,
    caller: Caller,
    PageQuery(after): PageQuery<After>,
) -> Result<Response, PageFault> {
    let set = site.administrator().policies();
    Ok(html(&PoliciesPage {
        shell: Shell::new(&caller, "/console/policies", site.now(), after.done.as_deref()),
        hash: set.hash().to_owned(),
        warnings: set.warnings().iter().map(ToString::to_string).collect(),
        rows: policy_rows(&site),
        guardrails: guardrail_rows(&set),
        tried: tried(&set),
        proposals: site.administrator().proposals().await?,
    }))
}

#[derive(Template)]
#[template(path = "console/policy.html")]
struct PolicyPage {
    shell: Shell,
    one: PolicyRow,
}

pub(super) async fn policy(
    State(site): State<Site>,
    caller: Caller,
    PagePath(id): PagePath<PolicyId>,
) -> Result<Response, PageFault> {
    let one = policy_rows(&site).into_iter().find(|row| row.id == id).ok_or(Fault::Absent)?;
    Ok(html(&PolicyPage { shell: Shell::new(&caller, "/console/policies", site.now(), None), one }))
}

#[derive(Template)]
#[template(path = "console/keys.html")]
struct KeysPage {
    shell: Shell,
    rows: Vec<KeyRow>,
    /// The caller, where that is a person.
    me: String,
}

pub(super) async fn keys(State(site): State<Site>, caller: Caller, PageQuery(after): PageQuery<After>) -> Response {
    let rows = site.administrator().keys(None).into_iter().map(|view| KeyRow::new(view, "/console/keys")).collect();
    let me = if crate::sign_in::person(&caller) { caller.principal.subject.to_string() } else { String::new() };
    html(&KeysPage { shell: Shell::new(&caller, "/console/keys", site.now(), after.done.as_deref()), rows, me })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyForm {
    subject: String,
    owner: String,
    #[serde(default)]
    resources: String,
    days: u16,
    #[serde(default)]
    read: bool,
    #[serde(default)]
    write: bool,
    #[serde(default)]
    connect: bool,
    #[serde(default)]
    administer: bool,
}

fn list<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<Vec<T>, Fault> {
    text.split(',').map(str::trim).filter(|one| !one.is_empty()).map(typed).collect()
}

pub(super) async fn make_key(
    State(site): State<Site>,
    caller: Caller,
    Form(form): Form<KeyForm>,
) -> Result<Response, PageFault> {
    let resources: BTreeSet<ResourceId> = list(&form.resources)?.into_iter().collect();
    let chosen = [
        (form.read, ActionClass::Read),
        (form.write, ActionClass::Write),
        (form.connect, ActionClass::Connect),
        (form.administer, ActionClass::Administer),
    ];
    let new = NewKey {
        subject: typed(&form.subject)?,
        owner: typed(&form.owner)?,
        scope: KeyScope {
            resources: (!resources.is_empty()).then_some(resources),
            classes: chosen.into_iter().filter(|(wanted, _)| *wanted).map(|(_, class)| class).collect(),
        },
        expires: Some(site.now().plus(Duration::from_secs(u64::from(form.days) * 24 * 3600))),
    };
    let made = site.administrator().create_key(new, &caller.actor()).await?;
    Ok(html(&OncePage {
        shell: Shell::new(&caller, "/console/keys", site.now(), None),
        title: "A new key",
        explanation: "Give it to the service or agent over a safe way. It goes into the header Authorization: Bearer …",
        secret: made.secret.expose().to_owned(),
        expires: made.expires,
    }))
}

pub(super) async fn revoke_key(
    State(site): State<Site>,
    caller: Caller,
    PagePath(id): PagePath<KeyId>,
) -> Result<Response, PageFault> {
    site.administrator().revoke_key(&id, &caller.actor()).await?;
    Ok(done("/console/keys", Done::KeyRevoked))
}

#[derive(Template)]
#[template(path = "console/invitations.html")]
struct InvitationsPage {
    shell: Shell,
    rows: Vec<InvitationView>,
}

pub(super) async fn invitations(
    State(site): State<Site>,
    caller: Caller,
    PageQuery(after): PageQuery<After>,
) -> Result<Response, PageFault> {
    Ok(html(&InvitationsPage {
        shell: Shell::new(&caller, "/console/invitations", site.now(), after.done.as_deref()),
        rows: site.administrator().invitations().await?,
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InvitationForm {
    name: String,
    #[serde(default)]
    display_name: String,
    #[serde(default)]
    email: String,
    #[serde(default)]
    groups: String,
}

/// Puts a person into the inventory who is not there yet, and leaves one who is as they are.
pub(crate) async fn make_known(
    site: &Site,
    caller: &Caller,
    id: &SubjectId,
    display_name: Option<String>,
    email: Option<String>,
    groups: Vec<GroupId>,
) -> Result<(), Fault> {
    if id.kind() != SubjectKind::Human {
        return Err(Fault::Unacceptable("only a person can be invited; a service gets a key".to_owned()));
    }
    if site.administrator().subject(id).is_some() {
        return Ok(());
    }
    let subject = Subject {
        id: id.clone(),
        display_name: display_name.unwrap_or_else(|| id.name().to_owned()),
        email,
        owner: None,
        acts_for: None,
        state: SubjectState::Active,
        groups,
        source: Source::Administrator,
        created: site.now(),
        last_used: None,
    };
    Ok(site.administrator().put_subject(subject, &caller.actor()).await?)
}

/// The link that a person opens. What stands after the `#` is sent to nobody.
pub(crate) fn invitation_link(caller: &Caller, secret: &str) -> String {
    let arrival = &caller.arrival;
    format!("{}/invite#{secret}", origin(arrival.scheme, &arrival.host, arrival.port))
}

pub(super) async fn invite(
    State(site): State<Site>,
    caller: Caller,
    Form(form): Form<InvitationForm>,
) -> Result<Response, PageFault> {
    let given = |text: String| (!text.trim().is_empty()).then(|| text.trim().to_owned());
    // With its kind or without; a service that is named with its kind is no person of that name.
    let id = match form.name.trim().parse::<SubjectId>() {
        Ok(id) => id,
        Err(_) => SubjectId::human(form.name.trim()).map_err(|error| Fault::Unacceptable(error.to_string()))?,
    };
    let groups = list(&form.groups)?;
    make_known(&site, &caller, &id, given(form.display_name), given(form.email), groups).await?;
    let lifetime = Duration::from_secs(72 * 3600);
    let made = site.administrator().invite(&id, lifetime, &caller.actor()).await?;
    Ok(html(&OncePage {
        shell: Shell::new(&caller, "/console/invitations", site.now(), None),
        title: "An invitation",
        explanation: "Whoever opens it first makes a passkey, and is that person from then on. Send it over a safe way.",
        secret: invitation_link(&caller, made.secret.expose()),
        expires: made.expires,
    }))
}

pub(super) async fn withdraw(
    State(site): State<Site>,
    caller: Caller,
    PagePath(id): PagePath<String>,
) -> Result<Response, PageFault> {
    site.administrator().withdraw_invitation(&id, &caller.actor()).await?;
    Ok(done("/console/invitations", Done::InvitationWithdrawn))
}

#[derive(Template)]
#[template(path = "console/ledger.html")]
struct LedgerPage {
    shell: Shell,
    writable: bool,
    size: u64,
    covered: Option<u64>,
    checkpoint: Option<String>,
    rows: Vec<EntryRow>,
    first: Option<String>,
    next: Option<String>,
    /// Entries before this index are archived, and the list ends there.
    archived: Option<u64>,
}

struct EntryRow {
    index: u64,
    at: Timestamp,
    kind: &'static str,
    what: String,
    link: Option<String>,
}

impl EntryRow {
    fn new(index: u64, entry: &Entry) -> Self {
        let mut link = None;
        let what = match &entry.body {
            EntryBody::Decision(decision) => {
                link = Some(format!("/console/decisions/{}", decision.id));
                let resource = decision.question.resource.as_ref().map_or("an unknown address", |id| id.as_str());
                format!("{} · {} → {resource}", decision.decision.name(), decision.question.subject)
            }
            EntryBody::Shown(shown) => match &**shown {
                Shown::Subject(subject) => format!("{} in {} groups", subject.id, subject.groups.len()),
                Shown::Resource(resource) => format!("{}, {}", resource.id, resource.tier),
            },
            EntryBody::LeaseEnded(ended) => {
                link = Some(format!("/console/decisions/{}", ended.decision));
                format!("{}, {} sent", ended.cause, crate::words::bytes(ended.bytes_sent))
            }
            EntryBody::Former(kind) => format!("before a change, to go back: {kind}"),
            EntryBody::Signal(signal) => {
                let by = signal.by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
                format!("{}{by}, from {}", signal.kind, crate::words::source(&signal.source))
            }
            EntryBody::SessionStarted { subject, .. } => format!("{subject} signed in"),
            EntryBody::SessionEnded { subject, cause, .. } => format!("{subject}: {cause}"),
            EntryBody::SignInRefused { subject, method, cause, .. } => {
                let whom = subject.as_ref().map_or_else(|| "somebody".to_owned(), ToString::to_string);
                format!("{whom}, {method}: {cause}")
            }
            EntryBody::PolicyPublished { hash, policies, proofs, .. } => {
                let results = proofs.as_ref().map(|proofs| proofs.results.as_slice()).unwrap_or_default();
                let proven = results.iter().filter(|proof| proof.result == ProofResult::Proven).count();
                let of = |count: usize| format!(", {proven} of {count} guardrails proven");
                let proofs = proofs.as_ref().map_or_else(String::new, |_| of(results.len()));
                let many = if policies.len() == 1 { "policy" } else { "policies" };
                format!("{} {many}{proofs}, set {hash}", policies.len())
            }
            EntryBody::ConfigurationChanged { hash, .. } => hash.clone(),
            EntryBody::Act(act) => format!("{}: {} {} {}", act.by, act.verb, act.target, act.detail),
            EntryBody::Started { version, node } => format!("{node}, version {version}"),
            EntryBody::Stopped { node } => node.clone(),
            EntryBody::ShadowDifference { decision, plan, reference, .. } => {
                link = Some(format!("/console/decisions/{decision}"));
                format!("the plan says {plan}, the reference {reference}")
            }
        };
        Self { index, at: entry.at, kind: entry.body.name(), what, link }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Before {
    before: Option<u64>,
}

pub(super) async fn ledger(
    State(site): State<Site>,
    caller: Caller,
    PageQuery(Before { before }): PageQuery<Before>,
) -> Result<Response, PageFault> {
    let found = site
        .read(move |administrator| {
            let ledger = administrator.ledger();
            let before = before.unwrap_or_else(|| ledger.size());
            crate::decisions::at_hand(ledger, before).take(ROWS).collect::<Result<Vec<_>, _>>()
        })
        .await??;
    let archived = found.last().and_then(|one| one.as_ref().err().copied());
    let found: Vec<(u64, Entry)> = found.into_iter().flatten().collect();
    let ledger = site.administrator().ledger();
    let status = ledger.status();
    let last = found.last().map(|(index, _)| *index).filter(|index| *index > 0 && archived.is_none());
    Ok(html(&LedgerPage {
        shell: Shell::new(&caller, "/console/ledger", site.now(), None),
        writable: status.broken.is_none(),
        size: status.size,
        covered: ledger.checkpoint().map(|_| status.checkpoint_size),
        checkpoint: ledger.checkpoint(),
        rows: found.iter().map(|(index, entry)| EntryRow::new(*index, entry)).collect(),
        first: before.map(|_| "/console/ledger".to_owned()),
        next: last.map(|index| format!("/console/ledger?before={index}")),
        archived,
    }))
}
