//! The scripted provider of `testkit`, as this crate's own types see it.

use std::ops::Deref;

use countersign_model::CredentialSecret;
use countersign_testkit::provider::{self, CLIENT_SECRET, REDIRECT};
pub(super) use countersign_testkit::provider::{CLIENT, EVENT, Key};

use super::NOW;
use crate::oidc::{AuthenticationDemand, FlowState, HttpClient, MethodMapping, OidcError, Provider, ProviderSettings};

pub(super) struct ScriptedProvider(provider::ScriptedProvider);

impl Deref for ScriptedProvider {
    type Target = provider::ScriptedProvider;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl ScriptedProvider {
    pub(super) async fn start() -> Self {
        Self(provider::ScriptedProvider::start(NOW).await)
    }

    pub(super) fn settings(&self) -> ProviderSettings {
        ProviderSettings {
            issuer: self.issuer.clone(),
            client_id: CLIENT.to_owned(),
            client_secret: Some(CredentialSecret::new(CLIENT_SECRET)),
            redirect_uri: REDIRECT.to_owned(),
            scopes: vec!["openid".to_owned(), "email".to_owned()],
            methods: MethodMapping::default(),
        }
    }

    pub(super) async fn discover(&self) -> Result<Provider, OidcError> {
        Provider::discover(self.settings(), HttpClient::new(None).unwrap(), NOW).await
    }

    /// The query with which the browser comes back, and the state to finish with.
    pub(super) fn visit(&self, provider: &Provider, demand: &AuthenticationDemand) -> (String, FlowState) {
        let (url, flow) = provider.begin(demand, NOW).unwrap();
        (self.0.visit(url.as_str()), flow)
    }
}
