//! Unpublishing: some versions, their tarballs, or everything.
//!
//! Unpublishing one version is two writes of one command. The first takes the version out of the
//! packument and leaves its tarball; the second removes the tarball, with the same proof.

use serde_json::{Value, json};

use crate::registry::factor::{Action, Cleared, FollowUp};
use crate::registry::model::{PackageName, UserName, VersionNumber};
use crate::registry::mutants::Mutant;
use crate::registry::service::Desk;
use crate::registry::transaction::{Caller, Transaction};
use crate::registry::wire::{Answer, Call, Fields, Refusal, Reply};

/// `PUT /<package>/-rev/<revision>` with fewer `versions` than there are.
pub(super) fn unpublish(
    mut tx: Transaction<'_>,
    call: &Call,
    caller: &Caller,
    name: &PackageName,
    mut fields: Fields,
) -> Reply {
    let package = tx.writable_package(name, &caller.user)?;
    let kept = fields.object("versions")?;
    if kept.keys().any(|number| !knows(package.releases.keys(), number)) {
        return Err(Refusal::malformed("versions are not added in this way"));
    }
    let removed: Vec<VersionNumber> =
        package.releases.keys().filter(|version| !kept.contains_key(version.as_str())).cloned().collect();
    if removed.is_empty() {
        return Err(Refusal::malformed("no version is left out"));
    }
    let latest = match fields.take("dist-tags") {
        Some(Value::Object(tags)) => tags.get("latest").and_then(Value::as_str).map(str::to_owned),
        _ => None,
    };
    let cleared = tx.demand(caller, Action::Unpublish, call)?;
    let tarballs = tx.withdraw(name, &removed, latest.as_deref());
    if let Cleared::Proven(proof) = cleared {
        let now = tx.now();
        let follow_ups = tarballs.into_iter().map(|tarball| FollowUp::new(proof.clone(), name.clone(), tarball, now));
        if let Some(user) = tx.users.get_mut(&caller.user) {
            user.follow_ups.retain(|follow_up| follow_up.is_open(now));
            user.follow_ups.extend(follow_ups);
        }
    }
    Ok(Answer::created(json!({ "ok": true, "id": name.as_str() })))
}

/// `DELETE /<package>/-/<tarball>/-rev/<revision>`: removes a tarball that no version names.
pub(crate) fn remove_tarball(desk: &Desk, call: &Call, name: &PackageName, file: &str, revision: &str) -> Reply {
    let mut tx = Transaction::begin(desk);
    let caller = tx.writer(call)?;
    let package = tx.writable_package(name, &caller.user)?;
    package.revision.check(revision)?;
    if !package.tarballs.contains_key(file) {
        return Err(Refusal::NotFound("tarball not found"));
    }
    if package.is_released(file) {
        return Err(Refusal::forbidden("a published version still needs that tarball"));
    }
    let exempt =
        tx.settings().mutants.has(Mutant::TarballDeleteUnchallenged) || tx.follows_up(&caller.user, call, name, file);
    tx.overask(Mutant::DisabledTarballChallenged, &caller, Action::Unpublish, call)?;
    if !exempt {
        tx.demand(&caller, Action::Unpublish, call)?;
    }
    let now = tx.now();
    if let Some(package) = tx.packages.get_mut(name) {
        package.tarballs.remove(file);
        package.touch(now);
    }
    Ok(Answer::ok(json!({ "ok": true })))
}

/// `DELETE /<package>/-rev/<revision>`: the package and its name are given up.
pub(crate) fn unpublish_all(desk: &Desk, call: &Call, name: &PackageName, revision: &str) -> Reply {
    let mut tx = Transaction::begin(desk);
    let caller = tx.writer(call)?;
    let package = tx.writable_package(name, &caller.user)?;
    package.revision.check(revision)?;
    tx.demand(&caller, Action::Unpublish, call)?;
    tx.packages.remove(name);
    Ok(Answer::ok(json!({ "ok": true })))
}

fn knows<'a>(mut versions: impl Iterator<Item = &'a VersionNumber>, number: &str) -> bool {
    versions.any(|version| version.as_str() == number)
}

impl Transaction<'_> {
    /// Takes versions out of a package and names the tarballs that are left behind.
    fn withdraw(&mut self, name: &PackageName, versions: &[VersionNumber], latest: Option<&str>) -> Vec<String> {
        let now = self.now();
        let Some(package) = self.packages.get_mut(name) else {
            return Vec::new();
        };
        let mut tarballs = Vec::new();
        for version in versions {
            if let Some(release) = package.releases.remove(version) {
                tarballs.push(release.tarball);
            }
            package.retired.insert(version.clone());
        }
        package.tags.retain(|_, tagged| !versions.contains(tagged));
        if !package.tags.contains_key("latest") {
            let wished = latest.and_then(|number| VersionNumber::parse(number).ok());
            let wished = wished.filter(|version| package.releases.contains_key(version));
            if let Some(version) = wished.or_else(|| package.highest().cloned()) {
                package.tags.insert("latest".to_owned(), version);
            }
        }
        package.touch(now);
        tarballs
    }

    /// Whether a request is the second half of an unpublish, and if so, that it was.
    fn follows_up(&mut self, user: &UserName, call: &Call, name: &PackageName, file: &str) -> bool {
        let now = self.now();
        let Some((user, proof)) = self.users.get_mut(user).zip(call.proof()) else {
            return false;
        };
        user.follow_ups.retain(|follow_up| follow_up.is_open(now));
        let covers = |follow_up: &FollowUp| follow_up.covers(name, file, proof);
        match user.follow_ups.iter().position(covers) {
            Some(index) => {
                user.follow_ups.swap_remove(index);
                true
            }
            None => false,
        }
    }
}
