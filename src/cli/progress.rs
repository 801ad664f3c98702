//! How far a run has come: a bar on a terminal; elsewhere a line now and then, and none for a run that is soon over.

use std::sync::atomic::Ordering;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::check::scene::Stage;
use crate::result::CaseResult;

/// Between two lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);
/// Between two looks at how many cases wait, on a terminal.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Takes the results as they come, until the last, and tells standard error of it.
pub(super) async fn follow(
    stage: &Stage,
    total: usize,
    mut results: UnboundedReceiver<(usize, CaseResult)>,
) -> Vec<(usize, CaseResult)> {
    let mut taken = Vec::with_capacity(total);
    let bar = ProgressBar::new(total as u64);
    if let Ok(style) = ProgressStyle::with_template("{wide_bar} {msg}") {
        bar.set_style(style);
    }
    let on_terminal = !bar.is_hidden();
    let every = if on_terminal { LOOK_EVERY } else { LINE_EVERY };
    let mut tick = interval_at(Instant::now() + every, every);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let due = tokio::select! {
            result = results.recv() => {
                let Some(result) = result else { break };
                taken.push(result);
                false
            }
            _ = tick.tick() => true,
        };
        let words = words(taken.len(), total, stage.waiting.load(Ordering::Relaxed));
        // On a simulated clock nobody waits for long.
        if due && !on_terminal && stage.clock.is_real() {
            eprintln!("{words}");
        }
        bar.set_message(words);
        bar.set_position(taken.len() as u64);
    }
    bar.finish_and_clear();
    taken
}

fn words(done: usize, total: usize, waiting: usize) -> String {
    let waits = match waiting {
        0 => String::new(),
        1 => ", 1 waits for a new time step".to_owned(),
        _ => format!(", {waiting} wait for a new time step"),
    };
    format!("{done} of {total} cases done{waits}")
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
