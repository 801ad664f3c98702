//! Runs the program as a user would.
#![allow(dead_code, reason = "each test file uses its part")]

use std::path::Path;
use std::process::Command;

use stepup::result::RunResult;

/// What `stepup check` left behind.
#[derive(Debug)]
pub struct Ran {
    /// The exit code.
    pub code: Option<i32>,
    /// Both streams, stdout first.
    pub said: String,
    /// The result, when one was written.
    pub result: Option<RunResult>,
}

/// Runs `stepup check` with its reports in `out`.
pub fn check_into(arguments: &[&str], out: &Path) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_stepup"))
        .arg("check")
        .args(arguments)
        .arg("--out")
        .arg(out)
        .output()
        .expect("stepup starts");
    let result = std::fs::read_to_string(out.join("result.json"))
        .ok()
        .map(|text| serde_json::from_str(&text).expect("result.json is a result"));
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    Ran { code: output.status.code(), said, result }
}

/// Runs `stepup check` with its reports in a folder that is removed afterwards.
pub fn check(arguments: &[&str]) -> Ran {
    let folder = tempfile::tempdir().expect("a temporary folder");
    check_into(arguments, folder.path())
}
