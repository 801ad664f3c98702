//! GitHub's workflow commands: an annotation for each of the first deviations, at the file that says what must hold.

use std::fmt::Write as _;

use super::conclusion::Conclusion;
use super::standing::{Ending, meaning, verdicts};
use super::text::{clean, clean_lines};
use crate::result::{CaseResult, RunResult, SecondFactor};

/// How many errors of a step are shown; what comes after the tenth is dropped unseen.
const SHOWN: usize = 9;

/// Renders the result as lines for standard output.
pub fn render(result: &RunResult) -> String {
    let mut out = String::new();
    let deciding: Vec<&CaseResult> = result.cases.iter().filter(|case| result.decides(case)).collect();
    for case in deciding.iter().take(SHOWN) {
        let means = case.verdicts.first().map_or("", |verdict| meaning(*verdict).0);
        let message = format!(
            "{means}\nexpected: {}\nobserved: {}\nrepeat: {}",
            clean(&case.expected),
            clean(&case.observed),
            clean(&case.repeat)
        );
        command(&mut out, "error", case, &format!("{}: {}", verdicts(case), clean(&case.id)), &message);
    }
    let conclusion = Conclusion::of(result);
    let more = deciding.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!("; {more} more cases are in the reports") } else { String::new() };
    let kind = match (conclusion.holds, result.second_factor() == SecondFactor::Lifted) {
        (true, false) => "notice",
        (true, true) => "warning",
        (false, _) => "error",
    };
    let title = escaped_property(&format!("stepup: {}", clean(&result.target.name)));
    let _ = writeln!(out, "::{kind} title={title}::{}", escaped(&format!("{}{more}", conclusion.sentence)));
    for case in result.cases.iter().filter(|case| Ending::of(case, result) == Ending::Advisory).take(SHOWN) {
        let title = format!("{}: {}", verdicts(case), clean(&case.id));
        command(&mut out, "warning", case, &title, &format!("recommended: {}", clean(&case.expected)));
    }
    out
}

/// Whether a workflow of GitHub's reads standard output.
pub fn are_read() -> bool {
    std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true")
}

/// Why a command ended before it could judge anything.
pub fn failure(message: &str) -> String {
    format!("::error title=stepup::{}\n", escaped(&clean_lines(message)))
}

fn command(out: &mut String, kind: &str, case: &CaseResult, title: &str, message: &str) {
    let place = case.source.as_ref().map_or_else(String::new, |source| {
        format!("file={},line={},", escaped_property(&clean(&source.file)), source.line)
    });
    let _ = writeln!(out, "::{kind} {place}title={}::{}", escaped_property(title), escaped(message));
}

/// What would end a command, or begin another.
fn escaped(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn escaped_property(text: &str) -> String {
    escaped(text).replace(':', "%3A").replace(',', "%2C")
}
