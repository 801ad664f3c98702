//! Where the commands are run, and what they are given.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

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

    /// Where reports go.
    pub fn out(&self) -> PathBuf {
        self.0.path().join("out")
    }

    /// The document that a command wrote; null without one.
    pub fn document(&self) -> Value {
        let bytes = std::fs::read(self.out().join("result.json")).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    }

    /// A command with a profile.
    pub fn command(&self, command: &str, profile: &str, more: &[&str]) -> Command {
        self.file("profile.yaml", profile);
        let mut stepup = Command::new(env!("CARGO_BIN_EXE_stepup"));
        stepup.current_dir(self.0.path()).args([command, "profile.yaml", "--out", "out"]).args(more);
        stepup
    }

    /// Runs a command with a profile: its exit code, the document that it wrote, and what it said.
    pub fn run(&self, command: &str, profile: &str, more: &[&str]) -> (Option<i32>, Value, Output) {
        let output = self.command(command, profile, more).output().expect("it runs");
        (output.status.code(), self.document(), output)
    }

    /// Begins a command with a profile; what it says on standard error is read line by line.
    pub fn begin(&self, command: &str, profile: &str, more: &[&str]) -> (Child, impl Iterator<Item = String> + use<>) {
        let mut command = self.command(command, profile, more);
        let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("it runs");
        let lines = BufReader::new(child.stderr.take().expect("a pipe")).lines().map_while(Result::ok);
        (child, lines)
    }

    /// Runs a command that is interrupted when it has said a line, which must end it with 5: the document that it wrote.
    pub fn interrupt(&self, command: &str, profile: &str, line: &str) -> Value {
        let (mut child, mut lines) = self.begin(command, profile, &[]);
        lines.find(|said| said.contains(line)).expect("it says so");
        let process = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(process, rustix::process::Signal::INT).expect("it is told");
        // Whoever does not listen any more would end it.
        let rest: Vec<String> = lines.collect();
        assert_eq!(child.wait().expect("it ends").code(), Some(5), "{rest:?}");
        let document = self.document();
        assert_eq!(document["complete"], false, "{rest:?}");
        document
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
