//! The terminal report: the tables as a grid, what deviates, totals that add up.

use std::fmt::Write as _;

use crate::result::{Answered, CaseResult, RunResult, Status};
use crate::table::Mode;

/// The width of one mode's column.
const COLUMN: usize = 24;

/// Renders the result.
pub fn render(result: &RunResult) -> String {
    let mut out = String::new();
    let table = &result.table;
    let _ = writeln!(out, "{}, revision {}\ntarget: {}\n", table.source, table.revision, result.target.name);
    if let Some(evidence) = &result.target.no_second_factor {
        let _ = writeln!(out, "This registry has no second factor: enrolment was answered {evidence}\n");
    }
    grid(&mut out, &result.cases, "");
    if !result.observations.is_empty() {
        let _ = writeln!(out, "\nWrites outside the tables (observed, not judged)");
        grid(&mut out, &result.observations, "observed");
    }
    for case in result.cases.iter().filter(|case| matches!(case.status, Status::Fail | Status::Error)) {
        let verdicts = case.verdicts.iter().map(|verdict| verdict.word()).collect::<Vec<_>>().join(", ");
        let _ = writeln!(out, "\n{}: {verdicts}", case.id);
        let _ = writeln!(out, "  row       {} ({})", case.label, case.command);
        let _ = writeln!(out, "  expected  {}", case.expected);
        let _ = writeln!(out, "  observed  {}", case.observed);
        if let Some(known) = &case.known {
            let _ = writeln!(out, "  known     {known}");
        }
        let _ = writeln!(out, "  cites     {}", case.cites.join("; "));
        let _ = writeln!(out, "  repeat    {}", case.repeat);
    }
    for stale in &result.stale_deviations {
        let _ = writeln!(out, "\nSTALE: {stale}");
    }
    let s = &result.summary;
    let _ = writeln!(
        out,
        "\n{} cases: {} exact, {} deviating ({} known), {} unsupported, {} skipped, {} not judged; {} observed beside them",
        s.selected, s.exact, s.deviating, s.known, s.unsupported, s.skipped, s.errored, s.observed
    );
    if !result.complete {
        let _ = writeln!(out, "INCOMPLETE: the run was interrupted");
    }
    out
}

fn grid(out: &mut String, cases: &[CaseResult], observed: &str) {
    let mut rows: Vec<(String, [String; 3])> = Vec::new();
    for case in cases {
        let name = match &case.surface {
            Some(surface) => format!("{} [{surface}]", case.label),
            None => case.label.clone(),
        };
        let at = rows.iter().position(|(row, _)| *row == name).unwrap_or_else(|| {
            rows.push((name, std::array::from_fn(|_| "–".to_owned())));
            rows.len() - 1
        });
        if let Some(column) = Mode::ALL.iter().position(|mode| mode.name() == case.mode) {
            rows[at].1[column] = if observed.is_empty() { cell(case) } else { observation(case) };
        }
    }
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0).max(10);
    let _ = write!(out, "{:width$}", "");
    for mode in Mode::ALL {
        let _ = write!(out, "  {:COLUMN$}", mode.name());
    }
    let _ = writeln!(out);
    for (name, cells) in rows {
        let line = format!("{name:width$}  {:COLUMN$}  {:COLUMN$}  {:COLUMN$}", cells[0], cells[1], cells[2]);
        let _ = writeln!(out, "{}", line.trim_end());
    }
}

fn cell(case: &CaseResult) -> String {
    let word = case.verdicts.first().map_or("skipped", |verdict| verdict.word());
    if case.status == Status::Pass {
        let asked = case.probes.first().is_some_and(|probe| probe.challenged);
        return format!("{word} ({})", if asked { "asked" } else { "not asked" });
    }
    word.to_owned()
}

fn observation(case: &CaseResult) -> String {
    let answer = match (case.status, case.probes.last()) {
        (Status::Pass, Some(probe)) => probe.answer,
        _ => return case.verdicts.first().map_or("not run", |verdict| verdict.word()).to_owned(),
    };
    let words = match answer {
        Answered::Accepted => "not asked",
        Answered::Challenged => "asked",
        Answered::Refused => "refused",
        Answered::NotImplemented => "no such route",
        Answered::Throttled => "throttled",
        Answered::Failed => "no usable answer",
    };
    words.to_owned()
}
