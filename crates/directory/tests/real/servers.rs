//! Programmes that tests start and end, and certificates for them. What is not installed is named; nothing is skipped.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

/// A server that ends with the test.
pub(crate) struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    /// Starts it and waits until it takes connections; `output` is where it says why it does not.
    pub(crate) fn start(mut command: Command, address: SocketAddr, output: &Path) -> Self {
        let file = std::fs::File::create(output).unwrap();
        // Its input stays open for as long as the test lives: Samba ends with it.
        command.stdin(Stdio::piped()).stdout(file.try_clone().unwrap()).stderr(file);
        let child = command.spawn().unwrap_or_else(|error| panic!("{}", missing(&command, &error)));
        let mut running = Self(child);
        let patience = Instant::now() + Duration::from_secs(120);
        while TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_err() {
            let said = || std::fs::read_to_string(output).unwrap_or_default();
            if let Some(status) = running.0.try_wait().unwrap() {
                panic!("the server ended with {status}: {}", said());
            }
            assert!(Instant::now() < patience, "the server does not listen at {address}: {}", said());
            std::thread::park_timeout(Duration::from_millis(50));
        }
        running
    }
}

fn missing(command: &Command, error: &std::io::Error) -> String {
    format!(
        "{:?} cannot be started ({error}). These tests need samba, samba-ad-provision, samba-dsdb-modules, ldb-tools, \
         slapd and ldap-utils, and root's right to the ports of a directory: cargo xtask setup",
        command.get_program()
    )
}

/// Runs a programme to its end, with this as its input; what it prints.
pub(crate) fn run(command: &mut Command, input: &str) -> String {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{}", missing(command, &error)));
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let mut errors = child.stderr.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut said = String::new();
        let _ = errors.read_to_string(&mut said);
        said
    });
    let output = child.wait_with_output().unwrap();
    let _ = writer.join().unwrap();
    let said = reader.join().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{command:?}: {}\n{said}\n{printed}", output.status);
    printed
}

/// A certificate for a server at this address, as files, and the authority that made it.
pub(crate) struct Certificate {
    pub(crate) authority: String,
}

impl Certificate {
    /// Writes `ca.pem`, `cert.pem` and `key.pem`.
    pub(crate) fn write(folder: &Path, names: &[String]) -> Self {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(names.to_vec()).unwrap().signed_by(&key, &issuer).unwrap();
        let authority = issuer.pem();
        for (name, text) in
            [("ca.pem", &authority), ("cert.pem", &certificate.pem()), ("key.pem", &key.serialize_pem())]
        {
            let path = folder.join(name);
            std::fs::write(&path, text).unwrap();
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
            std::fs::set_permissions(&path, mode).unwrap();
        }
        Self { authority }
    }
}
