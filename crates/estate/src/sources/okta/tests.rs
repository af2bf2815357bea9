//! Okta: a small organisation of our own, and its traps.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop")]

use crate::tests::{NOON, import, inventory, reasons};
use crate::{Factor, Inventory, Moment, Relation, SignInKind};

pub(crate) const ORGANISATION: &str = r#"{"source": "okta", "realm": "Corp.okta.example",
 "users": [
  {"id": "00u1", "status": "ACTIVE", "created": "2020-01-01T00:00:00.000Z", "lastLogin": "2026-01-01T00:00:00.000Z",
   "passwordChanged": "2025-01-01T00:00:00.000Z",
   "profile": {"login": "ana@corp.example", "email": "ana@corp.example", "firstName": "Ana", "lastName": "A", "employeeNumber": "1001"},
   "credentials": {"emails": [{"type": "PRIMARY", "status": "VERIFIED", "value": "Ana@corp.example"}],
                   "recovery_question": {"question": "the last car you destroyed"}},
   "factors": [{"factorType": "webauthn", "status": "ACTIVE"}, {"factorType": "question", "status": "ACTIVE"},
               {"factorType": "sms", "status": "PENDING_ACTIVATION"}],
   "roles": [{"type": "SUPER_ADMIN", "label": "Super Administrator", "status": "ACTIVE"}]},
  {"id": "00u2", "status": "LOCKED_OUT", "lastLogin": null, "profile": {"login": "ben@corp.example"}, "factors": []},
  {"id": "00u3", "status": "DEPROVISIONED", "profile": {"login": "cy@corp.example"}}],
 "groups": [
  {"id": "00g1", "profile": {"name": "Helpdesk"}, "members": ["00u2"], "roles": [{"type": "HELP_DESK_ADMIN", "label": "Help Desk"}]},
  {"id": "00g2", "profile": {"name": "Sales"}, "members": [{"id": "00u3"}]}],
 "apps": [
  {"id": "0oa1", "label": "Payroll", "status": "ACTIVE", "signOnMode": "SAML_2_0", "groups": [{"id": "00g2"}], "users": [{"id": "00u1"}]},
  {"id": "0oa2", "label": "Old", "status": "INACTIVE", "signOnMode": "BROWSER_PLUGIN"}]}"#;

#[test]
fn users_with_what_the_status_means() {
    let inventory = inventory(ORGANISATION);
    let of = |id: &str| inventory.node(&format!("okta:corp.okta.example/{id}")).unwrap().attributes();
    let ana = of("00u1");
    assert_eq!((ana.enabled, ana.locked, ana.email_verified), (Some(true), Some(false), Some(true)));
    assert_eq!(ana.factors, Some(vec![Factor::PhishingResistant]));
    assert_eq!(ana.sign_ins[0].kind, SignInKind::Dashboard);
    assert_eq!((ana.display_name.as_deref(), ana.employee_number.as_deref()), (Some("Ana A"), Some("1001")));
    let ben = of("00u2");
    assert_eq!((ben.enabled, ben.locked, ben.factors), (Some(true), Some(true), Some(Vec::new())));
    assert_eq!(ben.sign_ins[0].when, Moment::Never);
    // Factors were not asked for: none are known, and none are denied.
    assert_eq!((of("00u3").enabled, of("00u3").factors), (Some(false), None));
}

#[test]
fn administrators_and_whom_they_reset() {
    let inventory = inventory(ORGANISATION);
    let own = |rest: &str| format!("okta:corp.okta.example/{rest}");
    let role = inventory.node(&own("role/SUPER_ADMIN")).unwrap();
    assert_eq!(role.attributes().high_value, Some(true));
    assert!(inventory.edge(&own("00u1"), Relation::MemberOf, &own("role/SUPER_ADMIN")).is_some());
    assert!(inventory.edge(&own("role/SUPER_ADMIN"), Relation::Administers, "okta:corp.okta.example").is_some());
    let all = own("every-user-without-role");
    assert!(inventory.edge(&own("role/HELP_DESK_ADMIN"), Relation::ResetPassword, &all).unwrap().is_conditional());
    for (user, within) in [("00u1", false), ("00u2", false), ("00u3", true)] {
        assert_eq!(inventory.edge(&all, Relation::Contains, &own(user)).is_some(), within, "{user}");
    }
}

#[test]
fn a_password_that_is_typed_in_is_no_sign_on() {
    let inventory = inventory(ORGANISATION);
    let of = |id: &str| inventory.node(&format!("okta:corp.okta.example/app/{id}")).unwrap().attributes();
    assert_eq!((of("0oa1").single_sign_on, of("0oa2").single_sign_on), (Some(true), Some(false)));
    assert!(
        inventory.edge("okta:corp.okta.example/00g2", Relation::Permits, "okta:corp.okta.example/app/0oa1").is_some()
    );
}

#[test]
fn a_list_that_is_not_there_takes_nothing_away() {
    let mut inventory = Inventory::new();
    let report = import(&mut inventory, ORGANISATION, NOON);
    assert_eq!(
        reasons(&report),
        [("a factor that is not set up to its end", 1), ("a security question, which is another password", 1)]
    );
    let users = r#"{"source": "okta", "realm": "corp.okta.example", "users": []}"#;
    let report = import(&mut inventory, users, crate::tests::LATER);
    assert!(inventory.node("okta:corp.okta.example/00u1").unwrap().is_gone());
    assert!(!inventory.node("okta:corp.okta.example/00g1").unwrap().is_gone());
    assert!(report.changes.counts.nodes_gone > 0);
}
