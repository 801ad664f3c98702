//! The judge: expectation and observation in, verdicts out. No I/O, no clock.

mod attempts;
mod odds;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use attempts::{Must, is_unknown, judge_attempts};
pub use odds::{Guessed, LOST_AT_LEAST, confidence, judge_guesses, volleys_for};

use crate::table::Factor;

/// What a case must show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expectation {
    /// The action is challenged; a right proof alone lets it through.
    Challenged,
    /// The action succeeds without a second factor.
    Unchallenged,
}

/// What one probe was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Success.
    Accepted,
    /// A challenge, in a shape that stock clients act on or with a flaw.
    Challenged {
        /// Why stock clients cannot act on it, and which.
        flaw: Option<String>,
        /// What it asks for.
        asks: Asks,
    },
    /// A refusal that asks for no second factor.
    Refused,
    /// The target has no such route.
    NotImplemented,
    /// The target asked for more patience than the run has.
    Throttled,
    /// No usable answer: hung, reset, garbage.
    Failed,
}

/// What a challenge asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asks {
    /// A code, at the client's prompt.
    ForCode,
    /// Whatever the page asks for that the client opens: a security key, or a code.
    OnPage,
    /// A security key, on a page that takes nothing else.
    ForKeyAlone,
}

/// What a read-back showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// All of it.
    Applied,
    /// None of it.
    NotApplied,
    /// None of it, as far as reads tell that have yet to show that they would find it. No case ends with it.
    Unproven,
    /// Some of it. Of the rest nothing, as far as reads tell that have yet to show that they would find it. No case ends
    /// with it.
    PartlySeen,
    /// Neither all nor none of it.
    Partial,
    /// It could not be read back.
    Unknown,
    /// What could be read of it was applied; the rest could not be read.
    Unconfirmed,
    /// The action has none.
    None,
}

impl Observation {
    /// What was seen without a second factor, and nothing else.
    pub fn bare(bare: Seen) -> Self {
        Observation { bare, other_client: None, wrong: None, right: None, replay: None, other: None }
    }

    /// All that was seen.
    pub fn all_mut(&mut self) -> impl Iterator<Item = &mut Seen> {
        let Observation { bare, other_client, wrong, right, replay, other } = self;
        std::iter::once(bare).chain([other_client, wrong, right, replay, other].into_iter().flatten())
    }
}

impl Effect {
    /// The effect, in words for people.
    pub fn words(self) -> &'static str {
        match self {
            Effect::Applied => "applied",
            Effect::NotApplied => "not applied",
            Effect::Unproven => "not seen",
            Effect::PartlySeen => "partly seen",
            Effect::Partial => "partly applied",
            Effect::Unconfirmed => "applied as far as it could be read",
            Effect::Unknown => "unknown",
            Effect::None => "none to read",
        }
    }

    /// Whether nothing of it was seen, where it was looked for.
    pub fn is_unseen(self) -> bool {
        matches!(self, Effect::NotApplied | Effect::Unproven)
    }

    /// Whether anything of it happened.
    pub fn leaked(self) -> bool {
        matches!(self, Effect::Applied | Effect::PartlySeen | Effect::Partial | Effect::Unconfirmed)
    }
}

/// One probe's outcome and effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// What the probe was answered.
    pub outcome: Outcome,
    /// What the read-back showed.
    pub effect: Effect,
}

/// What all probes of a case showed. Only a challenged action is probed beyond `bare`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// No second factor.
    pub bare: Seen,
    /// No second factor, by the other kind of client: one that opens pages where `bare` was sent by one that prompts, and
    /// the other way round.
    pub other_client: Option<Seen>,
    /// A well-formed but wrong proof.
    pub wrong: Option<Seen>,
    /// A valid proof.
    pub right: Option<Seen>,
    /// A spent proof.
    pub replay: Option<Seen>,
    /// A valid proof by the account's other factor, where it has two.
    pub other: Option<Seen>,
}

/// What a case showed, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The action went through without the second factor that it must ask for.
    MissingChallenge,
    /// The action was challenged, and had been carried out all the same.
    EffectBeforeFactor,
    /// A wrong proof let the action through.
    WrongProofAccepted,
    /// A spent proof let the action through.
    ReplayAccepted,
    /// Somebody was let through whom no second factor gives the right: a token, or a user without one.
    RightsExceeded,
    /// An answer shows a secret that must be shown once only.
    SecretShown,
    /// A second factor was asked for where none must be.
    UnexpectedChallenge,
    /// The challenge is one that stock clients cannot act on.
    WrongShape,
    /// The challenge asks for a factor that the user does not have.
    WrongFactorOffered,
    /// A valid proof was refused.
    RightProofRefused,
    /// The action should have happened and did not.
    NoEffect,
    /// Wrong codes one after the other are listened to without end.
    NeverThrottled,
    /// The target asked for more patience than the run has.
    Throttled,
    /// The target gave no usable answer.
    TargetFailed,
    /// The target refused what the case is set up with.
    SetUpRefused,
    /// The checker could not do its part.
    HarnessError,
    /// The client could not do its part, through no fault of the target's.
    ClientLimit,
    /// The target file does not describe how the action is driven.
    NotDescribed,
    /// The target answered that it has no such route, or its file says so.
    Unsupported,
    /// As documented.
    Exact,
}

impl Verdict {
    /// The verdict's word.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::MissingChallenge => "missing-challenge",
            Verdict::EffectBeforeFactor => "effect-before-factor",
            Verdict::WrongProofAccepted => "wrong-proof-accepted",
            Verdict::ReplayAccepted => "replay-accepted",
            Verdict::RightsExceeded => "rights-exceeded",
            Verdict::SecretShown => "secret-shown",
            Verdict::UnexpectedChallenge => "unexpected-challenge",
            Verdict::WrongShape => "wrong-shape",
            Verdict::WrongFactorOffered => "wrong-factor-offered",
            Verdict::RightProofRefused => "right-proof-refused",
            Verdict::NoEffect => "no-effect",
            Verdict::NeverThrottled => "never-throttled",
            Verdict::Throttled => "throttled",
            Verdict::TargetFailed => "target-failed",
            Verdict::SetUpRefused => "set-up-refused",
            Verdict::HarnessError => "harness-error",
            Verdict::ClientLimit => "client-limit",
            Verdict::NotDescribed => "not-described",
            Verdict::Unsupported => "unsupported",
            Verdict::Exact => "exact",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Judges one case. The verdicts are sorted, the worst first, and never empty.
pub fn judge(expectation: Expectation, factor: Factor, observation: &Observation) -> Vec<Verdict> {
    let mut verdicts = match expectation {
        Expectation::Unchallenged => unchallenged(&observation.bare),
        Expectation::Challenged => challenged(factor, observation),
    };
    verdicts.sort_unstable();
    verdicts.dedup();
    if verdicts.is_empty() {
        verdicts.push(Verdict::Exact);
    }
    verdicts
}

/// Verdicts of several judgements in one order: the worst first, each once, never none.
pub fn worst_first(mut verdicts: Vec<Verdict>) -> Vec<Verdict> {
    verdicts.sort_unstable();
    verdicts.dedup();
    if verdicts.len() > 1 {
        verdicts.retain(|verdict| *verdict != Verdict::Exact);
    }
    if verdicts.is_empty() {
        verdicts.push(Verdict::Exact);
    }
    verdicts
}

fn unchallenged(bare: &Seen) -> Vec<Verdict> {
    match (&bare.outcome, bare.effect) {
        (Outcome::Accepted, Effect::Applied | Effect::None) => vec![],
        (Outcome::Accepted, Effect::NotApplied | Effect::Unproven | Effect::PartlySeen | Effect::Partial) => {
            vec![Verdict::NoEffect]
        }
        (Outcome::Accepted, Effect::Unknown | Effect::Unconfirmed) => vec![Verdict::TargetFailed],
        (Outcome::Challenged { flaw, .. }, _) => {
            let shape = flaw.as_ref().map(|_| Verdict::WrongShape);
            std::iter::once(Verdict::UnexpectedChallenge).chain(shape).collect()
        }
        (Outcome::Refused, _) => vec![Verdict::NoEffect],
        (Outcome::NotImplemented, effect) if !effect.leaked() => vec![Verdict::Unsupported],
        (Outcome::NotImplemented | Outcome::Failed, _) => vec![Verdict::TargetFailed],
        (Outcome::Throttled, _) => vec![Verdict::Throttled],
    }
}

fn challenged(factor: Factor, observation: &Observation) -> Vec<Verdict> {
    let bare = &observation.bare;
    let mut verdicts = Vec::new();
    let right_worked = observation.right.as_ref().is_some_and(|right| right.outcome == Outcome::Accepted);
    let right_refused = observation.right.as_ref().is_some_and(|right| right.outcome == Outcome::Refused);
    match &bare.outcome {
        // An answer that reads as success while nothing happened is no way through. If a right proof changes that, it
        // was a challenge that no client can recognise.
        Outcome::Accepted if bare.effect.is_unseen() => {
            let applied = observation.right.as_ref().is_some_and(|right| right.effect == Effect::Applied);
            verdicts.push(if applied { Verdict::WrongShape } else { Verdict::NoEffect });
        }
        Outcome::Accepted => verdicts.push(Verdict::MissingChallenge),
        Outcome::Challenged { flaw, asks } => {
            if flaw.is_some() {
                verdicts.push(Verdict::WrongShape);
            }
            // The account has no way to make what is asked for.
            let wrong =
                matches!((asks, factor), (Asks::ForCode, Factor::SecurityKey) | (Asks::ForKeyAlone, Factor::Totp));
            if wrong {
                verdicts.push(Verdict::WrongFactorOffered);
            }
            match bare.effect {
                Effect::Applied | Effect::PartlySeen | Effect::Partial | Effect::Unconfirmed => {
                    verdicts.push(Verdict::EffectBeforeFactor);
                }
                Effect::Unknown => verdicts.push(Verdict::TargetFailed),
                Effect::NotApplied | Effect::Unproven | Effect::None => {}
            }
        }
        // A refusal that a right proof lifts was a challenge that no client can recognise.
        // One that a right proof does not lift is told of by that proof.
        Outcome::Refused if bare.effect.leaked() => verdicts.push(Verdict::EffectBeforeFactor),
        Outcome::Refused if right_refused => {}
        Outcome::Refused => verdicts.push(Verdict::WrongShape),
        Outcome::NotImplemented if bare.effect.leaked() => verdicts.push(Verdict::EffectBeforeFactor),
        Outcome::NotImplemented if right_worked => verdicts.push(Verdict::WrongShape),
        Outcome::NotImplemented => verdicts.push(Verdict::Unsupported),
        Outcome::Throttled => verdicts.push(Verdict::Throttled),
        Outcome::Failed => {
            verdicts.push(if bare.effect.leaked() { Verdict::EffectBeforeFactor } else { Verdict::TargetFailed });
        }
    }
    match &observation.other_client {
        // A user with a key alone cannot answer at a prompt, so how they are turned away there is the registry's own.
        Some(seen) if factor == Factor::SecurityKey => without_proof(seen, &mut verdicts),
        Some(seen) => {
            let seen = Observation { right: observation.right.clone(), ..Observation::bare(seen.clone()) };
            verdicts.extend(challenged(factor, &seen));
        }
        None => {}
    }
    // Where the action is carried out though nothing was proven, and asked for all the same, a wrong or a spent proof that
    // is asked for again has let nothing through.
    let carried_out = bare.effect.leaked() && bare.outcome != Outcome::Accepted;
    let unless_carried_out = |seen: &Seen, accepted| match seen.outcome {
        Outcome::Accepted => accepted,
        _ if carried_out => Verdict::EffectBeforeFactor,
        _ => accepted,
    };
    if let Some(wrong) = &observation.wrong {
        spent_or_wrong(wrong, unless_carried_out(wrong, Verdict::WrongProofAccepted), &mut verdicts);
    }
    if let Some(seen) = &observation.right {
        right(seen, bare, &mut verdicts);
    }
    if let Some(seen) = &observation.other {
        right(seen, bare, &mut verdicts);
    }
    if let Some(replay) = &observation.replay {
        spent_or_wrong(replay, unless_carried_out(replay, Verdict::ReplayAccepted), &mut verdicts);
    }
    verdicts
}

fn right(seen: &Seen, bare: &Seen, verdicts: &mut Vec<Verdict>) {
    match (&seen.outcome, seen.effect) {
        (Outcome::Accepted, Effect::NotApplied | Effect::Unproven | Effect::PartlySeen | Effect::Partial) => {
            verdicts.push(Verdict::NoEffect);
        }
        (Outcome::Accepted, Effect::Unknown | Effect::Unconfirmed) => verdicts.push(Verdict::TargetFailed),
        (Outcome::Accepted, Effect::Applied | Effect::None) => {}
        // The bare probe has found the route missing already.
        (Outcome::NotImplemented, _) if bare.outcome == Outcome::NotImplemented => {}
        (Outcome::Refused | Outcome::Challenged { .. } | Outcome::NotImplemented, _) => {
            verdicts.push(Verdict::RightProofRefused);
        }
        (Outcome::Throttled, _) => verdicts.push(Verdict::Throttled),
        (Outcome::Failed, _) => verdicts.push(Verdict::TargetFailed),
    }
}

/// Judges an attempt without a proof that need not be challenged in any given way, and must not get through.
fn without_proof(seen: &Seen, verdicts: &mut Vec<Verdict>) {
    // It was turned away, and had been carried out all the same.
    let late = seen.effect.leaked() && seen.outcome != Outcome::Accepted;
    let got_through = if late { Verdict::EffectBeforeFactor } else { Verdict::MissingChallenge };
    spent_or_wrong(seen, got_through, verdicts);
}

fn spent_or_wrong(seen: &Seen, accepted: Verdict, verdicts: &mut Vec<Verdict>) {
    match &seen.outcome {
        // It reads as success and did nothing: nothing got through.
        Outcome::Accepted if seen.effect.is_unseen() => {}
        Outcome::Accepted => verdicts.push(accepted),
        _ if seen.effect.leaked() => verdicts.push(accepted),
        Outcome::Failed => verdicts.push(Verdict::TargetFailed),
        Outcome::Throttled => verdicts.push(Verdict::Throttled),
        // A refusal whose effect cannot be read proves nothing.
        Outcome::Challenged { .. } | Outcome::Refused if seen.effect == Effect::Unknown => {
            verdicts.push(Verdict::TargetFailed);
        }
        Outcome::Challenged { .. } | Outcome::Refused | Outcome::NotImplemented => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STOCK: Outcome = Outcome::Challenged { flaw: None, asks: Asks::ForCode };

    fn seen(outcome: Outcome, effect: Effect) -> Seen {
        Seen { outcome, effect }
    }

    fn compliant() -> Observation {
        Observation {
            bare: seen(STOCK, Effect::NotApplied),
            other_client: Some(seen(STOCK, Effect::NotApplied)),
            wrong: Some(seen(STOCK, Effect::NotApplied)),
            right: Some(seen(Outcome::Accepted, Effect::Applied)),
            replay: Some(seen(STOCK, Effect::NotApplied)),
            other: None,
        }
    }

    #[test]
    fn a_compliant_registry_is_exact() {
        assert_eq!(judge(Expectation::Challenged, Factor::Totp, &compliant()), [Verdict::Exact]);
    }

    #[test]
    fn each_fault_has_its_verdict() {
        type Fault = fn(&mut Observation);
        let faults: [(Fault, Verdict); 9] = [
            (|o| o.other_client = Some(seen(Outcome::Accepted, Effect::Applied)), Verdict::MissingChallenge),
            (|o| o.bare = seen(Outcome::Accepted, Effect::Applied), Verdict::MissingChallenge),
            (|o| o.bare.effect = Effect::Partial, Verdict::EffectBeforeFactor),
            (|o| o.bare.outcome = Outcome::Refused, Verdict::WrongShape),
            (|o| o.wrong = Some(seen(Outcome::Accepted, Effect::Applied)), Verdict::WrongProofAccepted),
            (|o| o.replay = Some(seen(STOCK, Effect::Applied)), Verdict::ReplayAccepted),
            (|o| o.right = Some(seen(STOCK, Effect::NotApplied)), Verdict::RightProofRefused),
            (|o| o.right = Some(seen(Outcome::Accepted, Effect::NotApplied)), Verdict::NoEffect),
            (|o| o.bare.outcome = Outcome::Failed, Verdict::TargetFailed),
        ];
        for (fault, verdict) in faults {
            let mut observation = compliant();
            fault(&mut observation);
            assert_eq!(judge(Expectation::Challenged, Factor::Totp, &observation), [verdict]);
        }
    }

    #[test]
    fn a_code_asked_of_an_account_that_has_a_key_alone_is_the_wrong_factor() {
        let mut observation = compliant();
        observation.bare.outcome = Outcome::Challenged { flaw: None, asks: Asks::OnPage };
        assert_eq!(judge(Expectation::Challenged, Factor::SecurityKey, &observation), [Verdict::Exact]);
        observation.bare.outcome = STOCK;
        assert_eq!(judge(Expectation::Challenged, Factor::SecurityKey, &observation), [Verdict::WrongFactorOffered]);
        // Who has both can answer either.
        assert_eq!(judge(Expectation::Challenged, Factor::Both, &observation), [Verdict::Exact]);
        observation.other = Some(seen(STOCK, Effect::NotApplied));
        assert_eq!(judge(Expectation::Challenged, Factor::Both, &observation), [Verdict::RightProofRefused]);
    }

    #[test]
    fn what_a_user_with_a_key_alone_is_asked_at_a_prompt_and_done_all_the_same_is_an_effect_before_the_factor() {
        let asked = |asks| Outcome::Challenged { flaw: None, asks };
        let by_prompt = |outcome, effect| {
            let bare = seen(asked(Asks::OnPage), Effect::NotApplied);
            let observation = Observation { bare, other_client: Some(seen(outcome, effect)), ..compliant() };
            judge(Expectation::Challenged, Factor::SecurityKey, &observation)
        };
        assert_eq!(by_prompt(asked(Asks::ForCode), Effect::NotApplied), [Verdict::Exact]);
        assert_eq!(by_prompt(asked(Asks::ForCode), Effect::Applied), [Verdict::EffectBeforeFactor]);
        assert_eq!(by_prompt(Outcome::Refused, Effect::Partial), [Verdict::EffectBeforeFactor]);
        assert_eq!(by_prompt(Outcome::Accepted, Effect::Applied), [Verdict::MissingChallenge]);
        assert_eq!(by_prompt(Outcome::Failed, Effect::NotApplied), [Verdict::TargetFailed]);
    }

    #[test]
    fn a_refusal_that_a_right_proof_does_not_lift_was_no_hidden_challenge() {
        let mut observation = compliant();
        observation.bare.outcome = Outcome::Refused;
        observation.right = Some(seen(Outcome::Refused, Effect::NotApplied));
        observation.replay = None;
        assert_eq!(judge(Expectation::Challenged, Factor::Totp, &observation), [Verdict::RightProofRefused]);
    }

    #[test]
    fn a_success_that_did_nothing_is_a_hidden_challenge_or_no_effect() {
        let nothing = || seen(Outcome::Accepted, Effect::NotApplied);
        let mut observation =
            Observation { bare: nothing(), wrong: Some(nothing()), replay: Some(nothing()), ..compliant() };
        assert_eq!(judge(Expectation::Challenged, Factor::Totp, &observation), [Verdict::WrongShape]);
        observation.right = Some(nothing());
        assert_eq!(judge(Expectation::Challenged, Factor::Totp, &observation), [Verdict::NoEffect]);
    }

    #[test]
    fn a_refusal_whose_effect_cannot_be_read_is_not_exact() {
        let unread = Some(seen(STOCK, Effect::Unknown));
        let wrong = Observation { wrong: unread.clone(), ..compliant() };
        let replay = Observation { replay: unread, ..compliant() };
        for observation in [wrong, replay] {
            assert_eq!(judge(Expectation::Challenged, Factor::Totp, &observation), [Verdict::TargetFailed]);
        }
    }

    #[test]
    fn an_effect_that_was_read_in_part_is_a_leak_but_no_proof_of_success() {
        let mut observation = compliant();
        observation.bare.effect = Effect::Unconfirmed;
        assert_eq!(judge(Expectation::Challenged, Factor::Totp, &observation), [Verdict::EffectBeforeFactor]);
        let mut observation = compliant();
        observation.right = Some(seen(Outcome::Accepted, Effect::Unconfirmed));
        assert_eq!(judge(Expectation::Challenged, Factor::Totp, &observation), [Verdict::TargetFailed]);
        observation.bare = seen(Outcome::Accepted, Effect::Unconfirmed);
        assert_eq!(judge(Expectation::Unchallenged, Factor::Totp, &observation), [Verdict::TargetFailed]);
    }

    #[test]
    fn a_missing_route_that_a_wrong_proof_opens_is_not_unsupported() {
        let missing = || seen(Outcome::NotImplemented, Effect::NotApplied);
        let mut observation =
            Observation { wrong: Some(missing()), right: Some(missing()), ..Observation::bare(missing()) };
        assert_eq!(judge(Expectation::Challenged, Factor::Totp, &observation), [Verdict::Unsupported]);
        observation.wrong = Some(seen(Outcome::Accepted, Effect::Applied));
        assert_eq!(judge(Expectation::Challenged, Factor::Totp, &observation)[0], Verdict::WrongProofAccepted);
    }

    #[test]
    fn a_missing_route_that_acts_all_the_same_is_not_unsupported() {
        let mut observation = compliant();
        observation.bare = seen(Outcome::NotImplemented, Effect::Applied);
        assert!(judge(Expectation::Challenged, Factor::Totp, &observation).contains(&Verdict::EffectBeforeFactor));
    }
}
