//! `stepup lint`: every diagnostic as a user sees it, and nothing wrong with the repository's own files.

use std::path::Path;
use std::process::Command;

/// What lint says of a file of this name and text, in a folder that holds it alone.
fn said_of(name: &str, text: &str, arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join(name), text).expect("written");
    let output = Command::new(env!("CARGO_BIN_EXE_stepup"))
        .arg("lint")
        .args(arguments)
        .arg(name)
        .current_dir(folder.path())
        .env("NO_COLOR", "1")
        .output()
        .expect("stepup starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    format!("exit {}\n{said}", output.status.code().unwrap_or(-1))
}

fn snapshot(case: &str, said: String) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(true);
    settings.bind(|| insta::assert_snapshot!(case, said));
}

const HEAD: &str = "rule: A rule\nlevel: implied\ncites: [somewhere]\n";

#[test]
fn all_names_of_a_scenario_that_are_wrong_are_pointed_at() {
    let acts = "\
acts:
  - { perform: token-craete, proof: right, must: succeed }
  - { run: re-enroll }
  - { perform: publish, with: frist, proof: { again: frist }, must: be-refused }
";
    snapshot("scenario_names", said_of("own.yaml", &format!("{HEAD}{acts}"), &[]));
}

#[test]
fn a_scenario_of_which_no_case_comes_is_found() {
    let acts = "\
modes: [disabled]
acts:
  - { perform: disable-2fa, proof: none, must: succeed }
";
    snapshot("scenario_mode", said_of("own.yaml", &format!("{HEAD}{acts}"), &[]));
    let acts = "factors: []\nmodes: [auth-only]\nacts:\n  - { perform: publish, proof: none, must: succeed }\n";
    snapshot("scenario_that_judges_nothing", {
        let said = |acts: &str| said_of("own.yaml", &format!("{HEAD}{acts}"), &[]);
        said("acts: []\n") + &said("acts:\n  - { wait: 1 }\n  - { run: recover }\n")
    });
    snapshot("scenario_without_case", said_of("own.yaml", &format!("{HEAD}{acts}"), &[]));
}

#[test]
fn what_a_reader_refuses_is_told_with_what_is_allowed() {
    let acts = "acts:\n  - { perform: publish, prof: right, must: succeed }\n";
    snapshot("unknown_key", said_of("own.yaml", &format!("{HEAD}{acts}"), &[]));
    snapshot("not_yaml", said_of("own.yaml", "acts: [", &[]));
    snapshot("unknown_kind", said_of("own.yaml", "colour: red\n", &[]));
    snapshot("not_yaml_of_no_kind", said_of("own.yaml", "colour: [red\nshade: }\n", &[]));
    snapshot("in_a_long_line", {
        let reason = format!("Größe {}", "ü".repeat(2_000));
        let text =
            format!("- {{ reason: {reason}, case: 'auth-only/login/*', verdict: missing, until: 2999-01-01 }}\n");
        said_of("deviations.yaml", &text, &[])
    });
    snapshot("result_on_one_line", {
        let text = format!("{{ \"tool\": \"{}\", \"format\": \"stepup/result/2\", \"seed\": [] }}", "ü".repeat(400));
        said_of("result.json", &text, &[])
    });
    snapshot("result", said_of("result.json", "{ \"format\": \"stepup/result/2\" }", &[]));
    snapshot("no_such_file", {
        let said = said_of("own.yaml", "", &["missing.yaml"]);
        said.lines().filter(|line| !line.contains("own.yaml")).collect::<Vec<_>>().join("\n")
    });
}

#[test]
fn deviations_that_can_explain_nothing_are_found() {
    let text = "\
- { case: 'auth-only/publsh/*', verdict: missing-challenge, until: 2999-01-01, reason: seen }
- { case: 'auth-only/[', verdict: missing-challenge, until: 2999-01-01, reason: seen }
- { case: 'auth-only/login/*', verdict: missing-challenge, until: 2020-01-01, reason: seen }
- { case: 'auth-only/login/*', verdict: missing-challenge, until: 2999-01-01, reason: seen }
";
    snapshot("deviations", said_of("deviations.yaml", text, &[]));
}

#[test]
fn in_a_target_file_names_without_a_source_are_found() {
    let text = "\
name: mine
start: running
base: http://127.0.0.1:4873
routines:
  web-login-page:
    - request: \"POST {{ kept.pgae }}\"
      json: { username: \"{{ usr.name }}\", password: \"{{ user.pasword }}\" }
surfaces:
  - { action: publish, surface: twice, modes: [disabled], factors: [totp], perform: [{ do: publish }] }
left-out:
  'auth-only/publsh/*': it would disturb
";
    snapshot("target", said_of("mine.yaml", text, &[]));
}

#[test]
fn a_broken_accounts_file_is_pointed_at_and_not_shown() {
    let text = "- { name: a, password: hunter2hunter2, mode: auth-only }\n";
    let said = said_of("accounts.yaml", text, &[]);
    assert!(!said.contains("hunter2"), "{said}");
    snapshot("accounts", said);
}

#[test]
fn nothing_is_wrong_with_the_repositorys_own_files() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let listed = Command::new("find")
        .args(["scenarios", "fixtures", "(", "-name", "*.yaml", "-o", "-name", "result-*.json", ")"])
        .current_dir(root)
        .output()
        .expect("find runs");
    let listed = String::from_utf8(listed.stdout).expect("names");
    let files: Vec<&str> = listed.lines().collect();
    assert!(files.len() > 100, "{listed}");
    let output = Command::new(env!("CARGO_BIN_EXE_stepup")).arg("lint").args(files).current_dir(root).output();
    let output = output.expect("stepup starts");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
}
