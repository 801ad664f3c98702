//! The codes of a scene: each of the persona's own, and those that are wrong on purpose.

use std::time::Duration;

use super::scene::{Mistake, Scene};
use crate::persona::Persona;
use crate::persona::ledger::{Issue, Ledger};
use crate::persona::totp::{OtpStep, PERIOD};
use crate::result::Wait;
use crate::secret::{Secret, SecretKind};

impl Scene {
    /// A fresh code, after a wait when there has to be one.
    pub async fn code(&mut self) -> Result<Secret, Mistake> {
        loop {
            let now = self.stage.target_time();
            let ledger = self.user.ledger.as_mut().ok_or("a code was needed from a persona without a factor")?;
            match ledger.issue(now) {
                Issue::Code(code) => return Ok(code),
                Issue::WaitUntil(until) => self.rest(Wait::NewCode, now.until(until)).await?,
            }
        }
    }

    /// Waits until a code can be had. None is spent.
    pub async fn await_code(&mut self) -> Result<(), Mistake> {
        let now = self.stage.target_time();
        match self.user.ledger.as_ref().and_then(|ledger| ledger.opens(now)) {
            Some(until) => self.rest(Wait::NewCode, now.until(until)).await,
            None => Ok(()),
        }
    }

    /// A recovery code that nothing else needs. Where users cost nothing and time does, set-up and clean-up are proven by
    /// one, for the next one-time password takes up to half a minute to come.
    pub(super) fn spare_recovery_code(&mut self) -> Option<Secret> {
        if !self.stage.spread || !self.spares_recovery_codes || self.user.ledger.is_none() {
            return None;
        }
        self.user.recovery_codes.pop()
    }

    /// A fresh code of the present step or a later one, which stays valid for the longest time.
    pub async fn lasting_code(&mut self) -> Result<Secret, Mistake> {
        let now = self.stage.target_time();
        if let Some(ledger) = &mut self.user.ledger {
            ledger.skip_to_present(now);
        }
        self.code().await
    }

    /// Whether the last code is still of a step that the target accepts, so that its refusal says something.
    pub fn code_is_live(&self) -> bool {
        self.step().is_some_and(|step| self.is_live(step))
    }

    /// Whether it will still be after so long.
    pub fn code_lives_for(&self, long: Duration) -> bool {
        let then = self.stage.target_time().after(long);
        self.step().is_some_and(|step| self.user.ledger.as_ref().is_some_and(|ledger| ledger.is_live(step, then)))
    }

    /// The step of the last code.
    pub fn step(&self) -> Option<OtpStep> {
        self.user.ledger.as_ref()?.last()
    }

    /// Whether a step's code would be accepted, were it not spent.
    pub fn is_live(&self, step: OtpStep) -> bool {
        self.user.ledger.as_ref().is_some_and(|ledger| ledger.is_live(step, self.stage.target_time()))
    }

    /// The codes that the user has or, where there are none, those that wait for their confirmation.
    pub(super) fn standing_or_pending(&self) -> Option<&Ledger> {
        self.user.ledger.as_ref().or(self.user.pending_ledger.as_ref())
    }

    /// What was pending is the user's from now on.
    pub(super) fn confirm_pending(&mut self) -> Result<(), Mistake> {
        let Some(pending) = self.user.pending_ledger.take() else { return Ok(()) };
        self.user.confirmed = true;
        self.user.former_ledger = self.user.ledger.replace(pending);
        self.hold_changes()
    }

    /// The code of a step so far from the present one; none where the target accepts that step by its own skew.
    pub async fn distant_code(&mut self, steps: i64) -> Result<Option<Secret>, Mistake> {
        let edge = self.standing_or_pending().and_then(|ledger| ledger.edge(self.stage.target_time()));
        if let Some(until) = edge {
            self.rest(Wait::StepEdge, self.stage.target_time().until(until)).await?;
        }
        let ledger = self.standing_or_pending().ok_or("a code was needed from a persona without a factor")?;
        Ok(ledger.distant(steps, self.stage.target_time()))
    }

    /// A fresh code of the secret before the last enrolment.
    pub async fn former_code(&mut self) -> Result<Secret, Mistake> {
        let swap = |user: &mut Persona| std::mem::swap(&mut user.ledger, &mut user.former_ledger);
        if self.user.former_ledger.is_none() {
            return Err("the persona has enrolled once only".to_owned());
        }
        swap(&mut self.user);
        let code = self.lasting_code().await;
        swap(&mut self.user);
        code
    }

    /// A code of the present step, computed from the secret that still waits for its confirmation, if there is one.
    pub async fn pending_code(&mut self) -> Result<Option<Secret>, Mistake> {
        let swap = |user: &mut Persona| std::mem::swap(&mut user.ledger, &mut user.pending_ledger);
        if self.user.pending_ledger.is_none() {
            return Ok(None);
        }
        swap(&mut self.user);
        let code = self.lasting_code().await;
        swap(&mut self.user);
        code.map(Some)
    }

    /// The code of a step so far from the present one, whether it is accepted or not. It is spent from now on.
    pub async fn code_of_step(&mut self, steps: i64) -> Result<Option<(Secret, OtpStep)>, Mistake> {
        let edge = self.user.ledger.as_ref().and_then(|ledger| ledger.edge(self.stage.target_time()));
        if let Some(until) = edge {
            self.rest(Wait::StepEdge, self.stage.target_time().until(until)).await?;
        }
        let now = self.stage.target_time();
        let ledger = self.user.ledger.as_mut().ok_or("a code was needed from a persona without a factor")?;
        Ok(ledger.take(steps, now))
    }

    /// Lets so many steps pass.
    pub async fn let_steps_pass(&mut self, steps: u32) -> Result<(), Mistake> {
        self.rest(Wait::Scenario, Duration::from_secs(u64::from(steps) * PERIOD.unsigned_abs())).await
    }

    /// A wrong code. Of who has no codes, any is.
    pub fn wrong_code(&self) -> Secret {
        match self.standing_or_pending() {
            Some(ledger) => ledger.wrong(self.stage.target_time()),
            None => Secret::new(SecretKind::OneTimePassword, "271828"),
        }
    }
}
