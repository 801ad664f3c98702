//! The virtual key of webauthn-authenticator-rs.

use reqwest::Url;
use serde_json::{Value, json};
use webauthn_authenticator_rs::WebauthnAuthenticator as _;
use webauthn_authenticator_rs::prelude::{CreationChallengeResponse, RequestChallengeResponse};
use webauthn_authenticator_rs::softpasskey::SoftPasskey;

use super::{read, refused, write};

/// A key that says that it has verified its user.
pub(super) struct SoftKey(SoftPasskey);

impl Default for SoftKey {
    fn default() -> Self {
        SoftKey(SoftPasskey::new(true))
    }
}

impl SoftKey {
    pub fn register(&mut self, origin: &Url, options: &Value) -> Result<Value, String> {
        let options: CreationChallengeResponse = read(json!({ "publicKey": options }))?;
        let credential = self.0.do_registration(origin.clone(), options).map_err(refused)?;
        write(&credential)
    }

    pub fn assert(&mut self, origin: &Url, options: &Value) -> Result<Value, String> {
        let options: RequestChallengeResponse = read(json!({ "publicKey": options }))?;
        let assertion = self.0.do_authentication(origin.clone(), options).map_err(refused)?;
        write(&assertion)
    }
}
