//! Which certificate the TLS listener shows: the operator's own, or one of the internal authority, issued when a host
//! that is served is first asked for. No host that is not served gets one, so the number stays bounded.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use countersign_device::Authority;
use countersign_lease::Gate;
use countersign_model::{Clock, Timestamp};
use parking_lot::Mutex;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::configuration::TlsFiles;

/// Short enough that a lost key is a small loss, long enough that a browser's exception outlives a week.
const VALIDITY: Duration = Duration::from_secs(30 * 24 * 3600);

/// Shows the one certificate that was configured, whatever name is asked for.
#[derive(Debug)]
pub struct Configured(Arc<CertifiedKey>);

impl Configured {
    pub fn read(files: &TlsFiles) -> anyhow::Result<Self> {
        let unreadable = |path: &std::path::Path| format!("{} cannot be read", path.display());
        let chain = CertificateDer::pem_file_iter(&files.certificate)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .with_context(|| unreadable(&files.certificate))?;
        let key = PrivateKeyDer::from_pem_file(&files.key).with_context(|| unreadable(&files.key))?;
        let key = CertifiedKey::from_der(chain, key, &rustls::crypto::ring::default_provider())
            .context("the TLS certificate and its key do not belong together")?;
        Ok(Self(Arc::new(key)))
    }
}

impl ResolvesServerCert for Configured {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

/// Shows certificates of the internal authority.
pub struct Internal {
    authority: Arc<Authority>,
    gate: Gate,
    control_host: String,
    clock: Arc<dyn Clock>,
    issued: Mutex<HashMap<String, (Arc<CertifiedKey>, Timestamp)>>,
}

impl Internal {
    pub fn new(authority: Arc<Authority>, gate: Gate, control_host: String, clock: Arc<dyn Clock>) -> Self {
        Self { authority, gate, control_host, clock, issued: Mutex::default() }
    }

    fn issue(&self, host: &str, now: Timestamp) -> anyhow::Result<(Arc<CertifiedKey>, Timestamp)> {
        let issued = self.authority.issue_server(&[host.to_owned()], VALIDITY, now)?;
        let key = CertifiedKey::from_der(issued.chain, issued.key, &rustls::crypto::ring::default_provider())?;
        // Renewed when a third of its time is left.
        Ok((Arc::new(key), now.plus(VALIDITY / 3 * 2)))
    }
}

impl fmt::Debug for Internal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Internal").field("control_host", &self.control_host).finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Internal {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let host = hello.server_name().unwrap_or(&self.control_host).to_ascii_lowercase();
        if host != self.control_host && !self.gate.catalog().serves(&host) {
            return None;
        }
        let now = self.clock.now();
        let mut issued = self.issued.lock();
        if let Some((key, renew)) = issued.get(&host)
            && now < *renew
        {
            return Some(Arc::clone(key));
        }
        match self.issue(&host, now) {
            Ok((key, renew)) => {
                issued.insert(host, (Arc::clone(&key), renew));
                Some(key)
            }
            Err(error) => {
                tracing::error!(%host, %error, "no certificate could be issued");
                None
            }
        }
    }
}
