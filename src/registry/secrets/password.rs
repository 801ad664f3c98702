//! Passwords as sent, and as kept.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::hidden::hidden;
use super::{OfSeed, random_bytes};

/// A password that somebody sent.
#[derive(Clone)]
pub(crate) struct Password(String);

/// A password as it is kept.
#[derive(Clone)]
pub(crate) struct PasswordHash(Kept);

/// Salted and hashed, or computed from a seed whenever one is compared with it.
///
/// One round of SHA-256 is enough here: the registry lives in memory and must not make a login
/// so slow that a load run measures the hash instead of the second factor.
#[derive(Clone)]
enum Kept {
    Salted { salt: [u8; 16], digest: [u8; 32] },
    OfSeed(OfSeed),
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
        Self(Kept::Salted { salt, digest: salted(&salt, password) })
    }

    /// The password of a user of a seed.
    pub(crate) fn of_seed(of_seed: OfSeed) -> Self {
        Self(Kept::OfSeed(of_seed))
    }

    /// Compares in constant time.
    pub(crate) fn matches(&self, password: &Password) -> bool {
        match &self.0 {
            Kept::Salted { salt, digest } => digest.ct_eq(&salted(salt, password)),
            Kept::OfSeed(of_seed) => of_seed.password().0.as_bytes().ct_eq(password.0.as_bytes()),
        }
        .into()
    }
}

fn salted(salt: &[u8; 16], password: &Password) -> [u8; 32] {
    Sha256::new().chain_update(salt).chain_update(password.0.as_bytes()).finalize().into()
}
