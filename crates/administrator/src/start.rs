//! Puts an administrator together: the world from the store, what is built in, and the first entry in the ledger.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use countersign_lease::Catalog;
use countersign_ledger::{AppendError, Entry, EntryBody};
use countersign_model::NameError;
use countersign_store::{Change, Store, StoreError};

use crate::accounts::Accounts;
use crate::exceptions::Probes;
use crate::leases::Leases;
use crate::metrics::Metrics;
use crate::policies::{ReconfigureError, Rules, keep, published};
use crate::record::Recorder;
use crate::reviews::Reviews;
use crate::sources::Publication;
use crate::world::{FillError, World, WorldError};
use crate::{Administrator, Inner, Parts, built_in};

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the store cannot be read: {0}")]
    Store(#[from] StoreError),
    #[error("the store holds what the world refuses: {0}")]
    World(#[from] WorldError),
    #[error(transparent)]
    Settings(#[from] ReconfigureError),
    #[error("a built-in name is not usable: {0}")]
    Name(#[from] NameError),
    #[error("the policy set was loaded with other symbols than the world's")]
    Symbols,
    #[error("the ledger does not take entries: {0}")]
    Ledger(#[from] AppendError),
    #[error("the recording thread cannot be started: {0}")]
    Thread(#[from] std::io::Error),
}

impl From<FillError> for StartError {
    fn from(error: FillError) -> Self {
        match error {
            FillError::Store(error) => Self::Store(error),
            FillError::World(error) => Self::World(error),
        }
    }
}

impl Administrator {
    /// Reads the store into memory and waits for the first entries to be durable: blocks. The caller then lets
    /// [`Administrator::run`] keep time.
    pub fn start(parts: Parts) -> Result<Self, StartError> {
        let Parts { store, ledger, symbols, policies, settings, clock, accounts, node } = parts;
        if !Arc::ptr_eq(policies.symbols(), &symbols) {
            return Err(StartError::Symbols);
        }
        let now = clock.now();
        put_missing_groups(&*store)?;
        let world = World::new(symbols);
        world.fill(&*store)?;
        world.publish(world.prepare(&built_in::subjects()?)?);

        keep(&*store, &policies)?;
        let reviews = Reviews::load(&*store)?;
        let accounts = Accounts::load(accounts, &*store, now)?;
        let rules = Rules::new(Arc::new(policies), Arc::new(settings))?;
        let recorder = Recorder::start(ledger)?;
        let administrator = Self(Arc::new(Inner {
            node,
            clock,
            store,
            world,
            rules: ArcSwap::from_pointee(rules),
            catalog: ArcSwap::from_pointee(Catalog::default()),
            accounts,
            probes: Probes::default(),
            reviews,
            leases: Leases::default(),
            recorder,
            metrics: Metrics::find(),
            order: tokio::sync::Mutex::new(()),
            epoch: AtomicU64::new(0),
            in_flight: AtomicUsize::new(0),
            previewing: parking_lot::Mutex::new(()),
            decided: AtomicU64::new(0),
            stopping: AtomicBool::new(false),
            started: now,
            prover: OnceLock::new(),
        }));
        administrator.put_built_in_resources(&administrator.settings())?;

        let started =
            EntryBody::Started { version: env!("CARGO_PKG_VERSION").to_owned(), node: administrator.0.node.clone() };
        let mut bodies = vec![started];
        bodies.extend(published(&administrator.policies(), Publication::default()));
        for body in bodies {
            administrator.ledger().append(&Entry { at: now, body }).wait()?;
        }
        Ok(administrator)
    }
}

/// Subjects in the store are members of the built-in groups, so those are in the store too.
fn put_missing_groups(store: &dyn Store) -> Result<(), StartError> {
    let known = store.groups()?;
    let missing = built_in::groups()?.into_iter().filter(|group| known.iter().all(|it| it.id != group.id));
    let changes: Vec<Change> = missing.map(Change::PutGroup).collect();
    if !changes.is_empty() {
        store.commit(&changes)?;
    }
    Ok(())
}
