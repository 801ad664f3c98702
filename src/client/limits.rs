//! What each client does wrong by itself: measured on the reference registry, by row, situation and shape of the answers.
//!
//! `tests/clients/limits.rs` measures it, and holds the files beside the client files to what it sees.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Situation;
use crate::result::{LimitKind, OnReference, Shape};
use crate::table::Factor;

/// What a client did with answers of one shape on the reference registry.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// The id of the surface.
    pub row: String,
    /// What the user had.
    pub factor: Factor,
    /// Where the client ran.
    pub situation: Situation,
    /// What it was answered.
    pub shape: Shape,
    /// What it could not do, or got wrong; nothing where it got through.
    pub limits: Vec<LimitKind>,
}

/// Where a limit was seen, and with which answers.
#[derive(Debug, Clone, Copy)]
pub struct Place<'p> {
    /// The id of the surface.
    pub row: &'p str,
    /// What the user had.
    pub factor: Factor,
    /// Where the client ran.
    pub situation: Situation,
    /// What it was answered.
    pub shape: &'p Shape,
}

/// How the client fares there on the reference registry, as to this limit.
pub fn on_reference(measured: &[Measured], place: Place<'_>, limit: LimitKind) -> OnReference {
    let there = || {
        measured
            .iter()
            .filter(|one| (one.row.as_str(), one.factor, one.situation) == (place.row, place.factor, place.situation))
    };
    if there().any(|one| one.shape == *place.shape && one.limits.contains(&limit)) {
        return OnReference::Same;
    }
    // A client that stops at the challenge never sees the answer that it would have got.
    let answered = |shape: &Shape| place.shape.answer.is_empty() || place.shape.answer == shape.answer;
    let taken =
        |one: &Measured| one.limits.is_empty() && one.shape.challenge == place.shape.challenge && answered(&one.shape);
    if !place.shape.is_empty() && there().any(taken) { OnReference::Taken } else { OnReference::NotSeen }
}

/// Whether the answers of a registry can be the cause of such a limit. The others come from how a client is made, or from
/// how long it was waited for.
pub fn is_of_answers(limit: LimitKind) -> bool {
    match limit {
        LimitKind::NotAsked
        | LimitKind::ChallengeHidden
        | LimitKind::SuccessTold
        | LimitKind::FailureTold
        | LimitKind::CodeNotSent => true,
        LimitKind::NoPage
        | LimitKind::AskedFirst
        | LimitKind::CodeSentAgain
        | LimitKind::NothingSent
        | LimitKind::Hung => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::Trait;

    fn measured(challenge: &[Trait], answer: &[Trait], limits: &[LimitKind]) -> Measured {
        Measured {
            row: "mode-change".to_owned(),
            factor: Factor::Totp,
            situation: Situation::Terminal,
            shape: Shape { challenge: challenge.to_vec(), answer: answer.to_vec() },
            limits: limits.to_vec(),
        }
    }

    fn fares(measured: &[Measured], shape: &Shape, limit: LimitKind) -> OnReference {
        let place = Place { row: "mode-change", factor: Factor::Totp, situation: Situation::Terminal, shape };
        on_reference(measured, place, limit)
    }

    const ASKED: [Trait; 2] = [Trait::Unauthorized, Trait::Otp];
    const DONE: [Trait; 2] = [Trait::Success, Trait::TfaNull];

    #[test]
    fn what_a_client_does_with_the_same_shape_on_the_reference_is_its_own() {
        let known = [measured(&ASKED, &DONE, &[LimitKind::FailureTold])];
        assert_eq!(fares(&known, &known[0].shape, LimitKind::FailureTold), OnReference::Same);
        // Another fault of it with the same answers has not been seen, and neither has it been seen to take them.
        assert_eq!(fares(&known, &known[0].shape, LimitKind::NotAsked), OnReference::NotSeen);
    }

    #[test]
    fn what_a_client_takes_on_the_reference_and_not_here_is_the_targets() {
        let known = [measured(&ASKED, &DONE, &[])];
        assert_eq!(fares(&known, &known[0].shape, LimitKind::FailureTold), OnReference::Taken);
        let challenged = Shape { challenge: ASKED.to_vec(), answer: Vec::new() };
        assert_eq!(fares(&known, &challenged, LimitKind::NotAsked), OnReference::Taken);
    }

    #[test]
    fn another_shape_row_or_situation_has_not_been_seen() {
        let known = [measured(&ASKED, &DONE, &[])];
        let other = Shape { challenge: ASKED.to_vec(), answer: vec![Trait::Success] };
        assert_eq!(fares(&known, &other, LimitKind::FailureTold), OnReference::NotSeen);
        assert_eq!(fares(&known, &Shape::default(), LimitKind::NotAsked), OnReference::NotSeen);
        let shape = &known[0].shape;
        let place = Place { row: "mode-change", factor: Factor::Totp, situation: Situation::Script, shape };
        assert_eq!(on_reference(&known, place, LimitKind::FailureTold), OnReference::NotSeen);
        let place = Place { row: "publish", factor: Factor::Totp, situation: Situation::Terminal, shape };
        assert_eq!(on_reference(&known, place, LimitKind::FailureTold), OnReference::NotSeen);
    }
}
