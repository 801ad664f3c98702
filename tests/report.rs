//! What the reports say of results: pure functions, so most results here are made from one run and altered.

mod program;

use stepup::report::terminal;
use stepup::result::{Answered, RunResult};

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
        let report = terminal::render(&result);
        let row = report.lines().find(|line| line.starts_with("Add an owner")).expect("the row");
        assert!(row.split("  ").any(|cell| cell.trim() == words), "{row}");
    }
}
