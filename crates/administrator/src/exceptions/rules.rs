//! What an exception has to be: a scope that names something, people and policies that there are, a reason, a compensating
//! control, and an end that is near.

use countersign_identity::passkey::Url;
use countersign_model::{Exception, PolicyId, Probe, ResourceKind, SubjectKind, Timestamp};
use countersign_policy::EVERYONE;

use crate::Administrator;
use crate::accounts::ActError;
use crate::world::View;

/// Characters of a reason or a control.
const TEXT: usize = 1000;
/// Of a note: there may be a dozen, and an entry of the ledger has an end.
const NOTE: usize = 300;
/// Names in a scope, of all kinds together: every change of it stands in the ledger as a whole.
const NAMES: usize = 64;
const RELAXED: usize = 16;
const ADDRESS: usize = 500;

fn refuse<T>(why: impl Into<String>) -> Result<T, ActError> {
    Err(ActError::Refused(why.into()))
}

pub(super) fn check_note(what: &str, text: &str) -> Result<(), ActError> {
    check_text(what, text, NOTE)
}

pub(crate) fn check_text(what: &str, text: &str, most: usize) -> Result<(), ActError> {
    // As in names: what reorders or hides is not for people who decide by what they read.
    let hidden = |c: char| {
        (c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
            || matches!(c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
    };
    match text.trim() {
        "" => refuse(format!("{what} is missing")),
        _ if text.chars().count() > most => refuse(format!("{what} has more than {most} characters")),
        _ if text.contains(hidden) => refuse(format!("{what} has characters that nobody sees")),
        _ => Ok(()),
    }
}

impl Administrator {
    pub(super) fn check_exception(&self, exception: &Exception, now: Timestamp) -> Result<(), ActError> {
        let longest = self.settings().longest_exception;
        if exception.expires <= now || exception.expires > now.plus(longest) {
            let days = longest.as_secs() / (24 * 3600);
            return refuse(format!("an exception ends in the future, and within {days} days"));
        }
        check_text("the reason", &exception.reason, TEXT)?;
        check_text("the compensating control", &exception.control.description, TEXT)?;
        let view = self.0.world.view();
        if exception.owner.kind() != SubjectKind::Human || !view.is_active(&exception.owner) {
            return refuse(format!("an exception is owned by an active human, and {} is none", exception.owner));
        }
        self.check_relaxed(exception)?;
        check_scope(&view, exception)?;
        match &exception.control.probe {
            None => Ok(()),
            Some(Probe::Segment { segment }) => match view.segment(segment) {
                Some(_) => Ok(()),
                None => refuse(format!("there is no segment {segment}")),
            },
            Some(Probe::Policy { policy }) => match self.policies().policies().iter().any(|info| info.id == *policy) {
                true => Ok(()),
                false => refuse(format!("there is no policy {policy}")),
            },
            Some(Probe::Http { url, status, private }) => check_address(url, *status, *private),
        }
    }

    fn check_relaxed(&self, exception: &Exception) -> Result<(), ActError> {
        if exception.relaxes.is_empty() || exception.relaxes.len() > RELAXED {
            return refuse(format!("an exception relaxes 1 to {RELAXED} policies"));
        }
        let policies = self.policies();
        let relaxable = |id: &&PolicyId| !policies.relaxable().any(|info| info.id == **id);
        let Some(wrong) = exception.relaxes.iter().find(relaxable) else { return Ok(()) };
        match policies.policies().iter().any(|info| info.id == *wrong) {
            true => {
                refuse(format!("policy {wrong} is not relaxable: its owner has not said so, or it is not enforced"))
            }
            false => refuse(format!("there is no policy {wrong}")),
        }
    }
}

fn check_scope(view: &View, exception: &Exception) -> Result<(), ActError> {
    let scope = &exception.scope;
    if scope.subjects.is_empty() && scope.groups.is_empty() {
        return refuse("an exception names subjects or groups");
    }
    if scope.resources.is_empty() && scope.segments.is_empty() {
        return refuse("an exception names resources or segments");
    }
    if scope.classes.is_empty() {
        return refuse("an exception names classes of action: read, write, administer, connect");
    }
    if scope.subjects.len() + scope.groups.len() + scope.resources.len() + scope.segments.len() > NAMES {
        return refuse(format!("an exception names at most {NAMES} subjects, groups, resources and segments"));
    }
    for subject in &scope.subjects {
        if subject.kind() == SubjectKind::Anonymous || view.subject(subject).is_none() {
            return refuse(format!("there is no {subject} to except"));
        }
    }
    for group in &scope.groups {
        match view.group(group) {
            _ if group.as_str() == EVERYONE => return refuse("what holds for everyone is a policy, no exception"),
            None => return refuse(format!("there is no group {group}")),
            Some(_) => {}
        }
    }
    for resource in &scope.resources {
        match view.resource(resource).map(|record| record.resource.kind) {
            None => return refuse(format!("there is no resource {resource}")),
            // INVARIANT: nothing relaxes what guards Countersign itself. Its parts are in no segment.
            Some(ResourceKind::Countersign) => {
                return refuse(format!("{resource} is a part of Countersign: there is no exception for it"));
            }
            Some(_) => {}
        }
    }
    match scope.segments.iter().find(|segment| view.segment(segment).is_none()) {
        Some(segment) => refuse(format!("there is no segment {segment}")),
        None => Ok(()),
    }
}

/// No credential and no query: what stands here is read in the register and in the ledger.
fn check_address(url: &str, status: u16, private: bool) -> Result<(), ActError> {
    let shape = "a probe's address is https:// (inside the house also http://), a host and a path, nothing else";
    let parsed = Url::parse(url).ok().filter(|_| url.len() <= ADDRESS);
    let Some(parsed) = parsed else { return refuse(shape) };
    let bare = parsed.username().is_empty()
        && parsed.password().is_none()
        && parsed.query().is_none()
        && parsed.fragment().is_none()
        && parsed.host_str().is_some();
    let scheme = parsed.scheme() == "https" || (private && parsed.scheme() == "http");
    match bare && scheme {
        false => refuse(shape),
        true if !(200..=599).contains(&status) => refuse("a probe's status is 200 to 599"),
        true => Ok(()),
    }
}
