//! The address that a client polls while a person is at a page: 202 until he is done, then a
//! token, once. What the token is depends on the page: a session after a login, a proof after a
//! web challenge.

use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use serde_json::json;

use crate::registry::factor::Stage;
use crate::registry::in_flight::Matter;
use crate::registry::model::Of;
use crate::registry::mutants::Mutant;
use crate::registry::service::Desk;
use crate::registry::transaction::Transaction;
use crate::registry::wire::{Answer, Call, Refusal, Reply, Verb};

const UNKNOWN: Refusal = Refusal::NotFound("not found");

/// Any verb: npm polls with whatever verb the interrupted command used (wire notes §6.1).
pub(crate) fn poll(desk: &Desk, call: &Call, ticket: &str) -> Reply {
    let mut tx = Transaction::begin(desk);
    let mutants = &tx.settings().mutants;
    if call.verb() != Some(Verb::Get) && mutants.has(Mutant::DoneForGetOnly) {
        return Err(Refusal::WrongVerb(vec![Verb::Get]));
    }
    let of = if mutants.has(Mutant::DoneAfterExpiry) { Of::AnyAge } else { Of::GoodAt(tx.now()) };
    let of_log_in = if mutants.has(Mutant::LogInDoneAfterExpiry) { Of::AnyAge } else { of };
    if let Some(page) = tx.log_ins.page_of(ticket, of_log_in) {
        poll_log_in(&mut tx, ticket, &page, of_log_in)
    } else if let Some(page) = tx.authorizations.page_of(ticket, of) {
        poll_authorization(&mut tx, call, ticket, &page, of)
    } else {
        Err(UNKNOWN)
    }
}

fn poll_log_in(tx: &mut Transaction<'_>, ticket: &str, page: &str, of: Of) -> Reply {
    let log_in = tx.log_ins.at(page, of).ok_or(UNKNOWN)?;
    let mutants = &tx.settings().mutants;
    let Some(user) = tx.logged_in(log_in).cloned().or_else(|| tx.logged_in_elsewhere(log_in)) else {
        let answer = pending(tx);
        let unsaid = mutants.has(Mutant::LogInPendingWithoutRetryAfter);
        return Ok(if unsaid { answer.without(&RETRY_AFTER) } else { answer });
    };
    let at_once = mutants.has(Mutant::LogInPollsAtOnce) && tx.in_flight(ticket, Matter::Poll) > 1;
    if !at_once && !tx.yields_again(ticket) && !mutants.has(Mutant::LogInDoneTwice) {
        tx.log_ins.end(page);
    }
    let token = tx.open_session(&user);
    Ok(Answer::ok(json!({ "token": token.reveal() })))
}

fn poll_authorization(tx: &mut Transaction<'_>, call: &Call, ticket: &str, page: &str, of: Of) -> Reply {
    let authorization = tx.authorizations.at(page, of).ok_or(UNKNOWN)?.clone();
    let mutants = &tx.settings().mutants;
    // Clients may poll without credentials, and with such as are no good any more; but whoever
    // shows himself to be another than was asked has no business here.
    let caller = tx.caller(call).ok().map(|caller| caller.user);
    let is_other = caller.as_ref().is_some_and(|caller| *caller != authorization.user);
    if is_other && !mutants.has(Mutant::DoneForAnotherUser) {
        return Err(UNKNOWN);
    }
    if caller.is_none() && mutants.has(Mutant::DoneNotAnonymous) {
        return Err(UNKNOWN);
    }
    match authorization.stage {
        Stage::Waiting(_) if !mutants.has(Mutant::DoneBeforeAssertion) => Ok(pending(tx)),
        Stage::Waiting(_) | Stage::Answered => {
            if !tx.yields_again(ticket) {
                tx.authorizations.end(page);
            }
            let now = tx.now();
            let token = tx.web_tokens.mint(&authorization, now);
            Ok(Answer::ok(json!({ "token": token.reveal() })))
        }
    }
}

fn pending(tx: &Transaction<'_>) -> Answer {
    let waiting = json!({ "message": "waiting for the page in the browser" });
    let answer = Answer::json(StatusCode::ACCEPTED, waiting);
    if tx.settings().mutants.has(Mutant::PendingWithoutRetryAfter) {
        return answer;
    }
    let seconds = if tx.settings().mutants.has(Mutant::PendingForAnHour) { "3600" } else { "1" };
    answer.with(RETRY_AFTER, HeaderValue::from_static(seconds))
}

impl Transaction<'_> {
    /// Whether a fault lets a ticket yield one more token.
    fn yields_again(&self, ticket: &str) -> bool {
        let mutants = &self.settings().mutants;
        mutants.has(Mutant::DoneTwice) || (mutants.has(Mutant::PollsAtOnce) && self.in_flight(ticket, Matter::Poll) > 1)
    }
}
