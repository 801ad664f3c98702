//! Asking: one request of a command with what it takes to be heard, and the reads that show an effect.

use std::sync::Arc;
use std::time::Duration;

use super::answers::retry_after;
use super::scene::{Conduct, Ended, Mistake, Scene};
use crate::dialect::Fact;
use crate::dialect::predicate::Answer;
use crate::dialect::step::{Auth, Request, Step};
use crate::judge::{Effect, Outcome};
use crate::scenario::Carrier;
use crate::secret::Secret;

/// The longest `retry-after` (RFC 9110 §10.2.3) that is waited for, once a request.
pub(super) const PATIENCE: Duration = Duration::from_secs(90);

/// How often a request that polls is sent again, and what lies between: what the answer asks for, within bounds.
const POLLS: u32 = 3;
const POLL_AFTER: Duration = Duration::from_secs(1);
const MOST_BETWEEN_POLLS: Duration = Duration::from_secs(5);

impl Scene {
    /// Sends one request of a command, waits where it is asked to, and answers a challenge where that is its conduct.
    pub(super) async fn request(
        &mut self,
        step: &Request,
        undo: &Arc<Vec<Step>>,
        conduct: &Conduct,
    ) -> Result<(Ended, Option<Answer>), Mistake> {
        let entered = if step.enters_code { Some(self.code().await?) } else { None };
        let carried = match conduct {
            Conduct::Proof(proof) if !step.unproven => Some((proof.clone(), Carrier::AsDocumented)),
            Conduct::Misplaced(proof, carrier) if !step.unproven => Some((proof.clone(), carrier.clone())),
            Conduct::Proof(_) | Conduct::Misplaced(..) | Conduct::Bare | Conduct::ByKey | Conduct::Assisted => None,
        };
        let (mut ended, mut answer) = self.ask(step, undo, carried.as_ref(), entered.as_ref()).await?;
        if carried.is_none()
            && entered.is_none()
            && ended.outcome == Outcome::Throttled
            && let Some(wait) = answer.as_ref().and_then(retry_after).filter(|wait| *wait <= PATIENCE)
        {
            self.rest(wait).await;
            (ended, answer) = self.ask(step, undo, None, None).await?;
        }
        for _ in 0..POLLS {
            let (Some(poll), Some(pending)) = (&step.poll, &answer) else { break };
            if !poll.holds(pending, &self.variables(None, false)).map_err(|error| error.to_string())? {
                break;
            }
            let wait = retry_after(pending).unwrap_or(POLL_AFTER).min(MOST_BETWEEN_POLLS);
            self.rest(wait).await;
            (ended, answer) = self.ask(step, undo, None, None).await?;
        }
        let challenged = matches!(ended.outcome, Outcome::Challenged { .. });
        if matches!(conduct, Conduct::Assisted) && challenged && step.auth != Auth::Other {
            (ended, answer) = self.assist(step, undo, (ended, answer), entered.as_ref()).await?;
        }
        if matches!(conduct, Conduct::ByKey)
            && challenged
            && let Some(routine) = &step.by_key
        {
            self.digest(step, undo, answer.as_ref())?;
            let ended = Box::pin(self.routine(&routine.value, conduct)).await?;
            return Ok((ended, None));
        }
        if step.enters_code && ended.outcome == Outcome::Accepted {
            self.user.confirmed = true;
            self.confirmation = entered;
        }
        let ended = self.digest(step, undo, answer.as_ref())?;
        Ok((ended, answer))
    }

    /// Answers a challenge with what the user has, and once more where the target asks to be left alone for a while first.
    async fn assist(
        &mut self,
        step: &Request,
        undo: &Arc<Vec<Step>>,
        mut came: (Ended, Option<Answer>),
        entered: Option<&Secret>,
    ) -> Result<(Ended, Option<Answer>), Mistake> {
        for _ in 0..2 {
            let proof = if self.user.key.is_some() && self.offered.is_some() {
                Box::pin(self.answer_by_key()).await?.ok()
            } else if self.user.ledger.is_some() {
                Some(self.code().await?)
            } else {
                None
            };
            let Some(proof) = proof else { break };
            came = self.ask(step, undo, Some(&(proof, Carrier::AsDocumented)), entered).await?;
            self.user.confirmed |= came.0.outcome == Outcome::Accepted;
            let wait = came.1.as_ref().and_then(retry_after).filter(|wait| *wait <= PATIENCE);
            match wait {
                Some(wait) if came.0.outcome == Outcome::Throttled => self.rest(wait).await,
                _ => break,
            }
        }
        Ok(came)
    }

    /// Sends one request and says what the answer means.
    async fn ask(
        &mut self,
        step: &Request,
        undo: &[Step],
        carried: Option<&(Secret, Carrier)>,
        entered: Option<&Secret>,
    ) -> Result<(Ended, Option<Answer>), Mistake> {
        let outgoing = self.compose(step, undo, carried, entered)?;
        let hide = |text: &str| self.hide(text);
        let (answer, exchange) = self.stage.wire.send(outgoing, hide).await;
        self.exchanges.push(exchange);
        self.watch(answer.as_ref());
        let ended = self.classify(step, answer.as_ref())?;
        if matches!(ended.outcome, Outcome::Challenged { .. }) {
            self.offered = answer.as_ref().and_then(|answer| self.offer(answer));
        }
        if carried.is_some() {
            self.user.refused = if ended.outcome == Outcome::Accepted { 0 } else { self.user.refused + 1 };
        }
        Ok((ended, answer))
    }

    /// Reads the effect back.
    pub async fn effect(&mut self, facts: &[Fact]) -> Result<Effect, Mistake> {
        let (mut applied, mut absent, mut unclear, mut unread) = (0, 0, 0, 0);
        for fact in facts {
            if fact.if_applied && applied == 0 {
                continue;
            }
            if fact.needs.as_ref().is_some_and(|name| !self.kept.contains_key(name)) {
                absent += 1;
                continue;
            }
            let (ended, answer) = self.request(&fact.read.request, &fact.read.undo, &Conduct::Assisted).await?;
            let Some(answer) = answer else {
                unread += 1;
                continue;
            };
            let variables = self.variables(None, false);
            if let Some(neutral) = &fact.neutral
                && neutral.holds(&answer, &variables).map_err(|error| error.to_string())?
            {
                continue;
            }
            if fact.applied.holds(&answer, &variables).map_err(|error| error.to_string())? {
                applied += 1;
            } else if fact.absent.holds(&answer, &variables).map_err(|error| error.to_string())? {
                absent += 1;
            } else if let Some(partial) = &fact.partial
                && partial.holds(&answer, &variables).map_err(|error| error.to_string())?
            {
                return Ok(Effect::Partial);
            } else if matches!(ended.outcome, Outcome::Failed | Outcome::Throttled) {
                unread += 1;
            } else {
                unclear += 1;
            }
        }
        Ok(match (applied, absent, unclear, unread) {
            (0, 0, 0, 0) => Effect::None,
            (_, 0, 0, 0) => Effect::Applied,
            (0, _, 0, 0) => Effect::NotApplied,
            (0, ..) => Effect::Unknown,
            (_, 0, 0, _) => Effect::Unconfirmed,
            _ => Effect::Partial,
        })
    }
}
