//! A cluster in JSON and in YAML, and the powers of rules.
#![expect(clippy::unwrap_used, reason = "a test may stop")]

use super::object::Rule;
use super::rules::{How, Power, powers};
use crate::tests::{NOON, edges, import, inventory, reasons, saved, try_read};
use crate::{Inventory, Limits, Relation};

const CLUSTER: &str = r#"{"apiVersion":"v1","kind":"List","items":[
 {"apiVersion":"v1","kind":"Namespace","metadata":{"name":"kube-system","uid":"u-1"}},
 {"apiVersion":"v1","kind":"Namespace","metadata":{"name":"shop","uid":"u-2"}},
 {"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"web","namespace":"shop","creationTimestamp":"2024-09-04T18:44:56Z",
   "annotations":{"eks.amazonaws.com/role-arn":"arn:aws:iam::123456789012:role/web"}}},
 {"kind":"Role","metadata":{"name":"runner","namespace":"shop"},"rules":[{"apiGroups":["apps"],"resources":["deployments"],"verbs":["create"]}]},
 {"kind":"RoleBinding","metadata":{"name":"ana-runs","namespace":"shop"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"Role","name":"runner"},
   "subjects":[{"kind":"User","name":"ana"},{"kind":"Group","name":"system:serviceaccounts"},{"kind":"ServiceAccount","name":"web"}]},
 {"kind":"ClusterRole","metadata":{"name":"cluster-admin"},"rules":[{"apiGroups":["*"],"resources":["*"],"verbs":["*"]},{"nonResourceURLs":["*"],"verbs":["*"]}]},
 {"kind":"ClusterRoleBinding","metadata":{"name":"admins"},"roleRef":{"kind":"ClusterRole","name":"cluster-admin"},"subjects":[{"kind":"Group","name":"ops"}]},
 {"kind":"RoleBinding","metadata":{"name":"ben-shop","namespace":"shop"},"roleRef":{"kind":"ClusterRole","name":"cluster-admin"},"subjects":[{"kind":"User","name":"ben"}]},
 {"kind":"RoleBinding","metadata":{"name":"lost","namespace":"shop"},"roleRef":{"kind":"Role","name":"nowhere"},"subjects":null},
 {"kind":"Pod","metadata":{"name":"web-1","namespace":"shop"},"spec":{"serviceAccountName":"web"}},
 {"kind":"Secret","metadata":{"name":"s","namespace":"shop"},"data":{"password":"aHVudGVyMg=="}}
]}"#;

fn key(rest: &str) -> String {
    format!("k8s:u-1/{rest}")
}

#[test]
fn a_cluster_becomes_nodes_and_edges() {
    let mut inventory = Inventory::new();
    let report = import(&mut inventory, CLUSTER, NOON);
    use Relation as R;
    let root = "k8s:u-1".to_owned();
    let mut expected = vec![
        (key("groups/system:masters"), R::Administers, root.clone()),
        (root.clone(), R::Contains, key("namespaces/kube-system")),
        (root.clone(), R::Contains, key("namespaces/shop")),
        (key("namespaces/kube-system"), R::Contains, key("serviceaccounts/kube-system/*")),
        (key("namespaces/shop"), R::Contains, key("serviceaccounts/shop/*")),
        (key("serviceaccounts/shop/*"), R::Contains, key("serviceaccounts/shop/web")),
        (key("serviceaccounts/shop/web"), R::MemberOf, key("groups/system:serviceaccounts")),
        (key("serviceaccounts/shop/web"), R::Assume, "arn:aws:iam::123456789012:role/web".to_owned()),
        (key("users/ana"), R::MemberOf, key("bindings/shop/ana-runs")),
        (key("groups/system:serviceaccounts"), R::MemberOf, key("bindings/shop/ana-runs")),
        (key("serviceaccounts/shop/web"), R::MemberOf, key("bindings/shop/ana-runs")),
        (key("bindings/shop/ana-runs"), R::Assume, key("serviceaccounts/shop/*")),
        (key("groups/ops"), R::MemberOf, key("bindings//admins")),
        (key("bindings//admins"), R::Administers, root),
        (key("users/ben"), R::MemberOf, key("bindings/shop/ben-shop")),
        (key("bindings/shop/ben-shop"), R::Administers, key("namespaces/shop")),
        (key("namespaces/shop"), R::Contains, key("pods/shop/web-1")),
        (key("pods/shop/web-1"), R::RunsAs, key("serviceaccounts/shop/web")),
    ];
    expected.sort();
    assert_eq!(edges(&inventory), expected);
    assert_eq!(
        reasons(&report),
        [("a binding of a role that is not in the file", 1), ("an object of a kind that is no part of the estate", 1)]
    );
    assert!(!saved(&inventory).contains("aHVudGVyMg"));
}

#[test]
fn yaml_is_the_same_as_json() {
    let yaml = "apiVersion: v1
items:
- kind: Namespace
  metadata: {name: kube-system, uid: u-1}
- kind: ClusterRole
  metadata:
    name: \"on\"
  rules:
  - apiGroups: [\"\"]
    resources: [nodes/proxy]
    verbs: [get]
kind: List
---
kind: ClusterRoleBinding
metadata:
  name: b
roleRef:
  kind: ClusterRole
  name: \"on\"
subjects:
- kind: User
  name: ana
";
    let json = r#"{"apiVersion":"v1","kind":"List","items":[{"kind":"Namespace","metadata":{"name":"kube-system","uid":"u-1"}},
      {"kind":"ClusterRole","metadata":{"name":"on"},"rules":[{"apiGroups":[""],"resources":["nodes/proxy"],"verbs":["get"]}]},
      {"kind":"ClusterRoleBinding","metadata":{"name":"b"},"roleRef":{"kind":"ClusterRole","name":"on"},"subjects":[{"kind":"User","name":"ana"}]}]}"#;
    let (from_yaml, from_json) = (inventory(yaml), inventory(json));
    assert_eq!(edges(&from_yaml), edges(&from_json));
    assert!(from_yaml.edge(&key("bindings//b"), Relation::Administers, "k8s:u-1").unwrap().is_conditional());
}

#[test]
fn hostile_clusters_are_refused() {
    let refused = |text: &str| try_read(&[("file", text.as_bytes())], &Limits::default()).unwrap_err().to_string();
    let nameless = CLUSTER.replace("kube-system", "elsewhere");
    assert!(refused(&nameless).contains("kubectl get namespaces"));
    let twice = CLUSTER.replace(
        r#"{"kind":"Pod""#,
        r#"{"kind":"Role","metadata":{"name":"runner","namespace":"shop"}},{"kind":"Pod""#,
    );
    assert!(refused(&twice).contains("a role that stands twice"));
    let strange = CLUSTER.replace(r#"{"kind":"User","name":"ana"}"#, r#"{"kind":"Cat","name":"ana"}"#);
    assert!(refused(&strange).contains("/items/4/subjects/0"));
    let bomb = "apiVersion: v1\nkind: List\na: &a [x, x]\nb: &b [*a, *a]\nitems: [*b]\n";
    assert!(refused(bomb).contains("not the YAML"));
    let deep = format!("apiVersion: v1\nkind: List\nitems: {}{}\n", "[".repeat(10_000), "]".repeat(10_000));
    assert!(refused(&deep).contains("not the YAML"));
    let secret = "apiVersion: v1\nkind: List\nitems: s3cret\n";
    assert!(!refused(secret).contains("s3cret"));
}

#[track_caller]
fn check(groups: &[&str], resources: &[&str], verbs: &[&str], names: &[&str], expect: &[Power]) {
    let list = |items: &[&str]| items.iter().map(|item| (*item).to_owned()).collect();
    let rule =
        Rule { api_groups: list(groups), resources: list(resources), verbs: list(verbs), resource_names: list(names) };
    assert_eq!(powers(&[rule]).into_iter().collect::<Vec<_>>(), expect);
}

#[test]
fn rules_and_what_they_give() {
    let any = |how| Power::Account(None, how);
    check(&["*"], &["*"], &["*"], &[], &[Power::Everything]);
    check(&[""], &["pods"], &["get", "list"], &[], &[]);
    check(&[""], &["pods"], &["create"], &[], &[any(How::RunsPods)]);
    check(&[""], &["pods"], &["create"], &["web"], &[]);
    check(&[""], &["deployments"], &["create"], &[], &[]);
    check(&["apps"], &["deployments"], &["patch"], &["web"], &[any(How::RunsPods)]);
    check(&[""], &["*/exec"], &["create"], &[], &[any(How::EntersPods)]);
    check(&[""], &["secrets"], &["list"], &[], &[Power::ReadsSecrets]);
    check(
        &[""],
        &["serviceaccounts/token"],
        &["create"],
        &["ci"],
        &[Power::Account(Some("ci".into()), How::MakesTokens)],
    );
    check(&["rbac.authorization.k8s.io"], &["clusterroles"], &["bind"], &[], &[Power::Grants]);
    check(&["rbac.authorization.k8s.io"], &["rolebindings"], &["create"], &[], &[]);
    check(&[""], &["users"], &["impersonate"], &["ben"], &[]);
    check(&[""], &["groups"], &["impersonate"], &["system:masters"], &[Power::ImpersonatesAnybody]);
}
