//! GitHub: a small organisation of our own.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop")]

use crate::tests::{NOON, import, reasons};
use crate::{Factor, Inventory, Kind, Moment, Relation};

pub(crate) const ORGANISATION: &str = r#"{"source": "github", "realm": "Corp",
 "organization": [{"login": "corp", "default_repository_permission": "read"}],
 "samlIdentities": [{"user": {"login": "Ana"}, "samlIdentity": {"nameId": "ana@corp.example"}}, {"user": null}],
 "members": [
  {"hasTwoFactorEnabled": true, "role": "ADMIN", "node": {"login": "ana", "name": "Ana", "email": "me@home.example",
   "organizationVerifiedDomainEmails": ["ana@corp.example"]}},
  {"login": "Ben", "role": "member", "hasTwoFactorEnabled": null}],
 "outsideCollaborators": [{"login": "cy"}],
 "teams": [
  {"slug": "core", "name": "Core", "parent": null, "members": [{"login": "ben", "role": "maintainer"}],
   "repositories": [{"name": "Pay", "role_name": "write"}, {"name": "odd", "role_name": "own-role"}]},
  {"slug": "sub", "parent": {"slug": "core"}}],
 "repositories": [
  {"name": "pay", "archived": false, "created_at": "2020-01-01T00:00:00Z",
   "collaborators": [{"login": "cy", "permissions": {"admin": false, "push": true, "pull": true}}],
   "deploy_keys": [
    {"id": 1, "key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB", "title": "ci",
     "read_only": false, "created_at": "2021-01-01T00:00:00Z", "last_used": "2025-01-01T00:00:00Z", "added_by": "ana"},
    {"id": 2, "title": "mirror", "read_only": true}]}],
 "installations": [
  {"id": 7, "app_slug": "bot", "repository_selection": "selected", "permissions": {"contents": "write"}},
  {"id": 8, "app_slug": "admin-bot", "repository_selection": "all", "permissions": {"administration": "write", "members": "write"}}],
 "personalAccessTokens": [{"token_id": 5, "token_name": "t", "owner": {"login": "Ben"}, "repository_selection": "all",
   "token_expires_at": null, "token_last_used_at": null, "permissions": {"repository": {"contents": "read"}}}]}"#;

#[test]
fn members_repositories_and_keys() {
    let mut inventory = Inventory::new();
    let report = import(&mut inventory, ORGANISATION, NOON);
    let has = |from: &str, relation, to: &str| {
        let edge = inventory.edge(from, relation, to);
        edge.map(|edge| edge.is_conditional())
    };
    let ana = inventory.node("github:user/ana").unwrap().attributes();
    assert_eq!(
        (ana.factors, ana.guest, ana.single_sign_on),
        (Some(vec![Factor::Unspecified]), Some(false), Some(true))
    );
    // What somebody says of themselves is not what the organisation verified.
    assert_eq!((ana.email.as_deref(), ana.email_verified), (Some("ana@corp.example"), Some(true)));
    assert_eq!(ana.principal_name.as_deref(), Some("ana@corp.example"));
    let ben = inventory.node("github:user/ben").unwrap().attributes();
    assert_eq!((ben.factors, ben.single_sign_on), (None, Some(false)));
    assert_eq!(inventory.node("github:user/cy").unwrap().attributes().guest, Some(true));
    assert_eq!(has("github:user/ana", Relation::MemberOf, "github:org/corp/role/owner"), Some(false));
    assert_eq!(has("github:user/ben", Relation::MemberOf, "github:org/corp/role/owner"), None);
    assert_eq!(has("github:org/corp/role/member", Relation::Permits, "github:org/corp/every-repository"), Some(false));
    assert_eq!(
        has("github:org/corp/team/core", Relation::WriteAttributes, "github:org/corp/repository/pay"),
        Some(false)
    );
    assert_eq!(has("github:org/corp/team/sub", Relation::MemberOf, "github:org/corp/team/core"), Some(false));
    assert_eq!(has("github:user/ben", Relation::AddMember, "github:org/corp/team/core"), Some(false));
    assert_eq!(has("github:user/cy", Relation::WriteAttributes, "github:org/corp/repository/pay"), Some(false));
    let key = "ssh-key:SHA256:RXm/ruZ0eTzRXKwi1AQEDynB0VgHQ2ac9KPSFdf/YnA";
    assert_eq!(has(key, Relation::WriteAttributes, "github:org/corp/repository/pay"), Some(false));
    let attributes = inventory.node(key).unwrap().attributes();
    assert_eq!((attributes.expires, attributes.owner.as_deref()), (Some(Moment::Never), Some("ana")));
    assert_eq!(has("github:org/corp/deploy-key/2", Relation::Permits, "github:org/corp/repository/pay"), Some(false));
    let everything = "github:org/corp/every-repository";
    assert_eq!(has("github:org/corp/installation/7", Relation::WriteAttributes, everything), Some(true));
    assert_eq!(has("github:org/corp/installation/8", Relation::Administers, everything), Some(false));
    assert_eq!(has("github:org/corp/installation/8", Relation::ChangePermissions, "github:org/corp"), Some(false));
    assert_eq!(has("github:org/corp/token/5", Relation::Permits, everything), Some(true));
    assert_eq!(inventory.node("github:org/corp/token/5").unwrap().kind(), Kind::Key);
    assert_eq!(
        reasons(&report),
        [("a permission that is not known here", 1), ("an identity of the provider that no member has taken", 1)]
    );
}

#[test]
fn the_name_at_the_provider_links() {
    let mut inventory = Inventory::new();
    import(&mut inventory, ORGANISATION, NOON);
    let okta =
        r#"{"source": "okta", "realm": "corp", "users": [{"id": "u", "profile": {"login": "ana@corp.example"}}]}"#;
    import(&mut inventory, okta, NOON);
    let links = inventory.links();
    assert_eq!(links.len(), 1);
    assert_eq!((&*links[0].one, &*links[0].other), ("github:user/ana", "okta:corp/u"));
}
