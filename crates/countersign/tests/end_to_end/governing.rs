//! Exports of a directory on the command line, without a server: taken in, checked, followed, assessed. The collection is our own
//! and small enough to see through: the help desk may set the password of an administrator.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::offline::{countersign, fails, succeeds, text};

const USERS: &str = r#"{"data":[
 {"ObjectIdentifier":"S-1-5-21-1-2-3-1101","PrimaryGroupSID":"S-1-5-21-1-2-3-513",
  "Properties":{"domain":"CORP.EXAMPLE","name":"ADA@CORP.EXAMPLE","enabled":true,"hasspn":true,"pwdlastset":1700000000},
  "Aces":[{"PrincipalSID":"S-1-5-21-1-2-3-1301","PrincipalType":"Group","RightName":"ForceChangePassword","IsInherited":false},
          {"PrincipalSID":"S-1-5-21-1-2-3-1102","PrincipalType":"User","RightName":"Unheard","IsInherited":false}]},
 {"ObjectIdentifier":"S-1-5-21-1-2-3-1102","PrimaryGroupSID":"S-1-5-21-1-2-3-513",
  "Properties":{"domain":"CORP.EXAMPLE","name":"HEIDI@CORP.EXAMPLE","enabled":true,"hasspn":false},"Aces":[]},
 {"ObjectIdentifier":"S-1-5-21-1-2-3-1103","PrimaryGroupSID":"S-1-5-21-1-2-3-513",
  "Properties":{"domain":"CORP.EXAMPLE","name":"=EVE@CORP.EXAMPLE","enabled":true,"hasspn":false},"Aces":[]}
],"meta":{"methods":0,"type":"users","count":3,"version":6}}"#;

const GROUPS: &str = r#"{"data":[
 {"ObjectIdentifier":"S-1-5-21-1-2-3-512","Properties":{"domain":"CORP.EXAMPLE","name":"DOMAIN ADMINS@CORP.EXAMPLE"},
  "Members":[{"ObjectIdentifier":"S-1-5-21-1-2-3-1101","ObjectType":"User"}],"Aces":[]},
 {"ObjectIdentifier":"S-1-5-21-1-2-3-1301","Properties":{"domain":"CORP.EXAMPLE","name":"HELP DESK@CORP.EXAMPLE"},
  "Members":[{"ObjectIdentifier":"S-1-5-21-1-2-3-1102","ObjectType":"User"}],"Aces":[]}
],"meta":{"methods":0,"type":"groups","count":2,"version":6}}"#;

struct Export {
    directory: tempfile::TempDir,
}

impl Export {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let folder = directory.path().join("export/domain");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("users.json"), USERS).unwrap();
        fs::write(folder.join("groups.json"), GROUPS).unwrap();
        Self { directory }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn folder(&self) -> String {
        text(&self.path("export")).to_owned()
    }
}

fn json(said: &str) -> Value {
    serde_json::from_str(said).unwrap_or_else(|fault| panic!("{fault}: {said}"))
}

fn outcome(arguments: &[&str], code: i32) -> (String, String) {
    let output = countersign(arguments);
    let (said, noted) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}{noted}");
    (said, noted)
}

#[test]
fn the_health_check_names_accounts_and_says_what_it_cannot_tell() {
    let export = Export::new();
    let folder = export.folder();
    let (table, noted) = outcome(&["health", &folder, "--as-of", "2026-11-01T00:00:00Z"], 1);
    assert!(table.contains("Kerberoastable accounts") && table.contains("kerberoastable"), "{table}");
    assert!(noted.contains("as of 2026-11-01"), "{noted}");
    let (one, _) = outcome(&["health", &folder, "--indicator", "kerberoastable"], 1);
    assert!(one.contains("ADA@CORP.EXAMPLE") && one.contains("users.json, /data/0"), "{one}");
    assert!(one.contains("1 found, 2 passed, 0 not assessed, of 3"), "{one}");
    let (csv, _) = outcome(&["health", &folder, "--indicator", "kerberoastable", "--csv"], 1);
    assert!(csv.lines().nth(1).unwrap().starts_with("kerberoastable,high,Kerberoastable accounts,sid:"), "{csv}");
    let said = fails(&["health", &folder, "--indicator", "kerberoastabel"], 1);
    assert!(said.contains("did you mean kerberoastable?"), "{said}");

    let (json_said, _) = outcome(&["health", &folder, "--json"], 1);
    let one =
        json(&json_said)["indicators"].as_array().unwrap().iter().find(|one| one["id"] == "kerberoastable").cloned();
    let query = one.unwrap()["query"].as_str().unwrap().to_owned();
    let selected = json(&succeeds(&["health", &folder, "--query", &query, "--json"]));
    assert_eq!(selected[0]["name"], "ADA@CORP.EXAMPLE", "the query is the indicator");
    outcome(&["health", &folder, "--query", "guest and not guest"], 1);
    assert!(fails(&["health", &folder, "--query", "enabled and"], 1).contains("expected"));
    fails(&["health", &folder, "--query", "enabled", "--indicator", "kerberoastable"], 2);
}

#[test]
fn the_way_of_an_attacker_is_followed_and_cut() {
    let export = Export::new();
    let folder = export.folder();
    let from = ["--file", folder.as_str()];
    let with = |arguments: &[&'static str]| succeeds(&[arguments, &from].concat());
    let heidi = with(&["blast-radius", "heidi@corp.example"]);
    assert!(heidi.contains("reaches 4, of them 1 of tier zero"), "{heidi}");
    let all = json(&with(&["blast-radius", "--all", "--json"]));
    assert_eq!((&all[0]["name"], &all[0]["reached"]), (&"HEIDI@CORP.EXAMPLE".into(), &4.into()), "{all}");
    let csv = with(&["blast-radius", "--all", "--csv"]);
    assert!(csv.contains("\n'=EVE@CORP.EXAMPLE,account,"), "no formula for a spreadsheet: {csv}");

    let path = with(&["paths", "heidi", "domain admins@corp.example"]);
    for words in
        ["can-reset-password: sets a new password and signs in (T1098)", "users.json, /data/0/Aces/0", "(tier zero)"]
    {
        assert!(path.contains(words), "{words}: {path}");
    }
    let (nothing, _) = outcome(&["paths", "=eve", "--file", &folder], 1);
    assert!(nothing.contains("no way leads there"), "{nothing}");
    let said = fails(&["paths", "hiedi", "--file", &folder], 1);
    assert!(said.contains("did you mean HEIDI@CORP.EXAMPLE?"), "{said}");

    let figures = succeeds(&["graph", &folder]);
    assert!(figures.contains("enabled identities") && figures.contains("can-reset-password"), "{figures}");
    let chokes = json(&succeeds(&["choke-points", &folder, "--at-most", "0", "--json"]));
    assert_eq!((&chokes["identities"], &chokes["plan"]["after"]), (&1.into(), &0.into()), "{chokes}");
    let removal = &chokes["plan"]["removals"][0][0];
    let words = ["/from/name", "/relation", "/to/name"].map(|part| removal.pointer(part).unwrap().as_str().unwrap());
    let what_if = json(&succeeds(&["what-if", "--remove", &words.join(" "), "--file", &folder, "--json"]));
    assert_eq!(what_if["before"]["reach-tier-zero"], 2, "{what_if}");
    assert!(what_if["after"]["reach-tier-zero"].as_u64() < Some(2), "{what_if}");
    let table = with(&["what-if", "--disable", "ada"]);
    assert!(table.contains("identities that reach tier zero"), "{table}");
    fails(&["what-if", "--file", &folder], 2);
    fails(&["blast-radius", "--file", &folder], 2);
}

#[test]
fn an_estate_is_kept_in_a_file_with_its_history() {
    let export = Export::new();
    let (folder, kept) = (export.folder(), export.path("corp.estate"));
    let kept = text(&kept);
    let import = |at: &str| json(&succeeds(&["estate", "import", &folder, "--estate", kept, "--at", at, "--json"]));
    let dry = succeeds(&["estate", "import", &folder, "--estate", kept, "--dry-run", "--json"]);
    assert_eq!(json(&dry)["counts"]["nodes_added"], 5);
    assert!(!Path::new(kept).exists(), "a dry run keeps nothing");
    let first = import("2026-10-01T00:00:00Z");
    assert_eq!(first["counts"], json(&dry)["counts"]);
    let before = fs::read(kept).unwrap();
    let again = import("2026-10-01T00:00:00Z");
    assert_eq!((&again["counts"]["nodes_added"], &again["counts"]["edges_added"]), (&0.into(), &0.into()));
    assert_eq!(fs::read(kept).unwrap(), before, "twice is once");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(kept).unwrap().permissions().mode() & 0o777, 0o600);
    }

    let left = GROUPS.replace(r#"{"ObjectIdentifier":"S-1-5-21-1-2-3-1102","ObjectType":"User"}"#, "");
    fs::write(export.path("export/domain/groups.json"), left).unwrap();
    assert_eq!(import("2026-11-01T00:00:00Z")["counts"]["edges_gone"], 1);
    let changes = json(&succeeds(&["estate", "changes", "--estate", kept, "--json"]));
    let changes: Vec<&Value> = changes.as_array().unwrap().iter().collect();
    assert_eq!(changes.len(), 1, "{changes:?}");
    assert_eq!(changes[0]["name"], "HEIDI@CORP.EXAMPLE member-of HELP DESK@CORP.EXAMPLE");
    let skipped = succeeds(&["estate", "skipped", "--estate", kept]);
    assert!(skipped.contains("a right that opens nothing that is known here"), "{skipped}");
    let (nothing, _) = outcome(&["paths", "heidi", "--estate", kept], 1);
    assert!(nothing.contains("no way"), "what is gone is no way: {nothing}");

    // What is refused leaves the estate as it was.
    let before = fs::read(kept).unwrap();
    let older = fails(&["estate", "import", &folder, "--estate", kept, "--at", "2026-09-01T00:00:00Z"], 1);
    assert!(older.contains("newer is known"), "{older}");
    fs::write(export.path("cut.json"), USERS.get(..300).unwrap()).unwrap();
    fails(&["estate", "import", text(&export.path("cut.json")), "--estate", kept], 1);
    fails(&["estate", "import", text(&export.path("nowhere.json")), "--estate", kept], 1);
    assert_eq!(fs::read(kept).unwrap(), before);
    assert!(
        fails(&["health", "--estate", text(&export.path("export/domain/users.json"))], 1).contains("no saved estate")
    );

    let shown = succeeds(&["estate", "show", "ada", "--estate", kept]);
    for words in ["ADA@CORP.EXAMPLE", "has service principal", "member-of DOMAIN ADMINS@CORP.EXAMPLE", "SHA-256"] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    let list = json(&succeeds(&["estate", "list", "admins", "--kind", "group", "--estate", kept, "--json"]));
    assert_eq!(list[0]["name"], "DOMAIN ADMINS@CORP.EXAMPLE");
    assert_eq!(list.as_array().unwrap().len(), 1);
    outcome(&["estate", "list", "nobody at all", "--estate", kept], 1);
    let people = json(&succeeds(&["estate", "list", "--query", "privileged", "--estate", kept, "--json"]));
    assert!(people.as_array().unwrap().iter().any(|one| one["name"] == "ADA@CORP.EXAMPLE"), "{people}");
}

#[test]
fn a_person_links_accounts_of_different_directories() {
    let export = Export::new();
    let kept = export.path("corp.estate");
    let kept = text(&kept);
    let other = USERS.replace("CORP.EXAMPLE", "PARTNER.EXAMPLE").replace("S-1-5-21-1-2-3", "S-1-5-21-7-8-9");
    let named = |users: &str| users.replace("\"pwdlastset\"", "\"displayname\":\"Ada Lovelace\",\"pwdlastset\"");
    fs::write(export.path("one.json"), named(USERS)).unwrap();
    fs::write(export.path("other.json"), named(&other)).unwrap();
    let (one, other) = (export.path("one.json"), export.path("other.json"));
    succeeds(&["estate", "import", text(&one), text(&other), "--estate", kept]);
    let links = |more: &[&str]| json(&succeeds(&[&["estate", "links", "--estate", kept, "--json"][..], more].concat()));
    let state = |links: &Value| links[0]["state"].as_str().unwrap_or("none").to_owned();
    assert!(state(&links(&["--proposed"])).starts_with("proposed, 35"), "{}", links(&[]));
    let (ada, other) = ("ada@corp.example", "ada@partner.example");
    succeeds(&["estate", "link", ada, other, "--estate", kept]);
    assert_eq!((state(&links(&[])), state(&links(&["--proposed"]))), ("linked".to_owned(), "none".to_owned()));
    succeeds(&["estate", "unlink", ada, other, "--estate", kept]);
    assert_eq!(state(&links(&[])), "none", "a person's word outweighs");
    fails(&["estate", "link", ada, ada, "--estate", kept], 1);
    let ambiguous = fails(&["estate", "show", "ada", "--estate", kept], 1);
    assert!(ambiguous.contains("is the name of 2") && ambiguous.contains("sid:S-1-5-21-7-8-9-1101"), "{ambiguous}");
}

#[test]
fn an_assessment_is_written_whole_and_never_over_something_else() {
    let export = Export::new();
    let (folder, out) = (export.folder(), export.path("report"));
    let out = text(&out);
    fs::write(export.path("export/README.txt"), "How this was exported.").unwrap();
    fs::write(export.path("export/.hidden.json"), "{").unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(export.path("elsewhere"), export.path("export/domain/link")).unwrap();
    let assess = |more: &[&str]| {
        let fixed = ["assess", folder.as_str(), "--out", out, "--as-of", "2026-11-01T00:00:00Z"];
        [&fixed[..], more].concat().into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let run = |more: &[&str]| countersign(&assess(more).iter().map(String::as_str).collect::<Vec<_>>());
    let output = run(&["--organisation", "Example Ltd"]);
    let (said, noted) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{said}{noted}");
    for words in ["Example Ltd", "Kerberoastable accounts", "get to tier zero", "What to do first"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(noted.contains("one file is of no kind that is known here") && noted.contains("README.txt"), "{noted}");
    let read = |name: &str| fs::read_to_string(Path::new(out).join(name)).unwrap();
    let assessment = json(&read("assessment.json"));
    assert_eq!(assessment["organisation"], "Example Ltd");
    assert_eq!(assessment["radius"]["reach-tier-zero"], 2);
    let findings = read("findings.csv");
    assert!(findings.starts_with("indicator,severity,title,key,name,says,file,place,more evidence\r\n"), "{findings}");
    assert!(!findings.contains("=EVE") || findings.contains("'=EVE"), "no formula for a spreadsheet: {findings}");
    let found = assessment["health"]["indicators"].as_array().unwrap().iter();
    let found: u64 = found.filter(|one| one["outcome"] == "found").map(|one| one["found"].as_u64().unwrap()).sum();
    assert_eq!(findings.lines().count() as u64, 1 + found, "a line for each finding");
    let steps = read("steps.csv");
    assert_eq!(steps.lines().count(), 1 + assessment["steps"].as_array().unwrap().len());

    assert!(read("report.html").contains("Kerberoastable accounts"));
    assert!(fs::read(Path::new(out).join("report.pdf")).unwrap().starts_with(b"%PDF-"));
    let pack = countersign_report::verify(&fs::read(Path::new(out).join("evidence.json")).unwrap());
    assert_eq!(pack.unwrap().wrong, []);

    let refused = run(&[]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("is not empty"));
    fs::write(Path::new(out).join("notes.txt"), "mine").unwrap();
    let before = read("assessment.json");
    assert!(run(&["--force", "--organisation", "Example Ltd"]).status.success());
    assert_eq!(read("assessment.json"), before, "the same exports on the same date are the same assessment");
    assert_eq!(read("notes.txt"), "mine");
    let empty = export.path("empty");
    fs::create_dir(&empty).unwrap();
    assert!(fails(&["assess", text(&empty), "--out", text(&export.path("other"))], 1).contains("no file of a kind"));
    assert!(!export.path("other").exists(), "nothing is written before all is computed");
    fails(&["assess", &folder], 2);
}
