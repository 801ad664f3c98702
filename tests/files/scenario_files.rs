//! Scenarios from files of the user's own, of one user or of several.

use std::path::Path;

use stepup::check::suite;
use stepup::judge::Verdict;
use stepup::result::Status;
use stepup::target;

use crate::program::{self, check_into};

const HEAD: &str = "rule: a rule\nlevel: implied\ncites: [somewhere]\n";

const SECOND_USER: &str = "\
cast: [ann, ben]
acts:
  - { run: sign-up, by: ann }
  - { run: enrol, by: ann, mode: auth-and-writes, must: succeed }
  - { run: sign-up, by: ben }
  - { run: enrol, by: ben, mode: auth-only, must: succeed }
  - { perform: token-create, by: ann, mode: auth-and-writes, proof: { of: ben }, must: be-refused }
  - { perform: publish, by: ann, mode: auth-and-writes, proof: none, must: be-challenged }
";

fn play(folder: &Path, acts: &str, more: &[&str]) -> program::Ran {
    let file = folder.join("own.yaml");
    std::fs::write(&file, format!("{HEAD}{acts}")).expect("a file");
    let file = file.display().to_string();
    let arguments = [&["--scenario", &file, "--case", "own/*"], more].concat();
    check_into(&arguments, &folder.join("out"))
}

#[test]
fn a_file_of_the_users_own_is_played_beside_the_built_in_ones_and_repeated_by_its_command() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let held = play(folder.path(), SECOND_USER, &[]);
    assert_eq!(held.code, Some(0), "{}", held.said);
    let found = play(folder.path(), SECOND_USER, &["--mutant", "second-user-weakens-first"]);
    assert_eq!(found.code, Some(1), "{}", found.said);
    let case = &found.result.expect("a result").cases[0];
    assert_eq!((case.status, &case.verdicts), (Status::Fail, &vec![Verdict::MissingChallenge]), "{}", found.said);
    let repeat = case.repeat.replace("stepup check ", "");
    let arguments: Vec<&str> = repeat.split(' ').map(|word| word.trim_matches('\'')).collect();
    let again = check_into(&arguments, &folder.path().join("again"));
    assert_eq!(again.code, Some(1), "{repeat}: {}", again.said);
}

/// What a target does not describe makes no scenario wrong that the program carries.
#[test]
fn the_built_in_scenarios_are_read_for_every_target() {
    let table = suite::table().expect("the table");
    for name in target::names().into_iter().chain(["http://127.0.0.1:1"]) {
        let target = target::find(name).expect("a target");
        let cases = suite::all_cases(&table, &target);
        assert!(cases.is_ok_and(|cases| cases.len() > 400), "{name}");
    }
}

#[test]
fn what_is_wrong_with_a_cast_is_said_where_it_stands() {
    for (acts, at, message) in [
        ("cast: [ann]\nacts:\n  - { run: sign-up }\n", "own.yaml:6:12", "each act says who acts"),
        ("cast: [ann]\nacts:\n  - { run: sign-up, by: bob }\n", "own.yaml:6:25", "`bob` is not of the cast"),
        ("cast: [ann]\nacts:\n  - { run: enrol, by: ann }\n", "own.yaml:6:23", "`ann` has not signed up by then"),
        (
            "cast: [ann]\nacts:\n  - { run: sign-up, by: ann }\n  - { run: sign-up, by: ann }\n",
            "own.yaml:7:25",
            "`ann` has signed up already",
        ),
        ("cast: [ann, ann]\nacts: []\n", "own.yaml:4:13", "a name of its own"),
        ("cast: [ann]\nmodes: [auth-only]\nacts: []\n", "own.yaml:4:8", "begins in mode `disabled`"),
        ("acts:\n  - { run: re-enrol, by: ann }\n", "own.yaml:5:12", "for scenarios with a `cast`"),
        (
            "cast: [ann]\nacts:\n  - at-once: [{ perform: publish, by: ann, proof: none, must: be-refused }]\n",
            "own.yaml:6:26",
            "at once",
        ),
        (
            "cast: [ann]\nacts:\n  - { run: sign-up, by: ann }\n  - { perform: publish, by: ann, proof: { of: bob }, must: be-refused }\n",
            "own.yaml:7:16",
            "`bob` is not of the cast",
        ),
        (
            "cast: [ann]\nacts:\n  - { run: sign-up, by: ann }\n  - { perform: publish, by: ann, proof: { again: enrolment }, must: be-refused }\n",
            "own.yaml:7:16",
            "no earlier attempt has `as: enrolment`",
        ),
        (
            "cast: [ann]\nacts:\n  - { run: sign-up, by: ann }\n  - { run: enrol, by: ann, mode: auth-only }\n  - { perform: publish, by: ann, mode: auth-and-writes, proof: none, must: be-challenged }\n",
            "own.yaml:8:29",
            "`ann` is in mode `auth-only` by then, not in `auth-and-writes`",
        ),
    ] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let ran = play(folder.path(), acts, &[]);
        assert_eq!(ran.code, Some(2), "{acts}: {}", ran.said);
        // Lines of an error are broken to the width of the terminal.
        let said: String = ran.said.replace(['\n', '│', ' '], "");
        assert!(said.contains(at) && said.contains(&message.replace(' ', "")), "{acts}: {}", ran.said);
    }
}

#[test]
fn two_files_of_one_name_are_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("own.yaml");
    std::fs::write(&file, format!("{HEAD}{SECOND_USER}")).expect("a file");
    let file = file.display().to_string();
    let ran = check_into(&["--scenario", &file, "--scenario", &file], &folder.path().join("out"));
    assert!(ran.code == Some(2) && ran.said.contains("two files are called `own`"), "{}", ran.said);
    let ran = check_into(&["--scenario", "no-such.yaml"], &folder.path().join("out"));
    assert!(ran.code == Some(2) && ran.said.contains("no-such.yaml: cannot be read"), "{}", ran.said);
}
