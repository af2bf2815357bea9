//! LDIF as it is written, and what security descriptors in it mean.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test may stop")]

mod descriptors;
mod posix;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::name::{canonical, domain, first, parent};
use crate::tests::{DOMAIN, NOON, edges, import, inventory, reasons, sid, try_read};
use crate::{Cause, Factor, Inventory, Kind, Limits, Moment, Place, Relation, SignIn, SignInKind};

/// The binary form of `S-1-5-…`.
fn binary_sid(text: &str) -> Vec<u8> {
    let parts: Vec<u32> = text.split('-').skip(3).map(|part| part.parse().unwrap()).collect();
    let authority: u64 = text.split('-').nth(2).unwrap().parse().unwrap();
    let mut bytes = vec![1, u8::try_from(parts.len()).unwrap()];
    bytes.extend(&authority.to_be_bytes()[2..]);
    bytes.extend(parts.iter().flat_map(|part| part.to_le_bytes()));
    bytes
}

fn encoded_sid(relative: u32) -> String {
    STANDARD.encode(binary_sid(&format!("{DOMAIN}-{relative}")))
}

/// A domain as `ldapsearch` and `ldbsearch` print it, between them.
fn corp() -> String {
    format!(
        "# extended LDIF
#
# LDAPv3
version: 1

dn: DC=corp,DC=example
objectClass: top
objectClass: domainDNS
objectSid:: {domain}
gPLink: [LDAP://cn={{31B2F340-016D-11D2-945F-00C04FB984F9}},cn=policies,cn=syste
 m,DC=corp,DC=example;0][LDAP://cn={{0}},cn=policies,cn=system,DC=corp,DC=example;1]

dn: CN={{31B2F340-016D-11D2-945F-00C04FB984F9}},CN=Policies,CN=System,DC=corp,DC=exa
 mple
objectClass: groupPolicyContainer
objectGUID: 0f0a1b2c-3d4e-5f60-7182-93a4b5c6d7e8
displayName: Default Domain Policy

dn: OU=Staff,DC=corp,DC=example
objectClass: organizationalUnit
objectGUID:: AQIDBAUGBwgJCgsMDQ4PEA==

dn: cn=Ana\\, Lima,ou=staff,dc=CORP,dc=example
objectClass: user
objectSid: {DOMAIN}-1101
sAMAccountName: ana
userPrincipalName: ana@corp.example
userAccountControl: 328192
# a comment within
lastLogonTimestamp: 133500000000000000
pwdLastSet: 0
accountExpires: 9223372036854775807
lockoutTime: 133500000000000000
primaryGroupID: 513
servicePrincipalName: http/web
servicePrincipalName: http/web.corp.example
whenCreated: 20240131120000.0Z
unixUserPassword: hunter2
msDS-AllowedToDelegateTo: cifs/web.corp.example:445/corp

dn: CN=WEB,OU=Staff,DC=corp,DC=example
objectClass: user
objectClass: computer
objectSid:: {web}
sAMAccountName: WEB$
dNSHostName: web.corp.example
userAccountControl: 532480
primaryGroupID: 516
memberOf: CN=Ops,OU=Staff,DC=corp,DC=example

dn: CN=Ops,OU=Staff,DC=corp,DC=example
changetype: add
objectClass: group
objectSid:: {ops}
sAMAccountName: Ops
member: CN=Ana\\2C Lima,OU=Staff, DC=corp,DC=example
member:: {nobody}
member;range=0-1: CN=WEB,OU=Staff,DC=corp,DC=example

dn: CN=other.example,CN=System,DC=corp,DC=example
objectClass: trustedDomain
securityIdentifier:: {other}
trustDirection: 2
trustAttributes: 4

dn: CN=svc,CN=Managed Service Accounts,DC=corp,DC=example
objectClass: msDS-GroupManagedServiceAccount
objectSid:: {managed}
sAMAccountName: svc$
userAccountControl: 4096

dn: CN=x,DC=DomainDnsZones,DC=corp,DC=example
objectClass: dnsNode

# search result
search: 2
result: 0 Success
",
        domain = STANDARD.encode(binary_sid(DOMAIN)),
        web = encoded_sid(1201),
        ops = encoded_sid(1301),
        managed = encoded_sid(1401),
        nobody = STANDARD.encode("CN=Nobody,DC=corp,DC=example"),
        other = STANDARD.encode(binary_sid("S-1-5-21-4-5-6")),
    )
}

#[test]
fn a_directory_becomes_nodes_and_edges() {
    let mut inventory = Inventory::new();
    let report = import(&mut inventory, &corp(), NOON);
    use Relation as R;
    let (corp, staff) = (format!("sid:{DOMAIN}"), "guid:04030201-0605-0807-090A-0B0C0D0E0F10".to_owned());
    let policy = "guid:0F0A1B2C-3D4E-5F60-7182-93A4B5C6D7E8".to_owned();
    let mut expected = vec![
        (corp.clone(), R::Contains, staff.clone()),
        (policy, R::AppliesTo, corp.clone()),
        (staff.clone(), R::Contains, sid(1101)),
        (sid(1101), R::MemberOf, sid(513)),
        (sid(1101), R::DelegatesTo, sid(1201)),
        (staff.clone(), R::Contains, sid(1201)),
        (sid(1201), R::MemberOf, sid(516)),
        (sid(1201), R::MemberOf, sid(1301)),
        (staff, R::Contains, sid(1301)),
        (sid(1101), R::MemberOf, sid(1301)),
        ("sid:S-1-5-21-4-5-6".to_owned(), R::TrustedBy, corp.clone()),
    ];
    expected.sort();
    assert_eq!(edges(&inventory), expected);
    assert_eq!(
        reasons(&report),
        [
            ("a link of a policy that is switched off", 1),
            ("an end that none of the files describes", 3),
            ("an entry of a class that is no part of the estate", 1),
            ("members beyond the range that the server gave", 1),
        ]
    );
    let trust = inventory.edge("sid:S-1-5-21-4-5-6", R::TrustedBy, &corp).unwrap();
    assert!(trust.is_conditional(), "SID filtering");
}

#[test]
fn accounts_are_what_their_flags_say() {
    let inventory = inventory(&corp());
    let node = inventory.node(&sid(1101)).unwrap();
    assert_eq!((node.kind(), node.name()), (Kind::Account, "ana@CORP.EXAMPLE"));
    let ana = node.attributes();
    assert_eq!((ana.enabled, ana.password_never_expires, ana.trust_account), (Some(true), Some(true), None));
    assert_eq!(ana.factors, Some(vec![Factor::PhishingResistant]));
    assert_eq!(ana.locked, None, "a lock that was set may have run out");
    assert_eq!((ana.password_last_set, ana.expires), (Some(Moment::Never), Some(Moment::Never)));
    assert_eq!(ana.service_principals.len(), 2);
    assert_eq!(ana.password_in_directory, Some(true));
    assert_eq!(ana.created.unwrap().to_string(), "2024-01-31T12:00:00.000Z");
    let at = Moment::At("2024-01-17T21:20:00Z".parse().unwrap());
    assert_eq!(ana.sign_ins, [SignIn { kind: SignInKind::Replicated, when: at }]);
    // Asked for, and not there: never. The whole column missing says nothing.
    let web = inventory.node(&sid(1201)).unwrap().attributes();
    assert_eq!(web.sign_ins, [SignIn { kind: SignInKind::Replicated, when: Moment::Never }]);
    assert_eq!((web.domain_controller, web.unconstrained_delegation), (Some(true), Some(true)));
    let without = corp().replace("lastLogonTimestamp: 133500000000000000\n", "");
    let inventory = crate::tests::inventory(&without);
    assert_eq!(inventory.node(&sid(1201)).unwrap().attributes().sign_ins, []);
    let managed = inventory.node(&sid(1401)).unwrap();
    assert_eq!((managed.kind(), managed.attributes().managed_password), (Kind::Service, Some(true)));
}

#[test]
fn instants_past_the_end_of_time_can_be_saved() {
    let text = corp()
        .replace("lastLogonTimestamp: 133500000000000000", "lastLogonTimestamp: 9000000000000000000")
        .replace("sAMAccountName: WEB$", "sAMAccountName: WEB$\nlastLogonTimestamp: 133500000000000000")
        .replace("accountExpires: 9223372036854775807", "accountExpires: 9000000000000000000");
    let inventory = inventory(&text);
    let ana = inventory.node(&sid(1101)).unwrap().attributes();
    assert_eq!(ana.expires, Some(Moment::Never));
    assert_eq!(ana.sign_ins, [], "neither then nor never");
    let saved = crate::tests::saved(&inventory);
    assert_eq!(crate::tests::saved(&Inventory::load(saved.as_bytes()).unwrap()), saved);
}

#[test]
fn a_collection_and_an_ldif_file_are_one_domain() {
    let mut inventory = inventory(&corp());
    import(&mut inventory, crate::tests::USERS, NOON);
    let ana = inventory.node(&sid(1101)).unwrap();
    assert_eq!(ana.sightings.len(), 2);
    let ana = ana.attributes();
    assert_eq!(ana.email.as_deref(), Some("ana@corp.example"));
    assert_eq!(ana.account_name.as_deref(), Some("ana"));
}

#[test]
fn a_file_without_members_says_nothing_about_members() {
    let mut inventory = inventory(&corp());
    let without: String = corp()
        .lines()
        .filter(|line| !line.to_lowercase().starts_with("member"))
        .map(|line| format!("{line}\n"))
        .collect();
    let without = without.replace("primaryGroupID: 513\n", "").replace("primaryGroupID: 516\n", "");
    let report = import(&mut inventory, &without, crate::tests::LATER);
    assert_eq!(report.changes.counts.edges_gone, 0);
}

#[test]
fn what_is_no_ldif_is_refused_with_its_line() {
    let fault = |text: &str| {
        let fault = try_read(&[("file", text.as_bytes())], &Limits::default()).expect_err("refused");
        (fault.place.map(|place| *place), fault.cause)
    };
    let at = |line| Some(Place::Line(line));
    let dn = "dn: CN=a,DC=b\n";
    for (text, line) in [
        (format!("{dn}changetype: modify\n"), 2),
        (format!("{dn}changetype: delete\n"), 2),
        (format!("{dn}a:< file:///etc/passwd\n"), 2),
        (format!("{dn}a:: not base64!\n"), 2),
        (format!("{dn}no separator\n"), 2),
        (format!("{dn}b\u{e4}d: x\n"), 2),
        (format!("{dn}a: x\n{dn}"), 3),
        (format!("{dn}\nobjectClass: user\n"), 3),
        ("version: 2\ndn: a\n".to_owned(), 1),
        (format!("{dn}objectClass: user\nobjectSid:: AQID\n"), 3),
        (format!("{dn}objectClass: user\nobjectSid: S-1-5-21-1-2-3-4\nobjectSid: S-1-5-21-1-2-3-5\n"), 4),
        (format!("{dn}objectClass: user\nobjectSid: S-1-5-21-1-2-3-4\npwdLastSet: soon\n"), 4),
    ] {
        let (place, cause) = fault(&text);
        assert_eq!(place, at(line), "{text}");
        assert!(matches!(cause, Cause::Malformed(_)), "{text}: {cause}");
    }
    let same_name = "dn: CN=a,DC=b\nobjectClass: user\nobjectSid: S-1-5-21-1-2-3-4\n\ndn: cn=A,dc=b\nobjectClass: user\nobjectSid: S-1-5-21-1-2-3-5\n";
    assert_eq!(fault(same_name).0, at(5));
}

#[test]
fn the_same_name_written_differently_is_the_same_name() {
    let written =
        [r"CN=Ana\, Lima,OU=Staff,DC=corp", r"cn=Ana\2C Lima , ou = staff,dc=CORP", r"CN=Ana\2c Lima;OU=Staff;DC=corp"];
    for name in written {
        assert_eq!(canonical(name), r"cn=ana\2c lima,ou=staff,dc=corp");
    }
    assert_eq!(canonical(r"CN=J\C3\BCrgen"), "cn=jürgen");
    assert_ne!(canonical(r"CN=a\,b,DC=c"), canonical("CN=a,b,DC=c"));
    let name = canonical(written[0]);
    assert_eq!(parent(&name), Some("ou=staff,dc=corp"));
    assert_eq!(domain("cn=a,dc=corp,dc=example"), "CORP.EXAMPLE");
    assert_eq!(first(r"CN=Ana\, Lima,OU=Staff"), r"Ana\, Lima");
}
