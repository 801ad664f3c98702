//! The search for capacity: what a probe showed in, the next rate to probe out. No clock, no network.
//!
//! Exponentially upwards until a rate misses the objectives, then bisection between the last that met them and the
//! first that did not. One probe that misses, or that says nothing about the target, is not believed until a second one
//! does the same: on a machine with neighbours some do. Longer probes from there confirm the answer, by
//! up and down.

use super::staircase::Staircase;
use crate::quantity::{Rate, Share};

/// Where a search begins and ends, and how fine it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// The first rate.
    pub from: Rate,
    /// The highest rate that is asked for.
    pub up_to: Rate,
    /// The highest rate that the users can sustain.
    pub users_bear: Rate,
    /// How near the two sides of the answer must come.
    pub within: Share,
    /// How often each side of the answer is to be confirmed.
    pub repeats: u32,
}

/// What a probe is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// To find the answer.
    Search,
    /// To be sure of it.
    Confirmation,
}

/// What a probe showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Shown {
    /// The objectives were met.
    Met,
    /// They were not.
    Missed,
    /// One of them had nothing to measure, and none was missed.
    NoData,
    /// Nothing was answered.
    Silent,
    /// Nothing about the target: this program was the limit.
    Invalid,
}

/// What is to be done next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Next {
    /// Probe this rate.
    Probe(Rate, Purpose),
    /// Nothing: this is how it ended.
    End(End),
}

/// How a search ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum End {
    /// This is the highest rate that meets the objectives; the next one that was tried does not.
    Found {
        /// The rate.
        rate: Rate,
        /// The lowest rate above it that missed them.
        missed: Rate,
    },
    /// No rate meets them, this lowest one neither.
    Doomed {
        /// The lowest rate that was tried.
        tried: Rate,
    },
    /// This program could not send more: the target bears at least this rate.
    GeneratorBound {
        /// The highest rate that met the objectives; 0 when none did.
        at_least: Rate,
    },
    /// The users cannot spend more codes: the target bears at least this rate.
    UserBound {
        /// The rate that the users sustain, which met the objectives.
        at_least: Rate,
    },
    /// The highest rate that was asked for meets the objectives.
    BeyondAsked {
        /// That rate.
        at_least: Rate,
    },
    /// At no rate was there anything to measure for an objective.
    NoData {
        /// The lowest rate that was tried.
        tried: Rate,
    },
    /// The target answers nothing, not at the lowest rate either.
    Unreachable {
        /// The lowest rate that was tried.
        tried: Rate,
    },
}

/// How much lower than the first rate is tried when that one misses, in halvings.
const HALVINGS: u32 = 6;
/// Whatever they show, no more probes than this are taken before the answer is confirmed.
const MOST_PROBES: u32 = 80;

/// A search under way.
#[derive(Debug, Clone)]
pub struct Search {
    bounds: Bounds,
    met: Option<Rate>,
    /// The lowest rate above it that did not meet the objectives, and what it showed.
    missed: Option<(Rate, Shown)>,
    rate: Rate,
    /// What the last probe of the present rate showed, if it has to be seen again.
    doubted: Option<Shown>,
    lowered: u32,
    probes: u32,
    /// Once both sides of the answer are near enough.
    confirming: Option<Staircase>,
}

impl Search {
    /// A search that has not begun.
    pub fn new(bounds: Bounds) -> Self {
        let rate = lower(bounds.from, ceiling(&bounds));
        Search { bounds, met: None, missed: None, rate, doubted: None, lowered: 0, probes: 0, confirming: None }
    }

    /// The first thing to do.
    pub fn first(&self) -> Next {
        Next::Probe(self.rate, Purpose::Search)
    }

    /// Takes in what the probe that was asked for last showed.
    pub fn next(&mut self, shown: Shown) -> Next {
        self.probes += 1;
        if let Some(staircase) = &mut self.confirming {
            let end = staircase.take(shown);
            return end.map_or_else(|| Next::Probe(staircase.rate(), Purpose::Confirmation), Next::End);
        }
        if self.probes >= MOST_PROBES {
            return Next::End(self.end());
        }
        if shown != Shown::Met && self.doubted.replace(shown).is_none() {
            return Next::Probe(self.rate, Purpose::Search);
        }
        self.doubted = None;
        match shown {
            Shown::Met => self.met = Some(self.rate),
            Shown::Missed | Shown::NoData | Shown::Silent | Shown::Invalid => self.missed = Some((self.rate, shown)),
        }
        self.narrow()
    }

    /// The rate that is between the two sides of the answer, or what follows when they are near enough.
    fn narrow(&mut self) -> Next {
        let ceiling = ceiling(&self.bounds);
        match (self.met, self.missed) {
            (Some(met), None) if met >= ceiling => self.begin_confirming(met),
            (Some(met), None) => self.go(lower(Rate::per_second(met.get() * 2.0), ceiling)),
            (Some(met), Some((missed, _))) if missed.get() <= met.get() * (1.0 + self.bounds.within.get()) => {
                self.begin_confirming(met)
            }
            (Some(met), Some((missed, _))) => self.go(Rate::per_second(met.get().midpoint(missed.get()))),
            (None, _) if self.lowered == HALVINGS => Next::End(self.end()),
            (None, _) => {
                self.lowered += 1;
                self.go(Rate::per_second(self.rate.get() / 2.0))
            }
        }
    }

    fn go(&mut self, rate: Rate) -> Next {
        self.rate = rate;
        Next::Probe(rate, Purpose::Search)
    }

    fn begin_confirming(&mut self, met: Rate) -> Next {
        if self.bounds.repeats == 0 {
            return Next::End(self.end());
        }
        self.confirming = Some(Staircase::from(met, &self.bounds));
        Next::Probe(met, Purpose::Confirmation)
    }

    fn end(&self) -> End {
        match (self.met, self.missed) {
            (Some(at_least), Some((_, Shown::Invalid))) => End::GeneratorBound { at_least },
            (Some(rate), Some((missed, _))) => End::Found { rate, missed },
            (Some(at_least), None) => unbounded(at_least, &self.bounds),
            (None, missed) => never(self.rate, missed.map_or(Shown::Missed, |(_, shown)| shown)),
        }
    }
}

/// How a search ends that no rate met the objectives of, by what the lowest one showed.
pub(super) fn never(tried: Rate, shown: Shown) -> End {
    match shown {
        Shown::Invalid => End::GeneratorBound { at_least: Rate::per_second(0.0) },
        Shown::NoData => End::NoData { tried },
        Shown::Silent => End::Unreachable { tried },
        Shown::Met | Shown::Missed => End::Doomed { tried },
    }
}

/// How a search ends that nothing bounded from above but what it may ask for.
pub(super) fn unbounded(at_least: Rate, bounds: &Bounds) -> End {
    if at_least >= bounds.users_bear { End::UserBound { at_least } } else { End::BeyondAsked { at_least } }
}

pub(super) fn ceiling(bounds: &Bounds) -> Rate {
    lower(bounds.up_to, bounds.users_bear)
}

pub(super) fn lower(one: Rate, other: Rate) -> Rate {
    if one <= other { one } else { other }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bounds(users_bear: f64) -> Bounds {
        Bounds {
            from: Rate::per_second(100.0),
            up_to: Rate::per_second(100_000.0),
            users_bear: Rate::per_second(users_bear),
            within: Share::of(0.05),
            repeats: 3,
        }
    }

    /// Plays a search against a target; how it ended, and the rates that were probed.
    fn play(bounds: Bounds, target: impl Fn(f64, usize) -> Shown) -> (End, Vec<(f64, Purpose)>) {
        let mut search = Search::new(bounds);
        let mut probed = Vec::new();
        let mut next = search.first();
        loop {
            match next {
                Next::End(end) => return (end, probed),
                Next::Probe(rate, purpose) => {
                    probed.push((rate.get(), purpose));
                    assert!(probed.len() < 125, "the search does not end: {probed:?}");
                    next = search.next(target(rate.get(), probed.len()));
                }
            }
        }
    }

    fn up_to(capacity: f64) -> impl Fn(f64, usize) -> Shown {
        move |rate, _| if rate <= capacity { Shown::Met } else { Shown::Missed }
    }

    #[test]
    fn a_capacity_is_found_from_below_and_confirmed() {
        let (end, probed) = play(bounds(1e6), up_to(3_210.0));
        let End::Found { rate, missed } = end else { panic!("{end:?}") };
        assert!(rate.get() <= 3_210.0 && missed.get() > 3_210.0 && missed.get() <= rate.get() * 1.05, "{end:?}");
        let confirmed: Vec<f64> =
            probed.iter().filter(|(_, purpose)| *purpose == Purpose::Confirmation).map(|(rate, _)| *rate).collect();
        assert_eq!(confirmed, [rate, missed, rate, missed, rate, missed].map(Rate::get));
        assert_eq!(probed[0].0, 100.0);
        assert_eq!(probed[1].0, 200.0);
    }

    #[test]
    fn a_target_below_the_first_rate_is_found_and_one_that_meets_nothing_is_doomed() {
        assert!(matches!(play(bounds(1e6), up_to(30.0)).0, End::Found { rate, .. } if rate.get() > 28.0));
        let (end, _) = play(bounds(1e6), |_, _| Shown::Missed);
        assert_eq!(end, End::Doomed { tried: Rate::per_second(100.0 / 64.0) });
    }

    #[test]
    fn nothing_to_measure_and_nothing_answered_are_ends_of_their_own() {
        let lowest = Rate::per_second(100.0 / 64.0);
        assert_eq!(play(bounds(1e6), |_, _| Shown::NoData).0, End::NoData { tried: lowest });
        assert_eq!(play(bounds(1e6), |_, _| Shown::Silent).0, End::Unreachable { tried: lowest });
        // A target that answers nobody when it is asked too much.
        let target = |rate: f64, _| if rate <= 30.0 { Shown::Met } else { Shown::Silent };
        assert!(matches!(play(bounds(1e6), target).0, End::Found { rate, .. } if rate.get() > 28.0));
        // One that dies while it is confirmed.
        let (end, _) = play_twice(
            bounds(1e6),
            |rate| up_to(1_000.0)(rate, 0),
            |rate, at| if at < 3 { up_to(1_000.0)(rate, 0) } else { Shown::Silent },
        );
        assert!(matches!(end, End::Unreachable { .. }), "{end:?}");
    }

    #[test]
    fn a_limit_of_ours_is_never_the_targets_capacity() {
        let limit = |rate: f64, _| if rate <= 20_000.0 { Shown::Met } else { Shown::Invalid };
        assert!(matches!(play(bounds(1e6), limit).0, End::GeneratorBound { at_least } if at_least.get() > 19_000.0));
        assert!(matches!(play(bounds(333.0), up_to(1e9)).0, End::UserBound { at_least } if at_least.get() == 333.0));
        assert!(
            matches!(play(bounds(1e6), up_to(1e9)).0, End::BeyondAsked { at_least } if at_least.get() == 100_000.0)
        );
    }

    #[test]
    fn one_bad_probe_is_not_believed() {
        // Every fifth probe misses for no reason of the target's.
        let (end, _) =
            play(bounds(1e6), |rate, at| if at % 5 == 0 || rate > 3_210.0 { Shown::Missed } else { Shown::Met });
        assert!(matches!(end, End::Found { rate, .. } if rate.get() > 3_000.0), "{end:?}");
    }

    /// Plays a search whose longer probes show something else than its short ones.
    fn play_twice(
        bounds: Bounds,
        short: impl Fn(f64) -> Shown,
        mut long: impl FnMut(f64, usize) -> Shown,
    ) -> (End, Vec<f64>) {
        let mut search = Search::new(bounds);
        let mut next = search.first();
        let mut longer = Vec::new();
        loop {
            next = match next {
                Next::End(end) => return (end, longer),
                Next::Probe(rate, Purpose::Search) => search.next(short(rate.get())),
                Next::Probe(rate, Purpose::Confirmation) => {
                    longer.push(rate.get());
                    assert!(longer.len() < 100, "the search does not end: {longer:?}");
                    search.next(long(rate.get(), longer.len()))
                }
            };
        }
    }

    #[test]
    fn a_rate_that_cannot_be_confirmed_is_lowered() {
        let (end, _) = play_twice(bounds(1e6), |rate| up_to(1_000.0)(rate, 0), up_to(900.0));
        assert!(matches!(end, End::Found { rate, missed } if rate.get() <= 900.0 && missed.get() > 900.0), "{end:?}");
        let falling = |_, at: usize| if at == 1 { Shown::Met } else { Shown::Missed };
        let (end, longer) = play_twice(bounds(1e6), |rate| up_to(1_000.0)(rate, 0), falling);
        assert!(matches!(end, End::Doomed { .. }), "{end:?}");
        assert!(longer.len() < 20 && longer[1..].windows(2).all(|pair| pair[1] < pair[0]), "{longer:?}");
    }

    #[test]
    fn bad_minutes_at_the_beginning_do_not_lower_the_result() {
        // What the target bears by itself, and what it bore while something else used the machine.
        let target = |rate: f64, at: usize| up_to(if at <= 12 { 2_000.0 } else { 3_000.0 })(rate, at);
        let (end, _) = play(bounds(1e6), target);
        assert!(
            matches!(end, End::Found { rate, missed } if rate.get() > 2_850.0 && missed.get() > 3_000.0),
            "{end:?}"
        );
    }

    #[test]
    fn of_a_target_that_comes_and_goes_neither_the_best_nor_the_worst_minute_is_the_answer() {
        // Three probes of eight in a bad minute, three in a good one, two between them.
        let bears = |at: usize| [900.0, 900.0, 900.0, 1_000.0, 1_100.0, 1_100.0, 1_100.0, 1_000.0][at % 8];
        for phase in 0..8 {
            let long = |rate, at| up_to(bears(at + phase))(rate, at);
            let bounds = Bounds { repeats: 8, ..bounds(1e6) };
            let (end, _) = play_twice(bounds, |rate| up_to(1_000.0)(rate, 0), long);
            assert!(matches!(end, End::Found { rate, .. } if rate.get() > 900.0 && rate.get() < 1_050.0), "{end:?}");
        }
    }

    #[test]
    fn one_good_probe_above_is_not_enough() {
        let mut above = 0;
        let (end, _) = play_twice(
            bounds(1e6),
            |rate| up_to(1_000.0)(rate, 0),
            |rate, at| {
                let lucky = rate > 1_000.0 && above == 0;
                above += u32::from(lucky);
                if lucky { Shown::Met } else { up_to(1_000.0)(rate, at) }
            },
        );
        assert_eq!(above, 1);
        assert!(matches!(end, End::Found { rate, .. } if rate.get() <= 1_000.0 && rate.get() > 900.0), "{end:?}");
    }

    #[test]
    fn a_target_that_gets_ever_better_is_followed_as_far_as_is_asked_for() {
        let short = |rate| up_to(1_000.0)(rate, 0);
        let (end, _) = play_twice(bounds(1e6), short, |_, _| Shown::Met);
        assert_eq!(end, End::BeyondAsked { at_least: Rate::per_second(100_000.0) });
        // Each rate is met when it is seen for the second time, so that nothing comes to rest.
        let mut seen = std::collections::BTreeMap::new();
        let (end, longer) = play_twice(bounds(1e6), short, |rate, _| {
            let times = seen.entry(rate as u64).or_insert(0);
            *times += 1;
            if rate <= 1_000.0 || *times > 1 { Shown::Met } else { Shown::Missed }
        });
        assert!(longer.len() <= 32, "{}", longer.len());
        assert!(matches!(end, End::Found { rate, .. } if rate.get() >= 1_000.0), "{end:?}");
    }

    #[test]
    fn one_bad_probe_of_the_highest_rate_is_not_the_targets_limit() {
        let users = bounds(333.0);
        for bad in 1..6 {
            let (end, longer) = play_twice(
                users,
                |_| Shown::Met,
                |rate, at| {
                    if rate >= 333.0 && at == bad { Shown::Missed } else { Shown::Met }
                },
            );
            assert_eq!(end, End::UserBound { at_least: Rate::per_second(333.0) }, "{bad}: {longer:?}");
        }
    }

    #[test]
    fn one_probe_that_says_nothing_is_sent_again_and_is_no_miss_of_the_target() {
        let short = |rate| up_to(1_000.0)(rate, 0);
        let (end, longer) =
            play_twice(bounds(1e6), short, |rate, at| if at == 3 { Shown::Invalid } else { up_to(1_000.0)(rate, at) });
        assert!(matches!(end, End::Found { rate, .. } if rate.get() > 950.0), "{end:?}");
        assert_eq!(longer[2].to_bits(), longer[3].to_bits());
    }

    #[test]
    fn a_target_that_bears_half_as_much_for_longer_is_found_there() {
        let (end, longer) = play_twice(bounds(1e6), |rate| up_to(1_000.0)(rate, 0), up_to(480.0));
        assert!(matches!(end, End::Found { rate, missed } if rate.get() <= 480.0 && missed.get() > 480.0), "{end:?}");
        assert!(longer.len() < 20, "{longer:?}");
    }

    #[test]
    fn what_bounds_the_longer_probes_is_said() {
        let short = |rate| up_to(1_000.0)(rate, 0);
        let ours = |rate: f64, _| if rate <= 1_000.0 { Shown::Met } else { Shown::Invalid };
        let (end, _) = play_twice(bounds(1e6), short, ours);
        assert!(matches!(end, End::GeneratorBound { at_least } if at_least.get() > 900.0), "{end:?}");
        let (end, longer) = play_twice(bounds(333.0), |_| Shown::Met, |_, _| Shown::Met);
        assert_eq!((end, longer), (End::UserBound { at_least: Rate::per_second(333.0) }, vec![333.0; 3]));
        let (end, _) = play_twice(bounds(333.0), |_| Shown::Met, up_to(300.0));
        assert!(matches!(end, End::Found { rate, missed } if rate.get() <= 300.0 && missed.get() > 300.0), "{end:?}");
        let (end, _) = play_twice(bounds(1e6), short, |_, _| Shown::Invalid);
        assert_eq!(end, End::GeneratorBound { at_least: Rate::per_second(0.0) });
    }

    proptest! {
        #[test]
        fn any_target_is_found_within_the_resolution(capacity in 2.0..90_000.0_f64) {
            let (end, probed) = play(bounds(1e6), up_to(capacity));
            prop_assert!(probed.len() < 60);
            match end {
                End::Found { rate, .. } => {
                    prop_assert!(rate.get() <= capacity && rate.get() * 1.06 >= capacity, "{} for {capacity}", rate.get());
                }
                other => prop_assert!(false, "{other:?}"),
            }
        }

        #[test]
        fn a_search_ends_however_fine_it_is(
            seed in 0_u64..1_000, within in 0.002..0.9_f64, repeats in 0_u32..20, capacity in 1.0..90_000.0_f64,
        ) {
            let bounds = Bounds { within: Share::of(within), repeats, ..bounds(1e6) };
            let (mut random, mut longer) = (seed, 0);
            let mut search = Search::new(bounds);
            let mut next = search.first();
            while let Next::Probe(rate, purpose) = next {
                longer += u32::from(purpose == Purpose::Confirmation);
                prop_assert!(longer <= 80, "the search does not end");
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                // A target that swings by a fifth either way.
                let swing = 0.8 + 0.4 * (random >> 40) as f64 / f64::from(1 << 24);
                next = search.next(up_to(capacity * swing)(rate.get(), 0));
            }
        }

        #[test]
        fn a_search_ends_whatever_is_shown(shown in proptest::collection::vec(0_u8..5, 125)) {
            let kinds = [Shown::Met, Shown::Missed, Shown::Invalid, Shown::NoData, Shown::Silent];
            let shown: Vec<Shown> = shown.iter().map(|kind| kinds[usize::from(*kind)]).collect();
            let (end, probed) = play(bounds(1e6), |_, at| shown[at - 1]);
            prop_assert!(probed.len() <= 120);
            match end {
                End::Found { rate, missed } => prop_assert!(missed > rate, "{end:?}"),
                End::BeyondAsked { at_least } => prop_assert_eq!(at_least, bounds(1e6).up_to),
                End::Doomed { .. }
                | End::NoData { .. }
                | End::Unreachable { .. }
                | End::GeneratorBound { .. }
                | End::UserBound { .. } => {}
            }
        }
    }
}
