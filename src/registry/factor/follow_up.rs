//! The one exception to one code, one request.
//!
//! `npm unpublish pkg@version` is two writes with one code: the packument without the version,
//! then the removal of its tarball. A strict registry would break that command half-way (wire
//! notes §4), so the proof that removed a version is good once more, soon, for that tarball.

use std::time::{Duration, SystemTime};

use crate::registry::model::PackageName;
use crate::registry::secrets::{Proof, ProofDigest};

/// How long the second request of the command may take.
const GRACE: Duration = Duration::from_secs(60);

/// A permission to remove one tarball with a proof that is already spent.
#[derive(Debug)]
pub(crate) struct FollowUp {
    proof: ProofDigest,
    package: PackageName,
    tarball: String,
    until: Option<SystemTime>,
}

impl FollowUp {
    pub(crate) fn new(proof: ProofDigest, package: PackageName, tarball: String, now: SystemTime) -> Self {
        Self { proof, package, tarball, until: now.checked_add(GRACE) }
    }

    pub(crate) fn is_open(&self, now: SystemTime) -> bool {
        self.until.is_some_and(|until| now <= until)
    }

    pub(crate) fn covers(&self, package: &PackageName, tarball: &str, proof: &Proof) -> bool {
        self.package == *package && self.tarball == tarball && self.proof.is_of(proof)
    }
}
