//! The cases of a result as tables: the documentation's two as it shows them, and below them what they leave alone.

use std::borrow::Cow;

use super::clients;
use super::standing::Ending;
use crate::judge::Effect;
use crate::result::{Answered, Asked, CaseResult, Expected, RunResult, Situation, Standing, Status};
use crate::table::Mode;

/// A table with a line per action or surface.
#[derive(Debug)]
pub struct Table<'a> {
    /// A word for it in links.
    pub name: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// What it says.
    pub about: &'static str,
    /// The headings of its columns.
    pub columns: Vec<Cow<'a, str>>,
    /// Its lines.
    pub rows: Vec<Row<'a>>,
}

/// The lines of one action.
#[derive(Debug)]
pub struct Row<'a> {
    /// The action's name in case ids.
    pub action: &'a str,
    /// The action in the document's words; a scenario's rule.
    pub label: &'a str,
    /// Its command.
    pub command: &'a str,
    /// A line for each door to it; one without a name where there is one door alone.
    pub lines: Vec<Line<'a>>,
}

/// One door to an action.
#[derive(Debug)]
pub struct Line<'a> {
    /// The surface, or a scenario's id.
    pub name: Option<&'a str>,
    /// A cell for each column.
    pub cells: Vec<Vec<Cell<'a>>>,
}

/// One case in a cell. A cell has several where factors differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell<'a> {
    /// The number of the case, of the judged ones and then the observed.
    pub case: usize,
    /// The factor, in words.
    pub factor: &'a str,
    /// What its end is to a reader; an observed write has none.
    pub ending: Option<Ending>,
    /// Whether a real client was asked for a second factor: of modes, those in which it was say more.
    asked: bool,
    /// What it showed.
    pub words: String,
}

/// The name of the table of real clients.
pub const CLIENTS: &str = "clients";

type Wanted = fn(&CaseResult) -> bool;

/// All tables of a result that have a line.
pub fn of(result: &RunResult) -> Vec<Table<'_>> {
    let modes = || Mode::ALL.map(in_words).map(Cow::Borrowed).to_vec();
    let by_mode = |case: &CaseResult| Mode::ALL.iter().position(|mode| mode.name() == case.mode);
    let factors = ["totp", "security-key", "both"];
    let factor_words = || factors.map(factor).map(Cow::Borrowed).to_vec();
    let by_factor = |case: &CaseResult| factors.iter().position(|factor| *factor == case.factor);
    let of_mode: [(&str, &str, &str, Wanted); 2] = [
        (
            "auth-and-writes",
            "Authorization and writes",
            "The documentation's table: every action must be asked for a second factor, and succeed with a valid one alone.",
            |case| is_asked(case) && case.mode == Mode::AuthAndWrites.name(),
        ),
        (
            "auth-only",
            "Authorization only",
            "The documentation's table: these actions must be asked for a second factor, and no others.",
            |case| is_asked(case) && case.mode == Mode::AuthOnly.name(),
        ),
    ];
    let others: [(&str, &str, &str, Wanted); 4] = [
        (
            "not-asked",
            "The same actions where no table asks",
            "The actions of the tables in the modes whose table does not name them: they must go through without a second factor.",
            |case| case.standing == Standing::Row && !is_asked(case),
        ),
        ("reads", "Reads", "No table names them: they must never be asked for a second factor.", |case| {
            case.standing == Standing::Read
        }),
        ("scenarios", "Scenarios", "What a table cannot say: replays, expiry, races, tokens, ceremonies.", |case| {
            case.standing == Standing::Scenario
        }),
        (
            "observed",
            "Writes outside the tables",
            "Observed and not judged: npm's pages do not agree on them.",
            |case| case.standing == Standing::Observed,
        ),
    ];
    let of_wire = |case: &CaseResult| !clients::is_of_client(case);
    let documented = of_mode.into_iter().map(|(name, title, about, wanted)| Table {
        name,
        title,
        about,
        columns: factor_words(),
        rows: rows(result, |case| of_wire(case) && wanted(case), factors.len(), by_factor),
    });
    let below = others.into_iter().map(|(name, title, about, wanted)| Table {
        name,
        title,
        about,
        columns: modes(),
        rows: rows(result, |case| of_wire(case) && wanted(case), Mode::ALL.len(), by_mode),
    });
    let names = clients::of(result);
    let columns: Vec<(&str, Situation)> =
        names.iter().flat_map(|name| Situation::ALL.map(|situation| (*name, situation))).collect();
    let by_client = |case: &CaseResult| {
        let situation = case.situation?;
        columns.iter().position(|column| *column == (case.client.as_str(), situation))
    };
    let of_clients = Table {
        name: CLIENTS,
        title: "Real clients",
        about: "The rows as people type them: in a script, where nobody answers, and in a terminal, with a code or a security key. What a client cannot do is a client-limit and no fault of the registry's.",
        columns: columns.iter().map(|(name, situation)| Cow::Owned(format!("{name}, {situation}"))).collect(),
        rows: rows(result, clients::is_of_client, columns.len(), by_client),
    };
    documented.chain(below).chain([of_clients]).filter(|table| !table.rows.is_empty()).collect()
}

/// Whether the case is one that must be asked for a second factor.
fn is_asked(case: &CaseResult) -> bool {
    case.standing == Standing::Row && case.expectation == Expected::Challenged
}

fn rows(
    result: &RunResult,
    wanted: impl Fn(&CaseResult) -> bool,
    columns: usize,
    column: impl Fn(&CaseResult) -> Option<usize>,
) -> Vec<Row<'_>> {
    let mut rows: Vec<Row> = Vec::new();
    for (number, case) in result.cases.iter().chain(&result.observations).enumerate().filter(|(_, case)| wanted(case)) {
        let at = rows.iter().position(|row| row.action == case.action).unwrap_or_else(|| {
            rows.push(Row { action: &case.action, label: &case.label, command: &case.command, lines: Vec::new() });
            rows.len() - 1
        });
        let lines = &mut rows[at].lines;
        let name = match case.standing {
            Standing::Scenario => Some(case.action.as_str()),
            Standing::Row | Standing::Read | Standing::Observed => case.surface.as_deref(),
        };
        let at = lines.iter().position(|line| line.name == name).unwrap_or_else(|| {
            lines.push(Line { name, cells: vec![Vec::new(); columns] });
            lines.len() - 1
        });
        let Some(cells) = column(case).and_then(|column| lines[at].cells.get_mut(column)) else { continue };
        let cell = cell(number, case, result);
        // A case that was repeated shows its worst end.
        match cells.iter_mut().find(|known| known.factor == cell.factor) {
            Some(known) if (cell.ending, known.asked) < (known.ending, cell.asked) => *known = cell,
            Some(_) => {}
            None => cells.push(cell),
        }
    }
    rows
}

fn cell<'a>(number: usize, case: &'a CaseResult, result: &RunResult) -> Cell<'a> {
    let ending = (case.standing != Standing::Observed).then(|| Ending::of(case, result));
    let words = match ending {
        _ if clients::is_of_client(case) => clients::words(case),
        None => observed(case).to_owned(),
        Some(Ending::NotRun) => "not run".to_owned(),
        Some(Ending::Flaky) => "exact, flaky".to_owned(),
        Some(_) => case.verdicts.first().map_or("not run", |verdict| verdict.word()).to_owned(),
    };
    let asked = case.session.as_ref().is_some_and(|session| session.asked != Asked::Nothing);
    Cell { case: number, factor: factor(&case.factor), ending, asked, words }
}

/// What an observed write was answered.
pub fn observed(case: &CaseResult) -> &'static str {
    let seen = case.probes.last().filter(|_| case.status == Status::Pass);
    match seen.map(|probe| (probe.answer, probe.effect)) {
        Some((Answered::Accepted, Effect::NotApplied)) => "not asked, no effect",
        Some((Answered::Accepted, _)) => "not asked",
        Some((Answered::Challenged, Effect::Applied | Effect::Partial)) => "asked, took effect",
        Some((Answered::Challenged, _)) => "asked",
        Some((Answered::Refused, _)) => "refused",
        Some((Answered::NotImplemented, _)) => "no such route",
        Some((Answered::Throttled, _)) => "throttled",
        Some((Answered::Failed, _)) => "no usable answer",
        None => case.verdicts.first().map_or("not run", |verdict| verdict.word()),
    }
}

/// The mode in the document's words.
pub fn in_words(mode: Mode) -> &'static str {
    match mode {
        Mode::Disabled => "2FA disabled",
        Mode::AuthOnly => "authorization only",
        Mode::AuthAndWrites => "authorization and writes",
    }
}

/// The factor in words.
pub fn factor(name: &str) -> &str {
    match name {
        "none" => "no second factor",
        "totp" => "one-time password",
        "security-key" => "security key",
        "both" => "both of them",
        other => other,
    }
}
