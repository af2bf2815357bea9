//! Who asks, and from what: people with passkeys, laptops with keys of their own, a service with an API key. All of them
//! came in through the door that anybody uses.

use anyhow::Context as _;
use countersign_administrator::SystemClock;
use countersign_model::{Clock as _, PostureValue};
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::configuration::Configuration;
use crate::control::Control;
use crate::dial::Dialler;
use crate::laptop::Laptop;
use crate::system::System;

pub(super) struct Cast {
    /// Where applications are found: `https://`, and the port.
    port: u16,
    domain: String,
    /// In finance, on a managed laptop that reports good health.
    pub(super) alice: Browser,
    /// The same person on a machine that nobody manages.
    pub(super) alice_at_home: Browser,
    /// In staff only.
    pub(super) bob: Browser,
    /// In finance, on a laptop that has enrolled and is not managed yet.
    pub(super) carol: Browser,
    /// Nobody who is known.
    pub(super) stranger: Browser,
    /// The service's key: payroll, read.
    pub(super) key: String,
    pub(super) laptop: Laptop,
    pub(super) dialler: Dialler,
}

impl Cast {
    pub(super) async fn assemble(
        operator: &Control,
        configuration: &Configuration,
        system: &System,
    ) -> anyhow::Result<Self> {
        let authority = std::fs::read_to_string(system.directory().authority_certificate())?;
        // The TLS listener is the last.
        let port = system.addresses().last().context("the demonstration needs its TLS listener")?.port();
        let origin = format!("https://{}:{port}", configuration.control_host);
        let plain = Dialler::new(&authority, None)?;
        let device_control = || Control::as_device(&origin, &authority, None);

        let laptop = Laptop::enrol(operator, device_control()?, "alice-laptop", "human:alice@example.org").await?;
        operator.put("/api/v1/devices/alice-laptop/managed", &json!({"managed": true})).await?;
        laptop.report(Laptop::health(PostureValue::On), SystemClock.now()).await?;
        let new_laptop = Laptop::enrol(operator, device_control()?, "carol-laptop", "human:carol@example.org").await?;
        new_laptop.report(Laptop::health(PostureValue::On), SystemClock.now()).await?;

        let mut alice = Browser::new(Dialler::new(&authority, Some(&laptop.identity()))?);
        let mut alice_at_home = Browser::new(plain.clone());
        let mut bob = Browser::new(plain.clone());
        let mut carol = Browser::new(Dialler::new(&authority, Some(&new_laptop.identity()))?);
        for (browser, subject) in [
            (&mut alice, "human:alice@example.org"),
            (&mut alice_at_home, "human:alice@example.org"),
            (&mut bob, "human:bob@example.org"),
            (&mut carol, "human:carol@example.org"),
        ] {
            let invited = operator.post("/api/v1/invitations", &json!({"subject": subject, "hours": 1})).await?;
            let link = invited.get("link").and_then(Value::as_str).context("the invitation has no link")?;
            let (_, secret) = link.split_once('#').context("the invitation has no secret")?;
            browser.enrol(&format!("{origin}/invite#{secret}"), "demonstration").await?;
        }

        let expires = SystemClock.now().plus(std::time::Duration::from_secs(3600));
        let body = json!({
            "subject": "service:reporting", "owner": "human:alice@example.org",
            "scope": {"resources": ["payroll", "vault"], "classes": ["read"]}, "expires": expires,
        });
        let made = operator.post("/api/v1/keys", &body).await?;
        let key = made.get("secret").and_then(Value::as_str).context("the API key was not shown")?.to_owned();
        let stranger = Browser::new(plain.clone());
        let domain = configuration.domain.clone();
        Ok(Self { port, domain, alice, alice_at_home, bob, carol, stranger, key, laptop, dialler: plain })
    }

    pub(super) fn url(&self, application: &str, path: &str) -> String {
        format!("https://{application}.{}:{}{path}", self.domain, self.port)
    }
}
