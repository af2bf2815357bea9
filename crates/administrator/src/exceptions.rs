//! Exceptions: somebody asks, somebody else agrees, it is looked at again, it ends. Every act is recorded before it is done,
//! and takes effect as a signal like any other, so that open leases are decided again at that moment. What one relaxes is
//! for policies to say; whether one counts, for the model.

mod figures;
mod probe;
mod rules;

use std::collections::BTreeSet;
use std::sync::Arc;

use countersign_model::{
    CompensatingControl, Exception, ExceptionApproval, ExceptionEnd, ExceptionId, ExceptionReview, ExceptionScope,
    ExceptionStanding, PolicyId, Signal, SignalKind, Source, Subject, SubjectId, SubjectKind, SubjectState, Timestamp,
};

use crate::accounts::ActError;
use crate::world::View;
use crate::{Actor, Administrator};

pub use figures::{ExceptionFigures, TierFigures};
pub(crate) use probe::Probes;
pub use probe::{ProbeResult, Works};
pub(crate) use rules::check_text;

/// Renewed more often than this, it is no exception.
const MOST_REVIEWS: usize = 12;
/// How many may wait or be in force.
const MOST_OPEN: usize = 1000;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewException {
    /// The human who answers for it.
    pub owner: SubjectId,
    pub reason: String,
    pub scope: ExceptionScope,
    pub relaxes: BTreeSet<PolicyId>,
    pub control: CompensatingControl,
    pub expires: Timestamp,
}

/// One of the register, as it stands now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExceptionView {
    pub exception: Arc<Exception>,
    pub standing: ExceptionStanding,
    /// What its probe says; absent where it has none.
    pub works: Option<ProbeResult>,
}

/// Whoever leaves takes along what they answer for: the exceptions end in the same change, and do not come back with them.
pub(crate) fn with_what_ends(view: &View, mut signals: Vec<Signal>) -> Vec<Signal> {
    let leaves = |signal: &Signal| match &signal.kind {
        SignalKind::SubjectRemoved { id }
        | SignalKind::SubjectState { id, state: SubjectState::Disabled }
        | SignalKind::SubjectPut { subject: Subject { id, state: SubjectState::Disabled, .. } } => {
            Some((id.clone(), signal.at))
        }
        _ => None,
    };
    let leavers: Vec<(SubjectId, Timestamp)> = signals.iter().filter_map(leaves).collect();
    for (leaver, at) in leavers {
        let theirs = view.exceptions().filter(|it| it.owner == leaver && it.end.is_none());
        for exception in theirs {
            let end = Some(ExceptionEnd { by: None, at, why: format!("{leaver} left, who answered for it") });
            let exception = Box::new(Exception { end, ..exception.as_ref().clone() });
            let kind = SignalKind::ExceptionPut { exception };
            signals.push(Signal { at, source: Source::Countersign, by: None, kind });
        }
    }
    signals
}

impl Administrator {
    /// Newest first, those that are over too: the register is its own history.
    pub fn exceptions(&self) -> Vec<ExceptionView> {
        let (view, now) = (self.0.world.view(), self.now());
        let mut all: Vec<ExceptionView> = view.exceptions().map(|it| self.exception_view(&view, it, now)).collect();
        all.sort_unstable_by(|a, b| {
            b.exception.requested.cmp(&a.exception.requested).then_with(|| a.exception.id.cmp(&b.exception.id))
        });
        all
    }

    pub fn exception(&self, id: &ExceptionId) -> Option<ExceptionView> {
        let view = self.0.world.view();
        view.exception(id).map(|exception| self.exception_view(&view, exception, self.now()))
    }

    fn exception_view(&self, view: &View, exception: &Arc<Exception>, now: Timestamp) -> ExceptionView {
        ExceptionView {
            standing: view.standing(exception, now),
            works: self.probe_result(view, exception, now),
            exception: Arc::clone(exception),
        }
    }

    /// Puts an exception forward. It counts for nothing until somebody else agrees.
    pub async fn request_exception(&self, new: NewException, actor: &Actor) -> Result<Arc<Exception>, ActError> {
        let _turn = self.0.accounts.acting.lock().await;
        let now = self.now();
        let NewException { owner, reason, scope, relaxes, control, expires } = new;
        let id = ExceptionId::new(format!("{:016x}", rand::random::<u64>()));
        let exception = Exception {
            id: id.map_err(|error| ActError::Refused(error.to_string()))?,
            requester: actor.subject.clone(),
            behind: self.people_behind(&actor.subject),
            owner,
            reason: reason.trim().to_owned(),
            scope,
            relaxes,
            control: CompensatingControl { description: control.description.trim().to_owned(), ..control },
            requested: now,
            expires,
            approval: None,
            end: None,
            reviews: Vec::new(),
        };
        self.check_exception(&exception, now)?;
        if self.0.world.view().exceptions().filter(|it| it.is_open(now)).count() >= MOST_OPEN {
            return Err(ActError::Refused(format!("{MOST_OPEN} exceptions are open already: end those first")));
        }
        self.put_exception("exception.request", exception, actor).await
    }

    /// Puts it in force. Never by whoever asked, by whoever stands behind who asked, or by whoever answers for it.
    pub async fn approve_exception(&self, id: &ExceptionId, actor: &Actor) -> Result<Arc<Exception>, ActError> {
        let _turn = self.0.accounts.acting.lock().await;
        let now = self.now();
        let exception = self.standing_as(id, ExceptionStanding::Requested)?;
        self.is_somebody_else(&exception, &actor.subject)?;
        // Whatever has changed since it was asked for.
        self.check_exception(&exception, now)?;
        let approval = Some(ExceptionApproval { by: actor.subject.clone(), at: now });
        self.put_exception("exception.approve", Exception { approval, ..exception }, actor).await
    }

    /// It was looked at again, and is needed until `expires`. The same people may who may approve.
    pub async fn review_exception(
        &self,
        id: &ExceptionId,
        expires: Timestamp,
        note: &str,
        actor: &Actor,
    ) -> Result<Arc<Exception>, ActError> {
        let _turn = self.0.accounts.acting.lock().await;
        let now = self.now();
        let mut exception = self.standing_as(id, ExceptionStanding::InForce)?;
        self.is_somebody_else(&exception, &actor.subject)?;
        if exception.reviews.len() >= MOST_REVIEWS {
            let why =
                format!("it was renewed {MOST_REVIEWS} times: that is a rule by now, and belongs into the policy");
            return Err(ActError::Refused(why));
        }
        let note = note.trim().to_owned();
        rules::check_note("the note", &note)?;
        let (by, before) = (actor.subject.clone(), exception.expires);
        exception.reviews.push(ExceptionReview { by, at: now, note, before, expires });
        exception.expires = expires;
        self.check_exception(&exception, now)?;
        self.put_exception("exception.review", exception, actor).await
    }

    /// Withdraws, refuses or ends it: that takes away only, and whoever administers may.
    pub async fn end_exception(&self, id: &ExceptionId, why: &str, actor: &Actor) -> Result<Arc<Exception>, ActError> {
        let _turn = self.0.accounts.acting.lock().await;
        let (now, view) = (self.now(), self.exception(id));
        let view = view.ok_or_else(|| ActError::NotFound(format!("exception {id}")))?;
        if matches!(view.standing, ExceptionStanding::Ended | ExceptionStanding::Expired) {
            return Err(ActError::Refused(format!("exception {id} is over already")));
        }
        let why = why.trim().to_owned();
        rules::check_note("why it ends", &why)?;
        let end = Some(ExceptionEnd { by: Some(actor.subject.clone()), at: now, why });
        let exception = Exception { end, ..view.exception.as_ref().clone() };
        self.put_exception("exception.end", exception, actor).await
    }

    async fn put_exception(&self, verb: &str, exception: Exception, actor: &Actor) -> Result<Arc<Exception>, ActError> {
        let relaxes: Vec<&str> = exception.relaxes.iter().map(PolicyId::as_str).collect();
        let detail = format!("to {}, owned by {}, until {}", relaxes.join(" "), exception.owner, exception.expires);
        self.record_act(actor, verb, &exception.id, detail).await?;
        let put = Arc::new(exception.clone());
        let kind = SignalKind::ExceptionPut { exception: Box::new(exception) };
        self.signal(kind, Source::Administrator, actor).await?;
        self.gauge_exceptions();
        Ok(put)
    }

    fn standing_as(&self, id: &ExceptionId, wanted: ExceptionStanding) -> Result<Exception, ActError> {
        let view = self.exception(id).ok_or_else(|| ActError::NotFound(format!("exception {id}")))?;
        match view.standing == wanted {
            true => Ok(view.exception.as_ref().clone()),
            false => Err(ActError::Refused(format!("exception {id} is {}", view.standing.name().replace('-', " ")))),
        }
    }

    /// The persons who could speak through `subject`, itself not among them.
    fn people_behind(&self, subject: &SubjectId) -> BTreeSet<SubjectId> {
        let mut people = self.everybody_behind(subject);
        people.retain(|one| one != subject && one.kind() == SubjectKind::Human);
        people
    }

    /// INVARIANT: nobody agrees to an exception of their own, under whatever name they asked or agree. Who speaks through a
    /// service is whoever answers for it; who sits at the machine nobody can tell, so nobody agrees from there.
    fn is_somebody_else(&self, exception: &Exception, approver: &SubjectId) -> Result<(), ActError> {
        let refused = |why: String| Err(ActError::Refused(why));
        let people = match approver.kind() {
            SubjectKind::Human => BTreeSet::from([approver.clone()]),
            _ => self.people_behind(approver),
        };
        if people.is_empty() {
            return refused(format!(
                "a person agrees to an exception, and nobody knows who {approver} is: use the console"
            ));
        }
        let owners = self.owners();
        if let Some(person) = people.iter().find(|person| !owners.contains(person)) {
            return refused(format!("{person} is not in the group {}, which agrees to exceptions", crate::OWNERS));
        }
        let asked = self.people_behind(&exception.requester);
        let asked = |person: &SubjectId| {
            exception.requester == *person || exception.behind.contains(person) || asked.contains(person)
        };
        if let Some(person) = people.iter().find(|person| asked(person)) {
            return refused(format!("{person} asked for it: somebody else has to agree"));
        }
        match people.contains(&exception.owner) {
            true => refused(format!("{} answers for it: somebody else has to agree", exception.owner)),
            false => Ok(()),
        }
    }
}
