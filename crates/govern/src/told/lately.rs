//! The newest of the ledger, counted: how people signed in, what decisions saw, what leases rested on, what was used. One pass over
//! no more than [`MOST`] entries of no more than [`SPAN`]; of an entry only what is counted is read. What a resource is, is as
//! of today; of one that is no more it is not known.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::time::Duration;

use countersign_administrator::Administrator;
use countersign_assess::{PrivilegeTime, Tally, Told};
use countersign_graph::Exercise;
use countersign_ledger::verify::{Fault, MAX_FAULTS, VerifyError};
use countersign_ledger::{DecisionEntry, Entries as _, Entry, Ledger, ReadError, TILE};
use countersign_model::{
    Action, ActionClass, AuthenticationMethod, Decision, DecisionId, Finding, GrantCircumstances, GrantId, Methods,
    PostureAspect, Question, ResourceId, ResourceKind, SubjectId, SubjectKind, Tier, Timestamp,
};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{Groups, Tallies};
use crate::progress::Progress;

/// What is older is not counted.
const SPAN: Duration = Duration::from_secs(30 * 24 * 3600);
/// Nor what has so many newer ones.
const MOST: u64 = 1_000_000;
/// How far apart the order of the log and the times of its entries may be.
const DISORDER: Duration = Duration::from_secs(10);

#[derive(Debug, thiserror::Error)]
enum Unread {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("entry {index}: {cause}")]
    Entry { index: u64, cause: String },
    #[error("stopped")]
    Stopped,
}

/// A decision, as far as it is counted.
#[derive(Deserialize)]
struct Decided<'a> {
    id: DecisionId,
    question: Asked,
    #[serde(borrow)]
    decision: Outcome<'a>,
    #[serde(default)]
    lease: Option<IgnoredAny>,
    #[serde(default)]
    supersedes: Option<DecisionId>,
}

#[derive(Deserialize)]
struct Asked {
    subject: SubjectId,
    action: Action,
    resource: Option<ResourceId>,
    circumstances: Circumstances,
}

#[derive(Deserialize)]
struct Circumstances {
    device: Option<Device>,
    network: Network,
    grant: Option<GrantCircumstances>,
}

#[derive(Deserialize)]
struct Device {
    compliant: bool,
    findings: BTreeMap<PostureAspect, Finding>,
    posture_age: Option<u64>,
}

#[derive(Deserialize)]
struct Network {
    address: IpAddr,
    encrypted: bool,
}

#[derive(Deserialize)]
struct Outcome<'a> {
    #[serde(borrow)]
    effect: Cow<'a, str>,
}

#[derive(Deserialize)]
struct SignedIn {
    subject: SubjectId,
    methods: Methods,
}

#[derive(Deserialize)]
struct Ended {
    decision: DecisionId,
    by_decision: Option<DecisionId>,
}

type Tiers = HashMap<ResourceId, Tier>;

/// Good, known, all.
#[derive(Clone, Copy, Default)]
struct Share {
    good: u64,
    known: u64,
    of: u64,
}

impl Share {
    fn add(&mut self, good: Option<bool>) {
        self.of += 1;
        self.known += u64::from(good.is_some());
        self.good += u64::from(good == Some(true));
    }
}

/// Who was let do what, where, with a device in which state: whether that lease ends with the state is asked once for all alike.
type Alike = (SubjectId, ResourceId, ActionClass, Option<bool>);

#[derive(Default)]
struct Span {
    oldest: Option<Timestamp>,
    newest: Option<Timestamp>,
    multi_factor: Share,
    phishing_resistant: Share,
    encrypted: Share,
    posture: Share,
    bound: Share,
    ends: HashMap<Alike, Option<bool>>,
    just_in_time: Share,
    decisions: HashSet<DecisionId>,
    /// Decisions that other entries name.
    named: HashSet<DecisionId>,
    /// Each grant under which something was done: since when, and its end.
    grants: BTreeMap<GrantId, (Timestamp, Timestamp)>,
    used: Used,
}

/// Who did what where, how often, and when last.
pub(super) type Used = HashMap<(ResourceId, ActionClass), BTreeMap<SubjectId, Exercise>>;

/// What happened lately, beside the shares.
pub(super) struct Lately {
    pub(super) privilege: Option<PrivilegeTime>,
    pub(super) used: Used,
    /// What is older was not looked at.
    pub(super) since: Timestamp,
}

impl Span {
    /// Reads from `from` on what is not earlier than `since`.
    fn read(
        administrator: &Administrator,
        (from, since): (u64, Timestamp),
        progress: &Progress,
    ) -> Result<Self, Unread> {
        let (ledger, resources) = (administrator.ledger(), administrator.resources());
        let tiers: Tiers = resources.iter().map(|resource| (resource.id.clone(), resource.tier)).collect();
        let (mut span, end, since) = (Self::default(), ledger.size(), since.to_string());
        for n in from / TILE..end.div_ceil(TILE) {
            for (index, bytes) in (n * TILE..end).zip(ledger.bundle(n)?.iter()) {
                let unread = |cause: &dyn std::fmt::Display| Unread::Entry { index, cause: cause.to_string() };
                let peeked = Entry::peek(bytes).ok_or_else(|| unread(&"it is none"))?;
                if index < from || peeked.at < since.as_str() {
                    continue;
                }
                let at: Timestamp = peeked.at.parse().map_err(|error| unread(&error))?;
                span.oldest = Some(span.oldest.map_or(at, |oldest| oldest.min(at)));
                span.newest = Some(span.newest.map_or(at, |newest| newest.max(at)));
                let taken = match peeked.kind {
                    "decision" => serde_json::from_slice(peeked.content).map(|one| {
                        let ends = || ends_with_posture(administrator, peeked.content);
                        span.decided(at, one, &tiers, ends);
                    }),
                    "session-started" => serde_json::from_slice(peeked.content).map(|one| span.signed_in(&one)),
                    "lease-ended" => serde_json::from_slice(peeked.content).map(|one: Ended| {
                        span.named.extend([one.decision].into_iter().chain(one.by_decision));
                    }),
                    _ => Ok(()),
                };
                taken.map_err(|error| unread(&error))?;
            }
            if progress.is_stopped() {
                return Err(Unread::Stopped);
            }
        }
        Ok(span)
    }

    fn signed_in(&mut self, session: &SignedIn) {
        if session.subject.kind() != SubjectKind::Human {
            return;
        }
        let is = |which: fn(AuthenticationMethod) -> bool| {
            let good = session.methods.iter().any(|method| which(*method));
            // A provider that says nothing about how: it may have been anything.
            let silent = session.methods.contains(&AuthenticationMethod::Federated);
            if good || !silent { Some(good) } else { None }
        };
        self.multi_factor.add(is(AuthenticationMethod::multi_factor));
        // A provider that vouches for several factors does not say which.
        let vouched = session.methods.contains(&AuthenticationMethod::FederatedMultiFactor);
        let phishing_resistant = is(AuthenticationMethod::phishing_resistant);
        self.phishing_resistant.add(phishing_resistant.filter(|good| *good || !vouched));
    }

    fn decided(&mut self, at: Timestamp, decided: Decided<'_>, tiers: &Tiers, ends: impl FnOnce() -> Option<bool>) {
        let Decided { id, question, decision, lease, supersedes } = decided;
        let Asked { subject, action, resource, circumstances } = question;
        self.decisions.insert(id);
        self.named.extend(supersedes);
        let network = &circumstances.network;
        self.encrypted.add(Some(network.encrypted || network.address.is_loopback()));
        let Some(resource) = resource else { return };
        let tier = tiers.get(&resource).copied();
        let above = tier != Some(Tier::Public);
        let if_known = |good: bool| tier.map(|_| good);
        if above {
            let fresh = circumstances.device.as_ref().is_some_and(|device| {
                let stale = |finding: &Finding| matches!(finding, Finding::Stale | Finding::Unknown);
                device.posture_age.is_some() && !device.findings.values().any(stale)
            });
            self.posture.add(if_known(fresh));
        }
        if decision.effect != "allow" || lease.is_none() {
            return;
        }
        if above {
            let state = circumstances.device.as_ref().map(|device| device.compliant);
            let alike = (subject.clone(), resource.clone(), action.class, state);
            let ends = *self.ends.entry(alike).or_insert_with(|| if state.is_some() { ends() } else { Some(false) });
            self.bound.add(ends.filter(|_| tier.is_some()));
        }
        if action.class == ActionClass::Administer {
            self.just_in_time.add(Some(circumstances.grant.is_some()));
        }
        if let Some(grant) = circumstances.grant {
            let seen = self.grants.entry(grant.id).or_insert((at, grant.expires));
            *seen = (seen.0.min(at), grant.expires);
        }
        let of = self.used.entry((resource, action.class)).or_default();
        let seen = of.entry(subject).or_insert(Exercise { last: at, count: 0 });
        *seen = Exercise { last: seen.last.max(at), count: seen.count.saturating_add(1) };
    }

    /// Decisions that something refers to and that are not there: not those that may stand before or after what was read.
    fn missing(&self) -> u64 {
        let (Some(oldest), Some(newest)) = (self.oldest, self.newest) else { return 0 };
        let within = |id: &&DecisionId| id.made() > oldest.plus(DISORDER) && id.made() < newest.minus(DISORDER);
        self.named.iter().filter(|id| !self.decisions.contains(*id)).filter(within).count() as u64
    }
}

/// Whether what was allowed would end if nothing of the device's posture passed any more, by the policies of today; unknown where
/// they would not allow it at all.
fn ends_with_posture(administrator: &Administrator, decision: &[u8]) -> Option<bool> {
    let entry: DecisionEntry = serde_json::from_slice(decision).ok()?;
    let mut question = entry.question.question()?;
    let allowed = |question: &Question| matches!(administrator.explain(question).decision, Decision::Allow(_));
    if !allowed(&question) {
        return None;
    }
    let device = question.circumstances.device.as_mut()?;
    device.compliant = false;
    device.posture_age = None;
    device.findings = PostureAspect::ALL.into_iter().map(|aspect| (aspect, Finding::Stale)).collect();
    Some(!allowed(&question))
}

/// Counts the newest of the ledger. What cannot be read is not counted, and said in the log.
pub(super) fn count(
    administrator: &Administrator,
    now: Timestamp,
    progress: &Progress,
    tallies: &mut Tallies,
) -> Option<Lately> {
    verified(administrator.ledger(), now, progress, tallies);
    let (ledger, since) = (administrator.ledger(), now.minus(SPAN));
    let newest = ledger.size().saturating_sub(MOST);
    let from = || Ok::<_, ReadError>(ledger.not_before(since)?.max(newest).max(ledger.first()?));
    let span = from().map_err(Unread::from).and_then(|from| Span::read(administrator, (from, since), progress));
    let span = match span {
        Ok(span) => span,
        Err(Unread::Stopped) => return None,
        Err(error) => {
            tracing::warn!(%error, "what happened lately is not counted for the gap map");
            return None;
        }
    };
    let (Some(oldest), Some(newest)) = (span.oldest, span.newest) else { return None };
    let recorded = span.decisions.len() as u64;
    let recorded = Share { good: recorded, known: recorded + span.missing(), of: recorded + span.missing() };
    for (told, Share { good, known, of }) in [
        (Told::SignInsMultiFactor, span.multi_factor),
        (Told::SignInsPhishingResistant, span.phishing_resistant),
        (Told::RequestsEncrypted, span.encrypted),
        (Told::DecisionsWithVerifiedPosture, span.posture),
        (Told::LeasesBoundToDevice, span.bound),
        (Told::PrivilegeJustInTime, span.just_in_time),
        (Told::DecisionsRecorded, recorded),
    ] {
        tallies.insert(told, Tally { good, known, of, oldest, newest });
    }
    let entitlements = entitlements(administrator, &span);
    tallies.insert(Told::EntitlementsUsed, Tally { oldest, newest, ..entitlements });
    let held = |(from, end): &(Timestamp, Timestamp)| end.max(from).min(&now).since(*from).as_secs();
    let just_in_time_seconds = span.grants.values().map(held).sum();
    let privilege = (oldest < now).then_some(PrivilegeTime { from: oldest, until: now, just_in_time_seconds });
    Some(Lately { privilege, used: span.used, since: oldest })
}

/// What a resource gives a group, used by somebody of the group: rows as `policy suggest` lists them. Each class counts for the
/// right that it takes at the least.
fn entitlements(administrator: &Administrator, span: &Span) -> Tally {
    let (mut share, mut groups) = (Share::default(), Groups::new(administrator));
    let resources = administrator.resources();
    for resource in resources.iter().filter(|resource| resource.kind != ResourceKind::Countersign) {
        let entitled = &resource.entitled;
        for (named, classes) in [
            (&entitled.readers, &[ActionClass::Read][..]),
            (&entitled.writers, &[ActionClass::Write, ActionClass::Connect]),
            (&entitled.administrators, &[ActionClass::Administer]),
        ] {
            for group in named {
                let mut users = classes.iter().filter_map(|class| span.used.get(&(resource.id.clone(), *class)));
                share.add(Some(users.any(|who| who.keys().any(|subject| groups.within(subject, group)))));
            }
        }
    }
    let Share { good, known, of } = share;
    Tally { good, known, of, oldest: Timestamp::default(), newest: Timestamp::default() }
}

/// Checks the newest entries of the published log against its signed checkpoint, here and now.
fn verified(ledger: &Ledger, now: Timestamp, progress: &Progress, tallies: &mut Tallies) {
    let go_on = |_| if progress.is_stopped() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
    let report = match ledger.verify_newest(MOST, go_on) {
        Ok(report) => report,
        // Nothing is published yet.
        Err(VerifyError::NoCheckpoint) => return,
        Err(error) => return tracing::warn!(%error, "the ledger is not verified for the gap map"),
    };
    if progress.is_stopped() {
        return;
    }
    // The bundle that still grows is another file with each checkpoint: what is read of it may be of the next.
    let whole = report.entries - report.entries % TILE;
    let growing = |fault: &&Fault| match fault {
        Fault::Removed { first, .. } | Fault::Rewritten { first, .. } => *first >= whole,
        _ => false,
    };
    let (moved, faults): (Vec<&Fault>, Vec<&Fault>) = report.faults.iter().partition(growing);
    for fault in &faults {
        tracing::error!(%fault, "the ledger does not hold");
    }
    let wrong = |fault: &&Fault| match fault {
        Fault::Removed { first, last, .. } | Fault::Rewritten { first, last } => last - first + 1,
        Fault::Changed { .. } | Fault::Moved { .. } => 1,
        Fault::Tile { .. } => 0,
        Fault::Root | Fault::RolledBack { .. } | Fault::History { .. } => report.entries,
    };
    let wrong: u64 = faults.iter().map(wrong).sum();
    let known = match faults.first() {
        // Nothing is vouched for.
        Some(Fault::Root) => report.entries,
        _ if moved.is_empty() => report.checked,
        _ => report.checked.saturating_sub(report.entries % TILE),
    };
    // Where there are more faults than are told, nobody knows how many.
    let good = if faults.len() >= MAX_FAULTS { 0 } else { known.saturating_sub(wrong) };
    let verified = Tally { good, known, of: report.entries, oldest: now, newest: now };
    tallies.insert(Told::LedgerVerified, verified);
}
