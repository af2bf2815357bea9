//! What a decision for every request costs: one gateway that decides and records each, the same gateway with a gate
//! that always admits, and nginx as plain proxy and with `auth_request`, in turns, before the same upstream.
//! `cargo bench -p countersign --bench gateway` needs `nginx` and `wrk` (Debian packages nginx-light and wrk).
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a bench may stop, and prints what it measured"
)]

mod always;
mod authorizer;
#[path = "../shared/estate.rs"]
mod estate;
#[path = "../shared/load.rs"]
mod load;
#[path = "../shared/nginx.rs"]
mod nginx;

use std::sync::Arc;
use std::time::Duration;

use always::Always;
use countersign::telemetry;
use countersign_identity::secret;
use countersign_model::Upstream;
use load::{Cost, Load};
use nginx::Nginx;

const CONNECTIONS: [u32; 2] = [64, 256];
const ROUNDS: usize = 2;
const SPAN: Duration = Duration::from_secs(4);
/// For the gate that always admits: every lease takes one.
const RECEIPTS: usize = 500_000;

fn main() {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (cookie, hash) = secret::generate();
    let authorizer = runtime.block_on(authorizer::serve(hash));
    let nginx = Nginx::start(directory.path(), authorizer);
    let load = Load::new(estate::HOST, format!("Cookie: __Host-countersign={}", cookie.expose()));
    let _logging = runtime.block_on(async { telemetry::Telemetry::start(false, None, true).unwrap() });
    runtime.spawn(telemetry::upkeep(telemetry::metrics().unwrap(), std::future::pending()));

    let url = format!("http://127.0.0.1:{}", nginx.files);
    let upstream = Upstream::Origin { url, ca: None, preserve_host: false };
    let administrator = estate::administrator(directory.path(), upstream, *hash.as_bytes());
    let ledger = administrator.ledger().clone();
    let running = administrator.clone();
    runtime.spawn(async move { running.run(std::future::pending()).await });
    let always = Always::new(directory.path(), administrator.catalog(), RECEIPTS);
    let contenders = [
        (
            "(a) Countersign, each request decided and recorded",
            runtime.block_on(estate::gateway(Arc::new(administrator), Default::default())),
        ),
        (
            "(b) the same gateway, always admitted",
            runtime.block_on(estate::gateway(Arc::new(always), Default::default())),
        ),
        ("(c) nginx, plain proxy", nginx.plain),
        ("(d) nginx, `auth_request` to an authorizer that looks up the cookie", nginx.asking),
    ];

    println!("<!-- figures -->");
    println!("| 1 KB file | connections | requests/s | p99 ms | CPU µs per request |");
    println!("|---|---|---|---|---|");
    let mut ratios = String::new();
    for connections in CONNECTIONS {
        let mut costs = contenders.map(|_| Vec::new());
        for _ in 0..ROUNDS {
            for ((name, port), costs) in contenders.iter().zip(&mut costs) {
                load.run(*port, connections, Duration::from_secs(1));
                let recorded = ledger.size();
                let cost = load.measured(*port, connections, SPAN, &nginx);
                let recorded = ledger.size() - recorded;
                assert!(!name.starts_with("(a)") || recorded >= cost.requests, "an access without a record");
                costs.push(cost);
            }
        }
        let costs = costs.map(|rounds| Cost::mean(&rounds));
        for ((name, _), cost) in contenders.iter().zip(&costs) {
            println!(
                "| {name} | {connections} | {:.0} | {:.1} | {:.0} |",
                cost.per_second,
                cost.p99 * 1e3,
                cost.processor * 1e6
            );
        }
        let [decided, admitted, plain, asking] = costs;
        for (name, other) in [("(a)/(b)", admitted), ("(a)/(d)", asking), ("(a)/(c)", plain)] {
            let share = 100.0 * decided.per_second / other.per_second;
            let budget = match name {
                "(a)/(b)" => "≥ 85 %",
                "(a)/(d)" => "> 100 %",
                _ => "",
            };
            let processor = 100.0 * other.processor / decided.processor;
            ratios += &format!("| {name} | {connections} | {share:.0} % | {processor:.0} % | {budget} |\n");
        }
    }
    println!("\n| ratio | connections | requests/s | requests per CPU second | budget |");
    println!("|---|---|---|---|---|");
    println!("{ratios}");
    println!(
        "Mean of {ROUNDS} rounds in turns of {} s, HTTP/1.1 without TLS on loopback. `wrk` (one thread, closed loop) shares \
         the cores with what it measures; CPU is that of everything but `wrk`: gateway, ledger, nginx, authorizer.",
        SPAN.as_secs()
    );
    println!("<!-- end of figures -->");
}
