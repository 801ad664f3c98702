//! Security keys as they are kept.

use std::time::SystemTime;

use webauthn_rs::prelude::{AuthenticationResult, COSEKey, CredentialID, Passkey, Uuid};

use crate::registry::secrets::random_hex;

/// What the keys of a user know him by (`user.id` in WebAuthn).
pub(crate) type UserHandle = Uuid;

/// One registered key.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    /// The name of the key in paths.
    pub(crate) id: String,
    /// What its owner calls it.
    pub(crate) name: String,
    pub(crate) created: SystemTime,
    passkey: Passkey,
    /// The signature counter of the last accepted ceremony.
    counter: u32,
}

/// A user's keys: at least one.
#[derive(Debug)]
pub(crate) struct Keys {
    handle: UserHandle,
    /// Boxed, so that users without keys are no larger for it.
    first: Box<Key>,
    rest: Vec<Key>,
}

/// What became of a wish to remove a key.
pub(crate) enum Removal {
    Removed(Box<Key>),
    /// It is the only one, and still there.
    Last,
    Unknown,
}

impl Key {
    pub(crate) fn new(passkey: Passkey, counter: u32, name: String, created: SystemTime) -> Self {
        Self { id: random_hex::<16>(), name, created, passkey, counter }
    }

    pub(crate) fn credential(&self) -> &CredentialID {
        self.passkey.cred_id()
    }

    pub(crate) fn passkey(&self) -> &Passkey {
        &self.passkey
    }

    pub(crate) fn public_key(&self) -> &COSEKey {
        self.passkey.get_public_key()
    }

    pub(crate) fn counter(&self) -> u32 {
        self.counter
    }

    /// Remembers an accepted assertion.
    pub(crate) fn accept(&mut self, result: &AuthenticationResult) {
        self.passkey.update_credential(result);
        self.counter = result.counter();
    }

    /// Remembers the counter of an assertion that a fault let through.
    pub(crate) fn count(&mut self, counter: u32) {
        self.counter = counter;
    }
}

impl Keys {
    pub(crate) fn new(handle: UserHandle, first: Key) -> Self {
        Self { handle, first: Box::new(first), rest: Vec::new() }
    }

    pub(crate) fn handle(&self) -> UserHandle {
        self.handle
    }

    pub(crate) fn add(&mut self, key: Key) {
        self.rest.push(key);
    }

    /// The keys, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&*self.first).chain(&self.rest)
    }

    /// The key with a credential identifier.
    pub(crate) fn with_credential(&self, credential: &[u8]) -> Option<&Key> {
        self.iter().find(|key| key.credential() == credential)
    }

    pub(crate) fn with_credential_mut(&mut self, credential: &[u8]) -> Option<&mut Key> {
        std::iter::once(&mut *self.first).chain(&mut self.rest).find(|key| key.credential() == credential)
    }

    /// One key, given up with the rest.
    pub(crate) fn into_first(self) -> Box<Key> {
        self.first
    }

    pub(crate) fn remove(&mut self, id: &str) -> Removal {
        if let Some(index) = self.rest.iter().position(|key| key.id == id) {
            return Removal::Removed(Box::new(self.rest.remove(index)));
        }
        if self.first.id != id {
            return Removal::Unknown;
        }
        if self.rest.is_empty() {
            return Removal::Last;
        }
        let next = self.rest.remove(0);
        Removal::Removed(std::mem::replace(&mut self.first, Box::new(next)))
    }
}
