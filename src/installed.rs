//! Installed targets: real registries from the npm registry, pinned, started on a free loopback port for one run.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::target::Program;

/// How long an installation may take.
const INSTALL_TIMEOUT: Duration = Duration::from_secs(300);
/// How long a registry may take to listen.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// A registry that runs until this is dropped.
#[derive(Debug)]
pub struct Running {
    /// Its address.
    pub base: String,
    // The process ends before its folder is removed.
    _child: Child,
    _folder: TempDir,
}

/// Installs the target once, and starts it in a temporary folder.
pub async fn start(program: &Program) -> Result<Running, String> {
    let home = install(program).await?;
    let folder = TempDir::new().map_err(|error| format!("no temporary folder: {error}"))?;
    let port = TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .map_err(|error| format!("no free port: {error}"))?
        .port();
    let config = folder.path().join("config.yaml");
    std::fs::write(&config, program.config.replace("{port}", &port.to_string()))
        .map_err(|error| format!("{} cannot be written: {error}", config.display()))?;
    let (executable, arguments) = program.command.split_first().ok_or("the target file names no `program`")?;
    let in_home = |path: &String| if path.starts_with("node_modules/") { home.join(path) } else { PathBuf::from(path) };
    let mut child = Command::new(in_home(executable))
        .args(arguments.iter().map(|argument| match argument.as_str() {
            "{config}" => config.clone(),
            _ => in_home(&argument.replace("{port}", &port.to_string())),
        }))
        .current_dir(folder.path())
        .env("HOME", folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("{executable} cannot be started: {error}"))?;
    let started = Instant::now();
    while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        if let Ok(Some(status)) = child.try_wait() {
            return Err(format!("{} ended at its start: {status}", program.name));
        }
        if started.elapsed() > START_TIMEOUT {
            return Err(format!("{} does not listen after {} s", program.name, START_TIMEOUT.as_secs()));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(Running { base: format!("http://127.0.0.1:{port}"), _child: child, _folder: folder })
}

/// Installs the target's packages into the cache folder, unless they are there already.
pub async fn install(program: &Program) -> Result<PathBuf, String> {
    let Program { name, manifest, lockfile, .. } = program;
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache")))
        .ok_or("neither XDG_CACHE_HOME nor HOME is set")?;
    let home = cache.join(format!("stepup/targets/{name}-{:016x}", crate::check::mix(0, lockfile)));
    let done = home.join("installed");
    if done.exists() {
        return Ok(home);
    }
    let cannot = |error: std::io::Error| format!("{} cannot be written: {error}", home.display());
    std::fs::create_dir_all(&home).map_err(cannot)?;
    std::fs::write(home.join("package.json"), manifest).map_err(cannot)?;
    std::fs::write(home.join("package-lock.json"), lockfile).map_err(cannot)?;
    eprintln!("installing {name} (once)");
    let npm = Command::new("npm")
        .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"])
        .current_dir(&home)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(INSTALL_TIMEOUT, npm)
        .await
        .map_err(|_| format!("npm ci took more than {} s", INSTALL_TIMEOUT.as_secs()))?
        .map_err(|error| format!("npm cannot be started: {error}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("npm ci failed: {}", said.lines().last().unwrap_or_default()));
    }
    std::fs::write(done, "").map_err(cannot)?;
    Ok(home)
}
