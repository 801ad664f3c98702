//! Stars: a user's favourites. Never challenged, because no client could answer.

use serde_json::{Value, json};

use crate::registry::factor::Action;
use crate::registry::model::{PackageName, UserName};
use crate::registry::service::Desk;
use crate::registry::transaction::{Caller, Transaction};
use crate::registry::wire::{Answer, Call, Fields, Refusal, Reply};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Star {
    Given,
    Taken,
}

/// `PUT /<package>` with `users`: the caller's own star is set to what the body says of him.
pub(super) fn put(tx: Transaction<'_>, call: &Call, caller: &Caller, name: &PackageName, mut fields: Fields) -> Reply {
    let users = fields.object("users")?;
    let star = match users.get(caller.user.as_str()) {
        Some(Value::Bool(true)) => Star::Given,
        _ => Star::Taken,
    };
    set(tx, call, caller, name, star)
}

/// `PUT /-/user/package/<package>/star`, pnpm's way.
pub(crate) fn star(desk: &Desk, call: &Call, name: &PackageName) -> Reply {
    let tx = Transaction::begin(desk);
    let caller = tx.writer(call)?;
    set(tx, call, &caller, name, Star::Given)
}

/// `DELETE /-/user/package/<package>/star`.
pub(crate) fn unstar(desk: &Desk, call: &Call, name: &PackageName) -> Reply {
    let tx = Transaction::begin(desk);
    let caller = tx.writer(call)?;
    set(tx, call, &caller, name, Star::Taken)
}

/// `PUT /-/user/v1/star`, where the body names the package.
pub(crate) fn star_named(desk: &Desk, call: &Call) -> Reply {
    let name = named(call);
    let tx = Transaction::begin(desk);
    let caller = tx.writer(call)?;
    set(tx, call, &caller, &name?, Star::Given)
}

/// `DELETE /-/user/v1/star`.
pub(crate) fn unstar_named(desk: &Desk, call: &Call) -> Reply {
    let name = named(call);
    let tx = Transaction::begin(desk);
    let caller = tx.writer(call)?;
    set(tx, call, &caller, &name?, Star::Taken)
}

/// `GET /-/_view/starredByUser?key="<user>"`.
pub(crate) fn starred(desk: &Desk, call: &Call) -> Reply {
    let key = call.query("key").unwrap_or_default();
    let user = UserName::parse(key.trim_matches('"'))?;
    let mut tx = Transaction::begin(desk);
    let visitor = tx.visitor(call);
    let rows: Vec<Value> = tx
        .packages
        .iter()
        .filter(|(_, package)| package.stars.contains(&user))
        .filter(|(name, package)| tx.may_see(name, package, visitor.as_ref()))
        .map(|(name, _)| json!({ "id": name.as_str(), "key": user.as_str(), "value": name.as_str() }))
        .collect();
    Ok(Answer::ok(json!({ "rows": rows })))
}

fn named(call: &Call) -> Result<PackageName, Refusal> {
    let mut fields = call.fields()?;
    match fields.text("package")? {
        Some(name) => PackageName::parse(&name),
        None => PackageName::parse(&fields.required("name")?),
    }
}

fn set(mut tx: Transaction<'_>, call: &Call, caller: &Caller, name: &PackageName, star: Star) -> Reply {
    tx.visible_package(name, Some(&caller.user))?;
    tx.demand(caller, Action::Star, call)?;
    if let Some(package) = tx.packages.get_mut(name) {
        let changed = match star {
            Star::Given => package.stars.insert(caller.user.clone()),
            Star::Taken => package.stars.remove(&caller.user),
        };
        if changed {
            package.revision.advance();
        }
    }
    Ok(Answer::ok(json!({ "ok": true, "id": name.as_str() })))
}
