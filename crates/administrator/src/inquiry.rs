//! Decisions for services that enforce by themselves. The service says about whom, what and under which circumstances;
//! posture, groups, risk and time are what is known here and nobody's to state. The decision is recorded with the
//! service as its enforcement point; there is no lease, since what the service opens nobody here can close. A search is
//! answered by what asking finds under the same circumstances, and recorded as one act of the service.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use countersign_ledger::{AppendError, DecisionEntry, EntryBody};
use countersign_model::{
    Action, ActionClass, Decision, DecisionId, DeviceEvidence, DeviceId, EnforcementPoint, HttpCircumstances, Methods,
    Observed, ResourceId, SubjectId, Timestamp,
};
use countersign_policy::ask::{Proven, Situation};

use crate::authority::decision_entry;
use crate::circumstances::{Proof, Sight, gather};
use crate::sessions::Resolved;
use crate::{ActError, Actor, Administrator};

/// What a service asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inquiry {
    pub subject: SubjectId,
    pub action: Action,
    pub resource: ResourceId,
    pub stated: Stated,
}

/// What the service vouches for, as the gateway vouches for what it saw. What is absent counts as not known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stated {
    /// How the subject proved itself to the service, and how long ago.
    pub authentication: Option<(Methods, Duration)>,
    /// The device that proved itself. What it is like is known here.
    pub device: Option<DeviceId>,
    pub address: Option<IpAddr>,
    pub encrypted: bool,
    pub http: Option<HttpCircumstances>,
}

/// A recorded decision.
#[derive(Debug, Clone, PartialEq)]
pub struct Answered {
    pub id: DecisionId,
    pub decision: Decision,
    /// What would have been decided without observe mode, where that is something else.
    pub observed: Option<Observed>,
}

/// Why nothing was decided: then the answer is no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InquiryError {
    #[error("there is more to decide than can be decided in time")]
    Overloaded,
    #[error("nothing can be recorded at the moment, so nothing is decided")]
    Unavailable,
}

impl Administrator {
    /// Decides for `caller`, and returns once that is durable.
    pub async fn inquire(&self, inquiry: Inquiry, caller: &SubjectId) -> Result<Answered, InquiryError> {
        let Some(_seat) = self.take_seat() else { return Err(InquiryError::Overloaded) };
        if !self.ready() {
            return Err(InquiryError::Unavailable);
        }
        let now = self.now();
        let id = DecisionId::timed(now, rand::random());
        let Inquiry { subject, action, resource, stated } = inquiry;
        // As where no route covers a request: that it was asked for is in the record either way.
        let resource = Some(resource).filter(|id| self.resource(id).is_some());
        let (sight, stated) = self.vouched(caller, action, resource, stated, now);
        let proof = Proof::Valid(Resolved { subject, ..stated });
        let judgement = self.judge(&sight, &proof, now);
        self.0.metrics.observed(judgement.observed.as_ref());
        let decision = self.disclosed(judgement.decision.clone());
        let observed = judgement.observed.clone();
        let observed = observed.map(|it| Observed { decision: self.disclosed(it.decision), ..it });
        let (shown, due) = (self.pair(&judgement), self.due(&judgement));
        let entry = DecisionEntry { shown, ..decision_entry(id, &sight, judgement, None, None) };
        match self.record_behind(due, EntryBody::Decision(Box::new(entry))).await {
            Ok(_) => Ok(Answered { id, decision, observed }),
            Err(AppendError::Full) => Err(InquiryError::Overloaded),
            Err(AppendError::Broken | AppendError::Entry(_)) => Err(InquiryError::Unavailable),
        }
    }

    /// What `caller` vouches for, as what an enforcement point saw, and what that proves of nobody in particular.
    fn vouched(
        &self,
        caller: &SubjectId,
        action: Action,
        resource: Option<ResourceId>,
        stated: Stated,
        now: Timestamp,
    ) -> (Sight, Resolved) {
        let Stated { authentication, device, address, encrypted, http } = stated;
        let view = self.0.world.view();
        let device = device.and_then(|id| view.device(&id)).map(|record| record.device().certificate);
        let sight = Sight {
            point: EnforcementPoint { node: self.0.node.clone(), channel: "authzen", caller: Some(caller.clone()) },
            device: device.map_or(DeviceEvidence::Absent, |fingerprint| DeviceEvidence::Certificate { fingerprint }),
            action,
            resource,
            address: address.unwrap_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED)),
            encrypted,
            http: http.map(Arc::new),
            credential_kind: "stated".to_owned(),
        };
        let authentication = authentication.map(|(methods, age)| (methods, now.minus(age)));
        (sight, Resolved { authentication, ..Resolved::anonymous() })
    }

    /// The circumstances under which [`inquire`](Self::inquire) decides now what is stated so, to ask who could and what.
    pub fn stated_situation(&self, caller: &SubjectId, stated: Stated) -> Situation {
        let now = self.now();
        // Circumstances are the same for whatever is wanted.
        let (sight, stated) = self.vouched(caller, Action::http(ActionClass::Read), None, stated, now);
        let (circumstances, _) = gather(&self.0.world.view(), &self.0.rules.load(), &sight, &stated, now);
        Situation { circumstances, proven: Proven::AsStated, risk: None }
    }

    /// Records a search before it is answered, with what was asked and how much was found: the answer names people who
    /// asked for nothing, so there is no decision about each of them.
    pub async fn record_search(
        &self,
        caller: &Actor,
        of: &'static str,
        target: &str,
        detail: String,
    ) -> Result<(), ActError> {
        self.record_act(caller, &format!("search.{of}"), target, detail).await
    }

    /// The decision as its subject may be told of it.
    fn disclosed(&self, mut decision: Decision) -> Decision {
        if !self.discloses() {
            match &mut decision {
                Decision::Deny(denial) => denial.remedy = None,
                Decision::Challenge(challenge) => challenge.remedy.advice = None,
                Decision::Allow(_) => {}
            }
        }
        decision
    }
}
