//! What a scene makes of an answer: what it means, what is kept of it, and what the persona becomes by it.

use super::scene::{Ended, Mistake, Scene};
use crate::dialect::predicate::Answer;
use crate::dialect::step::{Auth, Become, Request};
use crate::dialect::unmet::Unmet;
use crate::dialect::{Asked, Classified, Failing, classify};
use crate::judge::{Asks, Outcome};
use crate::persona::ledger::Ledger;
use crate::persona::totp::TotpSecret;
use crate::secret::{Secret, SecretKind};
use crate::wire::Exchange;

impl Scene {
    /// What an answer means.
    pub(super) fn classify(&self, step: &Request, answer: Option<&Answer>) -> Result<Ended, Mistake> {
        match self.exchanges.last() {
            Some(last) => self.classify_as(step, last, answer),
            None => Ok(Ended { outcome: Outcome::Failed, saw: String::new() }),
        }
    }

    /// What the answer of this exchange means.
    pub(super) fn classify_as(
        &self,
        step: &Request,
        exchange: &Exchange,
        answer: Option<&Answer>,
    ) -> Result<Ended, Mistake> {
        match answer {
            Some(answer) => self.meaning(Asked::by(step), answer, &exchange.request),
            None => Ok(Ended { outcome: Outcome::Failed, saw: exchange.unanswered() }),
        }
    }

    /// What an answer to a request means that says this of its answers.
    pub(super) fn meaning(&self, asked: Asked<'_>, answer: &Answer, request: &str) -> Result<Ended, Mistake> {
        let variables = self.variables(None, false);
        let classified = classify(&self.stage.dialect, asked, answer, &variables).map_err(|error| error.to_string())?;
        let unmet = match asked.expect {
            Some(expect) => expect.unmet(answer, &variables).map_err(|error| error.to_string())?,
            None => None,
        };
        let unmet = |unless: fn(&Unmet<'_>) -> bool| {
            let unmet = unmet.as_ref().filter(|unmet| !unless(unmet));
            unmet.map(|unmet| format!(", but {}", unmet.told(&|text| self.hide(text)))).unwrap_or_default()
        };
        let (outcome, what) = match classified {
            Classified::Accepted => (Outcome::Accepted, " success".to_owned()),
            Classified::AskedByPage => {
                let what = " asks for a second factor on its page".to_owned();
                (Outcome::Challenged { flaw: None, asks: Asks::OnPage }, what)
            }
            Classified::Challenged { by, on_page } => {
                let (asks, kind) =
                    if on_page { (Asks::OnPage, "challenge with a page") } else { (Asks::ForCode, "challenge") };
                let flaw = by.flaw.as_ref().map(|flaw| format!("{flaw}; breaks {}", by.breaks.join(", ")));
                let what = match &flaw {
                    None => format!(" {kind}"),
                    Some(flaw) => format!(" {kind} with a flaw: {flaw}"),
                };
                (Outcome::Challenged { flaw, asks }, what)
            }
            Classified::Throttled => (Outcome::Throttled, " throttled".to_owned()),
            Classified::NotImplemented => (Outcome::NotImplemented, " no such route".to_owned()),
            Classified::Refused if answer.status / 100 == 2 => (Outcome::Refused, unmet(|_| false)),
            Classified::Refused => (Outcome::Refused, format!(" refused{}", unmet(|unmet| unmet.is_no_success()))),
            Classified::Failed(Failing::ServerError) => (Outcome::Failed, " server error".to_owned()),
            Classified::Failed(Failing::Redirect) => (Outcome::Failed, " redirect, which is not followed".to_owned()),
            Classified::Failed(Failing::Unreadable) if answer.is_garbled() => {
                (Outcome::Failed, " with a body that says JSON and is not".to_owned())
            }
            Classified::Failed(Failing::Unreadable) => (Outcome::Failed, unmet(|_| false)),
            Classified::Failed(Failing::NoStatus) => (Outcome::Failed, ", which is no final status".to_owned()),
        };
        Ok(Ended { outcome, saw: format!("{request} → {}{what}", answer.status) })
    }

    /// Keeps what the step says to keep, and lets the persona become what it says.
    pub(super) fn learn(&mut self, step: &Request, ended: &Ended, answer: Option<&Answer>) -> Result<(), Mistake> {
        let Some(json) = answer.and_then(|answer| answer.json.as_ref()) else {
            return Ok(());
        };
        for (name, pointer) in &step.keep {
            if let Some(value) = json.pointer(pointer).filter(|value| !value.is_null()) {
                self.kept.insert(name.clone(), value.clone());
            }
        }
        for (name, pointer) in &step.count {
            if let Some(items) = json.pointer(pointer).and_then(serde_json::Value::as_array) {
                self.kept.insert(name.clone(), items.len().into());
            }
        }
        if ended.outcome != Outcome::Accepted {
            return Ok(());
        }
        self.turn_into(&step.r#become, step.auth, json)
    }

    /// Goes on with the password from before, where the last answer said of a change that it was made, and it was not. An
    /// account of an operator's may yet be seen to have the new one, so what restores it goes on from there.
    pub(super) fn keep_password(&mut self) -> Result<(), Mistake> {
        match self.replaced_password.take().filter(|_| !self.user.lent) {
            None => Ok(()),
            Some(old) => {
                self.user.password = old;
                self.user.former = None;
                self.hold_changes()
            }
        }
    }

    /// Lets the persona become what a step says, with what its answer holds.
    pub(super) fn turn_into(&mut self, becomes: &Become, auth: Auth, json: &serde_json::Value) -> Result<(), Mistake> {
        let text = |pointer: &str| json.pointer(pointer).and_then(serde_json::Value::as_str);
        if let Some(token) = becomes.token.as_deref().and_then(text) {
            let persona = match (auth, &mut self.other) {
                (Auth::Other, Some(other)) => other,
                _ => &mut self.user,
            };
            let token = Secret::new(SecretKind::Token, token);
            if persona.token.as_ref() != Some(&token) {
                persona.former_tokens.extend(persona.token.replace(token));
            }
        }
        if let Some(pointer) = &becomes.totp {
            let secret = TotpSecret::from_otpauth(text(pointer).unwrap_or_default())?;
            let ledger = Ledger::new(secret, self.stage.skew, self.stage.guard_ms);
            let ledger = ledger.succeeding(self.user.ledger.as_ref());
            self.user.former_ledger = self.user.ledger.replace(ledger);
            self.user.enrolled = false;
        }
        if let Some(pointer) = &becomes.pending_totp {
            let secret = TotpSecret::from_otpauth(text(pointer).unwrap_or_default()).ok();
            self.user.pending_ledger = secret.map(|secret| Ledger::new(secret, self.stage.skew, self.stage.guard_ms));
        }
        if let Some(codes) = becomes.recovery_codes.as_ref().and_then(|pointer| json.pointer(pointer)?.as_array()) {
            let code = |code: &str| Secret::new(SecretKind::RecoveryCode, code);
            let codes = codes.iter().filter_map(|value| value.as_str().map(code)).collect();
            self.user.former_recovery_codes = std::mem::replace(&mut self.user.recovery_codes, codes);
        }
        if let Some(password) = &becomes.password {
            let password = password.text(&self.variables(None, false)).map_err(|error| error.to_string())?;
            let new = Secret::new(SecretKind::Password, password);
            let old = std::mem::replace(&mut self.user.password, new);
            self.replaced_password = Some(old.clone());
            self.user.former = Some(old);
        }
        if becomes.token.is_some() || becomes.totp.is_some() || becomes.password.is_some() {
            self.hold_changes()?;
        }
        Ok(())
    }
}
