//! What asking for each request costs other proxies: each real proxy on the files under `examples`, and the same proxy on
//! the same files with nothing taken out but the question, in turns, before the same upstream.
//! `cargo bench -p countersign --bench bridge` needs what the tests need, and `wrk` (a Debian package).
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a bench may stop, and prints what it measured"
)]

#[expect(dead_code, reason = "the tests use the rest")]
#[path = "../../tests/end_to_end/proxies/edge.rs"]
mod edge;
#[path = "../../tests/end_to_end/estate.rs"]
mod estate;
#[expect(dead_code, reason = "the gateway's bench uses the rest")]
#[path = "../shared/load.rs"]
mod load;
#[expect(dead_code, reason = "the gateway's bench uses the rest")]
#[path = "../shared/nginx.rs"]
mod nginx;

use std::time::Duration;

use countersign_testkit::TestSystem;
use edge::{Asked, Edge, Kind};
use load::{Cost, Load};
use nginx::Nginx;

const CONNECTIONS: u32 = 64;
const ROUNDS: usize = 2;
const SPAN: Duration = Duration::from_secs(3);

fn main() {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    // The file comes from nginx; nobody asks its authorizer.
    let files = Nginx::start(directory.path(), 1);
    let upstream = ([127, 0, 0, 1], files.files).into();

    println!("<!-- figures -->");
    println!("| {CONNECTIONS} connections, 1 KB file | requests/s alone | asking | share | p99 ms alone | asking |");
    println!("|---|---|---|---|---|---|");
    for kind in Kind::ALL {
        let (test, asked, key) = runtime.block_on(countersign(kind));
        let load = Load::new("app.localhost", format!("Authorization: Bearer {key}"));
        let (alone, asking) = runtime.block_on(async {
            let mut alone = Edge::start_with(kind, &asked, upstream, |text| without_asking(kind, text)).await;
            alone.answers(200).await;
            let mut asking = Edge::start(kind, &asked, upstream).await;
            asking.answers(401).await;
            (alone, asking)
        });
        let mut costs = [Vec::new(), Vec::new()];
        for _ in 0..ROUNDS {
            for (edge, costs) in [&alone, &asking].into_iter().zip(&mut costs) {
                load.run(edge.address.port(), CONNECTIONS, Duration::from_secs(1));
                let recorded = test.system.ledger().size();
                let cost = load.run(edge.address.port(), CONNECTIONS, SPAN);
                let recorded = test.system.ledger().size() - recorded;
                let asks = std::ptr::eq(edge, &raw const asking);
                assert_eq!(
                    recorded >= cost.requests,
                    asks,
                    "{kind:?}: {recorded} entries for {} requests",
                    cost.requests
                );
                costs.push(cost);
            }
        }
        let [alone, asking] = costs.map(|rounds| Cost::mean(&rounds));
        println!(
            "| {} | {:.0} | {:.0} | {:.0} % | {:.1} | {:.1} |",
            name(kind),
            alone.per_second,
            asking.per_second,
            100.0 * asking.per_second / alone.per_second,
            alone.p99 * 1e3,
            asking.p99 * 1e3
        );
        runtime.block_on(test.stop());
    }
    println!(
        "\nMean of {ROUNDS} rounds in turns of {} s, HTTP/1.1 on loopback, one worker for Envoy and nginx. `wrk` (one thread, closed loop), \
         proxy, upstream and Countersign share the cores; every request of whoever asks is decided and recorded.",
        SPAN.as_secs()
    );
    println!("<!-- end of figures -->");
}

async fn countersign(kind: Kind) -> (TestSystem, Asked, String) {
    let inventory = format!(
        "[bridge]\nlisten = \"127.0.0.1:0\"\ntls = {}\n{}{}{}",
        kind.is_encrypted(),
        estate::STAFF,
        estate::enforcement_point("edge"),
        estate::application("app", "standard", estate::NOWHERE, estate::WRITTEN)
    );
    let test = TestSystem::start(&inventory).await;
    let asked = Asked::of(kind, &test).await;
    let key = test.key("service:backup", "human:alice", &["app"], &["read"]).await;
    (test, asked, key)
}

const fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Nginx => "nginx, `auth_request`",
        Kind::Caddy => "Caddy, `forward_auth`",
        Kind::Traefik => "Traefik, `forwardAuth`",
        Kind::HaProxy => "HAProxy, Lua",
        Kind::Envoy => "Envoy, `ext_authz` over gRPC",
        Kind::EnvoyHttp => "Envoy, `ext_authz` over HTTP",
        Kind::EnvoyTls => "Envoy, `ext_authz` over gRPC and TLS",
    }
}

/// The text of one of a proxy's files without the question, if it is in it.
fn without_asking(kind: Kind, text: &str) -> String {
    match kind {
        Kind::Nginx => cut(text, "            auth_request /", "            auth_request_set"),
        Kind::Caddy => cut(text, "\t\tforward_auth", "\t\treverse_proxy"),
        Kind::Traefik => text.replace("countersign, countersign-after", "countersign-after"),
        Kind::HaProxy => cut(text, "    http-request lua.", "    default_backend"),
        Kind::Envoy | Kind::EnvoyHttp | Kind::EnvoyTls => {
            let filter = "                  - name: envoy.filters.http.";
            cut(text, &format!("{filter}ext_authz"), &format!("{filter}router"))
        }
    }
}

/// Without what stands from the one to before the other.
fn cut(text: &str, from: &str, to: &str) -> String {
    let found = text.split_once(from).and_then(|(before, rest)| Some((before, rest.split_once(to)?.1)));
    found.map_or_else(|| text.to_owned(), |(before, after)| format!("{before}{to}{after}"))
}
