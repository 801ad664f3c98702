//! A badge, in the form that the endpoint badges of shields read.

use serde_json::json;

use super::conclusion::new_deviations;
use crate::result::{RunEnd, RunResult, SecondFactor, Status};

/// Renders the result; the error is the serialiser's.
pub fn render(result: &RunResult) -> Result<String, String> {
    let s = &result.summary;
    let new = new_deviations(result);
    let (message, colour) = if !result.complete {
        ("incomplete".to_owned(), "lightgrey")
    } else if new > 0 {
        (format!("{new} deviating"), "red")
    } else if s.errored > 0 {
        (format!("{} not judged", s.errored), "red")
    } else if !result.stale_deviations.is_empty() {
        ("stale deviations".to_owned(), "red")
    } else if result.end() == RunEnd::SecondFactorNotJudged {
        ("second factor not judged".to_owned(), "red")
    } else if result.end() == RunEnd::NothingDecides {
        ("nothing decides".to_owned(), "lightgrey")
    } else if s.exact + s.deviating == 0 {
        ("nothing judged".to_owned(), "lightgrey")
    } else {
        let lifted = result.second_factor() == SecondFactor::Lifted;
        let untested = s.unsupported + s.not_described + s.skipped;
        let colour = match (s.deviating, untested) {
            _ if lifted => "yellow",
            (0, 0) if s.flaky == 0 => "brightgreen",
            (0, _) => "yellowgreen",
            _ => "yellow",
        };
        let without = if lifted { " without a second factor" } else { "" };
        (format!("{} exact{without}{}", s.exact, beside(result, untested)), colour)
    };
    let badge = json!({ "schemaVersion": 1, "label": "npm second factor", "message": message, "color": colour });
    serde_json::to_string_pretty(&badge).map_err(|error| error.to_string())
}

/// What does not decide: cases that held when played again alone, known deviations, those from clauses that are less binding than what was asked for, and what
/// was not tested.
fn beside(result: &RunResult, untested: usize) -> String {
    let failed = || result.cases.iter().filter(|case| case.status == Status::Fail);
    let known = failed().filter(|case| case.known.is_some()).count();
    let advised = failed().count() - known;
    let again = result.summary.flaky;
    let told = [
        (again, "when played again"),
        (known, "known to deviate"),
        (advised, "not as recommended"),
        (untested, "not tested"),
    ];
    told.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!(", {count} {what}")).collect()
}
