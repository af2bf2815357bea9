//! An administrator with one owner, and what is needed to sign in to it.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use countersign_device::Authority;
use countersign_identity::assertion::Signer;
use countersign_identity::passkey::{Passkeys, Url};
use countersign_identity::software_passkey::SoftwarePasskey;
use countersign_lease::{Gate, Lease};
use countersign_ledger::{EntryBody, Ledger, Options, SigningKey};
use countersign_model::{
    AccessRequest, Action, ActionClass, Clock, Credential, CredentialSecret, DeviceEvidence, DeviceId,
    EnforcementPoint, GroupId, ResourceId, Source, Subject, SubjectId, SubjectKind, SubjectState, Timestamp,
};
use countersign_policy::{PolicySet, SourceFile, Symbols};
use countersign_store::{SqliteStore, Store};
use countersign_testkit::ManualClock;
use serde_json::Value;

use crate::accounts::{AccountParts, Client, ProviderParts};
use crate::sessions::{CredentialFault, Presented, Resolved};
use crate::{Actor, Administrator, Parts, Settings, SignedIn};

pub(super) const CONTROL: &str = "countersign.localhost";
/// When the tests happen.
pub(super) const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
pub(super) const ORIGIN: &str = "http://countersign.localhost:8080";

pub(super) struct House {
    pub(super) administrator: Administrator,
    pub(super) clock: Arc<ManualClock>,
    pub(super) operator: Signer,
    pub(super) store: Arc<dyn Store>,
    pub(super) ledger: Ledger,
    _directory: tempfile::TempDir,
}

/// Accounts are not what the starter policies are about, and those take a while to prove.
const POLICY: &str = r#"
@id("signed-in") @owner("test") @review_by("2030-01-01")
permit (principal is Human, action, resource) when { context has authentication };
"#;

fn policies() -> (Arc<Symbols>, PolicySet) {
    let symbols = Arc::new(Symbols::default());
    let file = SourceFile { path: PathBuf::from("test.cedar"), text: POLICY.to_owned() };
    let set = PolicySet::load(vec![file], &symbols).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    (symbols, set)
}

fn start(
    store: &Arc<dyn Store>,
    ledger: &Ledger,
    clock: &Arc<ManualClock>,
    operator: &Signer,
    providers: Vec<ProviderParts>,
) -> Administrator {
    let (symbols, policies) = policies();
    let accounts = AccountParts {
        passkeys: Some(Passkeys::new(CONTROL, &[Url::parse(ORIGIN).unwrap()], "Countersign").unwrap()),
        operator: Some(operator.public_key().clone()),
        origins: vec![ORIGIN.to_owned()],
        device_authority: Some(Arc::new(Authority::create(clock.now(), "test").unwrap())),
        providers,
    };
    Administrator::start(Parts {
        store: Arc::clone(store),
        ledger: ledger.clone(),
        symbols,
        policies,
        settings: Settings::default(),
        clock: Arc::<ManualClock>::clone(clock),
        accounts,
        node: "test".to_owned(),
    })
    .unwrap()
}

impl House {
    pub(super) async fn new() -> Self {
        Self::with_providers(NOW, Vec::new()).await
    }

    pub(super) async fn with_providers(now: Timestamp, providers: Vec<ProviderParts>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let key = SigningKey::from_seed([3; 32]);
        let ledger = Ledger::open(directory.path(), Options::new("test.example/log", key)).unwrap();
        let store: Arc<dyn Store> = Arc::new(SqliteStore::in_memory().unwrap());
        let clock = Arc::new(ManualClock::new(now));
        let operator = Signer::from_seed(&[5; 32]);
        let administrator = start(&store, &ledger, &clock, &operator, providers);
        let house = Self { administrator, clock, operator, store, ledger, _directory: directory };
        house.put(&human("olivia"), &["owners"]).await;
        house
    }

    /// The same store and ledger, with everything in memory made anew.
    pub(super) fn restart(&mut self) {
        self.administrator = start(&self.store, &self.ledger, &self.clock, &self.operator, Vec::new());
    }

    pub(super) fn turn(&self, by: Duration) {
        self.clock.advance(by);
    }

    pub(super) async fn put(&self, id: &SubjectId, groups: &[&str]) {
        self.administrator.put_subject(subject(id, groups), &actor()).await.unwrap();
    }

    /// Makes a person who has a passkey, and signs them in with it.
    pub(super) async fn person(&self, name: &str, client: &Client) -> (SoftwarePasskey, SignedIn) {
        let id = human(name);
        if self.administrator.subject(&id).is_none() {
            self.put(&id, &[]).await;
        }
        let link = self.administrator.invite(&id, Duration::from_secs(3600), &actor()).await.unwrap();
        let mut key = SoftwarePasskey::new();
        let ceremony = self.administrator.begin_enrolment(&link.secret, client).await.unwrap();
        let answer = key.create(&ceremony.options, ORIGIN).unwrap();
        let signed_in = self.administrator.finish_enrolment(&ceremony.id, &answer, "laptop", client).await.unwrap();
        (key, signed_in)
    }

    pub(super) async fn sign_in(&self, key: &mut SoftwarePasskey, client: &Client) -> SignedIn {
        let ceremony = self.administrator.begin_sign_in(client).await.unwrap();
        let answer = key.get(&ceremony.options, ORIGIN).unwrap();
        self.administrator.finish_sign_in(&ceremony.id, &answer, client).await.unwrap()
    }

    /// An enrolled device, as a connection proves it.
    pub(super) async fn device(&self, id: &str, owner: &SubjectId) -> (countersign_device::DeviceKey, String, Client) {
        let device = DeviceId::new(id).unwrap();
        let hour = Duration::from_secs(3600);
        let link = self.administrator.invite_device(owner, &device, hour, &actor()).await.unwrap();
        let key = countersign_device::DeviceKey::generate().unwrap();
        let csr = key.csr().unwrap();
        let enrolled = self.administrator.enroll_device(&link.secret, &csr, &client()).await.unwrap();
        let client = certified(&enrolled.certificate_pem);
        (key, enrolled.certificate_pem, client)
    }

    pub(super) fn cookie(
        &self,
        secret: &CredentialSecret,
        host: &str,
        client: &Client,
    ) -> Result<Resolved, CredentialFault> {
        self.resolve(&Credential::SessionCookie { secret: secret.clone(), host: host.to_owned() }, client)
    }

    pub(super) fn bearer(&self, secret: &CredentialSecret, client: &Client) -> Result<Resolved, CredentialFault> {
        self.resolve(&Credential::Bearer(secret.clone()), client)
    }

    fn resolve(&self, credential: &Credential, client: &Client) -> Result<Resolved, CredentialFault> {
        let device = self.administrator.device_of(&client.device).unwrap();
        self.administrator.0.accounts.sessions.resolve(&Presented {
            credential,
            device: device.as_ref(),
            address: client.address,
            idle: self.administrator.settings().session_idle,
            now: self.clock.now(),
        })
    }

    /// Everything recorded, oldest first.
    pub(super) async fn recorded(&self) -> Vec<EntryBody> {
        let mut entries: Vec<_> = self.ledger.scan_back(self.ledger.size()).map(|it| it.unwrap().1.body).collect();
        entries.reverse();
        entries
    }

    /// Why somebody was turned away last: method and cause.
    pub(super) async fn last_refusal(&self) -> (Option<SubjectId>, String, String) {
        let refusal = |body| match body {
            EntryBody::SignInRefused { subject, method, cause, .. } => Some((subject, method, cause)),
            _ => None,
        };
        self.recorded().await.into_iter().rev().find_map(refusal).unwrap()
    }

    /// A live access to `resource` with a session's cookie for the control host.
    pub(super) async fn open(&self, cookie: &CredentialSecret, client: &Client, resource: &str) -> Lease {
        let request = AccessRequest {
            point: EnforcementPoint { node: "test".to_owned(), channel: "http/1.1", caller: None },
            credential: Credential::SessionCookie { secret: cookie.clone(), host: CONTROL.to_owned() },
            device: client.device.clone(),
            action: Action::http(ActionClass::Read),
            resource: Some(ResourceId::new(resource).unwrap()),
            address: client.address,
            encrypted: true,
            http: None,
        };
        Gate::new(Arc::new(self.administrator.clone())).open(request).await.unwrap()
    }

    /// The verbs of the acts that were recorded.
    pub(super) async fn acts(&self) -> Vec<String> {
        let verb = |body| match body {
            EntryBody::Act(act) => Some(act.verb),
            _ => None,
        };
        self.recorded().await.into_iter().filter_map(verb).collect()
    }
}

pub(super) fn human(name: &str) -> SubjectId {
    SubjectId::human(name).unwrap()
}

pub(super) fn actor() -> Actor {
    Actor { subject: human("olivia"), decision: None }
}

pub(super) fn subject(id: &SubjectId, groups: &[&str]) -> Subject {
    Subject {
        id: id.clone(),
        display_name: id.name().to_owned(),
        email: None,
        owner: (id.kind() != SubjectKind::Human).then(|| human("olivia")),
        acts_for: None,
        state: SubjectState::Active,
        groups: groups.iter().map(|group| GroupId::new(*group).unwrap()).collect(),
        source: Source::Administrator,
        created: Timestamp::from_seconds(1),
        last_used: None,
    }
}

/// A browser without a device certificate.
pub(super) fn client() -> Client {
    Client { device: DeviceEvidence::Absent, address: IpAddr::from([127, 0, 0, 1]), decision: None }
}

pub(super) fn certified(certificate_pem: &str) -> Client {
    let fingerprint = countersign_device::fingerprint_of_pem(certificate_pem).unwrap();
    Client { device: DeviceEvidence::Certificate { fingerprint }, ..client() }
}

/// The answer to another challenge: what a replay looks like.
pub(super) fn forged(answer: &Value) -> Value {
    let mut forged = answer.clone();
    forged["response"]["signature"] = Value::from("AAAA");
    forged
}
