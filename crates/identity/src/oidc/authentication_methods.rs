//! What a provider's `amr` and `acr` are worth. They are words that each provider uses as it likes (RFC 8176 names
//! some), so the mapping is configuration; the default believes only the words that are specific.

use std::collections::BTreeSet;

use countersign_model::{AuthenticationMethod, Methods};

/// `amr` and `acr` values, by what they mean here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MethodMapping {
    pub phishing_resistant_amr: BTreeSet<String>,
    pub phishing_resistant_acr: BTreeSet<String>,
    pub multi_factor_amr: BTreeSet<String>,
    pub multi_factor_acr: BTreeSet<String>,
}

impl Default for MethodMapping {
    fn default() -> Self {
        let set = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        Self {
            phishing_resistant_amr: set(&["hwk", "phr", "phrh"]),
            phishing_resistant_acr: set(&["phr", "phrh"]),
            multi_factor_amr: set(&["mfa", "mca", "otp", "sc"]),
            multi_factor_acr: set(&["mfa", "http://schemas.openid.net/pape/policies/2007/06/multi-factor"]),
        }
    }
}

impl MethodMapping {
    /// Always [`AuthenticationMethod::Federated`], and what the words add to it.
    pub fn methods<'a>(&self, amr: impl Iterator<Item = &'a str>, acr: Option<&str>) -> Methods {
        let mut methods = Methods::from([AuthenticationMethod::Federated]);
        for word in amr {
            if self.phishing_resistant_amr.contains(word) {
                methods.insert(AuthenticationMethod::FederatedPhishingResistant);
            }
            if self.multi_factor_amr.contains(word) {
                methods.insert(AuthenticationMethod::FederatedMultiFactor);
            }
        }
        if acr.is_some_and(|acr| self.phishing_resistant_acr.contains(acr)) {
            methods.insert(AuthenticationMethod::FederatedPhishingResistant);
        }
        if acr.is_some_and(|acr| self.multi_factor_acr.contains(acr)) {
            methods.insert(AuthenticationMethod::FederatedMultiFactor);
        }
        methods
    }
}
