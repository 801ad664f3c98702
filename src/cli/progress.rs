//! How far a run has come: a bar on a terminal; elsewhere a line now and then, and none for a run that is soon over.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::check::estimate::Estimate;
use crate::check::scene::Stage;
use crate::report::text::counted;
use crate::result::{CaseResult, Wait, lasting};

/// Between two lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);
/// Between two looks at how many cases wait, on a terminal.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What standard error is told of a run. The bar goes when this is dropped.
pub(super) struct Progress {
    bar: ProgressBar,
    total: usize,
    done: AtomicUsize,
    began: Instant,
    /// How long the rest takes, where waiting takes time.
    estimate: Option<Mutex<Estimate>>,
}

impl Progress {
    /// A run of so many cases, which are expected to take so long.
    pub(super) fn new(total: usize, estimate: Option<Estimate>) -> Self {
        let bar = ProgressBar::new(total as u64);
        if let Ok(style) = ProgressStyle::with_template("{wide_bar} {msg}") {
            bar.set_style(style);
        }
        Progress { bar, total, done: AtomicUsize::new(0), began: Instant::now(), estimate: estimate.map(Mutex::new) }
    }

    /// A case has ended.
    pub(super) fn one_more(&self, result: &CaseResult) {
        if let Some(estimate) = &self.estimate {
            let took = result.timing.as_ref().map_or(0, |timing| timing.took_ms);
            estimate.lock().unwrap_or_else(PoisonError::into_inner).ended(&result.id, Duration::from_millis(took));
        }
        self.done.fetch_add(1, Ordering::Relaxed);
        self.bar.inc(1);
    }

    /// How long the rest takes, by what happened so far.
    fn left(&self) -> Option<Duration> {
        let estimate = self.estimate.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
        Some(estimate.left(self.began.elapsed()))
    }

    /// Waits a while, then says how far the run has come.
    pub(super) async fn show(&self, stage: &Stage) {
        let on_terminal = !self.bar.is_hidden();
        tokio::time::sleep(if on_terminal { LOOK_EVERY } else { LINE_EVERY }).await;
        let words = words(self.done.load(Ordering::Relaxed), self.total, &stage.waits.now(), self.left());
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

fn words(done: usize, total: usize, waiting: &BTreeMap<Wait, usize>, left: Option<Duration>) -> String {
    let waits: Vec<String> = waiting
        .iter()
        .map(|(kind, cases)| format!("{cases} {} {}", if *cases == 1 { "waits" } else { "wait" }, kind.words()))
        .collect();
    let waits = if waits.is_empty() { String::new() } else { format!(", {}", waits.join(", ")) };
    let left = left.filter(|left| *left >= Duration::from_secs(1));
    let left = left.map_or_else(String::new, |left| format!(", about {} left", lasting(left)));
    format!("{done} of {} done{waits}{left}", counted(total, "case"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_waits_says_so() {
        assert_eq!(words(3, 10, &BTreeMap::new(), None), "3 of 10 cases done");
        let waiting = BTreeMap::from([(Wait::NewCode, 1), (Wait::Scenario, 6)]);
        let told = "3 of 10 cases done, 1 waits for new codes, 6 wait as scenarios say, about 2 min 5 s left";
        assert_eq!(words(3, 10, &waiting, Some(Duration::from_secs(125))), told);
    }
}
