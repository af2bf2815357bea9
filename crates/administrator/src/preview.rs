//! What proposed policies would do before they are in force: to every recorded decision of a span (`countersign_replay`),
//! and to everybody who is here now. Nothing is recorded, cut or changed by it.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use countersign_model::{Decision, SessionId};
use countersign_policy::{PolicySet, SourceFile, Symbols};
use countersign_replay::{Changes, Progress, ReplayError, Report, Span};

use crate::{Administrator, LeaseView, SessionFilter, SessionView};

#[derive(Debug, Clone)]
pub struct Preview {
    pub report: Report,
    pub outlook: Outlook,
}

/// What would become of what is open, and of whoever is signed in.
#[derive(Debug, Clone, Default)]
pub struct Outlook {
    /// Live leases, and how many of them would stay.
    pub leases: usize,
    pub kept: usize,
    /// Sessions for which something would be otherwise, those that lose most first.
    pub sessions: Vec<SessionOutlook>,
    /// Leases without a session: of API keys, and of nobody.
    pub others: Vec<Ending>,
}

#[derive(Debug, Clone)]
pub struct SessionOutlook {
    pub session: SessionView,
    /// What would be cut at once.
    pub ends: Vec<Ending>,
    /// Of what it was decided in the span.
    pub newly_denied: u64,
    pub newly_challenged: u64,
    pub newly_allowed: u64,
}

/// A live lease that would not be granted again.
#[derive(Debug, Clone)]
pub struct Ending {
    pub lease: LeaseView,
    pub decision: Decision,
}

/// Why there is no preview.
#[derive(Debug, thiserror::Error)]
pub enum PreviewError {
    /// Rendered, with file, line and a caret.
    #[error("{0}")]
    Mistakes(String),
    #[error("another preview is under way: try again when it is done")]
    Busy,
    #[error(transparent)]
    Replay(#[from] ReplayError),
}

impl Administrator {
    /// Reads the ledger, one preview at a time: not for an async thread. `progress` may stop it.
    pub fn preview(
        &self,
        files: &BTreeMap<String, String>,
        span: &Span,
        progress: impl FnMut(&Progress) -> ControlFlow<()>,
    ) -> Result<Preview, PreviewError> {
        let Some(_turn) = self.0.previewing.try_lock() else { return Err(PreviewError::Busy) };
        let load = |symbols: &Arc<Symbols>| {
            let file = |(path, text): (&String, &String)| SourceFile { path: PathBuf::from(path), text: text.clone() };
            PolicySet::load(files.iter().map(file).collect(), symbols)
                .map_err(|mistakes| PreviewError::Mistakes(mistakes.to_string()))
        };
        // Whoever was here in the past is no name of this world: what was recorded has a table of its own.
        let symbols = Arc::default();
        let before = PolicySet::load(self.0.rules.load().policies.sources().to_vec(), &symbols).ok();
        let report = countersign_replay::replay(self.ledger(), &load(&symbols)?, before.as_ref(), span, progress)?;
        let outlook = self.outlook(load(self.symbols())?, &report);
        Ok(Preview { report, outlook })
    }

    fn outlook(&self, policies: PolicySet, report: &Report) -> Outlook {
        let rules = self.0.rules.load().with(policies);
        let now = self.now();
        let all = self.0.leases.all();
        let mut outlook = Outlook { leases: all.len(), ..Outlook::default() };
        let mut ends: HashMap<SessionId, Vec<Ending>> = HashMap::new();
        for live in all {
            let judgement = self.judge_by(&rules, &live.sight, &self.see_again(&live.proof, now), now);
            if matches!(judgement.decision, Decision::Allow(_)) {
                outlook.kept += 1;
                continue;
            }
            let ending = Ending { lease: LeaseView::new(&live), decision: judgement.decision };
            match ending.lease.session {
                Some(session) => ends.entry(session).or_default().push(ending),
                None => outlook.others.push(ending),
            }
        }
        let of = |changes: &Changes| -> HashMap<String, u64> {
            changes.sessions.iter().map(|part| (part.name.clone(), part.tally.count)).collect()
        };
        let counts = [&report.newly_denied, &report.newly_challenged, &report.newly_allowed].map(of);
        for session in self.sessions(&SessionFilter::default()) {
            let name = session.id.to_string();
            let [newly_denied, newly_challenged, newly_allowed] =
                counts.each_ref().map(|of| of.get(&name).copied().unwrap_or_default());
            let ends = ends.remove(&session.id).unwrap_or_default();
            if !ends.is_empty() || newly_denied + newly_challenged + newly_allowed > 0 {
                let it = SessionOutlook { session, ends, newly_denied, newly_challenged, newly_allowed };
                outlook.sessions.push(it);
            }
        }
        // A session that has ended meanwhile: its leases are on their way out as well.
        outlook.others.extend(ends.into_values().flatten());
        outlook.sessions.sort_by_key(|it| std::cmp::Reverse((it.ends.len(), it.newly_denied + it.newly_challenged)));
        outlook
    }
}
