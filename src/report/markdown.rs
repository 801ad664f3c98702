//! `summary.md`, for a pull request: the verdict, the two tables, what is wrong and what was not tested.
//!
//! Forges cut what is longer than they take, so that each list has an end and says how much it leaves out. A target's
//! words stand in code spans, where nothing is a link, a mention or an instruction.

use std::fmt::Write as _;

use super::clients;
use super::conclusion::{Conclusion, UNVERIFIED};
use super::leftovers;
use super::standing::{Ending, meaning, why_untested};
use super::tables::{self, Table};
use super::text::{clean, counted, without_names};
use crate::judge::Verdict;
use crate::result::{CaseResult, RunResult};

/// How many of alike items are told.
const TOLD: usize = 8;

/// Renders the result.
pub fn render(result: &RunResult) -> String {
    let mut out = format!("# Second factor of {}\n\n", code(&result.target.name));
    let conclusion = Conclusion::of(result);
    let _ = writeln!(out, "**{}**\n", plain(&conclusion.sentence));
    counts(&mut out, result);
    let page = format!("{}, revision {}", result.table.source, result.table.revision);
    let _ = writeln!(out, "Judged against {}; {}, seed {}.", plain(&page), plain(&result.tool), result.seed);
    if let Some(waited) = result.waited() {
        let _ = writeln!(out, "\nThe run {}.", plain(&waited));
    }
    if result.target.unverified {
        let _ = writeln!(out, "\n{}", plain(UNVERIFIED));
    }
    if let Some(sentence) = result.target.factors.missing() {
        let _ = writeln!(out, "\n{}", plain(&sentence));
    }
    wrong(&mut out, result);
    if !result.flaky_deviations.is_empty() {
        out.push_str("\n**Deviations that show now and then**, listed in the target's file:\n\n");
        list(&mut out, result.flaky_deviations.iter().map(|deviation| code(&deviation.words())).collect());
    }
    if !result.stale_deviations.is_empty() {
        out.push_str("\n## Stale entries of the target's list\n\n");
        list(&mut out, result.stale_deviations.iter().map(|stale| code(stale)).collect());
    }
    let left = leftovers::of(result);
    if !left.is_empty() {
        out.push_str("\n## Left on the target\n\n");
        list(&mut out, left.iter().map(|left| code(&left.line())).collect());
    }
    flaky(&mut out, result);
    limits(&mut out, result);
    differing(&mut out, result);
    untested(&mut out, result);
    for table in tables::of(result) {
        write_table(&mut out, &table);
    }
    out
}

fn counts(out: &mut String, result: &RunResult) {
    let count = |ending| result.cases.iter().filter(|case| Ending::of(case, result) == ending).count();
    let endings = || std::iter::once(Ending::Held).chain(Ending::ALL.into_iter().filter(|one| *one != Ending::Held));
    let titles: Vec<&str> = endings().map(Ending::title).collect();
    let counts: Vec<String> = endings().map(|ending| count(ending).to_string()).collect();
    let _ = writeln!(out, "| cases | {} |\n| ---: |{}", titles.join(" | "), " ---: |".repeat(titles.len()));
    let _ = writeln!(out, "| {} | {} |\n", result.cases.len(), counts.join(" | "));
}

fn wrong(out: &mut String, result: &RunResult) {
    for ending in [Ending::New, Ending::Unjudged, Ending::Advisory, Ending::Known] {
        let mut groups: Vec<(Verdict, Vec<&CaseResult>)> = Vec::new();
        for case in result.cases.iter().filter(|case| Ending::of(case, result) == ending) {
            let Some(verdict) = case.verdicts.first() else { continue };
            match groups.iter_mut().find(|(known, _)| known == verdict) {
                Some((_, cases)) => cases.push(case),
                None => groups.push((*verdict, vec![case])),
            }
        }
        groups.sort_by_key(|(verdict, _)| *verdict);
        if !groups.is_empty() {
            let _ = writeln!(out, "\n## {}", ending.title());
        }
        for (verdict, cases) in groups {
            let (means, matters) = meaning(verdict);
            let _ = writeln!(out, "\n### `{verdict}` in {}\n\n{means} {matters}\n", counted(cases.len(), "case"));
            let line = |case: &&CaseResult| {
                let known =
                    case.known.as_ref().map(|known| format!(": {}", code(&known.to_string()))).unwrap_or_default();
                format!("{}, {}{known}", code(&case.id), plain(&case.label))
            };
            list(out, cases.iter().map(line).collect());
            if let Some(first) = cases.first().filter(|_| ending != Ending::Known) {
                let repeat = clean(&first.repeat);
                let _ = writeln!(out, "\nTo repeat the first:\n\n    {repeat}");
            }
        }
    }
}

/// What held when it was played again.
fn flaky(out: &mut String, result: &RunResult) {
    let cases: Vec<&CaseResult> = result.cases.iter().filter(|case| case.is_flaky()).collect();
    if cases.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n## {}\n\nThey are {}.\n", Ending::Flaky.title(), Ending::Flaky.about());
    let before = |case: &CaseResult| case.earlier.first().map(|earlier| code(&earlier.observed)).unwrap_or_default();
    list(out, cases.iter().map(|case| format!("{}, at first {}", code(&case.id), before(case))).collect());
}

/// What is the clients' own, and none of the registry's.
fn limits(out: &mut String, result: &RunResult) {
    let faults = clients::faults(result);
    if faults.is_empty() {
        return;
    }
    out.push_str("\n## Client limits: the clients' own, and none of the registry's\n\n");
    let line = |fault: &clients::Fault<'_>| {
        let places = counted(fault.places.len(), "place");
        format!("{} {} in {places}, first {}", code(fault.client), fault.kind.words(), code(fault.saw))
    };
    list(out, faults.iter().map(line).collect());
}

/// Where a real client and the wire come to different verdicts.
fn differing(out: &mut String, result: &RunResult) {
    let pairs = clients::differing(result);
    if pairs.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n## {}\n", clients::DIFFERING);
    let line = |(case, wire): &(&CaseResult, &CaseResult)| {
        let (by_client, by_wire) = clients::both(case, wire);
        format!("{}: {by_client}; on the wire {by_wire}", code(&case.id))
    };
    list(out, pairs.iter().map(line).collect());
}

fn untested(out: &mut String, result: &RunResult) {
    let mut reasons: Vec<(Ending, String, usize)> = Vec::new();
    for case in &result.cases {
        let ending = Ending::of(case, result);
        if ending.is_untested() {
            let why = without_names(why_untested(case));
            match reasons.iter_mut().find(|(of, known, _)| (*of, known) == (ending, &why)) {
                Some((_, _, count)) => *count += 1,
                None => reasons.push((ending, why, 1)),
            }
        }
    }
    out.push_str("\n## What was not tested\n\n");
    if reasons.is_empty() {
        out.push_str("Every selected case was tested.\n");
        return;
    }
    reasons.sort_by_key(|(_, _, count)| std::cmp::Reverse(*count));
    let line = |(ending, why, count): &(Ending, String, usize)| {
        format!("{}, {}: {}", counted(*count, "case"), ending.title().to_lowercase(), code(why))
    };
    list(out, reasons.iter().map(line).collect());
}

fn write_table(out: &mut String, table: &Table<'_>) {
    let lines: usize = table.rows.iter().map(|row| row.lines.len()).sum();
    let summary = format!("{} ({})", table.title, counted(lines, "line"));
    let _ = writeln!(out, "\n<details><summary>{summary}</summary>\n\n{}\n", table.about);
    let _ = writeln!(out, "| | {} |\n| --- |{}", table.columns.join(" | "), " --- |".repeat(table.columns.len()));
    for row in &table.rows {
        for line in &row.lines {
            let name = match line.name {
                Some(name) if table.name == "scenarios" => cell_code(name),
                Some(name) => format!("{}: {}", plain(row.label), cell_code(name)),
                None if row.lines.len() > 1 => format!("{}: {}", plain(row.label), cell_code(row.action)),
                None => plain(row.label),
            };
            let cells: Vec<String> = line.cells.iter().map(|cells| cell(cells)).collect();
            let _ = writeln!(out, "| {name} | {} |", cells.join(" | "));
        }
    }
    out.push_str("\n</details>\n");
}

fn cell(cells: &[tables::Cell<'_>]) -> String {
    let word = |cell: &tables::Cell<'_>| {
        let known = matches!(cell.ending, Some(Ending::Known | Ending::Advisory));
        let mark = if known { " \\*" } else { "" };
        match cell.ending {
            Some(Ending::New | Ending::Unjudged) => format!("**{}**", cell.words),
            _ => format!("{}{mark}", cell.words),
        }
    };
    match cells {
        [] => "–".to_owned(),
        [first, rest @ ..] if rest.iter().all(|cell| word(cell) == word(first)) => word(first),
        all => {
            all.iter().map(|cell| format!("{}: {}", plain(cell.factor), word(cell))).collect::<Vec<_>>().join("<br>")
        }
    }
}

fn list(out: &mut String, lines: Vec<String>) {
    for line in lines.iter().take(TOLD) {
        let _ = writeln!(out, "- {line}");
    }
    if lines.len() > TOLD {
        let _ = writeln!(out, "- and {} more", lines.len() - TOLD);
    }
}

/// Words of ours or of the documentation: what Markdown would read is escaped.
pub(super) fn plain(text: &str) -> String {
    let mut out = String::new();
    for character in clean(text).chars() {
        match character {
            '@' => out.push_str("&#64;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#' | '~' | '&' | '$' => {
                out.push('\\');
                out.push(character);
            }
            other => out.push(other),
        }
    }
    out
}

/// Words of a target in a code span, which they cannot end.
pub(super) fn code(text: &str) -> String {
    let text = clean(text);
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') || text.is_empty() { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// A code span in a table, whose cells a bar would end even there.
pub(super) fn cell_code(text: &str) -> String {
    code(text).replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_targets_words_stay_words() {
        assert_eq!(code("a `b` |"), "``a `b` |``");
        assert_eq!(code("`"), "`` ` ``");
        assert_eq!(plain("<b>@you [x](y) | z\n"), "\\<b\\>&#64;you \\[x\\](y) \\| z\u{fffd}");
    }
}
