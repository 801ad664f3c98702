//! The vectors of `fixtures/webauthn`: what authenticators made, what the specification prints,
//! and one assertion for each step that can fail.
//!
//! Each assertion goes through the steps of this registry and through `webauthn-rs-core`. They must
//! agree, but for what the library leaves to its caller.

use std::fs;
use std::path::Path;
use std::time::Duration;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde::Deserialize;
use serde_json::{Value, json};
use webauthn_rs::prelude::{
    COSEAlgorithm, COSEEC2Key, COSEKey, COSEKeyType, COSERSAKey, ECDSACurve, PublicKeyCredential, Url,
};
use webauthn_rs_core::WebauthnCore;
use webauthn_rs_core::error::WebauthnError;

use super::steps::{ALL, Expected, Facts, LEFT_TO_US, Step};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vectors {
    source: String,
    rp_id: String,
    origin: String,
    #[serde(default)]
    user_handle: Hex,
    registration: Option<Registration>,
    public_key: PublicKey,
    assertions: Vec<Assertion>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Registration {
    challenge: Hex,
    #[serde(rename = "credential_id")]
    credential_id: Hex,
    #[serde(rename = "clientDataJSON")]
    client_data: Hex,
    attestation_object: Hex,
}

#[derive(Deserialize)]
#[serde(tag = "type", deny_unknown_fields)]
enum PublicKey {
    #[serde(rename = "ES256")]
    Es256 { x: Hex, y: Hex },
    #[serde(rename = "RS256")]
    Rs256 { n: Hex, e: Hex },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Assertion {
    name: String,
    challenge: Hex,
    #[serde(rename = "stored_counter")]
    counter: u32,
    #[serde(rename = "clientDataJSON")]
    client_data: Hex,
    authenticator_data: Hex,
    signature: Hex,
    user_handle: Option<Hex>,
    /// `valid`, or the first step that fails.
    expected: String,
}

/// Bytes, as the specification prints them.
#[derive(Default, Deserialize)]
#[serde(try_from = "String")]
struct Hex(Vec<u8>);

impl TryFrom<String> for Hex {
    type Error = data_encoding::DecodeError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        HEXLOWER.decode(text.as_bytes()).map(Self)
    }
}

impl Hex {
    fn base64url(&self) -> String {
        BASE64URL_NOPAD.encode(&self.0)
    }
}

fn name(step: Step) -> &'static str {
    match step {
        Step::UserHandle => "user-handle",
        Step::Type => "type",
        Step::Challenge => "challenge",
        Step::Origin => "origin",
        Step::CrossOrigin => "cross-origin",
        Step::RpIdHash => "rp-id-hash",
        Step::UserPresent => "user-present",
        Step::UserVerified => "user-verified",
        Step::BackupFlags => "backup-flags",
        Step::Signature => "signature",
        Step::Counter => "counter",
    }
}

fn each(check: impl Fn(&str, &Vectors)) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/webauthn");
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        let vectors: Vectors = serde_json::from_str(&fs::read_to_string(&path).unwrap()).expect(&file);
        assert!(!vectors.source.is_empty());
        check(&file, &vectors);
        count += 1;
    }
    assert_eq!(count, 9);
}

impl Vectors {
    fn key(&self) -> COSEKey {
        match &self.public_key {
            PublicKey::Es256 { x, y } => {
                let (x, y) = (x.0.clone(), y.0.clone());
                let key = COSEKeyType::EC_EC2(COSEEC2Key { curve: ECDSACurve::SECP256R1, x, y });
                COSEKey { type_: COSEAlgorithm::ES256, key }
            }
            PublicKey::Rs256 { n, e } => {
                let (n, e) = (n.0.clone(), e.0.clone().try_into().unwrap());
                COSEKey { type_: COSEAlgorithm::RS256, key: COSEKeyType::RSA(COSERSAKey { n, e }) }
            }
        }
    }

    fn library(&self) -> WebauthnCore {
        let origin = Url::parse(&self.origin).unwrap();
        let limit = Duration::from_secs(60);
        WebauthnCore::new_unsafe_experts_only("registry", &self.rp_id, vec![origin], limit, None, None)
    }

    fn credential_id(&self) -> Vec<u8> {
        self.registration.as_ref().map_or(vec![1; 16], |registration| registration.credential_id.0.clone())
    }

    fn answer(&self, assertion: &Assertion) -> PublicKeyCredential {
        let id = BASE64URL_NOPAD.encode(&self.credential_id());
        let answer = json!({ "id": id, "rawId": id, "type": "public-key", "response": {
            "clientDataJSON": assertion.client_data.base64url(),
            "authenticatorData": assertion.authenticator_data.base64url(),
            "signature": assertion.signature.base64url(),
            "userHandle": assertion.user_handle.as_ref().map(Hex::base64url),
        } });
        serde_json::from_value(answer).unwrap()
    }

    /// What the library says, put in the state in which it would have asked.
    fn judged_by_library(&self, assertion: &Assertion) -> Result<(), WebauthnError> {
        let eligible = assertion.authenticator_data.0[32] & 0b1000 != 0;
        let credential = json!({
            "cred_id": BASE64URL_NOPAD.encode(&self.credential_id()), "cred": self.key(),
            "counter": assertion.counter, "transports": null, "user_verified": true,
            "backup_eligible": eligible, "backup_state": eligible, "registration_policy": "required",
            "extensions": {}, "attestation": { "data": "None", "metadata": "None" }, "attestation_format": "none",
        });
        let state = json!({
            "credentials": [credential], "policy": "required", "challenge": assertion.challenge.base64url(),
            "appid": null, "allow_backup_eligible_upgrade": true,
        });
        let state = serde_json::from_value(state).unwrap();
        self.library().authenticate_credential(&self.answer(assertion), &state).map(drop)
    }
}

#[test]
fn each_assertion_is_right_or_fails_at_the_step_that_its_file_names() {
    each(|file, vectors| {
        for assertion in &vectors.assertions {
            let what = format!("{file}: {}", assertion.name);
            let key = vectors.key();
            let challenges = [assertion.challenge.base64url()];
            let expected = Expected {
                challenges: &challenges,
                origin: &vectors.origin,
                rp_id: &vectors.rp_id,
                handle: &vectors.user_handle.0,
                public_key: &key,
                counter: assertion.counter,
            };
            let answer = vectors.answer(assertion);
            let facts = Facts::of(&answer, &expected).expect(&what);
            let failing = facts.failing(ALL);
            assert_eq!(failing.map_or("valid", name), assertion.expected, "{what}");
            // One step fails and no other, or the file would not show which.
            let others = facts.failing(ALL.into_iter().filter(|step| Some(*step) != failing));
            assert_eq!(others, None, "{what}");
            let library = vectors.judged_by_library(assertion);
            match failing {
                Some(step) if LEFT_TO_US.contains(&step) => {}
                _ => assert_eq!(library.is_ok(), failing.is_none(), "{what}: {library:?}"),
            }
        }
    });
}

#[test]
fn each_registration_yields_the_key_of_its_file() {
    each(|file, vectors| {
        let Some(registration) = &vectors.registration else {
            return;
        };
        let library = vectors.library();
        let builder = library.new_challenge_register_builder(&[1; 16], "alice", "alice").unwrap();
        let (_, state) = library.generate_challenge_register(builder).unwrap();
        let mut state: Value = serde_json::to_value(state).unwrap();
        state["challenge"] = json!(registration.challenge.base64url());
        // Not every authenticator of the specification's has verified its user.
        state["policy"] = json!("discouraged");
        let id = registration.credential_id.base64url();
        let answer = json!({ "id": id, "rawId": id, "type": "public-key", "response": {
            "clientDataJSON": registration.client_data.base64url(),
            "attestationObject": registration.attestation_object.base64url(),
        } });
        let (answer, state) = (serde_json::from_value(answer).unwrap(), serde_json::from_value(state).unwrap());
        let credential = library.register_credential(&answer, &state, None).expect(file);
        assert_eq!(credential.cred_id, registration.credential_id.0, "{file}");
        assert_eq!(serde_json::to_value(&credential.cred).unwrap(), serde_json::to_value(vectors.key()).unwrap());
    });
}
