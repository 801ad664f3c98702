//! Generic faults, made on the way: a relay before the sound reference registry goes wrong at the request that decides
//! about an action, and the suite must say so.
//!
//! The seeded faults of the registry were made beside the cases that find them. These were not: what each operator does
//! wrong, and which verdict follows from that alone, is stated here without a look at any case or surface.

mod matrix;
mod relay;

pub use matrix::{Cell, FORMAT, Matrix, Measured, Outcome, measure};

use serde::{Deserialize, Serialize};

use crate::judge::Verdict;

/// One way to go wrong at the request that decides about an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operator {
    /// A request without a proof is carried out where the registry challenges it.
    ChallengeDropped,
    /// A request that is challenged is carried out before the challenge is sent.
    EffectBeforeAnswer,
    /// A request that is challenged is carried out with the user's next request that carries a proof.
    EffectLate,
    /// Any proof is as good as a right one.
    AnyProof,
    /// A proof that was accepted once is accepted again.
    Replay,
    /// A right proof is answered with success, and nothing is carried out.
    SuccessThatSaysNo,
    /// A right proof is challenged once more.
    RightRefused,
    /// A request with a proof finds no such route.
    NotFound,
    /// The connection closes in the middle of the answer to a request with a proof.
    Dropped,
    /// A request with a proof ends in an error of the server's.
    ServerError,
    /// A request with a proof is asked for more patience than a run has.
    Throttled,
    /// A challenge has status 403.
    ChallengeForbidden,
    /// A challenge says `Basic` in its header, and nothing of a one-time password anywhere.
    ChallengeUnsaid,
    /// A challenge has status 200 and says so in its body.
    ChallengeInSuccess,
    /// A request without a proof is challenged where the registry does not.
    AlwaysAsked,
}

impl Operator {
    /// All of them.
    pub const ALL: [Operator; 15] = [
        Operator::ChallengeDropped,
        Operator::EffectBeforeAnswer,
        Operator::EffectLate,
        Operator::AnyProof,
        Operator::Replay,
        Operator::SuccessThatSaysNo,
        Operator::RightRefused,
        Operator::NotFound,
        Operator::Dropped,
        Operator::ServerError,
        Operator::Throttled,
        Operator::ChallengeForbidden,
        Operator::ChallengeUnsaid,
        Operator::ChallengeInSuccess,
        Operator::AlwaysAsked,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Operator::ChallengeDropped => "challenge-dropped",
            Operator::EffectBeforeAnswer => "effect-before-answer",
            Operator::EffectLate => "effect-late",
            Operator::AnyProof => "any-proof",
            Operator::Replay => "replay",
            Operator::SuccessThatSaysNo => "success-that-says-no",
            Operator::RightRefused => "right-refused",
            Operator::NotFound => "not-found",
            Operator::Dropped => "dropped",
            Operator::ServerError => "server-error",
            Operator::Throttled => "throttled",
            Operator::ChallengeForbidden => "challenge-forbidden",
            Operator::ChallengeUnsaid => "challenge-unsaid",
            Operator::ChallengeInSuccess => "challenge-in-success",
            Operator::AlwaysAsked => "always-asked",
        }
    }

    /// What it does, in a sentence.
    pub fn about(self) -> &'static str {
        match self {
            Operator::ChallengeDropped => "a request without a proof is carried out where it must be challenged",
            Operator::EffectBeforeAnswer => "a request is carried out before its challenge is sent",
            Operator::EffectLate => {
                "a request that was challenged is carried out with the user's next request that carries a proof"
            }
            Operator::AnyProof => "any proof is accepted",
            Operator::Replay => "a proof that was accepted once is accepted again",
            Operator::SuccessThatSaysNo => "a right proof is answered with success, and nothing is carried out",
            Operator::RightRefused => "a right proof is challenged again",
            Operator::NotFound => "a request with a proof is answered with 404",
            Operator::Dropped => "the connection closes in the middle of the answer to a request with a proof",
            Operator::ServerError => "a request with a proof is answered with 503",
            Operator::Throttled => "a request with a proof is answered with 429 for a year",
            Operator::ChallengeForbidden => "a challenge has status 403",
            Operator::ChallengeUnsaid => "a challenge says nothing of a one-time password",
            Operator::ChallengeInSuccess => "a challenge has status 200",
            Operator::AlwaysAsked => "a request without a proof is challenged in a mode that does not ask for one",
        }
    }

    /// The verdicts of which one must come first, by what the operator does and nothing else.
    pub fn expected(self) -> &'static [Verdict] {
        match self {
            Operator::ChallengeDropped => &[Verdict::MissingChallenge],
            Operator::EffectBeforeAnswer | Operator::EffectLate => &[Verdict::EffectBeforeFactor],
            Operator::AnyProof => &[Verdict::WrongProofAccepted],
            Operator::Replay => &[Verdict::ReplayAccepted],
            // Where the success lacks what the action's answer must hold, it is a refusal.
            Operator::SuccessThatSaysNo => &[Verdict::NoEffect, Verdict::RightProofRefused],
            Operator::RightRefused => &[Verdict::RightProofRefused],
            // The route is there: without a proof it challenges.
            Operator::NotFound => &[Verdict::RightProofRefused, Verdict::TargetFailed],
            Operator::Dropped | Operator::ServerError => &[Verdict::TargetFailed],
            Operator::Throttled => &[Verdict::Throttled],
            Operator::ChallengeForbidden | Operator::ChallengeUnsaid | Operator::ChallengeInSuccess => {
                &[Verdict::WrongShape]
            }
            Operator::AlwaysAsked => &[Verdict::UnexpectedChallenge],
        }
    }

    /// Whether it shows where the action must be challenged, or where it must not.
    pub fn acts_on_challenged(self) -> bool {
        self != Operator::AlwaysAsked
    }
}
