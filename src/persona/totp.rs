//! Time-based one-time passwords, from the persona's side (RFC 4226, RFC 6238).

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use serde::de::{self, Deserialize, Deserializer};
use sha1::Sha1;

use crate::secret::{Guises, Secret, SecretKind};

/// The length of a time step in seconds: RFC 6238 §4.1's default, and npm's.
pub const PERIOD: i64 = 30;

/// A time step: the counter that RFC 6238 §4.2 calls T.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OtpStep(pub i64);

impl OtpStep {
    /// The step that `unix_seconds` falls into.
    pub fn at(unix_seconds: i64) -> Self {
        OtpStep(unix_seconds.div_euclid(PERIOD))
    }

    /// When the step begins, in seconds since the Unix epoch.
    pub fn begins(self) -> i64 {
        self.0 * PERIOD
    }
}

/// A shared secret.
#[derive(Clone)]
pub struct TotpSecret(Vec<u8>);

impl TotpSecret {
    /// A secret from its bytes.
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Self {
        TotpSecret(bytes.into())
    }

    /// The secret in an `otpauth://totp/…?secret=…` address. Only what npm documents is accepted: SHA-1, six digits,
    /// thirty seconds.
    pub fn from_otpauth(address: &str) -> Result<Self, String> {
        let query = address
            .strip_prefix("otpauth://totp/")
            .and_then(|rest| rest.split_once('?'))
            .map(|(_, query)| query)
            .ok_or("the answer has no `otpauth://totp/…?…` address")?;
        let mut secret = None;
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            let default = match key.as_ref() {
                "secret" => {
                    secret = Some(value.into_owned());
                    continue;
                }
                "algorithm" => "SHA1",
                "digits" => "6",
                "period" => "30",
                _ => continue,
            };
            if !value.eq_ignore_ascii_case(default) {
                return Err(format!("`{key}={value}` in the otpauth address; supported: `{key}={default}`"));
            }
        }
        TotpSecret::from_base32(&secret.ok_or("the otpauth address has no `secret`")?)
    }

    /// A secret as people copy it: base32 (RFC 4648 §6), in any case, with or without padding and spaces.
    pub fn from_base32(text: &str) -> Result<Self, String> {
        let text: String = text.chars().filter(|c| !c.is_whitespace() && *c != '=').collect();
        match data_encoding::BASE32_NOPAD.decode(text.to_ascii_uppercase().as_bytes()) {
            Ok(bytes) if !bytes.is_empty() => Ok(TotpSecret(bytes)),
            _ => Err("the one-time-password secret is not base32 (RFC 4648 §6)".to_owned()),
        }
    }

    /// The secret in base32, as authenticators take it, to be kept in a file.
    pub fn base32(&self) -> Secret {
        Secret::new(SecretKind::TotpSecret, data_encoding::BASE32_NOPAD.encode(&self.0))
    }

    /// The forms in which it may turn up.
    pub fn guises(&self) -> Guises {
        Guises::of_bytes(SecretKind::TotpSecret, &self.0)
    }

    /// The six-digit code of a step (RFC 4226 §5.3).
    pub fn code(&self, step: OtpStep) -> Secret {
        Secret::new(SecretKind::OneTimePassword, format!("{:06}", number(&self.0, step.0.cast_unsigned())))
    }
}

/// The six-digit code of a counter, as a number (RFC 4226 §5.3): the one place on this side of the wire that works it out.
pub fn number(key: &[u8], counter: u64) -> u32 {
    let mut mac = Hmac::<Sha1>::new_from_slice(key).expect("HMAC takes keys of any length (RFC 2104 §3)");
    mac.update(&counter.to_be_bytes());
    let digest = mac.finalize().into_bytes();
    let offset = usize::from(digest[19] & 0x0f);
    let word = u32::from_be_bytes([digest[offset], digest[offset + 1], digest[offset + 2], digest[offset + 3]]);
    (word & 0x7fff_ffff) % 1_000_000
}

/// As files hold it: base32, or the whole `otpauth://` address.
impl<'de> Deserialize<'de> for TotpSecret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let secret =
            if text.starts_with("otpauth:") { TotpSecret::from_otpauth(&text) } else { TotpSecret::from_base32(&text) };
        secret.map_err(de::Error::custom)
    }
}

impl fmt::Debug for TotpSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SecretKind::TotpSecret.placeholder())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    struct Vectors {
        secret: String,
        totp: Vec<(i64, String)>,
        hotp: Vec<String>,
    }

    #[test]
    fn codes_are_those_of_the_rfc_vectors() {
        let text = include_str!("../../fixtures/rfc/otp-vectors.json");
        let vectors: Vectors = serde_json::from_str(text).expect("the vectors parse");
        let secret = TotpSecret::from_bytes(vectors.secret);
        for (time, code) in vectors.totp {
            // RFC 6238 Appendix B prints eight digits; the last six are the six-digit code.
            assert_eq!(secret.code(OtpStep::at(time)).reveal(), &code[2..], "at {time}");
        }
        for (counter, code) in vectors.hotp.iter().enumerate() {
            let counter = i64::try_from(counter).expect("ten counters");
            assert_eq!(secret.code(OtpStep(counter)).reveal(), code, "counter {counter}");
        }
    }

    #[test]
    fn an_otpauth_address_of_other_parameters_is_refused() {
        assert!(TotpSecret::from_otpauth("otpauth://totp/a?secret=GEZDGNBVGY3TQOJQ&digits=8").is_err());
        assert!(TotpSecret::from_otpauth("otpauth://totp/a?secret=GEZDGNBVGY3TQOJQ&period=30").is_ok());
        assert!(TotpSecret::from_otpauth("https://example.test").is_err());
    }
}
