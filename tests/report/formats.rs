//! The reports that programs read, held to what those programs expect.

use std::process::Command;

use serde_json::Value;
use stepup::report::{annotations, html, sarif, tap};
use stepup::result::{RunResult, Status, Summary};

use crate::program;

/// SARIF 2.1.0, the schema of the OASIS standard as Microsoft's jest-sarif ships it (MIT).
const SARIF_SCHEMA: &str = include_str!("schemas/sarif-2.1.0.json");

/// What a server that means harm would say.
const EVIL: &str = "x\r\n::error::owned %0A ]]> --> # TODO \u{1b}[2J\u{202e} \\ \"quoted\" </script>";

/// A run with every end that a case can have, one word of each an attacker's.
fn every_end() -> RunResult {
    let ran = program::check(&[
        "--format",
        "result",
        "--mutant",
        "whoami-challenged",
        "--case",
        "*/whoami/*",
        "--case",
        "auth-*/token-create/*",
        "--case",
        "otp/short/*",
        "--case",
        "*/star/*",
    ]);
    let mut result = ran.result.unwrap_or_else(|| panic!("no result, exit code {:?}: {}", ran.code, ran.said));
    for (number, case) in result.cases.iter_mut().enumerate() {
        case.observed = format!("{} {EVIL}", case.observed);
        case.repeat = format!("{} {EVIL}", case.repeat);
        match number {
            0 => {
                (case.status, case.known) = (
                    Status::Fail,
                    Some(stepup::result::Known {
                        reason: EVIL.to_owned(),
                        until: "2027-06-30".parse().expect("a date"),
                    }),
                )
            }
            1 => case.status = Status::Unsupported,
            2 => case.status = Status::Skipped,
            3 => case.status = Status::Error,
            4 => (case.status, case.level) = (Status::Fail, stepup::table::Level::Recommended),
            _ => {}
        }
    }
    result.stale_deviations = vec![EVIL.to_owned()];
    result.complete = false;
    result.summary = Summary::of(&result.cases, result.observations.len());
    let s = &result.summary;
    let counts = [s.exact, s.deviating - s.known, s.known, s.unsupported, s.skipped, s.errored];
    assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
    result
}

#[test]
fn sarif_is_what_its_schema_says() {
    // A bracket too many in one pattern, which the standard's errata take away, is no regular expression.
    let schema = SARIF_SCHEMA.replace("{2}]?$", "{2}?$");
    let schema: Value = serde_json::from_str(&schema).expect("the schema");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let result = every_end();
    let log: Value = serde_json::from_str(&sarif::render(&result).expect("renders")).expect("JSON");
    let wrong: Vec<String> =
        validator.iter_errors(&log).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert_eq!(wrong, [""; 0]);
    let results = log["runs"][0]["results"].as_array().expect("results");
    let told = result.cases.iter().filter(|case| matches!(case.status, Status::Fail | Status::Error));
    assert_eq!(results.len(), told.count(), "what was not tested is no finding");
    for finding in results {
        let place = &finding["locations"][0]["physicalLocation"];
        let uri = place["artifactLocation"]["uri"].as_str().expect("a file");
        let line = place["region"]["startLine"].as_u64().expect("a line");
        let text = std::fs::read_to_string(uri).expect("a file of this repository");
        assert!(text.lines().count() as u64 >= line, "{uri}:{line}");
        let rule =
            &log["runs"][0]["tool"]["driver"]["rules"][finding["ruleIndex"].as_u64().expect("an index") as usize];
        assert_eq!(rule["id"], finding["ruleId"]);
    }
    let suppressed = results.iter().filter(|finding| finding["suppressions"].is_array()).count();
    assert_eq!(suppressed, result.summary.known);
    // The schema does find what is wrong.
    let mut broken = log;
    broken["runs"][0]["results"][0]["level"] = "grave".into();
    assert!(!validator.is_valid(&broken));
}

#[test]
fn tap_has_a_point_for_each_case_and_says_what_fails() {
    let result = every_end();
    let text = tap::render(&result);
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("TAP version 13"));
    let plan: usize =
        lines.next().and_then(|line| line.strip_prefix("1..")).and_then(|n| n.parse().ok()).expect("a plan");
    assert_eq!(plan, result.cases.len() + 2, "the stale entry and the interruption are points of their own");
    let (mut points, mut failing, mut skipped) = (0, 0, 0);
    for line in lines {
        let point = line.strip_prefix("not ").unwrap_or(line);
        if let Some(rest) = point.strip_prefix("ok ") {
            points += 1;
            assert!(rest.starts_with(&format!("{points} - ")), "{line}");
            // A directive begins at the first `#` that is not escaped.
            let directive = rest.replace("\\\\", "").replace("\\#", "");
            let directive = directive.split_once(" # ").map(|(_, directive)| directive.to_owned()).unwrap_or_default();
            failing += usize::from(line.starts_with("not ") && !directive.starts_with("TODO"));
            skipped += usize::from(directive.starts_with("SKIP"));
        } else {
            assert!(line.starts_with("  ") || line.starts_with("# "), "{line}");
        }
    }
    let deciding = result.cases.iter().filter(|case| result.decides(case)).count();
    assert_eq!((points, failing), (plan, deciding + 2));
    assert_eq!(skipped, result.summary.unsupported + result.summary.skipped);
}

#[test]
fn annotations_are_few_and_hold_no_command_of_a_target() {
    let mut result = every_end();
    let one = result.cases.iter().find(|case| result.decides(case)).expect("a deviation").clone();
    result.cases.extend(std::iter::repeat_n(one, 30));
    let text = annotations::render(&result);
    let commands = |kind: &str| text.lines().filter(|line| line.starts_with(kind)).count();
    assert_eq!(commands("::"), text.lines().count(), "{text}");
    assert_eq!(commands("::error "), 10, "GitHub drops what comes after the tenth");
    assert!(text.contains("more cases are in the reports"), "{text}");
    assert!(text.contains("file=scenarios/tables/npm-docs-2022-08.yaml,line="), "{text}");
}

#[test]
fn a_workflow_of_githubs_is_annotated_and_takes_no_other_words_for_commands() {
    let check = |github: Option<&str>| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut command = Command::new(env!("CARGO_BIN_EXE_stepup"));
        command.args(["check", "--mutant", "whoami-challenged", "--case", "*/whoami/*", "--out"]).arg(folder.path());
        match github {
            Some(value) => command.env("GITHUB_ACTIONS", value),
            None => command.env_remove("GITHUB_ACTIONS"),
        };
        String::from_utf8(command.output().expect("stepup starts").stdout).expect("text")
    };
    assert!(!check(None).contains("::"));
    let said = check(Some("true"));
    let word =
        said.strip_prefix("::stop-commands::").and_then(|rest| rest.lines().next()).expect("commands are stopped");
    assert!(word.len() >= 16);
    let (shown, annotated) = said.split_once(&format!("\n::{word}::\n")).expect("commands are heard again");
    assert!(shown.contains("New deviations") && !annotated.contains("New deviations"));
    assert!(annotated.starts_with("::error file=scenarios/tables/npm-docs-2022-08.yaml,line="), "{annotated}");
}

#[test]
fn a_thousand_cases_are_one_small_file() {
    let mut result = every_end();
    let (cases, count) = (result.cases.clone(), result.cases.len());
    result.cases = cases.into_iter().cycle().take(1_000).collect();
    result.summary = Summary::of(&result.cases, result.observations.len());
    let page = html::render(&result).expect("renders");
    assert_eq!(page.matches("<details class=\"case\"").count(), 1_000 + result.observations.len());
    assert!(page.len() < 2_000_000, "{} bytes of {count} cases repeated", page.len());
}
