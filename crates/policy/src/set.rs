//! A validated, compiled, immutable set of policies. It is made only by [`PolicySet::load`] (`load.rs`), so that a set
//! that does not validate is not a value at all.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use cedar_policy_core::ast;
use countersign_model::{Action, PolicyId, PolicyReference, PolicyRole, Proofs, SubjectKind, Timestamp, ZoneName};

use crate::ask::Named;
use crate::diagnostics::{Diagnostic, SourceFile};
use crate::facts::Fact;
use crate::guardrail::Guardrail;
use crate::plan::{Number, Plan};
use crate::symbols::{Symbol, Symbols};

pub struct PolicySet {
    pub(crate) hash: String,
    /// Sorted by id; a policy's place here is its number everywhere else.
    pub(crate) infos: Vec<PolicyInfo>,
    /// Sorted by id, the built-in one first.
    pub(crate) guardrails: Vec<Guardrail>,
    pub(crate) guardrails_hash: String,
    /// What became of the guardrails, where that was tried.
    pub(crate) proven: OnceLock<Proofs>,
    pub(crate) warnings: Vec<Diagnostic>,
    /// As given, for whoever wants to change them.
    pub(crate) sources: Vec<SourceFile>,
    /// What each policy reads, by number.
    pub(crate) reads: Vec<Vec<Fact>>,
    /// Whom policies name, once somebody has asked.
    pub(crate) named: OnceLock<Named>,
    pub(crate) symbols: Arc<Symbols>,
    pub(crate) policies: Vec<ast::Policy>,
    /// What decides.
    pub(crate) enforced: Effective,
    /// What would decide if all of it were enforced; absent where all of it is.
    pub(crate) all: Option<Box<Effective>>,
}

/// The policies that count in a decision, ready to make it.
#[derive(Debug)]
pub(crate) struct Effective {
    pub(crate) time: TimeDependence,
    /// Network zones that some policy asks for.
    pub(crate) zones: BTreeSet<ZoneName>,
    /// Groups that some permit names.
    pub(crate) groups: Box<[Symbol]>,
    /// What some policy reads.
    pub(crate) read_somewhere: Vec<Fact>,
    /// By kind of subject and by action, in the order of `SubjectKind::ALL` and `Action::all`.
    pub(crate) plans: Vec<Plan>,
    pub(crate) cedar: ast::PolicySet,
}

/// Whether what a policy says counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Mode {
    Enforce,
    /// It is recorded what it would change, and changes nothing.
    Observe,
}

impl Mode {
    pub const ALL: [Self; 2] = [Self::Enforce, Self::Observe];

    /// As `@mode` has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Observe => "observe",
        }
    }
}

/// One policy as loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyInfo {
    pub id: PolicyId,
    pub role: PolicyRole,
    pub mode: Mode,
    pub owner: String,
    /// The first instant of the day on which it is due for review.
    pub review_by: Timestamp,
    pub remedy: Option<String>,
    /// What has to stand in its place where an exception relaxes it; absent where none can.
    pub relaxable: Option<String>,
    pub description: Option<String>,
    pub file: PathBuf,
    /// From 1.
    pub line: usize,
    /// As written, annotations included.
    pub text: String,
    /// SHA-256 of its meaning (comments and layout left out), in lower-case hex.
    pub hash: String,
    /// Whether Cedar's evaluator has to help with it: slower, not different.
    pub compiled: bool,
}

/// How the passing of time alone can change an answer: what to decide again, and when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TimeDependence {
    /// Ages in seconds, sorted: when the age of a sign-in or of a posture reaches one, an answer may change.
    pub ages: Vec<u64>,
    /// Instants, sorted: when one is reached, an answer may change.
    pub instants: Vec<Timestamp>,
    /// Whether an answer may change with every hour.
    pub hours: bool,
    /// Whether some policy computes with time in a way that the above does not cover: decide again every few seconds.
    pub continuous: bool,
}

impl PolicySet {
    /// SHA-256 over the schema and all policies, in lower-case hex. The same policies in other files or another order
    /// have the same hash.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Sorted by id.
    pub fn policies(&self) -> &[PolicyInfo] {
        &self.infos
    }

    /// What has to hold for all possible requests: the built-in one first, then those of the files, sorted by id.
    pub fn guardrails(&self) -> &[Guardrail] {
        &self.guardrails
    }

    /// SHA-256 over what the guardrails claim, in lower-case hex.
    pub fn guardrails_hash(&self) -> &str {
        &self.guardrails_hash
    }

    /// What became of the guardrails, where that was tried. Whoever attached it says so.
    pub fn proven(&self) -> Option<&Proofs> {
        self.proven.get()
    }

    /// Attaches what became of the guardrails, once; says whether it did. Nothing is attached that is about others.
    pub fn attach(&self, proofs: Proofs) -> bool {
        proofs.guardrails == self.guardrails_hash && self.proven.set(proofs).is_ok()
    }

    /// The policies that are enforced, as Cedar has them, for whoever reasons about all requests.
    pub fn cedar(&self) -> &ast::PolicySet {
        &self.enforced.cedar
    }

    /// Sorted by id: those in observe mode.
    pub fn observed(&self) -> impl Iterator<Item = &PolicyInfo> {
        self.infos.iter().filter(|info| info.mode == Mode::Observe)
    }

    /// Sorted by id: what an exception can relax, as far as it is enforced.
    pub fn relaxable(&self) -> impl Iterator<Item = &PolicyInfo> {
        self.infos.iter().filter(|info| info.relaxable.is_some() && info.mode == Mode::Enforce)
    }

    /// As if all of it were enforced, to see what that would do; the hash stays that of what is written.
    #[must_use]
    pub fn as_enforced(mut self) -> Self {
        if let Some(all) = self.all.take() {
            self.enforced = *all;
            self.infos.iter_mut().for_each(|info| info.mode = Mode::Enforce);
        }
        self
    }

    /// The text that it was loaded from, comments and all.
    pub fn sources(&self) -> &[SourceFile] {
        &self.sources
    }

    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }

    /// The table that it was loaded with: records for it are made with the same one.
    pub const fn symbols(&self) -> &Arc<Symbols> {
        &self.symbols
    }

    /// Of what is enforced.
    pub const fn time(&self) -> &TimeDependence {
        &self.enforced.time
    }

    /// [`TimeDependence::ages`].
    pub fn age_thresholds(&self) -> &[u64] {
        &self.enforced.time.ages
    }

    /// Whether no answer, nor what is observed, depends on what an HTTP request asks for, beyond the action and the
    /// resource. Of a policy that is left to Cedar nobody knows.
    pub fn ignores_request(&self) -> bool {
        let request = [Fact::Http, Fact::Method, Fact::Host, Fact::Path];
        self.infos.iter().all(|info| info.compiled)
            && !self.everything().read_somewhere.iter().any(|fact| request.contains(fact))
    }

    /// What would decide if all of it were enforced.
    pub(crate) fn everything(&self) -> &Effective {
        self.all.as_deref().unwrap_or(&self.enforced)
    }

    pub(crate) fn info(&self, number: Number) -> Option<&PolicyInfo> {
        self.infos.get(number as usize)
    }

    pub(crate) fn reference(&self, number: Number) -> Option<PolicyReference> {
        self.info(number).map(|info| PolicyReference { id: info.id.clone(), role: info.role })
    }
}

impl Effective {
    pub(crate) fn plan(&self, kind: SubjectKind, action: Action) -> Option<&Plan> {
        let kind = SubjectKind::ALL.iter().position(|other| *other == kind)?;
        let at = Action::all().position(|other| other == action)?;
        self.plans.get(kind * Action::all().count() + at)
    }
}

impl fmt::Debug for PolicySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PolicySet({} policies, {})", self.infos.len(), self.hash)
    }
}
