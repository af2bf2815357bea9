#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may stop")]

//! The parts as the gateway calls them: routers with the extensions set, over a real administrator with the starter
//! policies, an in-memory store and a ledger in a temporary directory.

mod api;
mod ask;
mod devices;
mod editing;
mod estate;
mod exceptions;
mod federated;
mod forms;
mod gallery;
mod pages;
mod palette;
mod remediation;
mod reviews;
mod sign_in;

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::response::Response;
use countersign_administrator::{AccountParts, Actor, Administrator, Parts, ProviderParts, Settings, SystemClock};
use countersign_device::Authority;
use countersign_govern::Estate;
use countersign_identity::passkey::{Passkeys, Url};
use countersign_identity::software_passkey::SoftwarePasskey;
use countersign_lease::{Arrival, Gate, Lease, Principal, Refusal};
use countersign_ledger::{Ledger, Options, SigningKey};
use countersign_model::{
    AccessRequest, Action, ActionClass, Clock as _, Credential, CredentialSecret, DecisionId, Device, DeviceEvidence,
    DeviceId, DeviceState, EnforcementPoint, Entitled, Fact, GroupId, HttpRequestFacts, PostureAspect, PostureValue,
    Resource, ResourceId, ResourceKind, Route, Signal, SignalKind, Source, Subject, SubjectId, SubjectState, Tier,
    Upstream,
};
use countersign_policy::{PolicySet, SourceFile, Symbols};
use countersign_store::SqliteStore;
use http::{HeaderMap, Method, Request, StatusCode, header};
use serde_json::{Value, json};
use tower::ServiceExt;

const HOST: &str = "countersign.localhost";
const ORIGIN: &str = "http://countersign.localhost:8080";
const HOSTILE: &str = "<script>alert('x')</script>\"&";

struct Stage {
    administrator: Administrator,
    estate: Estate,
    /// Stands in every name.
    mark: &'static str,
    parts: HashMap<String, Router>,
    _directory: tempfile::TempDir,
}

/// Somebody who is signed in, and what the gateway would say about them.
struct Person {
    principal: Principal,
    decision: DecisionId,
    authenticator: SoftwarePasskey,
    /// What the browser holds.
    secret: String,
    /// Kept, so that something is open.
    lease: Lease,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

fn operator() -> Actor {
    Actor { subject: SubjectId::service("local-operator").unwrap(), decision: None }
}

fn policies() -> BTreeMap<String, String> {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies");
    let paths = std::fs::read_dir(directory).unwrap().map(|file| file.unwrap().path());
    let cedar = paths.filter(|path| path.extension().is_some_and(|extension| extension == "cedar"));
    cedar
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(path).unwrap()))
        .collect()
}

fn stage() -> Stage {
    Stage::new(HOSTILE, Vec::new())
}

/// The secret of the session cookie that an answer sets.
fn session_secret(answer: &Answer) -> String {
    let cookies = answer.headers.get_all(header::SET_COOKIE).iter().map(|cookie| cookie.to_str().unwrap());
    let cookie = cookies.into_iter().find(|cookie| cookie.starts_with("__Host-countersign=")).unwrap();
    for attribute in ["; Path=/", "; Secure", "; HttpOnly", "; SameSite=Lax"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    cookie.split(['=', ';']).nth(1).unwrap().to_owned()
}

impl Stage {
    fn new(mark: &'static str, providers: Vec<ProviderParts>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let symbols = Arc::new(Symbols::default());
        let files = policies().into_iter().map(|(path, text)| SourceFile { path: path.into(), text }).collect();
        let accounts = AccountParts {
            passkeys: Some(Passkeys::new(HOST, &[Url::parse(ORIGIN).unwrap()], "Countersign").unwrap()),
            origins: vec![ORIGIN.to_owned()],
            device_authority: Some(Arc::new(Authority::create(SystemClock.now(), "test").unwrap())),
            providers,
            ..AccountParts::default()
        };
        let administrator = Administrator::start(Parts {
            store: Arc::new(SqliteStore::in_memory().unwrap()),
            ledger: Ledger::open(directory.path(), Options::new("test.example/ledger", SigningKey::from_seed([7; 32])))
                .unwrap(),
            policies: PolicySet::load(files, &symbols).unwrap_or_else(|mistakes| panic!("{mistakes}")),
            symbols,
            settings: Settings::default(),
            clock: Arc::new(SystemClock),
            accounts,
            node: "test".to_owned(),
        })
        .unwrap();
        let button = |name: String| crate::ProviderButton { label: format!("Example {name}"), name };
        let settings = crate::Settings {
            jwks: json!({ "keys": [] }),
            providers: administrator.providers().into_iter().map(button).collect(),
            configure: None,
        };
        let estate = Estate::open(&directory.path().join("estate"), administrator.clone()).unwrap();
        let parts = crate::parts(administrator.clone(), estate.clone(), settings);
        Self { administrator, estate, mark, parts, _directory: directory }
    }
}

fn nobody() -> Principal {
    Principal {
        subject: SubjectId::anonymous(),
        display_name: "nobody".to_owned(),
        email: None,
        groups: Vec::new(),
        session: None,
        device: None,
        resource: ResourceId::new("countersign-sign-in").unwrap(),
    }
}

fn arrival(decision: DecisionId) -> Arrival {
    Arrival {
        device: DeviceEvidence::Absent,
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        encrypted: false,
        scheme: "http",
        host: HOST.to_owned(),
        port: Some(8080),
        decision,
    }
}

impl Stage {
    async fn send(&self, part: &str, request: Request<Body>) -> Answer {
        let response: Response = self.parts[part].clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = to_bytes(body, 1 << 24).await.unwrap();
        Answer { status: head.status, headers: head.headers, body: String::from_utf8_lossy(&body).into_owned() }
    }

    /// As the gateway passes it on. A page's own requests carry the page's origin.
    async fn ask(
        &self,
        part: &str,
        who: Option<&Person>,
        method: Method,
        path: &str,
        body: Option<(&str, String)>,
    ) -> Answer {
        let decision = who.map_or(DecisionId::from_random(1), |who| who.decision);
        let mut request = Request::builder().method(method).uri(path).header(header::ORIGIN, ORIGIN);
        if let Some((content_type, _)) = &body {
            request = request.header(header::CONTENT_TYPE, *content_type);
        }
        let body = body.map_or_else(Body::empty, |(_, body)| Body::from(body));
        let mut request = request.body(body).unwrap();
        request.extensions_mut().insert(who.map_or_else(nobody, |who| who.principal.clone()));
        request.extensions_mut().insert(arrival(decision));
        self.send(part, request).await
    }

    async fn get(&self, part: &str, who: Option<&Person>, path: &str) -> Answer {
        self.ask(part, who, Method::GET, path, None).await
    }

    async fn json(&self, part: &str, who: Option<&Person>, method: Method, path: &str, body: Value) -> Answer {
        self.ask(part, who, method, path, Some(("application/json", body.to_string()))).await
    }

    async fn form(&self, part: &str, who: Option<&Person>, path: &str, body: &str) -> Answer {
        let body = Some(("application/x-www-form-urlencoded", body.to_owned()));
        self.ask(part, who, Method::POST, path, body).await
    }

    fn mark_or(&self, otherwise: &'static str) -> &'static str {
        if self.mark.is_empty() { otherwise } else { self.mark }
    }

    /// An owner, enrolled by invitation through the pages' own addresses and let in through the gate.
    async fn owner(&self, name: &str) -> Person {
        let id = SubjectId::human(name).unwrap();
        let subject = Subject {
            id: id.clone(),
            display_name: format!("{name} {}", self.mark).trim_end().to_owned(),
            email: Some(format!("{name}@example.org")),
            owner: None,
            acts_for: None,
            state: SubjectState::Active,
            groups: vec![GroupId::new("owners").unwrap()],
            source: Source::Administrator,
            created: self.administrator.now(),
            last_used: None,
        };
        self.administrator.put_subject(subject, &operator()).await.unwrap();
        let link = self.administrator.invite(&id, Duration::from_secs(3600), &operator()).await.unwrap();
        let begin = json!({ "secret": link.secret.expose(), "name": self.mark_or("My laptop") });
        let begun = self.json("sign-in", None, Method::POST, "/invite/begin", begin).await.json();
        let mut authenticator = SoftwarePasskey::new();
        let credential = authenticator.create(&begun["options"], ORIGIN).unwrap();
        let finish =
            json!({ "ceremony": begun["ceremony"], "credential": credential, "name": self.mark_or("My laptop") });
        let done = self.json("sign-in", None, Method::POST, "/invite/finish", finish).await;
        assert_eq!(done.status, StatusCode::OK, "{}", done.body);
        // Pages over the estate answer from its first assessment on.
        self.estate.settled().await;
        self.admit(session_secret(&done), authenticator).await
    }

    /// What the gateway asks before it passes anything on.
    async fn open(
        &self,
        credential: Credential,
        device: DeviceEvidence,
        resource: &str,
        (class, path): (ActionClass, &str),
    ) -> Result<Lease, Refusal> {
        let method = if class == ActionClass::Read { "GET" } else { "POST" };
        let resource = self.administrator.resource(&ResourceId::new(resource).unwrap());
        let host = resource.as_ref().map_or(HOST.to_owned(), |resource| resource.routes[0].host.clone());
        let request = AccessRequest {
            point: EnforcementPoint { node: "test".to_owned(), channel: "http/1.1", caller: None },
            credential,
            device,
            action: Action::http(class),
            resource: resource.map(|resource| resource.id.clone()),
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            encrypted: true,
            http: Some(HttpRequestFacts { method: method.into(), host, path: path.into() }),
        };
        Gate::new(Arc::new(self.administrator.clone())).open(request).await
    }

    async fn admit(&self, secret: String, authenticator: SoftwarePasskey) -> Person {
        let cookie = CredentialSecret::new(secret.as_str());
        let credential = Credential::SessionCookie { secret: cookie, host: HOST.to_owned() };
        let read = (ActionClass::Read, "/");
        let lease = self.open(credential, DeviceEvidence::Absent, "countersign-portal", read).await.unwrap();
        let (principal, decision) = (lease.principal().clone(), lease.decision());
        Person { principal, decision, authenticator, secret, lease }
    }

    /// The first is managed and healthy, the others are neither.
    async fn fill_devices(&self, names: &[&str]) {
        let now = self.administrator.now();
        let fact =
            |value| Fact { value, source: Source::DeviceReport, observed: now, max_age: Duration::from_secs(900) };
        for (position, name) in names.iter().enumerate() {
            let encryption = if position == 0 { PostureValue::On } else { PostureValue::Off };
            let device = Device {
                id: DeviceId::new(*name).unwrap(),
                display_name: format!("{name} {}", self.mark).trim_end().to_owned(),
                owner: SubjectId::human("alice").unwrap(),
                managed: position == 0,
                state: DeviceState::Active,
                certificate: format!("{position:064x}"),
                certificate_expires: now.plus(Duration::from_secs(86_400 * 30)),
                enrolled: now,
                posture: [
                    (PostureAspect::DiskEncryption, fact(encryption)),
                    (PostureAspect::Firewall, fact(PostureValue::On)),
                    (PostureAspect::ScreenLock, fact(PostureValue::On)),
                    (PostureAspect::Integrity, fact(PostureValue::On)),
                    (PostureAspect::PatchAge, fact(PostureValue::Days(4))),
                    (PostureAspect::OsVersion, fact(PostureValue::Version(self.mark_or("14.5").to_owned()))),
                ]
                .into(),
            };
            self.submit(SignalKind::DevicePut { device }).await;
        }
    }

    /// Every kind of thing, each with a name that wants to be markup.
    async fn fill(&self) {
        let owner = SubjectId::human("alice").unwrap();
        self.fill_devices(&["laptop", "phone <b>"]).await;
        for (name, tier) in [("Wiki", Tier::Standard), ("Payroll", Tier::CrownJewel), ("Blog", Tier::Public)] {
            let id = name.to_lowercase();
            let resource = Resource {
                id: ResourceId::new(id.as_str()).unwrap(),
                display_name: format!("{name} {}", self.mark).trim_end().to_owned(),
                kind: ResourceKind::Http,
                tier,
                segment: None,
                owner: Some(owner.clone()),
                source: Source::Administrator,
                routes: vec![Route { host: format!("{id}.localhost"), path_prefix: "/".to_owned() }],
                upstream: Upstream::Origin { url: "http://127.0.0.1:3000".to_owned(), ca: None, preserve_host: false },
                rules: Vec::new(),
                entitled: Entitled { readers: vec![GroupId::new("owners").unwrap()], ..Entitled::default() },
                observe_until: None,
            };
            self.submit(SignalKind::ResourcePut { resource }).await;
        }
    }

    async fn submit(&self, kind: SignalKind) {
        let at = self.administrator.now();
        self.administrator.submit(Signal { at, source: Source::Administrator, by: None, kind }).await.unwrap();
    }
}
