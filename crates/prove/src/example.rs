//! A request for which a guardrail does not hold, in the product's words. The solver finds it as symbols; here it becomes
//! a subject, a resource and circumstances, is made as small as it can be, and is decided by the policy engine itself:
//! only what the engine confirms is shown.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use cedar_policy::{EntityUid, EvalResult, Record};
use cedar_policy_core::ast::EntityUID;
use cedar_policy_symcc::Env;
use countersign_model::{
    Action, ActionClass, Authentication, AuthenticationMethod, Circumstances, Decision, DeviceCircumstances, DeviceId,
    Entitled, ExceptionCircumstances, Finding, GrantCircumstances, GrantId, GroupId, HttpCircumstances, Methods,
    NetworkCircumstances, PolicyId, PostureAspect, Resource, ResourceId, ResourceKind, SegmentId, Source, Subject,
    SubjectId, SubjectState, Tier, TimeCircumstances, Timestamp, Upstream, ZoneName,
};
use countersign_policy::{Claim, EVERYONE, Effect, Guardrail, PolicySet, Trial};

use crate::possible::literals;
use crate::smaller;

/// A request, and what is decided on it.
#[derive(Debug)]
pub struct Example {
    pub trial: Trial,
    pub decision: Decision,
    /// By the policies that the guardrail compares with.
    pub other: Option<Decision>,
    /// The policy that fails on it, where that is the matter.
    pub policy: Option<PolicyId>,
}

/// Why an example that the solver has is not shown.
#[derive(Debug)]
pub enum Fault {
    /// The prover and the engine do not agree: one of them is wrong.
    Internal(String),
    /// It cannot be said in the product's words.
    NotShown(String),
}

/// What an example has to show.
#[derive(Clone, Copy)]
pub(crate) struct Breach<'a> {
    pub(crate) set: &'a PolicySet,
    pub(crate) other: Option<&'a PolicySet>,
    pub(crate) guardrail: &'a Guardrail,
    /// Of what never errors.
    pub(crate) policy: Option<&'a PolicyId>,
}

fn allowed(decision: &Decision) -> bool {
    Effect::of(decision) == Effect::Allow
}

impl Breach<'_> {
    fn decide(set: &PolicySet, trial: &Trial) -> Result<Decision, Fault> {
        trial.decide(set).map_err(|_| {
            Fault::Internal("the compiled policies and Cedar's own authorizer differ on a request".to_owned())
        })
    }

    fn fails(&self, trial: &Trial, id: &PolicyId) -> bool {
        trial.considered(self.set).iter().any(|policy| policy.id == *id && policy.holds.is_none())
    }

    /// Whether the guardrail does not hold for this, by the engine.
    pub(crate) fn shows(&self, trial: &Trial) -> Result<bool, Fault> {
        let this = || Self::decide(self.set, trial).map(|decision| allowed(&decision));
        let other = || -> Result<bool, Fault> {
            let other = self.other.ok_or_else(|| Fault::NotShown("nothing to compare with".to_owned()))?;
            Ok(allowed(&Self::decide(other, trial)?))
        };
        if trial.is_described(self.set, self.guardrail) != Some(true) {
            return Ok(false);
        }
        Ok(match &self.guardrail.claim {
            Claim::NeverErrors => self.policy.is_some_and(|policy| self.fails(trial, policy)),
            Claim::NeverAllowed => this()?,
            Claim::AlwaysAllowed => !this()?,
            Claim::OnlyNarrows(_) => this()? && !other()?,
            Claim::EquivalentTo(_) => this()? != other()?,
        })
    }

    /// Whether some policy fails on it: then Cedar, which skips it, and the engine, which denies where it is a forbid, may
    /// differ without anybody being wrong.
    fn some_policy_fails(&self, trial: &Trial) -> Option<PolicyId> {
        let sets = std::iter::once(self.set).chain(self.other);
        let mut considered = sets.flat_map(|set| trial.considered(set));
        considered.find(|policy| policy.holds.is_none()).map(|policy| policy.id)
    }
}

impl Example {
    pub(crate) fn of(found: &Env, breach: &Breach<'_>) -> Result<Self, Fault> {
        let (trial, loose) = Reading::new(found, breach).trial()?;
        if !breach.shows(&trial)? {
            return Err(match (breach.some_policy_fails(&trial), loose.is_empty()) {
                (Some(policy), _) if breach.guardrail.claim != Claim::NeverErrors => Fault::NotShown(format!(
                    "the policy {policy} fails on the request that the prover found: mend that first"
                )),
                (_, false) => Fault::NotShown(format!(
                    "the prover found a request that cannot be said in the product's words ({})",
                    loose.join(", ")
                )),
                _ => Fault::Internal(format!(
                    "the prover and the policy engine differ on a request: {:?} {} {:?} with {:?}",
                    trial.subject.id, trial.action, trial.resource.id, trial.circumstances
                )),
            });
        }
        let sets = std::iter::once(breach.set).chain(breach.other);
        let policies = sets.flat_map(|set| set.cedar().policies()).chain(breach.guardrail.describes.as_ref());
        let trial = smaller::of(trial, &smaller::spans(policies), |trial| breach.shows(trial).unwrap_or(false));
        Ok(Self {
            decision: Breach::decide(breach.set, &trial)?,
            other: breach.other.map(|other| Breach::decide(other, &trial)).transpose()?,
            policy: breach.policy.cloned(),
            trial,
        })
    }

    /// What a test of this request would expect, once the guardrail holds.
    pub fn wanted(&self, claim: &Claim) -> Effect {
        match (claim, &self.other) {
            (Claim::AlwaysAllowed, _) => Effect::Allow,
            (Claim::NeverErrors, _) => Effect::of(&self.decision),
            (_, Some(other)) => Effect::of(other),
            _ => Effect::Deny,
        }
    }
}

/// The solver's request, being read.
struct Reading<'a> {
    found: &'a Env,
    named: BTreeSet<(String, String)>,
    /// The solver's names that mean nothing, and what stands for them.
    given: BTreeMap<(String, String), String>,
    /// What could not be kept as it was.
    loose: Vec<String>,
}

type Read<T> = Result<T, Fault>;

fn missing(what: &str) -> Fault {
    Fault::NotShown(format!("the prover's request has no {what}"))
}

impl<'a> Reading<'a> {
    fn new(found: &'a Env, breach: &Breach<'_>) -> Self {
        let sets = std::iter::once(breach.set).chain(breach.other);
        let policies = sets.flat_map(|set| set.cedar().policies()).chain(breach.guardrail.describes.as_ref());
        let part = |uid: &EntityUID| (uid.entity_type().to_string(), AsRef::<str>::as_ref(uid.eid()).to_owned());
        let named = literals(policies).iter().map(part).collect();
        Self { found, named, given: BTreeMap::new(), loose: Vec::new() }
    }

    /// A name that the policies speak of stays; any other is as good as a speaking one, since names are only compared.
    fn name(&mut self, uid: &EntityUid) -> String {
        let (kind, id) = (uid.type_name().to_string(), AsRef::<str>::as_ref(uid.id()).to_owned());
        if self.named.contains(&(kind.clone(), id.clone())) || kind == "Anonymous" {
            return id;
        }
        if let Some(given) = self.given.get(&(kind.clone(), id.clone())) {
            return given.clone();
        }
        let word = if kind == "Human" { "somebody".to_owned() } else { format!("some-{}", kind.to_lowercase()) };
        let taken = |name: &String| {
            let used = self.given.iter().any(|((other, _), given)| *other == kind && given == name);
            used || self.named.contains(&(kind.clone(), name.clone()))
        };
        let others = (2_u32..).map(|number| format!("{word}-{number}"));
        let name = std::iter::once(word.clone()).chain(others).find(|name| !taken(name)).unwrap_or(word.clone());
        self.given.insert((kind, id), name.clone());
        name
    }

    fn attribute(&self, of: &EntityUid, name: &str) -> Option<EvalResult> {
        self.found.entities.get(of)?.attr(name)?.ok()
    }

    fn subject_id(&mut self, uid: &EntityUid) -> Read<SubjectId> {
        let kind = uid.type_name().to_string();
        let name = self.name(uid);
        let id = match kind.as_str() {
            "Human" => SubjectId::human(&name),
            "Service" => SubjectId::service(&name),
            "Agent" => SubjectId::agent(&name),
            _ => return Ok(SubjectId::anonymous()),
        };
        id.map_err(|error| Fault::NotShown(format!("a policy names {uid}, and nobody can be called that: {error}")))
    }

    fn id<T>(&mut self, uid: &EntityUid, make: impl Fn(String) -> Result<T, countersign_model::NameError>) -> Read<T> {
        let name = self.name(uid);
        make(name).map_err(|error| Fault::NotShown(format!("a policy names {uid}, and nothing can be: {error}")))
    }

    fn groups(&mut self, value: Option<EvalResult>) -> Read<Vec<GroupId>> {
        let Some(EvalResult::Set(set)) = value else { return Ok(Vec::new()) };
        set.iter()
            .map(|one| match one {
                EvalResult::EntityUid(uid) => self.id(uid, GroupId::new),
                _ => Err(missing("group where there should be one")),
            })
            .collect()
    }

    fn person(&mut self, value: Option<EvalResult>) -> Read<Option<SubjectId>> {
        match value {
            Some(EvalResult::EntityUid(uid)) => self.subject_id(&uid).map(Some),
            _ => Ok(None),
        }
    }

    fn trial(mut self) -> Read<(Trial, Vec<String>)> {
        let request = self.found.request.clone();
        let principal = request.principal().ok_or_else(|| missing("subject"))?;
        let action = request.action().ok_or_else(|| missing("action"))?;
        let resource = request.resource().ok_or_else(|| missing("resource"))?;
        let action: Action = AsRef::<str>::as_ref(action.id()).parse().map_err(|_| missing("action that there is"))?;
        let mut groups = Vec::new();
        let ancestors: Vec<EntityUid> =
            self.found.entities.ancestors(principal).map(|all| all.cloned().collect()).unwrap_or_default();
        for group in &ancestors {
            groups.push(self.id(group, GroupId::new)?);
        }
        groups.retain(|group| group.as_str() != EVERYONE);
        groups.sort();
        let (owner, acts_for) = (self.attribute(principal, "owner"), self.attribute(principal, "acts_for"));
        let id = self.subject_id(principal)?;
        let subject = Subject {
            display_name: id.to_string(),
            id,
            email: None,
            owner: self.person(owner)?,
            acts_for: self.person(acts_for)?,
            state: SubjectState::Active,
            groups: groups.clone(),
            source: Source::Configuration,
            created: Timestamp::default(),
            last_used: None,
        };
        let resource = self.resource(resource)?;
        let circumstances = self.circumstances()?;
        Ok((Trial { subject, groups, resource, action, circumstances }, self.loose))
    }

    fn resource(&mut self, uid: &EntityUid) -> Read<Resource> {
        let text = |value| match value {
            Some(EvalResult::String(text)) => Some(text),
            _ => None,
        };
        let tier = text(self.attribute(uid, "tier"));
        let kind = text(self.attribute(uid, "kind"));
        let find_tier = Tier::ALL.into_iter().find(|known| tier.as_deref() == Some(known.name()));
        let find_kind = ResourceKind::ALL.into_iter().find(|known| kind.as_deref() == Some(known.name()));
        let segment = match self.attribute(uid, "segment") {
            Some(EvalResult::EntityUid(segment)) => Some(self.id(&segment, SegmentId::new)?),
            _ => None,
        };
        let owner = self.attribute(uid, "owner");
        let (readers, writers) = (self.attribute(uid, "readers"), self.attribute(uid, "writers"));
        let administrators = self.attribute(uid, "administrators");
        let id: ResourceId = self.id(uid, ResourceId::new)?;
        Ok(Resource {
            display_name: id.to_string(),
            id,
            kind: find_kind.ok_or_else(|| missing("kind of resource that there is"))?,
            tier: find_tier.ok_or_else(|| missing("tier that there is"))?,
            segment,
            owner: self.person(owner)?,
            source: Source::Configuration,
            routes: Vec::new(),
            upstream: Upstream::Internal { part: String::new() },
            rules: Vec::new(),
            entitled: Entitled {
                readers: self.groups(readers)?,
                writers: self.groups(writers)?,
                administrators: self.groups(administrators)?,
            },
            observe_until: None,
        })
    }

    fn circumstances(&mut self) -> Read<Circumstances> {
        let found = self.found;
        let context = found.request.context().ok_or_else(|| missing("circumstances"))?;
        let record = |name: &str| match context.get(name) {
            Some(EvalResult::Record(record)) => Some(record),
            _ => None,
        };
        let time = record("time").ok_or_else(|| missing("time"))?;
        let network = record("network").ok_or_else(|| missing("network"))?;
        let now = instant(time.get("now")).ok_or_else(|| missing("time"))?;
        if context.get("session").is_some() {
            self.loose.push("a session".to_owned());
        }
        let risk = match context.get("risk") {
            Some(EvalResult::Long(risk)) => u8::try_from(risk).ok(),
            _ => None,
        };
        let small = |number: Option<i64>, what| {
            number.and_then(|number| u8::try_from(number).ok()).ok_or_else(|| missing(what))
        };
        Ok(Circumstances {
            authentication: record("authentication").map(|proof| authentication(&proof, now)).transpose()?,
            device: record("device").map(|device| self.device(&device)).transpose()?,
            network: self.network(&network)?,
            time: TimeCircumstances {
                now,
                hour: small(long(&time, "hour"), "hour that there is")?,
                weekday: small(long(&time, "weekday"), "weekday that there is")?,
                zone: text(&time, "zone").unwrap_or_default().into(),
            },
            risk: risk.ok_or_else(|| missing("risk that there is"))?,
            grant: record("grant").map(|grant| self.grant(&grant)).transpose()?,
            exception: record("exception").map(|exception| self.exception(&exception, now)).transpose()?,
            http: record("http").map(|http| {
                let part = |name| text(&http, name).unwrap_or_default();
                HttpCircumstances { method: part("method"), host: part("host"), path: part("path") }.into()
            }),
        })
    }

    fn device(&mut self, device: &Record) -> Read<DeviceCircumstances> {
        let Some(EvalResult::EntityUid(uid)) = device.get("id") else { return Err(missing("device")) };
        let compliant = truth(device, "compliant");
        Ok(DeviceCircumstances {
            id: self.id(uid, DeviceId::new)?,
            managed: truth(device, "managed"),
            compliant,
            findings: match compliant {
                true => BTreeMap::new(),
                false => BTreeMap::from([(PostureAspect::Firewall, Finding::Failed)]),
            },
            posture_age: long(device, "posture_age").map(|age| u64::try_from(age).unwrap_or_default()),
        })
    }

    fn network(&mut self, network: &Record) -> Read<NetworkCircumstances> {
        let Some(EvalResult::ExtensionValue(address)) = network.get("address") else { return Err(missing("address")) };
        // `ip("192.0.2.0/24")`: Cedar has ranges where there is only one address.
        let text = address.split('"').nth(1).unwrap_or_default();
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr = address.parse().map_err(|_| missing("address that there is"))?;
        let whole = if address.is_ipv4() { "32" } else { "128" };
        if prefix.is_some_and(|prefix| prefix != whole) {
            self.loose.push("a range in place of an address".to_owned());
        }
        let mut zones = BTreeSet::new();
        let Some(EvalResult::Set(set)) = network.get("zones") else { return Err(missing("zones")) };
        for zone in set.iter() {
            match zone {
                EvalResult::String(zone) => match ZoneName::new(zone.as_str()) {
                    Ok(zone) => {
                        zones.insert(zone);
                    }
                    Err(_) => self.loose.push("a zone that nothing can be called".to_owned()),
                },
                _ => return Err(missing("zone where there should be one")),
            }
        }
        Ok(NetworkCircumstances { address, zones, encrypted: truth(network, "encrypted") })
    }

    fn grant(&mut self, grant: &Record) -> Read<GrantCircumstances> {
        let class = text(grant, "class").unwrap_or_default();
        let class = ActionClass::ALL.into_iter().find(|known| known.name() == class);
        let id: Option<GrantId> = text(grant, "id").and_then(|id| id.parse().ok());
        if id.is_none() {
            self.loose.push("a grant that nothing can be called".to_owned());
        }
        Ok(GrantCircumstances {
            id: id.unwrap_or(GrantId::from_random(0)),
            class: class.ok_or_else(|| missing("class of a grant"))?,
            expires: instant(grant.get("expires")).ok_or_else(|| missing("end of a grant"))?,
        })
    }

    fn exception(&mut self, exception: &Record, now: Timestamp) -> Read<ExceptionCircumstances> {
        let Some(EvalResult::Set(set)) = exception.get("relaxes") else { return Err(missing("relaxed policies")) };
        let mut relaxes = BTreeSet::new();
        for policy in set.iter() {
            match policy {
                EvalResult::String(policy) => match PolicyId::new(policy.as_str()) {
                    Ok(policy) => {
                        relaxes.insert(policy);
                    }
                    Err(_) => self.loose.push("a relaxed policy that nothing can be called".to_owned()),
                },
                _ => return Err(missing("relaxed policy where there should be one")),
            }
        }
        let expires = now.plus(std::time::Duration::from_secs(3600));
        Ok(ExceptionCircumstances { ids: BTreeSet::new(), relaxes, expires })
    }
}

fn authentication(proof: &Record, now: Timestamp) -> Read<Authentication> {
    let Some(EvalResult::Set(set)) = proof.get("methods") else { return Err(missing("methods of a sign-in")) };
    let method = |one: &EvalResult| match one {
        EvalResult::String(name) => AuthenticationMethod::ALL.into_iter().find(|method| method.name() == name),
        _ => None,
    };
    let methods: Option<Methods> = set.iter().map(method).collect();
    let age = long(proof, "age").and_then(|age| u64::try_from(age).ok()).ok_or_else(|| missing("age of a sign-in"))?;
    Ok(Authentication {
        methods: methods.ok_or_else(|| missing("method of a sign-in that there is"))?,
        at: now.minus(std::time::Duration::from_secs(age)),
        age,
    })
}

fn text(of: &Record, name: &str) -> Option<String> {
    match of.get(name) {
        Some(EvalResult::String(text)) => Some(text.clone()),
        _ => None,
    }
}

fn long(of: &Record, name: &str) -> Option<i64> {
    match of.get(name) {
        Some(EvalResult::Long(number)) => Some(*number),
        _ => None,
    }
}

fn truth(of: &Record, name: &str) -> bool {
    of.get(name) == Some(&EvalResult::Bool(true))
}

/// `datetime("…")`, or that with `.offset(duration("…ms"))`: what Cedar prints of an instant.
fn instant(value: Option<&EvalResult>) -> Option<Timestamp> {
    let Some(EvalResult::ExtensionValue(printed)) = value else { return None };
    let mut quoted = printed.split('"').skip(1).step_by(2);
    let written = quoted.next()?;
    let whole = if written.contains('T') { written.to_owned() } else { format!("{written}T00:00:00Z") };
    let start: Timestamp = whole.parse().ok()?;
    let offset: i64 = match quoted.next() {
        Some(span) => span.strip_suffix("ms")?.parse().ok()?,
        None => 0,
    };
    Some(Timestamp::from_millis(start.millis().saturating_add(offset)))
}
