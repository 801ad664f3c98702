//! The suite is measured: each seeded fault must be found, and one that is not is said to survive.

use std::process::Command;

use stepup::check::mutants::Matrix;

fn measure(arguments: &[&str]) -> (Option<i32>, String, Matrix) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = Command::new(env!("CARGO_BIN_EXE_stepup"))
        .arg("mutants")
        .args(arguments)
        .arg("--out")
        .arg(folder.path())
        .output()
        .expect("stepup starts");
    let text = std::fs::read_to_string(folder.path().join("mutants.json")).expect("the matrix is there");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.code(), said, serde_json::from_str(&text).expect("a matrix"))
}

#[test]
fn a_fault_that_no_case_finds_survives_and_fails_the_measurement() {
    let (code, said, matrix) = measure(&["--case", "*/whoami/*/*", "--case", "disabled/ping/*/*"]);
    assert_eq!(code, Some(1), "{said}");
    let row = matrix.mutants.iter().find(|row| row.mutant == "whoami-challenged").expect("the fault");
    assert_eq!(row.found_by.len(), 6, "{row:?}");
    assert!(matrix.survivors().any(|row| row.mutant == "publish-unchallenged"));
    assert!(said.contains("## Survivors") && said.contains("- publish-unchallenged"), "{said}");
    assert_eq!(matrix.idle_cases().collect::<Vec<_>>(), ["disabled/ping/none/wire"]);
    assert_eq!(matrix.false_alarms, []);
}

#[test]
fn every_fault_is_found_by_the_rows_and_scenarios() {
    let (code, said, matrix) = measure(&[]);
    assert_eq!(matrix.survivors().map(|row| &row.mutant).collect::<Vec<_>>(), Vec::<&String>::new(), "{said}");
    assert_eq!((code, matrix.false_alarms), (Some(0), vec![]), "{said}");
}
