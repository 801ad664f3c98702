//! The book of a journey: the clock of the run, and what became of every act, counted as in any other run.
//!
//! All who walk write into it, so it is locked; an act takes milliseconds, and noting it a microsecond.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, mpsc};
use std::time::{Duration, Instant, SystemTime};

use super::walk::Performed;
use crate::load::tally::{Breach, Second, Tally};

/// What a run of a journey counts, and its clock.
#[derive(Debug)]
pub(super) struct Book {
    began: OnceLock<(Instant, SystemTime)>,
    /// When nobody acts any more, in nanoseconds from the beginning.
    ends_ns: AtomicU64,
    tally: Mutex<Tally>,
    tell: Mutex<Option<mpsc::Sender<Second>>>,
    mistakes: Mutex<Vec<String>>,
}

/// How many mistakes are kept.
const KEPT: usize = 3;

fn ns(long: Duration) -> u64 {
    u64::try_from(long.as_nanos()).unwrap_or(u64::MAX)
}

fn locked<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Book {
    /// An empty book of a run that has not begun. `tell` hears of each second.
    pub fn new(warm_up: Duration, lasts: Duration, tell: mpsc::Sender<Second>) -> Self {
        Book {
            began: OnceLock::new(),
            ends_ns: AtomicU64::new(ns(lasts)),
            tally: Mutex::new(Tally::new(ns(warm_up))),
            tell: Mutex::new(Some(tell)),
            mistakes: Mutex::new(Vec::new()),
        }
    }

    /// The run begins at this moment, unless it was said before.
    pub fn begin(&self, at: Instant) {
        let ahead = at.saturating_duration_since(Instant::now());
        let _ = self.began.set((at, SystemTime::now() + ahead));
    }

    /// When it began, if it has.
    pub fn began(&self) -> Option<(Instant, SystemTime)> {
        self.began.get().copied()
    }

    /// Nanoseconds from the beginning.
    pub fn now(&self) -> u64 {
        self.began().map_or(0, |(began, _)| ns(began.elapsed()))
    }

    /// Nobody acts from now on.
    pub fn end(&self) {
        self.ends_ns.fetch_min(self.now(), Ordering::Relaxed);
    }

    /// Whether nobody acts any more, and has not for so long.
    pub fn is_over_for(&self, long: Duration) -> bool {
        self.began().is_some() && self.now() >= self.ends_ns.load(Ordering::Relaxed).saturating_add(ns(long))
    }

    /// Notes an act, and the requests that it took.
    pub fn note(&self, performed: &Performed) {
        let now = self.now();
        let mut tally = locked(&self.tally);
        let Performed { kind, fate, user, due, ended, .. } = *performed;
        for _ in performed.requests.iter().filter(|request| request.was_sent) {
            tally.requested(due);
        }
        if performed.waited {
            tally.waits(due);
        }
        if let Some(fate) = fate {
            tally.begun(due);
            if performed.across_edge {
                tally.across_edge(due);
            }
            let sent = fate.was_sent().then_some(ended.saturating_sub(performed.served_ns));
            tally.ended(kind, fate, due, sent, ended);
            if fate.is_breach(kind) {
                tally.breach(Breach { kind, user, due_ns: due, status: performed.status });
            }
        }
        self.turn(&mut tally, now);
    }

    /// Ends the seconds that have passed.
    pub fn look_up(&self) {
        let now = self.now();
        self.turn(&mut locked(&self.tally), now);
    }

    fn turn(&self, tally: &mut Tally, now: u64) {
        while now >= tally.turns_at() {
            let second = tally.turn();
            if let Some(tell) = &*locked(&self.tell) {
                // Nobody listens once the run has been given up.
                let _ = tell.send(second);
            }
        }
    }

    /// A mistake on our side of the wire, or in a file, that kept an act from being performed.
    pub fn mistake(&self, mistake: String) {
        let mut mistakes = locked(&self.mistakes);
        if mistakes.len() < KEPT && !mistakes.contains(&mistake) {
            mistakes.push(mistake);
        }
    }

    /// Closes the book: what was counted, and the mistakes.
    pub fn close(&self) -> (Tally, Vec<String>) {
        let mut tally = locked(&self.tally);
        let last = tally.turn();
        // Nobody is told anything from now on, so that whoever listens need not wait.
        if let Some(tell) = locked(&self.tell).take() {
            let _ = tell.send(last);
        }
        let counted = std::mem::replace(&mut *tally, Tally::new(0));
        (counted, std::mem::take(&mut locked(&self.mistakes)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::walk::Told;
    use super::*;
    use crate::load::fate::Fate;
    use crate::load::mix::Kind;
    use crate::load::objective::Timing;

    #[test]
    fn an_act_is_counted_with_its_requests_and_a_breach_is_kept() {
        let (tell, told) = mpsc::channel();
        let book = Book::new(Duration::from_secs(1), Duration::from_secs(60), tell);
        book.begin(Instant::now());
        let mut performed = Performed::nothing(Kind::Exchange, 7, 2_000_000_000);
        performed.fate = Some(Fate::Accepted);
        performed.ended = 2_030_000_000;
        performed.served_ns = 20_000_000;
        performed.requests = vec![Told::sent("GET", "a"), Told::sent("PUT", "b")];
        book.note(&performed);
        performed = Performed::nothing(Kind::ChallengeOnly, 8, 500_000_000);
        performed.fate = Some(Fate::Accepted);
        performed.status = 201;
        book.note(&performed);
        // One that was still prepared when the run was over is none, and what it sent was sent.
        performed = Performed::nothing(Kind::Right, 9, 3_000_000_000);
        performed.requests = vec![Told::sent("GET", "a")];
        book.note(&performed);
        assert!(!book.is_over_for(Duration::ZERO));
        book.end();
        assert!(book.is_over_for(Duration::ZERO) && !book.is_over_for(Duration::from_secs(60)));
        let (tally, _) = book.close();
        assert_eq!((tally.whole.planned, tally.whole.requests, tally.requests), (1, 3, 3));
        assert_eq!(tally.whole.timed.of(Timing::ResponseTime).longest().map(|long| long.as_millis()), Some(30));
        assert_eq!(tally.whole.timed.of(Timing::ServiceTime).longest().map(|long| long.as_millis()), Some(20));
        assert_eq!(tally.evidence, [Breach { kind: Kind::ChallengeOnly, user: 8, due_ns: 500_000_000, status: 201 }]);
        assert_eq!(told.iter().map(|second| second.sums.planned).sum::<u64>(), 2);
    }
}
