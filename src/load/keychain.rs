//! The security keys of a shard's users: from the seed, or as they were registered; made ready when first needed.
//!
//! Signing is ring's. A key does not count its signatures, so that a user may have several assertions under way at once
//! and the next run goes on where this one stopped.

use std::collections::HashMap;

use p256::SecretKey;
use p256::pkcs8::EncodePrivateKey as _;
use reqwest::Url;
use serde_json::Value;

use super::users::{Seeded, Users};
use crate::persona::key::{Manner, OwnKey, Stored};
use crate::wire::is_loopback;

/// Security keys by user.
pub struct Keychain {
    origin: Url,
    held: HashMap<u32, OwnKey>,
}

impl std::fmt::Debug for Keychain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} security keys at {}", self.held.len(), self.origin)
    }
}

/// Where a person would open a target's pages. WebAuthn knows no IP addresses, so loopback has its name.
pub fn origin(base: &Url) -> Url {
    let mut origin = base.clone();
    if is_loopback(base) {
        // A name is a host of every address that has one.
        let _ = origin.set_host(Some("localhost"));
    }
    origin
}

impl Keychain {
    /// Keys for the pages of the target at `base`.
    pub fn new(base: &Url) -> Self {
        Keychain { origin: origin(base), held: HashMap::new() }
    }

    /// Signs for a user what a page asks for.
    pub fn assert(&mut self, users: &Users, user: u32, options: &Value) -> Result<Value, String> {
        let options = options.get("publicKey").unwrap_or(options);
        if !self.held.contains_key(&user) {
            let stored = stored(users, user, &self.origin).ok_or("the user has no security key")?;
            self.held.insert(user, OwnKey::uncounted(stored)?);
        }
        let key = self.held.get_mut(&user).ok_or("the user has no security key")?;
        key.assert(&self.origin, options, Manner::Right)
    }

    /// Makes a new key for what a page asks to be registered. It is not used again.
    pub fn register(&self, options: &Value) -> Result<Value, String> {
        let options = options.get("publicKey").unwrap_or(options);
        OwnKey::default().register(&self.origin, options, Manner::Right)
    }
}

/// A user's security key at an origin, if he has one.
pub fn stored(users: &Users, user: u32, origin: &Url) -> Option<Stored> {
    match users {
        Users::Seeded(seeded) => of_seed(seeded, user, origin.domain()?),
        Users::Kept(kept) => kept.get(user as usize)?.key.clone(),
    }
}

/// What follows from a seed: see `docs/load.md`.
fn of_seed(seeded: &Seeded, user: u32, rp_id: &str) -> Option<Stored> {
    // One number in four thousand million is no private key, so the first but all of the time is.
    let private = (0..4).find_map(|index| SecretKey::from_slice(&seeded.derive("key", &[user, index])).ok())?;
    let document = private.to_pkcs8_der().ok()?;
    Some(Stored::unused(&seeded.derive("credential", &[user]), rp_id, document.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::users::PoolSeed;

    #[test]
    fn a_seeded_users_key_is_the_same_each_time_and_signs_without_counting() {
        let users = Users::seeded(PoolSeed::of_number(1), 3);
        let base = Url::parse("http://127.0.0.1:4873/").expect("an address");
        let options = serde_json::json!({ "challenge": "AAAA", "rpId": "localhost" });
        let mut keys = Keychain::new(&base);
        let mut signed = |user| keys.assert(&users, user, &options).expect("signed");
        let (one, again, other) = (signed(0), signed(0), signed(1));
        assert_eq!(one["id"], again["id"]);
        assert_ne!(one["id"], other["id"]);
        let data = |answer: &Value| answer["response"]["authenticatorData"].clone();
        assert_eq!(data(&one), data(&again), "the counter stays at zero");
        assert_eq!(Keychain::new(&base).assert(&users, 0, &options).expect("signed")["id"], one["id"]);
    }
}
