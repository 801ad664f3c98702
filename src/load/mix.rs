//! What arrivals carry: kinds of proof by weight, and what must become of each.

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::judge::{Must, Verdict};
use crate::table::Factor;

/// What an arrival carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, PartialOrd, Ord)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A valid code that has never been sent.
    Right,
    /// A well-formed code that is not valid.
    Wrong,
    /// A code that was accepted before, in a step that still is.
    Replayed,
    /// A code of a step that is long over.
    Expired,
    /// No proof: the answer is the challenge.
    ChallengeOnly,
    /// A recovery code that has never been sent.
    RecoveryCode,
    /// No proof, and then, as an answer to the challenge, a valid code.
    Exchange,
    /// No proof, and then, as an answer on the page that the challenge names, a security key's assertion.
    Key,
    /// No proof, by a user without a second factor: the base line, which goes through.
    Unprotected,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 9] = [
        Kind::Right,
        Kind::Wrong,
        Kind::Replayed,
        Kind::Expired,
        Kind::ChallengeOnly,
        Kind::RecoveryCode,
        Kind::Exchange,
        Kind::Key,
        Kind::Unprotected,
    ];

    /// Its name in profiles and results.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Right => "right",
            Kind::Wrong => "wrong",
            Kind::Replayed => "replayed",
            Kind::Expired => "expired",
            Kind::ChallengeOnly => "challenge-only",
            Kind::RecoveryCode => "recovery-code",
            Kind::Exchange => "exchange",
            Kind::Key => "key",
            Kind::Unprotected => "unprotected",
        }
    }

    /// Whether a user does it once a second at most: a key is touched, and nothing else holds whoever has no factor back.
    pub fn touches(self) -> bool {
        matches!(self, Kind::Key | Kind::Unprotected)
    }

    /// Whether an accepted one uses up a code of the present step.
    pub fn spends(self) -> bool {
        match self {
            Kind::Right | Kind::Exchange => true,
            Kind::Wrong
            | Kind::Replayed
            | Kind::Expired
            | Kind::ChallengeOnly
            | Kind::RecoveryCode
            | Kind::Key
            | Kind::Unprotected => false,
        }
    }

    /// Whether it is a guess, after some of which a registry stops listening.
    pub fn is_guess(self) -> bool {
        matches!(self, Kind::Wrong | Kind::Expired)
    }

    /// Whether it must go through.
    pub fn must_succeed(self) -> bool {
        matches!(self.must(), Must::Succeed { .. })
    }

    /// What must become of it: the judge's own word.
    pub fn must(self) -> Must {
        match self {
            Kind::Right | Kind::RecoveryCode | Kind::Exchange | Kind::Key => Must::Succeed { proven: true },
            Kind::Unprotected => Must::Succeed { proven: false },
            Kind::Wrong | Kind::Expired => Must::BeRefused { otherwise: Verdict::WrongProofAccepted },
            Kind::Replayed => Must::BeRefused { otherwise: Verdict::ReplayAccepted },
            Kind::ChallengeOnly => Must::BeChallenged { factor: Factor::Totp },
        }
    }
}

/// How much of each kind, by weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Mix {
    right: u32,
    wrong: u32,
    replayed: u32,
    expired: u32,
    challenge_only: u32,
    recovery_code: u32,
    exchange: u32,
    key: u32,
    unprotected: u32,
}

impl Mix {
    /// Valid codes alone.
    pub fn of_right_codes() -> Self {
        Mix { right: 1, ..Mix::default() }
    }

    /// As much of each kind as there are of it.
    pub fn of(kinds: impl IntoIterator<Item = Kind>) -> Self {
        let mut mix = Mix::default();
        for kind in kinds {
            *mix.weight_mut(kind) += 1;
        }
        mix
    }

    fn weight_mut(&mut self, kind: Kind) -> &mut u32 {
        match kind {
            Kind::Right => &mut self.right,
            Kind::Wrong => &mut self.wrong,
            Kind::Replayed => &mut self.replayed,
            Kind::Expired => &mut self.expired,
            Kind::ChallengeOnly => &mut self.challenge_only,
            Kind::RecoveryCode => &mut self.recovery_code,
            Kind::Exchange => &mut self.exchange,
            Kind::Key => &mut self.key,
            Kind::Unprotected => &mut self.unprotected,
        }
    }

    /// The weight of a kind.
    pub fn weight(&self, kind: Kind) -> u32 {
        match kind {
            Kind::Right => self.right,
            Kind::Wrong => self.wrong,
            Kind::Replayed => self.replayed,
            Kind::Expired => self.expired,
            Kind::ChallengeOnly => self.challenge_only,
            Kind::RecoveryCode => self.recovery_code,
            Kind::Exchange => self.exchange,
            Kind::Key => self.key,
            Kind::Unprotected => self.unprotected,
        }
    }

    /// The sum of all weights.
    pub fn whole(&self) -> u64 {
        Kind::ALL.iter().map(|kind| u64::from(self.weight(*kind))).sum()
    }

    /// Whether its users have a second factor: `unprotected` is a mix of its own.
    pub fn takes_factors(&self) -> bool {
        self.weight(Kind::Unprotected) == 0
    }

    /// How many codes an arrival spends on average. Each code that was accepted is replayed once, and a replay that finds none
    /// is a valid code in its place.
    pub fn codes_each(&self) -> f64 {
        let spent = self.share(Kind::spends);
        let replayed = self.share(|kind| kind == Kind::Replayed);
        spent + ((replayed - spent) / 2.0).max(0.0)
    }

    /// The share of those kinds for which something holds.
    pub fn share(&self, holds: impl Fn(Kind) -> bool) -> f64 {
        let some: u64 = Kind::ALL.iter().filter(|kind| holds(**kind)).map(|kind| u64::from(self.weight(*kind))).sum();
        if some == 0 { 0.0 } else { some as f64 / self.whole() as f64 }
    }
}

/// Deals out kinds by weight.
#[derive(Debug)]
pub struct Dealer {
    random: StdRng,
    /// Each kind and the sum of the weights up to and with it.
    up_to: Vec<(u64, Kind)>,
    whole: u64,
}

impl Dealer {
    /// A dealer of a mix; the same for the same seed.
    pub fn new(mix: &Mix, seed: u64) -> Self {
        let mut sum = 0;
        let mut up_to = Vec::new();
        for kind in Kind::ALL {
            if mix.weight(kind) > 0 {
                sum += u64::from(mix.weight(kind));
                up_to.push((sum, kind));
            }
        }
        Dealer { random: StdRng::seed_from_u64(seed ^ 0x6d69_7800), up_to, whole: sum }
    }

    /// The next kind.
    pub fn deal(&mut self) -> Kind {
        if let [(_, only)] = self.up_to.as_slice() {
            return *only;
        }
        let at = if self.whole > 0 { self.random.random_range(0..self.whole) } else { 0 };
        self.up_to.iter().find(|(up_to, _)| at < *up_to).map_or(Kind::Right, |(_, kind)| *kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_dealt_by_weight_and_the_same_for_a_seed() {
        let mix = Mix { right: 90, wrong: 9, exchange: 1, ..Mix::default() };
        let deal = |seed| {
            let mut dealer = Dealer::new(&mix, seed);
            (0..100_000).map(|_| dealer.deal()).collect::<Vec<_>>()
        };
        let dealt = deal(1);
        let count = |kind| dealt.iter().filter(|dealt| **dealt == kind).count();
        assert!(count(Kind::Right).abs_diff(90_000) < 500);
        assert!(count(Kind::Wrong).abs_diff(9_000) < 400);
        assert!(count(Kind::Exchange).abs_diff(1_000) < 130);
        assert_eq!(count(Kind::Replayed), 0);
        assert_eq!(dealt, deal(1));
        assert_ne!(dealt, deal(2));
    }

    #[test]
    fn shares_are_of_all_weights() {
        let mix = Mix { right: 3, exchange: 1, wrong: 4, ..Mix::default() };
        assert_eq!(mix.share(Kind::spends), 0.5);
        assert_eq!(mix.share(Kind::is_guess), 0.5);
        assert_eq!(Mix::default().share(Kind::spends), 0.0);
        assert_eq!(mix.codes_each(), 0.5);
        // Nine replays of ten: four of them have nothing to replay, and are there to be replayed.
        assert_eq!(Mix { right: 1, replayed: 9, ..Mix::default() }.codes_each(), 0.5);
    }
}
