//! The probes of a challenged action after the bare one: a wrong proof, a right one, a spent one.

use std::time::Duration;

use super::asking::PATIENCE;
use super::guess::retry_after;
use super::keys::Given;
use super::late::Moment;
use super::play::Play;
use super::scene::{Conduct, Ended, Mistake};
use crate::dialect::Surface;
use crate::dialect::step::Step;
use crate::judge::{Effect, Observation, Outcome, Seen, Verdict};
use crate::persona::key::Manner;
use crate::result::{Probe, Wait};
use crate::scenario::key::Assertion;
use crate::table::Factor;

/// The probe by the other kind of client.
const OTHER_CLIENT: &str = "other client";

impl Play<'_> {
    /// Sends the probes of a challenged action after the bare one.
    pub(super) async fn prove(&mut self, surface: &Surface, observation: &mut Observation) -> Result<(), Mistake> {
        self.ask_by_other_client(surface, observation).await?;
        match self.case.factor {
            // Who has nothing to prove himself with is not challenged by any table.
            Factor::None => Ok(()),
            Factor::Totp => self.prove_by_code(surface, observation).await,
            Factor::SecurityKey => self.prove_by_key(surface, observation).await,
            Factor::Both => {
                self.prove_by_key(surface, observation).await?;
                if surface.spend_on.is_some() || observation.right.is_none() {
                    // The action has ended or changed the factor.
                    return Ok(());
                }
                let code = Conduct::Proof(self.scene.code().await?);
                let step = self.scene.step();
                self.scene.web = false;
                let other = self.send("right code", "valid code", code, step).await;
                self.scene.web = true;
                observation.other = Some(self.read_back(other?).await?);
                Ok(())
            }
        }
    }

    /// Sends the action without a proof once more, by the other kind of client: what opens a page is not let through where
    /// a prompt is asked, nor the other way round. A page that asks itself asks whatever the client.
    async fn ask_by_other_client(&mut self, surface: &Surface, observation: &mut Observation) -> Result<(), Mistake> {
        if self.run.stage.dialect.asks_on_page(&surface.perform) {
            return Ok(());
        }
        let (web, offered) = (self.scene.web, self.scene.offered.clone());
        self.scene.web = !web;
        self.if_done = Some(Verdict::EffectBeforeFactor);
        let sent = self.send(OTHER_CLIENT, "none", Conduct::Bare, None).await;
        (self.scene.web, self.scene.offered) = (web, offered);
        observation.other_client = Some(self.read_back(sent?).await?);
        Ok(())
    }

    async fn prove_by_code(&mut self, surface: &Surface, observation: &mut Observation) -> Result<(), Mistake> {
        let wrong = Conduct::Proof(self.scene.wrong_code());
        observation.wrong = Some(self.send_wrong("wrong code", wrong).await?);
        // What a target does after its answer, it has time for while a code is waited for.
        self.scene.await_code().await?;
        let spend_on = match &surface.spend_on {
            Some(action) => {
                // What is carried out without a proof has spent none, whatever it is sent.
                let bare = self.scene.routine(&action.value, &Conduct::Bare).await?;
                self.keep(&bare);
                match spending(&bare.outcome) {
                    Spending::Broken => {
                        broken_off(observation, bare.outcome);
                        return Ok(());
                    }
                    Spending::Done => {
                        self.is_unspent(&bare, "without one");
                        None
                    }
                    Spending::Refused => Some(action),
                }
            }
            None => None,
        };
        if spend_on.is_none() {
            self.look_before_right(observation).await?;
        }
        let proof = self.scene.code().await?;
        let step = self.scene.step();
        if let Some(action) = spend_on {
            // The action ends the factor, so the replayed proof is spent elsewhere and refused here first.
            let ended = self.scene.routine(&action.value, &Conduct::Proof(proof.clone())).await?;
            self.keep(&ended);
            match spending(&ended.outcome) {
                Spending::Done => {
                    self.if_done = Some(Verdict::ReplayAccepted);
                    let replay = self.send("replay", "spent code", Conduct::Proof(proof), step).await?;
                    observation.replay = Some(self.read_back(replay).await?);
                }
                Spending::Broken => {
                    broken_off(observation, ended.outcome);
                    return Ok(());
                }
                Spending::Refused => self.is_unspent(&ended, "with a valid one"),
            }
            self.scene.await_code().await?;
            self.look_before_right(observation).await?;
            let fresh = Conduct::Proof(self.scene.code().await?);
            let step = self.scene.step();
            let right = self.send("right", "valid code", fresh, step).await?;
            observation.right = Some(self.read_back(right).await?);
            return Ok(());
        }
        let right = self.send("right", "valid code", Conduct::Proof(proof.clone()), step).await?;
        let accepted = *right.outcome() == Outcome::Accepted;
        self.scene.user.confirmed |= accepted && matches!(observation.bare.outcome, Outcome::Challenged { .. });
        let right = self.read_back(right).await?;
        // What did nothing has spent nothing that could be sent again.
        let spent = accepted && right.got_through() && surface.spend_on.is_none();
        observation.right = Some(right);
        if spent {
            self.if_done = Some(Verdict::ReplayAccepted);
            let replay = self.send("replay", "spent code", Conduct::Proof(proof), step).await?;
            observation.replay = Some(self.read_back(replay).await?);
        }
        Ok(())
    }

    async fn prove_by_key(&mut self, surface: &Surface, observation: &mut Observation) -> Result<(), Mistake> {
        let on_page = self.run.stage.dialect.asks_on_page(&surface.perform);
        let (words, wrong) = match (self.case.factor, on_page) {
            (_, true) => (Manner::BrokenSignature.words(), Conduct::ByKey),
            (Factor::Both, false) => ("wrong code", Conduct::Proof(self.scene.wrong_code())),
            (_, false) => ("proof that no page has made", Conduct::Proof(self.scene.wrong_token())),
        };
        observation.wrong = Some(self.send_wrong(words, wrong).await?);
        if let Some(action) = &surface.spend_on {
            let steps = self.run.stage.dialect.routines.get(&action.value).ok_or("no routine to spend a proof on")?;
            let offered = self.scene.offered.clone();
            let (proof, ended) = match self.scene.proof_by_key(steps).await? {
                Ok(proof) => {
                    let ended = self.scene.perform(steps, &Conduct::Proof(proof.clone())).await?;
                    self.keep(&ended);
                    (Some(proof), ended)
                }
                Err(ended) => (None, ended),
            };
            match (spending(&ended.outcome), proof) {
                (Spending::Done, Some(proof)) => {
                    self.if_done = Some(Verdict::ReplayAccepted);
                    let replay = self.send("replay", "spent proof", Conduct::Proof(proof), None).await?;
                    observation.replay = Some(self.read_back(replay).await?);
                }
                (Spending::Done, None) => self.is_unspent(&ended, "without one"),
                (Spending::Broken, _) => {
                    broken_off(observation, ended.outcome);
                    return Ok(());
                }
                (Spending::Refused, _) => self.is_unspent(&ended, "with a valid one"),
            }
            self.scene.offered = offered;
        }
        if !on_page && self.scene.offered.is_none() {
            // No page was offered, so there is nothing that a security key could answer.
            return Ok(());
        }
        self.look_before_right(observation).await?;
        let right = self.send("right", Manner::Right.words(), Conduct::ByKey, None).await?;
        let accepted = *right.outcome() == Outcome::Accepted;
        if self.unproven {
            observation.bare = self.read_back(right).await?;
            return Ok(());
        }
        self.scene.user.confirmed |= accepted;
        let right = self.read_back(right).await?;
        let spent = accepted && right.got_through();
        observation.right = Some(right);
        // A browser answers what the page asks for, so it cannot be made to repeat itself there.
        let repeats = !(on_page && self.run.stage.dialect.in_browser);
        if spent && surface.spend_on.is_none() && repeats {
            self.if_done = Some(Verdict::ReplayAccepted);
            let replay = match self.token.clone() {
                Some(token) if !on_page => self.send("replay", "spent proof", Conduct::Proof(token), None).await,
                _ => {
                    self.scene.given = Given::Assertion(Assertion::Again);
                    self.send("replay", "assertion that was given before", Conduct::ByKey, None).await
                }
            };
            self.scene.given = Given::default();
            observation.replay = Some(self.read_back(replay?).await?);
        }
        Ok(())
    }

    /// Reads once more what the probes before the right one have left undone, for what a target does after its answer is
    /// done all the same. Where one of them did something, or later, it could not be told who did what.
    async fn look_before_right(&mut self, observation: &mut Observation) -> Result<(), Mistake> {
        if observation.all_mut().any(|seen| seen.effect.leaked()) {
            return Ok(());
        }
        self.look_again(Moment::BeforeRightProof).await
    }

    /// Sends a wrong proof. A lent account may have been sent others before, in other cases, so where the target asks to
    /// be left alone for a while it is, once.
    async fn send_wrong(&mut self, proof: &str, wrong: Conduct) -> Result<Seen, Mistake> {
        let (mut seen, wait) = self.send_wrong_once(proof, wrong.clone()).await?;
        let harmless = seen.outcome == Outcome::Throttled && (seen.effect.is_unseen() || seen.effect == Effect::None);
        if let Some(wait) = wait.filter(|_| harmless && self.scene.user.lent) {
            self.scene.rest(Wait::RetryAfter, wait).await?;
            if let Some(ended) = self.again(1).await? {
                return Err(format!("nothing could be made for another wrong proof: {}", ended.saw));
            }
            (seen, _) = self.send_wrong_once(proof, wrong).await?;
        }
        Ok(seen)
    }

    /// Sends a wrong proof. The second part is how long the target then asks to be left alone, where that is not too long.
    async fn send_wrong_once(&mut self, proof: &str, wrong: Conduct) -> Result<(Seen, Option<Duration>), Mistake> {
        if matches!(wrong, Conduct::ByKey) {
            self.scene.given = Given::Assertion(Assertion::Made(Manner::BrokenSignature));
        }
        self.if_done = Some(Verdict::WrongProofAccepted);
        let sent = self.send("wrong", proof, wrong, None).await;
        self.scene.given = Given::default();
        let sent = sent?;
        let wait = retry_after(sent.last()).map(Duration::from_secs).filter(|wait| *wait <= PATIENCE);
        Ok((self.read_back(sent).await?, wait))
    }

    /// Performs a command as a client does whose user has a security key.
    pub(super) async fn by_key(&mut self, steps: &[Step]) -> Result<Ended, Mistake> {
        if self.run.stage.dialect.asks_on_page(steps) {
            return self.scene.perform(steps, &Conduct::ByKey).await;
        }
        match self.scene.proof_by_key(steps).await? {
            Err(ended) => {
                // It was challenged before, and now went through without a proof.
                self.unproven = ended.outcome == Outcome::Accepted;
                Ok(ended)
            }
            Ok(token) => {
                self.token = Some(token.clone());
                if self.withholds {
                    let saw = "the page has made a proof, which is kept back".to_owned();
                    return Ok(Ended { outcome: Outcome::Accepted, saw });
                }
                self.scene.perform(steps, &Conduct::Proof(token)).await
            }
        }
    }

    /// Notes that there is no spent proof to be sent again, and how the action ended, so, that was to spend it.
    fn is_unspent(&mut self, ended: &Ended, so: &str) {
        self.unspent = true;
        self.statements.push(format!("no spent proof could be had, so none was sent: {} {so}", ended.saw));
    }

    /// Keeps the evidence of an action that a proof was spent on.
    fn keep(&mut self, ended: &Ended) {
        self.probes.push(Probe::set_up(ended, std::mem::take(&mut self.scene.exchanges)));
    }
}

/// How an action ended on which a proof is to be spent.
enum Spending {
    /// It was carried out.
    Done,
    /// It was not.
    Refused,
    /// There was no usable answer.
    Broken,
}

fn spending(ended: &Outcome) -> Spending {
    match ended {
        Outcome::Accepted => Spending::Done,
        Outcome::Failed | Outcome::Throttled => Spending::Broken,
        Outcome::Refused | Outcome::Challenged { .. } | Outcome::NotImplemented => Spending::Refused,
    }
}

/// Where the target gave no usable answer to the action that the proof was for, that is its fault.
fn broken_off(observation: &mut Observation, ended: Outcome) {
    observation.replay = Some(Seen { outcome: ended, effect: Effect::None });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::{Asks, Expectation, judge};
    use crate::table::Factor;

    #[test]
    fn an_unusable_answer_to_the_spending_of_a_code_is_the_targets_fault() {
        for (ended, verdict) in [(Outcome::Failed, Verdict::TargetFailed), (Outcome::Throttled, Verdict::Throttled)] {
            let challenged = Outcome::Challenged { flaw: None, asks: Asks::ForCode };
            let seen = Seen { outcome: challenged, effect: Effect::NotApplied };
            let mut observation = Observation { wrong: Some(seen.clone()), ..Observation::bare(seen) };
            assert!(matches!(spending(&ended), Spending::Broken));
            broken_off(&mut observation, ended);
            assert_eq!(judge(Expectation::Challenged, Factor::Totp, &observation), [verdict]);
        }
    }
}
