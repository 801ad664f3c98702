//! The plan: which cases a table and a dialect make together.

use std::collections::BTreeSet;
use std::sync::Arc;

use globset::{Glob, GlobMatcher, GlobSetBuilder};

use super::seat::Seat;
use super::suite::Unready;
use crate::capability::Capability;
use crate::dialect::{Dialect, LeavesAccount, Surface, Undriven};
use crate::judge::Expectation;
use crate::result::{Expected, Standing};
use crate::scenario::{Proof, Scenario};
use crate::table::{Factor, Level, Mode, Table};
use crate::yaml;

/// One case that will be run.
#[derive(Debug, Clone)]
pub struct Case {
    /// Its stable id.
    pub id: String,
    /// What is played.
    pub script: Script,
    /// The persona's mode.
    pub mode: Mode,
    /// Its second factor.
    pub factor: Factor,
    /// Where the table has its action.
    pub standing: Standing,
    /// How binding it is.
    pub level: Level,
    /// The row's label in the document's words.
    pub label: String,
    /// The row's command.
    pub command: String,
    /// Where it is said.
    pub cites: Vec<String>,
    /// The real client that performs it; the wire when there is none.
    pub seat: Option<Seat>,
}

/// What a case plays.
#[derive(Debug, Clone)]
pub enum Script {
    /// A row of the table, on one surface.
    Row {
        /// The index of the surface in the dialect.
        surface: usize,
        /// What must hold, or nothing when the case is only observed.
        expectation: Option<Expectation>,
    },
    /// A scenario.
    Scenario(Arc<Scenario>),
}

impl Case {
    /// Whether it is run and reported, and not judged.
    pub fn is_observed(&self) -> bool {
        matches!(self.script, Script::Row { expectation: None, .. })
    }

    /// What must hold, in one word.
    pub fn expectation(&self) -> Expected {
        match &self.script {
            Script::Row { expectation: Some(Expectation::Challenged), .. } => Expected::Challenged,
            Script::Row { expectation: Some(Expectation::Unchallenged), .. } => Expected::Unchallenged,
            Script::Row { expectation: None, .. } => Expected::Observed,
            Script::Scenario(_) => Expected::Scenario,
        }
    }

    /// The second factor that its users have, or get on the way.
    pub fn second_factor(&self) -> Factor {
        let of_user = if self.mode == Mode::Disabled { Factor::None } else { self.factor };
        let (codes, keys) = match &self.script {
            Script::Scenario(scenario) => (scenario.enrols(), scenario.registers()),
            Script::Row { .. } => (false, false),
        };
        let (codes, keys) = (codes || of_user.has_codes(), keys || of_user.has_key());
        Factor::made_of(codes.then_some(()), keys.then_some(()))
    }

    /// What it shows of the target, where its users have a second factor: nothing where they have none.
    pub fn capabilities(&self, dialect: &Dialect) -> Vec<Capability> {
        let factor = self.second_factor();
        if factor == Factor::None {
            return Vec::new();
        }
        let mut shown = BTreeSet::new();
        shown.extend(factor.has_codes().then_some(Capability::Totp));
        shown.extend(factor.has_key().then_some(Capability::SecurityKey));
        shown.extend(self.surfaces(dialect).into_iter().filter_map(|surface| dialect.surfaces[surface].feature));
        if let Script::Scenario(scenario) = &self.script {
            let by_code = |proof: &Proof| matches!(proof, Proof::Recovery(_) | Proof::FormerRecovery(_));
            let recovers = scenario.attempts().any(|attempt| by_code(&attempt.proof));
            shown.extend(recovers.then_some(Capability::RecoveryCodes));
        }
        shown.into_iter().collect()
    }

    /// Why it cannot be driven, as far as the files say.
    pub fn undriven(&self, dialect: &Dialect) -> Option<Undriven> {
        let surfaces = self.surfaces(dialect);
        let of_surface = surfaces.into_iter().find_map(|surface| dialect.surfaces[surface].undriven.clone());
        let of_routine = || match &self.script {
            Script::Scenario(scenario) => Some(Undriven::NotDescribed(scenario.undescribed(dialect)?.to_owned())),
            Script::Row { .. } => None,
        };
        of_surface.or_else(of_routine).or_else(|| dialect.no_keys.clone().filter(|_| self.factor.has_key()))
    }

    /// The indexes of the surfaces that it plays on, one for each object that it needs.
    pub fn surfaces(&self, dialect: &Dialect) -> Vec<usize> {
        match &self.script {
            Script::Row { surface, expectation } => {
                let challenged = *expectation == Some(Expectation::Challenged);
                if let Some(seat) = &self.seat {
                    return vec![*surface; seat.commands(&dialect.surfaces[*surface].id(), challenged, self.factor)];
                }
                vec![
                    *surface;
                    if !challenged {
                        1
                    } else if self.factor == Factor::Both {
                        6
                    } else {
                        5
                    }
                ]
            }
            Script::Scenario(scenario) => scenario
                .attempts()
                .filter_map(|attempt| Some((Scenario::surface(attempt, dialect)?, attempt.times)))
                .flat_map(|(surface, times)| vec![surface; times as usize])
                .collect(),
        }
    }

    /// How it leaves its account.
    pub fn leaves_account(&self, dialect: &Dialect) -> LeavesAccount {
        match &self.script {
            Script::Row { surface, .. } => dialect.surfaces[*surface].leaves_account,
            Script::Scenario(scenario) => scenario.leaves_account,
        }
    }
}

/// The cases of the scenarios, in their order.
pub fn scenarios(scenarios: Vec<Scenario>) -> Vec<Case> {
    let mut cases = Vec::new();
    for scenario in scenarios.into_iter().map(Arc::new) {
        let played = scenario.modes.iter().flat_map(|mode| scenario.factors(*mode).map(move |factor| (*mode, factor)));
        for (mode, factor) in played {
            cases.push(Case {
                id: format!("{}/{mode}/{factor}/wire", scenario.id),
                script: Script::Scenario(Arc::clone(&scenario)),
                mode,
                factor,
                standing: Standing::Scenario,
                level: scenario.level,
                label: scenario.rule.clone(),
                command: String::new(),
                cites: scenario.cites.clone(),
                seat: None,
            });
        }
    }
    cases
}

/// All cases of the table, in its order. The error names a surface of an action that the table does not know.
pub fn cases(table: &Table, dialect: &Dialect) -> Result<Vec<Case>, String> {
    let known = table.actions();
    if let Some(surface) = dialect.surfaces.iter().find(|surface| !known.contains(&surface.action.as_str())) {
        let hint = yaml::allowed(&surface.action, &known);
        return Err(format!("dialect {}: table {} has no action `{}`; {hint}", dialect.name, table.id, surface.action));
    }
    let mut cases = Vec::new();
    let rows = table.auth_and_writes.iter().map(|row| (Standing::Row, &row.action, &row.label, &row.command));
    let reads = table.reads.iter().map(|row| (Standing::Read, &row.action, &row.label, &row.command));
    let observed = table.observed.iter().map(|row| (Standing::Observed, &row.action, &row.label, &row.command));
    for (standing, action, label, command) in rows.chain(reads).chain(observed) {
        let of_row = |surface: &Surface| surface.action == *action && !surface.scenarios_only;
        for (index, surface) in dialect.surfaces.iter().enumerate().filter(|(_, surface)| of_row(surface)) {
            for mode in Mode::ALL {
                if surface.modes.as_ref().is_some_and(|modes| !modes.contains(&mode)) {
                    continue;
                }
                let known = |factor: &&Factor| surface.factors.as_ref().is_none_or(|known| known.contains(factor));
                // What is only observed is so with one factor.
                let most = if standing == Standing::Observed { 1 } else { usize::MAX };
                for &factor in Factor::of(mode).iter().filter(known).take(most) {
                    let case = case(table, surface, index, (mode, factor));
                    cases.push(Case { standing, label: label.clone(), command: command.clone(), ..case });
                }
            }
        }
    }
    Ok(cases)
}

fn case(table: &Table, surface: &Surface, index: usize, (mode, factor): (Mode, Factor)) -> Case {
    let source = format!("{}, revision {}", table.source, table.revision);
    let rule = table.rules.iter().find(|rule| rule.surface == surface.id());
    let observed = table.observed.iter().find(|row| row.action == surface.action);
    let (expectation, level, cites) = if let Some(row) = table.row(mode, &surface.action) {
        (
            Some(Expectation::Challenged),
            Level::Documented,
            vec![format!("{source}: table {mode}, row \"{}\"", row.label)],
        )
    } else if let Some(rule) = rule {
        (Some(Expectation::Unchallenged), Level::Documented, vec![format!("{source}: {}", rule.statement)])
    } else if let Some(observed) = observed {
        (None, Level::Implied, observed.says.clone())
    } else {
        (
            Some(Expectation::Unchallenged),
            Level::Implied,
            vec![format!("{source}: no row of table {mode} names this action")],
        )
    };
    Case {
        id: format!("{mode}/{}/{factor}/wire", surface.id()),
        script: Script::Row { surface: index, expectation },
        mode,
        factor,
        standing: Standing::Row,
        level,
        label: String::new(),
        command: String::new(),
        cites,
        seat: None,
    }
}

/// The cases that at least one of the globs matches; all of them when there is no glob. Each glob must match a case: the
/// error names one that does not, and the nearest of the known ids.
pub fn select(cases: Vec<Case>, globs: &[String], known: &[String]) -> Result<Vec<Case>, Unready> {
    if globs.is_empty() {
        return Ok(cases);
    }
    let mut builder = GlobSetBuilder::new();
    for glob in globs {
        let parsed = Glob::new(glob).map_err(|error| Unready::Options(format!("--case `{glob}`: {}", error.kind())))?;
        let matcher = parsed.compile_matcher();
        if !cases.iter().any(|case| matcher.is_match(&case.id)) {
            return Err(Unready::NothingSelected(unmatched(glob, &matcher, known)));
        }
        builder.add(parsed);
    }
    let set = builder.build().map_err(|error| Unready::Options(error.to_string()))?;
    Ok(cases.into_iter().filter(|case| set.is_match(&case.id)).collect())
}

/// That a glob matches no case, with what may have been meant.
fn unmatched(glob: &str, matcher: &GlobMatcher, known: &[String]) -> String {
    if let Some(other) = known.iter().find(|id| matcher.is_match(id)) {
        return format!("--case `{glob}` matches no case of the chosen clients; `{other}` is one of others (--client)");
    }
    let mut near: Vec<(usize, &String)> = known.iter().map(|id| (distance(glob, id), id)).collect();
    near.sort();
    let near: Vec<String> = near.iter().take(NEAREST).map(|(_, id)| format!("`{id}`")).collect();
    format!("--case `{glob}` matches no case; the nearest ids: {}; `stepup list cases` shows all", near.join(", "))
}

/// How many ids are named where a glob matches none.
const NEAREST: usize = 3;

/// How far a glob is from an id: the changes of single characters that make one the other, where a star is free.
fn distance(glob: &str, id: &str) -> usize {
    let (glob, id): (Vec<char>, Vec<char>) = (glob.chars().collect(), id.chars().collect());
    let mut before: Vec<usize> = (0..=id.len()).collect();
    for wanted in &glob {
        let free = *wanted == '*';
        let mut row = vec![before[0] + usize::from(!free)];
        for (at, found) in id.iter().enumerate() {
            let changed = before[at] + usize::from(!free && wanted != found);
            let skipped = before[at + 1] + usize::from(!free);
            row.push(changed.min(skipped).min(row[at] + usize::from(!free)));
        }
        before = row;
    }
    before[id.len()]
}
