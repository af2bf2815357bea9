//! Policies that a programme writes: who may do what at one resource, and what they have to bring. Every name in them is
//! written by Cedar's own printer, so that none of them can say more than a name. What comes out is text like any other:
//! it is validated when the set is loaded, and a person reads it before that.

use std::collections::BTreeSet;

use cedar_policy_core::ast::{Literal, PrincipalOrResourceConstraint as Scope};
use countersign_model::{
    ActionClass, AuthenticationMethod, Circumstances, GroupId, Methods, PolicyId, PolicyRole, ResourceId, SubjectId,
    SubjectKind, Timestamp, ZoneName,
};
use serde::{Deserialize, Serialize};

use crate::cedar::named;
use crate::records::subject_type;
use crate::set::PolicySet;

/// One circumstance, of those that policies can ask for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(tag = "demand", rename_all = "kebab-case")]
pub enum Demand {
    SignIn,
    MultiFactor,
    PhishingResistant,
    Method {
        method: AuthenticationMethod,
    },
    Device,
    ManagedDevice,
    CompliantDevice,
    Encrypted,
    Zone {
        zone: ZoneName,
    },
    /// Both inclusive, in the organisation's time.
    Hours {
        first: u8,
        last: u8,
    },
    /// Both inclusive, 1 is Monday.
    Weekdays {
        first: u8,
        last: u8,
    },
}

impl Demand {
    pub fn holds(&self, circumstances: &Circumstances) -> bool {
        let Circumstances { authentication, device, network, time, .. } = circumstances;
        let proven = |with: fn(&countersign_model::Authentication) -> bool| authentication.as_ref().is_some_and(with);
        match self {
            Self::SignIn => authentication.is_some(),
            Self::MultiFactor => proven(countersign_model::Authentication::multi_factor),
            Self::PhishingResistant => proven(countersign_model::Authentication::phishing_resistant),
            Self::Method { method } => authentication.as_ref().is_some_and(|proof| proof.methods.contains(method)),
            Self::Device => device.is_some(),
            Self::ManagedDevice => device.as_ref().is_some_and(|device| device.managed),
            Self::CompliantDevice => device.as_ref().is_some_and(|device| device.compliant),
            Self::Encrypted => network.encrypted,
            Self::Zone { zone } => network.zones.contains(zone),
            Self::Hours { first, last } => (*first..=*last).contains(&time.hour),
            Self::Weekdays { first, last } => (*first..=*last).contains(&time.weekday),
        }
    }

    /// The same circumstances without it, and otherwise as good as they can be.
    pub fn without(&self, circumstances: &Circumstances) -> Circumstances {
        let mut weaker = circumstances.clone();
        let by = |weaker: &mut Circumstances, methods: Methods| {
            if let Some(proof) = &mut weaker.authentication {
                proof.methods = methods;
            }
        };
        match self {
            Self::SignIn | Self::Method { .. } => weaker.authentication = None,
            Self::MultiFactor => by(&mut weaker, Methods::from([AuthenticationMethod::Federated])),
            Self::PhishingResistant => by(&mut weaker, Methods::from([AuthenticationMethod::FederatedMultiFactor])),
            Self::Device => weaker.device = None,
            Self::ManagedDevice => weaker.device.iter_mut().for_each(|device| device.managed = false),
            Self::CompliantDevice => weaker.device.iter_mut().for_each(|device| device.compliant = false),
            Self::Encrypted => weaker.network.encrypted = false,
            Self::Zone { zone } => {
                weaker.network.zones.remove(zone);
            }
            Self::Hours { first, .. } => weaker.time.hour = (first + 23) % 24,
            Self::Weekdays { first, .. } => weaker.time.weekday = (first + 5) % 7 + 1,
        }
        weaker
    }

    /// For people.
    pub fn words(&self) -> String {
        match self {
            Self::SignIn => "signed in".to_owned(),
            Self::MultiFactor => "multi-factor sign-in".to_owned(),
            Self::PhishingResistant => "phishing-resistant sign-in".to_owned(),
            Self::Method { method } => format!("by {method}"),
            Self::Device => "enrolled device".to_owned(),
            Self::ManagedDevice => "managed device".to_owned(),
            Self::CompliantDevice => "compliant device".to_owned(),
            Self::Encrypted => "encrypted connection".to_owned(),
            Self::Zone { zone } => format!("network {zone}"),
            Self::Hours { first, last } => format!("hours {first} to {last}"),
            Self::Weekdays { first, last } => format!("weekdays {first} to {last}"),
        }
    }

    /// What has to be asked for before it can be looked at.
    const fn optional(&self) -> Option<&'static str> {
        match self {
            Self::SignIn | Self::MultiFactor | Self::PhishingResistant | Self::Method { .. } => Some("authentication"),
            Self::Device | Self::ManagedDevice | Self::CompliantDevice => Some("device"),
            _ => None,
        }
    }

    fn conditions(&self) -> Vec<String> {
        match self {
            Self::SignIn | Self::Device => Vec::new(),
            Self::MultiFactor => vec!["context.authentication.multi_factor".to_owned()],
            Self::PhishingResistant => vec!["context.authentication.phishing_resistant".to_owned()],
            Self::Method { method } => {
                vec![format!("context.authentication.methods.contains({})", quoted(method.name()))]
            }
            Self::ManagedDevice => vec!["context.device.managed".to_owned()],
            Self::CompliantDevice => vec!["context.device.compliant".to_owned()],
            Self::Encrypted => vec!["context.network.encrypted".to_owned()],
            Self::Zone { zone } => vec![format!("context.network.zones.contains({})", quoted(zone.as_str()))],
            Self::Hours { first, last } => between("context.time.hour", *first, *last),
            Self::Weekdays { first, last } => between("context.time.weekday", *first, *last),
        }
    }
}

fn between(path: &str, first: u8, last: u8) -> Vec<String> {
    vec![format!("{path} >= {first}"), format!("{path} <= {last}")]
}

/// Subjects of one kind, what they do, and under which circumstances.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Way {
    pub kind: SubjectKind,
    pub classes: BTreeSet<ActionClass>,
    /// Whoever is of the kind: then the two below count for nothing.
    pub anybody: bool,
    pub groups: Vec<GroupId>,
    /// By name. Others than of the kind are nobody here.
    pub people: Vec<SubjectId>,
    pub demands: BTreeSet<Demand>,
}

/// A policy about one resource, to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Draft {
    pub id: PolicyId,
    pub owner: String,
    pub review_by: Timestamp,
    pub remedy: String,
    pub description: String,
    /// In observe mode: decided and recorded, not enforced.
    pub observe: bool,
    /// A permit permits the ways; a forbid forbids everything else.
    pub role: PolicyRole,
    pub resource: ResourceId,
    pub ways: Vec<Way>,
    /// A forbid lets these groups do whatever else permits them.
    pub spared_groups: BTreeSet<GroupId>,
    /// And whatever these permits of the set permit.
    pub spared_permits: BTreeSet<PolicyId>,
}

impl Draft {
    /// As Cedar, not in the form of [`format`](crate::format()) yet. `None` where it says nothing (a forbid that spares
    /// everything would be loaded as one that forbids it), or names what is no policy of `set`.
    pub fn write(&self, set: &PolicySet) -> Option<String> {
        let mut branches: Vec<String> = self.ways.iter().map(Way::write).collect::<Option<_>>()?;
        let day = self.review_by.to_string();
        let mut head = vec![
            ("id", self.id.as_str()),
            ("owner", &self.owner),
            ("review_by", day.get(..10)?),
            ("remedy", &self.remedy),
            ("description", &self.description),
        ];
        if self.observe {
            head.push(("mode", "observe"));
        }
        let head: String = head.into_iter().map(|(key, text)| format!("@{key}({})\n", quoted(text))).collect();
        let (effect, clause) = match self.role {
            PolicyRole::Permit => ("permit", "when"),
            // Use fits applications, never Countersign's own ways in; said here, it can be proven of the policy alone.
            PolicyRole::Forbid => ("forbid", "when { resource.kind == \"http\" }\nunless"),
        };
        if self.role == PolicyRole::Forbid {
            if !self.spared_groups.is_empty() {
                let groups = self.spared_groups.iter().map(|group| entity("Group", group.as_str()));
                branches.push(format!("principal in {}", one_or_set(&groups.collect::<Option<Vec<_>>>()?)));
            }
            for id in &self.spared_permits {
                branches.push(set.everything_that(id)?);
            }
        }
        if branches.is_empty() {
            return None;
        }
        let resource = entity("Resource", self.resource.as_str())?;
        let branches: Vec<String> = branches.into_iter().map(|branch| format!("({branch})")).collect();
        let branches = branches.join(" || ");
        Some(format!("{head}{effect} (principal, action, resource == {resource})\n{clause} {{ {branches} }};\n"))
    }
}

impl Way {
    fn write(&self) -> Option<String> {
        // What somebody may whom nobody knows, everybody may.
        let mut all = Vec::new();
        if self.kind != SubjectKind::Anonymous {
            all.push(format!("principal is {}", subject_type(self.kind)));
        }
        if self.classes.len() < ActionClass::ALL.len() {
            let classes = self.classes.iter().map(|class| entity("Action", class.name()));
            all.push(format!("action in {}", one_or_set(&classes.collect::<Option<Vec<_>>>()?)));
        }
        let people = self.people.iter().filter(|subject| subject.kind() == self.kind);
        let sets: [Option<Vec<String>>; 2] = [
            self.groups.iter().map(|group| entity("Group", group.as_str())).collect(),
            people.map(|subject| entity(subject_type(subject.kind()), subject.name())).collect(),
        ];
        if !self.anybody {
            // `in`, of one person too: whoever has not signed in yet may turn out to be in a list (`remedy.rs`).
            let mut who = Vec::new();
            for set in sets {
                let set = set?;
                if !set.is_empty() {
                    who.push(format!("principal in {}", one_or_set(&set)));
                }
            }
            match who.as_slice() {
                [] => return None,
                [one] => all.push(one.clone()),
                _ => all.push(format!("({})", who.join(" || "))),
            }
        }
        let optional: BTreeSet<&str> = self.demands.iter().filter_map(Demand::optional).collect();
        all.extend(optional.into_iter().map(|part| format!("context has {part}")));
        all.extend(self.demands.iter().flat_map(Demand::conditions));
        Some(if all.is_empty() { "true".to_owned() } else { all.join(" && ") })
    }
}

impl PolicySet {
    /// The scope and the condition of a policy as one condition.
    fn everything_that(&self, id: &PolicyId) -> Option<String> {
        let number = self.infos.binary_search_by(|info| info.id.cmp(id)).ok()?;
        let policy = self.policies.get(number)?;
        let narrows = |scope: &Scope| !matches!(scope, Scope::Any);
        let (principal, resource) = (policy.principal_constraint(), policy.resource_constraint());
        let mut all = Vec::new();
        if narrows(principal.as_inner()) {
            all.push(principal.as_expr().to_string());
        }
        if !matches!(policy.action_constraint(), cedar_policy_core::ast::ActionConstraint::Any) {
            all.push(policy.action_constraint().as_expr().to_string());
        }
        if narrows(resource.as_inner()) {
            all.push(resource.as_expr().to_string());
        }
        all.extend(policy.non_scope_constraints().map(ToString::to_string));
        // A permit of everything to everybody.
        Some(if all.is_empty() { "true".to_owned() } else { all.join(" && ") })
    }
}

fn one_or_set(entities: &[String]) -> String {
    match entities {
        [one] => one.clone(),
        _ => format!("[{}]", entities.join(", ")),
    }
}

fn quoted(text: &str) -> String {
    Literal::from(text).to_string()
}

fn entity(kind: &str, id: &str) -> Option<String> {
    named(kind, id).ok().map(|uid| uid.to_string())
}
