//! Google Workspace: a small customer of our own.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test may stop")]

use crate::tests::{NOON, import, inventory, reasons};
use crate::{Factor, Inventory, Kind, Moment, Relation};

pub(crate) const CUSTOMER: &str = r#"{"source": "google-workspace", "realm": "C01",
 "users": [
  {"id": "1", "primaryEmail": "ana@corp.example", "isAdmin": true, "isEnrolledIn2Sv": true, "suspended": false, "archived": false,
   "lastLoginTime": "2026-01-01T00:00:00.000Z", "name": {"fullName": "Ana A"}, "recoveryEmail": "x@y.example",
   "organizations": [{"title": "Other"}, {"title": "Lead", "department": "IT", "primary": true}],
   "externalIds": [{"value": "1001", "type": "organization"}]},
  {"id": "2", "primaryEmail": "ben@corp.example", "isAdmin": false, "isEnrolledIn2Sv": false, "suspended": true,
   "lastLoginTime": "1970-01-01T00:00:00.000Z"}],
 "groups": [{"id": "g1", "email": "all@corp.example", "name": "All", "members": [
   {"id": "1", "role": "OWNER", "type": "USER", "status": "ACTIVE"}, {"id": "g2", "role": "MEMBER", "type": "GROUP"},
   {"id": "9", "email": "out@other.example", "role": "MEMBER", "type": "EXTERNAL"}, {"type": "CUSTOMER"}]}],
 "roles": [{"roleId": "10", "roleName": "_SEED_ADMIN_ROLE", "isSuperAdminRole": true},
           {"roleId": 11, "roleName": "Reset", "rolePrivileges": [{"privilegeName": "USERS_RESET_PASSWORD"}]}],
 "roleAssignments": [{"roleId": "11", "assignedTo": "2", "scopeType": "ORG_UNIT", "orgUnitId": "ou"},
                     {"roleId": "12", "assignedTo": "2"}]}"#;

#[test]
fn users_groups_and_administrators() {
    let mut inventory = Inventory::new();
    let report = import(&mut inventory, CUSTOMER, NOON);
    let ana = inventory.node("google:c01/1").unwrap().attributes();
    assert_eq!(
        (ana.enabled, ana.factors, ana.email_verified),
        (Some(true), Some(vec![Factor::Unspecified]), Some(true))
    );
    assert_eq!((ana.title.as_deref(), ana.employee_number.as_deref()), (Some("Lead"), Some("1001")));
    let ben = inventory.node("google:c01/2").unwrap().attributes();
    assert_eq!((ben.enabled, ben.factors, ben.sign_ins[0].when), (Some(false), Some(Vec::new()), Moment::Never));
    let has = |from, relation, to| inventory.edge(from, relation, to).is_some();
    assert!(has("google:c01/1", Relation::MemberOf, "google:c01/role/super-administrator"));
    assert!(has("google:c01/role/super-administrator", Relation::Administers, "google:c01"));
    assert!(has("google:c01/1", Relation::AddMember, "google:c01/g1"));
    assert!(has("google:c01/g2", Relation::MemberOf, "google:c01/g1"));
    assert!(has("google:c01/role/11", Relation::ResetPassword, "google:c01/every-user-but-administrators"));
    assert!(!has("google:c01/every-user-but-administrators", Relation::Contains, "google:c01/1"));
    let within = inventory.edge("google:c01/2", Relation::MemberOf, "google:c01/role/11").unwrap();
    assert!(within.is_conditional());
    assert_eq!(inventory.node("google:c01/9").unwrap().attributes().guest, Some(true));
    assert_eq!(
        reasons(&report),
        [
            ("a group of everybody in the organisation", 1),
            ("an assignment of a role that the document does not describe", 1)
        ]
    );
}

#[test]
fn a_role_that_stands_twice_is_refused() {
    let twice = CUSTOMER.replace(r#""roleId": 11"#, r#""roleId": "10""#);
    let fault = crate::tests::try_read(&[("file", twice.as_bytes())], &crate::Limits::default()).expect_err("twice");
    assert_eq!(fault.to_string(), "file, /roles/1: a role that stands twice");
    assert_eq!(inventory(CUSTOMER).node("google:c01").unwrap().kind(), Kind::Scope);
}
