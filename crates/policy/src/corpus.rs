//! Runs Cedar's own integration tests (github.com/cedar-policy/cedar-integration-tests) through this crate's plan and
//! evaluator: any schema, decision, reasons and errors compared with what each test expects. Here Cedar's rule holds, a
//! policy that fails is skipped; the product's stricter rule is `decide.rs`. A tool for tests: the only part of the
//! crate that reads files, and nothing in a decision uses it.

mod world;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{fmt, io};

use cedar_policy_core::ast::{self, EntityUID};
use cedar_policy_core::entities::json::NullContextSchema;
use cedar_policy_core::entities::{ContextJsonParser, Entities, EntityJsonParser, NoEntitiesSchema, TCComputation};
use cedar_policy_core::evaluator::Evaluator;
use cedar_policy_core::extensions::Extensions;
use cedar_policy_core::parser::parse_policyset;
use cedar_policy_core::validator::{CoreSchema, ValidationMode, Validator, ValidatorSchema, context_schema_for_action};
use serde::Deserialize;

use crate::compile::Environment;
use crate::plan::{Compiled, Plan};
use crate::room;
use crate::symbols::Symbols;
use world::{Paths, World};

/// What a run found. It agrees when there are tests and no failures.
#[derive(Clone, Debug, Default)]
pub struct CorpusReport {
    pub tests: usize,
    pub requests: usize,
    /// Policies that came into question and were decided by the plan.
    pub planned: usize,
    /// Policies that came into question and were left to Cedar's evaluator.
    pub fallen_back: usize,
    /// Sets that validate although their test says that they should not: a matter of Cedar's versions, not of decisions.
    pub validated_unexpectedly: usize,
    pub failures: Vec<CorpusFailure>,
}

#[derive(Clone, Debug)]
pub struct CorpusFailure {
    pub test: PathBuf,
    /// Its description; absent where the test as a whole failed.
    pub request: Option<String>,
    pub message: String,
}

/// Where a run is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    pub done: usize,
    pub total: usize,
}

impl CorpusReport {
    pub fn agrees(&self) -> bool {
        self.tests > 0 && self.failures.is_empty()
    }
}

impl fmt::Display for CorpusReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for failure in &self.failures {
            let request = failure.request.as_deref().unwrap_or("the test itself");
            writeln!(f, "{}: {request}: {}", failure.test.display(), failure.message)?;
        }
        write!(
            f,
            "{} tests, {} requests, {} failures; {} policies decided by the plan, {} by Cedar's evaluator",
            self.tests,
            self.requests,
            self.failures.len(),
            self.planned,
            self.fallen_back
        )?;
        if self.validated_unexpectedly > 0 {
            write!(f, "; {} sets validate although their test says otherwise", self.validated_unexpectedly)?;
        }
        Ok(())
    }
}

/// One test, as its file has it. Older files use other names and leave things out.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Test {
    policies: String,
    entities: String,
    #[serde(default)]
    schema: Option<String>,
    #[serde(default)]
    should_validate: bool,
    #[serde(alias = "queries")]
    requests: Vec<Request>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    #[serde(alias = "desc")]
    description: String,
    principal: Uid,
    action: Uid,
    resource: Uid,
    #[serde(default = "no_context")]
    context: serde_json::Value,
    #[serde(default = "yes", alias = "enableRequestValidation")]
    validate_request: bool,
    decision: String,
    #[serde(default, alias = "reasons")]
    reason: BTreeSet<String>,
    #[serde(default)]
    errors: BTreeSet<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Uid {
    Parts {
        #[serde(rename = "type")]
        kind: String,
        id: String,
    },
    Text(String),
}

fn no_context() -> serde_json::Value {
    serde_json::Value::Object(serde_json::Map::new())
}

const fn yes() -> bool {
    true
}

impl Uid {
    fn read(&self) -> Result<EntityUID, String> {
        match self {
            Self::Parts { kind, id } => {
                let kind = kind.parse::<ast::Name>().map_err(|error| format!("{kind}: {error}"))?;
                Ok(EntityUID::from_components(kind.into(), ast::Eid::new(id.as_str()), None))
            }
            Self::Text(text) => text.parse().map_err(|error| format!("{text}: {error}")),
        }
    }
}

/// Runs every test under `directory`. An error is one of reading the directory; a test that cannot be read is a failure
/// of that test.
pub fn run(directory: &Path, mut progress: impl FnMut(Progress)) -> io::Result<CorpusReport> {
    let mut files = Vec::new();
    collect(directory, &mut files)?;
    files.sort();
    let mut report = CorpusReport::default();
    for (done, file) in files.iter().enumerate() {
        progress(Progress { done, total: files.len() });
        report.tests += 1;
        if let Err(message) = run_test(file, &mut report) {
            report.failures.push(CorpusFailure { test: file.clone(), request: None, message });
        }
    }
    progress(Progress { done: files.len(), total: files.len() });
    Ok(report)
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        // Not through links: a loop of them has no end.
        if entry.file_type()?.is_dir() {
            collect(&path, files)?;
        } else if name.ends_with(".json") && !name.ends_with(".entities.json") && is_test(&path)? {
            files.push(path);
        }
    }
    Ok(())
}

/// Schemas and entities of older tests are `.json` too, without a mark in their names.
fn is_test(path: &Path) -> io::Result<bool> {
    let text = std::fs::read_to_string(path)?;
    let looks = |key: &str| text.contains(&format!("\"{key}\""));
    Ok(looks("policies") && looks("entities") && (looks("requests") || looks("queries")))
}

/// Paths in a test are relative to some directory above it, or the files have been put beside it.
fn read(test: &Path, named: &str) -> Result<String, String> {
    let above = test.ancestors().skip(1).map(|directory| directory.join(named));
    let beside = Path::new(named).file_name().map(|name| test.with_file_name(name));
    let path = above.chain(beside).find(|path| path.is_file()).ok_or_else(|| format!("{named}: no such file"))?;
    std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))
}

fn run_test(file: &Path, report: &mut CorpusReport) -> Result<(), String> {
    let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
    let test: Test = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let extensions = Extensions::all_available();
    let set = measured(&read(file, &test.policies)?, parse_policyset)
        .and_then(|parsed| parsed.map_err(|error| error.to_string()))
        .map_err(|error| format!("policies: {error}"))?;
    let schema = match &test.schema {
        None => None,
        Some(name) => Some(parse_schema(name, &read(file, name)?)?),
    };
    if let Some(schema) = &schema {
        let result = Validator::new(schema.clone()).validate(&set, ValidationMode::Strict);
        match (test.should_validate, result.validation_passed()) {
            (true, false) => {
                let first = result.validation_errors().next().map(ToString::to_string).unwrap_or_default();
                return Err(format!("the policies do not validate: {first}"));
            }
            (false, true) => report.validated_unexpectedly += 1,
            _ => {}
        }
    }
    let entities = read(file, &test.entities)?;
    let entities = match &schema {
        Some(schema) => EntityJsonParser::new(Some(&CoreSchema::new(schema)), extensions, TCComputation::ComputeNow)
            .from_json_str(&entities),
        None => EntityJsonParser::new(None::<&NoEntitiesSchema>, extensions, TCComputation::ComputeNow)
            .from_json_str(&entities),
    }
    .map_err(|error| format!("entities: {error}"))?;
    let symbols = Symbols::default();
    let policies: Vec<_> = set.policies().collect();
    for request in &test.requests {
        report.requests += 1;
        let outcome = build_request(request, schema.as_ref())
            .map(|built| decide(&policies, &built, &entities, &symbols, report))
            .and_then(|(decision, reasons, errors)| compare(request, decision, &reasons, &errors));
        if let Err(message) = outcome {
            let request = Some(request.description.clone());
            report.failures.push(CorpusFailure { test: file.to_owned(), request, message });
        }
    }
    Ok(())
}

/// What is made of a text that is not nested without end.
fn measured<T: Send>(text: &str, parse: impl FnOnce(&str) -> T + Send) -> Result<T, String> {
    match room::too_deep(text) {
        Some(_) => Err("nested too deep to be read".to_owned()),
        None => room::with_room(|| parse(text)).map_err(|error| error.to_string()),
    }
}

fn parse_schema(name: &str, text: &str) -> Result<ValidatorSchema, String> {
    let extensions = Extensions::all_available();
    if name.ends_with(".json") {
        ValidatorSchema::from_json_str(text, extensions).map_err(|error| format!("schema: {error}"))
    } else {
        measured(text, |text| {
            let schema = ValidatorSchema::from_cedarschema_str(text, extensions);
            schema.map(|(schema, _)| schema).map_err(|error| error.to_string())
        })
        .flatten()
        .map_err(|error| format!("schema: {error}"))
    }
}

fn build_request(request: &Request, schema: Option<&ValidatorSchema>) -> Result<ast::Request, String> {
    let extensions = Extensions::all_available();
    let (principal, action) = (request.principal.read()?, request.action.read()?);
    let context_schema = schema.and_then(|schema| context_schema_for_action(schema, &action));
    let context = match &context_schema {
        Some(schema) => ContextJsonParser::new(Some(schema), extensions).from_json_value(request.context.clone()),
        None => ContextJsonParser::new(None::<&NullContextSchema>, extensions).from_json_value(request.context.clone()),
    };
    let context = context.map_err(|error| format!("context: {error}"))?;
    let (principal, action, resource) = ((principal, None), (action, None), (request.resource.read()?, None));
    let schema = schema.filter(|_| request.validate_request);
    ast::Request::new(principal, action, resource, context, schema, extensions).map_err(|error| error.to_string())
}

type Found = BTreeSet<String>;

/// By the plan, where it can, and by Cedar's evaluator, policy by policy, where it cannot.
fn decide(
    policies: &[&ast::Policy],
    request: &ast::Request,
    entities: &Entities,
    symbols: &Symbols,
    report: &mut CorpusReport,
) -> (&'static str, Found, Found) {
    let (mut permits, mut forbids, mut errors) = (Found::new(), Found::new(), Found::new());
    let (Some(principal), Some(action), Some(resource)) =
        (request.principal().uid(), request.action().uid(), request.resource().uid())
    else {
        return ("deny", permits, errors);
    };
    let environment = Environment {
        principal: principal.entity_type().clone(),
        action: action.clone(),
        action_groups: world::ancestors(entities, action),
        resource: resource.entity_type().clone(),
    };
    let mut paths = Paths::default();
    let all = (0..).zip(policies.iter().copied());
    let plan = Plan::build(all, &environment, symbols, &mut paths, &mut Compiled::default());
    let world = World::new(principal, resource, request, entities, symbols, &paths);
    let evaluator = Evaluator::new(request.clone(), entities, Extensions::all_available());
    plan.applicable(&&world, |number, condition| {
        let satisfied = condition.holds(&&world);
        let Some(policy) = policies.get(number as usize) else { return };
        if satisfied.is_ok() {
            report.planned += 1;
        } else {
            report.fallen_back += 1;
        }
        let satisfied = satisfied.or_else(|_uncovered| evaluator.evaluate(policy).map_err(|error| error.to_string()));
        let name = policy.id().to_string();
        match (satisfied, policy.effect()) {
            (Ok(true), ast::Effect::Permit) => permits.insert(name),
            (Ok(true), ast::Effect::Forbid) => forbids.insert(name),
            (Ok(false), _) => false,
            (Err(_), _) => errors.insert(name),
        };
    });
    match (forbids.is_empty(), permits.is_empty()) {
        (false, _) => ("deny", forbids, errors),
        (true, true) => ("deny", permits, errors),
        (true, false) => ("allow", permits, errors),
    }
}

fn compare(request: &Request, decision: &str, reasons: &Found, errors: &Found) -> Result<(), String> {
    let mut differences = Vec::new();
    if !request.decision.eq_ignore_ascii_case(decision) {
        differences.push(format!("decision {decision}, expected {}", request.decision));
    }
    if *reasons != request.reason {
        differences.push(format!("reasons {reasons:?}, expected {:?}", request.reason));
    }
    if *errors != request.errors {
        differences.push(format!("errors {errors:?}, expected {:?}", request.errors));
    }
    if differences.is_empty() { Ok(()) } else { Err(differences.join("; ")) }
}
