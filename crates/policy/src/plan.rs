//! The plan for one kind of request: which policies can apply at all, found by the entities that their scopes name, and
//! their compiled conditions. A plan knows nothing of decisions: it says, policy by policy, whether it is satisfied.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use cedar_policy_core::ast::{self, ActionConstraint, EntityReference, ExprKind, PrincipalOrResourceConstraint, Var};

use crate::compile::{Compiler, Environment};
use crate::evaluate::Code;
use crate::facts::{Facts, Layout};
use crate::reduce::Open;
use crate::symbols::{Symbol, Symbols};
use crate::value::{Uncovered, intern};

/// A policy by its place in the set.
pub(crate) type Number = u32;

#[derive(Debug, Default)]
pub(crate) struct Plan {
    steps: Vec<Step>,
    /// Steps whose scope names no entity.
    everywhere: Vec<u32>,
    by_principal: Index,
    by_resource: Index,
}

type Index = HashMap<Symbol, Vec<u32>, BuildHasherDefault<SymbolHasher>>;

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Step {
    policy: Number,
    principal: Scope,
    resource: Scope,
    condition: Condition,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Scope {
    Any,
    Is(Symbol),
    In(Symbol),
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Condition {
    Always,
    Code(Arc<Code>),
    /// Not compiled: Cedar's evaluator decides.
    Cedar,
}

impl Condition {
    /// [`Uncovered`] where only Cedar's evaluator can tell.
    pub(crate) fn holds<'a>(&'a self, facts: &impl Facts<'a>) -> Result<bool, Uncovered> {
        match self {
            Self::Always => Ok(true),
            Self::Code(code) => code.test(facts),
            Self::Cedar => Err(Uncovered),
        }
    }
}

/// Symbols are dense small numbers: one multiplication spreads them well enough, and nobody outside chooses them.
#[derive(Debug, Default)]
pub(crate) struct SymbolHasher(u64);

impl Hasher for SymbolHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u32(u32::from(*byte));
        }
    }
    fn write_u32(&mut self, number: u32) {
        self.0 = (self.0.rotate_left(5) ^ u64::from(number)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

/// Conditions already compiled. Those that do not mention the action are the same for every action.
#[derive(Debug, Default)]
pub(crate) struct Compiled(HashMap<(Number, ast::EntityType, ast::EntityType, Option<ast::EntityUID>), Condition>);

impl Plan {
    /// `policies` are those that count, by number; what cannot apply to `environment` is left out.
    pub(crate) fn build<'p>(
        policies: impl IntoIterator<Item = (Number, &'p ast::Policy)>,
        environment: &Environment,
        symbols: &Symbols,
        layout: &mut impl Layout,
        compiled: &mut Compiled,
    ) -> Self {
        let mut plan = Self::default();
        for (number, policy) in policies {
            let acts = match policy.action_constraint() {
                ActionConstraint::Any => true,
                ActionConstraint::Eq(action) => environment.action == **action,
                ActionConstraint::In(groups) => groups.iter().any(|group| environment.action_within(group)),
                #[expect(unreachable_patterns, reason = "another crate may switch on Cedar's error nodes")]
                _ => true,
            };
            let principal = scope(policy.principal_constraint().as_inner(), &environment.principal, symbols);
            let resource = scope(policy.resource_constraint().as_inner(), &environment.resource, symbols);
            let (true, Some(principal), Some(resource)) = (acts, principal, resource) else { continue };
            let condition = compiled.condition(policy, number, environment, symbols, layout);
            plan.push(Step { policy: number, principal, resource, condition });
        }
        plan
    }

    fn push(&mut self, step: Step) {
        let at = u32::try_from(self.steps.len()).unwrap_or(u32::MAX);
        match (step.principal, step.resource) {
            (_, Scope::Is(entity)) => self.by_resource.entry(entity).or_default().push(at),
            (Scope::Is(entity) | Scope::In(entity), _) => self.by_principal.entry(entity).or_default().push(at),
            (Scope::Any, Scope::In(entity)) => self.by_resource.entry(entity).or_default().push(at),
            (Scope::Any, Scope::Any) => self.everywhere.push(at),
        }
        self.steps.push(step);
    }

    /// What is left of it at the resource of `facts`, of the policies that `counts`: it stands for the whole plan there,
    /// for whoever asks.
    pub(crate) fn narrowed<'a>(&'a self, facts: &impl Facts<'a>, open: Open, counts: impl Fn(Number) -> bool) -> Self {
        let mut plan = Self::default();
        for step in self.steps.iter().filter(|step| counts(step.policy) && step.resource.has_resource(facts)) {
            let condition = match &step.condition {
                Condition::Code(code) => match code.reduce(facts, open) {
                    Code::FALSE => continue,
                    Code::TRUE => Condition::Always,
                    left => Condition::Code(Arc::new(left)),
                },
                whole => whole.clone(),
            };
            plan.push(Step { resource: Scope::Any, condition, ..*step });
        }
        plan
    }

    pub(crate) fn steps(&self) -> &[Step] {
        &self.steps
    }

    pub(crate) fn conditions(&self) -> impl Iterator<Item = &Condition> {
        self.steps.iter().map(|step| &step.condition)
    }

    /// Calls `each` for every policy whose scope holds.
    pub(crate) fn applicable<'a>(&'a self, facts: &impl Facts<'a>, mut each: impl FnMut(Number, &'a Condition)) {
        let mut visit = |steps: &[u32]| {
            for step in steps.iter().filter_map(|step| self.steps.get(*step as usize)) {
                if step.principal.has_principal(facts) && step.resource.has_resource(facts) {
                    each(step.policy, &step.condition);
                }
            }
        };
        visit(&self.everywhere);
        for (index, entity, ancestors) in [
            (&self.by_principal, facts.principal(), facts.principal_ancestors()),
            (&self.by_resource, facts.resource(), facts.resource_ancestors()),
        ] {
            if index.is_empty() {
                continue;
            }
            for entity in std::iter::once(&entity).chain(ancestors) {
                if let Some(steps) = index.get(entity) {
                    visit(steps);
                }
            }
        }
    }

    /// How many of its conditions are left to Cedar's evaluator.
    pub(crate) fn uncovered(&self) -> impl Iterator<Item = Number> + '_ {
        self.steps.iter().filter(|step| matches!(step.condition, Condition::Cedar)).map(|step| step.policy)
    }
}

impl Scope {
    fn has_principal<'a>(self, facts: &impl Facts<'a>) -> bool {
        match self {
            Self::Any => true,
            Self::Is(entity) => facts.principal() == entity,
            Self::In(entity) => facts.principal() == entity || facts.principal_within(entity),
        }
    }

    fn has_resource<'a>(self, facts: &impl Facts<'a>) -> bool {
        match self {
            Self::Any => true,
            Self::Is(entity) => facts.resource() == entity,
            Self::In(entity) => facts.resource() == entity || facts.resource_within(entity),
        }
    }
}

impl Compiled {
    fn condition(
        &mut self,
        policy: &ast::Policy,
        number: Number,
        environment: &Environment,
        symbols: &Symbols,
        layout: &mut impl Layout,
    ) -> Condition {
        let Some(expression) = policy.non_scope_constraints() else { return Condition::Always };
        let mentions_action =
            expression.subexpressions().any(|part| matches!(part.expr_kind(), ExprKind::Var(Var::Action)));
        let action = mentions_action.then(|| environment.action.clone());
        let key = (number, environment.principal.clone(), environment.resource.clone(), action);
        let compile = || match (Compiler { environment, symbols, layout }).compile(expression) {
            Ok(Code::TRUE) => Condition::Always,
            Ok(code) => Condition::Code(Arc::new(code)),
            Err(Uncovered) => Condition::Cedar,
        };
        self.0.entry(key).or_insert_with(compile).clone()
    }
}

/// `None` where no entity of this type can be in the scope.
fn scope(constraint: &PrincipalOrResourceConstraint, kind: &ast::EntityType, symbols: &Symbols) -> Option<Scope> {
    let named = |reference: &EntityReference, make: fn(Symbol) -> Scope| match reference {
        EntityReference::EUID(uid) => make(intern(symbols, uid)),
        // A template that nobody has linked applies to nothing; the set holds none.
        EntityReference::Slot(_) => Scope::Is(Symbol::UNKNOWN),
    };
    match constraint {
        PrincipalOrResourceConstraint::Any => Some(Scope::Any),
        PrincipalOrResourceConstraint::Eq(reference) => Some(named(reference, Scope::Is)),
        PrincipalOrResourceConstraint::In(reference) => Some(named(reference, Scope::In)),
        PrincipalOrResourceConstraint::Is(wanted) => (**wanted == *kind).then_some(Scope::Any),
        PrincipalOrResourceConstraint::IsIn(wanted, reference) => {
            (**wanted == *kind).then(|| named(reference, Scope::In))
        }
    }
}
