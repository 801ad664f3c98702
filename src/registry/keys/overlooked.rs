//! What the faults of registrations overlook (WebAuthn Level 3 §7.1).
//!
//! `webauthn-rs` verifies registrations and cannot be weakened. A registration of the attestation
//! format `none` is not signed, so what a fault overlooks is set right before the library sees it.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use webauthn_rs::prelude::RegisterPublicKeyCredential;

use super::Ceremony;
use super::relying_party::RP_ID;
use super::steps::{FLAGS, USER_PRESENT, USER_VERIFIED};
use crate::registry::mutants::Mutant;

/// Where an attestation object's authenticator data begin: their name in CBOR, before the head of a
/// text of bytes.
const AUTHENTICATOR_DATA: &[u8] = b"\x68authData";

/// Sets right what these faults overlook.
pub(crate) fn set_right(
    answer: &mut RegisterPublicKeyCredential,
    ceremony: &Ceremony,
    origin: &str,
    overlooks: impl Fn(Mutant) -> bool,
) {
    for (fault, member, right) in [
        (Mutant::RegistrationTypeIgnored, "type", json!("webauthn.create")),
        (Mutant::RegistrationChallengeIgnored, "challenge", json!(ceremony.challenge)),
        (Mutant::RegistrationOriginIgnored, "origin", json!(origin)),
        (Mutant::RegistrationCrossOriginIgnored, "crossOrigin", json!(false)),
    ] {
        if overlooks(fault) {
            set_in_client_data(answer, member, right);
        }
    }
    let Some(data) = authenticator_data(&mut answer.response.attestation_object) else { return };
    if overlooks(Mutant::RegistrationRpIdIgnored) {
        data[..FLAGS].copy_from_slice(&Sha256::digest(RP_ID));
    }
    for (fault, flag) in
        [(Mutant::RegistrationPresenceIgnored, USER_PRESENT), (Mutant::RegistrationVerificationIgnored, USER_VERIFIED)]
    {
        if overlooks(fault) {
            data[FLAGS] |= flag;
        }
    }
}

fn set_in_client_data(answer: &mut RegisterPublicKeyCredential, member: &str, right: Value) {
    let said = &mut answer.response.client_data_json;
    // What is no JSON object is left to the library.
    let Ok(Value::Object(mut client)) = serde_json::from_slice(said) else { return };
    // What is right stays as it is to the byte, for other attestation formats sign it: an address may have a slash, and
    // `crossOrigin` may be left out.
    let is_right = match client.get(member) {
        None => right == false,
        Some(Value::String(text)) => *text.strip_suffix('/').unwrap_or(text) == right,
        Some(other) => *other == right,
    };
    if !is_right {
        client.insert(member.to_owned(), right);
        *said = Value::Object(client).to_string().into_bytes();
    }
}

/// The hash and the flags that authenticator data begin with.
fn authenticator_data(object: &mut [u8]) -> Option<&mut [u8]> {
    let name = object.windows(AUTHENTICATOR_DATA.len()).position(|bytes| bytes == AUTHENTICATOR_DATA)?;
    let head = name + AUTHENTICATOR_DATA.len();
    // RFC 8949 §3: a length in one byte, or in two.
    let start = match object.get(head)? {
        0x58 => head + 2,
        0x59 => head + 3,
        _ => return None,
    };
    object.get_mut(start..=start + FLAGS)
}
