//! Odd proofs and answers: codes that are written in another way, texts that look like recovery codes, what npm's prompt
//! does not take, and answers that stock clients do not.

use super::play::{Play, Played};
use super::scene::{Conduct, Mistake, Scene};
use crate::judge::{Outcome, Verdict};
use crate::scenario::writing::{Writing, is_typeable};
use crate::scenario::{Attempt, Errand};
use crate::secret::{Secret, SecretKind};

/// What a code of a secret that was never set, or of a column that is empty, may be taken for.
pub(super) const ZEROS: &str = "000000";

/// The length of a recovery code that npm's prompt takes, in hexadecimal digits.
const TYPEABLE: usize = 64;

/// A proof, written in this way.
pub(super) fn written(writing: Writing, proof: Secret) -> Secret {
    if writing == Writing::AsIssued { proof } else { Secret::new(proof.kind(), writing.of(proof.reveal())) }
}

/// Why nothing follows an attempt that may succeed, once it has.
pub(super) fn has_succeeded(attempt: &Attempt) -> String {
    let through = attempt.through.as_ref().map_or(attempt.perform.value.as_str(), |through| through.value.as_str());
    format!("`{through}` with {} succeeds, so what follows would say nothing of this registry", attempt.proof_words())
}

impl Scene {
    /// Whether a text happens to be a code of the user's about now.
    pub(super) fn is_code_of_user(&self, text: &str) -> bool {
        let now = self.stage.target_time();
        self.standing_or_pending().is_some_and(|ledger| ledger.is_near(text, now))
    }

    /// A text of the form of the user's recovery codes, which is none of them; of that of npm's where none is known.
    pub(super) fn recovery_shaped(&self) -> Secret {
        let known = self.user.recovery_codes.first().map(|code| code.reveal().to_owned());
        let form = known.unwrap_or_else(|| "0".repeat(TYPEABLE));
        let other = |c: char| match c {
            '0'..='9' => one_of("0123456789"),
            'a'..='f' => one_of("abcdef"),
            'g'..='z' => one_of("ghjkmnpqrstvwxyz"),
            'A'..='F' => one_of("ABCDEF"),
            'G'..='Z' => one_of("GHJKMNPQRSTVWXYZ"),
            separator => separator,
        };
        Secret::new(SecretKind::RecoveryCode, form.chars().map(other).collect::<String>())
    }
}

/// A character of a text of ASCII, by chance.
fn one_of(alphabet: &str) -> char {
    let at = usize::from(rand::random::<u8>()) % alphabet.len();
    char::from(alphabet.as_bytes()[at])
}

impl Play<'_> {
    /// Whether npm's prompt takes a proof. Where it does not, that is shown.
    pub(super) fn can_be_typed(&mut self, attempt: &Attempt, proof: Option<&Secret>) -> bool {
        let typeable = proof.is_none_or(|proof| is_typeable(proof.reveal()));
        if !typeable {
            let proof = attempt.proof_words();
            self.statements.push(format!(
                "the {proof} cannot be typed: npm's prompt takes digits, or {TYPEABLE} hexadecimal digits, and asks \
                 again for anything else"
            ));
            self.verdicts.push(Verdict::WrongShape);
        }
        typeable
    }

    /// Runs a routine that must succeed with an answer that stock clients take. What ends the scenario is returned.
    pub(super) async fn understood(&mut self, errand: &Errand) -> Result<Option<Played>, Mistake> {
        self.take_part(&errand.part);
        let name = errand.part.name_before(&errand.routine.value);
        let ended = self.scene.routine(&errand.routine.value, &Conduct::Assisted).await?;
        let status = self.scene.exchanges.last().and_then(|exchange| exchange.status);
        let succeeded = status.is_some_and(|status| status / 100 == 2);
        match ended.outcome {
            Outcome::Accepted => {}
            Outcome::Refused if succeeded => {
                self.statements.push(format!("{name}: a success that stock clients do not take: {}", ended.saw));
                self.verdicts.push(Verdict::WrongShape);
            }
            Outcome::NotImplemented => return Ok(Some(Played::Unsupported(ended))),
            Outcome::Refused | Outcome::Challenged { .. } | Outcome::Throttled | Outcome::Failed => {
                return Ok(Some(Played::SetUpFailed(ended)));
            }
        }
        self.record_read(&name, &ended);
        Ok(None)
    }
}
