//! `stepup load` with a journey, which goose drives: what is counted, what fails a run, and what goose must not do.

use std::path::Path;

use serde_json::Value;

use crate::place::{Place, said};
use crate::stub::registry;

/// Few who walk, and slowly, so that a busy machine keeps up, and with no more codes in a walk than are to be had at once
/// at any time.
const JOURNEY: &str = "
name: walk
model: closed
clients: { number: 4, think: 60 ms, for: 2500 ms, up-to: 60/s }
journey:
  - { action: publish, proof: none }
  - { action: publish }
  - { action: publish, proof: replayed }
  - { action: token-create, proof: right }
valid: { busy: 100 %, held-up: 100 % }
objectives: [success >= 99 %]
";

/// The journey with other acts, for so long.
fn journey(acts: &str, long: &str) -> String {
    let mut journey = JOURNEY.replace("2500 ms", long);
    let range = journey.find("- {").expect("acts")..journey.find("valid:").expect("an end of them");
    journey.replace_range(range, acts);
    journey
}

/// Walks a journey: the exit code, the document, and what was said.
fn walk(place: &Place, profile: &str, more: &[&str]) -> (Option<i32>, Value, String) {
    let (code, document, output) = place.run("load", profile, more);
    (code, document, said(&output))
}

fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn sum(document: &Value, kind: &str, fate: &str) -> u64 {
    let outcomes = document["outcomes"].as_array().expect("outcomes");
    let of = outcomes.iter().filter(|outcome| outcome["kind"] == kind && outcome["fate"] == fate);
    of.filter_map(|outcome| outcome["count"].as_u64()).sum()
}

#[test]
fn a_journey_holds_and_the_registry_goose_and_the_report_count_the_same() {
    let place = Place::new();
    let (code, document, said) = walk(&place, JOURNEY, &[]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!((&document["verdict"], &document["invalid"]), (&"held".into(), &Value::Array(vec![])), "{said}");
    let requests = document["totals"]["requests_with_warm_up"].as_u64().expect("a count");
    assert_eq!(document["counted_by_target"]["requests"], requests);
    let told = document["goose"]["requests"].as_array().expect("goose's numbers");
    assert_eq!(told.iter().filter_map(|request| request["count"].as_u64()).sum::<u64>(), requests, "{told:?}");
    assert_eq!(told.iter().filter_map(|request| request["failed"].as_u64()).sum::<u64>(), 0, "{told:?}");
    assert_eq!(document["goose"]["users"], 4);
    // Each act became what it had to, and some of each were performed.
    for (kind, fate) in
        [("exchange", "accepted"), ("challenge-only", "challenged"), ("right", "accepted"), ("replayed", "challenged")]
    {
        assert!(sum(&document, kind, fate) >= 4, "{kind} {fate}: {}", document["outcomes"]);
    }
    let planned = document["totals"]["planned"].as_u64().expect("a count");
    let ended: u64 =
        document["outcomes"].as_array().expect("outcomes").iter().filter_map(|one| one["count"].as_u64()).sum();
    assert_eq!(planned, ended);
    assert_eq!(document["counted_by_target"]["accepted_proofs"], document["totals"]["accepted"]);
    assert_eq!(document["counted_by_target"]["refused_proofs"], sum(&document, "replayed", "challenged"));
    assert!(
        said.contains("walk through 4 acts, driven by goose") && said.contains("PUT publish, with a code"),
        "{said}"
    );
    // Goose says nothing itself, and writes nothing.
    assert!(!said.contains("users launched") && !said.contains("INFO") && !said.contains("WARN"), "{said}");
    assert_eq!(files(place.0.path()), ["out", "profile.yaml"]);
    assert_eq!(files(&place.0.path().join("out")), ["index.html", "load.hlog", "result.json", "summary.md"]);
    for secret in ["npm_", "Bearer"] {
        assert!(!said.contains(secret) && !document.to_string().contains(secret), "{secret} is shown");
    }
    let page = std::fs::read_to_string(place.0.path().join("out/index.html")).expect("a page");
    assert!(page.contains("What goose measured") && !page.contains("How late this program was"));
    let summary = std::fs::read_to_string(place.0.path().join("out/summary.md")).expect("a summary");
    assert!(summary.contains("PUT publish, with a code"), "{summary}");
}

#[test]
fn an_act_of_several_requests_is_prepared_and_what_that_takes_is_told_apart() {
    let journey = journey("- { action: \"unpublish:all\", proof: right }\n", "2500 ms");
    let (code, document, said) = walk(&Place::new(), &journey, &[]);
    assert_eq!(code, Some(0), "{said}");
    // Each has published what it takes back, with a code.
    let (accepted, proofs) = (&document["totals"]["accepted"], &document["counted_by_target"]["accepted_proofs"]);
    assert!(accepted.as_u64() >= Some(4), "{accepted}");
    assert!(proofs.as_u64() >= accepted.as_u64().map(|accepted| 2 * accepted), "{proofs}");
    assert_eq!(document["totals"]["requests_with_warm_up"], document["counted_by_target"]["requests"]);
    for request in ["PUT unpublish:all, set-up", "GET unpublish:all, set-up", "DELETE unpublish:all, with a code"] {
        assert!(said.contains(request), "{request}: {said}");
    }
}

#[test]
fn whoever_waits_for_his_own_code_is_not_the_targets_to_answer_for() {
    // What the second act makes ready spends the third of the codes that a user has at once, so that the run is over
    // before there is one for the act, but where a step begins within it.
    let acts = "- { action: \"unpublish:all\" }\n  - { action: deprecate }\n";
    let journey = journey(acts, "1 s") + "patience: 1 s\n";
    let (code, document, said) = walk(&Place::new(), &journey, &[]);
    assert!(sum(&document, "exchange", "accepted") >= 4, "{said}");
    assert_eq!(sum(&document, "exchange", "timed-out"), 0, "{said}");
    // What nobody got to is not held either.
    if document["unperformed"].is_null() {
        assert_eq!((code, &document["verdict"]), (Some(0), &"held".into()), "{said}");
    } else {
        assert_eq!((code, &document["verdict"]), (Some(7), &"no-data".into()), "{said}");
        assert!(said.contains("NOT PERFORMED: deprecate"), "{said}");
        assert!(document["totals"]["waited"].as_u64() >= Some(1), "{said}");
    }
}

#[test]
fn what_was_never_accepted_is_not_replayed_and_says_nothing_of_the_pool() {
    let place = Place::new();
    let stub = crate::stub::Stub::start(crate::stub::Manner::Fails);
    let path = place.0.path().join("pool.jsonl");
    crate::place::pool(&path, "stub", 300);
    let acts = "- { action: publish, proof: right }\n  - { action: publish, proof: replayed }\n";
    let journey = journey(acts, "1 s").replace("60/s", "5/s");
    // A target that accepts a step either way, so that there is a code also at the end of one.
    let (base, skew) = (format!("http://{}/", stub.address), "skew: { behind: 1, ahead: 1 }");
    place.file("mine.yaml", &format!("name: stub\nstart: running\nbase: {base}\n{skew}\n"));
    let (code, document, said) = walk(&place, &journey, &["--target", "mine.yaml", "--pool", "pool.jsonl"]);
    assert_eq!((code, &document["verdict"]), (Some(1), &"missed".into()), "{said}");
    assert!(sum(&document, "right", "server-error") >= 4, "{said}");
    assert_eq!((sum(&document, "replayed", "starved"), &document["invalid"]), (0, &Value::Array(vec![])), "{said}");
}

#[test]
fn a_registry_that_lets_an_act_through_fails_the_run() {
    for (mutant, kind, verdict) in [
        ("publish-unchallenged", "challenge-only", "missing-challenge"),
        ("replay-accepted", "replayed", "replay-accepted"),
    ] {
        let (code, document, said) = walk(&Place::new(), JOURNEY, &["--mutant", mutant]);
        assert_eq!((code, &document["verdict"]), (Some(1), &"breached".into()), "{mutant}: {said}");
        let evidence = &document["breaches"]["evidence"][0];
        assert_eq!((&evidence["kind"], &evidence["verdict"]), (&kind.into(), &verdict.into()), "{mutant}: {said}");
        assert!(said.contains("BREACHED"), "{said}");
    }
}

#[test]
fn an_interrupted_journey_reports_what_was_measured() {
    let place = Place::new();
    let document = place.interrupt("load", &JOURNEY.replace("2500 ms", "60 s"), "planned");
    assert_eq!(document["verdict"], "incomplete");
    assert!(document["totals"]["accepted"].as_u64() > Some(4), "{}", document["totals"]);
    assert_eq!(document["totals"]["requests_with_warm_up"], document["counted_by_target"]["requests"]);
}

#[test]
fn users_of_a_pool_walk_on_a_registry_that_lives_on_and_their_codes_are_noted_as_spent() {
    let place = Place::new();
    let registry = registry([7; 32], 90, None);
    let base = format!("http://{}/", registry.address);
    let text = format!("name: mine\nstart: running\nbase: {base}\nskew: {{ behind: 1, ahead: 1 }}\n");
    std::fs::write(place.0.path().join("mine.yaml"), text).expect("written");
    let lines = [
        serde_json::json!({ "pool": { "format": "stepup/pool/1", "target": "mine", "base": null } }).to_string(),
        serde_json::json!({ "seeded": { "seed": "07".repeat(32), "users": 90 } }).to_string(),
    ];
    std::fs::write(place.0.path().join("pool.jsonl"), lines.join("\n") + "\n").expect("written");
    let journey = JOURNEY.replace("number: 4", "number: 2").replace("60/s", "2/s").replace("2500 ms", "1 s");
    let before = std::fs::read_to_string(place.0.path().join("pool.jsonl")).expect("a pool");
    let accepted = registry.accepted_proofs();
    let (code, document, said) = walk(&place, &journey, &["--target", "mine.yaml", "--pool", "pool.jsonl"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(Some(registry.accepted_proofs() - accepted), document["totals"]["accepted"].as_u64(), "{said}");
    let after = std::fs::read_to_string(place.0.path().join("pool.jsonl")).expect("a pool");
    assert!(after.starts_with(&before) && after[before.len()..].contains("spent"), "{}", &after[before.len()..]);
    // Too few users for what is asked are refused before anything is sent.
    let (code, _, said) =
        walk(&place, &journey.replace("2/s", "200/s"), &["--target", "mine.yaml", "--pool", "pool.jsonl"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("the pool has 90 users"), "{said}");
}
