//! Why a decision came out as it did: the policies with their source, the facts with where they come from and how old
//! they are, the groups that led there, and the smallest changes that would turn it around, in either direction.

mod turn;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use countersign_ledger::ReadError;
use countersign_model::{
    Action, Circumstances, Decision, DecisionId, DenialCause, GroupId, Observed, ObservedBecause, Question, ResourceId,
    Source, Subject, SubjectId, Timestamp,
};
use countersign_policy::ask::{Of, Proven, Situation, Sufficient};
use countersign_policy::{Judged, PolicyInfo, Record, Slice};

use super::{AskError, Conditions, Moment, RequestCondition, Tick, asker};
use crate::Administrator;
use crate::circumstances::deny;
use crate::world::{ResourceRecord, SubjectRecord};

pub use turn::Reversal;

/// A decision, taken apart.
#[derive(Debug, Clone, PartialEq)]
pub struct Why {
    pub question: Question,
    /// The recorded decision that was asked about, and when it was made.
    pub recorded: Option<(DecisionId, Timestamp)>,
    pub decision: Decision,
    /// What would have been decided without observe mode, where that is something else. What is told of policies, facts and
    /// changes is then about what policies say.
    pub observed: Option<Observed>,
    /// Whether the policies that decided are those in force; otherwise `policies` has today's text.
    pub same_policies: bool,
    /// The policies that decided.
    pub policies: Vec<PolicyInfo>,
    pub facts: Vec<Provenance>,
    /// How the subject comes to each group that matters here.
    pub chains: Vec<Chain>,
    /// What would turn the decision around, as the world is now; each one is enough.
    pub turns: Vec<Reversal>,
    /// The weakest circumstances under which the subject is allowed it.
    pub suffices: Vec<Sufficient>,
    pub caveats: Vec<String>,
}

/// A fact that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provenance {
    pub name: String,
    pub value: String,
    pub source: String,
    /// Since when it is known, where that is known.
    pub observed: Option<Timestamp>,
}

/// The shortest way into a group: a group that the subject is in directly, then each group that the former is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    pub groups: Vec<GroupId>,
    /// `reader`, `writer`, `administrator` of the resource, or named by a policy.
    pub counts_as: Vec<&'static str>,
}

/// Why there is no explanation.
#[derive(Debug, thiserror::Error)]
pub enum WhyError {
    #[error(transparent)]
    Ask(#[from] AskError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("there is no decision {0}")]
    UnknownDecision(DecisionId),
    #[error("decision {0} is about an address where no resource is")]
    NoResource(DecisionId),
}

impl Administrator {
    /// A question that is put as a whole, decided now.
    pub fn why(&self, question: &Question) -> Result<Why, AskError> {
        let moment = Moment::of(self);
        let (subject, resource) = (moment.subject(&question.subject)?, moment.resource(&question.resource)?);
        let judged = moment.judge(subject, resource, question);
        Ok(self.taken_apart(&moment, question.clone(), judged, None, true))
    }

    /// As it would have come out at that time. Reads files.
    pub fn why_then(
        &self,
        asked: (&SubjectId, Action, &ResourceId),
        conditions: &Conditions,
        request: &RequestCondition,
        as_of: Timestamp,
        tick: Tick<'_>,
    ) -> Result<Why, AskError> {
        let moment = Moment::at(self, Some(as_of), tick)?;
        let question = moment.question(asked, conditions, None, request)?;
        let (subject, resource) = (moment.subject(&question.subject)?, moment.resource(&question.resource)?);
        let judged = moment.judge(subject, resource, &question);
        Ok(self.taken_apart(&moment, question, judged, None, true))
    }

    /// A recorded decision. Reads files.
    pub fn why_decided(&self, id: DecisionId) -> Result<Why, WhyError> {
        let (_, entry) = self.decision(id)?.ok_or(WhyError::UnknownDecision(id))?;
        let at = entry.at;
        let entry = entry.body.into_decision().ok_or(WhyError::UnknownDecision(id))?;
        let question = entry.question.question().ok_or(WhyError::NoResource(id))?;
        let moment = Moment::of(self);
        let same = entry.policy_set == moment.rules.policies.hash();
        let judged = Judged { decision: entry.decision, observed: entry.observed.map(|observed| *observed) };
        Ok(self.taken_apart(&moment, question, judged, Some((id, at)), same))
    }

    fn taken_apart(
        &self,
        moment: &Moment,
        question: Question,
        Judged { decision, observed }: Judged,
        recorded: Option<(DecisionId, Timestamp)>,
        same_policies: bool,
    ) -> Why {
        let without = observed.as_ref().map(|observed| &observed.decision);
        let both = [Some(&decision), without].into_iter().flatten();
        let determining: BTreeSet<_> = both.flat_map(|it| &it.reasons().determining).map(|one| &one.id).collect();
        let policies = moment.rules.policies.policies().iter();
        let policies = policies.filter(|info| determining.contains(&info.id)).cloned().collect();
        let said = match &observed {
            Some(Observed { because: ObservedBecause::Resource, decision }) => decision,
            _ => &decision,
        };
        let mut caveats = moment.caveats();
        let now = recorded.map_or(question.circumstances.time.now, |_| moment.now);
        let until = moment.resource(&question.resource).ok().and_then(|record| record.resource.observed_until(now));
        caveats.extend(until.map(|until| {
            let (id, now) = (&question.resource, if recorded.is_some() { " now" } else { "" });
            format!(
                "{id} is in observe mode{now}: it is not enforced until {until}, and whoever is known is let through. What \
                 is said of policies, facts and changes is what policies say"
            )
        }));
        // Since a recorded decision, either may have gone.
        let known = moment.subject(&question.subject).ok().zip(moment.resource(&question.resource).ok());
        let (chains, turns, suffices) = match known {
            None => (Vec::new(), Vec::new(), Vec::new()),
            Some((subject, resource)) => {
                let wanted = countersign_policy::ask::Wanted {
                    action: question.action,
                    record: &resource.record,
                    http: question.circumstances.http.clone(),
                };
                let terrain = moment.terrain(Of::All);
                (
                    moment.chains(subject, resource),
                    turn::turns(moment, subject, resource, &question),
                    moment.rules.policies.suffices(&asker(subject), &wanted, &terrain),
                )
            }
        };
        Why {
            facts: moment.facts(&question, said),
            chains,
            turns,
            suffices,
            policies,
            recorded,
            same_policies,
            caveats,
            question,
            decision,
            observed,
        }
    }
}

impl Moment {
    /// What policies say.
    pub(super) fn decide(&self, subject: &SubjectRecord, resource: &ResourceRecord, question: &Question) -> Decision {
        if !self.view.answers(subject) {
            return deny(DenialCause::SubjectDisabled);
        }
        self.decide_as(&subject.record, resource, question)
    }

    /// What counts: with the resource's observe mode.
    fn judge(&self, subject: &SubjectRecord, resource: &ResourceRecord, question: &Question) -> Judged {
        if !self.view.answers(subject) {
            return Judged { decision: deny(DenialCause::SubjectDisabled), observed: None };
        }
        self.rules.policies.judge(&Slice { subject: &subject.record, resource: &resource.record }, question)
    }

    /// As if the subject's record were this one.
    fn decide_as(&self, record: &Record, resource: &ResourceRecord, question: &Question) -> Decision {
        self.rules.policies.decide(&Slice { subject: record, resource: &resource.record }, question)
    }

    /// The groups that can make a difference at a resource, and as what.
    fn groups_that_count(&self, resource: &ResourceRecord) -> BTreeMap<GroupId, Vec<&'static str>> {
        let mut groups: BTreeMap<GroupId, Vec<&'static str>> = BTreeMap::new();
        let entitled = &resource.resource.entitled;
        for (role, of) in
            [("reader", &entitled.readers), ("writer", &entitled.writers), ("administrator", &entitled.administrators)]
        {
            for group in of {
                groups.entry(group.clone()).or_default().push(role);
            }
        }
        for group in self.rules.policies.named_groups() {
            groups.entry(group).or_default().push("named by a policy");
        }
        groups
    }

    /// The shortest way into each group that counts, breadth first.
    fn chains(&self, subject: &SubjectRecord, resource: &ResourceRecord) -> Vec<Chain> {
        let mut groups_that_count = self.groups_that_count(resource);
        let mut chains = Vec::new();
        let mut seen: BTreeSet<GroupId> = BTreeSet::new();
        let mut open: VecDeque<Vec<GroupId>> = subject.groups().iter().map(|group| vec![group.clone()]).collect();
        while let Some(path) = open.pop_front() {
            let Some(last) = path.last().filter(|last| seen.insert((*last).clone())) else { continue };
            if let Some(counts_as) = groups_that_count.remove(last) {
                chains.push(Chain { groups: path.clone(), counts_as });
            }
            for above in self.view.group(last).into_iter().flat_map(|group| &group.member_of) {
                open.push_back(path.iter().chain([above]).cloned().collect());
            }
        }
        chains
    }

    /// What was read, and where it comes from.
    fn facts(&self, question: &Question, decision: &Decision) -> Vec<Provenance> {
        let subject = self.subject(&question.subject).ok();
        let resource = self.resource(&question.resource).ok();
        let circumstances = &question.circumstances;
        let source = |source: Source| words(source).to_owned();
        let mut facts: Vec<Provenance> = Vec::new();
        for fact in &decision.reasons().facts {
            let name = fact.name.as_ref();
            let mut parts = name.split('.');
            let (source, observed) = match (parts.next(), parts.next()) {
                (Some("principal"), _) => match subject.map(SubjectRecord::subject) {
                    Some(subject) => (source(subject.source), Some(subject.created)),
                    None => ("not known any more".to_owned(), None),
                },
                (Some("resource"), _) => match resource {
                    Some(record) => (source(record.resource.source), None),
                    None => ("not known any more".to_owned(), None),
                },
                (_, Some("authentication")) => {
                    ("sign-in".to_owned(), circumstances.authentication.as_ref().map(|proof| proof.at))
                }
                (_, Some("device")) => self.device_source(circumstances),
                (_, Some("network")) if name.ends_with("zones") => ("configuration, by the address".to_owned(), None),
                (_, Some("network" | "http")) => ("the connection".to_owned(), None),
                (_, Some("time")) => ("clock".to_owned(), Some(circumstances.time.now)),
                (_, Some("risk")) => ("risk signals".to_owned(), None),
                (_, Some("grant")) => ("grants".to_owned(), None),
                (_, Some("exception")) => ("exceptions".to_owned(), None),
                _ => ("the question".to_owned(), None),
            };
            facts.push(Provenance { name: name.to_owned(), value: fact.value.to_string(), source, observed });
        }
        let device = circumstances.device.as_ref().and_then(|device| self.view.device(&device.id));
        if facts.iter().any(|fact| fact.name.starts_with("context.device")) {
            for (aspect, fact) in device.map(|record| record.posture()).into_iter().flatten() {
                facts.push(Provenance {
                    name: format!("posture {}", aspect.name()),
                    value: format!("{:?}", fact.value).to_lowercase(),
                    source: source(fact.source),
                    observed: Some(fact.observed),
                });
            }
        }
        facts
    }

    fn device_source(&self, circumstances: &Circumstances) -> (String, Option<Timestamp>) {
        let Some(device) = &circumstances.device else { return ("no device proved itself".to_owned(), None) };
        if self.view.device(&device.id).is_none() {
            return ("as asked".to_owned(), None);
        }
        let age = device.posture_age.map(std::time::Duration::from_secs);
        ("device report".to_owned(), age.map(|age| circumstances.time.now.minus(age)))
    }

    /// The subject's record as if it were in these groups directly, and in no other.
    fn record_in(&self, subject: &SubjectRecord, groups: &[GroupId]) -> Record {
        let subject: Subject = subject.subject();
        Record::subject(self.rules.policies.symbols(), &subject, &self.view.closure(groups))
    }
}

const fn words(source: Source) -> &'static str {
    match source {
        Source::Configuration => "configuration",
        Source::Administrator => "administrator",
        Source::Enrolment => "enrolment",
        Source::OpenIdConnect => "OpenID Connect",
        Source::DeviceReport => "device report",
        Source::Countersign => "Countersign",
    }
}

/// The circumstances of a question as those under which anybody asks.
pub(super) fn as_stated(question: &Question) -> Situation {
    Situation {
        circumstances: question.circumstances.clone(),
        proven: Proven::AsStated,
        risk: Some(question.circumstances.risk),
    }
}

/// Who is meant where nobody has to be known.
pub(super) fn is_somebody(id: &SubjectId) -> bool {
    id.kind() != countersign_model::SubjectKind::Anonymous
}
