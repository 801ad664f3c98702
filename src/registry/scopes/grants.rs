//! What a team may do with a package: `npm access grant` and `revoke`.

use serde_json::{Map, Value, json};

use crate::registry::factor::Action;
use crate::registry::model::{PackageName, Permission, ScopeName, TeamName};
use crate::registry::service::Desk;
use crate::registry::transaction::Transaction;
use crate::registry::wire::{Answer, Call, Refusal, Reply};

/// `GET /-/team/<scope>/<team>/package`, for members of the scope.
pub(crate) fn team_packages(desk: &Desk, call: &Call, scope: &ScopeName, team: &TeamName) -> Reply {
    let mut tx = Transaction::begin(desk);
    let caller = tx.reader(call)?;
    tx.scope_of_member(scope, &caller.user)?;
    tx.find_team(scope, team)?;
    let key = (scope.clone(), team.clone());
    let granted: Map<String, Value> = tx
        .packages
        .iter()
        .filter_map(|(name, package)| Some((name, package.grants.get(&key)?)))
        .map(|(name, permission)| (name.to_string(), json!(permission.name())))
        .collect();
    Ok(Answer::ok(Value::Object(granted)))
}

/// `PUT /-/team/<scope>/<team>/package` with `package` and `permissions`.
pub(crate) fn grant(desk: &Desk, call: &Call, scope: &ScopeName, team: &TeamName) -> Reply {
    let wanted = call.fields().and_then(|mut fields| {
        let name = PackageName::parse(&fields.required("package")?)?;
        Ok((name, Permission::parse(&fields.required("permissions")?)?))
    });
    let mut tx = Transaction::begin(desk);
    let caller = tx.writer(call)?;
    let (name, permission) = wanted?;
    tx.scope_of_member(scope, &caller.user)?;
    tx.find_team(scope, team)?;
    tx.managed_package(&name, &caller.user)?;
    tx.demand(&caller, Action::GrantAccess, call)?;
    let now = tx.now();
    if let Some(package) = tx.packages.get_mut(&name) {
        package.grants.insert((scope.clone(), team.clone()), permission);
        package.touch(now);
    }
    Ok(Answer::created(json!({})))
}

/// `DELETE /-/team/<scope>/<team>/package` with `package`.
pub(crate) fn revoke(desk: &Desk, call: &Call, scope: &ScopeName, team: &TeamName) -> Reply {
    let name = call.fields().and_then(|mut fields| PackageName::parse(&fields.required("package")?));
    let mut tx = Transaction::begin(desk);
    let caller = tx.writer(call)?;
    let name = name?;
    tx.scope_of_member(scope, &caller.user)?;
    tx.find_team(scope, team)?;
    let key = (scope.clone(), team.clone());
    let package = tx.managed_package(&name, &caller.user)?;
    if !package.grants.contains_key(&key) {
        return Err(Refusal::NotFound("the team has no access to that package"));
    }
    tx.demand(&caller, Action::RevokeAccess, call)?;
    let now = tx.now();
    if let Some(package) = tx.packages.get_mut(&name) {
        package.grants.remove(&key);
        package.touch(now);
    }
    Ok(Answer::ok(json!({ "ok": true })))
}
