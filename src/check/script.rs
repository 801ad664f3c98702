//! Acting a scenario out: its acts one after the other, each attempt with its proof, and what lies between them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::Run;
use super::asking::PATIENCE;
use super::guess::retry_after;
use super::odd;
use super::play::{Manner, Play, Played};
use super::proofs::Found;
use super::scene::{Conduct, Mistake};
use super::volley::Load;
use crate::dialect::LeavesAccount;
use crate::judge::{self, Must, Outcome, Seen, Verdict, judge_attempts};
use crate::persona::totp::OtpStep;
use crate::result::{Probe, Status, Wait};
use crate::scenario::{
    self, Act, Attempt, BASIC, COMPANION, Carrier, Client, Errand, ErrandEnd, Proof, Race, Scenario,
};
use crate::secret::{Secret, SecretKind};
use crate::table::Level;

/// The most volleys of one race, where they cost little and where each takes half a minute.
const MOST_VOLLEYS: u32 = 20;
const FEW_VOLLEYS: u32 = 3;

/// A proof that an earlier act has had.
pub(super) struct Had {
    pub(super) proof: Secret,
    /// The step of a code.
    pub(super) step: Option<OtpStep>,
    /// Whether what carried it was accepted. One that was not is not spent, so sending it again says nothing.
    pub(super) spent: bool,
}

/// What earlier acts have left for later ones.
#[derive(Default)]
pub(super) struct Left {
    /// Proofs that were had, under the names by which they can be sent again.
    pub(super) proofs: BTreeMap<String, Had>,
    /// What routines kept, under the names by which it is used again.
    pub(super) kept: BTreeMap<String, BTreeMap<String, serde_json::Value>>,
}

impl<'a> Play<'a> {
    /// Plays a scenario to its end.
    pub(super) async fn act_out(&mut self, scenario: &'a Scenario) -> Result<Played, Mistake> {
        if scenario.needs_another()
            && let Some(end) = self.enrol_another().await?
        {
            return Ok(end);
        }
        let mut left = Left::default();
        if let Some((proof, step)) = self.scene.confirmation.clone() {
            left.proofs.insert("enrolment".to_owned(), Had { proof, step, spent: true });
        }
        for (number, act) in scenario.acts.iter().enumerate() {
            if self.until.is_some_and(|until| Instant::now() > until) {
                return Err("the time for it was over".to_owned());
            }
            let before = self.shown.len();
            let end = match self.act(number, act, &mut left).await {
                Ok(None) => None,
                Ok(Some(end)) => Some(Ok(end)),
                Err(mistake) => Some(Err(mistake)),
            };
            // What a later act cannot say takes nothing from what earlier ones have shown, which may be why.
            match end {
                Some(end) if self.verdicts_from(0) == [Verdict::Exact] => return end,
                Some(end) => {
                    self.state_end(end);
                    break;
                }
                None => {}
            }
            // What does not answer is waited for once, and on what did not come to pass nothing is built.
            let ended = self.shown[before..].iter().any(|(_, must, seen)| must.ends(seen));
            if ended || self.has_spoiled(act, before) || (self.stops && self.verdicts_from(before) != [Verdict::Exact])
            {
                break;
            }
        }
        Ok(Played::Judged(self.verdicts_from(0)))
    }

    /// States why no more acts could be played, and keeps the evidence.
    fn state_end(&mut self, end: Result<Played, Mistake>) {
        let why = match end {
            Ok(Played::Judged(_)) => return,
            Ok(Played::Inconclusive(reason)) => reason,
            Ok(Played::Unsupported(ended) | Played::SetUpFailed(ended)) => {
                let exchanges = std::mem::take(&mut self.scene.exchanges);
                self.probes.push(Probe::set_up(&ended, exchanges));
                ended.saw
            }
            Err(mistake) => mistake,
        };
        self.statements.push(format!("what was to come after it could not be tried: {why}"));
    }

    /// Whether an act that must not get through has, and changed the account: nothing that follows says what it would have
    /// said.
    fn has_spoiled(&self, act: &Act, before: usize) -> bool {
        let Act::Attempt(attempt) = act else { return false };
        let surface = Scenario::surface(attempt, self.dialect()).map(|at| &self.dialect().surfaces[at]);
        let is_through = |seen: &Seen| seen.outcome == Outcome::Accepted || seen.effect.leaked();
        surface.is_some_and(|surface| surface.leaves_account != LeavesAccount::AsItWas)
            && self.shown[before..].iter().any(|(_, must, seen)| must.forbids() && is_through(seen))
    }

    /// What the attempts from this one on show, with what the acts between them have shown so far.
    pub(super) fn verdicts_from(&self, first: usize) -> Vec<Verdict> {
        let attempts: Vec<(Must, Seen)> =
            self.shown[first..].iter().map(|(_, must, seen)| (*must, seen.clone())).collect();
        judge::worst_first([judge_attempts(&attempts), self.verdicts.clone()].concat())
    }

    /// Plays one act. What ends the scenario is returned.
    async fn act(&mut self, number: usize, act: &'a Act, left: &mut Left) -> Result<Option<Played>, Mistake> {
        match act {
            Act::Wait(steps) => self.scene.let_steps_pass(*steps).await?,
            Act::Run(errand) => return self.errand(number, errand, left).await,
            Act::Guess(guess) => match self.guess(guess).await? {
                Ok(verdicts) => self.verdicts.extend(verdicts),
                Err(reason) => return Ok(Some(Played::Inconclusive(reason))),
            },
            Act::AtOnce(race) => match self.race(race, left).await? {
                Ok(seen) => self.shown.extend(seen.into_iter().map(|(must, seen)| (number, must, seen))),
                Err(end) => return Ok(Some(end)),
            },
            Act::Attempt(attempt) if matches!(attempt.proof, Proof::Key(_) | Proof::Fetched(_)) => {
                return match attempt.confidence {
                    Some(percent) => Box::pin(self.until_sure(number, attempt, percent, left)).await,
                    None => Box::pin(self.attempt_by_key(number, attempt, left)).await,
                };
            }
            Act::Attempt(attempt) => {
                self.take_part(&attempt.part);
                for _ in 0..attempt.times {
                    if let Some(end) = self.one_attempt(number, attempt, left).await? {
                        return Ok(Some(end));
                    }
                }
            }
        }
        Ok(None)
    }

    async fn errand(&mut self, number: usize, errand: &Errand, left: &mut Left) -> Result<Option<Played>, Mistake> {
        let kept = errand.with.as_ref().and_then(|name| left.kept.get(&name.value)).cloned().unwrap_or_default();
        self.scene.take_up(minijinja::Value::from(()), kept);
        match errand.end {
            ErrandEnd::Succeed | ErrandEnd::Judged => match self.run_errand(errand).await? {
                Ok(Some((must, seen))) => self.shown.push((number, must, seen)),
                Ok(None) => {}
                Err(ended) => return Ok(Some(Played::SetUpFailed(ended))),
            },
            ErrandEnd::BeUnderstood => {
                if let Some(end) = self.understood(errand).await? {
                    return Ok(Some(end));
                }
            }
            ErrandEnd::SucceedWhereSupported | ErrandEnd::Any | ErrandEnd::ShowNoSecret => {
                if let Some(end) = self.try_errand(errand).await? {
                    return Ok(Some(end));
                }
            }
        }
        if let Some(name) = &errand.name {
            left.kept.insert(name.clone(), self.scene.kept());
            if let Some((proof, step)) = self.scene.confirmation.clone() {
                left.proofs.insert(name.clone(), Had { proof, step, spent: true });
            }
        }
        Ok(None)
    }

    /// Runs a routine that may be refused. What ends the scenario is returned.
    async fn try_errand(&mut self, errand: &Errand) -> Result<Option<Played>, Mistake> {
        self.take_part(&errand.part);
        self.scene.shown = (errand.end == ErrandEnd::ShowNoSecret).then(Vec::new);
        let ended = self.scene.routine(&errand.routine.value, &Conduct::Assisted).await;
        let shown = self.scene.shown.take().unwrap_or_default();
        let ended = ended?;
        let supported = errand.end != ErrandEnd::SucceedWhereSupported;
        match &ended.outcome {
            Outcome::Failed | Outcome::Throttled => return Ok(Some(Played::SetUpFailed(ended))),
            // A read that is not there shows nothing; of what else is not there nothing that comes after it speaks.
            Outcome::NotImplemented if errand.end != ErrandEnd::ShowNoSecret => {
                return Ok(Some(Played::Unsupported(ended)));
            }
            Outcome::Refused if !supported => return Ok(Some(Played::Unsupported(ended))),
            Outcome::Challenged { .. } if !supported => return Ok(Some(Played::SetUpFailed(ended))),
            Outcome::Accepted | Outcome::Refused | Outcome::NotImplemented | Outcome::Challenged { .. } => {}
        }
        if errand.end == ErrandEnd::ShowNoSecret {
            let name = errand.part.name_before(&errand.routine.value);
            self.record_read(&name, &ended);
            if !shown.is_empty() {
                let kinds: Vec<&str> = shown.iter().map(|kind| kind.placeholder()).collect();
                self.statements.push(format!("{name} shows {}", kinds.join(" and ")));
                self.verdicts.push(Verdict::SecretShown);
            }
        }
        self.scene.exchanges.clear();
        Ok(None)
    }

    /// Makes attempts at once, all copies of one with the same proof, as often as the confidence needs. What the last
    /// volley showed is returned, for those before it were clean.
    async fn race(&mut self, race: &Race, left: &Left) -> Result<Result<Vec<(Must, Seen)>, Played>, Mistake> {
        let wanted = race.confidence.map_or(1, judge::volleys_for);
        let bound = self.most_volleys();
        let copies: usize = race.attempts.iter().map(|attempt| attempt.times as usize).sum();
        let (mut volleys, mut rests, mut clean) = (0, 0, Vec::new());
        loop {
            let seen = match self.at_once(&race.attempts, volleys, left).await? {
                Ok(seen) => seen,
                // What was clean so far is worth less than was sought, and still something.
                Err(Played::Inconclusive(_)) if volleys > 0 => break,
                Err(end) => return Ok(Err(end)),
            };
            let verdicts = judge_attempts(&seen);
            if volleys > 0 && verdicts == [Verdict::Throttled] {
                let wait = self.patience_asked_for(copies).filter(|_| rests < volleys);
                let Some(wait) = wait else {
                    // It stops listening to so many proofs: what was clean so far stands.
                    break;
                };
                self.scene.rest(Wait::RetryAfter, wait).await?;
                rests = volleys;
                if let Some(ended) = self.again(copies).await? {
                    return Ok(Err(Played::SetUpFailed(ended)));
                }
                continue;
            }
            (volleys, clean) = (volleys + 1, seen);
            if verdicts != [Verdict::Exact] || volleys >= wanted.min(bound) {
                break;
            }
            if let Some(ended) = self.again(copies).await? {
                return Ok(Err(Played::SetUpFailed(ended)));
            }
        }
        if race.confidence.is_some() {
            self.state_confidence(volleys, copies, wanted);
        }
        Ok(Ok(clean))
    }

    /// How long the target asks, in answers to the last so many probes, to be left alone, where that is not too long.
    fn patience_asked_for(&self, probes: usize) -> Option<Duration> {
        let last = self.probes.iter().rev().take(probes).flat_map(|probe| &probe.exchanges);
        let longest = last.filter_map(|exchange| retry_after(Some(exchange))).max()?;
        Some(Duration::from_secs(longest)).filter(|wait| *wait <= PATIENCE)
    }

    /// The most volleys of one race: each needs a code of its own, which on a real clock takes a step to come.
    pub(super) fn most_volleys(&self) -> u32 {
        most_volleys(self.run)
    }

    /// States how sure it is that so many volleys, of those that were sought, would have shown a race.
    pub(super) fn state_confidence(&mut self, volleys: u32, copies: usize, wanted: u32) {
        self.statements.push(told_confidence(volleys, copies, wanted, self.most_volleys()));
    }

    /// One volley. The error is the scenario's end, as it says nothing.
    async fn at_once(
        &mut self,
        together: &[Attempt],
        volley: u32,
        left: &Left,
    ) -> Result<Result<Vec<(Must, Seen)>, Played>, Mistake> {
        let (mut conducts, mut live) = (Vec::new(), None);
        for attempt in together {
            let (proof, step) = match self.find(attempt, volley, left).await? {
                Found::Proof(proof, step) => (proof, step),
                Found::PassedOver(reason) => return Ok(Err(Played::Inconclusive(reason.to_owned()))),
                Found::Nothing(reason) => return Ok(Err(Played::Inconclusive(reason))),
                Found::Withheld(ended) => return Ok(Err(Played::SetUpFailed(ended))),
            };
            live = live.or(step);
            for _ in 0..attempt.times {
                let carried = proof.clone().map(|proof| (proof, attempt.carried.clone()));
                conducts.push(Load { words: attempt.proof.words(), carried, client: attempt.client });
            }
        }
        // All copies are of one kind.
        self.if_done = together.first().and_then(|attempt| self.must(attempt).if_done());
        let landed = self.volley(conducts).await?;
        // One that got no usable answer is the target's, however old the code was by then.
        if let Some(step) = live
            && landed.iter().all(|sent| !matches!(sent.outcome(), Outcome::Accepted | Outcome::Failed))
            && !self.scene.is_live(step)
        {
            return Ok(Err(Played::Inconclusive("the code aged out before the target answered".to_owned())));
        }
        let musts: Vec<Must> =
            together.iter().flat_map(|attempt| vec![self.must(attempt); attempt.times as usize]).collect();
        let mut seen = Vec::new();
        for (must, sent) in musts.into_iter().zip(landed) {
            match self.read_back(sent).await {
                Ok(shown) => seen.push((must, shown)),
                // Two copies that got through are two, whatever became of the others.
                Err(mistake) if Status::of(&judge_attempts(&seen)) == Status::Fail => {
                    self.statements.push(format!("what became of the other copies could not be read: {mistake}"));
                    break;
                }
                Err(mistake) => return Err(mistake),
            }
        }
        Ok(Ok(seen))
    }

    /// Makes an attempt once. What ends the scenario is returned.
    async fn one_attempt(
        &mut self,
        number: usize,
        attempt: &'a Attempt,
        left: &mut Left,
    ) -> Result<Option<Played>, Mistake> {
        let (proof, step) = match self.find(attempt, 0, left).await? {
            Found::Proof(proof, step) => (proof, step),
            Found::PassedOver(reason) => {
                self.statements.push(reason.to_owned());
                self.pass_over();
                return Ok(None);
            }
            Found::Nothing(_) if self.stops && attempt.must == scenario::Must::BeRefused => {
                self.pass_over();
                return Ok(None);
            }
            Found::Nothing(reason) => return Ok(Some(Played::Inconclusive(reason))),
            Found::Withheld(ended) => return Ok(Some(Played::SetUpFailed(ended))),
        };
        if attempt.typed && !self.can_be_typed(attempt, proof.as_ref()) {
            self.pass_over();
            return Ok(None);
        }
        let named = attempt.name.clone().zip(proof.clone());
        if let Some(ended) = self.ready(&attempt.given).await? {
            return Ok(Some(match ended.outcome {
                Outcome::NotImplemented => Played::Unsupported(ended),
                _ => Played::SetUpFailed(ended),
            }));
        }
        self.manner = self.manner_of(attempt, left)?;
        let must = self.must(attempt);
        let proof = proof.map(|proof| odd::written(attempt.written, proof));
        self.if_done = must.if_done();
        let mut seen = self.attempt(attempt, proof, step).await?;
        if let Some((name, proof)) = named {
            left.proofs.insert(name, Had { proof, step, spent: seen.got_through() });
        }
        let shut = matches!(seen.outcome, Outcome::Refused | Outcome::NotImplemented);
        if attempt.where_supported && shut && !seen.effect.leaked() {
            // The target does not have this way in, whatever else is known of the route.
            if let Some(probe) = self.probes.last_mut() {
                probe.route = None;
            }
            let verdicts = [self.verdicts_from(0), vec![Verdict::Unsupported]].concat();
            return Ok(Some(Played::Judged(judge::worst_first(verdicts))));
        }
        if attempt.must == scenario::Must::EndIfItSucceeds && seen.outcome == Outcome::Accepted {
            return Ok(Some(Played::Inconclusive(odd::has_succeeded(attempt))));
        }
        let refusal = matches!(attempt.must, scenario::Must::BeRefused | scenario::Must::BeDenied);
        if refusal && seen.outcome == Outcome::NotImplemented && self.last_route_is_there() {
            // Of a route that is there, this is one way to refuse.
            seen.outcome = Outcome::Refused;
        }
        if attempt.must == scenario::Must::AgreeWithFile && must == Must::BeWhole {
            let heard = if seen.outcome == Outcome::Accepted { "accepts" } else { "refuses" };
            self.statements.push(format!("the target {heard} a {}; its file does not say", attempt.proof.words()));
        }
        if matches!(must, Must::BeChallengedIfKnown { .. }) && judge::is_unknown(&seen) {
            let outcome = self.probes.last().map(|probe| probe.outcome.as_str()).unwrap_or_default();
            self.statements.push(format!("`{}` is not known: {outcome}", attempt.perform.value));
        }
        self.shown.push((number, must, seen));
        Ok(None)
    }

    fn manner_of(&mut self, attempt: &Attempt, left: &Left) -> Result<Manner<'a>, Mistake> {
        let routine = |name: &str| self.dialect().routines.get(name).map(Vec::as_slice);
        let through = attempt.through.as_ref().and_then(|name| routine(&name.value));
        let with = attempt.with.as_ref().map(|with| with.value.as_str());
        let bearer = match with {
            None | Some(BASIC) => None,
            Some(COMPANION) => self.scene.other.as_ref().and_then(|other| other.token.clone()),
            Some(name) => {
                let token = left.kept.get(name).and_then(|kept| kept.get("token")?.as_str());
                let token = token.ok_or_else(|| format!("`{name}` has kept no `token`"))?;
                Some(Secret::new(SecretKind::Token, token))
            }
        };
        self.scene.carried.extend(bearer.clone());
        let client = attempt.as_client.as_ref().map(|client| client.value.clone());
        Ok(Manner { through, bearer, basic: with == Some(BASIC), client })
    }

    async fn attempt(
        &mut self,
        attempt: &Attempt,
        proof: Option<Secret>,
        step: Option<OtpStep>,
    ) -> Result<Seen, Mistake> {
        let conduct = match (proof, &attempt.carried) {
            (None, _) => Conduct::Bare,
            (Some(proof), Carrier::AsDocumented) => Conduct::Proof(proof),
            (Some(proof), carrier) => Conduct::Misplaced(proof, carrier.clone()),
        };
        let name = attempt.part.name_before(&format!("attempt {}", self.first + self.sent() + 1));
        let web = self.scene.web;
        if let Some(client) = attempt.client {
            self.scene.web = client == Client::Web;
        }
        self.scene.offered = None;
        let sent = self.send(&name, attempt.proof_words(), conduct, step).await;
        self.scene.web = web;
        let sent = self.asked_for_key_alone(sent?).await?;
        self.read_back(sent).await
    }
}

/// The most volleys of one race of a run.
pub(super) fn most_volleys(run: &Run) -> u32 {
    let short = run.stage.clock.is_real() && run.level < Level::Recommended;
    if short { FEW_VOLLEYS } else { MOST_VOLLEYS }
}

/// How sure it is that so many volleys, of those that were sought, would have shown a race, in words.
pub(super) fn told_confidence(volleys: u32, copies: usize, wanted: u32, bound: u32) -> String {
    let percent = judge::confidence(volleys) * 100.0;
    let short = match (volleys < wanted, bound == FEW_VOLLEYS) {
        (true, true) => {
            format!(" of the {wanted} sought, for on a real clock there are {bound} unless --level is recommended")
        }
        (true, false) => format!(" of the {wanted} sought"),
        (false, _) => String::new(),
    };
    let times = if volleys == 1 { "once".to_owned() } else { format!("{volleys} times") };
    format!(
        "race of {copies} requests at once over warm connections, sent {times}{short}: one that is lost in \
         one time of four would have shown with {percent:.0} %"
    )
}
