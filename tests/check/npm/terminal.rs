//! A command in a pseudo-terminal, and somebody who reads and types there.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::{LIMIT, Said};

pub struct Terminal {
    pty: pty_process::Pty,
    child: Child,
    shown: String,
    /// How much of what was shown has been answered.
    answered: usize,
}

impl Terminal {
    pub fn open(command: Command) -> Self {
        let (pty, pts) = pty_process::open().expect("a pseudo-terminal");
        // Wide enough that no line is broken.
        pty.resize(pty_process::Size::new(60, 200)).expect("a size");
        let child = pty_process::Command::from(command).spawn(pts).expect("the command starts");
        Terminal { pty, child, shown: String::new(), answered: 0 }
    }

    /// Waits for a prompt, and says what has been shown since the last answer.
    pub async fn until(&mut self, prompt: &str) -> String {
        while !self.shown[self.answered..].contains(prompt) {
            assert!(self.read().await, "no `{prompt}` before the end of: {}", self.shown);
        }
        self.shown[self.answered..].to_owned()
    }

    /// Types a line.
    pub async fn types(&mut self, line: &str) {
        self.answered = self.shown.len();
        self.pty.write_all(format!("{line}\r").as_bytes()).await.expect("typed");
    }

    /// Waits for a prompt and types a line.
    pub async fn answer(&mut self, prompt: &str, line: &str) {
        self.until(prompt).await;
        self.types(line).await;
    }

    /// Waits for the end.
    pub async fn ended(mut self) -> Said {
        while self.read().await {}
        let status = timeout(LIMIT, self.child.wait()).await.expect("an end in time").expect("a status");
        Said { code: status.code(), text: self.shown }
    }

    /// Reads on; false at the end.
    async fn read(&mut self) -> bool {
        let mut bytes = [0; 4096];
        let Ok(read) = timeout(LIMIT, self.pty.read(&mut bytes)).await else {
            panic!("nothing more was shown after: {}", self.shown);
        };
        // Linux answers with an error once nobody has the other end open.
        let read = read.unwrap_or(0);
        self.shown.push_str(&String::from_utf8_lossy(&bytes[..read]));
        read > 0
    }
}
