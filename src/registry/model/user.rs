//! A user's account.

use std::collections::BTreeMap;
use std::time::SystemTime;

use crate::registry::factor::{FactorChanges, FollowUp, Kept, Lapses, TwoFactor, WrongCodes};
use crate::registry::secrets::{Password, PasswordHash, TokenDigest};

use super::Revision;

/// One account.
#[derive(Debug)]
pub(crate) struct User {
    pub(crate) password: PasswordHash,
    pub(crate) revision: Revision,
    pub(crate) profile: Profile,
    pub(crate) two_factor: TwoFactor,
    pub(crate) wrong_codes: WrongCodes,
    /// What proofs of pages must have been made under to be good.
    pub(crate) changes: FactorChanges,
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
    pub(crate) email: Option<Box<str>>,
    pub(crate) fullname: Option<Box<str>>,
    pub(crate) homepage: Option<Box<str>>,
    pub(crate) github: Option<Box<str>>,
    pub(crate) twitter: Option<Box<str>>,
    pub(crate) freenode: Option<Box<str>>,
}

impl User {
    pub(crate) fn new(password: &Password, email: Option<String>, now: SystemTime) -> Self {
        Self::with(PasswordHash::of(password), email, now)
    }

    /// A user whose password is kept like this.
    pub(crate) fn with(password: PasswordHash, email: Option<String>, now: SystemTime) -> Self {
        Self {
            password,
            revision: Revision::first(),
            profile: Profile { email: email.map(String::into_boxed_str), ..Profile::default() },
            two_factor: TwoFactor::Off,
            wrong_codes: WrongCodes::default(),
            changes: FactorChanges::default(),
            follow_ups: Vec::new(),
            lapses: Lapses::default(),
            tokens: BTreeMap::new(),
            created: now,
            updated: now,
        }
    }

    /// What a fault has kept of the user, if anything.
    pub(crate) fn kept<T>(&self, what: impl FnOnce(&Kept) -> Option<&T>) -> Option<&T> {
        what(self.lapses.kept()?)
    }

    pub(crate) fn has_password(&self, password: &Password) -> bool {
        let former = self.kept(|kept| kept.password.as_ref());
        self.password.matches(password) || former.is_some_and(|former| former.matches(password))
    }

    /// Marks the account as changed.
    pub(crate) fn touch(&mut self, now: SystemTime) {
        self.revision.advance();
        self.updated = now;
    }
}
