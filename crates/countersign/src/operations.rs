//! The operations listener, on loopback: metrics for Prometheus, those of the newest assessment of the estate among them, and
//! whether the process lives and may be sent requests. Nothing here needs a decision, because nothing here tells who does what.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use countersign_administrator::Administrator;
use countersign_govern::Estate;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;

#[derive(Debug)]
pub struct Operations {
    listener: TcpListener,
    address: SocketAddr,
}

impl Operations {
    pub async fn bind(address: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| {
                format!("cannot listen on {address} (listen.operations in the configuration): stop what does, or choose another port")
            })?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    pub async fn serve(
        self,
        (administrator, estate): (Administrator, Estate),
        metrics: PrometheusHandle,
        shutdown: impl Future<Output = ()>,
    ) {
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            let accepted = tokio::select! {
                () = &mut shutdown => return,
                accepted = self.listener.accept() => accepted,
            };
            let Ok((stream, _)) = accepted else {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            let (administrator, estate, metrics) = (administrator.clone(), estate.clone(), metrics.clone());
            let service = hyper::service::service_fn(move |request: Request<Incoming>| {
                let answer = answer(&request, &administrator, &estate, &metrics);
                async move { Ok::<_, Infallible>(answer) }
            });
            tokio::spawn(async move {
                let connection = hyper::server::conn::http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(Duration::from_secs(5))
                    .serve_connection(TokioIo::new(stream), service);
                // A client that goes away in the middle is not our concern.
                let _ = connection.await;
            });
        }
    }
}

fn answer(
    request: &Request<Incoming>,
    administrator: &Administrator,
    estate: &Estate,
    metrics: &PrometheusHandle,
) -> Response<Full<Bytes>> {
    let (status, text) = match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/healthz") => (StatusCode::OK, "alive\n".to_owned()),
        (&Method::GET | &Method::HEAD, "/readyz") => {
            match if administrator.ready() { None } else { Some("the ledger takes no entries, or it is stopping") } {
                None => (StatusCode::OK, "ready\n".to_owned()),
                Some(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {reason}\n")),
            }
        }
        (&Method::GET | &Method::HEAD, "/metrics") => (StatusCode::OK, metrics.render() + &assessed(estate)),
        (&Method::GET | &Method::HEAD, _) => {
            (StatusCode::NOT_FOUND, "here are /metrics, /healthz and /readyz\n".to_owned())
        }
        _ => (StatusCode::METHOD_NOT_ALLOWED, "only GET\n".to_owned()),
    };
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"));
    headers.insert(CACHE_CONTROL, hyper::header::HeaderValue::from_static("no-store"));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(ALLOW, hyper::header::HeaderValue::from_static("GET, HEAD"));
    }
    response
}

/// The figures of the newest assessment, and when it was; nothing before the first. Figures of areas, tiers and segments: none is
/// of somebody.
fn assessed(estate: &Estate) -> String {
    const WHEN: &str = "countersign_assessment_timestamp_seconds";
    let Some(assessed) = estate.assessed() else { return String::new() };
    let at = assessed.as_of.millis() / 1000;
    let when = format!("# HELP {WHEN} When the estate was assessed last\n# TYPE {WHEN} gauge\n{WHEN} {at}\n");
    when + &countersign_assess::prometheus(&assessed.metrics)
}
