//! The kill matrix in words: a line per fault, and what neither found nor was found.

use std::fmt::Write as _;

use crate::check::faults::Named;
use crate::check::mutants::{Matrix, Row};

/// How many of the cases that find a fault are named.
const NAMED: usize = 3;

/// Renders the matrix as Markdown, which reads as plain text as well.
pub fn render(matrix: &Matrix) -> String {
    let mut out = String::new();
    let survivors = matrix.survivors().count();
    let _ = writeln!(
        out,
        "# Kill matrix\n\n{} seeded faults, {} cases, seed {}: {} found, {survivors} survived, {} false alarms. *Played* \
         counts the cases that were played against a fault.\n",
        matrix.mutants.len(),
        matrix.cases.len(),
        matrix.seed,
        matrix.mutants.len() - survivors,
        matrix.false_alarms.len()
    );
    out.push_str("| fault | what is wrong | played | found by | not judged | first |\n| --- | --- | ---: | ---: | ---: | --- |\n");
    for row in &matrix.mutants {
        let (found, unjudged) = (row.killers().count(), row.unjudged());
        let _ = writeln!(
            out,
            "| {} | {} | {} | {found} | {unjudged} | {} |",
            row.mutant,
            row.about,
            row.played,
            first(row)
        );
    }
    list(&mut out, "Survivors: faults that no case finds", matrix.survivors().map(|row| row.mutant.clone()));
    let missed = matrix.mutants.iter().flat_map(|row| {
        let line = |named: &Named| format!("{}: {} must show {}", row.mutant, named.case, named.verdict);
        row.missed().map(line).collect::<Vec<_>>()
    });
    list(&mut out, "Missed: faults that a case does not find as it must", missed);
    list(&mut out, "Unnamed: faults that no case is named for", matrix.unnamed().map(|row| row.mutant.clone()));
    let alarms = matrix.false_alarms.iter().map(|alarm| format!("{}: {}", alarm.case, alarm.verdict));
    list(&mut out, "False alarms: cases that do not hold without a fault", alarms);
    if matrix.is_whole() {
        list(&mut out, "Idle cases: redundant, or their fault is missing", matrix.idle_cases().cloned());
    }
    out
}

/// The cases that are named for a fault, or else the first that find it.
fn first(row: &Row) -> String {
    let is_named = |case: &str| row.named.iter().any(|named| named.case == case);
    let (named, others): (Vec<_>, Vec<_>) = row.killers().partition(|by| is_named(&by.case));
    let first = if named.is_empty() { others } else { named };
    let words: Vec<String> = first.iter().take(NAMED).map(|by| format!("{} ({})", by.case, by.verdict)).collect();
    if words.is_empty() { "**nothing**".to_owned() } else { words.join(", ") }
}

fn list(out: &mut String, title: &str, items: impl Iterator<Item = String>) {
    let items: Vec<String> = items.collect();
    if !items.is_empty() {
        let _ = writeln!(out, "\n## {title}\n");
        for item in items {
            let _ = writeln!(out, "- {item}");
        }
    }
}
