//! What other proxies ask, by each of the addresses at which they ask over plain HTTP: the same question as the
//! gateway's own, never a yes that was none, and no word believed of whoever is not one of them. gRPC has its own tests
//! beside its code; both meet real proxies end to end.

use countersign_lease::EndReason;
use countersign_model::ActionClass;
use http::Method;

use super::client::{Answer, Ask, ask, send};
use super::fixture::{Fixture, KEY, SESSION, start_with};
use crate::http::settings::Purpose;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    ForwardAuth,
    AuthRequest,
    ExtAuthz,
}

const WAYS: [Way; 3] = [Way::ForwardAuth, Way::AuthRequest, Way::ExtAuthz];

impl Way {
    const fn channel(self) -> &'static str {
        match self {
            Self::ForwardAuth | Self::AuthRequest => "forward-auth",
            Self::ExtAuthz => "ext-authz",
        }
    }

    /// As a proxy asks about what its client sent.
    fn about(self, client: &Ask) -> Ask {
        let (host, target, said) = match self {
            Self::ForwardAuth | Self::AuthRequest => (
                "countersign",
                if self == Self::ForwardAuth { "/forward-auth".to_owned() } else { "/auth-request".to_owned() },
                true,
            ),
            Self::ExtAuthz => (client.host, format!("/ext-authz{}", client.target), false),
        };
        let mut question = Ask { host, target, ..client.clone() };
        if said {
            question.method = Method::GET;
            question = question
                .with("x-forwarded-method", client.method.as_str())
                .with("x-forwarded-host", client.host)
                .with("x-forwarded-uri", &client.target);
        }
        question.with("x-forwarded-for", "192.0.2.7").with("x-forwarded-proto", "https")
    }

    async fn send(self, fixture: &Fixture, client: &Ask) -> Answer {
        send(fixture, false, &self.about(client)).await.unwrap()
    }

    /// A refusal that this way has another number for.
    const fn status(self, status: u16) -> u16 {
        match (self, status) {
            (Self::AuthRequest, 303) => 401,
            (Self::AuthRequest, 400 | 404 | 405 | 414) => 403,
            (_, status) => status,
        }
    }
}

async fn bridge(open: bool) -> Fixture {
    start_with(|settings| settings.listeners[0].purpose = Purpose::Decisions { open }).await
}

fn field<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_asks_what_the_gateway_would_have_asked() {
    for way in WAYS {
        let fixture = bridge(true).await;
        let client = Ask { method: Method::POST, ..ask("app.localhost:8443", "/%41DMIN/x?secret=1") };
        let client = client.with("cookie", &format!("a=1; {SESSION}; b=2")).with("authorization", "Bearer its-own");
        let answer = way.send(&fixture, &client).await;
        assert_eq!(answer.status(), 200, "{way:?}");
        let asked = fixture.script.look(|observed| observed.asked[0].clone());
        let http = asked.http.unwrap();
        assert_eq!((&*http.method, &*http.host, &*http.path), ("POST", "app.localhost", "/ADMIN/x"), "{way:?}");
        assert_eq!((asked.action.class, asked.point.channel), (ActionClass::Administer, way.channel()));
        assert_eq!((asked.address.to_string().as_str(), asked.encrypted), ("192.0.2.7", true), "{way:?}");
        assert_eq!(field(&answer, "countersign-subject"), "human:alice@example.org");
        assert!(!field(&answer, "countersign-assertion").is_empty());
        assert_eq!((field(&answer, "cookie"), field(&answer, "authorization")), ("a=1; b=2", "Bearer its-own"));
        fixture.script.until("the end of the lease", |observed| observed.ended.len() == 1).await;
        let reason = fixture.script.look(|observed| observed.ended[0].reason.clone());
        assert_eq!(reason, EndReason::Completed);

        let answer = way.send(&fixture, &ask("app.localhost", "/a").with("authorization", KEY)).await;
        assert_eq!(
            (answer.status(), field(&answer, "authorization")),
            (200, ""),
            "{way:?}: the key is not for upstream"
        );
        assert!(answer.headers().contains_key("authorization"), "{way:?}: and overwrites the client's");
        assert_eq!(fixture.script.look(|observed| observed.seen.len()), 0, "nothing is opened");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_yes_has_no_status_of_one() {
    for way in WAYS {
        let fixture = bridge(true).await;
        let check = async |client: Ask, status: u16, reason: &str| {
            let answer = way.send(&fixture, &client).await;
            assert_eq!(answer.status(), way.status(status), "{way:?}: {client:?}");
            assert_eq!(field(&answer, "countersign-reason"), reason, "{way:?}: {client:?}");
            assert!(!answer.headers().contains_key("countersign-assertion"));
        };
        let plain = || ask("app.localhost", "/a");
        check(plain(), 401, "challenged").await;
        check(plain().with("cookie", "__Host-countersign=bad"), 403, "denied").await;
        check(plain().with("cookie", SESSION).with("authorization", KEY), 403, "denied").await;
        check(ask("unknown.localhost", "/a").with("cookie", SESSION), 403, "denied").await;
        check(ask("countersign.localhost", "/a").with("cookie", SESSION), 403, "denied").await;
        check(plain().with("content-type", "application/grpc"), 401, "challenged").await;
        check(Ask { method: Method::TRACE, ..plain() }.with("cookie", SESSION), 405, "method").await;
        let target = format!("/{}", "x".repeat(9000));
        check(ask("app.localhost", &target).with("cookie", SESSION), 414, "target-too-long").await;
        for path in ["/a%2fb", "/a/%2e%2e/admin", "/a;b", "/a//b", "/a%00", "/%252e"] {
            check(ask("app.localhost", path).with("cookie", SESSION), 400, "ambiguous").await;
        }
        for name in [
            "countersign-subject",
            "countersign_subject",
            "X-Countersign-Email",
            "countersign-anything",
            "X_Auth_User",
            "x_forwarded_for",
            "content_length",
        ] {
            check(plain().with("cookie", SESSION).with(name, "human:mallory"), 400, "ambiguous").await;
        }
        check(plain().with("cookie", SESSION).with("connection", "countersign-subject"), 400, "ambiguous").await;
        check(plain().with("cookie", SESSION).with("upgrade", "h2c"), 400, "ambiguous").await;
        check(plain().with("cookie", SESSION).with("upgrade", "websocket"), 400, "ambiguous").await;
        check(ask("app.localhost", "/.countersign/").with("cookie", SESSION), 404, "nothing-here").await;
        assert_eq!(fixture.script.look(|observed| observed.ended.len()), 0, "{way:?}");
        fixture.script.lose_the_ledger();
        check(plain().with("cookie", SESSION), 503, "unavailable").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_proxy_says_it_says_once_and_readably() {
    let fixture = bridge(true).await;
    let client = ask("app.localhost", "/a").with("cookie", SESSION);
    for way in WAYS {
        let whole = way.about(&client);
        assert_eq!(send(&fixture, false, &whole).await.unwrap().status(), 200);
        let said: Vec<String> = whole.headers.iter().map(|(name, _)| name.clone()).collect();
        for name in said.iter().filter(|name| name.starts_with("x-forwarded-")) {
            let mut values = vec![None, Some(""), Some("unknown")];
            if name == "x-forwarded-uri" {
                values.extend([Some("http://app.localhost/a"), Some("/a#b"), Some("/a b"), Some("*"), Some("a")]);
            }
            if name == "x-forwarded-host" {
                values.extend([Some("app.localhost,open.localhost"), Some("app.localhost:"), Some("u@app.localhost")]);
            }
            if name == "x-forwarded-method" {
                values.extend([Some("GET, POST"), Some("CONNECT")]);
            }
            for value in values {
                let mut ask = whole.clone();
                ask.headers.retain(|(other, _)| other != name);
                let ask = match value {
                    Some(value) => ask.with(name, value),
                    None => ask,
                };
                let status = send(&fixture, false, &ask).await.unwrap().status();
                // A method and a host of any name are readable; nothing is behind them.
                let readable = value == Some("unknown") && (name.ends_with("-method") || name.ends_with("-host"));
                assert!(readable || matches!(status, 400 | 403 | 405), "{way:?}: {name}: {value:?}: {status}");
            }
            if !name.ends_with("-for") {
                let twice = whole.clone().with(name, "app.localhost");
                assert!(send(&fixture, false, &twice).await.unwrap().status() >= 400, "{way:?}: {name} twice");
            }
        }
    }
    let asked = fixture.script.look(|observed| observed.asked.clone());
    assert!(asked.iter().all(|asked| asked.address.to_string() == "192.0.2.7"));
    for target in ["/", "/forward-auth/", "/ext-authz", "/anything"] {
        assert_eq!(send(&fixture, false, &ask("countersign", target)).await.unwrap().status(), 404, "{target}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_web_socket_is_one_whatever_is_left_of_its_handshake() {
    for way in WAYS {
        let fixture = bridge(true).await;
        let client = ask("app.localhost", "/ws")
            .with("cookie", SESSION)
            .with("sec-websocket-version", "13")
            .with("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        let answer = way.send(&fixture, &client).await;
        assert_eq!(answer.status(), 200, "{way:?}");
        let class = fixture.script.look(|observed| observed.asked[0].action.class);
        assert_eq!(class, ActionClass::Connect, "{way:?}");
        let foreign = client.with("origin", "https://evil.localhost");
        assert_eq!(way.send(&fixture, &foreign).await.status(), 403, "{way:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_proves_to_be_a_proxy_and_may_only_as_long_as_policy_lets() {
    let fixture = bridge(false).await;
    let client = ask("app.localhost", "/a").with("cookie", SESSION);
    let key = "cs_good_key";
    for way in WAYS {
        for keys in [vec![], vec!["cs_bad_key"], vec![""], vec![key, key], vec![key, "cs_bad_key"]] {
            let question = keys.iter().fold(way.about(&client), |ask, key| ask.with("countersign-proxy-key", key));
            let answer = send(&fixture, false, &question).await.unwrap();
            assert_eq!((answer.status(), field(&answer, "countersign-reason")), (503, "unknown-proxy"), "{keys:?}");
        }
        let own = way.about(&client).with("authorization", KEY);
        assert_eq!(send(&fixture, false, &own).await.unwrap().status(), 503, "a client's key is no proxy's");
    }
    let about_clients = |fixture: &Fixture| {
        fixture.script.look(|observed| observed.asked.iter().filter(|asked| asked.http.is_some()).count())
    };
    assert_eq!(about_clients(&fixture), 0, "nothing is decided for a stranger");
    let by_the_bridge = |fixture: &Fixture| {
        fixture.script.look(|observed| observed.asked.iter().filter(|it| it.point.channel == "bridge").count())
    };
    let before = by_the_bridge(&fixture);
    for _ in 0..3 {
        let question = Way::ForwardAuth.about(&client).with("countersign-proxy-key", key);
        assert_eq!(send(&fixture, false, &question).await.unwrap().status(), 200);
    }
    assert_eq!(by_the_bridge(&fixture), before + 1, "its permission is kept");
    let asked = fixture.script.look(|observed| observed.asked.last().cloned().unwrap());
    assert_eq!(asked.point.caller.unwrap().to_string(), "human:alice@example.org");
    fixture.script.cut();
    let question = Way::ForwardAuth.about(&client).with("countersign-proxy-key", key);
    assert_eq!(send(&fixture, false, &question).await.unwrap().status(), 200);
    assert_eq!(by_the_bridge(&fixture), before + 2, "until it is cut");
    fixture.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_is_sent_to_sign_in_and_comes_back() {
    for way in WAYS {
        let fixture = bridge(true).await;
        let client = ask("app.localhost:8443", "/wiki?page=1").with("accept", "text/html");
        let answer = way.send(&fixture, &client).await;
        assert_eq!(answer.status(), way.status(303), "{way:?}");
        let location = field(&answer, "location");
        let expect = "http://countersign.localhost/sign-in?host=app.localhost&return=/wiki%3Fpage%3D1&port=8443&nonce=";
        assert!(location.starts_with(expect), "{way:?}: {location}");
        assert!(field(&answer, "set-cookie").starts_with("__Host-countersign-nonce="), "{way:?}");

        let nonce = format!("__Host-countersign-nonce={}", "n".repeat(43));
        let back = ask("app.localhost:8443", "/.countersign/callback?code=a-one-time-code-of-length");
        let answer = way.send(&fixture, &back.with("cookie", &nonce)).await;
        let there = "https://app.localhost:8443/wiki?page=1";
        assert_eq!((answer.status(), field(&answer, "location")), (way.status(303), there), "{way:?}");
        let cookies = answer.headers().get_all("set-cookie").iter().count();
        assert_eq!(cookies, 2, "{way:?}");
        let usual = way.send(&fixture, &ask("app.localhost:443", "/").with("accept", "text/html")).await;
        assert!(field(&usual, "location").contains("&port=443&"), "{way:?}");
    }
}
