//! The plan: which cases a table and a dialect make together.

use globset::{Glob, GlobSet, GlobSetBuilder};

use crate::dialect::{Dialect, Surface};
use crate::judge::Expectation;
use crate::result::Standing;
use crate::table::{Mode, Table};

/// One case that will be run.
#[derive(Debug, Clone)]
pub struct Case {
    /// Its stable id.
    pub id: String,
    /// The index of its surface in the dialect.
    pub surface: usize,
    /// The persona's mode.
    pub mode: Mode,
    /// Where the table has its action.
    pub standing: Standing,
    /// What must hold, or nothing when the case is only observed.
    pub expectation: Option<Expectation>,
    /// How binding it is: `documented` or `implied`.
    pub level: &'static str,
    /// The row's label in the document's words.
    pub label: String,
    /// The row's command.
    pub command: String,
    /// Where it is said.
    pub cites: Vec<String>,
}

/// The factor's name in case ids.
pub fn factor(mode: Mode) -> &'static str {
    match mode {
        Mode::Disabled => "none",
        Mode::AuthOnly | Mode::AuthAndWrites => "totp",
    }
}

/// All cases, in the table's order.
pub fn cases(table: &Table, dialect: &Dialect) -> Vec<Case> {
    let mut cases = Vec::new();
    let rows = table.auth_and_writes.iter().map(|row| (Standing::Row, &row.action, &row.label, &row.command));
    let reads = table.reads.iter().map(|row| (Standing::Read, &row.action, &row.label, &row.command));
    let observed = table.observed.iter().map(|row| (Standing::Observed, &row.action, &row.label, &row.command));
    for (standing, action, label, command) in rows.chain(reads).chain(observed) {
        for (index, surface) in dialect.surfaces.iter().enumerate().filter(|(_, surface)| surface.action == *action) {
            for mode in Mode::ALL {
                if surface.modes.as_ref().is_none_or(|modes| modes.contains(&mode)) {
                    let (label, command) = (label.clone(), command.clone());
                    cases.push(Case { standing, ..case(table, surface, index, mode, label, command) });
                }
            }
        }
    }
    cases
}

fn case(table: &Table, surface: &Surface, index: usize, mode: Mode, label: String, command: String) -> Case {
    let source = format!("{}, revision {}", table.source, table.revision);
    let rule = table.rules.iter().find(|rule| rule.surface == surface.id());
    let observed = table.observed.iter().find(|row| row.action == surface.action);
    let (expectation, level, cite) = if let Some(row) = table.row(mode, &surface.action) {
        (Some(Expectation::Challenged), "documented", format!("{source}: table {mode}, row \"{}\"", row.label))
    } else if let Some(rule) = rule {
        (Some(Expectation::Unchallenged), "documented", format!("{source}: {}", rule.statement))
    } else if let Some(observed) = observed {
        (None, "implied", observed.says.clone())
    } else {
        (Some(Expectation::Unchallenged), "implied", format!("{source}: no row of table {mode} names this action"))
    };
    Case {
        id: format!("{mode}/{}/{}/wire", surface.id(), factor(mode)),
        surface: index,
        mode,
        standing: Standing::Row,
        expectation,
        level,
        label,
        command,
        cites: vec![cite],
    }
}

/// The cases that at least one of the globs matches; all of them when there is no glob.
pub fn select(cases: Vec<Case>, globs: &[String]) -> Result<Vec<Case>, String> {
    if globs.is_empty() {
        return Ok(cases);
    }
    let set = glob_set(globs)?;
    Ok(cases.into_iter().filter(|case| set.is_match(&case.id)).collect())
}

fn glob_set(globs: &[String]) -> Result<GlobSet, String> {
    let mut builder = GlobSetBuilder::new();
    for glob in globs {
        builder.add(Glob::new(glob).map_err(|error| format!("--case `{glob}`: {}", error.kind()))?);
    }
    builder.build().map_err(|error| error.to_string())
}
