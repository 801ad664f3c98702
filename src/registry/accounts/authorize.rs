//! The page of a web challenge: a person confirms one action with a key, a code or a recovery code.

use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use serde_json::json;

use super::weblogin::gone;
use super::{assertion, pages};
use crate::registry::factor::{Authorization, Offer, Stage};
use crate::registry::keys::AskedBy;
use crate::registry::model::Of;
use crate::registry::mutants::Mutant;
use crate::registry::secrets::Proof;
use crate::registry::service::Desk;
use crate::registry::transaction::Transaction;
use crate::registry::wire::{Answer, Call, Refusal, Reply};

/// `GET` of the page.
pub(crate) fn show_authorization(desk: &Desk, page: &str) -> Reply {
    let tx = Transaction::begin(desk);
    let Some(authorization) = tx.authorizations.at(page, Of::GoodAt(tx.now())) else {
        return Ok(gone());
    };
    let html = match authorization.stage {
        Stage::Waiting(_) => tx.authorization_page(authorization, None),
        Stage::Answered => pages::confirmed(),
    };
    Ok(Answer::html(StatusCode::OK, html))
}

/// `POST` of the page: `otp`, a code or a recovery code.
pub(crate) fn answer_authorization(desk: &Desk, call: &Call, page: &str) -> Reply {
    let form = call.form();
    let proof = form.iter().find(|(name, _)| name == "otp").map(|(_, value)| Proof::parse(value));
    let mut tx = Transaction::begin(desk);
    let Some(authorization) = tx.waiting(page) else {
        return Ok(gone());
    };
    let Authorization { user, action, .. } = &authorization;
    match tx.demand_if(true, user, *action, &Offer::on_page(proof.as_ref())) {
        Ok(_) => {
            tx.set_stage(page, Stage::Answered);
            Ok(Answer::html(StatusCode::OK, pages::confirmed()))
        }
        Err(Refusal::Throttled(left)) => {
            let html = tx.authorization_page(&authorization, Some("Too many wrong codes. Try again later."));
            let seconds = HeaderValue::from(left.as_secs().max(1));
            Ok(Answer::html(StatusCode::TOO_MANY_REQUESTS, html).with(RETRY_AFTER, seconds))
        }
        Err(_) => {
            let html = tx.authorization_page(&authorization, Some("The code was not accepted."));
            Ok(Answer::html(StatusCode::UNAUTHORIZED, html))
        }
    }
}

/// `POST <page>/options`: a fresh challenge for the user's keys; an earlier one is no good any more.
pub(crate) fn ask_authorization(desk: &Desk, call: &Call, page: &str) -> Reply {
    let mut tx = Transaction::begin(desk);
    let Authorization { user, stage, .. } = tx.waiting(page).ok_or(Refusal::NotFound("page not found"))?;
    let (options, question) = tx.put_question(&user, call)?;
    if let Stage::Waiting(Some(earlier)) = stage
        && tx.settings().mutants.has(Mutant::EarlierChallengeAccepted)
    {
        tx.old_challenges.push((user, earlier.challenge));
    }
    tx.set_stage(page, Stage::Waiting(Some(question)));
    Ok(Answer::ok(json!({ "publicKey": options })))
}

/// `POST <page>/assertion`: what a key says.
pub(crate) fn assert_authorization(desk: &Desk, call: &Call, page: &str) -> Reply {
    let answer = assertion::parse(call);
    let mut tx = Transaction::begin(desk);
    let Authorization { user, stage, .. } = tx.waiting(page).ok_or(Refusal::NotFound("page not found"))?;
    let answer = answer?;
    let question = match stage {
        Stage::Waiting(question) => question,
        Stage::Answered => None,
    };
    // A challenge is good for one attempt, whatever comes of it.
    tx.set_stage(page, Stage::Waiting(None));
    if let Some(question) = question.as_ref()
        && tx.settings().mutants.has(Mutant::AssertionReplayed)
    {
        tx.old_challenges.push((user.clone(), question.challenge.clone()));
    }
    if !tx.is_answer(&user, question.as_ref(), &answer, AskedBy::Challenge, call)? {
        return Ok(assertion::refused());
    }
    tx.set_stage(page, Stage::Answered);
    Ok(Answer::ok(json!({})))
}

impl Transaction<'_> {
    /// A challenge that has neither expired nor been answered.
    fn waiting(&self, page: &str) -> Option<Authorization> {
        let found = self.authorizations.at(page, Of::GoodAt(self.now()))?;
        matches!(found.stage, Stage::Waiting(_)).then(|| found.clone())
    }

    fn set_stage(&mut self, page: &str, stage: Stage) {
        let now = self.now();
        if let Some(authorization) = self.authorizations.at_mut(page, Of::GoodAt(now)) {
            authorization.stage = stage;
        }
    }

    fn authorization_page(&self, authorization: &Authorization, notice: Option<&str>) -> String {
        let Authorization { user, action, .. } = authorization;
        let two_factor = self.users.get(user).map(|user| &user.two_factor);
        if two_factor.is_some_and(|two_factor| two_factor.keys().is_none())
            && self.settings().mutants.has(Mutant::KeyOfferedToCodeUser)
        {
            return pages::confirm_with_key_alone(user, action.about(), notice);
        }
        pages::confirm(user, action.about(), notice)
    }
}
