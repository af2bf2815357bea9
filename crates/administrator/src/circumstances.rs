//! From what an enforcement point saw to a decision: the question is put together from one view of the world, and the
//! policy engine answers it. Also until when the answer holds. Nothing is recorded or cut here.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use countersign_ledger::Asked;
use countersign_model::{
    AccessRequest, Action, ActionClass, Assessment, Authentication, Circumstances, Credential, Decision, Denial,
    DenialCause, DeviceCircumstances, DeviceEvidence, EnforcementPoint, HttpCircumstances, NetworkCircumstances,
    Observed, Question, Reasons, Resource, ResourceId, ResourceKind, SubjectId, SubjectState, Tier, TimeCircumstances,
    Timestamp, ZoneName,
};
use countersign_policy::{Judged, Slice};

use crate::policies::Rules;
use crate::sessions::{CredentialFault, Presented, Resolved};
use crate::world::{DeviceRecord, ResourceRecord, SubjectRecord, View};
use crate::{Administrator, Disclosure};

/// How long a decision stands under a policy that computes with time in a way that tells no instant.
const CONTINUOUS: Duration = Duration::from_secs(5);

/// What an enforcement point saw, without the credential: fit to be kept. It never changes; what the credential
/// [proved](Proof) may.
#[derive(Debug)]
pub(crate) struct Sight {
    pub(crate) point: EnforcementPoint,
    pub(crate) device: DeviceEvidence,
    pub(crate) action: Action,
    pub(crate) resource: Option<ResourceId>,
    pub(crate) address: IpAddr,
    pub(crate) encrypted: bool,
    pub(crate) http: Option<Arc<HttpCircumstances>>,
    pub(crate) credential_kind: String,
}

/// What the credential came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Proof {
    Valid(Resolved),
    /// It proves nothing: the request is denied, whatever it is for.
    Void {
        subject: SubjectId,
    },
}

/// A decision with what it rests on.
#[derive(Debug, Clone)]
pub(crate) struct Judgement {
    pub(crate) asked: Asked,
    /// What counts.
    pub(crate) decision: Decision,
    /// What would count without observe mode, where that is something else.
    pub(crate) observed: Option<Observed>,
    pub(crate) generation: u64,
    pub(crate) policy_set: String,
    /// The first later instant at which the same facts may be decided differently.
    pub(crate) holds_until: Timestamp,
    /// The records that the policies were shown; absent where none was asked.
    pub(crate) shown: Option<(Arc<SubjectRecord>, Arc<ResourceRecord>)>,
}

impl Administrator {
    /// Exchanges the credential for what it proves. A cookie or a device certificate that proves nothing counts as
    /// none: what needs no proof, such as signing in again, stays open to its bearer, and nothing else does. A bearer
    /// token that proves nothing is refused.
    pub(crate) fn see(&self, request: AccessRequest, now: Timestamp) -> (Arc<Sight>, Proof) {
        let view = self.0.world.view();
        let rules = self.0.rules.load();
        let AccessRequest { point, credential, device, action, resource, address, encrypted, http } = request;
        let record = view.evident_device(&device).filter(|record| record.proves(now));
        let uncertified = record.is_none() && device != DeviceEvidence::Absent;
        let idle = rules.settings.session_idle;
        let presented = Presented { credential: &credential, device: record.map(|it| it.id()), address, idle, now };
        let resolved = match &credential {
            Credential::SessionCookie { .. } if uncertified => Err(CredentialFault::WrongDevice),
            _ => self.0.accounts.sessions.resolve(&presented),
        };
        let (kind, proof) = match (resolved, &credential) {
            (Ok(resolved), credential) => (kind(credential).to_owned(), Proof::Valid(resolved)),
            (Err(fault), Credential::SessionCookie { .. }) => {
                (format!("session-cookie, not counted: {fault}"), Proof::Valid(Resolved::anonymous()))
            }
            (Err(fault), credential) => {
                let subject = SubjectId::anonymous();
                (format!("{}, refused: {fault}", kind(credential)), Proof::Void { subject })
            }
        };
        let http = http.map(|it| HttpCircumstances { method: it.method, host: it.host, path: it.path }).map(Arc::new);
        let sight = Sight { point, device, action, resource, address, encrypted, http, credential_kind: kind };
        (Arc::new(sight), proof)
    }

    /// The same proof as it stands now. What no longer stands is void, not anonymous: whoever was let in as somebody is
    /// not kept as nobody.
    pub(crate) fn see_again(&self, proof: &Proof, now: Timestamp) -> Proof {
        let Proof::Valid(resolved) = proof else { return proof.clone() };
        let idle = self.0.rules.load().settings.session_idle;
        let standing = self.0.accounts.sessions.standing(resolved, idle, now);
        standing.map_or_else(|| Proof::Void { subject: resolved.subject.clone() }, Proof::Valid)
    }

    /// Decides on one view of the world and one set of rules.
    pub(crate) fn judge(&self, sight: &Sight, proof: &Proof, now: Timestamp) -> Judgement {
        self.judge_by(&self.0.rules.load(), sight, proof, now)
    }

    /// The same, by rules that need not be in force.
    pub(crate) fn judge_by(&self, rules: &Rules, sight: &Sight, proof: &Proof, now: Timestamp) -> Judgement {
        let view = self.0.world.view();
        let resolved = match proof {
            Proof::Valid(resolved) => Cow::Borrowed(resolved),
            Proof::Void { subject } => Cow::Owned(Resolved { subject: subject.clone(), ..Resolved::anonymous() }),
        };
        let (mut circumstances, mut holds_until) = gather(&view, rules, sight, &resolved, now);
        holds_until = holds_until.min(resolved.expires);
        let subject = view.subject(&resolved.subject);
        circumstances.risk = subject.map_or(0, |record| record.risk);
        let resource = sight.resource.as_ref().and_then(|id| view.resource(id));

        let pinned =
            resolved.session.is_none() || resolved.device.as_ref() == circumstances.device.as_ref().map(|d| &d.id);
        let active = |id: &SubjectId| view.is_active(id);
        let answers = resolved.owner.as_ref().is_none_or(active)
            && subject.and_then(|record| record.acts_for()).is_none_or(active);
        // What anybody may read before they are known is no part of what a key is for.
        let open = |it: &Resource| it.kind == ResourceKind::Countersign && it.tier == Tier::Public;
        let covered = |it: &Resource| {
            let class = sight.action.class;
            (class == ActionClass::Read && open(it))
                || resolved.scope.as_ref().is_none_or(|scope| scope.covers(&it.id, class))
        };

        let for_policies = match (proof, subject, resource) {
            (Proof::Void { .. }, _, _) | (_, None, _) => Err(DenialCause::InvalidCredential),
            _ if !pinned => Err(DenialCause::InvalidCredential),
            (_, Some(subject), _) if subject.state == SubjectState::Disabled => Err(DenialCause::SubjectDisabled),
            _ if !answers => Err(DenialCause::SubjectDisabled),
            (_, _, None) => Err(DenialCause::UnknownResource),
            (_, _, Some(resource)) if !covered(&resource.resource) => Err(DenialCause::OutOfScope),
            (_, Some(subject), Some(resource)) => Ok((subject, resource)),
        };
        let (subject, action, session) = (resolved.subject.clone(), sight.action, resolved.session);
        let (asked, Judged { decision, observed }, shown) = match for_policies {
            // INVARIANT: what is refused before policies are asked is refused in observe mode too.
            Err(cause) => {
                let resource = sight.resource.clone();
                let judged = Judged { decision: deny(cause), observed: None };
                (Asked { subject, action, resource, session, circumstances }, judged, None)
            }
            Ok((person, resource)) => {
                circumstances.exception = view.relaxing(person, resource, action.class, now);
                if let Some(exception) = &circumstances.exception {
                    holds_until = holds_until.min(exception.expires);
                }
                let slice = Slice { subject: &person.record, resource: &resource.record };
                let id = resource.resource.id.clone();
                if let Some(until) = resource.resource.observed_until(now) {
                    holds_until = holds_until.min(until);
                }
                let question = Question { subject, action, resource: id, session, circumstances };
                let judged = rules.policies.judge(&slice, &question);
                (Asked::from(question), judged, Some((Arc::clone(person), Arc::clone(resource))))
            }
        };
        let policy_set = rules.policies.hash().to_owned();
        Judgement { asked, decision, observed, generation: view.generation, policy_set, holds_until, shown }
    }

    /// What would be decided about this request now. Nothing is recorded and nothing opened by it; the credential
    /// counts as used.
    pub fn would_decide(&self, request: AccessRequest) -> Decision {
        let now = self.now();
        let (sight, proof) = self.see(request, now);
        self.judge(&sight, &proof, now).decision
    }

    /// What would be decided about a question that is put as a whole.
    pub fn explain(&self, question: &Question) -> Judged {
        let view = self.0.world.view();
        let denied = |cause| Judged { decision: deny(cause), observed: None };
        match (view.subject(&question.subject), view.resource(&question.resource)) {
            (None, _) => denied(DenialCause::InvalidCredential),
            (Some(subject), _) if subject.state == SubjectState::Disabled => denied(DenialCause::SubjectDisabled),
            (_, None) => denied(DenialCause::UnknownResource),
            (Some(subject), Some(resource)) => {
                let slice = Slice { subject: &subject.record, resource: &resource.record };
                self.0.rules.load().policies.judge(&slice, question)
            }
        }
    }

    /// Whether a person may be told what would change a denial.
    pub(crate) fn discloses(&self) -> bool {
        self.0.rules.load().settings.disclosure == Disclosure::Remedy
    }
}

const fn kind(credential: &Credential) -> &'static str {
    match credential {
        Credential::Absent => "absent",
        Credential::SessionCookie { .. } => "session-cookie",
        Credential::Bearer(_) => "bearer",
        Credential::Ambiguous => "ambiguous",
    }
}

pub(crate) fn deny(cause: DenialCause) -> Decision {
    Decision::Deny(Denial { cause, reasons: Reasons::default(), remedy: None })
}

/// Everything but the risk and exceptions, and until when it stays as it is.
pub(crate) fn gather(
    view: &View,
    rules: &Rules,
    sight: &Sight,
    resolved: &Resolved,
    now: Timestamp,
) -> (Circumstances, Timestamp) {
    let time = rules.policies.time();
    let mut holds_until = Timestamp::FOREVER;
    let mut change_at = |instant: Timestamp| {
        if instant > now {
            holds_until = holds_until.min(instant);
        }
    };
    // An age is compared in whole seconds: it exceeds a limit one second after it has reached it.
    let ages = |since: Timestamp, change_at: &mut dyn FnMut(Timestamp)| {
        for &limit in &time.ages {
            change_at(since.plus(Duration::from_secs(limit)));
            change_at(since.plus(Duration::from_secs(limit.saturating_add(1))));
        }
    };

    let authentication = resolved.authentication.as_ref().map(|(methods, at)| {
        ages(*at, &mut change_at);
        Authentication { methods: methods.clone(), at: *at, age: now.since(*at).as_secs() }
    });
    let device = view.evident_device(&sight.device).filter(|record| record.proves(now)).map(|record| {
        let (device, observed, holds_until) = rules.device_at(record, now);
        change_at(holds_until);
        change_at(record.certificate_expires());
        if let Some(observed) = observed {
            ages(observed, &mut change_at);
        }
        device
    });
    for &instant in &time.instants {
        change_at(instant);
    }
    if time.hours {
        change_at(rules.next_hour(now));
    }
    if time.continuous {
        change_at(now.plus(CONTINUOUS));
    }
    let circumstances = Circumstances {
        authentication,
        device,
        network: NetworkCircumstances {
            address: sight.address,
            zones: rules.zones(sight.address),
            encrypted: sight.encrypted,
        },
        time: rules.time_at(now),
        risk: 0,
        grant: None,
        exception: None,
        http: sight.http.clone(),
    };
    (circumstances, holds_until)
}

impl Rules {
    /// A device as it is judged at `now`, since when the oldest fact about it is known, and until when nothing changes.
    pub(crate) fn device_at(
        &self,
        record: &DeviceRecord,
        now: Timestamp,
    ) -> (DeviceCircumstances, Option<Timestamp>, Timestamp) {
        let Assessment { findings, observed, holds_until } =
            self.settings.posture.assess_each(|aspect| record.fact(aspect), now);
        let device = DeviceCircumstances {
            id: record.id().clone(),
            managed: record.managed,
            compliant: findings.is_empty(),
            findings,
            posture_age: observed.map(|observed| now.since(observed).as_secs()),
        };
        (device, observed, holds_until)
    }

    /// The named networks that an address lies in.
    pub(crate) fn zones(&self, address: IpAddr) -> BTreeSet<ZoneName> {
        let named = self.settings.zones.iter().filter(|(_, networks)| networks.iter().any(|it| it.contains(address)));
        let mut zones: BTreeSet<ZoneName> = named.map(|(name, _)| name.clone()).collect();
        if address.to_canonical().is_loopback()
            && let Ok(loopback) = ZoneName::new("loopback")
        {
            zones.insert(loopback);
        }
        zones
    }

    pub(crate) fn time_at(&self, now: Timestamp) -> TimeCircumstances {
        let instant = jiff::Timestamp::from_millisecond(now.millis()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let local = instant.to_zoned(self.time_zone.clone());
        TimeCircumstances {
            now,
            hour: local.hour().unsigned_abs(),
            weekday: local.weekday().to_monday_one_offset().unsigned_abs(),
            zone: Arc::clone(&self.zone_name),
        }
    }
}
