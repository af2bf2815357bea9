//! Sign-in, step-up, invitations and sign-out, at the one host where passkeys live. It runs the ceremonies that the
//! administrator checks, and takes a person back to where they were: to a path here, or with a one-time code to the
//! host that sent them. Nothing here decides what they may open there.

mod federated;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use countersign_administrator::{Ceremony, Client, SignedIn, local_path};
use countersign_lease::{Arrival, HandOffError};
use countersign_model::{CredentialSecret, DecisionId, SessionId, SubjectKind};
use http::{HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};

use crate::error::{Fault, PageFault};
use crate::extract::{Json, PageQuery};
use crate::guard::{Caller, origin};
use crate::page::{encode, html};
use crate::{Site, assets};

pub(crate) fn router() -> Router<Site> {
    Router::new()
        .route("/sign-in", get(page))
        .route("/sign-in/passkey/begin", post(begin))
        .route("/sign-in/passkey/finish", post(finish))
        .route("/sign-in/federated/{provider}", get(federated::begin))
        .route("/sign-in/federated/{provider}/callback", get(federated::callback))
        .route("/sign-in/federated/{provider}/logout", post(federated::logout))
        .route("/sign-in/sign-out", post(sign_out))
        .route("/sign-in/signed-out", get(signed_out))
        .route("/invite", get(invite))
        .route("/invite/begin", post(begin_enrolment))
        .route("/invite/finish", post(finish_enrolment))
        .route("/invite/federated/{provider}", post(federated::begin_enrolment))
        .route("/assets/{file}", get(assets::serve))
        .route("/.well-known/jwks.json", get(jwks))
        .route("/.well-known/authzen-configuration", get(crate::authzen::metadata))
}

/// Where somebody wants to go, as the gateway wrote it into the address. Foreign text: it is checked where it is used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Wish {
    pub(crate) host: String,
    #[serde(rename = "return")]
    pub(crate) return_to: String,
    /// SHA-256 of the cookie that the browser got at `host`, base64url.
    pub(crate) nonce: String,
    /// Where `host` is reached, if another proxy stands there on another port than this host is reached at.
    pub(crate) port: String,
    /// `1` to prove it again.
    pub(crate) step_up: String,
}

impl Wish {
    fn steps_up(&self) -> bool {
        self.step_up == "1"
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Address {
    #[serde(flatten)]
    wish: Wish,
    decision: Option<String>,
}

#[derive(askama::Template)]
#[template(path = "sign_in/sign_in.html")]
struct SignInPage {
    wish: Wish,
    step_up: bool,
    /// The name of what they want to open, for whoever is signed in.
    target: Option<String>,
    passkeys: bool,
    providers: Vec<ProviderLink>,
    decision: Option<DecisionId>,
}

#[derive(Debug)]
struct ProviderLink {
    name: String,
    url: String,
}

async fn page(
    State(site): State<Site>,
    caller: Caller,
    PageQuery(Address { wish, decision }): PageQuery<Address>,
) -> Result<Response, PageFault> {
    // Somebody who is signed in here already, and has not to prove more, goes straight back. So does whoever has proved
    // it meanwhile: their cookie at that host is from before. Should the new one not suffice, they are sent here again.
    if let Some(session) = caller.principal.session
        && (!wish.steps_up() || site.administrator().outdated_at(session, &wish.host))
    {
        let location = destination(&site, &wish, session, &caller).await?;
        return Ok(Redirect::to(&location).into_response());
    }
    let step_up = wish.steps_up() && caller.principal.session.is_some();
    // Whoever is nobody yet is told no names: which addresses have one says which applications there are.
    let target = caller.principal.session.and_then(|_| {
        let path = wish.return_to.split(['?', '#']).next().unwrap_or("/");
        site.administrator().catalog().find(&wish.host, path).map(|resource| resource.display_name.clone())
    });
    let providers = site.settings().providers.iter();
    let providers = providers
        .map(|provider| ProviderLink {
            name: provider.label.clone(),
            url: format!("/sign-in/federated/{}{}", encode(&provider.name), crate::page::query(&wish)),
        })
        .collect();
    let decision = decision.and_then(|id| id.parse().ok());
    Ok(html(&SignInPage { wish, step_up, target, passkeys: passkeys_work(&caller), providers, decision }))
}

/// Browsers offer WebAuthn to pages that came encrypted or from this very machine, and to no other.
pub(crate) fn passkeys_work(caller: &Caller) -> bool {
    let Arrival { scheme, host, .. } = &caller.arrival;
    let loopback = || host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback());
    *scheme == "https" || host == "localhost" || host.ends_with(".localhost") || loopback()
}

/// Where to send somebody who has just proved who they are.
async fn destination(site: &Site, wish: &Wish, session: SessionId, caller: &Caller) -> Result<String, Fault> {
    let arrival = &caller.arrival;
    if wish.host.is_empty() || wish.host == arrival.host {
        return Ok(local_path(&wish.return_to).to_owned());
    }
    let client = Client::from(arrival);
    let code = site.administrator().hand_off(session, &wish.host, &wish.nonce, &wish.return_to, &client).await;
    match code {
        Ok(code) => {
            // The administrator has made sure that something of ours is served at this host. Cookies know no ports: who
            // has another port of it has the browser's nonce, and its session, as well.
            let port = if wish.port.is_empty() { arrival.port } else { wish.port.parse().ok() };
            let there = origin(arrival.scheme, &wish.host, port);
            Ok(format!("{there}/.countersign/callback?code={}", encode(code.expose())))
        }
        // The address was tampered with, or is stale: they are signed in, and see what they can open.
        Err(HandOffError::Invalid) => Ok("/".to_owned()),
        Err(error @ HandOffError::Unavailable) => Err(error.into()),
    }
}

/// What a script gets to start a ceremony.
#[derive(Serialize)]
pub(crate) struct Begun {
    ceremony: String,
    options: serde_json::Value,
}

impl Begun {
    pub(crate) fn answer(ceremony: Ceremony) -> Response {
        axum::Json(Self { ceremony: ceremony.id.expose().to_owned(), options: ceremony.options }).into_response()
    }
}

async fn begin(State(site): State<Site>, caller: Caller, Json(wish): Json<Wish>) -> Result<Response, Fault> {
    let client = Client::from(&caller.arrival);
    let begun = match (caller.principal.session, wish.steps_up()) {
        (Some(session), true) => site.administrator().begin_step_up(session, &client).await?,
        (_, false) | (None, true) => site.administrator().begin_sign_in(&client).await?,
    };
    Ok(Begun::answer(begun))
}

#[derive(Deserialize)]
struct Finish {
    ceremony: String,
    credential: serde_json::Value,
    #[serde(flatten)]
    wish: Wish,
}

async fn finish(State(site): State<Site>, caller: Caller, Json(finish): Json<Finish>) -> Result<Response, Fault> {
    let Finish { ceremony, credential, wish } = finish;
    let client = Client::from(&caller.arrival);
    let ceremony = CredentialSecret::new(ceremony);
    let administrator = site.administrator();
    let signed_in = match (caller.principal.session, wish.steps_up()) {
        (Some(session), true) => administrator.finish_step_up(session, &ceremony, &credential, &client).await?,
        (_, false) | (None, true) => administrator.finish_sign_in(&ceremony, &credential, &client).await?,
    };
    let location = destination(&site, &wish, signed_in.session, &caller).await?;
    arrived(&site, &signed_in, &location)
}

/// The answer to a script that has finished a ceremony: the session cookie, and where to go.
fn arrived(site: &Site, signed_in: &SignedIn, location: &str) -> Result<Response, Fault> {
    let mut response = axum::Json(serde_json::json!({ "location": location })).into_response();
    response.headers_mut().append(header::SET_COOKIE, session_cookie(site, signed_in)?);
    Ok(response)
}

pub(crate) fn session_cookie(site: &Site, signed_in: &SignedIn) -> Result<HeaderValue, Fault> {
    let age = signed_in.cookie.expires.since(site.now()).as_secs();
    let secret = signed_in.cookie.secret.expose();
    let cookie = format!("__Host-countersign={secret}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={age}");
    let mut cookie =
        HeaderValue::try_from(cookie).map_err(|_| Fault::Internal("a session secret is no cookie value".to_owned()))?;
    cookie.set_sensitive(true);
    Ok(cookie)
}

async fn sign_out(State(site): State<Site>, caller: Caller) -> Response {
    if let Some(session) = caller.principal.session {
        site.administrator().sign_out(session, &caller.actor()).await;
    }
    left()
}

/// After an act that may have ended the caller's own session: then they are signed out, and hear that instead.
pub(crate) fn unless_left(site: &Site, caller: &Caller, answer: Response) -> Response {
    match caller.principal.session {
        Some(session) if site.administrator().session(session).is_none() => left(),
        Some(_) | None => answer,
    }
}

fn left() -> Response {
    let gone = "__Host-countersign=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0";
    (StatusCode::SEE_OTHER, [(header::LOCATION, "/sign-in/signed-out"), (header::SET_COOKIE, gone)]).into_response()
}

#[derive(askama::Template)]
#[template(path = "sign_in/signed_out.html")]
struct SignedOutPage;

async fn signed_out() -> Response {
    html(&SignedOutPage)
}

#[derive(askama::Template)]
#[template(path = "sign_in/invite.html")]
struct InvitePage {
    passkeys: bool,
    providers: Vec<ProviderLink>,
}

/// The invitation's secret stands after the `#` of the link: no server, no log and no `Referer` sees it before the
/// page's script posts it.
async fn invite(State(site): State<Site>, caller: Caller) -> Response {
    let link = |provider: &crate::ProviderButton| ProviderLink {
        name: provider.label.clone(),
        url: format!("/invite/federated/{}", encode(&provider.name)),
    };
    let providers = site.settings().providers.iter().map(link).collect();
    html(&InvitePage { passkeys: passkeys_work(&caller), providers })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BeginEnrolment {
    secret: String,
    #[serde(rename = "name")]
    _name: String,
}

async fn begin_enrolment(
    State(site): State<Site>,
    caller: Caller,
    Json(begin): Json<BeginEnrolment>,
) -> Result<Response, Fault> {
    let client = Client::from(&caller.arrival);
    let secret = CredentialSecret::new(begin.secret);
    Ok(Begun::answer(site.administrator().begin_enrolment(&secret, &client).await?))
}

/// The end of a ceremony that makes a passkey.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FinishPasskey {
    pub(crate) ceremony: String,
    pub(crate) credential: serde_json::Value,
    pub(crate) name: String,
}

async fn finish_enrolment(
    State(site): State<Site>,
    caller: Caller,
    Json(finish): Json<FinishPasskey>,
) -> Result<Response, Fault> {
    let client = Client::from(&caller.arrival);
    let ceremony = CredentialSecret::new(finish.ceremony);
    let signed_in = site.administrator().finish_enrolment(&ceremony, &finish.credential, &finish.name, &client).await?;
    arrived(&site, &signed_in, "/")
}

async fn jwks(State(site): State<Site>) -> Response {
    let mut response = axum::Json(site.settings().jwks.clone()).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    response
}

/// Whether this is a person who has signed in.
pub(crate) fn person(caller: &Caller) -> bool {
    match caller.principal.subject.kind() {
        SubjectKind::Human => true,
        SubjectKind::Service | SubjectKind::Agent | SubjectKind::Anonymous => false,
    }
}
