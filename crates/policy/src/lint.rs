//! What is allowed in a policy set and probably not meant: policies that can never matter, conditions that decide nothing,
//! reviews that are overdue, names that nothing has. Mistakes that keep a set from loading are `load.rs`'s; here they
//! become findings like the others.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use cedar_policy_core::ast::{
    self, ActionConstraint, BinaryOp, EntityReference, EntityUID, Expr, ExprKind, Literal,
    PrincipalOrResourceConstraint as Scope,
};
use countersign_model::{PolicyRole, Timestamp};

use crate::cedar::PRODUCT;
use crate::compile::{Compiler, Environment};
use crate::conditions::{Node, Shape};
use crate::diagnostics::{Diagnostic, Severity, SourceFile};
use crate::evaluate::Code;
use crate::facts::ProductLayout;
use crate::load::environments;
use crate::set::{Mode, PolicyInfo, PolicySet};
use crate::symbols::Symbols;

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Finding {
    pub file: PathBuf,
    /// From 1; 0 for the whole file.
    pub line: usize,
    pub severity: Severity,
    /// One of [`RULES`].
    pub rule: &'static str,
    pub message: String,
    pub help: Option<String>,
}

/// Every rule, and what it finds.
pub const RULES: [(&str, &str); 13] = [
    ("invalid", "the set does not load"),
    ("missing-annotation", "a policy without @id, @owner or @review_by, or a forbid without @remedy"),
    ("never-applies", "no request of the schema can ever satisfy the policy"),
    ("validator", "what else Cedar's validator warns of"),
    ("duplicate-policy", "two policies say the same"),
    ("duplicate-condition", "one condition stands twice in a chain of && or ||"),
    ("unreachable", "a permit that a forbid of the same or wider scope and condition always overrides"),
    ("shadowed", "a policy that adds nothing to a wider one of the same effect"),
    ("always-true", "a condition that is true for every request that the policy applies to"),
    ("always-false", "a condition that is false for every request that the policy applies to"),
    ("review-overdue", "@review_by has passed"),
    ("observed", "a policy in observe mode, which enforces nothing"),
    ("unknown-entity", "a group, resource, segment, subject or zone that the configuration does not have"),
];

/// The names that a configuration has; policies may have been written before what they speak about is there.
#[derive(Clone, Debug, Default)]
pub struct KnownNames {
    /// By Cedar's entity type (`Group`, `Resource`, `Segment`, `Human`, …), and `Zone`.
    pub names: BTreeMap<&'static str, BTreeSet<String>>,
}

/// Sorted by place. `as_of` is the day that reviews are held against.
pub fn lint(files: Vec<SourceFile>, as_of: Timestamp, known: Option<&KnownNames>) -> Vec<Finding> {
    let symbols = Arc::new(Symbols::default());
    let mut found = match PolicySet::load(files, &symbols) {
        Ok(set) => Lint { set: &set, found: Vec::new() }.run(as_of, known),
        Err(mistakes) => mistakes.iter().map(of_diagnostic).collect(),
    };
    found.sort();
    found.dedup();
    found
}

fn of_diagnostic(diagnostic: &Diagnostic) -> Finding {
    let message = &diagnostic.message;
    let rule = match diagnostic.severity {
        Severity::Error if message.starts_with("this policy has no @") => "missing-annotation",
        Severity::Error => "invalid",
        Severity::Warning if message.contains("impossible") => "never-applies",
        Severity::Warning => "validator",
    };
    Finding {
        file: diagnostic.file.clone(),
        line: diagnostic.line,
        severity: diagnostic.severity,
        rule,
        message: message.clone(),
        help: diagnostic.help.clone(),
    }
}

struct Lint<'s> {
    set: &'s PolicySet,
    found: Vec<Finding>,
}

/// A policy with what the comparison of two needs.
struct Subject<'s> {
    policy: &'s ast::Policy,
    info: &'s PolicyInfo,
    root: Option<Node<'s>>,
    /// The kinds of request that its scope admits.
    applies: Vec<&'s Environment>,
    /// What has to hold all together, as text, without what always holds.
    conjuncts: BTreeSet<String>,
}

impl Lint<'_> {
    fn run(mut self, as_of: Timestamp, known: Option<&KnownNames>) -> Vec<Finding> {
        self.found.extend(self.set.warnings.iter().map(of_diagnostic));
        let environments = PRODUCT.as_ref().map_err(Clone::clone).and_then(environments).unwrap_or_default();
        let mut subjects = Vec::new();
        for (policy, info) in self.set.policies.iter().zip(&self.set.infos) {
            let applies: Vec<_> = environments.iter().filter(|environment| applies(policy, environment)).collect();
            let mut subject = Subject {
                policy,
                info,
                root: policy.non_scope_constraints().map(Node::of),
                applies,
                conjuncts: BTreeSet::new(),
            };
            let conjuncts = subject.root.iter().flat_map(Node::conjuncts);
            let telling = conjuncts.filter(|node| self.constant(&subject.applies, node.expression) != Some(true));
            subject.conjuncts = telling.map(|node| node.expression.to_string()).collect();
            subjects.push(subject);
        }
        for subject in &subjects {
            // What no request satisfies has been said already, and says everything.
            let impossible = self.set.warnings.iter().any(|warning| {
                warning.file == subject.info.file
                    && of_diagnostic(warning).rule == "never-applies"
                    && warning.line == subject.info.line
            });
            if let (Some(root), false) = (&subject.root, impossible) {
                self.conditions(subject, root);
            }
            if subject.info.review_by <= as_of {
                let day = subject.info.review_by.to_string();
                let message = format!("its review was due on {}", day.get(..10).unwrap_or(&day));
                let help = format!("{} looks at it again and sets @review_by anew", subject.info.owner);
                self.say(subject.info, subject.info.line, "review-overdue", message, Some(help));
            }
            if subject.info.mode == Mode::Observe {
                let help = Some("take @mode away once what it would change is what it should".to_owned());
                let message = "is in observe mode: it enforces nothing".to_owned();
                self.say(subject.info, subject.info.line, "observed", message, help);
            }
            if let Some(known) = known {
                self.names(subject, known);
            }
            if !impossible {
                self.compare(subject, &subjects);
            }
        }
        self.found
    }

    fn say(&mut self, info: &PolicyInfo, line: usize, rule: &'static str, message: String, help: Option<String>) {
        let message = format!("{}: {message}", info.id);
        self.found.push(Finding { file: info.file.clone(), line, severity: Severity::Warning, rule, message, help });
    }

    /// What a condition is in every environment, if it folds to a constant in all of them.
    fn constant(&self, applies: &[&Environment], expression: &Expr) -> Option<bool> {
        let mut constant = None;
        for environment in applies {
            let symbols = &self.set.symbols;
            let code = Compiler { environment, symbols, layout: &mut ProductLayout }.compile(expression);
            let here = match code.ok()? {
                Code::TRUE => true,
                Code::FALSE => false,
                _ => return None,
            };
            if constant.replace(here).is_some_and(|before| before != here) {
                return None;
            }
        }
        constant
    }

    /// The outermost of those that decide nothing.
    fn conditions(&mut self, subject: &Subject<'_>, node: &Node<'_>) {
        let (line, text) = node.place();
        let constant = self.constant(&subject.applies, node.expression).or_else(|| contradiction(node));
        if let Some(truth) = constant {
            let (rule, word) = if truth { ("always-true", "true") } else { ("always-false", "false") };
            let message = format!("`{text}` is {word} for every request that the policy applies to");
            return self.say(subject.info, line, rule, message, None);
        }
        if let Shape::All(parts) | Shape::Any(parts) = &node.shape {
            let mut seen = BTreeSet::new();
            for part in parts {
                if !seen.insert(part.expression.to_string()) {
                    let (line, text) = part.place();
                    let message = format!("`{text}` stands here twice");
                    self.say(subject.info, line, "duplicate-condition", message, None);
                }
            }
        }
        for part in node.parts() {
            self.conditions(subject, part);
        }
    }

    fn compare(&mut self, subject: &Subject<'_>, all: &[Subject<'_>]) {
        // One that enforces nothing takes nothing from one that does.
        let counts = |other: &Subject<'_>| other.info.mode <= subject.info.mode && other.info.id != subject.info.id;
        for other in all.iter().filter(|other| counts(other) && other.covers(subject)) {
            let place = format!("{} ({}:{})", other.info.id, other.info.file.display(), other.info.line);
            match (subject.info.role, other.info.role) {
                (PolicyRole::Permit, PolicyRole::Forbid) => {
                    let message = format!("{place} forbids everything that this permits");
                    self.say(subject.info, subject.info.line, "unreachable", message, None);
                }
                (PolicyRole::Forbid, PolicyRole::Permit) => {}
                _ if subject.info.mode == other.info.mode && subject.covers(other) => {
                    if other.info.id < subject.info.id {
                        let message = format!("says the same as {place}");
                        self.say(subject.info, subject.info.line, "duplicate-policy", message, None);
                    }
                }
                _ => {
                    let message = format!("adds nothing to {place}, which is wider");
                    self.say(subject.info, subject.info.line, "shadowed", message, None);
                }
            }
        }
    }

    fn names(&mut self, subject: &Subject<'_>, known: &KnownNames) {
        let whole = subject.policy.condition();
        let mut missing = BTreeSet::new();
        let mut look = |kind: &str, name: &str, expression: &Expr| {
            if known.names.get(kind).is_some_and(|names| !names.contains(name)) {
                // What stands in the scope has no place of its own.
                let line = expression.source_loc().map_or(subject.info.line, |_| Node::of(expression).place().0);
                missing.insert((line.max(subject.info.line), kind.to_owned(), name.to_owned()));
            }
        };
        for part in whole.subexpressions() {
            match part.expr_kind() {
                ExprKind::Lit(Literal::EntityUID(uid)) => {
                    look(&uid.entity_type().to_string(), AsRef::<str>::as_ref(uid.eid()), part);
                }
                ExprKind::BinaryApp {
                    op: BinaryOp::Contains | BinaryOp::ContainsAll | BinaryOp::ContainsAny,
                    arg1,
                    arg2,
                } if crate::compile::path(arg1).is_some_and(|(_, path)| path == ["network", "zones"]) => {
                    for literal in arg2.subexpressions() {
                        if let ExprKind::Lit(Literal::String(name)) = literal.expr_kind() {
                            look("Zone", name, literal);
                        }
                    }
                }
                _ => {}
            }
        }
        for (line, kind, name) in missing {
            let message = format!("the configuration has no {} {name:?}", kind.to_lowercase());
            self.say(subject.info, line, "unknown-entity", message, None);
        }
    }
}

impl Subject<'_> {
    /// Whether this one holds wherever `other` does, as far as can be read off: its scope is as wide, and it asks for
    /// nothing that `other` does not ask for.
    fn covers(&self, other: &Self) -> bool {
        let scopes = [
            (
                self.policy.principal_constraint().as_inner().clone(),
                other.policy.principal_constraint().as_inner().clone(),
            ),
            (
                self.policy.resource_constraint().as_inner().clone(),
                other.policy.resource_constraint().as_inner().clone(),
            ),
        ];
        let requests = |subject: &Self| -> BTreeSet<_> {
            let of = |environment: &&Environment| (environment.principal.to_string(), environment.action.to_string());
            subject.applies.iter().map(of).collect()
        };
        requests(self).is_superset(&requests(other))
            && scopes.iter().all(|(wide, narrow)| wider(wide, narrow))
            && self.conjuncts.is_subset(&other.conjuncts)
    }
}

/// Types are compared by the environments that they leave; what is left is which entity is named.
fn wider(wide: &Scope, narrow: &Scope) -> bool {
    fn entity(reference: &EntityReference) -> Option<&EntityUID> {
        match reference {
            EntityReference::EUID(uid) => Some(uid),
            EntityReference::Slot(_) => None,
        }
    }
    match (wide, narrow) {
        (Scope::Any | Scope::Is(_), _) => true,
        (Scope::In(a) | Scope::IsIn(_, a), Scope::In(b) | Scope::IsIn(_, b) | Scope::Eq(b)) => entity(a) == entity(b),
        (Scope::Eq(a), Scope::Eq(b)) => entity(a) == entity(b),
        _ => false,
    }
}

fn applies(policy: &ast::Policy, environment: &Environment) -> bool {
    let kind = |scope: &Scope, kind: &ast::EntityType| match scope {
        Scope::Any | Scope::In(_) => true,
        Scope::Is(wanted) | Scope::IsIn(wanted, _) => **wanted == *kind,
        Scope::Eq(EntityReference::EUID(uid)) => uid.entity_type() == kind,
        Scope::Eq(EntityReference::Slot(_)) => false,
    };
    let acts = match policy.action_constraint() {
        ActionConstraint::Any => true,
        ActionConstraint::Eq(action) => environment.action == **action,
        ActionConstraint::In(groups) => groups.iter().any(|group| environment.action_within(group)),
        #[expect(unreachable_patterns, reason = "another crate may switch on Cedar's error nodes")]
        _ => true,
    };
    acts && kind(policy.principal_constraint().as_inner(), &environment.principal)
        && kind(policy.resource_constraint().as_inner(), &environment.resource)
}

/// `a == "x" && a == "y"`, `p && !p`, `p || !p`.
fn contradiction(node: &Node<'_>) -> Option<bool> {
    let (parts, truth) = match &node.shape {
        Shape::All(parts) => (parts, false),
        Shape::Any(parts) => (parts, true),
        _ => return None,
    };
    let texts: BTreeSet<String> = parts.iter().map(|part| part.expression.to_string()).collect();
    let negated = parts.iter().any(|part| match &part.shape {
        Shape::Not(inner) => texts.contains(&inner.expression.to_string()),
        _ => false,
    });
    let mut equal: BTreeMap<String, String> = BTreeMap::new();
    let differs = !truth
        && parts.iter().any(|part| {
            let ExprKind::BinaryApp { op: BinaryOp::Eq, arg1, arg2 } = part.expression.expr_kind() else {
                return false;
            };
            let (of, literal) = match (arg1.expr_kind(), arg2.expr_kind()) {
                (ExprKind::Lit(_), ExprKind::Lit(_)) => return false,
                (ExprKind::Lit(_), _) => (arg2, arg1),
                (_, ExprKind::Lit(_)) => (arg1, arg2),
                _ => return false,
            };
            equal.insert(of.to_string(), literal.to_string()).is_some_and(|before| before != literal.to_string())
        });
    (negated || differs).then_some(truth)
}
