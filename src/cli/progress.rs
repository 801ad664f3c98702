//! How far a run has come: a bar on a terminal; elsewhere a line now and then, and none for a run that is soon over.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::check::scene::Stage;
use crate::report::text::counted;

/// Between two lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);
/// Between two looks at how many cases wait, on a terminal.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What standard error is told of a run. The bar goes when this is dropped.
pub(super) struct Progress {
    bar: ProgressBar,
    total: usize,
    done: AtomicUsize,
}

impl Progress {
    /// A run of so many cases.
    pub(super) fn new(total: usize) -> Self {
        let bar = ProgressBar::new(total as u64);
        if let Ok(style) = ProgressStyle::with_template("{wide_bar} {msg}") {
            bar.set_style(style);
        }
        Progress { bar, total, done: AtomicUsize::new(0) }
    }

    /// A case has ended.
    pub(super) fn one_more(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
        self.bar.inc(1);
    }

    /// Waits a while, then says how far the run has come.
    pub(super) async fn show(&self, stage: &Stage) {
        let on_terminal = !self.bar.is_hidden();
        tokio::time::sleep(if on_terminal { LOOK_EVERY } else { LINE_EVERY }).await;
        let words = words(self.done.load(Ordering::Relaxed), self.total, stage.waiting.load(Ordering::Relaxed));
        // On a simulated clock nobody waits for long.
        if !on_terminal && stage.clock.is_real() {
            eprintln!("{words}");
        }
        self.bar.set_message(words);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn words(done: usize, total: usize, waiting: usize) -> String {
    let waits = match waiting {
        0 => String::new(),
        1 => ", 1 waits for a new time step".to_owned(),
        _ => format!(", {waiting} wait for a new time step"),
    };
    format!("{done} of {} done{waits}", counted(total, "case"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_waits_says_so() {
        assert_eq!(words(3, 10, 0), "3 of 10 cases done");
        assert_eq!(words(3, 10, 1), "3 of 10 cases done, 1 waits for a new time step");
        assert_eq!(words(3, 10, 6), "3 of 10 cases done, 6 wait for a new time step");
    }
}
