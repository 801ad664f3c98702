//! Judging the attempts of a scenario: each by what must become of it, and those of one proof together.

use super::{
    Asks, Effect, Observation, Outcome, Seen, Verdict, challenged, right, spent_or_wrong, unchallenged, without_proof,
    worst_first,
};
use crate::table::Factor;

/// What must become of one attempt of a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Must {
    /// It succeeds. Without a proof, being asked for one is the fault; with one, being refused.
    Succeed {
        /// Whether it carries a proof.
        proven: bool,
    },
    /// Of all that must, exactly one succeeds, and the others have no effect.
    SucceedOnce,
    /// It is challenged, and nothing happens.
    BeChallenged {
        /// What whoever makes it can answer with.
        factor: Factor,
    },
    /// It is challenged, and nothing happens; or it is turned away as what the target does not have, without effect.
    BeChallengedIfKnown {
        /// What whoever makes it can answer with.
        factor: Factor,
    },
    /// Its proof is refused without effect, by a challenge that stock clients act on: they ask for another.
    BeAskedAgain {
        /// What it is when the proof is accepted.
        otherwise: Verdict,
    },
    /// It is refused without effect, for no second factor gives the right to it.
    BeDenied {
        /// Whether whoever makes it has a second factor, and may be asked for it all the same.
        has_factor: bool,
    },
    /// It succeeds with its effect or is refused without: either, but nothing between.
    BeWhole,
    /// It is refused without effect.
    BeRefused {
        /// What it is when it is not.
        otherwise: Verdict,
    },
}

impl Must {
    /// Whether what comes after an attempt builds on it, and what it showed did not come to pass: nothing more can be
    /// said then. One that got no usable answer, or found no such route, ends what builds on it in any case.
    pub fn ends(self, seen: &Seen) -> bool {
        match (self, &seen.outcome) {
            // The next form may be known.
            (Must::BeChallengedIfKnown { .. }, Outcome::NotImplemented) => false,
            (_, Outcome::Failed | Outcome::NotImplemented) => true,
            (Must::Succeed { .. }, outcome) => *outcome != Outcome::Accepted || seen.effect.is_unseen(),
            (
                Must::SucceedOnce
                | Must::BeChallenged { .. }
                | Must::BeChallengedIfKnown { .. }
                | Must::BeAskedAgain { .. }
                | Must::BeDenied { .. }
                | Must::BeRefused { .. }
                | Must::BeWhole,
                _,
            ) => false,
        }
    }

    /// Whether it must not get through.
    pub fn forbids(self) -> bool {
        match self {
            Must::BeChallenged { .. }
            | Must::BeChallengedIfKnown { .. }
            | Must::BeAskedAgain { .. }
            | Must::BeDenied { .. }
            | Must::BeRefused { .. } => true,
            Must::Succeed { .. } | Must::SucceedOnce | Must::BeWhole => false,
        }
    }

    /// What it is where an attempt was not let through, and was done all the same.
    pub fn if_done(self) -> Option<Verdict> {
        match self {
            // That it was not let through is the fault.
            Must::Succeed { .. } => None,
            // Another copy was let through.
            Must::SucceedOnce => Some(Verdict::ReplayAccepted),
            Must::BeChallenged { .. } | Must::BeChallengedIfKnown { .. } | Must::BeWhole => {
                Some(Verdict::EffectBeforeFactor)
            }
            Must::BeDenied { .. } => Some(Verdict::RightsExceeded),
            Must::BeRefused { otherwise } | Must::BeAskedAgain { otherwise } => Some(otherwise),
        }
    }
}

impl Seen {
    /// Whether an attempt got through, and its proof with it: it was carried out, or answered with success and not seen
    /// to have done nothing.
    pub fn got_through(&self) -> bool {
        self.effect.leaked() || self.got_through_unasked()
    }

    /// Whether it was answered with success, and not seen to have done nothing.
    pub fn got_through_unasked(&self) -> bool {
        self.outcome == Outcome::Accepted && !self.effect.is_unseen()
    }
}

/// Judges attempts that carried one proof at once.
fn race(seen: &[&Seen], verdicts: &mut Vec<Verdict>) {
    let through = seen.iter().filter(|seen| seen.got_through()).count();
    if through > 1 {
        verdicts.push(Verdict::ReplayAccepted);
    }
    // A copy without a usable answer, or whose effect cannot be read, proves nothing, whatever became of the others:
    // the one that may get through may be just that.
    let unseen = seen.iter().any(|seen| seen.outcome == Outcome::Failed || seen.effect == Effect::Unknown);
    if unseen {
        verdicts.push(Verdict::TargetFailed);
    }
    if seen.iter().any(|seen| seen.outcome == Outcome::Accepted && seen.effect.is_unseen()) {
        verdicts.push(Verdict::NoEffect);
    } else if through == 0 && !unseen {
        verdicts.push(if seen.iter().all(|seen| seen.outcome == Outcome::NotImplemented) {
            Verdict::Unsupported
        } else if seen.iter().any(|seen| seen.outcome == Outcome::Throttled) {
            Verdict::Throttled
        } else {
            Verdict::RightProofRefused
        });
    }
}

/// Whether an attempt was turned away without a challenge, and nothing happened: what it is addressed to may not exist.
pub fn is_unknown(seen: &Seen) -> bool {
    match &seen.outcome {
        Outcome::NotImplemented | Outcome::Refused => !seen.effect.leaked(),
        // It reads as success and did nothing.
        Outcome::Accepted => seen.effect == Effect::NotApplied,
        Outcome::Challenged { .. } | Outcome::Throttled | Outcome::Failed => false,
    }
}

/// Judges the attempts of a scenario. The verdicts are sorted, the worst first, and never empty.
pub fn judge_attempts(attempts: &[(Must, Seen)]) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    let once: Vec<&Seen> =
        attempts.iter().filter(|(must, _)| *must == Must::SucceedOnce).map(|(_, seen)| seen).collect();
    if !once.is_empty() {
        race(&once, &mut verdicts);
    }
    let if_known = attempts.iter().filter(|(must, _)| matches!(must, Must::BeChallengedIfKnown { .. }));
    let mut if_known = if_known.map(|(_, seen)| seen).peekable();
    if if_known.peek().is_some() && if_known.all(is_unknown) {
        verdicts.push(Verdict::Unsupported);
    }
    for (must, seen) in attempts {
        match must {
            Must::Succeed { proven: false } => verdicts.extend(unchallenged(seen)),
            // Where a right proof finds no such route, there is none: nobody was asked for the proof before.
            Must::Succeed { proven: true } if seen.outcome == Outcome::NotImplemented && !seen.effect.leaked() => {
                verdicts.push(Verdict::Unsupported);
            }
            Must::Succeed { proven: true } => {
                let first = Seen { outcome: Outcome::Refused, effect: Effect::None };
                right(seen, &first, &mut verdicts);
            }
            // They are judged together.
            Must::SucceedOnce => {}
            Must::BeChallenged { factor } => {
                verdicts.extend(challenged(*factor, &Observation::bare(seen.clone())));
            }
            Must::BeChallengedIfKnown { .. } if is_unknown(seen) => {}
            Must::BeChallengedIfKnown { factor } => {
                verdicts.extend(challenged(*factor, &Observation::bare(seen.clone())));
            }
            Must::BeRefused { .. } | Must::BeDenied { .. } | Must::BeAskedAgain { .. }
                if seen.outcome == Outcome::NotImplemented && !seen.effect.leaked() =>
            {
                verdicts.push(Verdict::Unsupported);
            }
            Must::BeRefused { otherwise: Verdict::MissingChallenge } => without_proof(seen, &mut verdicts),
            Must::BeRefused { otherwise } => spent_or_wrong(seen, *otherwise, &mut verdicts),
            Must::BeAskedAgain { otherwise } => {
                spent_or_wrong(seen, *otherwise, &mut verdicts);
                if matches!(seen.outcome, Outcome::Refused | Outcome::Challenged { flaw: Some(_), .. }) {
                    verdicts.push(Verdict::WrongShape);
                }
            }
            Must::BeDenied { has_factor } => {
                spent_or_wrong(seen, Verdict::RightsExceeded, &mut verdicts);
                // A page may let them have one first.
                let for_factor = matches!(&seen.outcome, Outcome::Challenged { asks, .. } if *asks != Asks::OnPage);
                if for_factor && !has_factor {
                    verdicts.push(Verdict::WrongFactorOffered);
                }
            }
            Must::BeWhole => whole(seen, &mut verdicts),
        }
    }
    worst_first(verdicts)
}

fn whole(seen: &Seen, verdicts: &mut Vec<Verdict>) {
    match (&seen.outcome, seen.effect) {
        (Outcome::Accepted, Effect::NotApplied | Effect::Unproven | Effect::PartlySeen | Effect::Partial) => {
            verdicts.push(Verdict::NoEffect);
        }
        (Outcome::Accepted, Effect::Unknown | Effect::Unconfirmed) => verdicts.push(Verdict::TargetFailed),
        (Outcome::Accepted, Effect::Applied | Effect::None) => {}
        (_, effect) if effect.leaked() => verdicts.push(Verdict::EffectBeforeFactor),
        (Outcome::Failed, _) | (_, Effect::Unknown) => verdicts.push(Verdict::TargetFailed),
        (Outcome::Throttled, _) => verdicts.push(Verdict::Throttled),
        (Outcome::NotImplemented, _) => verdicts.push(Verdict::Unsupported),
        (Outcome::Challenged { .. } | Outcome::Refused, _) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STOCK: Outcome = Outcome::Challenged { flaw: None, asks: Asks::ForCode };

    fn seen(outcome: Outcome, effect: Effect) -> Seen {
        Seen { outcome, effect }
    }

    #[test]
    fn attempts_are_judged_each_by_what_must_become_of_it() {
        let refused = Must::BeRefused { otherwise: Verdict::ReplayAccepted };
        let right = Must::Succeed { proven: true };
        let accepted = || seen(Outcome::Accepted, Effect::Applied);
        let compliant = [(right, accepted()), (refused, seen(STOCK, Effect::NotApplied))];
        assert_eq!(judge_attempts(&compliant), [Verdict::Exact]);
        let faults = [
            ((refused, accepted()), Verdict::ReplayAccepted),
            ((refused, seen(STOCK, Effect::Applied)), Verdict::ReplayAccepted),
            ((refused, seen(STOCK, Effect::Unknown)), Verdict::TargetFailed),
            ((refused, seen(Outcome::NotImplemented, Effect::NotApplied)), Verdict::Unsupported),
            ((right, seen(STOCK, Effect::NotApplied)), Verdict::RightProofRefused),
            ((right, seen(Outcome::Accepted, Effect::NotApplied)), Verdict::NoEffect),
            ((Must::Succeed { proven: false }, seen(STOCK, Effect::NotApplied)), Verdict::UnexpectedChallenge),
        ];
        for (attempt, verdict) in faults {
            assert_eq!(judge_attempts(&[attempt]), [verdict]);
        }
    }

    #[test]
    fn of_one_proof_sent_at_once_exactly_one_copy_gets_through() {
        let copies = |through: usize| -> Vec<(Must, Seen)> {
            let one =
                |copy| if copy < through { (Outcome::Accepted, Effect::Applied) } else { (STOCK, Effect::NotApplied) };
            (0..8).map(one).map(|(outcome, effect)| (Must::SucceedOnce, seen(outcome, effect))).collect()
        };
        assert_eq!(judge_attempts(&copies(1)), [Verdict::Exact]);
        assert_eq!(judge_attempts(&copies(2)), [Verdict::ReplayAccepted]);
        assert_eq!(judge_attempts(&copies(0)), [Verdict::RightProofRefused]);
        let mut unread = copies(1);
        unread[7].1.effect = Effect::Unknown;
        assert_eq!(judge_attempts(&unread), [Verdict::TargetFailed]);
        // The one that got no answer may have been the one that got through.
        let mut dropped = copies(0);
        dropped[3] = (Must::SucceedOnce, seen(Outcome::Failed, Effect::NotApplied));
        assert_eq!(judge_attempts(&dropped), [Verdict::TargetFailed]);
        // A success that did nothing let nobody through.
        let mut hollow = copies(1);
        hollow[7].1 = seen(Outcome::Accepted, Effect::NotApplied);
        assert_eq!(judge_attempts(&hollow), [Verdict::NoEffect]);
        let mut leaking = copies(1);
        leaking[7].1.effect = Effect::Partial;
        assert_eq!(judge_attempts(&leaking), [Verdict::ReplayAccepted]);
    }

    #[test]
    fn a_route_that_is_not_there_has_refused_no_proof() {
        let missing = || seen(Outcome::NotImplemented, Effect::NotApplied);
        for must in [Must::Succeed { proven: true }, Must::Succeed { proven: false }] {
            assert_eq!(judge_attempts(&[(must, missing())]), [Verdict::Unsupported]);
            assert!(must.ends(&missing()), "what builds on it says nothing");
        }
        let right = Must::Succeed { proven: true };
        assert!(
            right.ends(&seen(STOCK, Effect::NotApplied)) && right.ends(&seen(Outcome::Throttled, Effect::NotApplied))
        );
        assert!(!right.ends(&seen(Outcome::Accepted, Effect::Applied)));
        assert!(!Must::BeRefused { otherwise: Verdict::ReplayAccepted }.ends(&seen(STOCK, Effect::NotApplied)));
    }

    #[test]
    fn what_is_turned_away_without_a_proof_and_done_all_the_same_is_an_effect_before_the_factor() {
        let bare = Must::BeRefused { otherwise: Verdict::MissingChallenge };
        let judged = |outcome, effect| judge_attempts(&[(bare, seen(outcome, effect))]);
        assert_eq!(judged(STOCK, Effect::Applied), [Verdict::EffectBeforeFactor]);
        assert_eq!(judged(Outcome::Refused, Effect::Partial), [Verdict::EffectBeforeFactor]);
        assert_eq!(judged(Outcome::Accepted, Effect::Applied), [Verdict::MissingChallenge]);
        assert_eq!(judged(STOCK, Effect::NotApplied), [Verdict::Exact]);
    }

    #[test]
    fn no_second_factor_gives_a_right_that_is_missing() {
        let denied =
            |has_factor, outcome, effect| judge_attempts(&[(Must::BeDenied { has_factor }, seen(outcome, effect))]);
        assert_eq!(denied(true, Outcome::Refused, Effect::NotApplied), [Verdict::Exact]);
        assert_eq!(denied(true, STOCK, Effect::NotApplied), [Verdict::Exact]);
        assert_eq!(denied(false, STOCK, Effect::NotApplied), [Verdict::WrongFactorOffered]);
        assert_eq!(denied(true, Outcome::Accepted, Effect::Applied), [Verdict::RightsExceeded]);
        assert_eq!(denied(true, Outcome::Refused, Effect::Partial), [Verdict::RightsExceeded]);
    }

    #[test]
    fn what_the_target_may_not_know_is_turned_away_or_challenged() {
        let must = Must::BeChallengedIfKnown { factor: Factor::Totp };
        let judged = |seen: &[(Outcome, Effect)]| {
            let attempts: Vec<(Must, Seen)> = seen
                .iter()
                .map(|(outcome, effect)| (must, Seen { outcome: outcome.clone(), effect: *effect }))
                .collect();
            judge_attempts(&attempts)
        };
        let challenged = (STOCK, Effect::NotApplied);
        let unknown = (Outcome::NotImplemented, Effect::NotApplied);
        assert_eq!(judged(&[challenged.clone(), unknown.clone()]), [Verdict::Exact]);
        assert_eq!(
            judged(&[(Outcome::Refused, Effect::Unknown), (Outcome::Accepted, Effect::NotApplied)]),
            [Verdict::Unsupported]
        );
        for (outcome, effect, verdict) in [
            (Outcome::Accepted, Effect::Applied, Verdict::MissingChallenge),
            (Outcome::Refused, Effect::Applied, Verdict::EffectBeforeFactor),
            (Outcome::NotImplemented, Effect::Partial, Verdict::EffectBeforeFactor),
            (Outcome::Failed, Effect::NotApplied, Verdict::TargetFailed),
        ] {
            assert_eq!(judged(&[unknown.clone(), (outcome, effect)]), [verdict]);
        }
    }

    #[test]
    fn a_wrong_proof_is_asked_for_again() {
        let again = |outcome, effect| {
            judge_attempts(&[(Must::BeAskedAgain { otherwise: Verdict::WrongProofAccepted }, seen(outcome, effect))])
        };
        assert_eq!(again(STOCK, Effect::NotApplied), [Verdict::Exact]);
        assert_eq!(again(Outcome::Refused, Effect::NotApplied), [Verdict::WrongShape]);
        assert_eq!(again(STOCK, Effect::Applied), [Verdict::WrongProofAccepted]);
        assert_eq!(again(Outcome::Accepted, Effect::Applied), [Verdict::WrongProofAccepted]);
        assert_eq!(again(Outcome::Throttled, Effect::NotApplied), [Verdict::Throttled]);
    }

    #[test]
    fn an_action_that_may_go_either_way_is_whole() {
        let whole = |outcome, effect| judge_attempts(&[(Must::BeWhole, seen(outcome, effect))]);
        assert_eq!(whole(Outcome::Accepted, Effect::Applied), [Verdict::Exact]);
        assert_eq!(whole(STOCK, Effect::NotApplied), [Verdict::Exact]);
        assert_eq!(whole(STOCK, Effect::Partial), [Verdict::EffectBeforeFactor]);
        assert_eq!(whole(Outcome::Accepted, Effect::Partial), [Verdict::NoEffect]);
    }
}
