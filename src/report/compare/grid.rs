//! Several registries in one grid: a line for each line of the tables, a column for each registry.

use crate::report::conclusion::Conclusion;
use crate::report::standing::Ending;
use crate::report::tables::{self, Cell};
use crate::result::RunResult;

/// Registries side by side.
#[derive(Debug)]
pub struct Grid<'a> {
    /// The registries, in the order given.
    pub columns: Vec<Column<'a>>,
    /// A section for each table.
    pub sections: Vec<Section<'a>>,
}

/// A registry.
#[derive(Debug)]
pub struct Column<'a> {
    /// Its name; with the time where two have the same.
    pub name: String,
    /// Its result.
    pub result: &'a RunResult,
    /// What its run came to.
    pub conclusion: Conclusion,
}

/// The lines of a table.
#[derive(Debug)]
pub struct Section<'a> {
    /// Its heading.
    pub title: &'static str,
    /// What it says.
    pub about: &'static str,
    /// Its lines.
    pub rows: Vec<GridRow<'a>>,
}

/// A line: an action, or one door to it.
#[derive(Debug)]
pub struct GridRow<'a> {
    /// The action's label; nothing for a scenario.
    pub label: Option<&'a str>,
    /// The surface, or the scenario's id.
    pub name: Option<&'a str>,
    /// What each registry showed; nothing where it has no such case.
    pub cells: Vec<Vec<GridCell>>,
}

/// What cases of one line showed that showed the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GridCell {
    /// What their end is to a reader; nothing for what was observed.
    pub ending: Option<Ending>,
    /// What they showed.
    pub words: String,
    /// Which they are: factors, or how many.
    pub which: Option<String>,
}

impl<'a> Grid<'a> {
    /// The grid of these results.
    pub fn of(results: &'a [RunResult]) -> Self {
        let mut sections: Vec<Section<'a>> = Vec::new();
        let mut keys: Vec<Vec<(&str, Option<&str>)>> = Vec::new();
        for (column, result) in results.iter().enumerate() {
            for table in tables::of(result) {
                let by_factor = table.name.starts_with("auth-");
                let at = sections.iter().position(|section| section.title == table.title).unwrap_or_else(|| {
                    sections.push(Section { title: table.title, about: table.about, rows: Vec::new() });
                    keys.push(Vec::new());
                    sections.len() - 1
                });
                for row in table.rows {
                    let doors = row.lines.len();
                    for line in row.lines {
                        let key = (row.action, line.name);
                        let known = keys[at].iter().position(|known| *known == key);
                        let place = known.unwrap_or_else(|| {
                            let label = (table.name != "scenarios").then_some(row.label);
                            let name = line.name.or((doors > 1).then_some(row.action));
                            let cells = vec![Vec::new(); results.len()];
                            // A line that another registry alone has stands with its action.
                            let last = keys[at].iter().rposition(|(action, _)| *action == row.action);
                            let place = last.map_or(keys[at].len(), |last| last + 1);
                            sections[at].rows.insert(place, GridRow { label, name, cells });
                            keys[at].insert(place, key);
                            place
                        });
                        sections[at].rows[place].cells[column] = gathered(&line.cells, by_factor);
                    }
                }
            }
        }
        Grid { columns: columns(results), sections }
    }
}

fn columns<'a>(results: &'a [RunResult]) -> Vec<Column<'a>> {
    let of_name = |name: &str| results.iter().filter(|result| result.target.name == name).count();
    let column = |result: &'a RunResult| {
        let RunResult { target, started, .. } = result;
        let name = if of_name(&target.name) > 1 { format!("{} ({started})", target.name) } else { target.name.clone() };
        Column { name, result, conclusion: Conclusion::of(result) }
    };
    results.iter().map(column).collect()
}

/// The cases of a line by what they showed, what needs a look first.
fn gathered(cells: &[Vec<Cell<'_>>], by_factor: bool) -> Vec<GridCell> {
    let all: Vec<&Cell<'_>> = cells.iter().flatten().collect();
    let mut groups: Vec<(Option<Ending>, &str, Vec<&str>)> = Vec::new();
    for cell in &all {
        match groups.iter_mut().find(|(ending, words, _)| (*ending, *words) == (cell.ending, cell.words.as_str())) {
            Some((_, _, factors)) => factors.push(cell.factor),
            None => groups.push((cell.ending, &cell.words, vec![cell.factor])),
        }
    }
    // What was seen stands before what was not tested.
    groups.sort_by_key(|(ending, ..)| (ending.is_some_and(Ending::is_untested), *ending));
    let alone = groups.len() == 1;
    let which = |factors: &[&str]| match (alone, by_factor) {
        (true, _) => None,
        (false, true) => Some(factors.join(", ")),
        (false, false) => Some(format!("{} of {}", factors.len(), all.len())),
    };
    let cell = |(ending, words, factors): (Option<Ending>, &str, Vec<&str>)| GridCell {
        ending,
        words: words.to_owned(),
        which: which(&factors),
    };
    groups.into_iter().map(cell).collect()
}
