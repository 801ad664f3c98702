//! `stepup load` as users call it: exit codes, documents, what is said.

use std::process::Command;

use crate::place::{PROFILE, Place, pool, said};
use crate::stub::{Manner, Stub};

#[test]
fn a_run_that_holds_writes_its_document_and_the_registrys_own_count_agrees() {
    let place = Place::new();
    let (code, document, output) = place.run("load", PROFILE, &[]);
    assert_eq!(code, Some(0), "{}", said(&output));
    assert_eq!(document["format"], "stepup/load/1");
    assert_eq!(document["verdict"], "held");
    assert_eq!(document["totals"]["requests_with_warm_up"], document["counted_by_target"]["requests"]);
    assert_eq!(document["totals"]["accepted"], document["counted_by_target"]["accepted_proofs"]);
    let seconds = document["seconds"].as_array().expect("seconds");
    let planned: u64 = seconds.iter().filter_map(|second| second["planned"].as_u64()).sum();
    assert_eq!(Some(planned), document["totals"]["planned"].as_u64());
    assert!(document["times"]["response_time"]["percentiles"].as_array().is_some_and(|all| all.len() > 10));
    let log = std::fs::read_to_string(place.0.path().join("out/load.hlog")).expect("a log");
    assert!(log.lines().any(|line| line.starts_with("Tag=response_time,0.000,")), "{log}");
    assert!(said(&output).contains("Held: all objectives met"), "{}", said(&output));
    // No token and no secret of a user leaves the run.
    for secret in ["npm_", "Bearer"] {
        assert!(!said(&output).contains(secret) && !document.to_string().contains(secret), "{secret} is shown");
    }
}

#[test]
fn clients_who_wait_are_a_model_of_their_own_and_the_report_says_so() {
    let clients = "model: closed\nclients: { number: 4, think: 5 ms, for: 600 ms, up-to: 2000/s }";
    let profile = PROFILE
        .replace("pace: [{ constant: { rate: 100/s, for: 600 ms } }]", clients)
        .replace("5 s }", "5 s, held-up: 100 % }");
    let place = Place::new();
    let (code, document, output) = place.run("load", &profile, &[]);
    assert_eq!(code, Some(0), "{}", said(&output));
    assert_eq!(document["profile"]["model"], "closed");
    assert_eq!(document["profile"]["clients"]["number"], 4);
    assert!(said(&output).contains("model: closed: 4 clients who each wait for an answer"), "{}", said(&output));
    assert_eq!(document["totals"]["requests_with_warm_up"], document["counted_by_target"]["requests"]);
    // Four who think for 5 ms are asked at most twice in it, and the first of it may be cut short.
    let sent = document["totals"]["sent"].as_u64().expect("a count");
    assert!((4..=4 * 121).contains(&sent), "{sent}");
}

#[test]
fn what_is_accepted_a_second_is_of_the_whole_schedule() {
    let pace = "pace: [{ constant: { rate: 10/s, for: 1 s } }, { constant: { rate: 100/s, for: 1 s } }]";
    let profile = PROFILE.replace("pace: [{ constant: { rate: 100/s, for: 600 ms } }]", pace) + "arrivals: even\n";
    let (code, document, output) = Place::new().run("load", &profile, &[]);
    assert_eq!((code, &document["totals"]["accepted"]), (Some(0), &110.into()), "{}", said(&output));
    // The last answer comes before the end, and the last second counts.
    assert!(document["totals"]["accepted_per_s"].as_f64() > Some(30.0), "{}", document["totals"]);
}

#[test]
fn an_interrupted_run_reports_what_was_measured() {
    let place = Place::new();
    let document = place.interrupt("load", &PROFILE.replace("600 ms", "60 s"), "planned");
    assert_eq!(document["verdict"], "incomplete");
    assert!(document["totals"]["accepted"].as_u64() > Some(50), "{}", document["totals"]);
    let page = std::fs::read_to_string(place.out().join("index.html")).expect("a page");
    assert!(page.contains("Incomplete: interrupted"));
}

#[test]
fn more_connections_than_files_may_be_open_are_refused_before_anything_is_sent() {
    let place = Place::new();
    let profile = place.file("profile.yaml", &PROFILE.replace("connections: 8", "connections: 500"));
    let limited = format!("ulimit -n 300; exec '{}' load \"$0\" --out \"$1\"", env!("CARGO_BIN_EXE_stepup"));
    let output = Command::new("sh")
        .args(["-c", &limited])
        .args([profile, place.0.path().join("out")])
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("500 connections take 1064 open files"), "{}", said(&output));
}

#[test]
fn whoever_watches_finds_metrics_while_a_run_or_a_search_lasts() {
    // The line of a second, or of a probe, is said when it has been counted.
    for (command, line) in [("load", "planned"), ("capacity", "probe ")] {
        let answer = metrics_after(command, line);
        assert!(answer.starts_with("HTTP/1.1 200"), "{command}: {answer}");
        assert!(answer.contains("stepup_load_outcomes_total{outcome=\"accepted\"} "), "{command}: {answer}");
    }
}

/// What is answered to whoever asks for metrics once a command has said a line.
fn metrics_after(command: &str, line: &str) -> String {
    use std::io::{Read as _, Write as _};
    let search = "capacity: { arrivals: 1, from: 64/s, up-to: 100000/s, probe: 200 ms, confirm: 60 s, warm-up: 0 s }\n";
    let place = Place::new();
    let profile = PROFILE.replace("600 ms", "60 s") + search;
    let (mut child, mut said) = place.begin(command, &profile, &["--prometheus", "127.0.0.1:0"]);
    let address =
        said.find_map(|line| Some(line.strip_prefix("metrics: http://")?.strip_suffix("/metrics")?.to_owned()));
    let address = address.expect("it says where");
    said.find(|said| said.contains(line)).expect("it says so");
    let mut stream = std::net::TcpStream::connect(&address).expect("it listens");
    stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").expect("it is asked");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    child.kill().expect("it ends");
    child.wait().expect("it has ended");
    answer
}

#[test]
fn the_reports_of_a_run_are_written_and_rendered_again_the_same() {
    let place = Place::new();
    let (code, _, output) = place.run("load", PROFILE, &[]);
    assert_eq!(code, Some(0), "{}", said(&output));
    let out = place.0.path().join("out");
    for (format, file) in [("html", "index.html"), ("markdown", "summary.md"), ("result", "result.json")] {
        let again = Command::new(env!("CARGO_BIN_EXE_stepup"))
            .args(["report", "--format", format])
            .arg(&out)
            .output()
            .expect("it runs");
        assert_eq!(again.status.code(), Some(0), "{}", said(&again));
        assert!(again.stdout == std::fs::read(out.join(file)).expect(file), "{file} is rendered otherwise");
        assert!(!again.stdout.is_empty());
    }
    let refused = Command::new(env!("CARGO_BIN_EXE_stepup"))
        .args(["report", "--format", "junit"])
        .arg(&out)
        .output()
        .expect("it runs");
    assert_eq!(refused.status.code(), Some(2));
    assert!(said(&refused).contains("a load run has no junit.xml; allowed: "), "{}", said(&refused));
}

#[test]
fn exit_codes_say_how_a_run_ended() {
    let with = |from: &str, to: &str| {
        assert!(PROFILE.contains(from), "{from}");
        PROFILE.replace(from, to)
    };
    for (profile, more, wanted) in [
        (with("success >= 99 %", "p99 response_time < 1 us"), &[][..], 1),
        (with("success >= 99 %", "success >= 99 %]\nmix: { challenge-only: 1 }\nabort: [throttled <= 1 %"), &[], 0),
        (with("success >= 99 %", "p99 throttled_time < 1 s"), &[], 7),
        (with("5 s }", "1 us }"), &[], 6),
        // A rule ends these, and the second says nothing of the registry.
        (with("600 ms", "30 s") + "abort: [throttled >= 1 %]\n", &[], 1),
        (with("600 ms", "30 s").replace("5 s }", "1 us }") + "abort: [throttled >= 1 %]\n", &[], 6),
        (with("objectives", "objectivse"), &[], 2),
        // An action that is carried out without a second factor measures none, whatever the mix.
        (PROFILE.to_owned(), &["--mutant", "profile-unchallenged"], 1),
        (PROFILE.to_owned() + "mix: { right: 9, challenge-only: 1 }\n", &["--mutant", "profile-unchallenged"], 1),
        (PROFILE.to_owned() + "mix: { unprotected: 1 }\n", &[], 0),
        (PROFILE.to_owned(), &["--target", "http://192.0.2.1:4873"], 2),
        (PROFILE.to_owned(), &["--target", "http://127.0.0.1:4873"], 2),
        (PROFILE.to_owned(), &["--prometheus", "192.0.2.1:9000"], 2),
    ] {
        let (code, document, output) = Place::new().run("load", &profile, more);
        assert_eq!(code, Some(wanted), "{more:?} {profile}\n{}\n{document}", said(&output));
    }
}

#[test]
fn a_breach_stands_on_top_with_its_evidence() {
    let profile = PROFILE.to_owned() + "mix: { right: 1, wrong: 1 }\n";
    let (code, document, output) = Place::new().run("load", &profile, &["--mutant", "profile-unchallenged"]);
    assert_eq!(code, Some(1));
    assert_eq!(document["verdict"], "breached");
    assert_eq!(document["breaches"]["evidence"][0]["verdict"], "wrong-proof-accepted");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.starts_with("BREACHED: "), "{text}");
}

#[test]
fn another_target_is_loaded_with_a_pool_and_spent_codes_are_noted_in_it() {
    let place = Place::new();
    let stub = Stub::start(Manner::Fine);
    let path = place.0.path().join("pool.jsonl");
    pool(&path, "stub", 500);
    let base = format!("http://{}", stub.address);
    let more = ["--target", &base, "--pool", path.to_str().expect("a path")];
    let (code, document, output) = place.run("load", PROFILE, &more);
    assert_eq!(code, Some(0), "{}", said(&output));
    // A first look at the target, which counts nowhere, comes before.
    assert_eq!(document["totals"]["requests_with_warm_up"].as_u64().map(|sent| sent + 1), Some(stub.requests()));
    assert!(std::fs::read_to_string(&path).expect("a pool").contains("spent-through"));
}

/// Where nothing of the mix has to be refused, the first look at the target shows that it lets everything through (see
/// below); where something has to be, or the action's answer says what it made, the run does.
#[test]
fn a_target_that_says_yes_to_everything_does_not_hold_without_a_word() {
    let stub = Stub::start(Manner::Yes);
    let base = format!("http://{}", stub.address);
    let tokens = PROFILE.replace("profile-set:fullname", "token-create");
    let mixed = |mix: &str| PROFILE.to_owned() + mix + "\n";
    for (profile, code, verdict, word) in [
        (mixed("mix: { right: 9, wrong: 1 }"), 1, "breached", "BREACHED"),
        (mixed("mix: { right: 9, challenge-only: 1 }"), 1, "breached", "BREACHED"),
        (mixed("mix: { exchange: 1 }"), 1, "breached", "BREACHED"),
        // `{}` names no token, which is a no, to check and to load.
        (tokens, 1, "missed", "Missed"),
    ] {
        let place = Place::new();
        let path = place.0.path().join("pool.jsonl");
        pool(&path, "stub", 500);
        let more = ["--target", &base, "--pool", path.to_str().expect("a path")];
        let (ended, document, output) = place.run("load", &profile, &more);
        assert_eq!((ended, &document["verdict"]), (Some(code), &verdict.into()), "{profile}: {}", said(&output));
        assert!(said(&output).contains(word), "{profile}: {}", said(&output));
        if verdict == "missed" {
            let outcomes = document["outcomes"].as_array().expect("outcomes");
            assert!(outcomes.iter().all(|outcome| outcome["fate"] == "refused"), "{outcomes:?}");
        }
    }
}

/// `success-that-says-no`: a wrong code that is answered with a success that says no is refused, as it is for the check.
#[test]
fn a_success_that_says_no_to_a_wrong_code_is_a_refusal() {
    let place = Place::new();
    let stub = Stub::start(Manner::Fine);
    let path = place.0.path().join("pool.jsonl");
    pool(&path, "stub", 500);
    let base = format!("http://{}", stub.address);
    let more = ["--target", &base, "--pool", path.to_str().expect("a path")];
    let profile = PROFILE.replace("profile-set:fullname", "token-create") + "mix: { wrong: 1 }\n";
    let (code, document, output) = place.run("load", &profile, &more);
    assert_eq!((code, &document["verdict"]), (Some(0), &"held".into()), "{}", said(&output));
}

#[test]
fn a_pool_that_is_too_small_is_refused_before_anything_is_sent() {
    let place = Place::new();
    let stub = Stub::start(Manner::Fine);
    let path = place.0.path().join("pool.jsonl");
    pool(&path, "stub", 500);
    let base = format!("http://{}", stub.address);
    let more = ["--target", &base, "--pool", path.to_str().expect("a path"), "--threads", "1"];
    let (code, _, output) = place.run("load", &PROFILE.replace("100/s, for: 600 ms", "100/s, for: 60 s"), &more);
    assert_eq!(code, Some(2));
    assert!(said(&output).contains("the pool has 500 users, and 3221 are needed"), "{}", said(&output));
    assert_eq!(stub.requests(), 0);
}

#[test]
fn a_target_that_answers_nothing_of_use_ends_the_run_as_unreachable() {
    let place = Place::new();
    let stub = Stub::start(Manner::Garbage);
    let path = place.0.path().join("pool.jsonl");
    pool(&path, "stub", 500);
    let base = format!("http://{}", stub.address);
    let more = ["--target", &base, "--pool", path.to_str().expect("a path")];
    assert_eq!(place.run("load", PROFILE, &more).0, Some(3));
}

/// A target that says the same to everything verifies nothing, and what it bears is no measure of a second factor.
#[test]
fn a_target_that_says_the_same_to_everything_is_never_green() {
    for manner in [Manner::Yes, Manner::Echoes, Manner::Asks] {
        for (command, objectives) in [("load", true), ("load", false), ("capacity", true), ("capacity", false)] {
            let place = Place::new();
            let stub = Stub::start(manner);
            let path = place.0.path().join("pool.jsonl");
            pool(&path, "stub", 900);
            let base = format!("http://{}", stub.address);
            let more = ["--target", &base, "--pool", path.to_str().expect("a path"), "--threads", "1"];
            let search = "capacity: { arrivals: 1, from: 5/s, up-to: 9/s, probe: 200 ms, confirm: 200 ms, repeats: 2, \
                          warm-up: 50 ms, clients-up-to: 8 }\n";
            let mut profile = PROFILE.replace("100/s", "9/s") + if command == "capacity" { search } else { "" };
            if !objectives {
                profile = profile.replace("success >= 99 %", "p99 response_time < 10 s");
            }
            let (code, _, output) = place.run(command, &profile, &more);
            assert!(matches!(code, Some(1 | 7)), "{command}, {manner:?}, {objectives}: {code:?} {}", said(&output));
        }
    }
}
