//! Playing one case: set-up, the probes in their order, and the read-back after each.

use std::collections::BTreeMap;

use minijinja::Value;

use super::cast::Provisioner;
use super::plan::Case;
use super::scene::{Conduct, Ended, Mistake, Scene};
use super::{Run, mix};
use crate::dialect::Surface;
use crate::judge::{Effect, Expectation, Observation, Outcome, Seen};
use crate::result::Probe;
use crate::secret::Secret;
use crate::table::Mode;
use crate::wire::Exchange;

/// What a probe worked on, and what was kept on the way.
type Worked = (Value, BTreeMap<String, serde_json::Value>);

/// How a play ended.
pub(super) enum Played {
    /// All probes that the case needs were sent.
    Judged(Observation),
    /// It did not come to that.
    SetUpFailed(Ended),
}

/// One case being played.
pub(super) struct Play<'a> {
    run: &'a Run,
    case: &'a Case,
    surface: &'a Surface,
    /// The stage and the cast.
    pub scene: &'a mut Scene,
    number: usize,
    /// What was tried.
    pub probes: Vec<Probe>,
    worked: Vec<Worked>,
    next: usize,
}

/// A probe that was sent and whose effect is still to be read.
struct Sent {
    name: &'static str,
    proof: &'static str,
    ended: Ended,
    at: usize,
    exchanges: Vec<Exchange>,
}

impl<'a> Play<'a> {
    /// A play that has not begun.
    pub fn new(run: &'a Run, case: &'a Case, scene: &'a mut Scene, number: usize) -> Self {
        let surface = &run.stage.dialect.surfaces[case.surface];
        Play { run, case, surface, scene, number, probes: vec![], worked: vec![], next: 0 }
    }

    /// Plays the case to its end.
    pub async fn play(&mut self) -> Result<Played, Mistake> {
        let challenged = self.case.expectation == Some(Expectation::Challenged);
        if let Some(ended) = self.set_up(if challenged { 4 } else { 1 }).await? {
            return Ok(Played::SetUpFailed(ended));
        }
        self.scene.exchanges.clear();
        let bare = self.send("bare", "none", Conduct::Bare).await?;
        let bare = self.read_back(bare).await?;
        let mut observation = Observation { bare, wrong: None, right: None, replay: None };
        if challenged && observation.bare.outcome != Outcome::Accepted {
            self.prove(&mut observation).await?;
        }
        Ok(Played::Judged(observation))
    }

    /// Brings the cast on stage and makes everything that each probe needs. Anything but success is returned.
    async fn set_up(&mut self, objects: usize) -> Result<Option<Ended>, Mistake> {
        let fresh = matches!(self.run.provisioner, Provisioner::SelfService);
        if fresh {
            for persona in [Some(&self.scene.user), self.scene.other.as_ref()].into_iter().flatten() {
                self.run.journal_user(&self.case.id, &persona.name)?;
            }
        }
        let mut ended = self.run.provisioner.enter(self.scene).await?;
        for n in 0..objects {
            if ended.outcome != Outcome::Accepted {
                return Ok(Some(ended));
            }
            let object = self.object(n)?;
            self.scene.take_up(object.clone(), BTreeMap::new());
            self.worked.push((object, BTreeMap::new()));
            // A fresh user has no second factor yet, so nothing is challenged here.
            ended = self.scene.perform(&self.surface.prepare, &Conduct::Assisted).await?;
            self.worked[n].1 = self.scene.kept();
        }
        if ended.outcome == Outcome::Accepted && fresh && self.case.mode != Mode::Disabled {
            ended = self.scene.routine("enrol", &Conduct::Bare).await?;
        }
        Ok((ended.outcome != Outcome::Accepted).then_some(ended))
    }

    /// The probes of a challenged action after the bare one.
    async fn prove(&mut self, observation: &mut Observation) -> Result<(), Mistake> {
        let wrong = Conduct::Proof(self.scene.wrong_code()?);
        let wrong = self.send("wrong", "wrong code", wrong).await?;
        observation.wrong = Some(self.read_back(wrong).await?);
        let proof = self.scene.code().await?;
        if let Some(action) = &self.surface.spend_on {
            // The action ends the factor, so the replayed proof is spent elsewhere and refused here first.
            self.spend(&action.value, proof.clone()).await?;
            let replay = self.send("replay", "spent code", Conduct::Proof(proof)).await?;
            observation.replay = Some(self.read_back(replay).await?);
            let fresh = Conduct::Proof(self.scene.code().await?);
            let right = self.send("right", "valid code", fresh).await?;
            observation.right = Some(self.read_back(right).await?);
            return Ok(());
        }
        let right = self.send("right", "valid code", Conduct::Proof(proof.clone())).await?;
        self.scene.user.confirmed |=
            right.ended.outcome == Outcome::Accepted && matches!(observation.bare.outcome, Outcome::Challenged { .. });
        if right.ended.outcome != Outcome::Accepted {
            observation.right = Some(self.read_back(right).await?);
            return Ok(());
        }
        if !self.surface.late_effect {
            observation.right = Some(self.read_back(right).await?);
            let replay = self.send("replay", "spent code", Conduct::Proof(proof)).await?;
            observation.replay = Some(self.read_back(replay).await?);
            return Ok(());
        }
        // Reading the effect takes codes of its own: the replay must be sent while its code is still live.
        let replay = self.send("replay", "spent code", Conduct::Proof(proof)).await?;
        observation.right = Some(if replay.ended.outcome == Outcome::Accepted {
            // What came after it has covered the first effect.
            self.record(right, Effect::None)
        } else {
            self.read_back(right).await?
        });
        observation.replay = Some(self.read_back(replay).await?);
        Ok(())
    }

    async fn spend(&mut self, action: &str, proof: Secret) -> Result<(), Mistake> {
        let ended = self.scene.routine(action, &Conduct::Proof(proof)).await?;
        let spent = ended.outcome == Outcome::Accepted;
        self.probes.push(Probe::set_up(&ended, std::mem::take(&mut self.scene.exchanges)));
        if spent {
            Ok(())
        } else {
            Err("no spent code could be had: the action to spend it on did not succeed".to_owned())
        }
    }

    async fn send(&mut self, name: &'static str, proof: &'static str, conduct: Conduct) -> Result<Sent, Mistake> {
        let at = self.next;
        let (object, kept) = self.worked.get(at).cloned().ok_or("more probes than objects")?;
        self.next += 1;
        self.scene.take_up(object, kept);
        self.scene.perform(&self.surface.before, &Conduct::Assisted).await?;
        let ended = self.scene.perform(&self.surface.perform, &conduct).await;
        self.worked[at].1 = self.scene.kept();
        let ended = ended?;
        // A slow target may let a code age out under way: its refusal would say nothing of the code, nor of a replay.
        if matches!(name, "right" | "replay") && ended.outcome != Outcome::Accepted && !self.scene.code_is_live() {
            return Err(format!("the {proof} aged out before the target answered: {}", ended.saw));
        }
        Ok(Sent { name, proof, ended, at, exchanges: std::mem::take(&mut self.scene.exchanges) })
    }

    async fn read_back(&mut self, mut sent: Sent) -> Result<Seen, Mistake> {
        let (object, kept) = self.worked[sent.at].clone();
        self.scene.take_up(object, kept);
        let effect = self.scene.effect(&self.surface.effect).await?;
        self.worked[sent.at].1 = self.scene.kept();
        sent.exchanges.append(&mut self.scene.exchanges);
        Ok(self.record(sent, effect))
    }

    fn record(&mut self, sent: Sent, effect: Effect) -> Seen {
        self.probes.push(Probe::new(sent.name, sent.proof, &sent.ended, effect, sent.exchanges));
        Seen { outcome: sent.ended.outcome, effect }
    }

    /// What the `n`th probe works on: names that nothing else on the target has.
    fn object(&self, n: usize) -> Result<Value, Mistake> {
        let name = format!("{}-{}-{n}", self.run.prefix, self.number);
        let password = format!("Pw-{:016x}-{n}", mix(self.run.seed, &name));
        let user = self.scene.user.name.clone();
        let variables = minijinja::context! { n, name => name.clone(), user, password };
        let mut object = serde_json::Map::new();
        object.insert("name".to_owned(), name.clone().into());
        for (key, template) in &self.surface.object {
            let value = template.value(&variables).map_err(|error| error.to_string())?;
            object.insert(key.clone(), crate::dialect::template::json(value));
        }
        Ok(Value::from(minijinja::value::Serde(&object)))
    }
}
