//! The password that every change of a second factor comes with, and the faults that do not ask for it, or for nothing
//! else where it is missing or wrong.

use crate::registry::mutants::Mutant;
use crate::registry::secrets::Password;
use crate::registry::transaction::{Caller, Transaction};
use crate::registry::wire::{Call, Fields, Refusal};

/// What a request is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// The password, and a second factor where one stands.
    Both,
    /// Nothing: a fault.
    Nothing,
}

/// The faults of one change.
pub(super) struct Faults {
    /// No password, and no second factor either, lets the request through.
    missing: Mutant,
    /// So does a wrong one.
    wrong: Mutant,
    /// A wrong one beside a proof is not looked at.
    unread: Option<Mutant>,
}

pub(super) const ENROL: Faults =
    Faults { missing: Mutant::EnrolWithoutPassword, wrong: Mutant::EnrolWithAnyPassword, unread: None };
pub(super) const CHANGE_MODE: Faults = Faults {
    missing: Mutant::ModeChangeWithoutPasswordUnchallenged,
    wrong: Mutant::ModeChangeWithWrongPasswordUnchallenged,
    unread: Some(Mutant::ModeChangeWithAnyPassword),
};
pub(super) const DISABLE: Faults = Faults {
    missing: Mutant::DisableWithoutPasswordUnchallenged,
    wrong: Mutant::DisableWithWrongPasswordUnchallenged,
    unread: Some(Mutant::DisableWithAnyPassword),
};

impl Transaction<'_> {
    /// Checks the password that came with a change of a second factor.
    pub(super) fn check_password(
        &self,
        caller: &Caller,
        password: Option<&Password>,
        call: &Call,
        faults: &Faults,
    ) -> Result<Asked, Refusal> {
        let mutants = &self.settings().mutants;
        let bare = call.proof().is_none();
        match password {
            Some(password) if self.is_password(&caller.user, password) => Ok(Asked::Both),
            Some(_) if bare && mutants.has(faults.wrong) => Ok(Asked::Nothing),
            Some(_) if !bare && faults.unread.is_some_and(|fault| mutants.has(fault)) => Ok(Asked::Both),
            Some(_) => Err(Refusal::wrong_password()),
            None if bare && mutants.has(faults.missing) => Ok(Asked::Nothing),
            None => Err(no_password()),
        }
    }

    /// Checks the password that came with a change of security keys.
    pub(super) fn check_password_in(
        &self,
        fields: &mut Fields,
        caller: &Caller,
        missing: Mutant,
        wrong: Mutant,
    ) -> Result<(), Refusal> {
        let mutants = &self.settings().mutants;
        match fields.text("password")?.map(Password::new) {
            Some(password) if self.is_password(&caller.user, &password) => Ok(()),
            Some(_) if mutants.has(wrong) => Ok(()),
            Some(_) => Err(Refusal::wrong_password()),
            None if mutants.has(missing) => Ok(()),
            None => Err(no_password()),
        }
    }
}

fn no_password() -> Refusal {
    Refusal::malformed("`password` is missing")
}
