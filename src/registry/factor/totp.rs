//! Time-based one-time codes (RFC 6238): SHA-1, six digits, thirty seconds, one step either way.
//!
//! A user's accepted steps only ever rise. A code whose step is not later than the last accepted
//! one is spent (RFC 6238 §5.2), even if it was never sent before.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use totp_rs::{Builder, Secret, Totp};

use super::Action;
use crate::registry::secrets::random_bytes;

const STEP: Duration = Duration::from_secs(30);

/// The issuer that an authenticator shows beside the user's name.
const ISSUER: &str = "stepup";

/// The secret that a user and the registry share.
pub(crate) struct Seed([u8; 20]);

impl std::fmt::Debug for Seed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seed(hidden)")
    }
}

/// How many steps from the present one are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) behind: u64,
    pub(crate) ahead: u64,
}

impl Window {
    /// One step either way: RFC 6238 §5.2 recommends no more.
    pub(crate) const ACCEPTED: Window = Window::either_way(1);

    /// As many steps before the present one as after it.
    pub(crate) const fn either_way(steps: u64) -> Self {
        Window { behind: steps, ahead: steps }
    }
}

/// The last accepted step, what it was spent on, and during which step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spent {
    pub(crate) step: u64,
    pub(crate) on: Action,
    pub(crate) during: u64,
}

/// What is to be said of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CodeVerdict {
    /// Right, and later than the last accepted one: the step to remember.
    Fresh(u64),
    /// Right once, but its step or a later one has been accepted already.
    Spent,
    /// Not the code of any step in the window.
    Wrong,
}

impl Seed {
    pub(crate) fn mint() -> Self {
        Self(random_bytes())
    }

    /// A seed that both sides know already.
    pub(crate) fn known(bytes: [u8; 20]) -> Self {
        Self(bytes)
    }

    /// The address that an authenticator is set up with. It gives the seed away.
    pub(crate) fn enrolment_url(&self, account: &str) -> String {
        let totp = self.builder().with_account_name(account).with_issuer(Some(ISSUER)).build_noncompliant();
        // An address only fails on an account name with a colon in it, which no user name has.
        totp.to_url().unwrap_or_default()
    }

    /// Judges a code at a moment, given the last accepted step.
    pub(crate) fn judge(&self, code: &str, now: SystemTime, window: Window, last: Option<u64>) -> CodeVerdict {
        let totp = self.builder().with_skew(0).build_noncompliant();
        let present = step_at(now);
        let steps = present.saturating_sub(window.behind)..=present.saturating_add(window.ahead);
        let is_spent = |step: &u64| last.is_some_and(|last| *step <= last);
        let matches = |step: &u64| is_code_of(&totp, code, *step);
        let mut fresh = steps.clone().filter(|step| !is_spent(step));
        if let Some(step) = fresh.find(matches) {
            CodeVerdict::Fresh(step)
        } else if steps.filter(is_spent).any(|step| matches(&step)) {
            CodeVerdict::Spent
        } else {
            CodeVerdict::Wrong
        }
    }

    fn builder(&self) -> Builder {
        Builder::new().with_secret(Secret::new_stack(self.0)).with_step_duration(STEP.as_secs())
    }
}

/// The number of the step that a moment lies in.
pub(crate) fn step_at(now: SystemTime) -> u64 {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs() / STEP.as_secs()
}

/// Compares in constant time: `totp-rs` does so.
fn is_code_of(totp: &Totp, code: &str, step: u64) -> bool {
    totp.check(code, step.saturating_mul(STEP.as_secs())).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B, SHA-1: time 59 is 94287082, of which six digits are kept.
    const RFC_SEED: Seed = Seed(*b"12345678901234567890");
    const ONE_STEP: Window = Window::ACCEPTED;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn a_vector_of_the_rfc_is_accepted_in_its_step_and_one_either_way() {
        for now in [0, 59, 60, 89] {
            assert_eq!(RFC_SEED.judge("287082", at(now), ONE_STEP, None), CodeVerdict::Fresh(1));
        }
        assert_eq!(RFC_SEED.judge("287082", at(90), ONE_STEP, None), CodeVerdict::Wrong);
    }

    #[test]
    fn a_step_is_spent_once_it_or_a_later_one_was_accepted() {
        for last in [1, 2] {
            assert_eq!(RFC_SEED.judge("287082", at(59), ONE_STEP, Some(last)), CodeVerdict::Spent);
        }
        assert_eq!(RFC_SEED.judge("287082", at(59), ONE_STEP, Some(0)), CodeVerdict::Fresh(1));
    }

    #[test]
    fn an_enrolment_address_names_the_user_and_the_secret() {
        assert_eq!(
            RFC_SEED.enrolment_url("alice"),
            "otpauth://totp/stepup:alice?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=stepup"
        );
    }
}
