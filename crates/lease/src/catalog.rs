//! Which host and path belong to which resource: all that an enforcement point knows of the estate.

use std::collections::HashMap;
use std::sync::Arc;

use countersign_model::{Resource, Route};

/// An immutable routing table, replaced as a whole when a resource changes.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    /// By host, longest prefix first.
    hosts: HashMap<String, Vec<(Route, Arc<Resource>)>>,
}

impl Catalog {
    pub fn new(resources: impl IntoIterator<Item = Arc<Resource>>) -> Self {
        let mut hosts: HashMap<String, Vec<(Route, Arc<Resource>)>> = HashMap::new();
        for resource in resources {
            for route in &resource.routes {
                hosts.entry(route.host.clone()).or_default().push((route.clone(), Arc::clone(&resource)));
            }
        }
        for routes in hosts.values_mut() {
            routes
                .sort_by(|(a, x), (b, y)| b.path_prefix.len().cmp(&a.path_prefix.len()).then_with(|| x.id.cmp(&y.id)));
        }
        Self { hosts }
    }

    /// The resource that covers `path` (normalized) at `host` (lower case, without a port).
    pub fn find(&self, host: &str, path: &str) -> Option<&Arc<Resource>> {
        let routes = self.hosts.get(host)?;
        routes.iter().find(|(route, _)| route.covers(host, path)).map(|(_, resource)| resource)
    }

    /// Whether anything is served at `host`.
    pub fn serves(&self, host: &str) -> bool {
        self.hosts.contains_key(host)
    }
}
