//! What every person sees: the applications they can open now, and their own sessions, devices, passkeys and keys.
//! Each handler looks only at what belongs to the subject that the gateway has admitted.

mod reviews;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use countersign_administrator::{Client, Page, PasskeyView, SessionFilter, SessionView};
use countersign_model::{CredentialSecret, KeyId, SessionId};
use serde::Deserialize;

use crate::Site;
use crate::error::{Fault, PageFault};
use crate::explain::{self, Application, Openness};
use crate::extract::{Form, Json, PagePath, PageQuery};
use crate::guard::Caller;
use crate::page::{Done, Shell, done, encode, html};
use crate::rows::{DeviceRow, KeyRow, SessionRow};
use crate::sign_in::{Begun, FinishPasskey, passkeys_work, person, unless_left};

pub(crate) use reviews::url as review_url;

pub(crate) fn router() -> Router<Site> {
    Router::new()
        .route("/", get(applications))
        .route("/my/sessions", get(sessions))
        .route("/my/sessions/{id}/end", post(end_session))
        .route("/my/devices", get(devices))
        .route("/my/passkeys", get(passkeys))
        .route("/my/passkeys/begin", post(begin_passkey))
        .route("/my/passkeys/finish", post(finish_passkey))
        .route("/my/passkeys/{credential}/rename", post(rename_passkey))
        .route("/my/passkeys/{credential}/remove", post(remove_passkey))
        .route("/my/keys", get(keys))
        .route("/my/keys/{id}/revoke", post(revoke_key))
        .route(reviews::PLACE, get(reviews::reviews))
        .route("/my/reviews/{id}", get(reviews::review).post(reviews::decide))
}

/// After an act.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct After {
    pub(crate) done: Option<String>,
}

async fn shell(site: &Site, caller: &Caller, place: &'static str, after: &After) -> Result<Shell, Fault> {
    let console = explain::could_open(site, caller, "countersign-console").await?;
    Ok(Shell { console, ..Shell::new(caller, place, site.now(), after.done.as_deref()) })
}

#[derive(askama::Template)]
#[template(path = "portal/applications.html")]
struct ApplicationsPage {
    shell: Shell,
    open: Vec<Application>,
    step_up: Vec<Application>,
    shut: Vec<Application>,
}

async fn applications(
    State(site): State<Site>,
    caller: Caller,
    PageQuery(after): PageQuery<After>,
) -> Result<Response, PageFault> {
    let all = explain::applications(&site, &caller).await?;
    let of = |state: Openness| all.iter().filter(|one| one.state == state).cloned().collect();
    Ok(html(&ApplicationsPage {
        shell: shell(&site, &caller, "/", &after).await?,
        open: of(Openness::Open),
        step_up: of(Openness::StepUp),
        shut: of(Openness::Shut),
    }))
}

#[derive(askama::Template)]
#[template(path = "portal/sessions.html")]
struct SessionsPage {
    shell: Shell,
    rows: Vec<SessionRow>,
}

fn my_sessions(site: &Site, caller: &Caller) -> Vec<SessionRow> {
    let filter = SessionFilter { subject: Some(caller.principal.subject.clone()), device: None };
    let row = |view: SessionView| SessionRow {
        own: caller.principal.session == Some(view.id),
        leases: site.administrator().leases_of(view.id),
        view,
    };
    site.administrator().sessions(&filter).into_iter().map(row).collect()
}

async fn sessions(
    State(site): State<Site>,
    caller: Caller,
    PageQuery(after): PageQuery<After>,
) -> Result<Response, PageFault> {
    let rows = if person(&caller) { my_sessions(&site, &caller) } else { Vec::new() };
    Ok(html(&SessionsPage { shell: shell(&site, &caller, "/my/sessions", &after).await?, rows }))
}

async fn end_session(
    State(site): State<Site>,
    caller: Caller,
    PagePath(id): PagePath<SessionId>,
) -> Result<Response, PageFault> {
    let mine = |view: SessionView| view.subject == caller.principal.subject;
    if !site.administrator().session(id).is_some_and(mine) {
        return Err(PageFault(Fault::Absent));
    }
    site.administrator().kill_session(id, &caller.actor()).await?;
    Ok(unless_left(&site, &caller, done("/my/sessions", Done::SessionEnded)))
}

#[derive(askama::Template)]
#[template(path = "portal/devices.html")]
struct DevicesPage {
    shell: Shell,
    rows: Vec<DeviceRow>,
}

async fn devices(
    State(site): State<Site>,
    caller: Caller,
    PageQuery(after): PageQuery<After>,
) -> Result<Response, PageFault> {
    let administrator = site.administrator();
    let settings = administrator.settings();
    let page = Page { after: None, limit: 100 };
    let mine = administrator.devices(&page, Some(&caller.principal.subject));
    let rows = mine.into_iter().map(|device| DeviceRow::new(device, &settings.posture, site.now())).collect();
    Ok(html(&DevicesPage { shell: shell(&site, &caller, "/my/devices", &after).await?, rows }))
}

#[derive(askama::Template)]
#[template(path = "portal/passkeys.html")]
struct PasskeysPage {
    shell: Shell,
    works: bool,
    rows: Vec<PasskeyView>,
}

pub(crate) fn passkey_url(credential: &str, act: &str) -> String {
    format!("/my/passkeys/{}/{act}", encode(credential))
}

async fn passkeys(
    State(site): State<Site>,
    caller: Caller,
    PageQuery(after): PageQuery<After>,
) -> Result<Response, PageFault> {
    let rows = site.administrator().passkeys(&caller.principal.subject).await?;
    let works = passkeys_work(&caller);
    Ok(html(&PasskeysPage { shell: shell(&site, &caller, "/my/passkeys", &after).await?, works, rows }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    name: String,
}

async fn begin_passkey(State(site): State<Site>, caller: Caller, Json(_): Json<Named>) -> Result<Response, Fault> {
    let session = caller.principal.session.ok_or(Fault::Absent)?;
    let begun = site.administrator().begin_passkey(session, &Client::from(&caller.arrival)).await?;
    Ok(Begun::answer(begun))
}

async fn finish_passkey(
    State(site): State<Site>,
    caller: Caller,
    Json(finish): Json<FinishPasskey>,
) -> Result<axum::Json<serde_json::Value>, Fault> {
    let session = caller.principal.session.ok_or(Fault::Absent)?;
    let ceremony = CredentialSecret::new(finish.ceremony);
    let client = Client::from(&caller.arrival);
    site.administrator().finish_passkey(session, &ceremony, &finish.credential, &finish.name, &client).await?;
    Ok(axum::Json(serde_json::json!({ "location": "/my/passkeys?done=passkey-added" })))
}

async fn rename_passkey(
    State(site): State<Site>,
    caller: Caller,
    PagePath(credential): PagePath<String>,
    Form(named): Form<Named>,
) -> Result<Response, PageFault> {
    let subject = &caller.principal.subject;
    site.administrator().rename_passkey(subject, &credential, &named.name, &caller.actor()).await?;
    Ok(done("/my/passkeys", Done::PasskeyRenamed))
}

async fn remove_passkey(
    State(site): State<Site>,
    caller: Caller,
    PagePath(credential): PagePath<String>,
) -> Result<Response, PageFault> {
    site.administrator().remove_passkey(&caller.principal.subject, &credential, &caller.actor()).await?;
    Ok(unless_left(&site, &caller, done("/my/passkeys", Done::PasskeyRemoved)))
}

#[derive(askama::Template)]
#[template(path = "portal/keys.html")]
struct KeysPage {
    shell: Shell,
    rows: Vec<KeyRow>,
}

async fn keys(
    State(site): State<Site>,
    caller: Caller,
    PageQuery(after): PageQuery<After>,
) -> Result<Response, PageFault> {
    let mine = site.administrator().keys(Some(&caller.principal.subject));
    let rows = mine.into_iter().map(|view| KeyRow::new(view, "/my/keys")).collect();
    Ok(html(&KeysPage { shell: shell(&site, &caller, "/my/keys", &after).await?, rows }))
}

async fn revoke_key(
    State(site): State<Site>,
    caller: Caller,
    PagePath(id): PagePath<KeyId>,
) -> Result<Response, PageFault> {
    let mine = site.administrator().keys(Some(&caller.principal.subject));
    if !mine.iter().any(|key| key.id == id && key.owner == caller.principal.subject) {
        return Err(PageFault(Fault::Absent));
    }
    site.administrator().revoke_key(&id, &caller.actor()).await?;
    Ok(done("/my/keys", Done::KeyRevoked))
}
