//! Policies and settings, as one value that is replaced as a whole. A bad set never gets here: loading has refused it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use countersign_lease::RevocationCause;
use countersign_ledger::{AppendError, EntryBody, PublishedPolicy};
use countersign_model::{NameError, Proofs, SubjectId, Timestamp};
use countersign_policy::{PolicySet, Symbols};
use countersign_store::{Change, Store, StoreError};
use jiff::tz::TimeZone;

use crate::sources::Publication;
use crate::world::WorldError;
use crate::{Administrator, Settings, built_in};

/// What decisions are made by.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) policies: Arc<PolicySet>,
    pub(crate) settings: Arc<Settings>,
    pub(crate) time_zone: TimeZone,
    pub(crate) zone_name: Arc<str>,
}

/// Why settings cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReconfigureError {
    #[error("there is no time zone {0:?}: write an IANA name, such as Europe/Berlin")]
    TimeZone(String),
    #[error("the control host {0:?} is not usable: {1}")]
    ControlHost(String, WorldError),
    #[error("the name of a built-in part is not usable: {0}")]
    Name(#[from] NameError),
    #[error("not recorded, so not done: {0}")]
    Record(#[from] AppendError),
}

/// Why a policy set was not published; the former one still decides.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    #[error("the policy set was loaded with symbols of another world")]
    OtherWorld,
    #[error("other policies were put in force meanwhile")]
    Stale,
    #[error("a second person has to approve policies here: propose them")]
    NeedsApproval,
    /// Each guardrail that had to be proven, and is not.
    #[error("{}", .0.join("; "))]
    NotProven(Vec<String>),
    #[error("not recorded, so not done: {0}")]
    Record(#[from] AppendError),
    #[error("its text is not kept, so not done: {0}")]
    Keep(String),
}

/// Whoever can prove guardrails, and knows what must not go live without.
pub trait Prover: fmt::Debug + Send + Sync {
    /// What became of the guardrails of a set, where that was tried; or every reason why it must not go live.
    fn prove(&self, set: &PolicySet) -> Result<Option<Proofs>, Vec<String>>;
}

impl Rules {
    pub(crate) fn new(policies: Arc<PolicySet>, settings: Arc<Settings>) -> Result<Self, ReconfigureError> {
        let time_zone =
            TimeZone::get(&settings.time_zone).map_err(|_| ReconfigureError::TimeZone(settings.time_zone.clone()))?;
        let zone_name = Arc::from(settings.time_zone.as_str());
        Ok(Self { policies, settings, time_zone, zone_name })
    }

    /// Other policies under the same settings.
    pub(crate) fn with(&self, policies: PolicySet) -> Self {
        self.with_shared(Arc::new(policies))
    }

    fn with_shared(&self, policies: Arc<PolicySet>) -> Self {
        Self {
            policies,
            settings: Arc::clone(&self.settings),
            time_zone: self.time_zone.clone(),
            zone_name: Arc::clone(&self.zone_name),
        }
    }

    /// The first instant after `now` at which the hour, and so perhaps the weekday, is another one.
    pub(crate) fn next_hour(&self, now: Timestamp) -> Timestamp {
        let Ok(instant) = jiff::Timestamp::from_millisecond(now.millis()) else { return Timestamp::FOREVER };
        let local = instant.to_zoned(self.time_zone.clone());
        let into =
            i64::from(local.minute()) * 60_000 + i64::from(local.second()) * 1000 + i64::from(local.millisecond());
        Timestamp::from_millis(now.millis() + 3_600_000 - into)
    }
}

impl Administrator {
    /// The table that policy sets for this world are loaded with.
    pub fn symbols(&self) -> &Arc<Symbols> {
        self.0.world.symbols()
    }

    pub fn policies(&self) -> Arc<PolicySet> {
        Arc::clone(&self.0.rules.load().policies)
    }

    pub fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.0.rules.load().settings)
    }

    /// From now on, what goes live is proven by `prover`. Only the first one counts.
    pub fn prove_with(&self, prover: Arc<dyn Prover>) {
        let _ = self.0.prover.set(prover);
    }

    /// Attaches what became of its guardrails.
    pub(crate) async fn proven(&self, policies: PolicySet) -> Result<PolicySet, PublishError> {
        let Some(prover) = self.0.prover.get().cloned().filter(|_| policies.proven().is_none()) else {
            return Ok(policies);
        };
        let prove = move || {
            let proofs = prover.prove(&policies)?;
            if let Some(proofs) = proofs {
                policies.attach(proofs);
            }
            Ok(policies)
        };
        let stopped = || PublishError::NotProven(vec!["the prover stopped".to_owned()]);
        apart(prove).await.ok_or_else(stopped)?.map_err(PublishError::NotProven)
    }

    /// Proves the guardrails of what is in force already, and records what became of them. For a start, which waits for
    /// nothing that it need not.
    pub async fn prove_in_force(&self) -> Result<(), PublishError> {
        let policies = self.policies();
        let Some(prover) = self.0.prover.get().cloned().filter(|_| policies.proven().is_none()) else {
            return Ok(());
        };
        let proving = Arc::clone(&policies);
        let Some(Ok(Some(proofs))) = apart(move || prover.prove(&proving)).await else { return Ok(()) };
        let this = self.clone();
        self.finish(async move {
            let _turn = this.0.order.lock().await;
            // Another set may be in force by now, and has its own results.
            if Arc::ptr_eq(&this.policies(), &policies) && policies.attach(proofs) {
                for body in published(&policies, Publication { by: None, approved_by: None }) {
                    this.record(body).await?;
                }
            }
            Ok(())
        })
        .await
        .unwrap_or(Err(PublishError::Record(AppendError::Broken)))
    }

    /// Replaces the policies, all at once, and decides every live lease again.
    pub async fn publish(&self, policies: PolicySet, by: Option<SubjectId>) -> Result<(), PublishError> {
        self.publish_over(policies, Publication { by, approved_by: None }, None).await
    }

    /// The same, where `base` is in force at that moment, if it says one.
    pub(crate) async fn publish_over(
        &self,
        policies: PolicySet,
        publication: Publication,
        base: Option<String>,
    ) -> Result<(), PublishError> {
        if !Arc::ptr_eq(policies.symbols(), self.symbols()) {
            return Err(PublishError::OtherWorld);
        }
        // INVARIANT: a set whose guardrails have to be proven never gets further without.
        let policies = Arc::new(self.proven(policies).await?);
        let this = self.clone();
        self.finish(async move {
            let _turn = this.0.order.lock().await;
            if base.is_some_and(|base| base != this.policies().hash()) {
                return Err(PublishError::Stale);
            }
            // A crash after this leaves a text that nobody asks for.
            let keeping = Arc::clone(&policies);
            let kept = this.stored(move |store| keep(store, &keeping)).await;
            kept.map_err(|error| PublishError::Keep(error.to_string()))?;
            // A crash after this leaves the record of a publication that no decision names; the next start records
            // what it publishes itself.
            for body in published(&policies, publication) {
                this.record(body).await?;
            }
            let former = this.0.rules.load_full();
            this.replace_rules(former.with_shared(policies)).await;
            Ok(())
        })
        .await
        .unwrap_or(Err(PublishError::Record(AppendError::Broken)))
    }

    /// Replaces the settings, all at once, and decides every live lease again.
    pub async fn reconfigure(
        &self,
        settings: Settings,
        hash: String,
        by: Option<SubjectId>,
    ) -> Result<(), ReconfigureError> {
        let this = self.clone();
        self.finish(async move {
            let _turn = this.0.order.lock().await;
            let former = this.0.rules.load_full();
            let rules = Rules::new(Arc::clone(&former.policies), Arc::new(settings))?;
            this.record(EntryBody::ConfigurationChanged { hash, by }).await?;
            this.put_built_in_resources(&rules.settings)?;
            this.replace_rules(rules).await;
            Ok(())
        })
        .await
        .unwrap_or(Err(ReconfigureError::Record(AppendError::Broken)))
    }

    pub(crate) fn put_built_in_resources(&self, settings: &Settings) -> Result<(), ReconfigureError> {
        let parts = built_in::resources(settings)?;
        let taken = |error| ReconfigureError::ControlHost(settings.control_host.clone(), error);
        self.0.world.publish(self.0.world.prepare(&parts).map_err(taken)?);
        self.rebuild_catalog();
        Ok(())
    }

    async fn replace_rules(&self, rules: Rules) {
        self.0.rules.store(Arc::new(rules));
        self.moved();
        self.decide_again(self.0.leases.all(), RevocationCause::PolicyChanged).await;
    }
}

/// The text of a set is kept under this and its hash.
const KEPT: &str = "policy-set/";

/// Keeps the text of a set for whoever asks later what it allowed. Each text once: a set that comes back is there.
pub(crate) fn keep(store: &dyn Store, policies: &PolicySet) -> Result<(), StoreError> {
    let name = format!("{KEPT}{}", policies.hash());
    if store.blob(&name)?.is_some() {
        return Ok(());
    }
    let files: BTreeMap<String, &str> =
        policies.sources().iter().map(|file| (file.name(), file.text.as_str())).collect();
    let value = serde_json::to_vec(&files).map_err(|error| StoreError::Unavailable(error.to_string()))?;
    store.commit(&[Change::PutBlob { name, value }])
}

/// The text of the set with this hash, by file.
pub(crate) fn kept(store: &dyn Store, hash: &str) -> Result<Option<BTreeMap<String, String>>, StoreError> {
    let Some(bytes) = store.blob(&format!("{KEPT}{hash}"))? else { return Ok(None) };
    serde_json::from_slice(&bytes).map(Some).map_err(|error| StoreError::Unavailable(error.to_string()))
}

pub(crate) fn published(policies: &PolicySet, publication: Publication) -> Vec<EntryBody> {
    let each = policies.policies().iter();
    let each = each.map(|policy| PublishedPolicy { id: policy.id.clone(), hash: policy.hash.clone() }).collect();
    let Publication { by, approved_by } = publication;
    EntryBody::policy_published(policies.hash(), each, by.as_ref(), approved_by.as_ref(), policies.proven())
}

/// On a thread of its own, that no stop waits for: a proof may take long, and what it finds is of no use then.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let run = move || {
        let _ = sender.send(work());
    };
    std::thread::Builder::new().name("prover".to_owned()).spawn(run).ok()?;
    receiver.await.ok()
}
