//! Time as a parameter.
//!
//! A real target is driven on [`Clock::system`]. In process, the checker and the reference registry share a
//! [`Clock::simulated`] clock: it stands still while any case is at work and jumps to the earliest deadline as soon
//! as every case waits. A code that is in flight therefore never expires under way, and a wait of thirty seconds
//! costs nothing.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::oneshot;

/// A point in time, in milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixMillis(pub i64);

impl UnixMillis {
    /// The point `by` later.
    #[must_use]
    pub fn after(self, by: Duration) -> Self {
        UnixMillis(self.0.saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How long until `later`; zero when it has passed.
    pub fn until(self, later: UnixMillis) -> Duration {
        Duration::from_millis(u64::try_from(later.0.saturating_sub(self.0)).unwrap_or(0))
    }
}

/// Where the checker reads the time and waits.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Simulated(Arc<Mutex<Simulation>>),
    /// The machine's, but for the reading of this number, which panics.
    #[cfg(test)]
    Breaking(Arc<std::sync::atomic::AtomicUsize>),
}

#[derive(Debug)]
struct Simulation {
    now: UnixMillis,
    at_work: usize,
    waiting: Vec<Waiter>,
    /// How many have waited, which numbers them.
    waited: u64,
}

#[derive(Debug)]
struct Waiter {
    number: u64,
    deadline: UnixMillis,
    wake: oneshot::Sender<()>,
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Clock(Source::System)
    }

    /// A clock that starts at `start` and moves only when everyone at work waits.
    pub fn simulated(start: UnixMillis) -> Self {
        Clock(Source::Simulated(Arc::new(Mutex::new(Simulation {
            now: start,
            at_work: 0,
            waiting: Vec::new(),
            waited: 0,
        }))))
    }

    /// The machine's clock, whose reading of this number panics; the first is number 0.
    #[cfg(test)]
    pub(crate) fn breaking(at: usize) -> Self {
        Clock(Source::Breaking(Arc::new(std::sync::atomic::AtomicUsize::new(at))))
    }

    /// The present.
    pub fn now(&self) -> UnixMillis {
        match &self.0 {
            Source::System => {
                let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                UnixMillis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
            }
            Source::Simulated(simulation) => lock(simulation).now,
            #[cfg(test)]
            Source::Breaking(left) => {
                let number = left.fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
                assert!(number != 0, "the clock breaks");
                Clock::system().now()
            }
        }
    }

    /// The present as the standard library's type.
    pub fn system_time(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(u64::try_from(self.now().0).unwrap_or(0))
    }

    /// Whether waiting takes real time.
    pub fn is_real(&self) -> bool {
        !matches!(self.0, Source::Simulated(_))
    }

    /// Lets simulated time pass although somebody is at work, as it does when a target is slow.
    pub fn pass(&self, by: Duration) {
        if let Source::Simulated(simulation) = &self.0 {
            let mut simulation = lock(simulation);
            simulation.now = simulation.now.after(by);
        }
    }

    /// Marks the caller as at work until the guard is dropped: a simulated clock stands still meanwhile.
    pub fn work(&self) -> AtWork {
        if let Source::Simulated(simulation) = &self.0 {
            lock(simulation).at_work += 1;
        }
        AtWork(self.clone())
    }

    /// Waits until `deadline`. The caller must hold an [`AtWork`] guard, which counts as idle meanwhile.
    pub async fn wait_until(&self, deadline: UnixMillis) {
        match &self.0 {
            Source::System => tokio::time::sleep(self.now().until(deadline)).await,
            #[cfg(test)]
            Source::Breaking(_) => tokio::time::sleep(self.now().until(deadline)).await,
            Source::Simulated(simulation) => {
                let (woken, _until_dropped) = {
                    let mut state = lock(simulation);
                    if deadline <= state.now {
                        return;
                    }
                    let (wake, woken) = oneshot::channel();
                    state.waited += 1;
                    let number = state.waited;
                    state.waiting.push(Waiter { number, deadline, wake });
                    state.leave();
                    (woken, Waiting { simulation, number })
                };
                // The sender is dropped without sending only when the simulation itself is gone.
                let _ = woken.await;
            }
        }
    }
}

impl Clock {
    /// Waits for something that others hold, who may be waiting for a time. The caller must hold an [`AtWork`] guard, which
    /// counts as idle meanwhile.
    pub async fn idle<T>(&self, wait: impl Future<Output = T>) -> T {
        let _idle = Idle::new(self);
        wait.await
    }
}

/// Somebody who waits for a time. One that gives up before is at work again.
struct Waiting<'s> {
    simulation: &'s Mutex<Simulation>,
    number: u64,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut simulation = lock(self.simulation);
        let all = simulation.waiting.len();
        simulation.waiting.retain(|waiter| waiter.number != self.number);
        if simulation.waiting.len() < all {
            simulation.at_work += 1;
        }
    }
}

/// Somebody at work who is idle until this is dropped.
struct Idle<'c>(&'c Clock);

impl<'c> Idle<'c> {
    fn new(clock: &'c Clock) -> Self {
        if let Source::Simulated(simulation) = &clock.0 {
            lock(simulation).leave();
        }
        Idle(clock)
    }
}

impl Drop for Idle<'_> {
    fn drop(&mut self) {
        if let Source::Simulated(simulation) = &self.0.0 {
            lock(simulation).at_work += 1;
        }
    }
}

/// Proof that a case is at work on the clock.
#[derive(Debug)]
pub struct AtWork(Clock);

impl Drop for AtWork {
    fn drop(&mut self) {
        if let Source::Simulated(simulation) = &self.0.0 {
            lock(simulation).leave();
        }
    }
}

impl Simulation {
    /// One worker fewer; when none is left, time jumps to the earliest deadline and its waiters are at work again.
    fn leave(&mut self) {
        self.at_work = self.at_work.saturating_sub(1);
        while self.at_work == 0 {
            let Some(next) = self.waiting.iter().map(|waiter| waiter.deadline).min() else {
                return;
            };
            self.now = self.now.max(next);
            for waiter in self.waiting.extract_if(.., |waiter| waiter.deadline <= next) {
                if waiter.wake.send(()).is_ok() {
                    self.at_work += 1;
                }
            }
        }
    }
}

fn lock(simulation: &Mutex<Simulation>) -> MutexGuard<'_, Simulation> {
    // No code panics while holding the lock, and the state is valid between any two statements.
    simulation.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn time_stands_still_while_someone_works_and_jumps_when_all_wait() {
        let clock = Clock::simulated(UnixMillis(1_000));
        let busy = clock.work();
        let waiter = {
            let clock = clock.clone();
            let at_work = clock.work();
            tokio::spawn(async move {
                clock.wait_until(UnixMillis(31_000)).await;
                let woken_at = clock.now();
                drop(at_work);
                woken_at
            })
        };
        tokio::task::yield_now().await;
        assert_eq!(clock.now(), UnixMillis(1_000));
        drop(busy);
        assert_eq!(waiter.await.expect("the waiter ends"), UnixMillis(31_000));
    }

    #[tokio::test]
    async fn who_waits_for_another_who_waits_for_a_time_does_not_hold_it_up() {
        let clock = Clock::simulated(UnixMillis(0));
        let (first, second) = (clock.work(), clock.work());
        let (give, given) = oneshot::channel::<()>();
        let holder = {
            let clock = clock.clone();
            tokio::spawn(async move {
                clock.wait_until(UnixMillis(30_000)).await;
                let _ = give.send(());
                drop(first);
            })
        };
        clock.idle(given).await.expect("the holder gives it");
        // Whoever was idle is at work again.
        assert_eq!(clock.now(), UnixMillis(30_000));
        holder.await.expect("the holder ends");
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let later = {
            let (clock, third) = (clock.clone(), clock.work());
            tokio::spawn(async move {
                clock.wait_until(UnixMillis(60_000)).await;
                let _ = tell.send(());
                drop(third);
            })
        };
        tokio::task::yield_now().await;
        assert!(told.try_recv().is_err());
        drop(second);
        later.await.expect("the last ends");
    }

    #[tokio::test]
    async fn one_that_gives_up_waiting_is_at_work_again() {
        let clock = Clock::simulated(UnixMillis(0));
        let (first, second) = (clock.work(), clock.work());
        tokio::select! {
            biased;
            () = clock.wait_until(UnixMillis(30_000)) => panic!("the other is at work"),
            () = std::future::ready(()) => {}
        }
        drop(second);
        // The first is still at work, so time stands still.
        assert_eq!(clock.now(), UnixMillis(0));
        clock.wait_until(UnixMillis(5_000)).await;
        assert_eq!(clock.now(), UnixMillis(5_000));
        drop(first);
    }

    #[tokio::test]
    async fn waiters_wake_in_the_order_of_their_deadlines() {
        let clock = Clock::simulated(UnixMillis(0));
        let hold = clock.work();
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let tasks: Vec<_> = [90, 30, 60]
            .into_iter()
            .map(|deadline| {
                let (clock, tell) = (clock.clone(), tell.clone());
                let at_work = clock.work();
                tokio::spawn(async move {
                    clock.wait_until(UnixMillis(deadline)).await;
                    tell.send((deadline, clock.now().0)).expect("the test listens");
                    drop(at_work);
                })
            })
            .collect();
        drop(hold);
        for task in tasks {
            task.await.expect("each waiter ends");
        }
        let mut order = Vec::new();
        while let Ok(entry) = told.try_recv() {
            order.push(entry);
        }
        assert_eq!(order, [(30, 30), (60, 60), (90, 90)]);
    }
}
