//! What a handler may trust: the extensions that the enforcement point set, and nothing that came over the wire.
//! And the check that a request which changes something was made by one of our own pages.

use axum::extract::{FromRequestParts, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use countersign_administrator::Actor;
use countersign_lease::{Arrival, Principal};
use http::request::Parts;
use http::{HeaderMap, Method, header};

use crate::error::{Fault, PageFault};

/// Who was admitted, and how the request arrived.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) principal: Principal,
    pub(crate) arrival: Arrival,
}

impl Caller {
    /// The caller as the author of an act that is recorded.
    pub(crate) fn actor(&self) -> Actor {
        Actor { subject: self.principal.subject.clone(), decision: Some(self.arrival.decision) }
    }
}

fn caller(extensions: &http::Extensions) -> Result<Caller, Fault> {
    match (extensions.get::<Principal>(), extensions.get::<Arrival>()) {
        (Some(principal), Some(arrival)) => Ok(Caller { principal: principal.clone(), arrival: arrival.clone() }),
        // Nobody stood at the gate: there is no default for that.
        (None, _) | (_, None) => Err(Fault::Internal("a request without Principal or Arrival reached a part".into())),
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Fault;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Fault> {
        caller(&parts.extensions)
    }
}

/// The origin as the browser writes it: the port only where it is not the scheme's own.
pub(crate) fn origin(scheme: &str, host: &str, port: Option<u16>) -> String {
    match (scheme, port) {
        (_, None) | ("http", Some(80)) | ("https", Some(443)) => format!("{scheme}://{host}"),
        (_, Some(port)) => format!("{scheme}://{host}:{port}"),
    }
}

/// Where a request that changes something may come from.
enum Provenance {
    /// Says that it comes from a page of this very origin.
    Own,
    /// Says nothing: a programme, or a very old browser.
    Silent,
    /// Says that it comes from elsewhere, or will not say from where.
    Foreign,
}

fn provenance(headers: &HeaderMap, own: &str) -> Provenance {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let mut sites = headers.get_all("sec-fetch-site").iter();
    let (origin, site) = (origins.next(), sites.next());
    if origins.next().is_some() || sites.next().is_some() {
        return Provenance::Foreign;
    }
    let origin_fits = origin.map(|origin| origin.as_bytes() == own.as_bytes());
    let site_fits = site.map(|site| site.as_bytes() == b"same-origin");
    match (origin_fits, site_fits) {
        (Some(false), _) | (_, Some(false)) => Provenance::Foreign,
        (Some(true), _) | (_, Some(true)) => Provenance::Own,
        (None, None) => Provenance::Silent,
    }
}

/// Refuses what changes something unless it comes from a page of this origin. A programme that brings no cookie
/// (a key, a device, a provider's logout call) has no origin and needs none: nobody's browser lends it a session.
fn check(request: &Request) -> Result<(), Fault> {
    let caller = caller(request.extensions())?;
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return Ok(());
    }
    let own = origin(caller.arrival.scheme, &caller.arrival.host, caller.arrival.port);
    match provenance(request.headers(), &own) {
        Provenance::Own => Ok(()),
        Provenance::Silent if caller.principal.session.is_none() => Ok(()),
        Provenance::Silent | Provenance::Foreign => Err(Fault::ForeignOrigin),
    }
}

pub(crate) async fn page(request: Request, next: Next) -> Response {
    match check(&request) {
        Ok(()) => next.run(request).await,
        Err(fault) => PageFault(fault).into_response(),
    }
}

pub(crate) async fn programme(request: Request, next: Next) -> Response {
    match check(&request) {
        Ok(()) => next.run(request).await,
        Err(fault) => fault.into_response(),
    }
}
