//! What the exit code says, in one sentence. Every report ends, or begins, with it.

use std::time::Duration;

use jiff::civil::Date;

use super::text::counted;
use crate::result::{RunEnd, RunResult, SecondFactor, Status, lasting};

/// What each report says of a run with `--insecure`.
pub(super) const UNVERIFIED: &str = "Its certificate was not verified (--insecure).";

/// A run in one sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conclusion {
    /// Whether nothing is wrong.
    pub holds: bool,
    /// Whether it holds with a reservation that each report shows in amber.
    pub amber: bool,
    /// The sentence.
    pub sentence: String,
}

impl Conclusion {
    /// The conclusion of a run.
    pub fn of(result: &RunResult) -> Self {
        let conclusion = Conclusion::of_what_was_run(result);
        let Some(budget) = &result.budget else { return conclusion };
        let left = match budget.left {
            0 => String::new(),
            left => format!(", which left out {}", counted(left, "case")),
        };
        let long = lasting(Duration::from_secs(budget.seconds));
        let sentence = format!("Within a budget of {long}{left}: {}", conclusion.sentence);
        Conclusion { sentence, ..conclusion }
    }

    fn of_what_was_run(result: &RunResult) -> Self {
        let s = &result.summary;
        let new = new_deviations(result);
        let wrong = wrong(result, new);
        match result.end() {
            RunEnd::Incomplete => {
                let so_far = if wrong.is_empty() { String::new() } else { format!("; so far {}", wrong.join(", ")) };
                Conclusion::bad(format!("INCOMPLETE: the run was interrupted{so_far}"))
            }
            RunEnd::NothingExecuted | RunEnd::NotReached | RunEnd::Deviating if !wrong.is_empty() => {
                let only_unjudged = wrong.len() == 1 && s.errored > 0;
                let so = if only_unjudged { "Not judged in full" } else { "Did not hold" };
                Conclusion::bad(format!("{so}: {}{}", wrong.join(", "), besides(result)))
            }
            RunEnd::SecondFactorNotJudged => Conclusion::bad(format!("{}; {}", unjudged(result), others(result))),
            RunEnd::NothingExecuted | RunEnd::NotReached | RunEnd::Deviating => {
                Conclusion::bad("Nothing was judged".to_owned())
            }
            RunEnd::NothingDecides if s.selected == 0 => {
                Conclusion::bad("Nothing to judge: the writes were observed, and none of them decides".to_owned())
            }
            RunEnd::NothingDecides => Conclusion::bad(format!(
                "Nothing decides: of the {} judged none is binding at level {}",
                counted(s.exact + s.deviating, "case"),
                result.level
            )),
            RunEnd::Held => held(result, new),
        }
    }

    fn bad(sentence: String) -> Self {
        Conclusion { holds: false, amber: false, sentence }
    }
}

/// A run that held. Nothing that deviates is passed over: the word "all" is for a run in which nothing does.
fn held(result: &RunResult, new: usize) -> Conclusion {
    let s = &result.summary;
    let (judged, advisory) = (s.exact + s.deviating, s.deviating - s.known - new);
    let lifted = result.second_factor() == SecondFactor::Lifted;
    let how = match (s.known, advisory) {
        (0, 0) => format!("Held: {judged} judged, all as documented"),
        (0, advised) => {
            format!("Held: {judged} judged, {} as documented and {}", s.exact, from_recommended(advised))
        }
        (known, advised) => {
            let beside = if advised > 0 { format!(" and {}", from_recommended(advised)) } else { String::new() };
            format!("Passed with {}{beside}: {judged} judged, {} as documented", known_until(result, known), s.exact)
        }
    };
    let without = if lifted { "; WITHOUT A SECOND FACTOR, for the target's file says that there is none" } else { "" };
    let flaky = match s.flaky {
        0 => String::new(),
        flaky => format!("; {flaky} of them when played again, for they could not be judged at first"),
    };
    Conclusion { holds: true, amber: lifted || s.deviating > 0, sentence: format!("{how}{without}{flaky}") }
}

fn from_recommended(deviating: usize) -> String {
    let deviate = if deviating == 1 { "deviates" } else { "deviate" };
    format!("{deviating} that {deviate} from recommended clauses, which decide with --level recommended")
}

/// The known deviations, and the day when the first of them must be looked at again.
fn known_until(result: &RunResult, known: usize) -> String {
    let until: Option<Date> = result.cases.iter().filter_map(|case| Some(case.known.as_ref()?.until)).min();
    let until = until.map(|until| until.to_string()).unwrap_or_default();
    let first = if known == 1 { "" } else { "the first " };
    format!("{}, {first}until {until}", counted(known, "known deviation"))
}

/// That a second factor was not judged, in words; nothing where it was or had not to be.
pub(super) fn second_factor_unjudged(result: &RunResult) -> Option<String> {
    match result.second_factor() {
        SecondFactor::NotJudged { .. } => Some(unjudged(result)),
        SecondFactor::Exempt | SecondFactor::Judged | SecondFactor::Lifted => None,
    }
}

fn unjudged(result: &RunResult) -> String {
    let SecondFactor::NotJudged { missing, cases } = result.second_factor() else { return String::new() };
    let names: Vec<&str> = missing.iter().map(|missing| missing.name()).collect();
    let (of, needed) = match names.as_slice() {
        [] => (String::new(), "need one".to_owned()),
        [name] => (format!(" for {name}, which is required"), format!("show {name}")),
        names => (format!(" for {}, which are required", names.join(", ")), "show these".to_owned()),
    };
    let none =
        if cases == 1 { "the 1 selected case".to_owned() } else { format!("none of the {cases} selected cases") };
    let could = if cases == 1 { "could not be judged" } else { "could be judged" };
    let needed = if cases == 1 { needed.replacen("need ", "needs ", 1).replacen("show ", "shows ", 1) } else { needed };
    format!("SECOND FACTOR NOT JUDGED{of}: {none} that {needed} {could}")
}

/// What was judged beside that.
fn others(result: &RunResult) -> String {
    let s = &result.summary;
    let known = if s.known > 0 { format!(", {}", known_until(result, s.known)) } else { String::new() };
    match s.exact + s.deviating {
        0 => "nothing was judged".to_owned(),
        judged => format!("of the others {judged} were judged, {} as documented{known}", s.exact),
    }
}

/// That a second factor was not judged, beside what is worse.
fn besides(result: &RunResult) -> String {
    second_factor_unjudged(result).map(|said| format!("; {said}")).unwrap_or_default()
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
