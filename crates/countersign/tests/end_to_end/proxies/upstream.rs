//! An application that serves nobody without Countersign's signed word for it, whoever stands in front, and remembers
//! what arrived.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use countersign_identity::assertion;
use countersign_model::Clock as _;
use countersign_testkit::TestSystem;
use http_body_util::{BodyExt as _, Full};
use hyper::header::UPGRADE;
use hyper::{HeaderMap, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::application;

/// One request as it arrived, served or not.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// Method and target.
    pub(crate) line: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
    pub(crate) served: bool,
}

impl Seen {
    /// The one value of a field; empty if there is none, or it is.
    pub(crate) fn one(&self, name: &str) -> &str {
        let values: Vec<_> = self.headers.get_all(name).iter().collect();
        assert!(values.len() <= 1, "{name} came more than once: {values:?}");
        values.first().map_or("", |value| value.to_str().unwrap())
    }
}

pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Upstream {
    pub(crate) async fn start(test: &TestSystem) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let key = test.system.directory().assertion_signer().unwrap().public_key().clone();
        let (issuer, clock) = (test.system.origin().to_owned(), Arc::clone(&test.clock));
        let proven = Arc::new(move |headers: &HeaderMap| {
            let mut tokens = headers.get_all("countersign-assertion").iter();
            let token = tokens.next().filter(|_| tokens.next().is_none()).and_then(|token| token.to_str().ok());
            let claims = assertion::verify(token?, &key, &issuer, "app", clock.now()).ok()?;
            // Plain and signed say the same, or somebody has written one of them.
            (headers.get("countersign-subject")?.as_bytes() == claims.sub.as_bytes()).then_some(claims.sub)
        });
        let remember = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (remember, proven) = (Arc::clone(&remember), Arc::clone(&proven));
                let service = hyper::service::service_fn(move |request: Request<hyper::body::Incoming>| {
                    let (remember, proven) = (Arc::clone(&remember), Arc::clone(&proven));
                    async move {
                        let line = format!("{} {}", request.method(), request.uri());
                        let headers = request.headers().clone();
                        let subject = proven(&headers);
                        let seen = Seen { line, headers, body: String::new(), served: subject.is_some() };
                        remember.lock().unwrap().push(seen);
                        let Some(subject) = subject else {
                            let mut response = Response::new(Full::from("who are you?").boxed_unsync());
                            *response.status_mut() = StatusCode::FORBIDDEN;
                            return Ok::<_, Infallible>(response);
                        };
                        if request.headers().contains_key(UPGRADE) {
                            return Ok(application::answer(request));
                        }
                        let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
                        if let Some(last) = remember.lock().unwrap().last_mut() {
                            last.body = String::from_utf8_lossy(&body).into_owned();
                        }
                        Ok(Response::new(Full::from(subject).boxed_unsync()))
                    }
                });
                let serving =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                tokio::spawn(serving.with_upgrades());
            }
        });
        Self { address, seen }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn forget(&self) {
        self.seen.lock().unwrap().clear();
    }
}
