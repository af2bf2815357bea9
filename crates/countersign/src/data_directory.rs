//! The data directory: what is where, who may read it, and which process has it. Keys are made here on first use; what
//! they are for is the business of the parts they are given to.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use countersign_device::Authority;
use countersign_identity::assertion::Signer;
use countersign_ledger::SigningKey;
use countersign_model::Timestamp;
use serde::{Deserialize, Serialize};

/// A data directory, whoever uses it.
#[derive(Debug, Clone)]
pub struct DataDirectory {
    root: PathBuf,
}

/// The one process that may write to it. Let go when dropped.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// What a running server leaves for the command line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    pub process: u32,
    /// The control host's origin, as a browser reaches it.
    pub origin: String,
    /// Where it can be reached from this machine, whatever the name resolves to.
    pub local: Local,
    pub operations: Option<std::net::SocketAddr>,
}

/// A listener of this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Local {
    pub address: std::net::SocketAddr,
    pub encrypted: bool,
}

impl DataDirectory {
    /// Makes it if it is not there, readable by nobody else.
    pub fn create(root: &Path) -> anyhow::Result<Self> {
        let made = |path: &Path| {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(path)
                .with_context(|| format!("the data directory {} cannot be made", path.display()))
        };
        made(root)?;
        let mode = fs::metadata(root)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            bail!(
                "the data directory {} can be entered by others (mode {mode:o}): it holds every key. \
                 Say `chmod 700 {}` or choose another",
                root.display(),
                root.display()
            );
        }
        made(&root.join("keys"))?;
        made(&root.join("ledger"))?;
        Ok(Self { root: root.to_owned() })
    }

    /// One that has to be there already.
    pub fn existing(root: &Path) -> anyhow::Result<Self> {
        if !root.join("keys").is_dir() {
            bail!(
                "{} is no data directory of Countersign. Name it with --data, or start with `countersign up`",
                root.display()
            );
        }
        Ok(Self { root: root.to_owned() })
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn store(&self) -> PathBuf {
        self.root.join("store.sqlite")
    }

    pub fn ledger(&self) -> PathBuf {
        self.root.join("ledger")
    }

    /// What was imported of the organisation, and what persons decided about it.
    pub fn estate(&self) -> PathBuf {
        self.root.join("estate")
    }

    /// The internal authority's certificate, for whoever is to trust it. Its key is in `keys`.
    pub fn authority_certificate(&self) -> PathBuf {
        self.root.join("authority.pem")
    }

    /// Refused while another process has it.
    pub fn lock(&self) -> anyhow::Result<Lock> {
        let file = private().create(true).truncate(false).open(self.root.join("lock"))?;
        match file.try_lock() {
            Ok(()) => Ok(Lock { _file: file }),
            Err(TryLockError::WouldBlock) => {
                let who = self.running().map(|r| format!(" (process {})", r.process)).unwrap_or_default();
                Err(anyhow!("a server runs on {}{who}: stop it first", self.root.display()))
            }
            Err(TryLockError::Error(error)) => Err(error).context("the data directory cannot be locked"),
        }
    }

    /// What a server said when it started. It may have been killed since.
    pub fn running(&self) -> Option<Running> {
        serde_json::from_slice(&fs::read(self.root.join("running.json")).ok()?).ok()
    }

    pub fn announce(&self, running: &Running) -> anyhow::Result<()> {
        replace(&self.root.join("running.json"), &serde_json::to_vec_pretty(running)?)
    }

    /// A clean end. What is left by a crash is overwritten by the next start.
    pub fn withdraw(&self) {
        let _ = fs::remove_file(self.root.join("running.json"));
    }

    pub fn ledger_key(&self) -> anyhow::Result<SigningKey> {
        Ok(SigningKey::from_seed(self.seed("ledger.key")?))
    }

    /// Signs what applications are told about a request.
    pub fn assertion_signer(&self) -> anyhow::Result<Signer> {
        Ok(Signer::from_seed(&self.seed("assertion.key")?))
    }

    /// Whoever can read this key is the local operator.
    pub fn operator_signer(&self) -> anyhow::Result<Signer> {
        Ok(Signer::from_seed(&self.seed("operator.key")?))
    }

    pub fn has_operator_key(&self) -> bool {
        self.root.join("keys/operator.key").is_file()
    }

    /// The internal authority, for servers' and devices' certificates.
    pub fn authority(&self, now: Timestamp, name: &str) -> anyhow::Result<Authority> {
        let path = self.root.join("keys/authority-key.pem");
        let authority = match fs::read_to_string(&path) {
            Ok(pem) => Authority::from_pem(&pem).with_context(|| format!("{} cannot be read", path.display()))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let authority = Authority::create(now, name)?;
                replace(&path, authority.to_pem().as_bytes())?;
                authority
            }
            Err(error) => return Err(error).with_context(|| format!("{} cannot be read", path.display())),
        };
        let certificate = self.authority_certificate();
        if fs::read_to_string(&certificate).ok().as_deref() != Some(authority.certificate_pem()) {
            replace(&certificate, authority.certificate_pem().as_bytes())?;
        }
        Ok(authority)
    }

    /// 32 random bytes in hex, made when they are first needed.
    fn seed(&self, name: &str) -> anyhow::Result<[u8; 32]> {
        let path = self.root.join("keys").join(name);
        match fs::read_to_string(&path) {
            Ok(text) => {
                let digits = text.trim();
                let byte = |at: usize| u8::from_str_radix(digits.get(at * 2..at * 2 + 2)?, 16).ok();
                let bytes: Option<Vec<u8>> = (0..32).map(byte).collect();
                bytes
                    .filter(|_| digits.len() == 64)
                    .and_then(|bytes| bytes.try_into().ok())
                    .ok_or_else(|| anyhow!("{} is damaged: it holds 64 hexadecimal digits", path.display()))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let seed: [u8; 32] = rand::random();
                let digits: String = seed.iter().map(|byte| format!("{byte:02x}")).collect();
                replace(&path, format!("{digits}\n").as_bytes())?;
                Ok(seed)
            }
            Err(error) => Err(error).with_context(|| format!("{} cannot be read", path.display())),
        }
    }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    options
}

/// Writes a whole file or nothing: a crash leaves the old one, or a temporary file that the next call overwrites.
pub fn replace(path: &Path, contents: &[u8]) -> anyhow::Result<()> {
    let temporary = path.with_extension("new");
    let written = || -> std::io::Result<()> {
        let _ = fs::remove_file(&temporary);
        let mut file = private().create_new(true).open(&temporary)?;
        file.write_all(contents)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        path.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
    };
    written().with_context(|| format!("{} cannot be written", path.display()))
}
