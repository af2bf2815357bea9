//! A whole inventory at once, from configuration: what is in it is put, what came from configuration before and is not
//! in it any more is removed, what came from elsewhere stays. Everything is checked before anything is changed.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use countersign_model::{
    DeviceState, Group, GroupId, Resource, Segment, SegmentId, Signal, SignalKind, Source, Subject, SubjectId,
};

use crate::accounts::ActError;
use crate::inventory_rules::Proposed;
use crate::{Actor, Administrator};

/// What configuration says there is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bundle {
    pub segments: Vec<Segment>,
    pub groups: Vec<Group>,
    pub subjects: Vec<Subject>,
    pub resources: Vec<Resource>,
}

/// What applying a bundle did, or would do. Each thing by its kind and name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ApplyReport {
    pub created: Vec<String>,
    pub changed: Vec<String>,
    pub removed: Vec<String>,
    pub unchanged: Vec<String>,
    pub warnings: Vec<String>,
}

impl ApplyReport {
    /// Notes `new`, and tells whether there is something to do.
    fn note<T: PartialEq>(&mut self, name: String, old: Option<&T>, new: &T) -> bool {
        let (list, changes) = match old {
            None => (&mut self.created, true),
            Some(old) if old != new => (&mut self.changed, true),
            Some(_) => (&mut self.unchanged, false),
        };
        list.push(name);
        changes
    }
}

#[derive(Default)]
struct Plan {
    /// One change of the world.
    signals: Vec<SignalKind>,
    removed_subjects: Vec<SubjectId>,
    /// Who would administer Countersign afterwards.
    owners: Vec<SubjectId>,
}

impl Administrator {
    /// The world changes at once. A crash after that, before the credentials of removed subjects are gone from memory,
    /// leaves nothing: the store has removed them with their subjects.
    pub async fn apply(&self, bundle: Bundle, actor: &Actor, dry_run: bool) -> Result<ApplyReport, ActError> {
        let _turn = self.0.accounts.acting.lock().await;
        let (mut report, plan) = self.plan(bundle).map_err(ActError::Refused)?;
        self.warn_of_lock_out(&mut report, plan.owners.clone()).await?;
        if dry_run {
            return Ok(report);
        }
        let detail = format!(
            "{} created, {} changed, {} removed, {} unchanged",
            report.created.len(),
            report.changed.len(),
            report.removed.len(),
            report.unchanged.len()
        );
        self.record_act(actor, "apply", "inventory", detail).await?;
        let (at, by) = (self.now(), Some(actor.subject.clone()));
        let signal = |kind| Signal { at, source: Source::Configuration, by: by.clone(), kind };
        self.submit_all(plan.signals.into_iter().map(signal).collect()).await?;
        for id in &plan.removed_subjects {
            self.forget_credentials(id, actor).await?;
        }
        Ok(report)
    }

    fn plan(&self, bundle: Bundle) -> Result<(ApplyReport, Plan), String> {
        unique("segment", bundle.segments.iter().map(|segment| &segment.id))?;
        unique("group", bundle.groups.iter().map(|group| &group.id))?;
        unique("subject", bundle.subjects.iter().map(|subject| &subject.id))?;
        unique("resource", bundle.resources.iter().map(|resource| &resource.id))?;
        let mut report = ApplyReport::default();
        let mut plan = Plan::default();

        let subjects: HashMap<SubjectId, Subject> =
            bundle.subjects.iter().map(|subject| (subject.id.clone(), self.as_configured(subject))).collect();
        let gone: BTreeSet<SubjectId> =
            self.configured_subjects().into_iter().filter(|id| !subjects.contains_key(id)).collect();
        let after = |id: &SubjectId| match subjects.get(id) {
            Some(subject) => Some(subject.clone()),
            None if gone.contains(id) => None,
            None => self.subject(id),
        };
        let mut proposed = self.proposed(&after);

        let segments = self.segments();
        let kept_segments: BTreeSet<SegmentId> = bundle.segments.iter().map(|segment| segment.id.clone()).collect();
        for segment in bundle.segments {
            let segment = Segment { source: Source::Configuration, ..segment };
            let old = segments.iter().find(|old| old.id == segment.id);
            proposed.segments.insert(segment.id.clone());
            if report.note(format!("segment {}", segment.id), old, &segment) {
                plan.signals.push(SignalKind::SegmentPut { segment });
            }
        }
        let configured = |old: &&Segment| old.source == Source::Configuration;
        let gone_segments: Vec<SegmentId> = segments
            .iter()
            .filter(configured)
            .filter(|old| !kept_segments.contains(&old.id))
            .map(|old| old.id.clone())
            .collect();
        for id in &gone_segments {
            report.removed.push(format!("segment {id}"));
            proposed.segments.remove(id);
        }
        let gone_groups = self.plan_groups(bundle.groups, &mut proposed, &mut report, &mut plan)?;
        for subject in bundle.subjects {
            let subject = self.as_configured(&subject);
            proposed.check_subject(&subject)?;
            if report.note(subject.id.to_string(), self.subject(&subject.id).as_ref(), &subject) {
                plan.signals.push(SignalKind::SubjectPut { subject });
            }
        }
        report.removed.extend(gone.iter().map(ToString::to_string));
        self.plan_resources(bundle.resources, &mut proposed, &mut report, &mut plan)?;
        for id in &gone_segments {
            proposed.check_segment_empty(id)?;
        }
        let new: Vec<SubjectId> = subjects.keys().cloned().collect();
        let remains = |id: &SubjectId| after(id).is_some_and(|subject| proposed.is_owner(&subject));
        plan.owners = self.owners().into_iter().chain(new.clone()).filter(remains).collect();
        self.keeps_an_owner(&proposed, &new).map_err(|error| error.to_string())?;
        for id in gone {
            let revoked = |id| SignalKind::DeviceState { id, state: DeviceState::Revoked };
            plan.signals.extend(self.devices_of(&id).into_iter().map(revoked));
            plan.signals.push(SignalKind::SubjectRemoved { id: id.clone() });
            plan.removed_subjects.push(id);
        }
        plan.signals.extend(gone_groups.into_iter().map(|id| SignalKind::GroupRemoved { id }));
        // Last: what was in them is elsewhere or gone by then.
        plan.signals.extend(gone_segments.into_iter().map(|id| SignalKind::SegmentRemoved { id }));
        Ok((report, plan))
    }

    fn plan_groups(
        &self,
        groups: Vec<Group>,
        proposed: &mut Proposed<'_>,
        report: &mut ApplyReport,
        plan: &mut Plan,
    ) -> Result<Vec<GroupId>, String> {
        let mut gone = Vec::new();
        let groups: Vec<Group> =
            groups.into_iter().map(|group| Group { source: Source::Configuration, ..group }).collect();
        let before = proposed.groups.clone();
        for old in before.values() {
            let kept = groups.iter().any(|group| group.id == old.id);
            if old.source == Source::Configuration && !kept {
                report.removed.push(format!("group {}", old.id));
                proposed.groups.remove(&old.id);
                gone.push(old.id.clone());
            }
        }
        proposed.groups.extend(groups.iter().map(|group| (group.id.clone(), group.clone())));
        for group in &groups {
            proposed.check_group(group)?;
        }
        for group in proposed.parents_first(groups) {
            if report.note(format!("group {}", group.id), before.get(&group.id), &group) {
                plan.signals.push(SignalKind::GroupPut { group });
            }
        }
        Ok(gone)
    }

    fn plan_resources(
        &self,
        resources: Vec<Resource>,
        proposed: &mut Proposed<'_>,
        report: &mut ApplyReport,
        plan: &mut Plan,
    ) -> Result<(), String> {
        let before = std::mem::take(&mut proposed.resources);
        let new: Vec<Arc<Resource>> = resources
            .into_iter()
            .map(|resource| Arc::new(Resource { source: Source::Configuration, ..resource }))
            .collect();
        for old in &before {
            if new.iter().any(|resource| resource.id == old.id) && old.source != Source::Countersign {
                continue;
            }
            if old.source == Source::Configuration {
                report.removed.push(format!("resource {}", old.id));
                plan.signals.push(SignalKind::ResourceRemoved { id: old.id.clone() });
            } else {
                proposed.resources.push(Arc::clone(old));
            }
        }
        proposed.resources.extend(new.iter().cloned());
        for resource in new {
            proposed.check_resource(&resource)?;
            if let Some(until) = resource.observed_until(proposed.now) {
                report
                    .warnings
                    .push(format!("resource {} is not enforced: it is in observe mode until {until}", resource.id));
            }
            let old = before.iter().find(|old| old.id == resource.id);
            if report.note(format!("resource {}", resource.id), old.map(Arc::as_ref), &resource) {
                plan.signals.push(SignalKind::ResourcePut { resource: (*resource).clone() });
            }
        }
        Ok(())
    }

    /// Configuration says who there is and in which groups; when somebody came and was last seen is not its business.
    fn as_configured(&self, subject: &Subject) -> Subject {
        let old = self.subject(&subject.id);
        let mut groups = subject.groups.clone();
        groups.sort();
        groups.dedup();
        Subject {
            source: Source::Configuration,
            created: old.as_ref().map_or(self.now(), |old| old.created),
            last_used: old.and_then(|old| old.last_used),
            groups,
            ..subject.clone()
        }
    }

    /// What is allowed, and still likely a mistake.
    async fn warn_of_lock_out(&self, report: &mut ApplyReport, owners: Vec<SubjectId>) -> Result<(), ActError> {
        let now = self.now();
        let able = self
            .stored(move |store| {
                let tokens = store.tokens(now)?;
                let mut able = 0_usize;
                for owner in &owners {
                    let invited = tokens.iter().any(|token| {
                        token.purpose == countersign_store::TokenPurpose::Invitation { subject: owner.clone() }
                    });
                    let has_key = !store.passkeys_of(owner)?.is_empty() || !store.links_of(owner)?.is_empty();
                    able += usize::from(invited || has_key);
                }
                Ok(able)
            })
            .await?;
        if able == 0 {
            let text = "nobody who would be in the group owners can sign in: invite one, or use the break-in command";
            report.warnings.push(text.to_owned());
        }
        Ok(())
    }

    fn configured_subjects(&self) -> Vec<SubjectId> {
        let view = self.0.world.view();
        let configured = view.subjects().filter(|record| record.source() == Source::Configuration);
        configured.map(|record| record.id().clone()).collect()
    }
}

fn unique<T: Ord + fmt::Display>(kind: &str, ids: impl Iterator<Item = T>) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for id in ids {
        let name = id.to_string();
        if !seen.insert(id) {
            return Err(format!("{kind} {name} is there twice"));
        }
    }
    Ok(())
}
