//! Stock npm, at a pinned version, with a home of its own, against `stepup serve`.

mod authenticator;
mod install;
mod terminal;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::timeout;

pub use authenticator::Authenticator;
use terminal::Terminal;

use crate::program;

/// How long one command of npm, or the start of the registry, may take.
const LIMIT: Duration = Duration::from_secs(60);

/// The reference registry, run as a user runs it, until this is dropped.
pub struct Served {
    pub base: String,
    http: reqwest::Client,
    _registry: program::Served,
}

impl Served {
    pub fn start() -> Self {
        let registry = program::Served::start(&[]);
        // A second call finds the provider installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().timeout(LIMIT).build().expect("a client");
        Served { base: registry.address.clone(), http, _registry: registry }
    }

    /// What anyone may read there, without npm in between.
    pub async fn read(&self, path: &str) -> (StatusCode, Value) {
        let answer = self.http.get(format!("{}{path}", self.base)).send().await.expect("an answer");
        (answer.status(), answer.json().await.expect("JSON"))
    }

    /// The versions of a package that anyone may read.
    pub async fn versions(&self, package: &str) -> Vec<String> {
        match self.read(&format!("/{package}")).await {
            (StatusCode::NOT_FOUND, _) => vec![],
            (StatusCode::OK, document) => document["versions"].as_object().expect("versions").keys().cloned().collect(),
            other => panic!("neither there nor gone: {other:?}"),
        }
    }
}

/// What a command of npm left behind.
#[derive(Debug)]
pub struct Said {
    pub code: Option<i32>,
    /// Both streams, stdout first; or all that the terminal showed.
    pub text: String,
}

impl Said {
    #[track_caller]
    pub fn succeeded(self) -> String {
        assert_eq!(self.code, Some(0), "{}", self.text);
        self.text
    }

    /// It ended as a command does that needed a code and had nobody to ask.
    #[track_caller]
    pub fn wanted_a_code(self) {
        assert_eq!(self.code, Some(1), "{}", self.text);
        assert!(self.text.contains("npm error code EOTP"), "{}", self.text);
    }
}

/// npm in a home of its own: settings, cache and credentials are nobody else's.
pub struct Npm {
    program: PathBuf,
    registry: String,
    home: TempDir,
}

impl Npm {
    pub async fn new(registry: &Served) -> Self {
        Npm::at(&format!("{}/", registry.base), None).await
    }

    /// For the registry at an address, logged in with a token if there is one.
    pub async fn at(registry: &str, token: Option<&str>) -> Self {
        let home = tempfile::tempdir().expect("a temporary folder");
        if let Some(token) = token {
            let place = registry.trim_start_matches("http:");
            let line = format!("{place}:_authToken={token}\n");
            std::fs::write(home.path().join("npmrc"), line).expect("written");
        }
        Npm { program: install::npm_11().await, registry: registry.to_owned(), home }
    }

    /// Makes the folder of a package, or gives it another version.
    pub fn package(&self, name: &str, version: &str) -> PathBuf {
        let folder = self.home.path().join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        let manifest = json!({ "name": name, "version": version });
        std::fs::write(folder.join("package.json"), manifest.to_string()).expect("written");
        std::fs::write(folder.join("index.js"), format!("module.exports = '{name}@{version}'\n")).expect("written");
        folder
    }

    /// Runs npm as a script does: nobody answers, and no stream is a terminal.
    pub async fn script(&self, folder: &Path, arguments: &[&str]) -> Said {
        let mut command = self.command(folder, arguments);
        let output = timeout(LIMIT, command.stdin(Stdio::null()).output()).await;
        let output = output.unwrap_or_else(|_| panic!("npm {arguments:?} did not end")).expect("npm starts");
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        Said { code: output.status.code(), text }
    }

    /// Runs npm in a terminal, where somebody answers.
    pub fn terminal(&self, arguments: &[&str]) -> Terminal {
        self.terminal_in(self.home.path(), arguments)
    }

    /// Runs npm in a terminal that stands in a folder.
    pub fn terminal_in(&self, folder: &Path, arguments: &[&str]) -> Terminal {
        Terminal::open(self.command(folder, arguments))
    }

    /// Who npm says the user is.
    pub async fn whoami(&self) -> Said {
        self.script(self.home.path(), &["whoami"]).await
    }

    /// A new user types their name, password and address.
    pub async fn sign_up(&self, user: &str, password: &str) {
        let mut terminal = self.terminal(&["adduser", "--auth-type=legacy"]);
        terminal.answer("Username:", user).await;
        terminal.answer("Password:", password).await;
        terminal.answer("Email", &format!("{user}@example.test")).await;
        terminal.ended().await.succeeded();
    }

    /// The user sets up an authenticator from the secret that npm shows below its picture.
    pub async fn enrol(&self, password: &str) -> Authenticator {
        let mut terminal = self.terminal(&["profile", "enable-2fa", "auth-and-writes"]);
        terminal.answer("password:", password).await;
        let shown = terminal.until("OTP code from your authenticator:").await;
        let (_, secret) = shown.split_once("Or enter code:").unwrap_or_else(|| panic!("no secret in {shown}"));
        let secret = secret.split_whitespace().next().expect("a secret");
        let (authenticator, code) = Authenticator::set_up(secret);
        terminal.types(&code).await;
        let said = terminal.ended().await.succeeded();
        assert!(said.contains("2FA successfully enabled"), "{said}");
        authenticator
    }

    fn command(&self, folder: &Path, arguments: &[&str]) -> Command {
        let home = self.home.path();
        let mut command = Command::new("node");
        command
            .arg(&self.program)
            .args(arguments)
            .current_dir(folder)
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .env("HOME", home)
            .env("TERM", "dumb")
            .env("npm_config_registry", &self.registry)
            .env("npm_config_userconfig", home.join("npmrc"))
            .env("npm_config_globalconfig", home.join("global-npmrc"))
            .env("npm_config_prefix", home.join("prefix"))
            .env("npm_config_cache", home.join("cache"))
            .env("npm_config_update_notifier", "false")
            .env("npm_config_audit", "false")
            .env("npm_config_progress", "false")
            .env("npm_config_color", "false")
            .env("npm_config_fetch_retries", "0")
            .kill_on_drop(true);
        command
    }
}
