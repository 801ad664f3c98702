//! Security keys, and users who hold one: an independent library's, and one that can lie.

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use rustls::SignatureScheme;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use webauthn_authenticator_rs::prelude::{Url, WebauthnAuthenticator};
use webauthn_authenticator_rs::softpasskey::SoftPasskey;

use super::{Reply, User, World, send};

/// What a browser does with a key.
pub trait Authenticator {
    /// The credential that answers creation options.
    fn register(&mut self, origin: &str, options: &Value) -> Value;
    /// The credential that answers request options.
    fn assert(&mut self, origin: &str, options: &Value) -> Value;
}

impl Authenticator for SoftPasskey {
    fn register(&mut self, origin: &str, options: &Value) -> Value {
        let options = serde_json::from_value(json!({ "publicKey": options })).unwrap();
        serde_json::to_value(self.do_registration(Url::parse(origin).unwrap(), options).unwrap()).unwrap()
    }

    fn assert(&mut self, origin: &str, options: &Value) -> Value {
        let options = serde_json::from_value(json!({ "publicKey": options })).unwrap();
        serde_json::to_value(self.do_authentication(Url::parse(origin).unwrap(), options).unwrap()).unwrap()
    }
}

/// A soft key that claims to have verified its user.
pub fn soft_key() -> SoftPasskey {
    SoftPasskey::new(true)
}

/// A key that says what it is told to say, rightly signed unless it is told otherwise.
#[derive(Clone)]
pub struct Forger {
    pub id: Vec<u8>,
    pub counter: u32,
    pub lie: Lie,
}

/// What a forger says wrongly.
#[derive(Clone, Debug, PartialEq)]
pub enum Lie {
    None,
    Type(&'static str),
    Challenge(String),
    Origin(String),
    CrossOrigin,
    TopOrigin,
    RpId(&'static str),
    Flags(u8),
    Signature,
    UserHandle(Vec<u8>),
}

const UP_AND_UV: u8 = 0b101;
const ATTESTED: u8 = 1 << 6;

/// A P-256 key made for these tests, in PKCS #8: all forgers share it.
const PRIVATE_KEY: &str = "308187020100301306072a8648ce3d020106082a8648ce3d030107046d306b020101042095c323d00928863a8e58\
    4c5b69e9d6a38344b977fba8759d1b0caefd0410429ba144034200044783d5068c6418daac930b62eca3726b65d037269c2ec139f8386d7de7\
    5fd6752947b47a84e941a24ea0808538000054237bca4271539311f24f2f2286d95d80";

impl Forger {
    pub fn new(id: u8) -> Self {
        Self { id: vec![id; 16], counter: 0, lie: Lie::None }
    }

    /// A key with the same secret that says something wrong.
    pub fn lying(&self, lie: Lie) -> Self {
        Self { lie, ..self.clone() }
    }

    fn client_data(&self, kind: &str, origin: &str, options: &Value) -> Vec<u8> {
        let mut data =
            json!({ "type": kind, "challenge": options["challenge"], "origin": origin, "crossOrigin": false });
        match &self.lie {
            Lie::Type(kind) => data["type"] = json!(kind),
            Lie::Challenge(challenge) => data["challenge"] = json!(challenge),
            Lie::Origin(origin) => data["origin"] = json!(origin),
            Lie::CrossOrigin => data["crossOrigin"] = json!(true),
            Lie::TopOrigin => data["topOrigin"] = json!("http://elsewhere.test"),
            _ => {}
        }
        data.to_string().into_bytes()
    }

    fn authenticator_data(&self, rp_id: &str, more: u8) -> Vec<u8> {
        let rp_id = if let Lie::RpId(rp_id) = self.lie { rp_id } else { rp_id };
        let flags = if let Lie::Flags(flags) = self.lie { flags } else { UP_AND_UV };
        let mut data = Sha256::digest(rp_id.as_bytes()).to_vec();
        data.push(flags | more);
        data.extend(self.counter.to_be_bytes());
        data
    }
}

impl Authenticator for Forger {
    fn register(&mut self, origin: &str, options: &Value) -> Value {
        let point = HEXLOWER.decode(PRIVATE_KEY.as_bytes()).unwrap();
        let (x, y) = point[point.len() - 64..].split_at(32);
        let mut data = self.authenticator_data(options["rp"]["id"].as_str().unwrap(), ATTESTED);
        data.extend([0; 16]);
        data.extend(u16::try_from(self.id.len()).unwrap().to_be_bytes());
        data.extend(&self.id);
        // A COSE key: {1: 2, 3: -7, -1: 1, -2: x, -3: y}.
        data.extend([0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20]);
        data.extend(x);
        data.extend([0x22, 0x58, 0x20]);
        data.extend(y);
        // {"fmt": "none", "attStmt": {}, "authData": data}
        let mut object = vec![0xa3, 0x63];
        object.extend(b"fmt\x64none\x67attStmt\xa0\x68authData\x58");
        object.push(u8::try_from(data.len()).unwrap());
        object.extend(data);
        let id = BASE64URL_NOPAD.encode(&self.id);
        json!({ "id": id, "rawId": id, "type": "public-key", "clientExtensionResults": {}, "response": {
            "clientDataJSON": BASE64URL_NOPAD.encode(&self.client_data("webauthn.create", origin, options)),
            "attestationObject": BASE64URL_NOPAD.encode(&object),
            "transports": ["internal"],
        } })
    }

    fn assert(&mut self, origin: &str, options: &Value) -> Value {
        self.counter += 1;
        let client_data = self.client_data("webauthn.get", origin, options);
        let data = self.authenticator_data(options["rpId"].as_str().unwrap(), 0);
        let mut signed = data.clone();
        signed.extend(Sha256::digest(&client_data));
        let mut signature = sign(&signed);
        if self.lie == Lie::Signature {
            signature = sign(b"something else");
        }
        let handle = if let Lie::UserHandle(handle) = &self.lie { Some(BASE64URL_NOPAD.encode(handle)) } else { None };
        let id = BASE64URL_NOPAD.encode(&self.id);
        json!({ "id": id, "rawId": id, "type": "public-key", "clientExtensionResults": {}, "response": {
            "clientDataJSON": BASE64URL_NOPAD.encode(&client_data),
            "authenticatorData": BASE64URL_NOPAD.encode(&data),
            "signature": BASE64URL_NOPAD.encode(&signature),
            "userHandle": handle,
        } })
    }
}

fn sign(message: &[u8]) -> Vec<u8> {
    let der = HEXLOWER.decode(PRIVATE_KEY.as_bytes()).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(der));
    let key = rustls::crypto::ring::sign::any_ecdsa_type(&key).unwrap();
    let signer = key.choose_scheme(&[SignatureScheme::ECDSA_NISTP256_SHA256]).unwrap();
    signer.sign(message).unwrap()
}

/// A web challenge, as paths.
#[derive(Clone, Debug)]
pub struct Door {
    pub auth: String,
    pub done: String,
}

impl World {
    /// The origin of the registry's pages.
    pub fn origin(&self) -> String {
        self.base.replace("127.0.0.1", "localhost")
    }

    /// Begins the registration of a key.
    pub async fn begin_key(&self, user: &User, mode: Option<&str>, proof: Option<&str>) -> Reply {
        let mut body = json!({ "password": user.password });
        if let Some(mode) = mode {
            body["mode"] = json!(mode);
        }
        self.call(user, "POST", "/-/account/keys/options", Some(body), proof).await
    }

    /// Ends it.
    pub async fn end_key(&self, user: &User, begun: &Reply, key: &mut dyn Authenticator) -> Reply {
        let begun = begun.json();
        let credential = key.register(&self.origin(), &begun["publicKey"]);
        let body = json!({ "ceremony": begun["ceremony"], "name": "my key", "credential": credential });
        self.call(user, "POST", "/-/account/keys", Some(body), None).await
    }

    /// Registers a key, and gives its identifier.
    pub async fn add_key(
        &self,
        user: &mut User,
        key: &mut dyn Authenticator,
        mode: Option<&str>,
        proof: Option<&str>,
    ) -> String {
        let begun = self.begin_key(user, mode, proof).await;
        assert_eq!(begun.status, 200, "{}", begun.text);
        let reply = self.end_key(user, &begun, key).await;
        assert_eq!(reply.status, 201, "{}", reply.text);
        if let Some(codes) = reply.json()["recoveryCodes"].as_array() {
            user.recovery = codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect();
        }
        reply.json()["id"].as_str().unwrap().to_owned()
    }

    /// A user with a key and nothing else, whose client can show pages.
    pub async fn key_holder(&self, name: &str, key: &mut dyn Authenticator, mode: &str) -> User {
        let mut user = self.sign_up(name).await;
        self.add_key(&mut user, key, Some(mode), None).await;
        user.web = true;
        user
    }

    /// Where a web challenge sends to.
    pub fn door(&self, reply: &Reply) -> Door {
        assert!(reply.is_challenge(), "{} {}", reply.status, reply.text);
        let path = |member: &str| {
            let address = reply.json()[member].as_str().unwrap_or_default().to_owned();
            address.strip_prefix(&self.base).unwrap_or(&address).to_owned()
        };
        Door { auth: path("authUrl"), done: path("doneUrl") }
    }

    /// Opens a web challenge for a change of the profile.
    pub async fn open_door(&self, user: &User) -> Door {
        self.door(&self.profile(user, json!({ "fullname": "A" }), None).await)
    }

    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        send(self.request("POST", path).json(body)).await
    }

    /// The options of a page, for its keys.
    pub async fn options(&self, page: &str) -> Value {
        let reply = self.post(&format!("{page}/options"), &json!({})).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        reply.json()["publicKey"].clone()
    }

    /// Answers a page with a key.
    pub async fn touch(&self, page: &str, key: &mut dyn Authenticator) -> Reply {
        let options = self.options(page).await;
        let credential = key.assert(&self.origin(), &options);
        self.post(&format!("{page}/assertion"), &credential).await
    }

    /// Answers a web challenge with a key, and collects the token.
    pub async fn token_at(&self, door: &Door, key: &mut dyn Authenticator) -> String {
        let reply = self.touch(&door.auth, key).await;
        assert_eq!((reply.status.as_u16(), reply.json()), (200, json!({})), "{}", reply.text);
        self.collect(door).await
    }

    /// Collects the token of an answered web challenge.
    pub async fn collect(&self, door: &Door) -> String {
        let reply = self.get(&door.done).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        reply.json()["token"].as_str().unwrap().to_owned()
    }

    /// Opens a web challenge and answers it.
    pub async fn token(&self, user: &User, key: &mut dyn Authenticator) -> String {
        let door = self.open_door(user).await;
        self.token_at(&door, key).await
    }

    /// Whether a proof changes a user's name.
    pub async fn renames(&self, user: &User, proof: &str) -> bool {
        let reply = self.profile(user, json!({ "fullname": "A" }), Some(proof)).await;
        assert!(reply.is_success() || reply.is_challenge(), "{}", reply.text);
        reply.is_success()
    }

    pub async fn remove_key(&self, user: &User, id: &str, proof: Option<&str>) -> Reply {
        let body = json!({ "password": user.password });
        self.call(user, "DELETE", &format!("/-/account/keys/{id}"), Some(body), proof).await
    }
}

/// Lies that are wrong in both ceremonies.
pub fn lies(origin: &str) -> Vec<Lie> {
    vec![
        Lie::Type("webauthn.other"),
        Lie::Challenge(BASE64URL_NOPAD.encode(&[7; 32])),
        Lie::Origin("http://elsewhere.test".to_owned()),
        Lie::Origin("http://localhost:1".to_owned()),
        Lie::Origin(origin.replace("localhost", "sub.localhost")),
        Lie::Origin(origin.replace("http:", "https:")),
        Lie::CrossOrigin,
        Lie::RpId("elsewhere.test"),
        Lie::Flags(0b100),
        Lie::Flags(0b001),
    ]
}
