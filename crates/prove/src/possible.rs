//! What every real request has in common, beyond what the schema says: the words for tiers, ages that are not negative,
//! sign-ins that are what their methods make them. A claim is tried without it first, for then it holds for more; only
//! where that fails are the requests left out that cannot be. What is assumed here must be true of every question that
//! the administrator puts together: `tests.rs` holds it against the types.

use std::fmt::Write as _;

use cedar_policy_core::ast::{Effect, EntityUID, Expr, ExprKind, Literal, Policy, PolicyID};
use countersign_model::{ActionClass, AuthenticationMethod, ResourceKind, Tier};
use countersign_policy::EVERYONE;

/// As a policy condition. `segments` are the segments that some policy names: a resource is in its own and no other.
pub(crate) fn condition<'p>(policies: impl IntoIterator<Item = &'p Policy>) -> Result<Expr, String> {
    let methods = |of: fn(AuthenticationMethod) -> bool| {
        words(AuthenticationMethod::ALL.into_iter().filter(|method| of(*method)).map(AuthenticationMethod::name))
    };
    let mut text = format!(
        "{kinds}.contains(resource.kind) && {tiers}.contains(resource.tier)
         && (if resource has segment then resource in resource.segment else true)
         && (if principal is Human then principal in Group::\"{EVERYONE}\" else true)
         && context.risk >= 0 && context.risk <= 100
         && context.time.hour >= 0 && context.time.hour <= 23
         && context.time.weekday >= 1 && context.time.weekday <= 7
         && (if context has authentication then
                context.authentication.age >= 0
                && {all}.containsAll(context.authentication.methods)
                && !(context.authentication.methods.isEmpty())
                && context.authentication.phishing_resistant
                    == {resistant}.containsAny(context.authentication.methods)
                && context.authentication.multi_factor == {several}.containsAny(context.authentication.methods)
             else true)
         && (if context has device && context.device has posture_age then context.device.posture_age >= 0 else true)
         && (if context has grant then {classes}.contains(context.grant.class) else true)",
        kinds = words(ResourceKind::ALL.map(ResourceKind::name)),
        tiers = words(Tier::ALL.map(Tier::name)),
        all = methods(|_| true),
        resistant = methods(AuthenticationMethod::phishing_resistant),
        several = methods(AuthenticationMethod::multi_factor),
        classes = words(ActionClass::ALL.map(ActionClass::name)),
    );
    for segment in literals(policies).into_iter().filter(|uid| uid.entity_type().to_string() == "Segment") {
        let _ = write!(text, " && (resource in {segment}) == (resource has segment && resource.segment == {segment})");
    }
    text.parse().map_err(|error| format!("the assumptions about requests are no condition: {error}"))
}

/// Forbids what cannot be.
pub(crate) fn forbid_impossible(condition: &Expr) -> Policy {
    let id = PolicyID::from_string("impossible requests");
    Policy::from_when_clause(Effect::Forbid, Expr::not(condition.clone()), id, None)
}

/// Every entity that a policy names.
pub(crate) fn literals<'p>(policies: impl IntoIterator<Item = &'p Policy>) -> Vec<EntityUID> {
    let mut named = Vec::new();
    for policy in policies {
        let condition = policy.condition();
        for part in condition.subexpressions() {
            if let ExprKind::Lit(Literal::EntityUID(uid)) = part.expr_kind()
                && !named.contains(uid.as_ref())
            {
                named.push(EntityUID::clone(uid));
            }
        }
    }
    named.sort();
    named
}

fn words<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = words.into_iter().map(|word| format!("{word:?}")).collect();
    format!("[{}]", quoted.join(", "))
}
