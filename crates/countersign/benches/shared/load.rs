//! The load: `wrk`, one thread, as many connections as asked for, each with one request under way.

use std::process::Command;
use std::time::Duration;

use crate::nginx::Nginx;

#[derive(Debug)]
pub(crate) struct Load {
    host: String,
    /// The field that proves who asks.
    proof: String,
}

/// What one contender did, and what a request took of the processors, in seconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) requests: u64,
    pub(crate) per_second: f64,
    pub(crate) p99: f64,
    pub(crate) processor: f64,
}

impl Cost {
    pub(crate) fn mean(rounds: &[Self]) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "a handful")]
        let number = rounds.len() as f64;
        let mean = |of: fn(&Self) -> f64| rounds.iter().map(of).sum::<f64>() / number;
        Self {
            requests: rounds.iter().map(|cost| cost.requests).sum(),
            per_second: mean(|cost| cost.per_second),
            p99: mean(|cost| cost.p99),
            processor: mean(|cost| cost.processor),
        }
    }
}

impl Load {
    pub(crate) fn new(host: &str, proof: String) -> Self {
        Self { host: format!("Host: {host}"), proof }
    }

    pub(crate) fn measured(&self, port: u16, connections: u32, span: Duration, nginx: &Nginx) -> Cost {
        let before = nginx.processor_time();
        let mut cost = self.run(port, connections, span);
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let requests = cost.requests as f64;
        cost.processor = (nginx.processor_time() - before) / requests;
        cost
    }

    pub(crate) fn run(&self, port: u16, connections: u32, span: Duration) -> Cost {
        let ran = Command::new("wrk")
            .args(["--latency", "-t1", &format!("-c{connections}"), &format!("-d{}s", span.as_secs())])
            .args(["-H", &self.host, "-H", &self.proof, &format!("http://127.0.0.1:{port}/file")])
            .output();
        let Ok(ran) = ran else { panic!("this bench needs the program wrk; install the package wrk (Debian, Ubuntu)") };
        let said = String::from_utf8(ran.stdout).unwrap();
        assert!(ran.status.success(), "{said}{}", String::from_utf8_lossy(&ran.stderr));
        assert!(!said.contains("Non-2xx") && !said.contains("Socket errors"), "not every request was answered: {said}");
        let after = |label: &str| {
            let line = said.lines().find_map(|line| line.trim_start().strip_prefix(label));
            line.unwrap_or_else(|| panic!("wrk did not say {label}: {said}")).trim()
        };
        let requests = said.lines().find_map(|line| line.split_once(" requests in ")).unwrap().0.trim();
        Cost {
            requests: requests.parse().unwrap(),
            per_second: after("Requests/sec:").parse().unwrap(),
            p99: seconds(after("99%")),
            processor: f64::NAN,
        }
    }
}

/// As wrk writes it: `312.00us`, `4.02ms`, `1.03s`.
fn seconds(text: &str) -> f64 {
    for (unit, factor) in [("us", 1e-6), ("ms", 1e-3), ("s", 1.0)] {
        if let Some(number) = text.strip_suffix(unit).and_then(|number| number.parse::<f64>().ok()) {
            return number * factor;
        }
    }
    panic!("wrk's time {text:?} cannot be read")
}
