//! A scene: one persona on one target, performing steps and keeping every exchange as evidence.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use minijinja::Value;
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};

use super::MOST_STEPS;
use super::journal::Journal;
use super::keyring::{Credentials, Held};
use super::keys::{Given, Offer};
use super::stop::Stop;
use crate::browser::{Browser, Tab};
use crate::client::process::{self, Place};
use crate::clock::{AtWork, Clock, UnixMillis};
use crate::dialect::Dialect;
use crate::dialect::predicate::Answer;
use crate::dialect::step::{Deed, Request, Step};
use crate::dialect::template::json;
use crate::judge::Outcome;
use crate::persona::Persona;
use crate::persona::key::{self, Maker};
use crate::persona::ledger::{Issue, Skew};
use crate::persona::totp::{OtpStep, PERIOD};
use crate::scenario::Carrier;
use crate::scenario::key::Fetch;
use crate::secret::{Secret, SecretKind};
use crate::wire::{Exchange, Outgoing, Wire};

/// What every scene of a run shares.
#[derive(Debug, Clone)]
pub struct Stage {
    /// The target.
    pub wire: Wire,
    /// How it speaks.
    pub dialect: Arc<Dialect>,
    /// The time.
    pub clock: Clock,
    /// The codes that it accepts.
    pub skew: Skew,
    /// Who makes security keys.
    pub maker: Maker,
    /// The browser, once a page has been opened.
    pub browser: Arc<OnceCell<Browser>>,
    /// How far from a step's edge codes are sent.
    pub guard_ms: i64,
    /// How far the target's clock is ahead of ours, in milliseconds.
    pub offset_ms: i64,
    /// Where it is written down what is about to be made; without a journal nothing is undone.
    pub journal: Option<Journal>,
    /// How many scenes may be at work at once.
    pub jobs: Arc<Semaphore>,
    /// How many scenes wait for a new time step.
    pub waiting: Arc<AtomicUsize>,
    /// Whether the run should end early.
    pub stop: Stop,
}

impl Stage {
    /// The present, as the target's clock has it.
    pub fn target_time(&self) -> UnixMillis {
        UnixMillis(self.clock.now().0.saturating_add(self.offset_ms))
    }
}

/// How a command deals with a challenge.
#[derive(Debug, Clone)]
pub enum Conduct {
    /// It lets the persona's security key answer, on a page that asks for a second factor itself.
    ByKey,
    /// It stops there.
    Bare,
    /// It carries this proof from the start.
    Proof(Secret),
    /// It carries this proof where no proof belongs.
    Misplaced(Secret, Carrier),
    /// It answers with a fresh code, as set-up and read-backs do.
    Assisted,
}

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    /// The last answer's meaning.
    pub outcome: Outcome,
    /// What it was, in words.
    pub saw: String,
}

/// What is seen where no step was left to do.
pub(super) const NOTHING_TO_DO: &str = "nothing to do";
/// What is said of a request of which only the answer would have told what it made.
pub(super) const NEVER_READ: &str = "it was sent, and its answer never read; what it made, if anything, is left";

/// A mistake on our side of the wire, or in a file.
pub type Mistake = String;

/// What has to be done so that a step that was sent is as if it had not been.
struct Undo {
    steps: Arc<Vec<Step>>,
    object: Value,
    args: Value,
    kept: BTreeMap<String, serde_json::Value>,
    by: String,
    /// Whether its answer was read.
    answered: bool,
    /// Whether it was a success.
    accepted: bool,
    /// When it was sent, by the target's clock.
    sent: UnixMillis,
}

/// What is known of a request that was to make something.
#[derive(Default)]
struct Known {
    /// Whether its answer was read.
    answered: bool,
    /// Whether it was a success.
    accepted: bool,
}

/// One persona at work.
pub struct Scene {
    pub(super) stage: Stage,
    /// The user.
    pub user: Persona,
    /// The companion without a second factor.
    pub other: Option<Persona>,
    /// The others of a cast, who wait for their turn.
    pub(super) company: Vec<Persona>,
    pub(super) mode: String,
    case: String,
    pub(super) object: Value,
    pub(super) args: Value,
    pub(super) kept: BTreeMap<String, serde_json::Value>,
    pub(super) tick: u32,
    /// When the last request was written, by the target's clock.
    sent: UnixMillis,
    /// Whether the client says that it can open a page.
    pub web: bool,
    /// What a page is given for an assertion.
    pub given: Given,
    /// Whether a page was given one since this was last unset.
    pub(super) presented: bool,
    /// How a security key that is registered does so.
    pub registration: key::Manner,
    /// Whether one was since this was last unset.
    pub(super) registered: bool,
    /// How the proof of a page is fetched.
    pub fetch: Fetch,
    /// The browser's tabs, by the name of the persona who sits there.
    pub(super) tabs: BTreeMap<String, Tab>,
    /// Where the last challenge sends the user.
    pub(super) offered: Option<Offer>,
    /// The proofs that were sent, which an answer may repeat.
    pub(super) carried: Vec<Secret>,
    /// The code that confirmed the last enrolment.
    pub confirmation: Option<Secret>,
    /// The token that is sent in place of the user's own.
    pub(super) bearer: Option<Secret>,
    /// What the answers have shown of the user's secrets, while that is looked for.
    pub(super) shown: Option<Vec<SecretKind>>,
    /// What was sent and received since it was last taken.
    pub exchanges: Vec<Exchange>,
    /// Whether a long wait was cut short, for the run should end.
    pub(super) cut_short: bool,
    undos: Vec<Undo>,
    /// The numbers under which the journal has what is to be undone.
    pub(super) made: Vec<u64>,
    permit: Option<OwnedSemaphorePermit>,
    _at_work: AtWork,
}

impl Scene {
    /// A scene that starts as soon as there is a place for it.
    pub async fn open(stage: &Stage, user: Persona, mode: &str, case: &str) -> Self {
        let permit = Arc::clone(&stage.jobs).acquire_owned().await.ok();
        Scene {
            stage: stage.clone(),
            // Who comes with a key comes with a client that can open its page.
            web: user.key.is_some(),
            user,
            other: None,
            company: Vec::new(),
            mode: mode.to_owned(),
            case: case.to_owned(),
            object: Value::from(()),
            args: Value::from(()),
            kept: BTreeMap::new(),
            tick: 0,
            sent: stage.target_time(),
            fetch: Fetch::Once,
            tabs: BTreeMap::new(),
            given: Given::default(),
            presented: false,
            registration: key::Manner::Right,
            registered: false,
            offered: None,
            carried: Vec::new(),
            confirmation: None,
            bearer: None,
            shown: None,
            exchanges: Vec::new(),
            cut_short: false,
            undos: Vec::new(),
            made: Vec::new(),
            permit,
            _at_work: stage.clock.work(),
        }
    }

    /// Ends the scene and lets its personas go.
    pub fn exit(self) -> (Persona, Option<Persona>) {
        (self.user, self.other)
    }

    /// The companion takes the user's part, and the user the companion's.
    pub fn change_places(&mut self) {
        if let Some(other) = &mut self.other {
            std::mem::swap(&mut self.user, other);
        }
    }

    /// Works on this object from now on, with nothing kept from before.
    pub fn take_up(&mut self, object: Value, kept: BTreeMap<String, serde_json::Value>) {
        self.object = object;
        self.kept = kept;
    }

    /// What has been kept.
    pub fn kept(&self) -> BTreeMap<String, serde_json::Value> {
        self.kept.clone()
    }

    /// A fresh code, after a wait when there has to be one.
    pub async fn code(&mut self) -> Result<Secret, Mistake> {
        loop {
            let now = self.stage.target_time();
            let ledger = self.user.ledger.as_mut().ok_or("a code was needed from a persona without a factor")?;
            match ledger.issue(now) {
                Issue::Code(code) => return Ok(code),
                Issue::WaitUntil(until) => self.rest(now.until(until)).await,
            }
        }
    }

    /// A fresh code of the present step or a later one, which stays valid for the longest time.
    pub async fn lasting_code(&mut self) -> Result<Secret, Mistake> {
        let now = self.stage.target_time();
        if let Some(ledger) = &mut self.user.ledger {
            ledger.skip_to_present(now);
        }
        self.code().await
    }

    /// Waits. Another scene may work meanwhile.
    pub(super) async fn rest(&mut self, long: Duration) {
        self.rest_unless(long, std::future::pending()).await;
    }

    /// Waits unless something else happens before. Whether it waited to the end.
    async fn rest_unless(&mut self, long: Duration, other: impl Future<Output = ()>) -> bool {
        self.permit = None;
        self.stage.waiting.fetch_add(1, Ordering::Relaxed);
        let whole = tokio::select! {
            () = self.stage.clock.wait_until(self.stage.clock.now().after(long)) => true,
            () = other => false,
        };
        self.stage.waiting.fetch_sub(1, Ordering::Relaxed);
        self.permit = Arc::clone(&self.stage.jobs).acquire_owned().await.ok();
        whole
    }

    /// Whether the last code is still of a step that the target accepts, so that its refusal says something.
    pub fn code_is_live(&self) -> bool {
        self.step().is_some_and(|step| self.is_live(step))
    }

    /// Waits for a place among the commands of clients. Who has one may be waiting for a later time.
    pub(super) async fn place(&self) -> Place {
        match process::free_place() {
            Some(place) => Some(place),
            None => self.stage.clock.idle(process::place()).await,
        }
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

    /// The code of a step so far from the present one; none where the target accepts that step by its own skew.
    pub async fn distant_code(&mut self, steps: i64) -> Result<Option<Secret>, Mistake> {
        let edge = self.user.ledger.as_ref().and_then(|ledger| ledger.edge(self.stage.target_time()));
        if let Some(until) = edge {
            self.rest(self.stage.target_time().until(until)).await;
        }
        let ledger = self.user.ledger.as_ref().ok_or("a code was needed from a persona without a factor")?;
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
            self.rest(self.stage.target_time().until(until)).await;
        }
        let now = self.stage.target_time();
        let ledger = self.user.ledger.as_mut().ok_or("a code was needed from a persona without a factor")?;
        Ok(ledger.take(steps, now))
    }

    /// Lets so many steps pass. A wait that is longer than any other of a run ends early with the run.
    pub async fn let_steps_pass(&mut self, steps: u32) -> Result<(), Mistake> {
        let long = Duration::from_secs(u64::from(steps) * PERIOD.unsigned_abs());
        if steps <= MOST_STEPS {
            self.rest(long).await;
            return Ok(());
        }
        let stop = self.stage.stop.clone();
        self.cut_short = !self.rest_unless(long, stop.asked()).await;
        if self.cut_short { Err("interrupted while it waited".to_owned()) } else { Ok(()) }
    }

    /// A wrong code. Of who has no codes, any is.
    pub fn wrong_code(&self) -> Secret {
        match &self.user.ledger {
            Some(ledger) => ledger.wrong(self.stage.target_time()),
            None => Secret::new(SecretKind::OneTimePassword, "271828"),
        }
    }

    /// Runs a routine of the dialect.
    pub async fn routine(&mut self, name: &str, conduct: &Conduct) -> Result<Ended, Mistake> {
        let dialect = Arc::clone(&self.stage.dialect);
        let steps = dialect.routines.get(name).ok_or_else(|| format!("the dialect has no routine `{name}`"))?;
        self.perform(steps, conduct).await
    }

    /// Performs steps until one does not succeed.
    pub async fn perform(&mut self, steps: &[Step], conduct: &Conduct) -> Result<Ended, Mistake> {
        let mut ended = Ended { outcome: Outcome::Accepted, saw: NOTHING_TO_DO.to_owned() };
        for step in steps {
            if let Some(when) = &step.when
                && !when.value(&self.variables(None, false)).map_err(|error| error.to_string())?.is_true()
            {
                continue;
            }
            ended = match &step.deed {
                Deed::Routine { name, with } => {
                    let args = self.fill_all(with)?;
                    let before = std::mem::replace(&mut self.args, args);
                    let ended = Box::pin(self.routine(&name.value, conduct)).await;
                    self.args = before;
                    ended?
                }
                Deed::Request(request) => self.request(request, &step.undo, conduct).await?.0,
                Deed::Key(ceremony) => self.hold_key(ceremony).await?,
                Deed::Browse(page) => self.browse(page, conduct).await?,
            };
            if ended.outcome != Outcome::Accepted {
                break;
            }
        }
        Ok(ended)
    }

    /// Whether there is anything to undo.
    pub fn has_undos(&self) -> bool {
        !self.undos.is_empty()
    }

    /// Undoes everything, the last first. Returns what could not be undone, in words; `None` when there was nothing.
    pub async fn undo(&mut self) -> Option<Vec<String>> {
        let undos = std::mem::take(&mut self.undos);
        if undos.is_empty() {
            return None;
        }
        let mut left = Vec::new();
        for Undo { steps, object, args, kept, by, answered, accepted, sent } in undos.into_iter().rev() {
            self.call(&by);
            self.take_up(object, kept);
            self.args = args;
            match self.perform(&steps, &Conduct::Assisted).await {
                Ok(Ended { saw, .. }) if !answered && saw == NOTHING_TO_DO && self.user.lent => {
                    match self.undo_unread(&steps, sent).await {
                        Ok(true) => {}
                        Ok(false) => left.push(NEVER_READ.to_owned()),
                        Err(mistake) => left.push(mistake),
                    }
                }
                // Where the dialect takes that for an answer, it says so.
                Ok(Ended { outcome: Outcome::NotImplemented, saw }) if accepted => left.push(saw),
                // What was never made is not there to be removed.
                Ok(Ended { outcome: Outcome::Accepted | Outcome::NotImplemented, .. }) => {}
                Ok(ended) => left.push(ended.saw),
                Err(mistake) => left.push(mistake),
            }
        }
        // What undoing it made is not to be undone in turn.
        self.undos.clear();
        Some(left)
    }

    /// Writes a request, and into the journal that it will be sent.
    pub(super) fn compose(
        &mut self,
        step: &Request,
        undo: &[Step],
        carried: Option<&(Secret, Carrier)>,
        entered: Option<&Secret>,
    ) -> Result<Outgoing, Mistake> {
        self.tick += 1;
        self.sent = self.stage.target_time();
        let sent = carried.map(|(proof, _)| proof).into_iter().chain(entered);
        // An empty text would be found everywhere.
        self.carried.extend(sent.filter(|proof| proof.reveal().len() > 3).cloned());
        let real = self.variables(entered, false);
        let shown = self.variables(entered, true);
        let outgoing = self.fill(step, carried, &real, &shown).map_err(|error| error.to_string())?;
        if let Some(journal) = self.stage.journal.as_ref().filter(|_| !undo.is_empty()) {
            let number = journal.making(&outgoing.shown_line(), |number| self.held(number, undo, Known::default()))?;
            self.made.push(number);
        }
        Ok(outgoing)
    }

    /// What it takes to undo what is about to be sent, or what has been answered.
    fn held(&self, number: u64, undo: &[Step], Known { answered, accepted }: Known) -> Held {
        Held {
            number,
            case: self.case.clone(),
            steps: self.stage.dialect.name_of_undoing(undo).unwrap_or_default(),
            answered,
            accepted,
            sent_ms: self.sent.0,
            mode: self.mode.clone(),
            object: json(self.object.clone()),
            args: json(self.args.clone()),
            kept: self.kept.clone(),
            user: Credentials::of(&self.user),
            other: self.other.as_ref().map(Credentials::of),
        }
    }

    /// Holds how the persona is now, before anything is sent that its new credentials decide about: a run that is killed
    /// then has made things which nothing else could remove.
    pub(super) fn hold_changes(&self) -> Result<(), Mistake> {
        self.stage.journal.as_ref().map_or(Ok(()), |journal| journal.changed(&Credentials::of(&self.user)))
    }

    /// Routines that are run from now on read these as `args`.
    pub(super) fn set_args(&mut self, args: Value) {
        self.args = args;
    }

    /// Says what the answer to the last exchange means, and takes from it what the step says.
    pub(super) fn digest(
        &mut self,
        step: &Request,
        undo: &Arc<Vec<Step>>,
        answer: Option<&Answer>,
    ) -> Result<Ended, Mistake> {
        let ended = self.classify(step, answer)?;
        self.learn(step, &ended, answer)?;
        if self.stage.journal.is_some() && !undo.is_empty() {
            if let Some(journal) = &self.stage.journal {
                let known = Known { answered: answer.is_some(), accepted: ended.outcome == Outcome::Accepted };
                let number = journal.made(|number| self.held(number, undo, known))?;
                self.made.push(number);
            }
            let (object, args) = (self.object.clone(), self.args.clone());
            let (kept, by) = (self.kept.clone(), self.user.name.clone());
            let (answered, accepted) = (answer.is_some(), ended.outcome == Outcome::Accepted);
            let sent = self.sent;
            self.undos.push(Undo { steps: Arc::clone(undo), object, args, kept, by, answered, accepted, sent });
        }
        Ok(ended)
    }
}
