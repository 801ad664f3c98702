//! What only faults remember of a user: bugs that a single request never shows, and a sequence of them does.
//!
//! A correct registry never reads it.

use super::recovery::RecoveryCodes;

/// What a fault has made of a user's second factor.
#[derive(Debug, Default)]
pub(crate) struct Lapses {
    /// Two-factor authentication was disabled once.
    pub(crate) disabled_before: bool,
    /// The factor that stands is not asked for.
    pub(crate) unenforced: bool,
    /// A right proof was sent, and none is asked for since.
    pub(crate) proven: bool,
    /// The unused recovery codes of the enrolment before.
    pub(crate) former_recovery: Option<RecoveryCodes>,
}

impl Lapses {
    /// A factor is enabled anew.
    pub(crate) fn begin_anew(&mut self) {
        self.unenforced = false;
        self.proven = false;
    }
}
