//! Real OpenID providers in processes of their own, and the browser of a person who signs in there. The processes end
//! with their standard input, so that none outlives a test that is killed.
#![expect(clippy::unwrap_used, clippy::panic, reason = "part of tests, which may stop")]

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use crate::provider::REDIRECT;

#[derive(Debug)]
pub struct ProviderProcess {
    pub issuer: String,
    pub client_id: String,
    pub client_secret: String,
    /// What the person fills in where the provider first shows a form.
    form: &'static str,
    child: Child,
    _stdin: ChildStdin,
    /// Kept open: a process that writes into a closed pipe ends.
    _stdout: BufReader<ChildStdout>,
    browser: Client<HttpConnector, Full<Bytes>>,
}

impl Drop for ProviderProcess {
    fn drop(&mut self) {
        // Killed is not cleaned up; its standard input, which closes after this, would come too late for us to wait.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests").join(name)
}

impl ProviderProcess {
    /// npm `oidc-provider`, a certified provider. Whoever `login_hint` names signs in, `alice` by default.
    pub fn oidc_provider() -> Self {
        let folder = folder("oidc-provider");
        assert!(
            folder.join("node_modules/oidc-provider").is_dir(),
            "the OpenID provider is not installed: run `npm ci` in tests/oidc-provider (or `cargo xtask setup`)"
        );
        let mut command = Command::new("node");
        command.args(["server.mjs", &format!("--redirect={REDIRECT}")]).current_dir(folder);
        Self::start(command, "", "Node.js 20 or later as `node`")
    }

    /// LemonLDAP::NG, an older kind: it offers `none` and `plain` and does not name itself in the callback. `rtyler`
    /// signs in.
    pub fn lemonldap_ng() -> Self {
        for (module, package) in [
            ("Lemonldap/NG/Portal.pm", "liblemonldap-ng-portal-perl"),
            ("String/Random.pm", "libstring-random-perl"),
            ("IO/String.pm", "libio-string-perl"),
        ] {
            assert!(
                Path::new("/usr/share/perl5").join(module).is_file(),
                "LemonLDAP::NG is not installed: install the Debian package {package} (or run `cargo xtask setup`)"
            );
        }
        let mut command = Command::new("perl");
        command.args(["server.pl", REDIRECT]).current_dir(folder("lemonldap-ng"));
        Self::start(command, "user=rtyler&password=rtyler", "Perl and LemonLDAP::NG 2.16")
    }

    fn start(mut command: Command, form: &'static str, needs: &str) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("this test needs {needs}: {error}"));
        let stdin = child.stdin.take().unwrap();
        // The line comes, or the process ends and the pipe with it: this does not hang.
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let told: Value = serde_json::from_str(&line)
            .unwrap_or_else(|_| panic!("the OpenID provider did not start; try it by hand: {command:?}"));
        let text = |name: &str| told.get(name).and_then(Value::as_str).unwrap().to_owned();
        Self {
            issuer: text("issuer"),
            client_id: text("client_id"),
            client_secret: text("client_secret"),
            form,
            child,
            _stdin: stdin,
            _stdout: stdout,
            browser: Client::builder(TokioExecutor::new()).build_http(),
        }
    }

    async fn send(&self, url: &str, form: Option<&str>, cookies: &BTreeMap<String, String>) -> Response<Bytes> {
        let mut request = Request::builder().method(if form.is_some() { "POST" } else { "GET" }).uri(url);
        if !cookies.is_empty() {
            let pairs: Vec<String> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header(COOKIE, pairs.join("; "));
        }
        if form.is_some_and(|form| !form.is_empty()) {
            request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        let body = Full::new(Bytes::from(form.unwrap_or_default().to_owned()));
        let response = self.browser.request(request.body(body).unwrap()).await.unwrap();
        let (head, body) = response.into_parts();
        Response::from_parts(head, body.collect().await.unwrap().to_bytes())
    }

    /// A person's browser: follows the provider's redirects, fills in its form, until it is sent back to us. The query
    /// with which it comes.
    pub async fn visit(&self, start: &str) -> String {
        let mut url = start.to_owned();
        let mut form = Some(self.form).filter(|form| !form.is_empty());
        let mut cookies = BTreeMap::new();
        for _ in 0..12 {
            if let Some(query) = url.strip_prefix(REDIRECT) {
                return query.trim_start_matches('?').to_owned();
            }
            let response = self.send(&url, form.take(), &cookies).await;
            for cookie in response.headers().get_all(SET_COOKIE) {
                let pair = cookie.to_str().unwrap().split(';').next().unwrap();
                let (name, value) = pair.split_once('=').unwrap();
                cookies.insert(name.to_owned(), value.to_owned());
            }
            let Some(location) = response.headers().get(LOCATION) else {
                panic!("{} at {url}: {}", response.status(), String::from_utf8_lossy(response.body()));
            };
            let location = location.to_str().unwrap();
            url = if location.starts_with('/') { format!("{}{location}", self.issuer) } else { location.to_owned() };
        }
        panic!("the provider redirects in circles");
    }

    /// Tells `oidc-provider` how to behave, or asks it for a logout token: see its script.
    pub async fn control(&self, path: &str) -> String {
        let response = self.send(&format!("{}{path}", self.issuer), Some(""), &BTreeMap::new()).await;
        String::from_utf8(response.into_body().to_vec()).unwrap()
    }
}
