//! Every mistake at once, each where it is; defaults; and that the reference names every key.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop")]

use std::path::Path;

use super::*;

fn parse(text: &str) -> Result<(Configuration, Vec<Warning>), Mistakes> {
    Configuration::parse(Path::new("/etc/countersign/countersign.toml"), text)
}

#[test]
fn the_least_file_is_all_defaults() {
    let (configuration, warnings) = parse("version = 1\n").unwrap();
    let mut expected = Configuration::for_directory(Path::new("/etc/countersign/countersign-data"));
    expected.file = Some("/etc/countersign/countersign.toml".into());
    assert_eq!(configuration, expected);
    assert!(warnings.is_empty());
    expected.domain = "example.org".to_owned();
    assert_ne!(configuration, expected);
    assert_eq!(configuration.control_host, "countersign.localhost");
    assert!(configuration.listen.http.unwrap().ip().is_loopback());
}

#[test]
fn an_application_of_the_readers_own() {
    let text = "version = 1\n[[resource]]\nid = \"wiki\"\nupstream = \"http://127.0.0.1:3000\"\nwriters = [\"everyone\"]\n\
                rules = [{ path = \"/admin/*\", action = \"administer\" }]\n";
    let (configuration, warnings) = parse(text).unwrap();
    let wiki = &configuration.inventory.resources[0];
    assert_eq!(wiki.routes, [Route { host: "wiki.localhost".into(), path_prefix: "/".into() }]);
    assert_eq!(wiki.tier, Tier::Standard);
    assert_eq!(wiki.entitled.writers, [GroupId::new("everyone").unwrap()]);
    assert!(warnings.is_empty(), "{warnings:?}");
}

#[test]
fn every_mistake_is_shown_where_it_is() {
    let text = r#"version = 2
domian = "example.org"

[listen]
http = "0.0.0.0:80"
https = "somewhere"

[sessions]
lifetime = "1h"
idle = "2h"

[zones]
office = ["10.0.0.1/8"]

[[group]]
id = "staff"
member_of = ["stuff"]

[[subject]]
id = "service:backup"

[[resource]]
id = "wiki"
tier = "high"
segment = "core"
upstream = "ftp://wiki"
hosts = ["Wiki.example.org"]
"#;
    let mistakes = parse(text).unwrap_err();
    let shown = mistakes.to_string();
    for expected in [
        "/etc/countersign/countersign.toml:1:11: version: 2 is not between 1 and 1\n  |\n1 | version = 2\n  |           ^\n",
        ":2:1: unknown key `domian`\n  |\n2 | domian = \"example.org\"\n  | ^^^^^^\n  = did you mean `domain`?",
        ":5:8: listen.http is not encrypted",
        ":6:9: listen.https: \"somewhere\" is no address with a port",
        ":10:8: a session cannot idle longer than it lives",
        ":13:10: zones.office: \"10.0.0.1/8\" is no address range",
        ":17:13: there is no group stuff",
        ":19:1: service:backup needs an owner",
        ":26:12: resource.upstream: \"ftp://wiki\" has to begin with",
        ":27:9: resource.hosts: \"Wiki.example.org\" is no host name",
        "10 mistakes in /etc/countersign/countersign.toml",
    ] {
        assert!(shown.contains(expected), "{expected}\nis not in\n{shown}");
    }
}

#[test]
fn what_is_not_toml_is_said_with_its_place() {
    let shown = parse("version = 1\ndomain = \n").unwrap_err().to_string();
    assert!(shown.contains(":2:"), "{shown}");
}

#[test]
fn contradictions_between_values() {
    for (text, expected) in [
        ("[listen]\nhttp = \"off\"\nhttps = \"off\"", "both off"),
        ("[tls]\nkey = \"k.pem\"", "needs both"),
        ("[zones]\nloopback = [\"10.0.0.0/8\"]", "built in"),
        ("time_zone = \"Europe/Atlantis\"", "no time zone"),
        ("[listen]\npublic_url = \"https://a.example/x\"", "an origin"),
        ("[[group]]\nid = \"a\"\nmember_of = [\"b\"]\n[[group]]\nid = \"b\"\nmember_of = [\"a\"]", "member of itself"),
        ("[[resource]]\nid = \"a\"\nupstream = \"http://u:p@h\"", "no user and no password"),
        (
            "[[resource]]\nid = \"a\"\nhosts = [\"countersign.localhost\"]\nupstream = \"http://h\"",
            "Countersign itself",
        ),
        ("[[resource]]\nid = \"a\"\nupstream = \"http://h\"\npaths = [\"/a/../b\"]", "is no path"),
        ("[[provider]]\nid = \"x\"\nissuer = \"http://id.example\"\nclient_id = \"c\"", "has to be https"),
    ] {
        let mistakes = parse(&format!("version = 1\n{text}\n")).unwrap_err().to_string();
        assert!(mistakes.contains(expected), "{text}: {mistakes}");
    }
}

#[test]
fn nobody_entitled_is_a_warning() {
    let (_, warnings) = parse("version = 1\n[[resource]]\nid = \"a\"\nupstream = \"http://h\"\n").unwrap();
    assert!(warnings[0].message.contains("nobody is entitled to a"));
}

#[test]
fn spans_of_time() {
    for (text, seconds) in
        [("30s", Some(30)), ("15m", Some(900)), ("7d", Some(604_800)), ("5", None), ("m", None), ("-1s", None)]
    {
        assert_eq!(parse_duration(text).map(|d| d.as_secs()), seconds, "{text}");
    }
}

#[test]
fn the_reference_documents_every_key() {
    let reference = include_str!("../../../../docs/configuration.md");
    for key in Configuration::keys() {
        let (section, name) = key.rsplit_once('.').unwrap_or(("", &key));
        let heading = match section {
            "" => "## The file itself".to_owned(),
            section => format!("`[{section}]`"),
        };
        let twice = format!("`[[{section}]]`");
        let chapter = reference.split("\n## ").find(|c| {
            let c = format!("## {c}");
            c.starts_with(&heading) || c.lines().next().is_some_and(|l| l.contains(&heading) || l.contains(&twice))
        });
        let documented = chapter.is_some_and(|chapter| chapter.contains(&format!("`{name}`")));
        assert!(documented, "docs/configuration.md says nothing of {key}");
    }
}

#[test]
fn the_examples_and_the_commented_file_are_right() {
    let wiki = include_str!("../../../../examples/wiki/countersign.toml");
    for text in [STARTER, wiki] {
        let (configuration, _) = parse(text).map_err(|m| m.to_string()).unwrap();
        assert_eq!(configuration.domain, "localhost");
    }
}

#[test]
fn proxies_ask_over_tls_beyond_loopback() {
    let encrypted = |bridge: &str| {
        let parsed = parse(&format!("version = 1\n[bridge]\n{bridge}\n"));
        parsed
            .map(|(configuration, _)| configuration.bridge.map(|bridge| bridge.encrypted))
            .map_err(|it| it.to_string())
    };
    assert_eq!(encrypted("listen = \"127.0.0.1:8444\""), Ok(Some(false)));
    assert_eq!(encrypted("listen = \"127.0.0.1:8444\"\ntls = true"), Ok(Some(true)));
    assert_eq!(encrypted("listen = \"192.0.2.1:8444\""), Ok(Some(true)));
    assert_eq!(encrypted("tls = false"), Ok(None));
    assert!(encrypted("listen = \"192.0.2.1:8444\"\ntls = false").unwrap_err().contains("ask over TLS"));
    assert!(encrypted("tls = true").unwrap_err().contains("which is off"));
    assert!(encrypted("listen = \"192.0.2.1:8444\"\nopen = true").unwrap_err().contains("prove who it is"));
}
