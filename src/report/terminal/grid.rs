//! The tables as a grid: a line per row or surface, a column per mode.

use super::paper::{Paper, Tone, clean, wrap};
use crate::report::clients::is_of_client;
use crate::report::tables;
use crate::result::{CaseResult, RunResult, Standing, Status};
use crate::table::Mode;

/// Between two columns.
const GAP: usize = 2;
/// Below this the names have lines of their own.
const NARROWEST_NAME: usize = 24;
/// The longest word of a heading.
const NARROWEST_COLUMN: usize = 13;

struct Cell {
    tone: Tone,
    text: String,
    severity: u8,
}

/// A row's label above its surfaces, or a line with a cell per mode.
struct Line {
    indent: usize,
    name: String,
    cells: Option<Vec<Option<Cell>>>,
}

struct Section {
    title: &'static str,
    lines: Vec<Line>,
}

/// Writes the grid of all judged and observed cases.
pub(super) fn write(out: &mut String, result: &RunResult, paper: Paper) {
    // Without a second factor two columns would say nothing but that.
    let modes = if result.target.factors.none_found() { &Mode::ALL[..1] } else { &Mode::ALL[..] };
    let parts = [
        (Standing::Row, "Documented rows"),
        (Standing::Read, "Reads (no table names them: never asked for a second factor)"),
        (Standing::Scenario, "Scenarios (what the tables cannot say)"),
        (Standing::Observed, "Writes outside the tables (observed, not judged)"),
    ];
    let sections: Vec<Section> = parts
        .into_iter()
        .map(|(standing, title)| {
            let all = result.cases.iter().chain(&result.observations);
            let cases: Vec<&CaseResult> = all.filter(|case| case.standing == standing && !is_of_client(case)).collect();
            Section { title, lines: lines(&cases, modes) }
        })
        .filter(|section| !section.lines.is_empty())
        .collect();
    if sections.is_empty() {
        return;
    }
    let lines = || sections.iter().flat_map(|section| &section.lines);
    let widths: Vec<usize> = (0..modes.len())
        .map(|column| {
            let cells = lines().filter_map(|line| line.cells.as_ref()?[column].as_ref());
            cells.map(|cell| cell.text.chars().count()).fold(NARROWEST_COLUMN, usize::max)
        })
        .collect();
    let longest = lines().filter(|line| line.cells.is_some()).map(|line| line.indent + line.name.chars().count()).max();
    let room = paper.width.saturating_sub(widths.iter().map(|width| width + GAP).sum());
    let layout = Layout { paper, widths, stacked: room < NARROWEST_NAME, name: longest.unwrap_or(0).min(room) };
    for (number, section) in sections.iter().enumerate() {
        let title = wrap(section.title, paper.width);
        if number > 0 {
            out.push('\n');
        }
        for line in title {
            out.push_str(&paper.paint(Tone::Heading, &line));
            out.push('\n');
        }
        layout.headings(out, modes);
        for line in &section.lines {
            layout.line(out, line);
        }
    }
    legend(out, result, paper, lines().any(|line| line.cells.iter().flatten().any(Option::is_none)));
}

fn lines(cases: &[&CaseResult], modes: &[Mode]) -> Vec<Line> {
    let mut actions: Vec<&str> = Vec::new();
    for case in cases {
        if !actions.contains(&case.action.as_str()) {
            actions.push(&case.action);
        }
    }
    let mut lines = Vec::new();
    for action in actions {
        let of_action = || cases.iter().filter(|case| case.action == action);
        let mut surfaces: Vec<Option<&str>> = Vec::new();
        for case in of_action() {
            if !surfaces.contains(&case.surface.as_deref()) {
                surfaces.push(case.surface.as_deref());
            }
        }
        let label = of_action().next().map(|case| clean(&case.label)).unwrap_or_default();
        let alone = surfaces == [None];
        if !alone {
            lines.push(Line { indent: 0, name: label.clone(), cells: None });
        }
        for surface in surfaces {
            let cells = modes.iter().map(|mode| {
                let here = of_action().filter(|case| case.surface.as_deref() == surface && case.mode == mode.name());
                // A case that was repeated shows its worst end.
                here.map(|case| cell(case)).max_by_key(|cell| cell.severity)
            });
            let name = match (alone, of_action().next().map(|case| case.standing)) {
                // A scenario's rule is a sentence, which its id stands for here.
                (_, Some(Standing::Scenario)) | (false, _) => clean(surface.unwrap_or(action)),
                (true, _) => label.clone(),
            };
            lines.push(Line { indent: if alone { 0 } else { 2 }, name, cells: Some(cells.collect()) });
        }
    }
    lines
}

struct Layout {
    paper: Paper,
    widths: Vec<usize>,
    /// Names stand above their cells, because beside them there is no room.
    stacked: bool,
    name: usize,
}

impl Layout {
    fn lead(&self) -> usize {
        if self.stacked { 4 } else { self.name + GAP }
    }

    fn headings(&self, out: &mut String, modes: &[Mode]) {
        let wrapped: Vec<Vec<String>> =
            modes.iter().zip(&self.widths).map(|(mode, width)| wrap(tables::in_words(*mode), *width)).collect();
        let height = wrapped.iter().map(Vec::len).max().unwrap_or(0);
        for row in 0..height {
            let parts = wrapped.iter().map(|lines| {
                // Shorter headings stand on the grid.
                let text = (row + lines.len()).checked_sub(height).map_or("", |at| lines[at].as_str());
                (Tone::Quiet, text)
            });
            self.cells(out, "", parts);
        }
    }

    fn line(&self, out: &mut String, line: &Line) {
        let indent = " ".repeat(line.indent);
        let Some(cells) = &line.cells else {
            let width = self.paper.width.saturating_sub(line.indent);
            wrap(&line.name, width).iter().for_each(|text| out.push_str(&format!("{indent}{text}\n")));
            return;
        };
        let width = if self.stacked { self.paper.width } else { self.name };
        let mut names = wrap(&line.name, width.saturating_sub(line.indent));
        let beside = if self.stacked { String::new() } else { names.pop().unwrap_or_default() };
        names.iter().for_each(|text| out.push_str(&format!("{indent}{text}\n")));
        let parts = cells.iter().map(|cell| match cell {
            Some(cell) => (cell.tone, cell.text.as_str()),
            None => (Tone::Quiet, "–"),
        });
        self.cells(out, &format!("{indent}{beside}"), parts);
    }

    fn cells<'a>(&self, out: &mut String, name: &str, parts: impl Iterator<Item = (Tone, &'a str)>) {
        let mut pending = self.lead().saturating_sub(name.chars().count()).max(1);
        out.push_str(name);
        for ((tone, text), width) in parts.zip(&self.widths) {
            if !text.is_empty() {
                out.push_str(&" ".repeat(pending));
                out.push_str(&self.paper.paint(tone, text));
                pending = 0;
            }
            pending += width + GAP - text.chars().count();
        }
        out.push('\n');
    }
}

fn cell(case: &CaseResult) -> Cell {
    if case.standing == Standing::Observed {
        return observed(case);
    }
    let word = case.verdicts.first().map_or("not run", |verdict| verdict.word()).to_owned();
    let (tone, text, severity) = match case.status {
        Status::Pass if case.standing == Standing::Scenario => (Tone::Good, word, 2),
        Status::Pass => {
            let asked = case.probes.first().is_some_and(|probe| probe.challenged);
            (Tone::Good, format!("{word} ({})", if asked { "asked" } else { "not asked" }), 2)
        }
        // One factor's verdict is not hidden by another that the target does not have.
        Status::Unsupported | Status::NotDescribed => (Tone::Quiet, word, 0),
        Status::Skipped => (Tone::Quiet, "not run".to_owned(), 1),
        Status::Fail if case.known.is_some() => (Tone::Known, format!("{word} *"), 3),
        Status::Error => (Tone::Bad, word, 4),
        Status::Fail => (Tone::Bad, word, 5),
    };
    Cell { tone, text, severity }
}

fn observed(case: &CaseResult) -> Cell {
    let text = tables::observed(case);
    Cell { tone: Tone::Plain, text: text.to_owned(), severity: u8::from(text != "asked") }
}

fn legend(out: &mut String, result: &RunResult, paper: Paper, blanks: bool) {
    let mut said = vec!["exact: as documented; asked: a second factor was asked for"];
    if result.summary.known > 0 {
        said.push("*: the target's file lists it, see below");
    }
    if blanks {
        said.push("–: not part of this run, or no such action in this mode");
    }
    out.push('\n');
    for line in wrap(&said.join("; "), paper.width) {
        out.push_str(&paper.paint(Tone::Quiet, &line));
        out.push('\n');
    }
}
