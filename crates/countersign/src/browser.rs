//! A browser in code: cookies by host, redirects, and the sign-in page's ceremonies answered by a passkey in software.
//! It goes through the public addresses only. For the demonstration and the tests; no person signs in with it.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context as _, anyhow, bail};
use bytes::Bytes;
use countersign_identity::software_passkey::SoftwarePasskey;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ACCEPT, CONTENT_TYPE, COOKIE, HeaderMap, LOCATION, ORIGIN, SET_COOKIE};
use hyper::{Method, Request, Response, StatusCode, Uri};
use serde_json::{Value, json};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use crate::dial::{BoxStream, Dialler, origin_of};

const MOST_REDIRECTS: usize = 12;

/// One person's browser on one device.
#[derive(Debug)]
pub struct Browser {
    dialler: Dialler,
    cookies: HashMap<String, BTreeMap<String, String>>,
    passkey: SoftwarePasskey,
}

/// What a WebSocket was answered instead of being opened.
pub type NoWebSocket = Response<Option<Vec<u8>>>;

impl Browser {
    pub fn new(dialler: Dialler) -> Self {
        Self { dialler, cookies: HashMap::new(), passkey: SoftwarePasskey::new() }
    }

    /// Follows an invitation link, makes a passkey, and is signed in at the control host afterwards.
    pub async fn enrol(&mut self, link: &str, passkey_name: &str) -> anyhow::Result<()> {
        let (page, secret) = link.split_once('#').context("an invitation link has its secret after a #")?;
        let origin = origin_of(&page.parse()?);
        let begun =
            self.post(&format!("{origin}/invite/begin"), &json!({"secret": secret, "name": passkey_name})).await?;
        let credential = self.passkey.create(begun.get("options").unwrap_or(&Value::Null), &origin)?;
        let body = json!({"ceremony": begun.get("ceremony"), "credential": credential, "name": passkey_name});
        self.post(&format!("{origin}/invite/finish"), &body).await?;
        Ok(())
    }

    /// Goes to a page as a person would: follows redirects, and signs in where it is asked to.
    pub async fn open(&mut self, url: &str) -> anyhow::Result<Response<Bytes>> {
        let mut here: Uri = url.parse()?;
        for _ in 0..MOST_REDIRECTS {
            let request = self.navigation(&here)?;
            let answer = self.dialler.fetch(request).await?;
            self.keep_cookies(&here, answer.headers());
            let there = match answer.headers().get(LOCATION) {
                Some(location) if answer.status().is_redirection() => location.to_str()?.to_owned(),
                _ if here.path() == "/sign-in" && answer.status() == StatusCode::OK => self.sign_in(&here).await?,
                _ => return Ok(answer),
            };
            here =
                if there.starts_with('/') { format!("{}{there}", origin_of(&here)).parse()? } else { there.parse()? };
        }
        bail!("{url} redirects without an end")
    }

    /// Does what the script of the sign-in page does, and says where that sends the browser.
    async fn sign_in(&mut self, page: &Uri) -> anyhow::Result<String> {
        let origin = origin_of(page);
        let mut wish = serde_json::Map::new();
        for (name, value) in pairs(page.query().unwrap_or_default()) {
            if ["host", "return", "nonce", "port", "step_up"].contains(&name.as_str()) {
                wish.insert(name, Value::String(value));
            }
        }
        let begun = self.post(&format!("{origin}/sign-in/passkey/begin"), &Value::Object(wish.clone())).await?;
        let credential = self.passkey.get(begun.get("options").unwrap_or(&Value::Null), &origin)?;
        wish.insert("ceremony".to_owned(), begun.get("ceremony").cloned().unwrap_or_default());
        wish.insert("credential".to_owned(), credential);
        let done = self.post(&format!("{origin}/sign-in/passkey/finish"), &Value::Object(wish)).await?;
        let location = done.get("location").and_then(Value::as_str);
        location.map(str::to_owned).context("the sign-in page does not say where to go")
    }

    /// What a script of the page itself sends.
    pub async fn post(&mut self, url: &str, body: &Value) -> anyhow::Result<Value> {
        let answer = self.send(Method::POST, url, Some(body)).await?;
        if !answer.status().is_success() {
            bail!("{url} answered {}: {}", answer.status(), String::from_utf8_lossy(answer.body()));
        }
        if answer.body().is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_slice(answer.body())?) }
    }

    /// One request of a script, whatever comes back.
    pub async fn send(&mut self, method: Method, url: &str, body: Option<&Value>) -> anyhow::Result<Response<Bytes>> {
        let uri: Uri = url.parse()?;
        let mut request = self.request(method, &uri).header(ACCEPT, "application/json").header(ORIGIN, origin_of(&uri));
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let bytes = body.map(Value::to_string).unwrap_or_default();
        let answer = self.dialler.fetch(request.body(Full::from(bytes))?).await?;
        self.keep_cookies(&uri, answer.headers());
        Ok(answer)
    }

    /// A download, whose body is read as it comes.
    pub async fn download(&self, url: &str) -> anyhow::Result<Response<Incoming>> {
        let uri: Uri = url.parse()?;
        self.dialler.send(self.request(Method::GET, &uri).header(ACCEPT, "*/*").body(Full::default())?).await
    }

    /// A WebSocket, opened by a page of the same origin.
    pub async fn web_socket(&self, url: &str) -> anyhow::Result<Result<WebSocketStream<BoxStream>, NoWebSocket>> {
        let uri: Uri = url.parse()?;
        let address = url.replacen("http", "ws", 1);
        let mut request = address.into_client_request()?;
        let headers = request.headers_mut();
        headers.insert(ORIGIN, origin_of(&uri).parse()?);
        if let Some(cookies) = self.cookies_for(&uri) {
            headers.insert(COOKIE, cookies.parse()?);
        }
        self.dialler.web_socket(request).await
    }

    fn navigation(&self, uri: &Uri) -> anyhow::Result<Request<Full<Bytes>>> {
        let request = self.request(Method::GET, uri).header(ACCEPT, "text/html").header("sec-fetch-mode", "navigate");
        Ok(request.header("sec-fetch-dest", "document").body(Full::default())?)
    }

    fn request(&self, method: Method, uri: &Uri) -> hyper::http::request::Builder {
        let request = Request::builder().method(method).uri(uri);
        match self.cookies_for(uri) {
            Some(cookies) => request.header(COOKIE, cookies),
            None => request,
        }
    }

    fn cookies_for(&self, uri: &Uri) -> Option<String> {
        let cookies = self.cookies.get(uri.host()?)?;
        let pairs: Vec<String> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    fn keep_cookies(&mut self, uri: &Uri, headers: &HeaderMap) {
        let jar = self.cookies.entry(uri.host().unwrap_or_default().to_owned()).or_default();
        for cookie in headers.get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok()) {
            let mut parts = cookie.split(';').map(str::trim);
            let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else { continue };
            if parts.any(|part| part.eq_ignore_ascii_case("max-age=0")) {
                jar.remove(name);
            } else {
                jar.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}

/// A query as its names and values.
fn pairs(query: &str) -> impl Iterator<Item = (String, String)> {
    query.split('&').filter_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        Some((decoded(name).ok()?, decoded(value).ok()?))
    })
}

fn decoded(text: &str) -> anyhow::Result<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        if first == b'%' {
            let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
            let digits = digits.ok_or_else(|| anyhow!("a percent sign without its digits"))?;
            bytes.push(u8::from_str_radix(digits, 16)?);
            rest = after.get(2..).unwrap_or_default();
        } else {
            bytes.push(if first == b'+' { b' ' } else { first });
            rest = after;
        }
    }
    Ok(String::from_utf8(bytes)?)
}
