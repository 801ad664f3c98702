//! Casting: who plays a case, and how the target is left as it was found.
//!
//! Where users can make themselves, every case gets fresh ones. Where an operator handed accounts over, a case is lent
//! one, which goes back once what the case changed has been undone.

use super::journal::Entry;
use super::plan::{Case, Script};
use super::scene::{Conduct, Ended, Mistake, Scene};
use super::stop::Part;
use super::undo::Undone;
use super::{Run, persona};
use crate::accounts::{Loan, Pool, Role};
use crate::judge::Outcome;
use crate::persona::Persona;
use crate::table::{Factor, Mode};

/// How many refused proofs in a row are left standing on an account that goes back: few, for registries lock accounts.
const MANY: u32 = 2;

/// Where a run's personas come from.
#[derive(Debug, Clone)]
pub enum Provisioner {
    /// They sign themselves up.
    SelfService,
    /// They are lent.
    Accounts(Pool),
}

/// Who plays a case.
#[derive(Debug)]
pub(super) struct Cast {
    /// The user under test.
    pub user: Persona,
    /// The other user, where the case needs one.
    pub other: Option<Persona>,
    /// What has to go back.
    pub loans: Vec<Loan>,
}

impl Case {
    /// Whether its users are a cast of its own, who sign themselves up.
    fn has_cast(&self) -> bool {
        matches!(&self.script, Script::Scenario(scenario) if !scenario.cast.is_empty())
    }

    /// Whether another user with a second factor takes part in it.
    fn needs_another(&self) -> bool {
        matches!(&self.script, Script::Scenario(scenario) if scenario.needs_another())
    }

    /// Whether no accounts that are lent can play it.
    pub(super) fn needs_own_users(&self) -> bool {
        self.has_cast() || self.needs_another()
    }
}

impl Provisioner {
    /// Finds the cast of a case, waiting until an account is free. The error says why there is none.
    pub(super) async fn cast(&self, run: &Run, case: &Case, number: usize) -> Result<Cast, String> {
        let dialect = &run.stage.dialect;
        let companion = case.needs_companion(dialect);
        let needs_another = case.needs_another();
        let pool = match self {
            Provisioner::SelfService => {
                let other = (companion || needs_another).then(|| persona(run, &format!("{number}-other")));
                return Ok(Cast { user: persona(run, &number.to_string()), other, loans: vec![] });
            }
            Provisioner::Accounts(pool) => pool,
        };
        if case.has_cast() {
            return Err("it takes users who sign themselves up, and accounts are lent here".to_owned());
        }
        // The companion is always taken first, so that two cases never wait for each other.
        if needs_another {
            return Err("a second user's one-time passwords are needed, and accounts are lent one at a time".to_owned());
        }
        let companion =
            if companion { Some(pool.lend(Mode::Disabled, Factor::None, Role::Companion).await?) } else { None };
        let role = case.leaves_account(dialect).into();
        let lent = pool.lend(case.mode, case.factor, role).await;
        let (other, loan) = companion.unzip();
        match lent {
            Ok((user, first)) => Ok(Cast { user, other, loans: std::iter::once(first).chain(loan).collect() }),
            Err(missing) => {
                if let (Some(other), Some(loan)) = (other, loan) {
                    pool.give_back(other, loan);
                }
                Err(missing)
            }
        }
    }

    /// Brings the cast on stage: signed up, or with a token that works and in the mode that it should be in. Anything
    /// but success is why it cannot play.
    pub(super) async fn enter(&self, scene: &mut Scene) -> Result<Ended, Mistake> {
        let mut ended = self.enter_one(scene).await?;
        if ended.outcome == Outcome::Accepted && matches!(self, Provisioner::Accounts(_)) {
            let in_mode = scene.routine("recognise-mode", &Conduct::Assisted).await?;
            match in_mode.outcome {
                // Where no read shows the mode, the file's word is taken.
                Outcome::Accepted | Outcome::NotImplemented => {}
                // What could not be read says nothing of the file.
                Outcome::Failed | Outcome::Throttled => return Ok(in_mode),
                Outcome::Challenged { .. } | Outcome::Refused => {
                    let name = &scene.user.name;
                    return Err(format!("account {name} is not in the mode that its file says: {}", in_mode.saw));
                }
            }
        }
        if ended.outcome == Outcome::Accepted && scene.other.is_some() {
            scene.change_places();
            let entered = self.enter_one(scene).await;
            scene.change_places();
            ended = entered?;
        }
        Ok(ended)
    }

    /// Sees that who is on stage has a token that works, and no more.
    pub(super) async fn enter_one(&self, scene: &mut Scene) -> Result<Ended, Mistake> {
        match self {
            Provisioner::SelfService => scene.routine("sign-up", &Conduct::Bare).await,
            Provisioner::Accounts(_) => {
                if scene.user.token.is_some() {
                    let known = scene.routine("recognise", &Conduct::Assisted).await?;
                    if known.outcome == Outcome::Accepted {
                        return Ok(known);
                    }
                    scene.user.token = None;
                }
                let ended = scene.routine("log-in", &Conduct::Assisted).await?;
                scene.user.logged_in = ended.outcome == Outcome::Accepted;
                Ok(ended)
            }
        }
    }

    /// Takes the cast back. An account that a case may have used up is lent again only when it is surely as before.
    pub(super) fn release(&self, scene: Scene, loans: Vec<Loan>, as_before: bool) {
        let Provisioner::Accounts(pool) = self else { return };
        let (user, other) = scene.exit();
        let mut loans = loans.into_iter();
        if let Some(loan) = loans.next() {
            // One that is not given back is written off.
            if as_before {
                pool.give_back(user, loan);
            }
        }
        if let (Some(other), Some(loan)) = (other, loans.next()) {
            pool.give_back(other, loan);
        }
    }
}

/// Ends the session of an account that is not lent again, and says so: its entry in the accounts file may be wrong now.
pub(super) async fn written_off(scene: &mut Scene) -> String {
    scene.part = Part::Undo;
    if scene.user.logged_in {
        // It may have ended with the case.
        let _ = scene.routine("log-out", &Conduct::Assisted).await;
    }
    format!("account {} may be locked, or without its authenticator, or have another password or mode", scene.user.name)
}

/// Ends the sessions that the run opened for accounts. Returns those that could not be ended, in words.
pub(super) async fn log_out(run: &Run) -> Vec<String> {
    let mut left = Vec::new();
    let Provisioner::Accounts(pool) = &run.provisioner else { return left };
    for persona in pool.close().into_iter().filter(|persona| persona.logged_in) {
        let name = persona.name.clone();
        let mut scene = Scene::open(&run.stage, persona, "", "log-out").await;
        scene.part = Part::Undo;
        // A case may have ended it already.
        let lives = scene.routine("recognise", &Conduct::Assisted).await;
        if lives.is_ok_and(|ended| ended.outcome == Outcome::Refused) {
            continue;
        }
        match scene.routine("log-out", &Conduct::Assisted).await {
            Ok(Ended { outcome: Outcome::Accepted, .. }) => {}
            Ok(ended) => left.push(format!("a session of {name}: {}", ended.saw)),
            Err(mistake) => left.push(format!("a session of {name}: {mistake}")),
        }
    }
    left
}

/// Undoes what a case made and changed; `None` when there was nothing to undo.
pub(super) async fn clean_up(run: &Run, scene: &mut Scene, case: &str) -> Option<Undone> {
    let journal = run.stage.journal.as_ref()?;
    scene.part = Part::Undo;
    if matches!(run.provisioner, Provisioner::SelfService) && scene.has_undos() {
        for name in scene.everyone() {
            scene.call(&name);
            if scene.user.ledger.is_some() || scene.user.key.is_some() {
                // Without its second factor a user of our own cleans up without waiting for codes. Where that cannot be
                // had, it answers each challenge.
                let _ = scene.routine("step-down", &Conduct::Assisted).await;
            }
        }
    }
    if scene.user.lent && scene.user.refused >= MANY {
        // One that is accepted makes the target forget those that were not. What it shows was judged elsewhere.
        let _ = scene.routine("spend", &Conduct::Assisted).await;
    }
    let undone = scene.undo().await;
    let sessions = scene.end_sessions().await;
    let Some(mut undone) = undone else {
        return (!sessions.is_empty()).then_some(Undone { left: sessions, ..Undone::default() });
    };
    undone.left.extend(sessions);
    let numbers = std::mem::take(&mut scene.made);
    let entry = Entry::Undone { case: case.to_owned(), numbers, left: undone.left.clone() };
    if let Err(unwritten) = journal.write(&entry) {
        undone.left.push(unwritten);
    }
    Some(undone)
}
