//! What is asked of the map of the estate. Its answer has the form of `countersign_govern::EstateMap` and is not spelled again here.

use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

/// Which map. Boxes go by the `id` that the map gives them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct MapQuery {
    /// `source`, `tier`, `segment` or `kind`; by source where there are several, or else by kind, if absent.
    pub by: Option<String>,
    /// The box that is open.
    pub open: Option<String>,
    /// A box inside it.
    pub within: Option<String>,
    /// From the `next` of the page before.
    pub skip: Option<usize>,
}

/// Which edges of which map.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct MapEdgesQuery {
    pub by: Option<String>,
    pub open: Option<String>,
    pub within: Option<String>,
    /// As the map was asked for.
    pub skip: Option<usize>,
    /// The `id` of something on the map, from which they lead.
    pub from: String,
    /// The same for where they lead; the same one again for the edges within it.
    pub to: String,
    /// How many come before the first that is told.
    pub page: Option<usize>,
    /// 1 to 200; 50 if absent.
    pub limit: Option<u16>,
}
