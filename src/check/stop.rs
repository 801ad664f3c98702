//! The wish that a run ends early, for all who take part in it, and how long each may then go on.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::clock::UnixMillis;
use crate::result::lasting;

/// How long a case may go on after it as long as it waits for nothing.
const PLAY_ON: Duration = Duration::from_secs(10);
/// Until when what the cases made is undone. With the answer that is under way by then, all is over within 30 s.
const UNDO_UNTIL: Duration = Duration::from_secs(20);

/// Why a run ends early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Somebody asked for it: SIGINT or SIGTERM.
    Interrupted,
    /// The time that it was given is over.
    Budget(Duration),
}

impl Cause {
    /// Why something did not happen, in words.
    pub fn words(self) -> String {
        match self {
            Cause::Interrupted => "interrupted".to_owned(),
            Cause::Budget(budget) => format!("the budget of {} was spent", lasting(budget)),
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Asked {
    cause: Cause,
    at: UnixMillis,
}

/// What is done when a run ends early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// A case is played.
    Play,
    /// What it made is undone.
    Undo,
}

/// Whether a run should end early. Clones share it.
#[derive(Debug, Clone)]
pub struct Stop(Arc<watch::Sender<Option<Asked>>>);

impl Default for Stop {
    fn default() -> Self {
        Stop(Arc::new(watch::Sender::new(None)))
    }
}

impl Stop {
    /// Asks for it from then on, for this cause. Whether it is news: an interruption is beside a budget, too.
    pub fn ask(&self, cause: Cause, at: UnixMillis) -> bool {
        self.0.send_if_modified(|asked| {
            let news = match (asked.map(|asked| asked.cause), cause) {
                (None, _) | (Some(Cause::Budget(_)), Cause::Interrupted) => true,
                (Some(_), _) => false,
            };
            if news {
                *asked = Some(Asked { cause, at });
            }
            news
        })
    }

    /// Why it should end, when it should by now.
    pub fn cause(&self, now: UnixMillis) -> Option<Cause> {
        self.0.borrow().filter(|asked| asked.at <= now).map(|asked| asked.cause)
    }

    /// Whether somebody has interrupted it.
    pub fn is_interrupted(&self) -> bool {
        self.0.borrow().is_some_and(|asked| asked.cause == Cause::Interrupted)
    }

    /// From when on it should, as far as is known.
    pub(super) fn from(&self) -> Option<UnixMillis> {
        self.0.borrow().map(|asked| asked.at)
    }

    /// Waits until somebody interrupts it.
    pub async fn interrupted(&self) {
        let interrupted = |asked: &Option<Asked>| asked.is_some_and(|asked| asked.cause == Cause::Interrupted);
        // The sender lives as long as this does.
        let _ = self.0.subscribe().wait_for(interrupted).await;
    }

    /// Until when such a part may go on, where the run should end by now.
    pub(super) fn until(&self, part: Part, now: UnixMillis) -> Option<UnixMillis> {
        let long = match part {
            Part::Play => PLAY_ON,
            Part::Undo => UNDO_UNTIL,
        };
        self.0.borrow().filter(|asked| asked.at <= now).map(|asked| asked.at.after(long))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_waits_hears_of_it_whether_before_or_after() {
        let stop = Stop::default();
        let waiting = tokio::spawn({
            let stop = stop.clone();
            async move { stop.interrupted().await }
        });
        assert_eq!(stop.cause(UnixMillis(5)), None);
        assert!(stop.ask(Cause::Interrupted, UnixMillis(0)));
        assert!(!stop.ask(Cause::Interrupted, UnixMillis(1)));
        waiting.await.expect("it ends");
        stop.interrupted().await;
        assert_eq!(stop.cause(UnixMillis(5)), Some(Cause::Interrupted));
    }

    #[test]
    fn a_budget_ends_when_its_time_comes_and_an_interruption_is_news_beside_it() {
        let (stop, budget) = (Stop::default(), Cause::Budget(Duration::from_secs(300)));
        assert!(stop.ask(budget, UnixMillis(300_000)) && !stop.ask(budget, UnixMillis(1)));
        assert!(!stop.is_interrupted());
        assert_eq!(stop.cause(UnixMillis(299_999)), None);
        assert_eq!(stop.until(Part::Play, UnixMillis(299_999)), None);
        assert_eq!(stop.cause(UnixMillis(300_000)), Some(budget));
        assert!(stop.ask(Cause::Interrupted, UnixMillis(5_000)));
        assert_eq!(stop.cause(UnixMillis(5_000)), Some(Cause::Interrupted));
        assert_eq!(stop.until(Part::Undo, UnixMillis(5_000)), Some(UnixMillis(25_000)));
        assert!(!stop.ask(budget, UnixMillis(6_000)));
        assert!(stop.is_interrupted());
    }
}
