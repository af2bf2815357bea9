//! The gate's other side: from a request to an admission. Everything that opens anything comes through
//! [`Administrator::admit_one`].

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use countersign_lease::{
    Admission, Authority, AuthorityFuture, Catalog, EndReason, Ended, HandOff, HandOffError, Principal, Refusal,
    RefusalKind, SessionCookie, Tether,
};
use countersign_ledger::{AppendError, DecisionEntry, EntryBody, LeaseEndedEntry, Point, Receipt};
use countersign_model::{
    AccessRequest, Challenge, Decision, DecisionId, DenialCause, LeaseId, Need, Observed, Remedy, SubjectKind,
    Timestamp,
};
use countersign_policy::Slice;
use smallvec::SmallVec;

use crate::Administrator;
use crate::circumstances::{Judgement, Proof, Sight, deny};
use crate::leases::Live;

impl Authority for Administrator {
    fn admit(&self, request: AccessRequest, tether: Tether) -> AuthorityFuture<'_, Result<Admission, Refusal>> {
        Box::pin(self.admit_one(request, tether))
    }

    fn end(&self, ended: Ended) {
        self.take_out(ended.lease);
        let (cause, by_decision) = match &ended.reason {
            EndReason::Completed => ("completed", None),
            EndReason::Revoked(revocation) => (revocation.cause.name(), revocation.decision),
        };
        self.record_end(ended.lease, ended.decision, cause, by_decision, (ended.bytes_sent, ended.bytes_received));
    }

    fn catalog(&self) -> Arc<Catalog> {
        Administrator::catalog(self)
    }

    fn redeem(&self, hand_off: HandOff) -> AuthorityFuture<'_, Result<SessionCookie, HandOffError>> {
        Box::pin(self.redeem_hand_off(hand_off))
    }
}

impl Administrator {
    async fn admit_one(&self, request: AccessRequest, tether: Tether) -> Result<Admission, Refusal> {
        let Some(_seat) = self.take_seat() else { return Err(unrecorded(RefusalKind::Overloaded)) };
        if !self.ready() {
            return Err(unrecorded(RefusalKind::Unavailable));
        }
        let began = Instant::now();
        let now = self.now();
        let id = DecisionId::timed(now, rand::random());
        let (sight, mut judgement, mut enlisted) = self.decide_and_enlist(request, id, &tether, now)?;
        self.shadow(id, &mut judgement);
        if !matches!(judgement.decision, Decision::Allow(_)) {
            enlisted = None;
        }
        self.0.metrics.decided(&judgement.decision, began.elapsed());
        self.0.metrics.observed(judgement.observed.as_ref());

        let refusal = self.refusal(id, &judgement);
        if let Some(refusal) = &refusal
            && judgement.asked.subject.kind() == SubjectKind::Anonymous
            && !self.0.accounts.strangers.records(Some(sight.address), now)
        {
            return Err(Refusal { decision: None, kind: refusal.kind.clone() });
        }
        let lease = enlisted.as_ref().map(|it| it.live.id);
        let shown = self.pair(&judgement);
        let due = self.due(&judgement);
        let entry = DecisionEntry { shown, ..decision_entry(id, &sight, judgement, lease, None) };
        if let Some(enlisted) = &mut enlisted {
            enlisted.recorded = true;
        }
        // A crash before this is durable leaves neither a record nor an access; after it, a record of an access that
        // perhaps was never used.
        let receipt = self.record_behind(due, EntryBody::Decision(Box::new(entry))).await;
        match (receipt, enlisted, refusal) {
            (Ok(receipt), Some(enlisted), None) => Ok(enlisted.admit(receipt)),
            (Ok(_), _, Some(refusal)) => Err(refusal),
            (Err(AppendError::Full), _, _) => Err(unrecorded(RefusalKind::Overloaded)),
            (Ok(_), None, None) | (Err(AppendError::Broken | AppendError::Entry(_)), _, _) => {
                Err(unrecorded(RefusalKind::Unavailable))
            }
        }
    }

    /// A decision that no change has overtaken; where it allows, the lease is already in the table.
    //
    // INVARIANT: a change publishes, then moves the epoch, then looks for leases. One that is published after this
    // decision looked has either moved the epoch when it is read again, and everything is decided anew, or finds the
    // lease in the table.
    fn decide_and_enlist(
        &self,
        request: AccessRequest,
        id: DecisionId,
        tether: &Tether,
        now: Timestamp,
    ) -> Result<(Arc<Sight>, Judgement, Option<Enlisted>), Refusal> {
        const ATTEMPTS: usize = 32;
        let mut epoch = self.0.epoch.load(Ordering::SeqCst);
        let (sight, mut proof) = self.see(request, now);
        for _ in 0..ATTEMPTS {
            let judgement = self.judge(&sight, &proof, now);
            let enlisted = self.live(id, &sight, &proof, &judgement, tether, now);
            let enlisted = enlisted.map(|live| self.enlist(live, judgement.holds_until));
            let reached = self.0.epoch.load(Ordering::SeqCst);
            if reached == epoch {
                return Ok((sight, judgement, enlisted));
            }
            epoch = reached;
            proof = self.see_again(&proof, now);
        }
        // The world changes faster than it can be looked at.
        Err(unrecorded(RefusalKind::Overloaded))
    }

    /// What the enforcement point is told; nothing for an allow.
    fn refusal(&self, id: DecisionId, judgement: &Judgement) -> Option<Refusal> {
        let nobody = judgement.asked.subject.kind() == SubjectKind::Anonymous;
        let kind = match &judgement.decision {
            Decision::Allow(_) => return None,
            Decision::Deny(denial) if denial.cause == DenialCause::Unavailable => RefusalKind::Unavailable,
            // A token that proves nothing is no reason to sign in.
            Decision::Deny(denial) if denial.cause == DenialCause::InvalidCredential => {
                RefusalKind::Denied { remedy: None }
            }
            // INVARIANT: whoever is nobody yet is told the same wherever they knock, known address or not: sign in. What
            // else somebody would need is told to somebody.
            Decision::Deny(_) | Decision::Challenge(_) if nobody => {
                RefusalKind::Challenged { remedy: Remedy { needs: vec![Need::SignIn], advice: None } }
            }
            Decision::Challenge(Challenge { remedy, .. }) => RefusalKind::Challenged {
                remedy: Remedy {
                    needs: remedy.needs.clone(),
                    advice: remedy.advice.clone().filter(|_| self.discloses()),
                },
            },
            Decision::Deny(denial) => {
                RefusalKind::Denied { remedy: denial.remedy.clone().filter(|_| self.discloses()) }
            }
        };
        Some(Refusal { decision: Some(id), kind })
    }

    /// The lease of a decision that allows; nothing for any other.
    fn live(
        &self,
        decision: DecisionId,
        sight: &Arc<Sight>,
        proof: &Proof,
        judgement: &Judgement,
        tether: &Tether,
        now: Timestamp,
    ) -> Option<Live> {
        let (Decision::Allow(_), Some((subject, resource))) = (&judgement.decision, &judgement.shown) else {
            return None;
        };
        let asked = &judgement.asked;
        let mut subjects = SmallVec::from_iter([asked.subject.clone()]);
        subjects.extend(subject.acts_for().cloned());
        if let Proof::Valid(resolved) = proof {
            subjects.extend(resolved.owner.clone());
        }
        let view = self.0.world.view();
        let principal = Principal {
            subject: asked.subject.clone(),
            display_name: subject.display_name().to_owned(),
            email: subject.email().map(str::to_owned),
            groups: view.closure(subject.groups()).iter().map(|group| group.as_str().to_owned()).collect(),
            session: asked.session,
            device: asked.circumstances.device.as_ref().map(|device| device.id.clone()),
            resource: resource.resource.id.clone(),
        };
        Some(Live {
            id: LeaseId::timed(now, rand::random()),
            decision,
            sight: Arc::clone(sight),
            proof: proof.clone(),
            principal: Arc::new(principal),
            opened: now,
            tether: tether.clone(),
            subjects,
            device: view.evident_device(&sight.device).map(|record| record.id().clone()),
        })
    }

    fn enlist(&self, live: Live, holds_until: Timestamp) -> Enlisted {
        let live = Arc::new(live);
        self.0.leases.enlist(&live, holds_until);
        self.0.metrics.leases.increment(1.0);
        Enlisted { administrator: self.clone(), live, recorded: false, admitted: false }
    }

    /// One live decision in so many is made a second time by Cedar's own authorizer. The stricter of two that differ
    /// counts.
    fn shadow(&self, id: DecisionId, judgement: &mut Judgement) {
        let one_in = self.0.rules.load().settings.shadow_one_in;
        let turn = self.0.decided.fetch_add(1, Ordering::Relaxed);
        let due = one_in != 0 && turn.is_multiple_of(u64::from(one_in));
        let (true, Some((subject, resource)), Some(question)) = (due, &judgement.shown, judgement.asked.question())
        else {
            return;
        };
        let policies = self.policies();
        if policies.hash() != judgement.policy_set {
            return;
        }
        let slice = Slice { subject: &subject.record, resource: &resource.record };
        let reference = policies.judge_by_reference(&slice, &question);
        metrics::counter!("countersign_shadow_decisions_total").increment(1);
        if (&reference.decision, &reference.observed) == (&judgement.decision, &judgement.observed) {
            return;
        }
        let plan = answer(&judgement.decision, judgement.observed.as_ref());
        let by_reference = answer(&reference.decision, reference.observed.as_ref());
        tracing::error!(decision = %id, plan, reference = by_reference,
            "the compiled plan and Cedar's authorizer differ");
        metrics::counter!("countersign_shadow_differences_total").increment(1);
        let policy_set = judgement.policy_set.clone();
        self.record_later(EntryBody::ShadowDifference { decision: id, policy_set, plan, reference: by_reference });
        if reference.decision == judgement.decision {
            judgement.observed = reference.observed;
        } else {
            judgement.decision = stricter(std::mem::take(&mut judgement.decision), reference.decision);
            judgement.observed = None;
        }
        // Which facts lead to it cannot be said: decided again it may come out otherwise.
        judgement.shown = None;
    }

    pub(crate) fn take_seat(&self) -> Option<Seat<'_>> {
        let most = self.0.rules.load().settings.max_in_flight;
        let seat = Seat(self);
        (self.0.in_flight.fetch_add(1, Ordering::AcqRel) < most).then_some(seat)
    }

    fn record_end(
        &self,
        lease: LeaseId,
        decision: DecisionId,
        cause: &str,
        by_decision: Option<DecisionId>,
        (bytes_sent, bytes_received): (u64, u64),
    ) {
        let cause = cause.to_owned();
        let ended = LeaseEndedEntry { lease, decision, cause, bytes_sent, bytes_received, by_decision };
        self.record_later(EntryBody::LeaseEnded(ended));
    }

    fn take_out(&self, lease: LeaseId) {
        if self.0.leases.remove(lease) {
            self.0.metrics.leases.decrement(1.0);
        }
    }
}

/// One of the admissions that may wait at once.
pub(crate) struct Seat<'a>(&'a Administrator);

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.0.0.in_flight.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A lease that stands in the table and is not admitted yet. Dropped without that (not recorded, or whoever asked has
/// gone), it leaves the table again.
struct Enlisted {
    administrator: Administrator,
    live: Arc<Live>,
    /// Whether a decision that names this lease may be in the ledger.
    recorded: bool,
    admitted: bool,
}

impl Enlisted {
    fn admit(mut self, receipt: Receipt) -> Admission {
        self.admitted = true;
        Admission::new(self.live.id, self.live.decision, receipt, Arc::clone(&self.live.principal))
    }
}

impl Drop for Enlisted {
    fn drop(&mut self) {
        if self.admitted {
            return;
        }
        self.administrator.take_out(self.live.id);
        if self.recorded {
            self.administrator.record_end(self.live.id, self.live.decision, "never-opened", None, (0, 0));
        }
    }
}

pub(crate) fn decision_entry(
    id: DecisionId,
    sight: &Sight,
    judgement: Judgement,
    lease: Option<LeaseId>,
    supersedes: Option<DecisionId>,
) -> DecisionEntry {
    DecisionEntry {
        id,
        question: judgement.asked,
        decision: judgement.decision,
        point: Point::from(&sight.point),
        policy_set: judgement.policy_set,
        generation: judgement.generation,
        credential_kind: sight.credential_kind.clone(),
        lease,
        supersedes,
        shown: None,
        observed: judgement.observed.map(Box::new),
    }
}

/// Both in a few words.
fn answer(decision: &Decision, observed: Option<&Observed>) -> String {
    match observed {
        None => decision.name().to_owned(),
        Some(observed) => format!("{}, {} without observe mode", decision.name(), observed.decision.name()),
    }
}

const fn unrecorded(kind: RefusalKind) -> Refusal {
    Refusal { decision: None, kind }
}

fn stricter(plan: Decision, reference: Decision) -> Decision {
    match (&plan, &reference) {
        (Decision::Deny(_), _) => plan,
        (_, Decision::Deny(_)) => reference,
        (Decision::Challenge(_), _) => plan,
        (_, Decision::Challenge(_)) => reference,
        // Both allow, for different reasons: which of them is right nobody knows here.
        (Decision::Allow(_), Decision::Allow(_)) => deny(DenialCause::Unavailable),
    }
}
