//! Single requests, each with what is expected of it, drawn as a table; and the ledger that they all stand in.

use anyhow::Context as _;
use bytes::Bytes;
use countersign_identity::api_key;
use http_body_util::Full;
use hyper::header::{ACCEPT, AUTHORIZATION};
use hyper::{Method, Request, Response, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};

use super::Telling;
use super::cast::Cast;
use crate::commands::remedy_words;
use crate::configuration::Configuration;
use crate::system::System;
use crate::terminal::{Table, Tone};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Outcome {
    Allow,
    Challenge,
    Deny,
}

impl Outcome {
    const fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Challenge => "challenge",
            Self::Deny => "deny",
        }
    }
}

/// One line of the table.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Scene {
    who: &'static str,
    from: &'static str,
    asks: String,
    outcome: Option<Outcome>,
    status: u16,
    expected: Outcome,
    why: String,
}

/// Who asks; the browsers are the cast's.
#[derive(Clone, Copy)]
enum Who {
    Stranger,
    Alice,
    AliceAtHome,
    Bob,
    Carol,
    Service,
    WrongKey,
}

const SCENES: [(Who, &str, &str, &str, Method, &str, Outcome); 13] = [
    (Who::Stranger, "nobody known", "anywhere", "website", Method::GET, "/", Outcome::Allow),
    (Who::Stranger, "nobody known", "anywhere", "wiki", Method::GET, "/", Outcome::Challenge),
    (Who::Bob, "Bob, staff", "any browser", "wiki", Method::GET, "/api/me", Outcome::Allow),
    (Who::Bob, "Bob, staff", "any browser", "payroll", Method::GET, "/", Outcome::Deny),
    (Who::AliceAtHome, "Alice, finance", "home computer", "wiki", Method::GET, "/api/me", Outcome::Allow),
    (Who::AliceAtHome, "Alice, finance", "home computer", "payroll", Method::GET, "/", Outcome::Deny),
    (Who::Carol, "Carol, finance", "unmanaged laptop", "payroll", Method::GET, "/", Outcome::Deny),
    (Who::Alice, "Alice, finance", "managed laptop", "payroll", Method::GET, "/api/me", Outcome::Allow),
    (Who::Alice, "Alice, finance", "managed laptop", "vault", Method::GET, "/api/me", Outcome::Allow),
    (Who::Service, "reporting service", "its API key", "payroll", Method::GET, "/api/me", Outcome::Allow),
    (Who::Service, "reporting service", "its API key", "payroll", Method::POST, "/", Outcome::Deny),
    (Who::Service, "reporting service", "its API key", "vault", Method::GET, "/", Outcome::Deny),
    (Who::WrongKey, "somebody", "a wrong key", "payroll", Method::GET, "/", Outcome::Deny),
];

pub(super) async fn play(
    cast: &mut Cast,
    telling: Telling<'_>,
    unexpected: &mut Vec<String>,
) -> anyhow::Result<Vec<Scene>> {
    telling.heading("Every request is decided");
    let mut scenes = Vec::new();
    for (who, name, from, application, method, path, expected) in SCENES {
        let url = cast.url(application, path);
        let answer = ask(cast, who, method.clone(), &url).await.with_context(|| format!("{name} at {url}"))?;
        let scene = judge(answer, (name, from), format!("{method} {application}{path}"), expected);
        if scene.outcome != Some(expected) {
            unexpected.push(format!(
                "{name}, {from}: {} was expected to be {}, and the answer was {}",
                scene.asks,
                expected.name(),
                scene.status
            ));
        }
        scenes.push(scene);
    }
    let mut table = Table::new("requests", &["who", "from", "asks", "decision", "what would change it"]);
    for scene in &scenes {
        table.row([scene.who, scene.from, &scene.asks, scene.outcome.map_or("?", Outcome::name), &scene.why]);
    }
    if !telling.terminal.json {
        telling.terminal.table(&table);
    }
    Ok(scenes)
}

async fn ask(cast: &mut Cast, who: Who, method: Method, url: &str) -> anyhow::Result<Response<Bytes>> {
    let key = match who {
        Who::Service => cast.key.clone(),
        // The right id with a secret that nobody was given: a bearer token of any other shape would be the application's
        // own, and its bearer nobody yet.
        Who::WrongKey => {
            let (id, _) = api_key::parse(&cast.key)?;
            api_key::generate(&id)?.0.expose().to_owned()
        }
        Who::Stranger => return cast.stranger.send(method, url, None).await,
        Who::Alice => return signed_in(&mut cast.alice, url).await,
        Who::AliceAtHome => return signed_in(&mut cast.alice_at_home, url).await,
        Who::Bob => return signed_in(&mut cast.bob, url).await,
        Who::Carol => return signed_in(&mut cast.carol, url).await,
    };
    let request = Request::builder()
        .method(method)
        .uri(url)
        .header(ACCEPT, "application/json")
        .header(AUTHORIZATION, format!("Bearer {key}"))
        .body(Full::default())?;
    cast.dialler.fetch(request).await
}

/// Goes there like a person, through sign-in where that is asked for, and then asks once more like a programme, whose
/// answer says what the decision was.
async fn signed_in(browser: &mut crate::browser::Browser, url: &str) -> anyhow::Result<Response<Bytes>> {
    browser.open(url).await?;
    browser.send(Method::GET, url, None).await
}

fn judge(answer: Response<Bytes>, (who, from): (&'static str, &'static str), asks: String, expected: Outcome) -> Scene {
    let status = answer.status();
    let body: Value = serde_json::from_slice(answer.body()).unwrap_or(Value::Null);
    let outcome = match status {
        status if status.is_success() => Some(Outcome::Allow),
        StatusCode::UNAUTHORIZED => Some(Outcome::Challenge),
        StatusCode::FORBIDDEN => Some(Outcome::Deny),
        _ => None,
    };
    let why = remedy_words(&body);
    Scene { who, from, asks, outcome, status: status.as_u16(), expected, why }
}

/// Verifies the log's files as anybody can who has a copy of them and the log's public key.
pub(super) async fn ledger(
    system: &System,
    configuration: &Configuration,
    telling: Telling<'_>,
    unexpected: &mut Vec<String>,
) -> anyhow::Result<Value> {
    telling.heading("Everything above can be proven");
    let ledger = system.ledger().clone();
    tokio::task::spawn_blocking(move || ledger.checkpoint_now()).await??;
    let directory = system.directory().clone();
    let ledger_files = directory.ledger();
    let key = directory.ledger_key()?.verifier_key(&crate::system::ledger_name(configuration))?;
    let shown = key.to_string();
    let verified =
        tokio::task::spawn_blocking(move || crate::commands::verify_directory(&directory.ledger(), &key)).await??;
    let words =
        format!("{} entries, verified from the files alone in {} ms", verified.entries, verified.elapsed.as_millis());
    telling.line(&match verified.faults.is_empty() {
        true => telling.terminal.paint(Tone::Good, &format!("the ledger holds: {words}")),
        false => {
            telling.terminal.paint(Tone::Bad, &format!("the ledger does not hold: {}", verified.faults.join("; ")))
        }
    });
    telling.line(
        &telling
            .terminal
            .paint(Tone::Quiet, &format!("countersign ledger verify {} --key {shown}", ledger_files.display())),
    );
    unexpected.extend(verified.faults.iter().cloned());
    Ok(json!({"entries": verified.entries, "verified": verified.faults.is_empty(), "ms": verified.elapsed.as_millis()}))
}
