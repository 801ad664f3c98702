//! What a user sends as a second factor.

use data_encoding::HEXLOWER_PERMISSIVE;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::hidden::hidden;
use super::{RecoveryCode, WebToken};

/// A second factor as it arrived, in `npm-otp` or in the field of a page.
pub(crate) enum Proof {
    /// Six decimal digits.
    Code(String),
    /// Sixty-four hexadecimal digits: a recovery code, or the token that a web challenge ends in.
    /// They look alike, because npm's prompt takes nothing else that is long (wire notes §4); only
    /// the registry's memory tells which it is.
    Long(LongProof),
    /// Anything else, which nothing accepts.
    Other(String),
}

/// What is behind [`Proof::Long`].
pub(crate) struct LongProof([u8; 32]);

/// A proof as it is remembered for the follow-up request of one command.
#[derive(Clone)]
pub(crate) struct ProofDigest([u8; 32]);

hidden!(Proof, LongProof, ProofDigest);

impl Proof {
    /// Reads a proof. Nothing is trimmed but surrounding blanks.
    pub(crate) fn parse(text: &str) -> Self {
        let text = text.trim();
        if text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Proof::Code(text.to_owned());
        }
        match HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok()) {
            Some(bytes) => Proof::Long(LongProof(bytes)),
            None => Proof::Other(text.to_owned()),
        }
    }

    pub(crate) fn digest(&self) -> ProofDigest {
        let hash = Sha256::new();
        let hash = match self {
            Proof::Code(text) | Proof::Other(text) => hash.chain_update(text.as_bytes()),
            Proof::Long(long) => hash.chain_update(long.0),
        };
        ProofDigest(hash.finalize().into())
    }
}

impl LongProof {
    /// The recovery code that this may be.
    pub(crate) fn recovery_code(&self) -> RecoveryCode {
        RecoveryCode::from_bytes(self.0)
    }

    /// The token of a web challenge that this may be.
    pub(crate) fn web_token(&self) -> WebToken {
        WebToken::from_bytes(self.0)
    }
}

impl ProofDigest {
    /// Whether a proof is the remembered one, compared in constant time.
    pub(crate) fn is_of(&self, proof: &Proof) -> bool {
        self.0.ct_eq(&proof.digest().0).into()
    }
}
