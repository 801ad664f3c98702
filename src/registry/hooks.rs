//! Hooks: addresses that want to be told of changes. They are kept and listed, never called.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde_json::{Value, json};

use super::factor::Action;
use super::model::UserName;
use super::secrets::random_hex;
use super::service::Desk;
use super::transaction::Transaction;
use super::wire::{Answer, Call, Refusal, Reply, iso8601};

/// Hooks by identifier.
pub(crate) type Hooks = BTreeMap<String, Hook>;

/// One hook. The secret that signs its calls would be of use only if it were called; it is
/// checked for and not kept.
#[derive(Debug)]
pub(crate) struct Hook {
    owner: UserName,
    kind: String,
    name: String,
    endpoint: String,
    created: SystemTime,
    updated: SystemTime,
}

/// `GET /-/npm/v1/hooks`.
pub(crate) fn list(desk: &Desk, call: &Call) -> Reply {
    let mut tx = Transaction::begin(desk);
    let caller = tx.reader(call)?;
    let wanted = call.query("package");
    let objects: Vec<Value> = tx
        .hooks
        .iter()
        .filter(|(_, hook)| hook.owner == caller.user)
        .filter(|(_, hook)| wanted.is_none_or(|name| hook.name == name))
        .map(|(id, hook)| describe(id, hook))
        .collect();
    Ok(Answer::ok(json!({ "total": objects.len(), "objects": objects, "urls": {} })))
}

/// `GET /-/npm/v1/hooks/hook/<id>`.
pub(crate) fn show(desk: &Desk, call: &Call, id: &str) -> Reply {
    let mut tx = Transaction::begin(desk);
    let caller = tx.reader(call)?;
    let hook = tx.hook_of(id, &caller.user)?;
    Ok(Answer::ok(describe(id, hook)))
}

/// `POST /-/npm/v1/hooks/hook`.
pub(crate) fn add(desk: &Desk, call: &Call) -> Reply {
    let wanted = call.fields().and_then(|mut fields| {
        fields.required("secret")?;
        let endpoint = endpoint(fields.required("endpoint")?)?;
        Ok((fields.required("type")?, fields.required("name")?, endpoint))
    });
    let mut tx = Transaction::begin(desk);
    let caller = tx.writer(call)?;
    let (kind, name, endpoint) = wanted?;
    if !["package", "scope", "owner"].contains(&kind.as_str()) {
        return Err(Refusal::malformed("`type` is package, scope or owner"));
    }
    tx.demand(&caller, Action::ManageHook, call)?;
    let id = random_hex::<8>();
    let hook = Hook { owner: caller.user, kind, name, endpoint, created: tx.now(), updated: tx.now() };
    let answer = Answer::created(describe(&id, &hook));
    tx.hooks.insert(id, hook);
    Ok(answer)
}

/// `PUT /-/npm/v1/hooks/hook/<id>` with `endpoint` and `secret`.
pub(crate) fn update(desk: &Desk, call: &Call, id: &str) -> Reply {
    let wanted = call.fields().and_then(|mut fields| {
        fields.required("secret")?;
        endpoint(fields.required("endpoint")?)
    });
    let mut tx = Transaction::begin(desk);
    let caller = tx.writer(call)?;
    let wanted = wanted?;
    tx.hook_of(id, &caller.user)?;
    tx.demand(&caller, Action::ManageHook, call)?;
    let now = tx.now();
    let hook = tx.hooks.get_mut(id).ok_or(Refusal::NotFound("hook not found"))?;
    hook.endpoint = wanted;
    hook.updated = now;
    Ok(Answer::ok(describe(id, hook)))
}

/// `DELETE /-/npm/v1/hooks/hook/<id>`.
pub(crate) fn remove(desk: &Desk, call: &Call, id: &str) -> Reply {
    let mut tx = Transaction::begin(desk);
    let caller = tx.writer(call)?;
    let answer = Answer::ok(describe(id, tx.hook_of(id, &caller.user)?));
    tx.demand(&caller, Action::ManageHook, call)?;
    tx.hooks.remove(id);
    Ok(answer)
}

fn endpoint(text: String) -> Result<String, Refusal> {
    if text.starts_with("http://") || text.starts_with("https://") {
        Ok(text)
    } else {
        Err(Refusal::malformed("`endpoint` is no http address"))
    }
}

fn describe(id: &str, hook: &Hook) -> Value {
    json!({
        "id": id,
        "username": hook.owner.as_str(),
        "type": hook.kind,
        "name": hook.name,
        "endpoint": hook.endpoint,
        "created": iso8601(hook.created),
        "updated": iso8601(hook.updated),
        "status": "active",
        "delivered": false,
    })
}

impl Transaction<'_> {
    fn hook_of(&self, id: &str, user: &UserName) -> Result<&Hook, Refusal> {
        self.hooks.get(id).filter(|hook| hook.owner == *user).ok_or(Refusal::NotFound("hook not found"))
    }
}
