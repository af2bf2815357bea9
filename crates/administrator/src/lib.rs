//! The policy administrator: all facts in memory, sessions, live leases, and what happens to them when a fact changes.
//! It puts the question together and acts on the answer; the answer itself is the policy engine's (`policy`), and what
//! passes is the enforcement point's (`gateway`). Nothing here speaks a wire protocol.
//!
//! The main path: `authority` admits, `signals` and `schedule` decide again, `record` writes down. Beside it stand
//! accounts: sign-in, sessions, keys, devices, and the acts of administrators.

mod accounts;
mod apply;
mod ask;
mod authority;
mod built_in;
mod circumstances;
mod clock;
mod devices;
mod exceptions;
mod federated;
mod former;
mod hand_off;
mod inquiry;
mod inventory;
mod inventory_rules;
mod invitations;
mod keys;
mod leases;
mod metrics;
mod one_time;
mod pass;
mod passkeys;
mod policies;
mod preview;
mod proposals;
mod record;
mod refusals;
mod reviews;
mod schedule;
mod sessions;
mod settings;
mod shown;
mod sign_in;
mod signals;
mod sources;
mod start;
mod view;
mod world;

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use countersign_lease::Catalog;
use countersign_ledger::Ledger;
use countersign_model::{Clock, DecisionId, SubjectId, Timestamp};
use countersign_policy::Symbols;
use countersign_store::Store;

use crate::accounts::Accounts;
use crate::exceptions::Probes;
use crate::leases::Leases;
use crate::metrics::Metrics;
use crate::policies::Rules;
use crate::record::Recorder;
use crate::reviews::Reviews;
use crate::world::World;

pub use accounts::{AccountParts, ActError, Client, OneTimeLink, ProviderParts, Provision, SignInError};
pub use apply::{ApplyReport, Bundle};
pub use ask::{
    AccessMatrix, AgentBound, Answer, AskError, Chain, Conditions, Coverage, DeviceCondition, DidError, DidFilter,
    Doing, Done, Door, Enforced, Gaps, Holder, MatrixRow, Members, NetworkCondition, Ownerless, PastError, Provenance,
    Reach, RequestCondition, Reversal, Strictness, Tick, Under, Undocumented, UndocumentedKind, Unmanaged, WhatCan,
    WhoCan, Why, WhyError,
};
pub use built_in::{AUDITORS, ENFORCEMENT_POINTS, LOCAL_OPERATOR, OWNERS, built_in_resources};
pub use clock::SystemClock;
pub use devices::{DeviceError, EnrolledDevice};
pub use exceptions::{ExceptionFigures, ExceptionView, NewException, ProbeResult, TierFigures, Works};
pub use federated::FederatedStart;
pub use hand_off::local_path;
pub use inquiry::{Answered, Inquiry, InquiryError, Stated};
pub use invitations::{BreakInError, InvitationView, break_in_offline};
pub use keys::{IssuedKey, KeyView, NewKey};
pub use passkeys::{Ceremony, PasskeyView};
pub use policies::{Prover, PublishError, ReconfigureError};
pub use preview::{Ending, Outlook, Preview, PreviewError, SessionOutlook};
pub use proposals::{ApproveError, Proposal};
pub use record::Recorded;
pub use reviews::{Decommission, Goes, MOST_AT_ONCE, MOST_LINES, NewReview, NewVerdict};
pub use settings::{Disclosure, Network, ParseNetworkError, PolicyApproval, Settings};
pub use sign_in::{SessionFilter, SessionView, SignedIn};
pub use signals::SignalError;
pub use sources::{PolicyChange, PolicyReport};
pub use start::StartError;
pub use view::{LeaseFilter, LeaseView, Page, Status, SubjectFilter};
pub use world::{Counts, WorldError};

// What views are made of, for crates that know neither the store nor the policy engine.
pub use countersign_policy::ask::{
    DeviceBound, Place, Proven, SignIn, SignInBound, Situation, Sufficient, Way, Window,
};
pub use countersign_policy::{Guardrail, Judged, Mode, PolicyInfo, PolicySet};
pub use countersign_replay::{Changes, Covered, How, Part, Progress, Report, Span, Tally, Unchanged};
pub use countersign_store::KeyScope;

/// The administrator of one node. A handle: clones are the same administrator.
#[derive(Clone, Debug)]
pub struct Administrator(pub(crate) Arc<Inner>);

/// What an administrator is made of.
#[derive(Debug)]
pub struct Parts {
    pub store: Arc<dyn Store>,
    pub ledger: Ledger,
    /// The table that `policies` was loaded with; the world's records are made with it too.
    pub symbols: Arc<Symbols>,
    pub policies: PolicySet,
    pub settings: Settings,
    pub clock: Arc<dyn Clock>,
    pub accounts: AccountParts,
    /// This node's name.
    pub node: String,
}

/// Who performs an administrative act, and by which decision it may. Every act takes one and is recorded with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    pub subject: SubjectId,
    pub decision: Option<DecisionId>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) node: String,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) world: World,
    /// Policies and settings as one: a decision never sees the one without the other.
    pub(crate) rules: ArcSwap<Rules>,
    pub(crate) catalog: ArcSwap<Catalog>,
    pub(crate) accounts: Accounts,
    pub(crate) probes: Probes,
    pub(crate) reviews: Reviews,
    pub(crate) leases: Leases,
    pub(crate) recorder: Recorder,
    pub(crate) metrics: Metrics,
    /// Signals, publications and settings are applied one after the other. Decisions never take it.
    pub(crate) order: tokio::sync::Mutex<()>,
    /// Moves after every change that a decision could have seen: world, rules, sessions.
    pub(crate) epoch: AtomicU64,
    pub(crate) in_flight: AtomicUsize,
    /// Held by the one preview that is under way.
    pub(crate) previewing: parking_lot::Mutex<()>,
    pub(crate) decided: AtomicU64,
    pub(crate) stopping: AtomicBool,
    pub(crate) started: Timestamp,
    /// Absent where nothing is proven.
    pub(crate) prover: OnceLock<Arc<dyn Prover>>,
}

#[cfg(test)]
mod tests;
