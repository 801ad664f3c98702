//! The matrix: every operator before the sound registry, on every surface, and what the suite said of it.

use futures_util::stream::{self, StreamExt as _};
use serde::{Deserialize, Serialize};

use super::Operator;
use super::relay::{self, NoRelay};
use crate::check::mutants::{Finding, findings};
use crate::check::plan::{Case, Script};
use crate::check::suite::{Options, Suite, Unready};
use crate::judge::{Expectation, Verdict};
use crate::table::Factor;

/// The document's format.
pub const FORMAT: &str = "stepup/operators/1";

/// How many relays are up at once.
const AT_ONCE: usize = 4;

/// What the suite said of every operator on every surface.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct Matrix {
    /// Always [`FORMAT`].
    pub format: String,
    /// The program and its version.
    pub tool: String,
    /// The seed.
    pub seed: u64,
    /// One for each operator and surface.
    pub cells: Vec<Cell>,
}

/// What the suite said of one operator on one surface.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct Cell {
    /// The operator.
    pub operator: Operator,
    /// The surface.
    pub surface: String,
    /// What came of it.
    pub outcome: Outcome,
    /// The cases that did not hold, or could not be judged.
    pub found_by: Vec<Finding>,
}

/// Whether the suite named a fault fittingly.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// A case has a verdict first that follows from the operator.
    Found,
    /// Cases did not hold, and none has such a verdict first.
    Misnamed,
    /// No case noticed.
    Missed,
    /// The relay never went wrong: no request of the cases gave it occasion.
    NoOccasion,
}

impl Matrix {
    /// The cells with this outcome.
    pub fn with(&self, outcome: Outcome) -> impl Iterator<Item = &Cell> {
        self.cells.iter().filter(move |cell| cell.outcome == outcome)
    }

    /// Whether every operator was named fittingly wherever it went wrong.
    pub fn holds(&self) -> bool {
        self.with(Outcome::Missed).chain(self.with(Outcome::Misnamed)).next().is_none()
    }
}

/// What is measured.
#[derive(Debug, Clone, Copy)]
pub struct Measured<'a> {
    /// Only the cases whose id one of these globs matches; all when there is none.
    pub cases: &'a [String],
    /// The seed.
    pub seed: u64,
}

/// Measures every operator on every surface, and tells of each cell as it ends.
pub async fn measure(measured: Measured<'_>, mut ended: impl FnMut(&Cell)) -> Result<Matrix, Unready> {
    let options = Options { cases: measured.cases.to_vec(), seed: measured.seed, ..Options::default() };
    let suite = Suite::new(options)?;
    let mut surfaces: Vec<(String, Vec<&Case>)> = Vec::new();
    let (_, target) = suite.subject();
    for case in suite.cases().iter().filter(|case| case.factor == Factor::Totp) {
        let Script::Row { surface, expectation: Some(_) } = case.script else { continue };
        let id = target.dialect.surfaces[surface].id();
        match surfaces.iter_mut().find(|(known, _)| *known == id) {
            Some((_, cases)) => cases.push(case),
            None => surfaces.push((id, vec![case])),
        }
    }
    let mut asked = Vec::new();
    for (surface, cases) in &surfaces {
        for operator in Operator::ALL {
            let wanted = |case: &&&Case| {
                let challenged = matches!(case.script, Script::Row { expectation: Some(Expectation::Challenged), .. });
                challenged == operator.acts_on_challenged()
            };
            let ids: Vec<String> = cases.iter().filter(wanted).map(|case| case.id.clone()).collect();
            if !ids.is_empty() {
                asked.push((operator, surface.clone(), ids));
            }
        }
    }
    let order: Vec<(Operator, String)> =
        asked.iter().map(|(operator, surface, _)| (*operator, surface.clone())).collect();
    let cells = asked.into_iter().map(|(operator, surface, ids)| cell(operator, surface, ids, measured.seed));
    let mut running = stream::iter(cells).buffer_unordered(AT_ONCE);
    let mut cells = Vec::new();
    while let Some(cell) = running.next().await {
        if let Some(cell) = cell? {
            ended(&cell);
            cells.push(cell);
        }
    }
    drop(running);
    let place = |cell: &Cell| {
        order.iter().position(|(operator, surface)| (*operator, surface) == (cell.operator, &cell.surface))
    };
    cells.sort_by_key(place);
    let tool = format!("stepup {}", env!("CARGO_PKG_VERSION"));
    Ok(Matrix { format: FORMAT.to_owned(), tool, seed: measured.seed, cells })
}

/// Plays the cases of a surface behind a relay. None where the surface writes nothing.
async fn cell(operator: Operator, surface: String, ids: Vec<String>, seed: u64) -> Result<Option<Cell>, Unready> {
    // Cases that are left without an answer wait side by side.
    let options = Options { cases: ids, seed, jobs: Some(64), ..Options::default() };
    let suite = Suite::new(options)?;
    let mut up = None;
    let session = suite
        .begin_behind(std::path::Path::new(""), async |base, clock, dialect| {
            let Some(found) = dialect.surfaces.iter().find(|known| known.id() == surface) else { return Ok(base) };
            match relay::bring_up((&base, clock), operator, dialect, found).await {
                Ok(relay) => {
                    let base = relay.base.clone();
                    up = Some(relay);
                    Ok(base)
                }
                Err(NoRelay::NoWrite) => Ok(base),
                Err(error) => Err(Unready::Target(error.to_string())),
            }
        })
        .await?;
    let Some(relay) = up else { return Ok(None) };
    let found_by = findings(&session.run(|_| {}).await);
    let names = |verdict: &Verdict| operator.expected().contains(verdict);
    let outcome = if relay.acted() == 0 {
        Outcome::NoOccasion
    } else if found_by.is_empty() {
        Outcome::Missed
    } else if found_by.iter().any(|finding| names(&finding.verdict)) {
        Outcome::Found
    } else {
        Outcome::Misnamed
    };
    Ok(Some(Cell { operator, surface, outcome, found_by }))
}
