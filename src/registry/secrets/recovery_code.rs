//! Recovery codes as handed out, and as kept.

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::hidden::hidden;
use super::random_bytes;

/// A code that stands in for a one-time code, once. It is written as 64 hexadecimal digits
/// because npm's prompt accepts digits or exactly that (wire notes §4).
#[derive(Clone)]
pub(crate) struct RecoveryCode([u8; 32]);

/// A recovery code as it is kept. The code is 256 random bits, so it needs no salt.
pub(crate) struct RecoveryDigest([u8; 32]);

hidden!(RecoveryCode, RecoveryDigest);

impl RecoveryCode {
    pub(crate) fn mint() -> Self {
        Self(random_bytes())
    }

    pub(crate) fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub(crate) fn digest(&self) -> RecoveryDigest {
        RecoveryDigest(Sha256::digest(self.0).into())
    }

    /// Gives the code away, to be shown to its owner once.
    pub(crate) fn reveal(&self) -> String {
        HEXLOWER.encode(&self.0)
    }
}

impl RecoveryDigest {
    /// Compares in constant time.
    pub(crate) fn is_of(&self, code: &RecoveryCode) -> bool {
        self.0.ct_eq(&code.digest().0).into()
    }
}
