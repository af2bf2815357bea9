//! The whole system in one process, on free ports, with a clock that is turned by hand: the binary's own wiring, with a
//! data directory that goes away. People, devices and programmes reach it over real HTTP and HTTPS.
#![expect(clippy::unwrap_used, reason = "part of tests, which may stop")]

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use countersign::browser::Browser;
use countersign::configuration::Configuration;
use countersign::control::Control;
use countersign::dial::{ClientIdentity, Dialler};
use countersign::laptop::Laptop;
use countersign::reload::Reloader;
use countersign::system::{Options, System};
use countersign_model::{Clock, CredentialSecret, PostureValue, Timestamp};
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::ManualClock;

/// A running Countersign and what it was started from.
#[derive(Debug)]
pub struct TestSystem {
    pub system: System,
    pub clock: Arc<ManualClock>,
    pub configuration: Configuration,
    directory: TempDir,
    https: u16,
}

impl TestSystem {
    /// Starts with a configuration file that `inventory` is the end of.
    pub async fn start(inventory: &str) -> Self {
        let directory = TempDir::new().unwrap();
        write(directory.path(), &ports(), inventory);
        Self::open(directory).await
    }

    async fn open(directory: TempDir) -> Self {
        let clock = Arc::new(ManualClock::new(machine_time()));
        let (configuration, _) = Configuration::read(&directory.path().join("countersign.toml")).unwrap();
        let options = Options {
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            // Not the process's one recorder: tests run side by side.
            metrics: PrometheusBuilder::new().build_recorder().handle(),
            drain: Duration::ZERO,
        };
        let system = System::start(&configuration, options).await.unwrap();
        let https = configuration.listen.https.unwrap().port();
        Self { system, clock, configuration, directory, https }
    }

    /// Stops in good order, and starts again on the same data.
    pub async fn restart(self) -> Self {
        let Self { system, directory, .. } = self;
        system.stop().await;
        Self::open(directory).await
    }

    /// Stops in good order; the data goes away.
    pub async fn stop(self) {
        self.system.stop().await;
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes the configuration file anew, with another end.
    pub fn rewrite(&self, inventory: &str) {
        let listen = &self.configuration.listen;
        let ports = [listen.http, listen.https, listen.operations].map(|address| address.unwrap().port());
        write(self.directory.path(), &ports, inventory);
    }

    /// Turns the clock to the machine's: before each programme that has no other, and proves itself with an instant.
    pub fn catch_up(&self) {
        self.clock.set(machine_time());
    }

    pub fn reloader(&self) -> Reloader {
        Reloader::new(self.configuration.clone())
    }

    /// The local operator.
    pub fn operator(&self) -> Control {
        Control::local(self.system.directory()).unwrap().by(Arc::clone(&self.clock) as Arc<dyn Clock>)
    }

    /// The control host over TLS.
    pub fn origin(&self) -> String {
        format!("https://{}:{}", self.configuration.control_host, self.https)
    }

    pub fn url(&self, application: &str, path: &str) -> String {
        format!("https://{application}.localhost:{}{path}", self.https)
    }

    fn authority(&self) -> String {
        std::fs::read_to_string(self.system.directory().authority_certificate()).unwrap()
    }

    pub fn dialler(&self, identity: Option<&ClientIdentity>) -> Dialler {
        Dialler::new(&self.authority(), identity).unwrap()
    }

    /// The control host as a programme with this key reaches it.
    pub fn with_key(&self, key: &str) -> Control {
        Control::remote(&self.origin(), &self.authority(), Some(CredentialSecret::new(key))).unwrap()
    }

    /// A browser in which nobody is signed in.
    pub fn browser(&self) -> Browser {
        Browser::new(self.dialler(None))
    }

    /// A person who has just made a passkey, in a browser on `device`.
    pub async fn person(&self, subject: &str, groups: &[&str], device: Option<&Laptop>) -> Browser {
        let body = json!({"subject": subject, "groups": groups, "hours": 1});
        let invited = self.operator().post("/api/v1/invitations", &body).await.unwrap();
        let (_, secret) = invited.get("link").and_then(Value::as_str).unwrap().split_once('#').unwrap();
        let identity = device.map(Laptop::identity);
        let mut browser = Browser::new(self.dialler(identity.as_ref()));
        browser.enrol(&format!("{}/invite#{secret}", self.origin()), "test").await.unwrap();
        browser
    }

    /// A managed device in good health. Its owner has to exist.
    pub async fn laptop(&self, id: &str, owner: &str) -> Laptop {
        let operator = self.operator();
        let control = Control::as_device(&self.origin(), &self.authority(), None).unwrap();
        let laptop = Laptop::enrol(&operator, control, id, owner).await.unwrap();
        operator.put(&format!("/api/v1/devices/{id}/managed"), &json!({"managed": true})).await.unwrap();
        laptop.report(Laptop::health(PostureValue::On), self.clock.now()).await.unwrap();
        laptop
    }

    /// An API key for a service.
    pub async fn key(&self, subject: &str, owner: &str, resources: &[&str], classes: &[&str]) -> String {
        let expires = self.clock.now().plus(Duration::from_secs(3600));
        let scope = json!({"resources": resources, "classes": classes});
        let body = json!({"subject": subject, "owner": owner, "scope": scope, "expires": expires});
        let made = self.operator().post("/api/v1/keys", &body).await.unwrap();
        made.get("secret").and_then(Value::as_str).unwrap().to_owned()
    }
}

fn machine_time() -> Timestamp {
    let now = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap();
    Timestamp::from_seconds(i64::try_from(now.as_secs()).unwrap())
}

/// Three ports that nobody has now.
fn ports() -> [u16; 3] {
    // Held together, so that they differ.
    let held = [(); 3].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    held.map(|listener| listener.local_addr().unwrap().port())
}

fn write(directory: &Path, ports: &[u16; 3], inventory: &str) {
    let [http, https, operations] = ports;
    let text = format!(
        "version = 1\nproofs = \"off\"\ndata_directory = \"data\"\n[listen]\nhttp = \"127.0.0.1:{http}\"\nhttps = \"127.0.0.1:{https}\"\n\
         operations = \"127.0.0.1:{operations}\"\n{inventory}"
    );
    std::fs::write(directory.join("countersign.toml"), text).unwrap();
}
