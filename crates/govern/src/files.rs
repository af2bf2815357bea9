//! The folder in which the estate of a running system is kept: `inventory.jsonl` (the saved inventory, replaced as a whole),
//! `decisions.json` (what persons decided since), `undertaken.json` (what they attest and have taken on), `history.jsonl` (the imports,
//! the oldest first). Readable by its owner only. Snapshots stand below it, and are not read here.
//!
//! A crash between two of them loses nothing that was acknowledged: the inventory is renamed into place before the decisions that
//! it already holds are taken away, and applying those once more changes nothing; an import whose line in the history is missing is
//! in the ledger.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use countersign_estate::{Classification, Inventory, SavedError, Verdict};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::history::Imported;
use crate::undertaken::Undertaken;

/// How many imports the history keeps; the ledger has all of them.
const HISTORY: usize = 500;
/// More in one file than this was not written here.
const MOST_BYTES: u64 = 512 << 20;

/// Why the estate could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    #[error("{0}: {1}")]
    Io(PathBuf, #[source] io::Error),
    #[error("{0}: {1}")]
    Inventory(PathBuf, #[source] SavedError),
    #[error("{0} is damaged: {1}")]
    Damaged(PathBuf, String),
}

/// What persons decided since the inventory was last written as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Decisions {
    #[serde(default)]
    pub(crate) verdicts: Vec<Verdict>,
    #[serde(default)]
    pub(crate) classifications: Vec<Classification>,
}

impl Decisions {
    /// A decision on something that is no longer there decides nothing.
    pub(crate) fn apply(&self, inventory: &mut Inventory) {
        for verdict in &self.verdicts {
            let _gone = inventory.decide_link(verdict.clone());
        }
        for said in &self.classifications {
            let _gone = inventory.classify(said.clone());
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Files {
    root: PathBuf,
}

impl Files {
    pub(crate) fn open(root: &Path) -> Result<Self, KeptError> {
        folder(root)?;
        Ok(Self { root: root.to_owned() })
    }

    fn inventory(&self) -> PathBuf {
        self.root.join("inventory.jsonl")
    }

    fn decisions(&self) -> PathBuf {
        self.root.join("decisions.json")
    }

    fn undertaken(&self) -> PathBuf {
        self.root.join("undertaken.json")
    }

    fn history(&self) -> PathBuf {
        self.root.join("history.jsonl")
    }

    /// Whether there is anything to read.
    pub(crate) fn is_empty(&self) -> bool {
        !self.inventory().exists()
    }

    pub(crate) fn load(&self) -> Result<(Inventory, Decisions, Undertaken, Vec<Imported>), KeptError> {
        let path = self.inventory();
        let mut inventory = match File::open(&path) {
            Ok(file) => {
                Inventory::load(BufReader::new(file)).map_err(|error| KeptError::Inventory(path.clone(), error))?
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Inventory::new(),
            Err(error) => return Err(KeptError::Io(path, error)),
        };
        let decisions: Decisions = document(&self.decisions())?;
        decisions.apply(&mut inventory);
        let undertaken = document(&self.undertaken())?;
        let path = self.history();
        let text = read(&path)?.unwrap_or_default();
        let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let history = lines.map(|line| serde_json::from_slice(line).map_err(|error| damaged(&path, &error)));
        Ok((inventory, decisions, undertaken, history.collect::<Result<_, _>>()?))
    }

    /// Writes an inventory beside the one that counts: it takes its place with [`Staged::place`].
    pub(crate) fn stage(&self, inventory: &Inventory) -> Result<Staged, KeptError> {
        let target = self.inventory();
        let path = target.with_extension("new");
        let staged = Staged { files: self.clone(), path };
        let write = || -> Result<(), SavedError> {
            let mut out = BufWriter::with_capacity(1 << 20, private(&staged.path)?);
            inventory.save(&mut out)?;
            out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
            Ok(())
        };
        write().map_err(|error| KeptError::Inventory(staged.path.clone(), error))?;
        Ok(staged)
    }

    pub(crate) fn decide(&self, decisions: &Decisions) -> Result<(), KeptError> {
        put(&self.decisions(), decisions)
    }

    pub(crate) fn undertake(&self, undertaken: &Undertaken) -> Result<(), KeptError> {
        put(&self.undertaken(), undertaken)
    }

    pub(crate) fn remember(&self, history: &mut Vec<Imported>) -> Result<(), KeptError> {
        history.drain(..history.len().saturating_sub(HISTORY));
        replace(&self.history(), |out| {
            for import in &*history {
                serde_json::to_writer(&mut *out, import)?;
                out.write_all(b"\n")?;
            }
            Ok(())
        })
    }
}

/// An inventory on the disk that does not count yet.
pub(crate) struct Staged {
    files: Files,
    path: PathBuf,
}

impl Staged {
    pub(crate) fn place(self) -> Result<(), KeptError> {
        rename(&self.path, &self.files.inventory())?;
        // A crash here leaves decisions that the inventory has already: see above.
        match fs::remove_file(self.files.decisions()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(KeptError::Io(self.files.decisions(), error)),
            _ => Ok(()),
        }
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // Not there once it was put into place.
        let _gone = fs::remove_file(&self.path);
    }
}

/// Made where it is not there, for its owner alone.
pub(crate) fn folder(path: &Path) -> Result<(), KeptError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| KeptError::Io(path.to_owned(), error))
}

fn damaged(path: &Path, error: &serde_json::Error) -> KeptError {
    KeptError::Damaged(path.to_owned(), format!("line {} column {}", error.line(), error.column()))
}

fn private(path: &Path) -> io::Result<File> {
    // What a crash left.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// What a document says; nothing, where there is none.
pub(crate) fn document<T: DeserializeOwned + Default>(path: &Path) -> Result<T, KeptError> {
    let Some(text) = read(path)? else { return Ok(T::default()) };
    serde_json::from_slice(&text).map_err(|error| damaged(path, &error))
}

pub(crate) fn put(path: &Path, document: &impl Serialize) -> Result<(), KeptError> {
    let text = serde_json::to_vec(document).map_err(|error| damaged(path, &error))?;
    replace(path, |out| out.write_all(&text))
}

pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>, KeptError> {
    match fs::metadata(path) {
        Ok(about) if about.len() > MOST_BYTES => Err(KeptError::Damaged(path.to_owned(), "too large".to_owned())),
        Ok(_) => fs::read(path).map(Some).map_err(|error| KeptError::Io(path.to_owned(), error)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(KeptError::Io(path.to_owned(), error)),
    }
}

pub(crate) fn replace(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Result<(), KeptError> {
    let staged = path.with_extension("new");
    let written = || -> io::Result<()> {
        let mut out = BufWriter::new(private(&staged)?);
        write(&mut out)?;
        out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
    };
    written().map_err(|error| KeptError::Io(staged.clone(), error))?;
    rename(&staged, path)
}

/// Durable when this returns.
fn rename(from: &Path, to: &Path) -> Result<(), KeptError> {
    let failed = |error| KeptError::Io(to.to_owned(), error);
    fs::rename(from, to).map_err(failed)?;
    to.parent().map_or(Ok(()), |folder| File::open(folder).and_then(|folder| folder.sync_all())).map_err(failed)
}
