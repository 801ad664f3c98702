//! Bearer tokens as sent, and as kept.

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use sha2::{Digest, Sha256};

use super::hidden::hidden;
use super::random_bytes;

/// How many characters of a token a listing shows. Too few to be of use to a thief.
const SHOWN: usize = 6;

/// A bearer token.
pub(crate) struct TokenText(String);

/// What is kept of a token: enough to recognise it, too little to use it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct TokenDigest([u8; 32]);

hidden!(TokenText, TokenDigest);

impl TokenText {
    /// A token as received.
    pub(crate) fn new(text: String) -> Self {
        Self(text)
    }

    /// A fresh random token.
    pub(crate) fn mint() -> Self {
        let letters: String = BASE64URL_NOPAD.encode(&random_bytes::<30>()).replace(['-', '_'], "x");
        Self(format!("npm_{letters}"))
    }

    /// The number and the tag of a token that follows from a seed: `npm_`, eight hexadecimal digits, twenty-four more.
    pub(crate) fn numbered(&self) -> Option<(u32, [u8; 12])> {
        let mut bytes = [0; 16];
        let digits = self.0.strip_prefix("npm_")?.as_bytes();
        if digits.len() != 32 || HEXLOWER.decode_mut(digits, &mut bytes).is_err() {
            return None;
        }
        let [a, b, c, d, tag @ ..] = bytes;
        Some((u32::from_be_bytes([a, b, c, d]), tag))
    }

    pub(crate) fn digest(&self) -> TokenDigest {
        TokenDigest(Sha256::digest(self.0.as_bytes()).into())
    }

    /// The first characters, for listings.
    pub(crate) fn mask(&self) -> String {
        self.0.chars().take(SHOWN).collect()
    }

    /// The whole token, for listings: a fault.
    pub(crate) fn in_full(&self) -> String {
        self.0.clone()
    }

    /// Gives the token away, to be handed to its owner once.
    pub(crate) fn reveal(self) -> String {
        self.0
    }
}
