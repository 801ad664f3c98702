//! Asking: one request of a command with what it takes to be heard, and the reads that show an effect.

use std::sync::Arc;
use std::time::Duration;

use super::effects::name_of;
use super::scene::{Conduct, Ended, Mistake, Scene, Unwritten};
use crate::dialect::predicate::Answer;
use crate::dialect::step::{Auth, Request, Step};
use crate::dialect::waits::{self, POLLS};
use crate::judge::{Asks, Outcome};
use crate::result::Wait;
use crate::scenario::Carrier;
use crate::secret::Secret;
use crate::table::Factor;

/// The longest `retry-after` (RFC 9110 §10.2.3) that is waited for, once a request.
pub(super) const PATIENCE: Duration = Duration::from_secs(90);

/// How long an answer asks to be left alone, where that is waited for.
fn asked_wait(answer: &Answer) -> Option<Duration> {
    waits::retry_after(&answer.headers).filter(|wait| *wait <= PATIENCE)
}

impl Scene {
    /// Sends one request of a command, waits where it is asked to, and answers a challenge where that is its conduct.
    pub(super) async fn request(
        &mut self,
        step: &Request,
        undo: &Arc<Vec<Step>>,
        conduct: &Conduct,
    ) -> Result<(Ended, Option<Answer>), Mistake> {
        let entered = self.entered(step, conduct).await?;
        let step_entered = self.step();
        let carried = match conduct {
            Conduct::Proof(_) if step.enters_proof => None,
            Conduct::Proof(proof) if !step.unproven => Some((proof.clone(), Carrier::AsDocumented)),
            Conduct::Misplaced(proof, carrier) if !step.unproven => Some((proof.clone(), carrier.clone())),
            Conduct::Proof(_) | Conduct::Misplaced(..) | Conduct::Bare | Conduct::ByKey | Conduct::Assisted => None,
        };
        let (mut ended, mut answer) = match self.ask(step, undo, carried.as_ref(), entered.as_ref()).await {
            // The target has not answered an earlier request in full.
            Err(Unwritten::Lacks(saw)) => return Ok((Ended { outcome: Outcome::Failed, saw }, None)),
            asked => asked?,
        };
        if carried.is_none()
            && entered.is_none()
            && ended.outcome == Outcome::Throttled
            && let Some(wait) = answer.as_ref().and_then(asked_wait)
        {
            let rested = self.rest(Wait::RetryAfter, wait).await;
            self.or_digested(rested, step, undo, answer.as_ref())?;
            (ended, answer) = self.ask(step, undo, None, None).await?;
        }
        for _ in 0..POLLS {
            let (Some(poll), Some(pending)) = (&step.poll, &answer) else { break };
            if !poll.holds(pending, &self.variables(None, false)).map_err(|error| error.to_string())? {
                break;
            }
            self.rest(Wait::Polling, waits::before_next_poll(pending)).await?;
            (ended, answer) = self.ask(step, undo, None, None).await?;
        }
        let challenged = matches!(ended.outcome, Outcome::Challenged { .. });
        if matches!(conduct, Conduct::Assisted) && challenged && step.auth != Auth::Other {
            let assisted = self.assist(step, undo, (ended, answer.clone()), entered.as_ref()).await;
            (ended, answer) = self.or_digested(assisted, step, undo, answer.as_ref())?;
        }
        if matches!(conduct, Conduct::ByKey)
            && challenged
            && let Some(routine) = &step.by_key
        {
            self.digest(step, undo, answer.as_ref())?;
            if let Some(mut seen) = self.look_while_pending().await? {
                // The page was offered in a way that clients cannot wait for.
                seen.outcome = Outcome::Challenged { flaw: Some(seen.saw.clone()), asks: Asks::OnPage };
                return Ok((seen, None));
            }
            let ended = Box::pin(self.routine(&routine.value, conduct)).await?;
            return Ok((ended, None));
        }
        if step.enters_code && ended.outcome == Outcome::Accepted {
            self.user.confirmed = true;
            self.confirmation = entered.map(|code| (code, step_entered));
        } else if step.enters_proof && ended.outcome == Outcome::Accepted {
            self.confirm_pending()?;
            self.confirmation = entered.map(|code| (code, self.step()));
        }
        let ended = self.digest(step, undo, answer.as_ref())?;
        Ok((ended, answer))
    }

    /// What came of it. Where it did not come to an end, what was sent is to be undone all the same.
    fn or_digested<T>(
        &mut self,
        came: Result<T, Mistake>,
        step: &Request,
        undo: &Arc<Vec<Step>>,
        answer: Option<&Answer>,
    ) -> Result<T, Mistake> {
        if came.is_err() {
            self.digest(step, undo, answer)?;
        }
        came
    }

    /// What the body of a request carries: a fresh code, or the attempt's own proof.
    async fn entered(&mut self, step: &Request, conduct: &Conduct) -> Result<Option<Secret>, Mistake> {
        Ok(match conduct {
            _ if step.enters_code => Some(self.code().await?),
            Conduct::Proof(proof) if step.enters_proof => Some(proof.clone()),
            Conduct::Assisted if step.enters_proof => self.pending_code().await?,
            Conduct::Proof(_) | Conduct::Misplaced(..) | Conduct::Bare | Conduct::ByKey | Conduct::Assisted => None,
        })
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
            if let Some(spare) = self.spare_recovery_code() {
                came = self.ask(step, undo, Some(&(spare, Carrier::AsDocumented)), entered).await?;
                if came.0.outcome == Outcome::Accepted {
                    break;
                }
                // Here they are no proof, or not for this.
                self.spares_recovery_codes = false;
            }
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
            let wait = came.1.as_ref().and_then(asked_wait);
            match wait {
                Some(wait) if came.0.outcome == Outcome::Throttled => self.rest(Wait::RetryAfter, wait).await?,
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
    ) -> Result<(Ended, Option<Answer>), Unwritten> {
        let outgoing = self.compose(step, undo, carried, entered)?;
        self.place.clone_from(&outgoing.place);
        self.elsewhere = None;
        let answer = if step.archive {
            let Some(answer) = self.fetch_archive(outgoing).await? else { return Ok(self.is_elsewhere()) };
            answer
        } else {
            let (answer, exchange) = self.stage.wire.send(outgoing, |text: &str| self.hide(text)).await;
            self.exchanges.push(exchange);
            answer
        };
        self.watch(answer.as_ref());
        if let Some(answer) = &answer {
            self.note_found(step, answer)?;
        }
        let ended = self.classify(step, answer.as_ref())?;
        self.note_route(step, answer.as_ref(), &ended.outcome);
        if matches!(ended.outcome, Outcome::Challenged { .. }) {
            self.offered = answer.as_ref().and_then(|answer| self.offer(answer));
            self.user.enrolled |= step.auth == Auth::User && self.user.factor() != Factor::None;
        }
        if let (Some(noting), Some(answer)) = (&mut self.noting, &answer)
            && ended.outcome == Outcome::Accepted
        {
            noting.push((name_of(step), answer.clone()));
        }
        if carried.is_some() || step.enters_proof {
            self.user.refused = if ended.outcome == Outcome::Accepted { 0 } else { self.user.refused + 1 };
        }
        Ok((ended, answer))
    }
}
