//! The facts of a foreign test, under any schema: each path that the plan reads is looked up in Cedar's own entities
//! before the plan runs. Convenient, not fast; the product's facts are `facts.rs`.

use cedar_policy_core::ast::{Context, EntityUID, Literal, PartialValue, Request, Value as CedarValue, ValueKind};
use cedar_policy_core::entities::{Dereference, Entities};

use crate::facts::{Facts, Layout, Root, Slot};
use crate::records::sorted;
use crate::symbols::{Symbol, Symbols};
use crate::value::{Constant, Uncovered, Value, intern};

/// The paths that some plan reads, numbered as they come.
#[derive(Debug, Default)]
pub(super) struct Paths(Vec<(Root, Vec<String>)>);

impl Layout for Paths {
    fn slot(&mut self, root: Root, path: &[&str]) -> Option<Slot> {
        let known = self.0.iter().position(|(other, names)| *other == root && names == path);
        let at = known.unwrap_or_else(|| {
            self.0.push((root, path.iter().map(ToString::to_string).collect()));
            self.0.len() - 1
        });
        Slot::try_from(at).ok()
    }
}

/// What stands at one path.
#[derive(Debug)]
enum Found {
    Value(Constant),
    /// There is something, in a form that the plan does not know.
    Something,
    Absent,
    /// The way there is already broken: an error, or no such entity.
    Unreachable,
}

#[derive(Debug)]
pub(super) struct World {
    principal: Symbol,
    resource: Symbol,
    principal_ancestors: Box<[Symbol]>,
    resource_ancestors: Box<[Symbol]>,
    slots: Vec<Found>,
}

pub(super) fn ancestors(entities: &Entities, of: &EntityUID) -> Vec<EntityUID> {
    match entities.entity(of) {
        Dereference::Data(entity) => entity.ancestors().cloned().collect(),
        _ => Vec::new(),
    }
}

impl World {
    pub(super) fn new(
        principal: &EntityUID,
        resource: &EntityUID,
        request: &Request,
        entities: &Entities,
        symbols: &Symbols,
        paths: &Paths,
    ) -> Self {
        let above =
            |of| sorted(ancestors(entities, of).iter().map(|ancestor| intern(symbols, ancestor)).collect::<Vec<_>>());
        let look = |(root, path): &(Root, Vec<String>)| {
            let start = match root {
                Root::Principal => CedarValue::from(Literal::from(principal.clone())),
                Root::Resource => CedarValue::from(Literal::from(resource.clone())),
                Root::Context => match request.context() {
                    Some(Context::Value(fields)) => {
                        CedarValue { value: ValueKind::Record(std::sync::Arc::clone(fields)), loc: None }
                    }
                    _ => return Found::Unreachable,
                },
            };
            look_up(start, path, entities, symbols)
        };
        Self {
            principal: intern(symbols, principal),
            resource: intern(symbols, resource),
            principal_ancestors: above(principal),
            resource_ancestors: above(resource),
            slots: paths.0.iter().map(look).collect(),
        }
    }

    fn slot(&self, slot: Slot) -> Result<&Found, Uncovered> {
        self.slots.get(usize::from(slot)).ok_or(Uncovered)
    }
}

fn look_up(mut at: CedarValue, path: &[String], entities: &Entities, symbols: &Symbols) -> Found {
    for (name, step) in path.iter().zip(1..) {
        let next = match &at.value {
            ValueKind::Record(fields) => fields.get(name.as_str()).cloned(),
            ValueKind::Lit(Literal::EntityUID(uid)) => match entities.entity(uid) {
                Dereference::Data(entity) => match entity.get(name) {
                    Some(PartialValue::Value(value)) => Some(value.clone()),
                    Some(PartialValue::Residual(_)) => return Found::Unreachable,
                    None => None,
                },
                _ => return Found::Unreachable,
            },
            _ => return Found::Unreachable,
        };
        match next {
            Some(next) => at = next,
            None if step == path.len() => return Found::Absent,
            None => return Found::Unreachable,
        }
    }
    Constant::from_cedar(&at, symbols).map_or(Found::Something, Found::Value)
}

impl<'a> Facts<'a> for &'a World {
    fn principal(&self) -> Symbol {
        self.principal
    }

    fn resource(&self) -> Symbol {
        self.resource
    }

    fn principal_within(&self, group: Symbol) -> bool {
        self.principal_ancestors.binary_search(&group).is_ok()
    }

    fn resource_within(&self, group: Symbol) -> bool {
        self.resource_ancestors.binary_search(&group).is_ok()
    }

    fn principal_ancestors(&self) -> &[Symbol] {
        &self.principal_ancestors
    }

    fn resource_ancestors(&self) -> &[Symbol] {
        &self.resource_ancestors
    }

    fn read(&self, slot: Slot) -> Result<Option<Value<'a>>, Uncovered> {
        let world: &'a World = self;
        match world.slot(slot)? {
            Found::Value(value) => Ok(Some(value.view())),
            Found::Absent => Ok(None),
            Found::Something | Found::Unreachable => Err(Uncovered),
        }
    }

    fn has(&self, slot: Slot) -> Result<bool, Uncovered> {
        match self.slot(slot)? {
            Found::Value(_) | Found::Something => Ok(true),
            Found::Absent => Ok(false),
            Found::Unreachable => Err(Uncovered),
        }
    }
}
