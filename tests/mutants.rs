//! The suite is measured: each seeded fault must be found, and one that is not is said to survive.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use stepup::check::mutants::Matrix;

fn measure(arguments: &[&str]) -> (Option<i32>, String, Matrix) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    measure_into(arguments, folder.path())
}

fn measure_into(arguments: &[&str], folder: &Path) -> (Option<i32>, String, Matrix) {
    let output = Command::new(env!("CARGO_BIN_EXE_stepup"))
        .arg("mutants")
        .args(arguments)
        .arg("--out")
        .arg(folder)
        .output()
        .expect("stepup starts");
    let text = std::fs::read_to_string(folder.join("mutants.json")).expect("the matrix is there");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.code(), said, serde_json::from_str(&text).expect("a matrix"))
}

/// So many lines of a page may be apart by chance.
const CHANCE: usize = 6;

/// The lines that one of two pages has and the other has not.
fn apart<'p>(one: &'p str, other: &'p str) -> Vec<&'p str> {
    let lines = |page: &'p str| page.lines().collect::<BTreeSet<_>>();
    lines(one).symmetric_difference(&lines(other)).copied().collect()
}

#[test]
fn pages_that_are_apart_are_told_line_by_line() {
    assert_eq!(apart("a\nb\nc", "a\nc\nd"), ["b", "d"]);
    assert!(apart("a\nb", "a\nb").is_empty());
}

#[test]
fn a_fault_that_no_case_finds_survives_and_fails_the_measurement() {
    let (code, said, mut matrix) = measure(&["--case", "*/whoami/*/*", "--case", "disabled/ping/*/*"]);
    assert_eq!(code, Some(1), "{said}");
    let row = matrix.mutants.iter().find(|row| row.mutant == "whoami-challenged").expect("the fault");
    assert_eq!(row.found_by.len(), 6, "{row:?}");
    assert!(matrix.survivors().any(|row| row.mutant == "publish-unchallenged"));
    assert!(said.contains("## Survivors") && said.contains("- publish-unchallenged"), "{said}");
    assert_eq!(matrix.false_alarms, []);
    assert_eq!(matrix.idle_cases().count(), 0);
    matrix.mutants.retain(|row| row.mutant != "ping-challenged");
    assert_eq!(matrix.idle_cases().collect::<Vec<_>>(), ["disabled/ping/none/wire"]);
}

/// What is left out against a fault finds nothing of it: against a fault at a door, one of a shape and one of a ceremony,
/// every case finds what those find that can meet it.
#[test]
fn cases_that_cannot_meet_a_fault_do_not_find_it() {
    let faults = ["old-code-writes", "later-version-half-written", "registration-origin-ignored"];
    let faults: Vec<&str> = faults.iter().flat_map(|fault| ["--mutant", fault]).collect();
    let (_, _, some) = measure(&faults);
    let (_, _, every) = measure(&[&faults[..], &["--every-case"]].concat());
    for (some, every) in some.mutants.iter().zip(&every.mutants) {
        assert!(0 < some.played && some.played * 2 < every.played, "{some:?}");
        assert_eq!((&some.mutant, &some.found_by), (&every.mutant, &every.found_by));
    }
    assert_eq!((some.mutants.len(), every.mutants.len()), (3, 3));
}

/// One measurement of everything, for all that is said of it: it takes minutes.
#[test]
fn every_fault_is_found_by_the_cases_named_for_it_and_the_page_of_checks_says_so() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (code, said, matrix) = measure_into(&[], folder.path());
    assert_eq!(matrix.survivors().map(|row| &row.mutant).collect::<Vec<_>>(), Vec::<&String>::new(), "{said}");
    let missed = matrix.mutants.iter().flat_map(|row| row.missed().map(|named| (&row.mutant, &named.case)));
    assert_eq!(missed.collect::<Vec<_>>(), []);
    assert_eq!(matrix.unnamed().map(|row| &row.mutant).collect::<Vec<_>>(), Vec::<&String>::new());
    assert_eq!((code, matrix.false_alarms), (Some(0), vec![]), "{said}");
    let generated = std::fs::read_to_string(folder.path().join("checks.md")).expect("the page is there");
    let committed = include_str!("../docs/checks.md");
    // What a case meets at the edge of a time step, beside what it is named for, is a matter of chance.
    let differ = apart(&generated, committed);
    assert!(differ.len() <= CHANCE, "docs/checks.md is not current: `stepup mutants` writes checks.md: {differ:#?}");
}

/// Faults that no author of cases chose: what is missed, or named by another verdict, stands in the committed page.
#[test]
fn generic_faults_are_named_by_what_they_do_but_for_those_that_the_page_lists() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = Command::new(env!("CARGO_BIN_EXE_stepup"))
        .args(["mutants", "--generic", "--out"])
        .arg(folder.path())
        .output()
        .expect("stepup starts");
    assert!(matches!(output.status.code(), Some(0 | 1)), "{}", String::from_utf8_lossy(&output.stderr));
    let generated = std::fs::read_to_string(folder.path().join("operators.md")).expect("the page is there");
    let committed = include_str!("../reports/samples/operators.md");
    let differ = generated.lines().zip(committed.lines()).find(|(new, old)| new != old);
    assert_eq!(
        differ, None,
        "reports/samples/operators.md is not current: `stepup mutants --generic` writes operators.md"
    );
    assert_eq!(generated.len(), committed.len(), "reports/samples/operators.md is not current");
}
