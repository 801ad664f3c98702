//! The faults that ask for a second factor where nothing is to be asked.

use super::factor::{Action, Challenge, Mode, Offer, Shape, Why};
use super::mutants::{Mutant, Mutants};
use super::transaction::{Caller, Transaction};
use super::wire::{Call, Refusal, Verb};

/// Asks who reads without a second factor for one, under the fault of this read. Whoever sends one along, right or
/// wrong, is let through, so that the fault shows in the read itself and not in what needs it.
pub(crate) fn ask_of_reader(call: &Call, mutants: &Mutants) -> Result<(), Refusal> {
    let reads = call.verb() == Some(Verb::Get) && call.proof().is_none();
    if reads && fault_of_read(call).is_some_and(|fault| mutants.has(fault)) {
        return Err(Refusal::Challenge(Challenge { why: Why::Missing, shape: Shape::Canonical, web: None }));
    }
    Ok(())
}

/// The fault under which a path asks its readers.
fn fault_of_read(call: &Call) -> Option<Mutant> {
    match call.segments().as_slice() {
        ["-", "ping"] => Some(Mutant::PingChallenged),
        ["-", "v1", "search"] => Some(Mutant::SearchChallenged),
        ["-", "npm", "v1", "user"] => Some(Mutant::ProfileReadChallenged),
        ["-", "npm", "v1", "tokens"] => Some(Mutant::TokenListChallenged),
        ["-", "package", _, "dist-tags"] => Some(Mutant::TagsReadChallenged),
        ["-", "package", _, "visibility"] => Some(Mutant::VisibilityReadChallenged),
        ["-", "package", _, "collaborators"] => Some(Mutant::CollaboratorsChallenged),
        ["-", "team", _, _, "package"] => Some(Mutant::TeamPackagesChallenged),
        ["-", "user", _, "package"] | ["-", "org", _, "package"] => Some(Mutant::UserPackagesChallenged),
        ["-", ..] => None,
        [_] if call.query("write").is_some() => Some(Mutant::WriteReadChallenged),
        [_] => Some(Mutant::PackumentChallenged),
        [_, "-", ..] => Some(Mutant::TarballChallenged),
        _ => None,
    }
}

/// The faults under which a user without a second factor, and one in a mode that leaves it alone, is asked for an action.
const OVERASKED: &[(Action, Option<Mutant>, Mutant)] = &[
    (Action::Publish, Some(Mutant::DisabledPublishChallenged), Mutant::AuthOnlyPublishChallenged),
    (Action::Unpublish, Some(Mutant::DisabledWritesChallenged), Mutant::AuthOnlyUnpublishChallenged),
    (Action::Deprecate, Some(Mutant::DisabledWritesChallenged), Mutant::AuthOnlyDeprecateChallenged),
    (Action::SetVisibility, Some(Mutant::DisabledWritesChallenged), Mutant::AuthOnlyVisibilityChallenged),
    (Action::GrantAccess, Some(Mutant::DisabledWritesChallenged), Mutant::AuthOnlyGrantsChallenged),
    (Action::RevokeAccess, Some(Mutant::DisabledRevocationChallenged), Mutant::AuthOnlyGrantsChallenged),
    (Action::SetPackageTwoFactor, Some(Mutant::DisabledWritesChallenged), Mutant::AuthOnlyPackageTwoFactorChallenged),
    (Action::WhoAmI, None, Mutant::WhoAmIChallenged),
];

/// The fault under which a user in this mode is asked for what his mode leaves alone.
pub(crate) fn fault_of_action(action: Action, mode: Option<Mode>) -> Option<Mutant> {
    let (_, disabled, enabled) = OVERASKED.iter().find(|(known, ..)| *known == action)?;
    if mode.is_none() { *disabled } else { Some(*enabled) }
}

impl Transaction<'_> {
    /// Asks a user without a second factor for one, under a fault of one form of an action.
    pub(crate) fn overask(
        &mut self,
        fault: Mutant,
        caller: &Caller,
        action: Action,
        call: &Call,
    ) -> Result<(), Refusal> {
        let due = self.mode_of(&caller.user).is_none() && self.settings().mutants.has(fault);
        self.demand_if(due, &caller.user, action, &Offer::of(call)).map(|_| ())
    }
}
