//! Guardrails: what has to hold for all possible requests, written beside the policies in Cedar. A guardrail decides
//! nothing; it describes requests, and claims something about what the policies decide on them. Here it is read and
//! checked like a policy; proving it is `countersign-prove`'s.

use std::path::PathBuf;

use cedar_policy_core::ast;
use countersign_model::{PolicyId, Timestamp};
use sha2::{Digest as _, Sha256};

use crate::analysis::Analysis;
use crate::annotations::Annotations;
use crate::cedar::PRODUCT;
use crate::diagnostics::{Diagnostic, Severity, SourceFile};
use crate::load::{Parsed, head, parse, validate};
use crate::symbols::Symbols;

/// The folder of a policy directory that guardrails are in.
pub const GUARDRAILS: &str = "guardrails";

/// Built in: no policy fails on any possible request. (A forbid that fails denies, and a permit that fails is missing.)
pub const NEVER_ERRORS: &str = "policies-never-error";

const ANNOTATIONS: [&str; 6] = ["id", "owner", "review_by", "description", "only_narrows", "equivalent_to"];

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Claim {
    /// Of no policy of the set.
    NeverErrors,
    /// A `forbid`: no request that it describes is allowed.
    NeverAllowed,
    /// A `permit`: every request that it describes is allowed.
    AlwaysAllowed,
    /// What it describes and is allowed, the policies of that directory allow too.
    OnlyNarrows(PathBuf),
    /// What it describes is allowed exactly where the policies of that directory allow it.
    EquivalentTo(PathBuf),
}

impl Claim {
    /// In one word.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::NeverErrors => "never-errors",
            Self::NeverAllowed => "never-allowed",
            Self::AlwaysAllowed => "always-allowed",
            Self::OnlyNarrows(_) => "only-narrows",
            Self::EquivalentTo(_) => "equivalent-to",
        }
    }

    /// The other policies that it compares with: relative to the policy directory.
    pub const fn other(&self) -> Option<&PathBuf> {
        match self {
            Self::OnlyNarrows(other) | Self::EquivalentTo(other) => Some(other),
            Self::NeverErrors | Self::NeverAllowed | Self::AlwaysAllowed => None,
        }
    }
}

#[derive(Clone, Debug)]
pub struct Guardrail {
    pub id: PolicyId,
    pub claim: Claim,
    /// Nobody, of what is built in.
    pub owner: String,
    /// The first instant of the day on which it is due for review.
    pub review_by: Timestamp,
    /// What it promises.
    pub description: String,
    pub file: PathBuf,
    /// From 1; 0 where it stands in no file.
    pub line: usize,
    pub text: String,
    /// SHA-256 of what it claims, in lower-case hex.
    pub hash: String,
    /// The requests that it is about, by scope and condition; its effect has done its work. `None`: all of them.
    pub describes: Option<ast::Policy>,
}

impl Guardrail {
    /// About every request, and in no file.
    pub fn about_all(id: PolicyId, claim: Claim, description: &str) -> Self {
        Self {
            hash: hash(id.as_str(), &claim, ""),
            id,
            claim,
            owner: String::new(),
            review_by: Timestamp::FOREVER,
            description: description.to_owned(),
            file: PathBuf::new(),
            line: 0,
            text: String::new(),
            describes: None,
        }
    }
}

fn hash(id: &str, claim: &Claim, describes: &str) -> String {
    let mut hasher = Sha256::new();
    let other = claim.other().map(|other| other.display().to_string()).unwrap_or_default();
    for part in [id, claim.name(), &other, describes] {
        hasher.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hasher.update(part);
    }
    hex::encode(hasher.finalize())
}

/// Over what the guardrails claim, sorted by id.
pub(crate) fn hash_of_all(guardrails: &[Guardrail]) -> String {
    let mut hasher = Sha256::new();
    for guardrail in guardrails {
        hasher.update(&guardrail.hash);
    }
    hex::encode(hasher.finalize())
}

/// Every guardrail of the files, sorted by id, the built-in one first; or mistakes, in `found`.
pub(crate) fn load(files: &[SourceFile], symbols: &Symbols, found: &mut Vec<Diagnostic>) -> Vec<Guardrail> {
    let mut all: Vec<Guardrail> = Vec::new();
    if let Ok(id) = PolicyId::new(NEVER_ERRORS) {
        let promise = "No policy fails on any possible request: a condition that cannot be computed decides nothing.";
        all.push(Guardrail::about_all(id, Claim::NeverErrors, promise));
    }
    for file in files {
        for parsed in parse(file, found) {
            // A misspelt tier would describe no request, and what is claimed about no request is proven at once.
            for mistake in Analysis::of(&parsed.policy, symbols).mistakes {
                found.push(parsed.source.diagnostic(Severity::Error, mistake.message, mistake.help, mistake.span));
            }
            if let Ok(schema) = PRODUCT.as_ref() {
                validate(&parsed.policy, &parsed.source, parsed.span, schema, found);
            }
            let Some(guardrail) = one(&parsed, found) else { continue };
            if let Some(first) = all.iter().find(|other| other.id == guardrail.id) {
                let help = match first.line {
                    0 => "that one is built in".to_owned(),
                    line => format!("the first one is at {}:{line}", first.file.display()),
                };
                let message = format!("there are two guardrails with @id {:?}", guardrail.id);
                let at = Some(head(&parsed.source.text, parsed.span.0));
                found.push(parsed.source.diagnostic(Severity::Error, message, Some(help), at));
                continue;
            }
            all.push(guardrail);
        }
    }
    // The built-in one stays at the head.
    if let Some((_, rest)) = all.split_first_mut() {
        rest.sort_by(|a, b| a.id.cmp(&b.id));
    }
    all
}

fn one(parsed: &Parsed, found: &mut Vec<Diagnostic>) -> Option<Guardrail> {
    let Parsed { policy, source, span } = parsed;
    let mut annotations = Annotations::read(policy, &ANNOTATIONS, source, head(&source.text, span.0), found);
    let id = annotations.id("@id(\"…\") names the guardrail in reports and in the ledger");
    let owner = annotations.owner("@owner(\"…\") is who answers for the guardrail");
    let review_by = annotations.review_by("@review_by(\"2027-01-31\") is when its owner has to look at it again");
    let description = annotations.required("description", "@description(\"…\") says in words what it promises");
    let compared: Vec<Claim> = [
        annotations.text("only_narrows").map(|other| Claim::OnlyNarrows(other.into())),
        annotations.text("equivalent_to").map(|other| Claim::EquivalentTo(other.into())),
    ]
    .into_iter()
    .flatten()
    .collect();
    let claim = match (compared.as_slice(), policy.effect()) {
        ([], ast::Effect::Forbid) => Claim::NeverAllowed,
        ([], ast::Effect::Permit) => Claim::AlwaysAllowed,
        ([compared], ast::Effect::Permit) => compared.clone(),
        ([_], ast::Effect::Forbid) => {
            let help = "write permit: it describes the requests that are compared";
            annotations.mistake("a comparison forbids nothing".to_owned(), Some(help), None);
            return None;
        }
        _ => {
            let help = "equivalent is narrower in both directions: keep one of them";
            annotations.mistake("a guardrail compares once".to_owned(), Some(help), None);
            return None;
        }
    };
    if claim.other().is_some_and(|other| other.as_os_str().is_empty()) {
        let help = "name the directory that it compares with, as seen from the policy directory";
        annotations.mistake("a comparison with nothing".to_owned(), Some(help), None);
        return None;
    }
    let id = id?;
    Some(Guardrail {
        hash: hash(id.as_str(), &claim, &policy.condition().to_string()),
        id,
        claim,
        owner: owner?,
        review_by: review_by?,
        description: description?.0,
        file: source.path.clone(),
        line: source.line(span.0),
        text: source.text.get(span.0..span.0 + span.1).unwrap_or_default().to_owned(),
        describes: Some(policy.clone()),
    })
}
