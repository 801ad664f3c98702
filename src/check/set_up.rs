//! Setting up a case: the cast comes on stage, and everything is made that each probe needs.

use std::collections::BTreeMap;

use minijinja::Value;

use super::cast::Provisioner;
use super::enrolment::Hold;
use super::plan::Script;
use super::play::{Play, Played, Worked};
use super::record::said;
use super::scene::{Conduct, Ended, Mistake};
use crate::dialect::Surface;
use crate::judge::Outcome;
use crate::persona::key::Maker;
use crate::table::Factor;
use crate::yaml::Spanned;

/// An object that was made for a probe.
pub(super) struct Made {
    object: Value,
    kept: BTreeMap<String, serde_json::Value>,
    by: String,
}

impl<'a> Play<'a> {
    /// What was made, for another play of the same case.
    pub(super) fn hand_out(&mut self) -> Vec<Made> {
        let made = |Worked { object, kept, by, .. }| Made { object, kept, by };
        self.worked.drain(..).map(made).collect()
    }

    /// Goes on with what another play of the same case has made, whose set-up ended so.
    pub(super) fn take_over(&mut self, made: Vec<Made>, end: Result<Option<Played>, Mistake>) {
        let dialect = &self.run.stage.dialect;
        let surfaces = self.case.surfaces(dialect).into_iter().map(|surface| &dialect.surfaces[surface]);
        self.made = made.len();
        self.worked = surfaces
            .zip(made)
            .map(|(surface, Made { object, kept, by })| Worked { surface, object, kept, by, before: Vec::new() })
            .collect();
        self.prepared = Some(end);
    }

    /// Brings the cast on stage and makes everything that each probe needs. The case's end is returned where it does not
    /// come to that.
    pub(super) async fn set_up(&mut self) -> Result<Option<Played>, Mistake> {
        if let Script::Scenario(scenario) = &self.case.script
            && !scenario.cast.is_empty()
        {
            return self.assemble(scenario).map(|()| None);
        }
        let fresh = matches!(self.run.provisioner, Provisioner::SelfService);
        if fresh {
            for persona in [Some(&self.scene.user), self.scene.other.as_ref()].into_iter().flatten() {
                self.run.journal_user(&self.case.id, &persona.name)?;
            }
        }
        let entered = self.run.provisioner.enter(self.scene).await?;
        if entered.outcome != Outcome::Accepted {
            return Ok(Some(Played::SetUpFailed(entered)));
        }
        // A fresh user has no second factor yet, so nothing is challenged here.
        let made = self.make_all().await?;
        if let Some(ended) = made {
            let turned_away = matches!(ended.outcome, Outcome::Refused | Outcome::Challenged { .. });
            match self.case.factor {
                _ if !turned_away || !fresh => return Ok(Some(Played::SetUpFailed(ended))),
                Factor::None => return Ok(Some(Played::Inconclusive(self.turned_away(&ended)))),
                // Who may not make it without a second factor makes it with one.
                Factor::Totp | Factor::SecurityKey | Factor::Both => {
                    if let Some(end) = self.enrol(self.case.factor).await? {
                        return Ok(Some(end));
                    }
                    self.worked.clear();
                    return Ok(self.make_all().await?.map(Played::SetUpFailed));
                }
            }
        }
        if fresh { self.enrol(self.case.factor).await } else { Ok(None) }
    }

    /// Makes an object for each probe. Anything but success is returned.
    pub(super) async fn make_all(&mut self) -> Result<Option<Ended>, Mistake> {
        let dialect = &self.run.stage.dialect;
        for index in self.case.surfaces(dialect) {
            let ended = self.make(&dialect.surfaces[index]).await?;
            if ended.outcome != Outcome::Accepted {
                return Ok(Some(ended));
            }
        }
        Ok(None)
    }

    /// What cannot be shown in mode `disabled`, in the registry's words, and in the same for all that it is said of.
    pub(super) fn turned_away(&self, ended: &Ended) -> String {
        let said = self.scene.exchanges.last().and_then(said);
        let said = said.unwrap_or_else(|| ended.saw.clone());
        format!("the registry does not let a user without a second factor make what it takes: {said}")
    }

    /// Gives the user its second factor. The case's end is returned where that cannot be had.
    pub(super) async fn enrol(&mut self, factor: Factor) -> Result<Option<Played>, Mistake> {
        let failed = |ended: Ended| Ok(Some(Played::SetUpFailed(ended)));
        let nothing = |what: &str| Ok(Some(Played::Inconclusive(what.to_owned())));
        self.scene.web = factor.has_key();
        if matches!(&self.case.script, Script::Scenario(scenario) if scenario.abuses_keys()) {
            self.scene.stage.maker = Maker::Own;
        }
        if factor.has_key() {
            let registered = self.scene.routine("register-key", &Conduct::Assisted).await?;
            if registered.outcome != Outcome::Accepted {
                return failed(registered);
            }
            if self.scene.user.key.is_none() {
                return nothing("the target file's `register-key` made no credential");
            }
            // What the target has taken from the key it must know again.
            self.scene.user.confirmed = true;
        }
        if factor.has_codes() {
            // Beside a key codes are a change of what stands.
            let enrolled = self.scene.routine("enrol", &Conduct::Assisted).await?;
            if enrolled.outcome != Outcome::Accepted {
                return failed(enrolled);
            }
            if self.scene.user.ledger.is_none() {
                return nothing("the target file's `enrol` handed out no secret");
            }
        }
        if factor != Factor::None && self.changes_enrolment() {
            return Ok(match self.scene.look_at_enrolment().await? {
                Hold::Seen | Hold::Unknown(_) => None,
                Hold::Denied(saw) => Some(Played::Inconclusive(saw)),
            });
        }
        Ok(None)
    }

    /// Makes one more object for a surface to work on.
    pub(super) async fn make(&mut self, surface: &'a Surface) -> Result<Ended, Mistake> {
        let object = self.object(surface, self.made)?;
        self.made += 1;
        self.scene.replaced_password = None;
        self.scene.take_up(object.clone(), BTreeMap::new());
        let ended = self.scene.perform(&surface.prepare, &Conduct::Assisted).await?;
        self.worked.push(Worked::new(surface, object, self.scene));
        Ok(ended)
    }

    /// Makes the last so many probes as if they had not been sent: their objects are made anew, and what was recorded
    /// of them is dropped. Anything but success is returned.
    pub(super) async fn again(&mut self, probes: usize) -> Result<Option<Ended>, Mistake> {
        self.next -= probes;
        self.worked_on.retain(|at| *at < self.next);
        self.probes.truncate(self.probes.len() - probes);
        let kept = self.probes.len();
        self.undone.retain(|undone| undone.probe < kept);
        let later = self.worked.split_off(self.next);
        let (used, unused) = later.split_at(probes);
        let mut failed = None;
        for surface in used.iter().map(|worked| worked.surface) {
            let ended = self.make(surface).await?;
            failed = failed.or((ended.outcome != Outcome::Accepted).then_some(ended));
        }
        self.scene.exchanges.clear();
        self.worked.extend_from_slice(unused);
        Ok(failed)
    }

    /// Runs routines for the object of the next probe. Anything but success is returned.
    pub(super) async fn ready(&mut self, routines: &[Spanned<String>]) -> Result<Option<Ended>, Mistake> {
        let Worked { object, kept, .. } = self.worked.get(self.next).ok_or("more probes than objects")?;
        self.scene.take_up(object.clone(), kept.clone());
        for routine in routines {
            let ended = self.scene.routine(&routine.value, &Conduct::Assisted).await?;
            if ended.outcome != Outcome::Accepted {
                return Ok(Some(ended));
            }
        }
        self.scene.exchanges.clear();
        self.worked[self.next].kept = self.scene.kept();
        Ok(None)
    }

    /// Gives the companion a second factor of its own. The case's end is returned where that cannot be had.
    pub(super) async fn enrol_another(&mut self) -> Result<Option<Played>, Mistake> {
        let web = self.scene.web;
        self.scene.change_places();
        let ended = self.enrol(self.case.factor).await;
        self.scene.change_places();
        self.scene.web = web;
        let end = ended?;
        if end.is_none() {
            self.scene.exchanges.clear();
        }
        Ok(end)
    }
}
