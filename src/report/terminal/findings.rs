//! What the grid's cells cannot say: each deviation with its evidence, alike ones together.

use super::paper::{Paper, Tone, clean, wrap};
use crate::report::clients::is_of_clients_making;
use crate::report::leftovers;
use crate::report::standing::{missing, telling};
use crate::report::tables::in_words;
use crate::report::text::counted;
use crate::result::{CaseResult, RunResult, Status};
use crate::table::Mode;

/// How many of a group of alike cases are told in full; of a known group one, for its reason is told beside it.
const IN_FULL: usize = 3;

/// How many untested cases of one reason are too many to be named one by one.
const MANY: usize = 20;

/// Writes what is below the grid: the unsupported, the known, the unjudged and, last, the new.
pub(super) fn write(out: &mut String, result: &RunResult, paper: Paper) {
    unsupported(out, result, paper);
    not_described(out, result, paper);
    not_run(out, result, paper);
    stated(out, result, paper);
    flaky(out, result, paper);
    if !result.flaky_deviations.is_empty() {
        heading(out, paper, "Deviations that show now and then, listed in the target's file");
        for deviation in &result.flaky_deviations {
            paper.field(out, 2, "listed", &deviation.words());
        }
    }
    left(out, result, paper);
    let judged = |wanted: fn(&CaseResult) -> bool| result.cases.iter().filter(move |case| wanted(case)).collect();
    let parts: [(&str, Tone, Vec<&CaseResult>); 4] = [
        (
            "Known deviations, listed in the target's file",
            Tone::Known,
            judged(|case| case.status == Status::Fail && case.known.is_some()),
        ),
        (
            "Writes outside the tables that could not be observed",
            Tone::Plain,
            result.observations.iter().filter(|case| case.status == Status::Error).collect(),
        ),
        ("Cases that could not be judged", Tone::Bad, judged(|case| case.status == Status::Error)),
        ("New deviations", Tone::Bad, judged(|case| case.status == Status::Fail && case.known.is_none())),
    ];
    for (title, tone, cases) in parts {
        if !cases.is_empty() {
            heading(out, paper, &format!("{title}: {}", cases.len()));
            for group in alike(cases) {
                write_group(out, result, paper, tone, &group);
            }
        }
    }
    if !result.stale_deviations.is_empty() {
        let count = result.stale_deviations.len();
        heading(out, paper, &format!("Stale: {count}. The target's file lists what does not hold any more"));
        for stale in &result.stale_deviations {
            paper.field(out, 2, "stale", stale);
        }
    }
}

fn heading(out: &mut String, paper: Paper, title: &str) {
    out.push('\n');
    for line in wrap(title, paper.width) {
        out.push_str(&paper.paint(Tone::Heading, &line));
        out.push('\n');
    }
}

/// One line per surface that the target has no route for.
fn unsupported(out: &mut String, result: &RunResult, paper: Paper) {
    let cases = result.cases.iter().filter(|case| case.status == Status::Unsupported && !is_of_clients_making(case));
    let title = "Unsupported: the registry has no such route; neither pass nor failure";
    untested(out, paper, title, cases);
}

/// One line per surface that the target file does not describe.
fn not_described(out: &mut String, result: &RunResult, paper: Paper) {
    let cases = result.cases.iter().filter(|case| case.status == Status::NotDescribed);
    let title = "Not described: the target file does not say how these are driven; neither pass nor failure";
    untested(out, paper, title, cases);
}

/// One line per surface that was not tested, and one for each reason that many cases share.
fn untested<'a>(out: &mut String, paper: Paper, title: &str, cases: impl Iterator<Item = &'a CaseResult>) {
    let mut surfaces: Vec<(String, String)> = Vec::new();
    let mut shared: Vec<(&str, usize)> = Vec::new();
    for case in cases {
        let surface = case.surface.as_ref().map(|surface| format!(":{surface}")).unwrap_or_default();
        let id = clean(&format!("{}{surface}", case.action));
        let why = missing(case).map_or(&case.observed, |probe| &probe.outcome);
        // What is missing for many of them is said once.
        match shared.iter_mut().find(|(known, _)| *known == why.as_str()) {
            Some((_, cases)) => *cases += 1,
            None => shared.push((why, 1)),
        }
        if !surfaces.iter().any(|(known, _)| *known == id) {
            surfaces.push((id, why.clone()));
        }
    }
    if surfaces.is_empty() {
        return;
    }
    heading(out, paper, title);
    shared.retain(|(_, cases)| *cases > MANY);
    surfaces.retain(|(_, why)| !shared.iter().any(|(known, _)| *known == why));
    for (why, cases) in shared {
        paper.field(out, 2, &format!("{}  ", counted(cases, "case")), why);
    }
    let longest = surfaces.iter().map(|(id, _)| id.chars().count()).max().unwrap_or(0);
    for (id, why) in surfaces {
        paper.field(out, 2, &format!("{id:longest$}  "), &why);
    }
}

/// Why cases were not run: a line per reason.
fn not_run(out: &mut String, result: &RunResult, paper: Paper) {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for case in result.cases.iter().chain(&result.observations).filter(|case| case.status == Status::Skipped) {
        match reasons.iter_mut().find(|(reason, _)| *reason == case.observed) {
            Some((_, ids)) => ids.push(&case.id),
            None => reasons.push((&case.observed, vec![&case.id])),
        }
    }
    if reasons.is_empty() {
        return;
    }
    heading(out, paper, "Not run: neither pass nor failure");
    for (reason, ids) in reasons {
        out.push_str(&format!("  {}{}\n", clean(ids[0]), and_others(ids.len() - 1)));
        paper.field(out, 4, "why", reason);
    }
}

/// What cases state beside their verdicts: a line per statement, with the cases that make it.
fn stated(out: &mut String, result: &RunResult, paper: Paper) {
    let mut statements: Vec<(&str, Vec<&str>)> = Vec::new();
    for case in &result.cases {
        for statement in &case.statements {
            match statements.iter_mut().find(|(known, _)| known == statement) {
                Some((_, ids)) => ids.push(&case.id),
                None => statements.push((statement, vec![&case.id])),
            }
        }
    }
    if statements.is_empty() {
        return;
    }
    heading(out, paper, "Stated beside the verdicts");
    for (statement, ids) in statements {
        out.push_str(&format!("  {}{}\n", clean(ids[0]), and_others(ids.len() - 1)));
        paper.field(out, 4, "states", statement);
    }
}

/// What held when it was played again, and why it had to be.
fn flaky(out: &mut String, result: &RunResult, paper: Paper) {
    let cases: Vec<&CaseResult> = result.cases.iter().filter(|case| case.is_flaky()).collect();
    if cases.is_empty() {
        return;
    }
    heading(out, paper, &format!("Flaky: {}. Not judged at first, and as documented when played again", cases.len()));
    for case in cases {
        out.push_str(&format!("  {}\n", clean(&case.id)));
        for earlier in &case.earlier {
            paper.field(out, 4, "before", &earlier.observed);
        }
    }
}

/// How many more there are of what is named by one.
fn and_others(others: usize) -> String {
    if others > 0 { format!(" and {others} more") } else { String::new() }
}

/// What could not be undone on the target.
fn left(out: &mut String, result: &RunResult, paper: Paper) {
    let all = leftovers::of(result);
    if all.is_empty() {
        return;
    }
    let count: usize = all.iter().map(|left| left.places.len()).sum();
    heading(out, paper, &format!("Left on the target: {count}"));
    for left in all {
        paper.field(out, 2, "left", &left.line());
    }
}

/// Cases of one verdict, for one reason and against one expectation, in the order of their first.
fn alike(cases: Vec<&CaseResult>) -> Vec<Vec<&CaseResult>> {
    let mut groups: Vec<Vec<&CaseResult>> = Vec::new();
    for case in cases {
        let like = |other: &CaseResult| {
            (&other.verdicts, &other.known, &other.expected) == (&case.verdicts, &case.known, &case.expected)
        };
        match groups.iter_mut().find(|group| group.first().is_some_and(|first| like(first))) {
            Some(group) => group.push(case),
            None => groups.push(vec![case]),
        }
    }
    groups
}

fn write_group(out: &mut String, result: &RunResult, paper: Paper, tone: Tone, group: &[&CaseResult]) {
    let Some(first) = group.first() else { return };
    let verdicts = first.verdicts.iter().map(|verdict| verdict.word()).collect::<Vec<_>>().join(", ");
    let count = counted(group.len(), "case");
    out.push_str(&format!("\n{}: {count}\n", paper.paint(tone, &verdicts)));
    paper.field(out, 2, "expected", &first.expected);
    if let Some(known) = &first.known {
        paper.field(out, 2, "known", &known.to_string());
    }
    let (full, rest) = group.split_at(group.len().min(if first.known.is_some() { 1 } else { IN_FULL }));
    for case in full {
        in_full(out, result, paper, case);
    }
    let Some(more) = rest.first() else { return };
    let repeat = more.repeat.replace(&more.id, "ID");
    out.push_str(&format!("\n  {} more; to repeat one: {}\n", rest.len(), clean(&repeat)));
    let longest = rest.iter().map(|case| case.id.chars().count()).max().unwrap_or(0);
    for case in rest {
        in_short(out, paper, case, longest);
    }
}

fn in_full(out: &mut String, result: &RunResult, paper: Paper, case: &CaseResult) {
    let mode =
        Mode::ALL.into_iter().find(|mode| mode.name() == case.mode).map_or(case.mode.as_str(), |mode| in_words(mode));
    let surface = case.surface.as_ref().map(|surface| format!(" [{surface}]")).unwrap_or_default();
    out.push('\n');
    let command = if case.command.is_empty() { String::new() } else { format!(" ({})", case.command) };
    for line in wrap(&format!("{}{command}{surface}, {mode}", case.label), paper.width.saturating_sub(2)) {
        out.push_str(&format!("  {line}\n"));
    }
    if case.probes.is_empty() {
        paper.field(out, 4, "observed", &case.observed);
    }
    for (number, probe) in case.probes.iter().enumerate() {
        let name = if number == 0 { "observed" } else { "" };
        paper.field(out, 4, name, &format!("{}: {}, effect {}", probe.name, probe.outcome, probe.effect_words()));
    }
    let page = format!("{}, revision {}: ", result.table.source, result.table.revision);
    for (number, cite) in case.cites.iter().enumerate() {
        // The page stands at the head of the report.
        paper.field(out, 4, if number == 0 { "cites" } else { "" }, cite.strip_prefix(&page).unwrap_or(cite));
    }
    Paper::verbatim(out, 4, "repeat", &case.repeat);
}

fn in_short(out: &mut String, paper: Paper, case: &CaseResult, longest: usize) {
    let saw = telling(case).and_then(|number| case.probes.get(number)).map_or_else(
        || case.observed.clone(),
        |probe| format!("{} {}, effect {}", probe.name, probe.answer.words(), probe.effect_words()),
    );
    let id = clean(&case.id);
    let line = format!("    {id:longest$}  {}", clean(&saw));
    if line.chars().count() <= paper.width {
        out.push_str(&format!("{line}\n"));
    } else {
        out.push_str(&format!("    {id}\n"));
        paper.field(out, 6, "saw", &saw);
    }
}
