//! A review's own parts: what stands on a page is safe and short enough, sides are read from inside only, differences.
#![expect(clippy::unwrap_used, reason = "a test may stop")]

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use countersign_model::is_hidden;

use super::changes::unified;
use super::git::said;
use super::sides::{Side, below};
use crate::commands::policy::markdown::{Block, LIMIT, Page, code, fence, fold, html_code};

/// What somebody might call a policy.
const HOSTILE: [&str; 8] = [
    "`</code>` @everyone #1 !2 https://evil.example",
    "a | b \\| c \\",
    "<img src=x onerror=alert(1)><!-- -->",
    "</summary></details><script>",
    "line\n/merge\r\n/close\n```\n/label ~secret",
    "[click](javascript:alert(1)) ![](http://evil.example/?x)",
    "safe\u{202E}live\u{2066}\u{200B}\u{7}\u{1b}[31m\u{E0041}\u{AD}\u{3164}\u{180E}\u{FE0F}\u{2028}",
    "   ",
];

#[test]
fn foreign_text_is_shown_and_never_marks_up() {
    for text in HOSTILE {
        let shown = code(text);
        if shown == "–" {
            continue;
        }
        let inside = shown.strip_prefix('`').unwrap().strip_suffix('`').unwrap();
        assert!(!inside.contains(['`', '|']) && !inside.contains(is_hidden), "{shown:?}");
        let html = html_code(text);
        let inside = html.strip_prefix("<code>").unwrap().strip_suffix("</code>").unwrap();
        assert!(!inside.contains(['<', '>', '"', '\'']) && !inside.contains(is_hidden), "{html:?}");
    }
    assert_eq!(code(&"a".repeat(1_000)).chars().count(), 163);
}

#[test]
fn a_block_of_code_ends_where_it_is_meant_to() {
    let lines: Vec<&str> = HOSTILE.iter().flat_map(|text| text.lines()).chain(["`````"]).collect();
    let block = fence("text", &lines, 10_000);
    let shown: Vec<&str> = block.lines().collect();
    let (first, rest) = shown.split_first().unwrap();
    let (last, inside) = rest.split_last().unwrap();
    assert_eq!((*first, *last), ("``````text", "``````"));
    assert_eq!(inside.len(), lines.len());
    assert!(inside.iter().all(|line| line.starts_with(' ') && !line.contains("``````")), "{block}");
    let cut = fence("diff", &["+a"; 100], 30);
    assert!(cut.contains("… 90 more lines") && cut.starts_with("```diff\n+a\n"), "{cut}");
}

#[test]
fn a_page_ends_before_the_host_cuts_it() {
    let row = |_| format!("| {} | {} |", code(&"ü".repeat(500)), code(&"|".repeat(500)));
    let table = || Block::Table { head: "| a | b |\n|---|---|".to_owned(), rows: (0..1_000).map(row).collect() };
    let mut page = Page::opening("first\n".to_owned());
    for title in ["one", "two", "three", "four", "five", "six", "seven", "eight"] {
        let folded = fold(&html_code(HOSTILE.concat().as_str()), &fence("text", &["x"; 100], 4_000));
        page.section(title, 20_000, &[folded, table(), Block::List(vec![code("a")])]);
    }
    let page = page.finish();
    assert!(page.len() <= LIMIT, "{}", page.len());
    assert!(page.starts_with("first\n"));
    assert!(page.contains("rows of “one”") && page.contains(", 1000 rows of “eight”"), "{page}");
    assert!(page.trim_end().ends_with("`--json` has everything."), "{page}");
    assert_eq!(page.matches("|---|---|\n|").count(), page.matches("|---|---|").count(), "a heading without a row");
    let mut short = Page::opening(String::new());
    short.section("one", 1_000, &[Block::List(vec!["- a".to_owned()])]);
    assert_eq!(short.finish(), "\n### one\n\n- a\n");
}

#[test]
fn a_difference_has_the_fewest_lines() {
    let check = |before: &str, after: &str, expect: &str| assert_eq!(unified(before, after).join("|"), expect);
    check("a\nb\nc", "a\nx\nc", " a|-b|+x| c");
    check("", "a\nb", "+a|+b");
    check("a\nb", "", "-a|-b");
    check("a\nb\nc\nd", "b\nd\ne", "-a| b|-c| d|+e");
    check("a", "a", " a");
}

#[test]
fn a_path_stays_below_the_top() {
    for (path, expect) in [("policies", "policies"), (".", ""), ("a/./b/../c", "a/c"), ("./a/", "a")] {
        assert_eq!(below(Path::new(path)).unwrap(), Path::new(expect), "{path}");
    }
    for path in ["/etc", "..", "a/../..", "a/../../b"] {
        assert!(below(Path::new(path)).is_err(), "{path}");
    }
}

#[test]
fn a_directory_is_read_without_following_a_link() {
    let directory = tempfile::tempdir().unwrap();
    let top = directory.path().join("top");
    let policies = top.join("policies");
    std::fs::create_dir_all(policies.join("guardrails")).unwrap();
    std::fs::create_dir_all(policies.join("other")).unwrap();
    for (name, text) in [
        ("b.cedar", "b"),
        ("a.cedar", "a"),
        ("guardrails/g.cedar", "g"),
        ("other/o.cedar", "o"),
        ("notes.txt", "n"),
        ("matrix.txt", "m"),
    ] {
        std::fs::write(policies.join(name), text).unwrap();
    }
    let secret = directory.path().join("secret");
    std::fs::create_dir(&secret).unwrap();
    std::fs::write(secret.join("s.cedar"), "s").unwrap();
    let side = Side::find(&format!("{}/", top.display())).unwrap();
    let names = |path: &str| -> Vec<String> {
        let files = side.read(Path::new(path)).unwrap();
        files.policies.iter().map(|file| file.path.display().to_string()).collect()
    };
    assert_eq!(names("policies"), ["policies/a.cedar", "policies/b.cedar", "policies/guardrails/g.cedar"]);
    assert_eq!(names("nowhere"), Vec::<String>::new());
    assert_eq!(side.read(Path::new("policies")).unwrap().matrix.as_deref(), Some("m"));

    let refused = |path: &str| format!("{:#}", side.read(Path::new(path)).unwrap_err());
    std::os::unix::fs::symlink(&secret, top.join("linked")).unwrap();
    assert!(refused("linked").contains("is a link"));
    std::os::unix::fs::symlink(&secret, policies.join("tests")).unwrap();
    assert!(refused("policies").contains("tests"));
    std::fs::remove_file(policies.join("tests")).unwrap();
    std::os::unix::fs::symlink(secret.join("s.cedar"), policies.join("s.cedar")).unwrap();
    let said = refused("policies");
    assert!(said.contains("s.cedar") && said.contains("it is a link"), "{said}");
    std::fs::remove_file(policies.join("s.cedar")).unwrap();
    std::fs::write(policies.join("b.cedar"), [0xff]).unwrap();
    assert!(refused("policies").contains("no UTF-8"));
}

#[test]
fn nothing_but_a_revision_goes_to_git() {
    for name in ["--output=/tmp/x", "-h", "", "a\nb", "no-such-revision"] {
        let said = format!("{:#}", Side::find(name).unwrap_err());
        assert!(said.contains("is no revision"), "{name}: {said}");
    }
    assert!(Side::find("./no-such-directory").is_err());
}

#[test]
fn a_programme_that_says_too_much_or_nothing_is_ended() {
    let asked = |program: &str, arguments: &[&str], patience| {
        let mut command = Command::new(program);
        command.args(arguments);
        said(command, 1_000, patience).map_err(|error| format!("{error:#}"))
    };
    let long = Duration::from_secs(60);
    assert_eq!(asked("echo", &["a"], long).unwrap(), b"a\n");
    assert!(asked("yes", &[], long).unwrap_err().contains("longer than 1000 bytes"));
    assert!(asked("tail", &["-f", "/dev/null"], Duration::ZERO).unwrap_err().contains("no answer"));
    assert!(asked("ls", &["/no-such-directory"], long).unwrap_err().contains("no-such-directory"));
}
