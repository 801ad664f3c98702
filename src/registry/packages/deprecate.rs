//! Deprecating versions, and taking that back.

use serde_json::{Map, Value, json};

use crate::registry::factor::Action;
use crate::registry::model::{Package, PackageName, VersionNumber};
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
    let form = Form::of(package, &texts);
    let mutants = &tx.settings().mutants;
    let unasked = (name.scope().is_some() && mutants.has(Mutant::ScopedDeprecateUnchallenged))
        || form.fault().is_some_and(|fault| mutants.has(fault));
    if !unasked {
        tx.demand(caller, Action::Deprecate, call)?;
    }
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

/// Which versions a deprecation changes. Only faults ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Several at once.
    Range,
    /// One, beside others that stay as they are.
    OneVersion,
    /// The only one there is, or none.
    Whole,
    /// A deprecation is taken back.
    Undo,
}

impl Form {
    fn of(package: &Package, texts: &[(VersionNumber, Option<String>)]) -> Self {
        let before = |version| package.releases.get(version)?.manifest.get("deprecated")?.as_str();
        let changed: Vec<_> = texts.iter().filter(|(version, text)| before(version) != text.as_deref()).collect();
        match changed.as_slice() {
            changed if changed.iter().any(|(_, text)| text.is_none()) => Form::Undo,
            [] => Form::Whole,
            [_] if package.releases.len() > 1 => Form::OneVersion,
            [_] => Form::Whole,
            _ => Form::Range,
        }
    }

    /// The fault that leaves it unchallenged.
    fn fault(self) -> Option<Mutant> {
        match self {
            Form::Range => Some(Mutant::DeprecateRangeUnchallenged),
            Form::OneVersion => Some(Mutant::DeprecateOneVersionUnchallenged),
            Form::Undo => Some(Mutant::UndeprecateUnchallenged),
            Form::Whole => None,
        }
    }
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
