//! Looking for secrets in answers: those that a registry shows once, and never again.

use super::scene::Scene;
use super::writing::each_address;
use crate::dialect::predicate::Answer;
use crate::secret::{Guises, Searched, SecretKind, tickets};

impl Scene {
    /// Notes what an answer gives away: addresses that nobody else may know and, while that is looked for, which of the
    /// user's secrets it shows.
    pub(super) fn watch(&mut self, answer: Option<&Answer>) {
        if let Some(mut json) = answer.and_then(|answer| answer.json.clone()) {
            let carried = &mut self.carried;
            each_address(&mut json, &self.stage.dialect.address_members, &mut |address| {
                carried.extend(tickets(address));
            });
        }
        let (Some(shown), Some(answer)) = (&mut self.shown, answer) else { return };
        let headers = answer.headers.iter().map(|(_, value)| value.as_str());
        let text: String = std::iter::once(String::from_utf8_lossy(&answer.body).as_ref()).chain(headers).collect();
        let searched = Searched::new(&text);
        if self.user.ledger.as_ref().is_some_and(|ledger| searched.shows(ledger.guises())) {
            shown.push(SecretKind::TotpSecret);
        }
        if self.user.recovery_codes.iter().any(|code| searched.shows(code.guises())) {
            shown.push(SecretKind::RecoveryCode);
        }
        // A token that was made before, which a later answer has no need to show.
        let made = self.kept.get("token").and_then(serde_json::Value::as_str);
        if made.is_some_and(|token| searched.shows(&Guises::of_text(SecretKind::Token, token))) {
            shown.push(SecretKind::Token);
        }
    }
}
