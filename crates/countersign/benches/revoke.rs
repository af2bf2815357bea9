//! Ten thousand open downloads of one person through the gateway, over as many TCP connections, and the signal that
//! disables that person: from the cause to the last byte that each client sees. The clients are a process of their own.
//! `cargo bench -p countersign --bench revoke` needs as many file descriptors (`ulimit -Hn`).
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench may stop, and prints what it measured")]

#[path = "shared/estate.rs"]
mod estate;

use std::convert::Infallible;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use countersign_administrator::SystemClock;
use countersign_gateway::{Body, PartService};
use countersign_identity::secret;
use countersign_model::{Clock, Signal, SignalKind, Source, SubjectState, Upstream};
use futures_util::StreamExt as _;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use hyper::{Request, Response};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc};

const CONNECTIONS: usize = 10_000;
const GREETING: &str = "open";

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let argument = |place: usize| arguments.get(place).map(String::as_str);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    match (argument(1), argument(2), argument(3)) {
        (Some("--client"), Some(port), Some(cookie)) => runtime.block_on(client(port.parse().unwrap(), cookie)),
        (Some("--server"), ..) => runtime.block_on(server()),
        _ => assert!(raised(&["--server"]).status().unwrap().success()),
    }
}

/// This program again, with as many file descriptors as it may have.
fn raised(arguments: &[&str]) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n \"$(ulimit -Hn)\" && exec \"$0\" \"$@\""]);
    command.arg(std::env::current_exe().unwrap()).args(arguments);
    command
}

/// Opens the downloads, says so, and then says for each how it ended, in nanoseconds since 1970.
async fn client(port: u16, cookie: &str) {
    let request =
        format!("GET /live HTTP/1.1\r\nhost: {}\r\ncookie: __Host-countersign={cookie}\r\n\r\n", estate::HOST);
    let request: Arc<str> = request.into();
    let opening = Arc::new(Semaphore::new(500));
    let (opened, mut all_open) = mpsc::channel(CONNECTIONS);
    let downloads: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let (request, opening, opened) = (Arc::clone(&request), Arc::clone(&opening), opened.clone());
            tokio::spawn(async move {
                let turn = opening.acquire_owned().await.unwrap();
                let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                stream.write_all(request.as_bytes()).await.unwrap();
                let mut answer = Vec::new();
                while !answer.windows(GREETING.len()).any(|window| window == GREETING.as_bytes()) {
                    assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0, "{}", String::from_utf8_lossy(&answer));
                }
                drop(turn);
                opened.send(()).await.unwrap();
                // A reset is an end like any other.
                while stream.read_buf(&mut answer).await.is_ok_and(|read| read > 0) {}
                SystemTime::now()
            })
        })
        .collect();
    for _ in 0..CONNECTIONS {
        all_open.recv().await.unwrap();
    }
    println!("open");
    let mut ends = Vec::with_capacity(CONNECTIONS);
    for download in downloads {
        ends.push(nanoseconds(download.await.unwrap()));
    }
    for end in ends {
        println!("{end}");
    }
}

fn nanoseconds(instant: SystemTime) -> u128 {
    instant.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos()
}

async fn server() {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (cookie, hash) = secret::generate();
    let upstream = Upstream::Internal { part: "live".to_owned() };
    let administrator = estate::administrator(directory.path(), upstream, *hash.as_bytes());
    let live = tower::service_fn(|_: Request<Body>| async { Ok::<_, Infallible>(Response::new(never_ending())) });
    let parts = [("live".to_owned(), PartService::new(live))].into();
    let port = estate::gateway(Arc::new(administrator.clone()), parts).await.to_string();

    let mut clients = raised(&["--client", &port, cookie.expose()]).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(clients.stdout.take().unwrap()).lines();
    let mut said = tokio::task::spawn_blocking(move || {
        assert_eq!(said.next().unwrap().unwrap(), "open");
        said
    })
    .await
    .unwrap();
    // Every client has its first bytes; nothing but waiting goes on.
    tokio::time::sleep(Duration::from_millis(500)).await;

    let kind = SignalKind::SubjectState { id: estate::person(), state: SubjectState::Disabled };
    let signal = Signal { at: SystemClock.now(), source: Source::Administrator, by: None, kind };
    let cause = nanoseconds(SystemTime::now());
    administrator.submit(signal).await.unwrap();
    let mut after = tokio::task::spawn_blocking(move || {
        let ends = said.by_ref().map(|line| line.unwrap().parse::<u128>().unwrap().saturating_sub(cause));
        ends.collect::<Vec<u128>>()
    })
    .await
    .unwrap();
    assert!(clients.wait().unwrap().success());
    after.sort_unstable();
    let at = |percent: usize| {
        let place = (after.len() * percent / 100).min(after.len() - 1);
        #[expect(clippy::cast_precision_loss, reason = "milliseconds to look at")]
        after.get(place).map_or(f64::NAN, |nanoseconds| *nanoseconds as f64 / 1e6)
    };
    println!("<!-- figures -->");
    println!("| cause to last byte, {CONNECTIONS} TCP connections | first ms | p50 ms | p99 ms | last ms | left |");
    println!("|---|---|---|---|---|---|");
    println!(
        "| streaming downloads through the gateway | {:.2} | {:.1} | {:.1} | {:.1} | {} |",
        at(0),
        at(50),
        at(99),
        at(100),
        CONNECTIONS - after.len()
    );
    println!("| budget | 5 | | 100 | | 0 |");
    println!("<!-- end of figures -->");
    administrator.stop().await;
}

/// One chunk, and then nothing for ever.
fn never_ending() -> Body {
    let first = futures_util::stream::iter([Ok(Frame::data(Bytes::from_static(GREETING.as_bytes())))]);
    StreamBody::new(first.chain(futures_util::stream::pending())).boxed_unsync()
}
