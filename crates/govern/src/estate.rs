//! The estate as it is kept: one inventory, its history and the newest assessment of it, behind one handle. Acts come one after
//! the other; whoever reads never waits for them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use countersign_administrator::{Actor, Administrator, LOCAL_OPERATOR};
use countersign_estate::{Inventory, Limits, Part, System};
use countersign_model::{SubjectId, Timestamp};
use parking_lot::{Mutex, RwLock};
use tokio::sync::{Semaphore, watch};

use crate::assessing::{Assessed, Assessing};
use crate::files::{Decisions, Files, KeptError};
use crate::history::Imported;
use crate::importing::Ended;
use crate::progress::{Progress, Step};
use crate::snapshots::Snapshots;
use crate::undertaken::Undertaken;

/// How often it is looked whether Countersign's own inventory or the assessment is a day old.
const LOOK: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// The estate of a running system. A handle: clones are the same estate.
#[derive(Clone, Debug)]
pub struct Estate(pub(crate) Arc<Inner>);

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) administrator: Administrator,
    pub(crate) files: Files,
    pub(crate) snapshots: Snapshots,
    pub(crate) limits: Limits,
    kept: RwLock<Kept>,
    /// One upload and import at a time.
    pub(crate) importing: Arc<Semaphore>,
    /// Whoever changes the inventory, from reading it to putting the next one into place.
    pub(crate) order: tokio::sync::Mutex<()>,
    pub(crate) under_way: Mutex<Option<Arc<Progress>>>,
    pub(crate) last: Mutex<Option<Ended>>,
    pub(crate) assessing: Assessing,
    /// Moves whenever something that [`Status`] shows has changed.
    moved: watch::Sender<u64>,
}

#[derive(Debug)]
enum Kept {
    Reading,
    Ready(Arc<Held>),
    Damaged(String),
}

/// The inventory as it is now.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) inventory: Arc<Inventory>,
    /// The oldest first.
    pub(crate) history: Arc<Vec<Imported>>,
    /// Made since the inventory was written as a whole.
    pub(crate) decisions: Decisions,
    pub(crate) undertaken: Arc<Undertaken>,
    /// Greater with each change of what is assessed.
    pub(crate) generation: u64,
}

/// Why there is no estate to ask.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotReady {
    #[error("the estate is still being read")]
    Reading,
    #[error("the estate cannot be read, and nothing is done to it before somebody looks: {0}")]
    Damaged(String),
}

/// What there is, and what is going on.
#[derive(Clone, Debug)]
pub struct Status {
    pub not_ready: Option<NotReady>,
    pub nodes: usize,
    pub edges: usize,
    /// Each part of a source with its newest import.
    pub sources: Vec<(Part, Timestamp)>,
    pub imports: usize,
    pub importing: Option<Step>,
    pub last: Option<Ended>,
    pub assessing: Option<Step>,
    pub assessed: Option<Arc<Assessed>>,
    /// Whether the assessment is of the estate as it is.
    pub current: bool,
    /// Why the newest assessment did not come about.
    pub failed: Option<String>,
}

impl Estate {
    /// Opens the estate in a folder, which is made if it is not there. What is there is read on a thread of its own: access does not
    /// wait for it, and a damaged estate takes nothing else down.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn open(root: &Path, administrator: Administrator) -> Result<Self, KeptError> {
        let files = Files::open(root)?;
        let empty = files.is_empty();
        let estate = Self(Arc::new(Inner {
            administrator,
            files,
            snapshots: Snapshots::below(root),
            limits: Limits::default(),
            kept: RwLock::new(Kept::Reading),
            importing: Arc::new(Semaphore::new(1)),
            order: tokio::sync::Mutex::new(()),
            under_way: Mutex::new(None),
            last: Mutex::new(None),
            assessing: Assessing::default(),
            moved: watch::Sender::new(0),
        }));
        if empty {
            estate.load();
        } else {
            let loading = estate.clone();
            let thread = std::thread::Builder::new().name("countersign-estate".to_owned());
            thread.spawn(move || loading.load()).map_err(|error| KeptError::Io(root.to_owned(), error))?;
        }
        Ok(estate)
    }

    fn load(&self) {
        match self.0.files.load() {
            Ok((inventory, decisions, undertaken, history)) => self.hold(Held {
                inventory: Arc::new(inventory),
                history: Arc::new(history),
                decisions,
                undertaken: Arc::new(undertaken),
                generation: 1,
            }),
            Err(error) => {
                tracing::error!(%error, "the estate cannot be read; imports are refused until somebody has looked");
                *self.0.kept.write() = Kept::Damaged(error.to_string());
                self.changed();
            }
        }
    }

    /// Keeps time: what Countersign knows of itself, once somebody has taken it in, is taken in again each day, and an assessment is no
    /// older than a day.
    pub async fn run(&self, shutdown: impl Future<Output = ()>) {
        let keep = async {
            let Ok(subject) = SubjectId::service(LOCAL_OPERATOR) else { return };
            let actor = Actor { subject, decision: None };
            self.ready().await;
            loop {
                let now = self.0.administrator.now();
                if self.own_import().is_some_and(|at| now.since(at) >= DAY) {
                    if let Err(error) = self.import_own(&actor).await {
                        tracing::warn!(%error, "Countersign's own inventory was not taken into the estate again");
                    }
                } else if self
                    .assessed()
                    .is_none_or(|assessed| now.since(assessed.as_of) >= DAY || self.lapsed(assessed.as_of, now))
                {
                    self.assess();
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::select! {
            () = keep => {}
            () = shutdown => {}
        }
        self.stop_import();
        self.stop_assessing();
    }

    /// When what Countersign knows of itself was taken in last.
    fn own_import(&self) -> Option<Timestamp> {
        let held = self.held().ok()?;
        held.inventory.parts().iter().filter(|(part, _)| part.system == System::Countersign).map(|(_, at)| *at).max()
    }

    pub(crate) fn held(&self) -> Result<Arc<Held>, NotReady> {
        match &*self.0.kept.read() {
            Kept::Reading => Err(NotReady::Reading),
            Kept::Ready(held) => Ok(Arc::clone(held)),
            Kept::Damaged(why) => Err(NotReady::Damaged(why.clone())),
        }
    }

    /// Puts the next inventory into place, and has it assessed.
    pub(crate) fn hold(&self, next: Held) {
        self.assess_after(|| *self.0.kept.write() = Kept::Ready(Arc::new(next)));
    }

    /// Puts what was undertaken into place, where nothing of it changes what is found.
    pub(crate) fn put(&self, next: Held) {
        *self.0.kept.write() = Kept::Ready(Arc::new(next));
        self.changed();
    }

    pub(crate) fn changed(&self) {
        self.0.moved.send_modify(|moved| *moved = moved.wrapping_add(1));
    }

    /// Waits until the estate has been read, or found to be damaged.
    pub async fn ready(&self) {
        self.until(|estate| !matches!(&*estate.0.kept.read(), Kept::Reading)).await;
    }

    /// Waits until the newest estate is assessed, or could not be.
    pub async fn settled(&self) {
        self.ready().await;
        self.until(|estate| estate.held().is_err() || !estate.is_assessing()).await;
    }

    async fn until(&self, reached: impl Fn(&Self) -> bool) {
        let mut moved = self.0.moved.subscribe();
        while !reached(self) {
            if moved.changed().await.is_err() {
                return;
            }
        }
    }

    /// The inventory in its saved form: every name and address that anybody imported.
    ///
    /// # Errors
    /// When it is not there.
    pub fn saved(
        &self,
    ) -> Result<impl FnOnce(&mut dyn std::io::Write) -> std::io::Result<()> + Send + 'static, NotReady> {
        let held = self.held()?;
        Ok(move |mut out: &mut dyn std::io::Write| {
            held.inventory.save(&mut out).map_err(|error| match error {
                countersign_estate::SavedError::Io(error) => error,
                other => std::io::Error::other(other),
            })
        })
    }

    /// The imports, the newest first.
    ///
    /// # Errors
    /// When the estate is not there.
    pub fn history(&self, before: Option<u64>, limit: usize) -> Result<Vec<Imported>, NotReady> {
        let held = self.held()?;
        let older = held.history.iter().rev().filter(|import| before.is_none_or(|before| import.number < before));
        Ok(older.take(limit).cloned().collect())
    }

    /// # Errors
    /// When the estate is not there.
    pub fn import_of(&self, number: u64) -> Result<Option<Imported>, NotReady> {
        Ok(self.held()?.history.iter().find(|import| import.number == number).cloned())
    }

    pub fn status(&self) -> Status {
        let held = self.held();
        let assessed = self.assessed();
        let generation = held.as_ref().map_or(0, |held| held.generation);
        Status {
            nodes: held.as_ref().map_or(0, |held| held.inventory.nodes().len()),
            edges: held.as_ref().map_or(0, |held| held.inventory.edges().len()),
            sources: held.as_ref().map(|held| held.inventory.parts().to_vec()).unwrap_or_default(),
            imports: held.as_ref().map_or(0, |held| held.history.len()),
            importing: self.0.under_way.lock().as_ref().map(|progress| progress.step()),
            last: self.0.last.lock().clone(),
            assessing: self.0.assessing.step(),
            current: assessed.as_ref().is_some_and(|assessed| assessed.generation == generation),
            failed: self.0.assessing.failed(),
            assessed,
            not_ready: held.err(),
        }
    }
}
