//! Our own virtual key (WebAuthn §6): ES256 credentials, and ceremonies that others refuse to go through with.

use reqwest::Url;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Manner, decode, encode};

/// Flags of authenticator data (§6.1).
const USER_PRESENT: u8 = 0x01;
const USER_VERIFIED: u8 = 0x04;
const ATTESTED_CREDENTIAL: u8 = 0x40;

/// Where a page on another site would be.
const ELSEWHERE: &str = "http://elsewhere.localhost";
/// The relying party there.
const RP_ELSEWHERE: &str = "elsewhere.localhost";

/// What a ceremony's client data call it (§5.8.1).
const CREATE: &str = "webauthn.create";
const GET: &str = "webauthn.get";

/// One key with at most one credential.
#[derive(Default)]
pub struct OwnKey {
    credential: Option<Credential>,
    counting: Counting,
}

/// Whether a key counts its signatures. Those whose credentials are on several devices do not (§6.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Counting {
    #[default]
    Each,
    None,
}

struct Credential {
    id: Vec<u8>,
    rp_id: String,
    user_handle: Option<String>,
    /// The key pair in PKCS #8 (RFC 5208), as it is kept.
    document: Vec<u8>,
    pair: EcdsaKeyPair,
    counter: u32,
}

/// A credential as it is kept: the members that the DevTools protocol gives a virtual authenticator's credential.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Stored {
    /// base64url or base64.
    credential_id: String,
    /// Whether the key finds it without being told its id.
    #[serde(default)]
    is_resident_credential: bool,
    /// The relying party.
    rp_id: String,
    /// The private key in PKCS #8, base64url or base64.
    private_key: String,
    /// The relying party's name for the user, base64url or base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user_handle: Option<String>,
    /// The signature counter.
    sign_count: u32,
}

impl Stored {
    /// A credential that has signed nothing, of a private key in PKCS #8.
    pub fn unused(credential_id: &[u8], rp_id: &str, document: &[u8]) -> Self {
        Stored {
            credential_id: encode(credential_id),
            is_resident_credential: false,
            rp_id: rp_id.to_owned(),
            private_key: encode(document),
            user_handle: None,
            sign_count: 0,
        }
    }

    /// As the DevTools protocol takes it: its bytes in base64 (RFC 4648 §4).
    pub fn for_browser(&self) -> Result<Value, String> {
        let plain = |text: &str| decode(text).map(|bytes| data_encoding::BASE64.encode(&bytes));
        let mut credential = json!({
            "credentialId": plain(&self.credential_id)?,
            "isResidentCredential": self.is_resident_credential,
            "rpId": self.rp_id,
            "privateKey": plain(&self.private_key)?,
            "signCount": self.sign_count,
        });
        if let Some(user_handle) = &self.user_handle {
            credential["userHandle"] = plain(user_handle)?.into();
        }
        Ok(credential)
    }

    /// This credential as a browser has it now, if that is the one it gives. Nothing but the counter changes, and not every
    /// Chromium tells the relying party of a credential that it was given.
    pub fn counted_by_browser(&self, credential: &Value) -> Option<Self> {
        let id = |text: &str| decode(text).ok();
        let given = id(credential["credentialId"].as_str()?)?;
        (id(&self.credential_id)? == given).then(|| Stored { sign_count: sign_count(credential), ..self.clone() })
    }

    /// Whether the key has signed something since it was as this one.
    pub fn has_signed_since(&self, before: &Stored) -> bool {
        self.sign_count > before.sign_count
    }

    /// As the DevTools protocol gives it, which has more members.
    pub fn from_browser(credential: &Value) -> Result<Self, String> {
        let text = |name: &str| credential[name].as_str().map(str::to_owned);
        let missing = |name: &str| format!("the browser's credential has no `{name}`");
        Ok(Stored {
            credential_id: text("credentialId").ok_or_else(|| missing("credentialId"))?,
            is_resident_credential: credential["isResidentCredential"].as_bool().unwrap_or(false),
            rp_id: text("rpId").ok_or_else(|| missing("rpId"))?,
            private_key: text("privateKey").ok_or_else(|| missing("privateKey"))?,
            user_handle: text("userHandle"),
            sign_count: sign_count(credential),
        })
    }
}

/// The signature counter of a credential in the DevTools protocol's form.
fn sign_count(credential: &Value) -> u32 {
    credential["signCount"].as_u64().and_then(|count| u32::try_from(count).ok()).unwrap_or(0)
}

impl std::fmt::Debug for Stored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(crate::secret::SecretKind::SecurityKey.placeholder())
    }
}

impl OwnKey {
    pub(super) fn resume(stored: Stored) -> Result<Self, String> {
        let document = decode(&stored.private_key)?;
        let pair = pair(&document)?;
        let id = decode(&stored.credential_id)?;
        let Stored { rp_id, user_handle, sign_count: counter, .. } = stored;
        let credential = Some(Credential { id, rp_id, user_handle, document, pair, counter });
        Ok(OwnKey { credential, counting: Counting::Each })
    }

    /// A kept key that does not count its signatures, so that it can sign several things at once.
    pub fn uncounted(stored: Stored) -> Result<Self, String> {
        OwnKey::resume(stored).map(|key| OwnKey { counting: Counting::None, ..key })
    }

    pub(super) fn stored(&self) -> Option<Stored> {
        let Credential { id, rp_id, user_handle, document, counter, .. } = self.credential.as_ref()?;
        Some(Stored {
            credential_id: encode(id),
            is_resident_credential: false,
            rp_id: rp_id.clone(),
            private_key: encode(document),
            user_handle: user_handle.clone(),
            sign_count: *counter,
        })
    }

    /// Makes a credential for the creation options that a page at `origin` was given.
    pub fn register(&mut self, origin: &Url, options: &Value, manner: Manner) -> Result<Value, String> {
        let rp_id = rp_id(options.pointer("/rp/id"), origin)?;
        let user_handle = options.pointer("/user/id").and_then(Value::as_str).map(str::to_owned);
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random)
            .map_err(|_| "no key could be made")?
            .as_ref()
            .to_vec();
        let pair = pair(&document)?;
        let id: [u8; 32] = rand::random();
        let kind = if manner == Manner::WrongType { GET } else { CREATE };
        let client_data = client_data(kind, text(options, "/challenge")?, origin, manner);
        let mut authenticator_data = authenticator_data(&rp_id, ATTESTED_CREDENTIAL, 0, manner);
        // §6.5.1: AAGUID, the length of the id, the id, the public key.
        authenticator_data.extend([0; 16]);
        authenticator_data.extend([0, 32]);
        authenticator_data.extend(id);
        authenticator_data.extend(cose(pair.public_key().as_ref()));
        let answer = json!({
            "id": encode(&id),
            "rawId": encode(&id),
            "type": "public-key",
            "authenticatorAttachment": "cross-platform",
            "clientExtensionResults": {},
            "response": {
                "clientDataJSON": encode(client_data.as_bytes()),
                "attestationObject": encode(&attestation(&authenticator_data)),
                "transports": ["usb"],
            },
        });
        self.credential = Some(Credential { id: id.to_vec(), rp_id, user_handle, document, pair, counter: 0 });
        Ok(answer)
    }

    /// Signs an assertion for the request options that a page at `origin` was given.
    pub fn assert(&mut self, origin: &Url, options: &Value, manner: Manner) -> Result<Value, String> {
        let credential = self.credential.as_mut().ok_or("the key holds no credential")?;
        let kind = if manner == Manner::WrongType { CREATE } else { GET };
        let client_data = client_data(kind, text(options, "/challenge")?, origin, manner);
        credential.counter += u32::from(self.counting == Counting::Each);
        let counter = if manner == Manner::CounterBack { 1 } else { credential.counter };
        let authenticator_data = authenticator_data(&credential.rp_id, 0, counter, manner);
        let mut signed = authenticator_data.clone();
        signed.extend(Sha256::digest(client_data.as_bytes()));
        let signature = credential.pair.sign(&SystemRandom::new(), &signed).map_err(|_| "nothing could be signed")?;
        Ok(json!({
            "id": encode(&credential.id),
            "rawId": encode(&credential.id),
            "type": "public-key",
            "authenticatorAttachment": "cross-platform",
            "clientExtensionResults": {},
            "response": {
                "clientDataJSON": encode(client_data.as_bytes()),
                "authenticatorData": encode(&authenticator_data),
                "signature": encode(signature.as_ref()),
                "userHandle": match manner {
                    Manner::OtherUserHandle => Some(encode(&rand::random::<[u8; 16]>())),
                    _ => credential.user_handle.clone(),
                },
            },
        }))
    }
}

fn pair(document: &[u8]) -> Result<EcdsaKeyPair, String> {
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, document, &SystemRandom::new())
        .map_err(|_| "the private key is no P-256 key in PKCS #8".to_owned())
}

fn text<'a>(options: &'a Value, pointer: &str) -> Result<&'a str, String> {
    let found = options.pointer(pointer).and_then(Value::as_str);
    found.ok_or_else(|| format!("the page's options are not WebAuthn's: `{pointer}` is missing"))
}

/// The relying party's id: the origin's domain, unless the options say otherwise within it (§5.1.3 step 8).
fn rp_id(said: Option<&Value>, origin: &Url) -> Result<String, String> {
    let domain = origin.domain().ok_or("security keys need a domain such as `localhost`, not an IP address")?;
    match said.and_then(Value::as_str) {
        None => Ok(domain.to_owned()),
        Some(id) if id == domain || domain.ends_with(&format!(".{id}")) => Ok(id.to_owned()),
        Some(id) => Err(format!("the relying party `{id}` is not the page's domain `{domain}`")),
    }
}

/// §5.8.1: the members in the order of the limited verification algorithm.
fn client_data(kind: &str, challenge: &str, origin: &Url, manner: Manner) -> String {
    let other = (manner == Manner::OtherChallenge).then(|| encode(&rand::random::<[u8; 32]>()));
    let challenge = other.as_deref().unwrap_or(challenge);
    let place =
        if manner == Manner::WrongOrigin { ELSEWHERE.to_owned() } else { origin.origin().ascii_serialization() };
    let cross_origin = manner == Manner::CrossOrigin;
    json!({ "type": kind, "challenge": challenge, "origin": place, "crossOrigin": cross_origin }).to_string()
}

/// §6.1, without what a registration adds.
fn authenticator_data(rp_id: &str, more: u8, counter: u32, manner: Manner) -> Vec<u8> {
    let rp_id = if manner == Manner::WrongRpId { RP_ELSEWHERE } else { rp_id };
    let flags = match manner {
        Manner::UserNotPresent => USER_VERIFIED,
        Manner::UserNotVerified => USER_PRESENT,
        _ => USER_PRESENT | USER_VERIFIED,
    };
    let mut bytes = Sha256::digest(rp_id.as_bytes()).to_vec();
    bytes.push(flags | more);
    bytes.extend(counter.to_be_bytes());
    bytes
}

/// An uncompressed P-256 point as a COSE key (RFC 9053 §7.1.1): kty EC2, alg ES256, crv P-256, x, y.
fn cose(point: &[u8]) -> Vec<u8> {
    let (x, y) = point.get(1..).and_then(|both| both.split_at_checked(32)).unwrap_or_default();
    let mut bytes = vec![0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20];
    bytes.extend(x);
    bytes.extend([0x22, 0x58, 0x20]);
    bytes.extend(y);
    bytes
}

/// An attestation object of the format `none` (§8.7) in CBOR.
fn attestation(authenticator_data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0xa3];
    bytes.extend(b"\x63fmt\x64none\x67attStmt\xa0\x68authData\x58");
    // 37 bytes, the id's 50 and the key's 77 fit into one byte of length.
    bytes.push(u8::try_from(authenticator_data.len()).unwrap_or(u8::MAX));
    bytes.extend(authenticator_data);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A credential that was given to a browser, in the members of the DevTools protocol.
    fn given() -> Stored {
        Stored {
            credential_id: "-_8".to_owned(),
            is_resident_credential: false,
            rp_id: "localhost".to_owned(),
            private_key: "AQ".to_owned(),
            user_handle: Some("Ag".to_owned()),
            sign_count: 3,
        }
    }

    #[test]
    fn a_credential_that_a_browser_was_given_keeps_what_that_browser_does_not_tell() {
        // As Chromium 150 has it, without `rpId`.
        let told =
            json!({ "credentialId": "+/8=", "isResidentCredential": false, "privateKey": "AQ==", "signCount": 4 });
        let counted = given().counted_by_browser(&told).expect("the same credential");
        assert_eq!((counted.rp_id.as_str(), counted.sign_count), ("localhost", 4));
        assert!(counted.has_signed_since(&given()));
        assert!(Stored::from_browser(&told).is_err());
        let other = json!({ "credentialId": "AAA=", "signCount": 4 });
        assert!(given().counted_by_browser(&other).is_none());
    }
}
