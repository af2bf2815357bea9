//! The application under `examples/upstream`, with Debian's Python, behind the gateway and reached past it.

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use bytes::Bytes;
use countersign_testkit::TestSystem;
use http_body_util::Full;
use hyper::{Request, StatusCode};

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn ask(test: &TestSystem, url: &str, headers: &[(&str, &str)]) -> (StatusCode, String) {
    let mut request = Request::builder().uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = test.dialler(None).fetch(request.body(Full::<Bytes>::default()).unwrap()).await.unwrap();
    (answer.status(), String::from_utf8_lossy(answer.body()).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_application_serves_nobody_without_the_signed_word() {
    for (module, package) in [("jwt", "python3-jwt"), ("cryptography", "python3-cryptography")] {
        assert!(
            Path::new("/usr/lib/python3/dist-packages").join(module).is_dir(),
            "install the Debian package {package} (or run `cargo xtask setup`)"
        );
    }
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let test = TestSystem::start(&super::estate((Ipv4Addr::LOCALHOST, port).into(), false)).await;
    // It reads the clock itself.
    test.catch_up();
    let mut application = Command::new("/usr/bin/python3")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/upstream/application.py"))
        .env("ISSUER", test.system.origin())
        .env("KEYS", format!("http://{}", test.configuration.listen.http.unwrap()))
        .env("RESOURCE", "app")
        .env("PORT", port.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(application.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let _running = Running(application);
    assert_eq!(line.trim(), port.to_string());

    let key = test.key("service:backup", "human:alice", &["app"], &["read"]).await;
    let bearer = format!("Bearer {key}");
    let (status, text) = ask(&test, &test.url("app", "/"), &[("authorization", &bearer)]).await;
    assert_eq!((status, text.as_str()), (StatusCode::OK, "Hello service:backup\n"));
    // The same application under the name of another: a word for that one is none for this.
    let (status, text) = ask(&test, &test.url("open", "/"), &[]).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "{text}");
    let past = format!("http://127.0.0.1:{port}/");
    for headers in [
        vec![],
        vec![("countersign-subject", "service:backup")],
        vec![("countersign-assertion", "x.y.z")],
        vec![("countersign-assertion", "x.y.z"), ("countersign-assertion", "x.y.z")],
        vec![("authorization", bearer.as_str())],
    ] {
        let (status, text) = ask(&test, &past, &headers).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{text}");
    }
    test.stop().await;
}
