//! A comparison as one page, which needs no script.

use minijinja::context;
use minijinja::value::{Serde, Value};
use serde::Serialize;

use super::{Changes, Compared, Grid, GridCell, Kind};
use crate::report::html::fill;
use crate::report::standing::Ending;
use crate::report::text::clean;

const PAGE: &str = include_str!("../html/compare.html");

#[derive(Debug, Serialize)]
struct Page {
    title: String,
    conclusion: String,
    holds: bool,
    runs: Vec<Run>,
    kinds: Vec<Changed>,
    columns: Vec<String>,
    sections: Vec<Shown>,
}

#[derive(Debug, Serialize)]
struct Run {
    name: String,
    about: String,
    holds: bool,
    conclusion: String,
}

#[derive(Debug, Serialize)]
struct Changed {
    title: &'static str,
    changes: Vec<ShownChange>,
}

#[derive(Debug, Serialize)]
struct ShownChange {
    id: String,
    words: String,
    class: &'static str,
    observed: Option<String>,
    known: Option<String>,
    repeat: Option<String>,
}

#[derive(Debug, Serialize)]
struct Shown {
    title: &'static str,
    about: &'static str,
    rows: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    label: Option<String>,
    name: Option<String>,
    cells: Vec<Vec<ShownCell>>,
}

#[derive(Debug, Serialize)]
struct ShownCell {
    class: &'static str,
    words: String,
    which: Option<String>,
}

pub(super) fn render(compared: &Compared<'_>) -> Result<String, String> {
    let page = match compared {
        Compared::Changes(changes) => of_changes(changes),
        Compared::Grid(grid) => of_grid(grid),
    };
    fill(PAGE, "", &page.title, context! { page => Value::from(Serde(&page)) })
}

fn of_changes(changes: &Changes<'_>) -> Page {
    let run = |name: &str, result: &crate::result::RunResult| {
        let conclusion = crate::report::conclusion::Conclusion::of(result);
        Run {
            name: name.to_owned(),
            about: clean(&format!("{}, {}, {}", result.target.name, result.started, result.tool)),
            holds: conclusion.holds,
            conclusion: conclusion.sentence,
        }
    };
    let kinds = Kind::ALL.into_iter().map(|kind| {
        let shown = changes.of_kind(kind).map(|change| {
            let later = change.after.filter(|_| matches!(kind, Kind::Deviating | Kind::Unjudged));
            ShownChange {
                id: clean(change.id()),
                words: clean(&change.words()),
                class: match (change.decides, kind) {
                    (true, _) => "new",
                    (false, Kind::Fixed | Kind::Appeared) => "held",
                    (false, _) => "known",
                },
                observed: later.map(|case| clean(&case.observed)),
                known: later.and_then(|case| case.known.as_ref()).map(|known| clean(&known.to_string())),
                repeat: later.map(|case| clean(&case.repeat)),
            }
        });
        Changed { title: kind.title(), changes: shown.collect() }
    });
    Page {
        title: clean(&format!("What has changed on {}", changes.after.target.name)),
        conclusion: changes.conclusion(),
        holds: !changes.regresses(),
        runs: vec![run("Before", changes.before), run("After", changes.after)],
        kinds: kinds.filter(|kind| !kind.changes.is_empty()).collect(),
        columns: Vec::new(),
        sections: Vec::new(),
    }
}

fn of_grid(grid: &Grid<'_>) -> Page {
    let runs = grid.columns.iter().map(|column| Run {
        name: clean(&column.name),
        about: clean(&format!("{}, {}", column.result.started, column.result.tool)),
        holds: column.conclusion.holds,
        conclusion: column.conclusion.sentence.clone(),
    });
    let cell = |cell: &GridCell| ShownCell {
        class: cell.ending.map_or("observed", Ending::word),
        words: clean(&cell.words),
        which: cell.which.as_deref().map(clean),
    };
    let sections = grid.sections.iter().map(|section| Shown {
        title: section.title,
        about: section.about,
        rows: section
            .rows
            .iter()
            .map(|row| Row {
                label: row.label.map(clean),
                name: row.name.map(clean),
                cells: row.cells.iter().map(|cells| cells.iter().map(cell).collect()).collect(),
            })
            .collect(),
    });
    Page {
        title: "Registries side by side".to_owned(),
        conclusion: format!("{} results, judged alike", grid.columns.len()),
        holds: grid.columns.iter().all(|column| column.conclusion.holds),
        runs: runs.collect(),
        kinds: Vec::new(),
        columns: grid.columns.iter().map(|column| clean(&column.name)).collect(),
        sections: sections.collect(),
    }
}
