//! What can be read off a policy without running it: the facts it looks at, how time alone can change its answer, which
//! zones and groups it names, and words that no resource can ever have (a misspelt tier makes a policy that never
//! applies, silently).

use std::collections::BTreeSet;

use cedar_policy_core::ast::{self, BinaryOp, Expr, ExprKind, Literal};
use countersign_model::{ActionClass, AuthenticationMethod, ResourceKind, Tier, Timestamp, ZoneName};

use crate::compile::{path, root};
use crate::facts::Fact;
use crate::set::TimeDependence;
use crate::symbols::{Symbol, Symbols};
use crate::value::{Constant, intern};

#[derive(Debug, Default)]
pub(crate) struct Analysis {
    /// In the order of the text.
    pub(crate) reads: Vec<Fact>,
    pub(crate) zones: BTreeSet<ZoneName>,
    /// Groups that a permit names.
    pub(crate) groups: BTreeSet<Symbol>,
    pub(crate) mistakes: Vec<Mistake>,
    ages: BTreeSet<u64>,
    instants: BTreeSet<Timestamp>,
    hours: bool,
    continuous: bool,
}

#[derive(Debug)]
pub(crate) struct Mistake {
    pub(crate) message: String,
    pub(crate) help: Option<String>,
    pub(crate) span: Option<(usize, usize)>,
}

impl Analysis {
    pub(crate) fn of(policy: &ast::Policy, symbols: &Symbols) -> Self {
        let mut analysis = Self::default();
        if let Some(condition) = policy.non_scope_constraints() {
            analysis.look(condition, symbols);
        }
        if policy.effect() == ast::Effect::Permit {
            let named = policy.condition();
            for part in named.subexpressions() {
                if let ExprKind::Lit(Literal::EntityUID(uid)) = part.expr_kind()
                    && uid.entity_type().to_string() == "Group"
                {
                    analysis.groups.insert(intern(symbols, uid));
                }
            }
        }
        analysis
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.zones.extend(other.zones.iter().cloned());
        self.groups.extend(&other.groups);
        self.ages.extend(&other.ages);
        self.instants.extend(&other.instants);
        self.hours |= other.hours;
        self.continuous |= other.continuous;
    }

    pub(crate) fn time(&self) -> TimeDependence {
        TimeDependence {
            ages: self.ages.iter().copied().collect(),
            instants: self.instants.iter().copied().collect(),
            hours: self.hours,
            continuous: self.continuous,
        }
    }

    fn look(&mut self, expression: &Expr, symbols: &Symbols) {
        match expression.expr_kind() {
            ExprKind::BinaryApp { op, arg1, arg2 } => {
                let timed = self.compare(*op, arg1, arg2, symbols);
                self.words(*op, arg1, arg2);
                for side in [arg1, arg2] {
                    match fact(side) {
                        Some(fact) if timed => self.read(fact),
                        _ => self.look(side, symbols),
                    }
                }
            }
            ExprKind::GetAttr { expr, .. } => match fact(expression) {
                Some(fact) => {
                    // Not compared with a literal: computed with, and nobody can say when that changes.
                    self.continuous |= matches!(fact, Fact::AuthenticationAge | Fact::PostureAge | Fact::Now);
                    self.read(fact);
                }
                None => self.look(expr, symbols),
            },
            ExprKind::HasAttr { expr, attr } => match path(expr) {
                Some((var, mut attributes)) => {
                    attributes.push(attr.as_str());
                    if let Some(fact) = root(var).and_then(|root| Fact::at(root, &attributes)) {
                        self.read(fact);
                    }
                }
                None => self.look(expr, symbols),
            },
            ExprKind::ExtHasAttr { expr, attrs } => {
                let Some((var, mut attributes)) = path(expr) else { return self.look(expr, symbols) };
                for attribute in attrs.iter() {
                    attributes.push(attribute.as_str());
                    if let Some(fact) = root(var).and_then(|root| Fact::at(root, &attributes)) {
                        self.read(fact);
                    }
                }
            }
            ExprKind::If { test_expr, then_expr, else_expr } => {
                for part in [test_expr, then_expr, else_expr] {
                    self.look(part, symbols);
                }
            }
            ExprKind::And { left, right } | ExprKind::Or { left, right } => {
                self.look(left, symbols);
                self.look(right, symbols);
            }
            ExprKind::UnaryApp { arg, .. } => self.look(arg, symbols),
            ExprKind::ExtensionFunctionApp { args, .. } => args.iter().for_each(|part| self.look(part, symbols)),
            ExprKind::Set(parts) => parts.iter().for_each(|part| self.look(part, symbols)),
            ExprKind::Record(parts) => parts.values().for_each(|part| self.look(part, symbols)),
            ExprKind::Like { expr, .. } | ExprKind::Is { expr, .. } => self.look(expr, symbols),
            _ => {}
        }
    }

    fn read(&mut self, fact: Fact) {
        self.hours |= matches!(fact, Fact::Hour | Fact::Weekday);
        if !self.reads.contains(&fact) {
            self.reads.push(fact);
        }
    }

    /// An age or the time compared with a literal changes its answer at a known moment. Whether it was that.
    fn compare(&mut self, operator: BinaryOp, left: &Expr, right: &Expr, symbols: &Symbols) -> bool {
        // From which value on `fact` gives another answer than the value below it.
        let (fact, literal, mirrored) = match (fact(left), fact(right)) {
            (Some(fact), _) => (fact, right, false),
            (None, Some(fact)) => (fact, left, true),
            (None, None) => return false,
        };
        let after: &[i64] = match (operator, mirrored) {
            (BinaryOp::Less, false) | (BinaryOp::LessEq, true) => &[0],
            (BinaryOp::LessEq, false) | (BinaryOp::Less, true) => &[1],
            (BinaryOp::Eq, _) => &[0, 1],
            _ => return false,
        };
        match (fact, literal.expr_kind()) {
            (Fact::AuthenticationAge | Fact::PostureAge, ExprKind::Lit(Literal::Long(age))) => {
                self.ages.extend(after.iter().filter_map(|more| u64::try_from(age.saturating_add(*more)).ok()));
                true
            }
            (Fact::Now, ExprKind::ExtensionFunctionApp { .. }) => match constant(literal, symbols) {
                Some(Constant::Instant(at)) => {
                    self.instants.extend(after.iter().map(|more| Timestamp::from_millis(at.saturating_add(*more))));
                    true
                }
                _ => false,
            },
            _ => false,
        }
    }

    /// Words compared with a fact that has only a few.
    fn words(&mut self, operator: BinaryOp, left: &Expr, right: &Expr) {
        let sides = match (operator, fact(left), fact(right)) {
            (BinaryOp::Eq, Some(fact), _)
            | (BinaryOp::Contains | BinaryOp::ContainsAll | BinaryOp::ContainsAny, Some(fact), _) => {
                Some((fact, right))
            }
            (BinaryOp::Eq | BinaryOp::Contains, None, Some(fact)) => Some((fact, left)),
            _ => None,
        };
        let Some((fact, literals)) = sides else { return };
        let single = std::slice::from_ref(literals);
        let literals = if let ExprKind::Set(literals) = literals.expr_kind() { literals.as_slice() } else { single };
        let (what, words): (_, Vec<&str>) = match fact {
            Fact::Tier => ("tier", Tier::ALL.iter().map(|tier| tier.name()).collect()),
            Fact::ResourceKind => ("kind of resource", ResourceKind::ALL.iter().map(|kind| kind.name()).collect()),
            Fact::Methods => {
                ("authentication method", AuthenticationMethod::ALL.iter().map(|method| method.name()).collect())
            }
            Fact::GrantClass => ("class of action", ActionClass::ALL.iter().map(|class| class.name()).collect()),
            Fact::Zones => {
                let names = literals.iter().filter_map(text).filter_map(|text| ZoneName::new(text).ok());
                self.zones.extend(names);
                return;
            }
            _ => return,
        };
        for literal in literals {
            if let Some(text) = text(literal)
                && !words.contains(&text)
            {
                self.mistakes.push(Mistake {
                    message: format!("there is no {what} {text:?}"),
                    help: Some(format!("there are {}", words.join(", "))),
                    span: literal.source_loc().map(|loc| (loc.start(), loc.end().saturating_sub(loc.start()))),
                });
            }
        }
    }
}

/// How deeply an expression is nested. By a list instead of recursion: it is asked so that recursion is safe later.
pub(crate) fn depth(expression: &Expr) -> usize {
    let mut deepest = 0;
    let mut open = vec![(expression, 1)];
    while let Some((expression, depth)) = open.pop() {
        deepest = deepest.max(depth);
        let mut inside = |part| open.push((part, depth + 1));
        match expression.expr_kind() {
            ExprKind::If { test_expr, then_expr, else_expr } => {
                [test_expr, then_expr, else_expr].into_iter().for_each(|part| inside(part));
            }
            ExprKind::And { left, right } | ExprKind::Or { left, right } => {
                inside(left);
                inside(right);
            }
            ExprKind::BinaryApp { arg1, arg2, .. } => {
                inside(arg1);
                inside(arg2);
            }
            ExprKind::UnaryApp { arg, .. } => inside(arg),
            ExprKind::ExtensionFunctionApp { args, .. } => args.iter().for_each(inside),
            ExprKind::Set(parts) => parts.iter().for_each(inside),
            ExprKind::Record(parts) => parts.values().for_each(inside),
            ExprKind::GetAttr { expr, .. }
            | ExprKind::HasAttr { expr, .. }
            | ExprKind::ExtHasAttr { expr, .. }
            | ExprKind::Like { expr, .. }
            | ExprKind::Is { expr, .. } => inside(expr),
            _ => {}
        }
    }
    deepest
}

pub(crate) fn fact(expression: &Expr) -> Option<Fact> {
    let (var, attributes) = path(expression)?;
    root(var).and_then(|root| Fact::at(root, &attributes))
}

fn text(expression: &Expr) -> Option<&str> {
    if let ExprKind::Lit(Literal::String(text)) = expression.expr_kind() { Some(text) } else { None }
}

pub(crate) fn constant(expression: &Expr, symbols: &Symbols) -> Option<Constant> {
    let restricted = ast::BorrowedRestrictedExpr::new(expression).ok()?;
    let extensions = cedar_policy_core::extensions::Extensions::all_available();
    let value = cedar_policy_core::evaluator::RestrictedEvaluator::new(extensions).interpret(restricted).ok()?;
    Constant::from_cedar(&value, symbols)
}
