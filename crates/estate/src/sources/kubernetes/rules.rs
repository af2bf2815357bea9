//! What the rules of a role give an attacker ("Role Based Access Control Good Practices" in the Kubernetes documentation,
//! privilege escalation risks). Rules only permit: there is nothing to weigh against each other.

use std::collections::BTreeSet;

use super::object::Rule;
use crate::observation::Relation;

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Power {
    Everything,
    /// Writes roles with more rights than it has, or binds them.
    Grants,
    /// Speaks to kubelets through the API server, and so runs commands in every pod.
    Kubelets,
    /// Changes every object on its way into the cluster.
    Webhooks,
    ImpersonatesAnybody,
    ReadsSecrets,
    /// Acts as a service account: of this name, or as any.
    Account(Option<String>, How),
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum How {
    MakesTokens,
    RunsPods,
    EntersPods,
    Impersonates,
}

impl How {
    pub(super) const fn relation(self) -> (Relation, Option<&'static str>) {
        match self {
            Self::MakesTokens => (Relation::CreateCredential, None),
            Self::RunsPods | Self::Impersonates => (Relation::Assume, None),
            Self::EntersPods => (Relation::Assume, Some("a pod runs as it")),
        }
    }
}

const RBAC: &str = "rbac.authorization.k8s.io";

/// Kinds of objects that come to be pods, by the group of their API.
const RUN: [(&str, &str); 8] = [
    ("", "pods"),
    ("", "replicationcontrollers"),
    ("apps", "daemonsets"),
    ("apps", "deployments"),
    ("apps", "replicasets"),
    ("apps", "statefulsets"),
    ("batch", "cronjobs"),
    ("batch", "jobs"),
];

pub(super) fn powers(rules: &[Rule]) -> BTreeSet<Power> {
    let mut powers = BTreeSet::new();
    for rule in rules {
        // A rule for objects of some names does not let make new ones.
        let named = !rule.resource_names.is_empty();
        let all = |list: &[String]| list.iter().any(|item| item == "*");
        if all(&rule.api_groups) && all(&rule.resources) && all(&rule.verbs) && !named {
            powers.insert(Power::Everything);
            continue;
        }
        let changes = permits(rule, RBAC, "roles", &["escalate"])
            || permits(rule, RBAC, "clusterroles", &["escalate"])
            || permits(rule, RBAC, "roles", &["bind"])
            || permits(rule, RBAC, "clusterroles", &["bind"]);
        if changes {
            powers.insert(Power::Grants);
        }
        if permits(rule, "", "nodes/proxy", &["create", "get"]) {
            powers.insert(Power::Kubelets);
        }
        if permits(
            rule,
            "admissionregistration.k8s.io",
            "mutatingwebhookconfigurations",
            &["create", "patch", "update"],
        ) {
            powers.insert(Power::Webhooks);
        }
        let anybody = permits(rule, "", "users", &["impersonate"]) || permits(rule, "", "groups", &["impersonate"]);
        let somebody = rule.resource_names.iter().any(|name| name == "system:masters" || name == "kubernetes-admin");
        if anybody && (!named || somebody) {
            powers.insert(Power::ImpersonatesAnybody);
        }
        if permits(rule, "", "secrets", &["get", "list", "watch"]) {
            powers.insert(Power::ReadsSecrets);
        }
        let accounts: Vec<Option<String>> =
            if named { rule.resource_names.iter().cloned().map(Some).collect() } else { vec![None] };
        if permits(rule, "", "serviceaccounts/token", &["create"]) {
            powers.extend(accounts.iter().cloned().map(|name| Power::Account(name, How::MakesTokens)));
        }
        if permits(rule, "", "serviceaccounts", &["impersonate"]) {
            powers.extend(accounts.into_iter().map(|name| Power::Account(name, How::Impersonates)));
        }
        let creates = RUN.iter().any(|(group, kind)| permits(rule, group, kind, &["create"]));
        let changes = RUN.iter().skip(1).any(|(group, kind)| permits(rule, group, kind, &["patch", "update"]));
        if creates && !named || changes {
            powers.insert(Power::Account(None, How::RunsPods));
        }
        let enters = ["pods/exec", "pods/attach", "pods/ephemeralcontainers"];
        if enters.iter().any(|kind| permits(rule, "", kind, &["create", "get", "patch", "update"])) {
            powers.insert(Power::Account(None, How::EntersPods));
        }
    }
    powers
}

/// `*` is every group, resource with its subresources, or verb; `*/sub` a subresource of all.
fn permits(rule: &Rule, group: &str, resource: &str, verbs: &[&str]) -> bool {
    let of_group = rule.api_groups.iter().any(|item| item == "*" || item == group);
    let of_resource = rule.resources.iter().any(|item| {
        item == "*"
            || item == resource
            || item.strip_prefix("*/").zip(resource.split_once('/')).is_some_and(|(any, (_, sub))| any == sub)
    });
    let of_verb = rule.verbs.iter().any(|item| item == "*" || verbs.contains(&item.as_str()));
    of_group && of_resource && of_verb
}
