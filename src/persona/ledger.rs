//! The ledger: which time steps a persona has spent, and the only source of proofs.
//!
//! A registry accepts a code once (RFC 6238 §5.2), and a strict one refuses every step up to the last accepted one.
//! So steps are handed out in rising order, each once, from within the skew that the target is known to allow; only
//! when none is left does the caller have to wait.

use crate::clock::UnixMillis;
use crate::secret::{Guises, Secret, SecretKind};

use super::totp::{OtpStep, TotpSecret};

/// How far from the present step a target accepts codes, in steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Skew {
    /// Steps before the present one.
    pub behind: i64,
    /// Steps after it.
    pub ahead: i64,
}

/// How close to a step's edge no code is sent, in milliseconds, so that it cannot age out under way.
pub const GUARD_MS: i64 = 2_000;

/// What the ledger says to a wish for a code.
#[derive(Debug)]
pub enum Issue {
    /// A code of a step that was never handed out before.
    Code(Secret),
    /// No step is left; the next one can be had then.
    WaitUntil(UnixMillis),
}

/// One persona's proofs.
#[derive(Debug)]
pub struct Ledger {
    secret: TotpSecret,
    guises: Guises,
    skew: Skew,
    guard_ms: i64,
    last: Option<OtpStep>,
}

impl Ledger {
    /// A ledger for a fresh secret.
    pub fn new(secret: TotpSecret, skew: Skew, guard_ms: i64) -> Self {
        Ledger { guises: secret.guises(), secret, skew, guard_ms, last: None }
    }

    /// A ledger for a new secret of a user who has spent codes of another: a strict registry may remember their steps.
    pub fn succeeding(self, former: Option<&Ledger>) -> Self {
        Ledger { last: former.and_then(|former| former.last), ..self }
    }

    /// A ledger for a secret that others have used until now: no step up to the present is handed out.
    pub fn resumed(secret: TotpSecret, skew: Skew, guard_ms: i64, now: UnixMillis) -> Self {
        Ledger { last: Some(step_at(now.0)), ..Ledger::new(secret, skew, guard_ms) }
    }

    /// The next code, spent from now on whatever becomes of it.
    pub fn issue(&mut self, now: UnixMillis) -> Issue {
        match self.next(now) {
            Ok(step) => {
                self.last = Some(step);
                Issue::Code(self.secret.code(step))
            }
            Err(until) => Issue::WaitUntil(until),
        }
    }

    /// Whether a code can be handed out without a wait.
    pub fn has_code(&self, now: UnixMillis) -> bool {
        self.next(now).is_ok()
    }

    /// When a code can be had, where it cannot be had now.
    pub fn opens(&self, now: UnixMillis) -> Option<UnixMillis> {
        self.next(now).err()
    }

    /// The step that is next, or when it opens.
    fn next(&self, now: UnixMillis) -> Result<OtpStep, UnixMillis> {
        let earliest = OtpStep(step_at(now.0).0 - self.skew.behind);
        let mut step = match self.last {
            Some(last) => OtpStep(earliest.0.max(last.0 + 1)),
            None => earliest,
        };
        // A code whose last moment is near might arrive too late.
        if now.0 + self.guard_ms >= closes(step, self.skew) {
            step = OtpStep(step.0 + 1);
        }
        let opens = opens(step, self.skew, self.guard_ms);
        if now.0 < opens {
            return Err(UnixMillis(opens));
        }
        Ok(step)
    }

    /// Leaves the steps before the present one alone from now on, for codes that must stay valid for a while.
    pub fn skip_to_present(&mut self, now: UnixMillis) {
        let before = OtpStep(step_at(now.0).0 - 1);
        self.last = Some(self.last.map_or(before, |last| last.max(before)));
    }

    /// The step of the last code handed out.
    pub fn last(&self) -> Option<OtpStep> {
        self.last
    }

    /// Whether the code of a step would be accepted, were it not spent.
    pub fn is_live(&self, step: OtpStep, now: UnixMillis) -> bool {
        now.0 < closes(step, self.skew)
    }

    /// The code of a step so far from the present one: behind it when negative. It spends nothing. Nothing is returned
    /// when the target accepts that step by its own skew, or when the code happens to be that of a step it accepts.
    pub fn distant(&self, steps: i64, now: UnixMillis) -> Option<Secret> {
        let present = step_at(now.0).0;
        let code = self.secret.code(OtpStep(present + steps));
        let mut accepted = -self.skew.behind..=self.skew.ahead;
        let alike = accepted.any(|near| self.secret.code(OtpStep(present + near)).reveal() == code.reveal());
        (!alike).then_some(code)
    }

    /// The code of a step so far from the present one, accepted or not: behind it when negative. It is spent from now
    /// on; nothing is returned when it is spent already.
    pub fn take(&mut self, steps: i64, now: UnixMillis) -> Option<(Secret, OtpStep)> {
        let step = OtpStep(step_at(now.0).0 + steps);
        if self.last.is_some_and(|last| step <= last) {
            return None;
        }
        self.last = Some(step);
        Some((self.secret.code(step), step))
    }

    /// Leaves all steps alone until one whose code begins with a zero, among the next so many. Whether there is one.
    pub fn skip_to_leading_zero(&mut self, now: UnixMillis, within: i64) -> bool {
        let first = step_at(now.0).0.max(self.last.map_or(i64::MIN, |last| last.0 + 1));
        let found = (first..first + within).find(|step| self.secret.code(OtpStep(*step)).reveal().starts_with('0'));
        if let Some(step) = found {
            self.last = Some(OtpStep(step - 1));
        }
        found.is_some()
    }

    /// The secret that codes are computed from.
    pub fn secret(&self) -> &TotpSecret {
        &self.secret
    }

    /// The steps whose codes the target accepts.
    pub fn skew(&self) -> Skew {
        self.skew
    }

    /// The forms in which the secret may turn up.
    pub fn guises(&self) -> &Guises {
        &self.guises
    }

    /// When the next step begins for sure, if the present one may end before a request arrives.
    pub fn edge(&self, now: UnixMillis) -> Option<UnixMillis> {
        let next = OtpStep(step_at(now.0).0 + 1).begins() * 1_000;
        (now.0 + self.guard_ms >= next).then_some(UnixMillis(next + self.guard_ms))
    }

    /// Whether a text is the code of a step near the present.
    pub fn is_near(&self, text: &str, now: UnixMillis) -> bool {
        let present = step_at(now.0).0;
        (present - 20..=present + 20).any(|step| self.secret.code(OtpStep(step)).reveal() == text)
    }

    /// A six-digit code that is wrong in every step near the present. It spends nothing.
    pub fn wrong(&self, now: UnixMillis) -> Secret {
        let present = step_at(now.0).0;
        let near: Vec<Secret> = (present - 20..=present + 20).map(|step| self.secret.code(OtpStep(step))).collect();
        let base: u32 = self.secret.code(OtpStep(present)).reveal().parse().unwrap_or(0);
        (1..=u32::try_from(near.len()).unwrap_or(u32::MAX) + 1)
            .map(|by| format!("{:06}", (base + by * 111_111) % 1_000_000))
            .find(|code| near.iter().all(|taken| taken.reveal() != code))
            .map_or_else(
                || Secret::new(SecretKind::OneTimePassword, "000000"),
                |code| Secret::new(SecretKind::OneTimePassword, code),
            )
    }
}

fn step_at(milliseconds: i64) -> OtpStep {
    OtpStep::at(milliseconds.div_euclid(1_000))
}

/// When a target with this skew stops accepting the step's code.
fn closes(step: OtpStep, skew: Skew) -> i64 {
    OtpStep(step.0 + skew.behind + 1).begins() * 1_000
}

/// When it starts to, with the guard on top; at once for the very first moment of simulated time.
fn opens(step: OtpStep, skew: Skew, guard_ms: i64) -> i64 {
    OtpStep(step.0 - skew.ahead).begins() * 1_000 + guard_ms
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn ledger(behind: i64, ahead: i64) -> Ledger {
        Ledger::new(TotpSecret::from_bytes(*b"12345678901234567890"), Skew { behind, ahead }, GUARD_MS)
    }

    #[test]
    fn a_target_that_allows_one_step_each_way_gives_three_codes_without_a_wait() {
        let mut ledger = ledger(1, 1);
        let now = UnixMillis(1_000_000_005_000);
        for _ in 0..3 {
            assert!(ledger.has_code(now));
            assert!(matches!(ledger.issue(now), Issue::Code(_)));
        }
        assert!(!ledger.has_code(now));
        assert!(matches!(ledger.issue(now), Issue::WaitUntil(_)));
    }

    #[test]
    fn a_secret_that_others_have_used_starts_after_the_present_step() {
        let now = UnixMillis(1_000_000_005_000);
        let secret = TotpSecret::from_bytes(*b"12345678901234567890");
        let mut ledger = Ledger::resumed(secret, Skew { behind: 1, ahead: 1 }, GUARD_MS, now);
        assert!(matches!(ledger.issue(now), Issue::Code(_)));
        assert_eq!(ledger.last, Some(OtpStep(step_at(now.0).0 + 1)));
    }

    #[test]
    fn a_code_with_a_leading_zero_is_found_within_bounds_or_not_at_all() {
        let mut found = ledger(0, 0);
        let now = UnixMillis(1_000_000_005_000);
        assert!(found.skip_to_leading_zero(now, 300));
        let step = OtpStep(found.last.map_or(0, |last| last.0) + 1);
        assert!(found.secret.code(step).reveal().starts_with('0'));
        let mut none = ledger(0, 0);
        let gap = step.0 - step_at(now.0).0;
        assert!(!none.skip_to_leading_zero(now, gap) && none.last.is_none());
    }

    #[test]
    fn a_code_that_must_last_is_of_the_present_step() {
        let now = UnixMillis(1_000_000_005_000);
        let mut ledger = ledger(1, 1);
        ledger.skip_to_present(now);
        assert!(matches!(ledger.issue(now), Issue::Code(_)));
        assert_eq!(ledger.last, Some(step_at(now.0)));
        ledger.skip_to_present(now);
        assert_eq!(ledger.last, Some(step_at(now.0)), "a step is never handed out again");
    }

    #[test]
    fn a_distant_code_is_one_that_the_skew_does_not_cover() {
        let now = UnixMillis(1_000_000_005_000);
        let ledger = ledger(1, 1);
        for steps in -1..=1 {
            assert!(ledger.distant(steps, now).is_none());
        }
        let present = step_at(now.0).0;
        for steps in [-10, -2, 2] {
            let code = ledger.distant(steps, now).expect("a code that is not accepted");
            assert_eq!(code.reveal(), ledger.secret.code(OtpStep(present + steps)).reveal());
        }
    }

    proptest! {
        #[test]
        fn no_step_is_issued_twice_and_every_code_is_live(
            behind in 0i64..3, ahead in 0i64..3, start in 0i64..100_000_000, gaps in prop::collection::vec(0i64..40_000, 1..40),
        ) {
            let mut ledger = ledger(behind, ahead);
            let mut now = UnixMillis(start);
            let mut issued = HashSet::new();
            for gap in gaps {
                now = UnixMillis(now.0 + gap);
                match ledger.issue(now) {
                    Issue::Code(_) => {
                        let step = ledger.last.expect("a code was issued");
                        prop_assert!(issued.insert(step), "step issued twice");
                        let present = step_at(now.0).0;
                        prop_assert!(step.0 >= present - behind && step.0 <= present + ahead, "a code that is not live");
                    }
                    Issue::WaitUntil(until) => {
                        // No wait without need: the steps that are open now are spent, or too close to their edge.
                        prop_assert!(until > now);
                        let next = ledger.last.map_or(step_at(now.0).0 - behind, |last| last.0 + 1);
                        let open = opens(OtpStep(next), Skew { behind, ahead }, GUARD_MS) <= now.0;
                        let dying = closes(OtpStep(next), Skew { behind, ahead }) <= now.0 + GUARD_MS;
                        prop_assert!(!open || dying, "a needless wait");
                        now = until;
                        prop_assert!(matches!(ledger.issue(now), Issue::Code(_)), "nothing after the wait");
                        prop_assert!(issued.insert(ledger.last.expect("issued")));
                    }
                }
            }
        }

        #[test]
        fn a_wrong_code_is_wrong_in_every_near_step(now in 0i64..4_000_000_000_000) {
            let ledger = ledger(1, 1);
            let wrong = ledger.wrong(UnixMillis(now));
            for step in step_at(now).0 - 20..=step_at(now).0 + 20 {
                let near = ledger.secret.code(OtpStep(step));
                prop_assert_ne!(near.reveal(), wrong.reveal());
            }
        }
    }
}
