//! Security keys (WebAuthn): what is kept of each, and the two ceremonies.
//!
//! `webauthn-rs` verifies both ceremonies in the correct registry. It cannot be weakened, so the
//! faults of assertions go through `steps`, which verifies one step after the other, and those of
//! registrations through `overlooked`, which sets right what a fault does not look at.

mod assertion;
mod key;
mod overlooked;
mod register;
mod relying_party;
mod steps;
#[cfg(test)]
mod vectors;

pub(super) use assertion::{AskedBy, Question};
pub(super) use key::{Key, Keys, Removal, UserHandle};
pub(super) use overlooked::set_right;
pub(super) use register::{Ceremonies, Ceremony};
pub(super) use relying_party::RelyingParty;
