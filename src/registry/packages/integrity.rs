//! Whether a tarball is the one that its manifest describes.

use data_encoding::{BASE64, HEXLOWER};
use serde_json::Value;
use sha1::Sha1;
use sha2::{Digest, Sha512};

use crate::registry::wire::Refusal;

/// Checks a tarball against `dist.integrity` and `dist.shasum`. At least one must be there, and
/// whatever is there must be right.
pub(super) fn check(dist: Option<&Value>, tarball: &[u8]) -> Result<(), Refusal> {
    let says = |member: &str| dist.and_then(|dist| dist.get(member)?.as_str());
    let integrity = says("integrity").map(|integrity| is_sha512(integrity, tarball));
    let shasum = says("shasum").map(|shasum| is_sha1(shasum, tarball));
    match (integrity, shasum) {
        (None, None) => Err(Refusal::malformed("`dist` has neither integrity nor shasum")),
        (Some(true) | None, Some(true) | None) => Ok(()),
        (Some(false), _) | (_, Some(false)) => {
            Err(Refusal::malformed("the tarball is not the one that `dist` describes"))
        }
    }
}

/// One of the hashes, which blanks separate, must be SHA-512 and match.
fn is_sha512(integrity: &str, tarball: &[u8]) -> bool {
    let wanted = format!("sha512-{}", BASE64.encode(&Sha512::digest(tarball)));
    integrity.split_whitespace().any(|hash| hash == wanted)
}

fn is_sha1(shasum: &str, tarball: &[u8]) -> bool {
    HEXLOWER.encode(&Sha1::digest(tarball)).eq_ignore_ascii_case(shasum)
}
