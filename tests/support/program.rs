//! Runs the program as a user would.
#![allow(dead_code, reason = "each test file uses its part")]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use stepup::result::RunResult;
use tokio::process::Command;

/// How long a run may take, with the installation of a real registry.
const LIMIT: Duration = Duration::from_secs(600);

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
    let mut command = Command::new(env!("CARGO_BIN_EXE_stepup"));
    command.arg("check").args(arguments).arg("--out").arg(out).kill_on_drop(true);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let output = runtime
        .block_on(async { tokio::time::timeout(LIMIT, command.output()).await })
        .expect("stepup ends in time")
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

/// `stepup serve`, until this is dropped.
pub struct Served {
    /// Its address.
    pub address: String,
    child: Child,
}

impl Served {
    /// Starts it on a free port.
    pub fn start(arguments: &[&str]) -> Self {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_stepup"));
        command.args(["serve", "--listen", "127.0.0.1:0"]).args(arguments).stdout(Stdio::piped());
        let mut child = command.spawn().expect("stepup starts");
        let mut address = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut address).expect("an address");
        Served { address: address.trim().to_owned(), child }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended of itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
