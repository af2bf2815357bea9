//! The same question for Cedar itself: its request and its entities, for the conditions that the plan leaves to
//! Cedar's evaluator and for the [`Authorizer`] that the plan is held against. Slow (tens of microseconds), exact, and
//! independent of the plan.

use std::collections::HashSet;
use std::sync::LazyLock;

use cedar_policy_core::ast::{self, Context, Entity, EntityUID, RestrictedExpr};
use cedar_policy_core::authorizer::{AuthorizationError, Authorizer};
use cedar_policy_core::entities::{Entities, TCComputation};
use cedar_policy_core::evaluator::Evaluator;
use cedar_policy_core::extensions::Extensions;
use cedar_policy_core::validator::{CoreSchema, ValidatorSchema};
use countersign_model::{Action, Timestamp};

use crate::facts::{View, long};
use crate::records::subject_type;
use crate::symbols::{Symbol, Symbols};
use crate::value::call;

/// The product's schema, read once. An error here is a fault of the build, and no set loads without it.
pub(crate) static PRODUCT: LazyLock<Result<ValidatorSchema, String>> = LazyLock::new(|| {
    ValidatorSchema::from_cedarschema_str(crate::SCHEMA, Extensions::all_available())
        .map(|(schema, _)| schema)
        .map_err(|error| error.to_string())
});

/// One question, as Cedar takes it.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) request: ast::Request,
    pub(crate) entities: Entities,
}

/// What Cedar says about one case: the satisfied policies of the effect that won, and the policies that failed.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) reasons: Vec<String>,
    pub(crate) errors: Vec<(String, String)>,
}

impl Case {
    /// Fails where the facts do not fit the schema: nothing can be decided on them.
    pub(crate) fn new(view: &View<'_>, action: Action) -> Result<Self, String> {
        let schema = PRODUCT.as_ref().map_err(Clone::clone)?;
        let extensions = Extensions::all_available();
        let principal = uid(view.symbols, view.subject.symbol)?;
        let resource = uid(view.symbols, view.resource.symbol)?;
        let mut attributes = Vec::new();
        push(&mut attributes, "owner", view.subject.owner.map(|owner| entity(view.symbols, owner)).transpose()?);
        push(&mut attributes, "acts_for", view.subject.acts_for.map(|of| entity(view.symbols, of)).transpose()?);
        let groups = uids(view.symbols, &view.subject.groups)?;
        let subject = make(principal.clone(), attributes, groups)?;
        let record = view.resource;
        let mut attributes = vec![
            ("kind", RestrictedExpr::val(record.kind.name())),
            ("tier", RestrictedExpr::val(record.tier.name())),
            ("readers", entities(view.symbols, &record.readers.symbols)?),
            ("writers", entities(view.symbols, &record.writers.symbols)?),
            ("administrators", entities(view.symbols, &record.administrators.symbols)?),
        ];
        push(&mut attributes, "segment", record.segment.map(|segment| entity(view.symbols, segment)).transpose()?);
        push(&mut attributes, "owner", record.owner.map(|owner| entity(view.symbols, owner)).transpose()?);
        let segment = uids(view.symbols, record.segment.as_slice())?;
        let resource_entity = make(resource.clone(), attributes, segment)?;
        let entities = Entities::from_entities(
            [subject, resource_entity],
            Some(&CoreSchema::new(schema)),
            TCComputation::AssumeAlreadyComputed,
            extensions,
        )
        .map_err(|error| error.to_string())?;
        let request = ast::Request::new(
            (principal, None),
            (named("Action", &action.to_string())?, None),
            (resource, None),
            context(view)?,
            Some(schema),
            extensions,
        )
        .map_err(|error| error.to_string())?;
        Ok(Self { request, entities })
    }

    /// Whether one policy, scope and condition, is satisfied.
    pub(crate) fn evaluate(&self, policy: &ast::Policy) -> Result<bool, String> {
        Evaluator::new(self.request.clone(), &self.entities, Extensions::all_available())
            .evaluate(policy)
            .map_err(|error| error.to_string())
    }

    pub(crate) fn authorize(&self, policies: &ast::PolicySet) -> Answer {
        let response = Authorizer::new().is_authorized(self.request.clone(), policies, &self.entities);
        Answer {
            reasons: response.diagnostics.reason.iter().map(ToString::to_string).collect(),
            errors: response
                .diagnostics
                .errors
                .into_iter()
                .map(|AuthorizationError::PolicyEvaluationError { id, error }| (id.to_string(), error.to_string()))
                .collect(),
        }
    }
}

type Attributes = Vec<(&'static str, RestrictedExpr)>;

fn push(attributes: &mut Attributes, name: &'static str, value: Option<RestrictedExpr>) {
    attributes.extend(value.map(|value| (name, value)));
}

pub(crate) fn entity_type(name: &str) -> Result<ast::EntityType, String> {
    ast::Name::parse_unqualified_name(name).map(ast::EntityType::from).map_err(|error| error.to_string())
}

pub(crate) fn named(kind: &str, id: &str) -> Result<EntityUID, String> {
    Ok(EntityUID::from_components(entity_type(kind)?, ast::Eid::new(id), None))
}

fn uid(symbols: &Symbols, symbol: Symbol) -> Result<EntityUID, String> {
    let (kind, id) = symbols.name(symbol).ok_or("an entity has no name in this world")?;
    named(&kind, &id)
}

fn uids(symbols: &Symbols, of: &[Symbol]) -> Result<HashSet<EntityUID>, String> {
    of.iter().map(|symbol| uid(symbols, *symbol)).collect()
}

fn entity(symbols: &Symbols, symbol: Symbol) -> Result<RestrictedExpr, String> {
    uid(symbols, symbol).map(RestrictedExpr::val)
}

fn entities(symbols: &Symbols, of: &[Symbol]) -> Result<RestrictedExpr, String> {
    of.iter().map(|symbol| entity(symbols, *symbol)).collect::<Result<Vec<_>, _>>().map(RestrictedExpr::set)
}

/// The groups are closed already, so all of them may stand as parents.
fn make(uid: EntityUID, attributes: Attributes, parents: HashSet<EntityUID>) -> Result<Entity, String> {
    let attributes = attributes.into_iter().map(|(name, value)| (name.into(), value));
    Entity::new(uid, attributes, HashSet::new(), parents, [], Extensions::all_available())
        .map_err(|error| error.to_string())
}

fn record(pairs: Attributes) -> Result<RestrictedExpr, String> {
    RestrictedExpr::record(pairs.into_iter().map(|(name, value)| (name.into(), value)))
        .map_err(|error| error.to_string())
}

/// Any instant, also those outside the years that Cedar's literals reach.
fn instant(at: Timestamp) -> Result<RestrictedExpr, String> {
    let make = |name, arguments| call(name, arguments).ok_or("Cedar has no such function");
    let epoch = make("datetime", vec![RestrictedExpr::val("1970-01-01")])?;
    let span = make("duration", vec![RestrictedExpr::val(format!("{}ms", at.millis()))])?;
    Ok(make("offset", vec![epoch, span])?)
}

fn context(view: &View<'_>) -> Result<Context, String> {
    let from = view.circumstances;
    let texts = |texts: Vec<String>| RestrictedExpr::set(texts.into_iter().map(RestrictedExpr::val));
    let mut context: Attributes = Vec::new();
    if let Some(proof) = &from.authentication {
        let methods = proof.methods.iter().map(ToString::to_string).collect();
        push(
            &mut context,
            "authentication",
            Some(record(vec![
                ("methods", texts(methods)),
                ("phishing_resistant", RestrictedExpr::val(proof.phishing_resistant())),
                ("multi_factor", RestrictedExpr::val(proof.multi_factor())),
                ("age", RestrictedExpr::val(long(proof.age))),
            ])?),
        );
    }
    if let Some(device) = &from.device {
        let mut fields = vec![
            ("id", RestrictedExpr::val(named("Device", device.id.as_str())?)),
            ("managed", RestrictedExpr::val(device.managed)),
            ("compliant", RestrictedExpr::val(device.compliant)),
        ];
        push(&mut fields, "posture_age", device.posture_age.map(|age| RestrictedExpr::val(long(age))));
        push(&mut context, "device", Some(record(fields)?));
    }
    let address = call("ip", vec![RestrictedExpr::val(plain(from.network.address))]);
    let zones = from.network.zones.iter().map(ToString::to_string).collect();
    push(
        &mut context,
        "network",
        Some(record(vec![
            ("address", address.ok_or("Cedar has no such function")?),
            ("zones", texts(zones)),
            ("encrypted", RestrictedExpr::val(from.network.encrypted)),
        ])?),
    );
    push(
        &mut context,
        "time",
        Some(record(vec![
            ("now", instant(from.time.now)?),
            ("hour", RestrictedExpr::val(i64::from(from.time.hour))),
            ("weekday", RestrictedExpr::val(i64::from(from.time.weekday))),
            ("zone", RestrictedExpr::val(&*from.time.zone)),
        ])?),
    );
    push(&mut context, "risk", Some(RestrictedExpr::val(i64::from(from.risk))));
    if let Some(grant) = &from.grant {
        push(
            &mut context,
            "grant",
            Some(record(vec![
                ("id", RestrictedExpr::val(grant.id.to_string())),
                ("class", RestrictedExpr::val(grant.class.name())),
                ("expires", instant(grant.expires)?),
            ])?),
        );
    }
    if let Some(exception) = &from.exception {
        push(
            &mut context,
            "exception",
            Some(record(vec![(
                "relaxes",
                RestrictedExpr::set(exception.relaxes.iter().map(|policy| RestrictedExpr::val(policy.as_str()))),
            )])?),
        );
    }
    if let Some(http) = &from.http {
        push(
            &mut context,
            "http",
            Some(record(vec![
                ("method", RestrictedExpr::val(http.method.as_str())),
                ("host", RestrictedExpr::val(http.host.as_str())),
                ("path", RestrictedExpr::val(http.path.as_str())),
            ])?),
        );
    }
    if let Some(session) = &view.session {
        push(&mut context, "session", Some(RestrictedExpr::val(named("Session", &session.to_string())?)));
    }
    let pairs = context.into_iter().map(|(name, value)| (name.into(), value));
    Context::from_pairs(pairs, Extensions::all_available()).map_err(|error| error.to_string())
}

/// Cedar reads no dotted quads inside IPv6 addresses, which is how an IPv4-mapped one would be written.
fn plain(address: std::net::IpAddr) -> String {
    match address {
        std::net::IpAddr::V4(address) => address.to_string(),
        std::net::IpAddr::V6(address) => {
            address.segments().iter().map(|segment| format!("{segment:x}")).collect::<Vec<_>>().join(":")
        }
    }
}

/// The Cedar type of the subjects that a plan is for.
pub(crate) fn principal_type(kind: countersign_model::SubjectKind) -> Result<ast::EntityType, String> {
    entity_type(subject_type(kind))
}
