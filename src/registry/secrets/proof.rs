//! What a user sends as a second factor.

use data_encoding::HEXLOWER_PERMISSIVE;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::RecoveryCode;
use super::hidden::hidden;

/// A second factor as it arrived, in `npm-otp` or in the field of a login page.
///
/// A token from a security-key ceremony will be one more variant: it, too, travels in `npm-otp`.
pub(crate) enum Proof {
    /// Six decimal digits.
    Code(String),
    /// Sixty-four hexadecimal digits.
    Recovery(RecoveryCode),
    /// Anything else, which nothing accepts.
    Other(String),
}

/// A proof as it is remembered for the follow-up request of one command.
#[derive(Clone)]
pub(crate) struct ProofDigest([u8; 32]);

hidden!(Proof, ProofDigest);

impl Proof {
    /// Reads a proof. Nothing is trimmed but surrounding blanks.
    pub(crate) fn parse(text: &str) -> Self {
        let text = text.trim();
        if text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Proof::Code(text.to_owned());
        }
        match HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok()) {
            Some(bytes) => Proof::Recovery(RecoveryCode::from_bytes(bytes)),
            None => Proof::Other(text.to_owned()),
        }
    }

    pub(crate) fn digest(&self) -> ProofDigest {
        let hash = Sha256::new();
        let hash = match self {
            Proof::Code(text) | Proof::Other(text) => hash.chain_update(text.as_bytes()),
            Proof::Recovery(code) => hash.chain_update(code.reveal().as_bytes()),
        };
        ProofDigest(hash.finalize().into())
    }
}

impl ProofDigest {
    /// Whether a proof is the remembered one, compared in constant time.
    pub(crate) fn is_of(&self, proof: &Proof) -> bool {
        self.0.ct_eq(&proof.digest().0).into()
    }
}
