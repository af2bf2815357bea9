//! What Countersign shows and takes over HTTP: sign-in, each person's portal, the console, the API, and the addresses
//! for devices and for readers of the ledger. Every part is a router behind the gateway, asked only once a request has
//! been decided; none of them authenticates anybody by itself or decides who may come in. `wire` has the API's types,
//! `error.rs` the one error map.

mod api;
mod asking;
mod assets;
mod authzen;
mod console;
mod decisions;
mod device;
mod error;
mod explain;
mod extract;
mod guard;
mod headers;
mod ledger;
mod openapi;
mod page;
mod portal;
mod review_rows;
mod rows;
mod sign_in;
mod upload;
pub mod wire;
mod words;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn;
use countersign_administrator::Administrator;
use countersign_govern::Estate;
use countersign_identity::secret;
use countersign_model::{CredentialSecret, SubjectId, Timestamp};
use futures_util::future::BoxFuture;

use crate::error::{Fault, PageFault};

pub use authzen::authzen_questions;
pub use openapi::document as openapi;

/// What the pages need beside the administrator.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// What `/.well-known/jwks.json` answers: the public half of the key that signs assertions to applications.
    pub jwks: serde_json::Value,
    /// External providers, in the order of their buttons.
    pub providers: Vec<ProviderButton>,
    /// Without it the API takes no settings, and what it publishes counts until the next start.
    pub configure: Option<Arc<dyn Configure>>,
}

/// Whoever can read a configuration file, and keeps what is put into force beyond the next start.
pub trait Configure: fmt::Debug + Send + Sync {
    /// Puts the settings of a file's `text` into force, and names those that change; or tells every reason why not.
    fn settings<'a>(
        &'a self,
        text: &'a str,
        by: &'a SubjectId,
        dry_run: bool,
    ) -> BoxFuture<'a, Result<Vec<String>, Vec<String>>>;

    /// Keeps a policy set, name by name, that is about to be published.
    fn keep_policies(&self, files: &BTreeMap<String, String>) -> Result<(), String>;
}

/// A provider as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderButton {
    /// As the administrator knows it.
    pub name: String,
    pub label: String,
}

/// What every handler has at hand.
#[derive(Debug, Clone)]
pub(crate) struct Site(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    administrator: Administrator,
    estate: Estate,
    settings: Settings,
    /// Questions that compute for a while, at once.
    asking: tokio::sync::Semaphore,
    /// Made at each start.
    sealing_key: CredentialSecret,
}

/// Each takes every core while it lasts; what waits for its turn costs nothing.
const ASKING: usize = 2;

impl Site {
    /// Seals what a caller is handed to bring back: where the next page of a search begins.
    pub(crate) fn sealing_key(&self) -> &CredentialSecret {
        &self.0.sealing_key
    }

    pub(crate) fn asking(&self) -> &tokio::sync::Semaphore {
        &self.0.asking
    }

    pub(crate) fn administrator(&self) -> &Administrator {
        &self.0.administrator
    }

    pub(crate) fn estate(&self) -> &Estate {
        &self.0.estate
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.0.settings
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.administrator().now()
    }

    /// Runs what reads files off the runtime's threads.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Administrator) -> T + Send + 'static,
    ) -> Result<T, Fault> {
        let administrator = self.administrator().clone();
        let done = tokio::task::spawn_blocking(move || work(&administrator)).await;
        done.map_err(|error| Fault::Internal(format!("a reading thread stopped: {error}")))
    }
}

/// How large a body a part takes. Policies and bundles go to the API.
const PAGE_BODY: usize = 64 * 1024;
const AUTHZEN_BODY: usize = 1024 * 1024;
const API_BODY: usize = 8 * 1024 * 1024;

/// The parts by the name that their resource's upstream has.
pub fn parts(administrator: Administrator, estate: Estate, settings: Settings) -> HashMap<String, Router> {
    let (sealing_key, _) = secret::generate();
    let asking = tokio::sync::Semaphore::new(ASKING);
    let site = Site(Arc::new(Inner { administrator, estate, settings, asking, sealing_key }));
    let pages = |router: Router<Site>| {
        router
            .fallback(async || PageFault(Fault::Absent))
            .method_not_allowed_fallback(async || PageFault(Fault::Absent))
            .layer(from_fn(guard::page))
            .layer(from_fn(headers::stamp))
            .layer(DefaultBodyLimit::max(PAGE_BODY))
            .with_state(site.clone())
    };
    let programmes = |router: Router<Site>, limit: usize| {
        router
            .fallback(async || Fault::Absent)
            .method_not_allowed_fallback(async || Fault::Method)
            .layer(from_fn(guard::programme))
            .layer(from_fn(headers::stamp))
            .layer(DefaultBodyLimit::max(limit))
            .with_state(site.clone())
    };
    HashMap::from([
        ("sign-in".to_owned(), pages(sign_in::router())),
        ("portal".to_owned(), pages(portal::router())),
        ("console".to_owned(), pages(console::router())),
        ("api".to_owned(), programmes(api::router(), API_BODY)),
        ("device".to_owned(), programmes(device::router(), PAGE_BODY)),
        ("authzen".to_owned(), programmes(authzen::router(), AUTHZEN_BODY)),
        ("ledger".to_owned(), programmes(ledger::router(), PAGE_BODY)),
    ])
}

#[cfg(test)]
mod tests;
