//! What a browser posts after a key has been touched.

use axum::http::StatusCode;
use serde_json::json;
use webauthn_rs::prelude::PublicKeyCredential;

use crate::registry::wire::{Answer, Call, Refusal};

/// Reads a credential as `PublicKeyCredential.toJSON()` writes it.
pub(super) fn parse(call: &Call) -> Result<PublicKeyCredential, Refusal> {
    serde_json::from_value(call.json()?)
        .map_err(|why| Refusal::malformed(format!("the body is no public-key credential: {why}")))
}

/// The answer to an assertion that is not right. It does not say why, and no client takes it for a
/// challenge.
pub(super) fn refused() -> Answer {
    Answer::json(StatusCode::UNAUTHORIZED, json!({ "message": "the security key was not accepted" }))
}
