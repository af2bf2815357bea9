//! One account at a time, and the ways in it.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop")]

use proptest::prelude::*;
use serde_json::{Value, json};

use super::policy::matches;
use crate::tests::{NOON, import, inventory, reasons, saved, try_read};
use crate::{Inventory, Kind, Limits, Relation};

const ROOT: &str = "arn:aws:iam::123456789012:root";

fn arn(rest: &str) -> String {
    format!("arn:aws:iam::123456789012:{rest}")
}

fn allow(action: &str, resource: &str) -> Value {
    json!({"Effect": "Allow", "Action": action, "Resource": resource})
}

fn user(name: &str, statements: &[Value]) -> Value {
    json!({"UserName": name, "Arn": arn(&format!("user/{name}")), "CreateDate": "2023-03-09 10:41:45+00:00", "GroupList": [],
           "UserPolicyList": [{"PolicyName": "p", "PolicyDocument": {"Version": "2012-10-17", "Statement": statements}}],
           "AttachedManagedPolicies": []})
}

fn role(name: &str, trust: &Value, statements: &[Value]) -> Value {
    json!({"RoleName": name, "Arn": arn(&format!("role/{name}")),
           "AssumeRolePolicyDocument": {"Statement": [trust]},
           "RolePolicyList": [{"PolicyName": "p", "PolicyDocument": {"Statement": statements}}], "AttachedManagedPolicies": []})
}

fn trusts(principal: Value) -> Value {
    json!({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"})
}

fn account(users: &[Value], groups: &[Value], roles: &[Value], policies: &[Value]) -> String {
    json!({"UserDetailList": users, "GroupDetailList": groups, "RoleDetailList": roles, "Policies": policies})
        .to_string()
}

/// What the node reaches, but for what it is a member of or holds.
fn powers(inventory: &Inventory, from: &str) -> Vec<(Relation, String, Option<String>)> {
    let key = |number: u32| inventory.nodes().get(number as usize).unwrap().key.to_string();
    let edges = inventory.edges().iter().filter(|edge| key(edge.from) == arn(from));
    let mut powers: Vec<_> = edges
        .filter(|edge| !matches!(edge.relation, Relation::MemberOf | Relation::HasEntitlement))
        .map(|edge| {
            (edge.relation, key(edge.to), edge.sightings.first().unwrap().condition.as_deref().map(str::to_owned))
        })
        .collect();
    powers.sort();
    powers
}

/// What one user with these statements can do, beside another user, a group, an administrator's role that trusts the
/// account, and one that trusts Lambda.
fn check(statements: &[Value], expect: &[(Relation, &str, Option<&str>)]) {
    let boss = allow("*", "*");
    let text = account(
        &[user("ana", statements), user("ben", &[])],
        &[json!({"GroupName": "ops", "Arn": arn("group/ops")})],
        &[
            role("boss", &trusts(json!({"AWS": ROOT})), std::slice::from_ref(&boss)),
            role("runner", &trusts(json!({"Service": "lambda.amazonaws.com"})), &[boss]),
        ],
        &[],
    );
    let found = powers(&inventory(&text), "user/ana");
    let found: Vec<(Relation, &str, Option<&str>)> =
        found.iter().map(|(relation, to, condition)| (*relation, to.as_str(), condition.as_deref())).collect();
    let expect: Vec<(Relation, String, Option<&str>)> =
        expect.iter().map(|(relation, to, condition)| (*relation, arn(to), *condition)).collect();
    let expect: Vec<(Relation, &str, Option<&str>)> =
        expect.iter().map(|(relation, to, condition)| (*relation, to.as_str(), *condition)).collect();
    assert_eq!(found, expect, "{statements:?}");
}

#[test]
fn ways_to_more_permissions() {
    use Relation as R;
    check(&[allow("s3:*", "*")], &[]);
    check(&[allow("*", "*")], &[(R::Administers, "root", None), (R::Assume, "role/boss", None)]);
    check(&[allow("iam:CreateAccessKey", "*")], &[(R::CreateCredential, "user/ben", None)]);
    check(&[allow("iam:createaccess*", &arn("user/b?n"))], &[(R::CreateCredential, "user/ben", None)]);
    check(&[allow("iam:CreateAccessKey", &arn("user/${aws:username}"))], &[]);
    check(&[allow("iam:PutUserPolicy", &arn("user/ana"))], &[(R::ChangePermissions, "root", None)]);
    check(&[allow("iam:PutUserPolicy", &arn("user/${aws:username}"))], &[(R::ChangePermissions, "root", None)]);
    check(&[allow("iam:PutUserPolicy", &arn("user/ben"))], &[]);
    check(&[allow("iam:AddUserToGroup", "*")], &[(R::AddMember, "group/ops", None)]);
    check(&[allow("sts:AssumeRole", "*")], &[(R::Assume, "role/boss", None)]);
    check(&[allow("iam:UpdateAssumeRolePolicy", &arn("role/runner"))], &[(R::WritePermissions, "role/runner", None)]);
    check(&[allow("iam:PutRolePolicy", "*")], &[]);
    check(
        &[allow("iam:PutRolePolicy", "*"), allow("sts:AssumeRole", &arn("role/boss"))],
        &[(R::Assume, "role/boss", None), (R::ChangePermissions, "root", None)],
    );
    let lambda =
        json!({"Effect": "Allow", "Action": ["lambda:CreateFunction", "lambda:InvokeFunction"], "Resource": "*"});
    check(std::slice::from_ref(&lambda), &[]);
    check(&[lambda, allow("iam:PassRole", "*")], &[(R::PassRole, "role/runner", None)]);
    let running = Some("something runs there as it already");
    check(&[allow("lambda:UpdateFunctionCode", "*")], &[(R::PassRole, "role/runner", running)]);
}

#[test]
fn denials_and_conditions() {
    use Relation as R;
    let keys = allow("iam:CreateAccessKey", "*");
    let deny = json!({"Effect": "Deny", "Action": "iam:*", "Resource": "*"});
    check(&[keys.clone(), deny.clone()], &[]);
    check(&[deny, keys.clone()], &[]);
    let with = json!({"Effect": "Allow", "Action": "iam:CreateAccessKey", "Resource": "*",
                      "Condition": {"Bool": {"aws:MultiFactorAuthPresent": true}}});
    check(
        std::slice::from_ref(&with),
        &[(R::CreateCredential, "user/ben", Some("Bool aws:MultiFactorAuthPresent = true"))],
    );
    check(&[with.clone(), keys.clone()], &[(R::CreateCredential, "user/ben", None)]);
    let unless = json!({"Effect": "Deny", "NotAction": "s3:*", "Resource": "*",
                        "Condition": {"NotIpAddress": {"aws:SourceIp": ["10.0.0.0/8"]}}});
    check(
        &[keys.clone(), unless],
        &[(R::CreateCredential, "user/ben", Some("unless NotIpAddress aws:SourceIp = 10.0.0.0/8"))],
    );
    let elsewhere = json!({"Effect": "Deny", "Action": "*", "NotResource": arn("user/ben")});
    check(&[keys, elsewhere], &[(R::CreateCredential, "user/ben", None)]);
    let power_user = json!({"Effect": "Allow", "NotAction": ["iam:*", "sts:*"], "Resource": "*"});
    check(&[power_user], &[(R::PassRole, "role/runner", Some("something runs there as it already"))]);
    let but = json!({"Effect": "Deny", "Action": "iam:CreateAccessKey", "Resource": "*"});
    let rest = [
        (R::Assume, "role/boss", None),
        (R::CreateCredential, "user/ben", None),
        (R::WritePermissions, "role/boss", None),
        (R::WritePermissions, "role/runner", None),
        (R::ChangePermissions, "root", None),
        (R::PassRole, "role/runner", None),
        (R::AddMember, "group/ops", None),
    ];
    let mut rest: Vec<(Relation, &str, Option<&str>)> = rest.to_vec();
    rest.sort_by_key(|(relation, to, _)| (*relation, arn(to)));
    check(&[allow("*", "*"), but], &rest);
}

#[test]
fn a_boundary_is_the_most_that_is_permitted() {
    let mut ana = user("ana", &[allow("*", "*")]);
    ana["PermissionsBoundary"] =
        json!({"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn("policy/most")});
    let most = json!({"PolicyName": "most", "Arn": arn("policy/most"), "PolicyVersionList": [
        {"IsDefaultVersion": false, "VersionId": "v1", "Document": {"Statement": [allow("*", "*")]}},
        {"IsDefaultVersion": true, "VersionId": "v2", "Document": {"Statement": allow("sts:*", "*")}}]});
    let boss = role("boss", &trusts(json!({"AWS": "123456789012"})), &[]);
    let within = account(&[ana.clone(), user("ben", &[])], &[], std::slice::from_ref(&boss), &[most]);
    assert_eq!(powers(&inventory(&within), "user/ana"), [(Relation::Assume, arn("role/boss"), None)]);
    let without = account(&[ana], &[], &[boss], &[]);
    let unknown = Some("a permissions boundary that is not in the file".to_owned());
    assert_eq!(powers(&inventory(&without), "user/ana")[0], (Relation::Administers, ROOT.to_owned(), unknown));
}

#[test]
fn groups_and_attached_policies_are_theirs() {
    let mut ana = user("ana", &[]);
    ana["GroupList"] = json!(["ops", "elsewhere"]);
    let ops = json!({"GroupName": "ops", "Arn": arn("group/ops"), "AttachedManagedPolicies": [
        {"PolicyName": "own", "PolicyArn": arn("policy/own")}, {"PolicyName": "x", "PolicyArn": "arn:aws:iam::aws:policy/X"}]});
    let own = json!({"PolicyName": "own", "Arn": arn("policy/own"), "PolicyVersionList": [
        {"IsDefaultVersion": true, "Document": {"Statement": [allow("iam:CreatePolicyVersion", "*")]}}]});
    let mut inventory = Inventory::new();
    let report = import(&mut inventory, &account(&[ana], &[ops], &[], &[own]), NOON);
    assert!(inventory.edge(&arn("user/ana"), Relation::MemberOf, &arn("group/ops")).is_some());
    assert!(inventory.edge(&arn("group/ops"), Relation::HasEntitlement, &arn("policy/own")).is_some());
    assert_eq!(powers(&inventory, "group/ops"), [(Relation::ChangePermissions, ROOT.to_owned(), None)]);
    assert_eq!(inventory.node(&arn("policy/own")).unwrap().kind(), Kind::Entitlement);
    assert_eq!(
        reasons(&report),
        [("a group that is not in the file", 1), ("an attached policy whose text is not in the file", 1)]
    );
}

#[test]
fn whom_a_role_trusts() {
    let deny = json!({"Effect": "Deny", "Action": "sts:*", "Resource": "*"});
    let third = json!({"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::999999999999:root"}, "Action": "sts:AssumeRole",
                       "Condition": {"StringEquals": {"sts:ExternalId": "s3cret"}}});
    let federated = json!({"Effect": "Allow", "Principal": {"Federated": "accounts.google.com"}, "Action": "sts:AssumeRoleWithWebIdentity"});
    let names = json!({"AWS": [arn("user/ana"), arn("user/ben"), "AIDAEXAMPLE", "arn:aws:sts::123456789012:assumed-role/sso/eva"]});
    let roles = [
        role("named", &trusts(names), &[]),
        role("third", &third, &[]),
        role("google", &federated, &[]),
        role("open", &trusts(json!("*")), &[]),
    ];
    let text = account(&[user("ana", &[]), user("ben", &[deny])], &[], &roles, &[]);
    let mut inventory = Inventory::new();
    let report = import(&mut inventory, &text, NOON);
    let assumes = |from: &str, role: &str| inventory.edge(from, Relation::Assume, &arn(&format!("role/{role}")));
    assert!(!assumes(&arn("user/ana"), "named").unwrap().is_conditional());
    assert!(assumes(&arn("user/ben"), "named").is_none(), "its own policy denies");
    assert!(assumes("arn:aws:iam::999999999999:root", "third").unwrap().is_conditional());
    assert!(assumes("provider:accounts.google.com", "google").is_some());
    assert!(assumes("arn:aws:iam::*:root", "open").is_some());
    let session = assumes(&arn("role/sso"), "named").unwrap();
    assert_eq!(session.sightings.first().unwrap().condition.as_deref(), Some("as its session eva"));
    assert!(!saved(&inventory).contains("s3cret"));
    assert_eq!(reasons(&report), [("a trusted principal that was deleted, or is of no kind that is known here", 1)]);
}

#[test]
fn many_targets_are_one_edge() {
    let names: Vec<String> = (0..20).map(|number| format!("u{number}")).collect();
    let mut users: Vec<Value> = names.iter().map(|name| user(name, &[])).collect();
    users.push(user("ana", &[allow("iam:CreateAccessKey", "*")]));
    let inventory = inventory(&account(&users, &[], &[], &[]));
    let together = arn("user/*");
    assert_eq!(powers(&inventory, "user/ana"), [(Relation::CreateCredential, together.clone(), None)]);
    assert!(inventory.edge(&together, Relation::Contains, &arn("user/u7")).is_some());
}

#[test]
fn what_is_no_account_is_refused() {
    let refused = |text: &str| try_read(&[("file", text.as_bytes())], &Limits::default()).unwrap_err().to_string();
    let user = |arn: &str| json!({"UserName": "a", "Arn": arn});
    let twice = user(&arn("user/a"));
    assert!(refused(&account(&[twice.clone(), twice], &[], &[], &[])).contains("stands twice"));
    assert!(refused(&account(&[user("arn:aws:s3:::x")], &[], &[], &[])).contains("/UserDetailList/0"));
    let page = json!({"UserDetailList": [], "IsTruncated": true}).to_string();
    assert!(refused(&page).contains("one page of several"));
    let strange = json!({"Effect": "Allow", "Action": "*", "Resource": "*", "Unless": "s3cret"});
    let strange = refused(&account(&[super::tests::user("ana", &[strange])], &[], &[], &[]));
    assert!(strange.contains("policy document") && !strange.contains("s3cret"), "{strange}");
}

#[test]
fn documents_may_be_percent_encoded() {
    let document = json!({"Statement": [allow("*", "*")]}).to_string();
    let encoded: String = document.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let mut ana = user("ana", &[]);
    ana["UserPolicyList"] = json!([{"PolicyName": "p", "PolicyDocument": encoded}]);
    assert_eq!(
        powers(&inventory(&account(&[ana], &[], &[], &[])), "user/ana"),
        [(Relation::Administers, ROOT.to_owned(), None)]
    );
}

/// The slow and obvious way.
fn matches_slowly(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => {
            matches_slowly(rest, text) || text.split_first().is_some_and(|(_, text)| matches_slowly(pattern, text))
        }
        (Some((wanted, pattern)), Some((byte, text))) if *wanted == b'?' || wanted == byte => {
            matches_slowly(pattern, text)
        }
        _ => false,
    }
}

proptest! {
    #[test]
    fn wildcards_match_as_the_obvious_way_does(pattern in "[ab*?]{0,8}", text in "[ab]{0,10}") {
        prop_assert_eq!(matches(&pattern, &text, false), matches_slowly(pattern.as_bytes(), text.as_bytes()));
    }
}
