//! Tokens that a web challenge ends in, as handed out, and as kept.

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::hidden::hidden;
use super::random_bytes;

/// What the client sends back in `npm-otp` after a web challenge, written as 64 hexadecimal digits.
pub(crate) struct WebToken([u8; 32]);

/// A web token as it is kept. The token is 256 random bits, so it needs no salt.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct WebTokenDigest([u8; 32]);

hidden!(WebToken, WebTokenDigest);

impl WebToken {
    pub(crate) fn mint() -> Self {
        Self(random_bytes())
    }

    pub(crate) fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub(crate) fn digest(&self) -> WebTokenDigest {
        WebTokenDigest(Sha256::digest(self.0).into())
    }

    /// Gives the token away, to be handed to the client once.
    pub(crate) fn reveal(&self) -> String {
        HEXLOWER.encode(&self.0)
    }
}
