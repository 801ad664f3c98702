//! `stepup.sarif` (SARIF 2.1.0): deviations as results, at the file and line that say what must hold.
//!
//! Viewers take every result for a finding, so that only what deviates or could not be judged is one. What was not
//! tested is told as a notification of the run, which is no finding and no pass.

use std::path::Path;

use reqwest::Url;
use serde_json::{Value, json};

use super::conclusion::{Conclusion, UNVERIFIED, second_factor_unjudged};
use super::standing::{Ending, meaning, verdicts, why_untested};
use super::text::{clean, without_names};
use crate::judge::Verdict;
use crate::result::{CaseResult, RunResult};

/// Where the format is described.
const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// Renders the result; the error is the serialiser's.
pub fn render(result: &RunResult) -> Result<String, String> {
    let findings: Vec<(&CaseResult, Ending, Verdict)> = result
        .cases
        .iter()
        .filter_map(|case| {
            let ending = Ending::of(case, result);
            let told = matches!(ending, Ending::New | Ending::Unjudged | Ending::Advisory | Ending::Known);
            case.verdicts.first().filter(|_| told).map(|verdict| (case, ending, *verdict))
        })
        .collect();
    let mut rules: Vec<Verdict> = findings.iter().map(|(_, _, verdict)| *verdict).collect();
    rules.sort_unstable();
    rules.dedup();
    let version = result.tool.rsplit(' ').next().unwrap_or_default();
    let results = findings.iter().map(|(case, ending, verdict)| finding(result, case, *ending, *verdict, &rules));
    let log = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "stepup",
                "version": clean(version),
                "rules": rules.iter().map(|verdict| rule(*verdict)).collect::<Vec<_>>(),
            } },
            "automationDetails": { "id": format!("stepup/{}/", clean(&result.target.name)) },
            "columnKind": "unicodeCodePoints",
            "invocations": [invocation(result)],
            "results": results.collect::<Vec<_>>(),
            "properties": {
                "target": clean(&result.target.name),
                "table": clean(&format!("{}, revision {}", result.table.source, result.table.revision)),
                "conclusion": clean(&Conclusion::of(result).sentence),
                "seed": result.seed,
                "summary": serde_json::to_value(&result.summary).map_err(|error| error.to_string())?,
            },
        }],
    });
    serde_json::to_string_pretty(&log).map_err(|error| error.to_string())
}

fn rule(verdict: Verdict) -> Value {
    let (means, matters) = meaning(verdict);
    json!({
        "id": verdict.word(),
        "name": verdict.word(),
        "shortDescription": { "text": means },
        "fullDescription": { "text": format!("{means} {matters}") },
        "help": { "text": format!("{means} {matters} Each result names the clause, and the command that repeats it.") },
        "properties": { "tags": ["security", "authentication"] },
    })
}

fn finding(result: &RunResult, case: &CaseResult, ending: Ending, verdict: Verdict, rules: &[Verdict]) -> Value {
    let level = match ending {
        Ending::Advisory => "warning",
        Ending::New
        | Ending::Unjudged
        | Ending::Known
        | Ending::Flaky
        | Ending::Unsupported
        | Ending::NotDescribed
        | Ending::NotRun
        | Ending::Held => "error",
    };
    let message = format!(
        "{}: {}\nexpected: {}\nobserved: {}\ncites: {}\nrepeat: {}",
        verdicts(case),
        case.id,
        case.expected,
        case.observed,
        case.cites.join("; "),
        case.repeat
    );
    let message: Vec<String> = message.lines().map(clean).collect();
    let mut finding = json!({
        "ruleId": verdict.word(),
        "ruleIndex": rules.binary_search(&verdict).map_or(-1_i64, |at| i64::try_from(at).unwrap_or(-1)),
        "level": level,
        "message": { "text": message.join("\n") },
        "partialFingerprints": { "stepupCase/v1": clean(&format!("{} {} {verdict}", result.target.name, case.id)) },
        "properties": { "mode": clean(&case.mode), "factor": clean(&case.factor), "binding": case.level.name() },
    });
    let name = json!([{ "fullyQualifiedName": clean(&case.id), "kind": "member" }]);
    let mut location = json!({ "logicalLocations": name });
    if let Some(source) = &case.source {
        location["physicalLocation"] = json!({
            "artifactLocation": { "uri": uri(&source.file) },
            "region": { "startLine": source.line.max(1) },
        });
    }
    finding["locations"] = json!([location]);
    if let Some(known) = &case.known {
        finding["suppressions"] =
            json!([{ "kind": "external", "status": "accepted", "justification": clean(&known.to_string()) }]);
    }
    finding
}

/// A path as SARIF wants it: a relative reference, or an address.
fn uri(path: &str) -> String {
    if Path::new(path).is_absolute() {
        return Url::from_file_path(path).map_or_else(|()| String::new(), String::from);
    }
    let encoded = |part| percent_encoding::utf8_percent_encode(part, percent_encoding::NON_ALPHANUMERIC).to_string();
    let plain = |text: String| text.replace("%2D", "-").replace("%2E", ".").replace("%5F", "_");
    path.split('/').map(|part| plain(encoded(part))).collect::<Vec<_>>().join("/")
}

/// How the run went, and what it did not test.
fn invocation(result: &RunResult) -> Value {
    let mut reasons: Vec<(Ending, String, usize)> = Vec::new();
    for case in &result.cases {
        let ending = Ending::of(case, result);
        if ending.is_untested() {
            let why = clean(&without_names(why_untested(case)));
            match reasons.iter_mut().find(|(of, known, _)| (*of, known) == (ending, &why)) {
                Some((_, _, count)) => *count += 1,
                None => reasons.push((ending, why, 1)),
            }
        }
    }
    let untested = reasons.into_iter().map(|(ending, why, count)| {
        let text = format!("{}, {count} {}: {why}", ending.title(), if count == 1 { "case" } else { "cases" });
        json!({ "level": "note", "message": { "text": text } })
    });
    let stale = result.stale_deviations.iter().map(|stale| {
        json!({ "level": "error", "message": { "text": format!("stale entry of the target's list: {}", clean(stale)) } })
    });
    let factorless = second_factor_unjudged(result);
    let factorless = factorless.map(|said| json!({ "level": "error", "message": { "text": clean(&said) } }));
    let unverified = result.target.unverified.then(|| json!({ "level": "warning", "message": { "text": UNVERIFIED } }));
    let mut invocation = json!({
        "executionSuccessful": result.complete,
        "toolExecutionNotifications": unverified.into_iter().chain(factorless).chain(stale).chain(untested).collect::<Vec<_>>(),
    });
    for (name, time) in [("startTimeUtc", &result.started), ("endTimeUtc", &result.finished)] {
        // The format knows no finer times than milliseconds in all viewers.
        if let Ok(time) = time.parse::<jiff::Timestamp>() {
            invocation[name] = format!("{time:.3}").into();
        }
    }
    invocation
}
