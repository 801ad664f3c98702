//! The terminal report: the tables as a grid, what deviates, totals that add up, one sentence at the end.

pub mod exploration;
mod findings;
mod grid;
mod paper;

pub use paper::{Paper, WIDTH};

use crate::result::{RunResult, Status};
use paper::Tone;

/// Renders the result.
pub fn render(result: &RunResult, paper: Paper) -> String {
    let mut out = String::new();
    let table = &result.table;
    paper.text(&mut out, &format!("{}, revision {}", table.source, table.revision));
    paper.text(&mut out, &format!("target: {}", result.target.name));
    out.push('\n');
    if let Some(evidence) = &result.target.no_second_factor {
        let with_factor = result.cases.iter().filter(|case| case.factor != "none").count();
        let unsupported = match with_factor {
            0 => String::new(),
            1 => ", so the case with one is unsupported: neither pass nor failure".to_owned(),
            _ => format!(", so its {with_factor} cases with one are unsupported: neither pass nor failure"),
        };
        let sentence = format!("This registry has no second factor (enrolment was answered {evidence}){unsupported}.");
        paper.text(&mut out, &sentence);
        out.push('\n');
    }
    if result.target.clock_offset_ms != 0 {
        let seconds = result.target.clock_offset_ms.abs() / 1_000;
        let side = if result.target.clock_offset_ms > 0 { "ahead of" } else { "behind" };
        let sentence =
            format!("The registry's clock is {seconds} s {side} this machine's; codes are those of its time.");
        paper.text(&mut out, &sentence);
        out.push('\n');
    }
    grid::write(&mut out, result, paper);
    findings::write(&mut out, result, paper);
    totals(&mut out, result, paper);
    if let Some(ended) = &result.target.ended {
        paper.text(&mut out, "The registry ended during the run:");
        for line in ended.lines() {
            paper.text(&mut out, &format!("  {line}"));
        }
    }
    let (tone, sentence) = conclusion(result);
    for line in paper::wrap(&sentence, paper.width) {
        out.push_str(&paper.paint(tone, &line));
        out.push('\n');
    }
    out
}

fn totals(out: &mut String, result: &RunResult, paper: Paper) {
    let s = &result.summary;
    out.push('\n');
    let sum = format!(
        "{} cases = {} exact + {} deviating + {} unsupported + {} not run + {} not judged",
        s.selected, s.exact, s.deviating, s.unsupported, s.skipped, s.errored
    );
    paper.text(out, &sum);
    if s.deviating > 0 {
        paper.text(out, &format!("{} deviating = {} known + {} new", s.deviating, s.known, s.deviating - s.known));
    }
    if s.observed > 0 {
        paper.text(out, &format!("{} writes outside the tables observed beside them", s.observed));
    }
}

/// What the exit code says, in words.
fn conclusion(result: &RunResult) -> (Tone, String) {
    let s = &result.summary;
    let mut wrong = Vec::new();
    let new = result.cases.iter().filter(|case| case.status == Status::Fail && result.decides(case)).count();
    for (count, one, many) in [
        (new, "new deviation", "new deviations"),
        (s.errored, "case not judged", "cases not judged"),
        (result.stale_deviations.len(), "stale entry", "stale entries"),
    ] {
        if count > 0 {
            wrong.push(format!("{count} {}", if count == 1 { one } else { many }));
        }
    }
    let judged = s.exact + s.deviating;
    let seen = result.observations.iter().any(|case| case.status == Status::Pass);
    if !result.complete {
        let so_far = if wrong.is_empty() { String::new() } else { format!("; so far {}", wrong.join(", ")) };
        (Tone::Bad, format!("INCOMPLETE: the run was interrupted{so_far}"))
    } else if !wrong.is_empty() {
        let only_unjudged = wrong.len() == 1 && s.errored > 0;
        let so = if only_unjudged { "Not judged in full" } else { "Did not hold" };
        (Tone::Bad, format!("{so}: {}", wrong.join(", ")))
    } else if judged == 0 && !seen {
        (Tone::Bad, "Nothing was judged".to_owned())
    } else if judged == 0 {
        (Tone::Good, "Nothing to judge: the writes were observed".to_owned())
    } else {
        let but = if s.known > 0 { ", but for what the target's file lists" } else { "" };
        let without = if result.target.no_second_factor.is_some() { "; none of them with a second factor" } else { "" };
        let advisory = match s.deviating - s.known - new {
            0 => "",
            _ => ", but for recommended clauses, which decide with --level recommended",
        };
        (Tone::Good, format!("Held: {judged} judged, all as documented{but}{advisory}{without}"))
    }
}
