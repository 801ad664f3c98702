//! Users that exist by a seed, so that a million of them are there at once and cost nothing until they come.
//!
//! Everything about such a user follows from the seed and his number, by HMAC-SHA-256 with the seed as its key; whoever
//! has the seed can be any of them, without a list. The letters are ASCII, the numbers 32 bits, the first byte first:
//!
//! - The pool's mark is the first four bytes of `HMAC("pool")`, and a user's name `su`, the mark in hexadecimal, `-` and
//!   the number in eight decimal digits.
//! - The first 20 bytes of `HMAC("user" number)` are the secret of his codes. The other 12 in hexadecimal, after `npm_`
//!   and his number in eight hexadecimal digits, are a token, which cannot be revoked.
//! - His password is the first 16 bytes of `HMAC("password" number)` in hexadecimal.
//! - His five recovery codes are `HMAC("recovery" number index)`.
//!
//! He becomes an account like any other with the first request that names him or carries his token.

use std::time::SystemTime;

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::factor::{Factor, Mode, Seed, TwoFactor};
use super::model::{User, UserName};
use super::secrets::{Password, RecoveryCode, TokenText};
use super::service::Desk;
use super::wire::{Authorization, Call};

/// How many recovery codes each user has.
const RECOVERY_CODES: u32 = 5;

/// Users that exist by a seed. Each enforces 2FA for authorization and writes, with codes.
#[derive(Clone)]
pub struct Seeded {
    key: Hmac<Sha256>,
    mark: String,
    users: u32,
}

impl Seeded {
    /// So many users of a seed.
    pub fn new(seed: &[u8; 32], users: u32) -> Self {
        let key = Hmac::new_from_slice(seed).expect("HMAC takes keys of any length (RFC 2104 §3)");
        let mut seeded = Self { key, mark: String::new(), users };
        seeded.mark = HEXLOWER.encode(&seeded.derive("pool", &[])[..4]);
        seeded
    }

    fn derive(&self, what: &str, numbers: &[u32]) -> [u8; 32] {
        let mut mac = self.key.clone();
        mac.update(what.as_bytes());
        for number in numbers {
            mac.update(&number.to_be_bytes());
        }
        mac.finalize().into_bytes().into()
    }

    fn name(&self, user: u32) -> Option<UserName> {
        UserName::parse(&format!("su{}-{user:08}", self.mark)).ok()
    }

    /// The number of a name, if it is one of the pool's.
    fn number(&self, name: &str) -> Option<u32> {
        let digits = name.strip_prefix("su")?.strip_prefix(self.mark.as_str())?.strip_prefix('-')?;
        let user = digits.parse().ok().filter(|user| *user < self.users && digits.len() == 8)?;
        digits.bytes().all(|digit| digit.is_ascii_digit()).then_some(user)
    }

    /// The owner of a token, if it is one of the pool's.
    pub(super) fn owner(&self, token: &TokenText) -> Option<UserName> {
        let (user, tag) = token.numbered()?;
        let is_right: bool = self.derive("user", &[user])[20..].ct_eq(&tag).into();
        if user < self.users && is_right { self.name(user) } else { None }
    }

    fn account(&self, user: u32, now: SystemTime) -> User {
        let password = Password::new(HEXLOWER.encode(&self.derive("password", &[user])[..16]));
        let mut account = User::new(&password, None, now);
        let mut secret = [0; 20];
        secret.copy_from_slice(&self.derive("user", &[user])[..20]);
        let recovery =
            (0..RECOVERY_CODES).map(|at| RecoveryCode::from_bytes(self.derive("recovery", &[user, at]))).collect();
        account.two_factor = TwoFactor::On(Factor::of_codes(Mode::DEFAULT, Seed::known(secret), recovery));
        account
    }
}

impl Desk {
    /// Makes the seeded user whom a call is about into an account, if he is none yet.
    pub(super) fn admit_seeded(&self, call: &Call) {
        let Some(seeded) = &self.settings().seeded else { return };
        let by_token = match call.authorization() {
            Some(Authorization::Bearer(token)) => token.numbered().map(|(user, _)| user),
            Some(Authorization::Basic { name, .. }) => seeded.number(name),
            Some(Authorization::Unknown) | None => None,
        };
        let by_name = call.segments().last().and_then(|last| seeded.number(last.strip_prefix("org.couchdb.user:")?));
        for user in [by_token, by_name].into_iter().flatten().filter(|user| *user < seeded.users) {
            let Some(name) = seeded.name(user) else { continue };
            let mut state = self.lock();
            state.users.entry(name).or_insert_with(|| seeded.account(user, (self.settings().now)()));
        }
    }
}
