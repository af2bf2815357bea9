//! Holds the readers against public exports that are not part of this repository: every file is read and counted against a
//! count that shares no code with them. `cargo run -p countersign-estate --example public_data -- FOLDER`, where the folder
//! has `adsynth/*.jsonl`, `aws-iam/authz-details-example.json`, `m365/ProviderSettingsExport.json` and `saas/…` (answers of
//! interfaces, as Cartography keeps them for its tests), unpacked. It stops at the first difference.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a check may stop, and say what it skipped"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::ControlFlow;
use std::path::PathBuf;

use countersign_estate::{Edge, Input, Inventory, Kind, Limits, Node, Relation, Watch, read};
use countersign_model::Timestamp;
use serde_json::{Value, json};

const AT: Timestamp = Timestamp::from_seconds(1_700_000_000);

fn main() {
    let folder = PathBuf::from(std::env::args_os().nth(1).expect("a folder"));
    let data = |path: &str| fs::read(folder.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    for name in ["vul_10k", "secure_10k", "secure_100k"] {
        generated_directory(name, &data(&format!("adsynth/{name}.jsonl")));
    }
    account_built_to_be_attacked(&data("aws-iam/authz-details-example.json"));
    assessed_tenant(&data("m365/ProviderSettingsExport.json"));
    let json =
        |path: &str| -> Value { serde_json::from_slice(&data(path)).unwrap_or_else(|error| panic!("{path}: {error}")) };
    people(&json("saas/workday/people.json"));
    okta(&json("saas/okta/groups.json"), &json("saas/okta/adminroles.json"), &json("saas/okta/application.json"));
    google(&json("saas/googleworkspace/api.json"));
    github(
        &json("saas/github/users.json"),
        &json("saas/github/teams.json"),
        &json("saas/github/personal_access_tokens.json"),
    );
    entra(&|name: &str| json(&format!("saas/microsoft/entra/{name}.json")));
}

/// The inventory of one file, and how many rows of it were left out.
fn inventory(name: &str, bytes: &[u8]) -> (Inventory, u64) {
    let batch = read(&[Input { name, bytes }], &Limits::default(), &mut Watch::new(&mut |_| ControlFlow::Continue(())));
    let batch = batch.unwrap_or_else(|fault| panic!("{fault}"));
    let mut inventory = Inventory::new();
    let report = inventory.merge(&batch, AT).unwrap_or_else(|fault| panic!("{fault}"));
    for skipped in &report.skipped {
        println!("{name}: {} × {}", skipped.count, skipped.reason);
    }
    let skipped = report.skipped.iter().map(|skipped| skipped.count).sum();
    (inventory, skipped)
}

fn kinds(inventory: &Inventory) -> BTreeMap<Kind, usize> {
    let mut kinds = BTreeMap::new();
    for node in inventory.nodes() {
        *kinds.entry(node.kind()).or_default() += 1;
    }
    kinds
}

/// A generated directory (ADSynth), counted line by line as text.
fn generated_directory(name: &str, bytes: &[u8]) {
    let text = std::str::from_utf8(bytes).expect("UTF-8");
    let nodes = text.lines().filter(|line| line.contains(r#""type":"node""#)).count();
    let relationships = text.lines().filter(|line| line.contains(r#""type":"relationship""#)).count();
    let (inventory, skipped) = inventory(name, bytes);
    assert_eq!(inventory.nodes().len(), nodes, "{name}");
    let computers = text.lines().filter(|line| line.contains(r#""type":"node""#) && line.contains(r#""Computer""#));
    assert_eq!(kinds(&inventory).get(&Kind::Device), Some(&computers.count()), "{name}");
    let edges = inventory.edges().len();
    assert_eq!(edges as u64 + skipped, relationships as u64, "{name}");
    let projection = inventory.project().expect("numbers suffice");
    println!("{name}: {nodes} nodes, {edges} edges, {} in the graph", projection.graph.edge_count());
}

/// An account that was built to be attacked (from the examples of Cloudsplaining): its users are named for the way by
/// which they raise their permissions, or for not having one (`fp`).
fn account_built_to_be_attacked(bytes: &[u8]) {
    let (inventory, _) = inventory("authz-details-example.json", bytes);
    let kinds = kinds(&inventory);
    assert_eq!((kinds.get(&Kind::Account), kinds.get(&Kind::Group)), (Some(&44), Some(&5)));
    let plain = [Relation::MemberOf, Relation::HasEntitlement];
    let ways = |node: &Node| -> Vec<(Relation, bool)> {
        let of = |edge: &&Edge| inventory.nodes().get(edge.from as usize).is_some_and(|from| from.key == node.key);
        let powers = inventory.edges().iter().filter(of).filter(|edge| !plain.contains(&edge.relation));
        powers.map(|edge| (edge.relation, edge.is_conditional())).collect()
    };
    let of_name = |beginning: &str| -> Vec<&Node> {
        let accounts = inventory.nodes().iter().filter(|node| node.kind() == Kind::Account);
        accounts.filter(|node| node.name().starts_with(beginning)).collect()
    };
    for safe in ["fp1-", "fp2-", "fp3-", "fp4-"].into_iter().flat_map(of_name) {
        assert_eq!(ways(safe), [], "{}", safe.name());
    }
    // Its condition lies in the past; that it never holds again is for whoever knows the time to say.
    for past in of_name("fp5-") {
        assert!(ways(past).iter().all(|(_, conditional)| *conditional));
    }
    // Who may write the permissions of roles, in an account whose roles it cannot become.
    let nowhere = ["privesc9-", "privesc12-", "privesc-AssumeRole-start"];
    let mut found = 0;
    for user in of_name("privesc").into_iter().chain(of_name("fn")) {
        let expected = !nowhere.iter().any(|beginning| user.name().starts_with(beginning));
        assert_eq!(!ways(user).is_empty(), expected, "{}", user.name());
        found += usize::from(expected);
    }
    println!("{found} users with a way to more permissions");
}

/// The inventory of one document.
fn document(name: &str, document: &Value) -> (Inventory, u64) {
    inventory(name, document.to_string().as_bytes())
}

fn of_kind(inventory: &Inventory, kind: Kind) -> usize {
    inventory.nodes().iter().filter(|node| node.kind() == kind && !node.sightings.is_empty()).count()
}

fn of_relation(inventory: &Inventory, relation: Relation) -> usize {
    inventory.edges().iter().filter(|edge| edge.relation == relation).count()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// An answer that is kept as text.
fn answer(value: &Value) -> Value {
    serde_json::from_str(value.as_str().expect("an answer")).expect("JSON")
}

/// Every text of this name, wherever it stands below.
fn texts<'v>(value: &'v Value, name: &str, found: &mut BTreeSet<&'v str>) {
    match value {
        Value::Array(list) => list.iter().for_each(|value| texts(value, name, found)),
        Value::Object(map) => {
            for (key, value) in map {
                match value.as_str() {
                    Some(text) if key == name => drop(found.insert(text)),
                    _ => texts(value, name, found),
                }
            }
        }
        _ => {}
    }
}

/// A tenant of CISA's that ScubaGear assessed.
fn assessed_tenant(bytes: &[u8]) {
    let text = std::str::from_utf8(bytes).expect("UTF-8").trim_start_matches('\u{feff}');
    let whole: Value = serde_json::from_str(text).expect("JSON");
    let (inventory, _) = inventory("ProviderSettingsExport.json", bytes);
    let roles = list(&whole["privileged_roles"]);
    let mut held = BTreeSet::new();
    for role in roles {
        let name = role["DisplayName"].as_str().expect("a name");
        held.extend(
            list(&role["Assignments"]).iter().filter_map(|it| Some((it["PrincipalId"].as_str()?.to_owned(), name))),
        );
    }
    for holders in ["privileged_users", "privileged_service_principals"] {
        for (id, holder) in whole[holders].as_object().expect("holders") {
            held.extend(list(&holder["roles"]).iter().filter_map(|role| Some((id.clone(), role.as_str()?))));
        }
    }
    let mut keys = BTreeSet::new();
    for list in ["risky_applications", "risky_third_party_service_principals"] {
        texts(&whole[list], "KeyId", &mut keys);
    }
    assert_eq!(of_kind(&inventory, Kind::Role), roles.len());
    assert_eq!(of_relation(&inventory, Relation::MemberOf), held.len());
    assert_eq!(
        of_kind(&inventory, Kind::Account),
        whole["privileged_users"].as_object().map_or(0, serde_json::Map::len)
    );
    assert_eq!(of_kind(&inventory, Kind::Policy), list(&whole["conditional_access_policies"]).len());
    assert_eq!(of_kind(&inventory, Kind::Key), keys.len());
    let global = inventory.nodes().iter().find(|node| node.name() == "Global Administrator").expect("the role");
    assert_eq!(global.attributes().high_value, Some(true));
    println!("ScubaGear: {} roles, {} held or eligible, {} credentials", roles.len(), held.len(), keys.len());
}

fn people(answers: &Value) {
    let report = &answers["GET_WORKDAY_DIRECTORY_RESPONSE"];
    let (inventory, skipped) = document("people.json", report);
    assert_eq!((of_kind(&inventory, Kind::Human), skipped), (list(&report["Report_Entry"]).len(), 0));
    println!("Workday: {} people", inventory.nodes().len());
}

fn okta(groups: &Value, roles: &Value, apps: &Value) {
    let mut users = list(&groups["GROUP_MEMBERS_SAMPLE_DATA"]).to_vec();
    users.extend(list(&answer(&groups["LIST_GROUP_MEMBER_RESPONSE"])).iter().cloned());
    let own = answer(&roles["LIST_ASSIGNED_USER_ROLE_RESPONSE"]);
    users[0]["roles"] = own.clone();
    let app = answer(&apps["APPLICATION_WITH_REDITECT_URIS"]);
    let mut assigned = app.clone();
    assigned["users"] = answer(&apps["LIST_APPLICATION_USER_ASSIGNED_RESPONSE"]);
    assigned["groups"] = answer(&apps["LIST_APPLICATION_GROUP_ASSIGNED_RESPONSE"]);
    let all = json!({"source": "okta", "realm": "example", "users": users, "apps": [assigned],
        "groups": [{"id": "g", "profile": {"name": "g"}, "users": users}]});
    let (inventory, skipped) = document("okta.json", &all);
    assert_eq!((of_kind(&inventory, Kind::Account), skipped), (users.len(), 0));
    assert_eq!(of_relation(&inventory, Relation::MemberOf), users.len() + list(&own).len());
    assert_eq!(
        of_relation(&inventory, Relation::Permits),
        list(&assigned["users"]).len() + list(&assigned["groups"]).len()
    );
    println!("Okta: {} users, {} roles", users.len(), list(&own).len());
}

fn google(answers: &Value) {
    let users = list(&answers["MOCK_GOOGLEWORKSPACE_USERS_RESPONSE"][0]["users"]);
    let all = json!({"source": "google-workspace", "realm": "ABC123CD", "users": users});
    let (inventory, skipped) = document("google.json", &all);
    let enrolled = users.iter().filter(|user| user["isEnrolledIn2Sv"] == true).count();
    let administrators = users.iter().filter(|user| user["isAdmin"] == true).count();
    assert_eq!((of_kind(&inventory, Kind::Account), skipped), (users.len(), 0));
    assert_eq!(of_relation(&inventory, Relation::MemberOf), administrators);
    let factors = |node: &&Node| node.attributes().factors.is_some_and(|factors| !factors.is_empty());
    assert_eq!(inventory.nodes().iter().filter(factors).count(), enrolled);
    println!("Google Workspace: {} users, {enrolled} with two steps", users.len());
}

fn github(users: &Value, teams: &Value, tokens: &Value) {
    let members = list(&users["GITHUB_USER_DATA"][0]);
    // Its lists of members and repositories are numbers only.
    let nodes = list(&teams["GH_TEAM_DATA"][0]["nodes"]);
    let teams: Vec<Value> = nodes.iter().map(|team| json!({"slug": team["slug"]})).collect();
    let tokens = list(&tokens["FINE_GRAINED_PERSONAL_ACCESS_TOKENS"]);
    let all = json!({"source": "github", "realm": "SimpsonCorp", "members": members, "teams": teams, "personalAccessTokens": tokens});
    let (inventory, skipped) = document("github.json", &all);
    let owners = members.iter().filter(|member| member["role"] == "ADMIN").count();
    assert_eq!(
        (of_kind(&inventory, Kind::Account), of_kind(&inventory, Kind::Key), skipped),
        (members.len(), tokens.len(), 0)
    );
    assert_eq!(of_kind(&inventory, Kind::Group), teams.len());
    assert_eq!(of_relation(&inventory, Relation::MemberOf), members.len() + owners);
    println!("GitHub: {} members, {owners} owners, {} teams", members.len(), teams.len());
}

/// As Graph writes what its Python library read: names in camel case, identifiers plain.
fn graph(value: &Value) -> Value {
    match value {
        Value::Array(list) => list.iter().map(graph).collect(),
        Value::Object(map) => match map.get("_args") {
            Some(args) => args[0].clone(),
            None => map.iter().map(|(key, value)| (camel(key), graph(value))).collect(),
        },
        other => other.clone(),
    }
}

fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |all, word| {
        all + &word.get(..1).unwrap_or_default().to_uppercase() + word.get(1..).unwrap_or_default()
    })
}

fn entra(file: &dyn Fn(&str) -> Value) {
    let (users, groups, apps, roles) = (file("users"), file("groups"), file("applications"), file("directory_roles"));
    let users = graph(&users["MOCK_ENTRA_USERS"]);
    let mut members = 0;
    let mut with_members = graph(&groups["MOCK_ENTRA_GROUPS"]);
    for group in with_members.as_array_mut().expect("groups") {
        let id = group["id"].as_str().expect("an identifier").to_owned();
        group["members"] = graph(&groups["MOCK_GROUP_MEMBERS"][&id]);
        group["owners"] = graph(&groups["MOCK_GROUP_OWNERS"][&id]);
        members += list(&group["members"]).len();
    }
    let assigned = graph(&apps["MOCK_APP_ROLE_ASSIGNMENTS"]);
    let held = graph(&roles["MOCK_ROLE_ASSIGNMENTS"]);
    let all = json!({"source": "entra", "realm": "02b2b7cc-fb03-4324-bf6b-eb207b39c479", "users": users, "groups": with_members,
        "applications": graph(&apps["MOCK_ENTRA_APPLICATIONS"]), "servicePrincipals": graph(&apps["MOCK_SERVICE_PRINCIPALS"]),
        "appRoleAssignments": assigned, "roleDefinitions": graph(&roles["MOCK_ROLE_DEFINITIONS"]), "roleAssignments": held});
    let (inventory, skipped) = document("entra.json", &all);
    assert_eq!((of_kind(&inventory, Kind::Account), skipped), (list(&users).len(), 0));
    assert_eq!(of_relation(&inventory, Relation::MemberOf), members + list(&held).len());
    assert_eq!(of_relation(&inventory, Relation::Permits), list(&assigned).len());
    // An application and its service principal are one.
    assert_eq!(of_kind(&inventory, Kind::Service), list(&all["applications"]).len());
    println!("Entra: {} users, {members} memberships, {} assignments", list(&users).len(), list(&assigned).len());
}
