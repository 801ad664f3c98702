//! Playing one case: set-up, the probes in their order, and the read-back after each.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use minijinja::Value;

use super::effects::{Before, Reading};
use super::late::{Moment, Undone};
use super::plan::{Case, Script};
use super::scene::{Conduct, Ended, Mistake, Scene};
use super::volley::{Copy, Landed, Load};
use super::{Run, mix};
use crate::dialect::step::Step;
use crate::dialect::{Dialect, Fact, Surface};
use crate::judge::{Asks, Effect, Expectation, Must, Observation, Outcome, Seen, Verdict, judge, worst_first};
use crate::persona::totp::OtpStep;
use crate::result::{ClientSession, Probe, Status, Unsettled, Wait};
use crate::scenario::key::Fetch;
use crate::secret::Secret;
use crate::wire::Exchange;

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
    /// What was known before its probe of what the probe changes.
    pub(super) before: Vec<Before>,
}

impl<'a> Worked<'a> {
    /// One that nothing was done to yet.
    pub(super) fn new(surface: &'a Surface, object: Value, scene: &Scene) -> Self {
        Worked { surface, object, kept: scene.kept(), by: scene.user.name.clone(), before: Vec::new() }
    }
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
    /// Whether it is made with the user's name and password.
    pub basic: bool,
    /// The client whose headers it has.
    pub client: Option<String>,
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
    pub(super) next: usize,
    pub(super) made: usize,
    /// What the next probe is where it is not let through, and is done all the same.
    pub(super) if_done: Option<Verdict>,
    /// The probes to which that may still come.
    pub(super) undone: Vec<Undone>,
    /// The objects on which a probe was let through: what is there since is that one's doing.
    pub(super) worked_on: BTreeSet<usize>,
    /// The reads that have yet to find something.
    pub(super) rests_on: BTreeSet<String>,
    /// What is shown where they do, later in the run.
    pub(super) unsettled: Option<Unsettled>,
    /// Whether no spent proof could be had, so that nothing shows whether one is refused.
    pub(super) unspent: bool,
    /// Why effects could not be read, of probes whose effects archives alone would show.
    elsewhere: Vec<String>,
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
    /// How many attempts of the case others make before.
    pub first: usize,
    /// How its set-up ended, where somebody else saw to that.
    pub(super) prepared: Option<Result<Option<Played>, Mistake>>,
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
    /// What it is where it was not let through, and is done all the same.
    if_done: Option<Verdict>,
    exchanges: Vec<Exchange>,
    /// The route that was answered by "no such route".
    route: Option<String>,
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
            made: 0,
            if_done: None,
            undone: vec![],
            worked_on: BTreeSet::new(),
            rests_on: BTreeSet::new(),
            unsettled: None,
            unspent: false,
            elsewhere: Vec::new(),
            token: None,
            unproven: false,
            withholds: false,
            manner: Manner::default(),
            statements: vec![],
            first: 0,
            prepared: None,
            until: None,
            stops: false,
            shown: vec![],
            verdicts: vec![],
            session: None,
        }
    }

    /// Plays the case to its end.
    pub async fn play(&mut self) -> Result<Played, Mistake> {
        let played = match self.play_out().await {
            Ok(played) => self.with_premise(played).await,
            Err(mistake) => Err(mistake),
        };
        self.settle_probes();
        self.statements.extend(self.scene.unnamed.take());
        played
    }

    async fn play_out(&mut self) -> Result<Played, Mistake> {
        let end = match self.prepared.take() {
            Some(end) => end?,
            None => self.set_up().await?,
        };
        if let Some(end) = end {
            return Ok(end);
        }
        self.scene.exchanges.clear();
        match &self.case.script {
            Script::Row { surface, expectation } => {
                let surface = &self.run.stage.dialect.surfaces[*surface];
                if let Some(seat) = &self.case.seat {
                    return self.sit(seat, surface, *expectation).await;
                }
                let asks = *expectation == Some(Expectation::Challenged);
                self.if_done = asks.then_some(Verdict::EffectBeforeFactor);
                let bare = self.send("bare", "none", Conduct::Bare, None).await?;
                if let Some(reason) = self.scene.elsewhere.take().filter(|_| *bare.outcome() == Outcome::Failed) {
                    return Ok(Played::Inconclusive(reason));
                }
                let bare = self.read_back(bare).await?;
                if surface.where_supported && bare.outcome == Outcome::Refused && !bare.effect.leaked() {
                    return Ok(Played::Judged(vec![Verdict::Unsupported]));
                }
                let mut observation = Observation::bare(bare);
                let challenged = asks && !observation.bare.got_through_unasked();
                let proved = if challenged { self.prove(surface, &mut observation).await } else { Ok(()) };
                // What was seen stands, whatever keeps the rest from being seen.
                let proved = match proved {
                    Ok(()) => self.look_again(Moment::End).await,
                    Err(mistake) => Err(mistake),
                };
                let (factor, unspent) = (self.case.factor, self.unspent);
                let judged = |observation: &Observation| match expectation {
                    Some(expectation) => match judge(*expectation, factor, observation) {
                        // That a spent proof is refused has not been seen.
                        verdicts if unspent && verdicts == [Verdict::Exact] => vec![Verdict::TargetFailed],
                        verdicts => verdicts,
                    },
                    None => unobserved(&observation.bare.outcome).into_iter().collect(),
                };
                let if_found = judged(&observation);
                self.settle(observation.all_mut());
                let verdicts = judged(&observation);
                self.note_unsettled(&verdicts, &if_found);
                let late = self.verdicts.clone();
                let all = if late.is_empty() { verdicts } else { worst_first([verdicts, late].concat()) };
                if proved.is_ok() && all == [Verdict::TargetFailed] && self.is_elsewhere(&mut observation) {
                    return Ok(Played::Inconclusive(self.elsewhere.swap_remove(0)));
                }
                self.stands(all, proved)
            }
            Script::Scenario(scenario) => {
                let played = self.act_out(scenario).await;
                let so_far = self.verdicts_from(0);
                self.look_again(Moment::End).await?;
                let if_found = self.verdicts_from(0);
                let mut shown = std::mem::take(&mut self.shown);
                self.settle(shown.iter_mut().map(|(_, _, seen)| seen));
                self.shown = shown;
                let verdicts = self.verdicts_from(0);
                self.note_unsettled(&verdicts, &if_found);
                match (played, verdicts) {
                    // What came to light since then is judged.
                    (Ok(Played::Judged(_)), verdicts) if verdicts != so_far => Ok(Played::Judged(verdicts)),
                    (played, _) => played,
                }
            }
        }
    }

    /// What was shown, where something came after it that could not be done: a deviation that was seen stands, and may
    /// be why no more can be tried.
    pub(super) fn stands(&mut self, verdicts: Vec<Verdict>, after: Result<(), Mistake>) -> Result<Played, Mistake> {
        match after {
            Err(mistake) if Status::of(&verdicts) != Status::Fail => return Err(mistake),
            Err(mistake) => self.statements.push(format!("what was to come after it could not be tried: {mistake}")),
            Ok(()) => {}
        }
        Ok(Played::Judged(verdicts))
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
        let probe = Probe::new(name, "none", ended, Effect::None, exchanges);
        self.probes.push(Probe { route: self.scene.missing.take(), ..probe });
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
        let Manner { through, bearer, basic, client } = std::mem::take(&mut self.manner);
        self.scene.client = client;
        let (name, if_done) = (name.into(), self.if_done.take());
        let before = self.read_before_next(&surface.effect).await;
        let before = before.inspect_err(|_| self.scene.client = None)?;
        self.next += 1;
        // When the target fails at a read that comes before, there is nothing to compare a read-back with.
        let baseless = matches!(before.outcome, Outcome::Failed | Outcome::Throttled);
        (self.scene.bearer, self.scene.basic) = (bearer, basic);
        let steps = through.unwrap_or(&surface.perform);
        self.scene.acting = Some(at);
        let ended = match conduct {
            _ if baseless => Ok(before),
            Conduct::ByKey => self.by_key(steps).await,
            conduct => self.scene.perform(steps, &conduct).await,
        };
        (self.scene.bearer, self.scene.basic, self.scene.client) = (None, false, None);
        self.scene.acting = None;
        self.worked[at].kept = self.scene.kept();
        let ended = ended?;
        // A slow target may let a code age out under way: its refusal would say nothing of the code, nor of a replay. An
        // answer that is none says as much of the target as ever.
        let refused = match &ended.outcome {
            Outcome::Challenged { .. } | Outcome::Refused | Outcome::NotImplemented => true,
            Outcome::Accepted | Outcome::Throttled | Outcome::Failed => false,
        };
        if refused && step.is_some_and(|step| !self.scene.is_live(step)) {
            return Err(format!("the {proof} aged out before the target answered: {}", ended.saw));
        }
        let (exchanges, route) = (std::mem::take(&mut self.scene.exchanges), self.scene.missing.take());
        Ok(Sent { name, proof, ended, baseless, at, if_done, exchanges, route })
    }

    /// The next probe, which something else than the wire performs: its number and how what comes before it was read.
    pub(super) async fn begin_next(&mut self, facts: &[Fact]) -> Result<(usize, Ended), Mistake> {
        let before = self.read_before_next(facts).await?;
        self.scene.acting = Some(self.next);
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
        let if_done = self.if_done.take();
        let (name, proof) = (name.to_owned(), proof.to_owned());
        Sent { name, proof, ended, baseless: false, at, if_done, exchanges, route: None }
    }

    /// The surface of the next probe.
    pub(super) fn next_surface(&self) -> Option<&'a Surface> {
        self.worked.get(self.next).map(|worked| worked.surface)
    }

    /// Takes up what the next probe works on, and reads what has to be read just before it.
    pub(super) async fn prepare_next(&mut self) -> Result<Ended, Mistake> {
        let Worked { surface, object, kept, .. } = self.worked.get(self.next).ok_or("more probes than objects")?;
        self.scene.take_up(object.clone(), kept.clone());
        self.scene.noting = Some(Vec::new());
        let ended = self.scene.perform(&surface.before, &Conduct::Assisted).await;
        self.scene.noted = self.scene.noting.take().unwrap_or_default();
        ended
    }

    /// Takes up what the next probe works on, reads what has to be read just before it, and what is to be compared with
    /// what is there after it. Where the target gives no usable answer to that, this is how it ended.
    async fn read_before_next(&mut self, facts: &[Fact]) -> Result<Ended, Mistake> {
        let ended = self.prepare_next().await?;
        if matches!(ended.outcome, Outcome::Failed | Outcome::Throttled) {
            return Ok(ended);
        }
        // Read-backs are the checker's own, whose client sends the probe.
        let client = self.scene.client.take();
        let read = self.scene.read_before(facts).await;
        self.scene.client = client;
        let (before, failed) = read?;
        self.worked[self.next].before = before;
        Ok(failed.unwrap_or(ended))
    }

    /// Sends the next probes all at once.
    pub(super) async fn volley(&mut self, probes: Vec<Load>) -> Result<Vec<Sent>, Mistake> {
        let (first, if_done) = (self.next, self.if_done.take());
        for at in first..(first + probes.len()).min(self.worked.len()) {
            let Worked { surface, object, kept, .. } = &self.worked[at];
            self.scene.take_up(object.clone(), kept.clone());
            self.scene.noted.clear();
            // What cannot be read now is not known later.
            (self.worked[at].before, _) = self.scene.read_before(&surface.effect).await?;
        }
        self.next += probes.len();
        let worked = self.worked.get(first..self.next).ok_or("more probes than objects")?;
        let copies = worked.iter().zip(&probes).map(|(worked, load)| Copy {
            surface: worked.surface,
            object: worked.object.clone(),
            kept: worked.kept.clone(),
            carried: load.carried.clone(),
            client: load.client,
        });
        self.scene.acting = Some(first);
        let landed = self.scene.volley(copies.collect()).await;
        self.scene.acting = None;
        let landed = landed?;
        let mut sent = Vec::new();
        for (at, (Landed { ended, kept, exchanges, baseless, route }, load)) in
            (first..).zip(landed.into_iter().zip(probes))
        {
            self.worked[at].kept = kept;
            let name = format!("at once {}", at + 1);
            sent.push(Sent { name, proof: load.words, ended, baseless, at, if_done, exchanges, route });
        }
        Ok(sent)
    }

    /// Reads the effect of a log-in on a page, whose session is fetched in this way: at another address, where there is
    /// one.
    pub(super) async fn collect_session(
        &mut self,
        fetch: &Fetch,
        elsewhere: Option<serde_json::Value>,
        mut sent: Sent,
    ) -> Result<Seen, Mistake> {
        let Worked { object, kept, .. } = &self.worked[sent.at];
        self.scene.take_up(object.clone(), kept.clone());
        if let Some(done) = elsewhere {
            self.scene.kept.insert("done".to_owned(), done);
        }
        let Some(ended) = self.scene.collect_session(fetch).await? else { return self.read_back(sent).await };
        sent.exchanges.append(&mut self.scene.exchanges);
        sent.ended = ended;
        if *sent.outcome() == Outcome::Accepted {
            // What was fetched has been seen to be a session.
            return Ok(self.record(sent, Reading::of(Effect::Applied), true));
        }
        // The page's own session is as it should be, whatever another address or another poll was answered.
        if matches!(fetch, Fetch::AtOnce(_) | Fetch::At(_)) {
            return Ok(self.record(sent, Reading::of(Effect::None), true));
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
        let Worked { surface, object, kept, before, .. } = &self.worked[sent.at];
        let (by_surface, before) = (std::ptr::eq(surface.effect.as_slice(), facts), before.clone());
        self.scene.take_up(object.clone(), kept.clone());
        let mut reading = match sent.baseless {
            true => Reading::of(Effect::Unknown),
            false => self.scene.effect(facts, &before).await?,
        };
        // A registry's reads may lag behind its writes, so that what was answered with success is looked for again, as is
        // what a cache has answered, whatever it was asked.
        for wait in SETTLING {
            let lags = *sent.outcome() == Outcome::Accepted && reading.may_change();
            if !lags && !reading.is_stale() {
                break;
            }
            self.scene.rest(Wait::Settling, wait).await?;
            reading = self.scene.effect(facts, &before).await?;
        }
        if *sent.outcome() == Outcome::Accepted && reading.effect.is_unseen() {
            self.scene.keep_password()?;
        }
        self.scene.replaced_password = None;
        self.worked[sent.at].kept = self.scene.kept();
        sent.exchanges.append(&mut self.scene.exchanges);
        Ok(self.record(sent, reading, by_surface))
    }

    fn record(&mut self, sent: Sent, reading: Reading, by_surface: bool) -> Seen {
        let Reading { effect, detail, rests_on, elsewhere, .. } = reading;
        self.elsewhere.extend(elsewhere);
        if sent.ended.outcome == Outcome::Accepted {
            self.was_worked_on(sent.at);
        }
        if let Some(verdict) = sent.if_done
            && sent.ended.outcome != Outcome::Accepted
            && !effect.leaked()
            && effect != Effect::None
            && !self.worked_on.contains(&sent.at)
        {
            self.undone.push(Undone {
                at: sent.at,
                probe: self.probes.len(),
                verdict,
                mode: self.scene.mode.clone(),
                looked: self.scene.stage.target_time(),
                by_surface,
                is_done: false,
            });
        }
        if matches!(effect, Effect::Unproven | Effect::PartlySeen) {
            self.rests_on.extend(rests_on);
        }
        let mut probe = Probe::new(&sent.name, &sent.proof, &sent.ended, effect, sent.exchanges);
        probe.effect_detail = Some(self.scene.hide(&detail.join("; "))).filter(|detail| !detail.is_empty());
        self.probes.push(Probe { route: sent.route, ..probe });
        Seen { outcome: sent.ended.outcome, effect }
    }

    /// Whether all that keeps the probes from being judged is that their effects are in archives on a host that the
    /// target's file does not name.
    fn is_elsewhere(&self, observation: &mut Observation) -> bool {
        let mut unread = 0;
        let answered = observation.all_mut().all(|seen| {
            unread += usize::from(seen.effect == Effect::Unknown);
            !matches!(seen.outcome, Outcome::Failed | Outcome::Throttled)
        });
        answered && !self.unspent && unread > 0 && unread == self.elsewhere.len()
    }

    /// Something was let through on the object of this number: what is there from now on may be its doing.
    pub(super) fn was_worked_on(&mut self, at: usize) {
        self.worked_on.insert(at);
        self.undone.retain(|undone| undone.at != at);
    }

    /// What the `n`th probe works on: names that nothing else on the target has.
    pub(super) fn object(&self, surface: &Surface, n: usize) -> Result<Value, Mistake> {
        let name = format!("{}-{}-{n}", self.run.prefix, self.number);
        let password = format!("Pw-{:016x}-{n}", mix(self.run.password_seed, &name));
        surface.object_named(&name, n, &self.scene.user.name, &password).map_err(|error| error.to_string())
    }
}
