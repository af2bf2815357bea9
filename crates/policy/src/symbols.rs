//! Entity identifiers as small numbers, so that "is a member of" compares numbers and a million subjects fit into
//! memory. One table per world, shared by the policy sets that decide on it; it only grows. It knows no entities,
//! only their names.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

/// One entity: a type and an id, interned.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Symbol(u32);

impl Symbol {
    /// Stands for every entity that is not in the table: no record and no policy names it.
    pub(crate) const UNKNOWN: Self = Self(u32::MAX);
}

/// A table of identifiers. Cheap to read from many threads; writes only when a name is new.
#[derive(Default)]
pub struct Symbols(RwLock<Table>);

type Ids = HashMap<Arc<str>, Symbol>;

#[derive(Default)]
struct Table {
    /// A dozen types at most, so a search beats a hash.
    types: Vec<(Arc<str>, Ids)>,
    names: Vec<(Arc<str>, Arc<str>)>,
}

impl Table {
    fn find(&self, kind: &str, id: &str) -> Option<Symbol> {
        self.types.iter().find(|(name, _)| name.as_ref() == kind)?.1.get(id).copied()
    }

    fn insert(&mut self, kind: &str, id: &str) -> Symbol {
        // After four billion names a new one is like a name in no record and no policy: it is denied, not confused.
        let Ok(number) = u32::try_from(self.names.len()) else { return Symbol::UNKNOWN };
        let (symbol, id) = (Symbol(number), Arc::<str>::from(id));
        if symbol == Symbol::UNKNOWN {
            return symbol;
        }
        let kind = match self.types.iter_mut().find(|(name, _)| name.as_ref() == kind) {
            Some((kind, ids)) => {
                ids.insert(Arc::clone(&id), symbol);
                Arc::clone(kind)
            }
            None => {
                let kind = Arc::<str>::from(kind);
                self.types.push((Arc::clone(&kind), HashMap::from([(Arc::clone(&id), symbol)])));
                kind
            }
        };
        self.names.push((kind, id));
        symbol
    }
}

impl Symbols {
    pub(crate) fn intern(&self, kind: &str, id: &str) -> Symbol {
        let known = self.find(kind, id);
        if known != Symbol::UNKNOWN {
            return known;
        }
        // A writer that panicked has left at worst a name without a number: the table stays usable.
        let mut table = self.0.write().unwrap_or_else(PoisonError::into_inner);
        table.find(kind, id).unwrap_or_else(|| table.insert(kind, id))
    }

    /// [`Symbol::UNKNOWN`] where nobody has interned it.
    pub(crate) fn find(&self, kind: &str, id: &str) -> Symbol {
        self.0.read().unwrap_or_else(PoisonError::into_inner).find(kind, id).unwrap_or(Symbol::UNKNOWN)
    }

    /// The type and the id.
    pub(crate) fn name(&self, symbol: Symbol) -> Option<(Arc<str>, Arc<str>)> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).names.get(symbol.0 as usize).cloned()
    }

    /// As [`name`](Self::name), for one look that keeps nothing. `look` must not come back here.
    pub(crate) fn with_name<T>(&self, symbol: Symbol, look: impl FnOnce(&str, &str) -> T) -> Option<T> {
        let table = self.0.read().unwrap_or_else(PoisonError::into_inner);
        table.names.get(symbol.0 as usize).map(|(kind, id)| look(kind, id))
    }

    /// How many names it holds.
    pub fn len(&self) -> usize {
        self.0.read().unwrap_or_else(PoisonError::into_inner).names.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl fmt::Debug for Symbols {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Symbols({})", self.len())
    }
}
