//! What a client tries. After each attempt is looked at what arrived at the application: nothing, or a request that is
//! exactly what Countersign decided about.

use countersign_ledger::DecisionEntry;
use countersign_testkit::TestSystem;

use super::House;
use super::upstream::Seen;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attack {
    NoCredential,
    WrongCredential,
    TwoCredentials,
    ForgedIdentity,
    ForgedInDisguise,
    ListedInConnection,
    AnotherTarget,
    AnotherMethod,
    AnotherHost,
    TwoHosts,
    AbsoluteTarget,
    AnotherAddress,
    AnotherScheme,
    ForgedProxy,
    OddPaths,
    ReservedPath,
    Upgrades,
    GrpcAnswer,
    HugeTarget,
    Smuggled,
}

/// What may arrive.
enum Expect {
    Nothing,
    /// Nothing, or a request of the service's own, told truly.
    Own,
}

impl Attack {
    pub(crate) const ALL: [Self; 20] = [
        Self::NoCredential,
        Self::WrongCredential,
        Self::TwoCredentials,
        Self::ForgedIdentity,
        Self::ForgedInDisguise,
        Self::ListedInConnection,
        Self::AnotherTarget,
        Self::AnotherMethod,
        Self::AnotherHost,
        Self::TwoHosts,
        Self::AbsoluteTarget,
        Self::AnotherAddress,
        Self::AnotherScheme,
        Self::ForgedProxy,
        Self::OddPaths,
        Self::ReservedPath,
        Self::Upgrades,
        Self::GrpcAnswer,
        Self::HugeTarget,
        Self::Smuggled,
    ];

    pub(crate) async fn run(self, house: &House) {
        let host = "Host: app.localhost\r\n";
        let own = format!("Authorization: Bearer {}\r\n", house.key);
        let get = |path: &str, fields: &str| format!("GET {path} HTTP/1.1\r\n{host}{fields}");
        match self {
            Self::NoCredential => nothing(house, &get("/a", "")).await,
            Self::WrongCredential => {
                nothing(house, &get("/a", "Authorization: Bearer cs_0000_nothing\r\n")).await;
                nothing(house, &get("/a", "Cookie: __Host-countersign=nothing\r\n")).await;
            }
            Self::TwoCredentials => {
                nothing(house, &get("/a", &format!("{own}Authorization: Bearer its-own\r\n"))).await;
                nothing(house, &get("/a", &format!("{own}Cookie: __Host-countersign=nothing\r\n"))).await;
            }
            Self::ForgedIdentity => {
                for name in IDENTITY {
                    let forged = format!("{name}: human:mallory\r\n");
                    nothing(house, &get("/a", &forged)).await;
                    at_most_own(house, &get("/a", &format!("{own}{forged}"))).await;
                }
            }
            Self::ForgedInDisguise => {
                for name in DISGUISED {
                    let forged = format!("{name}: human:mallory\r\n");
                    nothing(house, &get("/a", &forged)).await;
                    at_most_own(house, &get("/a", &format!("{own}{forged}"))).await;
                }
            }
            Self::ListedInConnection => {
                for name in IDENTITY.iter().chain(&["X-Forwarded-For", "X-Forwarded-Uri", "Cookie", "Authorization"]) {
                    at_most_own(house, &get("/a", &format!("{own}Connection: close, {name}\r\n"))).await;
                    at_most_own(house, &get("/a", &format!("{own}Connection: close\r\nConnection: {name}\r\n"))).await;
                    at_most_own(house, &get("/admin/x", &format!("{own}Connection: close, {name}\r\n"))).await;
                }
            }
            Self::AnotherTarget => {
                for name in ["X-Forwarded-Uri", "X-Original-Uri", "X-Original-Url", "X-Rewrite-Url", "X-Forwarded-Path"]
                {
                    nothing(house, &get("/admin/x", &format!("{own}{name}: /a\r\n"))).await;
                    nothing(house, &get("/admin/x", &format!("{own}{name}: /a\r\n{name}: /a\r\n"))).await;
                }
            }
            Self::AnotherMethod => {
                let delete = |fields: &str| format!("CONNECT / HTTP/1.1\r\n{host}{own}{fields}");
                nothing(house, &delete("X-Forwarded-Method: GET\r\n")).await;
                let trace =
                    format!("TRACE /a HTTP/1.1\r\n{host}{own}X-Forwarded-Method: GET\r\nX-Original-Method: GET\r\n");
                nothing(house, &trace).await;
            }
            Self::AnotherHost => {
                for name in ["X-Forwarded-Host", "X-Original-Host", "X-Host", "Forwarded"] {
                    let value = if name == "Forwarded" { "host=open.localhost" } else { "open.localhost" };
                    nothing(house, &get("/a", &format!("{name}: {value}\r\n"))).await;
                }
                nothing(house, "GET /a HTTP/1.1\r\nHost: open.localhost\r\n").await;
                nothing(house, "GET /a HTTP/1.1\r\nHost: countersign.localhost\r\n").await;
                nothing(house, "GET /a HTTP/1.1\r\nHost: app.localhost:80@open.localhost\r\n").await;
                nothing(house, "GET /a HTTP/1.1\r\nHost: \r\n").await;
            }
            Self::TwoHosts => {
                nothing(house, "GET /a HTTP/1.1\r\nHost: open.localhost\r\nHost: app.localhost\r\n").await;
                nothing(house, "GET /a HTTP/1.1\r\nHost: app.localhost\r\nHost: open.localhost\r\n").await;
                nothing(house, "GET /a HTTP/1.1\r\nHost: open.localhost,app.localhost\r\n").await;
                nothing(house, "GET /a HTTP/1.1\r\nHost: app.localhost,open.localhost\r\n").await;
            }
            Self::AbsoluteTarget => {
                nothing(house, "GET http://open.localhost/a HTTP/1.1\r\nHost: app.localhost\r\n").await;
                nothing(house, "GET http://app.localhost/a HTTP/1.1\r\nHost: open.localhost\r\n").await;
                nothing(house, "GET http://app.localhost/a HTTP/1.1\r\n").await;
            }
            Self::AnotherAddress => {
                for name in ["X-Forwarded-For", "X-Real-Ip", "Forwarded", "True-Client-Ip", "Cf-Connecting-Ip"] {
                    let value = if name == "Forwarded" { "for=198.51.100.7" } else { "198.51.100.7" };
                    at_most_own(house, &get("/a", &format!("{own}{name}: {value}\r\n{name}: {value}\r\n"))).await;
                    let network = last_decision(&house.test).question.circumstances.network;
                    // Envoy tells its own address of a client on this machine.
                    assert_ne!(network.address.to_string(), "198.51.100.7", "{:?} believed {name}", house.edge.kind);
                }
            }
            Self::AnotherScheme => {
                at_most_own(house, &get("/a", &format!("{own}X-Forwarded-Proto: https\r\nX-Forwarded-Ssl: on\r\n")))
                    .await;
                let network = last_decision(&house.test).question.circumstances.network;
                assert!(!network.encrypted, "{:?}", house.edge.kind);
            }
            Self::ForgedProxy => {
                let key = "Countersign-Proxy-Key: cs_0000_nothing\r\n";
                nothing(house, &get("/a", key)).await;
                at_most_own(house, &get("/a", &format!("{own}{key}"))).await;
                at_most_own(house, &get("/a", &format!("{own}{key}{key}"))).await;
            }
            Self::OddPaths => {
                for path in ODD_PATHS {
                    at_most_own(house, &get(path, &own)).await;
                }
            }
            Self::ReservedPath => {
                for path in [
                    "/.countersign",
                    "/.countersign/",
                    "/.countersign/callback?code=0123456789abcdef",
                    "/.countersign-decision",
                ] {
                    nothing(house, &get(path, "")).await;
                }
            }
            Self::Upgrades => {
                let handshake = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
                let upgrade = |to: &str| format!("{own}Connection: upgrade\r\nUpgrade: {to}\r\n");
                // The key opens no channel, however little of the handshake is left.
                without_upgrade(house, &get("/socket", &format!("{}{handshake}", upgrade("websocket")))).await;
                without_upgrade(house, &get("/socket", &upgrade("websocket"))).await;
                without_upgrade(house, &get("/socket", &format!("{}{handshake}", upgrade("WebSocket")))).await;
                without_upgrade(house, &get("/socket", &upgrade("anything"))).await;
                let h2c = format!(
                    "{own}Connection: upgrade, http2-settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAA\r\n"
                );
                without_upgrade(house, &get("/a", &h2c)).await;
            }
            Self::GrpcAnswer => {
                nothing(house, &get("/a", "Content-Type: application/grpc\r\n")).await;
                nothing(house, &get("/a", "Content-Type: application/grpc\r\nTe: trailers\r\n")).await;
            }
            Self::HugeTarget => {
                nothing(house, &get(&format!("/{}", "x".repeat(9000)), &own)).await;
            }
            Self::Smuggled => {
                let second = "GET /admin/x HTTP/1.1\r\nHost: app.localhost\r\n\r\n";
                let head = format!(
                    "POST /a HTTP/1.1\r\n{host}{own}Connection: close\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n"
                );
                house.upstream.forget();
                house.edge.ask_with(&head, &format!("0\r\n\r\n{second}")).await;
                check(house, Expect::Own, &head);
            }
        }
    }
}

const IDENTITY: [&str; 6] = [
    "Countersign-Subject",
    "Countersign-Email",
    "Countersign-Groups",
    "Countersign-Device",
    "Countersign-Decision",
    "Countersign-Assertion",
];

const DISGUISED: [&str; 11] = [
    "COUNTERSIGN-SUBJECT",
    "Countersign_Subject",
    "Countersign-Device_Id",
    "Countersign_Assertion",
    "countersign.subject",
    "X-Countersign-Subject",
    "X_Countersign_Email",
    "X_Auth_User",
    "X_Remote_User",
    "Remote_User",
    "Countersign-Anything",
];

/// Whatever arrives of them must not be what the key may not do: `/admin/…`.
const ODD_PATHS: [&str; 24] = [
    "/a/../admin/x",
    "/a/./../admin/x",
    "/./admin/x",
    "//admin/x",
    "/a//../admin/x",
    "/%61dmin/x",
    "/ADMIN/x",
    "/%2e%2e/admin/x",
    "/a/%2e%2e/admin/x",
    "/a%2f..%2fadmin/x",
    "/a/..%2fadmin/x",
    "/admin%2fx",
    "/%2fadmin/x",
    "/a%5c..%5cadmin/x",
    "/a\\..\\admin\\x",
    "/a;/../admin/x",
    "/admin;x/y",
    "/a/..;/admin/x",
    "/%252e%252e/admin/x",
    "/%25%32%66admin/x",
    "/a%00/../admin/x",
    "/a#/../../admin/x",
    "/a?/../admin/x",
    "admin/x",
];

async fn nothing(house: &House, head: &str) {
    house.upstream.forget();
    let answer = house.edge.ask(head).await;
    // Envoy says no to gRPC in gRPC's own words.
    let refused = answer.status == 0 || answer.status >= 300 || answer.text.contains("grpc-status: 16");
    assert!(refused, "{:?}: {head:?}: {answer:?}", house.edge.kind);
    check(house, Expect::Nothing, head);
}

async fn at_most_own(house: &House, head: &str) {
    house.upstream.forget();
    house.edge.ask(head).await;
    check(house, Expect::Own, head);
}

async fn without_upgrade(house: &House, head: &str) {
    house.upstream.forget();
    let answer = house.edge.ask(head).await;
    assert_ne!(answer.status, 101, "{:?}: {head:?}", house.edge.kind);
    check(house, Expect::Own, head);
    for seen in house.upstream.seen() {
        assert!(!seen.headers.contains_key("upgrade"), "{:?}: {head:?}: {seen:?}", house.edge.kind);
    }
}

fn check(house: &House, expect: Expect, head: &str) {
    let kind = house.edge.kind;
    for seen in house.upstream.seen() {
        match expect {
            Expect::Nothing => panic!("{kind:?}: {head:?} arrived: {seen:?}"),
            // What arrives without the signed word is refused by the application: that is what it is for.
            Expect::Own if !seen.served => {}
            Expect::Own => {
                assert_eq!(seen.one("countersign-subject"), "service:backup", "{kind:?}: {head:?}");
                let spoofed = seen.headers.iter().find(|(_, value)| value.as_bytes().starts_with(b"human:mallory"));
                assert!(spoofed.is_none(), "{kind:?}: {head:?} arrived with {spoofed:?}");
                assert!(!administers(&seen), "{kind:?}: {head:?} arrived as {}", seen.line);
                let secret =
                    seen.headers.values().any(|value| value.to_str().is_ok_and(|value| value.contains(&*house.key)));
                assert!(!secret, "{kind:?}: {head:?} arrived with a secret of Countersign's: {seen:?}");
            }
        }
    }
}

/// Whether any server would read the target as one below `/admin`.
fn administers(seen: &Seen) -> bool {
    let target = seen.line.split(' ').nth(1).unwrap();
    let path = target.split('?').next().unwrap().to_ascii_lowercase();
    let mut read = path.clone();
    for _ in 0..3 {
        for (encoded, plain) in [("%61", "a"), ("%2e", "."), ("%2f", "/"), ("%5c", "/"), ("\\", "/"), ("%25", "%")] {
            read = read.replace(encoded, plain);
        }
    }
    let mut segments: Vec<&str> = Vec::new();
    for segment in read.split('/').map(|segment| segment.split(';').next().unwrap()) {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            segment => segments.push(segment),
        }
    }
    segments.first() == Some(&"admin")
}

/// What was decided last about a client of the proxy.
pub(crate) fn last_decision(test: &TestSystem) -> DecisionEntry {
    last_through(test, &["forward-auth", "ext-authz"])
}

/// What was decided last through this channel.
pub(crate) fn last_of(test: &TestSystem, channel: &str) -> DecisionEntry {
    last_through(test, &[channel])
}

fn last_through(test: &TestSystem, channels: &[&str]) -> DecisionEntry {
    let ledger = test.system.ledger();
    let entries = ledger.scan_back(ledger.size()).map(|entry| entry.unwrap().1);
    let mut decisions = entries.filter_map(|entry| entry.body.into_decision());
    *decisions.find(|decision| channels.contains(&decision.point.channel.as_str())).unwrap()
}
