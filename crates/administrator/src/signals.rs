//! A fact changes. What the change takes away is taken from the world first and cut; then the change is recorded and
//! stored; what it gives comes last. Then every lease that it touched is decided again.
//!
//! Crash states: after the record and before the store, the ledger tells of a change that is not in force, and its
//! sender was told nothing; sent again, it takes effect. After the store, the next start fills the world with it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use countersign_lease::{Catalog, Revocation, RevocationCause};
use countersign_ledger::{AppendError, EntryBody};
use countersign_model::{DecisionId, Device, KeyId, SessionId, Signal, SignalKind, Subject};
use countersign_store::{Change, RiskRecord, StoreError};

use crate::Administrator;
use crate::exceptions::with_what_ends;
use crate::former::former;
use crate::leases::Live;
use crate::pass::Pass;
use crate::world::{Touched, View, WorldError, moved, taking};

/// Why a signal was not applied. Nothing of it is in force.
#[derive(Debug, thiserror::Error)]
pub enum SignalError {
    #[error(transparent)]
    Refused(#[from] WorldError),
    #[error("not recorded, so not done: {0}")]
    Record(#[from] AppendError),
    #[error("not stored, so not done: {0}")]
    Store(#[from] StoreError),
    #[error("not done: Countersign is stopping")]
    Stopping,
}

impl Administrator {
    /// Applies one signal. It is finished even if the caller goes away.
    pub async fn submit(&self, signal: Signal) -> Result<(), SignalError> {
        self.submit_all(vec![signal]).await
    }

    /// Applies several as one: all are in force, or none is.
    pub async fn submit_all(&self, signals: Vec<Signal>) -> Result<(), SignalError> {
        self.submit_asked(signals, None).await
    }

    /// The same, asked for by a request under the decision `asking`: it still gets its answer. Its lease alone is not
    /// decided again because of what it has changed itself.
    pub(crate) async fn submit_asked(
        &self,
        signals: Vec<Signal>,
        asking: Option<DecisionId>,
    ) -> Result<(), SignalError> {
        let this = self.clone();
        let work = async move { this.apply_in_turn(signals, asking).await };
        self.finish(work).await.unwrap_or(Err(SignalError::Stopping))
    }

    async fn apply_in_turn(&self, signals: Vec<Signal>, asking: Option<DecisionId>) -> Result<(), SignalError> {
        let _turn = self.0.order.lock().await;
        let world = &self.0.world;
        let before = world.view().clone();
        let signals = with_what_ends(&before, signals);
        // Refused here, it has changed nothing and is not worth a record.
        let prepared = world.prepare(&signals)?;
        let changes = signals.iter().filter_map(|signal| change(signal, &prepared.view)).collect();

        let posture = self.settings().posture.clone();
        let takes: Vec<Signal> = signals.iter().filter_map(|signal| taking(&before, signal, &posture)).collect();
        let gone: Vec<_> = signals.iter().filter_map(|signal| moved(&before, signal)).collect();
        if !takes.is_empty() {
            let taken = world.publish(world.prepare(&takes)?);
            self.changed(&taken, asking).await;
        }
        if let Err(error) = self.record_and_store(&before, &signals, changes).await {
            world.restore(&before, &prepared.touched);
            self.changed(&prepared.touched, asking).await;
            tracing::error!(%error, "a change of facts was not kept and is not in force");
            return Err(error);
        }
        let touched = world.publish(prepared);
        self.changed(&touched, asking).await;
        for resource in gone {
            self.cut_moved(&self.0.leases.of_resource(&resource));
        }
        for signal in &signals {
            metrics::counter!("countersign_signals_total", "kind" => signal.kind.name()).increment(1);
        }
        Ok(())
    }

    /// Records what it takes the place of and the change itself, and stores it.
    async fn record_and_store(
        &self,
        before: &View,
        signals: &[Signal],
        changes: Vec<Change>,
    ) -> Result<(), SignalError> {
        // No more at once than the ledger's queue takes: many people may be in a group that goes.
        const AT_ONCE: usize = 1024;
        let former = signals.iter().flat_map(|signal| former(before, signal));
        let former = former.map(|kind| EntryBody::Former(Box::new(kind)));
        let bodies: Vec<EntryBody> =
            former.chain(signals.iter().map(|signal| EntryBody::Signal(Box::new(signal.clone())))).collect();
        for some in bodies.chunks(AT_ONCE) {
            futures_util::future::try_join_all(some.iter().map(|body| self.record(body.clone()))).await?;
        }
        Ok(self.commit(changes).await?)
    }

    /// What follows a published change: the epoch, the catalog, the leases.
    async fn changed(&self, touched: &Touched, asking: Option<DecisionId>) {
        if !touched.resources.is_empty() {
            self.rebuild_catalog();
        }
        self.moved();
        let mut leases = self.0.leases.touched(touched);
        leases.retain(|live| asking != Some(live.decision));
        self.decide_again(leases, RevocationCause::FactChanged).await;
    }

    /// Told after every change that a decision could have seen, and before leases are looked for.
    pub(crate) fn moved(&self) {
        self.0.epoch.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn rebuild_catalog(&self) {
        let view: &View = &self.0.world.view();
        let catalog = Catalog::new(view.resources().map(|record| Arc::clone(&record.resource)));
        self.0.catalog.store(Arc::new(catalog));
    }

    /// The session was renewed or has ended; its leases are decided again on what stands now. Not the lease of the
    /// decision `asking`: a request that ends its own session still gets its answer, and is over with it.
    pub(crate) fn session_changed(&self, session: SessionId, asking: Option<DecisionId>) {
        self.moved();
        let mut leases = self.0.leases.of_session(session);
        leases.retain(|live| asking != Some(live.decision));
        self.decide_now(&leases, RevocationCause::SessionEnded);
    }

    pub(crate) fn key_changed(&self, key: &KeyId) {
        self.moved();
        self.decide_now(&self.0.leases.of_key(key), RevocationCause::SessionEnded);
    }

    /// Decides these again, and cuts those that are no longer granted. Gives way now and then: ten thousand of them take
    /// a while.
    pub(crate) async fn decide_again(&self, leases: Vec<Arc<Live>>, cause: RevocationCause) {
        const AT_ONCE: usize = 512;
        let mut pass = Pass::new(self, cause);
        for some in leases.chunks(AT_ONCE) {
            some.iter().for_each(|live| pass.decide(live));
            tokio::task::yield_now().await;
        }
    }

    fn decide_now(&self, leases: &[Arc<Live>], cause: RevocationCause) {
        let mut pass = Pass::new(self, cause);
        leases.iter().for_each(|live| pass.decide(live));
    }

    /// Whether this was the first to cut it.
    pub(crate) fn cut(&self, live: &Live, revocation: Revocation, began: Instant) -> bool {
        let cause = revocation.cause;
        let first = live.tether.cut(revocation);
        if first {
            metrics::counter!("countersign_revocations_total", "cause" => cause.name()).increment(1);
            self.0.metrics.cause_to_cut.record(began.elapsed().as_secs_f64());
        }
        first
    }

    /// What leads to the old place of a resource is closed; whoever may, opens it again at the new one.
    fn cut_moved(&self, leases: &[Arc<Live>]) {
        let (now, began) = (self.now(), Instant::now());
        for live in leases {
            let message = "This application has moved. Open it again.".to_owned();
            let revocation = Revocation { cause: RevocationCause::FactChanged, at: now, decision: None, message };
            self.cut(live, revocation, began);
        }
    }

    pub(crate) fn cut_all(&self, cause: RevocationCause, message: &str) {
        let (now, began) = (self.now(), Instant::now());
        for live in self.0.leases.all() {
            self.cut(&live, Revocation { cause, at: now, decision: None, message: message.to_owned() }, began);
        }
    }

    /// Runs `work` to its end whether or not the caller waits for it; `None` when the runtime goes down.
    pub(crate) async fn finish<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Option<T> {
        tokio::spawn(work).await.ok()
    }
}

/// What the store remembers of a signal that makes the world `after`; total over every kind.
pub(crate) fn change(signal: &Signal, after: &View) -> Option<Change> {
    let subject = |id| after.subject(id).map(|record| Change::PutSubject(record.subject()));
    let device = |id| after.device(id).map(|record| Change::PutDevice(record.device()));
    match &signal.kind {
        SignalKind::SubjectPut { subject: Subject { id, .. } }
        | SignalKind::SubjectState { id, .. }
        | SignalKind::MembershipChanged { subject: id, .. } => subject(id),
        SignalKind::SubjectRemoved { id } => Some(Change::RemoveSubject(id.clone())),
        SignalKind::GroupPut { group } => after.group(&group.id).cloned().map(Change::PutGroup),
        SignalKind::GroupRemoved { id } => Some(Change::RemoveGroup(id.clone())),
        SignalKind::RiskChanged { subject, risk, reason } => Some(Change::PutRisk(RiskRecord {
            subject: subject.clone(),
            risk: *risk,
            reason: reason.clone(),
            changed: signal.at,
        })),
        SignalKind::DevicePut { device: Device { id, .. } }
        | SignalKind::DeviceManaged { id, .. }
        | SignalKind::DeviceState { id, .. } => device(id),
        SignalKind::PostureReported { device, facts } => {
            // As merged: an older report that came later has changed nothing.
            let mut posture = after.device(device)?.posture();
            posture.retain(|aspect, _| facts.iter().any(|(reported, _)| reported == aspect));
            Some(Change::PutPosture { device: device.clone(), facts: posture.into_iter().collect() })
        }
        SignalKind::ResourcePut { resource } => Some(Change::PutResource(resource.clone())),
        SignalKind::ResourceRemoved { id } => Some(Change::RemoveResource(id.clone())),
        SignalKind::SegmentPut { segment } => Some(Change::PutSegment(segment.clone())),
        SignalKind::SegmentRemoved { id } => Some(Change::RemoveSegment(id.clone())),
        SignalKind::ExceptionPut { exception } => Some(Change::PutException(exception.clone())),
    }
}
