//! TAP 13 (Test Anything Protocol), for harnesses that read it. All that is said here is in that version already, and
//! `prove`, which many have, fails whatever states a later one.
//!
//! A known deviation is `not ok` with the directive TODO, which no harness counts as failed; what was not tested is
//! `ok` with SKIP, as the protocol has it.

use std::fmt::Write as _;

use super::conclusion::{Conclusion, UNVERIFIED, second_factor_unjudged};
use super::standing::{Ending, verdicts, why_untested};
use super::text::clean;
use crate::result::{CaseResult, RunResult};

/// Renders the result.
pub fn render(result: &RunResult) -> String {
    let mut points = Vec::new();
    for case in &result.cases {
        points.push(judged(case, result));
    }
    for stale in &result.stale_deviations {
        points.push((
            "not ok",
            "the target's deviations hold".to_owned(),
            String::new(),
            vec![("message", clean(stale))],
        ));
    }
    if !result.complete {
        let message = "the run was interrupted: not every selected case was run".to_owned();
        points.push(("not ok", "the run is complete".to_owned(), String::new(), vec![("message", message)]));
    }
    if let Some(message) = second_factor_unjudged(result) {
        points.push(("not ok", "a second factor is judged".to_owned(), String::new(), vec![("message", message)]));
    }
    let mut out = format!("TAP version 13\n1..{}\n", points.len());
    let _ = writeln!(out, "# target: {}, {}, seed {}", clean(&result.target.name), clean(&result.tool), result.seed);
    let _ = writeln!(out, "# {}", clean(&Conclusion::of(result).sentence));
    if result.target.unverified {
        let _ = writeln!(out, "# {UNVERIFIED}");
    }
    for (number, (ok, description, directive, diagnostics)) in points.into_iter().enumerate() {
        let _ = writeln!(out, "{ok} {} - {}{directive}", number + 1, escaped(&description));
        if !diagnostics.is_empty() {
            out.push_str("  ---\n");
            for (name, value) in diagnostics {
                // What JSON writes is YAML as well.
                let _ = writeln!(out, "  {name}: {}", serde_json::Value::String(value));
            }
            out.push_str("  ...\n");
        }
    }
    let _ = writeln!(out, "# {} writes outside the tables were observed and not judged", result.observations.len());
    out
}

type Point = (&'static str, String, String, Vec<(&'static str, String)>);

fn judged(case: &CaseResult, result: &RunResult) -> Point {
    let directive = |word: &str, why: &str| format!(" # {word} {}", escaped(&clean(why)));
    let told = verdicts(case);
    let (ok, directive, shown) = match Ending::of(case, result) {
        Ending::Held => ("ok", String::new(), false),
        Ending::Flaky => ("ok", String::new(), true),
        Ending::New | Ending::Unjudged => ("not ok", String::new(), true),
        Ending::Known => {
            let why = format!("known, {told}: {}", case.known.as_ref().map(ToString::to_string).unwrap_or_default());
            ("not ok", directive("TODO", &why), true)
        }
        Ending::Advisory => ("not ok", directive("TODO", &format!("recommended clause, {told}")), true),
        Ending::Unsupported => ("ok", directive("SKIP", &format!("unsupported: {}", why_untested(case))), false),
        Ending::NotDescribed => ("ok", directive("SKIP", &format!("not described: {}", why_untested(case))), false),
        Ending::NotRun => ("ok", directive("SKIP", &format!("not run: {}", why_untested(case))), false),
    };
    let before = case.earlier.iter().map(|earlier| ("before", clean(&earlier.observed)));
    let diagnostics = if shown {
        let told = vec![
            ("verdicts", told),
            ("row", clean(&case.label)),
            ("expected", clean(&case.expected)),
            ("observed", clean(&case.observed)),
            ("cites", clean(&case.cites.join("; "))),
            ("repeat", clean(&case.repeat)),
        ];
        told.into_iter().chain(before).collect()
    } else {
        Vec::new()
    };
    (ok, clean(&case.id), directive, diagnostics)
}

/// Only these two would be read as something else.
fn escaped(text: &str) -> String {
    text.replace('\\', r"\\").replace('#', r"\#")
}
