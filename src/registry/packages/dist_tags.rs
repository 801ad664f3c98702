//! Dist-tags. Moving `latest` changes what everyone installs and is challenged; the others are
//! exempt (wire notes §1.2).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::registry::factor::Action;
use crate::registry::model::packument::tags;
use crate::registry::model::{Package, PackageName, VersionNumber};
use crate::registry::service::Desk;
use crate::registry::transaction::{Caller, Transaction};
use crate::registry::wire::{Answer, Call, Refusal, Reply};

const LATEST: &str = "latest";

/// What the tags of a package become.
type Tags = BTreeMap<String, VersionNumber>;

/// Refuses a tag that could be taken for a version, or that does not fit into an address.
pub(super) fn check(tag: &str) -> Result<(), Refusal> {
    let rest = tag.strip_prefix('v').unwrap_or(tag);
    let like_version = rest.starts_with(|first: char| first.is_ascii_digit());
    let fits = tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-~".contains(&byte));
    if tag.is_empty() || tag.len() > 100 || like_version || !fits {
        return Err(Refusal::malformed("that is no name of a tag"));
    }
    Ok(())
}

/// `GET /-/package/<package>/dist-tags`.
pub(crate) fn list_tags(desk: &Desk, call: &Call, name: &PackageName) -> Reply {
    let mut tx = Transaction::begin(desk);
    let visitor = tx.visitor(call);
    let package = tx.visible_package(name, visitor.as_ref())?;
    Ok(Answer::ok(tags(package)))
}

/// `GET /-/package/<package>/dist-tags/<tag>`.
pub(crate) fn show_tag(desk: &Desk, call: &Call, name: &PackageName, tag: &str) -> Reply {
    let mut tx = Transaction::begin(desk);
    let visitor = tx.visitor(call);
    let package = tx.visible_package(name, visitor.as_ref())?;
    let version = package.tags.get(tag).ok_or(Refusal::NotFound("tag not found"))?;
    Ok(Answer::ok(json!(version.as_str())))
}

/// `PUT` or `POST /-/package/<package>/dist-tags/<tag>`, whose body is the version as a text.
pub(crate) fn set_tag(desk: &Desk, call: &Call, name: &PackageName, tag: &str) -> Reply {
    let version = call.json();
    let mut tx = Transaction::begin(desk);
    let caller = tx.writer(call)?;
    let package = tx.writable_package(name, &caller.user)?;
    check(tag)?;
    let mut wanted = package.tags.clone();
    wanted.insert(tag.to_owned(), published(package, &version?)?);
    retag(&mut tx, call, &caller, name, wanted)
}

/// `DELETE /-/package/<package>/dist-tags/<tag>`. There is always a `latest`.
pub(crate) fn remove_tag(desk: &Desk, call: &Call, name: &PackageName, tag: &str) -> Reply {
    let mut tx = Transaction::begin(desk);
    let caller = tx.writer(call)?;
    let package = tx.writable_package(name, &caller.user)?;
    let mut wanted = package.tags.clone();
    wanted.remove(tag).ok_or(Refusal::NotFound("tag not found"))?;
    retag(&mut tx, call, &caller, name, wanted)
}

/// `PUT /-/package/<package>/dist-tags`: these tags and no others.
pub(crate) fn replace_tags(desk: &Desk, call: &Call, name: &PackageName) -> Reply {
    let body = call.json();
    let mut tx = Transaction::begin(desk);
    let caller = tx.writer(call)?;
    let package = tx.writable_package(name, &caller.user)?;
    let wanted = read(package, &body?)?;
    retag(&mut tx, call, &caller, name, wanted)
}

/// `POST /-/package/<package>/dist-tags`: these tags and what there is.
pub(crate) fn merge_tags(desk: &Desk, call: &Call, name: &PackageName) -> Reply {
    let body = call.json();
    let mut tx = Transaction::begin(desk);
    let caller = tx.writer(call)?;
    let package = tx.writable_package(name, &caller.user)?;
    let mut wanted = package.tags.clone();
    wanted.extend(read(package, &body?)?);
    retag(&mut tx, call, &caller, name, wanted)
}

fn read(package: &Package, body: &Value) -> Result<Tags, Refusal> {
    let Value::Object(members) = body else {
        return Err(Refusal::malformed("the body is not a JSON object"));
    };
    let mut tags = Tags::new();
    for (tag, version) in members {
        check(tag)?;
        tags.insert(tag.clone(), published(package, version)?);
    }
    Ok(tags)
}

/// The published version that a body names.
fn published(package: &Package, body: &Value) -> Result<VersionNumber, Refusal> {
    let text = body.as_str().ok_or_else(|| Refusal::malformed("the body is not a version"))?;
    let version = VersionNumber::parse(text)?;
    let known = package.releases.get_key_value(&version);
    known.map(|(version, _)| version.clone()).ok_or(Refusal::NotFound("version not found"))
}

fn retag(tx: &mut Transaction<'_>, call: &Call, caller: &Caller, name: &PackageName, wanted: Tags) -> Reply {
    if !wanted.contains_key(LATEST) {
        return Err(Refusal::malformed("`latest` cannot be removed"));
    }
    let current = tx.packages.get(name).and_then(|package| package.tags.get(LATEST));
    let action = if current == wanted.get(LATEST) { Action::TagOther } else { Action::TagLatest };
    tx.demand(caller, action, call)?;
    let now = tx.now();
    if let Some(package) = tx.packages.get_mut(name) {
        package.tags = wanted;
        package.touch(now);
    }
    Ok(Answer::created(json!({ "ok": true, "id": "dist-tags" })))
}
