//! Staged publishing: a version is deposited without a second factor and published with one.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde_json::{Value, json};

use super::publication::Publication;
use crate::registry::factor::Action;
use crate::registry::model::{PackageName, UserName};
use crate::registry::secrets::random_hex;
use crate::registry::service::Desk;
use crate::registry::transaction::Transaction;
use crate::registry::wire::{Answer, Call, Refusal, Reply, iso8601};

const DEFAULT_PAGE: usize = 100;

/// Deposited versions by identifier.
pub(crate) type Stages = BTreeMap<String, Staged>;

/// One deposited version.
#[derive(Debug)]
pub(crate) struct Staged {
    package: PackageName,
    by: UserName,
    at: SystemTime,
    publication: Publication,
}

/// `POST /-/stage/package/<package>`, with the body of a publication.
pub(crate) fn add_stage(desk: &Desk, call: &Call, name: &PackageName) -> Reply {
    let publication = call.fields().and_then(|fields| Publication::parse(fields, name));
    let mut tx = Transaction::begin(desk);
    let caller = tx.writer(call)?;
    let publication = publication?;
    tx.check_publication(&caller, name, &publication)?;
    tx.demand(&caller, Action::StagePublish, call)?;
    let id = identifier();
    let staged = Staged { package: name.clone(), by: caller.user.clone(), at: tx.now(), publication };
    tx.stages.insert(id.clone(), staged);
    Ok(Answer::created(json!({ "stageId": id })))
}

/// `GET /-/stage?page=&perPage=&package=`.
pub(crate) fn list_stages(desk: &Desk, call: &Call) -> Reply {
    let number = |name| call.query(name).and_then(|text| text.parse::<usize>().ok());
    let size = number("perPage").unwrap_or(DEFAULT_PAGE).clamp(1, DEFAULT_PAGE);
    let page = number("page").unwrap_or(0);
    let wanted = call.query("package");
    let mut tx = Transaction::begin(desk);
    let caller = tx.reader(call)?;
    let seen: Vec<(&String, &Staged)> = tx
        .stages
        .iter()
        .filter(|(_, staged)| wanted.is_none_or(|name| staged.package.as_str() == name))
        .filter(|(_, staged)| tx.may_handle(staged, &caller.user))
        .collect();
    let items: Vec<Value> =
        seen.iter().skip(page.saturating_mul(size)).take(size).map(|(id, staged)| describe(id, staged)).collect();
    Ok(Answer::ok(json!({ "items": items, "total": seen.len() })))
}

/// `GET /-/stage/<id>`.
pub(crate) fn show_stage(desk: &Desk, call: &Call, id: &str) -> Reply {
    let mut tx = Transaction::begin(desk);
    let caller = tx.reader(call)?;
    let staged = tx.staged(id, &caller.user)?;
    Ok(Answer::ok(describe(id, staged)))
}

/// `GET /-/stage/<id>/tarball`.
pub(crate) fn stage_tarball(desk: &Desk, call: &Call, id: &str) -> Reply {
    let mut tx = Transaction::begin(desk);
    let caller = tx.reader(call)?;
    let staged = tx.staged(id, &caller.user)?;
    Ok(Answer::tarball(staged.publication.tarball.clone()))
}

/// `POST /-/stage/<id>/approve`. The proof of presence that depositing did without is wanted
/// here, so no bypass token will do.
pub(crate) fn approve_stage(desk: &Desk, call: &Call, id: &str) -> Reply {
    let mut tx = Transaction::begin(desk);
    let caller = tx.holder(call)?;
    let staged = tx.staged(id, &caller.user)?;
    let name = staged.package.clone();
    tx.check_publication(&caller, &name, &staged.publication)?;
    tx.demand_publisher(&caller, Action::ApproveStage, call, &name)?;
    if let Some(staged) = tx.stages.remove(id) {
        tx.release(&caller, &name, &staged.publication);
    }
    Ok(Answer::ok(json!({ "ok": true, "id": name.as_str() })))
}

/// `DELETE /-/stage/<id>`.
pub(crate) fn reject_stage(desk: &Desk, call: &Call, id: &str) -> Reply {
    let mut tx = Transaction::begin(desk);
    let caller = tx.holder(call)?;
    tx.staged(id, &caller.user)?;
    tx.demand(&caller, Action::RejectStage, call)?;
    tx.stages.remove(id);
    Ok(Answer::no_content())
}

impl Transaction<'_> {
    fn staged(&self, id: &str, user: &UserName) -> Result<&Staged, Refusal> {
        self.stages.get(id).filter(|staged| self.may_handle(staged, user)).ok_or(Refusal::NotFound("stage not found"))
    }

    /// Whoever deposited a version handles it, and whoever may write to its package.
    fn may_handle(&self, staged: &Staged, user: &UserName) -> bool {
        staged.by == *user || self.writable_package(&staged.package, user).is_ok()
    }
}

fn describe(id: &str, staged: &Staged) -> Value {
    let publication = &staged.publication;
    let shasum = publication.manifest.get("dist").and_then(|dist| dist.get("shasum"));
    json!({
        "id": id,
        "packageName": staged.package.as_str(),
        "version": publication.version.as_str(),
        "tag": publication.tags.first(),
        "createdAt": iso8601(staged.at),
        "actor": staged.by.as_str(),
        "actorType": "user",
        "shasum": shasum,
    })
}

/// A random UUID (RFC 9562, version 4): npm's client accepts no other identifier.
fn identifier() -> String {
    let hex = random_hex::<16>();
    format!("{}-{}-4{}-a{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
}
