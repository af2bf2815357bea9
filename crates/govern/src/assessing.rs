//! The assessment of the estate, off the path of requests: one at a time, on a thread of its own, the newest wins. What was assessed stands on
//! that thread ([`Standing`]) and answers questions until a newer one has taken its place; nobody waits for one that is being made.

use std::cell::Cell;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};

use countersign_assess::{Assessment, AssessmentFault, Own, Parameters};
use countersign_estate::{Link, Proposal};
use countersign_model::Timestamp;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::estate::{Estate, Held};
use crate::progress::{Progress, Step};
use crate::standing::Standing;
use crate::told::{Layers, NeverExercised, told};

/// Questions that wait for their turn; who comes after them is told to come back.
const WAITING: usize = 64;

/// What was found, as of one instant, with the way to ask on.
#[derive(Debug)]
pub struct Assessed {
    pub(crate) generation: u64,
    assessment: Assessment,
    /// What the server told, and persons undertook.
    pub(crate) own: Own,
    /// Standing access that nobody used; nothing where the ledger could not be read.
    pub never_exercised: Option<NeverExercised>,
    /// Identities that are one, and those that may be.
    pub links: Vec<Link>,
    pub proposals: Vec<Proposal>,
    /// Things that a person is to classify, and how many of them nobody has.
    pub classifiable: u64,
    pub unclassified: u64,
    queue: SyncSender<Job>,
}

impl Deref for Assessed {
    type Target = Assessment;

    fn deref(&self) -> &Assessment {
        &self.assessment
    }
}

type Job = Box<dyn for<'a, 's> FnOnce(&'a Standing<'s>) + Send>;

/// Why a question has no answer now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAssessed {
    #[error("the estate has not been assessed yet")]
    NotYet,
    #[error("too many questions at once: ask again in a moment")]
    Busy,
    #[error("the question could not be answered")]
    Failed,
}

/// What is under way, and the newest that is done.
#[derive(Debug, Default)]
pub(crate) struct Assessing {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    under_way: Option<Arc<Progress>>,
    /// Something changed meanwhile.
    again: bool,
    newest: Option<Arc<Assessed>>,
    failed: Option<String>,
}

impl Assessing {
    pub(crate) fn step(&self) -> Option<Step> {
        self.state.lock().under_way.as_ref().map(|progress| progress.step())
    }

    pub(crate) fn failed(&self) -> Option<String> {
        self.state.lock().failed.clone()
    }
}

#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("stopped")]
    Stopped,
    #[error("{0}")]
    Impossible(String),
}

impl From<AssessmentFault> for Failed {
    fn from(fault: AssessmentFault) -> Self {
        match fault {
            AssessmentFault::Stopped(_) => Self::Stopped,
            other => Self::Impossible(other.to_string()),
        }
    }
}

impl Estate {
    /// The newest assessment that is done.
    pub fn assessed(&self) -> Option<Arc<Assessed>> {
        self.0.assessing.state.lock().newest.clone()
    }

    pub(crate) fn is_assessing(&self) -> bool {
        self.0.assessing.state.lock().under_way.is_some()
    }

    /// Asks the assessment under way to stop; false if there is none. The one before it goes on answering.
    pub fn stop_assessing(&self) -> bool {
        let mut state = self.0.assessing.state.lock();
        state.again = false;
        state.under_way.as_ref().inspect(|progress| progress.stop()).is_some()
    }

    /// Has the estate assessed as it is now. One that is under way is of an older estate: it stops.
    pub fn assess(&self) {
        self.assess_after(|| ());
    }

    /// The same once `change` is made. Nobody sees the change and not that it is being assessed.
    pub(crate) fn assess_after(&self, change: impl FnOnce()) {
        let mut state = self.0.assessing.state.lock();
        change();
        self.begin(&mut state);
        drop(state);
        self.changed();
    }

    fn begin(&self, state: &mut State) {
        if let Some(progress) = &state.under_way {
            progress.stop();
            state.again = true;
            return;
        }
        let Ok(held) = self.held() else { return };
        let progress = Arc::new(Progress::default());
        progress.tell("beginning", "", 0, 0);
        let (estate, watched) = (self.clone(), Arc::clone(&progress));
        let thread = std::thread::Builder::new().name("countersign-assess".to_owned());
        match thread.spawn(move || stand(estate, &held, &watched)) {
            Ok(_) => state.under_way = Some(progress),
            Err(error) => state.failed = Some(error.to_string()),
        }
    }

    /// Asks the newest assessment.
    ///
    /// # Errors
    /// When there is none, or too many ask.
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl for<'a, 's> FnOnce(&'a Standing<'s>) -> T + Send + 'static,
    ) -> Result<T, NotAssessed> {
        let assessed = self.assessed().ok_or(NotAssessed::NotYet)?;
        let (told, answer) = oneshot::channel();
        let job: Job = Box::new(move |standing: &Standing<'_>| {
            // Nobody waits any more: nothing is computed.
            if !told.is_closed() {
                let _gone = told.send(question(standing));
            }
        });
        assessed.queue.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => NotAssessed::Busy,
            TrySendError::Disconnected(_) => NotAssessed::Failed,
        })?;
        answer.await.map_err(|_| NotAssessed::Failed)
    }

    fn end(&self, outcome: Result<Assessed, Option<String>>) {
        let mut state = self.0.assessing.state.lock();
        state.under_way = None;
        match outcome {
            Ok(assessed) => {
                state.newest = Some(Arc::new(assessed));
                state.failed = None;
            }
            Err(why) => {
                if let Some(why) = &why {
                    tracing::error!(%why, "the estate could not be assessed");
                }
                state.failed = why;
            }
        }
        if std::mem::take(&mut state.again) {
            self.begin(&mut state);
        }
        drop(state);
        self.changed();
    }
}

/// Assesses, and answers until nobody holds this assessment any more. From when it is told it holds the estate no more: the estate
/// holds it.
fn stand(estate: Estate, held: &Held, progress: &Progress) {
    let as_of = estate.0.administrator.now();
    let administrator = estate.0.administrator.clone();
    let estate = Cell::new(Some(estate));
    let stood = catch_unwind(AssertUnwindSafe(|| {
        let (counted, layers) = told(&administrator, &held.inventory, as_of, progress);
        // It goes on answering long after, and keeps no ledger open for that.
        drop(administrator);
        let own = held.undertaken.beside(counted);
        assess(held, own, layers.as_ref(), as_of, progress, |assessed| {
            if let Some(estate) = estate.take() {
                // Whoever sees this assessment finds it in the past too.
                estate.remember(&assessed);
                estate.end(Ok(assessed));
            }
        })
    }));
    if let Some(estate) = estate.take() {
        estate.end(Err(match stood {
            Ok(Err(Failed::Stopped)) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Ok(Ok(())) | Err(_) => Some("the assessment broke off".to_owned()),
        }));
    }
}

fn assess(
    held: &Held,
    own: Own,
    layers: Option<&Layers>,
    as_of: Timestamp,
    progress: &Progress,
    publish: impl FnOnce(Assessed),
) -> Result<(), Failed> {
    let go_on = |phase| {
        progress.tell(phase, "", 0, 0);
        if progress.is_stopped() { Err(Failed::Stopped) } else { Ok(()) }
    };
    let inventory = &*held.inventory;
    go_on("drawing the graph")?;
    let mut projection = inventory.project().map_err(|error| Failed::Impossible(error.to_string()))?;
    let put = layers.map(|layers| layers.put(inventory, &mut projection));
    let parameters = Parameters::default();
    let mut standing = Standing::new(inventory, &projection, &own, &parameters, as_of);
    go_on("checking and measuring")?;
    let mut watch = |at: countersign_graph::Progress| {
        progress.tell("checking and measuring", "", at.done as u64, at.of as u64);
        if progress.is_stopped() { std::ops::ControlFlow::Break(()) } else { std::ops::ControlFlow::Continue(()) }
    };
    let assessment = Assessment::watched(inventory, &projection, &own, &parameters, as_of, &mut watch)?;
    go_on("linking identities")?;
    let (links, proposals) = (inventory.links(), inventory.proposals());
    go_on("finishing")?;
    standing.take(&assessment.health, &links);
    let (classifiable, unclassified) = standing.classified();
    let never_exercised = put.map(|put| put.never_exercised(&projection, |id| standing.named.edge(id)));
    let (queue, jobs) = sync_channel::<Job>(WAITING);
    let generation = held.generation;
    publish(Assessed {
        generation,
        assessment,
        own: own.clone(),
        never_exercised,
        links,
        proposals,
        classifiable,
        unclassified,
        queue,
    });
    for job in jobs {
        if catch_unwind(AssertUnwindSafe(|| job(&standing))).is_err() {
            tracing::error!("a question to the estate broke off");
        }
    }
    Ok(())
}
