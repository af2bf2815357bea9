//! A directory that is asked live, by the real binary: OpenLDAP within this machine. What real servers are read as, and what
//! hostile ones end with, is held in `crates/directory`; here it is the command line.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::offline::{countersign, fails, succeeds, text};

const READER: &str = "cn=reader,dc=example,dc=org";
const PEOPLE: &str = "dn: dc=example,dc=org
objectClass: dcObject
objectClass: organization
o: Example

dn: cn=reader,dc=example,dc=org
objectClass: applicationProcess
objectClass: simpleSecurityObject
userPassword: s3cret

dn: uid=ana,dc=example,dc=org
objectClass: inetOrgPerson
uid: ana
cn: Ana Lima
sn: Lima
userPassword: hunter2

dn: cn=admins,dc=example,dc=org
objectClass: groupOfNames
member: uid=ana,dc=example,dc=org
";

struct Directory {
    folder: tempfile::TempDir,
    address: String,
    server: Child,
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl Directory {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("data")).unwrap();
        let schemas =
            ["core", "cosine", "inetorgperson"].map(|name| format!("include /etc/ldap/schema/{name}.schema\n"));
        let configuration = format!(
            "{}modulepath /usr/lib/ldap\nmoduleload back_mdb\ndatabase mdb\nsuffix dc=example,dc=org\ndirectory {}\n",
            schemas.concat(),
            path("data").display()
        );
        fs::write(path("slapd.conf"), configuration).unwrap();
        fs::write(path("people.ldif"), PEOPLE).unwrap();
        let added =
            Command::new("slapadd").arg("-f").arg(path("slapd.conf")).arg("-l").arg(path("people.ldif")).output();
        let added = added.unwrap_or_else(|error| panic!("slapd: {error}; install it, or cargo xtask setup"));
        assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let address = format!("ldap://127.0.0.1:{port}");
        let mut slapd = Command::new("slapd");
        slapd.args(["-d", "0", "-h", &address, "-f"]).arg(path("slapd.conf")).stderr(Stdio::null());
        let server = slapd.spawn().unwrap();
        let patience = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            assert!(Instant::now() < patience, "slapd does not listen");
            std::thread::park_timeout(Duration::from_millis(50));
        }
        fs::write(path("password"), "s3cret\n").unwrap();
        Self { folder, address, server }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn import(&self, more: &[&str]) -> Vec<String> {
        let (estate, password) = (self.path("estate"), self.path("password"));
        let fixed = ["estate", "import", &self.address, "--plaintext", "--bind-dn", READER, "--json"];
        let files = ["--estate", text(&estate), "--password-file", text(&password)];
        fixed.iter().chain(&files).chain(more).map(|word| (*word).to_owned()).collect()
    }
}

fn words(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}

#[test]
fn a_directory_is_imported_live() {
    let directory = Directory::start();
    let mirror = directory.path("mirror.ldif");
    let going_on = directory.import(&["--mirror", text(&mirror), "--incremental"]);
    let first = countersign(&words(&going_on));
    let noted = String::from_utf8(first.stderr).unwrap();
    assert!(first.status.success() && noted.contains("4 entries were read"), "{noted}");
    let report: serde_json::Value = serde_json::from_slice(&first.stdout).unwrap();
    assert_eq!(report["counts"]["nodes_added"], 4);
    assert_eq!(fs::metadata(&mirror).unwrap().permissions().mode() & 0o777, 0o600);
    let kept = fs::read_to_string(&mirror).unwrap();
    assert!(kept.contains("dn: uid=ana,dc=example,dc=org") && !kept.contains("hunter2"), "{kept}");

    let again = countersign(&words(&going_on));
    let noted = String::from_utf8(again.stderr).unwrap();
    assert!(noted.contains("all of them: this server does not count its changes"), "{noted}");
    let report: serde_json::Value = serde_json::from_slice(&again.stdout).unwrap();
    assert_eq!((&report["counts"]["nodes_changed"], &report["counts"]["edges_gone"]), (&0.into(), &0.into()));

    let estate = directory.path("estate");
    let shown = succeeds(&["estate", "show", "ana@EXAMPLE.ORG", "--estate", text(&estate)]);
    assert!(shown.contains("admins@EXAMPLE.ORG"), "{shown}");
    // The mirror is a file like any other, and says the same.
    let listed = |source: &[&str]| succeeds(&[&["estate", "list", "--csv"], source].concat()).lines().count();
    assert_eq!(listed(&["--file", text(&mirror)]), listed(&["--estate", text(&estate)]));
}

#[test]
fn what_cannot_be_read_leaves_the_estate_as_it_was() {
    let directory = Directory::start();
    let mirror = directory.path("mirror.ldif");
    succeeds(&words(&directory.import(&["--mirror", text(&mirror)])));
    let before = (fs::read(directory.path("estate")).unwrap(), fs::read(&mirror).unwrap());

    fs::write(directory.path("password"), "wr0ng").unwrap();
    let refused = fails(&words(&directory.import(&["--mirror", text(&mirror)])), 1);
    assert!(refused.contains("the account or its password is wrong") && !refused.contains("wr0ng"), "{refused}");
    fs::write(directory.path("password"), "\n").unwrap();
    assert!(fails(&words(&directory.import(&[])), 2).contains("the password is empty"));
    fs::write(directory.path("password"), "s3cret").unwrap();
    let nobody = ["estate", "import", "ldaps://127.0.0.1:1", "--estate", text(&directory.path("estate")), "--dry-run"]
        .map(str::to_owned);
    assert!(fails(&words(&nobody), 2).contains("--bind-dn"));
    let elsewhere = [&nobody[..2], &["ldap://192.0.2.1", "--plaintext"].map(str::to_owned)].concat();
    assert!(fails(&words(&elsewhere), 2).contains("within this machine only"));
    let encrypted: Vec<String> = directory.import(&[]).into_iter().filter(|word| word != "--plaintext").collect();
    assert!(fails(&words(&encrypted), 1).contains("encryption (StartTLS) was refused"));
    assert_eq!((fs::read(directory.path("estate")).unwrap(), fs::read(&mirror).unwrap()), before);

    fs::write(&mirror, &before.1[..before.1.len() / 2]).unwrap();
    let damaged = fails(&words(&directory.import(&["--mirror", text(&mirror), "--incremental"])), 1);
    assert!(damaged.contains("without --incremental"), "{damaged}");
    assert_eq!(fs::read(directory.path("estate")).unwrap(), before.0);
}
