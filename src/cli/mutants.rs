//! `stepup mutants`: the suite is measured against every seeded fault.

use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;

use super::{Failure, exit, folder};
use crate::check::mutants::{Matrix, Measured, measure};
use crate::check::operators;
use crate::check::plan::Case;
use crate::check::suite;
use crate::registry::Mutant;
use crate::report;

#[derive(Debug, Args)]
pub(super) struct MutantsCommand {
    /// Only the cases whose id matches; may be given several times.
    #[arg(long, value_name = "GLOB")]
    case: Vec<String>,
    /// Only this fault; may be given several times.
    #[arg(long = "mutant", value_name = "NAME")]
    mutants: Vec<Mutant>,
    /// Play every case against each fault, and not only those whose requests can meet it: a check of the measurement
    /// itself, which takes many times as long.
    #[arg(long)]
    every_case: bool,
    /// Put generic faults between the checker and the registry without a fault, in place of seeding one: a challenge that
    /// is dropped, an effect before the answer, any code accepted, and others, on every surface.
    #[arg(long, conflicts_with_all = ["mutants", "every_case"])]
    generic: bool,
    /// Where the matrix goes.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Names, passwords and the simulated start depend on it alone.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl MutantsCommand {
    pub(super) fn run(self) -> Result<u8, Failure> {
        let out = self.out.clone().unwrap_or_else(|| folder::named_after(Timestamp::now()));
        if self.generic {
            return self.generic(&out);
        }
        let measured =
            Measured { cases: &self.case, faults: &self.mutants, seed: self.seed, every_case: self.every_case };
        let matrix = super::runtime()?.block_on(measure(measured, |row| {
            eprintln!("{:<32} found by {} of {}", row.mutant, row.found_by.len(), row.played);
        }))?;
        super::say!("{}", report::matrix::render(&matrix));
        let mut cases = suite::carried()?;
        cases.retain(|case| self.case.is_empty() || matrix.cases.contains(&case.id));
        write(&out, &matrix, &cases).map_err(|message| Failure::new(exit::INCOMPLETE, message))?;
        super::say!("\nreports: {}", out.display());
        Ok(if matrix.holds() { exit::HELD } else { exit::DEVIATING })
    }

    /// Measures the suite against faults that no author of cases chose.
    fn generic(&self, out: &Path) -> Result<u8, Failure> {
        let measured = operators::Measured { cases: &self.case, seed: self.seed };
        let matrix = super::runtime()?.block_on(operators::measure(measured, |cell| {
            eprintln!("{:<24} {:<28} {:?}", cell.operator.name(), cell.surface, cell.outcome);
        }))?;
        let shown = report::operators::render(&matrix);
        super::say!("{shown}");
        let json =
            serde_json::to_string_pretty(&matrix).map_err(|error| Failure::new(exit::INCOMPLETE, error.to_string()))?;
        std::fs::create_dir_all(out).map_err(|error| super::out::unwritable(out, &error))?;
        for (name, text) in [("operators.json", &json), ("operators.md", &shown)] {
            super::out::write(&out.join(name), text)?;
        }
        super::say!("\nreports: {}", out.display());
        Ok(if matrix.holds() { exit::HELD } else { exit::DEVIATING })
    }
}

fn write(out: &Path, matrix: &Matrix, cases: &[Case]) -> Result<(), String> {
    let cannot = |error: std::io::Error| format!("{} cannot be written: {error}", out.display());
    let json = serde_json::to_string_pretty(matrix).map_err(|error| error.to_string())?;
    std::fs::create_dir_all(out).map_err(cannot)?;
    std::fs::write(out.join("mutants.json"), json).map_err(cannot)?;
    std::fs::write(out.join("mutants.md"), report::matrix::render(matrix)).map_err(cannot)?;
    if matrix.is_whole() {
        std::fs::write(out.join("checks.md"), report::checks::render(cases, matrix)).map_err(cannot)?;
    }
    Ok(())
}
