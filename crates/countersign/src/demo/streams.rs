//! Long-lived connections, and what happens to them when a device's posture degrades in mid-session.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use countersign_administrator::SystemClock;
use countersign_model::{Clock as _, PostureValue};
use futures_util::StreamExt as _;
use http_body_util::BodyExt as _;
use serde::Serialize;
use tokio::task::JoinHandle;

use super::Telling;
use super::cast::Cast;
use crate::browser::Browser;
use crate::commands::count_leases;
use crate::control::Control;
use crate::laptop::Laptop;
use crate::terminal::{Table, Tone};

/// Far beyond what a cut may take.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    WebSocket,
    Download,
    Events,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::WebSocket => "WebSocket",
            Self::Download => "download",
            Self::Events => "event stream",
        }
    }
}

/// A connection that somebody reads from until it ends.
struct Open {
    kind: Kind,
    application: &'static str,
    /// When its last byte came, and when it was closed.
    reader: JoinHandle<Ended>,
}

struct Ended {
    last_byte: Option<Instant>,
    closed: Instant,
}

#[derive(Debug, Serialize)]
pub(super) struct Cut {
    connections: usize,
    cut: usize,
    survivors: usize,
    first_ms: f64,
    median_ms: f64,
    last_ms: f64,
}

const ALICE: [(Kind, &str, &str, usize); 4] = [
    (Kind::WebSocket, "vault", "/ticker", 8),
    (Kind::WebSocket, "payroll", "/ticker", 6),
    (Kind::Download, "payroll", "/download", 4),
    (Kind::Events, "vault", "/events", 2),
];

pub(super) async fn play(
    control: &Control,
    cast: &mut Cast,
    telling: Telling<'_>,
    unexpected: &mut Vec<String>,
) -> anyhow::Result<Cut> {
    telling.heading("Every connection stays under the policy");
    let mut open = Vec::new();
    // The vault asked Alice to prove more, which gave her session new secrets everywhere: her browser fetches them as it
    // opens the pages that the connections belong to.
    for application in ["vault", "payroll"] {
        cast.alice.open(&cast.url(application, "/")).await?;
    }
    for (kind, application, path, count) in ALICE {
        for _ in 0..count {
            open.push(connect(&cast.alice, kind, application, &cast.url(application, path)).await?);
        }
    }
    let mut bystanders = Vec::new();
    for _ in 0..3 {
        bystanders.push(connect(&cast.bob, Kind::WebSocket, "wiki", &cast.url("wiki", "/ticker")).await?);
    }
    let leases = count_leases(control).await?;
    telling.line(&format!(
        "Alice has {} connections open from {}, Bob {}; the administrator holds {leases} leases",
        open.len(),
        cast.laptop.id,
        bystanders.len(),
    ));
    telling.pause().await;
    telling.line("alice-laptop reports, signed by its key: firewall off");
    telling.pause().await;

    let cause = Instant::now();
    cast.laptop.report(Laptop::health(PostureValue::Off), SystemClock.now()).await?;
    let connections = open.len();
    let mut table = Table::new("connections", &["connection", "application", "last byte after the cause", "closed"]);
    let mut closed = Vec::new();
    for (number, Open { kind, application, reader }) in open.into_iter().enumerate() {
        let name = format!("{} {}", kind.name(), number + 1);
        match tokio::time::timeout(PATIENCE, reader).await {
            Ok(ended) => {
                let ended = ended?;
                let after = ended.closed.saturating_duration_since(cause);
                // A byte that came before the cause is no byte after it.
                let last = ended.last_byte.map_or(Duration::ZERO, |last| last.saturating_duration_since(cause));
                table.row([name, application.to_owned(), milliseconds(last), milliseconds(after)]);
                closed.push(after);
            }
            Err(_) => {
                table.row([name, application.to_owned(), "still open".to_owned(), "still open".to_owned()]);
                unexpected.push(format!("a {} to {application} was not cut within ten seconds", kind.name()));
            }
        }
    }
    closed.sort();
    let at = |part: usize| closed.get((closed.len().saturating_sub(1)) * part / 100).copied().unwrap_or_default();
    let survivors = bystanders.iter().filter(|open| !open.reader.is_finished()).count();
    if survivors != bystanders.len() {
        unexpected.push(format!("{} connections of a bystander ended", bystanders.len() - survivors));
    }
    for bystander in bystanders {
        bystander.reader.abort();
    }
    if !telling.terminal.json {
        telling.terminal.table(&table);
    }
    let all = closed.len() == connections;
    let words = format!(
        "{} of {connections} ended: the first after {}, half after {}, the last after {}; Bob's {survivors} go on",
        closed.len(),
        milliseconds(at(0)),
        milliseconds(at(50)),
        milliseconds(at(100)),
    );
    telling.line(&telling.terminal.paint(if all { Tone::Good } else { Tone::Bad }, &words));
    let again = cast.alice.send(hyper::Method::GET, &cast.url("vault", "/"), None).await?;
    if again.status() != hyper::StatusCode::FORBIDDEN {
        unexpected.push(format!("Alice still reaches the vault: {}", again.status()));
    }
    telling.line("and what Alice asks for now at the vault is denied, until her laptop is well again");
    let number = |span: Duration| span.as_secs_f64() * 1000.0;
    Ok(Cut {
        connections,
        cut: closed.len(),
        survivors,
        first_ms: number(at(0)),
        median_ms: number(at(50)),
        last_ms: number(at(100)),
    })
}

fn milliseconds(span: Duration) -> String {
    format!("{:.1} ms", span.as_secs_f64() * 1000.0)
}

/// Opens a connection, waits for its first byte, and reads on.
async fn connect(browser: &Browser, kind: Kind, application: &'static str, url: &str) -> anyhow::Result<Open> {
    let reader = match kind {
        Kind::WebSocket => {
            let opened = browser.web_socket(url).await?;
            let mut socket =
                opened.map_err(|refused| anyhow::anyhow!("{url} refused the WebSocket: {}", refused.status()))?;
            socket.next().await.context("the WebSocket ended at once")??;
            tokio::spawn(async move {
                let mut last_byte = None;
                while let Some(Ok(message)) = socket.next().await {
                    if message.is_close() {
                        break;
                    }
                    last_byte = Some(Instant::now());
                }
                Ended { last_byte, closed: Instant::now() }
            })
        }
        Kind::Download | Kind::Events => {
            let answer = browser.download(url).await?;
            anyhow::ensure!(answer.status().is_success(), "{url} answered {}", answer.status());
            let mut body = answer.into_body();
            body.frame().await.context("the download ended at once")??;
            tokio::spawn(async move {
                let mut last_byte = None;
                while let Some(Ok(_)) = body.frame().await {
                    last_byte = Some(Instant::now());
                }
                Ended { last_byte, closed: Instant::now() }
            })
        }
    };
    Ok(Open { kind, application, reader })
}
