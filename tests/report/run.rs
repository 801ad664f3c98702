//! What the reports say of results: pure functions, so most results here are made from one run and altered.

use stepup::report::junit;
use stepup::report::terminal::{self, Paper};
use stepup::result::{Answered, RunResult, Status};

use crate::program;

/// A run of the embedded registry.
fn run(arguments: &[&str]) -> RunResult {
    let ran = program::check(arguments);
    ran.result.unwrap_or_else(|| panic!("no result, exit code {:?}: {}", ran.code, ran.said))
}

#[test]
fn an_observed_write_is_told_by_its_answer_and_not_by_its_words() {
    let mut result = run(&["--case", "auth-only/owner-add/*"]);
    let answers = [
        (Answered::Accepted, "not asked"),
        (Answered::Challenged, "asked"),
        (Answered::Refused, "refused"),
        (Answered::NotImplemented, "no such route"),
        (Answered::Throttled, "throttled"),
        (Answered::Failed, "no usable answer"),
    ];
    for (answer, words) in answers {
        result.observations[0].probes[0].answer = answer;
        "in words that end with success".clone_into(&mut result.observations[0].probes[0].outcome);
        let report = terminal::render(&result, Paper::default());
        let row = report.lines().find(|line| line.starts_with("Add an owner")).expect("the row");
        assert!(row.split("  ").any(|cell| cell.trim() == words), "{row}");
    }
}

#[test]
fn colour_is_for_terminals_and_says_nothing_alone() {
    let result = run(&["--mutant", "whoami-challenged", "--case", "*/whoami/*"]);
    let plain = terminal::render(&result, Paper::default());
    let coloured = terminal::render(&result, Paper { colour: true, ..Paper::default() });
    assert!(!plain.contains('\u{1b}') && coloured.contains('\u{1b}'));
    assert_eq!(without_colour(&coloured), plain);
    let piped = program::check(&["--case", "*/whoami/*"]).said;
    assert!(!piped.contains('\u{1b}'), "{piped:?}");
}

#[test]
fn a_short_run_is_silent_but_for_its_report() {
    let ran = program::check(&["--case", "*/whoami/*"]);
    let after = ran.said.split_once("reports: ").expect("the last line of standard output").1;
    assert_eq!(after.lines().count(), 1, "{after}");
}

#[test]
fn a_ci_server_comes_to_the_verdict_of_the_exit_code() {
    let counts = |result: &RunResult| {
        let xml = junit::render(result).expect("renders");
        let line = xml.lines().find(|line| line.starts_with("<testsuites")).expect("the root");
        let count = |name: &str| {
            let rest = line.split_once(&format!(" {name}=\"")).expect("a count").1;
            rest.split('"').next().and_then(|number| number.parse::<usize>().ok()).expect("a number")
        };
        (count("failures"), count("errors"), count("skipped"))
    };
    let mut result = run(&["--mutant", "whoami-challenged", "--case", "*/whoami/*", "--case", "*/star/*"]);
    assert_eq!(counts(&result), (6, 0, 0));
    for case in result.cases.iter_mut().filter(|case| case.status == Status::Fail) {
        case.known =
            Some(stepup::result::Known { reason: "it is so".to_owned(), until: "2027-06-30".parse().expect("a date") });
    }
    assert_eq!(counts(&result), (0, 0, 6), "known deviations are skipped");
    result.stale_deviations.push("deviation `x`: no case has such an id".to_owned());
    assert_eq!(counts(&result), (1, 0, 6), "a stale entry fails");
    result.complete = false;
    assert_eq!(counts(&result), (1, 1, 6), "an interrupted run is an error");
    result.observations[0].status = Status::Error;
    assert_eq!(counts(&result), (1, 1, 7), "an observation never fails");
}

#[test]
fn the_reports_are_written_though_nobody_reads_standard_output() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_stepup"))
        .args(["check", "--case", "*/ping/*", "--out"])
        .arg(folder.path())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("stepup starts");
    drop(child.stdout.take());
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    assert!(folder.path().join("junit.xml").exists());
}

fn without_colour(text: &str) -> String {
    let mut parts = text.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |plain, part| plain + part.split_once('m').map_or("", |(_, rest)| rest))
}

#[test]
fn every_line_fits_its_terminal_but_for_commands_to_copy() {
    let result = run(&["--mutant", "replay-accepted"]);
    for width in [80, 100, 140] {
        let report = terminal::render(&result, Paper { width, colour: false });
        let long = report.lines().find(|line| !line.contains("stepup check") && line.chars().count() > width);
        assert_eq!(long, None, "at {width}");
    }
}

#[test]
fn every_deviation_can_be_found_and_repeated() {
    let result = run(&["--mutant", "replay-accepted"]);
    let report = terminal::render(&result, Paper::default());
    let deviating = result.cases.iter().filter(|case| case.status == Status::Fail);
    assert!(deviating.clone().count() > 20);
    assert!(deviating.clone().all(|case| report.contains(&case.id)));
    assert!(report.contains("stepup check --mutant replay-accepted --case 'ID' --seed 1"));
}
