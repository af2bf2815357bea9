//! Reviews: a campaign freezes who has what, asks whoever answers for it, and takes away what nobody confirms. Every
//! decision is recorded before it counts. What is taken away is taken by the same acts as at any other time, so that open
//! leases are decided again; what Countersign does not decide is named as left to do.
//!
//! Crash states: after the record and before the change, the ledger tells of a decision that is not in force, and the line
//! is undecided still; after the change and before the line is stored, the access is gone, and the line says so when it is
//! looked at again. Either way, the deadline finds it.

mod carry;
mod decommission;
mod frozen;
mod persons;
mod policies;
mod wording;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use countersign_identity::secret;
use countersign_model::{
    Review, ReviewAbout, ReviewDecided, ReviewEnd, ReviewEnding, ReviewId, ReviewLine, ReviewVerdict, Reviewed,
    SubjectId, SubjectKind, Timestamp,
};
use countersign_store::{Change, Store, StoreError};
use parking_lot::Mutex;

use crate::accounts::ActError;
use crate::exceptions::check_text;
use crate::{Actor, Administrator};

pub use decommission::{Decommission, Goes};
use frozen::Still;

/// More lines than this nobody looks at: the population has to be narrower.
pub const MOST_LINES: usize = 5000;
/// That can be decided at once.
pub const MOST_AT_ONCE: usize = 1000;
const MOST_OPEN: usize = 20;
const MOST_FALLBACKS: usize = 8;
const LONGEST: Duration = Duration::from_secs(92 * 24 * 3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
const LONGEST_COUNT: u32 = 366;
const TITLE: usize = 200;
const REASON: usize = 300;
/// In the place of a person, where the deadline decides.
const ITSELF: &str = "countersign";

/// What is to be reviewed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewReview {
    pub title: String,
    pub about: ReviewAbout,
    pub deadline: Timestamp,
    /// In this order.
    pub fallbacks: Vec<SubjectId>,
    /// How many days of the ledger use is counted over.
    pub days: u32,
}

/// What somebody decides of some lines of a review, for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewVerdict {
    pub lines: Vec<u32>,
    pub keep: bool,
    /// May be empty where something is kept that was used.
    pub reason: String,
}

/// Every review that there ever was.
#[derive(Debug, Default)]
pub(crate) struct Reviews(Mutex<BTreeMap<ReviewId, Arc<Review>>>);

impl Reviews {
    pub(crate) fn load(store: &dyn Store) -> Result<Self, StoreError> {
        let all = store.reviews()?.into_iter().map(|review| (review.id.clone(), Arc::new(review)));
        Ok(Self(Mutex::new(all.collect())))
    }

    fn put(&self, review: Review) -> Arc<Review> {
        let review = Arc::new(review);
        self.0.lock().insert(review.id.clone(), Arc::clone(&review));
        review
    }
}

fn refuse<T>(why: impl Into<String>) -> Result<T, ActError> {
    Err(ActError::Refused(why.into()))
}

impl Administrator {
    /// Newest first, those that are over too.
    pub fn reviews(&self) -> Vec<Arc<Review>> {
        let mut all: Vec<Arc<Review>> = self.0.reviews.0.lock().values().cloned().collect();
        all.sort_unstable_by(|a, b| b.opened.cmp(&a.opened).then_with(|| a.id.cmp(&b.id)));
        all
    }

    pub fn review(&self, id: &ReviewId) -> Option<Arc<Review>> {
        self.0.reviews.0.lock().get(id).cloned()
    }

    /// Freezes the population, and asks from then on.
    pub async fn open_review(&self, new: NewReview, actor: &Actor) -> Result<Arc<Review>, ActError> {
        let now = self.now();
        self.check_new(&new, now)?;
        let NewReview { title, about, deadline, fallbacks, days } = new;
        let this = self.clone();
        let (of, others) = (about.clone(), fallbacks.clone());
        let frozen = tokio::task::spawn_blocking(move || this.freeze(&of, &others, now.minus(DAY * days), now)).await;
        let frozen = frozen.map_err(|_| ActError::Unavailable)??;
        if frozen.lines.is_empty() {
            return refuse("there is nothing to review: nobody has any access that this is about");
        }
        let _turn = self.0.accounts.acting.lock().await;
        if self.reviews().iter().filter(|it| it.end.is_none()).count() >= MOST_OPEN {
            return refuse(format!("{MOST_OPEN} reviews are open already: close those first"));
        }
        let written = serde_json::to_string(&frozen.lines).map_err(|_| ActError::Unavailable)?;
        let population = hex(secret::hash(&written).as_bytes());
        let id = ReviewId::new(format!("{:016x}", rand::random::<u64>()));
        let review = Review {
            id: id.map_err(|error| ActError::Refused(error.to_string()))?,
            title: title.trim().to_owned(),
            about,
            made_by: actor.subject.clone(),
            opened: now,
            deadline,
            fallbacks,
            counted_from: frozen.counted_from,
            population,
            end: None,
            lines: frozen.lines,
        };
        let lines = review.lines.len();
        let detail = format!("{}; {lines} lines, SHA-256 {}; until {deadline}", review.title, review.population);
        self.record_act(actor, "review.open", &review.id, detail).await?;
        self.commit(vec![Change::PutReview(Box::new(review.clone()))]).await?;
        Ok(self.0.reviews.put(review))
    }

    fn check_new(&self, new: &NewReview, now: Timestamp) -> Result<(), ActError> {
        check_text("the title", &new.title, TITLE)?;
        if new.title.contains(['\n', '\r', '\t']) {
            return refuse("a title is one line");
        }
        if new.deadline <= now || new.deadline > now.plus(LONGEST) {
            return refuse("a review ends in the future, and within 92 days");
        }
        if new.days == 0 || new.days > LONGEST_COUNT {
            return refuse(format!("use is counted over 1 to {LONGEST_COUNT} days"));
        }
        if new.fallbacks.is_empty() || new.fallbacks.len() > MOST_FALLBACKS {
            return refuse(format!("a review names 1 to {MOST_FALLBACKS} people who review where nobody else answers"));
        }
        let view = self.0.world.view();
        let stranger = |it: &&SubjectId| it.kind() != SubjectKind::Human || !view.is_active(it);
        if let Some(wrong) = new.fallbacks.iter().find(stranger) {
            return refuse(format!("an active human reviews, and {wrong} is none"));
        }
        let ReviewAbout::Access { scope } = &new.about else { return Ok(()) };
        let all = |group: &countersign_model::GroupId| group.as_str() == countersign_policy::EVERYONE;
        if let Some(wrong) = scope.groups.iter().find(|it| !all(it) && view.group(it).is_none()) {
            return refuse(format!("there is no group {wrong}"));
        }
        if let Some(wrong) = scope.resources.iter().find(|it| view.resource(it).is_none()) {
            return refuse(format!("there is no resource {wrong}"));
        }
        match scope.segments.iter().find(|it| view.segment(it).is_none()) {
            Some(wrong) => refuse(format!("there is no segment {wrong}")),
            None => Ok(()),
        }
    }

    /// All of it or nothing: one line that may not be decided so refuses the rest with it.
    pub async fn decide_review(
        &self,
        id: &ReviewId,
        verdict: &NewVerdict,
        actor: &Actor,
    ) -> Result<Arc<Review>, ActError> {
        let _turn = self.0.accounts.acting.lock().await;
        let now = self.now();
        let review = self.open_one(id, now)?;
        let reason = verdict.reason.trim().to_owned();
        if !reason.is_empty() {
            check_text("the reason", &reason, REASON)?;
        } else if !verdict.keep {
            return refuse("whoever revokes says why: the reason is missing");
        }
        let wanted: BTreeSet<u32> = verdict.lines.iter().copied().collect();
        if wanted.is_empty() || wanted.len() > MOST_AT_ONCE {
            return refuse(format!("decide 1 to {MOST_AT_ONCE} lines at once"));
        }
        let lines: Vec<ReviewLine> = review.lines.iter().filter(|it| wanted.contains(&it.number)).cloned().collect();
        if let Some(absent) = wanted.iter().find(|number| lines.iter().all(|line| line.number != **number)) {
            return Err(ActError::NotFound(format!("line {absent} in review {id}")));
        }
        self.may_decide_all(&review, &lines, &actor.subject)?;
        for line in &lines {
            let number = line.number;
            if let Some(verdict) = &line.verdict {
                let by = verdict.by.as_ref().map_or_else(|| "the deadline".to_owned(), ToString::to_string);
                return refuse(format!(
                    "line {number} is {} already, by {by}: nothing is decided twice",
                    verdict.decided.name()
                ));
            }
            if verdict.keep && reason.is_empty() && line.about.is_unused() {
                return refuse(format!("nobody used what line {number} is about: whoever keeps it says why"));
            }
        }
        let still = self.still(&lines).await?;
        let mut of: Vec<(ReviewLine, ReviewDecided)> = Vec::new();
        for line in lines {
            let decided = match still.get(&line.number).copied().unwrap_or(Still::Gone) {
                Still::Gone => ReviewDecided::Gone,
                Still::More if verdict.keep => {
                    let number = line.number;
                    return refuse(format!(
                        "line {number} is about more now than when it was frozen: keeping it would confirm what nobody \
                         was shown. Revoke it, or have it reviewed in a new campaign"
                    ));
                }
                Still::Same | Still::More if verdict.keep => ReviewDecided::Kept,
                Still::Same | Still::More => ReviewDecided::Revoked,
            };
            of.push((line, decided));
        }
        let review = self.settle(&review, of, (!reason.is_empty()).then_some(reason), Some(actor)).await?;
        if review.undecided().next().is_some() {
            return Ok(review);
        }
        self.end_review(&review, ReviewEnding::Finished, None, Some(actor)).await
    }

    /// Ends it now. What is not confirmed is revoked, as at the deadline.
    pub async fn close_review(&self, id: &ReviewId, why: &str, actor: &Actor) -> Result<Arc<Review>, ActError> {
        self.end_early(id, ReviewEnding::Closed, why, actor).await
    }

    /// Takes the campaign back: what nobody decided stays as it is. It counts as no review.
    pub async fn withdraw_review(&self, id: &ReviewId, why: &str, actor: &Actor) -> Result<Arc<Review>, ActError> {
        self.end_early(id, ReviewEnding::Withdrawn, why, actor).await
    }

    async fn end_early(
        &self,
        id: &ReviewId,
        how: ReviewEnding,
        why: &str,
        actor: &Actor,
    ) -> Result<Arc<Review>, ActError> {
        let _turn = self.0.accounts.acting.lock().await;
        let review = self.open_one(id, self.now())?;
        let why = why.trim().to_owned();
        check_text("why it ends", &why, REASON)?;
        self.end_review(&review, how, Some(why), Some(actor)).await
    }

    /// Draws the consequence of every deadline that has come.
    pub(crate) async fn end_due_reviews(&self) {
        let due = |review: &Arc<Review>| review.is_due(self.now());
        for id in self.reviews().into_iter().filter(due).map(|review| review.id.clone()) {
            let _turn = self.0.accounts.acting.lock().await;
            // Somebody may have been faster.
            let Some(review) = self.review(&id).filter(due) else { continue };
            if let Err(error) = self.end_review(&review, ReviewEnding::Deadline, None, None).await {
                tracing::error!(%error, review = %id, "a review is over, and what nobody confirmed is not revoked yet");
            }
        }
    }

    async fn end_review(
        &self,
        review: &Review,
        how: ReviewEnding,
        why: Option<String>,
        actor: Option<&Actor>,
    ) -> Result<Arc<Review>, ActError> {
        let itself = itself()?;
        let open = review.undecided().count();
        let detail = format!(
            "{}; {open} of {} lines not decided; {}",
            how.name(),
            review.lines.len(),
            why.as_deref().unwrap_or("-")
        );
        self.record_act(actor.unwrap_or(&itself), "review.end", &review.id, detail).await?;
        let mut ended = review.clone();
        if matches!(how, ReviewEnding::Deadline | ReviewEnding::Closed) && open > 0 {
            let lines: Vec<ReviewLine> = review.undecided().cloned().collect();
            let still = self.still(&lines).await?;
            let decide = |line: ReviewLine| {
                let gone = still.get(&line.number).is_none_or(|still| *still == Still::Gone);
                let decided = match (&line.about, gone) {
                    (_, true) => ReviewDecided::Gone,
                    (Reviewed::Access(_), false) => ReviewDecided::Revoked,
                    (Reviewed::Policy(_), false) => ReviewDecided::Unconfirmed,
                };
                (line, decided)
            };
            let reason = Some("nobody confirmed it in time".to_owned());
            ended = self.settle(review, lines.into_iter().map(decide).collect(), reason, None).await?.as_ref().clone();
        }
        let by = actor.map(|actor| actor.subject.clone());
        ended.end = Some(ReviewEnd { by, at: self.now(), how, why });
        self.commit(vec![Change::PutReview(Box::new(ended.clone()))]).await?;
        tracing::info!(review = %ended.id, how = how.name(), "a review is over");
        Ok(self.0.reviews.put(ended))
    }

    /// Records, carries out and keeps what was decided, in this order. Nobody, where the end of the campaign decides.
    async fn settle(
        &self,
        review: &Review,
        of: Vec<(ReviewLine, ReviewDecided)>,
        reason: Option<String>,
        actor: Option<&Actor>,
    ) -> Result<Arc<Review>, ActError> {
        let itself = itself()?;
        let author = actor.unwrap_or(&itself);
        // No more at once than the ledger's queue takes.
        for some in of.chunks(256) {
            let acts = some.iter().map(|(line, decided)| {
                let target = format!("{} line {}", review.id, line.number);
                let detail = wording::of_verdict(line, *decided, reason.as_deref());
                self.record_act(author, wording::verb(*decided), target, detail)
            });
            futures_util::future::try_join_all(acts).await?;
        }
        let mut carried = self.carry_out(&of, author).await?;
        let (now, mut next, mut changes) = (self.now(), review.clone(), Vec::new());
        for (line, decided) in of {
            let (carried_out, left) = carried.remove(&line.number).unwrap_or_default();
            let by = actor.map(|actor| actor.subject.clone());
            let verdict = ReviewVerdict { decided, by, at: now, reason: reason.clone(), carried_out, left };
            let Some(kept) = next.lines.iter_mut().find(|it| it.number == line.number) else { continue };
            kept.verdict = Some(verdict);
            changes.push(Change::PutReviewLine { review: review.id.clone(), line: Box::new(kept.clone()) });
        }
        self.commit(changes).await?;
        Ok(self.0.reviews.put(next))
    }

    fn open_one(&self, id: &ReviewId, now: Timestamp) -> Result<Arc<Review>, ActError> {
        let review = self.review(id).ok_or_else(|| ActError::NotFound(format!("review {id}")))?;
        match (&review.end, review.is_open(now)) {
            (Some(end), _) => refuse(format!("review {id} is over: {}", end.how.name())),
            (None, false) => refuse(format!("review {id} is over: its deadline was {}", review.deadline)),
            (None, true) => Ok(review),
        }
    }

    /// Reviews that ended in time since then, and of how many; absent where none was due.
    pub fn reviews_in_time(&self, since: Timestamp) -> Option<(usize, usize)> {
        let now = self.now();
        let due: Vec<bool> =
            self.reviews().iter().filter(|it| it.deadline >= since).filter_map(|it| it.in_time(now)).collect();
        (!due.is_empty()).then(|| (due.iter().filter(|in_time| **in_time).count(), due.len()))
    }
}

fn itself() -> Result<Actor, ActError> {
    let subject = SubjectId::service(ITSELF).map_err(|error| ActError::Refused(error.to_string()))?;
    Ok(Actor { subject, decision: None })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
