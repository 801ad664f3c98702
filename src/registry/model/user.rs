//! A user's account.

use std::collections::BTreeMap;
use std::time::SystemTime;

use crate::registry::factor::{FollowUp, Lapses, Seed, TwoFactor, WrongCodes};
use crate::registry::keys::Key;
use crate::registry::secrets::{Password, PasswordHash, RecoveryCode, TokenDigest};

use super::Revision;

/// One account.
#[derive(Debug)]
pub(crate) struct User {
    pub(crate) password: PasswordHash,
    /// The password before the last change. Only a fault fills this in.
    pub(crate) former_password: Option<Box<PasswordHash>>,
    /// The secret of the enrolment before. Only a fault fills this in.
    pub(crate) former_seed: Option<Seed>,
    /// The recovery codes in the clear. Only a fault fills this in.
    pub(crate) clear_recovery: Vec<RecoveryCode>,
    /// The keys that were removed. Only a fault fills this in.
    pub(crate) removed_keys: Vec<Key>,
    pub(crate) revision: Revision,
    pub(crate) profile: Profile,
    pub(crate) two_factor: TwoFactor,
    pub(crate) wrong_codes: WrongCodes,
    pub(crate) follow_ups: Vec<FollowUp>,
    /// Only faults read this.
    pub(crate) lapses: Lapses,
    /// Tokens by key.
    pub(crate) tokens: BTreeMap<String, TokenDigest>,
    pub(crate) created: SystemTime,
    pub(crate) updated: SystemTime,
}

/// What a user says about himself.
#[derive(Debug, Default, Clone)]
pub(crate) struct Profile {
    pub(crate) email: Option<String>,
    pub(crate) fullname: Option<String>,
    pub(crate) homepage: Option<String>,
    pub(crate) github: Option<String>,
    pub(crate) twitter: Option<String>,
    pub(crate) freenode: Option<String>,
}

impl User {
    pub(crate) fn new(password: &Password, email: Option<String>, now: SystemTime) -> Self {
        Self::with(PasswordHash::of(password), email, now)
    }

    /// A user whose password is kept like this.
    pub(crate) fn with(password: PasswordHash, email: Option<String>, now: SystemTime) -> Self {
        Self {
            password,
            former_password: None,
            former_seed: None,
            clear_recovery: Vec::new(),
            removed_keys: Vec::new(),
            revision: Revision::first(),
            profile: Profile { email, ..Profile::default() },
            two_factor: TwoFactor::Off,
            wrong_codes: WrongCodes::default(),
            follow_ups: Vec::new(),
            lapses: Lapses::default(),
            tokens: BTreeMap::new(),
            created: now,
            updated: now,
        }
    }

    pub(crate) fn has_password(&self, password: &Password) -> bool {
        let former = self.former_password.as_ref();
        self.password.matches(password) || former.is_some_and(|former| former.matches(password))
    }

    /// Marks the account as changed.
    pub(crate) fn touch(&mut self, now: SystemTime) {
        self.revision.advance();
        self.updated = now;
    }
}
