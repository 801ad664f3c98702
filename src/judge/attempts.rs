//! Judging the attempts of a scenario: each by what must become of it, and those of one proof together.

use super::{
    Effect, Observation, Outcome, Seen, Verdict, challenged, right, spent_or_wrong, unchallenged, worst_first,
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

/// Judges attempts that carried one proof at once.
fn race(seen: &[&Seen], verdicts: &mut Vec<Verdict>) {
    let through = seen.iter().filter(|seen| seen.outcome == Outcome::Accepted || seen.effect.leaked()).count();
    if through > 1 {
        verdicts.push(Verdict::ReplayAccepted);
    }
    // A copy whose effect cannot be read proves nothing, whether it was let through or refused.
    if seen.iter().any(|seen| seen.outcome == Outcome::Failed || seen.effect == Effect::Unknown) {
        verdicts.push(Verdict::TargetFailed);
    }
    if seen.iter().any(|seen| seen.outcome == Outcome::Accepted && seen.effect == Effect::NotApplied) {
        verdicts.push(Verdict::NoEffect);
    }
    if through == 0 {
        verdicts.push(if seen.iter().all(|seen| seen.outcome == Outcome::NotImplemented) {
            Verdict::Unsupported
        } else if seen.iter().any(|seen| seen.outcome == Outcome::Throttled) {
            Verdict::Throttled
        } else {
            Verdict::RightProofRefused
        });
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
    for (must, seen) in attempts {
        match must {
            Must::Succeed { proven: false } => verdicts.extend(unchallenged(seen)),
            Must::Succeed { proven: true } => {
                let first = Seen { outcome: Outcome::Refused, effect: Effect::None };
                right(seen, &first, &mut verdicts);
            }
            // They are judged together.
            Must::SucceedOnce => {}
            Must::BeChallenged { factor } => {
                verdicts.extend(challenged(*factor, &Observation::bare(seen.clone())));
            }
            Must::BeRefused { .. } | Must::BeDenied { .. }
                if seen.outcome == Outcome::NotImplemented && !seen.effect.leaked() =>
            {
                verdicts.push(Verdict::Unsupported);
            }
            Must::BeRefused { otherwise } => spent_or_wrong(seen, *otherwise, &mut verdicts),
            Must::BeDenied { has_factor } => {
                spent_or_wrong(seen, Verdict::RightsExceeded, &mut verdicts);
                if matches!(seen.outcome, Outcome::Challenged { .. }) && !has_factor {
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
        (Outcome::Accepted, Effect::NotApplied | Effect::Partial) => verdicts.push(Verdict::NoEffect),
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
    use super::super::Asks;
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
        let mut leaking = copies(1);
        leaking[7].1.effect = Effect::Partial;
        assert_eq!(judge_attempts(&leaking), [Verdict::ReplayAccepted]);
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
    fn an_action_that_may_go_either_way_is_whole() {
        let whole = |outcome, effect| judge_attempts(&[(Must::BeWhole, seen(outcome, effect))]);
        assert_eq!(whole(Outcome::Accepted, Effect::Applied), [Verdict::Exact]);
        assert_eq!(whole(STOCK, Effect::NotApplied), [Verdict::Exact]);
        assert_eq!(whole(STOCK, Effect::Partial), [Verdict::EffectBeforeFactor]);
        assert_eq!(whole(Outcome::Accepted, Effect::Partial), [Verdict::NoEffect]);
    }
}
