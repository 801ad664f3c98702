//! What follows from the seed of a pool, and is computed when it is asked for.

use std::sync::Arc;

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::hidden::hidden;
use super::{Password, RecoveryCode};

/// How many recovery codes each user has.
const RECOVERY_CODES: u32 = 5;

/// The seed of a pool.
#[derive(Clone)]
pub(crate) struct PoolSeed(Arc<Hmac<Sha256>>);

/// The password and the recovery codes of one of its users, who takes no memory for them.
#[derive(Clone)]
pub(crate) struct OfSeed {
    seed: PoolSeed,
    user: u32,
}

hidden!(PoolSeed, OfSeed);

impl PoolSeed {
    pub(crate) fn new(seed: &[u8; 32]) -> Self {
        let key = Hmac::new_from_slice(seed).expect("HMAC takes keys of any length (RFC 2104 §3)");
        Self(Arc::new(key))
    }

    /// What follows for these words and numbers.
    pub(crate) fn derive(&self, what: &str, numbers: &[u32]) -> [u8; 32] {
        let mut mac = Hmac::clone(&self.0);
        mac.update(what.as_bytes());
        for number in numbers {
            mac.update(&number.to_be_bytes());
        }
        mac.finalize().into_bytes().into()
    }

    /// What a user has.
    pub(crate) fn of(&self, user: u32) -> OfSeed {
        OfSeed { seed: self.clone(), user }
    }
}

impl OfSeed {
    pub(super) fn password(&self) -> Password {
        Password::new(HEXLOWER.encode(&self.seed.derive("password", &[self.user])[..16]))
    }

    pub(crate) fn recovery_codes(&self) -> impl Iterator<Item = RecoveryCode> {
        (0..RECOVERY_CODES).map(|at| RecoveryCode::from_bytes(self.seed.derive("recovery", &[self.user, at])))
    }
}
