//! From policy files to a [`PolicySet`]: parse, check the annotations, validate strictly and to level 1, and compile.
//! Nothing stops at the first mistake, and no set comes out while there is one. Reading files is the caller's.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use cedar_policy_core::ast::{self, PolicyID};
use cedar_policy_core::parser::parse_policyset;
use cedar_policy_core::validator::{ValidationMode, Validator, ValidatorSchema};
use countersign_model::{Action, PolicyId, PolicyRole, SubjectKind, Timestamp};
use sha2::{Digest, Sha256};

use crate::analysis::{Analysis, Mistake, depth};
use crate::annotations::Annotations;
use crate::cedar::{PRODUCT, entity_type, named, principal_type};
use crate::compile::Environment;
use crate::diagnostics::{Diagnostic, Diagnostics, Severity, Source, SourceFile};
use crate::facts::{Fact, ProductLayout};
use crate::guardrail;
use crate::plan::{Compiled, Number, Plan};
use crate::relax;
use crate::room;
use crate::set::{Effective, Mode, PolicyInfo, PolicySet};
use crate::symbols::Symbols;

/// No policy looks further than the attributes of the principal, the resource and the entities in the context, which is
/// exactly what a slice holds.
const LEVEL: u32 = 1;

/// Conditions are walked by recursion, in Cedar too, and the stack has an end.
const DEPTH: usize = 100;

const ANNOTATIONS: [&str; 7] = ["id", "owner", "review_by", "remedy", "description", "mode", "relaxable"];

/// A policy that has been read, with what its annotations say.
struct Read {
    policy: ast::Policy,
    source: Source,
    span: (usize, usize),
    annotations: Option<Annotated>,
}

/// A policy or a guardrail whose syntax is right.
pub(crate) struct Parsed {
    pub(crate) policy: ast::Policy,
    pub(crate) source: Source,
    pub(crate) span: (usize, usize),
}

struct Annotated {
    id: PolicyId,
    owner: String,
    review_by: Timestamp,
    remedy: Option<String>,
    description: Option<String>,
    mode: Mode,
    relaxable: Option<String>,
}

impl PolicySet {
    /// Reads, validates and compiles. `symbols` is the table of the world that the set will decide on (a new one for a
    /// mere check). Files in a folder [`guardrails`](crate::GUARDRAILS) are guardrails and decide nothing.
    pub fn load(files: Vec<SourceFile>, symbols: &Arc<Symbols>) -> Result<Self, Diagnostics> {
        let mut found = Vec::new();
        let schema = match PRODUCT.as_ref() {
            Ok(schema) => schema,
            Err(message) => {
                let source = Source::new(&PathBuf::from("schema.cedarschema"), crate::SCHEMA);
                return Err(Diagnostics { all: vec![source.diagnostic(Severity::Error, message, None, None)] });
            }
        };
        let mut policies = Vec::new();
        let (of_guardrails, of_policies): (Vec<_>, Vec<_>) =
            files.iter().cloned().partition(SourceFile::is_of_guardrails);
        for file in &of_policies {
            read_file(file, &mut policies, &mut found);
        }
        refuse_duplicates(&mut policies, &mut found);
        policies.sort_by(|a, b| a.policy.id().cmp(b.policy.id()));
        for read in &policies {
            validate(&read.policy, &read.source, read.span, schema, &mut found);
        }
        let guardrails = guardrail::load(&of_guardrails, symbols, &mut found);
        let mut analyses = Vec::new();
        for read in &policies {
            let mut one = Analysis::of(&read.policy, symbols);
            for mistake in one.mistakes.drain(..).chain(read.relaxing()) {
                found.push(read.source.diagnostic(Severity::Error, mistake.message, mistake.help, mistake.span));
            }
            analyses.push(one);
        }
        found.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
        if found.iter().any(|diagnostic| diagnostic.severity == Severity::Error) {
            return Err(Diagnostics { all: found });
        }
        let fault = |message: String| {
            let source = Source::new(&PathBuf::from("schema.cedarschema"), crate::SCHEMA);
            Diagnostics { all: vec![source.diagnostic(Severity::Error, message, None, None)] }
        };
        let mut compiled = Compiled::default();
        let mut effective = |counts: &dyn Fn(&Read) -> bool| {
            let all = (0..).zip(policies.iter().zip(&analyses)).filter(|(_, (read, _))| counts(read));
            Effective::of(&all.collect::<Vec<_>>(), schema, symbols, &mut compiled).map_err(fault)
        };
        let enforced = effective(&|read| read.mode() == Mode::Enforce)?;
        let all = match policies.iter().all(|read| read.mode() == Mode::Enforce) {
            true => None,
            false => Some(Box::new(effective(&|_| true)?)),
        };
        let plans = &all.as_deref().unwrap_or(&enforced).plans;
        let uncovered: BTreeSet<_> = plans.iter().flat_map(Plan::uncovered).collect();
        let mut infos = Vec::new();
        for (read, number) in policies.iter().zip(0..) {
            infos.extend(read.info(!uncovered.contains(&number)));
        }
        Ok(Self {
            hash: hash(&infos),
            guardrails_hash: guardrail::hash_of_all(&guardrails),
            guardrails,
            proven: OnceLock::new(),
            infos,
            warnings: found,
            sources: files,
            reads: analyses.into_iter().map(|analysis| analysis.reads).collect(),
            named: OnceLock::new(),
            symbols: Arc::clone(symbols),
            policies: policies.into_iter().map(|read| read.policy).collect(),
            enforced,
            all,
        })
    }
}

fn read_file(file: &SourceFile, policies: &mut Vec<Read>, found: &mut Vec<Diagnostic>) {
    for (Parsed { policy, source, span }, at) in parse(file, found).into_iter().zip(1..) {
        let annotations = annotations(&policy, &source, span.0, found);
        // Until it is known to be unique, a policy goes by its place: validation needs a name for each.
        let name = match &annotations {
            Some(annotated) => annotated.id.to_string(),
            None => format!("{} #{at}", file.path.display()),
        };
        let policy = policy.new_id(PolicyID::from_string(name));
        policies.push(Read { policy, source, span, annotations });
    }
}

/// Whatever stands in one file, in its order.
pub(crate) fn parse(file: &SourceFile, found: &mut Vec<Diagnostic>) -> Vec<Parsed> {
    let source = Source::new(&file.path, &file.text);
    if let Some(mistake) = room::too_deep(&file.text).map(|at| nested_too_deep(&source, at)) {
        found.push(mistake);
        return Vec::new();
    }
    let parsed = room::with_room(|| {
        let mut mistakes = Vec::new();
        (parse_measured(file, &source, &mut mistakes), mistakes)
    });
    let (parsed, mistakes) = match parsed {
        Ok(parsed) => parsed,
        Err(why) => {
            found.push(source.diagnostic(Severity::Error, why.to_string(), None, None));
            return Vec::new();
        }
    };
    found.extend(mistakes);
    parsed
}

pub(crate) fn nested_too_deep(source: &Source, at: usize) -> Diagnostic {
    source.diagnostic(Severity::Error, "this is nested too deep to be read", None, Some((at, 1)))
}

fn parse_measured(file: &SourceFile, source: &Source, found: &mut Vec<Diagnostic>) -> Vec<Parsed> {
    let set = match parse_policyset(&file.text) {
        Ok(set) => set,
        Err(errors) => {
            found.extend(errors.iter().map(|error| source.cedars(Severity::Error, error)));
            return Vec::new();
        }
    };
    for template in set.templates() {
        let help = "write the entity, or a group, in place of ?principal and ?resource".to_owned();
        let span = template.loc().map(|loc| head(&file.text, loc.start()));
        found.push(source.diagnostic(Severity::Error, "a template cannot be loaded", Some(help), span));
    }
    let mut policies: Vec<_> = set.into_policies().collect();
    policies.sort_by_key(|policy| policy.loc().map_or(0, ast_start));
    let mut parsed = Vec::new();
    for policy in policies {
        let span =
            policy.loc().map_or((0, file.text.len()), |loc| (loc.start(), loc.end().saturating_sub(loc.start())));
        if policy.non_scope_constraints().is_some_and(|condition| depth(condition) > DEPTH) {
            let message = format!("this policy is nested more than {DEPTH} levels deep");
            let help = Some("use a group or a set in place of a long chain of == or ||".to_owned());
            found.push(source.diagnostic(Severity::Error, message, help, Some(head(&file.text, span.0))));
            continue;
        }
        parsed.push(Parsed { policy, source: source.clone(), span });
    }
    parsed
}

fn ast_start(loc: &cedar_policy_core::parser::Loc) -> usize {
    loc.start()
}

/// The line that a policy begins with: a caret under a whole policy helps nobody.
pub(crate) fn head(text: &str, start: usize) -> (usize, usize) {
    (start, text.get(start..).and_then(|rest| rest.lines().next()).map_or(0, str::len))
}

fn annotations(policy: &ast::Policy, source: &Source, start: usize, found: &mut Vec<Diagnostic>) -> Option<Annotated> {
    let mut annotations = Annotations::read(policy, &ANNOTATIONS, source, head(&source.text, start), found);
    let id = annotations.id("@id(\"…\") names the policy in decisions, in the ledger and on denial pages");
    let owner = annotations.owner("@owner(\"…\") is who answers for the policy");
    let review_by = annotations.review_by("@review_by(\"2027-01-31\") is when its owner has to look at it again");
    let remedy = match policy.effect() {
        ast::Effect::Forbid => annotations
            .required("remedy", "@remedy(\"…\") tells whoever is denied what to do")
            .map(|remedy| Some(remedy.0)),
        ast::Effect::Permit => Some(annotations.text("remedy")),
    };
    let mode = annotations.mode();
    let relaxable = annotations.relaxable();
    Some(Annotated {
        id: id?,
        owner: owner?,
        review_by: review_by?,
        remedy: remedy?,
        description: annotations.text("description"),
        mode: mode?,
        relaxable: relaxable?,
    })
}

/// The second policy of a name is a mistake, and goes by its place from then on.
fn refuse_duplicates(policies: &mut [Read], found: &mut Vec<Diagnostic>) {
    let mut seen: BTreeMap<PolicyId, String> = BTreeMap::new();
    for (read, at) in policies.iter_mut().zip(1..) {
        let Some(annotated) = &read.annotations else { continue };
        let place = format!("{}:{}", read.source.path.display(), read.source.line(read.span.0));
        match seen.get(&annotated.id) {
            None => {
                seen.insert(annotated.id.clone(), place);
            }
            Some(first) => {
                let message = format!("there are two policies with @id {:?}", annotated.id);
                let span = head(&read.source.text, read.span.0);
                let help = Some(format!("the first one is at {first}"));
                found.push(read.source.diagnostic(Severity::Error, message, help, Some(span)));
                read.policy = read.policy.new_id(PolicyID::from_string(format!("{place} #{at}")));
                read.annotations = None;
            }
        }
    }
}

/// Strictly, and to level 1. One by one, so that each finding belongs to a file: Cedar's findings name the policy in
/// their text only.
pub(crate) fn validate(
    policy: &ast::Policy,
    source: &Source,
    span: (usize, usize),
    schema: &ValidatorSchema,
    found: &mut Vec<Diagnostic>,
) {
    let mut report = |severity, finding: &dyn miette::Diagnostic| {
        let mut diagnostic = source.cedars(severity, finding);
        if diagnostic.line == 0 || diagnostic.span.0 == span.0 {
            let head = Some(head(&source.text, span.0));
            diagnostic = source.diagnostic(severity, diagnostic.message, diagnostic.help, head);
        }
        // A mistake is found once for every kind of request that the policy applies to.
        let same = |other: &Diagnostic| {
            (&other.file, other.span, &other.message) == (&diagnostic.file, diagnostic.span, &diagnostic.message)
        };
        if !found.iter().any(same) {
            found.push(diagnostic);
        }
    };
    let alone = ast::PolicySet::singleton(policy.clone());
    let result = Validator::new(schema.clone()).validate_with_level(&alone, ValidationMode::Strict, LEVEL);
    result.validation_errors().for_each(|error| report(Severity::Error, error));
    result.validation_warnings().for_each(|warning| report(Severity::Warning, warning));
}

impl Effective {
    fn of(
        policies: &[(Number, (&Read, &Analysis))],
        schema: &ValidatorSchema,
        symbols: &Symbols,
        compiled: &mut Compiled,
    ) -> Result<Self, String> {
        let mut analysis = Analysis::default();
        let mut cedar = ast::PolicySet::new();
        for (_, (read, one)) in policies {
            analysis.add(one);
            cedar.add(read.policy.clone()).map_err(|error| error.to_string())?;
        }
        let plan = |environment| {
            let all = policies.iter().map(|(number, (read, _))| (*number, &read.policy));
            Plan::build(all, &environment, symbols, &mut ProductLayout, compiled)
        };
        let read = |fact: &Fact| policies.iter().any(|(_, (_, one))| one.reads.contains(fact));
        Ok(Self {
            plans: environments(schema)?.into_iter().map(plan).collect(),
            time: analysis.time(),
            zones: analysis.zones,
            groups: analysis.groups.into_iter().collect(),
            read_somewhere: Fact::ALL.iter().copied().filter(read).collect(),
            cedar,
        })
    }
}

/// Every kind of request, in the order of `SubjectKind::ALL` and `Action::all`.
pub(crate) fn environments(schema: &ValidatorSchema) -> Result<Vec<Environment>, String> {
    let mut environments = Vec::new();
    for kind in SubjectKind::ALL {
        for action in Action::all() {
            let action = named("Action", &action.to_string())?;
            let groups = ["access", "read", "write", "administer", "connect"].map(|group| named("Action", group));
            let groups = groups.into_iter().collect::<Result<Vec<_>, _>>()?;
            environments.push(Environment {
                principal: principal_type(kind)?,
                action_groups: groups
                    .into_iter()
                    .filter(|group| {
                        schema.get_action_id(group).is_some_and(|id| id.descendants().any(|member| *member == action))
                    })
                    .collect(),
                action,
                resource: entity_type("Resource")?,
            });
        }
    }
    Ok(environments)
}

impl Read {
    /// One that cannot be loaded has none, and is never asked.
    fn mode(&self) -> Mode {
        self.annotations.as_ref().map_or(Mode::Enforce, |annotated| annotated.mode)
    }

    /// Of one whose annotations are right; the others have no name that an exception could relax.
    fn relaxing(&self) -> Vec<Mistake> {
        let Some(annotated) = &self.annotations else { return Vec::new() };
        let mut mistakes = relax::check(&self.policy, annotated.id.as_str(), annotated.relaxable.is_some());
        let first_line = head(&self.source.text, self.span.0);
        mistakes.iter_mut().for_each(|mistake| mistake.span = mistake.span.or(Some(first_line)));
        mistakes
    }

    fn info(&self, compiled: bool) -> Option<PolicyInfo> {
        let annotated = self.annotations.as_ref()?;
        Some(PolicyInfo {
            id: annotated.id.clone(),
            role: match self.policy.effect() {
                ast::Effect::Permit => PolicyRole::Permit,
                ast::Effect::Forbid => PolicyRole::Forbid,
            },
            mode: annotated.mode,
            owner: annotated.owner.clone(),
            review_by: annotated.review_by,
            remedy: annotated.remedy.clone(),
            relaxable: annotated.relaxable.clone(),
            description: annotated.description.clone(),
            file: self.source.path.clone(),
            line: self.source.line(self.span.0),
            text: self.source.text.get(self.span.0..self.span.0 + self.span.1).unwrap_or_default().to_owned(),
            hash: hex::encode(Sha256::digest(self.policy.to_string())),
            compiled,
        })
    }
}

/// Over what the policies mean, sorted by id: neither the files nor their order count.
fn hash(infos: &[PolicyInfo]) -> String {
    let mut hasher = Sha256::new();
    hasher.update(hex::encode(Sha256::digest(crate::SCHEMA)));
    for info in infos {
        hasher.update(&info.hash);
    }
    hex::encode(hasher.finalize())
}
