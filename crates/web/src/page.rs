//! What every page shares: how it is rendered, who looks at it, and the sentence after an act.

use askama::Template;
use axum::response::{Html, IntoResponse, Redirect, Response};
use countersign_model::Timestamp;
use http::StatusCode;
use serde::Serialize;

use crate::guard::Caller;
use crate::words;

pub(crate) fn html(page: &impl Template) -> Response {
    match page.render() {
        Ok(text) => Html(text).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page could not be rendered");
            (StatusCode::INTERNAL_SERVER_ERROR, "This page could not be shown. It is in the log.").into_response()
        }
    }
}

/// The frame around a page.
#[derive(Debug, Clone)]
pub(crate) struct Shell {
    pub(crate) who: String,
    /// The place in the navigation, by its path.
    pub(crate) place: &'static str,
    pub(crate) now: Timestamp,
    pub(crate) done: Option<Done>,
    /// Whether to show the way to the console. The console's own pages do not ask.
    pub(crate) console: bool,
}

impl Shell {
    pub(crate) fn new(caller: &Caller, place: &'static str, now: Timestamp, done: Option<&str>) -> Self {
        let who = caller.principal.display_name.clone();
        Self { who, place, now, done: done.and_then(Done::read), console: false }
    }

    pub(crate) fn at(&self, place: &str) -> bool {
        self.place == place
    }

    /// The place as its link says it, for the menu that is folded away.
    pub(crate) fn place_name(&self) -> String {
        let name = self.place.rsplit('/').next().unwrap_or_default();
        let mut letters = name.chars();
        match (self.place, letters.next()) {
            ("/console", _) => "Overview".to_owned(),
            (_, None) => "Applications".to_owned(),
            (_, Some(first)) => format!("{}{}", first.to_ascii_uppercase(), letters.as_str()),
        }
    }

    pub(crate) fn relative(&self, instant: &Timestamp) -> String {
        words::relative(instant, &self.now)
    }
}

macro_rules! done {
    ($($name:ident $code:literal $sentence:literal)*) => {
        /// What was just done. It travels as a code in the query string, so that nobody can put words into a page.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Done {
            $($name,)*
        }

        impl Done {
            pub(crate) const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }
            fn read(code: &str) -> Option<Self> {
                match code { $($code => Some(Self::$name),)* _ => None }
            }
            pub(crate) const fn sentence(self) -> &'static str {
                match self { $(Self::$name => $sentence,)* }
            }
        }
    };
}

done! {
    SessionEnded "session-ended" "The session has ended, and every connection that it had open."
    DeviceManaged "device-managed" "The device is under management now."
    DeviceUnmanaged "device-unmanaged" "The device is no longer under management; it is in quarantine."
    DeviceRevoked "device-revoked" "The device is revoked. Its certificate proves nothing any more."
    SubjectEnabled "subject-enabled" "The subject is active again."
    SubjectDisabled "subject-disabled" "The subject is disabled. Its sessions and connections have ended."
    KeyRevoked "key-revoked" "The key is revoked."
    PoliciesPublished "policies-published" "The policies are in force. Every open connection was decided again."
    PoliciesProposed "policies-proposed" "The policies are proposed. They wait for somebody else to approve them."
    ProposalGone "proposal-gone" "The proposal is gone."
    ResourcePut "resource-put" "The resource is as you described it, from now on."
    ResourceRemoved "resource-removed" "The resource is gone. What was open to it has ended."
    ExceptionRequested "exception-requested" "The exception is asked for. It counts for nothing until somebody else agrees."
    ExceptionApproved "exception-approved" "The exception is in force. What it touches was decided again."
    ExceptionReviewed "exception-reviewed" "The review is recorded, and the exception has its new end."
    ExceptionEnded "exception-ended" "The exception has ended. What was open under it was decided again."
    ExceptionProbed "exception-probed" "Its compensating control was looked at."
    ReviewOpened "review-opened" "The review is open. Its lines are frozen, and wait for their reviewers."
    ReviewEnded "review-ended" "The review is over."
    LinesDecided "lines-decided" "It is decided and recorded. What was revoked is gone, and what was open with it."
    EstateImported "estate-imported" "It is in the estate. The assessment of it is being made."
    ImportStopped "import-stopped" "The import was asked to stop. The estate is as it was, unless it was done already."
    AssessmentBegun "assessment-begun" "The estate is being assessed. What you see is as of the assessment before."
    LinkConfirmed "link-confirmed" "They count as one identity from now on."
    LinkRefused "link-refused" "They are two, and are not proposed again."
    Classified "classified" "It is what you say, from now on."
    StepAssigned "step-assigned" "It is on the board with whoever does it."
    StepReleased "step-released" "Nobody has it any more."
    Attested "attested" "Your word is recorded, and counts until it ends. The estate is assessed again."
    TakenBack "taken-back" "The word is taken back. The estate is assessed again."
    InvitationWithdrawn "invitation-withdrawn" "The invitation is withdrawn. Its link no longer works."
    PasskeyAdded "passkey-added" "Your new passkey works now."
    PasskeyRenamed "passkey-renamed" "The passkey has its new name."
    PasskeyRemoved "passkey-removed" "The passkey is removed. It no longer signs you in."
    SignedOut "signed-out" "You are signed out, here and in every application."
}

/// After an act: back to a page, with a sentence about it.
pub(crate) fn done(path: &str, done: Done) -> Response {
    Redirect::to(&format!("{path}?done={}", done.code())).into_response()
}

/// A query string from its pairs; absent values are left out.
pub(crate) fn query(pairs: &impl Serialize) -> String {
    let Ok(serde_json::Value::Object(pairs)) = serde_json::to_value(pairs) else { return String::new() };
    let mut text = String::new();
    for (name, value) in pairs {
        let value = match value {
            serde_json::Value::String(value) if !value.is_empty() => value,
            serde_json::Value::Number(value) => value.to_string(),
            serde_json::Value::Bool(value) => value.to_string(),
            _ => continue,
        };
        text.push(if text.is_empty() { '?' } else { '&' });
        text.push_str(&name);
        text.push('=');
        text.push_str(&encode(&value));
    }
    text
}

/// Percent-encodes everything but the unreserved characters of RFC 3986, so that the result is one path segment or
/// one query value wherever it stands.
pub(crate) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// For templates, where both sides may be references of any depth.
pub(crate) fn same(one: &str, other: &str) -> bool {
    one == other
}
