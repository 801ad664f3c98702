//! A comparison in Markdown.

use std::fmt::Write as _;

use super::{Changes, Compared, Grid, GridCell, Kind};
use crate::report::markdown::{cell_code, code, plain};
use crate::report::standing::Ending;

pub(super) fn render(compared: &Compared<'_>) -> String {
    match compared {
        Compared::Changes(changes) => of_changes(changes),
        Compared::Grid(grid) => of_grid(grid),
    }
}

fn of_changes(changes: &Changes<'_>) -> String {
    let mut out = format!("# What has changed on {}\n\n", code(&changes.after.target.name));
    let _ = writeln!(out, "**{}**\n", plain(&changes.conclusion()));
    for (name, result) in [("before", changes.before), ("after", changes.after)] {
        let _ = writeln!(
            out,
            "- {name}: {}, {}, {}",
            code(&result.target.name),
            plain(&result.started),
            plain(&result.tool)
        );
    }
    for kind in Kind::ALL {
        let of_kind: Vec<_> = changes.of_kind(kind).collect();
        if of_kind.is_empty() {
            continue;
        }
        let _ = writeln!(
            out,
            "\n## {}: {}\n\n| case | showed → shows | decides |\n| --- | --- | --- |",
            kind.title(),
            of_kind.len()
        );
        for change in of_kind {
            let decides = match (change.decides, change.allowed) {
                (true, _) => "**yes**",
                (false, true) => "no, allowed",
                (false, false) => "no",
            };
            let _ = writeln!(out, "| {} | {} | {decides} |", cell_code(change.id()), plain(&change.words()));
        }
    }
    out
}

fn of_grid(grid: &Grid<'_>) -> String {
    let mut out = "# Registries side by side\n\n| registry | verdict | cases | as documented | deviating | unsupported | not described | not run | not judged |\n| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n".to_owned();
    for column in &grid.columns {
        let s = &column.result.summary;
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            cell_code(&column.name),
            plain(&column.conclusion.sentence),
            s.selected,
            s.exact,
            s.deviating,
            s.unsupported,
            s.not_described,
            s.skipped,
            s.errored
        );
    }
    out.push_str("\nA star marks a deviation that the registry's file lists; `–` means that it has no such case.\n");
    for section in &grid.sections {
        let _ = writeln!(out, "\n## {}\n\n{}\n", section.title, section.about);
        let names: Vec<String> = grid.columns.iter().map(|column| cell_code(&column.name)).collect();
        let _ = writeln!(out, "| | {} |\n| --- |{}", names.join(" | "), " --- |".repeat(names.len()));
        for row in &section.rows {
            let name = match (row.label, row.name) {
                (Some(label), Some(name)) => format!("{}: {}", plain(label), cell_code(name)),
                (Some(label), None) => plain(label),
                (None, name) => cell_code(name.unwrap_or_default()),
            };
            let cells: Vec<String> = row.cells.iter().map(|cells| words(cells)).collect();
            let _ = writeln!(out, "| {name} | {} |", cells.join(" | "));
        }
    }
    out
}

fn words(cells: &[GridCell]) -> String {
    let word = |cell: &GridCell| {
        let which = cell.which.as_ref().map(|which| format!(" ({})", plain(which))).unwrap_or_default();
        let words = plain(&cell.words);
        match cell.ending {
            Some(Ending::New | Ending::Unjudged) => format!("**{words}**{which}"),
            Some(Ending::Known | Ending::Advisory) => format!("{words} \\*{which}"),
            Some(Ending::Held | Ending::Flaky | Ending::Unsupported | Ending::NotDescribed | Ending::NotRun) | None => {
                format!("{words}{which}")
            }
        }
    };
    if cells.is_empty() { "–".to_owned() } else { cells.iter().map(word).collect::<Vec<_>>().join("<br>") }
}
