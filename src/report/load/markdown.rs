//! `summary.md` of a load run or a search: what a pull request or an issue shows.

use std::fmt::Write as _;

use super::goose;
use super::terminal::{
    bound_by, breaches, conclusion, confirmed, connections, ended, model, probe_words, scaling, sender, standing,
    unshown_by_search, users, warnings,
};
use super::words::{number, share, time};
use crate::load::document::{CapacityResult, LoadResult};
use crate::report::text::clean;

/// Text that a table's cell or a line may hold.
fn plain(text: &str) -> String {
    let mut out = String::new();
    for character in clean(text).chars() {
        if matches!(character, '|' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '\\' | '#') {
            out.push('\\');
        }
        out.push(character);
    }
    out
}

fn table(out: &mut String, head: &[&str], rows: impl Iterator<Item = Vec<String>>) {
    let _ = writeln!(out, "| {} |\n|{}", head.join(" | "), " --- |".repeat(head.len()));
    for row in rows {
        let _ = writeln!(out, "| {} |", row.join(" | "));
    }
    out.push('\n');
}

/// A run.
pub(super) fn of_run(result: &LoadResult) -> String {
    let mut out = format!(
        "# {}: load on {}\n\n**{}**\n\n",
        plain(&result.profile.name),
        plain(&result.target.name),
        conclusion(result)
    );
    for warning in warnings(result) {
        let _ = writeln!(out, "- {}", plain(warning.trim()));
    }
    let _ = writeln!(out, "\n{}. {}.\n", plain(&model(result)), plain(&sender(&result.generator)));
    if let Some(line) = connections(result) {
        let _ = writeln!(out, "Connections: {}.\n", plain(&line));
    }
    table(
        &mut out,
        &["objective", "", "measured"],
        result.objectives.iter().map(|note| {
            vec![plain(&note.objective.to_string()), standing(note.standing).to_owned(), plain(&note.seen)]
        }),
    );
    let totals = &result.totals;
    table(
        &mut out,
        &["", "count", "a second"],
        [
            ("planned", totals.planned, totals.planned_per_s),
            ("sent", totals.sent, totals.sent_per_s),
            ("accepted", totals.accepted, totals.accepted_per_s),
        ]
        .into_iter()
        .map(|(name, count, rate)| vec![name.to_owned(), number(count as f64), number(rate)]),
    );
    let _ = match result.users.prepared {
        Some(prepared) => writeln!(out, "{prepared} users were each prepared for one arrival.\n"),
        None if result.users.sustain_per_s <= 0.0 => {
            writeln!(out, "{} users have no second factor.\n", result.users.there)
        }
        None => writeln!(
            out,
            "{} users sustain {} valid codes a second.\n",
            result.users.there,
            number(result.users.sustain_per_s)
        ),
    };
    table(
        &mut out,
        &["time", "count", "p50", "p99", "p99.9", "longest"],
        result.times.iter().map(|(name, times)| {
            let at = |percent: f64| {
                times.percentiles.iter().find(|at| at.percent >= percent).map_or(String::new(), |at| time(at.us))
            };
            let count = number(times.count as f64);
            vec![name.replace('_', " "), count, at(50.0), at(99.0), at(99.9), time(times.max_us)]
        }),
    );
    table(
        &mut out,
        &["sent", "became", "count", "judged"],
        result.outcomes.iter().map(|outcome| {
            let count = number(outcome.count as f64);
            vec![outcome.kind.name().to_owned(), outcome.fate.name().to_owned(), count, outcome.verdict.to_string()]
        }),
    );
    if let Some(note) = &result.goose {
        let _ = writeln!(out, "{}.\n", plain(&goose::line(note, result.totals.waited)));
        table(&mut out, &goose::HEAD, goose::rows(note).map(|row| row.iter().map(|cell| plain(cell)).collect()));
    }
    out
}

/// A search.
pub(super) fn of_capacity(result: &CapacityResult) -> String {
    let mut out = format!(
        "# {}: capacity of {}\n\n**{}**\n\n",
        plain(&result.profile),
        plain(&result.target.name),
        plain(&ended(result))
    );
    for line in breaches(&result.evidence) {
        let _ = writeln!(out, "- {}", plain(line.trim()));
    }
    let bound = bound_by(result).map(|(what, line)| format!("{what} {line}"));
    for line in confirmed(result)
        .into_iter()
        .chain(bound)
        .chain(unshown_by_search(result))
        .chain([users(result)])
        .chain(scaling(result))
    {
        let _ = writeln!(out, "- {}", plain(&line));
    }
    let _ = writeln!(out, "- {}\n", plain(&sender(&result.generator)));
    table(
        &mut out,
        &["rate", "for", "", "accepted", "p50", "p99", "success", "why"],
        result.probes.iter().map(|probe| {
            let (purpose, shown) = probe_words(probe.purpose, probe.shown);
            let of = |us: Option<f64>| us.map_or("–".to_owned(), time);
            let success = probe.success.map_or("–".to_owned(), share);
            let (rate, accepted) = (number(probe.rate), number(probe.accepted_per_s));
            let (p50, p99) = (of(probe.response_p50_us), of(probe.response_p99_us));
            vec![rate, purpose.to_owned(), shown.to_owned(), accepted, p50, p99, success, plain(&probe.why.join("; "))]
        }),
    );
    if !result.crowds.is_empty() {
        table(
            &mut out,
            &["clients", "accepted a second", "sender busy", "why not"],
            result.crowds.iter().map(|crowd| {
                let why = plain(&crowd.invalid.join("; "));
                vec![number(f64::from(crowd.clients)), number(crowd.accepted_per_s), share(crowd.busy), why]
            }),
        );
    }
    out
}
