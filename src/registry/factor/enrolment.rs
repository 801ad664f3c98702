//! Where a user stands with 2FA: without it, half-way into it, or with it.
//!
//! The three exclude each other, so a pending enrolment can neither be enforced nor weaken a
//! factor that stands: changing the mode of a standing factor makes nothing pending.

use serde_json::{Value, json};

use super::recovery::RecoveryCodes;
use super::{Mode, Seed, Spent};
use crate::registry::secrets::RecoveryCode;

/// Where a user stands with 2FA.
#[derive(Debug)]
pub(crate) enum TwoFactor {
    /// Not enabled.
    Off,
    /// Asked for, and waiting for a first code.
    Pending(Pending),
    /// Enabled.
    On(Factor),
}

/// An enrolment that has not been confirmed.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) seed: Seed,
    pub(crate) mode: Mode,
}

/// An enabled second factor.
#[derive(Debug)]
pub(crate) struct Factor {
    pub(crate) mode: Mode,
    pub(crate) seed: Seed,
    pub(crate) last: Option<Spent>,
    pub(crate) recovery: RecoveryCodes,
}

impl TwoFactor {
    /// The mode that is enforced.
    pub(crate) fn mode(&self) -> Option<Mode> {
        match self {
            TwoFactor::Off | TwoFactor::Pending(_) => None,
            TwoFactor::On(factor) => Some(factor.mode),
        }
    }

    /// The `tfa` member of a profile.
    pub(crate) fn describe(&self) -> Value {
        match self {
            TwoFactor::Off => Value::Null,
            TwoFactor::Pending(pending) => json!({ "pending": true, "mode": pending.mode.name() }),
            TwoFactor::On(factor) => json!({ "pending": false, "mode": factor.mode.name() }),
        }
    }
}

impl Pending {
    pub(crate) fn new(mode: Mode) -> Self {
        Self { seed: Seed::mint(), mode }
    }

    /// Enables the factor. The code that confirmed it is spent.
    pub(crate) fn confirm(self, spent: Spent) -> (Factor, Vec<RecoveryCode>) {
        let (recovery, codes) = RecoveryCodes::mint();
        let factor = Factor { mode: self.mode, seed: self.seed, last: Some(spent), recovery };
        (factor, codes)
    }
}
