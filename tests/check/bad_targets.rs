//! Targets that misbehave: what was seen is said, within a bound, and nothing hangs. With exit code 3 when nothing
//! works; when one route misbehaves, every case that does not need it is judged all the same.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use stepup::judge::Verdict;
use stepup::result::CaseResult;
use stepup::wire::FaultKind;

use crate::program::{self, Ran};
use crate::relay::{Misbehaviour, Route, registry_that};

/// The answer time-out is five seconds; a user is enrolled first, which waits up to four for a step's edge to pass.
const BOUND: Duration = Duration::from_secs(30);

/// A target that answers every request with these bytes and closes.
fn target_that_answers(bytes: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let Ok(mut connection) = connection else { return };
            let mut request = [0; 4096];
            let _ = connection.read(&mut request);
            // A client that has seen enough closes first.
            let _ = connection.write_all(&bytes);
        }
    });
    address
}

/// A target that says the same to everything, for as long as the test's process lives.
fn target_that_says(answer: fn(&str) -> String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for mut connection in listener.incoming().flatten() {
            let mut request = [0; 64 * 1024];
            let length = connection.read(&mut request).unwrap_or_default();
            let text = String::from_utf8_lossy(&request[..length]).into_owned();
            // A client that has seen enough closes first.
            let _ = connection.write_all(answer(&text).as_bytes());
        }
    });
    address
}

fn ok(body: &str) -> String {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close";
    format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

#[test]
fn a_target_that_says_the_same_to_everything_is_never_green() {
    let yes = |_: &str| ok("{}");
    // What a stub answers that was made for one happy path.
    let generous = |_: &str| {
        ok(concat!(
            r#"{"ok":true,"token":"npm_0000","key":"k","username":"u","name":"u","objects":[],"tfa":"#,
            r#""otpauth://totp/x?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ","_rev":"1-1","versions":{"1.0.0":{}}}"#
        ))
    };
    let echo = |request: &str| ok(request.split_once("\r\n\r\n").map_or("{}", |(_, body)| body));
    let asks = |_: &str| {
        let head = "HTTP/1.1 401 Unauthorized\r\nwww-authenticate: OTP\r\nconnection: close";
        format!("{head}\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{{}}")
    };
    type Answering = fn(&str) -> String;
    let answers: [(&str, Answering); 4] =
        [("200", yes), ("200 with everything", generous), ("echo", echo), ("401 OTP", asks)];
    for (name, answer) in answers {
        let target = target_that_says(answer);
        let cases = ["--case", "disabled/publish/none/wire", "--case", "auth-only/token-create/totp/wire"];
        let ran = program::check(&[&["--target", &target][..], &cases].concat());
        assert!(matches!(ran.code, Some(1 | 3 | 8)), "check, {name}: {:?} {}", ran.code, ran.said);
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut explore = std::process::Command::new(env!("CARGO_BIN_EXE_stepup"));
        explore.args(["explore", "--target", &target, "--cases", "1", "--limit", "20", "--out"]).arg(folder.path());
        let output = explore.output().expect("stepup starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(matches!(output.status.code(), Some(1 | 3 | 5 | 8)), "explore, {name}: {output:?} {said}");
    }
}

fn check(target: &str) -> (Option<i32>, String) {
    let ran = program::check(&["--target", target]);
    assert_eq!(ran.result, None, "nothing was judged, so nothing may read as a result");
    (ran.code, ran.said.replace("\n  │ ", " "))
}

#[test]
fn an_unusable_target_is_named_with_what_was_seen() {
    let mut endless = b"HTTP/1.1 200 OK\r\ncontent-length: 2147483648\r\n\r\n".to_vec();
    endless.resize(5 * 1024 * 1024, b'x');
    let cases: [(&str, Vec<u8>, &str); 6] = [
        ("closes", vec![], "broke off"),
        (
            "half JSON",
            b"HTTP/1.1 201 Created\r\ncontent-type: application/json\r\ncontent-length: 5\r\n\r\n{\"ok\"".to_vec(),
            "JSON",
        ),
        ("HTML", b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 6\r\n\r\n<html>".to_vec(), "200"),
        ("redirects", b"HTTP/1.1 302 Found\r\nlocation: /again\r\ncontent-length: 0\r\n\r\n".to_vec(), "302"),
        ("never again", b"HTTP/1.1 429 No\r\nretry-after: 31536000\r\ncontent-length: 0\r\n\r\n".to_vec(), "429"),
        ("endless body", endless, "bytes"),
    ];
    for (name, bytes, seen) in cases {
        let (code, said) = check(&target_that_answers(bytes));
        assert_eq!(code, Some(3), "{name}: {said}");
        assert!(said.contains(seen), "{name}: {said}");
    }
}

/// Runs these cases; those in mode `disabled` need no codes, and so no waits for new steps.
async fn check_cases(target: String, cases: &[&'static str]) -> (Ran, Duration) {
    let started = Instant::now();
    let cases = cases.to_vec();
    let ran = tokio::task::spawn_blocking(move || {
        let cases = cases.iter().flat_map(|case| ["--case", case]);
        program::check(&["--target", &target].into_iter().chain(cases).collect::<Vec<_>>())
    });
    (ran.await.expect("it ran"), started.elapsed())
}

fn find<'a>(ran: &'a Ran, id: &str) -> &'a CaseResult {
    let cases = &ran.result.as_ref().unwrap_or_else(|| panic!("no result: {}", ran.said)).cases;
    cases.iter().find(|case| case.id == id).unwrap_or_else(|| panic!("{id} was not run: {}", ran.said))
}

/// The first performs the action on the route of new tokens, the second needs it for its set-up.
const NEED_NEW_TOKENS: [&str; 2] = ["disabled/token-create/none/wire", "disabled/token-revoke/none/wire"];
const NEED_NONE: [&str; 3] =
    ["disabled/login/none/wire", "disabled/publish/none/wire", "disabled/token-list/none/wire"];

#[tokio::test]
async fn a_route_that_misbehaves_costs_only_the_cases_that_need_it() {
    use Misbehaviour::{Answers, Closes, Floods, Hangs, Resets};
    let half = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 8\r\n\r\n{\"token\"";
    let cut_off = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 80\r\n\r\n{\"token\"";
    let html = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 6\r\n\r\n<html>";
    let in_circles = "HTTP/1.1 302 Found\r\nlocation: /-/npm/v1/tokens\r\ncontent-length: 0\r\n\r\n";
    let next_year = "HTTP/1.1 429 No\r\nretry-after: 31536000\r\ncontent-length: 0\r\n\r\n";
    let misbehaviours = [
        (Resets, Verdict::TargetFailed, "reset"),
        (Closes, Verdict::TargetFailed, "broke off"),
        (Hangs, Verdict::TargetFailed, "POST /-/npm/v1/tokens: no answer within 5 s (`limits: { answer: … }`"),
        (Answers(half), Verdict::TargetFailed, "says JSON and is not"),
        (Answers(cut_off), Verdict::TargetFailed, "broke off"),
        (Answers(html), Verdict::TargetFailed, "was wanted, and the body is not JSON"),
        (Answers(in_circles), Verdict::TargetFailed, "302 redirect"),
        (Floods, Verdict::TargetFailed, "a body of more than 4194304 bytes"),
        (Answers(next_year), Verdict::Throttled, "429 throttled"),
    ];
    let mut runs = tokio::task::JoinSet::new();
    for (misbehaviour, verdict, seen) in misbehaviours {
        runs.spawn(async move {
            let target = registry_that(Route("POST /-/npm/v1/tokens"), misbehaviour).await;
            let cases = [&NEED_NEW_TOKENS[..], &NEED_NONE[..]].concat();
            let (ran, took) = check_cases(target, &cases).await;
            assert_eq!(ran.code, Some(1), "{misbehaviour:?}: {}", ran.said);
            for id in NEED_NEW_TOKENS {
                let case = find(&ran, id);
                assert_eq!(case.verdicts, [verdict], "{misbehaviour:?}: {id}: {}", case.observed);
                assert!(case.observed.contains(seen), "{misbehaviour:?}: {id}: {}", case.observed);
            }
            for id in NEED_NONE {
                let case = find(&ran, id);
                assert_eq!(case.verdicts, [Verdict::Exact], "{misbehaviour:?}: {id}: {}", case.observed);
            }
            assert!(took < BOUND, "{misbehaviour:?}: {took:?}");
        });
    }
    runs.join_all().await;
}

#[tokio::test]
async fn a_read_that_fails_is_not_taken_for_an_effect_or_for_none() {
    let routes: [(&str, &'static [&'static str]); 3] = [
        ("GET /-/npm/v1/tokens", &NEED_NEW_TOKENS),
        ("GET /*/-/*.tgz", &["disabled/publish/none/wire"]),
        ("GET /su*\\?write=true", &["disabled/deprecate/none/wire", "disabled/unpublish:all/none/wire"]),
    ];
    let mut runs = tokio::task::JoinSet::new();
    for (route, cases) in routes {
        for misbehaviour in [Misbehaviour::Resets, Misbehaviour::Hangs] {
            runs.spawn(async move {
                let (ran, took) = check_cases(registry_that(Route(route), misbehaviour).await, cases).await;
                for id in cases {
                    let case = find(&ran, id);
                    assert_eq!(case.verdicts, [Verdict::TargetFailed], "{route}: {id}: {}", case.observed);
                }
                assert!(took < BOUND, "{route}: {took:?}");
            });
        }
    }
    runs.join_all().await;
}

#[tokio::test]
async fn an_enrolment_that_fails_costs_the_cases_with_a_factor() {
    let target = registry_that(Route("POST /-/npm/v1/user"), Misbehaviour::Resets).await;
    let (ran, _) = check_cases(target, &["disabled/whoami/none/wire", "auth-only/whoami/totp/wire"]).await;
    assert_eq!(ran.code, Some(1), "{}", ran.said);
    assert_eq!(find(&ran, "disabled/whoami/none/wire").verdicts, [Verdict::Exact]);
    let case = find(&ran, "auth-only/whoami/totp/wire");
    assert_eq!(case.verdicts, [Verdict::TargetFailed], "{}", case.observed);
    assert!(case.observed.contains("reset"), "{}", case.observed);
}

#[tokio::test]
async fn a_time_out_is_what_the_target_file_says_and_before_that_what_the_command_line_says() {
    let base = registry_that(Route("POST /-/npm/v1/tokens"), Misbehaviour::Hangs).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("mine.yaml").display().to_string();
    let text = format!("name: mine\nstart: running\nbase: {base}\nlimits: {{ answer: 4 s }}\n");
    std::fs::write(&file, text).expect("written");
    let mut runs = tokio::task::JoinSet::new();
    for (option, limit) in [(&[][..], "4 s"), (&["--answer-timeout", "3 s"][..], "3 s")] {
        let file = file.clone();
        runs.spawn_blocking(move || {
            let case = ["--target", &file, "--case", "disabled/token-create/none/wire"];
            let ran = program::check(&[&case, option].concat());
            let case = find(&ran, case[3]);
            let said = format!("POST /-/npm/v1/tokens: no answer within {limit} (`limits: {{ answer: … }}`");
            assert!(case.observed.contains(&said), "{}", case.observed);
            assert_eq!(case.verdicts, [Verdict::TargetFailed], "{}", case.observed);
            let failed = case.probes.iter().flat_map(|probe| &probe.exchanges).filter_map(|one| one.fault_kind);
            assert!(failed.into_iter().all(|kind| kind == FaultKind::TimedOut), "{:?}", case.probes);
            assert_eq!(case.repeat.contains("--answer-timeout '3 s'"), !option.is_empty(), "{}", case.repeat);
        });
    }
    runs.join_all().await;
}

#[tokio::test]
async fn a_sign_up_that_hangs_leaves_nothing_to_judge() {
    let target = registry_that(Route("PUT /-/user/*"), Misbehaviour::Hangs).await;
    let (ran, took) = check_cases(target, &["disabled/whoami/none/wire"]).await;
    assert_eq!((ran.code, ran.result), (Some(3), None), "{}", ran.said);
    let said = ran.said.replace("\n  │ ", " ");
    assert!(said.contains("a user cannot be made: PUT /-/user/"), "{said}");
    assert!(said.contains("no answer within 5 s"), "{said}");
    assert!(took < BOUND, "{took:?}");
}

#[test]
fn a_target_that_never_accepts_is_given_up() {
    // The kernel completes connections up to the backlog, and nobody ever takes one.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let started = Instant::now();
    let (code, said) = check(&format!("http://{}", listener.local_addr().expect("an address")));
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("no answer within 5 s"), "{said}");
    assert!(started.elapsed() < BOUND, "{:?}", started.elapsed());
}
