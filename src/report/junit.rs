//! `junit.xml`, for CI servers.

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::result::{CaseResult, RunResult, Status};

/// Renders the result; the error is the serialiser's.
pub fn render(result: &RunResult) -> Result<String, String> {
    let mut report = Report::new("stepup");
    let mut suite = TestSuite::new(format!("{} {}", result.table.id, result.table.revision));
    suite.add_property(("target", result.target.name.as_str()));
    suite.add_property(("seed", result.seed.to_string().as_str()));
    suite.add_test_cases(result.cases.iter().map(case));
    report.add_test_suite(suite);
    report.to_string().map_err(|error| error.to_string())
}

fn case(case: &CaseResult) -> TestCase {
    let verdicts = case.verdicts.iter().map(|verdict| verdict.word()).collect::<Vec<_>>().join(", ");
    let text = format!(
        "expected: {}\nobserved: {}\ncites: {}\nrepeat: {}",
        case.expected,
        case.observed,
        case.cites.join("; "),
        case.repeat
    );
    let non_success = |kind| {
        let mut status = TestCaseStatus::non_success(kind);
        status.set_message(verdicts.clone()).set_description(text.clone());
        status
    };
    let status = match case.status {
        Status::Pass => TestCaseStatus::success(),
        Status::Fail => non_success(NonSuccessKind::Failure),
        Status::Error => non_success(NonSuccessKind::Error),
        Status::Unsupported | Status::Skipped => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(case.observed.clone());
            status
        }
    };
    let mut entry = TestCase::new(case.id.clone(), status);
    entry.set_classname(format!("stepup.{}.{}", case.mode, case.action));
    entry
}
