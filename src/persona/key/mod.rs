//! Security keys: virtual authenticators that answer WebAuthn ceremonies (WebAuthn Level 3 §7.1, §7.2).
//!
//! Two come from independent libraries, and a registry's verdicts must not depend on which is used. The third is our
//! own, for what those refuse to make: ceremonies that a registry must turn down.

mod own;
mod passkey;
mod soft;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use reqwest::Url;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::secret::SecretKind;
pub use own::{OwnKey, Stored};

/// Who makes a persona's security key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Maker {
    /// That of webauthn-authenticator-rs.
    #[default]
    SoftPasskey,
    /// That of passkey-rs.
    Passkey,
    /// stepup's own, which can also do wrong.
    Own,
}

impl Maker {
    /// All of them.
    pub const ALL: [Maker; 3] = [Maker::SoftPasskey, Maker::Passkey, Maker::Own];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Maker::SoftPasskey => "soft-passkey",
            Maker::Passkey => "passkey",
            Maker::Own => "own",
        }
    }
}

/// How an assertion is made, or a registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Manner {
    /// As a browser and a key do.
    #[default]
    Right,
    /// The signature is of something else (§7.2: `sig`).
    BrokenSignature,
    /// The client data name another challenge than the one that was given out (§7.1, §7.2: `C.challenge`).
    OtherChallenge,
    /// The client data name another origin (§7.1, §7.2: `C.origin`).
    WrongOrigin,
    /// The client data say that the page was embedded in another origin's (§7.1, §7.2: `C.crossOrigin`).
    CrossOrigin,
    /// The client data are of the other ceremony (§7.1, §7.2: `C.type`).
    WrongType,
    /// The authenticator data are for another relying party (§7.1, §7.2: `rpIdHash`).
    WrongRpId,
    /// Nobody touched the key (§7.1, §7.2: the UP bit).
    UserNotPresent,
    /// The key did not verify its user though it was asked to (§7.1, §7.2: the UV bit).
    UserNotVerified,
    /// The signature counter is lower than before (§7.2: `authData.signCount`).
    CounterBack,
    /// The key names another user (§7.2: the user handle).
    OtherUserHandle,
}

impl Manner {
    /// The manner in words, for reports.
    pub fn words(self) -> &'static str {
        match self {
            Manner::Right => "valid assertion",
            Manner::BrokenSignature => "assertion with a broken signature",
            Manner::OtherChallenge => "assertion of another challenge",
            Manner::WrongOrigin => "assertion made on another origin",
            Manner::CrossOrigin => "assertion made inside another origin's page",
            Manner::WrongType => "assertion whose client data are a registration's",
            Manner::WrongRpId => "assertion for another relying party",
            Manner::UserNotPresent => "assertion without user presence",
            Manner::UserNotVerified => "assertion without user verification",
            Manner::CounterBack => "assertion with a lower signature counter",
            Manner::OtherUserHandle => "assertion that names another user",
        }
    }

    /// A registration of this manner in words; none where a registration has nothing that could be so.
    pub fn registration_words(self) -> Option<&'static str> {
        match self {
            Manner::Right => Some("valid registration"),
            Manner::OtherChallenge => Some("registration of another challenge"),
            Manner::WrongOrigin => Some("registration made on another origin"),
            Manner::CrossOrigin => Some("registration made inside another origin's page"),
            Manner::WrongType => Some("registration whose client data are an assertion's"),
            Manner::WrongRpId => Some("registration for another relying party"),
            Manner::UserNotPresent => Some("registration without user presence"),
            Manner::UserNotVerified => Some("registration without user verification"),
            // Nothing is signed, no counter has been seen before, and no user is named.
            Manner::BrokenSignature | Manner::CounterBack | Manner::OtherUserHandle => None,
        }
    }

    /// Whether every authenticator can make it.
    fn is_ordinary(self) -> bool {
        matches!(self, Manner::Right | Manner::BrokenSignature)
    }
}

/// A persona's security key.
pub struct SecurityKey {
    made: Made,
    /// Where it is kept, so that its signature counter goes on rising in the next run.
    kept: Option<PathBuf>,
}

enum Made {
    Soft(Box<soft::SoftKey>),
    Passkey(Box<passkey::PasskeyKey>),
    Own(Box<OwnKey>),
}

impl std::fmt::Debug for SecurityKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(SecretKind::SecurityKey.placeholder())
    }
}

impl SecurityKey {
    /// A key that holds nothing yet.
    pub fn new(maker: Maker) -> Self {
        let made = match maker {
            Maker::SoftPasskey => Made::Soft(Box::default()),
            Maker::Passkey => Made::Passkey(Box::default()),
            Maker::Own => Made::Own(Box::default()),
        };
        SecurityKey { made, kept: None }
    }

    /// A key that was kept.
    pub fn resumed(stored: Stored) -> Result<Self, String> {
        OwnKey::resume(stored).map(|key| SecurityKey { made: Made::Own(Box::new(key)), kept: None })
    }

    /// A key that was kept and does not count its signatures.
    pub fn uncounted(stored: Stored) -> Result<Self, String> {
        OwnKey::uncounted(stored).map(|key| SecurityKey { made: Made::Own(Box::new(key)), kept: None })
    }

    /// Goes on with what another device has made of this key.
    pub fn resume(&mut self, stored: Stored) -> Result<(), String> {
        self.made = Made::Own(Box::new(OwnKey::resume(stored)?));
        self.keep()
    }

    /// A key in a file of its own, which is written anew each time the key has signed.
    pub fn kept_in(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("the key cannot be read: {error}"))?;
        // Neither the text nor what is wrong in it is repeated: it is a secret.
        let stored = serde_json::from_str(&text)
            .map_err(|error| format!("line {}, column {}: not a security key in JSON", error.line(), error.column()))?;
        Ok(SecurityKey { kept: Some(path.to_owned()), ..SecurityKey::resumed(stored)? })
    }

    /// Writes the key where it is kept, in place of what is there in one step.
    fn keep(&self) -> Result<(), String> {
        let (Some(path), Some(stored)) = (&self.kept, self.stored()) else { return Ok(()) };
        let cannot = |error: std::io::Error| format!("the security key's file cannot be written: {error}");
        let text = serde_json::to_vec_pretty(&stored).map_err(|error| error.to_string())?;
        // A temporary file is its owner's alone.
        let mut file = tempfile::NamedTempFile::new_in(folder_of(path)).map_err(cannot)?;
        file.write_all(&text).map_err(cannot)?;
        file.persist(path).map_err(|error| cannot(error.error))?;
        Ok(())
    }

    /// Who has to make the key that may take this one's place: one that can be kept, where this one is kept.
    pub fn heir(&self, maker: Maker) -> Maker {
        if self.kept.is_some() { Maker::Own } else { maker }
    }

    /// Takes the place of another key: from now on this one is kept where that one was.
    pub fn succeed(&mut self, former: &mut SecurityKey) -> Result<(), String> {
        self.kept = former.kept.take();
        self.keep()
    }

    /// What has to be kept so that the key works again later; nothing for keys of makers that cannot be kept.
    pub fn stored(&self) -> Option<Stored> {
        match &self.made {
            Made::Own(key) => key.stored(),
            Made::Soft(_) | Made::Passkey(_) => None,
        }
    }

    /// Makes a credential for the creation options (the value of `publicKey`) that a page at `origin` was given.
    pub async fn register(&mut self, origin: &Url, options: &Value, manner: Manner) -> Result<Value, String> {
        let options = without_wrapper(options);
        let words = manner.registration_words();
        let words = words.ok_or_else(|| format!("a registration cannot be what an {} is", manner.words()))?;
        if manner != Manner::Right && !matches!(self.made, Made::Own(_)) {
            return Err(format!("this authenticator cannot make a {words}"));
        }
        match &mut self.made {
            Made::Soft(key) => key.register(origin, options),
            Made::Passkey(key) => key.register(origin, options).await,
            Made::Own(key) => key.register(origin, options, manner),
        }
    }

    /// Makes an assertion for the request options (the value of `publicKey`) that a page at `origin` was given.
    pub async fn assert(&mut self, origin: &Url, options: &Value, manner: Manner) -> Result<Value, String> {
        let options = without_wrapper(options);
        if !manner.is_ordinary() && !matches!(self.made, Made::Own(_)) {
            return Err(format!("this authenticator cannot make an {}", manner.words()));
        }
        let mut assertion = match &mut self.made {
            Made::Soft(key) => key.assert(origin, options)?,
            Made::Passkey(key) => key.assert(origin, options).await?,
            Made::Own(key) => key.assert(origin, options, manner)?,
        };
        if manner == Manner::BrokenSignature {
            break_signature(&mut assertion)?;
        }
        self.keep()?;
        Ok(assertion)
    }
}

/// Registries give the options with or without the member that `navigator.credentials` wants them in.
fn without_wrapper(options: &Value) -> &Value {
    options.get("publicKey").unwrap_or(options)
}

/// Replaces the signature by one that has its form and is of other bytes.
fn break_signature(assertion: &mut Value) -> Result<(), String> {
    let signature = assertion.pointer_mut("/response/signature").ok_or("the assertion has no signature")?;
    let text = signature.as_str().unwrap_or_default();
    let mut bytes = decode(text)?;
    // The last byte belongs to the number s, so the encoding stays valid.
    if let Some(last) = bytes.last_mut() {
        *last ^= 1;
    }
    *signature = encode(&bytes).into();
    Ok(())
}

/// base64url without padding, as WebAuthn's JSON has it.
fn encode(bytes: &[u8]) -> String {
    data_encoding::BASE64URL_NOPAD.encode(bytes)
}

/// base64url, or what is close to it: with padding, or the other alphabet.
fn decode(text: &str) -> Result<Vec<u8>, String> {
    let text: String = text
        .trim_end_matches('=')
        .chars()
        .map(|c| match c {
            '+' => '-',
            '/' => '_',
            other => other,
        })
        .collect();
    data_encoding::BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| "a member is not base64url".to_owned())
}

/// Reads what a page gave.
fn read<T: serde::de::DeserializeOwned>(options: Value) -> Result<T, String> {
    serde_json::from_value(options).map_err(|error| format!("the page's options are not WebAuthn's: {error}"))
}

fn write(credential: &impl serde::Serialize) -> Result<Value, String> {
    serde_json::to_value(credential).map_err(|error| error.to_string())
}

fn refused(error: impl std::fmt::Debug) -> String {
    format!("the authenticator refuses the page's options: {error:?}")
}

/// The folder that a file is in.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
