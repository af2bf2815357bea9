//! A run: every guardrail about every kind of request, on several cores, and what became of each.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use cedar_policy_core::ast::{Effect, Expr, Policy};
use cedar_policy_symcc::Env;
use countersign_model::{PolicyId, Proof, ProofResult, Proofs, Timestamp};
use countersign_policy::{Claim, Guardrail, PolicySet};

use crate::cache::Cache;
use crate::example::{Breach, Example, Fault};
use crate::parts::Parts;
use crate::possible;
use crate::query::{Answer, Asking, Kinds, Sources, Strength, Subject, named};
use crate::solver::Solver;

/// Terms nest as deep as the longest chain in a policy, and are walked by recursion.
const STACK: usize = 64 << 20;

#[derive(Clone, Debug)]
pub struct Options {
    /// For one claim about one kind of request.
    pub timeout: Duration,
    /// How many solvers at once.
    pub jobs: usize,
    /// How many policies that name somebody or something are asked about together: [`Options::TOGETHER`].
    pub together: usize,
    pub cache: Option<Cache>,
}

impl Options {
    /// What a solver is done with in a tenth of a second, or so.
    pub const TOGETHER: usize = 20;
}

/// What became of one guardrail.
#[derive(Debug)]
pub enum Verdict {
    Proven,
    Failed(Box<Example>),
    /// Tried, and nobody knows: why.
    Unknown(String),
    /// Not tried: why.
    NotRun(String),
    /// The prover and the policy engine do not agree, or the prover is wrong about itself. Nothing is proven.
    Fault(String),
}

impl Verdict {
    pub const fn result(&self) -> ProofResult {
        match self {
            Self::Proven => ProofResult::Proven,
            Self::Failed(_) => ProofResult::Failed,
            Self::Unknown(_) | Self::Fault(_) => ProofResult::Unknown,
            Self::NotRun(_) => ProofResult::NotRun,
        }
    }
}

#[derive(Debug)]
pub struct Outcome {
    pub guardrail: Guardrail,
    pub verdict: Verdict,
    /// Whether every answer that took a solver was remembered from before.
    pub cached: bool,
    /// What all its queries took together, on whatever cores.
    pub time: Duration,
}

#[derive(Debug)]
pub struct Report {
    pub solver: String,
    /// In the order of the guardrails.
    pub outcomes: Vec<Outcome>,
}

impl Report {
    pub fn proven(&self) -> bool {
        self.outcomes.iter().all(|outcome| matches!(outcome.verdict, Verdict::Proven))
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Progress {
    pub done: usize,
    pub total: usize,
}

/// The results, to go with the set; all that were not tried are not run. A `report` of `None` is that of nobody.
pub fn record(set: &PolicySet, report: Option<&Report>, at: Timestamp) -> Proofs {
    let result = |id: &PolicyId| {
        let mut outcomes = report.iter().flat_map(|report| &report.outcomes);
        let outcome = outcomes.find(|outcome| outcome.guardrail.id == *id);
        outcome.map_or(ProofResult::NotRun, |outcome| outcome.verdict.result())
    };
    Proofs {
        guardrails: set.guardrails_hash().to_owned(),
        solver: report.map(|report| report.solver.clone()),
        at,
        results: set
            .guardrails()
            .iter()
            .map(|guardrail| Proof { id: guardrail.id.clone(), result: result(&guardrail.id) })
            .collect(),
    }
}

/// Proves `guardrails` of `set`. `others` are the sets that comparisons name, by the guardrail's id: a comparison without
/// one is not run.
pub fn prove(
    set: &PolicySet,
    guardrails: &[Guardrail],
    others: &BTreeMap<PolicyId, PolicySet>,
    solver: &Solver,
    options: &Options,
    progress: &(dyn Fn(Progress) + Sync),
) -> Report {
    let faulty = |message: String| Report {
        solver: solver.version().to_owned(),
        outcomes: guardrails
            .iter()
            .map(|guardrail| Outcome {
                guardrail: guardrail.clone(),
                verdict: Verdict::Fault(message.clone()),
                cached: false,
                time: Duration::ZERO,
            })
            .collect(),
    };
    let kinds = match Kinds::new() {
        Ok(kinds) => kinds,
        Err(message) => return faulty(message),
    };
    let beside: Vec<Policy> = others
        .values()
        .flat_map(|other| other.cedar().policies())
        .chain(guardrails.iter().filter_map(|guardrail| guardrail.describes.as_ref()))
        .cloned()
        .collect();
    let subject = |of| Subject::new(of, &kinds, &beside);
    let compared = || -> Result<_, String> {
        let others = others.iter().map(|(id, other)| Ok((id.clone(), subject(other)?)));
        Ok((subject(set)?, others.collect::<Result<_, String>>()?))
    };
    let (subject, others) = match compared() {
        Ok(subjects) => subjects,
        Err(message) => return faulty(message),
    };
    let parts = Parts::of(set, options.together);
    let run = Run { subject, parts, others, guardrails, solver, options };
    Report { solver: solver.version().to_owned(), outcomes: run.all(progress) }
}

/// One claim about one kind of request.
#[derive(Clone, Copy)]
struct Task {
    guardrail: usize,
    kind: usize,
    /// Of what never errors, which policy.
    policy: usize,
}

/// What became of a task.
pub(crate) enum Settled {
    Holds,
    Breaks(Box<Example>),
    Unknown(String),
    Fault(String),
}

pub(crate) struct Run<'a> {
    pub(crate) subject: Subject<'a>,
    /// Where the set names much.
    parts: Option<Parts>,
    others: BTreeMap<PolicyId, Subject<'a>>,
    guardrails: &'a [Guardrail],
    solver: &'a Solver,
    options: &'a Options,
}

/// What is known of one guardrail so far.
#[derive(Default)]
struct Tally {
    /// Of what does not hold, or is not known to.
    verdict: Option<Verdict>,
    /// How many tasks there were, and for how many it holds.
    tasks: usize,
    held: usize,
    sources: Sources,
    time: Duration,
}

impl Run<'_> {
    fn all(&self, progress: &(dyn Fn(Progress) + Sync)) -> Vec<Outcome> {
        let tasks = self.tasks();
        let total = tasks.len();
        let count = |number| tasks.iter().filter(|task| task.guardrail == number).count();
        let tallies: Vec<Mutex<Tally>> = (0..self.guardrails.len())
            .map(|number| Mutex::new(Tally { tasks: count(number), ..Tally::default() }))
            .collect();
        let tasks = Mutex::new(tasks);
        let done = Mutex::new(0_usize);
        std::thread::scope(|scope| {
            let work = || {
                while let Some(task) = take(&tasks) {
                    if let (Some(guardrail), Some(tally)) =
                        (self.guardrails.get(task.guardrail), tallies.get(task.guardrail))
                    {
                        self.work(guardrail, task, tally);
                    }
                    let mut done = lock(&done);
                    *done += 1;
                    progress(Progress { done: *done, total });
                }
            };
            let mut started = 0;
            for _ in 0..self.options.jobs.max(1) {
                started += usize::from(std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work).is_ok());
            }
            if started == 0 {
                work();
            }
        });
        let tallies = tallies.into_iter().map(|tally| tally.into_inner().unwrap_or_else(PoisonError::into_inner));
        self.guardrails.iter().zip(tallies).map(|(guardrail, tally)| self.outcome(guardrail, tally)).collect()
    }

    fn tasks(&self) -> VecDeque<Task> {
        let mut tasks = VecDeque::new();
        for (guardrail, number) in self.guardrails.iter().zip(0..) {
            let policies = match guardrail.claim {
                Claim::NeverErrors => self.subject.set.policies().len(),
                _ => 1,
            };
            for policy in 0..policies {
                tasks.extend((0..self.subject.kinds.all.len()).map(|kind| Task { guardrail: number, kind, policy }));
            }
        }
        tasks
    }

    fn work(&self, guardrail: &Guardrail, task: Task, tally: &Mutex<Tally>) {
        // One request is enough, and so is one fault.
        let over = |verdict: &Option<Verdict>| matches!(verdict, Some(Verdict::Failed(_) | Verdict::Fault(_)));
        if over(&lock(tally).verdict) {
            return;
        }
        let start = Instant::now();
        let mut sources = Sources::default();
        let settled = self.settle(guardrail, task, &mut sources).unwrap_or_else(Settled::Unknown);
        let mut tally = lock(tally);
        tally.time += start.elapsed();
        tally.sources.add(sources);
        match settled {
            Settled::Holds => tally.held += 1,
            Settled::Breaks(_) if over(&tally.verdict) => {}
            Settled::Breaks(example) => tally.verdict = Some(Verdict::Failed(example)),
            Settled::Fault(message) => tally.verdict = Some(Verdict::Fault(message)),
            Settled::Unknown(why) => {
                let (kind, action) = self.kind(task.kind);
                tally.verdict.get_or_insert(Verdict::Unknown(format!("{why} ({kind}, {action})")));
            }
        }
    }

    fn kind(&self, kind: usize) -> (String, String) {
        let named = self.subject.kinds.all.get(kind);
        named.map_or_else(Default::default, |(kind, action, _)| (kind.to_string(), action.class.name().to_owned()))
    }

    /// Whether it describes no request at all. What is claimed of nothing is proven of nothing, and is most often a slip.
    fn says_nothing(&self, guardrail: &Guardrail, sources: &mut Sources) -> bool {
        let (Claim::NeverAllowed | Claim::AlwaysAllowed, Some(describes)) = (&guardrail.claim, &guardrail.describes)
        else {
            return false;
        };
        let deadline = Instant::now() + self.options.timeout;
        let asking = Asking { solver: self.solver, cache: self.options.cache.as_ref(), deadline, example: false };
        // What only the policies name is no part of what it describes.
        let Ok(possible) = possible::condition([describes]) else { return false };
        let mut describes_nothing = |kind| {
            let policies =
                vec![named(Effect::Permit, describes.condition(), "described"), possible::forbid_impossible(&possible)];
            let compiled = self.subject.kinds.compile(policies, kind);
            compiled.is_ok_and(|compiled| asking.any(sources, &compiled) == Some(false))
        };
        (0..self.subject.kinds.all.len()).all(&mut describes_nothing)
    }

    fn outcome(&self, guardrail: &Guardrail, mut tally: Tally) -> Outcome {
        let compared = guardrail.claim.other().is_some() && !self.others.contains_key(&guardrail.id);
        let verdict = match tally.verdict {
            _ if compared => Verdict::NotRun("the policies that it compares with are not here".to_owned()),
            Some(verdict) => verdict,
            // INVARIANT: proven is only what holds for every task of it.
            None if tally.held != tally.tasks || tally.tasks == 0 => {
                Verdict::Fault(format!("{} of {} questions were answered", tally.held, tally.tasks))
            }
            None if self.says_nothing(guardrail, &mut tally.sources) => Verdict::Unknown(
                "it describes no request that there can be, so it says nothing: mend its condition".to_owned(),
            ),
            None => Verdict::Proven,
        };
        Outcome {
            guardrail: guardrail.clone(),
            verdict,
            cached: tally.sources.remembered && !tally.sources.asked,
            time: tally.time,
        }
    }

    fn settle(&self, guardrail: &Guardrail, task: Task, sources: &mut Sources) -> Result<Settled, String> {
        let deadline = Instant::now() + self.options.timeout;
        let asking = Asking { solver: self.solver, cache: self.options.cache.as_ref(), deadline, example: false };
        let condition = guardrail.describes.as_ref().map(Policy::condition);
        let claim = Claiming { run: self, guardrail, condition: condition.as_ref(), kind: task.kind, asking };
        match (&guardrail.claim, self.others.get(&guardrail.id)) {
            (Claim::NeverErrors, _) => claim.never_errors(task.policy, sources),
            (Claim::OnlyNarrows(_) | Claim::EquivalentTo(_), None) => Ok(Settled::Holds),
            (Claim::OnlyNarrows(_) | Claim::EquivalentTo(_), Some(other)) => claim.compared(other, sources),
            (Claim::NeverAllowed | Claim::AlwaysAllowed, _) => claim.described(sources),
        }
    }
}

/// One claim, about one kind of request, before those who answer.
pub(crate) struct Claiming<'r, 'a> {
    pub(crate) run: &'r Run<'a>,
    pub(crate) guardrail: &'r Guardrail,
    condition: Option<&'r Expr>,
    pub(crate) kind: usize,
    pub(crate) asking: Asking<'r>,
}

impl Claiming<'_, '_> {
    /// Each strength in turn: the strongest claim that holds is enough, and what breaks the weakest is an example.
    fn tried(
        &self,
        strengths: &[Strength],
        policy: Option<&PolicyId>,
        sources: &mut Sources,
        mut query: impl FnMut(Asking<'_>, Strength, &mut Sources) -> Result<Answer, String>,
    ) -> Result<Option<Settled>, String> {
        let mut left = u32::try_from(strengths.len()).unwrap_or(1);
        for strength in strengths {
            // Only of the weakest claim does an example count.
            let asking = Asking { example: left == 1, ..self.asking.part(left) };
            let answer = query(asking, *strength, sources)?;
            left -= 1;
            match answer {
                Answer::Never => return Ok(None),
                Answer::Once(Some(found)) if left == 0 => {
                    return Ok(Some(match self.example(&found, policy) {
                        Ok(example) => Settled::Breaks(example),
                        Err(Fault::Internal(message)) => Settled::Fault(message),
                        Err(Fault::NotShown(message)) => Settled::Unknown(message),
                    }));
                }
                Answer::Once(None) if left == 0 => {
                    return Ok(Some(Settled::Fault("the prover has a request and does not say which".to_owned())));
                }
                Answer::Unknown(why) if left == 0 => return Ok(Some(Settled::Unknown(why))),
                Answer::Once(_) | Answer::Unknown(_) => {}
            }
        }
        Ok(None)
    }

    /// What the solver has found, where the engine confirms it.
    pub(crate) fn example(&self, found: &Env, policy: Option<&PolicyId>) -> Result<Box<Example>, Fault> {
        let breach = Breach {
            set: self.run.subject.set,
            other: self.run.others.get(&self.guardrail.id).map(|other| other.set),
            guardrail: self.guardrail,
            policy,
        };
        Example::of(found, &breach).map(Box::new)
    }

    fn never_errors(&self, policy: usize, sources: &mut Sources) -> Result<Settled, String> {
        let info = self.run.subject.set.policies().get(policy).ok_or("no such policy")?;
        let mut all = self.run.subject.set.cedar().policies();
        let policy = all.find(|policy| policy.id().to_string() == info.id.as_str()).ok_or("no such policy")?;
        let settled = self.tried(&Strength::REQUESTS, Some(&info.id), sources, |asking, strength, sources| {
            Ok(asking.fails(sources, &self.compile_one(policy, strength)?))
        })?;
        Ok(settled.unwrap_or(Settled::Holds))
    }

    /// Whether there is a request on which a policy fails.
    fn fails(&self, policy: &Policy, sources: &mut Sources) -> Result<Answer, String> {
        let mut answer = Answer::Unknown("it was not asked".to_owned());
        for strength in Strength::REQUESTS {
            answer = self.asking.part(4).fails(sources, &self.compile_one(policy, strength)?);
            if matches!(answer, Answer::Never) {
                break;
            }
        }
        Ok(answer)
    }

    fn compile_one(&self, policy: &Policy, strength: Strength) -> Result<cedar_policy_symcc::CompiledPolicy, String> {
        let condition = match strength {
            Strength::PossibleRequests => Expr::and(self.run.subject.possible.clone(), policy.condition()),
            Strength::AnyPermits | Strength::AnyRequest => policy.condition(),
        };
        let policy = Policy::from_when_clause(policy.effect(), condition, policy.id().clone(), None);
        self.run.subject.kinds.compile_one(policy, self.kind)
    }

    /// Never allowed, or always.
    fn described(&self, sources: &mut Sources) -> Result<Settled, String> {
        let condition = self.condition.ok_or("a guardrail without a condition")?;
        let describes = named(Effect::Permit, condition.clone(), "described");
        if let Some(settled) = self.describes_without_errors(&describes, sources)? {
            return Ok(settled);
        }
        if let Some(parts) = &self.run.parts
            && let Some(settled) = self.in_parts(parts, &describes, sources)?
        {
            return Ok(settled);
        }
        let (subject, kinds) = (&self.run.subject, self.run.subject.kinds);
        let loose = kinds.compile(vec![describes.clone()], self.kind)?;
        let impossible = possible::forbid_impossible(&subject.possible);
        let strict = kinds.compile(vec![describes, impossible], self.kind)?;
        let settled = if self.guardrail.claim == Claim::NeverAllowed {
            self.tried(&Strength::ALL, None, sources, |asking, strength, sources| {
                Ok(asking.both(sources, subject.compiled(strength, self.kind)?, &loose))
            })?
        } else {
            self.tried(&Strength::REQUESTS, None, sources, |asking, strength, sources| {
                let described = if strength == Strength::PossibleRequests { &strict } else { &loose };
                Ok(asking.only_first(sources, described, subject.compiled(Strength::AnyRequest, self.kind)?))
            })?
        };
        Ok(settled.unwrap_or(Settled::Holds))
    }

    /// On a request where its own condition fails, a guardrail describes nothing and would promise nothing.
    fn describes_without_errors(&self, describes: &Policy, sources: &mut Sources) -> Result<Option<Settled>, String> {
        let answer = self.fails(describes, sources)?;
        Ok(match answer {
            Answer::Never => None,
            Answer::Once(_) => Some(Settled::Unknown(
                "its own condition fails on some requests, and would say nothing about them".to_owned(),
            )),
            Answer::Unknown(why) => Some(Settled::Unknown(format!("whether its own condition can fail: {why}"))),
        })
    }

    fn compared(&self, other: &Subject<'_>, sources: &mut Sources) -> Result<Settled, String> {
        let subject = &self.run.subject;
        let both_ways = matches!(self.guardrail.claim, Claim::EquivalentTo(_));
        let settled = self.tried(&Strength::REQUESTS, None, sources, |asking, strength, sources| {
            let this = subject.within(self.condition, strength, self.kind)?;
            Ok(if both_ways {
                asking.differs(sources, &this, &other.within(self.condition, strength, self.kind)?)
            } else {
                asking.only_first(sources, &this, other.compiled(Strength::AnyRequest, self.kind)?)
            })
        })?;
        if let Some(settled) = settled {
            return Ok(settled);
        }
        // Cedar skips a policy that fails, and Countersign denies where it is a forbid: the two agree on sets in which
        // none fails. That of this set is a guardrail of its own.
        for policy in other.set.cedar().policies() {
            if !matches!(self.fails(policy, sources)?, Answer::Never) {
                return Ok(Settled::Unknown(format!(
                    "the policy {} of the other set may fail on some requests",
                    policy.id()
                )));
            }
        }
        Ok(Settled::Holds)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn take(tasks: &Mutex<VecDeque<Task>>) -> Option<Task> {
    lock(tasks).pop_front()
}
