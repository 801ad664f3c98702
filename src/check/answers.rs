//! What a scene makes of an answer: what it means, what is kept of it, and what the persona becomes by it.

use std::time::Duration;

use super::scene::{Ended, Mistake, Scene};
use crate::dialect::predicate::{Answer, Predicate};
use crate::dialect::step::{Auth, Become, Request};
use crate::judge::{Asks, Outcome};
use crate::persona::ledger::Ledger;
use crate::persona::totp::TotpSecret;
use crate::secret::{Secret, SecretKind};

impl Scene {
    /// What an answer means.
    pub(super) fn classify(&self, step: &Request, answer: Option<&Answer>) -> Result<Ended, Mistake> {
        let last = self.exchanges.last();
        match answer {
            Some(answer) => {
                let request = last.map(|exchange| exchange.request.as_str()).unwrap_or_default();
                self.meaning((&step.challenge, step.expect.as_ref()), answer, request)
            }
            None => {
                let fault = last.and_then(|exchange| exchange.fault.clone()).unwrap_or_default();
                Ok(Ended { outcome: Outcome::Failed, saw: fault })
            }
        }
    }

    /// What an answer to a request means, where the request has these challenges of its own and this success.
    pub(super) fn meaning(
        &self,
        (challenges, expect): (&[Predicate], Option<&Predicate>),
        answer: &Answer,
        request: &str,
    ) -> Result<Ended, Mistake> {
        let dialect = &self.stage.dialect;
        let variables = self.variables(None, false);
        let holds = |predicate: &Predicate| predicate.holds(answer, &variables).map_err(|error| error.to_string());
        let any = |predicates: &[Predicate]| -> Result<bool, Mistake> {
            for predicate in predicates {
                if holds(predicate)? {
                    return Ok(true);
                }
            }
            Ok(false)
        };
        let ended = |outcome, what: &str| Ok(Ended { outcome, saw: format!("{request} → {} {what}", answer.status) });
        if any(challenges)? {
            return ended(
                Outcome::Challenged { flaw: None, asks: Asks::OnPage },
                "asks for a second factor on its page",
            );
        }
        if challenges.is_empty()
            && let Some(recogniser) = dialect.recognise(answer, &variables).map_err(|error| error.to_string())?
        {
            let on_page = holds(&dialect.web_challenge.when)?;
            let (asks, kind) =
                if on_page { (Asks::OnPage, "challenge with a page") } else { (Asks::ForCode, "challenge") };
            let Some(flaw) = &recogniser.flaw else {
                return ended(Outcome::Challenged { flaw: None, asks }, kind);
            };
            let flaw = format!("{flaw}; breaks {}", recogniser.breaks.join(", "));
            let what = format!("{kind} with a flaw: {flaw}");
            return ended(Outcome::Challenged { flaw: Some(flaw), asks }, &what);
        }
        let class = answer.status / 100;
        let success = match expect {
            Some(predicate) => holds(predicate)?,
            None => class == 2,
        };
        let wants_json = expect.is_some_and(|predicate| !predicate.json.is_empty());
        if success {
            ended(Outcome::Accepted, "success")
        } else if any(&dialect.throttled)? {
            ended(Outcome::Throttled, "throttled")
        } else if any(&dialect.not_implemented)? {
            ended(Outcome::NotImplemented, "no such route")
        } else if class >= 5 {
            ended(Outcome::Failed, "server error")
        } else if class == 3 {
            ended(Outcome::Failed, "redirect, which is not followed")
        } else if class == 2 && wants_json && answer.json.is_none() {
            ended(Outcome::Failed, "success without JSON")
        } else {
            ended(Outcome::Refused, "refused without a challenge")
        }
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

    /// Lets the persona become what a step says, with what its answer holds.
    pub(super) fn turn_into(&mut self, becomes: &Become, auth: Auth, json: &serde_json::Value) -> Result<(), Mistake> {
        let text = |pointer: &str| json.pointer(pointer).and_then(serde_json::Value::as_str);
        if let Some(token) = becomes.token.as_deref().and_then(text) {
            let token = Some(Secret::new(SecretKind::Token, token));
            match (auth, &mut self.other) {
                (Auth::Other, Some(other)) => other.token = token,
                _ => self.user.token = token,
            }
        }
        if let Some(pointer) = &becomes.totp {
            let secret = TotpSecret::from_otpauth(text(pointer).unwrap_or_default())?;
            let ledger = Ledger::new(secret, self.stage.skew, self.stage.guard_ms);
            let ledger = ledger.succeeding(self.user.ledger.as_ref());
            self.user.former_ledger = self.user.ledger.replace(ledger);
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
            self.user.former = Some(std::mem::replace(&mut self.user.password, new));
        }
        if becomes.token.is_some() || becomes.totp.is_some() || becomes.password.is_some() {
            self.hold_changes()?;
        }
        Ok(())
    }
}

/// The whole seconds of a `retry-after` header.
pub(super) fn retry_after(answer: &Answer) -> Option<Duration> {
    answer.header("retry-after").next()?.trim().parse().ok().map(Duration::from_secs)
}
