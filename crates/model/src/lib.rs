//! The words of Countersign as types: who asks, from what, for what, under which circumstances, and what was
//! decided. Nothing here does I/O, reads a clock or knows a policy language; every other crate speaks in these
//! types, and the wire (`web`) and the rows (`store`) have types of their own.

mod action;
mod circumstances;
mod decision;
mod device;
mod exception;
mod fact;
mod id;
mod proof;
mod request;
mod resource;
mod review;
mod route;
mod shown;
mod signal;
mod subject;
mod text;
mod time;

pub use action::{Action, ActionClass, ParseActionError, Protocol};
pub use circumstances::{
    Authentication, AuthenticationMethod, Circumstances, DeviceCircumstances, ExceptionCircumstances,
    GrantCircumstances, HttpCircumstances, Methods, NetworkCircumstances, Question, TimeCircumstances,
};
pub use decision::{
    Allowance, Challenge, Decision, Denial, DenialCause, FactRead, Need, Observed, ObservedBecause, PolicyFault,
    PolicyReference, PolicyRole, Reasons, Remedy,
};
pub use device::{
    Assessment, Device, DeviceState, Finding, Posture, PostureAspect, PostureRequirement, PostureRequirements,
    PostureValue,
};
pub use exception::{
    CompensatingControl, Exception, ExceptionApproval, ExceptionEnd, ExceptionReview, ExceptionScope,
    ExceptionStanding, Probe,
};
pub use fact::{Fact, Source};
pub use id::{
    DecisionId, DeviceId, ExceptionId, GrantId, GroupId, KeyId, LeaseId, Name, NameError, ParseIdError, PolicyId,
    ResourceId, ReviewId, SegmentId, SessionId, ShownId, SubjectId, ZoneName,
};
pub use proof::{Proof, ProofResult, Proofs};
pub use request::{AccessRequest, Credential, CredentialSecret, DeviceEvidence, EnforcementPoint, HttpRequestFacts};
pub use resource::{Entitled, LONGEST_OBSERVATION, Resource, ResourceKind, Segment, Tier, Upstream};
pub use review::{
    Review, ReviewAbout, ReviewDecided, ReviewEnd, ReviewEnding, ReviewLine, ReviewScope, ReviewVerdict, Reviewed,
    ReviewedAccess, ReviewedChange, ReviewedPolicy, ReviewerBecause,
};
pub use route::{ActionRule, PathPattern, Route};
pub use shown::{Shown, ShownResource, ShownSubject};
pub use signal::{Signal, SignalKind};
pub use subject::{Group, Subject, SubjectKind, SubjectState};
pub use text::{is_hidden, visible};
pub use time::{Clock, Timestamp, Wait};

#[cfg(test)]
mod tests;
