//! The policy asked, as JSON: who can, what can somebody, why, who did, and the access matrix.

use countersign_administrator as administrator;
use countersign_model::{DecisionId, DeviceId, GroupId, PolicyId, ResourceId, SubjectId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Explanation, Instant, Observed};

/// A question's own parameters, with those that state circumstances: every query string is one flat list.
macro_rules! asked {
    ($(#[$about:meta])* $name:ident { $($(#[$meta:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
        #[serde(deny_unknown_fields)]
        #[into_params(parameter_in = Query)]
        pub struct $name {
            $($(#[$meta])* pub $field: $type,)*
            /// `none`, `federated`, `multi-factor`, `phishing-resistant` or `passkey`; services and agents have their key
            /// unless it is `none`.
            pub sign_in: Option<String>,
            /// In seconds.
            pub sign_in_age: Option<u64>,
            /// `none`, `quarantine` (enrolled, not managed, failing), `managed` (and failing) or `compliant` (managed, and
            /// passing).
            pub device: Option<String>,
            /// In seconds.
            pub posture_age: Option<u64>,
            /// A zone, an address, or `elsewhere`.
            pub network: Option<String>,
            /// True if absent.
            pub encrypted: Option<bool>,
            /// Now, if absent.
            #[param(value_type = Option<String>, format = DateTime)]
            pub at: Option<Instant>,
            /// 0 to 100; each subject's own if absent.
            pub risk: Option<u8>,
            /// Of the request; one that stands for the action if absent.
            pub method: Option<String>,
            /// Of the request.
            pub path: Option<String>,
        }

        impl $name {
            pub(crate) fn stated(&self) -> crate::asking::Stated<'_> {
                crate::asking::Stated {
                    sign_in: self.sign_in.as_deref(),
                    sign_in_age: self.sign_in_age,
                    device: self.device.as_deref(),
                    posture_age: self.posture_age,
                    network: self.network.as_deref(),
                    encrypted: self.encrypted,
                    at: self.at,
                    as_of: None,
                    risk: self.risk,
                    method: self.method.as_deref(),
                    path: self.path.as_deref(),
                }
            }
        }
    };
}

asked! {
    /// Who can. Without circumstances the answer tells which suffice.
    WhoCanQuery {
        /// PROTOCOL:CLASS, such as `http:read`.
        action: String,
        resource: String,
        /// Only those in this group, directly or not; every person is in `everyone`.
        #[param(value_type = Option<String>)]
        group: Option<GroupId>,
        /// Only `human`, `service`, `agent` or `anonymous`.
        kind: Option<String>,
        /// What could be at that time; now if absent.
        #[param(value_type = Option<String>, format = DateTime)]
        as_of: Option<Instant>,
        /// From the `next` of the page before.
        cursor: Option<String>,
        /// 1 to 10,000; 1,000 if absent.
        limit: Option<u16>,
    }
}

asked! {
    /// What somebody can. Without circumstances the answer tells which suffice.
    WhatCanQuery {
        subject: String,
        /// PROTOCOL:CLASS; every action if absent.
        action: Option<String>,
        /// What could be at that time; now if absent.
        #[param(value_type = Option<String>, format = DateTime)]
        as_of: Option<Instant>,
        cursor: Option<String>,
        /// 1 to 10,000; 1,000 if absent.
        limit: Option<u16>,
    }
}

asked! {
    /// Why: of a recorded decision, or of a question. Without circumstances it is put under the best there are.
    WhyQuery {
        #[param(value_type = Option<String>)]
        decision: Option<DecisionId>,
        #[param(value_type = Option<String>)]
        subject: Option<SubjectId>,
        /// PROTOCOL:CLASS, such as `http:read`.
        action: Option<String>,
        #[param(value_type = Option<String>)]
        resource: Option<ResourceId>,
        /// From this device, in the state that it is in now.
        #[param(value_type = Option<String>)]
        from_device: Option<DeviceId>,
        /// What could be at that time; now if absent.
        #[param(value_type = Option<String>, format = DateTime)]
        as_of: Option<Instant>,
    }
}

asked! {
    /// Which groups can do something at which resources: a page of groups, a page of resources.
    MatrixQuery {
        /// PROTOCOL:CLASS; `http:read` if absent.
        action: Option<String>,
        /// The groups after this one.
        groups_after: Option<String>,
        /// The resources after this one.
        resources_after: Option<String>,
        /// 1 to 200 groups and as many resources; 50 if absent.
        limit: Option<u16>,
    }
}

/// Who did: accesses that were allowed, from the ledger.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DidQuery {
    #[param(value_type = Option<String>)]
    pub subject: Option<SubjectId>,
    #[param(value_type = Option<String>)]
    pub resource: Option<ResourceId>,
    /// PROTOCOL:CLASS.
    pub action: Option<String>,
    /// The first instant that counts; 30 days ago if absent.
    #[param(value_type = Option<String>, format = DateTime)]
    pub from: Option<Instant>,
    /// The first instant that does not count; now if absent.
    #[param(value_type = Option<String>, format = DateTime)]
    pub to: Option<Instant>,
}

/// Everybody who can.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Holders {
    pub items: Vec<Holder>,
    /// Give it as `cursor` to get the next page; absent on the last one.
    pub next: Option<String>,
    #[serde(flatten)]
    pub about: AboutAnswer,
}

/// Everything that somebody can do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Reaches {
    pub items: Vec<Reach>,
    /// Give it as `cursor` to get the next page; absent on the last one.
    pub next: Option<String>,
    #[serde(flatten)]
    pub about: AboutAnswer,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AboutAnswer {
    /// How many there are on all pages.
    pub found: u64,
    /// How many were looked at: all there are, none was sampled.
    pub considered: u64,
    /// SHA-256 of the policies that answered, in hex.
    pub policy_set: String,
    /// Of the world.
    pub generation: u64,
    /// Where it is about one resource that is in observe mode: until then whoever asks is let through.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub not_enforced_until: Option<Instant>,
    /// What the answer does not cover.
    pub caveats: Vec<String>,
    /// Of a past time: whose facts of then are not recorded, so that they are not in the answer.
    pub unknown: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Holder {
    #[schema(value_type = String)]
    pub subject: SubjectId,
    pub display_name: String,
    /// The weakest circumstances that suffice, each by itself; empty where circumstances were stated.
    pub suffices: Vec<Suffices>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Reach {
    #[schema(value_type = String)]
    pub resource: ResourceId,
    pub display_name: String,
    pub action: String,
    /// The weakest circumstances that suffice, each by itself; empty where circumstances were stated.
    pub suffices: Vec<Suffices>,
    /// Where the resource is in observe mode.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub not_enforced_until: Option<Instant>,
}

/// Circumstances that suffice: all of this together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Suffices {
    /// The same in words.
    pub words: String,
    /// `standing`, `grant` or `exception`.
    pub way: String,
    /// Whether something stronger is refused, so that only exactly this is meant.
    pub exactly: bool,
    /// Absent: without signing in.
    pub sign_in: Option<SignInBound>,
    /// Absent: from any device, or from none.
    pub device: Option<DeviceBound>,
    pub encrypted: bool,
    /// A zone, or an address range; absent: from anywhere.
    pub from: Option<String>,
    pub not_from: Vec<String>,
    /// Absent: at any time.
    pub windows: Option<Vec<Window>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SignInBound {
    /// As `sign_in` of the question; absent for the key of a service or an agent.
    pub strength: Option<String>,
    /// In seconds; absent: however old.
    pub younger_than: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DeviceBound {
    pub managed: bool,
    pub compliant: bool,
    /// Whether it has to have reported its posture.
    pub reported: bool,
    /// In seconds.
    pub reported_within: Option<u64>,
}

/// Days of the week, 1 (Monday) to 7, and the hours of each, from and to, without the last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Window {
    pub days: Vec<u8>,
    pub hours: Vec<Vec<u8>>,
}

/// A decision, taken apart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Why {
    #[schema(value_type = String)]
    pub subject: SubjectId,
    pub action: String,
    #[schema(value_type = String)]
    pub resource: ResourceId,
    pub circumstances: super::Circumstances,
    /// The recorded decision that was asked about.
    #[schema(value_type = Option<String>)]
    pub recorded: Option<DecisionId>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub recorded_at: Option<Instant>,
    pub decision: Explanation,
    /// What would have been decided without observe mode, where that makes a difference; the rest is then about what policies
    /// say.
    pub observed: Option<Observed>,
    /// Whether the policies that decided are in force; otherwise `sources` has today's text.
    pub same_policies: bool,
    /// The policies that decided, as they are written.
    pub sources: Vec<PolicySource>,
    /// What was read, and where it comes from.
    pub facts: Vec<Provenance>,
    /// How the subject comes to each group that matters here.
    pub chains: Vec<Chain>,
    /// What would turn the decision around, as the world is now; each one is enough.
    pub turns: Vec<Turn>,
    /// The weakest circumstances under which the subject is allowed it.
    pub suffices: Vec<Suffices>,
    pub caveats: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PolicySource {
    #[schema(value_type = String)]
    pub id: PolicyId,
    pub role: String,
    /// `enforce` or `observe`.
    pub mode: String,
    pub owner: String,
    pub description: Option<String>,
    pub remedy: Option<String>,
    pub file: String,
    /// From 1.
    pub line: u64,
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Provenance {
    pub name: String,
    pub value: String,
    pub source: String,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub observed: Option<Instant>,
    /// At the time of the decision.
    pub age_seconds: Option<u64>,
}

/// The shortest way into a group: a group that the subject is in directly, then each that the former is in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Chain {
    #[schema(value_type = Vec<String>)]
    pub groups: Vec<GroupId>,
    pub counts_as: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Turn {
    /// `needs`, `join-group`, `leave-groups`, `sign-in-age`, ….
    pub kind: String,
    pub words: String,
}

/// Accesses that were allowed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Done {
    pub items: Vec<Doing>,
    /// How many entries of the ledger were read.
    pub read: u64,
    /// Where the answer ends early: entries before this index are archived.
    pub archived: Option<u64>,
    /// Where the answer ends early because the span holds too many entries: it reaches back to here.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub since: Option<Instant>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Doing {
    #[schema(value_type = String)]
    pub subject: SubjectId,
    #[schema(value_type = String)]
    pub resource: ResourceId,
    pub action: String,
    pub count: u64,
    /// How many of them only observe mode of the resource let through.
    pub observed: u64,
    #[schema(value_type = String, format = DateTime)]
    pub first: Instant,
    #[schema(value_type = String, format = DateTime)]
    pub last: Instant,
    /// The last decision that allowed it.
    #[schema(value_type = String)]
    pub decision: DecisionId,
}

/// How many of each group can, at each resource.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AccessMatrix {
    pub action: String,
    #[schema(value_type = Vec<String>)]
    pub resources: Vec<ResourceId>,
    /// Those that are in observe mode: whoever asks is let through, and the numbers are what policies say.
    pub not_enforced: Vec<ObservedResource>,
    pub rows: Vec<MatrixRow>,
    pub next_groups: Option<String>,
    pub next_resources: Option<String>,
    pub policy_set: String,
    pub generation: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MatrixRow {
    /// A group, or `human`, `service`, `agent`, `anonymous` for everybody of that kind.
    pub of: String,
    /// Whether it is a group.
    pub group: bool,
    /// How many there are who are let in at all.
    pub members: u64,
    /// How many of them can, for each resource.
    pub can: Vec<u64>,
}

/// What policy does not speak for: there nothing but the default denies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Coverage {
    pub doors: DoorGaps,
    /// Identities that are permitted nothing but what is public and their own pages.
    pub subjects: IdGaps,
    /// Devices from which their owner can do nothing more than without them.
    pub devices: IdGaps,
    /// Doors that open only with a grant or an exception.
    pub exceptional: Vec<Exceptional>,
    /// Policies whose owner is no subject and no group here.
    pub ownerless: Vec<Ownerless>,
    /// Resources in observe mode: whoever asks is let through.
    pub observed_resources: Vec<ObservedResource>,
    /// Policies in observe mode: they enforce nothing.
    #[schema(value_type = Vec<String>)]
    pub observed_policies: Vec<PolicyId>,
    /// SHA-256 of the policies, in hex.
    pub policy_set: String,
    pub generation: u64,
    pub caveats: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DoorGaps {
    pub items: Vec<Door>,
    pub found: u64,
    pub of: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct IdGaps {
    /// No more than 10,000.
    pub items: Vec<String>,
    pub found: u64,
    pub of: u64,
}

/// A way into a resource.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Door {
    #[schema(value_type = String)]
    pub resource: ResourceId,
    pub action: String,
    /// Empty for all.
    pub methods: Vec<String>,
    /// Of the rule of the resource; absent for what no rule is about.
    pub path: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Exceptional {
    #[serde(flatten)]
    pub door: Door,
    /// `grant` or `exception`.
    pub way: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Ownerless {
    pub owner: String,
    #[schema(value_type = Vec<String>)]
    pub policies: Vec<PolicyId>,
}

/// A resource in observe mode.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ObservedResource {
    #[schema(value_type = String)]
    pub resource: ResourceId,
    #[schema(value_type = String, format = DateTime)]
    pub until: Instant,
}

impl From<administrator::Door> for Door {
    fn from(door: administrator::Door) -> Self {
        Self { resource: door.resource, action: door.action.to_string(), methods: door.methods, path: door.path }
    }
}

impl<T: ToString> From<administrator::Gaps<T>> for IdGaps {
    fn from(gaps: administrator::Gaps<T>) -> Self {
        let items = gaps.items.iter().map(ToString::to_string).collect();
        Self { items, found: gaps.found as u64, of: gaps.of as u64 }
    }
}

impl From<administrator::Coverage> for Coverage {
    fn from(coverage: administrator::Coverage) -> Self {
        let administrator::Gaps { items, found, of } = coverage.doors;
        Self {
            doors: DoorGaps { items: items.into_iter().map(Door::from).collect(), found: found as u64, of: of as u64 },
            subjects: coverage.subjects.into(),
            devices: coverage.devices.into(),
            exceptional: coverage
                .exceptional
                .into_iter()
                .map(|(door, way)| Exceptional { door: door.into(), way: way.name().to_owned() })
                .collect(),
            ownerless: coverage
                .ownerless
                .into_iter()
                .map(|one| Ownerless { owner: one.owner, policies: one.policies })
                .collect(),
            policy_set: coverage.policy_set,
            generation: coverage.generation,
            observed_resources: coverage
                .observed_resources
                .into_iter()
                .map(|(resource, until)| ObservedResource { resource, until })
                .collect(),
            observed_policies: coverage.observed_policies,
            caveats: coverage.caveats,
        }
    }
}

impl<T> From<&administrator::Answer<T>> for AboutAnswer {
    fn from(answer: &administrator::Answer<T>) -> Self {
        Self {
            found: answer.found as u64,
            considered: answer.considered as u64,
            policy_set: answer.policy_set.clone(),
            generation: answer.generation,
            not_enforced_until: answer.not_enforced_until,
            caveats: answer.caveats.clone(),
            unknown: answer.unknown.clone(),
        }
    }
}

impl From<&administrator::Sufficient> for Suffices {
    fn from(one: &administrator::Sufficient) -> Self {
        Self {
            words: one.to_string(),
            way: one.way.name().to_owned(),
            exactly: one.exactly,
            sign_in: one.sign_in.map(|bound| SignInBound {
                strength: bound.strength.map(|strength| strength.name().to_owned()),
                younger_than: bound.younger_than,
            }),
            device: one.device.map(|bound| DeviceBound {
                managed: bound.managed,
                compliant: bound.compliant,
                reported: bound.reported,
                reported_within: bound.reported_within,
            }),
            encrypted: one.encrypted,
            from: one.place.as_ref().map(place),
            not_from: one.not_from.iter().map(place).collect(),
            windows: one.windows.as_ref().map(|windows| {
                let window = |window: &administrator::Window| Window {
                    days: window.days.clone(),
                    hours: window.hours.iter().map(|(from, to)| vec![*from, *to]).collect(),
                };
                windows.iter().map(window).collect()
            }),
        }
    }
}

fn place(place: &administrator::Place) -> String {
    match place {
        administrator::Place::Zone(zone) => zone.to_string(),
        administrator::Place::Range(range) => range.clone(),
    }
}

impl From<administrator::Answer<administrator::Holder>> for Holders {
    fn from(answer: administrator::Answer<administrator::Holder>) -> Self {
        let about = AboutAnswer::from(&answer);
        let holder = |holder: administrator::Holder| Holder {
            suffices: holder.suffices.iter().map(Suffices::from).collect(),
            subject: holder.subject,
            display_name: holder.display_name,
        };
        Self { items: answer.items.into_iter().map(holder).collect(), next: answer.next, about }
    }
}

impl From<administrator::Answer<administrator::Reach>> for Reaches {
    fn from(answer: administrator::Answer<administrator::Reach>) -> Self {
        let about = AboutAnswer::from(&answer);
        let reach = |reach: administrator::Reach| Reach {
            suffices: reach.suffices.iter().map(Suffices::from).collect(),
            resource: reach.resource,
            display_name: reach.display_name,
            action: reach.action.to_string(),
            not_enforced_until: reach.not_enforced_until,
        };
        Self { items: answer.items.into_iter().map(reach).collect(), next: answer.next, about }
    }
}

impl From<&administrator::PolicyInfo> for PolicySource {
    fn from(info: &administrator::PolicyInfo) -> Self {
        Self {
            id: info.id.clone(),
            role: crate::console::role(info.role).to_owned(),
            mode: info.mode.name().to_owned(),
            owner: info.owner.clone(),
            description: info.description.clone(),
            remedy: info.remedy.clone(),
            file: info.file.display().to_string(),
            line: info.line as u64,
            text: info.text.clone(),
        }
    }
}

impl From<administrator::Why> for Why {
    fn from(why: administrator::Why) -> Self {
        let now = why.question.circumstances.time.now;
        let fact = |fact: administrator::Provenance| Provenance {
            name: fact.name,
            value: fact.value,
            source: fact.source,
            observed: fact.observed,
            age_seconds: fact.observed.map(|observed| now.since(observed).as_secs()),
        };
        let chain = |chain: administrator::Chain| Chain {
            groups: chain.groups,
            counts_as: chain.counts_as.into_iter().map(str::to_owned).collect(),
        };
        Self {
            circumstances: super::Circumstances::from(&why.question.circumstances),
            subject: why.question.subject,
            action: why.question.action.to_string(),
            resource: why.question.resource,
            recorded: why.recorded.map(|(id, _)| id),
            recorded_at: why.recorded.map(|(_, at)| at),
            decision: Explanation::from(&why.decision),
            observed: why.observed.as_ref().map(Observed::from),
            same_policies: why.same_policies,
            sources: why.policies.iter().map(PolicySource::from).collect(),
            facts: why.facts.into_iter().map(fact).collect(),
            chains: why.chains.into_iter().map(chain).collect(),
            turns: why
                .turns
                .iter()
                .map(|turn| Turn { kind: turn.kind().to_owned(), words: turn.to_string() })
                .collect(),
            suffices: why.suffices.iter().map(Suffices::from).collect(),
            caveats: why.caveats,
        }
    }
}

impl From<administrator::Done> for Done {
    fn from(done: administrator::Done) -> Self {
        let doing = |doing: administrator::Doing| Doing {
            subject: doing.subject,
            resource: doing.resource,
            action: doing.action.to_string(),
            count: doing.count,
            observed: doing.observed,
            first: doing.first,
            last: doing.last,
            decision: doing.decision,
        };
        Self {
            items: done.items.into_iter().map(doing).collect(),
            read: done.read as u64,
            archived: done.archived,
            since: done.since,
        }
    }
}
