//! Teams and their members. Deletions answer with JSON: older clients read it (wire notes §8).

use serde_json::{Value, json};

use super::orgs::member;
use crate::registry::factor::Action;
use crate::registry::model::{ScopeName, State, Team, TeamName, UserName};
use crate::registry::service::Desk;
use crate::registry::transaction::Transaction;
use crate::registry::wire::{Answer, Call, Refusal, Reply};

/// `GET /-/org/<scope>/team`, for members.
pub(crate) fn list_teams(desk: &Desk, call: &Call, scope: &ScopeName) -> Reply {
    let mut tx = Transaction::begin(desk);
    let caller = tx.reader(call)?;
    let found = tx.scope_of_member(scope, &caller.user)?;
    let teams = found.teams.keys();
    let teams: Vec<String> = teams.map(|team| format!("{scope}:{team}")).collect();
    Ok(Answer::ok(json!(teams)))
}

/// `PUT /-/org/<scope>/team` with `name`.
pub(crate) fn create_team(desk: &Desk, call: &Call, scope: &ScopeName) -> Reply {
    let name = call.fields().and_then(|mut fields| TeamName::parse(&fields.required("name")?));
    let mut tx = Transaction::begin(desk);
    let caller = tx.writer(call)?;
    tx.check_administers(scope, &caller.user)?;
    let name = name?;
    if tx.find_team(scope, &name).is_ok() {
        return Err(Refusal::Conflict("there is such a team already"));
    }
    tx.demand(&caller, Action::ManageTeam, call)?;
    tx.claim(scope, &caller.user).teams.insert(name.clone(), Team::default());
    Ok(Answer::created(json!({ "name": name.as_str() })))
}

/// `DELETE /-/team/<scope>/<team>`. What the team was granted goes with it.
pub(crate) fn destroy_team(desk: &Desk, call: &Call, scope: &ScopeName, team: &TeamName) -> Reply {
    let mut tx = Transaction::begin(desk);
    let caller = tx.writer(call)?;
    tx.check_administers(scope, &caller.user)?;
    tx.find_team(scope, team)?;
    tx.demand(&caller, Action::ManageTeam, call)?;
    if let Some(found) = tx.scopes.get_mut(scope) {
        found.teams.remove(team);
    }
    let key = (scope.clone(), team.clone());
    for package in tx.packages.values_mut() {
        package.grants.remove(&key);
    }
    Ok(Answer::ok(json!({ "ok": true })))
}

/// `GET /-/team/<scope>/<team>/user`, for members of the scope.
pub(crate) fn list_team_members(desk: &Desk, call: &Call, scope: &ScopeName, team: &TeamName) -> Reply {
    let mut tx = Transaction::begin(desk);
    let caller = tx.reader(call)?;
    tx.scope_of_member(scope, &caller.user)?;
    let members = tx.find_team(scope, team)?.members.iter();
    let members: Value = members.map(UserName::as_str).collect();
    Ok(Answer::ok(members))
}

/// `PUT /-/team/<scope>/<team>/user` with `user`.
pub(crate) fn add_team_member(desk: &Desk, call: &Call, scope: &ScopeName, team: &TeamName) -> Reply {
    let user = named(call);
    let mut tx = Transaction::begin(desk);
    let caller = tx.writer(call)?;
    tx.check_administers(scope, &caller.user)?;
    let user = user?;
    tx.find_team(scope, team)?;
    if !tx.users.contains_key(&user) {
        return Err(Refusal::no_user());
    }
    tx.demand(&caller, Action::ManageTeam, call)?;
    if let Some(found) = tx.team_mut(scope, team) {
        found.members.insert(user);
    }
    Ok(Answer::created(json!({})))
}

/// `DELETE /-/team/<scope>/<team>/user` with `user`.
pub(crate) fn remove_team_member(desk: &Desk, call: &Call, scope: &ScopeName, team: &TeamName) -> Reply {
    let user = named(call);
    let mut tx = Transaction::begin(desk);
    let caller = tx.writer(call)?;
    tx.check_administers(scope, &caller.user)?;
    let user = user?;
    if !tx.find_team(scope, team)?.members.contains(&user) {
        return Err(Refusal::NotFound("that user is not in the team"));
    }
    tx.demand(&caller, Action::ManageTeam, call)?;
    if let Some(found) = tx.team_mut(scope, team) {
        found.members.remove(&user);
    }
    Ok(Answer::ok(json!({ "ok": true })))
}

fn named(call: &Call) -> Result<UserName, Refusal> {
    member(&call.fields()?.required("user")?)
}

impl State {
    pub(super) fn find_team(&self, scope: &ScopeName, team: &TeamName) -> Result<&Team, Refusal> {
        let found = self.scopes.get(scope).and_then(|scope| scope.teams.get(team));
        found.ok_or(Refusal::NotFound("team not found"))
    }

    fn team_mut(&mut self, scope: &ScopeName, team: &TeamName) -> Option<&mut Team> {
        self.scopes.get_mut(scope)?.teams.get_mut(team)
    }
}
