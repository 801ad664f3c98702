//! Security keys on stage: ceremonies on a target's pages, and the proofs that come of them.

use reqwest::Url;
use serde_json::Value as Json;

use super::scene::{Conduct, Ended, Mistake, Scene};
use super::volley::Fetched;
use crate::dialect::predicate::Answer;
use crate::dialect::step::{Ceremony, CeremonyKind, Step};
use crate::judge::{Asks, Outcome};
use crate::persona::key::{Maker, Manner, SecurityKey};
use crate::scenario::key::{Assertion, Fetch};
use crate::secret::{Secret, SecretKind};
use crate::wire::is_loopback;

/// What a page is given for an assertion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Given {
    /// What a scenario says.
    Assertion(Assertion),
    /// One that the key makes for these options, which the page has not given out.
    For(Json),
    /// None: the page's options are all that is wanted.
    Nothing,
}

impl Default for Given {
    fn default() -> Self {
        Given::Assertion(Assertion::RIGHT)
    }
}

/// Where a challenge sends the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The page to open.
    pub page: String,
    /// The address that yields the proof once the page is done.
    pub done: String,
}

impl Scene {
    /// Where a challenge sends the user, if it does.
    pub(super) fn offer(&self, answer: &Answer) -> Option<Offer> {
        let web = &self.stage.dialect.web_challenge;
        let text = |pointer: &str| answer.json.as_ref()?.pointer(pointer)?.as_str().map(str::to_owned);
        Some(Offer { page: text(&web.page)?, done: text(&web.done)? })
    }

    /// Lets the persona's key do its part of a ceremony.
    pub(super) async fn hold_key(&mut self, ceremony: &Ceremony) -> Result<Ended, Mistake> {
        let options = ceremony.options.fill(&self.variables(None, false)).map_err(|error| error.to_string())?;
        let origin = self.origin()?;
        let made = match ceremony.kind {
            CeremonyKind::Register => {
                // Each is a device of its own, as an authenticator holds one credential an account.
                let manner = self.registration;
                if manner == Manner::UserNotVerified
                    && options.pointer(DEMANDED_AT_REGISTRATION).is_none_or(|said| said != "required")
                {
                    self.user.spared = true;
                    return Ok(withheld("the page does not demand user verification"));
                }
                let maker = self.user.key.as_ref().map_or(self.stage.maker, |key| key.heir(self.stage.maker));
                let mut key = SecurityKey::new(if manner == Manner::Right { maker } else { Maker::Own });
                let made = key.register(&origin, &options, manner).await.map_err(unusable);
                self.registered |= made.is_ok();
                if manner != Manner::Right {
                    // The target must turn it down, so the user goes on with the key that stands.
                    self.user.wrong_key = Some(key);
                } else if made.is_ok() {
                    if let Some(former) = &mut self.user.key {
                        key.succeed(former)?;
                    }
                    self.user.former_key = self.user.key.replace(key);
                    self.hold_changes()?;
                }
                made
            }
            CeremonyKind::Assert => {
                let made = self.assertion(&origin, &options).await?;
                self.presented |= made.is_ok();
                made
            }
        };
        Ok(match made {
            Ok(made) => {
                self.kept.insert(ceremony.to.clone(), made);
                Ended { outcome: Outcome::Accepted, saw: "the security key answered".to_owned() }
            }
            Err(ended) => ended,
        })
    }

    /// Where a person would open the target's pages. WebAuthn knows no IP addresses, so loopback has its name.
    pub(super) fn origin(&self) -> Result<Url, Mistake> {
        named(self.stage.wire.base().clone())
    }

    /// Makes what the page is given. The inner error is how it ended when the page is given nothing.
    async fn assertion(&mut self, origin: &Url, options: &Json) -> Result<Result<Json, Ended>, Mistake> {
        let user = &mut self.user;
        let (key, options, manner) = match &self.given {
            Given::Nothing | Given::Assertion(Assertion::ForEarlierChallenge | Assertion::ForAnotherPage) => {
                user.looked = Some(options.clone());
                return Ok(Err(withheld("no assertion was given")));
            }
            Given::Assertion(Assertion::Made(Manner::UserNotVerified))
                if options.pointer(DEMANDED).is_none_or(|said| said != "required") =>
            {
                user.spared = true;
                return Ok(Err(withheld("the page does not demand user verification")));
            }
            Given::Assertion(Assertion::Again) => {
                return user.assertion.clone().map(Ok).ok_or_else(|| "no assertion has been given yet".to_owned());
            }
            Given::Assertion(Assertion::Made(manner)) => (user.key.as_mut(), options, *manner),
            Given::Assertion(Assertion::OfWrongKey) => (user.wrong_key.as_mut(), options, Manner::Right),
            Given::Assertion(Assertion::OfFormerKey) => (user.former_key.as_mut(), options, Manner::Right),
            Given::Assertion(Assertion::OfAnother) => {
                (self.other.as_mut().and_then(|other| other.key.as_mut()), options, Manner::Right)
            }
            Given::For(other) => (user.key.as_mut(), other, Manner::Right),
        };
        let key = key.ok_or("a security key was needed that nobody has")?;
        match key.assert(origin, options, manner).await {
            Ok(made) => {
                user.assertion = Some(made.clone());
                Ok(Ok(made))
            }
            Err(saw) => Ok(Err(unusable(saw))),
        }
    }

    /// Answers the last challenge on the page that it names. The error is how that ended when there is no proof.
    pub async fn answer_by_key(&mut self) -> Result<Result<Secret, Ended>, Mistake> {
        let Some(offer) = self.offered.clone() else {
            let saw = "the challenge names no page for a security key".to_owned();
            return Ok(Err(Ended { outcome: Outcome::Refused, saw }));
        };
        let fetch = self.fetch.clone();
        if let Fetch::Seeing(routine) = &fetch {
            let mut seen = self.on_page(routine, &offer).await?;
            if seen.outcome != Outcome::Accepted {
                // The page was offered in a way that clients cannot wait for.
                seen.outcome = Outcome::Challenged { flaw: Some(seen.saw.clone()), asks: Asks::OnPage };
                return Ok(Err(seen));
            }
        }
        if self.given == Given::Assertion(Assertion::ForEarlierChallenge) {
            self.user.looked = None;
            let _ = self.on_page("authorise-by-key", &offer).await?;
            self.given = Given::For(self.user.looked.take().ok_or("the page gave out no options")?);
        }
        if fetch != Fetch::BeforeAssertion {
            let mut ended = self.on_page("authorise-by-key", &offer).await?;
            if ended.outcome == Outcome::NotImplemented {
                // The page was there before; now it is closed.
                ended.outcome = Outcome::Refused;
            }
            if ended.outcome != Outcome::Accepted {
                // A page that refuses a right assertion says nothing of how its proof is handed out.
                return Ok(Err(if fetch == Fetch::Once { ended } else { unfetched(&ended.saw) }));
            }
        }
        match fetch {
            Fetch::Once | Fetch::BeforeAssertion | Fetch::Seeing(_) => {}
            Fetch::At(_) => return Err("only the session of a log-in's page is fetched at another address".to_owned()),
            Fetch::By(routine) => return self.collect_by(&routine, &offer).await,
            Fetch::After(steps) => self.let_steps_pass(steps).await?,
            Fetch::ByAnother => {
                self.change_places();
                let fetched = self.collect(&offer).await;
                self.change_places();
                return fetched;
            }
            Fetch::Twice => {
                if let Err(ended) = self.collect(&offer).await? {
                    return Ok(Err(unfetched(&ended.saw)));
                }
            }
            Fetch::AtOnce(times) => {
                let Fetched { yielded, failed } = self.collect_at_once(&offer, times).await?;
                let mut yielded = yielded.into_iter().map(|token| Secret::new(SecretKind::WebToken, token));
                let Some(first) = yielded.next() else {
                    return Ok(Err(unfetched(failed.as_deref().unwrap_or("none was yielded"))));
                };
                let second = yielded.find(|other| other.reveal() != first.reveal());
                let saw = format!("of {times} fetched at once one proof was yielded");
                // One that got no usable answer was not turned away.
                return Ok(second.ok_or(match failed {
                    Some(fault) => {
                        Ended { outcome: Outcome::Failed, saw: format!("{saw}, and one broke off: {fault}") }
                    }
                    None => Ended { outcome: Outcome::Refused, saw },
                }));
            }
        }
        self.collect(&offer).await
    }

    /// Runs a routine that reads the page's addresses as `args`.
    pub(super) async fn on_page(&mut self, routine: &str, offer: &Offer) -> Result<Ended, Mistake> {
        let args = serde_json::json!({ "page": offer.page, "done": offer.done });
        let before = std::mem::replace(&mut self.args, minijinja::Value::from(minijinja::value::Serde(&args)));
        let ended = Box::pin(self.routine(routine, &Conduct::Bare)).await;
        self.args = before;
        ended
    }

    /// Fetches the proof that a page has made.
    pub async fn collect(&mut self, offer: &Offer) -> Result<Result<Secret, Ended>, Mistake> {
        self.collect_by("collect-proof", offer).await
    }

    async fn collect_by(&mut self, routine: &str, offer: &Offer) -> Result<Result<Secret, Ended>, Mistake> {
        let mut ended = self.on_page(routine, offer).await?;
        if ended.outcome == Outcome::NotImplemented {
            ended.outcome = Outcome::Refused;
        }
        let token = self.kept.remove(PROOF).and_then(|token| token.as_str().map(str::to_owned));
        Ok(match token {
            Some(token) if ended.outcome == Outcome::Accepted => Ok(Secret::new(SecretKind::WebToken, token)),
            _ => Err(ended),
        })
    }

    /// Fetches what a log-in's own page has made, in this way. `None` where that is left to the read-back.
    pub(super) async fn collect_session(&mut self, fetch: &Fetch) -> Result<Option<Ended>, Mistake> {
        match fetch {
            Fetch::Twice => {
                let first = self.one_session().await?;
                if first.outcome != Outcome::Accepted {
                    return Ok(Some(unfetched(&first.saw)));
                }
            }
            Fetch::After(steps) => self.let_steps_pass(*steps).await?,
            Fetch::AtOnce(times) => return self.sessions_at_once(*times).await.map(Some),
            // The address is another's by then.
            Fetch::At(_) => {}
            Fetch::Once | Fetch::BeforeAssertion | Fetch::ByAnother | Fetch::By(_) | Fetch::Seeing(_) => {
                return Ok(None);
            }
        }
        self.one_session().await.map(Some)
    }

    /// Fetches what a log-in's own page has made so many times at once. Success is that two sessions were yielded, and
    /// both live.
    async fn sessions_at_once(&mut self, times: u32) -> Result<Ended, Mistake> {
        let Fetched { yielded, failed } = self.fetch_at_once("fetch-session", "token", times).await?;
        let mut sessions: Vec<String> = Vec::new();
        for token in yielded {
            self.carried.push(Secret::new(SecretKind::Token, token.clone()));
            if !sessions.contains(&token) {
                sessions.push(token);
            }
        }
        let mut live = 0;
        for token in &sessions {
            self.kept.insert("token".to_owned(), token.clone().into());
            let ended = Box::pin(self.routine("recognise-kept", &Conduct::Assisted)).await?;
            live += u32::from(ended.outcome == Outcome::Accepted);
        }
        for token in sessions {
            self.kept.insert("token".to_owned(), token.into());
            // What is not ended here ends with its user.
            let _ = Box::pin(self.routine("end-kept-session", &Conduct::Assisted)).await?;
        }
        self.kept.remove("token");
        let saw = format!("of {times} fetched at once {live} sessions were yielded");
        Ok(match live {
            0 => unfetched(failed.as_deref().unwrap_or(&saw)),
            // One that got no usable answer was not turned away.
            1 if failed.is_some() => {
                let fault = failed.unwrap_or_default();
                Ended { outcome: Outcome::Failed, saw: format!("{saw}, and one broke off: {fault}") }
            }
            1 => Ended { outcome: Outcome::Refused, saw },
            _ => Ended { outcome: Outcome::Accepted, saw },
        })
    }

    /// Looks at the address that a log-in's own page has, while it waits for a security key. Anything but success is
    /// returned.
    pub(super) async fn look_while_pending(&mut self) -> Result<Option<Ended>, Mistake> {
        let Fetch::Seeing(routine) = self.fetch.clone() else { return Ok(None) };
        let text = |name: &str| self.kept.get(name).and_then(Json::as_str).map(str::to_owned);
        let (Some(page), Some(done)) = (text("page"), text("done")) else { return Ok(None) };
        let seen = self.on_page(&routine, &Offer { page, done }).await?;
        Ok((seen.outcome != Outcome::Accepted).then_some(seen))
    }

    async fn one_session(&mut self) -> Result<Ended, Mistake> {
        let mut ended = Box::pin(self.routine("collect-session", &Conduct::Assisted)).await?;
        // The next is one of its own.
        self.kept.remove("token");
        if ended.outcome == Outcome::NotImplemented {
            ended.outcome = Outcome::Refused;
        }
        Ok(ended)
    }

    /// Lets the steps be challenged, answers with the security key, and returns the proof for them.
    pub async fn proof_by_key(&mut self, steps: &[Step]) -> Result<Result<Secret, Ended>, Mistake> {
        self.offered = None;
        let kept = self.kept();
        let ended = self.perform(steps, &Conduct::Bare).await?;
        if !matches!(ended.outcome, Outcome::Challenged { .. }) {
            return Ok(Err(ended));
        }
        let proof = self.answer_by_key().await?;
        self.kept = kept;
        Ok(proof)
    }

    /// A proof of the form that pages hand out, which none has.
    pub fn wrong_token(&self) -> Secret {
        Secret::new(SecretKind::WebToken, data_encoding::HEXLOWER.encode(&rand::random::<[u8; 32]>()))
    }
}

/// An address of this machine by its name, or any other as it is.
pub(super) fn named(mut address: Url) -> Result<Url, Mistake> {
    if is_loopback(&address) {
        address.set_host(Some("localhost")).map_err(|error| error.to_string())?;
    }
    Ok(address)
}

/// The page is given nothing on purpose.
fn withheld(why: &str) -> Ended {
    Ended { outcome: Outcome::Refused, saw: why.to_owned() }
}

/// The page's options are such that no key can do its part.
fn unusable(saw: String) -> Ended {
    Ended { outcome: Outcome::Failed, saw }
}

/// What says nothing of a second proof, as there was no first one.
fn unfetched(saw: &str) -> Ended {
    Ended { outcome: Outcome::Failed, saw: format!("the page's proof could not be fetched at all: {saw}") }
}

/// Where request options say whether the user must be verified (WebAuthn §5.5).
const DEMANDED: &str = "/userVerification";
/// Where creation options do (§5.4.4).
const DEMANDED_AT_REGISTRATION: &str = "/authenticatorSelection/userVerification";

/// The name under which `collect-proof` keeps the proof.
pub(super) const PROOF: &str = "proof";
