//! Installs the pinned npm into the cache folder, once for all tests and test runs.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::sync::OnceCell;

const MANIFEST: &str = include_str!("../../fixtures/clients/npm-11/package.json");
const LOCK: &str = include_str!("../../fixtures/clients/npm-11/package-lock.json");

/// How long an installation may take.
const LIMIT: Duration = Duration::from_secs(300);

static NPM_11: OnceCell<PathBuf> = OnceCell::const_new();

/// npm 11's program, for node to run.
pub async fn npm_11() -> PathBuf {
    let home = NPM_11.get_or_try_init(install).await;
    let home = home.unwrap_or_else(|message| panic!("npm 11 could not be installed for this test: {message}"));
    home.join("node_modules/npm/bin/npm-cli.js")
}

async fn install() -> Result<PathBuf, String> {
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache")))
        .ok_or("neither XDG_CACHE_HOME nor HOME is set")?;
    let clients = cache.join("stepup/clients");
    let home = clients.join(format!("npm-11-{:016x}", stepup::check::mix(0, LOCK)));
    if home.exists() {
        return Ok(home);
    }
    let cannot = |error: std::io::Error| format!("{} cannot be written: {error}", home.display());
    std::fs::create_dir_all(&clients).map_err(cannot)?;
    // It appears under its name when it is whole: another process may be installing it too.
    let sibling = tempfile::Builder::new().prefix("npm-11-").tempdir_in(&clients).map_err(cannot)?;
    std::fs::write(sibling.path().join("package.json"), MANIFEST).map_err(cannot)?;
    std::fs::write(sibling.path().join("package-lock.json"), LOCK).map_err(cannot)?;
    eprintln!("installing npm 11 (once)");
    let npm = Command::new("npm")
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
        .current_dir(sibling.path())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(LIMIT, npm)
        .await
        .map_err(|_| format!("npm ci took more than {} s", LIMIT.as_secs()))?
        .map_err(|error| format!("the machine's own npm cannot be started: {error}"))?;
    if !output.status.success() {
        return Err(format!("npm ci failed: {}", String::from_utf8_lossy(&output.stderr)));
    }
    match std::fs::rename(sibling.path(), &home) {
        Err(error) if !home.exists() => Err(cannot(error)),
        // Ours, or that of whoever was first.
        Ok(()) | Err(_) => Ok(home),
    }
}
