//! The proof that an attempt of a scenario says, and what must come of it.

use super::odd;
use super::play::Play;
use super::scene::{Ended, Mistake};
use super::script::{Had, Left};
use crate::judge::{Must, Verdict};
use crate::persona::totp::OtpStep;
use crate::scenario::key::{Assertion, Fetch};
use crate::scenario::{self, Attempt, COMPANION, Client, Proof};
use crate::secret::{Secret, SecretKind};
use crate::table::Factor;

/// How far ahead a code that begins with a zero is looked for, in steps: on a simulated clock, and on a real one.
const ZERO_WITHIN: (i64, i64) = (300, 3);

/// A proof, or why there is none.
pub(super) enum Found {
    Proof(Option<Secret>, Option<OtpStep>),
    /// The attempt cannot be made, and need not.
    PassedOver(&'static str),
    /// The scenario says nothing about this target.
    Nothing(String),
    /// The target did not let it be had.
    Withheld(Ended),
}

/// What it is when an attempt with this proof is let through and must not be.
fn wrongly(proof: &Proof) -> Verdict {
    match proof {
        Proof::None => Verdict::MissingChallenge,
        Proof::Again(_) | Proof::Key(Assertion::Again) | Proof::Fetched(Fetch::Twice | Fetch::AtOnce(_)) => {
            Verdict::ReplayAccepted
        }
        Proof::Right
        | Proof::Kept(_)
        | Proof::Wrong
        | Proof::Zeros
        | Proof::RecoveryShaped
        | Proof::Empty
        | Proof::Text(_)
        | Proof::Short
        | Proof::Long
        | Proof::LeadingZero
        | Proof::LeadingZeroDropped
        | Proof::OfAnother
        | Proof::Of(_)
        | Proof::Expired(_)
        | Proof::Early(_)
        | Proof::FormerSecret
        | Proof::PendingSecret
        | Proof::Key(_)
        | Proof::Fetched(_)
        | Proof::Recovery(_)
        | Proof::FormerRecovery(_) => Verdict::WrongProofAccepted,
    }
}

impl<'a> Play<'a> {
    pub(super) async fn find(&mut self, attempt: &Attempt, volley: u32, left: &Left) -> Result<Found, Mistake> {
        let text = |text: &str| Found::Proof(Some(Secret::new(SecretKind::OneTimePassword, text)), None);
        Ok(match &attempt.proof {
            Proof::None => Found::Proof(None, None),
            Proof::Right => {
                let code = self.scene.lasting_code().await?;
                Found::Proof(Some(code), self.scene.step())
            }
            Proof::Wrong => Found::Proof(Some(self.scene.wrong_code()), None),
            Proof::Zeros if self.scene.is_code_of_user(odd::ZEROS) => {
                Found::Nothing("six zeros are a code of the user's at this very time".to_owned())
            }
            Proof::Zeros => text(odd::ZEROS),
            Proof::RecoveryShaped => Found::Proof(Some(self.scene.recovery_shaped()), None),
            Proof::Empty => text(""),
            Proof::Text(other) => text(other),
            Proof::Short => {
                let code = self.scene.code().await?;
                text(&code.reveal()[..5])
            }
            Proof::Long => {
                let code = self.scene.code().await?;
                text(&format!("{}0", code.reveal()))
            }
            Proof::LeadingZero => match self.leading_zero().await? {
                Some(code) => Found::Proof(Some(code), self.scene.step()),
                None => Found::Nothing("no code that begins with a zero comes soon enough".to_owned()),
            },
            Proof::LeadingZeroDropped => match self.leading_zero().await? {
                Some(code) => text(code.reveal().trim_start_matches('0')),
                None => Found::Nothing("no code that begins with a zero comes soon enough".to_owned()),
            },
            Proof::OfAnother => {
                self.scene.change_places();
                let code = self.scene.code().await;
                self.scene.change_places();
                Found::Proof(Some(code?), None)
            }
            Proof::Expired(steps) => self.distant(-i64::from(*steps), attempt).await?,
            Proof::Early(steps) => self.distant(i64::from(*steps), attempt).await?,
            Proof::Again(name) | Proof::Kept(name) => match left.proofs.get(name) {
                Some(Had { step: Some(step), .. }) if !self.scene.is_live(*step) => {
                    Found::Nothing("by then the target refuses the code for its age".to_owned())
                }
                Some(Had { spent: false, .. }) if matches!(attempt.proof, Proof::Again(_)) => {
                    Found::Nothing(format!("what carried `{name}` was not accepted, so that proof was never spent"))
                }
                Some(Had { proof, step, .. }) => Found::Proof(Some(proof.clone()), *step),
                // Names are checked when the file is read, so only the enrolment can be missing.
                None => Found::Nothing("the account was enrolled before the run began".to_owned()),
            },
            Proof::Key(_) | Proof::Fetched(_) => Box::pin(self.page_proof()).await?,
            Proof::FormerSecret => Found::Proof(Some(self.scene.former_code().await?), None),
            Proof::Of(name) => Found::Proof(Some(self.code_of(name).await?), None),
            Proof::FormerRecovery(number) => match self.scene.user.former_recovery_codes.get(*number) {
                Some(code) => Found::Proof(Some(code.clone()), None),
                None => Found::Nothing(format!("recovery code {number} of the enrolment before is not known")),
            },
            Proof::PendingSecret => match self.scene.pending_code().await? {
                Some(code) => Found::Proof(Some(code), None),
                None => Found::PassedOver("no secret was handed out that still waits for its confirmation"),
            },
            Proof::Recovery(number) => {
                // Each volley has a code of its own.
                let number = number + volley as usize;
                match self.scene.user.recovery_codes.get(number) {
                    Some(code) => Found::Proof(Some(code.clone()), None),
                    None => Found::Nothing(format!("recovery code {number} of the account is not known")),
                }
            }
        })
    }

    pub(super) async fn leading_zero(&mut self) -> Result<Option<Secret>, Mistake> {
        let within = if self.scene.stage.clock.is_real() { ZERO_WITHIN.1 } else { ZERO_WITHIN.0 };
        let now = self.scene.stage.target_time();
        let ledger = self.scene.user.ledger.as_mut().ok_or("a code was needed from a persona without a factor")?;
        if !ledger.skip_to_leading_zero(now, within) {
            return Ok(None);
        }
        let code = self.scene.code().await?;
        // So near the end of its step another one's code was handed out.
        Ok(Some(code).filter(|code| code.reveal().starts_with('0')))
    }

    pub(super) async fn distant(&mut self, steps: i64, attempt: &Attempt) -> Result<Found, Mistake> {
        if attempt.must == scenario::Must::AgreeWithFile {
            return Ok(match self.scene.code_of_step(steps).await? {
                Some((code, step)) => Found::Proof(Some(code), self.accepts(steps).then_some(step)),
                None => Found::Nothing("a code of that step or a later one is spent already".to_owned()),
            });
        }
        Ok(match self.scene.distant_code(steps).await? {
            Some(code) => Found::Proof(Some(code), None),
            None => Found::Nothing("the target's file says that it accepts codes of that age".to_owned()),
        })
    }

    /// Whether the target's file says that it accepts codes so far from the present step.
    pub(super) fn accepts(&self, steps: i64) -> bool {
        let skew = self.scene.stage.skew;
        (-skew.behind..=skew.ahead).contains(&steps)
    }

    pub(super) fn must(&self, attempt: &Attempt) -> Must {
        match attempt.must {
            scenario::Must::SucceedOnce => Must::SucceedOnce,
            scenario::Must::Succeed => Must::Succeed { proven: attempt.proof != Proof::None },
            // At a prompt a recovery code stands in for whatever the user has.
            scenario::Must::BeChallenged if attempt.client == Some(Client::Legacy) => {
                Must::BeChallenged { factor: Factor::Both }
            }
            scenario::Must::BeChallenged if attempt.proof != Proof::None => {
                Must::BeAskedAgain { otherwise: wrongly(&attempt.proof) }
            }
            scenario::Must::BeChallenged => Must::BeChallenged { factor: self.scene.user.factor() },
            scenario::Must::BeChallengedIfKnown => Must::BeChallengedIfKnown { factor: self.scene.user.factor() },
            scenario::Must::BeWhole | scenario::Must::EndIfItSucceeds => Must::BeWhole,
            scenario::Must::BeDenied => {
                let own = attempt.with.as_ref().is_none_or(|with| with.value != COMPANION);
                Must::BeDenied { has_factor: own && self.scene.user.factor() != Factor::None }
            }
            scenario::Must::AgreeWithFile => match attempt.proof {
                Proof::Expired(steps) if self.accepts(-i64::from(steps)) => Must::Succeed { proven: true },
                Proof::Early(steps) if self.accepts(i64::from(steps)) => Must::Succeed { proven: true },
                _ => Must::BeWhole,
            },
            scenario::Must::BeRefused => Must::BeRefused { otherwise: wrongly(&attempt.proof) },
        }
    }
}
