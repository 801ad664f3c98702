//! One command of a client, run as a script runs it or as a person at a terminal does. Every wait has a bound.

use std::process::Stdio;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use anstream::adapter::strip_str;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::file::Prompt;

/// How long a process that was killed may take to go.
const LEAVE: Duration = Duration::from_secs(5);
/// How much of what a command shows is read, in bytes.
const MOST_SHOWN: usize = 256 * 1024;
/// The terminal's size: so wide that no line is broken.
const LINES: u16 = 60;
const COLUMNS: u16 = 240;

/// More commands than cores only make each other slow.
static CORES: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(std::thread::available_parallelism().map_or(2, usize::from)));

/// How a command ended.
#[derive(Clone)]
pub struct Ending {
    /// Its exit code; absent when a signal ended it.
    pub code: Option<i32>,
    /// Whether it was ended because it did not end.
    pub hung: bool,
    /// Whether it was ended because nobody had an answer.
    pub given_up: bool,
    /// What it showed, without colours and in the clear.
    pub shown: String,
    /// How long it took.
    pub elapsed: Duration,
}

/// A place among the commands that run at once.
pub type Place = Option<SemaphorePermit<'static>>;

/// Runs a command as a script does: no stream is a terminal, and nobody answers. What is piped in ends its input.
pub async fn script(
    mut command: Command,
    piped: Option<String>,
    patience: Duration,
    _place: Place,
) -> Result<Ending, String> {
    let started = Instant::now();
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    if piped.is_some() {
        command.stdin(Stdio::piped());
    }
    let mut child = command.spawn().map_err(|error| format!("the client cannot be started: {error}"))?;
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let ended = timeout(patience, async {
        if let (Some(mut stdin), Some(text)) = (child.stdin.take(), piped) {
            // A client that reads nothing has closed it.
            let _ = stdin.write_all(text.as_bytes()).await;
        }
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        tokio::join!(read(stdout, &mut out), read(stderr, &mut err));
        child.wait().await
    })
    .await;
    let (code, hung) = match ended {
        Ok(status) => (status.map_err(|error| error.to_string())?.code(), false),
        Err(_) => {
            end(&mut child).await;
            (None, true)
        }
    };
    let shown = [out, err].concat();
    let shown = strip_str(&String::from_utf8_lossy(&shown)).to_string();
    Ok(Ending { code, hung, given_up: false, shown, elapsed: started.elapsed() })
}

/// Reads a stream to its end, or as much of it as is kept.
async fn read(stream: Option<impl AsyncRead + Unpin>, into: &mut Vec<u8>) {
    let Some(mut stream) = stream else { return };
    let mut bytes = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut bytes).await {
        if into.len() < MOST_SHOWN {
            into.extend_from_slice(&bytes[..count]);
        }
    }
}

/// A place, if one is free.
pub fn free_place() -> Place {
    CORES.try_acquire().ok()
}

/// Waits for a place.
pub async fn place() -> Place {
    // It is never closed.
    CORES.acquire().await.ok()
}

/// Ends a process and those that it has started.
async fn end(child: &mut Child) {
    let group = child.id().and_then(|id| rustix::process::Pid::from_raw(i32::try_from(id).ok()?));
    if let Some(group) = group {
        // It may have gone of itself.
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    let _ = child.start_kill();
    let _ = timeout(LEAVE, child.wait()).await;
}

/// A command in a terminal.
pub struct Terminal {
    pty: pty_process::Pty,
    child: Child,
    raw: Vec<u8>,
    /// How much of what was shown has been answered.
    answered: usize,
    patience: Duration,
    started: Instant,
    _place: Place,
}

/// What a terminal showed next.
pub enum Next {
    /// The so-manieth of the prompts, and what its first group matched.
    Prompt(usize, Option<String>),
    /// The command has ended, or was ended.
    Ended(Ending),
}

impl Terminal {
    /// Starts a command in a terminal of its own.
    pub fn open(command: Command, patience: Duration, place: Place) -> Result<Self, String> {
        let cannot = |error: pty_process::Error| format!("no pseudo-terminal: {error}");
        let (pty, pts) = pty_process::open().map_err(cannot)?;
        pty.resize(pty_process::Size::new(LINES, COLUMNS)).map_err(cannot)?;
        let started = Instant::now();
        let command = pty_process::Command::from(command);
        let child = command.spawn(pts).map_err(|error| format!("the client cannot be started: {error}"))?;
        Ok(Terminal { pty, child, raw: Vec::new(), answered: 0, patience, started, _place: place })
    }

    /// Waits for the next prompt, or the end. Only this wait is counted against the patience.
    pub async fn next(&mut self, prompts: &[Prompt]) -> Result<Next, String> {
        loop {
            if let Some(prompt) = self.prompt(prompts) {
                return Ok(prompt);
            }
            let before = Instant::now();
            let mut bytes = [0; 4096];
            let read = timeout(self.patience, self.pty.read(&mut bytes)).await;
            self.patience = self.patience.saturating_sub(before.elapsed());
            match read {
                Err(_) => {
                    end(&mut self.child).await;
                    return Ok(Next::Ended(self.ending(None, true)));
                }
                // Linux answers with an error once nobody has the other end open.
                Ok(Ok(0) | Err(_)) => {
                    let status = timeout(self.patience.max(LEAVE), self.child.wait()).await;
                    let Ok(status) = status else {
                        end(&mut self.child).await;
                        return Ok(Next::Ended(self.ending(None, true)));
                    };
                    let code = status.map_err(|error| error.to_string())?.code();
                    return Ok(Next::Ended(self.ending(code, false)));
                }
                Ok(Ok(count)) if self.raw.len() < MOST_SHOWN => self.raw.extend_from_slice(&bytes[..count]),
                Ok(Ok(_)) => {}
            }
        }
    }

    /// The first prompt of what has been shown since the last answer.
    fn prompt(&mut self, prompts: &[Prompt]) -> Option<Next> {
        let shown = self.shown();
        let open = shown.get(self.answered..).unwrap_or_default();
        let found = prompts.iter().enumerate().filter_map(|(number, prompt)| {
            let groups = prompt.shows.captures(open)?;
            let all = groups.get(0)?;
            Some((all.start(), all.end(), number, groups.get(1).map(|group| group.as_str().to_owned())))
        });
        let (_, end, number, group) = found.min_by_key(|(start, ..)| *start)?;
        self.answered += end;
        Some(Next::Prompt(number, group))
    }

    /// Types a line, as soon as this has gone by.
    pub async fn types(&mut self, line: &str, moment: Duration) {
        tokio::time::sleep(moment).await;
        // A client that has gone reads nothing more, and the next wait tells.
        let _ = self.pty.write_all(format!("{line}\r").as_bytes()).await;
    }

    /// Ends the command as whoever has no answer does.
    pub async fn give_up(&mut self) -> Ending {
        end(&mut self.child).await;
        Ending { given_up: true, ..self.ending(None, false) }
    }

    fn shown(&self) -> String {
        strip_str(&String::from_utf8_lossy(&self.raw)).to_string()
    }

    fn ending(&self, code: Option<i32>, hung: bool) -> Ending {
        Ending { code, hung, given_up: false, shown: self.shown(), elapsed: self.started.elapsed() }
    }
}
