//! A comparison on the terminal.

use super::{Changes, Compared, Grid, GridCell, Kind};
use crate::report::standing::Ending;
use crate::report::terminal::{Paper, Tone, wrap};
use crate::report::text::clean;

/// Between two columns.
const GAP: usize = 2;

pub(super) fn render(compared: &Compared<'_>, paper: Paper) -> String {
    match compared {
        Compared::Changes(changes) => of_changes(changes, paper),
        Compared::Grid(grid) => of_grid(grid, paper),
    }
}

fn of_changes(changes: &Changes<'_>, paper: Paper) -> String {
    let mut out = String::new();
    for (name, result) in [("before", changes.before), ("after", changes.after)] {
        let text = format!("{}, {}, {}", result.target.name, result.started, result.tool);
        paper.field(&mut out, 0, name, &text);
    }
    let revisions = [changes.before, changes.after].map(|result| (&result.table.id, &result.table.revision));
    if revisions[0] != revisions[1] {
        paper.text(&mut out, "The two were judged against different tables.");
    }
    for kind in Kind::ALL {
        let of_kind: Vec<_> = changes.of_kind(kind).collect();
        if of_kind.is_empty() {
            continue;
        }
        out.push_str(&format!("\n{}\n", paper.paint(Tone::Heading, &format!("{}: {}", kind.title(), of_kind.len()))));
        for change in of_kind {
            let tone = match (change.decides, kind) {
                (true, _) => Tone::Bad,
                (false, Kind::Fixed | Kind::Appeared) => Tone::Good,
                (false, _) => Tone::Known,
            };
            out.push_str(&format!("  {}\n", paper.paint(tone, &clean(change.id()))));
            let known = change.after.and_then(|case| case.known.as_ref());
            let known = known.map(|known| format!(" (known: {known})")).unwrap_or_default();
            paper.field(&mut out, 4, "shows", &format!("{}{known}", change.words()));
            if let Some(case) = change.after.filter(|_| matches!(kind, Kind::Deviating | Kind::Unjudged)) {
                paper.field(&mut out, 4, "observed", &case.observed);
                Paper::verbatim(&mut out, 4, "repeat", &case.repeat);
            }
        }
    }
    out.push('\n');
    let tone = if changes.regresses() { Tone::Bad } else { Tone::Good };
    for line in wrap(&changes.conclusion(), paper.width) {
        out.push_str(&format!("{}\n", paper.paint(tone, &line)));
    }
    out
}

fn of_grid(grid: &Grid<'_>, paper: Paper) -> String {
    let mut out = String::new();
    for column in &grid.columns {
        paper.field(&mut out, 0, &format!("{}  ", clean(&column.name)), &column.conclusion.sentence);
    }
    let columns = grid.columns.len().max(1);
    let width = (paper.width / (columns + 2)).max(12);
    let name_width = paper.width.saturating_sub(columns * (width + GAP)).max(20);
    let line = |out: &mut String, parts: &[(Tone, Vec<String>)]| {
        let height = parts.iter().map(|(_, lines)| lines.len()).max().unwrap_or(0);
        for row in 0..height {
            let mut pending = 0;
            let mut text = String::new();
            for (number, (tone, lines)) in parts.iter().enumerate() {
                let column = if number == 0 { name_width } else { width } + GAP;
                if let Some(part) = lines.get(row).filter(|part| !part.is_empty()) {
                    text.push_str(&" ".repeat(pending));
                    text.push_str(&paper.paint(*tone, part));
                    pending = column.saturating_sub(part.chars().count()).max(1);
                } else {
                    pending += column;
                }
            }
            out.push_str(&text);
            out.push('\n');
        }
    };
    for section in &grid.sections {
        out.push_str(&format!("\n{}\n", paper.paint(Tone::Heading, section.title)));
        let names = grid.columns.iter().map(|column| (Tone::Quiet, wrap(&column.name, width)));
        line(&mut out, &std::iter::once((Tone::Plain, vec![String::new()])).chain(names).collect::<Vec<_>>());
        for row in &section.rows {
            let label = match (row.label, row.name) {
                (Some(label), Some(name)) => format!("{label}: {name}"),
                (Some(text), None) | (None, Some(text)) => text.to_owned(),
                (None, None) => String::new(),
            };
            let cells = row.cells.iter().map(|cells| (tone(cells), wrap(&words(cells), width)));
            line(&mut out, &std::iter::once((Tone::Plain, wrap(&label, name_width))).chain(cells).collect::<Vec<_>>());
        }
    }
    out
}

fn words(cells: &[GridCell]) -> String {
    let word = |cell: &GridCell| {
        let mark = if matches!(cell.ending, Some(Ending::Known | Ending::Advisory)) { " *" } else { "" };
        let which = cell.which.as_ref().map(|which| format!(" ({which})")).unwrap_or_default();
        format!("{}{mark}{which}", cell.words)
    };
    if cells.is_empty() { "–".to_owned() } else { cells.iter().map(word).collect::<Vec<_>>().join(", ") }
}

fn tone(cells: &[GridCell]) -> Tone {
    match cells.first().map(|cell| cell.ending) {
        Some(Some(Ending::New | Ending::Unjudged)) => Tone::Bad,
        Some(Some(Ending::Known | Ending::Advisory | Ending::Flaky)) => Tone::Known,
        Some(Some(Ending::Held)) => Tone::Good,
        Some(Some(Ending::Unsupported | Ending::NotDescribed | Ending::NotRun)) => Tone::Quiet,
        Some(None) | None => Tone::Plain,
    }
}
