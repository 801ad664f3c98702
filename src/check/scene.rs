//! A scene: one persona on one target, performing steps and keeping every exchange as evidence.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use minijinja::Value;
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};

use super::effects::Proven;
use super::journal::Journal;
use super::keyring::{Credentials, Held};
use super::keys::{Given, Offer};
use super::mix;
use super::routes::RouteBook;
use super::stop::{Part, Stop};
use super::undo::{Undo, may_land};
use super::waits::Waits;
use crate::browser::{Browser, Tab};
use crate::client::process::{self, Place};
use crate::clock::{AtWork, Clock, UnixMillis};
use crate::dialect::Dialect;
use crate::dialect::headers::Command;
use crate::dialect::predicate::Answer;
use crate::dialect::step::{Deed, Request, Step};
use crate::dialect::template::json;
use crate::judge::Outcome;
use crate::persona::Persona;
use crate::persona::key::{self, Maker};
use crate::persona::ledger::Skew;
use crate::persona::totp::OtpStep;
use crate::result::Wait;
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
    /// What was seen of its routes.
    pub routes: Arc<RouteBook>,
    /// How far from a step's edge codes are sent.
    pub guard_ms: i64,
    /// How far the target's clock is ahead of ours, in milliseconds.
    pub offset_ms: i64,
    /// Where it is written down what is about to be made; without a journal nothing is undone.
    pub journal: Option<Journal>,
    /// The reads that have found something in this run.
    pub proven: Proven,
    /// How many scenes may be at work at once.
    pub jobs: Arc<Semaphore>,
    /// What its scenes wait for.
    pub waits: Waits,
    /// Whether users cost nothing and time does: what takes several codes of one user is then spread over several.
    pub spread: bool,
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
#[derive(Debug, Clone)]
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

/// Why a request could not be written.
#[derive(Debug)]
pub(super) enum Unwritten {
    /// The answers before it are not such that it could be, in words.
    Lacks(String),
    /// There is a mistake on our side.
    Mistake(Mistake),
}

impl From<Mistake> for Unwritten {
    fn from(mistake: Mistake) -> Self {
        Unwritten::Mistake(mistake)
    }
}

impl From<Unwritten> for Mistake {
    fn from(unwritten: Unwritten) -> Self {
        match unwritten {
            Unwritten::Lacks(words) | Unwritten::Mistake(words) => words,
        }
    }
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
    /// The password that the last answer has replaced.
    pub(super) replaced_password: Option<Secret>,
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
    /// The code that confirmed the last enrolment, and its step.
    pub(super) confirmation: Option<(Secret, Option<OtpStep>)>,
    /// The token that is sent in place of the user's own.
    pub(super) bearer: Option<Secret>,
    /// Whether the user's name and password are sent in place of the token.
    pub(super) basic: bool,
    /// The client that is imitated, where it is another than the dialect's own.
    pub(super) client: Option<String>,
    /// The command that the last request belongs to.
    pub(super) command: Option<String>,
    /// What the answers have shown of the user's secrets, while that is looked for.
    pub(super) shown: Option<Vec<SecretKind>>,
    /// What was sent and received since it was last taken.
    pub exchanges: Vec<Exchange>,
    /// The number of the object of the probe that is being sent.
    pub(super) acting: Option<usize>,
    /// Where the last request went.
    pub(super) place: String,
    /// Whether requests ask past caches, as read-backs do.
    pub(super) past_caches: bool,
    /// Reads that succeed are noted here, by their names in the dialect.
    pub(super) noting: Option<Vec<(String, Answer)>>,
    /// Those that came before the next probe.
    pub(super) noted: Vec<(String, Answer)>,
    /// Why the last archive that was asked for was not fetched, where it lies elsewhere.
    pub(super) elsewhere: Option<String>,
    /// Whether any is on a host that the target file does not name, in words.
    pub(super) unnamed: Option<String>,
    /// Where undoing has looked for what to undo, and whether it was there.
    pub(super) looked: Vec<(String, bool)>,
    /// The route of the last request, where that was answered by "no such route".
    pub(super) missing: Option<String>,
    /// Why it was ended before it was done, where the run should end.
    pub(super) cut_short: Option<Mistake>,
    pub(super) undos: Vec<Undo>,
    /// The numbers under which the journal has what is to be undone.
    pub(super) made: Vec<u64>,
    /// Whether recovery codes may be spent on what is not judged; they are not where something else may need them.
    pub(super) spares_recovery_codes: bool,
    /// What it has waited for so far, in all.
    pub(super) waited: BTreeMap<Wait, Duration>,
    /// What is done now.
    pub(super) part: Part,
    working: Option<Working>,
    at_work: Option<AtWork>,
}

/// A place among the scenes at work.
struct Working {
    _permit: Option<OwnedSemaphorePermit>,
    waits: Waits,
    clock: Clock,
}

impl Working {
    async fn begin(stage: &Stage) -> Self {
        let _permit = Arc::clone(&stage.jobs).acquire_owned().await.ok();
        stage.waits.begin_work(stage.clock.now());
        Working { _permit, waits: stage.waits.clone(), clock: stage.clock.clone() }
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        // After a panic the times are wrong, and nothing else is.
        if !std::thread::panicking() {
            self.waits.end_work(self.clock.now());
        }
    }
}

impl Scene {
    /// A scene that starts as soon as there is a place for it.
    pub async fn open(stage: &Stage, user: Persona, mode: &str, case: &str) -> Self {
        let working = Working::begin(stage).await;
        let mut scene = Scene::idle(stage, user, mode, case);
        (scene.working, scene.at_work) = (Some(working), Some(stage.clock.work()));
        scene
    }

    /// A scene that has not begun.
    fn idle(stage: &Stage, user: Persona, mode: &str, case: &str) -> Self {
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
            basic: false,
            client: None,
            command: None,
            shown: None,
            exchanges: Vec::new(),
            acting: None,
            place: String::new(),
            past_caches: false,
            noting: None,
            noted: Vec::new(),
            elsewhere: None,
            unnamed: None,
            looked: Vec::new(),
            missing: None,
            replaced_password: None,
            cut_short: None,
            undos: Vec::new(),
            made: Vec::new(),
            spares_recovery_codes: false,
            waited: BTreeMap::new(),
            part: Part::Play,
            working: None,
            at_work: None,
        }
    }

    /// Another scene of the same user, which begins when it is handed over to.
    pub(super) fn beside(&self, case: &str) -> Self {
        let nobody = Persona::new(self.user.name.clone(), self.user.password.clone());
        Scene::idle(&self.stage, nobody, &self.mode, case)
    }

    /// Lets the user go on in another scene of theirs, with the companion or without. This one waits meanwhile.
    pub(super) async fn hand_over_to(&mut self, next: &mut Scene, with_companion: bool) {
        // Simulated time stands still meanwhile.
        let _still = self.stage.clock.work();
        (self.working, self.at_work) = (None, None);
        next.at_work = Some(next.stage.clock.work());
        next.working = Some(Working::begin(&next.stage).await);
        std::mem::swap(&mut self.user, &mut next.user);
        if with_companion {
            std::mem::swap(&mut self.other, &mut next.other);
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

    /// Waits. Another scene may work meanwhile. A run that should end early does not wait.
    pub(super) async fn rest(&mut self, kind: Wait, long: Duration) -> Result<(), Mistake> {
        let began = self.stage.clock.now();
        let until = began.after(long);
        self.working = None;
        self.stage.waits.begin(kind, began);
        let whole = self.waits_until(until).await;
        let now = self.stage.clock.now();
        self.stage.waits.end(kind, began, now);
        *self.waited.entry(kind).or_default() += began.until(now);
        self.working = Some(Working::begin(&self.stage).await);
        if whole { Ok(()) } else { Err(self.ended_early("while it waited")) }
    }

    /// Whether it waited to the end.
    async fn waits_until(&self, until: UnixMillis) -> bool {
        let (clock, stop) = (&self.stage.clock, &self.stage.stop);
        if stop.cause(clock.now()).is_none() {
            let first = stop.from().map_or(until, |from| from.min(until));
            tokio::select! {
                () = clock.wait_until(first) => {}
                () = stop.interrupted() => {}
            }
        }
        let now = clock.now();
        match (self.part, stop.until(self.part, now)) {
            _ if now >= until => true,
            // What is undone in time is.
            (Part::Undo, Some(end)) if until <= end => {
                clock.wait_until(until).await;
                true
            }
            (Part::Play | Part::Undo, _) => false,
        }
    }

    /// Notes that it has not done all that it was to do, for the run should end early.
    fn ended_early(&mut self, when: &str) -> Mistake {
        let cause = self.stage.stop.cause(self.stage.clock.now()).map(|cause| format!("{} ", cause.words()));
        let why = format!("{}{when}", cause.unwrap_or_default());
        self.cut_short.get_or_insert(why).clone()
    }

    /// Waits for a place among the commands of clients. Who has one may be waiting for a later time.
    pub(super) async fn place(&self) -> Place {
        match process::free_place() {
            Some(place) => Some(place),
            None => self.stage.clock.idle(process::place()).await,
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

    /// Writes a request, and into the journal that it will be sent.
    pub(super) fn compose(
        &mut self,
        step: &Request,
        undo: &[Step],
        carried: Option<&(Secret, Carrier)>,
        entered: Option<&Secret>,
    ) -> Result<Outgoing, Unwritten> {
        let now = self.stage.clock.now();
        if self.stage.stop.until(self.part, now).is_some_and(|end| now > end) {
            return Err(self.ended_early("before it was done").into());
        }
        self.tick += 1;
        self.sent = self.stage.target_time();
        let sent = carried.map(|(proof, _)| proof).into_iter().chain(entered);
        // An empty text would be found everywhere.
        self.carried.extend(sent.filter(|proof| proof.reveal().len() > 3).cloned());
        if let Some(Command::Named(name)) = &step.command {
            self.command = Some(name.clone());
        }
        // What npm 6 and its like say of a whole command.
        let session = format!("{:016x}", mix(0, &self.object.to_string()));
        let written =
            |variables| minijinja::context! { session => session.clone(), proven => carried.is_some(), ..variables };
        let real = written(self.variables(entered, false));
        let shown = written(self.variables(entered, true));
        let outgoing = self.fill(step, carried, &real, &shown).map_err(|unfilled| match &unfilled.answers {
            Some(why) => {
                let line = &step.line;
                let place = line.place.text(&shown).map_or_else(|_| line.place.to_string(), |place| self.hide(&place));
                let method = line.method.name();
                Unwritten::Lacks(format!("{method} {place} was not sent: {why}"))
            }
            None => Unwritten::Mistake(unfilled.to_string()),
        })?;
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
            let (sent, may_land, probe) = (self.sent, may_land(self.exchanges.last()), self.acting);
            let steps = Arc::clone(undo);
            self.undos.push(Undo { steps, object, args, kept, by, answered, accepted, may_land, sent, probe });
        }
        Ok(ended)
    }
}
