//! Acting a scenario out: its attempts one after the other, each with its proof, and what lies between them.

use std::collections::BTreeMap;

use super::play::{Play, Played};
use super::scene::{Conduct, Mistake};
use crate::judge::{Must, Outcome, Seen, Verdict, judge_attempts};
use crate::persona::totp::OtpStep;
use crate::scenario::key::{Assertion, Fetch};
use crate::scenario::{self, Act, Attempt, Carrier, Client, Proof, Scenario};
use crate::secret::{Secret, SecretKind};

/// A proof that was sent, under the name by which it can be sent again.
pub(super) type Sent = BTreeMap<String, (Secret, Option<OtpStep>)>;

/// What attempts at once must show and showed.
type Race = Vec<(Must, Seen)>;

/// A proof, or why the scenario says nothing about this target.
enum Found {
    Proof(Option<Secret>, Option<OtpStep>),
    Nothing(String),
}

impl Play<'_> {
    /// Plays a scenario to its end.
    pub(super) async fn act_out(&mut self, scenario: &Scenario) -> Result<Played, Mistake> {
        if scenario.needs_another()
            && let Some(ended) = self.enrol_another().await?
        {
            return Ok(Played::SetUpFailed(ended));
        }
        let mut sent = Sent::new();
        if let Some(confirmed) = self.scene.confirmation.clone() {
            sent.insert("enrolment".to_owned(), (confirmed, self.scene.step()));
        }
        for (number, act) in scenario.acts.iter().enumerate() {
            let before = self.shown.len();
            if let Some(end) = self.act(number, act, &mut sent).await? {
                return Ok(end);
            }
            if self.stops && judge_attempts(&self.attempts_from(before)) != [Verdict::Exact] {
                break;
            }
        }
        Ok(Played::Judged(judge_attempts(&self.attempts_from(0))))
    }

    fn attempts_from(&self, first: usize) -> Vec<(Must, Seen)> {
        self.shown[first..].iter().map(|(_, must, seen)| (*must, seen.clone())).collect()
    }

    /// Plays one act. What ends the scenario is returned.
    async fn act(&mut self, number: usize, act: &Act, sent: &mut Sent) -> Result<Option<Played>, Mistake> {
        match act {
            Act::Wait(steps) => self.scene.let_steps_pass(*steps).await,
            Act::Run(errand) => {
                match self.run_errand(errand).await? {
                    Ok(Some((must, seen))) => self.shown.push((number, must, seen)),
                    Ok(None) => {}
                    Err(ended) => return Ok(Some(Played::SetUpFailed(ended))),
                }
                if let (Some(name), Some(code)) = (&errand.name, &self.scene.confirmation) {
                    sent.insert(name.clone(), (code.clone(), self.scene.step()));
                }
            }
            Act::AtOnce(together) => match self.at_once(together, sent).await? {
                Ok(seen) => self.shown.extend(seen.into_iter().map(|(must, seen)| (number, must, seen))),
                Err(reason) => return Ok(Some(Played::Inconclusive(reason))),
            },
            Act::Attempt(attempt) if matches!(attempt.proof, Proof::Key(_) | Proof::Fetched(_)) => {
                return Box::pin(self.attempt_by_key(number, attempt, sent)).await;
            }
            Act::Attempt(attempt) => {
                self.take_part(&attempt.part);
                for _ in 0..attempt.times {
                    let (proof, step) = match self.find(attempt, sent).await? {
                        Found::Proof(proof, step) => (proof, step),
                        Found::Nothing(_) if self.stops && attempt.must == scenario::Must::BeRefused => {
                            self.pass_over();
                            continue;
                        }
                        Found::Nothing(reason) => return Ok(Some(Played::Inconclusive(reason))),
                    };
                    if let (Some(name), Some(proof)) = (&attempt.name, &proof) {
                        sent.insert(name.clone(), (proof.clone(), step));
                    }
                    let seen = self.attempt(attempt, proof, step).await?;
                    self.shown.push((number, must(attempt), seen));
                }
            }
        }
        Ok(None)
    }

    /// Makes attempts at once, all copies of one with the same proof. The error is why they say nothing.
    async fn at_once(&mut self, together: &[Attempt], sent: &Sent) -> Result<Result<Race, String>, Mistake> {
        let (mut conducts, mut live) = (Vec::new(), None);
        for attempt in together {
            let (proof, step) = match self.find(attempt, sent).await? {
                Found::Proof(proof, step) => (proof, step),
                Found::Nothing(reason) => return Ok(Err(reason)),
            };
            live = live.or(step);
            for _ in 0..attempt.times {
                let carried = proof.clone().map(|proof| (proof, attempt.carried.clone()));
                conducts.push((describe(&attempt.proof), carried));
            }
        }
        let landed = self.volley(conducts).await?;
        if let Some(step) = live
            && landed.iter().all(|sent| sent.outcome() != &Outcome::Accepted)
            && !self.scene.is_live(step)
        {
            return Err("the code aged out before the target answered".to_owned());
        }
        let musts = together.iter().flat_map(|attempt| vec![must(attempt); attempt.times as usize]);
        let mut seen = Vec::new();
        for (must, sent) in musts.zip(landed) {
            seen.push((must, self.read_back(sent).await?));
        }
        Ok(Ok(seen))
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
        let sent = self.send(&name, describe(&attempt.proof), conduct, step).await;
        self.scene.web = web;
        let sent = self.asked_for_key_alone(sent?).await?;
        self.read_back(sent).await
    }

    async fn find(&mut self, attempt: &Attempt, sent: &Sent) -> Result<Found, Mistake> {
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
            Proof::OfAnother => {
                self.scene.change_places();
                let code = self.scene.code().await;
                self.scene.change_places();
                Found::Proof(Some(code?), None)
            }
            Proof::Expired(steps) => self.distant(-i64::from(*steps)).await?,
            Proof::Early(steps) => self.distant(i64::from(*steps)).await?,
            Proof::Again(name) => match sent.get(name) {
                Some((proof, Some(step))) if !self.scene.is_live(*step) => {
                    let _ = proof;
                    Found::Nothing("by then the target refuses the code for its age".to_owned())
                }
                Some((proof, step)) => Found::Proof(Some(proof.clone()), *step),
                // Names are checked when the file is read, so only the enrolment can be missing.
                None => Found::Nothing("the account was enrolled before the run began".to_owned()),
            },
            Proof::Key(_) | Proof::Fetched(_) => {
                Found::Nothing("a page is answered by one client at a time".to_owned())
            }
            Proof::FormerSecret => Found::Proof(Some(self.scene.former_code().await?), None),
            Proof::Of(name) => Found::Proof(Some(self.code_of(name).await?), None),
            Proof::FormerRecovery(number) => match self.scene.user.former_recovery_codes.get(*number) {
                Some(code) => Found::Proof(Some(code.clone()), None),
                None => Found::Nothing(format!("recovery code {number} of the enrolment before is not known")),
            },
            Proof::Recovery(number) => match self.scene.user.recovery_codes.get(*number) {
                Some(code) => Found::Proof(Some(code.clone()), None),
                None => Found::Nothing(format!("recovery code {number} of the account is not known")),
            },
        })
    }

    async fn distant(&mut self, steps: i64) -> Result<Found, Mistake> {
        Ok(match self.scene.distant_code(steps).await? {
            Some(code) => Found::Proof(Some(code), None),
            None => Found::Nothing("the target's file says that it accepts codes of that age".to_owned()),
        })
    }
}

pub(super) fn must(attempt: &Attempt) -> Must {
    match attempt.must {
        scenario::Must::SucceedOnce => Must::SucceedOnce,
        scenario::Must::BeChallenged => Must::BeChallenged,
        scenario::Must::Succeed => Must::Succeed { proven: attempt.proof != Proof::None },
        scenario::Must::BeRefused => Must::BeRefused {
            otherwise: match &attempt.proof {
                Proof::None => Verdict::MissingChallenge,
                Proof::Again(_) | Proof::Key(Assertion::Again) | Proof::Fetched(Fetch::Twice | Fetch::AtOnce(_)) => {
                    Verdict::ReplayAccepted
                }
                Proof::Right
                | Proof::Wrong
                | Proof::Empty
                | Proof::Text(_)
                | Proof::Short
                | Proof::Long
                | Proof::OfAnother
                | Proof::Expired(_)
                | Proof::Early(_)
                | Proof::FormerSecret
                | Proof::FormerRecovery(_)
                | Proof::Of(_)
                | Proof::Key(_)
                | Proof::Fetched(_)
                | Proof::Recovery(_) => Verdict::WrongProofAccepted,
            },
        },
    }
}

fn describe(proof: &Proof) -> String {
    match proof {
        Proof::None => "none".to_owned(),
        Proof::Right => "valid code".to_owned(),
        Proof::Wrong => "wrong code".to_owned(),
        Proof::Empty => "empty text".to_owned(),
        Proof::Text(_) => "text that is no code".to_owned(),
        Proof::Short => "valid code without its last digit".to_owned(),
        Proof::Long => "valid code with a digit more".to_owned(),
        Proof::OfAnother => "another user's valid code".to_owned(),
        Proof::Expired(steps) => format!("code of {steps} steps ago"),
        Proof::Early(steps) => format!("code of {steps} steps ahead"),
        Proof::Again(name) => format!("spent proof `{name}`"),
        Proof::FormerSecret => "code of the secret before".to_owned(),
        Proof::Recovery(number) => format!("recovery code {number}"),
        Proof::FormerRecovery(number) => format!("recovery code {number} of the enrolment before"),
        Proof::Of(name) => format!("{name}'s valid code"),
        Proof::Key(assertion) => assertion.words().to_owned(),
        Proof::Fetched(fetch) => fetch.words(),
    }
}
