//! `junit.xml`, for CI servers, which know four ends of a case: passed, failure, error, skipped.
//!
//! A known deviation and an unsupported case are skipped with the reason as message: neither fails the pipeline, and
//! neither is counted as passed. What fails a run beside its cases, a stale entry of the target's file or an
//! interruption, is a case of its own, so that a server which reads this file alone comes to the program's verdict.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestRerun, TestSuite};

use super::conclusion::{Conclusion, UNVERIFIED, second_factor_unjudged};
use crate::result::{CaseResult, RunResult, Status};

/// Renders the result; the error is the serialiser's.
pub fn render(result: &RunResult) -> Result<String, String> {
    let mut report = Report::new("stepup");
    let time = run_time(result);
    report.time = time;
    report.timestamp = result.started.parse().ok();

    let mut suite = TestSuite::new(format!("{} {}", result.table.id, result.table.revision));
    suite.time = time;
    suite.timestamp = report.timestamp;
    for (name, value) in properties(result) {
        suite.add_property((name, value.as_str()));
    }
    let mut names = Names::default();
    suite.add_test_cases(result.cases.iter().map(|case| named(&mut names, case, judged(case, result))));
    for stale in &result.stale_deviations {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        status.set_type("stale-deviation").set_message(stale.as_str());
        suite.add_test_case(of_the_run(names.unique("the target's deviations hold"), status));
    }
    if !result.complete {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status.set_type("incomplete").set_message("the run was interrupted: not every selected case was run");
        suite.add_test_case(of_the_run(names.unique("the run is complete"), status));
    }
    if let Some(message) = second_factor_unjudged(result) {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        status.set_type("second-factor-not-judged").set_message(message.as_str());
        suite.add_test_case(of_the_run(names.unique("a second factor is judged"), status));
    }
    report.add_test_suite(suite);

    if !result.observations.is_empty() {
        let mut suite = TestSuite::new("writes outside the tables (observed, not judged)");
        suite.add_test_cases(result.observations.iter().map(|case| named(&mut names, case, observed(case))));
        report.add_test_suite(suite);
    }
    report.to_string().map_err(|error| error.to_string())
}

fn properties(result: &RunResult) -> Vec<(&'static str, String)> {
    let mut properties = vec![
        ("tool", result.tool.clone()),
        ("format", result.format.clone()),
        ("target", result.target.name.clone()),
        ("table", result.table.id.clone()),
        ("revision", result.table.revision.clone()),
        ("source", result.table.source.clone()),
        ("seed", result.seed.to_string()),
        ("started", result.started.clone()),
        ("finished", result.finished.clone()),
        ("complete", result.complete.to_string()),
        ("conclusion", Conclusion::of(result).sentence),
        ("known-deviations", result.summary.known.to_string()),
        ("stale-deviations", result.stale_deviations.len().to_string()),
    ];
    if result.target.unverified {
        properties.push(("identity", UNVERIFIED.to_owned()));
    }
    if let Some(sentence) = result.target.factors.missing() {
        properties.push(("no-second-factor", sentence));
    }
    properties
}

fn run_time(result: &RunResult) -> Option<Duration> {
    let started: Timestamp = result.started.parse().ok()?;
    let finished: Timestamp = result.finished.parse().ok()?;
    finished.duration_since(started).try_into().ok()
}

/// Servers take two cases of one name for one, and a run may repeat its cases.
#[derive(Default)]
struct Names(HashMap<String, usize>);

impl Names {
    fn unique(&mut self, name: &str) -> String {
        let seen = self.0.entry(name.to_owned()).or_default();
        *seen += 1;
        if *seen == 1 { name.to_owned() } else { format!("{name} ({seen})") }
    }
}

fn of_the_run(name: String, status: TestCaseStatus) -> TestCase {
    let mut entry = TestCase::new(name, status);
    entry.set_classname("stepup.run");
    entry
}

fn named(names: &mut Names, case: &CaseResult, status: TestCaseStatus) -> TestCase {
    let passed = matches!(status, TestCaseStatus::Success { .. });
    let mut entry = TestCase::new(names.unique(&case.id), status);
    entry.set_classname(format!("stepup.{}.{}", case.mode, case.action));
    let exchanges = case.probes.iter().flat_map(|probe| &probe.exchanges);
    let on_the_wire_us = exchanges.map(|exchange| exchange.elapsed_us).fold(0, u64::saturating_add);
    entry.set_time(Duration::from_micros(on_the_wire_us));
    let facts = [("mode", &case.mode), ("factor", &case.factor), ("client", &case.client), ("repeat", &case.repeat)];
    for (name, value) in facts {
        entry.add_property((name, value.as_str()));
    }
    entry.add_property(("level", case.level.name()));
    if let Some(source) = &case.source {
        // GitLab and others link a case to its file.
        entry.extra.insert("file".into(), source.file.as_str().into());
        entry.extra.insert("line".into(), source.line.to_string().into());
    }
    if passed {
        entry.set_system_out(text(case));
    }
    entry
}

fn judged(case: &CaseResult, result: &RunResult) -> TestCaseStatus {
    let verdicts = case.verdicts.iter().map(|verdict| verdict.word()).collect::<Vec<_>>().join(", ");
    let non_success = |kind| {
        let mut status = TestCaseStatus::non_success(kind);
        status.set_message(format!("{verdicts}: {}, mode {}", case.label, case.mode)).set_description(text(case));
        if let Some(worst) = case.verdicts.first() {
            status.set_type(worst.word());
        }
        status
    };
    match (case.status, &case.known) {
        (Status::Pass, _) => {
            let mut status = TestCaseStatus::success();
            for earlier in &case.earlier {
                let mut rerun = TestRerun::new(NonSuccessKind::Error);
                rerun.set_message(earlier.observed.as_str());
                if let Some(worst) = earlier.verdicts.first() {
                    rerun.set_type(worst.word());
                }
                status.add_rerun(rerun);
            }
            status
        }
        (Status::Fail, Some(known)) => skipped(&format!("known deviation, {verdicts}: {known}"), case),
        (Status::Fail, None) if !result.decides(case) => {
            skipped(&format!("recommended clause, {verdicts}: {}", case.label), case)
        }
        (Status::Fail, None) => non_success(NonSuccessKind::Failure),
        (Status::Error, _) => non_success(NonSuccessKind::Error),
        (Status::Unsupported, _) => skipped(&format!("unsupported: {}", case.observed), case),
        (Status::NotDescribed, _) => skipped(&format!("not described: {}", case.observed), case),
        (Status::Skipped, _) => skipped(&case.observed, case),
    }
}

/// An observation never fails, so one that could not be made is skipped.
fn observed(case: &CaseResult) -> TestCaseStatus {
    match case.status {
        Status::Pass => TestCaseStatus::success(),
        Status::Unsupported | Status::NotDescribed | Status::Skipped | Status::Fail | Status::Error => {
            skipped(&format!("not observed: {}", case.observed), case)
        }
    }
}

fn skipped(message: &str, case: &CaseResult) -> TestCaseStatus {
    let mut status = TestCaseStatus::skipped();
    status.set_message(message).set_description(text(case));
    status
}

fn text(case: &CaseResult) -> String {
    format!(
        "row: {} ({})\nexpected: {}\nobserved: {}\ncites: {}\nrepeat: {}",
        case.label,
        case.command,
        case.expected,
        case.observed,
        case.cites.join("; "),
        case.repeat
    )
}
