//! What was revoked is taken away, by the acts that take it away at any other time. What cannot be taken here, or would come
//! back, is said.

use std::collections::{BTreeMap, BTreeSet};

use countersign_model::{
    GroupId, Resource, ResourceId, ReviewDecided, ReviewLine, Reviewed, ReviewedAccess, Source, SubjectId,
};
use countersign_policy::EVERYONE;

use crate::accounts::ActError;
use crate::{Actor, Administrator};

/// Whether it was taken away here, and what is left to do elsewhere.
pub(super) type Carried = (bool, Option<String>);

impl Administrator {
    /// By the number of the line. The caller has the turn.
    pub(super) async fn carry_out(
        &self,
        of: &[(ReviewLine, ReviewDecided)],
        actor: &Actor,
    ) -> Result<BTreeMap<u32, Carried>, ActError> {
        let mut carried = BTreeMap::new();
        let mut leaves: BTreeMap<&SubjectId, Vec<(u32, &GroupId)>> = BTreeMap::new();
        let mut shut: BTreeMap<&ResourceId, Vec<u32>> = BTreeMap::new();
        for (line, _) in of.iter().filter(|(_, decided)| *decided == ReviewDecided::Revoked) {
            match &line.about {
                Reviewed::Access(ReviewedAccess { subject: Some(subject), through: Some(group), .. }) => {
                    leaves.entry(subject).or_default().push((line.number, group));
                }
                Reviewed::Access(ReviewedAccess { subject: None, through: Some(_), resource, .. }) => {
                    shut.entry(resource).or_default().push(line.number);
                }
                Reviewed::Access(ReviewedAccess { resource, .. }) => {
                    let left = format!("a policy gives it, or {resource} belongs to them: change that");
                    carried.insert(line.number, (false, Some(left)));
                }
                Reviewed::Policy(policy) => {
                    let left = format!("take policy {} out of its file: {} owns it", policy.policy, policy.owner);
                    carried.insert(line.number, (false, Some(left)));
                }
            }
        }
        for (subject, lines) in leaves {
            let groups: BTreeSet<&GroupId> = lines.iter().map(|(_, group)| *group).collect();
            let left = done(self.leave(subject, &groups, actor).await)?;
            carried.extend(lines.iter().map(|(number, _)| (*number, left.clone())));
        }
        for (resource, lines) in shut {
            let left = done(self.shut_to_everyone(resource, actor).await)?;
            carried.extend(lines.into_iter().map(|number| (number, left.clone())));
        }
        Ok(carried)
    }

    /// Says what would bring it back.
    async fn leave(
        &self,
        subject: &SubjectId,
        groups: &BTreeSet<&GroupId>,
        actor: &Actor,
    ) -> Result<Option<String>, ActError> {
        let Some(known) = self.subject(subject) else { return Ok(None) };
        let mut rest = known.groups.clone();
        rest.retain(|group| !groups.contains(group));
        if rest.len() < known.groups.len() {
            self.change_groups(subject, rest, actor).await?;
        }
        let names: Vec<&str> = groups.iter().map(|group| group.as_str()).collect();
        let names = names.join(", ");
        Ok(match known.source {
            Source::Configuration => Some(format!(
                "configuration says that {subject} is in {names}: change it there, or it comes back when it is applied"
            )),
            Source::OpenIdConnect => Some(format!(
                "{subject} came from an identity provider: what it says of {names} has to end there as well"
            )),
            Source::Administrator | Source::Enrolment | Source::DeviceReport | Source::Countersign => None,
        })
    }

    async fn shut_to_everyone(&self, resource: &ResourceId, actor: &Actor) -> Result<Option<String>, ActError> {
        let Some(known) = self.resource(resource) else { return Ok(None) };
        if known.source == Source::Configuration {
            return Err(ActError::Configured(format!("that everybody is entitled to {resource}")));
        }
        let mut next = Resource::clone(&known);
        let others = |group: &GroupId| group.as_str() != EVERYONE;
        let entitled = &mut next.entitled;
        for groups in [&mut entitled.readers, &mut entitled.writers, &mut entitled.administrators] {
            groups.retain(others);
        }
        self.change_resource(next, actor).await?;
        Ok(None)
    }
}

/// What was refused is left to do; what could not be recorded or stored ends everything.
fn done(outcome: Result<Option<String>, ActError>) -> Result<Carried, ActError> {
    match outcome {
        Ok(left) => Ok((true, left)),
        Err(ActError::Unavailable) => Err(ActError::Unavailable),
        Err(error) => Ok((false, Some(error.to_string()))),
    }
}
