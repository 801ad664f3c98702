//! The virtual key of passkey-rs.

use passkey_authenticator::{Authenticator, MemoryStore, UiHint, UserCheck, UserValidationMethod};
use passkey_client::{Client, DefaultClientData};
use passkey_crypto::AvailableBackend;
use passkey_types::Passkey;
use passkey_types::ctap2::{Aaguid, Ctap2Error};
use passkey_types::webauthn::{CredentialCreationOptions, CredentialRequestOptions};
use reqwest::Url;
use serde_json::{Value, json};

use super::{read, refused, write};

/// Somebody who touches the key and is known to it.
struct Somebody;

#[async_trait::async_trait]
impl UserValidationMethod for Somebody {
    type PasskeyItem = Passkey;

    async fn check_user<'a>(
        &self,
        _hint: UiHint<'a, Passkey>,
        _presence: bool,
        _verification: bool,
    ) -> Result<UserCheck, Ctap2Error> {
        Ok(UserCheck { presence: true, verification: true })
    }

    fn is_presence_enabled(&self) -> bool {
        true
    }

    fn is_verification_enabled(&self) -> Option<bool> {
        Some(true)
    }
}

/// A key whose credentials have a signature counter.
#[derive(Default)]
pub(super) struct PasskeyKey(MemoryStore);

impl PasskeyKey {
    /// A key with what this one holds. What becomes of it has to be put back.
    fn authenticator(&mut self) -> Authenticator<MemoryStore, Somebody, AvailableBackend> {
        let held = std::mem::take(&mut self.0);
        let mut authenticator = Authenticator::new(Aaguid::new_empty(), held, Somebody, AvailableBackend);
        authenticator.set_make_credentials_with_signature_counter(true);
        authenticator
    }

    pub async fn register(&mut self, origin: &Url, options: &Value) -> Result<Value, String> {
        let options: CredentialCreationOptions = read(json!({ "publicKey": options }))?;
        let mut client = Client::new(self.authenticator()).allows_insecure_localhost(true);
        let made = client.register(origin, options, DefaultClientData).await;
        self.0.clone_from(client.authenticator().store());
        write(&made.map_err(refused)?)
    }

    pub async fn assert(&mut self, origin: &Url, options: &Value) -> Result<Value, String> {
        let options: CredentialRequestOptions = read(json!({ "publicKey": options }))?;
        let mut client = Client::new(self.authenticator()).allows_insecure_localhost(true);
        let made = client.authenticate(origin, options, DefaultClientData).await;
        self.0.clone_from(client.authenticator().store());
        write(&made.map_err(refused)?)
    }
}
