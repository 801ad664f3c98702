//! `stepup compare`: what has changed between two results, or several registries in one grid.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use globset::{Glob, GlobMatcher};

use super::report::{unrenderable, unwritable};
use super::{Failure, check, exit, out};
use crate::report::Document;
use crate::report::compare::{Changes, Compared, Form, Grid};
use crate::report::load::{Comparison, Difference};
use crate::report::terminal::Paper;
use crate::report::text::clean;
use crate::result::RunResult;

#[derive(Debug, Args)]
pub(super) struct Compare {
    /// Results, or the folders that hold them; the earlier first.
    #[arg(value_name = "RESULT", required = true, num_args = 2..)]
    results: Vec<PathBuf>,
    /// What is told; unless said, changes of two results of one registry, and else a grid.
    #[arg(long = "as", value_enum, value_name = "WHAT")]
    told: Option<Told>,
    /// Cases that may be unsupported, not described or not judged from now on, as a glob over their ids; may be given
    /// several times.
    #[arg(long, value_name = "GLOB")]
    allow: Vec<String>,
    /// What is made of it; may be given several times.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "FORMAT", default_value = "terminal")]
    format: Vec<Form>,
    /// Where the files go; one alone goes to standard output unless this is said.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Told {
    /// What is newly deviating, vanished, fixed: exit code 1 where the later is worse
    Changes,
    /// What each registry does: exit code 0
    Grid,
}

/// The exceptions, each of which must match a case of one of the results.
fn allowed(globs: &[String], before: &RunResult, after: &RunResult) -> Result<Vec<GlobMatcher>, Failure> {
    let mut allowed = Vec::new();
    for glob in globs {
        let unusable = |why: String| Failure::new(exit::USAGE, format!("--allow `{glob}`{why}"));
        let matcher = Glob::new(glob).map_err(|error| unusable(format!(": {}", error.kind())))?.compile_matcher();
        if !before.cases.iter().chain(&after.cases).any(|case| matcher.is_match(&case.id)) {
            return Err(unusable(" matches no case of the two results".to_owned()));
        }
        allowed.push(matcher);
    }
    Ok(allowed)
}

impl Compare {
    pub(super) fn run(self) -> Result<u8, Failure> {
        let mut results = Vec::new();
        let mut capacities = Vec::new();
        for path in &self.results {
            match Document::read(path)? {
                Document::Run(result) => results.push(*result),
                Document::Capacity(result) => capacities.push(*result),
                Document::Load(_) => {
                    let hint = "results of `stepup check`, or of `stepup capacity`";
                    let message =
                        format!("{} is a load run, of which one alone has no spread; allowed: {hint}", path.display());
                    return Err(Failure::new(exit::USAGE, message));
                }
            }
        }
        match (results.as_slice(), capacities.as_slice()) {
            (_, []) => {}
            ([], [before, after]) if self.told != Some(Told::Grid) => {
                return self.capacities(&Comparison::of(before, after));
            }
            (results, capacities) => {
                let (checks, searches) = (results.len(), capacities.len());
                let message = format!(
                    "{checks} results of checks and {searches} of searches for the capacity; allowed: two of the latter, as changes"
                );
                return Err(Failure::new(exit::USAGE, message));
            }
        }
        let one = results.iter().all(|result| result.target.name == results[0].target.name);
        let usual = if results.len() == 2 && one { Told::Changes } else { Told::Grid };
        if let ([first, second], None, Told::Grid) = (results.as_slice(), self.told, usual) {
            // A registry without a name is known by its address, and that has another port each time.
            let (first, second) = (clean(&first.target.name), clean(&second.target.name));
            eprintln!(
                "`{first}` and `{second}` are taken for two registries, side by side; where they are one, `--as changes` says what has changed"
            );
        }
        let (compared, code) = match (self.told.unwrap_or(usual), results.as_slice()) {
            (Told::Changes, [before, after]) => {
                let changes = Changes::of(before, after).allowing(&allowed(&self.allow, before, after)?);
                let code = if changes.regresses() { exit::DEVIATING } else { exit::HELD };
                (Compared::Changes(changes), code)
            }
            (Told::Changes, more) => {
                let message = format!("--as changes: {} results were given; allowed: 2", more.len());
                return Err(Failure::new(exit::USAGE, message));
            }
            (Told::Grid, _) if !self.allow.is_empty() => {
                return Err(Failure::new(exit::USAGE, "--allow names exceptions among changes; a grid has none"));
            }
            (Told::Grid, all) => (Compared::Grid(Grid::of(all)), exit::HELD),
        };
        match (self.format.as_slice(), &self.out) {
            (forms, Some(folder)) => {
                std::fs::create_dir_all(folder).map_err(|error| unwritable(folder, &error))?;
                for form in forms {
                    let text = compared.render(*form, Paper::default()).map_err(unrenderable)?;
                    out::write(&folder.join(form.file()), &text)?;
                }
            }
            ([form], None) => {
                let text = compared.render(*form, check::paper()).map_err(unrenderable)?;
                out::print(&text)?;
            }
            (_, None) => {
                return Err(Failure::new(exit::USAGE, "several reports are files: `--out DIR` says where they go"));
            }
        }
        Ok(code)
    }

    /// Two searches for the capacity.
    fn capacities(&self, comparison: &Comparison<'_>) -> Result<u8, Failure> {
        let text = comparison.lines().join("\n") + "\n";
        match (self.format.as_slice(), &self.out) {
            ([Form::Terminal], None) => out::print(&text)?,
            ([Form::Terminal], Some(folder)) => {
                std::fs::create_dir_all(folder).map_err(|error| unwritable(folder, &error))?;
                out::write(&folder.join(Form::Terminal.file()), &text)?;
            }
            _ => {
                let message = "searches for the capacity are compared as text; allowed: `--format terminal`";
                return Err(Failure::new(exit::USAGE, message));
            }
        }
        Ok(match comparison.difference() {
            Difference::Lower => exit::DEVIATING,
            Difference::Higher | Difference::WithinSpread => exit::HELD,
            Difference::Unknown => exit::NO_DATA,
        })
    }
}
