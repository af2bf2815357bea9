//! One import at a time, from the first byte of the upload: read within limits and without touching the estate, merged into a
//! copy, written beside, recorded, put into place. Until it is recorded it can be stopped and leaves nothing behind; from then on it
//! is finished whoever waits.

use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::Bytes;
use countersign_administrator::{ActError, Actor};
use countersign_estate::{Batch, Fault, Input, Watch, read};
use countersign_model::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::estate::{Estate, Held, NotReady};
use crate::files::{Decisions, KeptError};
use crate::history::Imported;
use crate::own;
use crate::progress::Progress;
use crate::proofs::{IMPORT, hash_of};

/// Bytes of all uploads of one import as they come over the wire; archives may unpack to more, within the estate's limits.
pub const UPLOAD_BYTES: usize = 512 << 20;

/// The name under which Countersign's own inventory is read.
const OWN: &str = "countersign";

/// A file as somebody sent it.
#[derive(Clone)]
pub struct Upload {
    /// A label: it opens nothing.
    pub name: String,
    pub bytes: Bytes,
}

impl std::fmt::Debug for Upload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // An export may hold anything.
        write!(f, "Upload({:?}, {} bytes)", self.name, self.bytes.len())
    }
}

/// What to import.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    pub uploads: Vec<Upload>,
    /// What Countersign knows of itself, too.
    pub own: bool,
    /// When it was collected; now, where nothing is said.
    pub at: Option<Timestamp>,
    /// Only tell what would change.
    pub dry_run: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error("another import is under way: wait for it, or stop it")]
    Busy,
    #[error(transparent)]
    NotReady(#[from] NotReady),
    #[error("there is nothing to import")]
    Nothing,
    #[error("an estate is as old as its sources: {0} is still to come")]
    Future(Timestamp),
    /// The estate is as it was.
    #[error(transparent)]
    Fault(#[from] Fault),
    #[error(transparent)]
    Kept(#[from] KeptError),
    #[error("it cannot be recorded now, so it was not done")]
    NotRecorded,
    #[error("stopped")]
    Stopped,
}

/// How the newest import ended: what it did, or why it did nothing.
pub type Ended = Result<Arc<Imported>, Arc<ImportError>>;

/// The right to be the one import: taken before the first byte of an upload is read.
#[derive(Debug)]
pub struct Turn {
    estate: Estate,
    progress: Arc<Progress>,
    _permit: OwnedSemaphorePermit,
}

/// An import that goes on whether or not anybody waits.
#[derive(Debug)]
pub struct Pending(oneshot::Receiver<Ended>);

impl Pending {
    pub async fn ended(&mut self) -> Ended {
        let lost = || Err(Arc::new(ImportError::Stopped));
        (&mut self.0).await.unwrap_or_else(|_| lost())
    }
}

impl Estate {
    /// # Errors
    /// When there is an import already, or the estate is not there.
    pub fn turn(&self) -> Result<Turn, ImportError> {
        self.held()?;
        let permit = Arc::clone(&self.0.importing).try_acquire_owned().map_err(|_| ImportError::Busy)?;
        let progress = Arc::new(Progress::default());
        progress.tell("uploading", "", 0, 0);
        *self.0.under_way.lock() = Some(Arc::clone(&progress));
        self.changed();
        Ok(Turn { estate: self.clone(), progress, _permit: permit })
    }

    /// Asks the import under way to stop; false if there is none.
    pub fn stop_import(&self) -> bool {
        let under_way = self.0.under_way.lock().clone();
        under_way.inspect(|progress| progress.stop()).is_some()
    }

    /// Takes in what Countersign knows of itself, in its own name.
    pub async fn import_own(&self, actor: &Actor) -> Ended {
        match self.turn() {
            Ok(turn) => turn.import(Wanted { own: true, ..Wanted::default() }, actor.clone()).ended().await,
            Err(error) => Err(Arc::new(error)),
        }
    }
}

impl Turn {
    /// Told while the upload comes in; false once it is to stop.
    pub fn uploaded(&self, file: &str, bytes: usize) -> bool {
        self.progress.tell("uploading", file, bytes as u64, 0);
        !self.progress.is_stopped()
    }

    /// Begins; it goes on whether or not anybody waits for it.
    pub fn import(self, wanted: Wanted, actor: Actor) -> Pending {
        let (told, pending) = oneshot::channel();
        tokio::spawn(async move {
            let dry_run = wanted.dry_run;
            let ended = self.run(wanted, actor).await.map(Arc::new).map_err(Arc::new);
            let estate = self.estate.clone();
            if !dry_run {
                *estate.0.last.lock() = Some(ended.clone());
            }
            // Before anybody is told that it is over: they may begin the next.
            drop(self);
            let _gone = told.send(ended);
        });
        Pending(pending)
    }

    async fn run(&self, wanted: Wanted, actor: Actor) -> Result<Imported, ImportError> {
        let estate = &self.estate;
        let Wanted { uploads, own, at, dry_run } = wanted;
        if uploads.is_empty() && !own {
            return Err(ImportError::Nothing);
        }
        let progress = Arc::clone(&self.progress);
        let reading = estate.clone();
        let batch = blocking(move || {
            let mut uploads = uploads;
            if own {
                let bytes = own::document(&reading.0.administrator).unwrap_or_default().into();
                uploads.push(Upload { name: OWN.to_owned(), bytes });
            }
            read_all(&reading, &uploads, &progress)
        })
        .await??;

        // From here on decisions of persons wait: they would be decided on an inventory that is about to go.
        let _order = estate.0.order.lock().await;
        let now = estate.0.administrator.now();
        if let Some(later) = at.filter(|at| *at > now) {
            return Err(ImportError::Future(later));
        }
        let at = at.unwrap_or(now);
        let held = estate.held()?;
        let progress = Arc::clone(&self.progress);
        let (files, by) = (estate.0.files.clone(), actor.subject.clone());
        progress.tell("comparing", "", 0, 0);
        let merged = blocking(move || -> Result<_, ImportError> {
            let mut inventory = (*held.inventory).clone();
            let report = inventory.merge(&batch, at)?;
            let mut imported = Imported::new(&batch, &report, at, now, by);
            if dry_run {
                return Ok((imported, None));
            }
            imported.number = held.history.last().map_or(0, |last| last.number) + 1;
            progress.tell("writing", "", 0, 0);
            let staged = files.stage(&inventory)?;
            let hash = hash_of(batch.files().iter().map(|file| &*file.sha256));
            Ok((imported, Some((staged, inventory, hash))))
        });
        let (mut imported, staged) = merged.await??;
        let Some((staged, inventory, hash)) = staged else { return Ok(imported) };
        if self.progress.is_stopped() {
            return Err(ImportError::Stopped);
        }
        let mut parts = imported.parts.join(", ");
        parts.truncate(parts.char_indices().nth(500).map_or(parts.len(), |(place, _)| place));
        let administrator = &estate.0.administrator;
        let recorded = administrator.record_act_at(&actor, IMPORT, parts, imported.detail(&hash)).await;
        imported.entry = Some(recorded.map_err(|_: ActError| ImportError::NotRecorded)?);

        // A crash from here on leaves the record of an import that has to be done again, and the estate as it was.
        let (held, files, done) = (estate.held()?, estate.0.files.clone(), imported.clone());
        let next = blocking(move || -> Result<Held, KeptError> {
            staged.place()?;
            let mut history = (*held.history).clone();
            history.push(done);
            files.remember(&mut history)?;
            Ok(Held {
                inventory: Arc::new(inventory),
                history: Arc::new(history),
                decisions: Decisions::default(),
                undertaken: Arc::clone(&held.undertaken),
                generation: held.generation + 1,
            })
        });
        estate.hold(next.await??);
        Ok(imported)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *self.estate.0.under_way.lock() = None;
        self.estate.changed();
    }
}

/// Off the runtime's threads.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ImportError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| ImportError::Stopped)
}

fn read_all(estate: &Estate, uploads: &[Upload], progress: &Progress) -> Result<Batch, ImportError> {
    let inputs: Vec<Input<'_>> =
        uploads.iter().map(|upload| Input { name: &upload.name, bytes: &upload.bytes }).collect();
    let mut tell = |at: countersign_estate::Progress<'_>| {
        progress.tell("reading", at.file, at.rows as u64, 0);
        if progress.is_stopped() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    progress.tell("reading", "", 0, 0);
    let batch = read(&inputs, &estate.0.limits, &mut Watch::new(&mut tell))?;
    if progress.is_stopped() { Err(ImportError::Stopped) } else { Ok(batch) }
}
