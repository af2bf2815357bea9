//! What an inventory has to be, whoever changes it: references that lead somewhere, groups without cycles, routes that
//! do not collide or lead to Countersign itself, and somebody left in `owners`. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use countersign_identity::passkey::Url;
use countersign_model::{
    Group, GroupId, LONGEST_OBSERVATION, Name, Resource, ResourceKind, Route, SegmentId, Source, Subject, SubjectId,
    SubjectKind, SubjectState, Timestamp, Upstream,
};
use countersign_policy::EVERYONE;

use crate::{LOCAL_OPERATOR, OWNERS};

/// The inventory as it would be after a change.
pub(crate) struct Proposed<'a> {
    pub(crate) groups: BTreeMap<GroupId, Group>,
    pub(crate) segments: BTreeSet<SegmentId>,
    /// Built-in ones too.
    pub(crate) resources: Vec<Arc<Resource>>,
    pub(crate) subject: &'a (dyn Fn(&SubjectId) -> Option<Subject> + Sync),
    pub(crate) control_host: String,
    pub(crate) now: Timestamp,
}

type Verdict = Result<(), String>;

fn refuse<T>(text: impl Into<String>) -> Result<T, String> {
    Err(text.into())
}

/// A name that people read: the same rules as for identifiers.
fn check_display_name(whose: &str, name: &str) -> Verdict {
    Name::new(name).map(drop).map_err(|error| format!("{whose}: the display name: {error}"))
}

impl Proposed<'_> {
    pub(crate) fn check_subject(&self, subject: &Subject) -> Verdict {
        let id = &subject.id;
        check_display_name(&id.to_string(), &subject.display_name)?;
        if id.kind() == SubjectKind::Anonymous || (id.kind(), id.name()) == (SubjectKind::Service, LOCAL_OPERATOR) {
            return refuse(format!("{id} is built in"));
        }
        if let Some(email) = &subject.email {
            let shape = email.len() <= 254 && email.split('@').filter(|part| !part.is_empty()).count() == 2;
            if !shape || !email.bytes().all(|byte| byte.is_ascii_graphic()) {
                return refuse(format!("{id}: {email:?} is no e-mail address"));
            }
        }
        for group in &subject.groups {
            self.check_membership(&id.to_string(), group)?;
        }
        let human = |who: &SubjectId| who.kind() == SubjectKind::Human && (self.subject)(who).is_some();
        match (id.kind(), &subject.owner) {
            (SubjectKind::Service | SubjectKind::Agent, None) => {
                return refuse(format!("{id}: a service or an agent needs a human who answers for it"));
            }
            (_, Some(owner)) if !human(owner) => return refuse(format!("{id}: there is no human {owner} to own it")),
            _ => {}
        }
        match &subject.acts_for {
            Some(_) if id.kind() != SubjectKind::Agent => refuse(format!("{id}: only an agent acts for somebody")),
            Some(whom) if (self.subject)(whom).is_none() => refuse(format!("{id}: there is no {whom} to act for")),
            _ => Ok(()),
        }
    }

    fn check_membership(&self, whose: &str, group: &GroupId) -> Verdict {
        if group.as_str() == EVERYONE {
            return refuse(format!("{whose}: nobody is put into {EVERYONE}, it has every human in it by itself"));
        }
        match self.groups.contains_key(group) {
            true => Ok(()),
            false => refuse(format!("{whose}: there is no group {group}")),
        }
    }

    pub(crate) fn check_group(&self, group: &Group) -> Verdict {
        let id = &group.id;
        check_display_name(&format!("group {id}"), &group.display_name)?;
        if id.as_str() == EVERYONE {
            return refuse(format!("the group {EVERYONE} is built in"));
        }
        for parent in &group.member_of {
            self.check_membership(&format!("group {id}"), parent)?;
        }
        match group.member_of.iter().any(|parent| self.ancestors(parent).contains(id)) {
            true => refuse(format!("group {id} would be a member of itself")),
            false => Ok(()),
        }
    }

    /// `group` and whatever it is a member of, over any number of steps; ends in a cycle too.
    fn ancestors(&self, group: &GroupId) -> BTreeSet<GroupId> {
        let mut seen = BTreeSet::new();
        let mut next = vec![group.clone()];
        while let Some(group) = next.pop() {
            if let Some(group) = self.groups.get(&group) {
                next.extend(group.member_of.iter().filter(|parent| !seen.contains(*parent)).cloned());
            }
            seen.insert(group);
        }
        seen
    }

    /// Whether `subject` would be able to administer Countersign.
    pub(crate) fn is_owner(&self, subject: &Subject) -> bool {
        let owns = |group: &GroupId| self.ancestors(group).iter().any(|group| group.as_str() == OWNERS);
        subject.id.kind() == SubjectKind::Human
            && subject.state == SubjectState::Active
            && subject.groups.iter().any(owns)
    }

    /// Before a segment is removed.
    pub(crate) fn check_segment_empty(&self, segment: &SegmentId) -> Verdict {
        match self.resources.iter().find(|resource| resource.segment.as_ref() == Some(segment)) {
            Some(resource) => refuse(format!("segment {segment}: resource {} is in it", resource.id)),
            None => Ok(()),
        }
    }

    /// Every mistake, a line each.
    pub(crate) fn check_resource(&self, resource: &Resource) -> Verdict {
        let id = &resource.id;
        let built_in = self.resources.iter().any(|other| other.id == *id && other.source == Source::Countersign);
        if built_in || resource.kind == ResourceKind::Countersign || resource.source == Source::Countersign {
            return refuse(format!("resource {id}: Countersign's own resources are built in"));
        }
        let mut mistakes = Vec::new();
        mistakes.extend(check_display_name(&format!("resource {id}"), &resource.display_name).err());
        if resource.segment.as_ref().is_some_and(|segment| !self.segments.contains(segment)) {
            mistakes.push(format!("resource {id}: its segment does not exist"));
        }
        if resource.owner.as_ref().is_some_and(|owner| (self.subject)(owner).is_none()) {
            mistakes.push(format!("resource {id}: its owner does not exist"));
        }
        let entitled = &resource.entitled;
        for group in entitled.readers.iter().chain(&entitled.writers).chain(&entitled.administrators) {
            if group.as_str() != EVERYONE && !self.groups.contains_key(group) {
                mistakes.push(format!("resource {id}: there is no group {group} to be entitled"));
            }
        }
        for rule in &resource.rules {
            let methods = rule.methods.iter().all(|method| method.bytes().all(|byte| byte.is_ascii_uppercase()));
            if !rule.path.0.starts_with('/') || !methods {
                let what = "a rule's path begins with a slash, and its methods are upper case";
                mistakes.push(format!("resource {id}: {what}"));
            }
        }
        if let Some(until) = resource.observe_until.filter(|until| *until > self.now.plus(LONGEST_OBSERVATION)) {
            let days = LONGEST_OBSERVATION.as_secs() / (24 * 3600);
            mistakes.push(format!("resource {id}: observe mode ends within {days} days, not on {until}"));
        }
        if resource.routes.is_empty() {
            mistakes.push(format!("resource {id} has no route: nothing would lead to it"));
        }
        mistakes.extend(resource.routes.iter().filter_map(|route| self.check_route(resource, route).err()));
        mistakes.extend(self.check_upstream(resource).err());
        mistakes.dedup();
        if mistakes.is_empty() { Ok(()) } else { refuse(mistakes.join("\n")) }
    }

    fn check_route(&self, resource: &Resource, route: &Route) -> Verdict {
        let id = &resource.id;
        let Route { host, path_prefix } = route;
        if !plain_host(host) {
            return refuse(format!("resource {id}: {host:?} is no host: write it in lower case, without a port"));
        }
        if *host == self.control_host {
            return refuse(format!("resource {id}: {host} is Countersign's own host"));
        }
        let tricky = path_prefix.contains("//") || path_prefix.split('/').any(|part| part == "." || part == "..");
        let plain = path_prefix.bytes().all(|byte| byte.is_ascii_graphic() && !b"%?#\\".contains(&byte));
        if !path_prefix.starts_with('/') || tricky || !plain {
            return refuse(format!("resource {id}: {path_prefix:?} is no path: begin with a slash, encode nothing"));
        }
        let same = |other: &Route| {
            other.host == *host && other.path_prefix.trim_end_matches('/') == path_prefix.trim_end_matches('/')
        };
        let twice = |other: &&Arc<Resource>| other.id != *id && other.routes.iter().any(same);
        match self.resources.iter().find(twice) {
            Some(other) => refuse(format!("resource {id}: {host}{path_prefix} belongs to resource {}", other.id)),
            None if resource.routes.iter().filter(|other| same(other)).count() > 1 => {
                refuse(format!("resource {id}: {host}{path_prefix} stands there twice"))
            }
            None => Ok(()),
        }
    }

    fn check_upstream(&self, resource: &Resource) -> Verdict {
        let id = &resource.id;
        let Upstream::Origin { url, .. } = &resource.upstream else {
            return refuse(format!("resource {id}: only Countersign's own resources are served from inside"));
        };
        // The scheme of HTTP/2 without TLS is unknown to URL parsing, which then takes more liberties with the host.
        let parsed = match url.strip_prefix("h2c://") {
            Some(rest) => Url::parse(&format!("http://{rest}")),
            None => Url::parse(url),
        };
        let shape =
            format!("resource {id}: the upstream is http://, https:// or h2c://, a host and a port, nothing else");
        let Ok(parsed) = parsed else { return refuse(shape) };
        let bare = parsed.username().is_empty()
            && parsed.password().is_none()
            && parsed.query().is_none()
            && parsed.fragment().is_none()
            && parsed.path() == "/";
        let Some(host) = parsed.host_str() else { return refuse(shape) };
        if !bare || !matches!(parsed.scheme(), "http" | "https") {
            return refuse(shape);
        }
        let ours = host == self.control_host
            || resource.routes.iter().any(|route| route.host == host)
            || self.resources.iter().any(|other| other.routes.iter().any(|route| route.host == host));
        match ours {
            true => refuse(format!("resource {id}: the upstream {host} leads back to the gateway")),
            false => Ok(()),
        }
    }

    /// Groups in an order in which each comes after those that it is a member of. Cycles have been refused before.
    pub(crate) fn parents_first(&self, mut groups: Vec<Group>) -> Vec<Group> {
        let depth: HashMap<GroupId, usize> =
            groups.iter().map(|group| (group.id.clone(), self.ancestors(&group.id).len())).collect();
        groups.sort_by_key(|group| depth.get(&group.id).copied());
        groups
    }
}

fn plain_host(host: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    host.len() <= 253 && host.split('.').all(label)
}
