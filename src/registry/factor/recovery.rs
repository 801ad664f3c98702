//! A user's unused recovery codes.

use crate::registry::secrets::{RecoveryCode, RecoveryDigest};

/// How many are handed out on enrolment (npm's profile API documents five).
const HANDED_OUT: usize = 5;

/// The codes that have not been used yet.
#[derive(Debug)]
pub(crate) struct RecoveryCodes(Vec<RecoveryDigest>);

impl RecoveryCodes {
    /// Fresh codes: what is kept, and what the user is shown once.
    pub(crate) fn mint() -> (Self, Vec<RecoveryCode>) {
        let codes: Vec<RecoveryCode> = (0..HANDED_OUT).map(|_| RecoveryCode::mint()).collect();
        (Self::of(&codes), codes)
    }

    /// What is kept of codes.
    pub(crate) fn of(codes: &[RecoveryCode]) -> Self {
        Self(codes.iter().map(RecoveryCode::digest).collect())
    }

    pub(crate) fn has(&self, code: &RecoveryCode) -> bool {
        self.0.iter().any(|kept| kept.is_of(code))
    }

    /// Uses a code up.
    pub(crate) fn spend(&mut self, code: &RecoveryCode) {
        self.0.retain(|kept| !kept.is_of(code));
    }
}
