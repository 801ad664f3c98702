//! Values that must never be printed: passwords, tokens, one-time passwords, keys, recovery codes.
//!
//! A secret hides in `Debug`, `Display` and `Serialize` alike; its value leaves only through
//! [`Secret::reveal`], so a search for that name lists every place that handles one in the clear.

mod guises;
mod tickets;

use std::fmt;
use std::sync::{Arc, OnceLock};

pub use guises::{Guises, Searched};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
pub use tickets::tickets;

/// The environment variable with the passphrase of an encrypted pool. Programs that this one starts are not given it.
pub const PASSPHRASE_VARIABLE: &str = "STEPUP_PASSPHRASE";

/// What kind of secret a value is; printed in place of the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SecretKind {
    /// An account's password.
    Password,
    /// A bearer token.
    Token,
    /// A one-time password (RFC 4226, RFC 6238).
    OneTimePassword,
    /// The shared secret from which one-time passwords are computed.
    TotpSecret,
    /// A recovery code.
    RecoveryCode,
    /// A security key's private key.
    SecurityKey,
    /// The proof that a page hands out once a security key has answered.
    WebToken,
    /// What an address names that is open for one user: a page, or what it makes.
    WebSession,
}

impl SecretKind {
    /// The words that stand in for a hidden value.
    pub fn placeholder(self) -> &'static str {
        match self {
            SecretKind::Password => "‹password›",
            SecretKind::Token => "‹token›",
            SecretKind::OneTimePassword => "‹one-time password›",
            SecretKind::TotpSecret => "‹totp secret›",
            SecretKind::RecoveryCode => "‹recovery code›",
            SecretKind::SecurityKey => "‹security key›",
            SecretKind::WebToken => "‹web token›",
            SecretKind::WebSession => "‹web session›",
        }
    }
}

/// A value of a given kind that does not print.
#[derive(Clone)]
pub struct Secret {
    kind: SecretKind,
    value: String,
    /// Made when it is first looked for, for each exchange is searched for each secret.
    guises: Arc<OnceLock<Guises>>,
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind && self.value == other.value
    }
}

impl Eq for Secret {}

impl Secret {
    /// Hides `value`.
    pub fn new(kind: SecretKind, value: impl Into<String>) -> Self {
        Secret { kind, value: value.into(), guises: Arc::default() }
    }

    /// The value in the clear, for the wire alone.
    pub fn reveal(&self) -> &str {
        &self.value
    }

    /// The forms in which it may turn up.
    pub fn guises(&self) -> &Guises {
        self.guises.get_or_init(|| Guises::of_text(self.kind, &self.value))
    }

    /// What kind of secret this is.
    pub fn kind(&self) -> SecretKind {
        self.kind
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.placeholder())
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.placeholder())
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.kind.placeholder())
    }
}

/// Reads a password from a file that a user wrote.
pub fn password<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    String::deserialize(deserializer).map(|value| Secret::new(SecretKind::Password, value))
}

/// Reads a token from a file that a user wrote.
pub fn token<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    Option::<String>::deserialize(deserializer).map(|token| token.map(|value| Secret::new(SecretKind::Token, value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_hides_in_every_rendering() {
        let secret = Secret::new(SecretKind::Password, "hunter2hunter2");
        let renderings =
            [format!("{secret:?}"), format!("{secret}"), serde_json::to_string(&secret).expect("a string serialises")];
        for rendering in renderings {
            assert!(!rendering.contains("hunter2"), "{rendering}");
        }
        assert_eq!(secret.reveal(), "hunter2hunter2");
    }
}
