//! Directories that are not Microsoft's.

use super::DOMAIN;
use crate::tests::{NOON, edges, import, inventory, reasons};
use crate::{Inventory, Kind, Moment, Relation, SignIn, SignInKind};

const EXAMPLE: &str = "dn: dc=example,dc=org
objectClass: dcObject
objectClass: organization
o: Example
dc: example
entryUUID: 00000000-0000-0000-0000-0000000000aa

dn: ou=People,dc=example,dc=org
objectClass: organizationalUnit
ou: People

dn: uid=ana,ou=People,dc=example,dc=org
objectClass: inetOrgPerson
objectClass: posixAccount
objectClass: shadowAccount
entryUUID: 00000000-0000-0000-0000-000000000001
uid: ana
uid: ana.lima
cn: Ana Lima
mail: ana@example.org
mail: lima@example.org
gidNumber: 500
userPassword: {SSHA}hunter2
createTimestamp: 20240131120000Z
pwdChangedTime: 20240201120000.123456Z
pwdLastSuccess: 20240301120000Z
shadowMax: 99999
shadowExpire: 20000

dn: uid=ben,ou=People,dc=example,dc=org
objectClass: account
objectClass: posixAccount
uid: ben
gidNumber: 500
pwdAccountLockedTime: 000001010000Z

dn: cn=reader,dc=example,dc=org
objectClass: applicationProcess
objectClass: simpleSecurityObject
cn: reader

dn: cn=staff,dc=example,dc=org
objectClass: posixGroup
cn: staff
gidNumber: 500
memberUid: ben
memberUid: nobody

dn: cn=admins,dc=example,dc=org
objectClass: groupOfNames
cn: admins
owner: uid=ana,ou=People,dc=example,dc=org
owner: uid=ben,ou=People,dc=example,dc=org
member: UID=Ana, OU=People,DC=example,DC=org
member: cn=outer,dc=example,dc=org

dn: cn=outer,dc=example,dc=org
objectClass: groupOfUniqueNames
cn: outer
uniqueMember: uid=ben,ou=people,dc=example,dc=org#'0101'B
uniqueMember: cn=admins,dc=example,dc=org

dn: cn=x,dc=example,dc=org
objectClass: sudoRole
cn: x
";

fn ldap(name: &str) -> String {
    format!("ldap:{name},dc=example,dc=org")
}

#[test]
fn people_groups_and_accounts_become_nodes_and_edges() {
    use Relation as R;
    let mut inventory = Inventory::new();
    let report = import(&mut inventory, EXAMPLE, NOON);
    let (top, ana) = ("guid:00000000-0000-0000-0000-0000000000AA", "guid:00000000-0000-0000-0000-000000000001");
    let (people, ben, reader) = (ldap("ou=people"), ldap("uid=ben,ou=people"), ldap("cn=reader"));
    let (staff, admins, outer) = (ldap("cn=staff"), ldap("cn=admins"), ldap("cn=outer"));
    let mut expected: Vec<(String, Relation, String)> = [
        (top, R::Contains, people.as_str()),
        (&people, R::Contains, ana),
        (&people, R::Contains, &ben),
        (top, R::Contains, &reader),
        (top, R::Contains, &staff),
        (top, R::Contains, &admins),
        (top, R::Contains, &outer),
        (ana, R::MemberOf, &staff),
        (&ben, R::MemberOf, &staff),
        (ana, R::MemberOf, &admins),
        (&outer, R::MemberOf, &admins),
        (&ben, R::MemberOf, &outer),
        (&admins, R::MemberOf, &outer),
    ]
    .map(|(from, relation, to)| (from.to_owned(), relation, to.to_owned()))
    .into();
    expected.sort();
    assert_eq!(edges(&inventory), expected);
    assert_eq!(
        reasons(&report),
        [("an end that none of the files describes", 1), ("an entry of a class that is no part of the estate", 1)]
    );
    let kind = |key: &str| inventory.node(key).unwrap().kind();
    assert_eq!((kind(top), kind(&reader), kind(&staff)), (Kind::Scope, Kind::Service, Kind::Group));
    assert_eq!(inventory.node(&ben).unwrap().name(), "ben@EXAMPLE.ORG");
}

#[test]
fn accounts_are_what_their_operational_attributes_say() {
    let with_lock = inventory(EXAMPLE);
    let ana = with_lock.node("guid:00000000-0000-0000-0000-000000000001").unwrap().attributes();
    assert_eq!((ana.account_name.as_deref(), ana.email.as_deref()), (Some("ana"), Some("ana@example.org")));
    let at = |text: &str| Moment::At(text.parse().unwrap());
    assert_eq!(ana.password_last_set, Some(at("2024-02-01T12:00:00Z")));
    assert_eq!(ana.sign_ins, [SignIn { kind: SignInKind::OneController, when: at("2024-03-01T12:00:00Z") }]);
    assert_eq!(ana.expires, Some(at("2024-10-04T00:00:00Z")));
    assert_eq!(ana.password_never_expires, Some(true));
    assert_eq!(ana.password_in_directory, None, "this is where such a directory keeps it");
    assert_eq!(ana.enabled, Some(true), "locks were asked for, and it has none");
    let ben = |inventory: &Inventory| inventory.node(&ldap("uid=ben,ou=people")).unwrap().attributes().enabled;
    assert_eq!(ben(&with_lock), Some(false));
    let without = inventory(&EXAMPLE.replace("pwdAccountLockedTime: 000001010000Z\n", ""));
    assert_eq!(ben(&without), None, "nobody asked");
}

#[test]
fn a_name_that_two_accounts_have_is_told() {
    let twice = format!("{EXAMPLE}\ndn: uid=ben,dc=example,dc=org\nobjectClass: account\nuid: BEN\n");
    let mut inventory = Inventory::new();
    let report = import(&mut inventory, &twice, NOON);
    assert!(
        reasons(&report).contains(&("a name or number that two have; memberships by it go to one of them", 1)),
        "{report:?}"
    );
}

#[test]
fn a_file_of_active_directory_stays_one() {
    // `domain`, `person` and units are classes there too.
    let mixed = format!(
        "dn: CN=ana,DC=corp,DC=example\nobjectClass: person\nobjectClass: user\nobjectSid: {DOMAIN}-1101\n\n\
         dn: OU=Staff,DC=corp,DC=example\nobjectClass: organizationalUnit\n"
    );
    let mut inventory = Inventory::new();
    let report = import(&mut inventory, &mixed, NOON);
    assert!(reasons(&report).contains(&("an entry with neither objectSid nor objectGUID", 1)));
    assert!(inventory.nodes().iter().all(|node| !node.key.starts_with("ldap:")));
}
