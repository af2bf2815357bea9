//! The conditions of a policy as its author sees them: what stands between `&&` and `||`, each with its place. For
//! coverage, for the explanation of a failed test and for lint; decisions run compiled plans instead (`plan.rs`).

use cedar_policy_core::ast::{self, Expr, ExprKind, Literal, UnaryOp, ValueKind};
use cedar_policy_core::evaluator::Evaluator;
use cedar_policy_core::extensions::Extensions;

use crate::cedar::Case;

/// One condition, and what it consists of.
#[derive(Debug)]
pub(crate) struct Node<'p> {
    pub(crate) expression: &'p Expr,
    pub(crate) shape: Shape<'p>,
}

#[derive(Debug)]
pub(crate) enum Shape<'p> {
    All(Vec<Node<'p>>),
    Any(Vec<Node<'p>>),
    Not(Box<Node<'p>>),
    Leaf,
}

impl<'p> Node<'p> {
    pub(crate) fn of(expression: &'p Expr) -> Self {
        let shape = match expression.expr_kind() {
            ExprKind::And { left, right } => Shape::All(
                [left, right]
                    .into_iter()
                    .flat_map(|side| match Self::of(side) {
                        Node { shape: Shape::All(parts), .. } => parts,
                        single => vec![single],
                    })
                    .collect(),
            ),
            ExprKind::Or { left, right } => Shape::Any(
                [left, right]
                    .into_iter()
                    .flat_map(|side| match Self::of(side) {
                        Node { shape: Shape::Any(parts), .. } => parts,
                        single => vec![single],
                    })
                    .collect(),
            ),
            // `a >= b` is `!(a < b)` to Cedar, at one place; an author wrote one condition.
            ExprKind::UnaryApp { op: UnaryOp::Not, arg } if arg.source_loc() != expression.source_loc() => {
                Shape::Not(Box::new(Self::of(arg)))
            }
            _ => Shape::Leaf,
        };
        Self { expression, shape }
    }

    /// Without the `unless` or `!` around it.
    pub(crate) fn plain(&self) -> &Self {
        match &self.shape {
            Shape::Not(inner) => inner.plain(),
            _ => self,
        }
    }

    /// The conditions inside, not those inside of them.
    pub(crate) fn parts(&self) -> &[Self] {
        match &self.shape {
            Shape::All(parts) | Shape::Any(parts) => parts,
            Shape::Not(inner) => std::slice::from_ref(inner),
            Shape::Leaf => &[],
        }
    }

    /// What has to hold all together.
    pub(crate) fn conjuncts(&self) -> &[Self] {
        match &self.shape {
            Shape::All(parts) => parts,
            _ => std::slice::from_ref(self),
        }
    }

    /// Line, from 1, and text. A condition that Cedar put together has the place of its first part.
    pub(crate) fn place(&self) -> (usize, String) {
        match (self.expression.source_loc(), self.parts()) {
            (_, [first, .., last]) if matches!(self.shape, Shape::All(_) | Shape::Any(_)) => {
                let text = match (first.expression.source_loc(), last.expression.source_loc()) {
                    (Some(first), Some(last)) => {
                        bracketed(&first.src, first.start(), last.end().max(first.start())).to_owned()
                    }
                    _ => self.expression.to_string(),
                };
                (first.place().0, one_line(&text))
            }
            (Some(loc), _) => {
                let before = loc.src.get(..loc.start()).unwrap_or_default();
                (before.matches('\n').count() + 1, one_line(loc.snippet().unwrap_or_default()))
            }
            (None, _) => (1, one_line(&self.expression.to_string())),
        }
    }
}

/// The text from `start` to `end` with the brackets that the places of its parts leave out.
fn bracketed(text: &str, start: usize, end: usize) -> &str {
    let inside = text.get(start..end).unwrap_or_default();
    let (mut open, mut missing) = (0_usize, 0_usize);
    let (mut characters, mut quoted) = (inside.chars().peekable(), false);
    while let Some(c) = characters.next() {
        match c {
            '\\' if quoted => {
                characters.next();
            }
            '"' => quoted = !quoted,
            '/' if !quoted && characters.peek() == Some(&'/') => {
                characters.find(|c| *c == '\n');
            }
            '(' if !quoted => open += 1,
            ')' if !quoted && open > 0 => open -= 1,
            ')' if !quoted => missing += 1,
            _ => {}
        }
    }
    let (mut before, mut after) = (text.get(..start).unwrap_or_default(), text.get(end..).unwrap_or_default());
    for _ in 0..missing {
        before = before.trim_end().strip_suffix('(').unwrap_or(before);
    }
    for _ in 0..open {
        after = after.trim_start().strip_prefix(')').unwrap_or(after);
    }
    text.get(before.len()..text.len() - after.len()).unwrap_or(inside)
}

/// Comments and line breaks left out.
fn one_line(text: &str) -> String {
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ")
}

/// Evaluates one case by Cedar, condition by condition.
pub(crate) struct Walk<'c> {
    evaluator: Evaluator<'c>,
}

impl<'c> Walk<'c> {
    pub(crate) fn new(case: &'c Case) -> Self {
        Self { evaluator: Evaluator::new(case.request.clone(), &case.entities, Extensions::all_available()) }
    }

    pub(crate) fn truth(&self, expression: &Expr) -> Option<bool> {
        match self.evaluator.interpret(expression, &ast::SlotEnv::new()).ok()?.value {
            ValueKind::Lit(Literal::Bool(truth)) => Some(truth),
            _ => None,
        }
    }

    pub(crate) fn in_scope(&self, policy: &ast::Policy) -> bool {
        [
            policy.principal_constraint().as_expr(),
            policy.action_constraint().as_expr(),
            policy.resource_constraint().as_expr(),
        ]
        .iter()
        .all(|part| self.truth(part) == Some(true))
    }

    /// In Cedar's order, and no further than Cedar goes: a condition behind a false `&&` is not reached. `each` hears of
    /// every condition that was, after those inside it; `None` is one that failed.
    pub(crate) fn run<'n, 'p>(
        &self,
        node: &'n Node<'p>,
        each: &mut impl FnMut(&'n Node<'p>, Option<bool>),
    ) -> Option<bool> {
        let truth = match &node.shape {
            Shape::All(parts) => self.until(false, parts, each),
            Shape::Any(parts) => self.until(true, parts, each),
            Shape::Not(inner) => self.run(inner, each).map(|truth| !truth),
            Shape::Leaf => self.truth(node.expression),
        };
        each(node, truth);
        truth
    }

    fn until<'n, 'p>(
        &self,
        decisive: bool,
        parts: &'n [Node<'p>],
        each: &mut impl FnMut(&'n Node<'p>, Option<bool>),
    ) -> Option<bool> {
        for part in parts {
            let truth = self.run(part, each)?;
            if truth == decisive {
                return Some(decisive);
            }
        }
        Some(!decisive)
    }
}
