//! What the exit code says, in one sentence. Every report ends, or begins, with it.

use crate::result::{RunResult, Status};

/// What each report says of a run with `--insecure`.
pub(super) const UNVERIFIED: &str = "Its certificate was not verified (--insecure).";

/// A run in one sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conclusion {
    /// Whether nothing is wrong.
    pub holds: bool,
    /// The sentence.
    pub sentence: String,
}

impl Conclusion {
    /// The conclusion of a run.
    pub fn of(result: &RunResult) -> Self {
        let s = &result.summary;
        let new = new_deviations(result);
        let wrong = wrong(result, new);
        let judged = s.exact + s.deviating;
        let seen = result.observations.iter().any(|case| case.status == Status::Pass);
        if !result.complete {
            let so_far = if wrong.is_empty() { String::new() } else { format!("; so far {}", wrong.join(", ")) };
            Conclusion::bad(format!("INCOMPLETE: the run was interrupted{so_far}"))
        } else if !wrong.is_empty() {
            let only_unjudged = wrong.len() == 1 && s.errored > 0;
            let so = if only_unjudged { "Not judged in full" } else { "Did not hold" };
            Conclusion::bad(format!("{so}: {}", wrong.join(", ")))
        } else if judged == 0 && (!seen || s.selected > 0) {
            Conclusion::bad("Nothing was judged".to_owned())
        } else if judged == 0 {
            Conclusion::good("Nothing to judge: the writes were observed".to_owned())
        } else {
            let but = if s.known > 0 { ", but for what the target's file lists" } else { "" };
            let without =
                if result.target.no_second_factor.is_some() { "; none of them with a second factor" } else { "" };
            let advisory = match s.deviating - s.known - new {
                0 => "",
                _ => ", but for recommended clauses, which decide with --level recommended",
            };
            let flaky = match s.flaky {
                0 => String::new(),
                flaky => format!("; {flaky} of them when played again, for they could not be judged at first"),
            };
            Conclusion::good(format!("Held: {judged} judged, all as documented{but}{advisory}{without}{flaky}"))
        }
    }

    fn good(sentence: String) -> Self {
        Conclusion { holds: true, sentence }
    }

    fn bad(sentence: String) -> Self {
        Conclusion { holds: false, sentence }
    }
}

/// How many deviations turn the exit code to 1.
pub(super) fn new_deviations(result: &RunResult) -> usize {
    result.cases.iter().filter(|case| case.status == Status::Fail && result.decides(case)).count()
}

fn wrong(result: &RunResult, new: usize) -> Vec<String> {
    let counts = [
        (new, "new deviation", "new deviations"),
        (result.summary.errored, "case not judged", "cases not judged"),
        (result.stale_deviations.len(), "stale entry", "stale entries"),
    ];
    let told = counts.into_iter().filter(|(count, ..)| *count > 0);
    told.map(|(count, one, many)| format!("{count} {}", if count == 1 { one } else { many })).collect()
}
