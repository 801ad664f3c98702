//! A crowd: simulated clients who each wait for an answer, think, and come again. The closed model.
//!
//! How fast a crowd comes depends on how fast it is answered, so a target that slows down is asked less, and its slowness
//! shows in few of the times. A crowd says what so many clients get through; when a rate is to be borne, the schedule of
//! [`super::pace`] is the model.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use super::pace::{Shard, Spacing};

/// Who could not be served for want of a code or a connection comes again no sooner.
const REST_NS: u64 = 10_000_000;

/// Clients who come again and again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Crowd {
    /// How many there are.
    pub clients: u32,
    /// How long each thinks after an answer: just so long, or on average.
    pub think: Duration,
}

/// The arrivals of a shard's part of a crowd.
#[derive(Debug)]
pub(super) struct CrowdArrivals {
    /// When each client who thinks will have thought.
    thinking: BinaryHeap<Reverse<u64>>,
    think_ns: f64,
    /// Think times vary, where they do.
    random: Option<StdRng>,
    end_ns: u64,
}

impl CrowdArrivals {
    pub(super) fn new(crowd: Crowd, spacing: Spacing, shard: Shard, seed: u64, end_ns: u64) -> Self {
        let clients = shard.part(crowd.clients).len();
        let think_ns = crowd.think.as_nanos() as f64;
        let mut random = StdRng::seed_from_u64(seed ^ 0x6372_6f77 ^ (u64::from(shard.index) << 40));
        // They do not all begin at once, unless they never think.
        let thinking = (0..clients).map(|_| Reverse((random.random::<f64>() * think_ns) as u64)).collect();
        let random = (spacing == Spacing::Poisson && think_ns > 0.0).then_some(random);
        CrowdArrivals { thinking, think_ns, random, end_ns }
    }

    /// When the next client comes, if one thinks and will have thought before the end.
    pub(super) fn peek(&self) -> Option<u64> {
        self.thinking.peek().map(|Reverse(due)| *due).filter(|due| *due < self.end_ns)
    }

    /// The client who comes next.
    pub(super) fn next(&mut self) -> Option<u64> {
        self.peek()?;
        self.thinking.pop().map(|Reverse(due)| due)
    }

    /// A client has been answered, or was given up.
    pub(super) fn ended(&mut self, served: bool, now: u64) {
        let thinks = match &mut self.random {
            Some(random) => -(1.0 - random.random::<f64>()).ln() * self.think_ns,
            None => self.think_ns,
        } as u64;
        let thinks = if served { thinks } else { thinks.max(REST_NS) };
        self.thinking.push(Reverse(now.saturating_add(thinks)));
    }

    /// Whether nobody comes again from now on.
    pub(super) fn is_over(&self, now: u64) -> bool {
        now >= self.end_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn crowd(clients: u32, think_ms: u64, spacing: Spacing) -> CrowdArrivals {
        let crowd = Crowd { clients, think: Duration::from_millis(think_ms) };
        CrowdArrivals::new(crowd, spacing, Shard::WHOLE, 1, 1_000 * MS)
    }

    #[test]
    fn a_client_comes_again_when_it_has_thought_and_nobody_after_the_end() {
        let mut crowd = crowd(1, 10, Spacing::Even);
        let first = crowd.next().expect("it comes");
        assert!(first < 10 * MS);
        assert_eq!(crowd.peek(), None);
        crowd.ended(true, 500 * MS);
        assert_eq!(crowd.next(), Some(510 * MS));
        crowd.ended(true, 995 * MS);
        assert_eq!((crowd.next(), crowd.is_over(995 * MS), crowd.is_over(1_000 * MS)), (None, false, true));
    }

    #[test]
    fn without_a_thought_all_come_at_once_and_again_at_once_unless_they_were_not_served() {
        let mut crowd = crowd(3, 0, Spacing::Poisson);
        assert_eq!([crowd.next(), crowd.next(), crowd.next(), crowd.next()], [Some(0), Some(0), Some(0), None]);
        crowd.ended(true, 7);
        crowd.ended(false, 8);
        assert_eq!((crowd.next(), crowd.next()), (Some(7), Some(8 + REST_NS)));
    }

    #[test]
    fn thoughts_that_vary_do_so_around_their_mean() {
        let mut crowd = crowd(1, 1, Spacing::Poisson);
        crowd.next();
        crowd.end_ns = u64::MAX;
        let mut thought = Vec::new();
        for _ in 0..10_000 {
            crowd.ended(true, 0);
            thought.push(crowd.next().expect("it comes") as f64 / MS as f64);
        }
        let mean = thought.iter().sum::<f64>() / thought.len() as f64;
        assert!((mean - 1.0).abs() < 0.05, "{mean}");
        assert!(thought.iter().any(|ms| *ms > 3.0) && thought.iter().any(|ms| *ms < 0.1));
    }
}
