//! A draft of a deviations file: what a run showed, to be looked through by whoever knows the registry.

use std::fmt::Write as _;

use globset::{Glob, escape};
use jiff::{Timestamp, ToSpan as _};

use super::standing::telling;
use super::text::{clean, without_names};
use crate::judge::Verdict;
use crate::result::{CaseResult, RunResult, Standing, Status};

/// How long until an entry must be looked at again.
const DAYS: i64 = 90;

/// Renders the draft; the error says why there can be none.
pub fn draft(result: &RunResult) -> Result<String, String> {
    let started: Timestamp =
        result.started.parse().map_err(|error| format!("`started` is {:?}: {error}", result.started))?;
    let until = started.to_zoned(jiff::tz::TimeZone::UTC).date().saturating_add(DAYS.days());
    let mut out = format!(
        "# yaml-language-server: $schema=deviations.schema.json\n# Drafted by {} from a run of {} at {}.\n# Look through each reason; an entry that no longer holds, or whose date has passed, fails a run.\n",
        clean(&result.tool),
        clean(&result.target.name),
        clean(&result.started)
    );
    if result.summary.errored > 0 {
        let _ = writeln!(
            out,
            "# {} cases that could not be judged are not listed: they are never known.",
            result.summary.errored
        );
    }
    let failing: Vec<&CaseResult> = result.cases.iter().filter(|case| case.status == Status::Fail).collect();
    if failing.is_empty() {
        out.push_str("[]\n");
    }
    let mut told: Vec<(String, Verdict)> = Vec::new();
    for case in failing {
        // What says nothing of the target cannot be listed.
        for verdict in case.verdicts.iter().filter(|verdict| Status::of(&[**verdict]) == Status::Fail) {
            let covered = |(glob, of): &(String, Verdict)| of == verdict && matches(glob, &case.id);
            if told.iter().any(covered) {
                continue;
            }
            let glob = glob(case, *verdict, result);
            // What JSON writes is YAML as well.
            let text = |text: &str| serde_json::Value::String(clean(text)).to_string();
            let _ = writeln!(
                out,
                "- case: {}\n  verdict: {verdict}\n  reason: {}\n  until: {until}{}",
                text(&glob),
                text(&reason(case)),
                if is_flaky(case, *verdict, result) { "\n  flaky: true" } else { "" }
            );
            told.push((glob, *verdict));
        }
    }
    Ok(out)
}

/// The widest glob that holds for all that it matches in a run of all cases, and else the case's own id.
fn glob(case: &CaseResult, verdict: Verdict, result: &RunResult) -> String {
    let own = escape(&case.id);
    let all = result.config.as_ref().is_some_and(|config| config.cases.is_empty());
    if !all || !result.complete {
        return own;
    }
    let door = match &case.surface {
        Some(surface) => escape(&format!("{}:{surface}", case.action)),
        None => escape(&case.action),
    };
    let wider = match case.standing {
        Standing::Scenario => vec![format!("{door}/*")],
        Standing::Row | Standing::Read | Standing::Observed => {
            vec![format!("*/{door}/*"), format!("auth-*/{door}/*"), format!("{}/{door}/*", escape(&case.mode))]
        }
    };
    let holds = |glob: &String| {
        let mut matched = result.cases.iter().filter(|case| matches(glob, &case.id));
        matched.all(|case| case.status == Status::Fail && case.verdicts.contains(&verdict))
    };
    wider.into_iter().find(holds).unwrap_or(own)
}

/// Whether a case that was repeated showed a verdict in one run and held in another.
fn is_flaky(case: &CaseResult, verdict: Verdict, result: &RunResult) -> bool {
    let held = |other: &CaseResult| other.id == case.id && other.status == Status::Pass;
    let failed_otherwise =
        |other: &CaseResult| other.id == case.id && other.status == Status::Fail && !other.verdicts.contains(&verdict);
    result.cases.iter().any(|other| held(other) || failed_otherwise(other))
}

fn matches(glob: &str, id: &str) -> bool {
    Glob::new(glob).is_ok_and(|glob| glob.compile_matcher().is_match(id))
}

fn reason(case: &CaseResult) -> String {
    let seen = telling(case).and_then(|number| case.probes.get(number));
    let seen = seen.map(|probe| format!("{}: {}, effect {}", probe.name, probe.outcome, probe.effect_words()));
    case.known
        .as_ref()
        .map(|known| known.reason.clone())
        .unwrap_or_else(|| without_names(&seen.unwrap_or_else(|| case.observed.clone())))
}
