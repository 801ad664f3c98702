//! What the page shows before a case is opened, as its template reads it.

use jiff::{Timestamp, Unit};
use serde::Serialize;

use crate::judge::Verdict;
use crate::report::clients;
use crate::report::conclusion::{Conclusion, UNVERIFIED};
use crate::report::leftovers;
use crate::report::standing::{Ending, meaning, verdicts, why_untested};
use crate::report::tables::{self, Table};
use crate::report::text::{clean, without_names};
use crate::result::{CaseResult, RunResult};
use crate::table::Mode;

/// How wide the bar of shares is, in its own units.
const BAR: usize = 1_000;

/// The whole page.
#[derive(Debug, Serialize)]
pub(super) struct Page {
    pub(super) target: String,
    holds: bool,
    amber: bool,
    pub(super) conclusion: String,
    summary: String,
    missing: Option<String>,
    facts: Vec<(&'static str, String)>,
    shares: Vec<Share>,
    meanings: Vec<Meaning>,
    untested: Vec<Untested>,
    limits: Vec<Limit>,
    differing_title: &'static str,
    differing: Vec<Differing>,
    stale: Vec<String>,
    left: Vec<String>,
    ended: Option<String>,
    tables: Vec<ShownTable>,
    groups: Vec<Group>,
    filters: Vec<Filter>,
    cases: usize,
}

/// A part of all cases.
#[derive(Debug, Serialize)]
struct Share {
    word: &'static str,
    title: &'static str,
    about: &'static str,
    count: usize,
    at: usize,
    width: usize,
}

/// A verdict that decides, for somebody who does not know the protocol.
#[derive(Debug, Serialize)]
struct Meaning {
    verdict: &'static str,
    cases: usize,
    means: &'static str,
    matters: &'static str,
    actions: Vec<String>,
}

/// One of a client's own faults.
#[derive(Debug, Serialize)]
struct Limit {
    client: String,
    words: &'static str,
    places: String,
    saw: String,
}

/// Where a client and the wire come to different verdicts.
#[derive(Debug, Serialize)]
struct Differing {
    case: usize,
    id: String,
    by_client: String,
    by_wire: &'static str,
}

/// What was not tested, for one reason.
#[derive(Debug, Serialize)]
struct Untested {
    word: &'static str,
    why: String,
    cases: Vec<Link>,
}

/// A case, by its number.
#[derive(Debug, Serialize)]
struct Link {
    case: usize,
    id: String,
}

#[derive(Debug, Serialize)]
struct ShownTable {
    name: &'static str,
    title: &'static str,
    about: &'static str,
    columns: Vec<String>,
    /// Whether it is shown unfolded: one of the documentation's, or something in it needs a look.
    open: bool,
    lines: usize,
    rows: Vec<ShownRow>,
}

#[derive(Debug, Serialize)]
struct ShownRow {
    label: String,
    command: String,
    /// Whether its one line is its own.
    alone: bool,
    lines: Vec<ShownLine>,
}

#[derive(Debug, Serialize)]
struct ShownLine {
    name: String,
    cells: Vec<Vec<ShownCell>>,
}

#[derive(Debug, Serialize)]
struct ShownCell {
    case: usize,
    id: String,
    word: &'static str,
    words: String,
    /// The factor, where the cell has several that differ.
    factor: Option<String>,
}

/// Cases of one ending.
#[derive(Debug, Serialize)]
struct Group {
    word: &'static str,
    title: &'static str,
    about: &'static str,
    cases: Vec<ShownCase>,
}

#[derive(Debug, Serialize)]
struct ShownCase {
    number: usize,
    id: String,
    label: String,
    words: String,
    mode: String,
    factor: String,
    verdicts: String,
}

/// A choice of cases.
#[derive(Debug, Serialize)]
struct Filter {
    name: &'static str,
    title: &'static str,
    values: Vec<Choice>,
}

#[derive(Debug, Serialize)]
struct Choice {
    value: String,
    words: String,
    count: usize,
}

/// The ending's word, or that of an observed write.
fn word(ending: Option<Ending>) -> &'static str {
    ending.map_or("observed", Ending::word)
}

/// All cases with their numbers and endings, and then the observed writes, which have none.
fn all(result: &RunResult) -> impl Iterator<Item = (usize, &CaseResult, Option<Ending>)> {
    let judged = result.cases.iter().map(|case| (case, Some(Ending::of(case, result))));
    let observed = result.observations.iter().map(|case| (case, None));
    judged.chain(observed).enumerate().map(|(number, (case, ending))| (number, case, ending))
}

pub(super) fn of(result: &RunResult) -> Page {
    let conclusion = Conclusion::of(result);
    Page {
        target: clean(&result.target.name),
        holds: conclusion.holds,
        amber: conclusion.amber,
        conclusion: conclusion.sentence,
        summary: summary(result),
        missing: result.target.factors.missing().as_deref().map(clean),
        facts: facts(result),
        shares: shares(result),
        meanings: meanings(result),
        untested: untested(result),
        limits: limits(result),
        differing_title: clients::DIFFERING,
        differing: differing(result),
        stale: result.stale_deviations.iter().map(|stale| clean(stale)).collect(),
        left: leftovers::of(result).iter().map(|left| clean(&left.line())).collect(),
        ended: result.target.ended.as_deref().map(crate::report::text::clean_lines),
        tables: tables::of(result).into_iter().map(|table| shown(table, result)).collect(),
        groups: groups(result),
        filters: filters(result),
        cases: result.cases.len() + result.observations.len(),
    }
}

/// What was done, in sentences that need no knowledge of the protocol.
fn summary(result: &RunResult) -> String {
    let s = &result.summary;
    let judged = s.exact + s.deviating;
    let mut said = match (judged == s.selected, s.deviating) {
        (true, 0) if judged == 1 => "One case was judged, and it is as npm documents it.".to_owned(),
        (true, _) if judged == 1 => "One case was judged, and it is not as npm documents it.".to_owned(),
        (true, 0) => format!("All {judged} cases were judged, and all are as npm documents them."),
        (true, wrong) => {
            format!("All {judged} cases were judged: {} are as npm documents them, {wrong} are not.", s.exact)
        }
        (false, wrong) => format!(
            "{judged} of {} cases could be judged: {} are as npm documents them, {wrong} are not.",
            s.selected, s.exact
        ),
    };
    let untested = [
        (
            s.unsupported,
            if clients::of(result).is_empty() {
                "the registry has no such route for"
            } else {
                "the registry has no such route for, or a client cannot do"
            },
        ),
        (s.not_described, "the target file does not describe"),
        (s.skipped, "were not run"),
        (s.errored, "gave no usable evidence"),
    ];
    let told = untested.into_iter().filter(|(count, _)| *count > 0);
    let told: Vec<String> = told.map(|(count, what)| format!("{count} {what}")).collect();
    if !told.is_empty() {
        said.push_str(&format!(" Of the others, {}: nothing is known of them.", told.join(", ")));
    }
    said
}

fn facts(result: &RunResult) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("Registry", clean(&result.target.name)),
        ("Judged against", clean(&format!("{}, revision {}", result.table.source, result.table.revision))),
        ("Decides", format!("cases of level {} and more binding", result.level.name())),
        ("Started", clean(&result.started)),
        ("Took", took(result)),
        ("Made by", clean(&format!("{}, seed {}", result.tool, result.seed))),
    ];
    if result.target.unverified {
        facts.push(("Identity", UNVERIFIED.to_owned()));
    }
    if result.target.clock_offset_ms != 0 {
        let offset = format!("{} ms ahead of this machine's", result.target.clock_offset_ms);
        facts.push(("Registry's clock", offset));
    }
    if let Some(waited) = result.waited() {
        facts.push(("Time", clean(&waited)));
    }
    if result.summary.observed > 0 {
        facts.push(("Beside them", format!("{} writes outside the tables, observed", result.summary.observed)));
    }
    facts
}

fn took(result: &RunResult) -> String {
    let at = |text: &str| text.parse::<Timestamp>().ok();
    let took = at(&result.started).zip(at(&result.finished)).and_then(|(from, to)| {
        let span = to.duration_since(from).round(jiff::SignedDurationRound::new().smallest(Unit::Millisecond)).ok()?;
        Some(format!("{span:#}"))
    });
    took.unwrap_or_else(|| "unknown".to_owned())
}

fn shares(result: &RunResult) -> Vec<Share> {
    let count = |ending| all(result).filter(|(_, _, of)| *of == Some(ending)).count();
    let total = result.cases.len().max(1);
    let (mut shares, mut before) = (Vec::new(), 0);
    for ending in std::iter::once(Ending::Held).chain(Ending::ALL.into_iter().filter(|ending| *ending != Ending::Held))
    {
        let count = count(ending);
        let at = before * BAR / total;
        before += count;
        let (word, title, about) = (ending.word(), ending.title(), ending.about());
        shares.push(Share { word, title, about, count, at, width: before * BAR / total - at });
    }
    shares
}

fn meanings(result: &RunResult) -> Vec<Meaning> {
    let mut meanings: Vec<(Verdict, Meaning)> = Vec::new();
    for (_, case, ending) in all(result) {
        let Some(verdict) = case.verdicts.first().filter(|_| ending == Some(Ending::New)) else { continue };
        let at = meanings.iter().position(|(known, _)| known == verdict).unwrap_or_else(|| {
            let (means, matters) = meaning(*verdict);
            let actions = Vec::new();
            meanings.push((*verdict, Meaning { verdict: verdict.word(), cases: 0, means, matters, actions }));
            meanings.len() - 1
        });
        let told = &mut meanings[at].1;
        told.cases += 1;
        let action = clean(&case.label);
        if !told.actions.contains(&action) {
            told.actions.push(action);
        }
    }
    meanings.sort_by_key(|(verdict, _)| *verdict);
    meanings.into_iter().map(|(_, meaning)| meaning).collect()
}

fn limits(result: &RunResult) -> Vec<Limit> {
    let faults = clients::faults(result).into_iter();
    let limit = |fault: clients::Fault<'_>| Limit {
        client: clean(fault.client),
        words: fault.kind.words(),
        places: clean(&fault.places.join(", ")),
        saw: clean(fault.saw),
    };
    faults.map(limit).collect()
}

fn differing(result: &RunResult) -> Vec<Differing> {
    let pairs = clients::differing(result).into_iter();
    let shown = pairs.filter_map(|(case, wire)| {
        let number = all(result).find(|(_, known, _)| std::ptr::eq(*known, case))?.0;
        let (by_client, by_wire) = clients::both(case, wire);
        Some(Differing { case: number, id: clean(&case.id), by_client, by_wire })
    });
    shown.collect()
}

fn untested(result: &RunResult) -> Vec<Untested> {
    let mut reasons: Vec<Untested> = Vec::new();
    for (case_number, case, ending) in all(result) {
        let Some(ending) = ending.filter(|e| e.is_untested() || *e == Ending::Unjudged) else { continue };
        let why = clean(&without_names(why_untested(case)));
        let link = Link { case: case_number, id: clean(&case.id) };
        match reasons.iter_mut().find(|known| known.word == ending.word() && known.why == why) {
            Some(known) => known.cases.push(link),
            None => reasons.push(Untested { word: ending.word(), why, cases: vec![link] }),
        }
    }
    reasons
}

fn shown(table: Table<'_>, result: &RunResult) -> ShownTable {
    let cells = || table.rows.iter().flat_map(|row| &row.lines).flat_map(|line| line.cells.iter().flatten());
    let documented = table.name.starts_with("auth-") || table.name == tables::CLIENTS;
    let open = documented || cells().any(|cell| cell.ending.is_some_and(|ending| ending < Ending::Unsupported));
    let id = |number: usize| all(result).nth(number).map(|(_, case, _)| clean(&case.id)).unwrap_or_default();
    let lines = table.rows.iter().map(|row| row.lines.len()).sum();
    let cell = |cells: &[tables::Cell<'_>]| {
        let alike = cells.iter().all(|cell| (cell.ending, &cell.words) == (cells[0].ending, &cells[0].words));
        let told = if alike { &cells[..cells.len().min(1)] } else { cells };
        let shown = told.iter().map(|cell| ShownCell {
            case: cell.case,
            id: id(cell.case),
            word: word(cell.ending),
            words: cell.words.clone(),
            factor: (!alike).then(|| clean(cell.factor)),
        });
        shown.collect()
    };
    let rows = table.rows.iter().map(|row| ShownRow {
        label: clean(row.label),
        command: clean(row.command),
        alone: row.lines.len() == 1 && row.lines[0].name.is_none(),
        lines: row
            .lines
            .iter()
            .map(|line| ShownLine {
                name: clean(line.name.unwrap_or(row.action)),
                cells: line.cells.iter().map(|cells| cell(cells)).collect(),
            })
            .collect(),
    });
    let rows = rows.collect();
    let columns = table.columns.iter().map(|column| clean(column)).collect();
    ShownTable { name: table.name, title: table.title, about: table.about, columns, open, lines, rows }
}

fn groups(result: &RunResult) -> Vec<Group> {
    let judged = Ending::ALL.into_iter().map(Some);
    let groups = judged.chain([None]).map(|ending| {
        let (title, about) = match ending {
            Some(ending) => (ending.title(), ending.about()),
            None => ("Writes outside the tables", "observed and not judged"),
        };
        let cases = all(result).filter(|(_, _, of)| *of == ending);
        let cases = cases.map(|(number, case, _)| shown_case(number, case, ending)).collect();
        Group { word: word(ending), title, about, cases }
    });
    groups.filter(|group| !group.cases.is_empty()).collect()
}

fn shown_case(number: usize, case: &CaseResult, ending: Option<Ending>) -> ShownCase {
    let words = match ending {
        None => tables::observed(case).to_owned(),
        Some(Ending::NotRun) => "not run".to_owned(),
        Some(Ending::Flaky) => "exact, flaky".to_owned(),
        Some(_) => verdicts(case),
    };
    let verdicts = case.verdicts.iter().map(|verdict| verdict.word()).collect::<Vec<_>>().join(" ");
    ShownCase {
        number,
        id: clean(&case.id),
        label: clean(&case.label),
        words,
        mode: clean(&case.mode),
        factor: clean(&case.factor),
        verdicts,
    }
}

fn filters(result: &RunResult) -> Vec<Filter> {
    let mode = |name: &str| {
        let known = Mode::ALL.into_iter().find(|mode| mode.name() == name);
        known.map_or_else(|| clean(name), |mode| tables::in_words(mode).to_owned())
    };
    let filter = |name, title, values: Vec<Choice>| Filter { name, title, values };
    let mut status = counted(all(result).map(|(_, _, ending)| word(ending).to_owned()), |word| {
        let ending = Ending::ALL.into_iter().find(|ending| ending.word() == word);
        ending.map_or("Writes outside the tables", Ending::title).to_owned()
    });
    let order = |word: &str| Ending::ALL.iter().position(|ending| ending.word() == word).unwrap_or(usize::MAX);
    status.sort_by_key(|choice| order(&choice.value));
    let verdicts = all(result).flat_map(|(_, case, _)| &case.verdicts).map(|verdict| verdict.word().to_owned());
    vec![
        filter("status", "Status", status),
        filter("mode", "Mode", counted(all(result).map(|(_, case, _)| clean(&case.mode)), mode)),
        filter(
            "factor",
            "Factor",
            counted(all(result).map(|(_, case, _)| clean(&case.factor)), |name| tables::factor(name).to_owned()),
        ),
        filter("verdict", "Verdict", counted(verdicts, str::to_owned)),
    ]
}

/// Each value with how often it is there, in the order of the first.
fn counted(values: impl Iterator<Item = String>, words: impl Fn(&str) -> String) -> Vec<Choice> {
    let mut choices: Vec<Choice> = Vec::new();
    for value in values {
        match choices.iter_mut().find(|choice| choice.value == value) {
            Some(choice) => choice.count += 1,
            None => choices.push(Choice { words: words(&value), value, count: 1 }),
        }
    }
    choices
}
