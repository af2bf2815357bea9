//! The narrowest policies that would have allowed what was used: from the recorded decisions of a window, the policies in
//! force, and nothing else. What is proposed stands beside those policies: a forbid for each resource that leaves what it
//! was used for, and a permit where only observe mode let somebody through. So it can take away and, but for those
//! permits, give nothing. The way: `suggest/uses.rs` gathers, `suggest/cover.rs` finds the groups, `suggest/propose.rs`
//! says what is to be, [`countersign_policy::Draft`] writes it, and `suggest/check.rs` decides everything again.

mod check;
mod common;
mod cover;
mod propose;
mod unused;
mod uses;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use countersign_ledger::{Entries, Entry, TILE};
use countersign_model::{
    ActionClass, Entitled, GroupId, PolicyId, PolicyRole, ResourceId, SubjectId, SubjectKind, Tier, Timestamp,
};
use countersign_policy::{Demand, Diagnostics, Draft, Finding, Mode, PolicySet, SourceFile, Symbols, format, lint};
use serde::{Deserialize, Serialize};

use crate::replay::{Progress, ReplayError, Stretch};
use propose::Proposed;
use uses::{Refusals, Span, Uses};

pub use check::{Check, Outcomes};
pub use cover::{Cover, Share};
pub use unused::{Right, UnusedGroup};

/// What to go by.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Without it, from the first entry that is at hand.
    pub since: Option<Timestamp>,
    /// These only; all where there is none.
    pub resources: BTreeSet<ResourceId>,
    /// How many percent of a group may never have used what the group is proposed for.
    pub excess: u8,
    /// Fewer uses than this are named as rare.
    pub rare: u64,
    /// What may be asked for.
    pub circumstances: BTreeSet<Circumstance>,
    /// Resources, groups and policies that stay as they are, beside those whose name says that they are for emergencies.
    pub leave_out: BTreeSet<String>,
    /// Who is in which group now. Without it, as far as the ledger has seen them.
    pub members: Option<BTreeMap<GroupId, BTreeSet<SubjectId>>>,
    pub owner: String,
    pub review_by: Timestamp,
    /// Proposed in observe mode, to be tried.
    pub observe: bool,
    /// Today, for lint.
    pub as_of: Timestamp,
    pub threads: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Circumstance {
    SignIn,
    Device,
    Network,
    Time,
}

/// What it is about. The instants of the ledger say how much of what was asked for there is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    pub since: Option<Timestamp>,
    /// The first entry at hand.
    pub begins: Option<Timestamp>,
    pub first_decision: Option<Timestamp>,
    pub last_decision: Option<Timestamp>,
    pub first_entry: u64,
    pub end_entry: u64,
    /// Older entries that are not at hand.
    pub archived: u64,
    /// The ledger begins after `since`: then what was not used may have been before, and nothing is taken away.
    pub short: bool,
}

impl Window {
    fn of<L: Entries>(log: &L, stretch: &Stretch, since: Option<Timestamp>) -> Result<Self, ReplayError> {
        let mut begins = None;
        if stretch.at_hand < stretch.end {
            let bundle = log.bundle(stretch.at_hand / TILE)?;
            let place = usize::try_from(stretch.at_hand % TILE).unwrap_or_default();
            begins = bundle.get(place).and_then(|bytes| Entry::peek(bytes)?.at.parse().ok());
        }
        Ok(Self {
            since,
            begins,
            first_entry: stretch.start,
            end_entry: stretch.end,
            archived: stretch.at_hand,
            short: since.is_some_and(|since| begins.is_none_or(|begins| begins > since)),
            ..Self::default()
        })
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    pub decisions: u64,
    /// Accesses that were given.
    pub uses: u64,
    /// Decisions that took the place of one of those, while it lasted.
    pub again: u64,
    /// Uses that only observe mode let through.
    pub let_through: u64,
    /// The facts of these are not recorded, or not at hand: nothing is said about them.
    pub unknown: u64,
    /// Given at the time; the policies that things start from refuse them.
    pub refused_now: u64,
    /// Of Countersign's own pages, which are left alone.
    pub own: u64,
    /// Of what is left out.
    pub left_out: u64,
}

/// Uses of one resource, and what is proposed for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AtResource {
    pub resource: ResourceId,
    pub tier: Tier,
    pub used: Vec<Used>,
    /// What nobody did there.
    pub unused: Vec<ActionClass>,
    /// The same as groups at the resource, for whoever would rather say it there. Not those whom it names by name.
    pub entitled: Entitled,
    /// From whom it would be taken, where the ledger has not seen too many to look at each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken: Option<Vec<Taken>>,
    /// What was written about it.
    pub policies: Vec<PolicyId>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    pub kind: SubjectKind,
    pub class: ActionClass,
    pub uses: u64,
    pub subjects: u64,
    pub first: Timestamp,
    pub last: Timestamp,
    /// No policy permits these uses: observe mode let them through.
    pub unpermitted: bool,
    pub cover: Cover,
    /// There are too many to name, and no group fits them: anybody of the kind.
    pub anybody: bool,
    pub demands: BTreeSet<Demand>,
    /// What all uses had besides, and the policies ask for as it is.
    pub demanded: BTreeSet<Demand>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rare: Option<Rare>,
}

/// Those who could do it, and could not any more, where they come as others came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    pub class: ActionClass,
    pub subjects: u64,
    /// Some of them.
    pub examples: Vec<SubjectId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rare {
    /// Fewer than was said.
    Seldom,
    ByOne,
}

/// Uses that would be refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    pub resource: ResourceId,
    /// The forbid; none where nobody permits it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyId>,
    pub uses: u64,
    pub first: Timestamp,
    pub last: Timestamp,
    pub subjects: Vec<SubjectId>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Suggestion {
    pub window: Window,
    pub counted: Counted,
    /// SHA-256 of the sets, in hex.
    pub current: String,
    pub proposed: String,
    pub resources: Vec<AtResource>,
    /// Given at the time, and refused by the current policies.
    pub refused_now: Vec<Refusal>,
    /// Let through by observe mode, and refused once it ends: no permit helps against a forbid.
    pub still_refused: Vec<Refusal>,
    pub unused_groups: Vec<UnusedGroup>,
    /// Permits that determined nothing.
    pub unused_permits: Vec<PolicyId>,
    /// Whether the members of groups are all that there are, and not only those that the ledger has seen.
    pub members_known: bool,
    /// The new file; none where nothing is proposed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<Written>,
    pub check: Check,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    pub name: String,
    pub text: String,
    pub policies: u64,
    /// What lint finds in the whole set and did not find before.
    pub findings: Vec<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum SuggestError {
    #[error(transparent)]
    Replay(#[from] ReplayError),
    #[error(transparent)]
    Policies(Diagnostics),
    #[error("what was written does not load, which is a fault of Countersign: {0}")]
    Written(Diagnostics),
}

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Reading,
    Replaying,
    Enforcing,
}

/// What stays as it is, by name.
struct Marked<'a>(&'a BTreeSet<String>);

impl Marked<'_> {
    fn is(&self, name: &str) -> bool {
        let plain: String = name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
        plain.contains("breakglass") || self.0.contains(name)
    }

    fn resource(&self, id: &ResourceId) -> bool {
        self.is(id.as_str())
    }

    fn group(&self, id: &GroupId) -> bool {
        self.is(id.as_str())
    }

    fn policy(&self, id: &PolicyId) -> bool {
        self.is(id.as_str())
    }
}

/// Proposes policies beside `current`, the files of a policy directory. Nothing is written; `progress` may stop it.
pub fn suggest<L: Entries + Send + Sync>(
    log: &L,
    current: &[SourceFile],
    terms: &Terms,
    mut progress: impl FnMut(Step, &Progress) -> ControlFlow<()>,
) -> Result<Suggestion, SuggestError> {
    let symbols = Arc::new(Symbols::default());
    let set = PolicySet::load(current.to_vec(), &symbols).map_err(SuggestError::Policies)?;
    let stretch = Stretch::of(log, terms.since, None).map_err(ReplayError::from)?;
    let marked = Marked(&terms.leave_out);
    let uses = Uses::gather(log, &set, &stretch, terms, &marked, |so_far| progress(Step::Reading, so_far))?;
    let seen = uses.facts.members();
    let members = terms.members.as_ref().unwrap_or(&seen);
    let Proposed { mut resources, mut drafts } = propose::propose(&uses, &set, terms, &marked, members);
    let name = file_name(current);
    let with = |drafts: &[Draft]| -> Result<(Vec<SourceFile>, PolicySet), SuggestError> {
        let text = written(drafts, &name, &set)?;
        let more = (!drafts.is_empty()).then(|| SourceFile { path: PathBuf::from(&name), text });
        let files: Vec<SourceFile> = current.iter().cloned().chain(more).collect();
        let set = PolicySet::load(files.clone(), &symbols).map_err(SuggestError::Written)?;
        Ok((files, set))
    };
    // What is only observed refuses nothing and permits nothing: what it would do is what has to be right.
    let (mut files, mut enforced) = with(&drafts)?;
    let before = findings(current.to_vec(), terms.as_of);
    let idle = |finding: &Finding, draft: &Draft| {
        matches!(finding.rule, "shadowed" | "duplicate-policy")
            && finding.message.starts_with(&format!("{}: ", draft.id))
    };
    let found: Vec<Finding> = lint(files.clone(), terms.as_of, None);
    propose::take_away(&mut resources, &uses, (&set, &enforced));
    let count = drafts.len();
    drafts.retain(|draft| {
        !found.iter().any(|finding| idle(finding, draft)) && !propose::says_it_again(draft, &resources, &set)
    });
    if drafts.len() < count {
        (files, enforced) = with(&drafts)?;
    }
    for at in &mut resources {
        at.policies.retain(|id| drafts.iter().any(|draft| draft.id == *id));
    }
    let mut hash = enforced.hash().to_owned();
    if terms.observe {
        drafts.iter_mut().for_each(|draft| draft.observe = true);
        let (observed, set) = with(&drafts)?;
        (files, hash) = (observed, set.hash().to_owned());
    }
    let mut new = findings(files.clone(), terms.as_of);
    new.retain(|finding| !before.contains(finding));
    let written = files.into_iter().nth(current.len()).map(|file| Written {
        name: name.clone(),
        text: file.text,
        policies: drafts.len() as u64,
        findings: new.into_iter().map(|(rule, message)| format!("{rule}: {message}")).collect(),
    });
    let check = check::check(log, (&set, &enforced), &uses, &stretch, terms, progress)?;
    let determined = |id: &PolicyId| uses.determined.contains_key(id);
    let permits = set.policies().iter().filter(|info| info.role == PolicyRole::Permit && info.mode == Mode::Enforce);
    Ok(Suggestion {
        current: set.hash().to_owned(),
        proposed: hash,
        refused_now: refusals(&uses.refused_now),
        still_refused: refusals(&uses.still_refused),
        unused_groups: unused::groups(&uses, terms, &marked, members),
        unused_permits: permits
            .filter(|info| !determined(&info.id) && !marked.policy(&info.id))
            .map(|info| info.id.clone())
            .collect(),
        members_known: terms.members.is_some(),
        window: uses.window,
        counted: uses.counted,
        resources,
        written,
        check,
    })
}

/// A name that no file has yet: what was proposed before stays, since it may narrow what this does not speak about.
fn file_name(current: &[SourceFile]) -> String {
    let taken: BTreeSet<String> = current.iter().map(SourceFile::name).collect();
    let mut names =
        std::iter::once("suggested.cedar".to_owned()).chain((2..).map(|at| format!("suggested-{at}.cedar")));
    names.find(|name| !taken.contains(name)).unwrap_or_default()
}

/// One file, in the form of `policy fmt`.
fn written(drafts: &[Draft], name: &str, set: &PolicySet) -> Result<String, SuggestError> {
    let head = "// Proposed by `countersign policy suggest` from recorded use. Read it before it is enforced: what nobody did in\n\
                // the window is refused by it.\n\n";
    let policies: Vec<String> = drafts.iter().filter_map(|draft| draft.write(set)).collect();
    format(Path::new(name), &format!("{head}{}", policies.join("\n"))).map_err(SuggestError::Written)
}

/// Without places: what stands where is not what is found.
fn findings(files: Vec<SourceFile>, as_of: Timestamp) -> BTreeSet<(&'static str, String)> {
    lint(files, as_of, None).into_iter().map(|finding| (finding.rule, finding.message)).collect()
}

fn refusals(all: &Refusals) -> Vec<Refusal> {
    let one = |((resource, policy), refused): (&(ResourceId, Option<PolicyId>), &uses::Refused)| {
        let Span { uses, first, last } = refused.span.clone()?;
        let subjects = refused.who.iter().cloned().collect();
        Some(Refusal { resource: resource.clone(), policy: policy.clone(), uses, first, last, subjects })
    };
    let mut all: Vec<Refusal> = all.iter().filter_map(one).collect();
    all.sort_by(|a, b| b.uses.cmp(&a.uses).then_with(|| (&a.resource, &a.policy).cmp(&(&b.resource, &b.policy))));
    all
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may stop")]
mod tests;
