//! A walk: one user of the pool performs the acts of a journey, one after the other.
//!
//! Each act is performed by the scene that `check` performs its probes with, so that actions of several requests, their
//! preparations, and values that are read on the way mean here what they mean there.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::act::{Act, Journey, Proof};
use super::book::Book;
use super::company::Company;
use crate::check::scene::{Conduct, Ended, Mistake, Scene, Stage};
use crate::dialect::Surface;
use crate::judge::Outcome;
use crate::load::enrol::MODE;
use crate::load::fate::Fate;
use crate::load::mix::Kind;
use crate::persona::totp::OtpStep;
use crate::secret::Secret;
use crate::wire::{Exchange, FaultKind, Wire};

/// Between two looks at whether a walk is to be given up.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Who could not be served for want of a code or a connection acts again no sooner.
const REST: Duration = Duration::from_millis(10);

/// What all who walk share.
pub(super) struct Ground {
    /// The acts.
    pub journey: Journey,
    /// Where each of them stands in the dialect.
    pub surfaces: Vec<usize>,
    /// The target, and what its walkers have in common.
    pub stage: Stage,
    /// What became of each act.
    pub book: Book,
    /// Who does not walk at the moment.
    pub company: Mutex<Company>,
    /// What the names of everything that is made begin with.
    pub prefix: String,
    /// How many walks have begun.
    pub walks: AtomicU64,
    /// How long an answer is waited for.
    pub patience: Duration,
    /// How often each act was performed.
    pub performed: Vec<AtomicU64>,
}

impl Ground {
    fn company(&self) -> std::sync::MutexGuard<'_, Company> {
        self.company.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The acts that nobody got to.
    pub fn unperformed(&self) -> Vec<String> {
        let acts = self.journey.acts().iter().zip(&self.performed);
        acts.filter(|(_, times)| times.load(Ordering::Relaxed) == 0).map(|(act, _)| act.label()).collect()
    }

    fn surface(&self, act: usize) -> &Surface {
        &self.stage.dialect.surfaces[self.surfaces[act]]
    }

    /// Comes when the run has been over for longer than anything is waited for.
    async fn given_up(&self) {
        while !self.book.is_over_for(self.patience) {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// One request, as goose is told of it.
#[derive(Debug)]
pub(super) struct Told {
    /// The method.
    pub method: String,
    /// What it was for: the same words for all that are alike.
    pub name: String,
    /// How long it took.
    pub took: Duration,
    /// The status of the answer, where there was one.
    pub status: Option<u16>,
    /// Whether it was put on the wire.
    pub was_sent: bool,
}

impl Told {
    fn of(exchange: &Exchange, name: &str) -> Self {
        Told {
            method: exchange.request.split(' ').next().unwrap_or_default().to_owned(),
            name: name.to_owned(),
            took: Duration::from_micros(exchange.elapsed_us),
            status: exchange.status,
            was_sent: exchange.fault_kind.is_none_or(FaultKind::was_sent),
        }
    }

    #[cfg(test)]
    pub fn sent(method: &str, name: &str) -> Self {
        Told { method: method.to_owned(), name: name.to_owned(), took: Duration::ZERO, status: None, was_sent: true }
    }
}

/// What became of an act.
#[derive(Debug)]
pub(super) struct Performed {
    /// What it carried.
    pub kind: Kind,
    /// What it became; none where the run was over before it began, or there was nothing to replay.
    pub fate: Option<Fate>,
    /// Who performed it, by number.
    pub user: u32,
    /// When it began, its preparation over, in nanoseconds from the beginning.
    pub due: u64,
    /// When it had ended.
    pub ended: u64,
    /// How long its requests took, its preparation left out.
    pub served_ns: u64,
    /// The last status; 0 for none.
    pub status: u16,
    /// Whether a valid code was refused after the target had ceased to accept its step.
    pub across_edge: bool,
    /// Whether its user had to wait for his next code first.
    pub waited: bool,
    /// All requests, the preparation's included.
    pub requests: Vec<Told>,
}

impl Performed {
    /// An act that has not begun.
    pub fn nothing(kind: Kind, user: u32, due: u64) -> Self {
        Performed {
            kind,
            fate: None,
            user,
            due,
            ended: due,
            served_ns: 0,
            status: 0,
            across_edge: false,
            waited: false,
            requests: Vec::new(),
        }
    }

    fn end(&mut self, fate: Fate, now: u64) {
        (self.fate, self.ended) = (Some(fate), now);
    }

    /// Takes in what was sent, and returns the last of it.
    fn take(&mut self, scene: &mut Scene, name: &str) -> Option<Exchange> {
        self.requests.extend(scene.exchanges.iter().map(|exchange| Told::of(exchange, name)));
        scene.exchanges.drain(..).next_back()
    }

    /// Takes in what was sent for the act itself.
    fn take_served(&mut self, scene: &mut Scene, name: &str) -> Option<Exchange> {
        let served: u64 = scene.exchanges.iter().map(|exchange| exchange.elapsed_us).sum();
        self.served_ns = self.served_ns.saturating_add(served.saturating_mul(1_000));
        let last = self.take(scene, name);
        self.status = last.as_ref().and_then(|exchange| exchange.status).unwrap_or_default();
        last
    }
}

/// Somebody who walks, over and over: each time as the user whose turn it is.
pub(super) struct Walker {
    stage: Stage,
    walk: Option<Walk>,
}

struct Walk {
    scene: Scene,
    user: u32,
    number: u64,
    /// The last code that was accepted.
    accepted: Option<(Secret, OtpStep)>,
    /// Whether the present act has been begun: all before is preparation.
    has_begun: bool,
}

impl Walker {
    /// Somebody with connections of his own.
    pub fn new(ground: &Ground, wire: Wire) -> Self {
        Walker { stage: Stage { wire, ..ground.stage.clone() }, walk: None }
    }

    /// Performs an act. None where nobody acts any more.
    pub async fn act(&mut self, ground: &Ground, number: usize) -> Option<Performed> {
        if ground.book.is_over_for(Duration::ZERO) {
            return None;
        }
        if number == 0 {
            self.come_home(ground);
        }
        if self.walk.is_none() {
            let (user, persona) = ground.company().send_out()?;
            let scene = Scene::open(&self.stage, persona, MODE, "journey").await;
            let number = ground.walks.fetch_add(1, Ordering::Relaxed);
            self.walk = Some(Walk { scene, user, number, accepted: None, has_begun: false });
        }
        let walk = self.walk.as_mut()?;
        let kind = ground.journey.acts()[number].proof.kind();
        let mut performed = Performed::nothing(kind, walk.user, ground.book.now());
        tokio::select! {
            result = walk.perform(ground, number, &mut performed) => {
                if let Err(mistake) = result {
                    ground.book.mistake(format!("{}: {mistake}", ground.journey.acts()[number].label()));
                    performed.end(Fate::Garbage, ground.book.now());
                }
            }
            // Whoever was still preparing, or waited for a code, has not begun.
            () = ground.given_up() => {
                if walk.has_begun {
                    performed.end(Fate::TimedOut, ground.book.now());
                }
            }
        }
        // What was sent before it was given up was sent all the same.
        performed.take(&mut walk.scene, &ground.journey.acts()[number].action);
        if performed.fate.is_some() {
            ground.performed[number].fetch_add(1, Ordering::Relaxed);
        }
        if performed.fate.is_none_or(|fate| !fate.was_sent()) {
            tokio::time::sleep(REST).await;
        }
        Some(performed)
    }

    /// Ends the walk, and lets its user rest.
    pub fn come_home(&mut self, ground: &Ground) {
        if let Some(Walk { scene, user, .. }) = self.walk.take() {
            let (persona, _) = scene.exit();
            ground.company().take_back(user, persona);
        }
    }
}

impl Walk {
    async fn perform(&mut self, ground: &Ground, number: usize, performed: &mut Performed) -> Result<(), Mistake> {
        let act: &Act = &ground.journey.acts()[number];
        let surface = ground.surface(number);
        self.has_begun = false;
        let scene = &mut self.scene;
        let spends = act.proof.kind().spends();
        if (spends || !surface.prepare.is_empty()) && !await_code(scene, ground, performed).await {
            return Ok(());
        }
        let name = format!("{}-{}-{number}", ground.prefix, self.number);
        let password = scene.user.password.reveal().to_owned();
        let object = surface.object_named(&name, number, &scene.user.name, &password).map_err(|why| why.to_string())?;
        scene.take_up(object.clone(), BTreeMap::new());
        for steps in [&surface.prepare, &surface.before] {
            let ended = scene.perform(steps, &Conduct::Assisted).await?;
            let last = performed.take(scene, &format!("{}, set-up", act.action));
            if ended.outcome != Outcome::Accepted {
                // What was not made says nothing of the act, and least of all that it was let through or refused.
                let fate = match fate(&ended, last.as_ref()) {
                    Fate::Accepted | Fate::Challenged | Fate::Misshapen | Fate::Refused => Fate::ServerError,
                    fate => fate,
                };
                performed.end(fate, ground.book.now());
                return Ok(());
            }
        }
        let kept = scene.kept();
        // The preparation may have spent the code.
        if spends && !await_code(scene, ground, performed).await {
            return Ok(());
        }
        let mut sent = None;
        let mut conduct = match act.proof {
            Proof::None | Proof::Exchange => Conduct::Bare,
            Proof::Wrong => Conduct::Proof(scene.wrong_code()),
            Proof::Right => Conduct::Proof(fresh(scene, &mut sent).await?),
            Proof::Replayed => match self.accepted.take().filter(|(_, step)| scene.is_live(*step)) {
                Some((code, _)) => Conduct::Proof(code),
                // There is nothing to replay where nothing was accepted, or it is too old by now: nobody acts.
                None => return Ok(()),
            },
        };
        performed.due = ground.book.now();
        self.has_begun = true;
        let mut ended = scene.perform(&surface.perform, &conduct).await?;
        let mut last = performed.take_served(scene, &format!("{}, {}", act.action, words(&conduct, act.proof)));
        if act.proof == Proof::Exchange {
            if ended.outcome == Outcome::Accepted {
                // It went through without the proof that it was to be asked for.
                performed.kind = Kind::ChallengeOnly;
            } else if matches!(ended.outcome, Outcome::Challenged { flaw: None, .. }) {
                // Whoever has to wait for his next code after all waits for himself, and not for the target.
                let challenged = ground.book.now();
                self.has_begun = false;
                conduct = Conduct::Proof(fresh(scene, &mut sent).await?);
                self.has_begun = true;
                performed.due += ground.book.now().saturating_sub(challenged);
                scene.take_up(object, kept);
                ended = scene.perform(&surface.perform, &conduct).await?;
                last = performed.take_served(scene, &format!("{}, {}", act.action, words(&conduct, act.proof)));
            }
        }
        let fate = fate(&ended, last.as_ref());
        performed.end(fate, ground.book.now());
        match (fate, sent) {
            (Fate::Accepted, Some(sent)) => self.accepted = Some(sent),
            (Fate::Challenged | Fate::Misshapen | Fate::Refused, Some((_, step))) => {
                performed.across_edge = !scene.is_live(step);
            }
            _ => {}
        }
        Ok(())
    }
}

/// Whether the user has a code that has never been sent.
fn has_code(scene: &Scene, stage: &Stage) -> bool {
    scene.user.ledger.as_ref().is_some_and(|ledger| ledger.has_code(stage.target_time()))
}

/// Waits for a code that has never been sent: a user has one for each 30 seconds, and like anybody who reads it off a phone
/// he waits for the next one. False where the run is over before it comes.
async fn await_code(scene: &Scene, ground: &Ground, performed: &mut Performed) -> bool {
    while !has_code(scene, &ground.stage) {
        if ground.book.is_over_for(Duration::ZERO) {
            return false;
        }
        performed.waited = true;
        tokio::time::sleep(LOOK_EVERY).await;
    }
    true
}

/// A code that has never been sent; which it is, is noted.
async fn fresh(scene: &mut Scene, sent: &mut Option<(Secret, OtpStep)>) -> Result<Secret, Mistake> {
    let code = scene.code().await?;
    *sent = scene.step().map(|step| (code.clone(), step));
    Ok(code)
}

/// What requests with this proof are called among goose's numbers.
fn words(conduct: &Conduct, proof: Proof) -> &'static str {
    match (conduct, proof) {
        (Conduct::Proof(_), Proof::Wrong) => "with a wrong code",
        (Conduct::Proof(_), Proof::Replayed) => "with a spent code",
        (Conduct::Proof(_), Proof::None | Proof::Exchange | Proof::Right) => "with a code",
        (Conduct::ByKey | Conduct::Bare | Conduct::Misplaced(..) | Conduct::Assisted, _) => "without a proof",
    }
}

/// What an act that ended so became.
fn fate(ended: &Ended, last: Option<&Exchange>) -> Fate {
    match &ended.outcome {
        Outcome::Accepted => Fate::Accepted,
        Outcome::Challenged { flaw: None, .. } => Fate::Challenged,
        Outcome::Challenged { flaw: Some(_), .. } => Fate::Misshapen,
        Outcome::Refused => Fate::Refused,
        Outcome::Throttled => Fate::Throttled,
        Outcome::NotImplemented => Fate::NotImplemented,
        Outcome::Failed => match (last.and_then(|exchange| exchange.fault_kind), last.and_then(|last| last.status)) {
            (Some(FaultKind::TimedOut), _) => Fate::TimedOut,
            (Some(FaultKind::NoConnection | FaultKind::Certificate), _) => Fate::Unsent,
            (Some(FaultKind::Unreadable | FaultKind::NotSendable | FaultKind::Page), _) => Fate::Garbage,
            (Some(FaultKind::BrokenOff), _) => Fate::BrokenOff,
            // A success that cannot be read is no error that the target reports.
            (None, Some(200..300)) => Fate::Garbage,
            (None, _) => Fate::ServerError,
        },
    }
}
