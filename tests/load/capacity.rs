//! `stepup capacity` and `stepup nodes` as users call them: how a search ends, and what follows from several.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::json;

use crate::place::{PROFILE, Place, pool, said};
use crate::stub::{Manner, Stub};

/// What a search that nothing hinders needs for a second or two.
const QUICK: &str = "arrivals: even\ncapacity: { arrivals: 1, from: 64/s, up-to: 128/s, probe: 100 ms, confirm: 100 ms, repeats: 1, warm-up: 0 s }\n";

#[test]
fn a_search_ends_at_what_the_users_bear_or_what_was_asked_for() {
    let search = "capacity: { arrivals: 1, from: 20/s, up-to: 60/s, probe: 200 ms, confirm: 200 ms, repeats: 2, warm-up: 50 ms, \
                  clients-up-to: 8 }\n";
    let profile = PROFILE.to_owned() + search;
    let (code, document, output) = Place::new().run("capacity", &profile, &[]);
    assert_eq!(code, Some(0), "{}", said(&output));
    assert_eq!(document["format"], "stepup/capacity/1");
    assert_eq!(document["end"], "beyond-asked");
    assert_eq!(document["confirmed"]["runs"], 2);
    assert_eq!(document["crowds"].as_array().map(Vec::len), Some(4));

    let place = Place::new();
    let stub = Stub::start(Manner::Fine);
    let path = place.0.path().join("pool.jsonl");
    pool(&path, "stub", 500);
    let base = format!("http://{}", stub.address);
    let more = ["--target", &base, "--pool", path.to_str().expect("a path"), "--threads", "1"];
    // Five hundred users have a code each for thirty seconds: fewer than seventeen a second, and some for chance.
    let profile = profile.replace("from: 20/s, up-to: 60/s", "from: 5/s, up-to: 900/s");
    let (code, document, output) = place.run("capacity", &profile, &more);
    assert_eq!((code, &document["end"]), (Some(0), &json!("user-bound")), "{}", said(&output));
    assert!(document["borne_per_s"].as_f64().is_some_and(|rate| rate > 13.0 && rate < 17.0), "{document}");
}

#[test]
fn a_registry_that_meets_the_objectives_at_no_rate_is_doomed() {
    let profile = PROFILE.replace("success >= 99 %", "p99 response_time < 1 us") + QUICK;
    let (code, document, output) = Place::new().run("capacity", &profile, &[]);
    assert_eq!((code, &document["end"]), (Some(1), &json!("doomed")), "{}", said(&output));
}

#[test]
fn exit_codes_say_how_a_search_ended() {
    let nothing_to_measure = PROFILE.replace("success >= 99 %", "p99 throttled_time < 1 s") + QUICK;
    let (code, document, output) = Place::new().run("capacity", &nothing_to_measure, &[]);
    assert_eq!((code, &document["end"]), (Some(7), &json!("no-data")), "{}", said(&output));

    let late = PROFILE.replace("lateness-p99: 5 s", "lateness-p99: 1 us") + QUICK;
    let (code, document, output) = Place::new().run("capacity", &late, &[]);
    assert_eq!((code, &document["end"]), (Some(6), &json!("generator-bound")), "{}", said(&output));
    assert_eq!(document["probes"][0]["limit"], "sender");

    let place = Place::new();
    let stub = Stub::start(Manner::Silent);
    let path = place.0.path().join("pool.jsonl");
    pool(&path, "stub", 9_000);
    let base = format!("http://{}", stub.address);
    let more = ["--target", &base, "--pool", path.to_str().expect("a path"), "--threads", "1"];
    let impatient = PROFILE.to_owned() + "patience: 50 ms\n" + QUICK;
    let (code, document, output) = place.run("capacity", &impatient, &more);
    assert_eq!((code, &document["end"]), (Some(3), &json!("unreachable")), "{}", said(&output));
}

/// A search of a registry that verifies so many codes at once, over so many connections. A code takes four tenths of a
/// second, so that one at a time is two and a half a second; two a second are met and four missed however busy this
/// machine is.
fn searched(at_once: u32, connections: u32) -> (Option<i32>, serde_json::Value, Output) {
    let profile = PROFILE
        .replace("connections: 8", &format!("connections: {connections}"))
        .replace("success >= 99 %", "p99 response_time < 1 s")
        + "arrivals: even\n\
           capacity: { arrivals: 1, from: 1/s, up-to: 8/s, within: 100 %, probe: 2 s, confirm: 2 s, repeats: 1, warm-up: 0 s }\n";
    on_slow("capacity", &profile, at_once)
}

/// A command on a registry that verifies so many codes at once, each in four tenths of a second.
fn on_slow(command: &str, profile: &str, at_once: u32) -> (Option<i32>, serde_json::Value, Output) {
    let place = Place::new();
    let target = format!(
        "name: slow\nabout: slow\nstart: embedded\nverifiers: {{ number: {at_once}, time: 400 ms }}\nskew: {{ behind: 1, \
         ahead: 1 }}\n"
    );
    let target = place.file("target.yaml", &target);
    place.run(command, profile, &["--threads", "1", "--target", target.to_str().expect("a path")])
}

#[test]
fn the_capacity_of_known_capacity_is_what_its_file_says() {
    let target = stepup::target::find_to_load("known-capacity").expect("the target");
    let stepup::target::Start::Embedded { verifiers: Some(verifiers) } = target.start else {
        panic!("{:?}", target.start);
    };
    assert!((verifiers.capacity() - 8_000.0).abs() < 1e-6 && target.about.contains("8,000 verifications a second"));
    let (code, document, output) = Place::new().run("load", PROFILE, &["--target", "known-capacity"]);
    assert_eq!(code, Some(0), "{}", said(&output));
    assert_eq!(document["target"]["name"], "known-capacity");
    // Nobody is answered before a verifier has taken its time.
    let fastest = document["times"]["service_time"]["percentiles"][0]["us"].as_f64();
    assert!(fastest.is_some_and(|us| us >= 250.0), "{fastest:?}");
}

#[test]
fn a_search_that_a_breach_ended_says_which() {
    let profile = PROFILE.to_owned() + "mix: { right: 1, replayed: 1 }\n" + QUICK;
    let (code, document, output) = Place::new().run("capacity", &profile, &["--mutant", "replay-accepted"]);
    assert_eq!((code, &document["evidence"][0]["verdict"]), (Some(1), &json!("replay-accepted")), "{}", said(&output));
    assert!(said(&output).contains("  replayed (replay-accepted) by "), "{}", said(&output));
}

#[test]
fn a_registry_at_its_limit_is_found() {
    let (code, document, output) = searched(1, 8);
    assert_eq!((code, &document["end"]), (Some(0), &json!("found")), "{}", said(&output));
    assert_eq!((&document["borne_per_s"], &document["missed_per_s"]), (&json!(2.0), &json!(4.0)));
}

#[test]
fn connections_that_are_all_in_use_are_not_the_registrys_limit() {
    let (code, document, output) = searched(100, 1);
    assert_eq!((code, &document["end"]), (Some(6), &json!("connection-bound")), "{}", said(&output));
    assert!(
        said(&output).contains("Connection-bound: at least 2/s; at 4/s its connection was in use"),
        "{}",
        said(&output)
    );
    assert!(document["search"]["connections"] == 1, "{document}");
}

#[test]
fn a_search_that_this_machine_lets_down_reports_what_was_measured_before() {
    let search = "arrivals: even\ncapacity: { arrivals: 1, from: 64/s, up-to: 128/s, probe: 1 s, confirm: 1 s, repeats: 9, \
                  warm-up: 0 s }\n";
    let place = Place::new();
    let (mut child, mut lines) = place.begin("capacity", &(PROFILE.to_owned() + search), &["--threads", "1"]);
    lines.find(|said| said.starts_with("probe ")).expect("it says so");
    // From now on no probe has all the files that it takes; a report is one.
    let files = format!("/proc/{}/fd", child.id());
    let is_timer = |entry: &std::fs::DirEntry| {
        std::fs::read_link(entry.path()).is_ok_and(|to| to.to_string_lossy().contains("timerfd"))
    };
    let timer = loop {
        let open = std::fs::read_dir(&files).expect("its files").filter_map(Result::ok);
        let timers = open.filter(is_timer).filter_map(|entry| entry.file_name().to_str()?.parse::<u64>().ok());
        if let Some(timer) = timers.max() {
            break timer;
        }
        std::thread::yield_now();
    };
    let few = rustix::process::Rlimit { current: Some(timer - 1), maximum: Some(timer - 1) };
    let process = rustix::process::Pid::from_child(&child);
    rustix::process::prlimit(Some(process), rustix::process::Resource::Nofile, few).expect("it is told");
    let rest: Vec<String> = lines.collect();
    assert_eq!(child.wait().expect("it ends").code(), Some(5), "{rest:?}");
    let document = place.document();
    assert!(document["broken_off"].as_str().is_some_and(|why| why.contains("Too many open files")), "{rest:?}");
    assert_eq!((&document["end"], &document["complete"]), (&json!(null), &json!(false)));
    assert!(document["probes"].as_array().is_some_and(|probes| !probes.is_empty()), "{document}");
    let summary = std::fs::read_to_string(place.out().join("summary.md")).expect("a summary");
    assert!(summary.contains("broken off, for this machine could not go on"), "{summary}");
}

#[test]
fn a_run_says_that_connections_may_have_been_its_limit() {
    let at = |connections: u32| {
        // Four a second, of four tenths of a second each, are more than one connection bears.
        let profile = PROFILE
            .replace("connections: 8", &format!("connections: {connections}"))
            .replace("success >= 99 %", "p99 response_time < 20 s")
            .replace("rate: 100/s, for: 600 ms", "rate: 4/s, for: 3 s")
            + "arrivals: even\npatience: 20 s\n";
        on_slow("load", &profile, 100)
    };
    let (code, document, output) = at(1);
    assert_eq!((code, &document["connections"]["short"]), (Some(0), &json!(true)), "{}", said(&output));
    assert!(said(&output).contains("connections: the only one was in use"), "{}", said(&output));
    assert!(said(&output).contains("they may be the limit, and not the target"), "{}", said(&output));
    let (code, document, output) = at(8);
    assert_eq!((code, &document["connections"]["short"]), (Some(0), &json!(false)), "{}", said(&output));
    assert!(said(&output).contains("connections: up to 8, in use"), "{}", said(&output));
}

#[test]
fn an_interrupted_search_reports_the_probes_that_it_made() {
    let profile = PROFILE.to_owned() + &QUICK.replace("128/s", "100000/s");
    let document = Place::new().interrupt("capacity", &profile, "probe ");
    assert_eq!(document["end"], json!(null));
    assert!(document["probes"].as_array().is_some_and(|probes| !probes.is_empty()), "{document}");
}

/// Writes the result of a search with something in it changed.
fn result(place: &Place, name: &str, change: impl FnOnce(&mut serde_json::Value)) -> PathBuf {
    let mut document: serde_json::Value =
        serde_json::from_str(include_str!("../../fixtures/samples/capacity-1.json")).expect("JSON");
    change(&mut document);
    place.file(name, &document.to_string())
}

fn nodes(rate: &str, results: &[(u32, &Path)]) -> Output {
    let results = results.iter().map(|(nodes, path)| format!("{nodes}={}", path.display()));
    Command::new(env!("CARGO_BIN_EXE_stepup"))
        .args(["nodes", "--rate", rate, "--head-room", "0 %"])
        .args(results)
        .output()
        .expect("it runs")
}

#[test]
fn how_many_nodes_bear_a_rate_follows_from_searches_that_were_made_alike() {
    let place = Place::new();
    let one = result(&place, "one.json", |_| {});
    let two = result(&place, "two.json", |document| {
        document["borne_per_s"] = json!(50_000.0);
        document["missed_per_s"] = json!(52_000.0);
        document["confirmed"] = json!({ "runs": 2, "accepted_per_s": 50_000.0, "least_per_s": 49_900.0, "most_per_s": 50_100.0, "spread": 0.004 });
    });
    let output = nodes("40000/s", &[(1, &one), (2, &two)]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains("2, as was measured, for 40000/s with 0 % kept free"), "{}", said(&output));

    let output = nodes("90000/s", &[(1, &one), (2, &two)]);
    assert_eq!(output.status.code(), Some(7), "{}", said(&output));
    // One misses 30,000, and two that are no better than that each miss what three would not.
    assert!(said(&output).contains("at least 3, as long as nodes do not help each other"), "{}", said(&output));

    let other = result(&place, "other.json", |document| document["action"] = json!("publish"));
    let output = nodes("40000/s", &[(1, &one), (2, &other)]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("the action: profile-set:fullname and publish"), "{}", said(&output));
}
