//! Administrative acts on the inventory, one at a time: checked, recorded, submitted as signals. Many at once, from a
//! directory of files, are in `apply`.

use std::sync::Arc;

use countersign_model::{
    DeviceId, DeviceState, Group, GroupId, Resource, ResourceId, Segment, SegmentId, Signal, SignalKind, Source,
    Subject, SubjectId, SubjectState,
};
use countersign_store::{Change, KeyRecord, SessionRecord};

use crate::accounts::ActError;
use crate::inventory_rules::Proposed;
use crate::{Actor, Administrator, OWNERS};

fn refused(text: String) -> ActError {
    ActError::Refused(text)
}

impl Administrator {
    /// The inventory as it is, to change a copy of it and look.
    pub(crate) fn proposed<'a>(&self, subject: &'a (dyn Fn(&SubjectId) -> Option<Subject> + Sync)) -> Proposed<'a> {
        Proposed {
            groups: self.groups().into_iter().map(|group| (group.id.clone(), group)).collect(),
            segments: self.segments().into_iter().map(|segment| segment.id).collect(),
            resources: self.resources(),
            subject,
            control_host: self.settings().control_host.clone(),
            now: self.now(),
        }
    }

    pub(crate) async fn signal(&self, kind: SignalKind, source: Source, actor: &Actor) -> Result<(), ActError> {
        let signal = Signal { at: self.now(), source, by: Some(actor.subject.clone()), kind };
        self.submit_asked(vec![signal], actor.decision).await?;
        Ok(())
    }

    /// Refuses what would leave nobody in `owners`, where there is somebody now.
    pub(crate) fn keeps_an_owner(&self, proposed: &Proposed<'_>, also: &[SubjectId]) -> Result<(), ActError> {
        let owners = self.owners();
        let remains = |id: &SubjectId| (proposed.subject)(id).is_some_and(|subject| proposed.is_owner(&subject));
        match owners.is_empty() || owners.iter().chain(also).any(remains) {
            true => Ok(()),
            false => Err(ActError::LastOwner),
        }
    }

    /// The same where only `changed` changes: who owns nothing is not the last owner, and nobody else is looked at.
    fn keeps_its_owner(&self, proposed: &Proposed<'_>, changed: &SubjectId) -> Result<(), ActError> {
        match self.subject(changed) {
            Some(before) if proposed.is_owner(&before) => self.keeps_an_owner(proposed, &[]),
            _ => Ok(()),
        }
    }

    pub async fn put_subject(&self, subject: Subject, actor: &Actor) -> Result<(), ActError> {
        let _turn = self.0.accounts.acting.lock().await;
        self.change_subject(subject, "subject.put", actor).await
    }

    async fn change_subject(&self, subject: Subject, verb: &str, actor: &Actor) -> Result<(), ActError> {
        let after = |id: &SubjectId| if *id == subject.id { Some(subject.clone()) } else { self.subject(id) };
        let proposed = self.proposed(&after);
        proposed.check_subject(&subject).map_err(refused)?;
        self.keeps_its_owner(&proposed, &subject.id)?;
        self.record_act(actor, verb, &subject.id, "").await?;
        let (id, state) = (subject.id.clone(), subject.state);
        self.signal(SignalKind::SubjectPut { subject }, Source::Administrator, actor).await?;
        if state == SubjectState::Disabled {
            self.end_sessions(|session| session.subject == id, "disabled", Some(actor)).await;
        }
        Ok(())
    }

    fn existing(&self, id: &SubjectId) -> Result<Subject, ActError> {
        self.subject(id).ok_or_else(|| ActError::NotFound(id.to_string()))
    }

    /// A disabled subject's sessions end; its keys, and those it answers for, prove nothing while it is disabled.
    pub async fn set_subject_state(&self, id: &SubjectId, state: SubjectState, actor: &Actor) -> Result<(), ActError> {
        let _turn = self.0.accounts.acting.lock().await;
        let subject = Subject { state, ..self.existing(id)? };
        let after = |other: &SubjectId| if other == id { Some(subject.clone()) } else { self.subject(other) };
        self.keeps_its_owner(&self.proposed(&after), id)?;
        let verb = match state {
            SubjectState::Active => "subject.enable",
            SubjectState::Disabled => "subject.disable",
        };
        self.record_act(actor, verb, id, "").await?;
        self.signal(SignalKind::SubjectState { id: id.clone(), state }, Source::Administrator, actor).await?;
        if state == SubjectState::Disabled {
            self.end_sessions(|session| session.subject == *id, "disabled", Some(actor)).await;
        }
        Ok(())
    }

    /// The groups it is a direct member of, in place of the former.
    pub async fn set_groups(&self, id: &SubjectId, groups: Vec<GroupId>, actor: &Actor) -> Result<(), ActError> {
        let _turn = self.0.accounts.acting.lock().await;
        self.change_groups(id, groups, actor).await
    }

    /// The same for whoever has the turn already.
    pub(crate) async fn change_groups(
        &self,
        id: &SubjectId,
        groups: Vec<GroupId>,
        actor: &Actor,
    ) -> Result<(), ActError> {
        let subject = Subject { groups: groups.clone(), ..self.existing(id)? };
        let after = |other: &SubjectId| if other == id { Some(subject.clone()) } else { self.subject(other) };
        let proposed = self.proposed(&after);
        proposed.check_subject(&subject).map_err(refused)?;
        self.keeps_its_owner(&proposed, id)?;
        let names: Vec<_> = groups.iter().map(GroupId::as_str).collect();
        self.record_act(actor, "subject.groups", id, names.join(" ")).await?;
        let kind = SignalKind::MembershipChanged { subject: id.clone(), groups };
        self.signal(kind, Source::Administrator, actor).await
    }

    /// 0 to 100.
    pub async fn set_risk(&self, id: &SubjectId, risk: u8, reason: String, actor: &Actor) -> Result<(), ActError> {
        if risk > 100 {
            return Err(refused("risk is 0 to 100".to_owned()));
        }
        self.existing(id)?;
        self.record_act(actor, "subject.risk", id, format!("{risk}: {reason}")).await?;
        let kind = SignalKind::RiskChanged { subject: id.clone(), risk, reason };
        self.signal(kind, Source::Administrator, actor).await
    }

    /// With its sessions and keys, and the keys it answers for; its devices are revoked. Refused while it answers for a
    /// service or an agent would be kinder, but a leaver has to be removable at once: those become orphans, which
    /// policy sees as keys without an owner.
    pub async fn remove_subject(&self, id: &SubjectId, actor: &Actor) -> Result<(), ActError> {
        let _turn = self.0.accounts.acting.lock().await;
        self.existing(id)?;
        let after = |other: &SubjectId| if other == id { None } else { self.subject(other) };
        self.keeps_its_owner(&self.proposed(&after), id)?;
        self.record_act(actor, "subject.remove", id, "").await?;
        let (at, by) = (self.now(), Some(actor.subject.clone()));
        let signal = |kind| Signal { at, source: Source::Administrator, by: by.clone(), kind };
        let revoked = |id| SignalKind::DeviceState { id, state: DeviceState::Revoked };
        let mut kinds: Vec<_> = self.devices_of(id).into_iter().map(revoked).collect();
        kinds.push(SignalKind::SubjectRemoved { id: id.clone() });
        self.submit_asked(kinds.into_iter().map(signal).collect(), actor.decision).await?;
        self.forget_credentials(id, actor).await
    }

    pub(crate) fn devices_of(&self, owner: &SubjectId) -> Vec<DeviceId> {
        let view = self.0.world.view();
        view.devices().filter(|record| record.owner() == owner).map(|record| record.id().clone()).collect()
    }

    /// The sessions of a subject that has left, its keys and those it answered for. The store has let go of them with
    /// the subject, but for keys of other subjects.
    pub(crate) async fn forget_credentials(&self, id: &SubjectId, actor: &Actor) -> Result<(), ActError> {
        self.end_sessions(|session: &SessionRecord| session.subject == *id, "removed", Some(actor)).await;
        let mut changes = Vec::new();
        for key in self.0.accounts.sessions.keys(|key: &KeyRecord| key.subject == *id || key.owner == *id) {
            self.0.accounts.sessions.remove_key(&key.id);
            self.key_changed(&key.id);
            changes.push(Change::RemoveKey(key.id));
        }
        self.commit(changes).await?;
        Ok(())
    }

    pub async fn put_group(&self, group: Group, actor: &Actor) -> Result<(), ActError> {
        let _turn = self.0.accounts.acting.lock().await;
        let now = |id: &SubjectId| self.subject(id);
        let mut proposed = self.proposed(&now);
        proposed.groups.insert(group.id.clone(), group.clone());
        proposed.check_group(&group).map_err(refused)?;
        self.keeps_an_owner(&proposed, &[])?;
        self.record_act(actor, "group.put", &group.id, "").await?;
        self.signal(SignalKind::GroupPut { group }, Source::Administrator, actor).await
    }

    pub async fn remove_group(&self, id: &GroupId, actor: &Actor) -> Result<(), ActError> {
        let _turn = self.0.accounts.acting.lock().await;
        if id.as_str() == OWNERS {
            return Err(refused(format!("the group {OWNERS} administers Countersign and cannot be removed")));
        }
        if self.group(id).is_none() {
            return Err(ActError::NotFound(format!("group {id}")));
        }
        let now = |id: &SubjectId| self.subject(id);
        let mut proposed = self.proposed(&now);
        proposed.groups.remove(id);
        self.keeps_an_owner(&proposed, &[])?;
        self.record_act(actor, "group.remove", id, "").await?;
        self.signal(SignalKind::GroupRemoved { id: id.clone() }, Source::Administrator, actor).await
    }

    pub async fn put_segment(&self, segment: Segment, actor: &Actor) -> Result<(), ActError> {
        let _turn = self.0.accounts.acting.lock().await;
        self.record_act(actor, "segment.put", &segment.id, "").await?;
        self.signal(SignalKind::SegmentPut { segment }, Source::Administrator, actor).await
    }

    pub async fn remove_segment(&self, id: &SegmentId, actor: &Actor) -> Result<(), ActError> {
        let _turn = self.0.accounts.acting.lock().await;
        if !self.segments().iter().any(|segment| segment.id == *id) {
            return Err(ActError::NotFound(format!("segment {id}")));
        }
        let now = |id: &SubjectId| self.subject(id);
        self.proposed(&now).check_segment_empty(id).map_err(refused)?;
        self.record_act(actor, "segment.remove", id, "").await?;
        self.signal(SignalKind::SegmentRemoved { id: id.clone() }, Source::Administrator, actor).await
    }

    pub async fn put_resource(&self, resource: Resource, actor: &Actor) -> Result<(), ActError> {
        let _turn = self.0.accounts.acting.lock().await;
        self.change_resource(resource, actor).await
    }

    /// The same for whoever has the turn already.
    pub(crate) async fn change_resource(&self, resource: Resource, actor: &Actor) -> Result<(), ActError> {
        let now = |id: &SubjectId| self.subject(id);
        self.proposed(&now).check_resource(&resource).map_err(refused)?;
        let until = resource.observed_until(self.now());
        // What has ended may stay as it is written; nothing is made to end in the past.
        let written = |old: &Arc<Resource>| old.id == resource.id && old.observe_until == resource.observe_until;
        if let (Some(past), None, false) = (resource.observe_until, until, self.resources().iter().any(written)) {
            let id = &resource.id;
            return Err(refused(format!("resource {id}: observe mode would end on {past}, which is in the past")));
        }
        let detail = until.map(|until| format!("in observe mode until {until}")).unwrap_or_default();
        self.record_act(actor, "resource.put", &resource.id, detail).await?;
        self.signal(SignalKind::ResourcePut { resource }, Source::Administrator, actor).await
    }

    pub async fn remove_resource(&self, id: &ResourceId, actor: &Actor) -> Result<(), ActError> {
        let _turn = self.0.accounts.acting.lock().await;
        let found: Option<Arc<Resource>> = self.resources().into_iter().find(|resource| resource.id == *id);
        match found {
            None => return Err(ActError::NotFound(format!("resource {id}"))),
            Some(resource) if resource.source == Source::Countersign => {
                return Err(refused(format!("resource {id} is built in")));
            }
            // It would come back with the next change of the file.
            Some(resource) if resource.source == Source::Configuration => {
                return Err(ActError::Configured(format!("resource {id}")));
            }
            Some(_) => {}
        }
        self.record_act(actor, "resource.remove", id, "").await?;
        self.signal(SignalKind::ResourceRemoved { id: id.clone() }, Source::Administrator, actor).await
    }
}
