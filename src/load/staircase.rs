//! The up-and-down method (Dixon and Mood, 1948), which confirms what a search has found.
//!
//! A rate that meets the objectives is followed by the one above it, a rate that does not by the one below. For a target
//! that is always the same this goes to and fro between the two rates that the search has found already. One that bears
//! more in some minutes than in others, because others use its machine, is followed wherever it goes, and the answer is
//! the pair of neighbouring rates that it was at on average: neither its worst minute nor its best, and not whichever
//! came last. The way there, in strides that double until the first turn and are halved at each, does not count.

use super::search::{Bounds, End, Shown, ceiling, lower, never, unbounded};
use crate::quantity::Rate;

/// A target that falls below this share of what the search had found meets the objectives at no rate.
const LOWEST: f64 = 1.0 / 64.0;
/// The longest stride.
const LONGEST: i32 = 256;
/// Whatever they show, so many probes are enough, or four times as many as each side is to be confirmed.
const MOST_PROBES: u32 = 64;

/// Probes that confirm an answer.
#[derive(Debug, Clone)]
pub(super) struct Staircase {
    bounds: Bounds,
    /// The rate of step zero.
    base: Rate,
    /// The first step that has the highest rate that may be asked for.
    top: i32,
    step: i32,
    stride: i32,
    /// Whether the last probe led up, down, or nowhere; none before the first.
    direction: Option<i32>,
    has_turned: bool,
    /// What the probes showed, in order.
    walk: Vec<(i32, Shown)>,
    /// Whether the last of them count, and from which one on.
    counts: bool,
    from: usize,
    /// A probe that says nothing about the target has to be seen again.
    doubted: bool,
    probes: u32,
    lowest: Rate,
}

impl Staircase {
    /// Begins with a rate that met the objectives.
    pub(super) fn from(base: Rate, bounds: &Bounds) -> Self {
        let room = (ceiling(bounds).get() / base.get()).ln() / bounds.within.get().ln_1p();
        // Rounded down a hair's breadth: the rate that a step was made of is that step.
        let top = (room - 1e-6).ceil().clamp(0.0, f64::from(i32::MAX / 4)) as i32;
        Staircase {
            bounds: *bounds,
            base,
            top,
            step: 0,
            stride: 1,
            direction: None,
            has_turned: false,
            walk: Vec::new(),
            counts: false,
            from: 0,
            doubted: false,
            probes: 0,
            lowest: base,
        }
    }

    /// The rate to probe.
    pub(super) fn rate(&self) -> Rate {
        self.rate_of(self.step)
    }

    fn rate_of(&self, step: i32) -> Rate {
        if step >= self.top {
            return ceiling(&self.bounds);
        }
        let raised = self.base.get() * (1.0 + self.bounds.within.get()).powi(step);
        lower(Rate::per_second(raised), ceiling(&self.bounds))
    }

    /// Takes in what a probe showed; how the search ends, if that was the last one it takes.
    pub(super) fn take(&mut self, shown: Shown) -> Option<End> {
        self.probes += 1;
        self.lowest = lower(self.lowest, self.rate());
        if shown == Shown::Invalid && !std::mem::replace(&mut self.doubted, true) {
            return None;
        }
        self.doubted = false;
        let direction = match shown {
            Shown::Met if self.step >= self.top => 0,
            Shown::Met => 1,
            Shown::Missed | Shown::NoData | Shown::Silent | Shown::Invalid => -1,
        };
        self.note(shown, direction);
        self.step = (self.step + direction * self.stride).min(self.top);
        if self.probes >= MOST_PROBES.max(4 * self.bounds.repeats) {
            // What never came to rest is read from all that was seen.
            self.from = if self.counts { self.from } else { 0 };
            return Some(self.answer().unwrap_or_else(|| never(self.lowest, shown)));
        }
        if self.counts && self.is_enough() {
            if let Some(end) = self.answer().filter(|_| !self.is_way()) {
                return Some(end);
            }
            // It has gone somewhere else, and is looked for there.
            (self.counts, self.has_turned, self.stride) = (false, false, 2);
        }
        (self.rate().get() < self.base.get() * LOWEST).then(|| never(self.lowest, shown))
    }

    /// Whether what was shown counts, and how far the next stride goes.
    fn note(&mut self, shown: Shown, direction: i32) {
        let turns = direction == 0 || self.direction.is_some_and(|before| before != direction);
        let goes_on = self.direction == Some(direction);
        self.direction = Some(direction);
        if !self.counts {
            self.counts = turns && (self.stride == 1 || direction == 0);
            // A turn is made of two.
            self.from = self.walk.len() - usize::from(self.counts && direction != 0);
            self.has_turned |= turns;
            if turns {
                self.stride = (self.stride / 2).max(1);
            } else if goes_on && !self.has_turned {
                self.stride = (self.stride * 2).min(LONGEST);
            }
        }
        self.walk.push((self.step, shown));
    }

    /// What counts.
    fn counted(&self) -> &[(i32, Shown)] {
        &self.walk[self.from..]
    }

    fn is_enough(&self) -> bool {
        self.counted().len() >= 2 * self.bounds.repeats as usize || self.holds_at_the_top()
    }

    /// Whether what counts leads from one place to another, and says nothing of where the target is on average.
    fn is_way(&self) -> bool {
        let from = self.counted().first().map_or(self.step, |(step, _)| *step);
        (from - self.step).unsigned_abs() as usize > self.counted().len() / 2
    }

    /// Whether the highest rate has been met often enough, which has no other above it to be missed.
    fn holds_at_the_top(&self) -> bool {
        self.met(self.top) >= self.bounds.repeats as usize && self.not_met(self.top) == 0
    }

    /// What has been shown so far: the highest rate, where it was met more often than not, or else of the pairs of rates
    /// that were passed the one that is nearest to the mean.
    fn answer(&self) -> Option<End> {
        if self.met(self.top) > self.not_met(self.top) {
            return Some(unbounded(self.rate_of(self.top), &self.bounds));
        }
        let mean =
            self.counted().iter().map(|(step, _)| f64::from(*step)).sum::<f64>() / self.counted().len().max(1) as f64;
        let away = |step: &i32| (f64::from(*step) + 0.5 - mean).abs();
        let steps = self.counted().iter().map(|(step, _)| *step).filter(|step| *step < self.top);
        let passed = steps.filter(|step| self.met(*step) > 0 && self.not_met(*step + 1) > 0);
        passed.min_by(|one, other| away(one).total_cmp(&away(other))).map(|step| self.end_at(step))
    }

    fn met(&self, step: i32) -> usize {
        self.count(step, |shown| shown == Shown::Met)
    }

    fn not_met(&self, step: i32) -> usize {
        self.count(step, |shown| shown != Shown::Met)
    }

    fn count(&self, step: i32, counts: impl Fn(Shown) -> bool) -> usize {
        self.counted().iter().filter(|(walked, shown)| *walked == step && counts(*shown)).count()
    }

    /// The end between a step and the one above it.
    fn end_at(&self, step: i32) -> End {
        let (rate, missed) = (self.rate_of(step), self.rate_of(step + 1));
        let ours = self.count(step + 1, |shown| shown == Shown::Invalid);
        if 2 * ours >= self.not_met(step + 1) {
            End::GeneratorBound { at_least: rate }
        } else {
            End::Found { rate, missed }
        }
    }
}
