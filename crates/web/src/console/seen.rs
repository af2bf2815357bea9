//! What a page shows of a preview: who would lose what, who would gain what, and what becomes of whoever is here.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

use countersign_administrator::{Changes, Ending, Part, Preview, Span, Unchanged};
use countersign_model::{DecisionId, Timestamp};

use crate::Site;
use crate::api::replay::threads;
use crate::error::Fault;
use crate::words::{Sign, sign};

/// How far back a page looks: somebody waits in front of it. The command line looks at everything.
const BACK: Duration = Duration::from_secs(30 * 24 * 3600);
const NEWEST: u64 = 200_000;
/// Lines of one list.
const LINES: usize = 10;

#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    /// Why there is nothing to see.
    pub(super) failed: Option<String>,
    pub(super) replayed: u64,
    pub(super) unchanged: u64,
    pub(super) unknown: u64,
    pub(super) first: Option<Timestamp>,
    pub(super) outcomes: Vec<Outcome>,
    pub(super) leases: usize,
    pub(super) cut: usize,
    pub(super) sessions: Vec<SessionRow>,
}

/// Decisions that would come out otherwise, in one way.
#[derive(Debug, Clone)]
pub(super) struct Outcome {
    pub(super) word: Sign,
    pub(super) count: u64,
    pub(super) were: String,
    pub(super) lists: Vec<List>,
}

#[derive(Debug, Clone)]
pub(super) struct List {
    pub(super) heading: &'static str,
    pub(super) rows: Vec<Row>,
    pub(super) more: usize,
}

#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) count: u64,
    pub(super) first: Option<Timestamp>,
    pub(super) last: Option<Timestamp>,
    pub(super) example: Option<DecisionId>,
}

#[derive(Debug, Clone)]
pub(super) struct SessionRow {
    pub(super) id: String,
    pub(super) subject: String,
    pub(super) ends: String,
    pub(super) counts: String,
}

/// Tries `files` on what was recorded, while somebody waits. A page without it is still a page.
pub(super) async fn see(site: &Site, files: BTreeMap<String, String>) -> Result<Seen, Fault> {
    let since = Some(site.now().minus(BACK));
    let span = Span { since, newest: Some(NEWEST), examples: 1, threads: threads() };
    let preview = site.read(move |it| it.preview(&files, &span, |_| ControlFlow::Continue(()))).await?;
    Ok(match preview {
        Ok(preview) => Seen::of(preview),
        Err(error) => Seen { failed: Some(error.to_string()), ..Seen::default() },
    })
}

impl Seen {
    fn of(preview: Preview) -> Self {
        let Preview { report, outlook } = preview;
        let outcomes = [
            (sign("bad", "newly denied"), report.newly_denied),
            (sign("warn", "newly challenged"), report.newly_challenged),
            (sign("good", "newly allowed"), report.newly_allowed),
        ];
        let cut = |ends: &[Ending]| {
            let names: Vec<String> = ends.iter().map(|end| end.lease.resource.to_string()).collect();
            names.join(", ")
        };
        let session = |it: countersign_administrator::SessionOutlook| SessionRow {
            id: it.session.id.to_string(),
            subject: it.session.subject.to_string(),
            ends: cut(&it.ends),
            counts: words(it.newly_denied, it.newly_challenged, it.newly_allowed),
        };
        Self {
            failed: None,
            replayed: report.covered.replayed,
            unchanged: report.unchanged.allowed + report.unchanged.challenged + report.unchanged.denied,
            unknown: report.covered.unknown,
            first: report.covered.first,
            outcomes: outcomes.into_iter().filter_map(|(word, changes)| Outcome::of(word, changes)).collect(),
            leases: outlook.leases,
            cut: outlook.leases - outlook.kept,
            sessions: outlook.sessions.into_iter().map(session).collect(),
        }
    }
}

/// Those of which there are some.
fn words(denied: u64, challenged: u64, allowed: u64) -> String {
    let all = [("denied", denied), ("challenged", challenged), ("allowed", allowed)];
    let some = all.into_iter().filter(|(_, count)| *count > 0).map(|(word, count)| format!("{count} {word}"));
    some.collect::<Vec<_>>().join(", ")
}

impl Outcome {
    fn of(word: Sign, changes: Changes) -> Option<Self> {
        let Changes { all, were, people, resources, policies, sessions: _ } = changes;
        let Unchanged { allowed, challenged, denied } = were;
        (all.count > 0).then(|| Self {
            word,
            count: all.count,
            were: words(denied, challenged, allowed),
            lists: vec![List::of("Who", people), List::of("Resource", resources), List::of("Policy", policies)],
        })
    }
}

impl List {
    fn of(heading: &'static str, parts: Vec<Part>) -> Self {
        let more = parts.len().saturating_sub(LINES);
        let row = |part: Part| Row {
            name: match part.how {
                Some(how) => format!("{} {}", part.name, how.words()),
                None => part.name,
            },
            count: part.tally.count,
            first: part.tally.first,
            last: part.tally.last,
            example: part.tally.examples.first().copied(),
        };
        Self { heading, rows: parts.into_iter().take(LINES).map(row).collect(), more }
    }
}
