//! Interrupting a run: what is under way ends, and a report says that the rest is missing.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use stepup::result::{RunResult, Status};

/// A registry without a second factor whose sign-up, once the run has begun, waits for the test.
struct Target {
    address: String,
    /// Says that a case has begun.
    begun: Receiver<()>,
    /// Lets it go on.
    go_on: Sender<()>,
}

impl Target {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let ((begin, begun), (go_on, wait)) = (channel(), channel::<()>());
        std::thread::spawn(move || {
            let mut held = false;
            for connection in listener.incoming() {
                let Ok(mut connection) = connection else { return };
                let line = request_line(&mut connection);
                let answer = if line.starts_with("PUT /-/user/") {
                    if !line.contains("-probe") && !std::mem::replace(&mut held, true) {
                        let _ = begin.send(());
                        // A test that is over lets go as well.
                        let _ = wait.recv();
                    }
                    "HTTP/1.1 201 Created\r\ncontent-length: 13\r\nconnection: close\r\n\r\n{\"token\":\"t\"}"
                } else {
                    "HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}"
                };
                // A client that was interrupted twice is gone.
                let _ = connection.write_all(answer.as_bytes());
            }
        });
        Target { address, begun, go_on }
    }
}

fn request_line(connection: &mut TcpStream) -> String {
    let mut request = [0; 4096];
    let length = connection.read(&mut request).unwrap_or_default();
    String::from_utf8_lossy(&request[..length]).lines().next().unwrap_or_default().to_owned()
}

/// A run whose first case is under way, and its messages.
fn begin(target: &Target, out: &Path) -> (Child, BufReader<ChildStderr>) {
    begin_with(target, out, &["--case", "disabled/*"])
}

fn begin_with(target: &Target, out: &Path, cases: &[&str]) -> (Child, BufReader<ChildStderr>) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_stepup"))
        .args(["check", "--jobs", "1", "--target", &target.address, "--out"])
        .arg(out)
        .args(cases)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("stepup starts");
    let messages = BufReader::new(child.stderr.take().expect("a pipe"));
    target.begun.recv_timeout(Duration::from_secs(60)).expect("a case begins");
    (child, messages)
}

fn interrupt(child: &Child, signal: &str, messages: &mut BufReader<ChildStderr>) {
    let kill = format!("kill -{signal} {}", child.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().expect("a shell").success());
    // Before it the run has said how long it will take.
    let mut said = messages.lines().map(|line| line.expect("a line"));
    assert!(said.any(|line| line.contains("interrupted")));
}

#[test]
fn a_run_that_is_interrupted_ends_its_case_and_writes_an_incomplete_report() {
    for signal in ["INT", "TERM"] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let target = Target::start();
        let (child, mut messages) = begin(&target, folder.path());
        interrupt(&child, signal, &mut messages);
        target.go_on.send(()).expect("the target listens");
        let output = child.wait_with_output().expect("stepup ends");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(5), "{said}");
        let text = std::fs::read_to_string(folder.path().join("result.json")).expect("a result");
        let result: RunResult = serde_json::from_str(&text).expect("a result");
        assert!(!result.complete && said.contains("INCOMPLETE"), "{said}");
        assert!(folder.path().join("junit.xml").exists());
        let all = || result.cases.iter().chain(&result.observations);
        let played: Vec<_> = all().filter(|case| !case.probes.is_empty()).collect();
        assert!(played.len() == 1 && played[0].status != Status::Skipped && all().count() > 20, "{said}");
        let s = &result.summary;
        assert_eq!(
            s.selected,
            s.exact + s.deviating + s.unsupported + s.not_described + s.skipped + s.errored,
            "{said}"
        );
        assert!(s.skipped > 20, "{said}");
    }
}

#[test]
fn a_second_interruption_abandons_what_is_under_way() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let target = Target::start();
    let (mut child, mut messages) = begin(&target, folder.path());
    interrupt(&child, "INT", &mut messages);
    interrupt(&child, "INT", &mut messages);
    assert_eq!(child.wait().expect("stepup ends").code(), Some(5));
    assert!(!folder.path().join("result.json").exists(), "nothing may read as a result");
    let journal = std::fs::read_to_string(folder.path().join("journal.jsonl")).expect("the journal");
    assert!(journal.lines().count() >= 2, "{journal}");
}

#[test]
fn an_interruption_ends_a_long_wait() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("patient.yaml");
    let acts = "acts:\n  - wait: 40\n  - { perform: whoami, proof: none, must: succeed }\n";
    let head = "rule: a rule\nlevel: implied\ncites: [somewhere]\nmodes: [disabled]\n";
    std::fs::write(&file, format!("{head}{acts}")).expect("a file");
    let target = Target::start();
    let file = file.display().to_string();
    let cases = ["--scenario", &file, "--case", "patient/*", "--level", "implied"];
    let (child, mut messages) = begin_with(&target, folder.path(), &cases);
    target.go_on.send(()).expect("the target listens");
    interrupt(&child, "INT", &mut messages);
    let output = child.wait_with_output().expect("stepup ends");
    assert_eq!(output.status.code(), Some(5), "{}", String::from_utf8_lossy(&output.stdout));
    let text = std::fs::read_to_string(folder.path().join("result.json")).expect("a result");
    let result: RunResult = serde_json::from_str(&text).expect("a result");
    let case = &result.cases[0];
    assert_eq!((case.status, case.observed.as_str()), (Status::Skipped, "interrupted while it waited"));
}
