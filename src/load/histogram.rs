//! Histograms of times: bounded, mergeable, exact to three digits, written out in the HDR V2 format.

use std::time::Duration;

use hdrhistogram::Histogram;

/// The shortest time that is told from none, in nanoseconds.
const LEAST_NS: u64 = 1_000;
/// The longest that is told from longer ones: ten minutes.
const MOST_NS: u64 = 600_000_000_000;
/// A histogram of a whole run keeps so many digits, one of a second one less.
const DIGITS: u8 = 3;

/// How often what took how long. Its size does not depend on how much it holds.
#[derive(Clone)]
pub struct Times(Histogram<u64>);

impl Times {
    /// For a whole run.
    pub fn of_run() -> Self {
        Self::with(DIGITS)
    }

    /// For a second of one: a tenth of the size.
    pub fn of_second() -> Self {
        Self::with(DIGITS - 1)
    }

    fn with(digits: u8) -> Self {
        let histogram = Histogram::new_with_bounds(LEAST_NS, MOST_NS, digits);
        Times(histogram.expect("the bounds are constants, in order and more than a factor of two apart"))
    }

    /// Takes a time in. Longer ones than it can tell apart count as the longest.
    pub fn record(&mut self, ns: u64) {
        self.0.saturating_record(ns);
    }

    /// Takes in all that another has.
    pub fn merge(&mut self, other: &Times) {
        // Both have the same bounds, so nothing is out of range.
        let _ = self.0.add(&other.0);
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.0.reset();
    }

    /// How many it holds.
    pub fn len(&self) -> u64 {
        self.0.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A quantile, from 0 to 1; none of none.
    pub fn quantile(&self, quantile: f64) -> Option<Duration> {
        (!self.is_empty()).then(|| Duration::from_nanos(self.0.value_at_quantile(quantile)))
    }

    /// The longest; none of none.
    pub fn longest(&self) -> Option<Duration> {
        (!self.is_empty()).then(|| Duration::from_nanos(self.0.max()))
    }

    /// The mean; none of none.
    pub fn mean(&self) -> Option<Duration> {
        (!self.is_empty()).then(|| Duration::from_nanos(self.0.mean() as u64))
    }

    /// The library's own type, to be written out.
    pub fn inner(&self) -> &Histogram<u64> {
        &self.0
    }
}

impl std::fmt::Debug for Times {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Times({} of them)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_merge_into_the_whole_exactly() {
        let mut whole = Times::of_run();
        let mut parts = [Times::of_run(), Times::of_run()];
        for ns in (0..100_000).map(|at| at * at) {
            whole.record(ns);
            parts[usize::try_from(ns % 2).expect("0 or 1")].record(ns);
        }
        let [mut first, second] = parts;
        first.merge(&second);
        assert_eq!(first.inner(), whole.inner());
    }

    #[test]
    fn quantiles_are_exact_to_three_digits_and_of_nothing_there_are_none() {
        let mut times = Times::of_run();
        assert_eq!(times.quantile(0.5), None);
        (1..=1_000).for_each(|ms| times.record(ms * 1_000_000));
        let p99 = times.quantile(0.99).expect("there are some").as_secs_f64();
        assert!((p99 - 0.99).abs() < 0.001, "{p99}");
        times.record(u64::MAX);
        assert!(times.longest().expect("there are some") >= Duration::from_secs(600));
        assert_eq!(times.len(), 1_001);
    }
}
