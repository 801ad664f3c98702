//! How many users a load takes: the arithmetic that other load tools do not know.
//!
//! A user has one code for each step of 30 seconds, and a registry accepts it once. So many users sustain a thirtieth of
//! their number of verifications a second, however fast the registry is.

use std::time::Duration;

use super::mix::{Kind, Mix};
use super::pace::Pace;
use crate::quantity::Rate;

/// The length of a time step (RFC 6238 §4.1).
pub const STEP: Duration = Duration::from_secs(30);

/// Between two touches of a security key, and two acts of a user without a second factor.
const TOUCH: Duration = Duration::from_secs(1);

/// How many recovery codes a user has (npm's profile API documents five).
pub const RECOVERY_CODES: u32 = 5;

/// How many users a load takes, by what they are for. None does the work of another, so that a registry that stops
/// listening to one who guesses does not refuse the valid codes of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Crew {
    /// Users who send valid codes.
    pub spending: u32,
    /// Users who send wrong and expired ones.
    pub guessing: u32,
    /// Users who send recovery codes.
    pub recovering: u32,
}

impl Crew {
    /// All of them.
    pub fn all(&self) -> u32 {
        self.spending.saturating_add(self.guessing).saturating_add(self.recovering)
    }

    /// The users that a load takes in `shards` parts, where nobody makes more than so many guesses.
    pub fn needed(pace: &Pace, mix: &Mix, guesses_each: u32, shards: u32) -> Crew {
        let shards = shards.max(1);
        let per_shard = |expected: f64| many(expected / f64::from(shards)).saturating_mul(shards);
        let in_all = pace.expected(pace.lasts().as_secs_f64()) + herds(pace);
        let of = |holds: fn(Kind) -> bool| mix.share(holds);
        let spent = pace.most_in(STEP) * mix.codes_each();
        let guessed = in_all * of(Kind::is_guess) / f64::from(guesses_each.max(1));
        let recovered = in_all * of(|kind| kind == Kind::RecoveryCode) / f64::from(RECOVERY_CODES);
        // A key is touched once a second at most, and by whoever has codes, too; whoever has neither acts no more often.
        let touched = pace.most_in(TOUCH) * of(Kind::touches);
        // Whoever sends nothing that is spent still needs somebody to send it.
        let spending = per_shard(spent).max(per_shard(touched)).max(shards);
        Crew { spending, guessing: per_shard(guessed), recovering: per_shard(recovered) }
    }

    /// The users that a load takes in `shards` parts, where each serves one arrival.
    pub fn once(pace: &Pace, shards: u32) -> Crew {
        let shards = shards.max(1);
        let in_all = pace.expected(pace.lasts().as_secs_f64()) + herds(pace);
        let spending = many(in_all / f64::from(shards)).saturating_mul(shards);
        Crew { spending, guessing: 0, recovering: 0 }
    }

    /// The crew that there is when a pool has so many users and so many are needed: whoever is left over spends.
    pub fn of_pool(users: u32, needed: &Crew) -> Option<Crew> {
        let spending = users.checked_sub(needed.guessing.saturating_add(needed.recovering))?;
        (spending >= needed.spending).then_some(Crew { spending, ..*needed })
    }
}

/// The rate of valid codes that so many users sustain.
pub fn sustained(users: u32) -> Rate {
    Rate::per_second(f64::from(users) / STEP.as_secs_f64())
}

/// The highest rate of arrivals that so many spending users sustain, where an arrival spends so many codes and takes so
/// many touches of a security key on average, and a random count above the mean is allowed for.
pub fn bearable(spending: u32, codes: f64, touches: f64, shards: u32) -> Rate {
    let part = f64::from(spending / shards.max(1));
    // The inverse of `many`: mean + SPREAD·√mean + 1 = part.
    let root = ((part - 1.0).max(0.0) + SPREAD * SPREAD / 4.0).sqrt() - SPREAD / 2.0;
    let at_once = root.max(0.0).powi(2) * f64::from(shards.max(1));
    let of = |long: Duration, each: f64| if each > 0.0 { at_once / long.as_secs_f64() / each } else { Rate::HIGHEST };
    Rate::per_second(of(STEP, codes).min(of(TOUCH, touches)))
}

/// Standard deviations of a Poisson count that are allowed for: one run in thirty thousand has more.
const SPREAD: f64 = 4.0;

/// The most that a random count of this mean will be.
fn many(mean: f64) -> u32 {
    if mean <= 0.0 {
        return 0;
    }
    (mean + SPREAD * mean.sqrt() + 1.0).ceil() as u32
}

/// How many the herds of a whole pace are: one at each edge that can lie in it.
fn herds(pace: &Pace) -> f64 {
    let edges = (pace.lasts().as_secs_f64() / STEP.as_secs_f64()).ceil();
    pace.herd.map_or(0.0, |herd| f64::from(herd.size) * edges)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::pace::Spacing;

    fn steady(rate: f64, seconds: u64) -> Pace {
        Pace::constant(Rate::per_second(rate), Duration::from_secs(seconds), Spacing::Poisson)
    }

    #[test]
    fn a_rate_takes_thirty_users_and_some_for_chance() {
        let crew = Crew::needed(&steady(1000.0, 60), &Mix::of_right_codes(), 8, 1);
        assert_eq!(crew, Crew { spending: 30_694, guessing: 0, recovering: 0 });
        assert_eq!(sustained(30_000), Rate::per_second(1000.0));
    }

    #[test]
    fn keys_take_a_user_for_each_in_a_second_and_prepared_commands_one_for_each_arrival() {
        let keys: Mix = crate::yaml::parse("mix", "{ key: 1 }").expect("a mix");
        assert_eq!(Crew::needed(&steady(100.0, 60), &keys, 8, 1).spending, 141);
        let mixed: Mix = crate::yaml::parse("mix", "{ key: 1, right: 1 }").expect("a mix");
        let codes: Mix = crate::yaml::parse("mix", "{ wrong: 1, right: 1 }").expect("a mix");
        let spending = |mix| Crew::needed(&steady(100.0, 60), mix, 8, 1).spending;
        assert_eq!(spending(&mixed), spending(&codes));
        assert_eq!(Crew::once(&steady(100.0, 60), 1), Crew { spending: 6_311, guessing: 0, recovering: 0 });
    }

    #[test]
    fn a_short_run_takes_as_many_as_it_sends() {
        assert_eq!(Crew::needed(&steady(100.0, 4), &Mix::of_right_codes(), 8, 1).spending, 481);
    }

    #[test]
    fn what_users_bear_is_what_a_rate_needs() {
        for (rate, shards) in [(10.0, 1), (1_000.0, 1), (1_000.0, 4), (33_000.0, 2)] {
            let crew = Crew::needed(&steady(rate, 60), &Mix::of_right_codes(), 8, shards);
            let back = bearable(crew.spending, 1.0, 0.0, shards).get();
            assert!(back >= rate && back < rate * 1.03, "{rate} needs {crew:?}, which bears {back}");
        }
    }

    #[test]
    fn what_users_with_keys_bear_is_what_a_rate_needs_too() {
        let keys: Mix = crate::yaml::parse("mix", "{ key: 1, challenge-only: 1 }").expect("a mix");
        let crew = Crew::needed(&steady(1_000.0, 60), &keys, 8, 1);
        let back = bearable(crew.spending, 0.0, 0.5, 1).get();
        assert!((1_000.0..1_030.0).contains(&back), "{crew:?} bears {back}");
        assert_eq!(bearable(900, 1.0, 1.0, 1), bearable(900, 1.0, 0.0, 1));
        assert_eq!(bearable(9, 0.0, 0.0, 1).get(), Rate::HIGHEST);
    }

    #[test]
    fn a_pool_that_is_too_small_is_no_crew() {
        let needed = Crew { spending: 100, guessing: 10, recovering: 5 };
        assert_eq!(Crew::of_pool(114, &needed), None);
        assert_eq!(Crew::of_pool(120, &needed), Some(Crew { spending: 105, guessing: 10, recovering: 5 }));
        assert_eq!(Crew::of_pool(3, &needed), None);
    }
}
