//! Pace: when each arrival is due, as a pure function of a profile and a seed.
//!
//! A pace is a rate over time, made of pieces on which the rate is a straight line. Arrivals are spaced in units of the
//! area under it: evenly, or as a Poisson process has them. The area's inverse has a closed form, so no arrival depends
//! on a clock or on rounding that adds up. Shards cut a pace without talking to each other: evenly spaced arrivals are
//! dealt out in turn, and Poisson processes of a part of the rate each add up to one of the whole.

use std::iter::Peekable;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use super::crowd::{Crowd, CrowdArrivals};
use crate::quantity::Rate;

/// A piece of a pace, on which the rate goes evenly from one value to another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Piece {
    /// The rate at its beginning.
    pub from: Rate,
    /// The rate at its end.
    pub to: Rate,
    /// How long it lasts.
    pub lasts: Duration,
}

/// How arrivals are spaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Spacing {
    /// As independent users have it: a Poisson process.
    #[default]
    Poisson,
    /// Evenly.
    Even,
}

impl Spacing {
    /// Its name in profiles and results.
    pub fn name(self) -> &'static str {
        match self {
            Spacing::Poisson => "poisson",
            Spacing::Even => "even",
        }
    }
}

/// A herd: at each edge of a 30-second step so many more arrive, within a while.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Herd {
    /// How many.
    pub size: u32,
    /// Within how long after the edge, evenly.
    pub within: Duration,
}

/// The rate of arrivals over time.
#[derive(Debug, Clone, PartialEq)]
pub struct Pace {
    /// The pieces, one after the other.
    pub pieces: Vec<Piece>,
    /// How arrivals are spaced.
    pub spacing: Spacing,
    /// Who comes at each edge of a step.
    pub herd: Option<Herd>,
    /// Clients who come when they have been answered, in place of a schedule. The rate is then what they may reach.
    pub crowd: Option<Crowd>,
}

/// One of several parts of a run that work without talking to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// Which, from 0.
    pub index: u32,
    /// Of how many.
    pub of: u32,
}

impl Shard {
    /// The only one.
    pub const WHOLE: Shard = Shard { index: 0, of: 1 };

    /// This shard's part of a number of things: a range that no other shard has.
    pub fn part(self, whole: u32) -> std::ops::Range<u32> {
        let at = |index: u32| {
            let at = u64::from(whole) * u64::from(index) / u64::from(self.of.max(1));
            u32::try_from(at).unwrap_or(whole)
        };
        at(self.index)..at(self.index + 1)
    }
}

/// The length of a time step, in nanoseconds (RFC 6238 §4.1).
pub const STEP_NS: u64 = 30_000_000_000;

impl Piece {
    /// A piece of one rate.
    pub fn constant(rate: Rate, lasts: Duration) -> Self {
        Piece { from: rate, to: rate, lasts }
    }

    /// How many arrive in its first `seconds`.
    fn area(&self, seconds: f64) -> f64 {
        let slope = self.slope();
        self.from.get() * seconds + slope * seconds * seconds / 2.0
    }

    /// When so many have arrived: the positive root of `from·t + slope·t²/2 = area`.
    fn when(&self, area: f64) -> f64 {
        let (from, slope) = (self.from.get(), self.slope());
        let root = (from * from + 2.0 * slope * area).max(0.0).sqrt();
        // This form of the root does not divide by the slope, which may be next to nothing.
        if from + root > 0.0 { 2.0 * area / (from + root) } else { f64::INFINITY }
    }

    fn slope(&self) -> f64 {
        let seconds = self.lasts.as_secs_f64();
        if seconds > 0.0 { (self.to.get() - self.from.get()) / seconds } else { 0.0 }
    }
}

impl Pace {
    /// A pace of one rate.
    pub fn constant(rate: Rate, lasts: Duration, spacing: Spacing) -> Self {
        Pace { pieces: vec![Piece::constant(rate, lasts)], spacing, herd: None, crowd: None }
    }

    /// How long it lasts.
    pub fn lasts(&self) -> Duration {
        self.pieces.iter().map(|piece| piece.lasts).sum()
    }

    /// How many are expected to arrive, the herd left out, until `seconds` have passed.
    pub fn expected(&self, seconds: f64) -> f64 {
        let mut begins = 0.0;
        let mut sum = 0.0;
        for piece in &self.pieces {
            let lasts = piece.lasts.as_secs_f64();
            sum += piece.area((seconds - begins).clamp(0.0, lasts));
            begins += lasts;
        }
        sum
    }

    /// The highest rate that is reached, the herd left out.
    pub fn peak(&self) -> Rate {
        let peak = self.pieces.iter().map(|piece| piece.from.get().max(piece.to.get())).fold(0.0, f64::max);
        Rate::per_second(peak)
    }

    /// The most arrivals that are expected in any `window`, the herd included once: what a window of one step costs.
    pub fn most_in(&self, window: Duration) -> f64 {
        let window = window.as_secs_f64();
        let mut edges = vec![0.0];
        for piece in &self.pieces {
            edges.push(edges.last().copied().unwrap_or_default() + piece.lasts.as_secs_f64());
        }
        let end = edges.last().copied().unwrap_or_default();
        // The area in a window is extreme where it begins or ends at an edge, or where the rates at its ends are equal.
        let mut starts: Vec<f64> = edges.iter().flat_map(|edge| [*edge, edge - window]).collect();
        starts.sort_by(f64::total_cmp);
        let between: Vec<f64> =
            starts.windows(2).filter_map(|pair| self.equal_ends(pair[0], pair[1], window)).collect();
        starts.extend(between);
        let inside = starts.iter().filter(|start| **start > -window && **start < end);
        let most =
            inside.map(|start| self.expected(start + window) - self.expected(start.max(0.0))).fold(0.0, f64::max);
        most + self.herd.map_or(0.0, |herd| f64::from(herd.size))
    }

    /// Where between two starts the rates at a window's ends are equal, if they are.
    fn equal_ends(&self, low: f64, high: f64, window: f64) -> Option<f64> {
        let gap = |start: f64| self.rate_at(start + window) - self.rate_at(start);
        let inset = (high - low) * 1e-9;
        let (at_low, at_high) = (gap(low + inset), gap(high - inset));
        (at_low.signum() != at_high.signum() && at_low != at_high)
            .then(|| low + (high - low) * at_low / (at_low - at_high))
    }

    /// The rate at a moment.
    pub fn rate_at(&self, seconds: f64) -> f64 {
        let mut begins = 0.0;
        for piece in &self.pieces {
            let lasts = piece.lasts.as_secs_f64();
            if seconds >= begins && seconds < begins + lasts {
                return piece.from.get() + piece.slope() * (seconds - begins);
            }
            begins += lasts;
        }
        0.0
    }

    /// The arrivals of a shard, in nanoseconds from the start. `first_edge_ns` is how far off the first edge of a step
    /// is then.
    pub fn arrivals(&self, shard: Shard, seed: u64, first_edge_ns: u64) -> Arrivals {
        let herd = self.herd.map(|herd| HerdArrivals {
            members: herd.size.saturating_sub(shard.index).div_ceil(shard.of.max(1)),
            spread_ns: nanos(herd.within),
            edge_ns: first_edge_ns,
            next: 0,
            end_ns: nanos(self.lasts()),
        });
        let end_ns = nanos(self.lasts());
        let crowd = self.crowd.map(|crowd| CrowdArrivals::new(crowd, self.spacing, shard, seed, end_ns));
        Arrivals {
            crowd,
            own: OwnArrivals {
                pieces: self.pieces.clone(),
                piece: 0,
                before_ns: 0,
                area: 0.0,
                gaps: Gaps::new(self.spacing, shard, seed),
            }
            .peekable(),
            herd: herd.unwrap_or_default().peekable(),
        }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// The distances between arrivals, as areas under the rate.
#[derive(Debug)]
enum Gaps {
    Even { first: Option<f64>, of: f64 },
    Poisson { random: Box<StdRng>, of: f64 },
}

impl Gaps {
    fn new(spacing: Spacing, shard: Shard, seed: u64) -> Self {
        let of = f64::from(shard.of.max(1));
        match spacing {
            Spacing::Even => Gaps::Even { first: Some(f64::from(shard.index) + 0.5), of },
            Spacing::Poisson => {
                // Neighbouring seeds and shards must not give neighbouring streams.
                let stream = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (u64::from(shard.index) << 32 | 0x5bd1);
                Gaps::Poisson { random: Box::new(StdRng::seed_from_u64(stream)), of }
            }
        }
    }

    fn next(&mut self) -> f64 {
        match self {
            Gaps::Even { first, of } => first.take().unwrap_or(*of),
            // The inverse of the exponential distribution, whose argument is never 0.
            Gaps::Poisson { random, of } => -(1.0 - random.random::<f64>()).ln() * *of,
        }
    }
}

/// The arrivals of a shard, in order, in nanoseconds from the start.
#[derive(Debug)]
pub struct Arrivals {
    /// In place of the others.
    crowd: Option<CrowdArrivals>,
    own: Peekable<OwnArrivals>,
    herd: Peekable<HerdArrivals>,
}

impl Arrivals {
    /// When the next one is due.
    pub fn peek(&mut self) -> Option<u64> {
        if let Some(crowd) = &self.crowd {
            return crowd.peek();
        }
        match (self.own.peek().copied(), self.herd.peek().copied()) {
            (Some(own), Some(herd)) => Some(own.min(herd)),
            (own, herd) => own.or(herd),
        }
    }

    /// An arrival has been answered, or was given up without ever being served.
    pub fn ended(&mut self, served: bool, now: u64) {
        if let Some(crowd) = &mut self.crowd {
            crowd.ended(served, now);
        }
    }

    /// Whether there are no more from now on.
    pub fn are_over(&mut self, now: u64) -> bool {
        match &self.crowd {
            Some(crowd) => crowd.is_over(now),
            None => self.peek().is_none(),
        }
    }
}

impl Iterator for Arrivals {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        if let Some(crowd) = &mut self.crowd {
            return crowd.next();
        }
        match (self.own.peek(), self.herd.peek()) {
            (Some(own), Some(herd)) if herd < own => self.herd.next(),
            (None, Some(_)) => self.herd.next(),
            _ => self.own.next(),
        }
    }
}

#[derive(Debug)]
struct OwnArrivals {
    pieces: Vec<Piece>,
    piece: usize,
    /// When the present piece begins.
    before_ns: u64,
    /// How much of the present piece's area has been used.
    area: f64,
    gaps: Gaps,
}

impl Iterator for OwnArrivals {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        self.area += if self.piece < self.pieces.len() { self.gaps.next() } else { return None };
        loop {
            let piece = self.pieces.get(self.piece)?;
            let whole = piece.area(piece.lasts.as_secs_f64());
            if self.area < whole {
                let within = piece.when(self.area) * 1e9;
                return Some(self.before_ns + (within as u64).min(nanos(piece.lasts)));
            }
            // What is left of the gap reaches into the next piece.
            self.area -= whole;
            self.before_ns += nanos(piece.lasts);
            self.piece += 1;
        }
    }
}

#[derive(Debug, Default)]
struct HerdArrivals {
    members: u32,
    spread_ns: u64,
    edge_ns: u64,
    next: u32,
    end_ns: u64,
}

impl Iterator for HerdArrivals {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        if self.members == 0 {
            return None;
        }
        if self.next == self.members {
            self.next = 0;
            self.edge_ns += STEP_NS;
        }
        let due = self.edge_ns + self.spread_ns * u64::from(self.next) / u64::from(self.members);
        self.next += 1;
        (due < self.end_ns).then_some(due)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn rate(rate: f64) -> Rate {
        Rate::per_second(rate)
    }

    fn ramp(from: f64, to: f64, seconds: u32) -> Piece {
        Piece { from: rate(from), to: rate(to), lasts: SECOND * seconds }
    }

    fn even(pieces: Vec<Piece>) -> Pace {
        Pace { pieces, spacing: Spacing::Even, herd: None, crowd: None }
    }

    fn all(pace: &Pace) -> Vec<u64> {
        pace.arrivals(Shard::WHOLE, 1, 0).collect()
    }

    #[test]
    fn a_constant_pace_is_even_to_the_nanosecond_and_does_not_drift() {
        let due = all(&even(vec![Piece::constant(rate(1000.0), SECOND * 60)]));
        assert_eq!(due.len(), 60_000);
        assert_eq!(due[0], 500_000);
        assert!(due.iter().enumerate().all(|(at, due)| due.abs_diff(at as u64 * 1_000_000 + 500_000) <= 1));
    }

    #[test]
    fn a_ramp_arrives_with_the_square_root_of_time_and_steps_join_without_a_gap() {
        let due = all(&even(vec![ramp(0.0, 100.0, 10)]));
        assert_eq!(due.len(), 500);
        // 5 t² have arrived at t: the 125th, whose place is 124.5, at √24.9.
        assert!(due[124].abs_diff(4_989_989_980) < 1_000, "{}", due[124]);
        let due = all(&even(vec![Piece::constant(rate(10.0), SECOND), Piece::constant(rate(20.0), SECOND)]));
        assert_eq!(due.len(), 30);
        assert_eq!((due[9], due[10]), (950_000_000, 1_025_000_000));
    }

    #[test]
    fn a_silent_piece_has_no_arrivals_and_ends() {
        let due = all(&even(vec![ramp(0.0, 0.0, 1), Piece::constant(rate(2.0), SECOND)]));
        assert_eq!(due, [1_250_000_000, 1_750_000_000]);
        assert!(all(&even(vec![])).is_empty());
    }

    #[test]
    fn poisson_arrivals_have_the_rate_and_the_spread_of_their_process() {
        let pace = Pace::constant(rate(1000.0), SECOND * 100, Spacing::Poisson);
        let due = all(&pace);
        // Four standard deviations of a count of mean 100,000.
        assert!(due.len().abs_diff(100_000) < 1_300, "{}", due.len());
        let gaps: Vec<f64> = due.windows(2).map(|pair| (pair[1] - pair[0]) as f64 / 1e6).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        // The exponential distribution's standard deviation is its mean.
        assert!((variance.sqrt() / mean - 1.0).abs() < 0.02, "{mean} {variance}");
        assert_eq!(due, all(&pace));
        assert_ne!(due, pace.arrivals(Shard::WHOLE, 2, 0).collect::<Vec<_>>());
    }

    #[test]
    fn a_herd_comes_at_each_edge_between_the_others() {
        let mut pace = even(vec![Piece::constant(rate(1.0), SECOND * 50)]);
        pace.herd = Some(Herd { size: 4, within: SECOND });
        let due: Vec<u64> = pace.arrivals(Shard::WHOLE, 1, 7_000_000_000).collect();
        let herd: Vec<u64> = due.iter().copied().filter(|due| due % 1_000_000_000 != 500_000_000).collect();
        let at = |seconds: f64| (seconds * 1e9) as u64;
        assert_eq!(herd, [7.0, 7.25, 7.75, 37.0, 37.25, 37.75].map(at));
        assert_eq!(due.len(), 50 + 8);
        assert!(due.is_sorted());
    }

    #[test]
    fn the_dearest_window_is_found_wherever_it_begins() {
        let window = SECOND * 30;
        let close = |pace: &Pace, wanted: f64| {
            let most = pace.most_in(window);
            assert!((most - wanted).abs() < wanted * 1e-6, "{most} instead of {wanted}");
        };
        close(&even(vec![Piece::constant(rate(10.0), SECOND * 60)]), 300.0);
        close(&even(vec![Piece::constant(rate(10.0), SECOND * 6)]), 60.0);
        close(&even(vec![Piece::constant(rate(1.0), SECOND * 60), Piece::constant(rate(9.0), SECOND * 10)]), 110.0);
        // Up and down again: the dearest window lies across the top, which is no edge of it.
        close(&even(vec![ramp(0.0, 60.0, 60), ramp(60.0, 0.0, 60)]), 2.0 * (60.0 + 45.0) / 2.0 * 15.0);
        let mut herd = even(vec![Piece::constant(rate(10.0), SECOND * 60)]);
        herd.herd = Some(Herd { size: 50, within: SECOND });
        close(&herd, 350.0);
    }

    fn any_pace() -> impl Strategy<Value = Pace> {
        let piece = (0.0..500.0, 0.0..500.0, 0_u64..4_000).prop_map(|(from, to, ms)| Piece {
            from: rate(from),
            to: rate(to),
            lasts: Duration::from_millis(ms),
        });
        (proptest::collection::vec(piece, 0..5), any::<bool>(), proptest::option::of(0_u32..40)).prop_map(
            |(pieces, even, herd)| Pace {
                pieces,
                spacing: if even { Spacing::Even } else { Spacing::Poisson },
                herd: herd.map(|size| Herd { size, within: Duration::from_millis(100) }),
                crowd: None,
            },
        )
    }

    proptest! {
        #[test]
        fn arrivals_are_in_order_within_the_pace_and_as_many_as_expected(pace in any_pace(), seed: u64) {
            let due: Vec<u64> = pace.arrivals(Shard::WHOLE, seed, 0).collect();
            prop_assert!(due.is_sorted());
            prop_assert!(due.iter().all(|due| *due <= nanos(pace.lasts())));
            if pace.spacing == Spacing::Even && pace.herd.is_none() {
                let expected = pace.expected(pace.lasts().as_secs_f64());
                prop_assert!((due.len() as f64 - expected).abs() <= 1.0, "{} for {expected}", due.len());
            }
        }

        #[test]
        fn evenly_spaced_shards_are_the_whole_cut_up(pace in any_pace(), of in 1_u32..5) {
            prop_assume!(pace.spacing == Spacing::Even && pace.herd.is_none());
            let mut cut: Vec<u64> =
                (0..of).flat_map(|index| pace.arrivals(Shard { index, of }, 1, 0).collect::<Vec<_>>()).collect();
            cut.sort_unstable();
            let whole: Vec<u64> = pace.arrivals(Shard::WHOLE, 1, 0).collect();
            prop_assert_eq!(cut.len(), whole.len());
            prop_assert!(cut.iter().zip(&whole).all(|(cut, whole)| cut.abs_diff(*whole) < 1_000));
        }

        #[test]
        fn parts_cover_the_whole_once(whole in 0_u32..100_000, of in 1_u32..9) {
            let parts: Vec<_> = (0..of).map(|index| Shard { index, of }.part(whole)).collect();
            prop_assert_eq!(parts.first().map(|part| part.start), Some(0));
            prop_assert_eq!(parts.last().map(|part| part.end), Some(whole));
            prop_assert!(parts.windows(2).all(|pair| pair[0].end == pair[1].start));
        }
    }
}
