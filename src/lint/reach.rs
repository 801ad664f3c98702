//! What leads nowhere: globs that no case matches, surfaces and scenarios of which no case comes.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::Deserialize;

use super::glob;
use crate::dialect::{Dialect, Surface};
use crate::result::renamed::{self, RENAMED};
use crate::scenario::{Act, Attempt, Scenario};
use crate::source::Source;
use crate::table::{Factor, Mode, Table};
use crate::target::Deviation;
use crate::yaml::{self, FileError, Location, Spanned};

/// The entries of a deviations file that can explain nothing.
pub(super) fn deviations(source: &Source, listed: &[Deviation], cases: &[String], today: Date) -> Vec<FileError> {
    // The list as a whole has been read already.
    let places: Vec<Places> = source.parse().unwrap_or_default();
    let mut findings = Vec::new();
    for (number, (Deviation { case, verdict, until, .. }, at)) in listed.iter().zip(&places).enumerate() {
        let mut wrong = |at: &Spanned<String>, message: String, hint: Option<String>| {
            findings.push(source.wrong(at, message, hint));
        };
        match glob(case) {
            Ok(matcher) if !cases.iter().flat_map(|id| renamed::all(id, RENAMED)).any(|id| matcher.is_match(id)) => {
                wrong(&at.case, format!("no case matches `{case}`"), Some(near(case, cases)));
            }
            Ok(_) => {}
            Err(error) => wrong(&at.case, format!("`{case}`: {error}"), None),
        }
        if *until < today {
            let hint = "see whether it still shows, then give it another date or remove it".to_owned();
            wrong(&at.until, format!("its date {until} has passed"), Some(hint));
        }
        let same = |other: &Deviation| other.case == *case && other.verdict == *verdict;
        if listed[..number].iter().any(same) {
            wrong(&at.case, format!("`{case}` with {verdict} is listed above already"), None);
        }
    }
    findings
}

/// Where the parts of an entry stand.
#[derive(Deserialize)]
struct Places {
    case: Spanned<String>,
    until: Spanned<String>,
}

fn near(case: &str, cases: &[String]) -> String {
    let closest = cases.iter().min_by_key(|id| strsim::damerau_levenshtein(case, id));
    let closest = closest.map_or_else(String::new, |id| format!("did you mean `{id}`? "));
    format!("{closest}`stepup list cases` names them all")
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct LeftOut {
    #[serde(default)]
    left_out: BTreeMap<String, Spanned<String>>,
}

#[derive(Deserialize)]
struct Routines {
    #[serde(default)]
    routines: BTreeMap<String, Spanned<serde::de::IgnoredAny>>,
    #[serde(default)]
    browser: BTreeMap<String, Spanned<serde::de::IgnoredAny>>,
}

/// The routines of a target's file that nothing runs: neither the checker by name, nor a step or a scenario.
pub(super) fn idle_routines(source: &Source, dialect: &Dialect) -> Vec<FileError> {
    // The file as a whole has been read already.
    let Ok(Routines { routines, browser }) = source.parse() else { return Vec::new() };
    let known = dialect.run_by_name();
    let idle = routines.into_iter().chain(browser).filter(|(name, _)| !known.contains(name));
    idle.map(|(name, _)| {
        let names: Vec<&str> = known.iter().map(String::as_str).collect();
        let (message, hint) = (format!("nothing runs the routine `{name}`"), yaml::allowed(&name, &names));
        source.wrong_line(|line| is_key(line, &name), message, Some(hint))
    })
    .collect()
}

/// Whether a line gives this key a value.
fn is_key(line: &str, key: &str) -> bool {
    let rest = line.trim_start().trim_start_matches(['"', '\'']).strip_prefix(key);
    rest.is_some_and(|rest| rest.trim_start_matches(['"', '\'']).trim_start().starts_with(':'))
}

/// The globs of a target's `left-out` that no case matches.
pub(super) fn left_out(source: &Source, cases: &[String]) -> Vec<FileError> {
    // The file as a whole has been read already.
    let Ok(LeftOut { left_out }) = source.parse() else { return Vec::new() };
    let none = |text: &str| glob(text).is_ok_and(|matcher| !cases.iter().any(|id| matcher.is_match(id)));
    let idle = left_out.iter().filter(|(text, _)| none(text));
    idle.map(|(text, reason)| source.wrong(reason, format!("no case matches `{text}`"), Some(near(text, cases))))
        .collect()
}

/// Surfaces that no case is made of.
pub(super) fn surfaces<'a>(
    source: &Source,
    surfaces: impl Iterator<Item = (Option<Location>, &'a Surface)>,
    table: &Table,
) -> Vec<FileError> {
    let actions = table.actions();
    let mut seen: Vec<String> = Vec::new();
    let mut findings = Vec::new();
    for (at, surface) in surfaces {
        let id = surface.id();
        let at = at.map(|at| Spanned::new((), at, at));
        let mut wrong = |message: String, hint: Option<String>| {
            findings.push(match &at {
                Some(at) => source.wrong(at, message, hint),
                None => FileError::whole(source.name(), format!("surface `{id}`: {message}"), hint),
            });
        };
        if !actions.contains(&surface.action.as_str()) {
            let hint = Some(yaml::allowed(&surface.action, &actions));
            wrong(format!("table {} has no action `{}`", table.id, surface.action), hint);
        }
        let modes = surface.modes.as_deref().unwrap_or(&Mode::ALL);
        let known = |factor: &Factor| surface.factors.as_ref().is_none_or(|known| known.contains(factor));
        if !modes.iter().flat_map(|mode| Factor::of(*mode)).any(known) {
            wrong("no case comes of it: its modes have none of its factors".to_owned(), None);
        }
        if seen.contains(&id) {
            wrong(format!("`{id}` is described above already, so this one is never used"), None);
        }
        seen.push(id);
    }
    findings
}

/// What of a scenario is never played.
pub(super) fn scenario(source: &Source, scenario: &Scenario, dialect: &Dialect) -> Vec<FileError> {
    let mut findings = Vec::new();
    let pairs = scenario.modes.iter().map(|mode| (*mode, Factor::of(*mode)));
    let mut played = pairs.flat_map(|(mode, of)| scenario.factors(mode).filter(|factor| of.contains(factor)));
    // Without a mode there is something else wrong with its cast.
    if played.next().is_none() && !scenario.modes.is_empty() {
        let message = "no case comes of it: its modes have none of its factors";
        findings.push(source.wrong_line(
            |line| line.starts_with("modes:") || line.starts_with("factors:"),
            message,
            None,
        ));
    }
    if !scenario.modes.is_empty() && scenario.modes.iter().all(|mode| *mode == Mode::Disabled) {
        let is_said = |line: &str| line.starts_with("factors:");
        if source.text().is_ok_and(|text| text.lines().any(is_said)) {
            let message = "in mode `disabled` nobody has a second factor, so `factors` say nothing";
            findings.push(source.wrong_line(is_said, message, None));
        }
    }
    // What it runs beside its attempts may give the user a factor.
    let runs = |act: &Act| matches!(act, Act::Run(_));
    let given = |attempt: &Attempt| !attempt.given.is_empty() || attempt.through.is_some();
    let bare = !scenario.acts.iter().any(runs) && !scenario.attempts().any(given);
    if bare && scenario.cast.is_empty() && scenario.modes.contains(&Mode::Disabled) {
        for attempt in scenario.attempts().filter(|attempt| attempt.proof.takes_factor() && attempt.with.is_none()) {
            let message = "in mode `disabled` the user has no second factor to make this proof with";
            let hint = "take `disabled` out of `modes`, or say which proof needs no factor: `none`, `wrong`, `empty`";
            findings.push(source.wrong(&attempt.perform, message, Some(hint.to_owned())));
        }
    }
    // Another routine than the surface's own steps may be for other modes.
    for attempt in scenario.attempts().filter(|attempt| attempt.through.is_none()) {
        let Some(surface) = Scenario::surface(attempt, dialect).map(|index| &dialect.surfaces[index]) else { continue };
        let modes = surface.modes.as_deref().unwrap_or(&Mode::ALL);
        // With a cast, the mode is the act's own.
        let own = attempt.part.mode.as_ref().map(std::slice::from_ref);
        if let Some(mode) = own.unwrap_or(&scenario.modes).iter().find(|mode| !modes.contains(mode)) {
            let message = format!("`{}` makes no sense in mode `{mode}`", attempt.perform.value);
            let names: Vec<&str> = modes.iter().map(|mode| mode.name()).collect();
            findings.push(source.wrong(&attempt.perform, message, Some(yaml::allowed(mode.name(), &names))));
        }
    }
    findings
}

/// Rows that nobody performs, and rows that stand twice.
pub(super) fn table(source: &Source, table: &Table, dialect: &Dialect) -> Vec<FileError> {
    let mut findings = Vec::new();
    for rows in [&table.auth_and_writes, &table.auth_only, &table.reads] {
        for (number, row) in rows.iter().enumerate() {
            if rows[..number].iter().any(|other| other.action == row.action) {
                let message = format!("action `{}` stands in one list twice", row.action);
                findings.push(source.wrong_line(|line| names(line, &row.action), message, None));
            }
        }
    }
    let performed: Vec<&str> = dialect.surfaces.iter().map(|surface| surface.action.as_str()).collect();
    let mut actions = table.actions();
    actions.extend(table.auth_only.iter().map(|row| row.action.as_str()));
    actions.dedup();
    for action in actions.into_iter().filter(|action| !performed.contains(action)) {
        let message = format!("no surface of dialect {} performs the action `{action}`", dialect.name);
        let hint = Some(yaml::allowed(action, &performed));
        findings.push(source.wrong_line(|line| names(line, action), message, hint));
    }
    findings
}

/// Whether a line of a table's file is the row of this action.
fn names(line: &str, action: &str) -> bool {
    let named = line.split_once("action:").map(|(_, rest)| rest.trim_start().trim_matches(['"', '\'']));
    named.is_some_and(|rest| {
        rest.strip_prefix(action).is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '-'))
    })
}

#[derive(Deserialize)]
struct Own {
    #[serde(default)]
    surfaces: Vec<Spanned<Surface>>,
}

/// The surfaces that a target's file describes itself, with their places.
pub(super) fn own_surfaces(source: &Source) -> Vec<Spanned<Surface>> {
    // The file as a whole has been read already.
    source.parse().map(|Own { surfaces }| surfaces).unwrap_or_default()
}
