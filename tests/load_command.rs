//! `stepup load` and `stepup capacity` as users call them: exit codes, documents, what is said.

mod load_stub;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use load_stub::{Manner, Stub};

/// A short run of valid codes, slow enough that a busy machine keeps up.
const PROFILE: &str = "
name: short
action: profile-set:fullname
pace: [{ constant: { rate: 100/s, for: 600 ms } }]
connections: 8
valid: { lateness-p99: 5 s }
objectives: [success >= 99 %]
";

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Place(tempfile::tempdir().expect("a folder"))
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).expect("written");
        path
    }

    fn run(&self, command: &str, profile: &str, more: &[&str]) -> (Option<i32>, serde_json::Value, Output) {
        let profile = self.file("profile.yaml", profile);
        let out = self.0.path().join("out");
        let output = Command::new(env!("CARGO_BIN_EXE_stepup"))
            .arg(command)
            .arg(profile)
            .arg("--out")
            .arg(&out)
            .args(more)
            .output()
            .expect("it runs");
        let document = std::fs::read(out.join("result.json")).ok();
        let document = document.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        (output.status.code(), document, output)
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

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
        (with("objectives", "objectivse"), &[], 2),
        (PROFILE.to_owned(), &["--mutant", "profile-unchallenged"], 0),
        (PROFILE.to_owned() + "mix: { right: 9, challenge-only: 1 }\n", &["--mutant", "profile-unchallenged"], 1),
        (PROFILE.to_owned(), &["--target", "http://192.0.2.1:4873"], 2),
        (PROFILE.to_owned(), &["--target", "http://127.0.0.1:4873"], 2),
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

/// A pool of users for a target that is not ours.
fn pool(path: &Path, target: &str) {
    let lines = [
        serde_json::json!({ "pool": { "format": "stepup/pool/1", "target": target, "base": null } }),
        serde_json::json!({ "seeded": { "seed": "07".repeat(32), "users": 500 } }),
    ];
    std::fs::write(path, lines.map(|line| line.to_string() + "\n").concat()).expect("written");
}

#[test]
fn another_target_is_loaded_with_a_pool_and_spent_codes_are_noted_in_it() {
    let place = Place::new();
    let stub = Stub::start(Manner::Fine);
    let path = place.0.path().join("pool.jsonl");
    pool(&path, "stub");
    let base = format!("http://{}", stub.address);
    let more = ["--target", &base, "--pool", path.to_str().expect("a path")];
    let (code, document, output) = place.run("load", PROFILE, &more);
    assert_eq!(code, Some(0), "{}", said(&output));
    assert_eq!(document["totals"]["requests_with_warm_up"].as_u64(), Some(stub.requests()));
    assert!(std::fs::read_to_string(&path).expect("a pool").contains("spent-through"));
}

#[test]
fn a_pool_that_is_too_small_is_refused_before_anything_is_sent() {
    let place = Place::new();
    let stub = Stub::start(Manner::Fine);
    let path = place.0.path().join("pool.jsonl");
    pool(&path, "stub");
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
    pool(&path, "stub");
    let base = format!("http://{}", stub.address);
    let more = ["--target", &base, "--pool", path.to_str().expect("a path")];
    assert_eq!(place.run("load", PROFILE, &more).0, Some(3));
}

#[test]
fn a_search_ends_at_what_the_users_bear_or_what_was_asked_for() {
    let search = "capacity: { from: 20/s, up-to: 60/s, probe: 200 ms, confirm: 200 ms, repeats: 2, warm-up: 50 ms }\n";
    let profile = PROFILE.to_owned() + search;
    let (code, document, output) = Place::new().run("capacity", &profile, &[]);
    assert_eq!(code, Some(0), "{}", said(&output));
    assert_eq!(document["format"], "stepup/capacity/1");
    assert_eq!(document["end"], "beyond-asked");
    assert_eq!(document["confirmed"]["runs"], 2);

    let place = Place::new();
    let stub = Stub::start(Manner::Fine);
    let path = place.0.path().join("pool.jsonl");
    pool(&path, "stub");
    let base = format!("http://{}", stub.address);
    let more = ["--target", &base, "--pool", path.to_str().expect("a path"), "--threads", "1"];
    // Five hundred users have a code each for thirty seconds: fewer than seventeen a second, and some for chance.
    let profile = profile.replace("from: 20/s, up-to: 60/s", "from: 5/s, up-to: 900/s");
    let (code, document, output) = place.run("capacity", &profile, &more);
    assert_eq!((code, &document["end"]), (Some(0), &serde_json::json!("user-bound")), "{}", said(&output));
    assert!(document["at_least"].as_f64().is_some_and(|rate| rate > 13.0 && rate < 17.0), "{document}");
}

#[test]
fn a_registry_that_meets_the_objectives_at_no_rate_is_doomed() {
    let profile = PROFILE.replace("success >= 99 %", "p99 response_time < 1 us")
        + "capacity: { from: 64/s, up-to: 128/s, probe: 100 ms, confirm: 100 ms, repeats: 1, warm-up: 0 s }\n";
    let (code, document, output) = Place::new().run("capacity", &profile, &[]);
    assert_eq!((code, &document["end"]), (Some(1), &serde_json::json!("doomed")), "{}", said(&output));
}
