//! The search for capacity: what a probe showed in, the next rate to probe out. No clock, no network.
//!
//! Exponentially upwards until a rate misses the objectives, then bisection between the last that met them and the
//! first that did not, then longer probes at the rate that was found, several times over, and a longer one at the rate
//! above it. One probe that misses, or that says nothing about the target, is not believed until a second one does the
//! same: on a machine with neighbours some do. A rate whose confirmation fails is lowered by as much as the search
//! resolves. Where the rate above turns out to be met, the search goes on from there in small steps: what missed before
//! was a bad minute, and a result that bad minutes lower and good ones never raise would depend on the luck of the day.

use super::quantity::{Rate, Share};

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
    /// How many confirmations are wanted.
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
}

/// How much lower than the first rate is tried when that one misses, in halvings.
const HALVINGS: u32 = 6;
/// A search ends after so many probes, whatever they show.
const MOST_PROBES: u32 = 80;
/// How often a search goes on above a rate that was confirmed.
const RESUMPTIONS: u32 = 3;

/// What the present probe is to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Between which two rates the answer lies.
    Bracketing,
    /// That the lower of them is met.
    Below,
    /// That the upper of them is missed.
    Above,
}

/// A search under way.
#[derive(Debug, Clone)]
pub struct Search {
    bounds: Bounds,
    met: Option<Rate>,
    missed: Option<Rate>,
    /// Whether what bounds the answer from above was this program and not the target.
    generator: bool,
    rate: Rate,
    /// What the last probe of the present rate showed, if it has to be seen again.
    doubted: Option<Shown>,
    phase: Phase,
    /// By what part of itself a rate is raised while none has missed.
    stride: f64,
    confirmed: u32,
    lowered: u32,
    resumed: u32,
    /// The two sides of the last answer, from which the search has gone on.
    settled: Option<(Rate, Rate)>,
    probes: u32,
}

impl Search {
    /// A search that has not begun.
    pub fn new(bounds: Bounds) -> Self {
        let rate = lower(bounds.from, ceiling(&bounds));
        Search {
            bounds,
            met: None,
            missed: None,
            generator: false,
            rate,
            doubted: None,
            phase: Phase::Bracketing,
            stride: 1.0,
            confirmed: 0,
            lowered: 0,
            resumed: 0,
            settled: None,
            probes: 0,
        }
    }

    /// The first thing to do.
    pub fn first(&self) -> Next {
        Next::Probe(self.rate, Purpose::Search)
    }

    /// Takes in what the probe that was asked for last showed.
    pub fn next(&mut self, shown: Shown) -> Next {
        self.probes += 1;
        if self.probes >= MOST_PROBES {
            return Next::End(self.end());
        }
        if shown != Shown::Met && self.doubted.replace(shown).is_none() {
            return self.probe();
        }
        self.doubted = None;
        match self.phase {
            Phase::Bracketing => self.bracket(shown),
            Phase::Below => self.confirm(shown),
            Phase::Above => self.look_above(shown),
        }
    }

    fn bracket(&mut self, shown: Shown) -> Next {
        match shown {
            Shown::Met => self.met = Some(self.rate),
            Shown::Missed | Shown::Invalid => self.miss(shown),
        }
        self.narrow()
    }

    /// The rate that is between the two sides of the answer, or what follows when they are near enough.
    fn narrow(&mut self) -> Next {
        let ceiling = ceiling(&self.bounds);
        match (self.met, self.missed) {
            (Some(met), None) if met >= ceiling => self.begin_confirming(met),
            (Some(met), None) => {
                let next = met.get() * (1.0 + self.stride);
                self.stride = (self.stride * 2.0).min(1.0);
                self.go(Phase::Bracketing, lower(Rate::per_second(next), ceiling))
            }
            (Some(met), Some(missed)) if missed.get() <= met.get() * (1.0 + self.bounds.within.get()) => {
                self.begin_confirming(met)
            }
            (Some(met), Some(missed)) => self.go(Phase::Bracketing, Rate::per_second(met.get().midpoint(missed.get()))),
            (None, _) if self.lowered == HALVINGS => Next::End(self.end()),
            (None, _) => {
                self.lowered += 1;
                self.go(Phase::Bracketing, Rate::per_second(self.rate.get() / 2.0))
            }
        }
    }

    fn confirm(&mut self, shown: Shown) -> Next {
        if shown == Shown::Met {
            self.confirmed += 1;
            return match self.missed {
                _ if self.confirmed < self.bounds.repeats => self.probe(),
                Some(missed) if self.resumed < RESUMPTIONS => self.go(Phase::Above, missed),
                _ => Next::End(self.end()),
            };
        }
        self.miss(shown);
        self.confirmed = 0;
        self.lowered += 1;
        if self.lowered > 2 * HALVINGS {
            self.met = None;
            return Next::End(self.end());
        }
        let lowered = Rate::per_second(self.rate.get() * (1.0 - self.bounds.within.get()));
        self.met = Some(lowered);
        self.go(Phase::Below, lowered)
    }

    /// What a longer probe of the rate above the one that was confirmed showed.
    fn look_above(&mut self, shown: Shown) -> Next {
        if shown != Shown::Met {
            self.miss(shown);
            return Next::End(self.end());
        }
        self.resumed += 1;
        self.settled = self.met.zip(self.missed);
        (self.met, self.missed) = (Some(self.rate), None);
        (self.confirmed, self.stride) = (0, self.bounds.within.get());
        self.narrow()
    }

    fn miss(&mut self, shown: Shown) {
        (self.missed, self.generator) = (Some(self.rate), shown == Shown::Invalid);
    }

    fn begin_confirming(&mut self, met: Rate) -> Next {
        if self.bounds.repeats == 0 {
            return Next::End(self.end());
        }
        self.go(Phase::Below, met)
    }

    fn go(&mut self, phase: Phase, rate: Rate) -> Next {
        (self.phase, self.rate) = (phase, rate);
        self.probe()
    }

    fn probe(&self) -> Next {
        let purpose = match self.phase {
            Phase::Bracketing => Purpose::Search,
            Phase::Below | Phase::Above => Purpose::Confirmation,
        };
        Next::Probe(self.rate, purpose)
    }

    fn end(&self) -> End {
        let sides = match (self.met, self.missed, self.settled) {
            // Out of probes on the way up from an answer, which stands.
            (Some(met), None, Some((rate, missed))) if met < ceiling(&self.bounds) => (Some(rate), Some(missed)),
            (met, missed, _) => (met, missed),
        };
        match sides {
            (Some(at_least), Some(_)) if self.generator => End::GeneratorBound { at_least },
            (Some(rate), Some(missed)) => End::Found { rate, missed },
            (Some(at_least), None) if at_least >= self.bounds.users_bear => End::UserBound { at_least },
            (Some(at_least), None) => End::BeyondAsked { at_least },
            (None, _) if self.generator => End::GeneratorBound { at_least: Rate::per_second(0.0) },
            (None, _) => End::Doomed { tried: self.rate },
        }
    }
}

fn ceiling(bounds: &Bounds) -> Rate {
    lower(bounds.up_to, bounds.users_bear)
}

fn lower(one: Rate, other: Rate) -> Rate {
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
                    assert!(probed.len() < 100, "the search does not end: {probed:?}");
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
        assert_eq!(confirmed, [rate.get(), rate.get(), rate.get(), missed.get(), missed.get()]);
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

    #[test]
    fn a_rate_that_cannot_be_confirmed_is_lowered() {
        let mut search = Search::new(Bounds { repeats: 2, ..bounds(1e6) });
        let mut next = search.first();
        let mut confirmed = Vec::new();
        let end = loop {
            next = match next {
                Next::End(end) => break end,
                Next::Probe(rate, Purpose::Search) => search.next(up_to(1_000.0)(rate.get(), 0)),
                Next::Probe(rate, Purpose::Confirmation) => {
                    if search.phase == Phase::Below {
                        confirmed.push(rate.get());
                    }
                    search.next(up_to(900.0)(rate.get(), 0))
                }
            };
        };
        assert!(matches!(end, End::Found { rate, .. } if rate.get() <= 900.0 && rate.get() > 850.0), "{end:?}");
        assert!(confirmed.windows(2).all(|pair| pair[1] <= pair[0]), "{confirmed:?}");
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
    fn one_good_probe_above_is_not_enough() {
        let mut above = 0;
        let mut search = Search::new(bounds(1e6));
        let mut next = search.first();
        let end = loop {
            next = match next {
                Next::End(end) => break end,
                Next::Probe(rate, purpose) => {
                    let lucky = purpose == Purpose::Confirmation && rate.get() > 1_000.0 && above == 0;
                    above += u32::from(lucky);
                    search.next(if lucky { Shown::Met } else { up_to(1_000.0)(rate.get(), 0) })
                }
            };
        };
        assert_eq!(above, 1);
        assert!(matches!(end, End::Found { rate, .. } if rate.get() <= 1_000.0 && rate.get() > 900.0), "{end:?}");
    }

    #[test]
    fn out_of_probes_on_the_way_up_the_last_answer_stands() {
        let mut search = Search::new(bounds(1e6));
        let mut next = search.first();
        while search.phase != Phase::Above {
            let Next::Probe(rate, _) = next else { panic!("{next:?}") };
            next = search.next(up_to(1_000.0)(rate.get(), 0));
        }
        let (rate, missed) = search.met.zip(search.missed).expect("both sides");
        search.probes = MOST_PROBES - 2;
        assert!(matches!(search.next(Shown::Met), Next::Probe(above, Purpose::Search) if above > missed));
        assert_eq!(search.next(Shown::Met), Next::End(End::Found { rate, missed }));
    }

    #[test]
    fn a_target_that_is_never_the_same_above_still_ends() {
        let mut search = Search::new(bounds(1e6));
        let mut next = search.first();
        let mut probes = 0;
        // The rate above is always met when it is looked at, and never when it is to be confirmed.
        let end = loop {
            next = match next {
                Next::End(end) => break end,
                Next::Probe(..) if search.phase == Phase::Above => search.next(Shown::Met),
                Next::Probe(rate, _) => search.next(up_to(1_000.0)(rate.get(), 0)),
            };
            probes += 1;
        };
        assert!(probes < 80, "{probes}");
        assert!(matches!(end, End::Found { rate, .. } if rate.get() <= 1_000.0 && rate.get() > 900.0), "{end:?}");
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
        fn a_search_ends_whatever_is_shown(shown in proptest::collection::vec(0_u8..3, 100)) {
            let shown: Vec<Shown> =
                shown.iter().map(|kind| [Shown::Met, Shown::Missed, Shown::Invalid][usize::from(*kind)]).collect();
            let (end, probed) = play(bounds(1e6), |_, at| shown[at - 1]);
            prop_assert!(probed.len() <= 80);
            match end {
                End::Found { rate, missed } => prop_assert!(missed > rate, "{end:?}"),
                End::BeyondAsked { at_least } => prop_assert_eq!(at_least, bounds(1e6).up_to),
                End::Doomed { .. } | End::GeneratorBound { .. } | End::UserBound { .. } => {}
            }
        }
    }
}
