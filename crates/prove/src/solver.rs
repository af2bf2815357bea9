//! The solver: cvc5, a process for each query, told everything at once through its standard input and ended when its
//! time is over. It gets no argument, no environment and no file that comes from a policy.

use std::future::{Future, ready};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use cedar_policy_symcc::solver::{self as symcc, Decision, DecisionWithModel};

use crate::cache::{Cache, Key, Known};

/// Names the solver where it is not on the `PATH`.
const VARIABLE: &str = "COUNTERSIGN_CVC5";

const PROGRAM: &str = "cvc5";

/// A model is some kilobytes; what is longer than this is none.
const LONGEST: u64 = 64 << 20;

/// How long a programme may take to say what it is.
const INTRODUCTION: Duration = Duration::from_secs(10);

/// A solver that has said what it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Solver {
    means: Means,
    version: String,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Means {
    Program(PathBuf),
    /// The same answer to whatever is asked.
    Words(String),
}

#[derive(Debug, thiserror::Error)]
pub enum SolverError {
    #[error(
        "there is no solver, so nothing can be proven: install the package cvc5 (Debian: `apt install cvc5`), or name \
         the programme in {VARIABLE}"
    )]
    Missing,
    #[error("{} does not start: {error}", program.display())]
    Start { program: PathBuf, error: io::Error },
    #[error("{} is no cvc5: asked for its version it says {said:?}", program.display())]
    Stranger { program: PathBuf, said: String },
}

impl Solver {
    /// The one that `COUNTERSIGN_CVC5` names, or `cvc5` on the `PATH`.
    pub fn find() -> Result<Self, SolverError> {
        if let Some(named) = std::env::var_os(VARIABLE).filter(|named| !named.is_empty()) {
            return Self::at(Path::new(&named));
        }
        // An empty or relative part of the PATH would be whatever lies in the folder that a policy came in.
        let path = std::env::var_os("PATH").unwrap_or_default();
        let places = std::env::split_paths(&path).filter(|place| place.is_absolute());
        let found = places.map(|place| place.join(PROGRAM)).find(|program| program.is_file());
        Self::at(&found.ok_or(SolverError::Missing)?)
    }

    /// That programme, if it introduces itself as cvc5.
    pub fn at(program: &Path) -> Result<Self, SolverError> {
        let run = run(program, &["--version"], Vec::new(), INTRODUCTION);
        let said = match run {
            Ok(Some(said)) => said,
            Ok(None) => String::new(),
            Err(error) => return Err(SolverError::Start { program: program.to_owned(), error }),
        };
        // "This is cvc5 version 1.0.3 [git …]", and without "version" in later ones.
        let mut words = said.lines().next().unwrap_or_default().split_whitespace();
        let named = words.by_ref().any(|word| word == PROGRAM);
        let number = words.find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
        match number {
            Some(number) if named => {
                Ok(Self { means: Means::Program(program.to_owned()), version: format!("{PROGRAM} {number}") })
            }
            _ => {
                let said = said.chars().take(200).collect();
                Err(SolverError::Stranger { program: program.to_owned(), said })
            }
        }
    }

    /// One that knows nothing and answers everything so: what a solver may say is tried by it. It proves nothing about
    /// any policy.
    pub fn saying(words: &str) -> Self {
        Self { means: Means::Words(words.to_owned()), version: "nobody".to_owned() }
    }

    fn answer(&self, arguments: &[&str], script: Vec<u8>, limit: Duration) -> io::Result<Option<String>> {
        match &self.means {
            Means::Program(program) => run(program, arguments, script, limit),
            Means::Words(words) => Ok(Some(words.clone())),
        }
    }

    /// Such as `cvc5 1.0.3`.
    pub fn version(&self) -> &str {
        &self.version
    }
}

/// The standard output of one run; `None` where its time was over.
fn run(program: &Path, arguments: &[&str], input: Vec<u8>, limit: Duration) -> io::Result<Option<String>> {
    let mut process = Running(
        Command::new(program)
            .args(arguments)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?,
    );
    let (Some(mut stdin), Some(stdout)) = (process.0.stdin.take(), process.0.stdout.take()) else {
        return Err(io::Error::other("a process without pipes"));
    };
    // Neither thread outlives the process: both ends of their pipes close with it.
    std::thread::spawn(move || {
        // A process that ends early has said why on its other side.
        let _ = stdin.write_all(&input);
    });
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut text = Vec::new();
        let read = stdout.take(LONGEST).read_to_end(&mut text);
        let _ = sender.send(read.map(|_| text));
    });
    match receiver.recv_timeout(limit) {
        Ok(read) => read.map(|text| Some(String::from_utf8_lossy(&text).into_owned())),
        Err(RecvTimeoutError::Timeout) => Ok(None),
        Err(RecvTimeoutError::Disconnected) => Err(io::Error::other("the reader of a process stopped")),
    }
}

/// A process that does not outlive its run, however that ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail for a process that has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// One query, written by the symbolic compiler and answered by the solver or by what it answered before.
#[derive(Debug)]
pub(crate) struct Session<'s> {
    solver: &'s Solver,
    cache: Option<&'s Cache>,
    deadline: Instant,
    script: Vec<u8>,
    /// Whether the solver was asked at all, rather than the cache or nobody.
    pub(crate) asked: bool,
    /// Whether an answer came from the cache.
    pub(crate) remembered: bool,
    pub(crate) late: bool,
}

impl<'s> Session<'s> {
    pub(crate) const fn new(solver: &'s Solver, cache: Option<&'s Cache>, deadline: Instant) -> Self {
        Self { solver, cache, deadline, script: Vec::new(), asked: false, remembered: false, late: false }
    }

    /// Where an example is wanted, only its absence may come from the cache.
    fn check(&mut self, example: bool) -> io::Result<DecisionWithModel> {
        let mut script = std::mem::take(&mut self.script);
        let key = Key::of(&self.solver.version, &script);
        match self.cache.and_then(|cache| cache.get(&key)) {
            Some(Known::Unsatisfiable) => {
                self.remembered = true;
                return Ok(DecisionWithModel::Unsat);
            }
            Some(Known::Satisfiable) if !example => {
                self.remembered = true;
                return Ok(DecisionWithModel::Sat { model: String::new() });
            }
            _ => {}
        }
        let limit = self.deadline.saturating_duration_since(Instant::now());
        if limit.is_zero() {
            self.late = true;
            return Ok(DecisionWithModel::Unknown);
        }
        self.asked = true;
        script.extend_from_slice(b"(check-sat)\n");
        if example {
            script.extend_from_slice(b"(get-model)\n");
        }
        script.extend_from_slice(b"(exit)\n");
        // Should this process be killed, the other one ends by itself.
        let own_limit = format!("--tlimit={}", limit.as_millis().saturating_add(2000));
        let arguments = ["--lang=smt2", &own_limit];
        let Some(said) = self.solver.answer(&arguments, script, limit)? else {
            self.late = true;
            return Ok(DecisionWithModel::Unknown);
        };
        let strange = |said: &str| {
            let said: String = said.chars().take(200).collect();
            io::Error::other(format!("the solver says {said:?}"))
        };
        let (answer, model) = said.split_once('\n').unwrap_or((&said, ""));
        let (decision, known) = match answer.trim_end() {
            "unsat" => (DecisionWithModel::Unsat, Known::Unsatisfiable),
            "sat" if example && !model.trim_start().starts_with('(') => return Err(strange(&said)),
            "sat" => (DecisionWithModel::Sat { model: model.to_owned() }, Known::Satisfiable),
            "unknown" => return Ok(DecisionWithModel::Unknown),
            other => return Err(strange(other)),
        };
        if let Some(cache) = self.cache {
            cache.put(&key, known);
        }
        Ok(decision)
    }
}

impl symcc::Solver for Session<'_> {
    fn smtlib_input(&mut self) -> &mut (dyn tokio::io::AsyncWrite + Unpin + Send) {
        &mut self.script
    }

    fn enable_models(&mut self) -> impl Future<Output = Result<(), symcc::SolverError>> + Send {
        self.script.extend_from_slice(b"(set-option :produce-models true)\n");
        ready(Ok(()))
    }

    fn check_sat(&mut self) -> impl Future<Output = Result<Decision, symcc::SolverError>> + Send {
        ready(match self.check(false) {
            Ok(DecisionWithModel::Sat { .. }) => Ok(Decision::Sat),
            Ok(DecisionWithModel::Unsat) => Ok(Decision::Unsat),
            Ok(DecisionWithModel::Unknown) => Ok(Decision::Unknown),
            Err(error) => Err(symcc::SolverError::Io(error)),
        })
    }

    fn check_sat_with_model(&mut self) -> impl Future<Output = Result<DecisionWithModel, symcc::SolverError>> + Send {
        ready(self.check(true).map_err(symcc::SolverError::Io))
    }
}
