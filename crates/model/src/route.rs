//! From a host and a path to a resource, and from a method and a path to an action.

use serde::{Deserialize, Serialize};

use crate::{Action, ActionClass, Resource};

/// One place where a resource is found. `host` is lower case and without a port; `path_prefix` begins with `/` and
/// matches whole segments, in any case: `/app` covers `/app` and `/App/x`, not `/apple`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Route {
    pub host: String,
    pub path_prefix: String,
}

impl Route {
    pub fn covers(&self, host: &str, path: &str) -> bool {
        self.host == host && under(&self.path_prefix, path)
    }
}

/// Whether `path` is `prefix` or lies below it, by whole segments. ASCII letters count in either case: to many
/// applications `/ADMIN` is `/admin`, and a rule for the one must not miss the other.
fn under(prefix: &str, path: &str) -> bool {
    let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
    path.split_at_checked(prefix.len())
        .is_some_and(|(start, rest)| start.eq_ignore_ascii_case(prefix) && (rest.is_empty() || rest.starts_with('/')))
}

/// Which requests a rule speaks about: `/exact`, or `/prefix/*` for everything below and the prefix itself. In any case.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PathPattern(pub String);

impl PathPattern {
    pub fn matches(&self, path: &str) -> bool {
        match self.0.strip_suffix("/*") {
            Some(prefix) => under(prefix, path),
            None => self.0.eq_ignore_ascii_case(path),
        }
    }
}

/// A mapping that the method alone would get wrong: `POST /search` only reads, `GET /admin/*` administers.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct ActionRule {
    /// Upper case; empty means every method.
    pub methods: Vec<String>,
    pub path: PathPattern,
    pub action: ActionClass,
}

impl Resource {
    /// The action that an HTTP request is. `path` is the normalized path. An upgrade (WebSocket) is `connect`
    /// unless a rule says that it administers; an unknown method writes.
    pub fn http_action(&self, method: &str, path: &str, upgrade: bool) -> Action {
        let ruled = self
            .rules
            .iter()
            .find(|rule| {
                rule.path.matches(path) && (rule.methods.is_empty() || rule.methods.iter().any(|m| m == method))
            })
            .map(|rule| rule.action);
        let class = match (ruled, upgrade) {
            (Some(ActionClass::Administer), _) => ActionClass::Administer,
            (_, true) => ActionClass::Connect,
            (Some(class), false) => class,
            (None, false) => match method {
                "GET" | "HEAD" | "OPTIONS" => ActionClass::Read,
                "CONNECT" => ActionClass::Connect,
                _ => ActionClass::Write,
            },
        };
        Action::http(class)
    }
}
