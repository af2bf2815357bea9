//! The API's types as they stand in JSON, apart from the model's so that either can change alone. Public because the
//! command line speaks them too. A type that is read from a request refuses unknown fields; a type that is only
//! written may gain fields. Instants are RFC 3339 in UTC, ids are texts.

mod account;
mod ask;
mod authzen;
mod decision;
mod estate;
mod exceptions;
mod inventory;
mod map;
mod proposals;
mod remediation;
mod replay;
mod reviews;

pub use account::*;
pub use ask::*;
pub use authzen::*;
pub use decision::*;
pub use estate::*;
pub use exceptions::*;
pub use inventory::*;
pub use map::*;
pub use proposals::*;
pub use remediation::*;
pub use replay::*;
pub use reviews::*;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Give it as `cursor` to get the next page; absent on the last one.
    pub next: Option<String>,
}

/// Which page of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// From the `next` of the page before.
    pub cursor: Option<String>,
    /// 1 to 200; 50 if absent.
    pub limit: Option<u16>,
    /// Only what contains this text in its id or its name.
    pub search: Option<String>,
}

/// An instant, in the form that `model` reads and writes.
pub type Instant = countersign_model::Timestamp;
