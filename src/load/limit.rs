//! What a run or a search was limited by where it was not the target.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::document::Probe;
use super::fate::Fate;
use super::mix::Kind;
use super::search::Shown;
use super::tally::{Sums, Unopened};
use crate::judge::Verdict;

/// What was the limit in place of the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Limit {
    /// This program, or this machine.
    Sender,
    /// The users, who had no unspent code.
    Users,
}

/// Why a run says nothing about the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// What was the limit.
    pub limit: Limit,
    /// In words.
    pub words: String,
}

/// A target that takes so many times as long for a request as it did at a lower rate has become slower.
const SLOWER: f64 = 1.5;
/// Whoever waits for a connection for such a share of the time that a request has one, waits for connections.
const WAITS: f64 = 0.1;
/// All connections are in use where each is for such a share of the time; fewer of them wait for arrivals for more of it,
/// by [`IDLE`] over the root of their number, as every second arrival has to wait by then (Halfin and Whitt, 1981).
const IN_USE: f64 = 0.9;
/// See above.
const IDLE: f64 = 0.5;
/// Where a larger share than this is answered otherwise than it must be, it is not connections that there are too few of.
const AMISS: f64 = 0.01;

/// The share of the time in which a connection was in use or being opened, on average of them all; more than all of it
/// where what came within the time was still worked off after it.
pub fn in_use(connections: u32, lasted: Duration, whole: &Sums) -> f64 {
    let used_ns = whole.held_ns as f64 + whole.opening_ns as f64;
    used_ns / (lasted.as_nanos() as f64 * f64::from(connections.max(1))).max(1.0)
}

/// Whether all connections were in use, and nothing was amiss but that they were waited for.
pub fn is_saturated(connections: u32, lasted: Duration, whole: &Sums) -> bool {
    let ended = whole.counts.sum(|_, _| true);
    let fine =
        |kind: Kind, fate: Fate| fate.judged(kind) == Verdict::Exact || matches!(fate, Fate::Unsent | Fate::Starved);
    let amiss = ended - whole.counts.sum(fine);
    in_use(connections, lasted, whole) >= (1.0 - IDLE / f64::from(connections.max(1)).sqrt()).min(IN_USE)
        && whole.unopened(Unopened::ByTarget) == 0
        && (amiss as f64) <= AMISS * ended as f64
}

/// Whether a run was short of connections: all were in use, and waited for.
pub fn is_short_of_connections(connections: u32, lasted: Duration, whole: &Sums) -> bool {
    let waits = |(waited, held): (Duration, Duration)| waited.as_secs_f64() > WAITS * held.as_secs_f64();
    is_saturated(connections, lasted, whole) && whole.waited_mean().zip(whole.held_mean()).is_some_and(waits)
}

/// Whether a rate was missed because there were no more connections: all were in use and waited for, what was answered was
/// answered rightly, and a request held its own no longer than at lower rates.
///
/// By Little's law *N* connections bear *N / S* requests a second, where *S* is the time that a request holds its
/// connection. A target that is at its limit makes *S* longer; one that is not would answer as many more as there were
/// more connections. So whoever has fewer than half as many again as a target works on at once measures his connections.
pub fn were_connections(probes: &[Probe], missed: f64) -> bool {
    let of_rate = |probe: &&Probe| probe.shown == Shown::Missed && (probe.rate - missed).abs() <= missed * 1e-9;
    let missing = || probes.iter().filter(of_rate);
    let times: Vec<(f64, f64)> = missing().filter_map(|probe| probe.held_mean_us.zip(probe.waited_mean_us)).collect();
    let lower = probes.iter().filter(|probe| probe.shown == Shown::Met && probe.rate < missed);
    let Some(least) = lower.filter_map(|probe| probe.held_mean_us).reduce(f64::min).filter(|_| !times.is_empty())
    else {
        return false;
    };
    let held: f64 = times.iter().map(|(held, _)| held).sum();
    let waited: f64 = times.iter().map(|(_, waited)| waited).sum();
    missing().all(|probe| probe.saturated) && held < SLOWER * least * times.len() as f64 && waited > WAITS * held
}

/// What made the last probe that says nothing say nothing.
pub fn of_last_invalid(probes: &[Probe]) -> Option<Limit> {
    probes.iter().rev().find(|probe| probe.shown == Shown::Invalid).and_then(|probe| probe.limit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::search::Purpose;

    fn probe(rate: f64, shown: Shown, held_us: f64, waited_us: f64) -> Probe {
        let (held_mean_us, waited_mean_us) = (Some(held_us), Some(waited_us));
        Probe {
            held_mean_us,
            waited_mean_us,
            saturated: shown == Shown::Missed,
            ..Probe::bare(rate, Purpose::Search, shown)
        }
    }

    #[test]
    fn connections_are_all_in_use_where_they_are_busy_and_what_they_bring_is_right() {
        let saturated = |connections: u32, held_ms: u64, fate: Fate| {
            let mut tally = crate::load::tally::Tally::new(0);
            for due in 0..100 {
                tally.taken_up(due, due);
                tally.held(due, held_ms * 1_000_000);
                tally.ended(Kind::Right, if due < 90 { Fate::Accepted } else { fate }, due, Some(due), due);
            }
            is_saturated(connections, Duration::from_secs(1), &tally.whole)
        };
        // A hundred requests of 20 ms are two seconds of a connection each second.
        assert!(saturated(2, 20, Fate::Accepted) && saturated(2, 20, Fate::Unsent));
        assert!(!saturated(64, 20, Fate::Accepted));
        // A target that fails is not short of connections.
        assert!(!saturated(2, 20, Fate::ServerError));
        // One of two is idle for a third of the time before anybody waits for long; of a hundred, hardly any.
        assert!(saturated(2, 14, Fate::Accepted) && !saturated(2, 12, Fate::Accepted));
        assert!(saturated(100, 910, Fate::Accepted) && !saturated(100, 850, Fate::Accepted));
    }

    #[test]
    fn a_run_is_short_of_connections_where_they_are_waited_for() {
        let short = |held_ms: u64, waited_ms: u64| {
            let mut tally = crate::load::tally::Tally::new(0);
            for due in 0..100 {
                tally.taken_up(due, due);
                tally.requested(due);
                tally.held(due, held_ms * 1_000_000);
                tally.waited(due, waited_ms * 1_000_000);
                tally.ended(Kind::Right, Fate::Accepted, due, Some(due), due);
            }
            is_short_of_connections(2, Duration::from_secs(1), &tally.whole)
        };
        assert!(short(20, 40) && !short(20, 1), "they are waited for");
        assert!(!short(5, 40), "they are idle half the time");
    }

    #[test]
    fn connections_are_the_limit_where_they_are_waited_for_and_the_target_is_as_fast_as_ever() {
        // Two connections, twenty milliseconds: a hundred a second.
        let fast = [probe(50.0, Shown::Met, 20_000.0, 100.0), probe(102.0, Shown::Missed, 20_400.0, 400_000.0)];
        assert!(were_connections(&fast, 102.0));
        // The same where they were not all in use, or something else was amiss.
        let amiss = [fast[0].clone(), Probe { saturated: false, ..fast[1].clone() }];
        assert!(!were_connections(&amiss, 102.0));
        // The same rates of a target that makes everyone wait: 64 connections.
        let slow = [probe(50.0, Shown::Met, 20_000.0, 0.0), probe(102.0, Shown::Missed, 640_000.0, 400_000.0)];
        assert!(!were_connections(&slow, 102.0));
        // Slow at any rate, and nobody waits.
        let idle = [probe(50.0, Shown::Met, 20_000.0, 0.0), probe(102.0, Shown::Missed, 20_400.0, 1_000.0)];
        assert!(!were_connections(&idle, 102.0));
        // Nothing to compare with: it was never faster.
        assert!(!were_connections(&fast[1..], 102.0));
        assert!(!were_connections(&fast, 50.0));
    }

    #[test]
    fn what_made_the_last_probe_say_nothing_is_the_limit() {
        let users = Probe { limit: Some(Limit::Users), ..probe(9.0, Shown::Invalid, 1.0, 0.0) };
        assert_eq!(of_last_invalid(&[users.clone(), probe(1.0, Shown::Met, 1.0, 0.0)]), Some(Limit::Users));
        let sender = Probe { limit: Some(Limit::Sender), ..users.clone() };
        assert_eq!(of_last_invalid(&[users, sender]), Some(Limit::Sender));
        assert_eq!(of_last_invalid(&[]), None);
    }
}
