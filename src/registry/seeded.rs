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
//! - The private key of his security key (P-256) is `HMAC("key" number index)` for the first index, from zero on, for
//!   which that is one, and the credential's identifier `HMAC("credential" number)`. It keeps no signature counter.
//!
//! He becomes an account like any other with the first request that names him or carries his token. His security key
//! becomes part of it with the first that can be about one, for what is public of it takes a multiplication on the curve.

use std::time::SystemTime;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use p256::SecretKey;
use p256::elliptic_curve::sec1::ToSec1Point as _;
use serde_json::json;
use subtle::ConstantTimeEq;

use super::factor::{Factor, Mode, RecoveryCodes, Seed, TwoFactor};
use super::keys::{Key, UserHandle};
use super::model::{User, UserName};
use super::secrets::{PasswordHash, PoolSeed, TokenText};
use super::service::Desk;
use super::wire::{Authorization, Call};

/// Users that exist by a seed. Each enforces 2FA for authorization and writes, with codes, unless they are to have none.
#[derive(Clone)]
pub struct Seeded {
    seed: PoolSeed,
    mark: String,
    users: u32,
    protected: bool,
}

impl Seeded {
    /// So many users of a seed.
    pub fn new(seed: &[u8; 32], users: u32) -> Self {
        let seed = PoolSeed::new(seed);
        let mark = HEXLOWER.encode(&seed.derive("pool", &[])[..4]);
        Self { seed, mark, users, protected: true }
    }

    /// How many users there are.
    pub(super) fn users(&self) -> usize {
        self.users as usize
    }

    /// The same users without a second factor.
    pub fn without_factor(self) -> Self {
        Self { protected: false, ..self }
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
        let is_right: bool = self.seed.derive("user", &[user])[20..].ct_eq(&tag).into();
        if user < self.users && is_right { self.name(user) } else { None }
    }

    fn account(&self, user: u32, now: SystemTime) -> User {
        let of_seed = self.seed.of(user);
        let mut account = User::with(PasswordHash::of_seed(of_seed.clone()), None, now);
        if !self.protected {
            return account;
        }
        let mut secret = [0; 20];
        secret.copy_from_slice(&self.seed.derive("user", &[user])[..20]);
        let recovery = RecoveryCodes::of_seed(of_seed);
        account.two_factor = TwoFactor::On(Factor::of_codes(Mode::DEFAULT, Seed::known(secret), recovery));
        account
    }

    fn credential(&self, user: u32) -> Vec<u8> {
        self.seed.derive("credential", &[user]).to_vec()
    }

    /// What is public of a user's security key, and the handle that it knows him by.
    fn key(&self, user: u32, now: SystemTime) -> Option<(Key, UserHandle)> {
        // One number in four thousand million is no private key, so the first but all of the time is.
        let private = (0..4).find_map(|index| SecretKey::from_slice(&self.seed.derive("key", &[user, index])).ok())?;
        let point = private.public_key().to_sec1_point(false);
        let coordinate = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
        let passkey = json!({ "cred": {
            "cred_id": BASE64URL_NOPAD.encode(&self.credential(user)),
            "cred": { "type_": "ES256", "key": { "EC_EC2": {
                "curve": "SECP256R1", "x": coordinate(point.x()?), "y": coordinate(point.y()?),
            } } },
            "counter": 0, "transports": null, "user_verified": true, "backup_eligible": false, "backup_state": false,
            "registration_policy": "required", "extensions": {},
            "attestation": { "data": "None", "metadata": "None" }, "attestation_format": "none",
        } });
        let passkey = serde_json::from_value(passkey).ok()?;
        let mut handle = [0; 16];
        handle.copy_from_slice(&self.seed.derive("handle", &[user])[..16]);
        Some((Key::new(passkey, 0, "key".to_owned(), now), UserHandle::from_bytes(handle)))
    }
}

/// Whether a call may be about a security key: the client can open pages, or it is a page's own.
fn is_about_keys(call: &Call) -> bool {
    call.is_from_web_client()
        || matches!(call.segments().as_slice(), ["-", "account", ..] | ["-", "v1", "login", _, ..])
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
        let by_form = || {
            let form = call.form();
            seeded.number(&form.iter().find(|(name, _)| name == "username")?.1)
        };
        let about_keys = is_about_keys(call);
        let by_form = if about_keys { by_form() } else { None };
        let named = [by_token, by_name, by_form];
        for user in named.into_iter().flatten().filter(|user| *user < seeded.users) {
            let Some(name) = seeded.name(user) else { continue };
            let now = (self.settings().now)();
            let mut state = self.lock();
            if !state.users.contains_key(&name) {
                state.users.insert(name.clone(), Box::new(seeded.account(user, now)));
            }
            // One that was removed since is not given back.
            let credential = if about_keys { seeded.credential(user) } else { continue };
            if !state.credentials.contains_key(&credential)
                && let Some((key, handle)) = seeded.key(user, now)
                && let Some(account) = state.users.get_mut(&name)
                && account.two_factor.mode().is_some()
            {
                account.two_factor.add_key(key, handle, Mode::DEFAULT);
                state.credentials.insert(credential, name);
            }
        }
    }
}
