//! An assertion, verified one step after the other (WebAuthn Level 3 §7.2).
//!
//! In the correct registry `webauthn-rs` verifies, and these steps add only what it leaves to its
//! caller ([`LEFT_TO_US`]). Under a fault of a ceremony all of them do, but for the one that the
//! fault leaves out.

use serde::Deserialize;
use sha2::{Digest, Sha256};
use webauthn_rs::prelude::{COSEKey, PublicKeyCredential};

/// One step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// `userHandle`, if it is there, is the user's.
    UserHandle,
    /// `type` of the client data is `webauthn.get`.
    Type,
    /// `challenge` is the one that was put.
    Challenge,
    /// `origin` is that of the pages.
    Origin,
    /// `crossOrigin` is not true, and there is no `topOrigin`.
    CrossOrigin,
    /// `rpIdHash` is the hash of the relying party's identifier.
    RpIdHash,
    /// The flag UP is set.
    UserPresent,
    /// The flag UV is set.
    UserVerified,
    /// The flag BS is not set without BE.
    BackupFlags,
    /// The signature over the authenticator data and the hash of the client data is the key's.
    Signature,
    /// The counter has risen, unless it has always been zero.
    Counter,
}

/// All steps, in the order of the specification.
pub(crate) const ALL: [Step; 11] = [
    Step::UserHandle,
    Step::Type,
    Step::Challenge,
    Step::Origin,
    Step::CrossOrigin,
    Step::RpIdHash,
    Step::UserPresent,
    Step::UserVerified,
    Step::BackupFlags,
    Step::Signature,
    Step::Counter,
];

/// The steps that `webauthn-rs` does not take, or takes less strictly: it compares no user handle
/// and no `crossOrigin` in an assertion, reads an origin as an address, and counts from the moment
/// at which the challenge was put.
pub(crate) const LEFT_TO_US: [Step; 4] = [Step::UserHandle, Step::Origin, Step::CrossOrigin, Step::Counter];

/// What an assertion is held against.
pub(crate) struct Expected<'a> {
    /// The challenges that were put, in base64url.
    pub(crate) challenges: &'a [String],
    pub(crate) origin: &'a str,
    pub(crate) rp_id: &'a str,
    pub(crate) handle: &'a [u8],
    pub(crate) public_key: &'a COSEKey,
    pub(crate) counter: u32,
}

/// An assertion taken apart, beside what is expected of it.
pub(crate) struct Facts<'a> {
    answer: &'a PublicKeyCredential,
    client: ClientData,
    expected: &'a Expected<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClientData {
    #[serde(rename = "type")]
    ceremony: String,
    challenge: String,
    origin: String,
    #[serde(default)]
    cross_origin: bool,
    top_origin: Option<String>,
}

/// Authenticator data without extensions: a hash, a byte of flags, a counter.
const SHORTEST: usize = 37;
pub(super) const FLAGS: usize = 32;
pub(super) const USER_PRESENT: u8 = 1;
pub(super) const USER_VERIFIED: u8 = 1 << 2;
const BACKUP_ELIGIBLE: u8 = 1 << 3;
const BACKED_UP: u8 = 1 << 4;

impl<'a> Facts<'a> {
    /// Takes an assertion apart, if it can be.
    pub(crate) fn of(answer: &'a PublicKeyCredential, expected: &'a Expected<'a>) -> Option<Self> {
        let client = serde_json::from_slice(&answer.response.client_data_json).ok()?;
        (answer.response.authenticator_data.len() >= SHORTEST).then_some(Self { answer, client, expected })
    }

    /// The first of some steps that fails.
    pub(crate) fn failing(&self, steps: impl IntoIterator<Item = Step>) -> Option<Step> {
        steps.into_iter().find(|step| !self.holds(*step))
    }

    /// The signature counter.
    pub(crate) fn counter(&self) -> u32 {
        let bytes = self.data().get(FLAGS + 1..SHORTEST).and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0, u32::from_be_bytes)
    }

    fn holds(&self, step: Step) -> bool {
        let expected = self.expected;
        match step {
            Step::UserHandle => {
                let handle = self.answer.response.user_handle.as_deref();
                handle.is_none_or(|handle| handle == expected.handle)
            }
            Step::Type => self.client.ceremony == "webauthn.get",
            Step::Challenge => expected.challenges.contains(&self.client.challenge),
            // An address without a path is read as an origin: some clients write the slash.
            Step::Origin => self.client.origin.strip_suffix('/').unwrap_or(&self.client.origin) == expected.origin,
            Step::CrossOrigin => !self.client.cross_origin && self.client.top_origin.is_none(),
            Step::RpIdHash => self.data().starts_with(&Sha256::digest(self.expected.rp_id)),
            Step::UserPresent => self.has(USER_PRESENT),
            Step::UserVerified => self.has(USER_VERIFIED),
            Step::BackupFlags => self.has(BACKUP_ELIGIBLE) || !self.has(BACKED_UP),
            Step::Signature => {
                let response = &self.answer.response;
                let mut signed = response.authenticator_data.clone();
                signed.extend_from_slice(&Sha256::digest(&response.client_data_json));
                expected.public_key.verify_signature(&response.signature, &signed).unwrap_or(false)
            }
            Step::Counter => self.counter() > expected.counter || (self.counter() == 0 && expected.counter == 0),
        }
    }

    fn data(&self) -> &[u8] {
        &self.answer.response.authenticator_data
    }

    fn has(&self, flag: u8) -> bool {
        self.data().get(FLAGS).is_some_and(|flags| flags & flag != 0)
    }
}
