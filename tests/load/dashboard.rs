//! `stepup load` on a terminal: a dashboard while it runs, the report when it has ended, and a terminal as it was before.

use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::time::timeout;

use crate::place::{PROFILE, Place};

/// Nothing takes longer.
const LIMIT: Duration = Duration::from_secs(60);

struct Shown {
    pty: pty_process::Pty,
    text: String,
}

impl Shown {
    /// Reads on; false at the end.
    async fn read(&mut self) -> bool {
        let mut bytes = [0; 4096];
        let Ok(read) = timeout(LIMIT, self.pty.read(&mut bytes)).await else {
            panic!("nothing more was shown after: {}", self.text);
        };
        // Linux answers with an error once nobody has the other end open.
        let read = read.unwrap_or(0);
        self.text.push_str(&String::from_utf8_lossy(&bytes[..read]));
        read > 0
    }

    async fn until(&mut self, words: &str) {
        while !self.text.contains(words) {
            assert!(self.read().await, "no `{words}` before the end of: {}", self.text);
        }
    }
}

/// Runs a load on a terminal of this kind, interrupts it when this is shown, and returns all that was shown.
async fn interrupted(term: &str, when: &str) -> (Option<i32>, String) {
    let place = Place::new();
    place.file("profile.yaml", &PROFILE.replace("600 ms", "60 s").replace("99 %]", "90 %]"));
    let (pty, pts) = pty_process::open().expect("a pseudo-terminal");
    pty.resize(pty_process::Size::new(40, 120)).expect("a size");
    let command = pty_process::Command::new(env!("CARGO_BIN_EXE_stepup"))
        .current_dir(place.0.path())
        .args(["load", "profile.yaml", "--out", "out"])
        .env("TERM", term)
        .env_remove("NO_COLOR");
    let mut child = command.spawn(pts).expect("it starts");
    let mut shown = Shown { pty, text: String::new() };
    shown.until(when).await;
    let process = child.id().and_then(|id| rustix::process::Pid::from_raw(id.try_into().ok()?)).expect("it runs");
    rustix::process::kill_process(process, rustix::process::Signal::INT).expect("it is told");
    while shown.read().await {}
    let status = timeout(LIMIT, child.wait()).await.expect("an end in time").expect("a status");
    (status.code(), shown.text)
}

#[tokio::test]
async fn a_dashboard_goes_before_the_report_and_leaves_the_terminal_as_it_was() {
    let (code, shown) = interrupted("xterm-256color", "\x1b[0;32maccepted ").await;
    assert_eq!(code, Some(5), "{shown}");
    assert!(shown.contains("short on embedded: ") && shown.contains("lateness"), "{shown}");
    // The last thing that the dashboard does is to go; the report follows.
    let goes = shown.rfind("\x1b[J").expect("it goes");
    let report = shown.rfind("model: open: by schedule").expect("a report");
    assert!(goes < report && !shown[goes + 3..].contains('\x1b'), "{shown}");
    assert!(shown[goes..].contains("Incomplete: interrupted"), "{shown}");
    // No mode of the terminal is changed: neither its screen nor its cursor, and it is asked nothing.
    assert!(!shown.contains("\x1b[?") && !shown.contains("\x1b[6n") && !shown.contains("\x1b7"), "{shown}");
    // Each second's line is for those who have no dashboard.
    assert!(!shown.contains("s  planned "), "{shown}");
}

#[tokio::test]
async fn a_terminal_that_can_do_nothing_is_shown_lines() {
    let (code, shown) = interrupted("dumb", "accepted ").await;
    assert_eq!(code, Some(5), "{shown}");
    assert!(shown.contains("1 s  planned ") && !shown.contains("\x1b["), "{shown}");
}
