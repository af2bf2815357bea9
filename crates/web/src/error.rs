//! The one error map: every way in which a handler can fail, and what is said about it outside. What is said inside
//! goes to the log. Absent looks like forbidden: both are [`Fault::Absent`].

use axum::extract::rejection::{BytesRejection, FormRejection, PathRejection, QueryRejection};
use axum::response::{IntoResponse, Response};
use countersign_administrator::{ActError, ApproveError, AskError, DeviceError, DidError, SignInError, WhyError};
use countersign_lease::HandOffError;
use countersign_ledger::ReadError;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

/// Why there is no answer. The text in a variant is for the caller; [`Fault::Internal`]'s is for the log alone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    #[error("there is nothing here, or it is not for you")]
    Absent,
    /// As absent, and for somebody who may know what there is.
    #[error("{0}")]
    Unknown(String),
    #[error("{0}")]
    Malformed(String),
    #[error("{0}")]
    Unacceptable(String),
    #[error("this address does not take that method")]
    Method,
    #[error("the request came from another site")]
    ForeignOrigin,
    #[error("the content type has to be {0}")]
    MediaType(&'static str),
    #[error("the body is larger than this address takes")]
    TooLarge,
    #[error("{0}")]
    Conflict(String),
    #[error("{0}")]
    NotProven(String),
    #[error("prove who you are again first")]
    StepUpNeeded,
    /// Known to have been there, and moved away.
    #[error("{0}")]
    Gone(String),
    /// A foreign file that is none, damaged or over a limit; its content is not repeated.
    #[error("{file}{}: {reason}", place.as_ref().map(|place| format!(", {place}")).unwrap_or_default())]
    Unreadable { file: String, place: Option<String>, reason: String },
    /// It will be possible in a moment.
    #[error("{0}")]
    NotYet(String),
    #[error("nothing can be recorded at the moment, so nothing is changed")]
    Unavailable,
    #[error("{0}")]
    Internal(String),
}

impl Fault {
    /// Status, stable machine word, title.
    pub(crate) const fn outside(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Absent => (StatusCode::NOT_FOUND, "absent", "Not found"),
            Self::Unknown(_) => (StatusCode::NOT_FOUND, "absent", "Not found"),
            Self::Malformed(_) => (StatusCode::BAD_REQUEST, "malformed", "The request cannot be read"),
            Self::Unacceptable(_) => (StatusCode::UNPROCESSABLE_ENTITY, "unacceptable", "That is not possible"),
            Self::Method => (StatusCode::METHOD_NOT_ALLOWED, "method", "Not that method"),
            Self::ForeignOrigin => (StatusCode::FORBIDDEN, "foreign-origin", "Refused"),
            Self::MediaType(_) => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "media-type", "Unknown content type"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too-large", "Too large"),
            Self::Conflict(_) => (StatusCode::CONFLICT, "conflict", "In the way"),
            Self::NotProven(_) => (StatusCode::FORBIDDEN, "not-proven", "Not signed in"),
            Self::StepUpNeeded => (StatusCode::FORBIDDEN, "step-up-needed", "Confirm that it is you"),
            Self::Gone(_) => (StatusCode::GONE, "gone", "No longer here"),
            Self::Unreadable { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "unreadable", "The file cannot be read"),
            Self::NotYet(_) => (StatusCode::SERVICE_UNAVAILABLE, "not-yet", "Not yet"),
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Not available"),
            Self::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something broke"),
        }
    }

    /// One sentence for the caller.
    pub(crate) fn detail(&self) -> String {
        match self {
            Self::Internal(_) => "This is our fault, and it is in the log.".to_owned(),
            // A file's name keeps its spelling.
            Self::Unreadable { .. } => format!("{self}."),
            Self::Absent
            | Self::NotYet(_)
            | Self::Unknown(_)
            | Self::Malformed(_)
            | Self::Unacceptable(_)
            | Self::Method
            | Self::ForeignOrigin
            | Self::MediaType(_)
            | Self::TooLarge
            | Self::Conflict(_)
            | Self::NotProven(_)
            | Self::StepUpNeeded
            | Self::Gone(_)
            | Self::Unavailable => sentence(&self.to_string()),
        }
    }

    fn log(&self) {
        if let Self::Internal(message) = self {
            tracing::error!(%message, "a request could not be answered");
        }
    }
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    // `human:alice` keeps its spelling.
    let named = text.split(": ").next().is_some_and(|word| word.contains(':'));
    let upper = |c: char| if named { c.to_string() } else { c.to_uppercase().to_string() };
    let first = letters.next().map(upper).unwrap_or_default();
    let stop = if text.ends_with(['.', '!', '?', '\n']) { "" } else { "." };
    format!("{first}{}{stop}", letters.as_str())
}

/// An error as RFC 9457 has it (`application/problem+json`).
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// A URI reference that tells kinds of problems apart, such as `/problems/absent`.
    #[serde(rename = "type")]
    kind: String,
    title: String,
    status: u16,
    detail: String,
    /// Of a file that cannot be read: which one, where in it, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        self.log();
        let (status, kind, title) = self.outside();
        let problem = Problem {
            kind: format!("/problems/{kind}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: self.detail(),
            file: None,
            place: None,
            reason: None,
        };
        let problem = match self {
            Self::Unreadable { file, place, reason } => {
                Problem { file: Some(file), place, reason: Some(reason), ..problem }
            }
            _ => problem,
        };
        let mut response = (status, axum::Json(problem)).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response
    }
}

/// The same fault where a person looks at it.
#[derive(Debug)]
pub(crate) struct PageFault(pub(crate) Fault);

impl<E: Into<Fault>> From<E> for PageFault {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

#[derive(askama::Template)]
#[template(path = "fault.html")]
struct FaultPage {
    title: &'static str,
    detail: String,
}

impl IntoResponse for PageFault {
    fn into_response(self) -> Response {
        self.0.log();
        let (status, _, title) = self.0.outside();
        (status, crate::page::html(&FaultPage { title, detail: self.0.detail() })).into_response()
    }
}

impl From<ActError> for Fault {
    fn from(error: ActError) -> Self {
        match error {
            ActError::Refused(why) => Self::Unacceptable(why),
            ActError::NotFound(_) => Self::Absent,
            ActError::LastOwner | ActError::Configured(_) => Self::Conflict(error.to_string()),
            ActError::Unavailable => Self::Unavailable,
        }
    }
}

impl From<AskError> for Fault {
    fn from(error: AskError) -> Self {
        match error {
            AskError::UnknownSubject(_)
            | AskError::UnknownResource(_)
            | AskError::UnknownGroup(_)
            | AskError::UnknownZone(_) => Self::Unknown(error.to_string()),
            AskError::InactiveDevice(_) | AskError::Past(_) => Self::Unacceptable(error.to_string()),
            AskError::Cancelled => Self::Unavailable,
        }
    }
}

impl From<DidError> for Fault {
    fn from(error: DidError) -> Self {
        match error {
            DidError::Read(error) => error.into(),
            DidError::Ask(error) => error.into(),
        }
    }
}

impl From<WhyError> for Fault {
    fn from(error: WhyError) -> Self {
        match error {
            WhyError::Read(error) => error.into(),
            WhyError::Ask(error) => error.into(),
            WhyError::UnknownDecision(_) => Self::Absent,
            WhyError::NoResource(_) => Self::Unacceptable(error.to_string()),
        }
    }
}

impl From<ApproveError> for Fault {
    fn from(error: ApproveError) -> Self {
        match error {
            ApproveError::Unknown(_) => Self::Unknown(error.to_string()),
            ApproveError::SamePerson(_)
            | ApproveError::MayBeSame(_)
            | ApproveError::NoPerson(_)
            | ApproveError::Stale => Self::Conflict(error.to_string()),
            ApproveError::NotKept(why) => Self::Internal(why),
            ApproveError::Publish(error) => error.into(),
            ApproveError::Act(error) => error.into(),
        }
    }
}

impl From<DeviceError> for Fault {
    fn from(error: DeviceError) -> Self {
        match error {
            DeviceError::Refused => Self::NotProven(error.to_string()),
            DeviceError::Request => Self::Unacceptable(error.to_string()),
            DeviceError::Unavailable => Self::Unavailable,
        }
    }
}

impl From<SignInError> for Fault {
    fn from(error: SignInError) -> Self {
        match error {
            SignInError::Refused => Self::NotProven(error.to_string()),
            SignInError::StepUpNeeded => Self::StepUpNeeded,
            SignInError::Unavailable => Self::Unavailable,
        }
    }
}

impl From<HandOffError> for Fault {
    fn from(error: HandOffError) -> Self {
        match error {
            HandOffError::Invalid => Self::NotProven("that did not work: begin again".to_owned()),
            HandOffError::Unavailable => Self::Unavailable,
        }
    }
}

impl From<ReadError> for Fault {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Archived { .. } => Self::Gone(error.to_string()),
            error => Self::Internal(format!("the ledger cannot be read: {error}")),
        }
    }
}

impl From<PathRejection> for Fault {
    fn from(_: PathRejection) -> Self {
        // Whatever is not an identifier names nothing.
        Self::Absent
    }
}

impl From<QueryRejection> for Fault {
    fn from(rejection: QueryRejection) -> Self {
        Self::Malformed(rejection.body_text())
    }
}

impl From<FormRejection> for Fault {
    fn from(rejection: FormRejection) -> Self {
        match rejection.status() {
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::MediaType("application/x-www-form-urlencoded"),
            StatusCode::PAYLOAD_TOO_LARGE => Self::TooLarge,
            _ => Self::Malformed(rejection.body_text()),
        }
    }
}

impl From<BytesRejection> for Fault {
    fn from(rejection: BytesRejection) -> Self {
        match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Self::TooLarge,
            _ => Self::Malformed(rejection.body_text()),
        }
    }
}
