//! What the process says about itself while it runs: log lines on standard error, metrics for Prometheus, and traces to
//! an OpenTelemetry collector where one is configured. No secret reaches it: what holds one does not print it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, Response};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use crate::dial::Dialler;

/// Keeps the exporter; flushes what is left when it is shut down.
#[derive(Debug)]
pub struct Telemetry {
    traces: Option<SdkTracerProvider>,
}

impl Telemetry {
    /// To be called once, on the runtime.
    pub fn start(json: bool, otlp: Option<&str>, quiet: bool) -> anyhow::Result<Self> {
        // The migrations tool tells each start what it has nothing to do for.
        let level = if quiet { "error" } else { "info,refinery_core=warn" };
        let filter = EnvFilter::try_from_env("COUNTERSIGN_LOG").unwrap_or_else(|_| EnvFilter::new(level));
        let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false);
        let lines = if json {
            lines.json().boxed()
        } else {
            lines.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).boxed()
        };
        let traces = otlp.map(exporter).transpose()?;
        let spans = traces.as_ref().map(|provider| {
            // A request's span is for traces alone, below what is logged. The exporter's own requests must not be traced,
            // or they would never end.
            let own =
                EnvFilter::new("info,countersign_gateway=debug,hyper=off,opentelemetry=off,opentelemetry_sdk=off");
            tracing_opentelemetry::layer().with_tracer(provider.tracer("countersign")).with_filter(own)
        });
        tracing_subscriber::registry()
            .with(lines.with_filter(filter))
            .with(spans)
            .try_init()
            .context("logging was set up already")?;
        Ok(Self { traces })
    }

    pub async fn stop(self) {
        if let Some(traces) = self.traces {
            // Blocks while it sends what is left.
            let _ = tokio::task::spawn_blocking(move || traces.shutdown()).await;
        }
    }
}

/// The recorder that every part counts into.
pub fn metrics() -> anyhow::Result<PrometheusHandle> {
    PrometheusBuilder::new().install_recorder().context("metrics were set up already")
}

/// Sums up what the histograms have taken: until then they keep every single value, whether anybody asks for them or
/// not. Ends with `shutdown`.
pub async fn upkeep(metrics: PrometheusHandle, shutdown: impl Future<Output = ()>) {
    let mut shutdown = std::pin::pin!(shutdown);
    let mut interval = tokio::time::interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            () = &mut shutdown => return,
            _ = interval.tick() => {}
        }
        let metrics = metrics.clone();
        // A second of a busy node is milliseconds of work: not for a thread that requests wait for. It cannot fail.
        let _ = tokio::task::spawn_blocking(move || metrics.run_upkeep()).await;
    }
}

fn exporter(endpoint: &str) -> anyhow::Result<SdkTracerProvider> {
    let client = CollectorClient {
        dialler: Arc::new(Dialler::new(&crate::control::authorities(None)?, None)?),
        runtime: tokio::runtime::Handle::current(),
    };
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_http_client(client)
        .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
        .build()
        .context("the OpenTelemetry exporter cannot be set up")?;
    let resource = Resource::builder().with_service_name("countersign").build();
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build())
}

/// Carries the exporter's requests. The exporter has a thread of its own, outside the runtime.
#[derive(Debug, Clone)]
struct CollectorClient {
    dialler: Arc<Dialler>,
    runtime: tokio::runtime::Handle,
}

#[async_trait::async_trait]
impl opentelemetry_http::HttpClient for CollectorClient {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, opentelemetry_http::HttpError> {
        let dialler = Arc::clone(&self.dialler);
        let sent = self.runtime.spawn(async move { dialler.fetch(request.map(Full::new)).await });
        Ok(sent.await??)
    }
}
