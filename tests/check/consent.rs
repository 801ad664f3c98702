//! Hosts other than this machine: driven where the target file allows it, strained where the host itself consents, and
//! reached through the proxy that the environment names. The proxy of these tests is the registry.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use stepup::load::passphrase::Whence;
use stepup::load::run;
use stepup::load::session::{For, Options, Resolver, Session, Unready};
use stepup::registry::{Registry, Seeded, Settings, serve};
use stepup::result::{RunResult, Status};
use stepup::source::Source;
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
    format!("http://{}", front(consent).await.0)
}

/// As [`proxy`], with the registry, some of whose users follow from a seed.
async fn front(consent: &'static str) -> (SocketAddr, Registry) {
    let registry = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let upstream = registry.local_addr().expect("an address");
    let mut settings = Settings::new(Arc::new(SystemTime::now));
    settings.seeded = Some(Seeded::new(&[7; 32], 500));
    let served = Registry::new(settings);
    tokio::spawn(serve(registry, served.clone(), std::future::pending()));
    let front = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = front.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut client, _)) = front.accept().await {
            tokio::spawn(async move {
                let mut first = [0; 4096];
                let read = client.read(&mut first).await.unwrap_or_default();
                let asked = [
                    &b"GET http://registry.example.test/.well-known/stepup-load "[..],
                    b"GET /.well-known/stepup-load ",
                ];
                if asked.iter().any(|asked| first.starts_with(asked)) && !consent.is_empty() {
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
    (address, served)
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

const PROFILE: &str = "
name: short
action: profile-set:fullname
pace: [{ constant: { rate: 100/s, for: 300 ms } }]
arrivals: even
connections: 4
capacity: { from: 5/s, up-to: 10/s, probe: 200 ms, confirm: 200 ms, arrivals: 1, repeats: 1 }
valid: { lateness-p99: 5 s }
objectives: [success >= 99 %]
";

/// A pool whose users the registry behind [`front`] has.
fn pool(folder: &Path) -> PathBuf {
    let lines = [
        serde_json::json!({ "pool": { "format": "stepup/pool/1", "target": "mine", "base": null } }),
        serde_json::json!({ "seeded": { "seed": "07".repeat(32), "users": 500 } }),
    ];
    let path = folder.join("pool.jsonl");
    std::fs::write(&path, lines.map(|line| line.to_string() + "\n").concat()).expect("written");
    path
}

async fn stepup(folder: &Path, proxy: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stepup"));
    command.args(arguments).current_dir(folder).env("HTTP_PROXY", proxy).env("http_proxy", proxy);
    command.env_remove("NO_PROXY").kill_on_drop(true);
    let Output { status, stdout, stderr } =
        tokio::time::timeout(LIMIT, command.output()).await.expect("it ends").expect("stepup starts");
    let said = String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr);
    (status.code(), said.replace("\n  │ ", " "))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_is_loaded_where_its_target_file_allows_it_and_the_host_itself_consents() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("mine.yaml");
    let begin = |allow: String, address: SocketAddr| {
        std::fs::write(&path, target(&allow)).expect("written");
        let text = PROFILE.to_owned();
        let options = Options {
            profile: stepup::load::profile::read(&Source::Written { name: "p.yaml".to_owned(), text }).expect("reads"),
            target: path.display().to_string(),
            pool: Some(pool(folder.path())),
            passphrase: Whence::Around,
            seed: 1,
            threads: Some(1),
            mutants: Vec::new(),
            authorities: None,
            resolver: Resolver::Fixed(address),
        };
        Session::begin(options, For::Pace)
    };
    let allow = |what: &str, consent: &str| {
        let consent = if consent.is_empty() { String::new() } else { format!(", consent: {consent}") };
        format!("allow: {{ host: registry.example.test, what: [{what}]{consent} }}\n")
    };
    for (served, stated, why) in [
        (CONSENT, String::new(), "the target file does not allow it"),
        (CONSENT, allow("check", CONSENT), "`load` is not allowed on registry.example.test"),
        (CONSENT, allow("load", ""), "states no `consent`"),
        ("", allow("load", CONSENT), "is answered 404"),
        ("another text of some length", allow("load", CONSENT), "serves another text"),
    ] {
        let (address, registry) = front(served).await;
        let refused = match begin(stated, address).await {
            Err(Unready::Options(message)) => message,
            Err(Unready::File(error)) => error.to_string(),
            other => panic!("{why}: {other:?}"),
        };
        assert!(refused.contains(why), "{why}: {refused}");
        // Nothing but the request for the consent has come, where anything has.
        let asked = u64::from(served.is_empty());
        assert_eq!(registry.statistics().requests, asked, "{why}");
    }
    let (address, registry) = front(CONSENT).await;
    let session = begin(allow("load", CONSENT), address).await.expect("it consents");
    assert_eq!(session.plan.address, address);
    let plan = session.plan.clone();
    let ended = tokio::task::spawn_blocking(move || run::conduct(&plan, &false.into(), |_, _| {}));
    let outcome = ended.await.expect("it ends").expect("it runs");
    assert_eq!((registry.statistics().requests, registry.accepted_proofs()), (outcome.requests, 30));
}

/// What `load` or `capacity` with the profile `p.yaml` says of a host with an address that is not called this machine's, and
/// leads here, and how many requests came. The proxy that the environment names leads nowhere.
async fn elsewhere(folder: &Path, command: &str, served: &'static str) -> (Option<i32>, String, u64) {
    let (address, registry) = front(served).await;
    let port = address.port();
    let text = format!(
        "name: mine\nstart: running\nbase: http://[::ffff:127.0.0.1]:{port}/\nskew: {{ behind: 1, ahead: 1 }}\n\
         allow: {{ host: \"[::ffff:7f00:1]:{port}\", what: [load], consent: {CONSENT} }}\n"
    );
    std::fs::write(folder.join("mine.yaml"), text).expect("written");
    let arguments = [command, "p.yaml", "--target", "mine.yaml", "--pool", "pool.jsonl", "--out", "out"];
    let (code, said) = stepup(folder, "http://127.0.0.1:1", &arguments).await;
    (code, said, registry.statistics().requests)
}

#[cfg(feature = "goose")]
#[tokio::test(flavor = "multi_thread")]
async fn a_journey_is_walked_on_a_host_that_consents_and_on_no_other() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let journey = "\
name: walk
model: closed
clients: { number: 2, think: 60 ms, for: 1 s, up-to: 2/s }
journey:
  - { action: publish, proof: none }
  - { action: publish }
valid: { busy: 100 %, held-up: 100 % }
objectives: [success >= 99 %]
";
    std::fs::write(folder.path().join("p.yaml"), journey).expect("written");
    pool(folder.path());
    let (code, said, requests) = elsewhere(folder.path(), "load", "").await;
    assert_eq!((code, requests), (Some(2), 1), "{said}");
    assert!(said.contains("needs the host's own consent"), "{said}");
    let (code, said, requests) = elsewhere(folder.path(), "load", CONSENT).await;
    assert_eq!(code, Some(0), "{said}");
    let text = std::fs::read_to_string(folder.path().join("out/result.json")).expect("a result");
    let result: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(result["totals"]["requests_with_warm_up"], requests, "{said}");
    assert!(result["totals"]["accepted"].as_u64() > Some(0), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn load_and_capacity_refuse_a_host_without_consent_before_anything_is_sent() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("p.yaml"), PROFILE).expect("written");
    pool(folder.path());
    let run = async |command: &str, served: &'static str| elsewhere(folder.path(), command, served).await;
    for command in ["load", "capacity"] {
        let (code, said, requests) = run(command, "").await;
        assert_eq!((code, requests), (Some(2), 1), "{said}");
        assert!(said.contains("needs the host's own consent") && said.contains("is answered 404"), "{said}");
    }
    let (code, said, requests) = run("load", CONSENT).await;
    assert_eq!((code, requests), (Some(0), 32), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn users_are_enrolled_on_a_host_that_consents_and_on_no_other() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let text = target(&format!("allow: {{ host: registry.example.test, what: [load], consent: {CONSENT} }}\n"));
    // So that nobody waits for a step.
    std::fs::write(folder.path().join("mine.yaml"), text + "skew: { behind: 1, ahead: 1 }\n").expect("written");
    let create = ["pool", "create", "new.jsonl", "--users", "2", "--target", "mine.yaml"];
    let (address, registry) = front("").await;
    let (code, said) = stepup(folder.path(), &format!("http://{address}"), &create).await;
    assert_eq!((code, registry.statistics().requests), (Some(2), 1), "{said}");
    assert!(said.contains("needs the host's own consent") && !folder.path().join("new.jsonl").exists(), "{said}");
    let (address, _) = front(CONSENT).await;
    let (code, said) = stepup(folder.path(), &format!("http://{address}"), &create).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("2 users enrolled"), "{said}");
    let remove = ["pool", "remove", "new.jsonl"];
    let (code, said) = stepup(folder.path(), &format!("http://{address}"), &remove).await;
    assert_eq!(code, Some(0), "{said}");
}
