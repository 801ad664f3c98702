//! Where the commands are run, and what they are given.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A short run of valid codes, slow enough that a busy machine keeps up.
pub const PROFILE: &str = "
name: short
action: profile-set:fullname
pace: [{ constant: { rate: 100/s, for: 600 ms } }]
connections: 8
valid: { busy: 100 %, lateness-p99: 5 s }
objectives: [success >= 99 %]
";

/// A folder of its own, where the command is run.
pub struct Place(pub tempfile::TempDir);

impl Place {
    pub fn new() -> Self {
        Place(tempfile::tempdir().expect("a folder"))
    }

    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).expect("written");
        path
    }

    /// Runs a command with a profile: its exit code, the document that it wrote, and what it said.
    pub fn run(&self, command: &str, profile: &str, more: &[&str]) -> (Option<i32>, serde_json::Value, Output) {
        let profile = self.file("profile.yaml", profile);
        let out = self.0.path().join("out");
        let output = Command::new(env!("CARGO_BIN_EXE_stepup"))
            .arg(command)
            .arg(profile)
            .arg("--out")
            .arg(&out)
            .args(more)
            .output()
            .expect("it runs");
        let document = std::fs::read(out.join("result.json")).ok();
        let document = document.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        (output.status.code(), document, output)
    }
}

/// What a command said, wherever.
pub fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// A pool of users for a target that is not ours.
pub fn pool(path: &Path, target: &str, users: u32) {
    let lines = [
        serde_json::json!({ "pool": { "format": "stepup/pool/1", "target": target, "base": null } }),
        serde_json::json!({ "seeded": { "seed": "07".repeat(32), "users": users } }),
    ];
    std::fs::write(path, lines.map(|line| line.to_string() + "\n").concat()).expect("written");
}
