//! What else must go when a resource goes: what is about it alone, and would be left behind. It is a plan: nothing is changed.

use std::collections::BTreeSet;

use countersign_model::{ExceptionStanding, GroupId, PolicyId, Resource, ResourceId, ResourceKind, Source};

use crate::accounts::ActError;
use crate::{Administrator, LeaseFilter};

/// What goes with a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decommission {
    pub resource: ResourceId,
    pub goes: Vec<Goes>,
}

/// One thing that goes, or has to be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Goes {
    /// `resource`, `lease`, `policy`, `guardrail`, `group`, `exception`, `segment`, `key`.
    pub kind: &'static str,
    pub name: String,
    /// `remove`, or `change` where it is about something else as well.
    pub what: &'static str,
    pub why: String,
}

impl Administrator {
    /// In the order in which to do it: first what gives access, at last what is empty.
    pub fn decommission(&self, id: &ResourceId) -> Result<Decommission, ActError> {
        let resource = self.resource(id).ok_or_else(|| ActError::NotFound(format!("resource {id}")))?;
        if resource.kind == ResourceKind::Countersign {
            return Err(ActError::Refused(format!("resource {id} is a part of Countersign, and stays")));
        }
        let mut plan = Decommission { resource: id.clone(), goes: Vec::new() };
        let mut goes = |kind, name: String, what, why: String| plan.goes.push(Goes { kind, name, what, why });
        let written = match resource.source {
            Source::Configuration => "it stands in the configuration: take it out there",
            _ => "open leases on it end with it",
        };
        let leases = self.leases(&LeaseFilter { resource: Some(id.clone()), ..LeaseFilter::default() }).len();
        goes("resource", id.to_string(), "remove", format!("{written}; {leases} leases are open on it now"));
        self.policies_that_go(id, &mut goes);
        self.keys_that_go(id, &mut goes);
        self.exceptions_that_go(id, &mut goes);
        self.groups_that_go(&resource, &mut goes);
        if let Some(segment) = &resource.segment {
            let alone = |other: &&std::sync::Arc<Resource>| other.id != *id && other.segment.as_ref() == Some(segment);
            if self.resources().iter().find(alone).is_none() {
                goes("segment", segment.to_string(), "remove", "nothing else is in it".to_owned());
            }
        }
        Ok(plan)
    }

    fn policies_that_go(&self, id: &ResourceId, goes: &mut impl FnMut(&'static str, String, &'static str, String)) {
        let set = self.policies();
        let mut look = |kind, policy: &PolicyId, text: &str, file: String| {
            let resources = named(text, "Resource");
            if !resources.contains(id.as_str()) {
                return;
            }
            match resources.len() {
                1 => {
                    goes(kind, policy.to_string(), "remove", format!("it names no other resource; it stands in {file}"))
                }
                _ => goes(
                    kind,
                    policy.to_string(),
                    "change",
                    format!("it names other resources too; it stands in {file}"),
                ),
            }
        };
        for policy in set.policies() {
            look("policy", &policy.id, &policy.text, policy.file.display().to_string());
        }
        for guardrail in set.guardrails() {
            look("guardrail", &guardrail.id, &guardrail.text, guardrail.file.display().to_string());
        }
    }

    fn keys_that_go(&self, id: &ResourceId, goes: &mut impl FnMut(&'static str, String, &'static str, String)) {
        for key in self.keys(None) {
            match &key.scope.resources {
                Some(resources) if resources.contains(id) && resources.len() == 1 => {
                    let why = format!("{} can do nothing else with it", key.subject);
                    goes("key", key.id.to_string(), "remove", why);
                }
                Some(resources) if resources.contains(id) => {
                    let why = format!("it is for other resources of {} too", key.subject);
                    goes("key", key.id.to_string(), "change", why);
                }
                _ => {}
            }
        }
    }

    fn exceptions_that_go(&self, id: &ResourceId, goes: &mut impl FnMut(&'static str, String, &'static str, String)) {
        let stands = |standing| matches!(standing, ExceptionStanding::InForce | ExceptionStanding::Requested);
        for found in self.exceptions().into_iter().filter(|it| stands(it.standing)) {
            let scope = &found.exception.scope;
            if !scope.resources.contains(id) {
                continue;
            }
            let name = found.exception.id.to_string();
            match scope.resources.len() == 1 && scope.segments.is_empty() {
                true => goes("exception", name, "remove", "it is about nothing else: end it".to_owned()),
                false => goes("exception", name, "change", "it is about other resources too".to_owned()),
            }
        }
    }

    /// Groups that lead to it and to nothing else, by themselves or by what they are in, and that no policy names.
    fn groups_that_go(&self, resource: &Resource, goes: &mut impl FnMut(&'static str, String, &'static str, String)) {
        let view = self.0.world.view();
        let groups = |resource: &Resource| {
            let entitled = &resource.entitled;
            let all = entitled.readers.iter().chain(&entitled.writers).chain(&entitled.administrators);
            all.cloned().collect::<BTreeSet<GroupId>>()
        };
        let set = self.policies();
        let text = set.policies().iter().map(|policy| policy.text.as_str());
        let text = text.chain(set.guardrails().iter().map(|guardrail| guardrail.text.as_str()));
        let by_policy: BTreeSet<String> = text.flat_map(|text| named(text, "Group")).collect();
        let others = view.resources().filter(|it| it.resource.id != resource.id);
        let elsewhere: BTreeSet<GroupId> = others.flat_map(|it| groups(&it.resource)).collect();
        let needed = |group: &GroupId| {
            let closed = view.closure([group]);
            closed.iter().any(|it| elsewhere.contains(it) || by_policy.contains(it.as_str()))
        };
        for group in groups(resource).iter().filter(|it| view.group(it).is_some()) {
            if !crate::built_in::is_group(group) && !needed(group) {
                goes(
                    "group",
                    group.to_string(),
                    "remove",
                    "it leads to nothing else, and no policy names it".to_owned(),
                );
            }
        }
    }
}

/// What policy text names of a type, such as `Resource::"wiki"`. A comment that names something counts: whoever reads the plan
/// looks at the file.
fn named(text: &str, kind: &str) -> BTreeSet<String> {
    let opening = format!("{kind}::\"");
    text.split(opening.as_str()).skip(1).filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())).collect()
}
