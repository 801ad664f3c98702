//! Hosts other than this machine: driven where the target file allows it, strained where the host itself consents, and
//! reached through the proxy that the environment names. The proxy of these tests is the registry.

use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use stepup::registry::{Registry, Settings, serve};
use stepup::result::{RunResult, Status};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;

/// A race that waits for no code.
const RACE: &str = "\
rule: Two tokens are made at once
level: implied
cites: [a test]
modes: [disabled]
acts:
  - at-once:
      - { perform: token-create, proof: none, must: succeed, times: 2 }
";

const LIMIT: Duration = Duration::from_secs(120);
const CONSENT: &str = "0123456789abcdef0123456789abcdef";

/// The reference registry behind a proxy whose host consents with these words.
async fn proxy(consent: &'static str) -> String {
    let registry = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let upstream = registry.local_addr().expect("an address");
    tokio::spawn(serve(registry, Registry::new(Settings::new(Arc::new(SystemTime::now))), std::future::pending()));
    let front = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = format!("http://{}", front.local_addr().expect("an address"));
    tokio::spawn(async move {
        while let Ok((mut client, _)) = front.accept().await {
            tokio::spawn(async move {
                let mut first = [0; 4096];
                let read = client.read(&mut first).await.unwrap_or_default();
                if first.starts_with(b"GET http://registry.example.test/.well-known/stepup-load ")
                    && !consent.is_empty()
                {
                    let answer = format!(
                        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{consent}",
                        consent.len()
                    );
                    let _ = client.write_all(answer.as_bytes()).await;
                    return;
                }
                let mut upstream = TcpStream::connect(upstream).await.expect("the registry listens");
                let _ = upstream.write_all(&first[..read]).await;
                let _ = tokio::io::copy_bidirectional(&mut client, &mut upstream).await;
            });
        }
    });
    address
}

async fn check(folder: &Path, proxy: &str, target: &str, cases: &str) -> (Option<i32>, String, Option<RunResult>) {
    let file = folder.join("mine.yaml");
    std::fs::write(&file, target).expect("written");
    std::fs::write(folder.join("race.yaml"), RACE).expect("written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_stepup"));
    command
        .arg("check")
        .arg("--target")
        .arg(&file)
        .args(["--scenario", "race.yaml", "--case", cases, "--out", "out"])
        .current_dir(folder);
    // A run that is made to end early leaves its keyring here.
    command
        .env("XDG_STATE_HOME", folder.join("state"))
        .env("HTTP_PROXY", proxy)
        .env("http_proxy", proxy)
        .env_remove("NO_PROXY");
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let Output { status, stdout, stderr } =
        tokio::time::timeout(LIMIT, command.output()).await.expect("it ends").expect("stepup starts");
    let result = std::fs::read_to_string(folder.join("out/result.json")).ok();
    let result = result.map(|text| serde_json::from_str(&text).expect("a result"));
    (status.code(), String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr), result)
}

fn target(allow: &str) -> String {
    format!("name: mine\nstart: running\nbase: http://registry.example.test/\n{allow}")
}

#[tokio::test(flavor = "multi_thread")]
async fn another_host_is_driven_where_the_target_file_allows_it_and_through_the_proxy() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let proxy = proxy("").await;
    for (allow, seen) in [
        ("", "does not allow it"),
        ("allow: { host: example.test, what: [check] }\n", "`allow` is for `example.test`"),
        ("allow: { host: registry.example.test, what: [load] }\n", "`check` is not allowed"),
    ] {
        let (code, said, result) = check(folder.path(), &proxy, &target(allow), "disabled/publish/*").await;
        assert_eq!((code, result), (Some(2), None), "{said}");
        let said = said.replace("\n  │ ", " ");
        assert!(said.contains("mine.yaml:3:7") && said.contains(seen), "{said}");
    }
    let allow = "allow: { host: registry.example.test, what: [check] }\n";
    let (code, said, result) = check(folder.path(), &proxy, &target(allow), "disabled/publish/*").await;
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(result.expect("a result").cases[0].status, Status::Pass, "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn races_are_run_where_the_host_itself_consents() {
    let allow = format!("allow: {{ host: registry.example.test, what: [check], consent: {CONSENT} }}\n");
    for (served, stated, why) in [
        ("", allow.as_str(), "is answered 404"),
        ("another text of some length", &allow, "serves another text"),
        (CONSENT, "allow: { host: registry.example.test, what: [check] }\n", "states no `consent`"),
        (CONSENT, &allow, ""),
    ] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let proxy = proxy(served).await;
        let (_, said, result) = check(folder.path(), &proxy, &target(stated), "race/*").await;
        let result = result.unwrap_or_else(|| panic!("{said}"));
        let case = &result.cases[0];
        if why.is_empty() {
            assert!(case.status != Status::Skipped && !case.probes.is_empty(), "{said}");
        } else {
            assert!(case.status == Status::Skipped && case.observed.contains(why), "{why}: {}", case.observed);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn this_machines_registries_are_reached_past_any_proxy() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let registry = proxy("").await;
    // Nobody listens where this proxy is said to be.
    let nobody = TcpListener::bind("127.0.0.1:0").await.expect("a free port").local_addr().expect("an address");
    let text = format!("name: mine\nstart: running\nbase: {registry}\n");
    let (code, said, _) = check(folder.path(), &format!("http://{nobody}"), &text, "disabled/publish/*").await;
    assert_eq!(code, Some(0), "{said}");
}
