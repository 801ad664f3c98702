//! Reading packages. Nothing here is ever challenged.

use crate::registry::model::PackageName;
use crate::registry::model::packument::{abbreviated, manifest};
use crate::registry::service::Desk;
use crate::registry::transaction::Transaction;
use crate::registry::wire::{Answer, Call, Refusal, Reply};

/// `GET /<package>`: the packument, whole or abbreviated.
pub(crate) fn show(desk: &Desk, call: &Call, name: &PackageName) -> Reply {
    let mut tx = Transaction::begin(desk);
    let visitor = tx.visitor(call);
    let package = tx.visible_package(name, visitor.as_ref())?;
    Ok(Answer::ok(if call.wants_abbreviated() {
        abbreviated(name, package, call.base())
    } else {
        tx.packument(name, package, call.base())
    }))
}

/// `GET /<package>/<version or tag>`.
pub(crate) fn show_version(desk: &Desk, call: &Call, name: &PackageName, selector: &str) -> Reply {
    let mut tx = Transaction::begin(desk);
    let visitor = tx.visitor(call);
    let package = tx.visible_package(name, visitor.as_ref())?;
    let release = package
        .resolve(selector)
        .and_then(|version| package.releases.get(version))
        .ok_or(Refusal::NotFound("version not found"))?;
    Ok(Answer::ok(manifest(name, release, call.base())))
}

/// `GET /<package>/-/<tarball>`.
pub(crate) fn tarball(desk: &Desk, call: &Call, name: &PackageName, file: &str) -> Reply {
    let mut tx = Transaction::begin(desk);
    let visitor = tx.visitor(call);
    let package = tx.visible_package(name, visitor.as_ref())?;
    let bytes = package.tarballs.get(file);
    let bytes = bytes.ok_or(Refusal::NotFound("tarball not found"))?;
    Ok(Answer::tarball(bytes.clone()))
}
