//! A device in code: a key that is made here and goes nowhere, the certificate that enrolment gave it, and posture reports
//! signed by that key. It goes through the public addresses only. For the demonstration and the tests.

use anyhow::Context as _;
use countersign_device::DeviceKey;
use countersign_device::report::{Report, sign_with_certificate};
use countersign_model::{DeviceId, PostureAspect, PostureValue, Timestamp};
use serde_json::{Value, json};

use crate::control::Control;
use crate::dial::ClientIdentity;

#[derive(Debug)]
pub struct Laptop {
    pub id: DeviceId,
    key: DeviceKey,
    certificate: String,
    /// The control host, as anybody reaches it.
    control: Control,
}

impl Laptop {
    /// Enrols with a one-time token that `operator` asks for; `control` is the control host as the device reaches it.
    pub async fn enrol(operator: &Control, control: Control, id: &str, owner: &str) -> anyhow::Result<Self> {
        let body = json!({"device": id, "owner": owner, "hours": 1});
        let invited = operator.post("/api/v1/device-enrolments", &body).await?;
        let key = DeviceKey::generate()?;
        let answer = control.post("/device/enroll", &json!({"token": invited.get("token"), "csr": key.csr()?})).await?;
        let certificate = answer.get("certificate").and_then(Value::as_str).context("enrolment gave no certificate")?;
        Ok(Self { id: DeviceId::new(id)?, key, certificate: certificate.to_owned(), control })
    }

    /// What a browser on this device shows in the TLS handshake.
    pub fn identity(&self) -> ClientIdentity {
        ClientIdentity { certificate: self.certificate.clone(), key: self.key.to_pem() }
    }

    /// Good health, but for what `firewall` says.
    pub fn health(firewall: PostureValue) -> Vec<(PostureAspect, PostureValue)> {
        use PostureAspect as A;
        vec![
            (A::PatchAge, PostureValue::Days(3)),
            (A::DiskEncryption, PostureValue::On),
            (A::Firewall, firewall),
            (A::ScreenLock, PostureValue::On),
            (A::Integrity, PostureValue::On),
        ]
    }

    /// Sends a report, signed now.
    pub async fn report(&self, facts: Vec<(PostureAspect, PostureValue)>, now: Timestamp) -> anyhow::Result<()> {
        let report = Report::new(self.id.clone(), facts, now);
        let signed = sign_with_certificate(&self.key, &self.certificate, &report)?;
        self.control.post("/device/report", &json!({"report": signed})).await?;
        Ok(())
    }
}
