//! Passwords as sent, and as kept.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::hidden::hidden;
use super::random_bytes;

/// A password that somebody sent.
#[derive(Clone)]
pub(crate) struct Password(String);

/// A password as it is kept: salted and hashed.
///
/// One round of SHA-256 is enough here: the registry lives in memory and must not make a login
/// so slow that a load run measures the hash instead of the second factor.
#[derive(Clone)]
pub(crate) struct PasswordHash {
    salt: [u8; 16],
    digest: [u8; 32],
}

hidden!(Password, PasswordHash);

impl Password {
    pub(crate) fn new(text: String) -> Self {
        Self(text)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl PasswordHash {
    /// Hashes a password under a fresh salt.
    pub(crate) fn of(password: &Password) -> Self {
        let salt = random_bytes();
        Self { salt, digest: salted(&salt, password) }
    }

    /// Compares in constant time.
    pub(crate) fn matches(&self, password: &Password) -> bool {
        self.digest.ct_eq(&salted(&self.salt, password)).into()
    }
}

fn salted(salt: &[u8; 16], password: &Password) -> [u8; 32] {
    Sha256::new().chain_update(salt).chain_update(password.0.as_bytes()).finalize().into()
}
