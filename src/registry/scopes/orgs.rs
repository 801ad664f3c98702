//! Members of an organisation. Whoever sets the first member of an unclaimed one owns it.

use serde_json::{Map, Value, json};

use crate::registry::factor::Action;
use crate::registry::model::{Role, ScopeName, UserName};
use crate::registry::service::Desk;
use crate::registry::transaction::Transaction;
use crate::registry::wire::{Answer, Call, Refusal, Reply};

/// `GET /-/org/<org>/user`, for members.
pub(crate) fn list_members(desk: &Desk, call: &Call, org: &ScopeName) -> Reply {
    let mut tx = Transaction::begin(desk);
    let caller = tx.reader(call)?;
    let scope = tx.scope_of_member(org, &caller.user)?;
    let members = scope.members.iter();
    let roster: Map<String, Value> = members.map(|(member, role)| (member.to_string(), json!(role.name()))).collect();
    Ok(Answer::ok(Value::Object(roster)))
}

/// `PUT /-/org/<org>/user` with `user` and `role`.
pub(crate) fn set_member(desk: &Desk, call: &Call, org: &ScopeName) -> Reply {
    let wanted = call.fields().and_then(|mut fields| {
        let user = member(&fields.required("user")?)?;
        let role = fields.text("role")?;
        Ok((user, role.map(|role| Role::parse(&role)).transpose()?))
    });
    let mut tx = Transaction::begin(desk);
    let caller = tx.writer(call)?;
    tx.check_administers(org, &caller.user)?;
    let (user, role) = wanted?;
    if !tx.users.contains_key(&user) {
        return Err(Refusal::no_user());
    }
    let standing = tx.scopes.get(org).and_then(|scope| scope.members.get(&user).copied());
    let role = role.or(standing).unwrap_or(Role::Developer);
    let claims = !tx.scopes.contains_key(org) && user == caller.user;
    if role != Role::Owner && (claims || tx.is_last_owner(org, &user)) {
        return Err(Refusal::malformed("an organisation has at least one owner"));
    }
    tx.demand(&caller, Action::ManageOrg, call)?;
    let scope = tx.claim(org, &caller.user);
    scope.members.insert(user.clone(), role);
    Ok(Answer::ok(json!({
        "org": { "name": org.as_str(), "size": scope.members.len() },
        "user": user.as_str(),
        "role": role.name(),
    })))
}

/// `DELETE /-/org/<org>/user` with `user`. The teams lose him too.
pub(crate) fn remove_member(desk: &Desk, call: &Call, org: &ScopeName) -> Reply {
    let user = call.fields().and_then(|mut fields| member(&fields.required("user")?));
    let mut tx = Transaction::begin(desk);
    let caller = tx.writer(call)?;
    tx.check_administers(org, &caller.user)?;
    let user = user?;
    let scope = tx.scopes.get(org).ok_or(Refusal::NotFound("scope not found"))?;
    if !scope.members.contains_key(&user) {
        return Err(Refusal::NotFound("that user is no member"));
    }
    if tx.is_last_owner(org, &user) {
        return Err(Refusal::malformed("an organisation has at least one owner"));
    }
    tx.demand(&caller, Action::ManageOrg, call)?;
    if let Some(scope) = tx.scopes.get_mut(org) {
        scope.members.remove(&user);
        for team in scope.teams.values_mut() {
            team.members.remove(&user);
        }
    }
    Ok(Answer::no_content())
}

/// A user's name, which people write with or without an `@`.
pub(super) fn member(text: &str) -> Result<UserName, Refusal> {
    UserName::parse(text.strip_prefix('@').unwrap_or(text))
}

impl Transaction<'_> {
    fn is_last_owner(&self, org: &ScopeName, user: &UserName) -> bool {
        self.scopes.get(org).is_some_and(|scope| {
            let mut owners = scope.members.iter().filter(|(_, role)| **role == Role::Owner);
            owners.next().is_some_and(|(owner, _)| owner == user) && owners.next().is_none()
        })
    }
}
