//! Security keys (WebAuthn): what is kept of each, and the two ceremonies.
//!
//! `webauthn-rs` verifies both ceremonies in the correct registry. It cannot be weakened, so the
//! faults of ceremonies go through `steps`, which verifies an assertion one step after the other.

mod assertion;
mod key;
mod register;
mod relying_party;
mod steps;
#[cfg(test)]
mod vectors;

pub(super) use assertion::Question;
pub(super) use key::{Key, Keys, Removal, UserHandle};
pub(super) use register::{Ceremonies, Ceremony};
pub(super) use relying_party::RelyingParty;
