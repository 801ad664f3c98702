//! Target files and deviations files: what is wrong with one is said where it stands, and what one says holds strictly.

use std::path::Path;

use stepup::result::{RunResult, Status};

use crate::program::check_into;

/// What `stepup check` says of a target file.
fn complaint(text: &str) -> String {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("mine.yaml");
    std::fs::write(&file, text).expect("written");
    let ran = check_into(&["--target", &file.display().to_string()], &folder.path().join("out"));
    assert_eq!((ran.code, ran.result), (Some(2), None), "{}", ran.said);
    ran.said
}

#[test]
fn a_broken_target_file_is_pointed_at_with_what_is_allowed() {
    let running = "name: mine\nstart: running\nbase: http://127.0.0.1:4873\n";
    for (text, place, seen) in [
        ("name: mine\nstrat: running\n".to_owned(), "2:1", "did you mean `start`?"),
        ("name: mine\nstart: runing\n".to_owned(), "2:8", "did you mean `running`?"),
        ("name: mine\nstart: running\n".to_owned(), "2:8", "needs its address"),
        ("name: mine\nstart: installed\n".to_owned(), "2:8", "needs its `program`"),
        ("name: mine\nstart: running\nbase: http://192.0.2.1/\n".to_owned(), "3:7", "does not allow it"),
        ("name: mine\nstart: running\nbase: here\n".to_owned(), "3:7", "is no address"),
        (format!("{running}dialect: nmp\n"), "4:10", "did you mean `npm`?"),
        (format!("{running}unsupported:\n  publsh: it has none\n"), "5:11", "did you mean `publish`?"),
        (format!("{running}routines:\n  enrol: [{{ do: publsh }}]\n"), "5:17", "did you mean `publish`?"),
        (
            format!("{running}routines:\n  enrol:\n    - {{ request: GET /a, do: publish }}\n"),
            "6:7",
            "both `request` and `do`",
        ),
        (format!("{running}routines:\n  enrol:\n    - {{ auth: none }}\n"), "6:7", "none of `request`, `do`"),
        (
            format!("{running}routines:\n  one: [{{ do: two }}]\n  two: [{{ do: one }}]\n"),
            "5:15",
            "the routine `one` would run itself",
        ),
        (format!("{running}routines:\n  enrol: [{{ request: FETCH /a }}]\n"), "5:", "`FETCH` is not a method"),
        (format!("{running}routines:\n  enrol: [{{ request: 'GET /{{{{ user.name' }}]\n"), "5:", "without `}}`"),
        (
            format!("{running}surfaces:\n  - {{ action: login, perform: [{{ do: sing-up }}] }}\n"),
            "5:",
            "did you mean `sign-up`?",
        ),
    ] {
        let said = complaint(&text);
        assert!(said.contains(&format!("mine.yaml:{place}")), "{text}\n{said}");
        assert!(said.replace("\n  │ ", " ").contains(seen), "{text}\n{said}");
    }
    let said = complaint(&format!("{running}surfaces:\n  - {{ action: logn, perform: [] }}\n"));
    assert!(said.contains("no action `logn`") && said.contains("`login`"), "{said}");
    let said = complaint(&format!("{running}deviations: missing.yaml\n"));
    assert!(said.contains("mine.yaml:4:1: "), "it points at the name\n{said}");
    assert!(said.replace("\n  │ ", " ").contains("missing.yaml: cannot be read"), "{said}");
}

/// Checks a faulty registry against a deviations file of one line.
fn with_deviation(folder: &Path, case: &str, verdict: &str, until: &str, arguments: &[&str]) -> (i32, RunResult) {
    let file = folder.join("deviations.yaml");
    let line = format!("- {{ case: '{case}', verdict: {verdict}, until: {until}, reason: seen in a test }}\n");
    std::fs::write(&file, line).expect("written");
    let file = file.display().to_string();
    let ran = check_into(&[&["--deviations", &file], arguments].concat(), &folder.join("out"));
    (ran.code.expect("an exit code"), ran.result.unwrap_or_else(|| panic!("{}", ran.said)))
}

#[test]
fn deviations_are_strict_both_ways() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let fault = ["--mutant", "publish-unchallenged", "--case", "auth-and-writes/publish/totp/*"];
    let check =
        |case, verdict, until, arguments: &[&str]| with_deviation(folder.path(), case, verdict, until, arguments);

    let (code, result) = check("*/publish/*", "missing-challenge", "2999-01-01", &fault);
    assert_eq!((code, result.summary.deviating, result.summary.known), (0, 1, 1));
    assert_eq!(
        (result.cases[0].status, result.cases[0].known.as_ref().map(ToString::to_string)),
        (Status::Fail, Some("seen in a test (until 2999-01-01)".to_owned()))
    );

    let (code, result) = check("*/publish/*", "replay-accepted", "2999-01-01", &fault);
    assert_eq!((code, result.summary.known), (1, 0), "another verdict than the one listed");

    let (code, result) = check("*/publish/*", "missing-challenge", "2001-01-01", &fault);
    assert!(code == 1 && result.stale_deviations[0].contains("2001-01-01 has passed"), "{:?}", result.stale_deviations);

    let healthy = ["--case", "auth-and-writes/publish/totp/*"];
    let (code, result) = check("*/publish/*", "missing-challenge", "2999-01-01", &healthy);
    assert!(code == 1 && result.stale_deviations[0].contains("no longer shows"), "{:?}", result.stale_deviations);

    // Also where few cases are run.
    for some in [&[][..], &["--case", "disabled/ping/*"]] {
        let (code, result) = check("*/publsh/*", "missing-challenge", "2999-01-01", some);
        let stale = &result.stale_deviations;
        assert!(code == 1 && stale[0].contains("no case has such an id"), "{stale:?}");
    }
    let (code, result) =
        check("*/publish/*/npm@11/*", "missing-challenge", "2999-01-01", &["--case", "disabled/ping/*"]);
    assert_eq!((code, result.stale_deviations), (0, vec![]), "a client that is not asked for");
}
