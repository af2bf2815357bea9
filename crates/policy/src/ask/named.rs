//! What the text of the policies tells apart: the subjects and groups that they name, and where, and the values at which
//! a number that they look at begins to count differently.

use std::collections::{BTreeSet, HashMap, HashSet};

use cedar_policy_core::ast::{self, BinaryOp, EntityReference, Expr, ExprKind, Literal, PrincipalOrResourceConstraint};
use countersign_model::PolicyRole;

use super::Of;
use crate::analysis::{constant, fact};
use crate::facts::Fact;
use crate::set::{Mode, PolicyInfo, PolicySet};
use crate::symbols::{Symbol, Symbols};
use crate::value::{AddressRange, Constant, intern};

/// The subjects and groups that policies name.
#[derive(Debug, Default)]
pub(crate) struct Named {
    /// By a policy that may apply to any resource.
    pub(super) anywhere: HashSet<Symbol>,
    /// By a policy whose scope is this resource, or this segment.
    pub(super) at: HashMap<Symbol, Vec<Symbol>>,
}

impl PolicySet {
    pub(crate) fn named(&self) -> &Named {
        self.named.get_or_init(|| Named::of(self))
    }
}

impl Named {
    /// Of a resource and its segment.
    pub(crate) fn about(&self, resource: Symbol, segment: Option<Symbol>) -> impl Iterator<Item = Symbol> {
        let at = [Some(resource), segment].into_iter().flatten().filter_map(|place| self.at.get(&place)).flatten();
        self.anywhere.iter().chain(at).copied()
    }

    pub(super) fn of(set: &PolicySet) -> Self {
        let mut named = Self::default();
        for policy in set.cedar().policies() {
            let place = scope(policy.resource_constraint().as_inner(), &set.symbols);
            for part in policy.condition().subexpressions() {
                let ExprKind::Lit(Literal::EntityUID(uid)) = part.expr_kind() else { continue };
                if !matches!(uid.entity_type().to_string().as_str(), "Group" | "Human" | "Service" | "Agent") {
                    continue;
                }
                let symbol = intern(&set.symbols, uid);
                match place {
                    None => {
                        named.anywhere.insert(symbol);
                    }
                    Some(place) => named.at.entry(place).or_default().push(symbol),
                }
            }
        }
        for symbols in named.at.values_mut() {
            symbols.sort_unstable();
            symbols.dedup();
        }
        named
    }
}

/// The one entity that the scope needs; `None` where it takes any.
fn scope(constraint: &PrincipalOrResourceConstraint, symbols: &Symbols) -> Option<Symbol> {
    match constraint {
        PrincipalOrResourceConstraint::Eq(EntityReference::EUID(uid))
        | PrincipalOrResourceConstraint::In(EntityReference::EUID(uid))
        | PrincipalOrResourceConstraint::IsIn(_, EntityReference::EUID(uid)) => Some(intern(symbols, uid)),
        _ => None,
    }
}

fn is_context(expression: &Expr) -> bool {
    matches!(expression.expr_kind(), ExprKind::Var(ast::Var::Context))
}

/// Whether a policy does more with a record than look at one of its attributes.
fn whole(policy: &ast::Policy, is: impl Fn(&Expr) -> bool) -> bool {
    let condition = policy.condition();
    let (mut there, mut looked_into) = (0_usize, 0_usize);
    for part in condition.subexpressions() {
        there += usize::from(is(part));
        looked_into += match part.expr_kind() {
            ExprKind::GetAttr { expr, .. } | ExprKind::HasAttr { expr, .. } => usize::from(is(expr)),
            // `context has device.managed` looks into both records; the inner one is in no expression of its own.
            ExprKind::ExtHasAttr { expr, .. } => usize::from(is(expr)),
            _ => 0,
        };
    }
    there != looked_into
}

fn long(expression: &Expr) -> Option<i64> {
    if let ExprKind::Lit(Literal::Long(number)) = expression.expr_kind() { Some(*number) } else { None }
}

/// The policies that a question is about.
#[derive(Debug)]
pub(super) struct Part<'s> {
    pub(super) set: &'s PolicySet,
    pub(super) of: Of,
}

impl Part<'_> {
    fn policies(&self) -> impl Iterator<Item = (&ast::Policy, &PolicyInfo, &[Fact])> {
        let all = self.set.policies.iter().zip(&self.set.infos).zip(&self.set.reads);
        let counts = |role| match self.of {
            Of::All => true,
            Of::Permits => role == PolicyRole::Permit,
        };
        all.filter(move |((_, info), _)| info.mode == Mode::Enforce && counts(info.role))
            .map(|((policy, info), reads)| (policy, info, reads.as_slice()))
    }

    /// Whether one of them looks at one of `facts`. Of one that takes the circumstances as a whole nobody knows, so it may.
    pub(super) fn may_read(&self, facts: &[Fact]) -> bool {
        self.policies()
            .any(|(policy, _, reads)| facts.iter().any(|fact| reads.contains(fact)) || whole(policy, is_context))
    }

    /// The values of a fact from which on they may answer differently than below; `None` where one of them does more with
    /// it than compare it with numbers, so that any value may matter.
    pub(super) fn cuts(&self, wanted: Fact) -> Option<BTreeSet<i64>> {
        let holder = match wanted {
            Fact::AuthenticationAge => Some(Fact::Authentication),
            Fact::PostureAge => Some(Fact::Device),
            Fact::Hour | Fact::Weekday => Some(Fact::Time),
            _ => None,
        };
        let held = |part: &Expr| is_context(part) || (holder.is_some() && fact(part) == holder);
        if self.policies().any(|(policy, ..)| whole(policy, held)) {
            return None;
        }
        let mut cuts = BTreeSet::new();
        let (mut read, mut compared) = (0, 0);
        let mut cut = |number: i64| {
            cuts.insert(number);
            cuts.insert(number.saturating_add(1));
        };
        for (policy, ..) in self.policies() {
            for part in policy.condition().subexpressions() {
                match part.expr_kind() {
                    ExprKind::GetAttr { .. } if fact(part) == Some(wanted) => read += 1,
                    ExprKind::BinaryApp { op: BinaryOp::Less | BinaryOp::LessEq | BinaryOp::Eq, arg1, arg2 } => {
                        for (side, other) in [(arg1, arg2), (arg2, arg1)] {
                            if let (Some(found), Some(number)) = (fact(side), long(other))
                                && found == wanted
                            {
                                compared += 1;
                                cut(number);
                            }
                        }
                    }
                    ExprKind::BinaryApp { op: BinaryOp::Contains, arg1, arg2 } if fact(arg2) == Some(wanted) => {
                        let ExprKind::Set(elements) = arg1.expr_kind() else { continue };
                        if let Some(numbers) = elements.iter().map(long).collect::<Option<Vec<_>>>() {
                            compared += 1;
                            numbers.into_iter().for_each(&mut cut);
                        }
                    }
                    _ => {}
                }
            }
        }
        (read == compared).then_some(cuts)
    }

    /// The networks that they write out.
    pub(super) fn networks(&self) -> Vec<AddressRange> {
        let mut found: Vec<AddressRange> = Vec::new();
        for (policy, ..) in self.policies() {
            for part in policy.condition().subexpressions() {
                if let ExprKind::ExtensionFunctionApp { fn_name, .. } = part.expr_kind()
                    && fn_name.to_string() == "ip"
                    && let Some(Constant::Address(range)) = constant(part, &self.set.symbols)
                    && !found.contains(&range)
                {
                    found.push(range);
                }
            }
        }
        found
    }
}
