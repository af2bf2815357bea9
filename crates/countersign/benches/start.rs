//! From `countersign up` in an empty directory to `/readyz` saying so: keys, store, ledger, policies, built-in
//! resources, listeners. `cargo bench -p countersign --bench start`
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench may stop, and prints what it measured")]

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const STARTS: usize = 10;

fn main() {
    let empty = (0..STARTS).map(|_| start(tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap().path()));
    let mut empty: Vec<Duration> = empty.collect();
    let same = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    start(same.path());
    let mut again: Vec<Duration> = (0..STARTS).map(|_| start(same.path())).collect();

    println!("<!-- figures -->");
    println!("| `countersign up` to `/readyz` 200, {STARTS} starts | median ms | slowest ms | budget ms |");
    println!("|---|---|---|---|");
    for (name, times, budget) in [("empty directory", &mut empty, "1000"), ("the same directory again", &mut again, "")]
    {
        times.sort_unstable();
        let at = |place: usize| times.get(place).unwrap().as_secs_f64() * 1e3;
        println!("| {name} | {:.0} | {:.0} | {budget} |", at(STARTS / 2), at(STARTS - 1));
    }
    println!("<!-- end of figures -->");
}

fn start(directory: &std::path::Path) -> Duration {
    let operations = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let configuration = directory.join("countersign.toml");
    let listen = format!(
        "version = 1\n[listen]\nhttp = \"127.0.0.1:0\"\nhttps = \"127.0.0.1:0\"\noperations = \"{operations}\"\n"
    );
    std::fs::write(&configuration, listen).unwrap();
    let began = Instant::now();
    let mut running = Command::new(env!("CARGO_BIN_EXE_countersign"))
        .current_dir(directory)
        .arg("up")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while !ready(operations) {
        assert!(running.try_wait().unwrap().is_none(), "countersign up has stopped");
        assert!(began.elapsed() < Duration::from_secs(60), "countersign up does not become ready");
        std::thread::sleep(Duration::from_millis(1));
    }
    let took = began.elapsed();
    // In an orderly way: the next start in this directory recovers nothing.
    assert!(Command::new("kill").arg(running.id().to_string()).status().unwrap().success());
    running.wait().unwrap();
    took
}

fn ready(operations: std::net::SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect(operations) else { return false };
    let asked = stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    let mut answer = String::new();
    asked.is_ok() && stream.read_to_string(&mut answer).is_ok() && answer.starts_with("HTTP/1.1 200")
}
