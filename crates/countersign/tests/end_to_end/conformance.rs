//! The protocols' own rules, as programmes of other makers know them: HTTP/2 frame by frame, and WebSocket byte for byte
//! beside the same connection without a gateway. The cases are in `tests/conformance`.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use countersign_testkit::TestSystem;

/// Debian's Python, which has Debian's packages.
fn python(script: &str) -> Command {
    for (module, package) in [("hpack", "python3-hpack"), ("websockets", "python3-websockets")] {
        assert!(
            Path::new("/usr/lib/python3/dist-packages").join(module).is_dir(),
            "install the Debian package {package} (or run `cargo xtask setup`)"
        );
    }
    let mut command = Command::new("/usr/bin/python3");
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/conformance").join(script));
    command
}

/// Runs the cases on a thread on which nothing else waits.
async fn passes(mut command: Command) {
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let failed: Vec<_> = told.lines().filter(|line| line.contains(": FAILED")).collect();
    assert!(output.status.success(), "{failed:#?}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(told.lines().last().unwrap().ends_with(" cases, 0 failed"));
}

fn port(test: &TestSystem) -> String {
    test.configuration.listen.http.unwrap().port().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_http2_is_refused_as_the_standard_says() {
    let test = crate::start().await;
    let mut cases = python("http2.py");
    cases.args(["127.0.0.1", &port(&test), "public.localhost", "/"]);
    passes(cases).await;
    test.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_through_the_gateway_is_the_same_websocket() {
    let mut echo = python("websocket.py").arg("serve").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(echo.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let upstream = line.trim();
    let test = TestSystem::start(&crate::estate(([127, 0, 0, 1], upstream.parse().unwrap()).into())).await;
    let key = test.key("service:backup", "human:alice", &["standard"], &["connect"]).await;
    let mut cases = python("websocket.py");
    cases.args(["check", upstream, "127.0.0.1", &port(&test), "standard.localhost"]);
    cases.env("AUTHORIZATION", format!("Bearer {key}"));
    passes(cases).await;
    test.stop().await;
    // It ends with its input.
    drop(echo.stdin.take());
    assert!(echo.wait().unwrap().success());
}
