//! The faults of a gate that does not ask everybody: it knows some clients by their headers, or some doors, and lets the
//! others pass.

use super::Action;
use crate::registry::mutants::{Mutant, Mutants};
use crate::registry::transaction::Credential;
use crate::registry::wire::{Agent, Call};

/// Whether a fault leaves the client that sends a call unasked.
pub(crate) fn overlooks_client(call: &Call, mutants: &Mutants) -> bool {
    let agent = call.agent();
    [
        (Mutant::OtherClientsUnchallenged, agent != Agent::Npm),
        (Mutant::PnpmUnchallenged, agent == Agent::Pnpm),
        (Mutant::YarnUnchallenged, agent == Agent::Yarn),
        (Mutant::BunUnchallenged, agent == Agent::Bun),
        (Mutant::SilentClientsUnchallenged, !call.names_auth_type()),
        (Mutant::PipelinesUnchallenged, call.is_from_pipeline()),
    ]
    .into_iter()
    .any(|(fault, met)| met && mutants.has(fault))
}

/// Whether a fault leaves a name and a password unasked for more.
pub(crate) fn overlooks_basic(credential: &Credential, action: Action, mutants: &Mutants) -> bool {
    let fault = match credential {
        Credential::Token(_) => return false,
        Credential::Basic if action.is_of_account() => Mutant::BasicChangesAccount,
        Credential::Basic => Mutant::BasicWrites,
    };
    mutants.has(fault)
}
