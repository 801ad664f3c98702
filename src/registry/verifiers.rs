//! A registry whose capacity is known: so many verifiers, each of which takes the same time for a proof. Who measures
//! capacities can be measured by it. In the terms of queueing theory it is a station with a deterministic service time
//! and one queue, first come, first served (D/D/c for arrivals by the clock, M/D/c for Poisson's).

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::num::NonZeroU16;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How proofs are verified: as fast as may be unless said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verifiers {
    /// How many verify at once.
    pub number: NonZeroU16,
    /// How long each takes for a proof.
    pub time: Duration,
}

impl Verifiers {
    /// How many proofs a second they bear.
    pub fn capacity(&self) -> f64 {
        f64::from(self.number.get()) / self.time.as_secs_f64()
    }
}

/// The verifiers at work.
#[derive(Debug, Default)]
pub(super) struct AtWork(Mutex<BinaryHeap<Reverse<Instant>>>);

impl AtWork {
    /// Waits for a verifier and for its work, and no longer: a timer that is late delays an answer, and not the next one.
    pub(super) async fn verify(&self, by: Verifiers) {
        let ends = {
            // Nothing in between can panic half-way.
            let mut busy = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            let all = busy.len() >= usize::from(by.number.get());
            let free = if all { busy.pop().map_or(now, |Reverse(free)| free.max(now)) } else { now };
            let ends = free + by.time;
            busy.push(Reverse(ends));
            ends
        };
        tokio::time::sleep_until(ends).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn so_many_are_verified_at_once_and_the_others_wait() {
        let by = Verifiers { number: NonZeroU16::new(2).unwrap(), time: Duration::from_millis(10) };
        assert!((by.capacity() - 200.0).abs() < 1e-9);
        let (at_work, began) = (AtWork::default(), Instant::now());
        let ended = futures_util::future::join_all((0..7).map(|_| async {
            at_work.verify(by).await;
            began.elapsed().as_millis()
        }));
        assert_eq!(ended.await, [10, 10, 20, 20, 30, 30, 40]);
        // Who comes later finds them free.
        tokio::time::advance(Duration::from_millis(100)).await;
        let began = Instant::now();
        at_work.verify(by).await;
        assert_eq!(began.elapsed().as_millis(), 10);
    }
}
