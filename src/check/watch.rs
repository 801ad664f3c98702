//! Looking for secrets in answers: those that a registry shows once, and never again.

use super::scene::Scene;
use crate::dialect::predicate::Answer;
use crate::secret::SecretKind;

/// Texts as short as this turn up by chance.
const TOO_SHORT: usize = 6;

impl Scene {
    /// Notes which of the user's secrets an answer shows, while that is looked for.
    pub(super) fn watch(&mut self, answer: Option<&Answer>) {
        let (Some(shown), Some(answer)) = (&mut self.shown, answer) else { return };
        let headers = answer.headers.iter().map(|(_, value)| value.as_str());
        let text: String = std::iter::once(String::from_utf8_lossy(&answer.body).as_ref()).chain(headers).collect();
        if self.user.ledger.as_ref().is_some_and(|ledger| ledger.is_shown_in(&text)) {
            shown.push(SecretKind::TotpSecret);
        }
        let codes = self.user.recovery_codes.iter().filter(|code| code.reveal().len() > TOO_SHORT);
        if codes.into_iter().any(|code| text.contains(code.reveal())) {
            shown.push(SecretKind::RecoveryCode);
        }
    }
}
