//! The browser: a registry's own pages as a person sees them, in headless Chromium with a virtual authenticator.
//!
//! It is driven over the DevTools protocol. One process serves a run; each persona has a browser context of its own, so
//! that no cookie of one is seen by another. Chromium resolves no name but that of this machine.

mod devtools;
mod tab;

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};

use devtools::DevTools;
pub use tab::{Fault, Shown, Tab, Task};

/// Where Debian and others put it.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// How long it may take until it can be driven.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// A running Chromium, which ends when this is dropped.
#[derive(Debug)]
pub struct Browser {
    devtools: DevTools,
    _child: Child,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// Starts Chromium with an empty profile.
    pub async fn start() -> Result<Self, String> {
        let name = NAMES.iter().find(|name| is_installed(name)).ok_or_else(|| {
            format!(
                "no browser was found: {}; Debian's package is `chromium`",
                NAMES.map(|name| format!("`{name}`")).join(", ")
            )
        })?;
        let cannot = |error: std::io::Error| format!("{name} cannot be started: {error}");
        let profile = tempfile::tempdir().map_err(cannot)?;
        let mut command = Command::new(name);
        command
            .args(["--headless=new", "--remote-debugging-port=0", "--no-first-run", "--no-default-browser-check"])
            .args(["--disable-gpu", "--disable-dev-shm-usage", "--disable-extensions", "--disable-sync"])
            // Nothing but the target is talked to.
            .args(["--disable-background-networking", "--disable-component-update", "--disable-domain-reliability"])
            .args([
                "--no-proxy-server",
                "--metrics-recording-only",
                "--no-pings",
                "--disable-client-side-phishing-detection",
            ])
            .arg("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1")
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .env_remove(crate::secret::PASSPHRASE_VARIABLE)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        if is_root() {
            // The sandbox refuses to run for root.
            command.arg("--no-sandbox");
        }
        let child = command.spawn().map_err(cannot)?;
        let address = tokio::time::timeout(START_TIMEOUT, address(profile.path()))
            .await
            .map_err(|_| format!("{name} said within {} s not where it can be driven", START_TIMEOUT.as_secs()))?;
        let devtools = DevTools::connect(&address).await?;
        Ok(Browser { devtools, _child: child, _profile: profile })
    }

    /// A tab of its own context.
    pub async fn tab(&self) -> Result<Tab, String> {
        Tab::open(self.devtools.clone()).await
    }
}

/// Where the process can be driven, once it has written that down.
async fn address(profile: &Path) -> String {
    loop {
        let text = tokio::fs::read_to_string(profile.join("DevToolsActivePort")).await.unwrap_or_default();
        if let Some((port, path)) = text.trim().split_once('\n') {
            return format!("ws://127.0.0.1:{port}{path}");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn is_installed(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
}

fn is_root() -> bool {
    // The owner of this process's own entry is its user.
    std::os::unix::fs::MetadataExt::uid(&match std::fs::metadata("/proc/self") {
        Ok(metadata) => metadata,
        Err(_) => return false,
    }) == 0
}
