//! Answers of the solver, by the hash of exactly what it was asked and of who it is: schema, policies, guardrail,
//! assumptions and the version of the compiler are all in the text of a query, so none of them can be forgotten. Kept
//! is only what needs no example. Whoever can write the directory can lie: it has to be its owner's alone, and is not
//! used otherwise.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

/// One query to one solver, in lower-case hex.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Key(String);

impl Key {
    pub(crate) fn of(solver: &str, script: &[u8]) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(u64::try_from(solver.len()).unwrap_or(u64::MAX).to_be_bytes());
        hasher.update(solver);
        hasher.update(script);
        Self(hex::encode(hasher.finalize()))
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Known {
    /// No request is like this.
    Unsatisfiable,
    /// Some request is.
    Satisfiable,
}

impl Known {
    const ALL: [Self; 2] = [Self::Unsatisfiable, Self::Satisfiable];

    fn text(self, key: &Key) -> String {
        let word = match self {
            Self::Unsatisfiable => "unsat",
            Self::Satisfiable => "sat",
        };
        format!("countersign proof 1\n{}\n{word}\n", key.0)
    }
}

/// A directory of answers.
#[derive(Clone, Debug)]
pub struct Cache(PathBuf);

impl Cache {
    /// Makes the directory if need be. One that others may write is refused.
    pub fn open(directory: &Path) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        if fs::metadata(directory)?.mode() & 0o022 != 0 {
            let message = format!("others may write {}: nothing in it can be believed", directory.display());
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
        }
        Ok(Self(directory.to_owned()))
    }

    /// Where a person's cache is, as far as the environment says.
    pub fn usual() -> Option<PathBuf> {
        let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let base = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
        Some(base.join("countersign/proofs"))
    }

    /// Anything but the very text that was kept for this key is nothing.
    pub(crate) fn get(&self, key: &Key) -> Option<Known> {
        let text = fs::read(self.0.join(&key.0)).ok()?;
        Known::ALL.into_iter().find(|known| known.text(key).as_bytes() == text)
    }

    /// A cache that cannot be written makes proofs slower and nothing else. A crash leaves a file that nobody reads.
    pub(crate) fn put(&self, key: &Key, known: Known) {
        let temporary = self.0.join(format!(".{}.{}", key.0, std::process::id()));
        let write = || -> io::Result<()> {
            let mut file = fs::File::create_new(&temporary)?;
            file.write_all(known.text(key).as_bytes())?;
            fs::rename(&temporary, self.0.join(&key.0))
        };
        if write().is_err() {
            let _ = fs::remove_file(&temporary);
        }
    }
}
