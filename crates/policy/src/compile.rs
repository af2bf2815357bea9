//! From a validated condition to [`Code`], for one kind of request: the types of principal and resource and the action
//! are known, so tests on them fold away. What has no counterpart in [`Code`] makes the whole condition
//! [`Uncovered`]. Folding keeps Cedar's order of evaluation: it never removes a part that could fail before the part
//! that decides.

use cedar_policy_core::ast::{self, BinaryOp, Expr, ExprKind, UnaryOp, Var};
use cedar_policy_core::evaluator::RestrictedEvaluator;
use cedar_policy_core::extensions::Extensions;

use crate::evaluate::{Code, Function, Operator};
use crate::facts::{Layout, Root};
use crate::symbols::{Symbol, Symbols};
use crate::value::{Constant, Uncovered, intern};

/// The kind of request that a plan is for.
#[derive(Clone, Debug)]
pub(crate) struct Environment {
    pub(crate) principal: ast::EntityType,
    pub(crate) action: ast::EntityUID,
    /// The action groups that the action is in, directly or not.
    pub(crate) action_groups: Vec<ast::EntityUID>,
    pub(crate) resource: ast::EntityType,
}

impl Environment {
    pub(crate) fn action_within(&self, group: &ast::EntityUID) -> bool {
        self.action == *group || self.action_groups.contains(group)
    }
}

pub(crate) struct Compiler<'a, L> {
    pub(crate) environment: &'a Environment,
    pub(crate) symbols: &'a Symbols,
    pub(crate) layout: &'a mut L,
}

/// The variable and the attributes of `context.device.compliant` and its like.
pub(crate) fn path(expression: &Expr) -> Option<(Var, Vec<&str>)> {
    match expression.expr_kind() {
        ExprKind::Var(var) => Some((*var, Vec::new())),
        ExprKind::GetAttr { expr, attr } => {
            let (var, mut attributes) = path(expr)?;
            attributes.push(attr.as_str());
            Some((var, attributes))
        }
        _ => None,
    }
}

pub(crate) const fn root(var: Var) -> Option<Root> {
    match var {
        Var::Principal => Some(Root::Principal),
        Var::Resource => Some(Root::Resource),
        Var::Context => Some(Root::Context),
        Var::Action => None,
    }
}

impl<L: Layout> Compiler<'_, L> {
    pub(crate) fn compile(&mut self, expression: &Expr) -> Result<Code, Uncovered> {
        Ok(match expression.expr_kind() {
            ExprKind::Lit(literal) => Code::Constant(Constant::from_literal(literal, self.symbols)),
            ExprKind::Var(Var::Principal) => Code::Principal,
            ExprKind::Var(Var::Resource) => Code::Resource,
            ExprKind::Var(Var::Action) => Code::Constant(Constant::Entity(self.action())),
            ExprKind::If { test_expr, then_expr, else_expr } => match self.compile(test_expr)? {
                Code::TRUE => self.compile(then_expr)?,
                Code::FALSE => self.compile(else_expr)?,
                test => Code::If(Box::new([test, self.compile(then_expr)?, self.compile(else_expr)?])),
            },
            ExprKind::And { left, right } => match self.compile(left)? {
                Code::FALSE => Code::FALSE,
                left => chain(left, self.compile(right)?, Code::All, |code| match code {
                    Code::All(parts) => Ok(parts),
                    other => Err(other),
                }),
            },
            ExprKind::Or { left, right } => match self.compile(left)? {
                Code::TRUE => Code::TRUE,
                left => chain(left, self.compile(right)?, Code::Any, |code| match code {
                    Code::Any(parts) => Ok(parts),
                    other => Err(other),
                }),
            },
            ExprKind::UnaryApp { op, arg } => {
                let argument = self.compile(arg)?;
                match (op, argument) {
                    (UnaryOp::Not, Code::TRUE) => Code::FALSE,
                    (UnaryOp::Not, Code::FALSE) => Code::TRUE,
                    (UnaryOp::Not, argument) => Code::Not(Box::new(argument)),
                    (UnaryOp::Neg, argument) => Code::Negate(Box::new(argument)),
                    (UnaryOp::IsEmpty, argument) => Code::IsEmpty(Box::new(argument)),
                }
            }
            ExprKind::BinaryApp { op: BinaryOp::In, arg1, arg2 } => self.within(arg1, arg2)?,
            ExprKind::BinaryApp { op, arg1, arg2 } => {
                let operator = operator(*op).ok_or(Uncovered)?;
                let operands = [self.compile(arg1)?, self.compile(arg2)?];
                match (operator, &operands) {
                    (Operator::Equal, [Code::Constant(a), Code::Constant(b)]) => {
                        Code::Constant(Constant::Bool(a.view().equals(b.view())?))
                    }
                    _ => Code::Binary(operator, Box::new(operands)),
                }
            }
            ExprKind::ExtensionFunctionApp { fn_name, args } => self.call(expression, &fn_name.to_string(), args)?,
            ExprKind::GetAttr { .. } => {
                let (var, attributes) = path(expression).ok_or(Uncovered)?;
                Code::Read(self.slot(var, &attributes)?)
            }
            ExprKind::HasAttr { expr, attr } => {
                let (var, mut attributes) = path(expr).ok_or(Uncovered)?;
                attributes.push(attr.as_str());
                Code::Has(self.slot(var, &attributes)?)
            }
            ExprKind::ExtHasAttr { expr, attrs } => {
                let (var, mut attributes) = path(expr).ok_or(Uncovered)?;
                let mut parts = Vec::new();
                for attribute in attrs.iter() {
                    attributes.push(attribute.as_str());
                    parts.push(Code::Has(self.slot(var, &attributes)?));
                }
                Code::All(parts.into_boxed_slice())
            }
            ExprKind::Like { expr, pattern } => Code::Like(Box::new(self.compile(expr)?), pattern.clone()),
            ExprKind::Is { expr, entity_type } => {
                let of = match expr.expr_kind() {
                    ExprKind::Var(Var::Principal) => &self.environment.principal,
                    ExprKind::Var(Var::Resource) => &self.environment.resource,
                    ExprKind::Var(Var::Action) => self.environment.action.entity_type(),
                    _ => return Err(Uncovered),
                };
                Code::Constant(Constant::Bool(of == entity_type))
            }
            ExprKind::Set(elements) => {
                let constants = elements.iter().map(|element| match self.compile(element)? {
                    Code::Constant(constant) => Ok(constant),
                    _ => Err(Uncovered),
                });
                Code::Constant(Constant::Set(constants.collect::<Result<_, _>>()?))
            }
            ExprKind::Var(Var::Context) | ExprKind::Record(_) | ExprKind::Slot(_) | ExprKind::Unknown(_) => {
                return Err(Uncovered);
            }
            #[expect(unreachable_patterns, reason = "another crate may switch on Cedar's error nodes")]
            _ => return Err(Uncovered),
        })
    }

    fn action(&self) -> Symbol {
        intern(self.symbols, &self.environment.action)
    }

    fn slot(&mut self, var: Var, attributes: &[&str]) -> Result<crate::facts::Slot, Uncovered> {
        self.layout.slot(root(var).ok_or(Uncovered)?, attributes).ok_or(Uncovered)
    }

    fn within(&mut self, member: &Expr, group: &Expr) -> Result<Code, Uncovered> {
        match member.expr_kind() {
            ExprKind::Var(Var::Principal) => Ok(Code::Within(Root::Principal, Box::new(self.compile(group)?))),
            ExprKind::Var(Var::Resource) => Ok(Code::Within(Root::Resource, Box::new(self.compile(group)?))),
            ExprKind::Var(Var::Action) => {
                let groups = match group.expr_kind() {
                    ExprKind::Set(groups) => groups.as_slice(),
                    _ => std::slice::from_ref(group),
                };
                let mut found = false;
                for group in groups {
                    let ExprKind::Lit(ast::Literal::EntityUID(uid)) = group.expr_kind() else { return Err(Uncovered) };
                    found |= self.environment.action_within(uid);
                }
                Ok(Code::Constant(Constant::Bool(found)))
            }
            _ => Err(Uncovered),
        }
    }

    fn call(&mut self, whole: &Expr, name: &str, arguments: &[Expr]) -> Result<Code, Uncovered> {
        let function = match name {
            "ip" | "datetime" | "duration" => {
                // A literal that Cedar cannot read is an error when the policy is evaluated, and so Cedar's business.
                let restricted = ast::BorrowedRestrictedExpr::new(whole).map_err(|_| Uncovered)?;
                let value = RestrictedEvaluator::new(Extensions::all_available()).interpret(restricted);
                let value = value.map_err(|_| Uncovered)?;
                return Constant::from_cedar(&value, self.symbols).map(Code::Constant).ok_or(Uncovered);
            }
            "isInRange" => Function::IsInRange,
            "isIpv4" => Function::IsIpv4,
            "isIpv6" => Function::IsIpv6,
            "isLoopback" => Function::IsLoopback,
            "isMulticast" => Function::IsMulticast,
            "offset" => Function::Offset,
            "durationSince" => Function::DurationSince,
            "toDate" => Function::ToDate,
            "toTime" => Function::ToTime,
            "toMilliseconds" => Function::Units(1),
            "toSeconds" => Function::Units(1000),
            "toMinutes" => Function::Units(60 * 1000),
            "toHours" => Function::Units(60 * 60 * 1000),
            "toDays" => Function::Units(24 * 60 * 60 * 1000),
            _ => return Err(Uncovered),
        };
        let arguments = arguments.iter().map(|argument| self.compile(argument)).collect::<Result<_, _>>()?;
        Ok(Code::Call(function, arguments))
    }
}

/// `a && b && c` as one list, in order. A part that is no Boolean is found out when it is tested.
fn chain(
    left: Code,
    right: Code,
    make: impl Fn(Box<[Code]>) -> Code,
    parts: impl Fn(Code) -> Result<Box<[Code]>, Code>,
) -> Code {
    let mut all = Vec::new();
    for side in [left, right] {
        match parts(side) {
            Ok(parts) => all.extend(parts),
            Err(single) => all.push(single),
        }
    }
    make(all.into_boxed_slice())
}

const fn operator(operator: BinaryOp) -> Option<Operator> {
    Some(match operator {
        BinaryOp::Eq => Operator::Equal,
        BinaryOp::Less => Operator::Less,
        BinaryOp::LessEq => Operator::LessOrEqual,
        BinaryOp::Add => Operator::Add,
        BinaryOp::Sub => Operator::Subtract,
        BinaryOp::Mul => Operator::Multiply,
        BinaryOp::Contains => Operator::Contains,
        BinaryOp::ContainsAll => Operator::ContainsAll,
        BinaryOp::ContainsAny => Operator::ContainsAny,
        BinaryOp::In | BinaryOp::GetTag | BinaryOp::HasTag => return None,
    })
}
