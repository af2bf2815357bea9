//! Sessions, leases, keys and invitations.

use std::time::Duration;

use axum::extract::State;
use countersign_administrator::{InvitationView, KeyScope, KeyView, LeaseFilter, NewKey, SessionFilter, SessionView};
use countersign_model::{KeyId, LeaseId, SessionId};
use http::StatusCode;

use crate::Site;
use crate::console::{invitation_link, make_known};
use crate::error::{Fault, Problem};
use crate::extract::{Json, Path, Query};
use crate::guard::Caller;
use crate::wire::{
    Invitation, InvitationBody, Key, KeyBody, Lease, LeaseQuery, MadeKey, OneTime, Page, PageQuery, Scope, Session,
    SessionQuery,
};

fn session_wire(site: &Site, view: &SessionView) -> Session {
    Session {
        id: view.id,
        subject: view.subject.clone(),
        device: view.device.clone(),
        address: view.address,
        methods: view.methods.iter().map(|method| method.name().to_owned()).collect(),
        authenticated: view.authenticated,
        created: view.created,
        last_used: view.last_used,
        expires: view.expires,
        hosts: view.hosts.clone(),
        leases: site.administrator().leases_of(view.id) as u64,
    }
}

fn cursor<T: std::str::FromStr>(cursor: Option<&String>) -> Result<Option<T>, Fault> {
    let ours = |cursor: &String| cursor.parse().map_err(|_| Fault::Malformed("the cursor is none of ours".to_owned()));
    cursor.map(ours).transpose()
}

/// Who is signed in, newest first.
#[utoipa::path(get, path = "/api/v1/sessions", tag = "sessions", params(SessionQuery),
    responses((status = 200, body = Page<Session>), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn sessions(
    State(site): State<Site>,
    _: Caller,
    Query(query): Query<SessionQuery>,
) -> Result<axum::Json<Page<Session>>, Fault> {
    let limit = super::limit(query.limit)?;
    let before: Option<SessionId> = cursor(query.cursor.as_ref())?;
    let mut found = site.administrator().sessions(&SessionFilter { subject: query.subject, device: query.device });
    found.retain(|view| before.is_none_or(|before| view.id < before));
    Ok(super::cut(found, limit, |view| view.id.to_string(), |view| session_wire(&site, view)))
}

#[utoipa::path(get, path = "/api/v1/sessions/{id}", tag = "sessions", params(("id" = String, Path)),
    responses((status = 200, body = Session), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn session(
    State(site): State<Site>,
    _: Caller,
    Path(id): Path<SessionId>,
) -> Result<axum::Json<Session>, Fault> {
    let view = site.administrator().session(id).ok_or(Fault::Absent)?;
    Ok(axum::Json(session_wire(&site, &view)))
}

/// Ends a session, and every connection that it has open.
#[utoipa::path(delete, path = "/api/v1/sessions/{id}", tag = "sessions", params(("id" = String, Path)),
    responses((status = 204), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn kill_session(
    State(site): State<Site>,
    caller: Caller,
    Path(id): Path<SessionId>,
) -> Result<StatusCode, Fault> {
    site.administrator().kill_session(id, &caller.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Every permission that is alive now, newest first.
#[utoipa::path(get, path = "/api/v1/leases", tag = "sessions", params(LeaseQuery),
    responses((status = 200, body = Page<Lease>), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn leases(
    State(site): State<Site>,
    _: Caller,
    Query(query): Query<LeaseQuery>,
) -> Result<axum::Json<Page<Lease>>, Fault> {
    let limit = super::limit(query.limit)?;
    let before: Option<LeaseId> = cursor(query.cursor.as_ref())?;
    let LeaseQuery { subject, resource, session, .. } = query;
    let filter = LeaseFilter { subject, resource, session, device: None };
    let mut found = site.administrator().leases(&filter);
    found.retain(|view| before.is_none_or(|before| view.id < before));
    Ok(super::cut(found, limit, |view| view.id.to_string(), |view| Lease::from(view)))
}

fn key_wire(view: &KeyView) -> Key {
    Key {
        id: view.id.clone(),
        subject: view.subject.clone(),
        owner: view.owner.clone(),
        scope: Scope {
            resources: view.scope.resources.clone(),
            classes: view.scope.classes.iter().map(|&class| class.into()).collect(),
        },
        created: view.created,
        expires: view.expires,
        last_used: view.last_used,
    }
}

/// API keys, without their secrets.
#[utoipa::path(get, path = "/api/v1/keys", tag = "keys", params(PageQuery),
    responses((status = 200, body = Page<Key>), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn keys(
    State(site): State<Site>,
    _: Caller,
    Query(query): Query<PageQuery>,
) -> Result<axum::Json<Page<Key>>, Fault> {
    let limit = super::limit(query.limit)?;
    let mut found = site.administrator().keys(None);
    found.retain(|view| {
        query.cursor.as_deref().is_none_or(|cursor| view.id.as_str() > cursor)
            && query.search.as_deref().is_none_or(|text| {
                view.id.as_str().contains(text)
                    || view.subject.to_string().contains(text)
                    || view.owner.to_string().contains(text)
            })
    });
    Ok(super::cut(found, limit, |view| view.id.to_string(), key_wire))
}

/// Makes a key. Its secret is in the answer, this once.
#[utoipa::path(post, path = "/api/v1/keys", tag = "keys", request_body = KeyBody,
    responses((status = 201, body = MadeKey), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn create_key(
    State(site): State<Site>,
    caller: Caller,
    Json(body): Json<KeyBody>,
) -> Result<(StatusCode, axum::Json<MadeKey>), Fault> {
    let new = NewKey {
        subject: body.subject,
        owner: body.owner.unwrap_or_else(|| caller.principal.subject.clone()),
        scope: KeyScope {
            resources: body.scope.resources,
            classes: body.scope.classes.into_iter().map(Into::into).collect(),
        },
        expires: Some(body.expires),
    };
    let made = site.administrator().create_key(new, &caller.actor()).await?;
    let keys = site.administrator().keys(None);
    let view = keys.iter().find(|view| view.id == made.id);
    let view = view.ok_or_else(|| Fault::Conflict("the key was revoked as it was made".to_owned()))?;
    let secret = made.secret.expose().to_owned();
    Ok((StatusCode::CREATED, axum::Json(MadeKey { key: key_wire(view), secret })))
}

/// From now on the key proves nothing.
#[utoipa::path(delete, path = "/api/v1/keys/{id}", tag = "keys", params(("id" = String, Path)),
    responses((status = 204), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn revoke_key(
    State(site): State<Site>,
    caller: Caller,
    Path(id): Path<KeyId>,
) -> Result<StatusCode, Fault> {
    site.administrator().revoke_key(&id, &caller.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn invitation_wire(view: &InvitationView) -> Invitation {
    Invitation {
        id: view.id.clone(),
        subject: view.subject.clone(),
        made_by: view.made_by.clone(),
        created: view.created,
        expires: view.expires,
    }
}

/// Invitations that can still be used, without their secrets.
#[utoipa::path(get, path = "/api/v1/invitations", tag = "invitations",
    responses((status = 200, body = Vec<Invitation>), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn invitations(State(site): State<Site>, _: Caller) -> Result<axum::Json<Vec<Invitation>>, Fault> {
    let found = site.administrator().invitations().await?;
    Ok(axum::Json(found.iter().map(invitation_wire).collect()))
}

/// How long a one-time secret lasts.
pub(super) fn lifetime(hours: Option<u16>, usual: u16) -> Result<Duration, Fault> {
    match hours.unwrap_or(usual) {
        hours @ 1..=168 => Ok(Duration::from_secs(u64::from(hours) * 3600)),
        _ => Err(Fault::Unacceptable("hours is 1 to 168".to_owned())),
    }
}

/// A one-time link with which a person makes a passkey. A person who is not known yet is put into the inventory.
#[utoipa::path(post, path = "/api/v1/invitations", tag = "invitations", request_body = InvitationBody,
    responses((status = 201, body = OneTime), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn invite(
    State(site): State<Site>,
    caller: Caller,
    Json(body): Json<InvitationBody>,
) -> Result<(StatusCode, axum::Json<OneTime>), Fault> {
    let lifetime = lifetime(body.hours, 72)?;
    make_known(&site, &caller, &body.subject, body.display_name, body.email, body.groups).await?;
    let made = site.administrator().invite(&body.subject, lifetime, &caller.actor()).await?;
    let link = Some(invitation_link(&caller, made.secret.expose()));
    Ok((StatusCode::CREATED, axum::Json(OneTime { link, token: None, expires: made.expires })))
}

/// The link stops working.
#[utoipa::path(delete, path = "/api/v1/invitations/{id}", tag = "invitations", params(("id" = String, Path)),
    responses((status = 204), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn withdraw_invitation(
    State(site): State<Site>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Fault> {
    site.administrator().withdraw_invitation(&id, &caller.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}
