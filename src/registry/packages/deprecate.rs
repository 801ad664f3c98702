//! Deprecating versions, and taking that back.

use serde_json::{Map, Value, json};

use crate::registry::factor::Action;
use crate::registry::model::{PackageName, VersionNumber};
use crate::registry::mutants::Mutant;
use crate::registry::transaction::{Caller, Transaction};
use crate::registry::wire::{Answer, Call, Fields, Refusal, Reply};

/// `PUT /<package>` with `versions` and no attachment. Of all that a client sends, only each
/// version's `deprecated` text is taken; one that is empty or absent takes a deprecation back.
pub(super) fn deprecate(
    mut tx: Transaction<'_>,
    call: &Call,
    caller: &Caller,
    name: &PackageName,
    mut fields: Fields,
) -> Reply {
    let package = tx.writable_package(name, &caller.user)?;
    let texts = texts(fields.object("versions")?)?;
    if texts.iter().any(|(version, _)| !package.releases.contains_key(version)) {
        return Err(Refusal::malformed(
            "a version that is not published is neither deprecated nor published without a tarball",
        ));
    }
    tx.demand(caller, Action::Deprecate, call)?;
    let now = tx.now();
    let applied = !tx.settings().mutants.has(Mutant::DeprecateNoEffect);
    if let Some(package) = tx.packages.get_mut(name)
        && applied
    {
        for (version, text) in texts {
            if let Some(release) = package.releases.get_mut(&version) {
                mark(&mut release.manifest, text);
            }
        }
        package.touch(now);
    }
    Ok(Answer::created(json!({ "ok": true, "id": name.as_str() })))
}

/// Each version's deprecation, none where the text is empty.
fn texts(versions: Map<String, Value>) -> Result<Vec<(VersionNumber, Option<String>)>, Refusal> {
    let mut texts = Vec::new();
    for (number, manifest) in versions {
        let text = match manifest.get("deprecated") {
            None | Some(Value::Null | Value::Bool(false)) => None,
            Some(Value::String(text)) => Some(text.clone()).filter(|text| !text.is_empty()),
            Some(_) => return Err(Refusal::malformed("`deprecated` is not a text")),
        };
        texts.push((VersionNumber::parse(&number)?, text));
    }
    Ok(texts)
}

fn mark(manifest: &mut Map<String, Value>, text: Option<String>) {
    match text {
        Some(text) => manifest.insert("deprecated".to_owned(), Value::String(text)),
        None => manifest.shift_remove("deprecated"),
    };
}
