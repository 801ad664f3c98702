//! Acting a scenario out: its acts one after the other, each attempt with its proof, and what lies between them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::asking::PATIENCE;
use super::guess::retry_after;
use super::play::{Manner, Play, Played};
use super::scene::{Conduct, Mistake};
use super::volley::Load;
use crate::judge::{self, Must, Outcome, Seen, Verdict, judge_attempts};
use crate::persona::totp::OtpStep;
use crate::scenario::key::{Assertion, Fetch};
use crate::scenario::{self, Act, Attempt, COMPANION, Carrier, Client, Errand, ErrandEnd, Proof, Race, Scenario};
use crate::secret::{Secret, SecretKind};
use crate::table::{Factor, Level};

/// How far ahead a code that begins with a zero is looked for, in steps: on a simulated clock, and on a real one.
const ZERO_WITHIN: (i64, i64) = (300, 3);

/// The most volleys of one race, where they cost little and where each takes half a minute.
const MOST_VOLLEYS: u32 = 20;
const FEW_VOLLEYS: u32 = 3;

/// What earlier acts have left for later ones.
#[derive(Default)]
pub(super) struct Left {
    /// Proofs that were sent, under the names by which they can be sent again.
    pub(super) proofs: BTreeMap<String, (Secret, Option<OtpStep>)>,
    /// What routines kept, under the names by which it is used again.
    kept: BTreeMap<String, BTreeMap<String, serde_json::Value>>,
}

/// A proof, or why there is none.
pub(super) enum Found {
    Proof(Option<Secret>, Option<OtpStep>),
    /// The attempt cannot be made, and need not.
    PassedOver(&'static str),
    /// The scenario says nothing about this target.
    Nothing(String),
}

impl<'a> Play<'a> {
    /// Plays a scenario to its end.
    pub(super) async fn act_out(&mut self, scenario: &'a Scenario) -> Result<Played, Mistake> {
        if scenario.needs_another()
            && let Some(ended) = self.enrol_another().await?
        {
            return Ok(Played::SetUpFailed(ended));
        }
        let mut left = Left::default();
        if let Some(confirmed) = self.scene.confirmation.clone() {
            left.proofs.insert("enrolment".to_owned(), (confirmed, self.scene.step()));
        }
        for (number, act) in scenario.acts.iter().enumerate() {
            if self.until.is_some_and(|until| Instant::now() > until) {
                return Err("the time for it was over".to_owned());
            }
            let before = self.shown.len();
            match self.act(number, act, &mut left).await {
                Ok(None) => {}
                // What a later act cannot say takes nothing from what earlier ones have shown.
                Ok(Some(Played::Inconclusive(_))) if !self.stops && self.verdicts_from(0) != [Verdict::Exact] => break,
                Ok(Some(end)) => return Ok(end),
                // What was seen so far stands, and may be why no more can be tried.
                Err(_) if self.verdicts_from(0) != [Verdict::Exact] => break,
                Err(mistake) => return Err(mistake),
            }
            let failed = self.shown[before..].iter().any(|(_, _, seen)| seen.outcome == Outcome::Failed);
            // What does not answer is waited for once.
            if failed || (self.stops && self.verdicts_from(before) != [Verdict::Exact]) {
                break;
            }
        }
        Ok(Played::Judged(self.verdicts_from(0)))
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
            ErrandEnd::SucceedWhereSupported | ErrandEnd::Any | ErrandEnd::ShowNoSecret => {
                if let Some(end) = self.try_errand(errand).await? {
                    return Ok(Some(end));
                }
            }
        }
        if let Some(name) = &errand.name {
            left.kept.insert(name.clone(), self.scene.kept());
            if let Some(code) = &self.scene.confirmation {
                left.proofs.insert(name.clone(), (code.clone(), self.scene.step()));
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
            Outcome::Refused | Outcome::NotImplemented if !supported => return Ok(Some(Played::Unsupported(ended))),
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
                Err(_) if volleys > 0 => break,
                Err(reason) => return Ok(Err(Played::Inconclusive(reason))),
            };
            let verdicts = judge_attempts(&seen);
            if volleys > 0 && verdicts == [Verdict::Throttled] {
                let wait = self.patience_asked_for(copies).filter(|_| rests < volleys);
                let Some(wait) = wait else {
                    // It stops listening to so many proofs: what was clean so far stands.
                    break;
                };
                self.scene.rest(wait).await;
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
        let short = self.scene.stage.clock.is_real() && self.run.level < Level::Recommended;
        if short { FEW_VOLLEYS } else { MOST_VOLLEYS }
    }

    /// States how sure it is that so many volleys, of those that were sought, would have shown a race.
    pub(super) fn state_confidence(&mut self, volleys: u32, copies: usize, wanted: u32) {
        let bound = self.most_volleys();
        let percent = judge::confidence(volleys) * 100.0;
        let short = match (volleys < wanted, bound == FEW_VOLLEYS) {
            (true, true) => {
                format!(" of the {wanted} sought, for on a real clock there are {bound} unless --level is recommended")
            }
            (true, false) => format!(" of the {wanted} sought"),
            (false, _) => String::new(),
        };
        let times = if volleys == 1 { "once".to_owned() } else { format!("{volleys} times") };
        self.statements.push(format!(
            "race of {copies} requests at once over warm connections, sent {times}{short}: one that is lost in \
             one time of four would have shown with {percent:.0} %"
        ));
    }

    /// One volley. The error is why it says nothing.
    async fn at_once(
        &mut self,
        together: &[Attempt],
        volley: u32,
        left: &Left,
    ) -> Result<Result<Vec<(Must, Seen)>, String>, Mistake> {
        let (mut conducts, mut live) = (Vec::new(), None);
        for attempt in together {
            let (proof, step) = match self.find(attempt, volley, left).await? {
                Found::Proof(proof, step) => (proof, step),
                Found::PassedOver(reason) => return Ok(Err(reason.to_owned())),
                Found::Nothing(reason) => return Ok(Err(reason)),
            };
            live = live.or(step);
            for _ in 0..attempt.times {
                let carried = proof.clone().map(|proof| (proof, attempt.carried.clone()));
                conducts.push(Load { words: attempt.proof.words(), carried, client: attempt.client });
            }
        }
        let landed = self.volley(conducts).await?;
        if let Some(step) = live
            && landed.iter().all(|sent| sent.outcome() != &Outcome::Accepted)
            && !self.scene.is_live(step)
        {
            return Ok(Err("the code aged out before the target answered".to_owned()));
        }
        let musts: Vec<Must> =
            together.iter().flat_map(|attempt| vec![self.must(attempt); attempt.times as usize]).collect();
        let mut seen = Vec::new();
        for (must, sent) in musts.into_iter().zip(landed) {
            seen.push((must, self.read_back(sent).await?));
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
        };
        if let (Some(name), Some(proof)) = (&attempt.name, &proof) {
            left.proofs.insert(name.clone(), (proof.clone(), step));
        }
        if let Some(ended) = self.ready(&attempt.given).await? {
            return Ok(Some(match ended.outcome {
                Outcome::NotImplemented => Played::Unsupported(ended),
                _ => Played::SetUpFailed(ended),
            }));
        }
        self.manner = self.manner_of(attempt, left)?;
        let must = self.must(attempt);
        let seen = self.attempt(attempt, proof, step).await?;
        if attempt.must == scenario::Must::AgreeWithFile && must == Must::BeWhole {
            let heard = if seen.outcome == Outcome::Accepted { "accepts" } else { "refuses" };
            self.statements.push(format!("the target {heard} a {}; its file does not say", attempt.proof.words()));
        }
        self.shown.push((number, must, seen));
        Ok(None)
    }

    fn manner_of(&mut self, attempt: &Attempt, left: &Left) -> Result<Manner<'a>, Mistake> {
        let routine = |name: &str| self.dialect().routines.get(name).map(Vec::as_slice);
        let through = attempt.through.as_ref().and_then(|name| routine(&name.value));
        let bearer = match attempt.with.as_ref().map(|with| with.value.as_str()) {
            None => None,
            Some(COMPANION) => self.scene.other.as_ref().and_then(|other| other.token.clone()),
            Some(name) => {
                let token = left.kept.get(name).and_then(|kept| kept.get("token")?.as_str());
                let token = token.ok_or_else(|| format!("`{name}` has kept no `token`"))?;
                Some(Secret::new(SecretKind::Token, token))
            }
        };
        self.scene.carried.extend(bearer.clone());
        Ok(Manner { through, bearer })
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
        let name = attempt.part.name_before(&format!("attempt {}", self.sent() + 1));
        let web = self.scene.web;
        if let Some(client) = attempt.client {
            self.scene.web = client == Client::Web;
        }
        self.scene.offered = None;
        let sent = self.send(&name, attempt.proof.words(), conduct, step).await;
        self.scene.web = web;
        let sent = self.asked_for_key_alone(sent?).await?;
        self.read_back(sent).await
    }

    async fn find(&mut self, attempt: &Attempt, volley: u32, left: &Left) -> Result<Found, Mistake> {
        let text = |text: &str| Found::Proof(Some(Secret::new(SecretKind::OneTimePassword, text)), None);
        Ok(match &attempt.proof {
            Proof::None => Found::Proof(None, None),
            Proof::Right => {
                let code = self.scene.lasting_code().await?;
                Found::Proof(Some(code), self.scene.step())
            }
            Proof::Wrong => Found::Proof(Some(self.scene.wrong_code()), None),
            Proof::Empty => text(""),
            Proof::Text(other) => text(other),
            Proof::Short => {
                let code = self.scene.code().await?;
                text(&code.reveal()[..5])
            }
            Proof::Long => {
                let code = self.scene.code().await?;
                text(&format!("{}0", code.reveal()))
            }
            Proof::LeadingZero => match self.leading_zero().await? {
                Some(code) => Found::Proof(Some(code), self.scene.step()),
                None => Found::Nothing("no code that begins with a zero comes soon enough".to_owned()),
            },
            Proof::LeadingZeroDropped => match self.leading_zero().await? {
                Some(code) => text(code.reveal().trim_start_matches('0')),
                None => Found::Nothing("no code that begins with a zero comes soon enough".to_owned()),
            },
            Proof::OfAnother => {
                self.scene.change_places();
                let code = self.scene.code().await;
                self.scene.change_places();
                Found::Proof(Some(code?), None)
            }
            Proof::Expired(steps) => self.distant(-i64::from(*steps), attempt).await?,
            Proof::Early(steps) => self.distant(i64::from(*steps), attempt).await?,
            Proof::Again(name) | Proof::Kept(name) => match left.proofs.get(name) {
                Some((_, Some(step))) if !self.scene.is_live(*step) => {
                    Found::Nothing("by then the target refuses the code for its age".to_owned())
                }
                Some((proof, step)) => Found::Proof(Some(proof.clone()), *step),
                // Names are checked when the file is read, so only the enrolment can be missing.
                None => Found::Nothing("the account was enrolled before the run began".to_owned()),
            },
            Proof::Key(_) | Proof::Fetched(_) => Box::pin(self.page_proof()).await?,
            Proof::FormerSecret => Found::Proof(Some(self.scene.former_code().await?), None),
            Proof::Of(name) => Found::Proof(Some(self.code_of(name).await?), None),
            Proof::FormerRecovery(number) => match self.scene.user.former_recovery_codes.get(*number) {
                Some(code) => Found::Proof(Some(code.clone()), None),
                None => Found::Nothing(format!("recovery code {number} of the enrolment before is not known")),
            },
            Proof::PendingSecret => match self.scene.pending_code().await? {
                Some(code) => Found::Proof(Some(code), None),
                None => Found::PassedOver("no secret was handed out that still waits for its confirmation"),
            },
            Proof::Recovery(number) => {
                // Each volley has a code of its own.
                let number = number + volley as usize;
                match self.scene.user.recovery_codes.get(number) {
                    Some(code) => Found::Proof(Some(code.clone()), None),
                    None => Found::Nothing(format!("recovery code {number} of the account is not known")),
                }
            }
        })
    }

    async fn leading_zero(&mut self) -> Result<Option<Secret>, Mistake> {
        let within = if self.scene.stage.clock.is_real() { ZERO_WITHIN.1 } else { ZERO_WITHIN.0 };
        let now = self.scene.stage.target_time();
        let ledger = self.scene.user.ledger.as_mut().ok_or("a code was needed from a persona without a factor")?;
        if !ledger.skip_to_leading_zero(now, within) {
            return Ok(None);
        }
        let code = self.scene.code().await?;
        // So near the end of its step another one's code was handed out.
        Ok(Some(code).filter(|code| code.reveal().starts_with('0')))
    }

    async fn distant(&mut self, steps: i64, attempt: &Attempt) -> Result<Found, Mistake> {
        if attempt.must == scenario::Must::AgreeWithFile {
            return Ok(match self.scene.code_of_step(steps).await? {
                Some((code, step)) => Found::Proof(Some(code), self.accepts(steps).then_some(step)),
                None => Found::Nothing("a code of that step or a later one is spent already".to_owned()),
            });
        }
        Ok(match self.scene.distant_code(steps).await? {
            Some(code) => Found::Proof(Some(code), None),
            None => Found::Nothing("the target's file says that it accepts codes of that age".to_owned()),
        })
    }

    /// Whether the target's file says that it accepts codes so far from the present step.
    fn accepts(&self, steps: i64) -> bool {
        let skew = self.scene.stage.skew;
        (-skew.behind..=skew.ahead).contains(&steps)
    }

    pub(super) fn must(&self, attempt: &Attempt) -> Must {
        match attempt.must {
            scenario::Must::SucceedOnce => Must::SucceedOnce,
            scenario::Must::Succeed => Must::Succeed { proven: attempt.proof != Proof::None },
            // At a prompt a recovery code stands in for whatever the user has.
            scenario::Must::BeChallenged if attempt.client == Some(Client::Legacy) => {
                Must::BeChallenged { factor: Factor::Both }
            }
            scenario::Must::BeChallenged => Must::BeChallenged { factor: self.scene.user.factor() },
            scenario::Must::BeWhole => Must::BeWhole,
            scenario::Must::BeDenied => {
                let own = attempt.with.as_ref().is_none_or(|with| with.value != COMPANION);
                Must::BeDenied { has_factor: own && self.scene.user.factor() != Factor::None }
            }
            scenario::Must::AgreeWithFile => match attempt.proof {
                Proof::Expired(steps) if self.accepts(-i64::from(steps)) => Must::Succeed { proven: true },
                Proof::Early(steps) if self.accepts(i64::from(steps)) => Must::Succeed { proven: true },
                _ => Must::BeWhole,
            },
            scenario::Must::BeRefused => Must::BeRefused { otherwise: wrongly(&attempt.proof) },
        }
    }
}

/// What it is when an attempt with this proof is let through and must not be.
fn wrongly(proof: &Proof) -> Verdict {
    match proof {
        Proof::None => Verdict::MissingChallenge,
        Proof::Again(_) | Proof::Key(Assertion::Again) | Proof::Fetched(Fetch::Twice | Fetch::AtOnce(_)) => {
            Verdict::ReplayAccepted
        }
        Proof::Right
        | Proof::Kept(_)
        | Proof::Wrong
        | Proof::Empty
        | Proof::Text(_)
        | Proof::Short
        | Proof::Long
        | Proof::LeadingZero
        | Proof::LeadingZeroDropped
        | Proof::OfAnother
        | Proof::Of(_)
        | Proof::Expired(_)
        | Proof::Early(_)
        | Proof::FormerSecret
        | Proof::PendingSecret
        | Proof::Key(_)
        | Proof::Fetched(_)
        | Proof::Recovery(_)
        | Proof::FormerRecovery(_) => Verdict::WrongProofAccepted,
    }
}
