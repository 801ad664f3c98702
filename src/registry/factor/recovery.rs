//! A user's unused recovery codes.

use crate::registry::secrets::{OfSeed, RecoveryCode, RecoveryDigest};

/// How many are handed out on enrolment (npm's profile API documents five).
const HANDED_OUT: usize = 5;

/// The codes that have not been used yet.
#[derive(Debug)]
pub(crate) struct RecoveryCodes(Kept);

#[derive(Debug)]
enum Kept {
    Digests(Vec<RecoveryDigest>),
    /// All that follow from a seed: none has been used.
    OfSeed(OfSeed),
}

impl RecoveryCodes {
    /// Fresh codes: what is kept, and what the user is shown once.
    pub(crate) fn mint() -> (Self, Vec<RecoveryCode>) {
        let codes: Vec<RecoveryCode> = (0..HANDED_OUT).map(|_| RecoveryCode::mint()).collect();
        (Self::of(&codes), codes)
    }

    /// What is kept of codes.
    pub(crate) fn of(codes: &[RecoveryCode]) -> Self {
        Self(Kept::Digests(codes.iter().map(RecoveryCode::digest).collect()))
    }

    /// The codes of a user of a seed.
    pub(crate) fn of_seed(of_seed: OfSeed) -> Self {
        Self(Kept::OfSeed(of_seed))
    }

    pub(crate) fn has(&self, code: &RecoveryCode) -> bool {
        match &self.0 {
            Kept::Digests(digests) => digests.iter().any(|kept| kept.is_of(code)),
            Kept::OfSeed(of_seed) => of_seed.recovery_codes().any(|kept| kept.digest().is_of(code)),
        }
    }

    /// Uses a code up.
    pub(crate) fn spend(&mut self, code: &RecoveryCode) {
        if let Kept::OfSeed(of_seed) = &self.0 {
            self.0 = Kept::Digests(of_seed.recovery_codes().map(|code| code.digest()).collect());
        }
        if let Kept::Digests(digests) = &mut self.0 {
            digests.retain(|kept| !kept.is_of(code));
        }
    }
}
