//! What a run waits for: each wait of a scene by its kind, and how long nothing else was done meanwhile.
//!
//! Hundreds of scenes wait at the same time, so the sum of their waits says little. What counts is the time in which
//! none was at work: it is charged to the kind of the wait that ended it, for that is what the run was waiting for.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::UnixMillis;
use crate::result::{self, CaseTiming, CaseWait, Timing, Wait};

/// The waits of a run. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Waits(Arc<Mutex<Book>>);

#[derive(Debug, Default)]
struct Book {
    /// When the first scene began.
    began: Option<UnixMillis>,
    /// How many scenes are at work.
    at_work: usize,
    /// How many wait, by what for.
    waiting: BTreeMap<Wait, usize>,
    /// When either changed.
    since: Option<UnixMillis>,
    /// How long nobody has been at work, up to then, since a wait ended.
    idle: Duration,
    kinds: BTreeMap<Wait, Waited>,
}

/// The waits of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Waited {
    /// How many there were.
    pub times: usize,
    /// How long the longest was.
    pub longest: Duration,
    /// How long nothing was done until one of them ended.
    pub idle: Duration,
}

impl Waits {
    /// A scene begins to work.
    pub(super) fn begin_work(&self, now: UnixMillis) {
        let mut book = self.book();
        book.go_on(now);
        book.began.get_or_insert(now);
        book.at_work += 1;
    }

    /// A scene is done, or waits from now on.
    pub(super) fn end_work(&self, now: UnixMillis) {
        let mut book = self.book();
        book.go_on(now);
        book.at_work = book.at_work.saturating_sub(1);
    }

    /// A scene begins to wait.
    pub(super) fn begin(&self, kind: Wait, now: UnixMillis) {
        let mut book = self.book();
        book.go_on(now);
        *book.waiting.entry(kind).or_default() += 1;
    }

    /// It has waited since then.
    pub(super) fn end(&self, kind: Wait, began: UnixMillis, now: UnixMillis) {
        let mut book = self.book();
        book.go_on(now);
        if let Some(waiting) = book.waiting.get_mut(&kind) {
            *waiting = waiting.saturating_sub(1);
        }
        let idle = std::mem::take(&mut book.idle);
        let waited = book.kinds.entry(kind).or_default();
        waited.times += 1;
        waited.longest = waited.longest.max(began.until(now));
        waited.idle += idle;
    }

    /// How many scenes wait now, by what for.
    pub fn now(&self) -> BTreeMap<Wait, usize> {
        let mut waiting = self.book().waiting.clone();
        waiting.retain(|_, scenes| *scenes > 0);
        waiting
    }

    /// All that ended.
    pub fn ended(&self) -> BTreeMap<Wait, Waited> {
        self.book().kinds.clone()
    }

    /// What a run that took so long waited for.
    pub(super) fn timing(&self, took: Duration) -> Timing {
        let waits: Vec<_> = self
            .ended()
            .into_iter()
            .map(|(kind, waited)| result::Waits {
                kind,
                waited_ms: millis(waited.idle),
                times: waited.times,
                longest_ms: millis(waited.longest),
            })
            .collect();
        Timing { took_ms: millis(took), waited_ms: waits.iter().map(|waits| waits.waited_ms).sum(), waits }
    }

    /// When a case was played, and what it waited for.
    pub(super) fn timing_of(
        &self,
        began: UnixMillis,
        ended: UnixMillis,
        waited: &BTreeMap<Wait, Duration>,
    ) -> CaseTiming {
        let first = self.book().began.unwrap_or(began);
        let waits = waited.iter().map(|(kind, long)| CaseWait { kind: *kind, waited_ms: millis(*long) }).collect();
        CaseTiming { began_ms: millis(first.until(began)), took_ms: millis(began.until(ended)), waits }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        // No code panics while holding the lock, and the book is valid between any two statements.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn millis(long: Duration) -> u64 {
    u64::try_from(long.as_millis()).unwrap_or(u64::MAX)
}

impl Book {
    /// Time has passed since the last change.
    fn go_on(&mut self, now: UnixMillis) {
        let passed = self.since.replace(now).map_or(Duration::ZERO, |since| since.until(now));
        if self.at_work == 0 && self.waiting.values().any(|scenes| *scenes > 0) {
            self.idle += passed;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_worked_in_is_charged_to_the_wait_that_ended_it() {
        let waits = Waits::default();
        let at = |seconds: i64| UnixMillis(seconds * 1_000);
        // Two scenes work; one waits for a code from 10 s to 40 s, the other works until 15 s and waits until 20 s.
        waits.begin_work(at(0));
        waits.begin_work(at(0));
        waits.end_work(at(10));
        waits.begin(Wait::NewCode, at(10));
        waits.end_work(at(15));
        waits.begin(Wait::Settling, at(15));
        assert_eq!(waits.now(), BTreeMap::from([(Wait::NewCode, 1), (Wait::Settling, 1)]));
        waits.end(Wait::Settling, at(15), at(20));
        waits.begin_work(at(20));
        waits.end_work(at(22));
        waits.end(Wait::NewCode, at(10), at(40));
        waits.begin_work(at(40));
        waits.end_work(at(50));
        let seconds = Duration::from_secs;
        assert_eq!(
            waits.ended(),
            BTreeMap::from([
                (Wait::NewCode, Waited { times: 1, longest: seconds(30), idle: seconds(18) }),
                (Wait::Settling, Waited { times: 1, longest: seconds(5), idle: seconds(5) }),
            ])
        );
        assert!(waits.now().is_empty());
    }

    #[test]
    fn time_in_which_nobody_waits_is_nobodys() {
        let waits = Waits::default();
        waits.begin_work(UnixMillis(0));
        waits.end_work(UnixMillis(1_000));
        waits.begin_work(UnixMillis(9_000));
        waits.end_work(UnixMillis(9_000));
        waits.begin(Wait::RetryAfter, UnixMillis(9_000));
        waits.end(Wait::RetryAfter, UnixMillis(9_000), UnixMillis(10_000));
        assert_eq!(waits.ended()[&Wait::RetryAfter].idle, Duration::from_secs(1));
    }
}
