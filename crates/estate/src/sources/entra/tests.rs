//! Entra: a small tenant of our own, and what must not be concluded from it.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop"
)]

use crate::tests::{NOON, batch, edges, import, inventory, reasons, saved, try_read};
use crate::{Factor, Inventory, Kind, Limits, Moment, Relation, SignInKind};

pub(crate) const TENANT: &str = r##"{"source": "entra", "realm": "T1", "organization": [{"id": "t1", "displayName": "Corp"}],
 "users": [
  {"id": "U1", "displayName": "Ana", "userPrincipalName": "ana@corp.example", "mail": "ana@corp.example",
   "accountEnabled": true, "createdDateTime": "2021-05-01T08:00:00Z", "userType": "Member", "employeeId": "1001",
   "onPremisesSecurityIdentifier": "S-1-5-21-1-2-3-1101", "onPremisesImmutableId": "AQIDBAUGBwgJCgsMDQ4PEA==",
   "passwordPolicies": "DisablePasswordExpiration",
   "signInActivity": {"lastSignInDateTime": "2026-01-05T00:00:00Z", "lastNonInteractiveSignInDateTime": null,
                      "lastSuccessfulSignInDateTime": "2026-01-02T00:00:00Z"}},
  {"id": "u2", "userPrincipalName": "ben_other.example#EXT#@corp.example", "accountEnabled": false, "userType": "Guest",
   "createdDateTime": "2022-05-01T08:00:00Z"},
  {"id": "u3", "userPrincipalName": "old@corp.example", "createdDateTime": "2019-05-01T08:00:00Z"}],
 "userRegistrationDetails": [
  {"id": "u1", "isMfaRegistered": true, "methodsRegistered": ["mobilePhone", "passKeyDeviceBound", "email"]},
  {"id": "u2", "isMfaRegistered": false, "methodsRegistered": ["email"]}],
 "groups": [
  {"id": "g1", "displayName": "Admins", "isAssignableToRole": true, "members": [{"id": "u1", "@odata.type": "#microsoft.graph.user"}], "owners": ["u2"]},
  {"id": "g2", "displayName": "All", "groupTypes": ["DynamicMembership"], "members": ["u2", "u3"]},
  {"id": "g3", "displayName": "Sales", "members": []}],
 "servicePrincipals": [
  {"id": "sp0", "appId": "00000003-0000-0000-c000-000000000000", "displayName": "Microsoft Graph",
   "appRoles": [{"id": "R1", "value": "RoleManagement.ReadWrite.Directory"}, {"id": "r2", "value": "Mail.Read"}]},
  {"id": "sp1", "appId": "a1", "displayName": "Payroll", "accountEnabled": true, "preferredSingleSignOnMode": "saml",
   "appRoleAssignedTo": [{"principalId": "g3", "principalType": "Group", "resourceId": "sp1", "appRoleId": "x"}]}],
 "applications": [
  {"id": "app1", "appId": "A1", "displayName": "Payroll", "owners": [{"id": "u3"}],
   "passwordCredentials": [{"keyId": "k1", "displayName": "secret", "startDateTime": "2025-01-01T00:00:00Z",
                            "endDateTime": "2027-01-01T00:00:00Z", "hint": "hun", "secretText": "hunter2"}],
   "federatedIdentityCredentials": [{"issuer": "https://ci.example", "subject": "repo:corp/pay"}]}],
 "appRoleAssignments": [
  {"principalId": "sp1", "principalType": "ServicePrincipal", "resourceId": "sp0", "appRoleId": "r1"},
  {"principalId": "sp1", "principalType": "ServicePrincipal", "resourceId": "sp0", "appRoleId": "r2"}],
 "roleAssignments": [{"principalId": "u1", "roleDefinitionId": "62e90394-69f5-4237-9190-012177145e10"}],
 "roleAssignmentScheduleInstances": [
  {"principalId": "g1", "roleDefinitionId": "62e90394-69f5-4237-9190-012177145e10", "directoryScopeId": "/", "assignmentType": "Assigned"},
  {"principalId": "u2", "roleDefinitionId": "729827e3-9c14-49f7-bb1b-9608f156bbb8", "directoryScopeId": "/administrativeUnits/AU1"}],
 "roleEligibilityScheduleInstances": [
  {"principalId": "u2", "roleDefinitionId": "fe930be7-5e62-47db-91af-98c3a49a38b1", "directoryScopeId": "/",
   "endDateTime": "2027-01-01T00:00:00Z"}],
 "conditionalAccessPolicies": [{"id": "ca1", "displayName": "MFA for all", "state": "enabledForReportingButNotEnforced"}],
 "devices": []}"##;

const GLOBAL: &str = "entra:t1/role/62e90394-69f5-4237-9190-012177145e10";

#[test]
fn users_with_their_sign_ins_and_factors() {
    let inventory = inventory(TENANT);
    let ana = inventory.node("entra:u1").unwrap().attributes();
    assert_eq!((ana.enabled, ana.guest, ana.password_never_expires), (Some(true), Some(false), Some(true)));
    assert_eq!(ana.sign_ins[0].kind, SignInKind::Provider);
    // An attempt is no sign-in where the successful one is told.
    assert_eq!(ana.sign_ins[0].when, Moment::At("2026-01-02T00:00:00Z".parse().unwrap()));
    assert_eq!(ana.factors, Some(vec![Factor::PhishingResistant, Factor::Phone]));
    assert_eq!(ana.employee_number.as_deref(), Some("1001"));
    assert_eq!(ana.sid.as_deref(), Some("S-1-5-21-1-2-3-1101"));
    assert_eq!(ana.immutable_id.as_deref(), Some("04030201-0605-0807-090A-0B0C0D0E0F10"));
    let ben = inventory.node("entra:u2").unwrap().attributes();
    assert_eq!((ben.enabled, ben.guest, ben.factors), (Some(false), Some(true), Some(Vec::new())));
    assert_eq!(ben.sign_ins[0].when, Moment::Never);
    // Made before sign-ins were kept: whether there was one is not known.
    assert_eq!(inventory.node("entra:u3").unwrap().attributes().sign_ins, []);
}

#[test]
fn nobody_is_said_to_have_never_signed_in_where_sign_ins_are_not_exported() {
    let without = TENANT.replace("signInActivity", "somethingElse");
    let inventory = inventory(&without);
    assert!(inventory.nodes().iter().all(|node| node.attributes().sign_ins.is_empty()));
}

#[test]
fn roles_held_and_only_eligible() {
    let inventory = inventory(TENANT);
    assert_eq!(inventory.node(GLOBAL).unwrap().attributes().high_value, Some(true));
    let condition = |from: &str, relation, to: &str| {
        let edge = inventory.edge(from, relation, to).unwrap_or_else(|| panic!("{from} {relation:?} {to}"));
        edge.sightings[0].condition.as_deref().map(str::to_owned)
    };
    assert_eq!(condition("entra:g1", Relation::MemberOf, GLOBAL), None);
    assert_eq!(condition(GLOBAL, Relation::Administers, "entra:t1"), None);
    let eligible = condition("entra:u2", Relation::MemberOf, "entra:t1/role/fe930be7-5e62-47db-91af-98c3a49a38b1");
    assert_eq!(eligible.as_deref(), Some("once activated (PIM), until 2027-01-01T00:00:00.000Z"));
    let unit = "entra:t1/role/729827e3-9c14-49f7-bb1b-9608f156bbb8/over/administrativeunits/au1";
    let within = condition(unit, Relation::ResetPassword, "entra:t1/every-user-without-role");
    assert_eq!(within.as_deref(), Some("in the administrative unit au1"));
    // Told with its end elsewhere: counted, and not taken as standing.
    assert!(inventory.edge("entra:u1", Relation::MemberOf, GLOBAL).is_none());
}

#[test]
fn passwords_of_administrators_are_not_everybodys_to_reset() {
    let inventory = inventory(TENANT);
    let all = "entra:t1/every-user-without-role";
    // In a group that holds a role; eligible for one; neither.
    assert!(inventory.edge(all, Relation::Contains, "entra:u1").is_none());
    assert!(inventory.edge(all, Relation::Contains, "entra:u2").is_none());
    assert!(inventory.edge(all, Relation::Contains, "entra:u3").is_some());
    let groups = "entra:t1/every-group-without-role";
    let held: Vec<_> =
        edges(&inventory).into_iter().filter(|(from, _, _)| from == groups).map(|(_, _, to)| to).collect();
    assert_eq!(held, ["entra:g3"]);
}

#[test]
fn applications_and_what_opens_them() {
    let inventory = inventory(TENANT);
    let has = |from, relation, to| assert!(inventory.edge(from, relation, to).is_some(), "{from} {relation:?} {to}");
    has("entra:k1", Relation::Assume, "entra:sp1");
    has("entra:u3", Relation::Owns, "entra:sp1");
    has("federated:https://ci.example|repo:corp/pay", Relation::Assume, "entra:sp1");
    has("entra:sp1", Relation::Administers, "entra:t1");
    has("entra:g3", Relation::Permits, "entra:sp1/sign-in");
    assert!(inventory.node("entra:app1").is_none());
    let key = inventory.node("entra:k1").unwrap();
    assert_eq!(key.kind(), Kind::Key);
    assert!(matches!(key.attributes().expires, Some(Moment::At(_))));
    let app = inventory.node("entra:sp1/sign-in").unwrap();
    assert_eq!((app.kind(), app.attributes().single_sign_on), (Kind::Resource, Some(true)));
    assert_eq!(inventory.node("entra:ca1").unwrap().attributes().enabled, Some(false));
    assert!(!saved(&inventory).contains("hunter2"));
}

#[test]
fn what_is_not_taken_is_counted() {
    let mut inventory = Inventory::new();
    let report = import(&mut inventory, TENANT, NOON);
    assert_eq!(
        reasons(&report),
        [
            ("a list that is not read", 1),
            ("a permission of an application that gives no power over identities", 1),
            ("an assignment of a role that roleAssignmentScheduleInstances tells with its end", 1),
        ]
    );
}

#[test]
fn a_permission_of_the_same_name_elsewhere_is_nothing() {
    let own = TENANT.replace("00000003-0000-0000-c000-000000000000", "somebody's own application");
    assert!(inventory(&own).edge("entra:sp1", Relation::Administers, "entra:t1").is_none());
}

#[test]
fn pages_that_go_on_and_other_tenants_are_refused() {
    let refused =
        |text: &str| try_read(&[("file", text.as_bytes())], &Limits::default()).expect_err("refused").to_string();
    let page = TENANT.replace(r#""members": []"#, r#""members": [], "members@odata.nextLink": "https://graph""#);
    assert!(refused(&page).contains("on another page"));
    assert!(refused(&TENANT.replace(r#""realm": "T1""#, r#""realm": "t2""#)).contains("not the tenant"));
    assert!(refused(&TENANT.replace(r#""realm": "T1""#, r#""realm": " ""#)).contains("realm is empty"));
    assert!(refused(&TENANT.replace("\"entra\"", "\"entrails\"")).contains("known are entra"));
    let wrong = refused(&TENANT.replace(r#""accountEnabled": true"#, r#""accountEnabled": "s3cret""#));
    assert!(wrong.contains("line 4 ") && !wrong.contains("s3cret"), "{wrong}");
}

#[test]
fn the_account_in_the_directory_is_the_same_by_its_identifier() {
    let mut inventory = inventory(TENANT);
    let ldif =
        "dn: CN=Ana,DC=corp,DC=example\nobjectClass: user\nobjectSid: S-1-5-21-1-2-3-1101\nsAMAccountName: ana\n\n";
    import(&mut inventory, ldif, NOON);
    let links = inventory.links();
    assert!(
        links.iter().any(|link| &*link.one == "entra:u1" && &*link.other == "sid:S-1-5-21-1-2-3-1101"),
        "{links:?}"
    );
}

#[test]
fn the_assessment_of_scubagear() {
    let export = r#"{"tenant_details": {"TenantId": "t9", "DisplayName": "Corp"},
     "conditional_access_policies": {"Id": "c1", "DisplayName": "One", "State": "enabled"},
     "privileged_users": {"u1": {"DisplayName": "Ana", "roles": ["Global Administrator", "Unheard Of"], "OnPremisesImmutableId": null}},
     "privileged_service_principals": {},
     "privileged_roles": [{"DisplayName": "Global Administrator", "RoleTemplateId": "62e90394-69f5-4237-9190-012177145e10",
       "Assignments": [{"PrincipalId": "u1", "RoleDefinitionId": "62e90394-69f5-4237-9190-012177145e10",
                        "DirectoryScopeId": "/", "EndDateTime": "/Date(1778702258453)/", "AssignmentType": "Assigned"}]}],
     "risky_applications": [{"ObjectId": {"Application": "a", "ServicePrincipal": "sp"}, "DisplayName": "App", "KeyCredentials": null,
       "PasswordCredentials": {"KeyId": "k", "DisplayName": "s", "EndDateTime": "/Date(1733990400000)/"},
       "Permissions": [
        {"RoleType": "Application", "RoleDisplayName": "Application.ReadWrite.All", "ApplicationDisplayName": "Microsoft Graph", "IsAdminConsented": false},
        {"RoleType": "Application", "RoleDisplayName": "RoleManagement.ReadWrite.Directory", "ApplicationDisplayName": "Microsoft Graph", "IsAdminConsented": true},
        {"RoleType": "Delegated", "RoleDisplayName": "RoleManagement.ReadWrite.Directory", "ApplicationDisplayName": "Microsoft Graph", "IsAdminConsented": true}]}]}"#;
    let mut inventory = Inventory::new();
    let report = import(&mut inventory, export, NOON);
    assert_eq!(
        reasons(&report),
        [("a permission that nobody consented to", 1), ("a role that the export does not describe", 1)]
    );
    let role = "entra:t9/role/62e90394-69f5-4237-9190-012177145e10";
    let held = inventory.edge("entra:u1", Relation::MemberOf, role).unwrap();
    assert_eq!(
        held.sightings[0].condition.as_deref(),
        Some("held, or once activated (PIM): not told which or until 2026-05-13T19:57:38.453Z")
    );
    assert!(inventory.edge("entra:sp", Relation::Administers, "entra:t9").is_some());
    assert!(inventory.edge("entra:sp", Relation::CreateCredential, "entra:t9/every-application").is_none());
    assert!(inventory.edge("entra:k", Relation::Assume, "entra:sp").is_some());
}

#[test]
fn groups_within_each_other_end() {
    let circle = r#"{"source": "entra", "realm": "t", "users": [{"id": "u"}], "groups": [
        {"id": "a", "members": ["b", "u"]}, {"id": "b", "members": ["a"]}],
        "roleAssignments": [{"principalId": "a", "roleDefinitionId": "x"}]}"#;
    let inventory = inventory(circle);
    assert!(inventory.edge("entra:t/every-user-without-role", Relation::Contains, "entra:u").is_none());
    assert_eq!(batch(&[("file", circle.as_bytes())]).skipped(), []);
}
