//! `index.html` of a load run or a search: one file, charts and all, that needs neither script nor network.

use std::collections::BTreeMap;

use minijinja::context;
use minijinja::value::{Serde, Value};
use serde::Serialize;

use super::chart::{Chart, Drawn};
use super::goose;
use super::terminal::{
    bound_by, breaches, conclusion, confirmed, connections, ended, model, probe_words, scaling, sender, standing,
    users, warnings,
};
use super::words::{number, share, time};
use super::{capacity_charts, run_charts};
use crate::load::document::{CapacityResult, Ending, LoadResult, Verdict};
use crate::load::objective::Standing;
use crate::report::html::fill;
use crate::report::text::clean;

const PAGE: &str = include_str!("page.html");

#[derive(Debug, Serialize)]
struct Page {
    title: String,
    about: String,
    holds: bool,
    conclusion: String,
    warnings: Vec<String>,
    facts: Vec<(&'static str, String)>,
    blocks: Vec<Block>,
}

/// A part of the page: one of both.
#[derive(Debug, Serialize)]
struct Block {
    table: Option<Table>,
    chart: Option<Drawn>,
}

#[derive(Debug, Serialize)]
struct Table {
    title: &'static str,
    head: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
}

#[derive(Debug, Serialize)]
struct Cell {
    text: String,
    /// The word's colour, where it has one.
    word: Option<&'static str>,
}

fn text(text: impl Into<String>) -> Cell {
    Cell { text: text.into(), word: None }
}

fn word(word: &'static str, text: impl Into<String>) -> Cell {
    Cell { text: text.into(), word: Some(word) }
}

/// So many tables, then the charts, then the other tables.
fn blocks(before: usize, charts: &[Chart], tables: Vec<Table>) -> Vec<Block> {
    let mut blocks: Vec<Block> = tables.into_iter().map(|table| Block { table: Some(table), chart: None }).collect();
    let charts = charts.iter().map(|chart| Block { table: None, chart: Some(chart.draw()) });
    let at = blocks.len().min(before);
    blocks.splice(at..at, charts);
    blocks
}

fn render(page: &Page, charts: &[Chart]) -> Result<String, String> {
    // A chart's own words have been escaped where it was drawn.
    let drawn: BTreeMap<&str, Value> =
        charts.iter().map(|chart| (chart.id, Value::from_safe_string(chart.svg()))).collect();
    fill(PAGE, "", &page.title, context! { page => Value::from(Serde(page)), drawn })
}

/// The page of a run.
pub(super) fn of_run(result: &LoadResult) -> Result<String, String> {
    let charts = run_charts::of(result);
    let totals = &result.totals;
    let rate = |count: u64, rate: f64| format!("{} ({}/s)", number(count as f64), number(rate));
    let profile = &result.profile;
    let page = Page {
        title: format!("{} on {}", clean(&profile.name), clean(&result.target.name)),
        about: clean(&profile.about),
        holds: result.verdict == Verdict::Held,
        conclusion: conclusion(result).to_owned(),
        warnings: warnings(result),
        facts: vec![
            ("Request", clean(&profile.request)),
            ("Model", model(result)),
            ("Planned", rate(totals.planned, totals.planned_per_s)),
            ("Sent", rate(totals.sent, totals.sent_per_s)),
            ("Accepted", rate(totals.accepted, totals.accepted_per_s)),
            (
                "Users",
                match result.users.prepared {
                    Some(prepared) => format!("{}, each prepared for one arrival", number(f64::from(prepared))),
                    None if result.users.sustain_per_s <= 0.0 => {
                        format!("{}, without a second factor", number(f64::from(result.users.there)))
                    }
                    None => format!(
                        "{}, who sustain {} valid codes a second, one for each 30 s",
                        number(f64::from(result.users.there)),
                        number(result.users.sustain_per_s)
                    ),
                },
            ),
            match &result.goose {
                Some(note) => ("Driven by", goose::line(note, result.totals.waited)),
                None => (
                    "Connections",
                    format!(
                        "{}; {} opened, {} that could not be; {} arrivals waited for one",
                        connections(result).unwrap_or_else(|| format!("up to {}", profile.connections)),
                        totals.connections_opened,
                        totals.connections_failed,
                        totals.waited
                    ),
                ),
            },
            ("Sender", sender(&result.generator)),
            ("Began", result.started.to_string()),
            ("Lasted", format!("{} s, of which {} s were left out", profile.lasts_s, profile.warm_up_s)),
            ("Made by", clean(&result.tool)),
        ],
        blocks: blocks(1, &charts, run_tables(result)),
    };
    render(&page, &charts)
}

fn run_tables(result: &LoadResult) -> Vec<Table> {
    let objective = |note: &crate::load::document::ObjectiveNote| {
        let class = if note.standing == Standing::Met { "held" } else { "new" };
        vec![text(note.objective.to_string()), word(class, standing(note.standing).to_lowercase()), text(&note.seen)]
    };
    let times = |(name, times): (&String, &crate::load::document::TimesNote)| {
        let at = |percent: f64| {
            times.percentiles.iter().find(|at| at.percent >= percent).map_or(String::new(), |at| time(at.us))
        };
        let mut row = vec![text(name.replace('_', " ")), text(number(times.count as f64)), text(time(times.mean_us))];
        row.extend([50.0, 90.0, 99.0, 99.9, 99.99].map(|percent| text(at(percent))));
        row.push(text(time(times.max_us)));
        row
    };
    let outcome = |outcome: &crate::load::document::OutcomeCount| {
        let class = if outcome.verdict == crate::judge::Verdict::Exact { "held" } else { "new" };
        let count = number(outcome.count as f64);
        vec![
            text(outcome.kind.name()),
            text(outcome.fate.name()),
            text(count),
            word(class, outcome.verdict.to_string()),
        ]
    };
    let mut tables = vec![
        Table {
            title: "Objectives",
            head: vec!["Objective", "", "Measured"],
            rows: result.objectives.iter().map(objective).collect(),
        },
        Table {
            title: "Outcomes",
            head: vec!["Sent", "Became", "Count", "Judged"],
            rows: result.outcomes.iter().map(outcome).collect(),
        },
        Table {
            title: "Times",
            head: vec!["Time", "Count", "Mean", "50 %", "90 %", "99 %", "99.9 %", "99.99 %", "Longest"],
            rows: result.times.iter().map(times).collect(),
        },
    ];
    if let Some(note) = &result.goose {
        let rows = goose::rows(note).map(|row| row.map(|cell| text(clean(&cell))).into()).collect();
        tables.push(Table { title: "What goose measured", head: goose::HEAD.to_vec(), rows });
    }
    tables
}

/// The page of a search.
pub(super) fn of_capacity(result: &CapacityResult) -> Result<String, String> {
    let charts = capacity_charts::of(result);
    let mut facts = vec![("Action", clean(&result.action))];
    facts.push(("Objectives", result.objectives.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")));
    facts.extend(confirmed(result).map(|line| ("Confirmed", line)));
    facts.extend(bound_by(result));
    facts.push(("Users", users(result)));
    facts.extend(scaling(result).into_iter().map(|line| ("Scaling", line)));
    facts.push(("Sender", sender(&result.generator)));
    facts.push(("Began", result.started.to_string()));
    facts.push(("Made by", clean(&result.tool)));
    let ended_well = matches!(result.end, Some(Ending::Found | Ending::UserBound | Ending::BeyondAsked));
    let page = Page {
        title: format!("Capacity of {}", clean(&result.target.name)),
        about: format!("How many verifications a second it bears, by the profile {}", clean(&result.profile)),
        holds: ended_well && result.breaches == 0,
        conclusion: ended(result),
        warnings: breaches(&result.evidence).collect(),
        facts,
        blocks: blocks(0, &charts, capacity_tables(result)),
    };
    render(&page, &charts)
}

fn capacity_tables(result: &CapacityResult) -> Vec<Table> {
    let probe = |probe: &crate::load::document::Probe| {
        let (purpose, shown) = probe_words(probe.purpose, probe.shown);
        let class = if shown == "met" { "held" } else { "new" };
        let of = |us: Option<f64>| text(us.map_or("–".to_owned(), time));
        vec![
            text(number(probe.rate)),
            text(purpose),
            word(class, shown),
            text(number(probe.accepted_per_s)),
            of(probe.response_p50_us),
            of(probe.response_p99_us),
            text(probe.success.map_or("–".to_owned(), share)),
            of(probe.lateness_p99_us),
            text(clean(&probe.why.join("; "))),
        ]
    };
    let mut tables = vec![Table {
        title: "Probes",
        head: vec!["Rate", "For", "", "Accepted a second", "50 %", "99 %", "Success", "Late, 99 %", "Why"],
        rows: result.probes.iter().map(probe).collect(),
    }];
    if !result.crowds.is_empty() {
        let crowd = |crowd: &crate::load::document::CrowdNote| {
            let (clients, accepted) = (number(f64::from(crowd.clients)), number(crowd.accepted_per_s));
            let service = crowd.service_mean_us.map_or("–".to_owned(), time);
            let why = clean(&crowd.invalid.join("; "));
            vec![text(clients), text(accepted), text(service), text(share(crowd.busy)), text(why)]
        };
        tables.push(Table {
            title: "Clients who ask again at once",
            head: vec!["Clients", "Accepted a second", "Mean service time", "Sender busy", "Why it does not count"],
            rows: result.crowds.iter().map(crowd).collect(),
        });
    }
    tables
}
