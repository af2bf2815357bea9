//! The path-parity table: every security check against every channel. A cell either runs or says why there is nothing
//! to check; a new check or a new channel does not compile without one.

use countersign_identity::assertion;
use countersign_lease::{EndReason, Revocation, RevocationCause};
use countersign_model::ActionClass;
use http::Method;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use super::client::{Answer, Ask, ask, bare, send, upload};
use super::fixture::{Fixture, KEY, NOW, SESSION, Seen, full, start, start_with};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Channel {
    Http1,
    Http2,
    WebSocket,
    Grpc,
    Upload,
    Download,
    Part,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Check {
    IdentityHeaders,
    ListedInConnection,
    NoCredential,
    WrongCredential,
    UnknownResource,
    RevokedMidStream,
    ExceptionEnds,
    RevokedWhileWaiting,
    LeaseEnds,
    ForeignOrigin,
    EncodedPath,
    LongTarget,
    OversizedHead,
    OversizedBody,
    CookieStripped,
    OwnBearerStripped,
    ForwardedForSpoofed,
    ForwardedForUnreadable,
    PathCase,
    Loop,
    TwoCredentials,
    RecordFailure,
    Overload,
    Trace,
}

enum Cell {
    Run,
    Nothing(&'static str),
}

impl Channel {
    const ALL: [Self; 7] =
        [Self::Http1, Self::Http2, Self::WebSocket, Self::Grpc, Self::Upload, Self::Download, Self::Part];

    const fn guard(self) -> usize {
        match self {
            Self::Http1 => 0,
            Self::Http2 => 1,
            Self::WebSocket => 2,
            Self::Grpc => 3,
            Self::Upload => 4,
            Self::Download => 5,
            Self::Part => 6,
        }
    }

    const fn http2(self) -> bool {
        matches!(self, Self::Http2 | Self::Grpc)
    }

    fn ask(self, target: &str) -> Ask {
        match self {
            Self::Http1 | Self::Http2 | Self::Download => ask("app.localhost", target),
            Self::Part => ask("part.localhost", target),
            Self::Upload => Ask { method: Method::POST, body: Some("data"), ..ask("app.localhost", target) },
            Self::Grpc => Ask { method: Method::POST, body: Some("data"), ..ask("grpc.localhost", target) }
                .with("content-type", "application/grpc")
                .with("te", "trailers"),
            Self::WebSocket => ask("app.localhost", target)
                .with("connection", "upgrade")
                .with("upgrade", "websocket")
                .with("sec-websocket-version", "13")
                .with("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        }
    }

    async fn send(self, fixture: &Fixture, ask: Ask) -> Answer {
        send(fixture, self.http2(), &ask).await.unwrap()
    }

    /// Asserts a refusal, in the form that this channel has for it, and that nothing went upstream.
    fn refused(self, fixture: &Fixture, answer: &Answer, status: u16, grpc: &str) {
        if self == Self::Grpc {
            assert_eq!((answer.status(), answer.headers()["grpc-status"].to_str().unwrap()), (200, grpc), "{self:?}");
        } else {
            assert_eq!(answer.status(), status, "{self:?}");
        }
        assert_eq!(fixture.script.look(|observed| observed.seen.len()), 0, "{self:?} reached the application");
    }

    const fn admitted(self) -> u16 {
        if matches!(self, Self::WebSocket) { 101 } else { 200 }
    }
}

impl Check {
    const ALL: [Self; 24] = [
        Self::IdentityHeaders,
        Self::ListedInConnection,
        Self::NoCredential,
        Self::WrongCredential,
        Self::UnknownResource,
        Self::RevokedMidStream,
        Self::ExceptionEnds,
        Self::RevokedWhileWaiting,
        Self::LeaseEnds,
        Self::ForeignOrigin,
        Self::EncodedPath,
        Self::LongTarget,
        Self::OversizedHead,
        Self::OversizedBody,
        Self::CookieStripped,
        Self::OwnBearerStripped,
        Self::ForwardedForSpoofed,
        Self::ForwardedForUnreadable,
        Self::PathCase,
        Self::Loop,
        Self::TwoCredentials,
        Self::RecordFailure,
        Self::Overload,
        Self::Trace,
    ];

    fn cell(self, channel: Channel) -> Cell {
        match (self, channel) {
            (Self::ListedInConnection, Channel::Http2 | Channel::Grpc) => {
                Cell::Nothing("HTTP/2 has no Connection field; h2 resets a stream that carries one")
            }
            (
                Self::ForeignOrigin,
                Channel::Http1 | Channel::Http2 | Channel::Grpc | Channel::Upload | Channel::Download | Channel::Part,
            ) => {
                Cell::Nothing("browsers keep cross-origin requests apart by CORS and SameSite; WebSockets they do not")
            }
            (Self::OversizedBody, Channel::WebSocket | Channel::Download) => Cell::Nothing("the request has no body"),
            (Self::Trace, Channel::WebSocket | Channel::Grpc | Channel::Upload) => {
                Cell::Nothing("the channel's method is fixed")
            }
            (_, _) => Cell::Run,
        }
    }

    async fn run(self, channel: Channel) {
        match self {
            Self::IdentityHeaders => identity_headers(channel).await,
            Self::ListedInConnection => listed_in_connection(channel).await,
            Self::NoCredential => refused(channel, channel.ask("/a"), 401, "16").await,
            Self::WrongCredential => {
                refused(channel, channel.ask("/a").with("cookie", "__Host-countersign=bad"), 403, "7").await;
            }
            Self::UnknownResource => {
                let ask = Ask { host: "unknown.localhost", ..channel.ask("/a") };
                refused(channel, ask.with("cookie", SESSION), 403, "7").await;
            }
            Self::RevokedMidStream => revoked_mid_stream(channel, RevocationCause::FactChanged).await,
            // Its end is an instant in the schedule; whoever answers for it leaves by a change of facts.
            Self::ExceptionEnds => {
                for cause in [RevocationCause::TimePassed, RevocationCause::FactChanged] {
                    revoked_mid_stream(channel, cause).await;
                }
            }
            Self::RevokedWhileWaiting => revoked_while_waiting(channel).await,
            Self::LeaseEnds => lease_ends(channel).await,
            Self::ForeignOrigin => {
                for origin in ["http://evil.localhost", "https://app.localhost", "null"] {
                    let ask = channel.ask("/a").with("cookie", SESSION).with("origin", origin);
                    refused(channel, ask, 403, "7").await;
                }
            }
            Self::EncodedPath => {
                for path in ["/a%2f..%2fadmin", "/a/%2e%2e/admin", "/a%5cb", "/a%00", "/a%252fb", "/a//b", "/a;b"] {
                    refused(channel, channel.ask(path).with("cookie", SESSION), 400, "3").await;
                }
            }
            Self::LongTarget => {
                let (path, query) = ("x".repeat(8 * 1024), "x".repeat(8 * 1024 - 2));
                for target in [format!("/{path}"), format!("/a?{query}")] {
                    refused(channel, channel.ask(&target).with("cookie", SESSION), 414, "3").await;
                }
                passed(channel, channel.ask(&format!("/{}", &path[1..])).with("cookie", SESSION)).await;
            }
            Self::OversizedHead => oversized_head(channel).await,
            Self::OversizedBody => {
                let body: &'static str = Box::leak("x".repeat((1 << 20) + 1).into_boxed_str());
                let ask = Ask { method: Method::POST, body: Some(body), ..channel.ask("/a") };
                refused(channel, ask.with("cookie", SESSION), 413, "8").await;
            }
            Self::CookieStripped => {
                let cookie = format!("a=1; {SESSION}; __Host-countersign-nonce=n; b=2");
                let seen = passed(channel, channel.ask("/a").with("cookie", &cookie)).await;
                assert_eq!(seen.headers["cookie"], "a=1; b=2");
            }
            Self::OwnBearerStripped => {
                let seen = passed(channel, channel.ask("/a").with("authorization", KEY)).await;
                assert!(!seen.headers.contains_key("authorization"), "{channel:?}");
                let foreign = channel.ask("/a").with("cookie", SESSION).with("authorization", "Bearer its-own");
                assert_eq!(passed(channel, foreign).await.headers["authorization"], "Bearer its-own");
            }
            Self::ForwardedForSpoofed => forwarded_for(channel).await,
            Self::ForwardedForUnreadable => forwarded_for_unreadable(channel).await,
            Self::PathCase => {
                let fixture = start().await;
                let answer = channel.send(&fixture, channel.ask("/ADMIN/x").with("cookie", SESSION)).await;
                assert_eq!(answer.status(), channel.admitted());
                let (asked, seen) =
                    fixture.script.look(|observed| (observed.asked[0].clone(), observed.seen[0].clone()));
                assert_eq!((asked.action.class, &*seen.target), (ActionClass::Administer, "/ADMIN/x"), "{channel:?}");
            }
            Self::Loop => {
                let passes = |count| vec!["1.1 countersign"; count].join(", ");
                let ask = |count| channel.ask("/a").with("cookie", SESSION).with("via", &passes(count));
                refused(channel, ask(4).with("via", "1.1 other"), 508, "13").await;
                passed(channel, ask(3)).await;
            }
            Self::TwoCredentials => {
                refused(channel, channel.ask("/a").with("cookie", SESSION).with("authorization", KEY), 403, "7").await;
            }
            Self::RecordFailure => {
                let fixture = start().await;
                fixture.script.lose_the_ledger();
                let answer = channel.send(&fixture, channel.ask("/a").with("cookie", SESSION)).await;
                channel.refused(&fixture, &answer, 503, "14");
            }
            Self::Overload => {
                let fixture = start_with(|settings| settings.limits.max_in_flight = 0).await;
                let answer = channel.send(&fixture, channel.ask("/a").with("cookie", SESSION)).await;
                channel.refused(&fixture, &answer, 503, "14");
                assert_eq!(fixture.script.look(|observed| observed.asked.len()), 0);
            }
            Self::Trace => {
                let ask = Ask { method: Method::TRACE, ..channel.ask("/a") };
                refused(channel, ask.with("cookie", SESSION), 405, "12").await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_check_holds_on_every_channel() {
    assert!(Channel::ALL.iter().enumerate().all(|(at, channel)| channel.guard() == at));
    let (mut run, mut nothing) = (0, 0);
    for check in Check::ALL {
        for channel in Channel::ALL {
            match check.cell(channel) {
                Cell::Run => {
                    eprintln!("{check:?} × {channel:?}");
                    check.run(channel).await;
                    run += 1;
                }
                Cell::Nothing(reason) => {
                    assert!(!reason.is_empty());
                    nothing += 1;
                }
            }
        }
    }
    assert_eq!((run, nothing), (Check::ALL.len() * Channel::ALL.len() - nothing, 13));
}

async fn refused(channel: Channel, ask: Ask, status: u16, grpc: &str) {
    let fixture = start().await;
    let answer = channel.send(&fixture, ask).await;
    channel.refused(&fixture, &answer, status, grpc);
}

/// What the application saw of an admitted request.
async fn passed(channel: Channel, ask: Ask) -> Seen {
    let fixture = start().await;
    let answer = channel.send(&fixture, ask).await;
    assert_eq!(answer.status(), channel.admitted(), "{channel:?}");
    fixture.script.look(|observed| observed.seen[0].clone())
}

async fn identity_headers(channel: Channel) {
    let fixture = start().await;
    let mut ask = channel.ask("/a?q=1").with("cookie", SESSION);
    for name in [
        "Countersign-Subject",
        "COUNTERSIGN-SUBJECT",
        "countersign_subject",
        "Countersign_Groups",
        "countersign.email",
        "x-countersign-subject",
        "X_Countersign_Subject",
        "Countersign-Assertion",
        "Countersign-Decision",
        "remote-user",
        "x-webauth-name",
        "impersonate-user",
        "X_Authentik_Username",
        "cf-access-jwt-assertion",
        "tailscale-user-login",
        "x-script-name",
        "content_length",
    ] {
        ask = ask.with(name, "human:mallory").with(name, "human:mallory");
    }
    let answer = channel.send(&fixture, ask).await;
    assert_eq!(answer.status(), channel.admitted(), "{channel:?}");
    let seen = fixture.script.look(|observed| observed.seen[0].clone());
    let spoofed: Vec<_> = seen.headers.iter().filter(|(_, value)| *value == "human:mallory").collect();
    assert!(spoofed.is_empty(), "{channel:?}: {spoofed:?}");
    assert_eq!(seen.target, "/a?q=1");
    let asked = fixture.script.look(|observed| observed.asked[0].clone());
    assert_eq!(asked.http.unwrap().path, "/a");
    if channel == Channel::Part {
        assert_eq!(seen.principal.unwrap().subject.to_string(), "human:alice@example.org");
        return;
    }
    assert_eq!(seen.headers["countersign-subject"], "human:alice@example.org");
    assert_eq!(seen.headers["countersign-groups"], "staff,=?UTF-8?B?eCxvd25lcnM=?=");
    assert_eq!(seen.headers["countersign-device"], "laptop");
    let token = seen.headers["countersign-assertion"].to_str().unwrap();
    let audience = if channel == Channel::Grpc { "grpc" } else { "app" };
    let issuer = "http://countersign.localhost";
    let claims = assertion::verify(token, fixture.signer.public_key(), issuer, audience, NOW).unwrap();
    assert_eq!(claims.sub, "human:alice@example.org");
    assert_eq!(claims.decision, seen.headers["countersign-decision"].to_str().unwrap());
}

async fn listed_in_connection(channel: Channel) {
    let connection = if channel == Channel::WebSocket { "upgrade, " } else { "" };
    let mut ask = channel.ask("/a").with("cookie", SESSION);
    ask.headers.retain(|(name, _)| name != "connection");
    let listed = format!("{connection}countersign-subject, x-forwarded-for, x-mine");
    let seen = passed(channel, ask.with("x-mine", "x").with("connection", &listed)).await;
    assert!(!seen.headers.contains_key("x-mine"), "{channel:?}");
    if channel != Channel::Part {
        assert_eq!(seen.headers["countersign-subject"], "human:alice@example.org");
        assert_eq!(seen.headers["x-forwarded-for"], "127.0.0.1");
    }
}

async fn forwarded_for(channel: Channel) {
    let fixture = start().await;
    let ask = channel
        .ask("/a")
        .with("cookie", SESSION)
        .with("x-forwarded-for", "6.6.6.6")
        .with("X_Forwarded_For", "6.6.6.6")
        .with("x-real-ip", "6.6.6.6")
        .with("forwarded", "for=6.6.6.6;proto=https")
        .with("x-forwarded-proto", "https");
    let answer = channel.send(&fixture, ask).await;
    assert_eq!(answer.status(), channel.admitted());
    let (asked, seen) = fixture.script.look(|observed| (observed.asked[0].clone(), observed.seen[0].clone()));
    assert_eq!((asked.address.to_string().as_str(), asked.encrypted), ("127.0.0.1", false));
    assert!(!seen.headers.iter().any(|(_, value)| value.to_str().unwrap().contains("6.6.6.6")), "{channel:?}");
    if channel != Channel::Part {
        assert_eq!(
            (&seen.headers["x-forwarded-for"], &seen.headers["x-forwarded-proto"]),
            (&http::HeaderValue::from_static("127.0.0.1"), &http::HeaderValue::from_static("http"))
        );
    }
}

async fn forwarded_for_unreadable(channel: Channel) {
    let behind_a_proxy = || start_with(|settings| settings.trusted_proxies = vec!["127.0.0.1".parse().unwrap()]);
    for unreadable in ["unknown", "6.6.6.6, _hidden", "6.6.6.6, ", "6.6.6.6:x", "[2001:db8::1"] {
        let fixture = behind_a_proxy().await;
        let ask = channel.ask("/a").with("cookie", SESSION).with("x-forwarded-for", unreadable);
        let answer = channel.send(&fixture, ask).await;
        channel.refused(&fixture, &answer, 400, "3");
        assert_eq!(fixture.script.look(|observed| observed.asked.len()), 0, "{channel:?}: {unreadable}");
    }
    let fixture = behind_a_proxy().await;
    let ask = channel.ask("/a").with("cookie", SESSION).with("x-forwarded-for", "203.0.113.9:4711");
    assert_eq!(channel.send(&fixture, ask).await.status(), channel.admitted());
    assert_eq!(fixture.script.look(|observed| observed.asked[0].address.to_string()), "203.0.113.9");
}

async fn oversized_head(channel: Channel) {
    let fixture = start().await;
    let ask = channel.ask("/a").with("cookie", SESSION).with("x-large", &"x".repeat(40 * 1024));
    // The connection may be gone before the answer is read.
    if let Ok(answer) = send(&fixture, channel.http2(), &ask).await {
        assert_eq!(answer.status(), 431, "{channel:?}");
    }
    let mut many = channel.ask("/a").with("cookie", SESSION);
    for index in 0..2000 {
        many = many.with(&format!("x-{index}"), "x");
    }
    if let Ok(answer) = send(&fixture, channel.http2(), &many).await {
        assert_eq!(answer.status(), 431, "{channel:?}");
    }
    assert_eq!(fixture.script.look(|observed| (observed.seen.len(), observed.asked.len())), (0, 0), "{channel:?}");
}

async fn lease_ends(channel: Channel) {
    let fixture = start().await;
    let answer = channel.send(&fixture, channel.ask("/a").with("cookie", SESSION)).await;
    assert_eq!(answer.status(), channel.admitted());
    if channel == Channel::WebSocket {
        fixture.script.until("the tunnel", |observed| observed.opened == 1).await;
        assert_eq!(fixture.script.look(|observed| observed.ended.len()), 0, "the tunnel lives, and so does its lease");
        drop(answer);
    } else {
        answer.text().await;
    }
    fixture.script.until("the end of the lease", |observed| observed.ended.len() == 1).await;
    let ended = fixture.script.look(|observed| observed.ended[0].clone());
    assert_eq!(ended.reason, EndReason::Completed);
    if matches!(channel, Channel::Upload | Channel::Grpc) {
        assert_eq!(ended.bytes_received, 4);
    }
}

async fn revoked_mid_stream(channel: Channel, cause: RevocationCause) {
    let fixture = start().await;
    match channel {
        Channel::WebSocket => {
            let mut client = bare(&fixture).await;
            client
                .write(format!(
                    "GET /live HTTP/1.1\r\nHost: app.localhost\r\nCookie: {SESSION}\r\nConnection: Upgrade\r\n\
                     Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://app.localhost\r\n\r\n"
                ))
                .await;
            assert_eq!(client.status().await, 101);
            assert_eq!(client.read_until(b"hello").await, b"\x81\x05hello");
            client.write(b"\x81\x02hi").await;
            assert_eq!(client.read_until(b"hi").await, b"\x81\x02hi");
            fixture.script.cut_by(cause);
            let mut close = vec![0x88, 38, 0x03, 0xf0];
            close.extend(b"The device is no longer compliant.");
            close[1] = u8::try_from(close.len() - 2).unwrap();
            assert_eq!(client.rest().await, close);
        }
        Channel::Upload => {
            let (feed, answer) = upload(&fixture, false, channel.ask("/upload").with("cookie", SESSION));
            let answer = tokio::spawn(answer);
            fixture.script.until("the first bytes", |observed| observed.arrived > 0).await;
            fixture.script.cut_by(cause);
            if let Ok(answer) = answer_of(answer).await {
                assert_eq!(answer.status(), 403);
            }
            drop(feed);
        }
        Channel::Http1 | Channel::Http2 | Channel::Grpc | Channel::Download | Channel::Part => {
            let mut answer = channel.send(&fixture, channel.ask("/stream").with("cookie", SESSION)).await;
            assert_eq!(answer.frame().await.unwrap().unwrap().into_data().unwrap(), "xxxxx");
            assert_eq!(fixture.script.look(|observed| observed.ended.len()), 0);
            fixture.script.cut_by(cause);
            let end = answer.frame().await.expect("a truncated body does not look complete");
            if channel == Channel::Grpc {
                assert_eq!(end.unwrap().into_trailers().unwrap()["grpc-status"], "7");
            } else {
                assert!(end.is_err(), "{channel:?}");
            }
        }
    }
    let revoked = revocation_recorded(&fixture, channel).await;
    assert_eq!(revoked.cause, cause, "{channel:?}");
}

async fn revoked_while_waiting(channel: Channel) {
    let fixture = start().await;
    let ask = channel.ask(if channel == Channel::WebSocket { "/ws" } else { "/never" }).with("cookie", SESSION);
    if channel == Channel::WebSocket {
        // The handshake is answered at once; the tunnel is what can be cut while it waits.
        let answer = channel.send(&fixture, ask).await;
        fixture.script.until("the tunnel", |observed| observed.opened == 1).await;
        fixture.script.cut();
        revocation_recorded(&fixture, channel).await;
        drop(answer);
        return;
    }
    let (script, waiting) = (fixture.script.clone(), async { channel.send(&fixture, ask).await });
    let (answer, ()) = tokio::join!(waiting, async {
        script.until("the request", |observed| observed.seen.len() == 1).await;
        script.cut();
    });
    if channel == Channel::Grpc {
        assert_eq!(answer.headers()["grpc-status"], "7");
    } else {
        assert_eq!(answer.status(), 403, "{channel:?}");
        assert_eq!(answer.headers()["countersign-decision"], format!("{:032x}", 99));
    }
    revocation_recorded(&fixture, channel).await;
}

async fn answer_of(answer: tokio::task::JoinHandle<Result<Answer, hyper::Error>>) -> Result<Answer, hyper::Error> {
    super::fixture::within("an answer", answer).await.unwrap()
}

/// The lease ended as revoked, and the application's side is closed too.
async fn revocation_recorded(fixture: &Fixture, channel: Channel) -> Revocation {
    fixture.script.until("the end of the lease", |observed| observed.ended.len() == 1).await;
    fixture.script.until("the end at the application", |observed| observed.broken == 1).await;
    let reason = fixture.script.look(|observed| observed.ended[0].reason.clone());
    match reason {
        EndReason::Revoked(revocation) => revocation,
        other => panic!("{channel:?}: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_does_not_read_is_cut_all_the_same() {
    let fixture = start().await;
    // The stream's window is smaller than one piece: once that is taken, the gateway has no reason to look at the body.
    let stream = TokioIo::new(TcpStream::connect(fixture.address).await.unwrap());
    let mut builder = http2::Builder::new(TokioExecutor::new());
    let (mut sender, connection) = builder.initial_stream_window_size(16 * 1024).handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let request = http::Request::builder().uri("http://part.localhost/flood").header("cookie", SESSION);
    let answer = sender.send_request(request.body(full("")).unwrap()).await.unwrap();
    fixture.script.until("the window is full", |observed| observed.poured >= 1).await;
    fixture.script.cut();
    revocation_recorded(&fixture, Channel::Http2).await;
    drop(answer);
    let fixture = start().await;
    let mut answer = Channel::Http1.send(&fixture, Channel::Http1.ask("/flood").with("cookie", SESSION)).await;
    answer.frame().await.unwrap().unwrap();
    fixture.script.cut();
    revocation_recorded(&fixture, Channel::Http1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_ends_with_its_lease_though_the_answer_has_begun() {
    for http2 in [false, true] {
        let fixture = start().await;
        let (feed, answer) = upload(&fixture, http2, ask("grpc.localhost", "/duplex").with("cookie", SESSION));
        let mut answer = answer.await.unwrap();
        answer.frame().await.unwrap().unwrap();
        fixture.script.until("the first bytes", |observed| observed.arrived > 0).await;
        fixture.script.cut();
        fixture.script.until("both ends at the application", |observed| observed.broken == 2).await;
        fixture.script.until("the end of the lease", |observed| observed.ended.len() == 1).await;
        drop(feed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_exchange_ends() {
    for channel in [Channel::Download, Channel::Http2, Channel::WebSocket, Channel::Part] {
        let fixture = start_with(|settings| settings.limits.idle = std::time::Duration::from_millis(20)).await;
        let mut answer = channel.send(&fixture, channel.ask("/stream").with("cookie", SESSION)).await;
        if channel != Channel::WebSocket {
            while let Some(Ok(_)) = answer.frame().await {}
        }
        fixture.script.until("the end of the lease", |observed| observed.ended.len() == 1).await;
        fixture.script.until("the end at the application", |observed| observed.broken == 1).await;
    }
}
