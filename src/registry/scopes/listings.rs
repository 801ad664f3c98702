//! The packages of a scope and of a user, with what may be done with them.

use serde_json::{Map, Value, json};

use crate::registry::model::{Permission, ScopeName, UserName};
use crate::registry::service::Desk;
use crate::registry::transaction::Transaction;
use crate::registry::wire::{Answer, Call, Refusal, Reply};

/// `GET /-/org/<scope>/package`. A scope that is a user's own is no organisation: clients then ask
/// for the user's packages instead.
pub(crate) fn scope_packages(desk: &Desk, call: &Call, scope: &ScopeName) -> Reply {
    let mut tx = Transaction::begin(desk);
    let visitor = tx.visitor(call);
    if !tx.scopes.contains_key(scope) || tx.users.contains_key(scope.as_str()) {
        return Err(Refusal::NotFound("organisation not found"));
    }
    let packages: Map<String, Value> = tx
        .packages
        .iter()
        .filter(|(name, _)| name.scope().as_ref() == Some(scope))
        .filter(|(name, package)| tx.may_see(name, package, visitor.as_ref()))
        .map(|(name, package)| {
            let member = visitor.as_ref();
            let writes = member.is_some_and(|user| tx.writable_package(name, user).is_ok());
            let granted = member.and_then(|user| tx.granted(package, user));
            let most = if writes { Some(Permission::Write) } else { granted };
            let most = most.unwrap_or(Permission::Read);
            (name.to_string(), json!(most.name()))
        })
        .collect();
    Ok(Answer::ok(Value::Object(packages)))
}

/// `GET /-/user/<user>/package`.
pub(crate) fn user_packages(desk: &Desk, call: &Call, user: &UserName) -> Reply {
    let mut tx = Transaction::begin(desk);
    let visitor = tx.visitor(call);
    if !tx.users.contains_key(user) {
        return Err(Refusal::no_user());
    }
    let packages: Map<String, Value> = tx
        .packages
        .iter()
        .filter(|(_, package)| package.owners.contains(user))
        .filter(|(name, package)| tx.may_see(name, package, visitor.as_ref()))
        .map(|(name, _)| (name.to_string(), json!(Permission::Write.name())))
        .collect();
    Ok(Answer::ok(Value::Object(packages)))
}
