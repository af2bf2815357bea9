//! What an exception may relax: a forbid that says so itself. It carries `@relaxable("what has to stand in its place")`, and
//! one condition of its own, over all the others:
//!
//! ```cedar
//! unless { context has "exception" && context["exception"].relaxes.contains("the id of this policy") };
//! ```
//!
//! INVARIANT: no policy looks at exceptions in any other way. So an exception takes nothing away but this forbid, gives
//! nothing, and leaves every other policy what it was: with it is decided exactly as without the policies that it relaxes.
//! Guardrails describe requests and decide nothing: they may look.

use cedar_policy_core::ast::{self, BinaryOp, Expr, ExprKind, Literal, UnaryOp, Var};

use crate::analysis::Mistake;
use crate::compile::path;

const EXCEPTION: &str = "exception";
const RELAXES: &str = "relaxes";

/// Every way in which `policy` is not as it has to be to be relaxed, or not to be.
pub(crate) fn check(policy: &ast::Policy, id: &str, relaxable: bool) -> Vec<Mistake> {
    let form = format!("unless {{ context has \"exception\" && context[\"exception\"].relaxes.contains({id:?}) }}");
    let (own, others): (Vec<&Expr>, Vec<&Expr>) =
        policy.non_scope_constraints().map(conjuncts).unwrap_or_default().into_iter().partition(|it| is_own(it, id));
    let mut mistakes = Vec::new();
    let mut wrong = |message: &str, help: String, at: Option<&Expr>| {
        let span = at.and_then(Expr::source_loc).map(|loc| (loc.start(), loc.end().saturating_sub(loc.start())));
        mistakes.push(Mistake { message: message.to_owned(), help: Some(help), span });
    };
    if relaxable && policy.effect() == ast::Effect::Permit {
        wrong("a permit cannot be @relaxable", "an exception takes a forbid away; it permits nothing".to_owned(), None);
    }
    if relaxable && own.is_empty() {
        wrong("this policy is @relaxable and nothing relaxes it", format!("write {form}"), None);
    }
    if !relaxable && let Some(part) = own.first() {
        let help = "say @relaxable(\"what has to stand in its place\"), or leave the condition out".to_owned();
        wrong("an exception would relax this policy, which is not @relaxable", help, Some(part));
    }
    for part in others {
        match peeks(part) {
            Some(Peek::Exception(at)) => {
                let help = format!("in a policy that is @relaxable, and only as {form}");
                wrong("a policy does not look at exceptions like this", help, Some(at));
            }
            Some(Peek::Context) => {
                let help = "compare its parts: the whole of it has the exceptions in it".to_owned();
                wrong("a policy does not look at the context as a whole", help, Some(part));
            }
            None => {}
        }
    }
    mistakes
}

/// What has to hold all together.
fn conjuncts(condition: &Expr) -> Vec<&Expr> {
    let mut parts = Vec::new();
    let mut open = vec![condition];
    while let Some(part) = open.pop() {
        match part.expr_kind() {
            ExprKind::And { left, right } => open.extend([right.as_ref(), left.as_ref()]),
            _ => parts.push(part),
        }
    }
    parts
}

/// `!(context has exception && context.exception.relaxes.contains(id))`.
fn is_own(part: &Expr, id: &str) -> bool {
    let ExprKind::UnaryApp { op: UnaryOp::Not, arg } = part.expr_kind() else { return false };
    let ExprKind::And { left, right } = arg.expr_kind() else { return false };
    let has = match left.expr_kind() {
        ExprKind::HasAttr { expr, attr } => is_context(expr) && attr.as_str() == EXCEPTION,
        _ => false,
    };
    let contains = match right.expr_kind() {
        ExprKind::BinaryApp { op: BinaryOp::Contains, arg1, arg2 } => {
            path(arg1) == Some((Var::Context, vec![EXCEPTION, RELAXES]))
                && matches!(arg2.expr_kind(), ExprKind::Lit(Literal::String(text)) if text.as_str() == id)
        }
        _ => false,
    };
    has && contains
}

fn is_context(expression: &Expr) -> bool {
    matches!(expression.expr_kind(), ExprKind::Var(Var::Context))
}

enum Peek<'e> {
    Exception(&'e Expr),
    Context,
}

/// How a condition could depend on the exceptions; no other record of the schema has an attribute of that name.
fn peeks(condition: &Expr) -> Option<Peek<'_>> {
    let (mut whole, mut of_parts) = (0_usize, 0_usize);
    for part in condition.subexpressions() {
        let (of, named) = match part.expr_kind() {
            ExprKind::Var(Var::Context) => {
                whole += 1;
                continue;
            }
            ExprKind::GetAttr { expr, attr } | ExprKind::HasAttr { expr, attr } => (expr, attr.as_str() == EXCEPTION),
            ExprKind::ExtHasAttr { expr, attrs } => (expr, attrs.iter().any(|attr| attr.as_str() == EXCEPTION)),
            _ => continue,
        };
        if named {
            return Some(Peek::Exception(part));
        }
        of_parts += usize::from(is_context(of));
    }
    // Each `context` stands under the part that is taken of it, or it is looked at as it is.
    (whole > of_parts).then_some(Peek::Context)
}
