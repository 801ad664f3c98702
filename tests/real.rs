//! Real registries: installed from the npm registry at pinned versions, started on loopback, checked, stopped.

use std::process::Command;

use stepup::result::RunResult;

#[test]
fn verdaccio_9_deviates_exactly_as_its_target_file_says() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = Command::new(env!("CARGO_BIN_EXE_stepup"))
        .args(["check", "--target", "verdaccio-9", "--out"])
        .arg(folder.path())
        .output()
        .expect("stepup starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let text = std::fs::read_to_string(folder.path().join("result.json")).expect("result.json is there");
    let result: RunResult = serde_json::from_str(&text).expect("it is a result");
    let summary = result.summary;
    let sum = summary.exact + summary.deviating + summary.unsupported + summary.skipped + summary.errored;
    assert_eq!((summary.selected, summary.errored, summary.known), (sum, 0, summary.deviating));
    assert!(summary.exact > 40 && summary.deviating > 5, "{summary:?}");
}
