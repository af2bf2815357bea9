//! `device`: devices as the server knows them, and this device as it enrols and reports.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use countersign_administrator::SystemClock;
use countersign_device::report::{Report, sign_with_certificate};
use countersign_device::{DeviceKey, collector};
use countersign_model::{Clock as _, DeviceId, PostureAspect, PostureValue, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Misused;
use super::answer::{all, cell, detail, done, encoded, show};
use super::files::{data_directory, hours, span};
use crate::command_line::{Device, DeviceEnroll, DeviceRenew, DeviceReport, Global};
use crate::control::{Control, authorities};
use crate::data_directory::replace;
use crate::dial::ClientIdentity;
use crate::terminal::{Table, Terminal, Tone};

/// What enrolment leaves on the device, beside its key and certificate.
#[derive(Debug, Serialize, Deserialize)]
struct Enrolled {
    device: DeviceId,
    server: String,
    /// When its certificate ends.
    expires: Timestamp,
}

/// How long before its certificate ends a device asks for the next one: a third of its life.
const RENEWAL: Duration = Duration::from_secs(10 * 24 * 3600);

pub(super) async fn device(global: &Global, command: Device, terminal: &Terminal) -> anyhow::Result<()> {
    let control = || -> anyhow::Result<Control> { Control::from_options(global, &data_directory(global, terminal)?) };
    let at = |id: &DeviceId| format!("/api/v1/devices/{}", encoded(id));
    match command {
        Device::Enroll(options) => enroll(global, &options, terminal).await,
        Device::Report(options) => report(&options, terminal).await,
        Device::Renew(options) => renew(&options, terminal).await,
        Device::List => {
            let columns = [
                ("device", "/id"),
                ("owner", "/owner"),
                ("managed", "/managed"),
                ("compliant", "/compliant"),
                ("findings", "/findings"),
                ("revoked", "/revoked"),
                ("certificate until", "/certificate_expires"),
            ];
            show(terminal, "devices", &all(&control()?, "/api/v1/devices", 5000).await?, &columns)
        }
        Device::Show { id } => detail(terminal, &control()?.get(&at(&id)).await?),
        Device::Invite { id, owner, valid } => {
            let hours = hours(&valid)?;
            let body = json!({"owner": owner, "device": id, "hours": hours});
            let control = control()?;
            let answer = control.post("/api/v1/device-enrolments", &body).await?;
            if terminal.json {
                return terminal.json(&answer);
            }
            terminal.note(format!("{id} enrols with this token, once, until {}:", cell(&answer, "/expires")));
            terminal.line(answer.get("token").and_then(Value::as_str).unwrap_or_default());
            Ok(())
        }
        Device::Manage { id, stop } => {
            let answer = control()?.put(&format!("{}/managed", at(&id)), &json!({"managed": !stop})).await?;
            done(terminal, &answer, format!("{id} is {}", if stop { "in quarantine" } else { "managed" }))
        }
        Device::Revoke { id } => {
            let answer = control()?.delete(&at(&id)).await?;
            done(
                terminal,
                &answer,
                format!("{id} is revoked: its certificate proves nothing any more, its connections have ended"),
            )
        }
    }
}

async fn enroll(global: &Global, options: &DeviceEnroll, terminal: &Terminal) -> anyhow::Result<()> {
    let directory = &options.identity;
    if directory.join("key.pem").exists() {
        bail!("{} holds a device identity already: choose another with --identity", directory.display());
    }
    std::fs::create_dir_all(directory)?;
    let control = Control::as_device(&options.url, &authorities(global.ca.as_deref())?, None)?;
    let key = DeviceKey::generate()?;
    let answer = control.post("/device/enroll", &json!({"token": options.token, "csr": key.csr()?})).await?;
    replace(&directory.join("key.pem"), key.to_pem().as_bytes())?;
    let Enrolled { device, expires, .. } = keep(directory, control.origin(), &answer)?;
    if terminal.json {
        return terminal.json(&json!({"device": device, "identity": directory, "expires": expires}));
    }
    terminal
        .line(format!("{device} is enrolled. Its key and certificate are in {} and stay there", directory.display()));
    terminal.line(
        "next: `countersign device report`; an administrator takes it into management with `countersign device manage`",
    );
    Ok(())
}

/// Writes down what the server answered to a request for a certificate.
fn keep(directory: &Path, server: &str, answer: &Value) -> anyhow::Result<Enrolled> {
    let text = |name: &str| {
        answer.get(name).and_then(Value::as_str).with_context(|| format!("the server's answer lacks {name}"))
    };
    let enrolled = Enrolled {
        device: DeviceId::new(text("device")?)?,
        server: server.to_owned(),
        expires: text("expires")?.parse()?,
    };
    replace(&directory.join("certificate.pem"), text("certificate")?.as_bytes())?;
    replace(&directory.join("authority.pem"), text("authority")?.as_bytes())?;
    replace(&directory.join("device.json"), &serde_json::to_vec_pretty(&enrolled)?)?;
    Ok(enrolled)
}

async fn renew(options: &DeviceRenew, terminal: &Terminal) -> anyhow::Result<()> {
    let Enrolled { device, expires, .. } = renew_now(&options.identity, &enrolled(&options.identity)?).await?;
    let answer = json!({"device": device, "expires": expires});
    done(terminal, &answer, format!("{device} has a new certificate, until {expires}"))
}

/// The present certificate proves in the handshake who asks, and counts for nothing once the answer is there.
async fn renew_now(directory: &Path, enrolled: &Enrolled) -> anyhow::Result<Enrolled> {
    if !enrolled.server.starts_with("https://") {
        bail!(
            "{} was enrolled at {}: a certificate proves itself over https only. Enrol it there",
            enrolled.device,
            enrolled.server
        );
    }
    let identity =
        ClientIdentity { certificate: read(directory, "certificate.pem")?, key: read(directory, "key.pem")? };
    let csr = DeviceKey::from_pem(&identity.key)?.csr()?;
    let control = Control::as_device(&enrolled.server, &read(directory, "authority.pem")?, Some(&identity))?;
    let answer = control.post("/device/renew", &json!({"csr": csr})).await?;
    keep(directory, &enrolled.server, &answer)
}

async fn report(options: &DeviceReport, terminal: &Terminal) -> anyhow::Result<()> {
    let every = options.every.as_deref().map(span).transpose()?;
    loop {
        report_once(options, terminal).await?;
        match every {
            Some(every) => tokio::time::sleep(every).await,
            None => return Ok(()),
        }
    }
}

async fn report_once(options: &DeviceReport, terminal: &Terminal) -> anyhow::Result<()> {
    let directory = &options.identity;
    let mut enrolled = enrolled(directory)?;
    let now = SystemClock.now();
    let mut facts: std::collections::BTreeMap<PostureAspect, PostureValue> =
        collector::collect(now).into_iter().collect();
    for setting in &options.set {
        let (aspect, value) = aspect(setting)?;
        facts.insert(aspect, value);
    }
    let report = Report::new(enrolled.device.clone(), facts.into_iter().collect(), now);
    if !terminal.json {
        let mut table = Table::new("facts could be found", &["aspect", "value"]);
        for (aspect, value) in &report.facts {
            table.row([aspect.name().to_owned(), words(value)]);
        }
        terminal.table(&table);
    }
    if options.dry_run {
        return Ok(());
    }
    if enrolled.expires < now.plus(RENEWAL) {
        // The report goes out all the same: the present certificate may be good for days.
        match renew_now(directory, &enrolled).await {
            Ok(renewed) => enrolled = renewed,
            Err(error) => terminal.note(format!(
                "{} the certificate ends {} and is not renewed: {error:#}",
                terminal.paint(Tone::Attention, "warning:"),
                enrolled.expires
            )),
        }
    }
    let key = DeviceKey::from_pem(&read(directory, "key.pem")?)?;
    let certificate = read(directory, "certificate.pem")?;
    let signed = sign_with_certificate(&key, &certificate, &report)?;
    let control = Control::as_device(&enrolled.server, &read(directory, "authority.pem")?, None)?;
    let answer = control.post("/device/report", &json!({"report": signed})).await?;
    done(terminal, &answer, format!("reported by {}", enrolled.device))
}

fn enrolled(directory: &Path) -> anyhow::Result<Enrolled> {
    Ok(serde_json::from_str(&read(directory, "device.json")?)?)
}

fn read(directory: &Path, name: &str) -> anyhow::Result<String> {
    let path = directory.join(name);
    std::fs::read_to_string(&path).with_context(|| {
        format!("{} cannot be read: has this device been enrolled (`countersign device enroll`)?", path.display())
    })
}

/// `firewall=off`, `patch-age=12`, `os-version=14.2`.
pub(crate) fn aspect(setting: &str) -> anyhow::Result<(PostureAspect, PostureValue)> {
    let names = || PostureAspect::ALL.map(PostureAspect::name).join(", ");
    let (name, value) = setting.split_once('=').with_context(|| Misused(format!("{setting:?}: write ASPECT=VALUE")))?;
    let aspect = PostureAspect::ALL
        .into_iter()
        .find(|aspect| aspect.name() == name)
        .with_context(|| Misused(format!("{name:?} is none of {}", names())))?;
    let value = match (aspect, value) {
        (PostureAspect::PatchAge, days) => {
            PostureValue::Days(days.parse().with_context(|| Misused(format!("{days:?} is no number of days")))?)
        }
        (PostureAspect::OsVersion, version) => PostureValue::Version(version.to_owned()),
        (_, "on") => PostureValue::On,
        (_, "off") => PostureValue::Off,
        (_, other) => return Err(Misused(format!("{name} is on or off, not {other:?}")).into()),
    };
    Ok((aspect, value))
}

fn words(value: &PostureValue) -> String {
    match value {
        PostureValue::On => "on".to_owned(),
        PostureValue::Off => "off".to_owned(),
        PostureValue::Days(days) => format!("{days} days"),
        PostureValue::Version(version) => version.clone(),
    }
}
