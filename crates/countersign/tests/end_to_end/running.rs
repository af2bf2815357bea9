//! The real binary while it runs: files that change under it, signals, a socket cut from the command line, traces.

use std::net::{Ipv4Addr, SocketAddr};

use bytes::Bytes;
use countersign::browser::Browser;
use countersign::dial::Dialler;
use futures_util::{SinkExt as _, StreamExt as _};
use http_body_util::{BodyExt as _, Full};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;

use crate::program::{LISTEN, PLAIN, Program};
use crate::{application, estate};

async fn status(program: &Program, application: &str) -> StatusCode {
    let mut browser = Browser::new(Dialler::new("", None).unwrap());
    browser.send(Method::GET, &program.url(application, "/"), None).await.unwrap().status()
}

#[tokio::test(flavor = "multi_thread")]
async fn saved_files_count_at_once_and_bad_ones_never() {
    let directory = tempfile::tempdir().unwrap();
    let good = format!("{PLAIN}{LISTEN}{}", estate(application::start().await));
    let mut program = Program::up(directory.path(), &good);
    assert_eq!(status(&program, "public").await, StatusCode::OK);

    program.rewrite(&good.replace("version = 1", "version = 1\ntime_zoone = \"UTC\""));
    let log = program.logged("did you mean");
    assert!(log.contains("not put into force, what was in force stays") && log.contains("time_zoone"), "{log}");
    assert_eq!(status(&program, "public").await, StatusCode::OK);

    let policy = directory.path().join("data/policies/zz-extra.cedar");
    std::fs::write(&policy, "forbid (principal, action, resource) when { context.nonsense };\n").unwrap();
    program.rewrite(&good);
    let log = program.logged("zz-extra.cedar");
    assert!(log.contains("not put into force"), "{log}");
    assert_eq!(status(&program, "public").await, StatusCode::OK);

    let head = "@id(\"extra\")\n@owner(\"security\")\n@review_by(\"2099-01-01\")\n@remedy(\"Wait.\")\n";
    let forbid = "forbid (principal, action, resource) when { resource.kind == \"http\" };\n";
    std::fs::write(&policy, format!("{head}{forbid}")).unwrap();
    program.logged("in force now: policies");
    assert_ne!(status(&program, "public").await, StatusCode::OK);
    std::fs::remove_file(&policy).unwrap();
    program.logged("in force now: policies");
    assert_eq!(status(&program, "public").await, StatusCode::OK);

    program.rewrite(&good.replace("tier = \"public\"", "tier = \"standard\""));
    program.logged("in force now: inventory");
    assert_eq!(status(&program, "public").await, StatusCode::UNAUTHORIZED);
    assert!(program.terminate().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hang_up_reads_everything_again() {
    let directory = tempfile::tempdir().unwrap();
    let good = format!("{PLAIN}{LISTEN}{}", estate(application::start().await));
    // Named through a link: a change of what it leads to is seen by nobody who watches this directory.
    let real = directory.path().join("real");
    std::fs::create_dir(&real).unwrap();
    std::fs::write(real.join("configuration"), &good).unwrap();
    std::os::unix::fs::symlink(real.join("configuration"), directory.path().join("countersign.toml")).unwrap();
    let mut program = Program::up(directory.path(), &good);

    std::fs::write(real.join("configuration"), "nonsense").unwrap();
    program.signal("-HUP");
    assert!(program.logged("this is not TOML").contains("not put into force"));
    assert_eq!(status(&program, "public").await, StatusCode::OK);

    std::fs::write(real.join("configuration"), good.replace("tier = \"public\"", "tier = \"standard\"")).unwrap();
    program.signal("-HUP");
    program.logged("in force now: inventory");
    assert_eq!(status(&program, "public").await, StatusCode::UNAUTHORIZED);
    assert!(program.terminate().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_session_loses_its_web_socket() {
    let directory = tempfile::tempdir().unwrap();
    let program = Program::up(directory.path(), &format!("{PLAIN}{LISTEN}{}", estate(application::start().await)));
    let mut alice = program.person("human:alice").await;
    assert_eq!(alice.open(&program.url("standard", "/")).await.unwrap().status(), StatusCode::OK);
    let mut socket = alice.web_socket(&program.url("standard", "/socket")).await.unwrap().unwrap();
    socket.send(Message::text("still there?")).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("still there?"));

    let leases = program.tell(&["lease", "list", "human:alice"]);
    assert!(leases.contains("websocket"), "{leases}");
    let sessions: serde_json::Value =
        serde_json::from_str(&program.tell(&["session", "list", "human:alice", "--json"])).unwrap();
    let said = program.tell(&["session", "kill", sessions[0]["id"].as_str().unwrap()]);
    assert!(said.contains("has ended, and every connection of it"), "{said}");
    // Until then nothing was wrong with it; a close frame may come first.
    while let Some(Ok(message)) = socket.next().await {
        assert!(message.is_close(), "{message:?}");
    }
    let after = alice.send(Method::GET, &program.url("standard", "/"), None).await.unwrap();
    assert_ne!(after.status(), StatusCode::OK);
    assert!(program.terminate().success());
}

/// Takes whatever is posted, and hands on where to and what.
async fn collector() -> (SocketAddr, mpsc::UnboundedReceiver<(String, Bytes)>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, received) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let sender = sender.clone();
            let service = hyper::service::service_fn(move |request: Request<hyper::body::Incoming>| {
                let sender = sender.clone();
                async move {
                    let path = request.uri().path().to_owned();
                    let body = request.into_body().collect().await?.to_bytes();
                    let _ = sender.send((path, body));
                    Ok::<_, hyper::Error>(Response::new(Full::<Bytes>::default()))
                }
            });
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    (address, received)
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_of_requests_reach_a_collector() {
    let (address, mut received) = collector().await;
    let directory = tempfile::tempdir().unwrap();
    let telemetry = format!("[telemetry]\notlp = \"http://{address}\"\n");
    let text = format!("{PLAIN}{LISTEN}{telemetry}{}", estate(application::start().await));
    let program = Program::up(directory.path(), &text);
    let mut browser = Browser::new(Dialler::new("", None).unwrap());
    let url = program.url("public", "/traced-path?secret=hidden-in-the-query");
    assert_eq!(browser.send(Method::GET, &url, None).await.unwrap().status(), StatusCode::OK);
    // What has not been sent by then is sent at the end.
    assert!(program.terminate().success());
    let mut spans = Vec::new();
    while let Ok((path, body)) = received.try_recv() {
        assert_eq!(path, "/v1/traces");
        spans.extend_from_slice(&body);
    }
    let has = |text: &str| spans.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(has("countersign") && has("request") && has("/traced-path") && has("public.localhost"));
    assert!(!has("hidden-in-the-query"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_of_the_systems_choice_is_in_every_address() {
    let directory = tempfile::tempdir().unwrap();
    let listen = LISTEN.replace("operations = \"off\"", "operations = \"127.0.0.1:0\"");
    let program = Program::up(directory.path(), &format!("{PLAIN}{listen}{}", estate(application::start().await)));
    let listener: SocketAddr = program.said["listeners"][0].as_str().unwrap().parse().unwrap();
    assert_ne!(listener.port(), 0);
    assert_eq!(program.said["origin"], format!("http://countersign.localhost:{}", listener.port()));
    assert!(!program.said["operations"].as_str().unwrap().ends_with(":0"));
    // Sign-in depends on it: a passkey made at another origin counts nothing.
    let mut owner = Browser::new(Dialler::new("", None).unwrap());
    owner.enrol(program.said["enrolment"].as_str().unwrap(), "test").await.unwrap();
    let console = owner.open(program.said["console"].as_str().unwrap()).await.unwrap();
    assert_eq!(console.status(), StatusCode::OK);
    assert!(program.terminate().success());
}
