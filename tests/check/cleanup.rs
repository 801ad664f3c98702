//! Runs that do not live to clean up: what they left on the target goes with `stepup cleanup`.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use stepup::registry::{Registry, Settings, serve};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::sync::mpsc;

use crate::relay::{Misbehaviour, Route, registry_that};

const LIMIT: Duration = Duration::from_secs(120);

/// The reference registry behind a relay that swallows the answer to a request of a kind, and says that the registry has
/// given one.
struct Target {
    address: String,
    swallowed: mpsc::Receiver<()>,
    folder: tempfile::TempDir,
}

impl Target {
    /// `nth` counts the requests of the kind from 1.
    async fn that_swallows(request: &'static str, nth: usize) -> Self {
        let registry = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let upstream = registry.local_addr().expect("an address");
        tokio::spawn(serve(registry, Registry::new(Settings::new(Arc::new(SystemTime::now))), std::future::pending()));
        let relay = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = format!("http://{}", relay.local_addr().expect("an address"));
        let (said, swallowed) = mpsc::channel(1);
        let come = Arc::new(AtomicUsize::new(0));
        tokio::spawn(async move {
            while let Ok((mut client, _)) = relay.accept().await {
                let (said, come) = (said.clone(), Arc::clone(&come));
                tokio::spawn(async move {
                    let mut upstream = TcpStream::connect(upstream).await.expect("the registry listens");
                    let mut first = [0; 4096];
                    let read = client.read(&mut first).await.unwrap_or_default();
                    let _ = upstream.write_all(&first[..read]).await;
                    if first.starts_with(request.as_bytes()) && come.fetch_add(1, Ordering::Relaxed) + 1 == nth {
                        let (mut from_client, _) = client.split();
                        let (mut from_registry, mut to_registry) = upstream.split();
                        let mut answer = [0; 16];
                        tokio::select! {
                            _ = tokio::io::copy(&mut from_client, &mut to_registry) => {}
                            read = from_registry.read(&mut answer) => assert!(read.is_ok_and(|read| read > 0)),
                        }
                        let _ = said.send(()).await;
                        return std::future::pending().await;
                    }
                    // Either side may leave first.
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut upstream).await;
                });
            }
        });
        Target { address, swallowed, folder: tempfile::tempdir().expect("a temporary folder") }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn stepup(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stepup"));
        command.args(arguments).env("XDG_STATE_HOME", self.path("state")).current_dir(self.folder.path());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }

    /// A run that is ended by these signals as soon as the answer has been swallowed.
    async fn run_and_kill(&mut self, target: &str, case: &str, signals: &[&str]) {
        let arguments = ["check", "--target", target, "--case", case, "--jobs", "1", "--out", "out"];
        let mut child = self.stepup(&arguments).spawn().expect("stepup starts");
        let mut messages = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        let swallowed = tokio::time::timeout(LIMIT, self.swallowed.recv()).await;
        assert!(swallowed.is_ok_and(|said| said.is_some()), "the request was never sent");
        for signal in signals {
            let kill = format!("kill -{signal} {}", child.id().expect("it runs"));
            assert!(Command::new("sh").args(["-c", &kill]).status().await.expect("a shell").success());
            if *signal != "KILL" {
                while !messages.next_line().await.expect("a message").expect("a line").contains("interrupted") {}
            }
        }
        let ended = tokio::time::timeout(LIMIT, child.wait()).await.expect("it ends").expect("it ran");
        assert!(!ended.success(), "{ended}");
    }

    /// From another folder than the run's.
    async fn clean_up(&self) -> (Option<i32>, String) {
        let (journal, elsewhere) = (self.path("out/journal.jsonl"), self.path("elsewhere"));
        std::fs::create_dir_all(&elsewhere).expect("a folder");
        let journal = journal.display().to_string();
        let output = self.stepup(&["cleanup", &journal]).current_dir(elsewhere).output();
        let Output { status, stdout, stderr } =
            tokio::time::timeout(LIMIT, output).await.expect("it ends").expect("stepup starts");
        (status.code(), String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr))
    }

    fn keyrings(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.path("state/stepup")).into_iter().flatten();
        entries.filter_map(Result::ok).map(|entry| entry.path()).collect()
    }

    async fn ask(&self, method: &str, path: &str, token: &str, body: Value) -> Value {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let request = client.request(method.parse().expect("a method"), format!("{}{path}", self.address));
        let answer = request.bearer_auth(token).json(&body).send().await.expect("an answer");
        answer.json().await.expect("JSON")
    }

    async fn packages(&self) -> usize {
        let found = self.ask("GET", "/-/v1/search?text=su&size=200", "", json!({})).await;
        found["objects"].as_array().expect("a list").len()
    }
}

/// Every text that a keyring holds under a secret's name.
fn secrets(keyring: &Path) -> Vec<String> {
    fn collect(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                for (name, value) in members {
                    let secret = ["password", "first", "former", "token", "totp"].contains(&name.as_str());
                    found.extend(value.as_str().filter(|_| secret).map(str::to_owned));
                    collect(value, found);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    for line in std::fs::read_to_string(keyring).expect("the keyring").lines() {
        collect(&serde_json::from_str(line).expect("a line is a document"), &mut found);
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_kill_or_two_interruptions_nothing_is_left_once_the_journal_is_replayed() {
    for (case, signals) in [
        ("auth-only/publish/totp/*", &["KILL"][..]),
        ("disabled/publish/*", &["INT", "INT"]),
        ("disabled/publish/*", &["TERM", "TERM"]),
    ] {
        let mut target = Target::that_swallows("PUT /su", 1).await;
        let address = target.address.clone();
        target.run_and_kill(&address, case, signals).await;
        assert_eq!(target.packages().await, 1, "{signals:?}: the registry has made what nobody has undone");
        let keyrings = target.keyrings();
        let [keyring] = keyrings.as_slice() else { panic!("{keyrings:?}") };
        let mode = std::fs::metadata(keyring).expect("the keyring").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let secrets = secrets(keyring);
        let journal = std::fs::read_to_string(target.path("out/journal.jsonl")).expect("the journal");
        assert!(secrets.len() > 2 && secrets.iter().all(|secret| !journal.contains(secret)), "{journal}");

        let (code, said) = target.clean_up().await;
        assert_eq!((code, target.packages().await), (Some(0), 0), "{signals:?}: {said}");
        assert!(said.contains("users stay"), "{said}");
        assert!(secrets.iter().all(|secret| !said.contains(secret)), "{said}");
        assert_eq!(target.keyrings(), Vec::<PathBuf>::new());
        let (code, said) = target.clean_up().await;
        assert!(code == Some(0) && said.contains("0 undone, 0 perhaps left"), "a second time there is nothing: {said}");
    }
}

/// Who has published and then enrols may remove what it has published by the secret alone, of which the run was told in
/// between.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_kill_while_a_user_enrols_nothing_is_left_either() {
    // The first two such requests, and the first that registers a key, are of the run's look around; then one tells the
    // secret, the other confirms it.
    for (request, nth, case) in [
        ("POST /-/npm/v1/user ", 3, "auth-and-writes/deprecate/totp/*"),
        ("POST /-/npm/v1/user ", 4, "auth-and-writes/deprecate/totp/*"),
        ("POST /-/account/keys ", 2, "auth-and-writes/deprecate/security-key/*"),
    ] {
        let mut target = Target::that_swallows(request, nth).await;
        let file = include_str!("../../fixtures/targets/embedded.yaml");
        let file = file.replace("start: embedded\n", &format!("start: running\nbase: {}\n", target.address));
        std::fs::write(target.path("mine.yaml"), file).expect("written");
        target.run_and_kill("mine.yaml", case, &["KILL"]).await;
        assert!(target.packages().await > 0, "{request}, {nth}: packages are there before their user enrols");
        let (code, said) = target.clean_up().await;
        assert_eq!((code, target.packages().await), (Some(0), 0), "{request}, {nth}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_was_lent_gets_back_what_was_changed_and_loses_what_was_made() {
    for (request, case) in [
        ("POST /-/npm/v1/user ", "disabled/profile-set:fullname/*"),
        ("POST /-/npm/v1/tokens ", "disabled/token-create/*"),
        // Nothing lists this, so it is said that it may be left.
        ("POST /-/npm/v1/hooks/hook ", "disabled/hook-add/*"),
    ] {
        let code = i32::from(request.contains("hooks"));
        let mut target = Target::that_swallows(request, 1).await;
        let body = json!({ "name": "plain", "password": "long-ago", "email": "plain@example.test", "type": "user", "roles": [] });
        let signed_up = target.ask("PUT", "/-/user/org.couchdb.user:plain", "", body).await;
        let token = signed_up["token"].as_str().expect("a token").to_owned();
        std::fs::write(target.path("accounts.yaml"), "- { name: plain, password: long-ago }\n").expect("written");
        let file = format!("name: mine\nstart: running\nbase: {}\naccounts: accounts.yaml\n", target.address);
        std::fs::write(target.path("mine.yaml"), file).expect("written");
        target.run_and_kill("mine.yaml", case, &["KILL"]).await;
        let changed = target.ask("GET", "/-/npm/v1/user", &token, json!({})).await["fullname"].clone();
        assert_eq!(changed.as_str().is_some_and(|name| !name.is_empty()), request.contains("/user "), "{changed}");
        let sessions = target.ask("GET", "/-/npm/v1/tokens", &token, json!({})).await;
        let made = sessions["objects"].as_array().expect("a list").len();
        assert_eq!(
            made,
            2 + usize::from(request.contains("tokens")),
            "the one that was had before, the run's own and: {sessions}"
        );

        let (ended, said) = target.clean_up().await;
        assert_eq!(ended, Some(code), "{said}");
        assert_eq!(said.contains("its answer never read"), code == 1, "{said}");
        let profile = target.ask("GET", "/-/npm/v1/user", &token, json!({})).await;
        assert!(profile["fullname"].as_str().unwrap_or_default().is_empty(), "{profile}");
        // The session that the run opened is closed as well.
        let sessions = target.ask("GET", "/-/npm/v1/tokens", &token, json!({})).await;
        let own = sessions["objects"].as_array().expect("a list").len();
        assert_eq!(own, 1, "{sessions}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_run_in_the_same_folder_does_not_make_what_is_left_forgotten() {
    let mut target = Target::that_swallows("PUT /su", 1).await;
    let address = target.address.clone();
    target.run_and_kill(&address, "disabled/publish/*", &["KILL"]).await;
    assert_eq!(target.packages().await, 1);
    let arguments = ["check", "--target", &address, "--case", "disabled/whoami/*", "--out", "out"];
    let later = target.stepup(&arguments).output().await.expect("stepup starts");
    let said = String::from_utf8_lossy(&later.stderr).into_owned();
    assert!(later.status.success() && said.contains("stepup cleanup out/journal-1.jsonl"), "{said}");
    let cleaned = target.stepup(&["cleanup", "out/journal-1.jsonl"]).output().await.expect("stepup starts");
    assert_eq!((cleaned.status.code(), target.packages().await), (Some(0), 0));
    // What has been undone is not kept.
    let again = target.stepup(&arguments).output().await.expect("stepup starts");
    assert!(again.status.success() && !target.path("out/journal-2.jsonl").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_unread_answer_named_stays_with_a_user_of_the_runs_own() {
    let mut target = Target::that_swallows("POST /-/npm/v1/tokens ", 1).await;
    let address = target.address.clone();
    target.run_and_kill(&address, "disabled/token-create/*", &["KILL"]).await;
    let (code, said) = target.clean_up().await;
    assert!(code == Some(0) && said.contains("users stay"), "{said}");
    assert_eq!(target.keyrings(), Vec::<PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_made_that_could_not_be_undone() {
    let target = Target::that_swallows("nothing", 1).await;
    let arguments = ["check", "--target", &target.address, "--case", "disabled/publish/*", "--out", "out"];
    // No folder can be made there.
    let mut command = target.stepup(&arguments);
    let output = command.env("XDG_STATE_HOME", "/proc/stepup").output().await.expect("stepup starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(5), "{said}");
    assert!(said.contains("XDG_STATE_HOME"), "{said}");
    let journal = std::fs::read_to_string(target.path("out/journal.jsonl")).expect("the journal");
    assert_eq!((journal.as_str(), target.packages().await), ("", 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_ends_keeps_no_keyring_and_leaves_nothing_to_clean_up() {
    let target = Target::that_swallows("nothing", 1).await;
    let arguments = ["check", "--target", &target.address, "--case", "disabled/publish/*", "--out", "out"];
    let output = target.stepup(&arguments).output().await.expect("stepup starts");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(target.keyrings(), Vec::<PathBuf>::new());
    let (code, said) = target.clean_up().await;
    assert!(code == Some(0) && said.contains("0 undone, 0 perhaps left"), "{said}");
}

/// A registry without a way to remove things, or one that only says that it did.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_registry_does_not_remove_is_said_to_be_left() {
    for answer in [
        "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        "HTTP/1.1 405 Method Not Allowed\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}",
    ] {
        let address = registry_that(Route("DELETE *"), Misbehaviour::Answers(answer)).await;
        let cases = ["disabled/publish/*", "disabled/token-create/*", "disabled/login/*"];
        let cases = cases.map(|case| ["--case", case]).concat();
        let ran =
            tokio::task::spawn_blocking(move || crate::program::check(&[&["--target", &address][..], &cases].concat()));
        let ran = ran.await.expect("it ends");
        assert_eq!(ran.code, Some(0), "{}", ran.said);
        for case in ran.result.expect("a result").cases {
            assert!(!case.left.is_empty(), "{answer}: {} leaves something", case.id);
            assert!(case.left.iter().all(|left| left.starts_with("su")), "by its object's name: {:?}", case.left);
            assert!(ran.said.replace("\n", " ").contains(&case.id), "by its case: {}", ran.said);
        }
        assert!(ran.said.contains("Left on the target"), "{}", ran.said);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_target_that_cannot_be_reached_nothing_is_claimed_and_nothing_forgotten() {
    let mut target = Target::that_swallows("PUT /su", 1).await;
    let address = target.address.clone();
    target.run_and_kill(&address, "auth-only/publish/totp/*", &["KILL"]).await;
    let path = target.path("out/journal.jsonl");
    let journal = std::fs::read_to_string(&path).expect("the journal");
    std::fs::write(&path, journal.replace(&address, "http://127.0.0.1:1")).expect("written");
    let (code, said) = target.clean_up().await;
    assert!(code == Some(3) && said.contains("cannot be reached, so nothing is undone yet"), "{said}");
    std::fs::write(&path, journal).expect("written");
    let (code, said) = target.clean_up().await;
    assert_eq!((code, target.packages().await), (Some(0), 0), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_journal_is_refused() {
    let target = Target::that_swallows("nothing", 1).await;
    for text in ["", "hello\n", "{\"event\":\"making\",\"number\":1,\"case\":\"a\",\"request\":\"b\"}\n"] {
        std::fs::create_dir_all(target.path("out")).expect("a folder");
        std::fs::write(target.path("out/journal.jsonl"), text).expect("written");
        let (code, said) = target.clean_up().await;
        assert!(code == Some(2) && said.contains("is no journal"), "{text}: {said}");
    }
}
