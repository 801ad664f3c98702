//! What pipelines are given: the steps of `action.yml` run as its runner runs them, and what the examples for other
//! servers name is there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::program::Served;

const ACTION: &str = include_str!("../../action.yml");
const GITLAB: &str = include_str!("../../docs/ci/gitlab-ci.yml");
const JENKINS: &str = include_str!("../../docs/ci/Jenkinsfile");

fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).expect("YAML")
}

/// The expressions in a text: what stands between `${{` and `}}`.
fn expressions(text: &str) -> Vec<&str> {
    let after = text.split("${{").skip(1);
    after.map(|rest| rest.split("}}").next().unwrap_or_default().trim()).collect()
}

fn step(name: &str) -> Value {
    let action = yaml(ACTION);
    let steps = action["runs"]["steps"].as_array().expect("steps");
    steps.iter().find(|step| step["name"] == name).cloned().unwrap_or_else(|| panic!("no step `{name}`"))
}

/// What a step left behind.
struct Ran {
    code: Option<i32>,
    said: String,
    outputs: String,
    summary: String,
    folder: tempfile::TempDir,
}

/// Runs the step that checks as a runner does: with the inputs in place of their expressions, and the shell's flags.
fn check(inputs: &[(&str, &str)]) -> Ran {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir_all(at("runner/stepup/bin")).expect("made");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_stepup"), at("runner/stepup/bin/stepup")).expect("linked");
    let defaults = yaml(ACTION)["inputs"].clone();
    let mut given: BTreeMap<String, String> = BTreeMap::new();
    for (name, input) in defaults.as_object().expect("inputs") {
        given.insert(format!("inputs.{name}"), input["default"].as_str().expect("a default").to_owned());
    }
    for (name, value) in inputs {
        given.insert(format!("inputs.{name}"), (*value).to_owned()).expect("a declared input");
    }
    let step = step("Check");
    assert_eq!(step["shell"], "bash");
    let mut command = Command::new("bash");
    command.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"].as_str().expect("a script")]);
    for (name, value) in step["env"].as_object().expect("an environment") {
        let expression = expressions(value.as_str().expect("text"));
        command.env(name, &given[expression[0]]);
    }
    command
        .current_dir(folder.path())
        .env("GITHUB_ACTIONS", "true")
        .env("RUNNER_TEMP", at("runner"))
        .env("GITHUB_OUTPUT", at("outputs"))
        .env("GITHUB_STEP_SUMMARY", at("summary"));
    let output = command.output().expect("bash starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let read = |name: &str| std::fs::read_to_string(at(name)).unwrap_or_default();
    Ran { code: output.status.code(), said, outputs: read("outputs"), summary: read("summary"), folder }
}

#[test]
fn the_action_passes_where_every_case_holds() {
    let ran = check(&[("case", "auth-only/whoami/totp/*\n\ndisabled/whoami/*\n")]);
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    assert_eq!(ran.outputs, "reports=stepup-reports\nexit-code=0\n");
    assert!(ran.summary.contains("exact"), "{}", ran.summary);
    for report in ["index.html", "junit.xml", "stepup.sarif", "result.json"] {
        assert!(ran.folder.path().join("stepup-reports").join(report).is_file(), "no {report}");
    }
    assert!(!ran.said.contains("::error"), "{}", ran.said);
}

#[test]
fn the_action_hands_on_what_it_has_no_input_for() {
    let more = "--retries\n2\n--case\ndisabled/ping/*\n\n--format=result\n";
    let ran = check(&[("arguments", more)]);
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    let result = std::fs::read_to_string(ran.folder.path().join("stepup-reports/result.json")).expect("a result");
    let result: Value = serde_json::from_str(&result).expect("JSON");
    assert_eq!((&result["config"]["retries"], &result["summary"]["selected"]), (&2.into(), &1.into()));
    assert!(!ran.folder.path().join("stepup-reports/index.html").exists(), "the format was chosen");
}

#[test]
fn the_action_shows_no_summary_of_an_earlier_run() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("out");
    std::fs::create_dir(&out).expect("made");
    std::fs::write(out.join("summary.md"), "Held").expect("written");
    let ran = check(&[("target", "missing.yaml"), ("out", out.to_str().expect("a path"))]);
    assert_eq!((ran.code, ran.summary.as_str()), (Some(2), ""), "{}", ran.said);
    assert!(ran.said.lines().any(|line| line.starts_with("::error title=stepup::missing.yaml: ")), "{}", ran.said);
}

#[test]
fn the_action_fails_and_annotates_where_a_case_deviates() {
    let registry = Served::start(&["--mutant", "whoami-challenged"]);
    let ran = check(&[("target", &registry.address), ("case", "auth-only/whoami/totp/*"), ("out", "with a space")]);
    assert_eq!(ran.code, Some(1), "{}", ran.said);
    assert_eq!(ran.outputs, "reports=with a space\nexit-code=1\n");
    assert!(ran.said.lines().any(|line| line.starts_with("::error ")), "{}", ran.said);
    assert!(ran.summary.contains("auth-only/whoami/totp"), "{}", ran.summary);
}

#[test]
fn what_the_action_is_given_is_never_a_command() {
    let more = ("arguments", "--case\n$(touch ran)\n");
    let ran = check(&[("case", "$(touch ran)\n`touch ran`\n'; touch ran #"), ("deviations", "$(touch ran)"), more]);
    assert_eq!(ran.code, Some(4), "{}", ran.said);
    assert!(ran.said.lines().any(|line| line.starts_with("::error title=stepup::")), "{}", ran.said);
    assert!(ran.outputs.ends_with("exit-code=4\n"), "{}", ran.outputs);
    assert!(!ran.folder.path().join("ran").exists());
    for step in yaml(ACTION)["runs"]["steps"].as_array().expect("steps") {
        let script = step["run"].as_str().unwrap_or_default();
        assert!(expressions(script).is_empty(), "an expression in a script is a command: {script}");
    }
}

#[test]
fn every_input_and_output_of_the_action_has_its_other_end() {
    let action = yaml(ACTION);
    let declared: BTreeSet<String> =
        action["inputs"].as_object().expect("inputs").keys().map(|name| format!("inputs.{name}")).collect();
    let steps = serde_json::to_string(&action["runs"]).expect("JSON");
    let used = expressions(&steps).into_iter().flat_map(str::split_whitespace);
    let used: BTreeSet<String> = used.filter(|word| word.starts_with("inputs.")).map(str::to_owned).collect();
    assert_eq!(declared, used);
    let check = step("Check");
    let script = check["run"].as_str().expect("a script");
    for (name, output) in action["outputs"].as_object().expect("outputs") {
        let value = output["value"].as_str().expect("text");
        assert_eq!(expressions(value), [format!("steps.{}.outputs.{name}", check["id"].as_str().expect("an id"))]);
        assert!(script.contains(&format!("echo \"{name}=")), "nobody writes {name}");
    }
    for name in check["env"].as_object().expect("an environment").keys() {
        assert!(script.contains(&format!("${name}\"")), "{name} is not used, or not in quotes");
    }
    let uses = step("Upload the reports")["uses"].as_str().expect("an action").to_owned();
    let commit = uses.rsplit('@').next().unwrap_or_default();
    assert!(commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()), "{uses} is not pinned");
}

/// Runs a line of an example where there is a `stepup.yaml`, and returns what is in the folder afterwards.
fn reports_of(line: &str) -> BTreeSet<PathBuf> {
    let registry = Served::start(&["--mutant", "whoami-challenged"]);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let bin = Path::new(env!("CARGO_BIN_EXE_stepup")).parent().expect("a folder");
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
    let target = format!("name: mine\nstart: running\nbase: {}\n", registry.address);
    std::fs::write(folder.path().join("stepup.yaml"), target).expect("written");
    let line = format!("{line} --case 'auth-only/whoami/totp/*'");
    let output = Command::new("sh").args(["-ec", &line]).current_dir(folder.path()).env("PATH", path).output();
    let output = output.expect("sh starts");
    assert_eq!(output.status.code(), Some(1), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    let found = std::fs::read_dir(folder.path().join("reports")).expect("the reports");
    found.map(|entry| Path::new("reports").join(entry.expect("an entry").file_name())).collect()
}

#[test]
fn the_example_for_gitlab_runs_and_keeps_what_is_written() {
    let job = yaml(GITLAB)["stepup"].clone();
    let script = job["script"].as_array().expect("a script");
    assert_eq!(script.len(), 1);
    let reports = reports_of(script[0].as_str().expect("a line"));
    let junit = job["artifacts"]["reports"]["junit"].as_str().expect("a path");
    assert!(reports.contains(Path::new(junit)), "{junit} is not in {reports:?}");
    assert_eq!(job["artifacts"]["paths"][0], "reports");
    assert_eq!(job["artifacts"]["when"], "always");
}

#[test]
fn the_example_for_jenkins_runs_and_keeps_what_is_written() {
    let quoted = |part: &str| {
        let line = JENKINS.lines().map(str::trim).find(|line| !line.starts_with("//") && line.contains(part));
        line.and_then(|line| line.split('\'').nth(1)).unwrap_or_else(|| panic!("no {part}"))
    };
    let reports = reports_of(quoted("stepup check"));
    assert!(reports.contains(Path::new(quoted("junit "))), "{reports:?}");
}
