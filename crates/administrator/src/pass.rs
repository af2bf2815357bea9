//! Live leases decided again, for one cause, and cut where they are no longer granted. Everything is cut before anything is
//! recorded: a disk that hesitates keeps nothing open.

use std::collections::{HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use countersign_lease::{Revocation, RevocationCause};
use countersign_ledger::{DecisionEntry, Entry, EntryBody, ShownPair};
use countersign_model::{Decision, DecisionId, DenialCause, Timestamp};

use crate::Administrator;
use crate::authority::decision_entry;
use crate::circumstances::{Judgement, Proof, deny};
use crate::leases::Live;

/// Dropped, it hands over what is to be recorded.
pub(crate) struct Pass<'a> {
    administrator: &'a Administrator,
    cause: RevocationCause,
    now: Timestamp,
    began: Instant,
    /// What was decided while the epoch stood at `epoch`: ten thousand connections of one device put a few questions.
    decided: HashMap<Alike, Arc<Judgement>>,
    epoch: u64,
    cut: Vec<(Arc<Live>, DecisionId, Arc<Judgement>)>,
}

/// A lease that is equal to every other about which the same question is asked.
struct Alike {
    live: Arc<Live>,
    /// As it stands now.
    proof: Proof,
    /// Whether no policy reads what the request asks for.
    ignores_request: bool,
}

impl<'a> Pass<'a> {
    pub(crate) fn new(administrator: &'a Administrator, cause: RevocationCause) -> Self {
        let (now, began) = (administrator.now(), Instant::now());
        Self { administrator, cause, now, began, decided: HashMap::new(), epoch: 0, cut: Vec::new() }
    }

    pub(crate) fn decide(&mut self, live: &Arc<Live>) {
        if live.tether.is_cut() {
            return;
        }
        let judgement = self.judgement(live);
        if matches!(judgement.decision, Decision::Allow(_)) {
            // Time that has been used up has to move on, or the same instant would come again and again.
            let next = judgement.holds_until.max(Timestamp::from_millis(self.now.millis() + 1));
            self.administrator.0.leases.hold(live.id, next);
            return;
        }
        let id = DecisionId::timed(self.now, rand::random());
        let message = message(self.cause, &judgement.decision);
        let revocation = Revocation { cause: self.cause, at: self.now, decision: Some(id), message };
        if self.administrator.cut(live, revocation, self.began) {
            self.administrator.0.metrics.observed(judgement.observed.as_ref());
            self.cut.push((Arc::clone(live), id, judgement));
        }
    }

    fn judgement(&mut self, live: &Arc<Live>) -> Arc<Judgement> {
        let administrator = self.administrator;
        // Read before the facts are: what was decided on older ones counts for no other lease.
        let epoch = administrator.0.epoch.load(Ordering::SeqCst);
        if epoch != self.epoch {
            self.decided.clear();
            self.epoch = epoch;
        }
        let ignores_request = administrator.0.rules.load().policies.ignores_request();
        let proof = administrator.see_again(&live.proof, self.now);
        let alike = Alike { live: Arc::clone(live), proof, ignores_request };
        if let Some(judgement) = self.decided.get(&alike) {
            return Arc::clone(judgement);
        }
        let mut judgement = administrator.judge(&live.sight, &alike.proof, self.now);
        // Whoever comes from another device now than when it was opened is not who was admitted.
        let device = judgement.asked.circumstances.device.as_ref().map(|device| &device.id);
        if matches!(judgement.decision, Decision::Allow(_)) && device != live.principal.device.as_ref() {
            judgement.decision = deny(DenialCause::InvalidCredential);
            judgement.observed = None;
        }
        let judgement = Arc::new(judgement);
        self.decided.insert(alike, Arc::clone(&judgement));
        judgement
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if self.cut.is_empty() {
            return;
        }
        let at = self.administrator.now();
        // What they name, once for all of them: ten thousand connections were shown the same few facts.
        let mut named = HashSet::new();
        let mut first = Vec::new();
        let mut cut = Vec::with_capacity(self.cut.len());
        for (live, id, judgement) in std::mem::take(&mut self.cut) {
            let shown = self.administrator.pair(&judgement);
            for due in self.administrator.due(&judgement) {
                if named.insert(due.once().known()) {
                    first.extend(due.body(self.administrator));
                }
            }
            cut.push((live, id, judgement, shown));
        }
        let first = first.into_iter().map(move |body| Entry { at, body });
        let entry = move |(live, id, judgement, shown): (Arc<Live>, DecisionId, Arc<Judgement>, Option<ShownPair>)| {
            let mut judgement = Judgement::clone(&judgement);
            // Each with its own request, which need not be the one that was decided on.
            judgement.asked.circumstances.http.clone_from(&live.sight.http);
            let entry = decision_entry(id, &live.sight, judgement, None, Some(live.decision));
            let entry = DecisionEntry { shown, ..entry };
            Entry { at, body: EntryBody::Decision(Box::new(entry)) }
        };
        self.administrator.0.recorder.record_all_later(first.chain(cut.into_iter().map(entry)));
    }
}

impl PartialEq for Alike {
    fn eq(&self, other: &Self) -> bool {
        let (one, two) = (&self.live, &other.live);
        let (a, b) = (&one.sight, &two.sight);
        self.proof == other.proof
            && (a.action, a.address, a.encrypted) == (b.action, b.address, b.encrypted)
            && a.resource == b.resource
            && a.device == b.device
            && one.principal.device == two.principal.device
            && self.ignores_request == other.ignores_request
            && (self.ignores_request || a.http == b.http)
    }
}

impl Eq for Alike {}

impl Hash for Alike {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let sight = &self.live.sight;
        (&self.live.principal.subject, &sight.resource, sight.address).hash(state);
        if !self.ignores_request {
            sight.http.as_ref().map(|http| &http.path).hash(state);
        }
    }
}

fn message(cause: RevocationCause, decision: &Decision) -> String {
    let why = match cause {
        RevocationCause::FactChanged => "Something that this access depended on has changed.",
        RevocationCause::TimePassed => "Something that this access depended on has run out.",
        RevocationCause::PolicyChanged => "The policy has changed.",
        RevocationCause::SessionEnded => "The session has ended.",
        RevocationCause::RecordFailed => "Access cannot be recorded at the moment.",
        RevocationCause::Shutdown => "The service is stopping.",
    };
    match decision {
        Decision::Challenge(_) => format!("{why} Prove who you are to go on."),
        Decision::Deny(_) | Decision::Allow(_) => why.to_owned(),
    }
}
