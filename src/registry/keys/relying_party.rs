//! The relying party of WebAuthn: who the keys are asked for, and what `webauthn-rs` says.

use std::fmt::Display;

use serde::Serialize;
use serde_json::Value;
use webauthn_rs::prelude::{
    AuthenticationResult, CredentialID, Passkey, PasskeyAuthentication, PasskeyRegistration, PublicKeyCredential,
    RegisterPublicKeyCredential, Url, Webauthn, WebauthnBuilder,
};

use super::{Keys, UserHandle};
use crate::registry::wire::Refusal;

/// The identifier of the relying party. Browsers take no address of numbers for one.
pub(crate) const RP_ID: &str = "localhost";

/// The relying party on one port. Every page whose origin has that port and [`RP_ID`] is its own.
pub(crate) struct RelyingParty {
    webauthn: Webauthn,
    origin: String,
}

impl RelyingParty {
    /// The relying party at the address that a client used.
    pub(crate) fn at(base: &str) -> Result<Self, Refusal> {
        let no_address = || Refusal::malformed("the `host` header names no address");
        let mut url = Url::parse(base).map_err(|_| no_address())?;
        url.set_host(Some(RP_ID)).map_err(|_| no_address())?;
        let builder = WebauthnBuilder::new(RP_ID, &url).map_err(|_| no_address())?;
        let webauthn = builder.rp_name("stepup").build().map_err(|_| no_address())?;
        Ok(Self { webauthn, origin: url.origin().ascii_serialization() })
    }

    /// The origin of the pages.
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    /// Begins the registration of a key: what the browser is given, and what is remembered.
    pub(crate) fn begin(
        &self,
        handle: UserHandle,
        name: &str,
        known: Vec<CredentialID>,
    ) -> Result<(Value, PasskeyRegistration), Refusal> {
        let (options, state) =
            self.webauthn.start_passkey_registration(handle, name, name, Some(known)).map_err(unable)?;
        Ok((public_key(&options)?, state))
    }

    /// Ends a registration: the key, and its signature counter.
    pub(crate) fn finish(
        &self,
        answer: &RegisterPublicKeyCredential,
        state: &PasskeyRegistration,
    ) -> Result<(Passkey, u32), Refusal> {
        let passkey = self.webauthn.finish_passkey_registration(answer, state);
        let passkey = passkey.map_err(|why| Refusal::malformed(format!("the registration is not accepted: {why}")))?;
        // The library shows the counter in the written form of a key only.
        let counter = serde_json::to_value(&passkey).map_err(unable)?["cred"]["counter"].as_u64();
        let counter = counter.and_then(|counter| u32::try_from(counter).ok()).unwrap_or_default();
        Ok((passkey, counter))
    }

    /// Puts a challenge to keys: what the browser is given, and what is remembered.
    pub(crate) fn ask(&self, keys: &Keys) -> Result<(Value, PasskeyAuthentication), Refusal> {
        let keys: Vec<Passkey> = keys.iter().map(|key| key.passkey().clone()).collect();
        let (options, state) = self.webauthn.start_passkey_authentication(&keys).map_err(unable)?;
        Ok((public_key(&options)?, state))
    }

    /// What the library says of an assertion.
    pub(crate) fn judge(
        &self,
        answer: &PublicKeyCredential,
        state: &PasskeyAuthentication,
    ) -> Option<AuthenticationResult> {
        self.webauthn.finish_passkey_authentication(answer, state).ok()
    }
}

/// The member that browsers want of what the library makes.
fn public_key(options: &impl Serialize) -> Result<Value, Refusal> {
    let mut options = serde_json::to_value(options).map_err(unable)?;
    Ok(options["publicKey"].take())
}

fn unable(why: impl Display) -> Refusal {
    Refusal::Unable(why.to_string())
}
