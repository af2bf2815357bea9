//! Samba as a domain controller, with what an estate has to get right: nested groups, primary groups, a disabled account, a
//! managed one, service principals, delegation, rights that were handed out, a password that can be read, units in units.
//!
//! Samba binds the ports of a directory and no others. An address of this machine's own that nobody else uses (127.x.y.z) makes
//! them free; below 1024 that takes root.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_directory::{How, Mirror, ReadFault, Reading, WireFault};
use countersign_estate::{Kind, Relation};
use tempfile::TempDir;

use crate::servers::{Certificate, Running, run};
use crate::{Question, assert_same, inventory, said, try_ask};

const TOP: &str = "DC=corp,DC=example";
const DOMAIN: &str = "S-1-5-21-1-2-3";
const PASSWORD: &str = "Adm1n-passw0rd";
const READER: &str = "reader@CORP.EXAMPLE";
const ADMINISTRATOR: &str = "Administrator@CORP.EXAMPLE";

/// Added before it runs, as an administrator would have over years.
const POPULATION: &str = "
dn: OU=Staff,DC=corp,DC=example
objectClass: organizationalUnit

dn: OU=Sales,OU=Staff,DC=corp,DC=example
objectClass: organizationalUnit

dn: CN=Ana Lima,OU=Sales,OU=Staff,DC=corp,DC=example
objectClass: user
sAMAccountName: ana
userPrincipalName: ana@corp.example
userAccountControl: 66080
mail: ana@corp.example
servicePrincipalName: http/web.corp.example
unixUserPassword: hunter2

dn: CN=Ben,OU=Staff,DC=corp,DC=example
objectClass: user
sAMAccountName: ben
userAccountControl: 546

dn: CN=Cem,OU=Staff,DC=corp,DC=example
objectClass: user
sAMAccountName: cem
userAccountControl: 4194848
adminCount: 1

dn: CN=WEB,OU=Staff,DC=corp,DC=example
objectClass: computer
sAMAccountName: WEB$
dNSHostName: web.corp.example
userAccountControl: 528416
msDS-AllowedToDelegateTo: cifs/dc1.corp.example

dn: CN=J\\C3\\BCrgen\\2C Admins,OU=Staff,DC=corp,DC=example
objectClass: group
sAMAccountName: juergens
member: CN=Ana Lima,OU=Sales,OU=Staff,DC=corp,DC=example
member: CN=Ben,OU=Staff,DC=corp,DC=example

dn: CN=Outer,OU=Staff,DC=corp,DC=example
objectClass: group
sAMAccountName: outer
managedBy: CN=Ana Lima,OU=Sales,OU=Staff,DC=corp,DC=example
member: CN=J\\C3\\BCrgen\\2C Admins,OU=Staff,DC=corp,DC=example
member: CN=WEB,OU=Staff,DC=corp,DC=example
";

/// A domain of its own, running.
pub(crate) struct Controller {
    folder: TempDir,
    address: Ipv4Addr,
    authority: String,
    _running: Running,
}

impl Controller {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [_, a, b, c] = std::process::id().to_be_bytes();
        let address = Ipv4Addr::new(127, a | 64, b, c | 1);
        let at = folder.path().display().to_string();
        run(
            Command::new("samba-tool").args(["domain", "provision", "--realm=CORP.EXAMPLE", "--domain=CORP"]).args([
                "--server-role=dc",
                "--dns-backend=NONE",
                "--host-name=dc1",
                &format!("--adminpass={PASSWORD}"),
                &format!("--domain-sid={DOMAIN}"),
                &format!("--targetdir={at}"),
                &format!("--host-ip={address}"),
                &format!("--option=interfaces={address}/8"),
                "--option=bind interfaces only=yes",
                "--option=vfs objects=",
            ]),
            "",
        );
        let database = folder.path().join("private/sam.ldb");
        run(Command::new("samba-tool").args(["user", "create", "reader", PASSWORD, "-H"]).arg(&database), "");
        run(Command::new("ldbadd").arg("-H").arg(&database), &format!("{POPULATION}{}", managed()));
        // Cem may set the passwords of everybody below Staff; of the domain he may copy all of them.
        let cem = sid_of(&database, "cem");
        let reset =
            format!("(OA;CI;CR;00299570-246d-11d0-a768-00aa006e0529;bf967aba-0de6-11d0-a285-00aa003049e2;{cem})");
        let copy = ["1131f6aa-9c07-11d1-f79f-00c04fc2dcd2", "1131f6ad-9c07-11d1-f79f-00c04fc2dcd2"];
        let copy = copy.map(|right| format!("(OA;;CR;{right};;{cem})")).concat();
        for (name, rights) in [("OU=Staff,DC=corp,DC=example", reset), (TOP, copy)] {
            grant(&database, name, &rights);
        }
        let certificate = Certificate::write(folder.path(), &[address.to_string(), "dc1.corp.example".to_owned()]);
        let mut samba = Command::new("samba");
        samba.args(["-i", "-M", "single", "-s"]).arg(folder.path().join("etc/smb.conf"));
        for (name, value) in [
            ("server services", "ldap".to_owned()),
            ("tls cafile", format!("{at}/ca.pem")),
            ("tls certfile", format!("{at}/cert.pem")),
            ("tls keyfile", format!("{at}/key.pem")),
            ("log file", format!("{at}/log")),
            ("pid directory", at.clone()),
            ("ncalrpc dir", format!("{at}/ncalrpc")),
            ("ntp signd socket directory", format!("{at}/ntp")),
            ("winbindd socket directory", format!("{at}/winbindd")),
        ] {
            samba.arg(format!("--option={name}={value}"));
        }
        let listens = SocketAddr::new(IpAddr::V4(address), 636);
        let running = Running::start(samba, listens, &folder.path().join("said"));
        let controller = Self { folder, address, authority: certificate.authority, _running: running };
        // The first sign-in is noted at the account; it is not to be among what changed.
        controller.ask(READER, None);
        controller.ask(ADMINISTRATOR, None);
        controller
    }

    fn question(&self, account: &'static str) -> Question<'_> {
        static ADDRESS: OnceLock<String> = OnceLock::new();
        let address = ADDRESS.get_or_init(|| format!("ldaps://{}", self.address));
        Question { address, authority: &self.authority, account, password: PASSWORD, before: None }
    }

    fn ask(&self, account: &'static str, before: Option<Mirror>) -> Reading {
        try_ask(Question { before, ..self.question(account) }).unwrap()
    }

    fn tool(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("LDAPTLS_CACERT", self.folder.path().join("ca.pem")).args(["-x", "-H"]);
        command.arg(format!("ldaps://{}", self.address));
        command
    }

    /// What the server's own tools say, as a file.
    fn exported(&self, account: &str, base: &str) -> String {
        let mut command = self.tool("ldapsearch");
        command.args(["-D", account, "-w", PASSWORD, "-LLL", "-b", base, "-E", "pr=100/noprompt"]);
        // Owner, group and list of the security descriptors.
        command.args(["-E", "!1.2.840.113556.1.4.801=::MAMCAQc=", "(objectClass=*)"]);
        run(command.args(["*", "nTSecurityDescriptor", "msDS-User-Account-Control-Computed"]), "")
    }

    fn change(&self, changes: &str) {
        run(self.tool("ldapmodify").args(["-D", ADMINISTRATOR, "-w", PASSWORD]), changes);
    }
}

/// A managed account, whose password the controllers of the domain (516) may read.
fn managed() -> String {
    let mut descriptor = vec![1, 0, 4, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 20, 0, 0, 0];
    let mut sid = vec![1, 5, 0, 0, 0, 0, 0, 5];
    sid.extend([21_u32, 1, 2, 3, 516].iter().flat_map(|part| part.to_le_bytes()));
    descriptor.extend([2, 0, 44, 0, 1, 0, 0, 0]);
    descriptor.extend([0, 0, 36, 0, 0xff, 1, 0xf, 0]);
    descriptor.extend(sid);
    format!(
        "\ndn: CN=svc,CN=Managed Service Accounts,{TOP}\nobjectClass: msDS-GroupManagedServiceAccount\n\
         sAMAccountName: svc$\nmsDS-ManagedPasswordInterval: 30\nmsDS-GroupMSAMembership:: {}\n",
        STANDARD.encode(descriptor)
    )
}

fn sid_of(database: &Path, account: &str) -> String {
    let filter = format!("(sAMAccountName={account})");
    let printed = run(Command::new("ldbsearch").arg("-H").arg(database).args([&filter, "objectSid"]), "");
    printed.lines().find_map(|line| line.strip_prefix("objectSid: ")).expect("an identifier").to_owned()
}

fn grant(database: &PathBuf, name: &str, rights: &str) {
    let (name, rights) = (format!("--objectdn={name}"), format!("--sddl={rights}"));
    run(Command::new("samba-tool").args(["dsacl", "set", &name, &rights, "-H"]).arg(database), "");
}

/// One domain for one test after the other: it takes a while to make.
#[test]
fn a_domain_is_read_live() {
    let controller = Controller::start();
    reads_what_its_own_tools_export(&controller);
    reads_what_changed(&controller);
    is_asked_only_when_it_proves_who_it_is(&controller);
}

fn reads_what_its_own_tools_export(controller: &Controller) {
    for account in [READER, ADMINISTRATOR] {
        let reading = controller.ask(account, None);
        assert_eq!((reading.how, reading.mirror.without_rights()), (How::Whole(None), 0));
        let live = reading.mirror.to_ldif();
        assert!(!live.contains("hunter2"), "no password leaves the server");
        let services = format!("CN=Public Key Services,CN=Services,CN=Configuration,{TOP}");
        let files = [TOP, &services].map(|base| controller.exported(account, base));
        let (live, file) = (inventory(&[&live]), inventory(&[&files[0], &files[1]]));
        assert_same(&said(&live), &said(&file));
        let key = |name: &str| {
            let found = live.nodes().iter().find(|node| node.name() == name);
            found.unwrap_or_else(|| panic!("{name} is missing")).key.to_string()
        };
        let (ana, cem, web) = (key("ana@CORP.EXAMPLE"), key("cem@CORP.EXAMPLE"), key("WEB.CORP.EXAMPLE"));
        let (group, outer) = (key("juergens@CORP.EXAMPLE"), key("outer@CORP.EXAMPLE"));
        let (top, service) = (format!("sid:{DOMAIN}"), key("svc$@CORP.EXAMPLE"));
        for (from, relation, to) in [
            (&ana, Relation::MemberOf, &group),
            (&group, Relation::MemberOf, &outer),
            (&web, Relation::MemberOf, &outer),
            (&ana, Relation::MemberOf, &format!("{top}-513")),
            (&web, Relation::MemberOf, &format!("{top}-515")),
            (&web, Relation::DelegatesTo, &key("DC1.CORP.EXAMPLE")),
            (&cem, Relation::ResetPassword, &ana),
            (&cem, Relation::GetChanges, &top),
            (&cem, Relation::GetChangesAll, &top),
            (&format!("{top}-516"), Relation::ReadManagedPassword, &service),
        ] {
            assert!(live.edge(from, relation, to).is_some(), "{from} {relation:?} {to}");
        }
        let of = |key: &str| live.node(key).unwrap().attributes();
        assert_eq!((of(&ana).enabled, of(&ana).password_never_expires), (Some(true), Some(true)));
        // A confidential attribute: whether it is there is known to whoever may read it.
        let readable = (account == ADMINISTRATOR).then_some(true);
        assert_eq!((of(&ana).password_in_directory, of(&ana).service_principals.len()), (readable, 1));
        assert_eq!(of(&key("ben@CORP.EXAMPLE")).enabled, Some(false));
        assert_eq!((of(&cem).without_preauthentication, of(&cem).admin_count), (Some(true), Some(true)));
        assert_eq!(of(&web).unconstrained_delegation, Some(true));
        assert_eq!(live.node(&service).unwrap().kind(), Kind::Service);
        assert_eq!(of(&format!("{top}-502")).enabled, Some(false), "krbtgt");
    }
}

/// What a controller counts, and what it does not: a unit that moves, rights that are inherited, somebody who is gone.
fn reads_what_changed(controller: &Controller) {
    let before = controller.ask(READER, None).mirror;
    let again = controller.ask(READER, Some(before.clone()));
    let How::Changes { read, gone: 0 } = again.how else { panic!("{:?}", again.how) };
    assert!(read < before.len() / 2, "{read} of {}", before.len());
    assert_eq!(without_counter(&again.mirror), without_counter(&before));

    controller.change(&format!(
        "dn: CN=Cem,OU=Staff,{TOP}
changetype: modify
replace: userAccountControl
userAccountControl: 514

dn: CN=Ben,OU=Staff,{TOP}
changetype: delete

dn: OU=Sales,OU=Staff,{TOP}
changetype: modrdn
newrdn: OU=Retail
deleteoldrdn: 1
newsuperior: {TOP}

dn: CN=Ben,OU=Staff,{TOP}
changetype: add
objectClass: user
sAMAccountName: ben2
userAccountControl: 546
"
    ));
    grant_live(controller);
    let changed = controller.ask(READER, Some(Mirror::parse(&again.mirror.to_ldif()).unwrap()));
    let How::Changes { gone: 1, .. } = changed.how else { panic!("{:?}", changed.how) };
    let whole = controller.ask(READER, None);
    assert_eq!(without_counter(&changed.mirror), without_counter(&whole.mirror));
    let text = whole.mirror.to_ldif();
    assert!(text.contains(&format!("CN=Ana Lima,OU=Retail,{TOP}")), "moved with its unit");
    let estate = inventory(&[&text]);
    let ben = estate.nodes().iter().find(|node| node.name() == "ben2@CORP.EXAMPLE").unwrap();
    let group = estate.nodes().iter().find(|node| node.name() == "juergens@CORP.EXAMPLE").unwrap();
    assert!(estate.edge(&ben.key, Relation::MemberOf, &group.key).is_none(), "another one of the same name");
}

/// Rights over a unit, for whoever is below it.
fn grant_live(controller: &Controller) {
    let database = controller.folder.path().join("private/sam.ldb");
    grant(&database, &format!("OU=Retail,{TOP}"), &format!("(A;CI;GA;;;{DOMAIN}-515)"));
}

fn without_counter(mirror: &Mirror) -> String {
    let text = mirror.to_ldif();
    text.lines().filter(|line| !line.starts_with("# newest: ")).map(|line| format!("{line}\n")).collect()
}

fn is_asked_only_when_it_proves_who_it_is(controller: &Controller) {
    let stranger = tempfile::tempdir().unwrap();
    let stranger = Certificate::write(stranger.path(), &[controller.address.to_string()]);
    let refused = try_ask(Question { authority: &stranger.authority, ..controller.question(READER) });
    assert!(matches!(refused, Err(ReadFault::Wire(WireFault::UnknownAuthority { .. }))), "{refused:?}");
    let [a, b, c, d] = controller.address.octets();
    let elsewhere = format!("ldaps://[::ffff:{a:x}{b:02x}:{c:x}{d:02x}]");
    let refused = try_ask(Question { address: &elsewhere, ..controller.question(READER) });
    assert!(matches!(refused, Err(ReadFault::Wire(WireFault::Tls { .. }))), "{refused:?}");
    let wrong = try_ask(Question { password: "wrong-passw0rd", ..controller.question(READER) }).unwrap_err();
    assert!(wrong.to_string().contains("the account or its password is wrong"), "{wrong}");
    assert!(!wrong.to_string().contains("wrong-passw0rd"), "{wrong}");
    let unencrypted = format!("ldap://{}", controller.address);
    let encrypted_later = try_ask(Question { address: &unencrypted, ..controller.question(READER) }).unwrap();
    assert!(encrypted_later.mirror.len() > 100);
}
