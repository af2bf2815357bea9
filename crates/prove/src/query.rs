//! What is asked about one kind of request: which sets of policies are compiled, and what of them is to be impossible.
//! Each query is exact for the schema's requests; a set is never compiled twice for the same kind.

use std::pin::pin;
use std::str::FromStr as _;
use std::sync::OnceLock;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use cedar_policy::{EntityTypeName, EntityUid, PolicySet as CedarSet, RequestEnv, Schema};
use cedar_policy_core::ast::{Effect, Expr, Policy, PolicyID};
use cedar_policy_symcc::err::{Error, SolverError as SymccError};
use cedar_policy_symcc::{CedarSymCompiler, CompiledPolicy, CompiledPolicySet, Env};
use countersign_model::{Action, SubjectKind};
use countersign_policy::{PolicySet, SCHEMA};

use crate::cache::Cache;
use crate::possible;
use crate::solver::{Session, Solver};

/// The answer to one query.
#[derive(Debug)]
pub(crate) enum Answer {
    /// No request is like this.
    Never,
    /// Some is: this one, where an example was wanted.
    Once(Option<Box<Env>>),
    Unknown(String),
}

/// The kinds of requests: of subject and of action.
pub(crate) struct Kinds {
    pub(crate) schema: Schema,
    pub(crate) all: Vec<(SubjectKind, Action, RequestEnv)>,
}

impl Kinds {
    pub(crate) fn new() -> Result<Self, String> {
        let fault = |error: &dyn std::fmt::Display| format!("the product's own schema cannot be used: {error}");
        let (schema, _) = Schema::from_cedarschema_str(SCHEMA).map_err(|error| fault(&error))?;
        let entity_type = |name: &str| EntityTypeName::from_str(name).map_err(|error| fault(&error));
        let mut all = Vec::new();
        for kind in SubjectKind::ALL {
            let principal = match kind {
                SubjectKind::Human => "Human",
                SubjectKind::Service => "Service",
                SubjectKind::Agent => "Agent",
                SubjectKind::Anonymous => "Anonymous",
            };
            for action in Action::all() {
                let uid = EntityUid::from_str(&format!("Action::\"{action}\"")).map_err(|error| fault(&error))?;
                let environment = RequestEnv::new(entity_type(principal)?, uid, entity_type("Resource")?);
                all.push((kind, action, environment));
            }
        }
        Ok(Self { schema, all })
    }
}

/// How far a claim is pressed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Strength {
    /// Whatever else the set may permit: its forbids alone suffice.
    AnyPermits,
    /// For every request that the schema allows.
    AnyRequest,
    /// For every request that there can be.
    PossibleRequests,
}

impl Strength {
    pub(crate) const ALL: [Self; 3] = [Self::AnyPermits, Self::AnyRequest, Self::PossibleRequests];
    /// Of claims that depend on what is permitted.
    pub(crate) const REQUESTS: [Self; 2] = [Self::AnyRequest, Self::PossibleRequests];
}

/// One policy set as the queries need it.
pub(crate) struct Subject<'a> {
    pub(crate) set: &'a PolicySet,
    pub(crate) kinds: &'a Kinds,
    pub(crate) possible: Expr,
    /// By strength and by kind of request.
    compiled: Vec<OnceLock<Result<CompiledPolicySet, String>>>,
}

impl<'a> Subject<'a> {
    /// `others` are the policies and guardrails that the set is held against.
    pub(crate) fn new(set: &'a PolicySet, kinds: &'a Kinds, others: &[Policy]) -> Result<Self, String> {
        let possible = possible::condition(set.cedar().policies().chain(others))?;
        let places = Strength::ALL.len() * kinds.all.len();
        Ok(Self { set, kinds, possible, compiled: std::iter::repeat_with(OnceLock::new).take(places).collect() })
    }

    fn policies(&self, strength: Strength) -> Vec<Policy> {
        // In one order: the same set has to be the same question again.
        let mut all: Vec<Policy> = self.set.cedar().policies().cloned().collect();
        all.sort_by(|one, other| one.id().cmp(other.id()));
        let all = all.into_iter();
        match strength {
            Strength::AnyPermits => {
                let forbids = all.filter(|policy| policy.effect() == Effect::Forbid);
                forbids.chain([named(Effect::Permit, Expr::val(true), "everything")]).collect()
            }
            Strength::AnyRequest => all.collect(),
            Strength::PossibleRequests => all.chain([possible::forbid_impossible(&self.possible)]).collect(),
        }
    }

    pub(crate) fn compiled(&self, strength: Strength, kind: usize) -> Result<&CompiledPolicySet, String> {
        let place = strength as usize * self.kinds.all.len() + kind;
        let slot = self.compiled.get(place).ok_or("no such kind of request")?;
        slot.get_or_init(|| self.kinds.compile(self.policies(strength), kind)).as_ref().map_err(Clone::clone)
    }

    /// The set, allowing only what `describes`.
    pub(crate) fn within(
        &self,
        describes: Option<&Expr>,
        strength: Strength,
        kind: usize,
    ) -> Result<CompiledPolicySet, String> {
        let mut policies = self.policies(strength);
        let outside = describes.map(|condition| named(Effect::Forbid, Expr::not(condition.clone()), "outside"));
        policies.extend(outside);
        self.kinds.compile(policies, kind)
    }
}

impl Kinds {
    fn environment(&self, kind: usize) -> Result<&RequestEnv, String> {
        self.all.get(kind).map(|(_, _, environment)| environment).ok_or_else(|| "no such kind of request".to_owned())
    }

    pub(crate) fn compile(&self, policies: Vec<Policy>, kind: usize) -> Result<CompiledPolicySet, String> {
        let set = CedarSet::from_policies(policies.into_iter().map(Into::into)).map_err(|error| error.to_string())?;
        CompiledPolicySet::compile(&set, self.environment(kind)?, &self.schema).map_err(|error| not_compiled(&error))
    }

    pub(crate) fn compile_one(&self, policy: Policy, kind: usize) -> Result<CompiledPolicy, String> {
        CompiledPolicy::compile(&policy.into(), self.environment(kind)?, &self.schema)
            .map_err(|error| not_compiled(&error))
    }
}

fn not_compiled(error: &Error) -> String {
    match error {
        Error::PolicyNotWellTyped { errs } => {
            let told: Vec<String> = errs.iter().map(ToString::to_string).collect();
            format!("this cannot be put to a solver: {}", told.join("; "))
        }
        error => format!("this cannot be put to a solver: {error}"),
    }
}

/// A policy about every request that `condition` describes.
pub(crate) fn named(effect: Effect, condition: Expr, name: &str) -> Policy {
    Policy::from_when_clause(effect, condition, PolicyID::from_string(format!("\u{0}{name}")), None)
}

/// Who answers, and until when.
#[derive(Clone, Copy)]
pub(crate) struct Asking<'s> {
    pub(crate) solver: &'s Solver,
    pub(crate) cache: Option<&'s Cache>,
    pub(crate) deadline: Instant,
    /// Whether a request is wanted where there is one. Only an answer without one can be remembered.
    pub(crate) example: bool,
}

/// What the answers of one claim came from.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Sources {
    pub(crate) asked: bool,
    pub(crate) remembered: bool,
}

impl Sources {
    pub(crate) fn add(&mut self, other: Self) {
        self.asked |= other.asked;
        self.remembered |= other.remembered;
    }
}

impl<'s> Asking<'s> {
    /// The same, with no more than a part of what is left.
    pub(crate) fn part(self, of: u32) -> Self {
        let now = Instant::now();
        let left: Duration = self.deadline.saturating_duration_since(now);
        Self { deadline: now + left / of.max(1), ..self }
    }

    /// `never` only tells whether there is no such request, `found` also finds one.
    fn ask(
        self,
        sources: &mut Sources,
        never: impl AsyncFnOnce(&mut CedarSymCompiler<Session<'s>>) -> Result<bool, Error>,
        found: impl AsyncFnOnce(&mut CedarSymCompiler<Session<'s>>) -> Result<Option<Env>, Error>,
    ) -> Answer {
        let Self { solver, cache, deadline, example } = self;
        let mut compiler = match CedarSymCompiler::new(Session::new(solver, cache, deadline)) {
            Ok(compiler) => compiler,
            Err(error) => return Answer::Unknown(error.to_string()),
        };
        let answer = if example {
            at_once(async { Ok(found(&mut compiler).await?.map(|found| Some(Box::new(found)))) })
        } else {
            at_once(async { Ok((!never(&mut compiler).await?).then_some(None)) })
        };
        let session = compiler.solver();
        sources.add(Sources { asked: session.asked, remembered: session.remembered });
        match answer {
            Some(Ok(None)) => Answer::Never,
            Some(Ok(Some(example))) => Answer::Once(example),
            Some(Err(_)) if session.late => Answer::Unknown("the solver was not done in time".to_owned()),
            Some(Err(Error::SolverUnknown)) => Answer::Unknown("the solver does not know".to_owned()),
            Some(Err(Error::SolverError(SymccError::Io(error)))) => Answer::Unknown(error.to_string()),
            Some(Err(error)) => Answer::Unknown(error.to_string()),
            None => Answer::Unknown("the solver was waited for, and nothing here waits".to_owned()),
        }
    }

    /// Is there a request that both allow?
    pub(crate) fn both(self, sources: &mut Sources, one: &CompiledPolicySet, other: &CompiledPolicySet) -> Answer {
        self.ask(
            sources,
            async |compiler| compiler.check_disjoint_opt(one, other).await,
            async |compiler| compiler.check_disjoint_with_counterexample_opt(one, other).await,
        )
    }

    /// Is there a request that the first allows and the second does not?
    pub(crate) fn only_first(
        self,
        sources: &mut Sources,
        one: &CompiledPolicySet,
        other: &CompiledPolicySet,
    ) -> Answer {
        self.ask(
            sources,
            async |compiler| compiler.check_implies_opt(one, other).await,
            async |compiler| compiler.check_implies_with_counterexample_opt(one, other).await,
        )
    }

    /// Is there a request on which they differ?
    pub(crate) fn differs(self, sources: &mut Sources, one: &CompiledPolicySet, other: &CompiledPolicySet) -> Answer {
        self.ask(
            sources,
            async |compiler| compiler.check_equivalent_opt(one, other).await,
            async |compiler| compiler.check_equivalent_with_counterexample_opt(one, other).await,
        )
    }

    /// Is there a request on which it fails?
    pub(crate) fn fails(self, sources: &mut Sources, policy: &CompiledPolicy) -> Answer {
        self.ask(
            sources,
            async |compiler| compiler.check_never_errors_opt(policy).await,
            async |compiler| compiler.check_never_errors_with_counterexample_opt(policy).await,
        )
    }

    /// Is there a request that it allows? `None` where that is not known.
    pub(crate) fn any(self, sources: &mut Sources, policies: &CompiledPolicySet) -> Option<bool> {
        let Self { solver, cache, deadline, example: _ } = self;
        let mut compiler = CedarSymCompiler::new(Session::new(solver, cache, deadline)).ok()?;
        let never = at_once(compiler.check_always_denies_opt(policies))?.ok();
        let session = compiler.solver();
        sources.add(Sources { asked: session.asked, remembered: session.remembered });
        never.map(|never| !never)
    }
}

/// The compiler is written for solvers that are waited for; ours answers before it returns.
fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}
