//! Installed targets: real registries from the npm registry, pinned, started on a free loopback port for one run.

use std::fs::File;
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use crate::secret::PASSPHRASE_VARIABLE;
use crate::target::Program;

/// How long an installation may take.
const INSTALL_TIMEOUT: Duration = Duration::from_secs(300);
/// How long a registry may take to answer.
const START_TIMEOUT: Duration = Duration::from_secs(30);
/// How long one attempt to be answered may take.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(2);
/// How much is shown of what a program said before it failed.
const LAST_LINES: usize = 8;

/// A registry that runs until it is stopped, or this is dropped.
#[derive(Debug)]
pub struct Running {
    /// Its address.
    pub base: String,
    /// Its folder, which is removed with it.
    pub folder: PathBuf,
    // The process ends before its folder is removed.
    child: Child,
    _folder: TempDir,
}

impl Running {
    /// Waits until the registry ends of itself, and tells how.
    pub async fn ended(&mut self) -> String {
        let status = self.child.wait().await;
        told(status, &self.folder)
    }

    /// How the registry has ended of itself, if it has.
    pub fn has_ended(&mut self) -> Option<String> {
        let status = self.child.try_wait().transpose()?;
        Some(told(status, &self.folder))
    }

    /// Ends the registry and removes its folder.
    pub async fn stop(mut self) {
        // A process that has ended already needs no killing.
        let _ = self.child.kill().await;
    }
}

/// Installs the target once, and starts it in a temporary folder on `port`, or on a free one.
pub async fn start(program: &Program, port: Option<u16>) -> Result<Running, String> {
    let home = install(program).await?;
    let folder = TempDir::new().map_err(|error| format!("no temporary folder: {error}"))?;
    let port = match port {
        Some(port) => port,
        None => TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .map_err(|error| format!("no free port: {error}"))?
            .port(),
    };
    let mut running = spawn(program, &home, folder, port)?;
    let answered = async {
        while !answers(port).await {
            sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        // A registry that has ended is not to be taken for another one that has its port.
        biased;
        how = running.ended() => Err(format!("it ended at its start: {how}")),
        answered = timeout(START_TIMEOUT, answered) => match answered {
            Ok(()) => Ok(running),
            Err(_) => Err(format!("it gives no answer after {} s", START_TIMEOUT.as_secs())),
        },
    }
}

fn spawn(program: &Program, home: &Path, folder: TempDir, port: u16) -> Result<Running, String> {
    let cannot = |path: &Path, error: io::Error| format!("{} cannot be written: {error}", path.display());
    let config = folder.path().join("config.yaml");
    let with_port = |text: &str| text.replace("{port}", &port.to_string());
    std::fs::write(&config, with_port(&program.config)).map_err(|error| cannot(&config, error))?;
    let said = output(folder.path());
    let (stdout, stderr) =
        File::create(&said).and_then(|file| Ok((file.try_clone()?, file))).map_err(|error| cannot(&said, error))?;
    let (executable, arguments) = program.command.split_first().ok_or("the target file names no `program`")?;
    let in_home = |path: &str| if path.starts_with("node_modules/") { home.join(path) } else { PathBuf::from(path) };
    let child = Command::new(in_home(executable))
        .args(arguments.iter().map(|argument| match argument.as_str() {
            "{config}" => config.clone(),
            _ => in_home(&with_port(argument)),
        }))
        .current_dir(folder.path())
        .envs(&program.environment)
        .env("HOME", folder.path())
        .env_remove(PASSPHRASE_VARIABLE)
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(stderr)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("{executable} cannot be started: {error}"))?;
    Ok(Running { base: format!("http://127.0.0.1:{port}"), folder: folder.path().to_owned(), child, _folder: folder })
}

/// Where a registry's two streams go.
fn output(folder: &Path) -> PathBuf {
    folder.join("output.log")
}

/// Whether something answers there in HTTP. What it answers does not matter.
async fn answers(port: u16) -> bool {
    let attempt = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        let request = format!("GET /-/ping HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut start = [0; 5];
        stream.read_exact(&mut start).await?;
        Ok::<bool, io::Error>(&start == b"HTTP/")
    };
    matches!(timeout(ATTEMPT_TIMEOUT, attempt).await, Ok(Ok(true)))
}

fn told(status: io::Result<ExitStatus>, folder: &Path) -> String {
    let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
    let said = std::fs::read(output(folder)).unwrap_or_default();
    with_last_lines(status, &said)
}

fn with_last_lines(what: String, said: &[u8]) -> String {
    let said = String::from_utf8_lossy(said);
    let lines: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = &lines[lines.len().saturating_sub(LAST_LINES)..];
    if last.is_empty() { format!("{what}, without a word") } else { format!("{what}; it said:\n{}", last.join("\n")) }
}

/// How packages are installed. The user's own settings say which registry they come from and how it is reached, so they
/// are read; what would change what is installed, or where, is said here.
const CI: [&str; 10] = [
    "ci",
    "--no-audit",
    "--no-fund",
    "--ignore-scripts",
    "--dry-run=false",
    "--global=false",
    "--package-lock-only=false",
    "--bin-links=true",
    "--install-strategy=hoisted",
    "--include=optional",
];

/// Installs a target's packages into the cache folder, unless they are there already, and says where.
pub async fn install(program: &Program) -> Result<PathBuf, String> {
    packages("targets", &program.name, &program.manifest, &program.lockfile).await
}

/// Installs what a lock file names onto a shelf of the cache folder, unless it is there already, and says where.
///
/// The packages are put together beside their place and moved there when they are complete, so that two processes
/// may install at once and a broken-off installation leaves nothing that looks like a whole one.
pub async fn packages(shelf: &str, name: &str, manifest: &str, lockfile: &str) -> Result<PathBuf, String> {
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache")))
        .ok_or("neither XDG_CACHE_HOME nor HOME is set")?;
    let shelf = cache.join("stepup").join(shelf);
    let home = shelf.join(format!("{name}-{:016x}", crate::check::mix(0, lockfile)));
    if home.exists() {
        return Ok(home);
    }
    let cannot = |error: io::Error| format!("{} cannot be written: {error}", home.display());
    std::fs::create_dir_all(&shelf).map_err(cannot)?;
    let place = tempfile::Builder::new().prefix(".installing-").tempdir_in(&shelf).map_err(cannot)?;
    std::fs::write(place.path().join("package.json"), manifest).map_err(cannot)?;
    std::fs::write(place.path().join("package-lock.json"), lockfile).map_err(cannot)?;
    eprintln!("installing {name} (once)");
    let npm = Command::new("npm")
        .args(CI)
        .current_dir(place.path())
        .env_remove(PASSPHRASE_VARIABLE)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = timeout(INSTALL_TIMEOUT, npm)
        .await
        .map_err(|_| format!("npm ci took more than {} s", INSTALL_TIMEOUT.as_secs()))?
        .map_err(|error| format!("npm cannot be started: {error}"))?;
    if !output.status.success() {
        return Err(with_last_lines(format!("npm ci: {}", output.status), &output.stderr));
    }
    if let Some(missing) = missing(place.path(), manifest) {
        return Err(with_last_lines(format!("npm ci succeeded and did not install {missing}"), &output.stderr));
    }
    match std::fs::rename(place.path(), &home) {
        // Its name is no longer there to be removed.
        Ok(()) => drop(place.keep()),
        Err(_) if home.exists() => {}
        Err(error) => return Err(cannot(error)),
    }
    Ok(home)
}

/// The first package that a manifest pins and that is not there in its version.
fn missing(home: &Path, manifest: &str) -> Option<String> {
    let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
    let manifest = json(manifest)?;
    let pinned = manifest.get("dependencies").and_then(serde_json::Value::as_object).into_iter().flatten();
    let mut absent = pinned.filter(|(name, version)| {
        let own = std::fs::read_to_string(home.join("node_modules").join(name).join("package.json"));
        own.ok().and_then(|own| json(&own)).is_none_or(|own| own.get("version") != Some(version))
    });
    let (name, version) = absent.next()?;
    Some(format!("{name}@{}", version.as_str().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_that_is_not_there_in_its_version_is_missed() {
        let home = tempfile::tempdir().expect("a folder");
        let manifest = r#"{ "dependencies": { "@a/b": "1.0.0" } }"#;
        let place = home.path().join("node_modules/@a/b");
        std::fs::create_dir_all(&place).expect("folders");
        assert_eq!(missing(home.path(), manifest).as_deref(), Some("@a/b@1.0.0"));
        std::fs::write(place.join("package.json"), r#"{ "version": "1.0.1" }"#).expect("written");
        assert_eq!(missing(home.path(), manifest).as_deref(), Some("@a/b@1.0.0"));
        std::fs::write(place.join("package.json"), r#"{ "version": "1.0.0" }"#).expect("written");
        assert_eq!(missing(home.path(), manifest), None);
        assert_eq!(missing(home.path(), "{}"), None);
    }
}
