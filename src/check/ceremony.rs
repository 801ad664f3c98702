//! Attempts with a security key: what a page is given, and how its proof is fetched.

use super::keys::Given;
use super::play::{self, Play, Played};
use super::proofs::Found;
use super::scene::{Conduct, Mistake};
use super::script::{Had, Left};
use crate::judge::{self, Asks, Must, Outcome, Verdict};
use crate::persona::key::Manner;
use crate::result::Probe;
use crate::scenario::key::{Assertion, Fetch};
use crate::scenario::{Attempt, Client, Proof};
use crate::table::Factor;

impl Play<'_> {
    /// Makes an attempt with a security key. What ends the scenario is returned.
    pub(super) async fn attempt_by_key(
        &mut self,
        number: usize,
        attempt: &Attempt,
        left: &mut Left,
    ) -> Result<Option<Played>, Mistake> {
        let (assertion, fetch) = match &attempt.proof {
            Proof::Key(assertion) => (*assertion, Fetch::Once),
            Proof::Fetched(fetch) => (Assertion::RIGHT, fetch.clone()),
            _ => return Err("an attempt without a security key".to_owned()),
        };
        let for_browsers = assertion.is_for_browsers() && attempt.wrong_registration().is_none();
        if self.run.stage.dialect.in_browser && !for_browsers {
            let reason = "a browser gives a page what it asks for; `--pages http` plays this".to_owned();
            return Ok(Some(Played::Inconclusive(reason)));
        }
        let surface = self.next_surface().ok_or("more probes than objects")?;
        let on_page = self.run.stage.dialect.asks_on_page(&surface.perform);
        if matches!(fetch, Fetch::At(_)) && !on_page {
            let reason =
                "the page of the log-in asks for no security key, so nothing is known of its session".to_owned();
            return Ok(Some(Played::Inconclusive(reason)));
        }
        self.take_part(&attempt.part);
        let web = std::mem::replace(&mut self.scene.web, attempt.client != Some(Client::Legacy));
        self.scene.given = match assertion {
            Assertion::ForAnotherPage => self.look_at_another_page().await?,
            assertion => Given::Assertion(assertion),
        };
        (self.scene.presented, self.scene.registered, self.scene.user.spared) = (false, false, false);
        self.scene.registration = attempt.registration;
        self.scene.fetch = fetch.clone();
        self.withholds = attempt.withheld;
        let proof = if fetch == Fetch::Once { assertion.words().to_owned() } else { fetch.words() };
        let words = attempt.wrong_registration().map_or(proof.clone(), |wrong| format!("{proof}, {wrong}"));
        let name = attempt.part.name_before(&format!("attempt {}", self.sent() + 1));
        self.if_done = self.must(attempt).if_done();
        let ended = self.send(name, words, Conduct::ByKey, None).await;
        (self.scene.web, self.scene.given, self.scene.fetch) = (web, Given::default(), Fetch::Once);
        self.scene.registration = Manner::Right;
        self.withholds = false;
        let ended = ended?;
        if self.scene.user.spared {
            return Ok(Some(Played::Inconclusive("the page does not demand user verification".to_owned())));
        }
        let named = attempt.name.clone().zip(self.token.clone());
        if let Some((name, proof)) = named.clone() {
            left.proofs.insert(name, Had { proof, step: None, spent: false });
        }
        // Where no page is named, or it takes no assertion at all, nothing that it would be given says anything.
        let ordinary = (assertion, &fetch) == (Assertion::RIGHT, &Fetch::Once);
        let aimless = !ordinary && !on_page && self.scene.offered.is_none();
        let ungiven = assertion != Assertion::RIGHT && !self.scene.presented;
        if self.unproven {
            let seen = self.read_back(ended).await?;
            self.shown.push((number, Must::BeRefused { otherwise: Verdict::MissingChallenge }, seen));
            return Ok(None);
        }
        let unregistered = attempt.wrong_registration().is_some() && !self.scene.registered;
        if unregistered && *ended.outcome() == Outcome::Accepted {
            return Err(format!("`{}` registers no security key", attempt.perform.value));
        }
        if aimless || ungiven || unregistered || (attempt.withheld && *ended.outcome() != Outcome::Accepted) {
            let (ended, exchanges) = ended.into_parts();
            self.scene.exchanges = exchanges;
            return Ok(Some(Played::SetUpFailed(ended)));
        }
        if attempt.withheld {
            let (ended, exchanges) = ended.into_parts();
            self.probes.push(Probe::set_up(&ended, exchanges));
            return Ok(None);
        }
        let seen = if on_page && *ended.outcome() == Outcome::Accepted {
            let elsewhere = if let Fetch::At(name) = &fetch { left.kept.get(name) } else { None };
            let elsewhere = elsewhere.and_then(|kept| kept.get("done")).cloned();
            if matches!(fetch, Fetch::At(_)) && elsewhere.is_none() {
                return Err("no address of another log-in was kept".to_owned());
            }
            self.collect_session(&fetch, elsewhere, ended).await?
        } else {
            self.read_back(ended).await?
        };
        if let Some((name, proof)) = named {
            left.proofs.insert(name, Had { proof, step: None, spent: seen.got_through() });
        }
        // What a page says while it waits belongs to the challenge.
        let of_challenge = matches!((&fetch, &seen.outcome), (Fetch::Seeing(_), Outcome::Challenged { .. }));
        let must =
            if of_challenge { Must::BeChallenged { factor: self.scene.user.factor() } } else { self.must(attempt) };
        self.shown.push((number, must, seen));
        Ok(None)
    }

    /// Makes an attempt whose proof is fetched many times at once, again and again until it is as sure as was sought that
    /// a race would have shown. What ends the scenario is returned.
    pub(super) async fn until_sure(
        &mut self,
        number: usize,
        attempt: &Attempt,
        percent: u8,
        left: &mut Left,
    ) -> Result<Option<Played>, Mistake> {
        let Proof::Fetched(Fetch::AtOnce(copies)) = &attempt.proof else {
            return Err("an attempt that is made once was to be made again".to_owned());
        };
        let wanted = judge::volleys_for(percent);
        let most = wanted.min(self.most_volleys());
        let first = self.shown.len();
        let mut volleys = 0;
        loop {
            let end = self.attempt_by_key(number, attempt, left).await?;
            if volleys == 0 && end.is_some() {
                return Ok(end);
            }
            // What cannot be tried once more leaves standing what was clean so far.
            volleys += u32::from(end.is_none());
            if end.is_some() || volleys >= most || self.verdicts_from(first) != [Verdict::Exact] {
                break;
            }
            if let Some(ended) = self.again(1).await? {
                return Ok(Some(Played::SetUpFailed(ended)));
            }
            self.shown.truncate(first);
        }
        self.state_confidence(volleys, *copies as usize, wanted);
        Ok(None)
    }

    /// A fresh proof that a page makes of a right assertion, for the next attempt. Where nothing is asked for there is
    /// none, and what is sent without one shows that.
    pub(super) async fn page_proof(&mut self) -> Result<Found, Mistake> {
        let surface = self.next_surface().ok_or("more probes than objects")?;
        if self.run.stage.dialect.asks_on_page(&surface.perform) {
            return Ok(Found::Nothing(
                "the command's own page asks, so it has no proof that could be sent twice".to_owned(),
            ));
        }
        self.prepare_next().await?;
        let web = std::mem::replace(&mut self.scene.web, true);
        let proof = self.scene.proof_by_key(&surface.perform).await;
        self.scene.web = web;
        Ok(match proof? {
            Ok(token) => Found::Proof(Some(token), None),
            Err(ended) => match ended.outcome {
                Outcome::Accepted => Found::Proof(None, None),
                Outcome::Failed | Outcome::Throttled => Found::Withheld(ended),
                Outcome::Challenged { .. } | Outcome::Refused | Outcome::NotImplemented => {
                    Found::Nothing(format!("a page made no proof: {}", ended.saw))
                }
            },
        })
    }

    /// Looks at the page that a challenge names to an account with codes alone: it must ask for one.
    pub(super) async fn asked_for_key_alone(&mut self, mut sent: play::Sent) -> Result<play::Sent, Mistake> {
        const ROUTINE: &str = "page-asks-for-code";
        if self.case.factor != Factor::Totp || !self.run.stage.dialect.routines.contains_key(ROUTINE) {
            return Ok(sent);
        }
        if let Some(offer) = self.scene.offered.clone() {
            let ended = self.scene.on_page(ROUTINE, &offer).await?;
            sent.add(std::mem::take(&mut self.scene.exchanges));
            if ended.outcome == Outcome::Refused {
                sent.asks(Asks::ForKeyAlone);
            }
        }
        Ok(sent)
    }

    /// Opens another page for the same action, and takes away what it asks a key for.
    async fn look_at_another_page(&mut self) -> Result<Given, Mistake> {
        let surface = self.next_surface().ok_or("more probes than objects")?;
        self.prepare_next().await?;
        self.scene.given = Given::Nothing;
        self.scene.user.looked = None;
        let _ = self.scene.proof_by_key(&surface.perform).await?;
        let looked = self.scene.user.looked.take();
        Ok(Given::For(looked.ok_or("another page could not be opened")?))
    }
}
