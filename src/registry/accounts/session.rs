//! Who am I, and goodbye.

use serde_json::json;

use crate::registry::factor::Action;
use crate::registry::mutants::Mutant;
use crate::registry::secrets::TokenText;
use crate::registry::service::Desk;
use crate::registry::transaction::Transaction;
use crate::registry::wire::{Answer, Call, Refusal, Reply};

/// `GET /-/whoami`.
pub(crate) fn whoami(desk: &Desk, call: &Call) -> Reply {
    let mut tx = Transaction::begin(desk);
    let caller = tx.caller(call)?;
    tx.demand(&caller, Action::WhoAmI, call)?;
    Ok(Answer::ok(json!({ "username": caller.user.as_str() })))
}

/// `DELETE /-/user/token/<token>`: ends the session that the token stands for. It is never
/// challenged, and it takes the token itself to do it.
pub(crate) fn log_out(desk: &Desk, call: &Call, token: &str) -> Reply {
    let mut tx = Transaction::begin(desk);
    let caller = tx.caller(call)?;
    let digest = TokenText::new(token.to_owned()).digest();
    let owner = tx.tokens.get(&digest).map(|token| &token.owner);
    if owner != Some(&caller.user) {
        return Err(Refusal::NotFound("token not found"));
    }
    tx.demand(&caller, Action::LogOut, call)?;
    if !tx.settings().mutants.has(Mutant::LoggedOutTokenWorks) {
        tx.drop_token(&digest);
    }
    Ok(Answer::ok(json!({ "ok": true })))
}
