//! No, in the form that the asker reads: a page for a person, problem+json (RFC 9457) for a programme, a status for
//! gRPC. What it says comes from the refusal alone, so that an unknown resource, an unknown subject and a forbidden one
//! look the same from outside.

use std::fmt::Write as _;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_lease::{Refusal, RefusalKind, Revocation, RevocationCause};
use countersign_model::{DecisionId, Need, Remedy};
use http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, RETRY_AFTER, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::body::Outgoing;
use super::headers::DECISION;
use super::inspect::Fault;

/// How the asker wants to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Page {
        /// A browser going somewhere, which can be sent elsewhere and come back.
        navigation: bool,
    },
    Problem,
    Grpc,
}

impl Form {
    pub(super) fn of(method: &Method, headers: &HeaderMap) -> Self {
        let header = |name: HeaderName| headers.get(name).map(HeaderValue::as_bytes).unwrap_or_default();
        if header(CONTENT_TYPE).starts_with(b"application/grpc") {
            return Self::Grpc;
        }
        let page = header(ACCEPT).windows(9).any(|word| word.eq_ignore_ascii_case(b"text/html"));
        let mode = header(HeaderName::from_static("sec-fetch-mode"));
        let upgrade = headers.contains_key(http::header::UPGRADE) || method == Method::CONNECT;
        if !page || upgrade || !(mode.is_empty() || mode == b"navigate") {
            return Self::Problem;
        }
        Self::Page { navigation: method == Method::GET }
    }
}

/// Why nothing, or nothing more, is served.
#[derive(Debug)]
pub(super) enum No {
    Fault(Fault),
    Refused(Refusal),
    Revoked(DecisionId, Revocation),
    /// This node has as much to do as it can.
    Overloaded,
    /// The upstream cannot be reached or did not answer in the form of HTTP.
    UpstreamFailed(Option<DecisionId>),
    UpstreamSlow(Option<DecisionId>),
    TooLarge(Option<DecisionId>),
    /// The hand-off from sign-in did not work.
    HandOff,
    /// Nothing of Countersign's is at this address.
    Nothing,
    /// Who asks for a decision about somebody else has not proved to be one of the proxies.
    UnknownProxy,
}

/// What is said, whatever the form.
struct Words<'a> {
    status: StatusCode,
    grpc: u8,
    reason: &'static str,
    title: &'static str,
    text: &'static str,
    decision: Option<DecisionId>,
    remedy: Option<&'a Remedy>,
}

impl No {
    /// For metrics and spans.
    pub(super) fn reason(&self) -> &'static str {
        self.words().reason
    }

    /// `home` is the control host's origin: from there a person finds the way again.
    pub(super) fn response(&self, form: Form, home: &str) -> Response<Outgoing> {
        let words = self.words();
        let mut response = match form {
            Form::Page { .. } => page(&words, home),
            Form::Problem => problem(&words),
            Form::Grpc => return grpc(&words),
        };
        *response.status_mut() = words.status;
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        if let Some(decision) = words.decision.and_then(|id| HeaderValue::try_from(id.to_string()).ok()) {
            headers.insert(DECISION, decision);
        }
        match words.status {
            StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            StatusCode::UNAUTHORIZED => {
                // RFC 6750, and RFC 9470 where a stronger sign-in is what is missing.
                let stronger = words.remedy.is_some_and(|remedy| remedy.needs.contains(&Need::PhishingResistantSignIn));
                headers.insert(
                    WWW_AUTHENTICATE,
                    HeaderValue::from_static(if stronger {
                        r#"Bearer realm="countersign", error="insufficient_user_authentication""#
                    } else {
                        r#"Bearer realm="countersign""#
                    }),
                );
            }
            StatusCode::METHOD_NOT_ALLOWED => {
                headers.insert(
                    http::header::ALLOW,
                    HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),
                );
            }
            _ => {}
        }
        response
    }

    fn words(&self) -> Words<'_> {
        let words = |status, grpc, reason, title, text, decision| Words {
            status,
            grpc,
            reason,
            title,
            text,
            decision,
            remedy: None,
        };
        match self {
            Self::Fault(fault @ Fault::ForeignOrigin) => words(
                fault.status(),
                7,
                "foreign-origin",
                "This page may not connect here",
                "A page of another site tried to open a connection to this application.",
                None,
            ),
            Self::Fault(fault @ Fault::Loop) => words(
                fault.status(),
                13,
                "loop",
                "The request goes in a circle",
                "An application of this gateway leads back to the gateway. Whoever runs it has to change its address.",
                None,
            ),
            Self::Fault(fault @ Fault::Method) => words(
                fault.status(),
                12,
                "method",
                "This method is not served",
                "The request uses a method that is not served here.",
                None,
            ),
            Self::Fault(Fault::TooLarge) | Self::TooLarge(_) => words(
                StatusCode::PAYLOAD_TOO_LARGE,
                8,
                "too-large",
                "The upload is too large",
                "The request is larger than this gateway accepts.",
                if let Self::TooLarge(decision) = self { *decision } else { None },
            ),
            Self::Fault(fault @ Fault::LongTarget) => words(
                fault.status(),
                3,
                "target-too-long",
                "The address is too long",
                "The path and the query of the request are longer than this gateway accepts.",
                None,
            ),
            Self::Fault(fault) => words(
                fault.status(),
                3,
                "ambiguous",
                "The request cannot be read in one way only",
                "Parts of the request contradict each other or can be read in several ways, so it was not passed on.",
                None,
            ),
            Self::Refused(refusal) => match &refusal.kind {
                RefusalKind::Denied { remedy } => Words {
                    remedy: remedy.as_ref(),
                    ..words(
                        StatusCode::FORBIDDEN,
                        7,
                        "denied",
                        "You do not have access",
                        "This request was decided and not allowed. If you believe that this is wrong, pass on the \
                         decision below: it says why.",
                        refusal.decision,
                    )
                },
                RefusalKind::Challenged { remedy } => Words {
                    remedy: Some(remedy),
                    ..words(
                        StatusCode::UNAUTHORIZED,
                        16,
                        "challenged",
                        "One more step",
                        "Access needs more proof than this request carried.",
                        refusal.decision,
                    )
                },
                RefusalKind::Unavailable => words(
                    StatusCode::SERVICE_UNAVAILABLE,
                    14,
                    "unavailable",
                    "Access cannot be decided right now",
                    "Access is given only when the decision can be recorded, and at the moment it cannot be.",
                    refusal.decision,
                ),
                RefusalKind::Overloaded => Self::Overloaded.words(),
            },
            Self::Revoked(decision, revocation) if revocation.cause == RevocationCause::SessionEnded => words(
                StatusCode::FORBIDDEN,
                7,
                "revoked",
                "You are signed out",
                "The session that this page belonged to has ended. To go on, sign in again.",
                Some(revocation.decision.unwrap_or(*decision)),
            ),
            Self::Revoked(decision, revocation) => words(
                StatusCode::FORBIDDEN,
                7,
                "revoked",
                "Your access has ended",
                "Something changed while this request was on its way, and it is no longer allowed.",
                Some(revocation.decision.unwrap_or(*decision)),
            ),
            Self::Overloaded => words(
                StatusCode::SERVICE_UNAVAILABLE,
                14,
                "overloaded",
                "Too much at once",
                "There are more requests than this gateway can decide in time. Try again in a moment.",
                None,
            ),
            Self::UpstreamFailed(decision) => words(
                StatusCode::BAD_GATEWAY,
                14,
                "upstream-failed",
                "The application does not answer",
                "You have access, but the application behind the gateway cannot be reached.",
                *decision,
            ),
            Self::UpstreamSlow(decision) => words(
                StatusCode::GATEWAY_TIMEOUT,
                4,
                "upstream-slow",
                "The application takes too long",
                "You have access, but the application behind the gateway did not answer in time.",
                *decision,
            ),
            Self::HandOff => words(
                StatusCode::BAD_REQUEST,
                3,
                "sign-in-failed",
                "The sign-in could not be completed",
                "The link was used before, has expired, or was made for another browser. Open the application again.",
                None,
            ),
            Self::UnknownProxy => words(
                StatusCode::SERVICE_UNAVAILABLE,
                7,
                "unknown-proxy",
                "Access cannot be decided right now",
                "What stands in front of this application has not proved that it may ask whether you have access.",
                None,
            ),
            Self::Nothing => words(
                StatusCode::NOT_FOUND,
                5,
                "nothing-here",
                "There is nothing here",
                "No page exists at this address.",
                None,
            ),
        }
    }
}

#[derive(Serialize)]
struct Problem<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    decision: Option<DecisionId>,
    #[serde(skip_serializing_if = "<[Need]>::is_empty")]
    needs: &'a [Need],
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<&'a str>,
}

fn problem(words: &Words<'_>) -> Response<Outgoing> {
    let problem = Problem {
        r#type: format!("urn:countersign:problem:{}", words.reason),
        title: words.title,
        status: words.status.as_u16(),
        detail: words.text,
        reason: words.reason,
        decision: words.decision,
        needs: words.remedy.map(|remedy| remedy.needs.as_slice()).unwrap_or_default(),
        advice: words.remedy.and_then(|remedy| remedy.advice.as_deref()),
    };
    // Texts and numbers always serialize; were it otherwise, the status would still say no.
    let mut response = Response::new(Outgoing::local(serde_json::to_vec(&problem).unwrap_or_default()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    response
}

/// A response that is trailers only, as every gRPC client reads it.
fn grpc(words: &Words<'_>) -> Response<Outgoing> {
    let mut response = Response::new(Outgoing::local(""));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert("grpc-status", HeaderValue::from(u16::from(words.grpc)));
    headers.insert("grpc-message", HeaderValue::from_static(words.title));
    if let Some(decision) = words.decision.and_then(|id| HeaderValue::try_from(id.to_string()).ok()) {
        headers.insert(DECISION, decision);
    }
    response
}

const STYLE: &str = include_str!("refuse.css");

/// Nothing but this very style sheet, by its hash.
static POLICY: LazyLock<Option<HeaderValue>> = LazyLock::new(|| {
    let hash = STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    HeaderValue::try_from(policy).ok()
});

fn page(words: &Words<'_>, home: &str) -> Response<Outgoing> {
    let mut html = String::with_capacity(4096);
    let _ = write!(
        html,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>{title}</title><style>{STYLE}</style></head>\
         <body><header>Countersign</header><main><h1>{title}</h1><p>{text}</p>",
        title = words.title,
        text = words.text,
    );
    if let Some(remedy) = words.remedy.filter(|remedy| !remedy.steps().is_empty()) {
        html.push_str("<section aria-labelledby=\"what\"><h2 id=\"what\">What you can do</h2>");
        match remedy.steps().as_slice() {
            [only] => {
                let _ = write!(html, "<p>{}</p>", escaped(only));
            }
            steps => {
                html.push_str("<ul>");
                for step in steps {
                    let _ = write!(html, "<li>{}</li>", escaped(step));
                }
                html.push_str("</ul>");
            }
        }
        html.push_str("</section>");
    }
    let _ = write!(html, "<p><a href=\"{}/\">Go to your applications</a></p>", escaped(home));
    if let Some(decision) = words.decision {
        let _ = write!(html, "<dl><dt>Decision</dt><dd><code>{decision}</code></dd></dl>");
    }
    html.push_str("</main></body></html>\n");
    let mut response = Response::new(Outgoing::local(html));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    if let Some(policy) = &*POLICY {
        headers.insert(CONTENT_SECURITY_POLICY, policy.clone());
    }
    response
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}
