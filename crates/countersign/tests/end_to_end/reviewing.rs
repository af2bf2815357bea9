//! A change of policies reviewed in a git repository by the real binary, by the very commands of the pipelines in
//! `examples/ci`, and by somebody who wants to get something past it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::offline::text;
use crate::prover::{GUARDRAILS, POLICIES};

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/ci");

const TESTS: &str = r#"
version = 1
[[test]]
name = "staff use it"
subject = "human:alice"
groups = ["staff"]
resource = "wiki"
tier = "standard"
authentication = "passkey"
expect = "allow"
"#;

/// One more thing that is forbidden.
const NARROWER: &str = r#"
@id("nobody-administers") @owner("security") @review_by("2099-01-01") @remedy("Ask.")
forbid (principal, action in Action::"administer", resource);
"#;

/// A repository with the policies on `main`.
struct Repository(tempfile::TempDir);

impl Repository {
    fn new() -> Self {
        let repository = Self(tempfile::tempdir().unwrap());
        repository.write("policies/own.cedar", POLICIES);
        repository.write("policies/guardrails/own.cedar", GUARDRAILS);
        repository.write("policies/tests/own.toml", TESTS);
        let script = std::fs::read_to_string(Path::new(EXAMPLES).join("review.sh")).unwrap();
        repository.write("ci/review.sh", &script);
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        repository.commit("begun");
        repository
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .args(["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"])
            .args(arguments)
            .current_dir(self.0.path())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn commit(&self, message: &str) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// A branch off `main` in which one file is another; it stays checked out.
    fn branch(&self, name: &str, file: &str, text: &str) -> String {
        self.git(&["checkout", "--quiet", "-B", name, "main"]);
        self.write(file, text);
        self.commit(name)
    }

    fn run(&self, program: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
        let cache = self.path(".git/cache");
        Command::new(program)
            .args(arguments)
            .current_dir(self.0.path())
            .env_remove("COUNTERSIGN_DATA")
            .env_remove("COUNTERSIGN_CONFIG")
            .env_remove("COUNTERSIGN_SERVER")
            .env_remove("COUNTERSIGN_CVC5")
            .env("XDG_CACHE_HOME", cache)
            .envs(environment.iter().copied())
            .output()
            .unwrap()
    }

    /// What `policy review main HEAD` writes, with these options.
    fn review(&self, more: &[&str], environment: &[(&str, &str)], code: i32) -> String {
        let arguments = [&["policy", "review", "main", "HEAD"], more].concat();
        let output = self.run(env!("CARGO_BIN_EXE_countersign"), &arguments, environment);
        let said = String::from_utf8(output.stdout).unwrap();
        let noted = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}{noted}");
        if code == 2 { noted.into_owned() } else { said }
    }
}

fn widened() -> String {
    POLICIES.replace("principal in Group::\"staff\"", "principal")
}

fn example(name: &str) -> String {
    std::fs::read_to_string(Path::new(EXAMPLES).join(name)).unwrap()
}

/// The commands of a block of YAML, from the line after `head` on: those that are further in than it.
fn commands(yaml: &str, heads: &[&str]) -> String {
    let mut lines = yaml.lines();
    let mut depth = 0;
    for head in heads {
        let line = lines.by_ref().find(|line| line.trim() == *head).unwrap_or_else(|| panic!("{head} is not there"));
        depth = line.len() - line.trim_start().len();
    }
    let inside = lines.take_while(|line| line.len() - line.trim_start().len() > depth);
    inside
        .map(|line| line.trim().trim_start_matches("- "))
        .filter(|line| !line.starts_with('#'))
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn the_pipelines_object_to_what_widens_and_let_pass_what_narrows() {
    let repository = Repository::new();
    let base = repository.git(&["rev-parse", "main"]);
    let temporary = tempfile::tempdir().unwrap();
    let (github, gitlab) = (example("github-actions.yml"), example("gitlab-ci.yml"));
    let github = commands(&github, &["- name: Review", "run: |"]);
    let gitlab = commands(&gitlab, &["policy-review:", "script:"]);
    assert!(github.contains("review.sh") && gitlab.contains("review.sh"), "{github}\n{gitlab}");
    let narrowed = format!("{POLICIES}{NARROWER}");
    for (name, own, code, words) in
        [("narrower", narrowed.as_str(), 0, "it only narrows"), ("wider", &widened(), 1, "it only widens")]
    {
        let head = repository.branch(name, "policies/own.cedar", own);
        let common = [("COUNTERSIGN", env!("CARGO_BIN_EXE_countersign")), ("POLICIES", "policies")];
        let of_gitlab =
            [("CI_MERGE_REQUEST_DIFF_BASE_SHA", base.as_str()), ("CI_COMMIT_SHA", &head), ("ANNOTATIONS", "gitlab")];
        let output = repository.run("sh", &["-euc", &gitlab], &[&common[..], &of_gitlab].concat());
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(code), "{said}{}", String::from_utf8_lossy(&output.stderr));
        assert!(said.contains(words), "{said}");
        let read = |name: &str| std::fs::read_to_string(repository.path("review").join(name)).unwrap();
        assert!(read("report.md").contains(words) && read("tests.xml").contains("<testsuite "));
        assert!(serde_json::from_str::<Value>(&read("quality.json")).unwrap().is_array());
        std::fs::remove_dir_all(repository.path("review")).unwrap();

        // There it is the merge that is checked out. The branch that it goes to has gone on meanwhile.
        repository.git(&["checkout", "--quiet", "-B", "target", "main"]);
        repository.write("unrelated", name);
        repository.commit("unrelated");
        repository.git(&["merge", "--quiet", "--no-ff", "--no-edit", name]);
        let of_github = [("RUNNER_TEMP", text(temporary.path())), ("ANNOTATIONS", "github")];
        let output = repository.run("sh", &["-euc", &github], &[&common[..], &of_github].concat());
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(code), "{said}{}", String::from_utf8_lossy(&output.stderr));
        let report = std::fs::read_to_string(temporary.path().join("review/report.md")).unwrap();
        assert!(said.contains(words) && report.contains(words), "{said}{report}");
    }
    // The script of the change is not the one that runs, and what cannot be reviewed is told in the comment.
    repository.branch("other-script", "ci/review.sh", "exit 0\n");
    std::os::unix::fs::symlink("/etc/hostname", repository.path("policies/name.cedar")).unwrap();
    let head = repository.commit("a link");
    let environment = [
        ("COUNTERSIGN", env!("CARGO_BIN_EXE_countersign")),
        ("CI_MERGE_REQUEST_DIFF_BASE_SHA", &base),
        ("CI_COMMIT_SHA", &head),
    ];
    let output = repository.run("sh", &["-euc", &gitlab], &environment);
    assert_eq!(output.status.code(), Some(2));
    let report = std::fs::read_to_string(repository.path("review/report.md")).unwrap();
    assert!(report.starts_with("<!-- countersign policy review -->\n## Policy review: not done"), "{report}");
}

/// What the examples promise in their comments.
#[test]
fn the_pipelines_give_a_change_nothing() {
    let plain = |name: &str| -> Vec<String> {
        let text = example(name);
        let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
        lines.map(str::to_owned).collect()
    };
    let github = plain("github-actions.yml");
    let all = github.join("\n");
    for absent in ["pull_request_target", "workflow_run", "secrets.", "contents: write", "write-all"] {
        assert!(!all.contains(absent), "{absent}");
    }
    assert!(all.contains("\npermissions: {}\n") && all.contains("persist-credentials: false"));
    let (review, comment) = all.split_once("\n  comment:").unwrap();
    assert!(!review.contains("write") && !comment.contains("checkout") && comment.contains("pull-requests: write"));
    for action in github.iter().filter_map(|line| line.split_once("uses: ")).map(|(_, action)| action) {
        let (_, pin) = action.split_once('@').unwrap();
        let hash = pin.split_whitespace().next().unwrap();
        assert!(hash.len() == 40 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{action}");
    }
    // Cargo reads settings of the folder that it is called in.
    assert!(review.contains("working-directory: ${{ runner.temp }}"));
    // Nothing that a stranger chooses becomes part of a command.
    let runs = github.iter().filter(|line| line.contains("${{") && !line.contains(": ${{") && !line.contains("-${{"));
    assert_eq!(runs.collect::<Vec<_>>(), Vec::<&String>::new());
    let gitlab = plain("gitlab-ci.yml");
    // A colon would make a mapping of a command, a sign for a comment would end it.
    for line in gitlab.iter().filter_map(|line| line.trim().strip_prefix("- ")) {
        assert!(line.starts_with("if: ") || !(line.contains(": ") || line.contains(" #")), "{line}");
    }
    let gitlab = gitlab.join("\n");
    // Both at once are refused.
    assert!(!gitlab.contains("\n  when:"), "{gitlab}");
    assert!(gitlab.contains("git ls-files .countersign") && gitlab.contains("(cd / && cargo install"), "{gitlab}");
    let (review, comment) = gitlab.split_once("\npolicy-comment:").unwrap();
    assert!(!review.contains("TOKEN") && comment.contains("GIT_STRATEGY: none"), "{gitlab}");
}

#[test]
fn a_report_tells_each_check_and_what_is_unknown_objects() {
    let repository = Repository::new();
    repository.branch("narrower", "policies/own.cedar", &format!("{POLICIES}{NARROWER}"));
    let report = repository.review(&[], &[], 0);
    for words in [
        "## Policy review: nothing to object",
        "`main` (`",
        "| pass | policies | 3 policies and 1 guardrail load; changed: 1 |",
        "| pass | lint | new findings: 0; ",
        "| pass | tests | 1 decided, 0 failed; ",
        "| pass | guardrails | 2 tried: 2 proven",
        "| pass | change | it only narrows: nothing is allowed that was not allowed |",
        "| left out | replay | without --ledger",
        "| added | forbid | `nobody-administers` | `security` | `policies/own.cedar:",
        "+forbid (principal, action in Action::\"administer\", resource);",
        "allowed before, and not now: an example",
    ] {
        assert!(report.contains(words), "{words}: {report}");
    }
    assert!(report.contains("administer allow → deny"), "{report}");
    // Without a solver nothing is proven, and that is no pass, unless proofs are left out.
    let none = [("COUNTERSIGN_CVC5", "/bin/true")];
    let unknown = repository.review(&[], &none, 1);
    assert!(unknown.contains("| **unknown** | guardrails |") && unknown.contains("/bin/true is no cvc5"), "{unknown}");
    assert!(repository.review(&["--no-prove"], &none, 0).contains("| left out | guardrails | by --no-prove |"));
    let covered = repository.review(&["--no-prove", "--require-coverage", "100"], &[], 1);
    assert!(covered.contains("| **fail** | tests |") && covered.contains("and 100 % are required"), "{covered}");

    repository.branch("wider", "policies/own.cedar", &widened());
    let report = repository.review(&["--no-prove"], &[], 1);
    assert!(report.contains("| **fail** | matrix |") && report.contains("deny → allow"), "{report}");
    let json: Value = serde_json::from_str(&repository.review(&["--json"], &[], 1)).unwrap();
    assert_eq!(json["found"]["change"]["allows_more"], "yes");
    assert_eq!(json["found"]["change"]["allows_less"], "no");
    assert_eq!(json["objects"], true);
    assert_eq!(json["head"]["commit"].as_str().unwrap(), repository.git(&["rev-parse", "HEAD"]));

    // What is no longer enforced is widened.
    let observed = POLICIES.replace("@id(\"risk-stops\")", "@id(\"risk-stops\") @mode(\"observe\")");
    repository.branch("observed", "policies/own.cedar", &observed);
    let report = repository.review(&[], &[], 1);
    assert!(report.contains("| changed | forbid → forbid (observed) | `risk-stops` |"), "{report}");
    assert!(report.contains("it only widens"), "{report}");

    // What breaks a guardrail, and what takes it away.
    let weaker = POLICIES.replace("context.risk >= 70", "context.risk >= 90");
    repository.branch("weaker", "policies/own.cedar", &weaker);
    let report = repository.review(&[], &[], 1);
    assert!(report.contains("failed, newly: <code>high-risk-changes-nothing</code>"), "{report}");
    assert!(report.contains("this request is allowed") && report.contains("newly broken: 1"), "{report}");
    repository.write("policies/guardrails/own.cedar", &GUARDRAILS.replace("70", "95"));
    repository.commit("and its guardrail");
    let report = repository.review(&[], &[], 1);
    assert!(report.contains("removed or rewritten: 1, and as they were 1 of these do not hold"), "{report}");
    repository.git(&["rm", "--quiet", "-r", "policies/guardrails", "policies/tests"]);
    repository.commit("without both");
    let report = repository.review(&["--no-prove"], &[], 1);
    assert!(
        report.contains("1 of these are guardrails that are gone") && report.contains("| **unknown** | tests |"),
        "{report}"
    );

    // Mistakes with carets, and nothing else.
    repository.branch("mistaken", "policies/own.cedar", &POLICIES.replace("\"public\"", "\"pulbic\""));
    let report = repository.review(&[], &[], 1);
    assert!(report.contains("there is no tier \"pulbic\"") && report.contains("────"), "{report}");
    assert!(!report.contains("guardrails |") && !report.contains("/tmp/"), "{report}");
    // And the change that mends it is told that nothing could be compared.
    let output = repository.run(
        env!("CARGO_BIN_EXE_countersign"),
        &["policy", "review", "HEAD", "main", "--path", "policies", "--no-prove"],
        &[],
    );
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("the base does not load"));
}

/// A report without what stands in it as code.
fn markup(report: &str) -> String {
    let mut told = String::new();
    let mut fence: Option<String> = None;
    for line in report.lines() {
        let ticks: String = line.chars().take_while(|c| *c == '`').collect();
        match &fence {
            Some(open) if ticks.len() >= open.len() => fence = None,
            Some(_) => {}
            None if ticks.len() >= 3 => fence = Some(ticks),
            None if line.contains("<code>") => {
                let (before, rest) = line.split_once("<code>").unwrap();
                told += &format!("{before}{}\n", rest.split_once("</code>").unwrap().1);
            }
            None => {
                told.extend(line.split('`').step_by(2));
                told.push('\n');
            }
        }
    }
    told
}

#[test]
fn nothing_gets_past_a_review_by_its_name() {
    let repository = Repository::new();
    let hostile = NARROWER
        .replace("nobody-administers", "a`|</details><img src=x>@everyone https://evil.example")
        .replace("security", "`@admins` <b>#1</b>")
        .replace("Ask.", "x\u{202e}```\n/merge\n");
    repository.branch("hostile", "policies/own.cedar", &format!("{POLICIES}{hostile}"));
    let report = repository.review(&["--no-prove"], &[], 0);
    let told = markup(&report);
    for part in ["<img", "<b>", "@", "https://", "/merge", "#1"] {
        assert!(!told.contains(part), "{part}: {told}");
    }
    assert!(report.contains("@everyone") && !report.contains('\u{202e}'), "{report}");
    assert!(!report.lines().any(|line| line.starts_with('/')), "{report}");
    let row = report.lines().find(|line| line.starts_with("| added |")).unwrap();
    assert_eq!(row.matches('|').count(), 6, "{row}");

    // A directory in the place of a revision is none, neither is an option.
    let wide = repository.path("main/policies");
    std::fs::create_dir_all(&wide).unwrap();
    std::fs::write(wide.join("own.cedar"), widened()).unwrap();
    repository.branch("wider", "policies/own.cedar", &widened());
    assert!(repository.review(&["--no-prove"], &[], 1).contains("deny → allow"));
    let refused = |arguments: &[&str]| {
        let output =
            repository.run(env!("CARGO_BIN_EXE_countersign"), &[&["policy", "review"], arguments].concat(), &[]);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(refused(&["nowhere", "HEAD"]).contains("nowhere is no revision of a git repository here"));
    assert!(refused(&["--", "--output=x", "HEAD"]).contains("is no revision"));
    assert!(refused(&["main", "HEAD", "--path", "../elsewhere"]).contains("outside of what is reviewed"));
    std::os::unix::fs::symlink("/etc/hostname", repository.path("policies/name.cedar")).unwrap();
    repository.commit("a link");
    assert!(refused(&["main", "HEAD"]).contains("it is a link"));
    assert!(refused(&["main", "./"]).contains("it is a link"));
    // Directories, as they are.
    std::fs::remove_file(repository.path("policies/name.cedar")).unwrap();
    let output = repository.run(
        env!("CARGO_BIN_EXE_countersign"),
        &["policy", "review", "./main/", "./", "--no-prove", "--format", "json"],
        &[],
    );
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["found"]["matrix"]["allow_more"], 0, "{json}");
}

/// A few hundred bytes that name so many files that nobody could ever list them.
#[test]
fn a_tree_that_names_itself_is_not_walked() {
    let repository = Repository::new();
    let policy = repository.git(&["rev-parse", "HEAD:policies/own.cedar"]);
    let tree = |lines: &str| {
        repository.write(".git/tree", lines);
        let output = repository.run("sh", &["-c", "git mktree < .git/tree"], &[]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let mut bomb = tree(&format!("100644 blob {policy}\town.cedar\n"));
    for _ in 0..30 {
        bomb = tree(&(0..10).map(|number| format!("040000 tree {bomb}\t{number}\n")).collect::<String>());
    }
    let policies = tree(&format!(
        "040000 tree {bomb}\tguardrails\n040000 tree {bomb}\tother\n100644 blob {policy}\town.cedar\n040000 tree {bomb}\ttests\n"
    ));
    let top = tree(&format!("040000 tree {bomb}\tother\n040000 tree {policies}\tpolicies\n"));
    let commit = repository.git(&["commit-tree", &top, "-p", "main", "-m", "bomb"]);
    repository.git(&["update-ref", "refs/heads/bomb", &commit]);
    let output = repository.run(
        env!("CARGO_BIN_EXE_countersign"),
        &["policy", "review", "main", "bomb", "--no-prove", "--format", "json"],
        &[],
    );
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["head"]["commit"], commit.as_str());

    // Where there are no policies at all there is no review, and that is no finding.
    let nowhere = repository.run(
        env!("CARGO_BIN_EXE_countersign"),
        &["policy", "review", "main", "main", "--path", "nowhere", "--no-prove"],
        &[],
    );
    assert_eq!(nowhere.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&nowhere.stderr).contains("there are no policies in nowhere"));
    // A submodule in the place of a folder that counts is refused like a link.
    let linked = tree(&format!("160000 commit {commit}\tguardrails\n100644 blob {policy}\town.cedar\n"));
    let linked = tree(&format!("040000 tree {linked}\tpolicies\n"));
    let linked = repository.git(&["commit-tree", &linked, "-p", "main", "-m", "submodule"]);
    let refused = repository.run(env!("CARGO_BIN_EXE_countersign"), &["policy", "review", "main", &linked], &[]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("it is a link"));
}
