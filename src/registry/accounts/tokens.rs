//! Listing, creating and revoking tokens.

use serde_json::{Value, json};

use super::token_request::TokenRequest;
use crate::registry::factor::Action;
use crate::registry::model::{Token, TokenKind};
use crate::registry::mutants::Mutant;
use crate::registry::secrets::{Password, TokenDigest, TokenText};
use crate::registry::service::Desk;
use crate::registry::transaction::{Caller, Credential, Transaction};
use crate::registry::wire::{Answer, Call, Refusal, Reply, iso8601};

/// `GET /-/npm/v1/tokens`: the caller's tokens, all on one page, with only the first characters
/// of each.
pub(crate) fn list_tokens(desk: &Desk, call: &Call) -> Reply {
    let mut tx = Transaction::begin(desk);
    let caller = tx.reader(call)?;
    let user = tx.users.get(&caller.user).ok_or_else(Refusal::no_user)?;
    let mut tokens: Vec<&Token> = user
        .tokens
        .values()
        .filter_map(|digest| tx.tokens.get(digest))
        .filter(|token| token.is_live(tx.now()))
        .collect();
    tokens.sort_by_key(|token| token.created);
    let objects: Vec<Value> = tokens.into_iter().map(|token| row(token, &token.mask)).collect();
    Ok(Answer::ok(json!({ "total": objects.len(), "objects": objects, "urls": {} })))
}

/// `POST /-/npm/v1/tokens`.
pub(crate) fn create_token(desk: &Desk, call: &Call) -> Reply {
    let request = call.fields().and_then(TokenRequest::parse);
    let mut tx = Transaction::begin(desk);
    let caller = maker(&tx, call)?;
    let request = request?;
    tx.check_owner(&caller, request.password.as_ref())?;
    let mutants = &tx.settings().mutants;
    if mutants.has(Mutant::TokenCreateBeforeChallenge) {
        make(&mut tx, &caller, &request);
    }
    if !(call.has_empty_proof() && tx.settings().mutants.has(Mutant::EmptyProofMakesTokens)) {
        tx.demand(&caller, Action::CreateToken, call)?;
    }
    let mutants = &tx.settings().mutants;
    if mutants.has(Mutant::TokenCreateHangs) {
        return Ok(Answer::never());
    }
    let (token, text) = make(&mut tx, &caller, &request);
    let answer = Answer::ok(row(&token, &text.reveal()));
    Ok(if mutants.has(Mutant::HalfJson) { answer.halved() } else { answer })
}

/// `DELETE /-/npm/v1/tokens/token/<key or token>`.
pub(crate) fn revoke_token(desk: &Desk, call: &Call, named: &str) -> Reply {
    let mut tx = Transaction::begin(desk);
    let caller = tx.holder(call)?;
    let digest = find(&tx, &caller, named).ok_or(Refusal::NotFound("token not found"))?;
    tx.demand(&caller, Action::RevokeToken, call)?;
    let mutants = &tx.settings().mutants;
    let automation = tx.tokens.get(&digest).is_some_and(|token| token.kind == TokenKind::Automation);
    if mutants.has(Mutant::RevokedTokenWorks) || (automation && mutants.has(Mutant::RevokedAutomationTokenWorks)) {
        tx.unlist(&digest);
    } else {
        tx.drop_token(&digest);
    }
    Ok(Answer::no_content())
}

/// Who may have a token made: nobody whose own token says less.
fn maker(tx: &Transaction<'_>, call: &Call) -> Result<Caller, Refusal> {
    let caller = tx.caller(call)?;
    let reader = matches!(caller.credential, Credential::Token(TokenKind::ReadOnly));
    if reader && tx.settings().mutants.has(Mutant::ReadOnlyTokenCreatesReadWrite) {
        return Ok(caller);
    }
    tx.holder(call)
}

impl Transaction<'_> {
    /// A token is made for somebody who knows the password alone.
    fn check_owner(&self, caller: &Caller, password: Option<&Password>) -> Result<(), Refusal> {
        let mutants = &self.settings().mutants;
        match password {
            None if mutants.has(Mutant::TokenCreateWithoutPassword) => Ok(()),
            None => Err(Refusal::malformed("`password` is missing")),
            Some(_) if mutants.has(Mutant::TokenCreateWithAnyPassword) => Ok(()),
            Some(password) if self.is_password(&caller.user, password) => Ok(()),
            Some(_) => Err(Refusal::wrong_password()),
        }
    }

    /// Takes a token off its owner's list and leaves it alive: a fault.
    fn unlist(&mut self, digest: &TokenDigest) {
        let Some(token) = self.tokens.get(digest).cloned() else { return };
        if let Some(owner) = self.users.get_mut(&token.owner) {
            owner.tokens.remove(&token.key);
        }
    }
}

fn make(tx: &mut Transaction<'_>, caller: &Caller, request: &TokenRequest) -> (Token, TokenText) {
    let (mut token, text) = Token::mint(caller.user.clone(), request.kind, tx.now());
    token.name.clone_from(&request.name);
    if tx.settings().mutants.has(Mutant::TokensListedInFull) {
        token.mask = text.in_full();
    }
    token.cidr_whitelist.clone_from(&request.cidr_whitelist);
    token.expires = request.lifetime.and_then(|lifetime| tx.now().checked_add(lifetime));
    tx.keep_token(token.clone(), text.digest());
    (token, text)
}

/// One of the caller's own tokens, by its key or by the token itself.
fn find(tx: &Transaction<'_>, caller: &Caller, named: &str) -> Option<TokenDigest> {
    let user = tx.users.get(&caller.user)?;
    if let Some(digest) = user.tokens.get(named) {
        return Some(*digest);
    }
    let digest = TokenText::new(named.to_owned()).digest();
    let token = tx.tokens.get(&digest)?;
    (token.owner == caller.user).then_some(digest)
}

fn row(token: &Token, shown: &str) -> Value {
    json!({
        "token": shown,
        "key": token.key,
        "name": token.name,
        "cidr_whitelist": token.cidr_whitelist,
        "readonly": token.kind == TokenKind::ReadOnly,
        "automation": token.kind == TokenKind::Automation,
        "bypass_2fa": token.kind == TokenKind::Automation,
        "created": iso8601(token.created),
        "updated": iso8601(token.created),
        "expires": token.expires.map(iso8601),
    })
}
