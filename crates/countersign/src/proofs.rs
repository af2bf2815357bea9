//! Proofs around the prover: finding the solver, the sets that comparisons name, and what a running server does with a set
//! that is to go live. How something is proven is `countersign-prove`'s.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use countersign_administrator as administrator;
use countersign_model::{Clock, PolicyId, ProofResult, Proofs};
use countersign_policy::{Guardrail, PolicySet, Symbols};
use countersign_prove::{Cache, Options, Report, Solver, Verdict};
use parking_lot::Mutex;

use crate::policies;

/// For one claim about one kind of request, where nobody says how long.
pub const TIMEOUT: Duration = Duration::from_secs(20);

/// What a server waits for one claim about one kind of request: a change of policy has to arrive.
const SERVER_TIMEOUT: Duration = Duration::from_secs(5);

/// What a server does about guardrails when a policy set is to go live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Demand {
    /// Nothing.
    Off,
    /// Tries to prove them, and records what came of it.
    #[default]
    Record,
    /// The same, and refuses a set with one that is not proven.
    Require,
}

impl Demand {
    pub const ALL: [Self; 3] = [Self::Off, Self::Record, Self::Require];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Record => "record",
            Self::Require => "require",
        }
    }
}

pub fn jobs() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The sets that the guardrails compare with, in `directory` or beside it, by the guardrail's id.
pub fn others(guardrails: &[Guardrail], directory: &Path) -> anyhow::Result<BTreeMap<PolicyId, PolicySet>> {
    let mut others = BTreeMap::new();
    for guardrail in guardrails {
        if let Some(other) = guardrail.claim.other() {
            let set = policies::read(&directory.join(other))
                .and_then(|files| Ok(PolicySet::load(files, &Arc::new(Symbols::default()))?))
                .with_context(|| format!("the guardrail {} compares with {}", guardrail.id, other.display()))?;
            others.insert(guardrail.id.clone(), set);
        }
    }
    Ok(others)
}

/// Proves what is to go live, in a running server. Guardrails that compare are not run: the set that they name is on
/// their author's machine.
#[derive(Debug)]
pub struct Prover {
    demand: Demand,
    cache: Option<Cache>,
    clock: Arc<dyn Clock>,
    /// One set is judged several times on its way into force.
    last: Mutex<Option<(String, Proofs)>>,
}

impl Prover {
    /// `cache` is a directory of the server's own.
    pub fn new(demand: Demand, cache: &Path, clock: Arc<dyn Clock>) -> Self {
        let opened = Cache::open(cache);
        if let Err(error) = &opened {
            tracing::warn!("proofs are made without a cache: {error}");
        }
        Self { demand, cache: opened.ok(), clock, last: Mutex::new(None) }
    }

    fn report(&self, set: &PolicySet) -> Option<Report> {
        let solver = match Solver::find() {
            Ok(solver) => solver,
            Err(error) => {
                tracing::warn!("no guardrail is proven: {error}");
                return None;
            }
        };
        let options =
            Options { timeout: SERVER_TIMEOUT, jobs: jobs(), together: Options::TOGETHER, cache: self.cache.clone() };
        let report = countersign_prove::prove(set, set.guardrails(), &BTreeMap::new(), &solver, &options, &|_| {});
        for outcome in &report.outcomes {
            let id = &outcome.guardrail.id;
            match &outcome.verdict {
                Verdict::Proven => tracing::debug!("the guardrail {id} is proven"),
                Verdict::Failed(_) => {
                    tracing::error!(
                        "the guardrail {id} does not hold: `countersign policy prove --in-force {id}` shows a request"
                    );
                }
                Verdict::Fault(why) => {
                    tracing::error!("the guardrail {id} is not proven, a fault of Countersign: {why}")
                }
                Verdict::Unknown(why) | Verdict::NotRun(why) => {
                    tracing::warn!("the guardrail {id} is not proven: {why}");
                }
            }
        }
        Some(report)
    }

    /// What became of the guardrails of a set: from the last time, where it is the same one.
    fn proofs(&self, set: &PolicySet) -> Proofs {
        let key = format!("{} {}", set.hash(), set.guardrails_hash());
        let mut last = self.last.lock();
        if let Some((_, proofs)) = last.as_ref().filter(|(of, _)| *of == key) {
            return proofs.clone();
        }
        let report = self.report(set);
        let proofs = countersign_prove::record(set, report.as_ref(), self.clock.now());
        // What was not settled may be at the next attempt.
        let settled = proofs.results.iter().all(|one| matches!(one.result, ProofResult::Proven | ProofResult::Failed));
        *last = settled.then(|| (key, proofs.clone()));
        proofs
    }
}

/// For people.
pub const fn words(result: ProofResult) -> &'static str {
    match result {
        ProofResult::Proven => "proven",
        ProofResult::Failed => "failed",
        ProofResult::Unknown => "unknown",
        ProofResult::NotRun => "not run",
    }
}

impl administrator::Prover for Prover {
    fn prove(&self, set: &PolicySet) -> Result<Option<Proofs>, Vec<String>> {
        if self.demand == Demand::Off {
            return Ok(None);
        }
        let proofs = self.proofs(set);
        let refused: Vec<String> = match self.demand {
            Demand::Off | Demand::Record => Vec::new(),
            Demand::Require => {
                let missing = proofs.results.iter().filter(|one| one.result != ProofResult::Proven);
                let told = missing.map(|one| {
                    format!(
                        "the guardrail {} has to be proven before these policies go live, and is {}: `countersign policy \
                         prove` tells more",
                        one.id,
                        words(one.result)
                    )
                });
                told.collect()
            }
        };
        if refused.is_empty() { Ok(Some(proofs)) } else { Err(refused) }
    }
}
