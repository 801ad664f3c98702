//! Owners, whom packuments call maintainers.

use serde_json::{Value, json};

use crate::registry::factor::Action;
use crate::registry::model::{PackageName, UserName};
use crate::registry::service::Desk;
use crate::registry::transaction::{Caller, Transaction};
use crate::registry::wire::{Answer, Call, Fields, Refusal, Reply};

/// `GET /-/package/<package>/owners`.
pub(crate) fn list_owners(desk: &Desk, call: &Call, name: &PackageName) -> Reply {
    let mut tx = Transaction::begin(desk);
    let visitor = tx.visitor(call);
    let package = tx.visible_package(name, visitor.as_ref())?;
    Ok(Answer::ok(tx.maintainers(package)))
}

/// `PUT /<package>/-rev/<revision>` with `maintainers`: these owners and no others.
pub(super) fn replace(
    tx: Transaction<'_>,
    call: &Call,
    caller: &Caller,
    name: &PackageName,
    mut fields: Fields,
) -> Reply {
    let Some(Value::Array(people)) = fields.take("maintainers") else {
        return Err(Refusal::malformed("`maintainers` is not a list"));
    };
    let mut owners: Vec<UserName> = Vec::new();
    for person in people {
        let owner = UserName::parse(&Fields::new(person)?.required("name")?)?;
        if !owners.contains(&owner) {
            owners.push(owner);
        }
    }
    set(tx, call, caller, name, owners)
}

/// `PUT /-/package/<package>/owners`, pnpm's way to add one.
pub(crate) fn add_owner(desk: &Desk, call: &Call, name: &PackageName) -> Reply {
    let added = call.fields().and_then(|mut fields| UserName::parse(&fields.required("user")?));
    let tx = Transaction::begin(desk);
    let caller = tx.writer(call)?;
    let added = added?;
    let package = tx.managed_package(name, &caller.user)?;
    let mut owners = package.owners.clone();
    if !owners.contains(&added) {
        owners.push(added);
    }
    set(tx, call, &caller, name, owners)
}

/// `DELETE /-/package/<package>/owners/<user>`.
pub(crate) fn remove_owner(desk: &Desk, call: &Call, name: &PackageName, removed: &UserName) -> Reply {
    let tx = Transaction::begin(desk);
    let caller = tx.writer(call)?;
    let package = tx.managed_package(name, &caller.user)?;
    if !package.owners.contains(removed) {
        return Err(Refusal::NotFound("that user is no owner"));
    }
    let mut owners = package.owners.clone();
    owners.retain(|owner| owner != removed);
    set(tx, call, &caller, name, owners)
}

fn set(mut tx: Transaction<'_>, call: &Call, caller: &Caller, name: &PackageName, owners: Vec<UserName>) -> Reply {
    tx.managed_package(name, &caller.user)?;
    if owners.is_empty() {
        return Err(Refusal::malformed("a package has at least one owner"));
    }
    if owners.iter().any(|owner| !tx.users.contains_key(owner)) {
        return Err(Refusal::no_user());
    }
    tx.demand(caller, Action::ChangeOwners, call)?;
    let now = tx.now();
    if let Some(package) = tx.packages.get_mut(name) {
        package.owners = owners;
        package.touch(now);
    }
    Ok(Answer::created(json!({ "ok": true, "id": name.as_str() })))
}
