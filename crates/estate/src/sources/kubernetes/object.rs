//! The fields of Kubernetes objects that say who may do what. Nothing else is kept, least of all the data of secrets.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::Deserializer;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Object {
    #[serde(default)]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) metadata: Metadata,
    #[serde(default, deserialize_with = "nothing")]
    pub(super) rules: Vec<Rule>,
    #[serde(default)]
    pub(super) role_ref: Option<RoleReference>,
    #[serde(default, deserialize_with = "nothing")]
    pub(super) subjects: Vec<Subject>,
    #[serde(default)]
    pub(super) spec: Option<Specification>,
}

/// A document of YAML: a list of objects, or one.
#[derive(Deserialize)]
pub(super) struct Document {
    #[serde(default)]
    pub(super) items: Option<Vec<Object>>,
    #[serde(flatten)]
    pub(super) object: Object,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Metadata {
    pub(super) name: String,
    pub(super) namespace: Option<String>,
    pub(super) uid: Option<String>,
    pub(super) creation_timestamp: Option<String>,
    #[serde(deserialize_with = "nothing")]
    pub(super) annotations: BTreeMap<String, String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Rule {
    #[serde(deserialize_with = "nothing")]
    pub(super) api_groups: Vec<String>,
    #[serde(deserialize_with = "nothing")]
    pub(super) resources: Vec<String>,
    #[serde(deserialize_with = "nothing")]
    pub(super) verbs: Vec<String>,
    #[serde(deserialize_with = "nothing")]
    pub(super) resource_names: Vec<String>,
}

#[derive(Deserialize)]
pub(super) struct RoleReference {
    pub(super) kind: String,
    pub(super) name: String,
}

#[derive(Deserialize)]
pub(super) struct Subject {
    pub(super) kind: String,
    pub(super) name: String,
    #[serde(default)]
    pub(super) namespace: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Specification {
    #[serde(default)]
    pub(super) service_account_name: Option<String>,
}

impl Object {
    pub(super) fn is(&self, kind: &str) -> bool {
        self.kind == kind
    }

    /// Empty for what is the cluster's.
    pub(super) fn namespace(&self) -> &str {
        if self.kind.starts_with("Cluster") { "" } else { self.metadata.namespace.as_deref().unwrap_or_default() }
    }
}

/// `null` where a list or map belongs is none.
fn nothing<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}
