//! Where a log's files come from when it is read: a directory here, a web server in the binary. What a source returns
//! is foreign; [`crate::Reader`] and [`crate::verify`] check it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tlog_tiles::{HASH_SIZE, Hash};

use crate::path::LogPath;
use crate::{Disk, SystemDisk, bundle};

/// The files of one log, by the names of C2SP tlog-tiles.
pub trait Source: Send + Sync {
    /// The content of one file, `None` if there is no such file.
    fn fetch(&self, path: &LogPath) -> Result<Option<Vec<u8>>, SourceError>;

    /// How many of the first entry bundles the log's keeper says have been moved to an archive.
    fn archived(&self) -> Result<u64, SourceError> {
        Ok(0)
    }
}

impl<S: Source + ?Sized> Source for &S {
    fn fetch(&self, path: &LogPath) -> Result<Option<Vec<u8>>, SourceError> {
        (**self).fetch(path)
    }

    fn archived(&self) -> Result<u64, SourceError> {
        (**self).archived()
    }
}

impl<S: Source + ?Sized> Source for Box<S> {
    fn fetch(&self, path: &LogPath) -> Result<Option<Vec<u8>>, SourceError> {
        (**self).fetch(path)
    }

    fn archived(&self) -> Result<u64, SourceError> {
        (**self).archived()
    }
}

/// Why a file could not be had.
#[derive(Debug, thiserror::Error)]
#[error("{path} cannot be read: {cause}")]
pub struct SourceError {
    pub path: String,
    pub cause: io::Error,
}

impl SourceError {
    pub fn new(path: impl ToString, cause: io::Error) -> Self {
        Self { path: path.to_string(), cause }
    }
}

/// A log in a directory, with its archive if that is at hand.
#[derive(Debug, Clone)]
pub struct Directory {
    disk: Arc<dyn Disk>,
    pub(crate) root: PathBuf,
    archive: Option<PathBuf>,
}

/// Says how many of the first bundles are archived: a decimal number.
pub(crate) const ARCHIVED: &str = "archived";

impl Directory {
    pub fn new(root: &Path, archive: Option<&Path>) -> Self {
        Self::on(Arc::new(SystemDisk), root, archive)
    }

    pub fn on(disk: Arc<dyn Disk>, root: &Path, archive: Option<&Path>) -> Self {
        Self { disk, root: root.to_owned(), archive: archive.map(Path::to_owned) }
    }

    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, SourceError> {
        match self.disk.read(path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(SourceError::new(path.display(), error)),
        }
    }
}

impl Source for Directory {
    fn fetch(&self, path: &LogPath) -> Result<Option<Vec<u8>>, SourceError> {
        let name = path.to_string();
        if let Some(bytes) = self.read(&self.root.join(&name))? {
            return Ok(Some(bytes));
        }
        match (path, &self.archive) {
            (LogPath::Entries { .. }, Some(archive)) => self.read(&archive.join(&name)),
            _ => Ok(None),
        }
    }

    fn archived(&self) -> Result<u64, SourceError> {
        let path = self.root.join(ARCHIVED);
        let Some(text) = self.read(&path)? else { return Ok(0) };
        let number = std::str::from_utf8(&text).ok().and_then(|text| text.trim().parse().ok());
        number.ok_or_else(|| SourceError::new(path.display(), io::Error::other("not a number")))
    }
}

/// A file in the width that is asked for. Where it has grown since, it is cut to that width: a log may remove a
/// partial tile once the full one exists (C2SP tlog-tiles, "Partial tiles").
pub(crate) fn fetch_or_full(source: &impl Source, path: LogPath) -> Result<Option<Vec<u8>>, SourceError> {
    if let Some(bytes) = source.fetch(&path)? {
        return Ok(Some(bytes));
    }
    if path.full() == path {
        return Ok(None);
    }
    Ok(source.fetch(&path.full())?.map(|bytes| cut(&bytes, path)))
}

fn cut(bytes: &[u8], path: LogPath) -> Vec<u8> {
    match path {
        LogPath::Checkpoint => bytes.to_vec(),
        LogPath::Tile { width, .. } => bytes.get(..usize::from(width) * HASH_SIZE).unwrap_or(bytes).to_vec(),
        LogPath::Entries { width, .. } => {
            let entries = bundle::split(bytes).take(width.into());
            let length: usize = entries.map_while(Result::ok).map(|entry| entry.len() + 2).sum();
            bytes.get(..length).unwrap_or(bytes).to_vec()
        }
    }
}

/// A tile's hashes; `None` if it is missing or does not have exactly its width.
pub(crate) fn fetch_tile(
    source: &impl Source,
    level: u8,
    n: u64,
    width: u16,
) -> Result<Option<Vec<Hash>>, SourceError> {
    let bytes = fetch_or_full(source, LogPath::Tile { level, n, width })?;
    Ok(bytes.and_then(|bytes| bundle::bytes_to_hashes(&bytes)).filter(|hashes| hashes.len() == usize::from(width)))
}
