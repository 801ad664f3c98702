//! `PUT` of a package's document is several commands; the body tells which (wire notes §8.1).

use super::publication::Publication;
use super::{deprecate, owners, publish, stars, unpublish};
use crate::registry::model::PackageName;
use crate::registry::service::Desk;
use crate::registry::transaction::Transaction;
use crate::registry::wire::{Call, Fields, Refusal, Reply};

/// What the document at `/<package>` is put for.
enum Purpose {
    Publish(Publication),
    Star(Fields),
    Deprecate(Fields),
}

impl Purpose {
    fn parse(call: &Call, name: &PackageName) -> Result<Self, Refusal> {
        let fields = call.fields()?;
        if fields.has("_attachments") {
            Publication::parse(fields, name).map(Purpose::Publish)
        } else if fields.has("versions") {
            Ok(Purpose::Deprecate(fields))
        } else if fields.has("users") {
            Ok(Purpose::Star(fields))
        } else {
            Err(Refusal::malformed("the body is neither a publication nor a change"))
        }
    }
}

/// `PUT /<package>`.
pub(crate) fn put(desk: &Desk, call: &Call, name: &PackageName) -> Reply {
    // A publication is unpacked and hashed before the memory is taken hold of.
    let purpose = Purpose::parse(call, name);
    let tx = Transaction::begin(desk);
    let caller = tx.writer(call)?;
    match purpose? {
        Purpose::Publish(publication) => publish::publish(tx, call, &caller, name, &publication),
        Purpose::Star(fields) => stars::put(tx, call, &caller, name, fields),
        Purpose::Deprecate(fields) => deprecate::deprecate(tx, call, &caller, name, fields),
    }
}

/// `PUT /<package>/-rev/<revision>`: versions are unpublished, or else the owners change.
pub(crate) fn put_at(desk: &Desk, call: &Call, name: &PackageName, revision: &str) -> Reply {
    let fields = call.fields();
    let tx = Transaction::begin(desk);
    let caller = tx.writer(call)?;
    let fields = fields?;
    let package = tx.visible_package(name, Some(&caller.user))?;
    package.revision.check(revision)?;
    if fields.has("versions") {
        unpublish::unpublish(tx, call, &caller, name, fields)
    } else if fields.has("maintainers") {
        owners::replace(tx, call, &caller, name, fields)
    } else if fields.has("users") {
        stars::put(tx, call, &caller, name, fields)
    } else {
        Err(Refusal::malformed("the body changes neither versions nor maintainers"))
    }
}
