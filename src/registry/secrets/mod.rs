//! Passwords, tokens of all kinds, recovery codes and proofs: types whose `Debug` hides the value and which
//! have no `Display`. Each has one named method that gives the value away, or none.

mod hidden;
mod of_seed;
mod password;
mod proof;
mod random;
mod recovery_code;
mod token_text;
mod web_token;

pub(super) use of_seed::{OfSeed, PoolSeed};
pub(super) use password::{Password, PasswordHash};
pub(super) use proof::{LongProof, Proof, ProofDigest};
pub(super) use random::{random_bytes, random_hex};
pub(super) use recovery_code::{RecoveryCode, RecoveryDigest};
pub(super) use token_text::{TokenDigest, TokenText};
pub(super) use web_token::{WebToken, WebTokenDigest};
