//! Policies that wait for a second person. One proposes, another puts them in force: never the same, and never over
//! other policies than those that the proposal was made from. Both are recorded. The machine's own policy files are not
//! held up: whoever can write those owns the machine.

use std::collections::{BTreeMap, BTreeSet};

use countersign_model::{SubjectId, SubjectKind, Timestamp};
use countersign_store::Change;
use serde::{Deserialize, Serialize};

use crate::accounts::ActError;
use crate::sources::Publication;
use crate::{Actor, Administrator, PolicyReport, PublishError, built_in};

/// In the store, under this name, as JSON.
const BLOB: &str = "policy-proposals";
/// What nobody has agreed to by then is forgotten.
const LIFETIME: std::time::Duration = std::time::Duration::from_secs(7 * 24 * 3600);
/// How many may wait.
const MOST: usize = 16;
/// Characters of a note.
const NOTE: usize = 500;

/// A policy set that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    pub id: String,
    pub by: SubjectId,
    /// The people behind it when it was made: whose programme it was may be changed, or forgotten, while it waits.
    #[serde(default)]
    pub people: BTreeSet<SubjectId>,
    pub at: Timestamp,
    pub expires: Timestamp,
    /// The set that it was made from, and the only one that it may take the place of.
    pub base: String,
    /// Of the proposed set.
    pub hash: String,
    /// Why, in the words of whoever proposes.
    pub note: String,
    /// File name → text.
    pub files: BTreeMap<String, String>,
}

/// Why a proposal was not put in force, or not taken away.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApproveError {
    #[error("there is no proposal {0}: it was decided on, withdrawn, or nobody agreed in time")]
    Unknown(String),
    #[error("{0} proposed it: somebody else has to approve it")]
    SamePerson(SubjectId),
    #[error(
        "{0} proposed it, and whoever sits at the server's machine may be the person behind it: a person who has signed in has to approve it"
    )]
    MayBeSame(SubjectId),
    #[error("a person approves, and {0} is none")]
    NoPerson(SubjectId),
    #[error("other policies were put in force after it was proposed: propose it again, over those")]
    Stale,
    #[error("{0}")]
    NotKept(String),
    #[error(transparent)]
    Publish(#[from] PublishError),
    #[error(transparent)]
    Act(#[from] ActError),
}

impl Administrator {
    /// Those that wait, newest first.
    pub async fn proposals(&self) -> Result<Vec<Proposal>, ActError> {
        let blob = self.stored(|store| store.blob(BLOB)).await?;
        let all: Vec<Proposal> = match blob {
            Some(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
                tracing::error!(%error, "the proposed policies in the store cannot be read");
                ActError::Unavailable
            })?,
            None => Vec::new(),
        };
        let now = self.now();
        Ok(all.into_iter().filter(|proposal| now < proposal.expires).collect())
    }

    async fn keep_proposals(&self, all: &[Proposal]) -> Result<(), ActError> {
        let value = serde_json::to_vec(all).map_err(|_| ActError::Unavailable)?;
        Ok(self.commit(vec![Change::PutBlob { name: BLOB.to_owned(), value }]).await?)
    }

    /// Puts a set forward, unless it has a mistake or changes nothing; the report says which.
    pub async fn propose(
        &self,
        files: BTreeMap<String, String>,
        note: &str,
        actor: &Actor,
    ) -> Result<(PolicyReport, Option<Proposal>), ActError> {
        let _turn = self.0.accounts.acting.lock().await;
        let note: String = note.trim().chars().filter(|c| !countersign_model::is_hidden(*c)).take(NOTE).collect();
        let base = self.policies().hash().to_owned();
        let report = self.try_sources(&files);
        let Some(hash) = report.hash.clone().filter(|_| !report.changes.is_empty()) else { return Ok((report, None)) };
        let mut all = self.proposals().await?;
        if all.len() >= MOST {
            // Those that nobody can approve any more hold up nobody.
            all.retain(|proposal| proposal.base == base);
        }
        if all.len() >= MOST {
            return Err(ActError::Refused(format!("{MOST} proposals wait already: decide on those first")));
        }
        let (at, id) = (self.now(), format!("{:016x}", rand::random::<u64>()));
        let (by, people) = (actor.subject.clone(), self.everybody_behind(&actor.subject));
        let proposal = Proposal { id, by, people, at, expires: at.plus(LIFETIME), base, hash, note, files };
        let detail = format!("{} over {}: {}", proposal.id, proposal.base, proposal.note);
        self.record_act(actor, "policy.propose", &proposal.hash, detail).await?;
        all.insert(0, proposal.clone());
        self.keep_proposals(&all).await?;
        Ok((report, Some(proposal)))
    }

    /// Puts a proposal in force. `keep` is told of its files before, once nothing stands against it.
    pub async fn approve(
        &self,
        id: &str,
        actor: &Actor,
        keep: impl Fn(&BTreeMap<String, String>) -> Result<(), String> + Send,
    ) -> Result<Proposal, ApproveError> {
        let _turn = self.0.accounts.acting.lock().await;
        let mut all = self.proposals().await?;
        let proposal = taken(&mut all, id)?;
        self.is_second_person(&proposal, &actor.subject)?;
        if self.policies().hash() != proposal.base {
            return Err(ApproveError::Stale);
        }
        if let Some(reason) = self.prove_sources(&proposal.files).await.pop() {
            return Err(ActError::Refused(reason).into());
        }
        self.record_act(actor, "policy.approve", &proposal.hash, format!("{id} of {}", proposal.by)).await?;
        keep(&proposal.files).map_err(ApproveError::NotKept)?;
        let publication = Publication { by: Some(proposal.by.clone()), approved_by: Some(actor.subject.clone()) };
        let set = self.load_sources(&proposal.files).map_err(|mistakes| ActError::Refused(mistakes.to_string()))?;
        match self.publish_over(set, publication, Some(proposal.base.clone())).await {
            Ok(()) => {}
            // The server's files changed in between: what is in force is to be what is kept.
            Err(PublishError::Stale) => {
                keep(&self.policy_sources().into_iter().collect()).map_err(ApproveError::NotKept)?;
                return Err(ApproveError::Stale);
            }
            Err(error) => return Err(error.into()),
        }
        self.keep_proposals(&all).await?;
        Ok(proposal)
    }

    /// Takes a proposal away: whoever made it withdraws it, anybody else refuses it.
    pub async fn reject(&self, id: &str, actor: &Actor) -> Result<Proposal, ApproveError> {
        let _turn = self.0.accounts.acting.lock().await;
        let mut all = self.proposals().await?;
        let proposal = taken(&mut all, id)?;
        let verb = if proposal.by == actor.subject { "policy.withdraw" } else { "policy.reject" };
        self.record_act(actor, verb, &proposal.hash, format!("{id} of {}", proposal.by)).await?;
        self.keep_proposals(&all).await?;
        Ok(proposal)
    }

    /// A human, and none of those behind whoever proposed; or whoever sits at this machine, for what a human proposed.
    pub fn is_second_person(&self, proposal: &Proposal, approver: &SubjectId) -> Result<(), ApproveError> {
        let by = &proposal.by;
        match approver.kind() {
            SubjectKind::Human => {}
            // Nobody knows who sits there: it is the second person only where the first one is known.
            SubjectKind::Service if built_in::is_subject(approver) && by.kind() == SubjectKind::Human => return Ok(()),
            SubjectKind::Service if by == approver => return Err(ApproveError::SamePerson(by.clone())),
            SubjectKind::Service if built_in::is_subject(approver) => return Err(ApproveError::MayBeSame(by.clone())),
            _ => return Err(ApproveError::NoPerson(approver.clone())),
        }
        let mut first = self.everybody_behind(by);
        first.extend(proposal.people.iter().cloned());
        let same = !first.is_disjoint(&self.everybody_behind(approver));
        if same { Err(ApproveError::SamePerson(by.clone())) } else { Ok(()) }
    }

    /// The subject itself and whoever could speak through it: who answers for it, for whom it acts, who answers for its
    /// keys, and on; ends in a circle too.
    pub(crate) fn everybody_behind(&self, subject: &SubjectId) -> BTreeSet<SubjectId> {
        let (mut seen, mut next) = (BTreeSet::new(), vec![subject.clone()]);
        while let Some(one) = next.pop() {
            if seen.insert(one.clone()) {
                next.extend(self.subject(&one).into_iter().flat_map(|it| [it.owner, it.acts_for]).flatten());
                next.extend(self.keys(Some(&one)).into_iter().filter(|key| key.subject == one).map(|key| key.owner));
            }
        }
        seen
    }
}

fn taken(all: &mut Vec<Proposal>, id: &str) -> Result<Proposal, ApproveError> {
    let place = all.iter().position(|proposal| proposal.id == id);
    place.map(|place| all.remove(place)).ok_or_else(|| ApproveError::Unknown(id.chars().take(32).collect()))
}
