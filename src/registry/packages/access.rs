//! Who can see a package, and what it asks of those who publish it.

use serde_json::{Map, Value, json};

use crate::registry::factor::Action;
use crate::registry::model::{PackageName, Permission, PublishRule, Visibility};
use crate::registry::mutants::Mutant;
use crate::registry::service::Desk;
use crate::registry::transaction::Transaction;
use crate::registry::wire::{Answer, Call, Fields, Refusal, Reply};

/// `GET /-/package/<package>/visibility`.
pub(crate) fn show_visibility(desk: &Desk, call: &Call, name: &PackageName) -> Reply {
    let mut tx = Transaction::begin(desk);
    let visitor = tx.visitor(call);
    let package = tx.visible_package(name, visitor.as_ref())?;
    let public = package.visibility == Visibility::Public;
    Ok(Answer::ok(json!({ "public": public })))
}

/// `GET /-/package/<package>/access`, for those who may write to it.
pub(crate) fn show_access(desk: &Desk, call: &Call, name: &PackageName) -> Reply {
    let mut tx = Transaction::begin(desk);
    let caller = tx.reader(call)?;
    let package = tx.writable_package(name, &caller.user)?;
    Ok(Answer::ok(json!({
        "access": package.visibility.name(),
        "publish_requires_tfa": package.rule != PublishRule::OwnMode,
        "automation_token_overrides_tfa": package.rule == PublishRule::TwoFactorOrAutomation,
    })))
}

/// `GET /-/package/<package>/collaborators`: owners, and members of teams.
pub(crate) fn collaborators(desk: &Desk, call: &Call, name: &PackageName) -> Reply {
    let mut tx = Transaction::begin(desk);
    let visitor = tx.visitor(call);
    let package = tx.visible_package(name, visitor.as_ref())?;
    let mut people = Map::new();
    for ((scope, team), permission) in &package.grants {
        let team = tx.scopes.get(scope).and_then(|scope| scope.teams.get(team));
        for member in team.into_iter().flat_map(|team| &team.members) {
            let most = tx.granted(package, member).unwrap_or(*permission);
            people.insert(member.to_string(), json!(most.name()));
        }
    }
    for owner in &package.owners {
        people.insert(owner.to_string(), json!(Permission::Write.name()));
    }
    Ok(Answer::ok(Value::Object(people)))
}

/// `POST /-/package/<package>/access`: one path for two rows of the table.
pub(crate) fn change_access(desk: &Desk, call: &Call, name: &PackageName) -> Reply {
    let change = call.fields().and_then(Change::parse);
    let mut tx = Transaction::begin(desk);
    let caller = tx.writer(call)?;
    tx.managed_package(name, &caller.user)?;
    let change = change?;
    if let Change::Visibility(Visibility::Restricted) = change
        && name.scope().is_none()
    {
        return Err(Refusal::malformed("only a scoped package can be restricted"));
    }
    if let Change::Visibility(Visibility::Public) = change {
        tx.overask(Mutant::DisabledPublicChallenged, &caller, change.action(), call)?;
    }
    tx.demand(&caller, change.action(), call)?;
    let now = tx.now();
    let mutants = &tx.settings().mutants;
    if let Some(package) = tx.packages.get_mut(name) {
        match change {
            Change::Visibility(visibility) => package.visibility = visibility,
            Change::Rule(PublishRule::OwnMode) if mutants.has(Mutant::PackageRequirementNotLifted) => {}
            Change::Rule(rule) => {
                package.rule = rule;
                package.ruled.clone_from(&package.owners);
            }
        }
        package.touch(now);
    }
    Ok(Answer::ok(json!({ "ok": true })))
}

#[derive(Debug, Clone, Copy)]
enum Change {
    Visibility(Visibility),
    Rule(PublishRule),
}

impl Change {
    fn parse(mut fields: Fields) -> Result<Self, Refusal> {
        let access = fields.text("access")?;
        let required = fields.truth("publish_requires_tfa")?;
        let overridden = fields.truth("automation_token_overrides_tfa")?.unwrap_or(false);
        match (access, required) {
            (Some(access), None) => Visibility::parse(&access).map(Change::Visibility),
            (None, Some(false)) => Ok(Change::Rule(PublishRule::OwnMode)),
            (None, Some(true)) if overridden => Ok(Change::Rule(PublishRule::TwoFactorOrAutomation)),
            (None, Some(true)) => Ok(Change::Rule(PublishRule::TwoFactor)),
            (Some(_), Some(_)) | (None, None) => {
                Err(Refusal::malformed("either `access` or `publish_requires_tfa` is changed"))
            }
        }
    }

    fn action(self) -> Action {
        match self {
            Change::Visibility(_) => Action::SetVisibility,
            Change::Rule(_) => Action::SetPackageTwoFactor,
        }
    }
}
