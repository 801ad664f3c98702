//! Playing one case: set-up, the probes in their order, and the read-back after each.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use minijinja::Value;

use super::cast::Provisioner;
use super::plan::{Case, Script};
use super::scene::{Conduct, Ended, Mistake, Scene};
use super::volley::{Copy, Landed, Load};
use super::{Run, mix};
use crate::dialect::step::Step;
use crate::dialect::{Dialect, Fact, Surface};
use crate::judge::{Asks, Effect, Expectation, Must, Observation, Outcome, Seen, Verdict, judge};
use crate::persona::key::Maker;
use crate::persona::totp::OtpStep;
use crate::result::{ClientSession, Probe};
use crate::scenario::key::Fetch;
use crate::secret::Secret;
use crate::table::Factor;
use crate::wire::Exchange;
use crate::yaml::Spanned;

/// The waits after which an effect that should be there and is not is looked for again.
const SETTLING: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];

/// What a probe works on, and what was kept on the way.
#[derive(Clone)]
pub(super) struct Worked<'a> {
    pub(super) surface: &'a Surface,
    pub(super) object: Value,
    pub(super) kept: BTreeMap<String, serde_json::Value>,
    /// Whose it is.
    pub(super) by: String,
}

/// How a play ended.
pub(super) enum Played {
    /// All probes that the case needs were sent. A case that is only observed has no verdict.
    Judged(Vec<Verdict>),
    /// What it would show says nothing about this target.
    Inconclusive(String),
    /// The target does not have what it is about.
    Unsupported(Ended),
    /// It did not come to that.
    SetUpFailed(Ended),
}

/// How an attempt is made, where not as its surface says.
#[derive(Default)]
pub(super) struct Manner<'a> {
    /// The steps that perform it.
    pub through: Option<&'a [Step]>,
    /// The token that it is made with.
    pub bearer: Option<Secret>,
}

/// One case being played.
pub(super) struct Play<'a> {
    pub(super) run: &'a Run,
    pub(super) case: &'a Case,
    /// The stage and the cast.
    pub scene: &'a mut Scene,
    pub(super) number: usize,
    /// What was tried.
    pub probes: Vec<Probe>,
    pub(super) worked: Vec<Worked<'a>>,
    next: usize,
    /// Which object each probe was sent for.
    sent_at: Vec<(String, usize)>,
    made: usize,
    /// The last proof that a page has made.
    pub(super) token: Option<Secret>,
    /// Whether an action that had to be challenged for its page went through without a proof.
    pub(super) unproven: bool,
    /// Whether a proof that a page makes is kept back.
    pub(super) withholds: bool,
    /// How the next attempt is made.
    pub manner: Manner<'a>,
    /// What it states beside its verdict.
    pub statements: Vec<String>,
    /// When it ends in any case.
    pub until: Option<Instant>,
    /// Whether a scenario ends at the first act that does not hold, and passes over acts that would say nothing.
    pub stops: bool,
    /// What the judged acts of a scenario had to show and showed, each with the act's number.
    pub shown: Vec<(usize, Must, Seen)>,
    /// What its acts showed that are no attempts.
    pub verdicts: Vec<Verdict>,
    /// What a real client did, where one performs the case.
    pub session: Option<ClientSession>,
}

/// A probe that was sent and whose effect is still to be read.
pub(super) struct Sent {
    name: String,
    proof: String,
    ended: Ended,
    baseless: bool,
    at: usize,
    exchanges: Vec<Exchange>,
}

/// Why an action that is only observed showed nothing, when it did not.
pub(super) fn unobserved(outcome: &Outcome) -> Option<Verdict> {
    match outcome {
        Outcome::NotImplemented => Some(Verdict::Unsupported),
        Outcome::Throttled => Some(Verdict::Throttled),
        Outcome::Failed => Some(Verdict::TargetFailed),
        Outcome::Accepted | Outcome::Challenged { .. } | Outcome::Refused => None,
    }
}

impl Sent {
    /// What it was answered.
    pub(super) fn outcome(&self) -> &Outcome {
        &self.ended.outcome
    }

    /// The last exchange.
    pub(super) fn last(&self) -> Option<&Exchange> {
        self.exchanges.last()
    }

    /// Adds to the evidence.
    pub(super) fn add(&mut self, exchanges: Vec<Exchange>) {
        self.exchanges.extend(exchanges);
    }

    /// Says what the challenge asks for, which was seen on its page only.
    pub(super) fn asks(&mut self, for_what: Asks) {
        if let Outcome::Challenged { asks, .. } = &mut self.ended.outcome {
            *asks = for_what;
        }
    }

    /// How it ended, with the evidence.
    pub(super) fn into_parts(self) -> (Ended, Vec<Exchange>) {
        (self.ended, self.exchanges)
    }
}

impl<'a> Play<'a> {
    /// A play that has not begun.
    pub fn new(run: &'a Run, case: &'a Case, scene: &'a mut Scene, number: usize) -> Self {
        Play {
            run,
            case,
            scene,
            number,
            probes: vec![],
            worked: vec![],
            next: 0,
            sent_at: vec![],
            made: 0,
            token: None,
            unproven: false,
            withholds: false,
            manner: Manner::default(),
            statements: vec![],
            until: None,
            stops: false,
            shown: vec![],
            verdicts: vec![],
            session: None,
        }
    }

    /// Plays the case to its end.
    pub async fn play(&mut self) -> Result<Played, Mistake> {
        if let Some(ended) = self.set_up().await? {
            return Ok(Played::SetUpFailed(ended));
        }
        self.scene.exchanges.clear();
        match &self.case.script {
            Script::Row { surface, expectation } => {
                let surface = &self.run.stage.dialect.surfaces[*surface];
                if let Some(seat) = &self.case.seat {
                    return self.sit(seat, surface, *expectation).await;
                }
                let bare = self.send("bare", "none", Conduct::Bare, None).await?;
                let bare = self.read_back(bare).await?;
                let mut observation = Observation::bare(bare);
                if *expectation == Some(Expectation::Challenged)
                    && (observation.bare.outcome != Outcome::Accepted || observation.bare.effect == Effect::NotApplied)
                {
                    self.prove(surface, &mut observation).await?;
                }
                let verdicts = match expectation {
                    Some(expectation) => judge(*expectation, self.case.factor, &observation),
                    None => unobserved(&observation.bare.outcome).into_iter().collect(),
                };
                Ok(Played::Judged(verdicts))
            }
            Script::Scenario(scenario) => self.act_out(scenario).await,
        }
    }

    /// Brings the cast on stage and makes everything that each probe needs. Anything but success is returned.
    async fn set_up(&mut self) -> Result<Option<Ended>, Mistake> {
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
        let mut ended = self.run.provisioner.enter(self.scene).await?;
        let dialect = &self.run.stage.dialect;
        for index in self.case.surfaces(dialect) {
            if ended.outcome != Outcome::Accepted {
                return Ok(Some(ended));
            }
            // A fresh user has no second factor yet, so nothing is challenged here.
            ended = self.make(&dialect.surfaces[index]).await?;
        }
        if ended.outcome == Outcome::Accepted && fresh {
            ended = self.enrol(self.case.factor).await?.unwrap_or(ended);
        }
        Ok((ended.outcome != Outcome::Accepted).then_some(ended))
    }

    /// Gives the user its second factor. Returns how that ended when there was one to give.
    async fn enrol(&mut self, factor: Factor) -> Result<Option<Ended>, Mistake> {
        let mut ended = None;
        self.scene.web = factor.has_key();
        if matches!(&self.case.script, Script::Scenario(scenario) if scenario.abuses_keys()) {
            self.scene.stage.maker = Maker::Own;
        }
        if factor.has_key() {
            let registered = self.scene.routine("register-key", &Conduct::Assisted).await?;
            // What the target has taken from the key it must know again.
            self.scene.user.confirmed |= registered.outcome == Outcome::Accepted;
            ended = Some(registered);
        }
        if factor.has_codes() && ended.as_ref().is_none_or(|ended| ended.outcome == Outcome::Accepted) {
            // Beside a key codes are a change of what stands.
            ended = Some(self.scene.routine("enrol", &Conduct::Assisted).await?);
        }
        Ok(ended)
    }

    /// Makes one more object for a surface to work on.
    async fn make(&mut self, surface: &'a Surface) -> Result<Ended, Mistake> {
        let object = self.object(surface, self.made)?;
        self.made += 1;
        self.scene.take_up(object.clone(), BTreeMap::new());
        let ended = self.scene.perform(&surface.prepare, &Conduct::Assisted).await?;
        self.worked.push(Worked { surface, object, kept: self.scene.kept(), by: self.scene.user.name.clone() });
        Ok(ended)
    }

    /// Makes the last so many probes as if they had not been sent: their objects are made anew, and what was recorded
    /// of them is dropped. Anything but success is returned.
    pub(super) async fn again(&mut self, probes: usize) -> Result<Option<Ended>, Mistake> {
        self.next -= probes;
        self.probes.truncate(self.probes.len() - probes);
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

    /// Gives the companion a second factor of its own. Anything but success is returned.
    pub(super) async fn enrol_another(&mut self) -> Result<Option<Ended>, Mistake> {
        let web = self.scene.web;
        self.scene.change_places();
        let ended = self.enrol(self.case.factor).await;
        self.scene.change_places();
        self.scene.web = web;
        let ended = ended?;
        self.scene.exchanges.clear();
        Ok(ended.filter(|ended| ended.outcome != Outcome::Accepted))
    }

    /// How many probes were sent.
    pub(super) fn sent(&self) -> usize {
        self.next
    }

    /// Leaves out the attempt that would be next.
    pub(super) fn pass_over(&mut self) {
        self.next += 1;
    }

    /// The dialect.
    pub(super) fn dialect(&self) -> &'a Dialect {
        &self.run.stage.dialect
    }

    /// Records a read that works on nothing.
    pub(super) fn record_read(&mut self, name: &str, ended: &Ended) {
        let exchanges = std::mem::take(&mut self.scene.exchanges);
        self.probes.push(Probe::new(name, "none", ended, Effect::None, exchanges));
    }

    /// Sends the next probe. The step of the code that it carries tells whether its refusal says anything.
    pub(super) async fn send(
        &mut self,
        name: impl Into<String>,
        proof: impl Into<String>,
        conduct: Conduct,
        step: Option<OtpStep>,
    ) -> Result<Sent, Mistake> {
        let (at, proof) = (self.next, proof.into());
        let surface = self.next_surface().ok_or("more probes than objects")?;
        let (name, before) = (name.into(), self.prepare_next().await?);
        self.next += 1;
        self.sent_at.push((name.clone(), at));
        // When the target fails at a read that comes before, there is nothing to compare a read-back with.
        let baseless = matches!(before.outcome, Outcome::Failed | Outcome::Throttled);
        let Manner { through, bearer } = std::mem::take(&mut self.manner);
        self.scene.bearer = bearer;
        let steps = through.unwrap_or(&surface.perform);
        let ended = match conduct {
            _ if baseless => Ok(before),
            Conduct::ByKey => self.by_key(steps).await,
            conduct => self.scene.perform(steps, &conduct).await,
        };
        self.scene.bearer = None;
        self.worked[at].kept = self.scene.kept();
        let ended = ended?;
        // A slow target may let a code age out under way: its refusal would say nothing of the code, nor of a replay.
        if ended.outcome != Outcome::Accepted && step.is_some_and(|step| !self.scene.is_live(step)) {
            return Err(format!("the {proof} aged out before the target answered: {}", ended.saw));
        }
        Ok(Sent { name, proof, ended, baseless, at, exchanges: std::mem::take(&mut self.scene.exchanges) })
    }

    /// The next probe, which something else than the wire performs: its number and how what comes before it was read.
    pub(super) async fn begin_next(&mut self) -> Result<(usize, Ended), Mistake> {
        let before = self.prepare_next().await?;
        self.next += 1;
        Ok((self.next - 1, before))
    }

    /// A probe that something else than the wire has performed.
    pub(super) fn performed(
        &mut self,
        at: usize,
        (name, proof): (&str, &str),
        ended: Ended,
        exchanges: Vec<Exchange>,
    ) -> Sent {
        self.worked[at].kept = self.scene.kept();
        Sent { name: name.to_owned(), proof: proof.to_owned(), ended, baseless: false, at, exchanges }
    }

    /// The surface of the next probe.
    pub(super) fn next_surface(&self) -> Option<&'a Surface> {
        self.worked.get(self.next).map(|worked| worked.surface)
    }

    /// Takes up what the next probe works on, and reads what has to be read just before it.
    pub(super) async fn prepare_next(&mut self) -> Result<Ended, Mistake> {
        let Worked { surface, object, kept, .. } = self.worked.get(self.next).ok_or("more probes than objects")?;
        self.scene.take_up(object.clone(), kept.clone());
        self.scene.perform(&surface.before, &Conduct::Assisted).await
    }

    /// Sends the next probes all at once.
    pub(super) async fn volley(&mut self, probes: Vec<Load>) -> Result<Vec<Sent>, Mistake> {
        let first = self.next;
        self.next += probes.len();
        let worked = self.worked.get(first..self.next).ok_or("more probes than objects")?;
        let copies = worked.iter().zip(&probes).map(|(worked, load)| Copy {
            surface: worked.surface,
            object: worked.object.clone(),
            kept: worked.kept.clone(),
            carried: load.carried.clone(),
            client: load.client,
        });
        let landed = self.scene.volley(copies.collect()).await?;
        let mut sent = Vec::new();
        for (at, (Landed { ended, kept, exchanges }, load)) in (first..).zip(landed.into_iter().zip(probes)) {
            self.worked[at].kept = kept;
            let name = format!("at once {}", at + 1);
            sent.push(Sent { name, proof: load.words, ended, baseless: false, at, exchanges });
        }
        Ok(sent)
    }

    /// Reads the effect of a log-in on a page, whose session is fetched in this way.
    pub(super) async fn collect_session(&mut self, fetch: &Fetch, mut sent: Sent) -> Result<Seen, Mistake> {
        let Worked { object, kept, .. } = &self.worked[sent.at];
        self.scene.take_up(object.clone(), kept.clone());
        let Some(ended) = self.scene.collect_session(fetch).await? else { return self.read_back(sent).await };
        sent.exchanges.append(&mut self.scene.exchanges);
        sent.ended = ended;
        if *sent.outcome() == Outcome::Accepted {
            // What was fetched has been seen to be a session.
            return Ok(self.record(sent, Effect::Applied));
        }
        self.read_back(sent).await
    }

    /// Reads the effect of a probe.
    pub(super) async fn read_back(&mut self, sent: Sent) -> Result<Seen, Mistake> {
        let surface = self.worked[sent.at].surface;
        self.read_back_by(sent, &surface.effect).await
    }

    /// Reads the effect of a probe in these facts.
    pub(super) async fn read_back_by(&mut self, mut sent: Sent, facts: &[Fact]) -> Result<Seen, Mistake> {
        let Worked { object, kept, .. } = &self.worked[sent.at];
        self.scene.take_up(object.clone(), kept.clone());
        let mut effect = if sent.baseless { Effect::Unknown } else { self.scene.effect(facts).await? };
        // A registry's reads may lag behind its writes, so that what was answered with success is looked for again.
        for wait in SETTLING {
            if *sent.outcome() != Outcome::Accepted || !matches!(effect, Effect::NotApplied | Effect::Partial) {
                break;
            }
            self.scene.rest(wait).await;
            effect = self.scene.effect(facts).await?;
        }
        self.worked[sent.at].kept = self.scene.kept();
        sent.exchanges.append(&mut self.scene.exchanges);
        Ok(self.record(sent, effect))
    }

    /// Reads the effect of an earlier probe once more, and keeps what it shows when that is more than was seen before.
    pub(super) async fn read_late(&mut self, name: &str, seen: &mut Seen) -> Result<(), Mistake> {
        let Some(at) = self.sent_at.iter().rfind(|(known, _)| known == name).map(|(_, at)| *at) else { return Ok(()) };
        let Worked { surface, object, kept, .. } = self.worked.get(at).ok_or("more probes than objects")?;
        self.scene.take_up(object.clone(), kept.clone());
        let effect = self.scene.effect(&surface.effect).await?;
        let exchanges = std::mem::take(&mut self.scene.exchanges);
        if !effect.leaked() {
            return Ok(());
        }
        self.worked[at].kept = self.scene.kept();
        seen.effect = effect;
        if let Some(probe) = self.probes.iter_mut().rfind(|probe| probe.name == name) {
            probe.effect = effect;
            probe.outcome.push_str("; the effect came later, and was seen just before the right proof");
            probe.exchanges.extend(exchanges);
        }
        Ok(())
    }

    fn record(&mut self, sent: Sent, effect: Effect) -> Seen {
        self.probes.push(Probe::new(&sent.name, &sent.proof, &sent.ended, effect, sent.exchanges));
        Seen { outcome: sent.ended.outcome, effect }
    }

    /// What the `n`th probe works on: names that nothing else on the target has.
    pub(super) fn object(&self, surface: &Surface, n: usize) -> Result<Value, Mistake> {
        let name = format!("{}-{}-{n}", self.run.prefix, self.number);
        let password = format!("Pw-{:016x}-{n}", mix(self.run.password_seed, &name));
        surface.object_named(&name, n, &self.scene.user.name, &password).map_err(|error| error.to_string())
    }
}
