//! What only faults remember of a user: bugs that a single request never shows, and a sequence of them does.
//!
//! A correct registry never reads it.

use super::Seed;
use super::recovery::RecoveryCodes;
use crate::registry::keys::Key;
use crate::registry::secrets::{PasswordHash, RecoveryCode};

/// What a fault has made of a user's second factor.
#[derive(Debug, Default)]
pub(crate) struct Lapses {
    /// Two-factor authentication was disabled once.
    pub(crate) disabled_before: bool,
    /// The factor that stands is not asked for.
    pub(crate) unenforced: bool,
    /// A right proof was sent, and none is asked for since.
    pub(crate) proven: bool,
    kept: Option<Box<Kept>>,
}

/// What a fault keeps that should be gone. Users of a correct registry take no memory for it.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// The password before the last change.
    pub(crate) password: Option<PasswordHash>,
    /// The secret of another enrolment than the one that stands.
    pub(crate) seed: Option<Seed>,
    /// The unused recovery codes of the enrolment before.
    pub(crate) recovery: Option<RecoveryCodes>,
    /// The recovery codes in the clear.
    pub(crate) clear_recovery: Vec<RecoveryCode>,
    /// The keys that were removed.
    pub(crate) removed_keys: Vec<Key>,
}

impl Lapses {
    /// A factor is enabled anew.
    pub(crate) fn begin_anew(&mut self) {
        self.unenforced = false;
        self.proven = false;
    }

    /// What has been kept, if anything has.
    pub(crate) fn kept(&self) -> Option<&Kept> {
        self.kept.as_deref()
    }

    /// Where something is to be kept.
    pub(crate) fn keep(&mut self) -> &mut Kept {
        self.kept.get_or_insert_default()
    }
}
