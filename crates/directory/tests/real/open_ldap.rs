//! OpenLDAP, with people, POSIX accounts and groups of every kind.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::Command;

use countersign_directory::{Account, Address, How, Limits, ReadFault, Request, WhyWhole, read};
use countersign_estate::Relation;

use crate::servers::{Certificate, Running, run};
use crate::{Question, assert_same, inventory, said, try_ask};

const ADMINISTRATOR: &str = "cn=admin,dc=example,dc=org";
const READER: &str = "cn=reader,dc=example,dc=org";
const PASSWORD: &str = "s3cret";

fn population() -> String {
    let mut text = format!(
        "dn: dc=example,dc=org
objectClass: dcObject
objectClass: organization
o: Example

dn: ou=people,dc=example,dc=org
objectClass: organizationalUnit

dn: {READER}
objectClass: applicationProcess
objectClass: simpleSecurityObject
userPassword: {PASSWORD}

dn: cn=staff,dc=example,dc=org
objectClass: posixGroup
gidNumber: 500
memberUid: p7

dn: cn=admins,dc=example,dc=org
objectClass: groupOfNames
member: uid=p1,ou=people,dc=example,dc=org
member: cn=operators,dc=example,dc=org

dn: cn=operators,dc=example,dc=org
objectClass: groupOfUniqueNames
uniqueMember: uid=p2,ou=people,dc=example,dc=org
"
    );
    for number in 0..620 {
        text.push_str(&format!(
            "\ndn: uid=p{number},ou=people,dc=example,dc=org\nobjectClass: inetOrgPerson\nobjectClass: posixAccount\n\
             uid: p{number}\ncn: Person {number}\nsn: {number}\nmail: p{number}@example.org\nuidNumber: {number}\n\
             gidNumber: 500\nhomeDirectory: /home/p{number}\nuserPassword: hunter2\n"
        ));
    }
    text
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

struct Server {
    plain: u16,
    encrypted: u16,
    authority: String,
    _running: Running,
    _folder: tempfile::TempDir,
}

fn start() -> Server {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let certificate = Certificate::write(at, &["127.0.0.1".to_owned()]);
    let schemas =
        ["core", "cosine", "inetorgperson", "nis"].map(|name| format!("include /etc/ldap/schema/{name}.schema\n"));
    let database = at.join("data");
    std::fs::create_dir(&database).unwrap();
    let shown = |path: &Path| path.display().to_string();
    let configuration = format!(
        "{schemas}modulepath /usr/lib/ldap
moduleload back_mdb
TLSCACertificateFile {at}/ca.pem
TLSCertificateFile {at}/cert.pem
TLSCertificateKeyFile {at}/key.pem
database mdb
suffix dc=example,dc=org
rootdn {ADMINISTRATOR}
rootpw {PASSWORD}
directory {data}
limits dn.exact=\"{READER}\" size.prtotal=unlimited
access to attrs=userPassword by anonymous auth by * none
access to * by * read
",
        schemas = schemas.concat(),
        at = shown(at),
        data = shown(&database),
    );
    let file = at.join("slapd.conf");
    std::fs::write(&file, configuration).unwrap();
    run(Command::new("slapadd").arg("-f").arg(&file), &population());
    let (plain, encrypted) = (free_port(), free_port());
    let mut slapd = Command::new("slapd");
    slapd
        .args(["-d", "0", "-h", &format!("ldap://127.0.0.1:{plain}/ ldaps://127.0.0.1:{encrypted}/"), "-f"])
        .arg(&file);
    let listens = SocketAddr::from((Ipv4Addr::LOCALHOST, encrypted));
    let running = Running::start(slapd, listens, &at.join("said"));
    Server { plain, encrypted, authority: certificate.authority, _running: running, _folder: folder }
}

#[test]
fn another_directory_is_read_live() {
    let server = start();
    let address = format!("ldaps://127.0.0.1:{}", server.encrypted);
    let question = |before| Question {
        address: &address,
        authority: &server.authority,
        account: READER,
        password: PASSWORD,
        before,
    };
    let reading = try_ask(question(None)).unwrap();
    assert_eq!((reading.how, reading.mirror.len()), (How::Whole(None), 626));
    let live = reading.mirror.to_ldif();
    assert!(!live.contains("hunter2") && !live.contains("userpassword"));

    // The same as its own tools export, over StartTLS and without encryption within this machine.
    let plain = format!("ldap://127.0.0.1:{}", server.plain);
    let mut export = Command::new("ldapsearch");
    export.args(["-x", "-LLL", "-H", &plain, "-D", ADMINISTRATOR, "-w", PASSWORD, "-b", "dc=example,dc=org", "*", "+"]);
    let file = inventory(&[&run(&mut export, "")]);
    assert_same(&said(&inventory(&[&live])), &said(&file));
    let started = try_ask(Question { address: &plain, ..question(None) }).unwrap();
    assert_eq!(started.mirror.len(), 626);
    let account = Account::new(READER, PASSWORD.as_bytes()).unwrap();
    let request = Request { account: &account, bases: &[], before: None, limits: Limits::default() };
    let unencrypted = Address::parse(&plain).unwrap().plain().unwrap();
    let unencrypted = read(&unencrypted, None, request, &mut |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(unencrypted.mirror.len(), 626);

    let key = |name: &str| file.nodes().iter().find(|node| node.name() == name).unwrap().key.to_string();
    for (from, to) in [("p1", "admins"), ("operators", "admins"), ("p2", "operators"), ("p7", "staff"), ("p9", "staff")]
    {
        let (from, to) = (key(&format!("{from}@EXAMPLE.ORG")), key(&format!("{to}@EXAMPLE.ORG")));
        assert!(file.edge(&from, Relation::MemberOf, &to).is_some(), "{from} {to}");
    }

    // It counts no changes that could be gone on from.
    let again = try_ask(question(Some(reading.mirror.clone()))).unwrap();
    assert_eq!((again.how, again.mirror), (How::Whole(Some(WhyWhole::NotCounted)), reading.mirror));
}

#[test]
fn a_server_that_gives_only_so_many_is_not_taken_for_whole() {
    let server = start();
    let address = format!("ldaps://127.0.0.1:{}", server.encrypted);
    let refused = try_ask(Question {
        address: &address,
        authority: &server.authority,
        account: "uid=p3,ou=people,dc=example,dc=org",
        password: "hunter2",
        before: None,
    });
    let Err(ReadFault::Refused(refused)) = refused else { panic!("{refused:?}") };
    assert_eq!(refused.code, 4);
    assert!(refused.to_string().contains("only so many entries"), "{refused}");
}
