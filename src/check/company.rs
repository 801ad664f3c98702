//! A cast of several users: who is on stage, and how each comes into being.

use std::collections::BTreeMap;

use super::enrolment::Hold;
use super::play::{Play, Worked};
use super::scene::{Conduct, Ended, Mistake, Scene};
use super::{Run, persona};
use crate::judge::{Effect, Must, Outcome, Seen};
use crate::persona::Persona;
use crate::result::Probe;
use crate::scenario::cast::SIGN_UP;
use crate::scenario::{Errand, ErrandEnd, Part, Scenario};
use crate::secret::Secret;
use crate::table::Factor;

/// A user of a cast: no other case, and no other user of this one, has that name.
fn member(run: &Run, number: usize, name: &str) -> Persona {
    persona(run, &format!("{number}-{name}"))
}

impl Scene {
    /// The user of that name takes the stage. Nothing happens when nobody who waits is called so.
    pub(super) fn call(&mut self, name: &str) {
        if let Some(next) = self.company.iter_mut().find(|persona| persona.name == name) {
            std::mem::swap(&mut self.user, next);
        }
    }

    /// The names of the user and of those who wait.
    pub(super) fn everyone(&self) -> Vec<String> {
        std::iter::once(&self.user).chain(&self.company).map(|persona| persona.name.clone()).collect()
    }
}

impl<'a> Play<'a> {
    /// Brings the cast together. Nobody has signed up yet.
    pub(super) fn assemble(&mut self, scenario: &Scenario) -> Result<(), Mistake> {
        let mut members = scenario.cast.iter().map(|name| member(self.run, self.number, &name.value));
        if let Some(first) = members.next() {
            self.scene.user = first;
        }
        self.scene.company = members.collect();
        for (n, attempt) in scenario.attempts().enumerate() {
            self.take_part(&attempt.part);
            let index = Scenario::surface(attempt, &self.run.stage.dialect).ok_or("an attempt without a surface")?;
            let surface = &self.run.stage.dialect.surfaces[index];
            let object = self.object(surface, n)?;
            self.scene.take_up(object.clone(), BTreeMap::new());
            self.worked.push(Worked::new(surface, object, self.scene));
        }
        Ok(())
    }

    /// Lets the user of a part act, in its mode.
    pub(super) fn take_part(&mut self, part: &Part) {
        if let Some(by) = &part.by {
            let name = member(self.run, self.number, &by.value).name;
            self.scene.call(&name);
            self.scene.web = self.scene.user.key.is_some();
        }
        if let Some(mode) = part.mode {
            self.scene.mode = mode.name().to_owned();
        }
    }

    /// A valid code of another user of the cast, or of the secret that this user has not confirmed.
    pub(super) async fn code_of(&mut self, name: &str) -> Result<Secret, Mistake> {
        let (own, other) = (self.scene.user.name.clone(), member(self.run, self.number, name).name);
        self.scene.call(&other);
        let code = match self.scene.user.ledger {
            Some(_) => self.scene.lasting_code().await.map(Some),
            None => self.scene.pending_code().await,
        };
        self.scene.call(&own);
        code?.ok_or_else(|| format!("`{name}` has no codes"))
    }

    /// Runs a routine between attempts. Where it is not judged, anything but success is returned.
    pub(super) async fn run_errand(&mut self, errand: &Errand) -> Result<Result<Option<(Must, Seen)>, Ended>, Mistake> {
        self.take_part(&errand.part);
        let signs_up = errand.part.by.is_some() && errand.routine.value == SIGN_UP;
        let conduct = if signs_up || errand.end == ErrandEnd::Judged { Conduct::Bare } else { Conduct::Assisted };
        if signs_up {
            self.run.journal_user(&self.case.id, &self.scene.user.name)?;
        }
        let mut ended = self.scene.routine(&errand.routine.value, &conduct).await?;
        // What was answered with success may have done nothing, and what comes after it would be judged by it.
        let user = &self.scene.user;
        let enrols = errand.part.by.is_some() && user.factor() != Factor::None && !user.enrolled;
        let hold = match ended.outcome {
            Outcome::Accepted if enrols => Some(self.scene.look_at_enrolment().await?),
            _ => None,
        };
        if errand.end == ErrandEnd::Judged {
            let exchanges = std::mem::take(&mut self.scene.exchanges);
            let name = errand.part.name_before(&errand.routine.value);
            let effect = match &hold {
                Some(Hold::Seen) => Effect::Applied,
                Some(Hold::Denied(_)) => Effect::NotApplied,
                Some(Hold::Unknown(_)) | None => Effect::None,
            };
            self.probes.push(Probe::new(&name, "none", &ended, effect, exchanges));
            let seen = Seen { outcome: ended.outcome, effect };
            return Ok(Ok(Some((Must::Succeed { proven: false }, seen))));
        }
        if signs_up && ended.outcome == Outcome::Accepted {
            ended = self.prepare_own().await?;
        }
        if ended.outcome != Outcome::Accepted {
            return Ok(Err(ended));
        }
        self.scene.exchanges.clear();
        Ok(Ok(None))
    }

    /// Makes what the attempts of the user on stage work on, as long as nothing is asked of it.
    async fn prepare_own(&mut self) -> Result<Ended, Mistake> {
        for at in 0..self.worked.len() {
            if self.worked[at].by != self.scene.user.name {
                continue;
            }
            let surface = self.worked[at].surface;
            self.scene.take_up(self.worked[at].object.clone(), BTreeMap::new());
            let ended = self.scene.perform(&surface.prepare, &Conduct::Assisted).await?;
            if ended.outcome != Outcome::Accepted {
                return Ok(ended);
            }
            self.worked[at].kept = self.scene.kept();
        }
        Ok(Ended { outcome: Outcome::Accepted, saw: "all is prepared".to_owned() })
    }
}
