//! Fresh random material for tokens, salts and identifiers.

use data_encoding::HEXLOWER;
use rand::RngCore;

/// `N` bytes from the thread's cryptographic generator.
pub(crate) fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::rng().fill_bytes(&mut bytes);
    bytes
}

/// `N` random bytes as `2 * N` lower-case hexadecimal digits.
pub(crate) fn random_hex<const N: usize>() -> String {
    HEXLOWER.encode(&random_bytes::<N>())
}
