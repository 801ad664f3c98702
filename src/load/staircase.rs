//! The up-and-down method (Dixon and Mood, 1948), which confirms what a search has found.
//!
//! A rate that meets the objectives is followed by the one above it, a rate that does not by the one below. For a target
//! that is always the same this goes to and fro between the two rates that the search has found already. One that bears
//! more in some minutes than in others, because others use its machine, is followed wherever it goes, and the answer is
//! the pair of neighbouring rates that it was at on average: neither its worst minute nor its best, and not whichever
//! came last. What comes before the first turn is the way there and does not count.

use std::collections::BTreeMap;

use super::quantity::Rate;
use super::search::{Bounds, End, Shown, ceiling, lower, unbounded};

/// A target that falls below this share of what the search had found is never going to be confirmed.
const LOWEST: f64 = 0.6;
/// Whatever they show, so many probes are enough, or twice as many as were asked for.
const MOST_PROBES: u32 = 32;

/// Probes that confirm an answer.
#[derive(Debug, Clone)]
pub(super) struct Staircase {
    bounds: Bounds,
    /// The rate of step zero.
    base: Rate,
    step: i32,
    /// The steps that were probed, in order, as far as they count.
    walk: Vec<i32>,
    has_turned: bool,
    probes: u32,
    seen: BTreeMap<i32, Seen>,
}

/// What the probes of one step have shown.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    met: u32,
    missed: u32,
    invalid: u32,
}

impl Seen {
    fn not_met(self) -> u32 {
        self.missed + self.invalid
    }
}

impl Staircase {
    /// Begins with a rate that met the objectives.
    pub(super) fn from(base: Rate, bounds: &Bounds) -> Self {
        Staircase {
            bounds: *bounds,
            base,
            step: 0,
            walk: Vec::new(),
            has_turned: false,
            probes: 0,
            seen: BTreeMap::new(),
        }
    }

    /// The rate to probe.
    pub(super) fn rate(&self) -> Rate {
        self.rate_of(self.step)
    }

    fn rate_of(&self, step: i32) -> Rate {
        let raised = self.base.get() * (1.0 + self.bounds.within.get()).powi(step);
        lower(Rate::per_second(raised), ceiling(&self.bounds))
    }

    fn is_highest(&self, step: i32) -> bool {
        self.rate_of(step) >= ceiling(&self.bounds)
    }

    /// Takes in what a probe showed; how the search ends, if that was the last one it takes.
    pub(super) fn take(&mut self, shown: Shown) -> Option<End> {
        self.probes += 1;
        let seen = self.seen.entry(self.step).or_default();
        match shown {
            Shown::Met => seen.met += 1,
            Shown::Missed => seen.missed += 1,
            Shown::Invalid => seen.invalid += 1,
        }
        let next = match shown {
            Shown::Met if self.is_highest(self.step) => self.step,
            Shown::Met => self.step + 1,
            Shown::Missed | Shown::Invalid => self.step - 1,
        };
        let strides = self.walk.last().map(|before| (self.step - before, next - self.step));
        let goes_on = strides.is_some_and(|(before, now)| before == now && now != 0);
        if goes_on && !self.has_turned {
            self.walk.clear();
        }
        self.has_turned |= !self.walk.is_empty() && !goes_on;
        self.walk.push(self.step);
        self.step = next;
        let is_enough = self.walk.len() >= 2 * self.bounds.repeats as usize || self.holds_at_the_top();
        let is_most = self.has_turned && self.probes >= MOST_PROBES.max(4 * self.bounds.repeats);
        match self.answer() {
            Some(end) if is_enough => Some(end),
            answer if is_most || self.rate().get() < self.base.get() * LOWEST => {
                Some(answer.unwrap_or_else(|| self.never()))
            }
            _ => None,
        }
    }

    /// Whether the highest rate has been met often enough, which has no other above it to be missed.
    fn holds_at_the_top(&self) -> bool {
        let seen = self.seen.get(&self.step).copied().unwrap_or_default();
        self.is_highest(self.step) && seen.met >= self.bounds.repeats && seen.not_met() == 0
    }

    /// What has been shown so far: of the pairs of rates that were passed, the one that is nearest to the mean. There is
    /// none while a target only gets slower: it meets each rate at most once, and then never again.
    fn answer(&self) -> Option<End> {
        let first = self.walk.first()?;
        let count = self.walk.len() as f64;
        if f64::from(first - self.step) > count / 2.0 {
            return None;
        }
        let mean = self.walk.iter().map(|step| f64::from(*step)).sum::<f64>() / count;
        let away = |step: &i32| (f64::from(*step) + 0.5 - mean).abs();
        let passed = self.seen.keys().copied().filter(|step| self.has_passed(*step));
        passed.min_by(|one, other| away(one).total_cmp(&away(other))).map(|step| self.end_at(step))
    }

    /// Whether a step was met and the one above it was not, or is not to be asked for.
    fn has_passed(&self, step: i32) -> bool {
        let seen = |step| self.seen.get(&step).copied().unwrap_or_default();
        seen(step).met > 0 && (self.is_highest(step) || seen(step + 1).not_met() > 0)
    }

    fn end_at(&self, step: i32) -> End {
        let rate = self.rate_of(step);
        if self.is_highest(step) {
            return unbounded(rate, &self.bounds);
        }
        let above = self.seen.get(&(step + 1)).copied().unwrap_or_default();
        if above.invalid > above.missed {
            End::GeneratorBound { at_least: rate }
        } else {
            End::Found { rate, missed: self.rate_of(step + 1) }
        }
    }

    fn never(&self) -> End {
        let (missed, invalid) =
            self.seen.values().fold((0, 0), |(missed, invalid), seen| (missed + seen.missed, invalid + seen.invalid));
        if invalid > missed {
            End::GeneratorBound { at_least: Rate::per_second(0.0) }
        } else {
            End::Doomed { tried: self.rate() }
        }
    }
}
