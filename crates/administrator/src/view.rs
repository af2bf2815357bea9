//! What others may see of the administrator: facts as the model's types, leases, and how it is doing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use countersign_lease::Catalog;
use countersign_ledger::Status as LedgerStatus;
use countersign_model::{
    Action, Assessment, DecisionId, Device, DeviceId, Group, GroupId, LeaseId, Resource, ResourceId, Segment,
    SegmentId, SessionId, Subject, SubjectId, SubjectKind, SubjectState, Timestamp,
};

use crate::leases::Live;
use crate::world::{Counts, DeviceRecord, SubjectRecord};
use crate::{Administrator, built_in};

/// A piece of a list that is sorted by id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Begins after this id.
    pub after: Option<String>,
    pub limit: usize,
}

impl Default for Page {
    fn default() -> Self {
        Self { after: None, limit: 100 }
    }
}

/// Which subjects to show. What is absent does not narrow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SubjectFilter {
    pub kind: Option<SubjectKind>,
    /// A direct member of this group.
    pub group: Option<GroupId>,
    /// Part of the id, the name or the address; lower case.
    pub text: Option<String>,
}

impl SubjectFilter {
    fn covers(&self, record: &SubjectRecord) -> bool {
        let holds = |text: &str, part: &str| text.to_lowercase().contains(part);
        self.kind.is_none_or(|kind| record.id().kind() == kind)
            && self.group.as_ref().is_none_or(|group| record.groups().contains(group))
            && self.text.as_deref().is_none_or(|part| {
                holds(record.id().name(), part)
                    || holds(record.display_name(), part)
                    || record.email().is_some_and(|email| holds(email, part))
            })
    }
}

/// Which leases to show. What is absent does not narrow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeaseFilter {
    pub subject: Option<SubjectId>,
    pub session: Option<SessionId>,
    pub device: Option<DeviceId>,
    pub resource: Option<ResourceId>,
}

impl LeaseFilter {
    fn covers(&self, live: &Live) -> bool {
        let it = &live.principal;
        self.subject.as_ref().is_none_or(|subject| it.subject == *subject)
            && self.session.is_none_or(|session| it.session == Some(session))
            && (self.device.is_none() || it.device == self.device)
            && self.resource.as_ref().is_none_or(|resource| it.resource == *resource)
    }
}

/// A live lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseView {
    pub id: LeaseId,
    pub decision: DecisionId,
    pub subject: SubjectId,
    pub session: Option<SessionId>,
    pub device: Option<DeviceId>,
    pub resource: ResourceId,
    pub action: Action,
    pub channel: &'static str,
    /// Method, host and path.
    pub request: Option<String>,
    pub address: std::net::IpAddr,
    pub opened: Timestamp,
}

impl LeaseView {
    pub(crate) fn new(live: &Live) -> Self {
        let request = live.sight.http.as_ref().map(|http| format!("{} {}{}", http.method, http.host, http.path));
        Self {
            id: live.id,
            decision: live.decision,
            subject: live.principal.subject.clone(),
            session: live.principal.session,
            device: live.principal.device.clone(),
            resource: live.principal.resource.clone(),
            action: live.sight.action,
            channel: live.sight.point.channel,
            request,
            address: live.sight.address,
            opened: live.opened,
        }
    }
}

/// How this node is doing.
#[derive(Debug, Clone)]
pub struct Status {
    pub node: String,
    pub ready: bool,
    /// Of the world.
    pub generation: u64,
    pub counts: Counts,
    pub leases: usize,
    /// Admissions that wait for the ledger now.
    pub in_flight: usize,
    /// SHA-256 of the policy set that decides now, in hex.
    pub policy_set: String,
    pub policies: usize,
    pub ledger: LedgerStatus,
    pub started: Timestamp,
    pub uptime: Duration,
}

impl Administrator {
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// Whether anything can be admitted: the ledger takes entries and nobody has asked to stop.
    pub fn ready(&self) -> bool {
        !self.0.stopping.load(Ordering::SeqCst) && !self.0.recorder.is_broken()
    }

    /// The current routing table.
    pub fn catalog(&self) -> Arc<Catalog> {
        self.0.catalog.load_full()
    }

    pub fn status(&self) -> Status {
        let view = self.0.world.view();
        let policies = self.policies();
        let ledger = self.ledger().status();
        Status {
            node: self.0.node.clone(),
            ready: self.ready() && ledger.broken.is_none(),
            generation: view.generation,
            counts: view.counts(),
            leases: self.0.leases.len(),
            in_flight: self.0.in_flight.load(Ordering::Relaxed),
            policy_set: policies.hash().to_owned(),
            policies: policies.policies().len(),
            ledger,
            started: self.0.started,
            uptime: self.now().since(self.0.started),
        }
    }

    pub fn subject(&self, id: &SubjectId) -> Option<Subject> {
        self.0.world.view().subject(id).map(|record| self.seen(record.subject()))
    }

    /// When somebody was last seen is nothing that a decision reads, so the world does not follow it.
    fn seen(&self, subject: Subject) -> Subject {
        let last_used = subject.last_used.max(self.0.accounts.sessions.last_seen(&subject.id));
        Subject { last_used, ..subject }
    }

    /// Sorted by id. Looks at every subject: not for the path of a request.
    pub fn subjects(&self, page: &Page, filter: &SubjectFilter) -> Vec<Subject> {
        let view = self.0.world.view();
        let found = first(page, view.subjects().filter(|it| filter.covers(it)), |it| it.id().to_string());
        found.into_iter().map(|record| self.seen(record.subject())).collect()
    }

    pub fn risk(&self, subject: &SubjectId) -> Option<u8> {
        self.0.world.view().subject(subject).map(|record| record.risk)
    }

    /// Every group that the subject is in, directly or not, sorted.
    pub fn groups_of(&self, subject: &SubjectId) -> Vec<GroupId> {
        let view = self.0.world.view();
        view.subject(subject).map(|record| view.closure(record.groups())).unwrap_or_default()
    }

    pub fn group(&self, id: &GroupId) -> Option<Group> {
        self.0.world.view().group(id).cloned()
    }

    pub fn groups(&self) -> Vec<Group> {
        let mut groups: Vec<Group> = self.0.world.view().groups().cloned().collect();
        groups.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        groups
    }

    pub fn device(&self, id: &DeviceId) -> Option<Device> {
        self.0.world.view().device(id).map(|record| record.device())
    }

    pub fn device_by_certificate(&self, fingerprint: &str) -> Option<DeviceId> {
        self.0.world.view().device_by_certificate(fingerprint).map(|record| record.id().clone())
    }

    /// Sorted by id. Looks at every device: not for the path of a request.
    pub fn devices(&self, page: &Page, owner: Option<&SubjectId>) -> Vec<Device> {
        let view = self.0.world.view();
        let owned = view.devices().filter(|it| owner.is_none_or(|owner| it.owner() == owner));
        first(page, owned, |it| it.id().to_string()).into_iter().map(|record| record.device()).collect()
    }

    /// Those whose id, name or owner contains `text`, which is in lower case; sorted by id, and no more than the page.
    pub fn devices_containing(&self, page: &Page, text: &str) -> Vec<Device> {
        let view = self.0.world.view();
        let holds = |name: &str| name.to_lowercase().contains(text);
        let fits =
            |it: &DeviceRecord| holds(it.id().as_str()) || holds(it.display_name()) || holds(&it.owner().to_string());
        let found = first(page, view.devices().filter(|it| fits(it)), |it| it.id().to_string());
        found.into_iter().map(|record| record.device()).collect()
    }

    /// How many leases of the session are alive.
    pub fn leases_of(&self, session: SessionId) -> usize {
        self.0.leases.all().iter().filter(|live| live.principal.session == Some(session)).count()
    }

    /// The posture of a device, judged now.
    pub fn assess(&self, device: &DeviceId) -> Option<Assessment> {
        let posture = self.0.world.view().device(device)?.posture();
        Some(self.0.rules.load().settings.posture.assess(&posture, self.now()))
    }

    pub fn resource(&self, id: &ResourceId) -> Option<Arc<Resource>> {
        self.0.world.view().resource(id).map(|record| Arc::clone(&record.resource))
    }

    /// All of them, the built-in ones too, sorted by id.
    pub fn resources(&self) -> Vec<Arc<Resource>> {
        let view = self.0.world.view();
        let mut resources: Vec<_> = view.resources().map(|record| Arc::clone(&record.resource)).collect();
        resources.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        resources
    }

    pub fn segment(&self, id: &SegmentId) -> Option<Segment> {
        self.0.world.view().segment(id).cloned()
    }

    pub fn segments(&self) -> Vec<Segment> {
        let mut segments: Vec<Segment> = self.0.world.view().segments().cloned().collect();
        segments.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        segments
    }

    /// The people who can administer Countersign: active, and in the group `owners`, directly or not.
    pub fn owners(&self) -> Vec<SubjectId> {
        let view = self.0.world.view();
        let owns = |record: &SubjectRecord| {
            record.id().kind() == SubjectKind::Human
                && record.state == SubjectState::Active
                && view.closure(record.groups()).iter().any(|group| group.as_str() == built_in::OWNERS)
        };
        let mut owners: Vec<_> = view.subjects().filter(|it| owns(it)).map(|it| it.id().clone()).collect();
        owners.sort_unstable();
        owners
    }

    /// Live leases, newest first.
    pub fn leases(&self, filter: &LeaseFilter) -> Vec<LeaseView> {
        let all = self.0.leases.all();
        let mut found: Vec<LeaseView> =
            all.iter().filter(|live| filter.covers(live)).map(|live| LeaseView::new(live)).collect();
        found.sort_unstable_by(|a, b| b.opened.cmp(&a.opened).then_with(|| b.id.cmp(&a.id)));
        found
    }
}

/// The first `limit` after `after`, without sorting the rest.
fn first<'a, T>(page: &Page, records: impl Iterator<Item = &'a Arc<T>>, id: impl Fn(&T) -> String) -> Vec<&'a Arc<T>> {
    let mut kept: BTreeMap<String, &Arc<T>> = BTreeMap::new();
    for record in records {
        let key = id(record);
        if page.after.as_ref().is_some_and(|after| key <= *after) {
            continue;
        }
        kept.insert(key, record);
        if kept.len() > page.limit {
            kept.pop_last();
        }
    }
    kept.into_values().collect()
}
