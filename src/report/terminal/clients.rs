//! Real clients as one grid: rows, clients and situations; and below it what is their own fault.

use super::paper::{Paper, Tone, clean, wrap};
use crate::report::clients::{self, LEGEND};
use crate::report::tables::{self, CLIENTS};
use crate::result::{RunResult, Situation};

/// Between two columns.
const GAP: usize = 2;
/// How many places of a fault are named.
const NAMED: usize = 6;

/// Writes the grid, and what the clients cannot do.
pub(super) fn write(out: &mut String, result: &RunResult, paper: Paper) {
    let names = clients::of(result);
    let Some(table) = tables::of(result).into_iter().find(|table| table.name == CLIENTS) else { return };
    out.push('\n');
    heading(out, paper, "Real clients (in a script, in a terminal)");
    let mut lines: Vec<(String, Vec<String>)> = Vec::new();
    for row in &table.rows {
        for line in &row.lines {
            let marks = |cells: &Vec<tables::Cell<'_>>| {
                let all = result.cases.iter().chain(&result.observations);
                let cases: Vec<_> = all.collect();
                let mut marks: Vec<char> =
                    cells.iter().filter_map(|cell| Some(clients::mark(cases.get(cell.case)?))).collect();
                marks.sort_by_key(|mark| LEGEND.iter().position(|(known, _)| known == mark));
                marks.dedup();
                // What cannot be expressed with one factor alone is left out.
                if marks.len() > 1 {
                    marks.retain(|mark| *mark != '-');
                }
                marks.into_iter().collect::<String>()
            };
            let of_client = line.cells.chunks(Situation::ALL.len());
            let cells = of_client.map(|cells| cells.iter().map(&marks).collect::<Vec<_>>().join(" ")).collect();
            let name = line.name.map_or_else(|| row.action.to_owned(), |name| format!("{}:{name}", row.action));
            lines.push((clean(&name), cells));
        }
    }
    let lead = lines.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = lines.iter().filter_map(|(_, cells)| Some(cells.get(column)?.chars().count()));
        cells.chain([names[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..names.len()).map(width).collect();
    for block in blocks(&widths, paper.width.saturating_sub(lead)) {
        let row = |name: &str, text: &dyn Fn(usize) -> String| {
            let cells =
                block.clone().map(|column| format!("{:GAP$}{:width$}", "", text(column), width = widths[column]));
            format!("{name:lead$}{}", cells.collect::<String>()).trim_end().to_owned()
        };
        out.push_str(&paper.paint(Tone::Quiet, &row("", &|column| clean(names[column]))));
        out.push('\n');
        for (name, cells) in &lines {
            out.push_str(&row(name, &|column| cells.get(column).cloned().unwrap_or_default()));
            out.push('\n');
        }
        out.push('\n');
    }
    let shown = |mark: char| lines.iter().any(|(_, cells)| cells.iter().any(|cell| cell.contains(mark)));
    let known = LEGEND.iter().filter(|(mark, _)| shown(*mark));
    let legend: Vec<String> = known.map(|(mark, words)| format!("{mark}: {words}")).collect();
    for line in wrap(&legend.join("; "), paper.width) {
        out.push_str(&paper.paint(Tone::Quiet, &line));
        out.push('\n');
    }
    own(out, result, paper);
}

/// Columns that fit beside each other.
fn blocks(widths: &[usize], room: usize) -> Vec<std::ops::Range<usize>> {
    let (mut blocks, mut start, mut used) = (Vec::new(), 0, 0);
    for (column, width) in widths.iter().enumerate() {
        if used + width + GAP > room && column > start {
            blocks.push(start..column);
            (start, used) = (column, 0);
        }
        used += width + GAP;
    }
    if start < widths.len() {
        blocks.push(start..widths.len());
    }
    blocks
}

/// What is the clients' own, and none of the registry's.
fn own(out: &mut String, result: &RunResult, paper: Paper) {
    let faults = clients::faults(result);
    if !faults.is_empty() {
        out.push('\n');
        heading(out, paper, "Client limits: the clients' own, and none of the registry's");
        for fault in faults {
            paper.text(out, &format!("  {} {}", fault.client, fault.kind.words()));
            paper.field(out, 4, "in", &named(&fault.places));
            paper.field(out, 4, "saw", fault.saw);
        }
    }
    let unspoken = clients::unspoken(result);
    if !unspoken.is_empty() {
        out.push('\n');
        heading(out, paper, "Rows that clients cannot express: neither pass nor failure");
        for (client, reason, places) in unspoken {
            paper.text(out, &format!("  {client}: {reason}"));
            paper.field(out, 4, "in", &named(&places));
        }
    }
    let differing = clients::differing(result);
    if !differing.is_empty() {
        out.push('\n');
        heading(out, paper, clients::DIFFERING);
        for (case, wire) in differing {
            let (by_client, by_wire) = clients::both(case, wire);
            paper.text(out, &format!("  {}: {by_client}; on the wire {by_wire}", case.id));
        }
    }
}

fn named(places: &[String]) -> String {
    let mut named = places.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    if places.len() > NAMED {
        named.push_str(&format!(" and {} more", places.len() - NAMED));
    }
    named
}

fn heading(out: &mut String, paper: Paper, title: &str) {
    for line in wrap(title, paper.width) {
        out.push_str(&paper.paint(Tone::Heading, &line));
        out.push('\n');
    }
}
