//! The terminal report: the tables as a grid, what deviates, totals that add up, one sentence at the end.

mod clients;
pub mod exploration;
mod findings;
mod grid;
mod paper;

pub use paper::{Paper, WIDTH};

use super::conclusion::{Conclusion, UNVERIFIED};
use super::text::counted;
use crate::result::RunResult;
pub(super) use paper::{Tone, wrap};

/// Renders the result.
pub fn render(result: &RunResult, paper: Paper) -> String {
    let mut out = String::new();
    let table = &result.table;
    paper.text(&mut out, &format!("{}, revision {}", table.source, table.revision));
    paper.text(&mut out, &format!("target: {}", result.target.name));
    if result.target.unverified {
        paper.text(&mut out, UNVERIFIED);
    }
    out.push('\n');
    if let Some(sentence) = result.target.factors.missing() {
        paper.text(&mut out, &sentence);
        out.push('\n');
    }
    if result.target.clock_offset_ms != 0 {
        let seconds = result.target.clock_offset_ms.unsigned_abs() / 1_000;
        let side = if result.target.clock_offset_ms > 0 { "ahead of" } else { "behind" };
        let sentence =
            format!("The registry's clock is {seconds} s {side} this machine's; codes are those of its time.");
        paper.text(&mut out, &sentence);
        out.push('\n');
    }
    grid::write(&mut out, result, paper);
    clients::write(&mut out, result, paper);
    findings::write(&mut out, result, paper);
    totals(&mut out, result, paper);
    if let Some(ended) = &result.target.ended {
        paper.text(&mut out, "The registry ended during the run:");
        for line in ended.lines() {
            paper.text(&mut out, &format!("  {line}"));
        }
    }
    let conclusion = Conclusion::of(result);
    let tone = match (conclusion.holds, conclusion.amber) {
        (true, false) => Tone::Good,
        (true, true) => Tone::Known,
        (false, _) => Tone::Bad,
    };
    for line in paper::wrap(&conclusion.sentence, paper.width) {
        out.push_str(&paper.paint(tone, &line));
        out.push('\n');
    }
    out
}

fn totals(out: &mut String, result: &RunResult, paper: Paper) {
    let s = &result.summary;
    out.push('\n');
    let sum = format!(
        "{} = {} exact + {} deviating + {} unsupported + {} not described + {} not run + {} not judged",
        counted(s.selected, "case"),
        s.exact,
        s.deviating,
        s.unsupported,
        s.not_described,
        s.skipped,
        s.errored
    );
    paper.text(out, &sum);
    if s.deviating > 0 {
        paper.text(out, &format!("{} deviating = {} known + {} new", s.deviating, s.known, s.deviating - s.known));
    }
    if s.observed > 0 {
        paper.text(out, &format!("{} writes outside the tables observed beside them", s.observed));
    }
    if let Some(waited) = result.waited() {
        paper.text(out, &waited);
    }
    if result.requests > 0 {
        paper.text(out, &format!("{} requests to the registry", result.requests));
    }
}
