#![expect(clippy::expect_used, clippy::print_stdout, reason = "a bench may stop, and prints its figures")]

//! How long a proof takes: each guardrail of the starter policies, over them alone and over 500 policies, with the solver
//! asked anew and from the cache.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign_policy::{GUARDRAILS, Guardrail, PolicySet, SourceFile, Symbols};
use countersign_prove::{Cache, Options, Solver, prove};

const MANY: usize = 500;
const TIMEOUT: Duration = Duration::from_secs(60);

fn starter() -> Vec<SourceFile> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies");
    let mut paths: Vec<PathBuf> = Vec::new();
    for directory in [directory.clone(), directory.join(GUARDRAILS)] {
        paths.extend(
            std::fs::read_dir(directory).expect("the starter policies").map(|entry| entry.expect("a file").path()),
        );
    }
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "cedar"));
    paths.sort();
    let read = |path: PathBuf| SourceFile { text: std::fs::read_to_string(&path).expect("a policy file"), path };
    paths.into_iter().map(read).collect()
}

/// The starter policies and, up to `count`, permits and forbids that name a group, a resource or a segment each.
fn more(count: usize) -> Vec<SourceFile> {
    let mut files = starter();
    let mut text = String::new();
    for number in 27..count {
        let head = format!("@id(\"more-{number}\") @owner(\"o\") @review_by(\"2027-01-01\") @remedy(\"r\")\n");
        let policy = match number % 4 {
            0 => format!(
                "permit (principal in Group::\"g{number}\", action in Action::\"read\", resource == Resource::\"r{number}\");"
            ),
            1 => format!(
                "permit (principal in Group::\"g{number}\", action in Action::\"write\", resource in Segment::\"s{number}\");"
            ),
            2 => format!(
                "forbid (principal is Human, action, resource == Resource::\"r{number}\")
                 when {{ resource.kind == \"http\" && context.risk >= {} }};",
                number % 100
            ),
            _ => format!(
                "forbid (principal is Human, action, resource in Segment::\"s{number}\") when {{ resource.kind == \"http\" }}
                 unless {{ context has authentication && context.authentication.age <= {number} }};"
            ),
        };
        let _ = writeln!(text, "{head}{policy}");
    }
    files.push(SourceFile { path: "more.cedar".into(), text });
    files
}

/// The guardrails of a set, one after the other, each for itself.
fn measure(
    files: Vec<SourceFile>,
    solver: &Solver,
    cache: impl Fn() -> Option<Cache>,
) -> Vec<(String, Duration, &'static str)> {
    let set = PolicySet::load(files, &Arc::new(Symbols::default())).expect("the policies load");
    let one = |guardrail: &Guardrail| {
        let options = Options { timeout: TIMEOUT, jobs: 2, together: Options::TOGETHER, cache: cache() };
        let start = Instant::now();
        let report = prove(&set, std::slice::from_ref(guardrail), &BTreeMap::new(), solver, &options, &|_| {});
        let outcome = report.outcomes.first().expect("one outcome");
        eprintln!("{} {:.1?} {}", guardrail.id, start.elapsed(), outcome.verdict.result().name());
        (guardrail.id.to_string(), start.elapsed(), outcome.verdict.result().name())
    };
    set.guardrails().iter().map(one).collect()
}

fn main() {
    let solver = Solver::find().expect("the package cvc5");
    let folder = tempfile::tempdir().expect("a folder");
    let cache = || Some(Cache::open(folder.path()).expect("a cache"));
    let few = measure(starter(), &solver, cache);
    let again = measure(starter(), &solver, cache);
    let many = measure(more(MANY), &solver, || None);

    println!("<!-- figures -->");
    println!("| guardrail, on two cores | 27 policies, s | from the cache, s | {MANY} policies, s |");
    println!("|---|---|---|---|");
    for (((id, few, result), (_, again, _)), (_, many, then)) in few.iter().zip(&again).zip(&many) {
        let [few, again, many] = [few, again, many].map(Duration::as_secs_f64);
        println!("| {id} | {few:.2} {result} | {again:.2} | {many:.2} {then} |");
    }
    println!();
    println!("Each row is all questions of a guardrail together, about 16 kinds of requests; {}.", solver.version());
    println!("<!-- end of figures -->");
}
