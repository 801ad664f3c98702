//! A scene: one persona on one target, performing steps and keeping every exchange as evidence.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use minijinja::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::clock::{AtWork, Clock};
use crate::dialect::predicate::{Answer, Predicate};
use crate::dialect::step::{Auth, Step};
use crate::dialect::template::{Document, Unfilled};
use crate::dialect::{Dialect, Fact};
use crate::judge::{Effect, Outcome};
use crate::persona::Persona;
use crate::persona::ledger::{Issue, Ledger, Skew};
use crate::persona::totp::TotpSecret;
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
    /// How far from a step's edge codes are sent.
    pub guard_ms: i64,
    /// How many scenes may be at work at once.
    pub jobs: Arc<Semaphore>,
    /// How many scenes wait for a new time step.
    pub waiting: Arc<AtomicUsize>,
}

/// How a command deals with a challenge.
#[derive(Debug, Clone)]
pub enum Conduct {
    /// It stops there.
    Bare,
    /// It carries this proof from the start.
    Proof(Secret),
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

/// A mistake on our side of the wire, or in a file.
pub type Mistake = String;

/// One persona at work.
pub struct Scene {
    stage: Stage,
    /// The user.
    pub user: Persona,
    /// The companion without a second factor.
    pub other: Option<Persona>,
    mode: String,
    object: Value,
    args: Value,
    kept: BTreeMap<String, serde_json::Value>,
    tick: u32,
    /// What was sent and received since it was last taken.
    pub exchanges: Vec<Exchange>,
    permit: Option<OwnedSemaphorePermit>,
    _at_work: AtWork,
}

impl Scene {
    /// A scene that starts as soon as there is a place for it.
    pub async fn open(stage: &Stage, user: Persona, mode: &str) -> Self {
        let permit = Arc::clone(&stage.jobs).acquire_owned().await.ok();
        Scene {
            stage: stage.clone(),
            user,
            other: None,
            mode: mode.to_owned(),
            object: Value::from(()),
            args: Value::from(()),
            kept: BTreeMap::new(),
            tick: 0,
            exchanges: Vec::new(),
            permit,
            _at_work: stage.clock.work(),
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
            let now = self.stage.clock.now();
            let ledger = self.user.ledger.as_mut().ok_or("a code was needed from a persona without a factor")?;
            match ledger.issue(now) {
                Issue::Code(code) => return Ok(code),
                Issue::WaitUntil(until) => {
                    // Another scene may work meanwhile.
                    self.permit = None;
                    self.stage.waiting.fetch_add(1, Ordering::Relaxed);
                    self.stage.clock.wait_until(until).await;
                    self.stage.waiting.fetch_sub(1, Ordering::Relaxed);
                    self.permit = Arc::clone(&self.stage.jobs).acquire_owned().await.ok();
                }
            }
        }
    }

    /// Whether the last code is still of a step that the target accepts, so that its refusal says something.
    pub fn code_is_live(&self) -> bool {
        self.user.ledger.as_ref().is_some_and(|ledger| ledger.is_live(self.stage.clock.now()))
    }

    /// A wrong code.
    pub fn wrong_code(&self) -> Result<Secret, Mistake> {
        let ledger = self.user.ledger.as_ref().ok_or("a code was needed from a persona without a factor")?;
        Ok(ledger.wrong(self.stage.clock.now()))
    }

    /// Runs a routine of the dialect.
    pub async fn routine(&mut self, name: &str, conduct: &Conduct) -> Result<Ended, Mistake> {
        let dialect = Arc::clone(&self.stage.dialect);
        let steps = dialect.routines.get(name).ok_or_else(|| format!("the dialect has no routine `{name}`"))?;
        self.perform(steps, conduct).await
    }

    /// Performs steps until one does not succeed.
    pub async fn perform(&mut self, steps: &[Step], conduct: &Conduct) -> Result<Ended, Mistake> {
        let mut ended = Ended { outcome: Outcome::Accepted, saw: "nothing to do".to_owned() };
        for step in steps {
            ended = match &step.routine {
                Some(name) => {
                    let args = self.fill_all(&step.with)?;
                    let before = std::mem::replace(&mut self.args, args);
                    let ended = Box::pin(self.routine(name, conduct)).await;
                    self.args = before;
                    ended?
                }
                None => self.step(step, conduct).await?.0,
            };
            if ended.outcome != Outcome::Accepted {
                break;
            }
        }
        Ok(ended)
    }

    async fn step(&mut self, step: &Step, conduct: &Conduct) -> Result<(Ended, Option<Answer>), Mistake> {
        let entered = if step.enters_code { Some(self.code().await?) } else { None };
        let carried = match conduct {
            Conduct::Proof(proof) if !step.unproven => Some(proof.clone()),
            Conduct::Proof(_) | Conduct::Bare | Conduct::Assisted => None,
        };
        let answer = self.send(step, carried.as_ref(), entered.as_ref()).await?;
        let ended = self.classify(step, answer.as_ref())?;
        if matches!(conduct, Conduct::Assisted)
            && matches!(ended.outcome, Outcome::Challenged { .. })
            && self.user.ledger.is_some()
        {
            let code = self.code().await?;
            let answer = self.send(step, Some(&code), entered.as_ref()).await?;
            let ended = self.classify(step, answer.as_ref())?;
            self.learn(step, &ended, answer.as_ref())?;
            return Ok((ended, answer));
        }
        self.learn(step, &ended, answer.as_ref())?;
        Ok((ended, answer))
    }

    /// Reads the effect back.
    pub async fn effect(&mut self, facts: &[Fact]) -> Result<Effect, Mistake> {
        let (mut applied, mut absent, mut unclear) = (0, 0, 0);
        for fact in facts {
            if fact.if_applied && applied == 0 {
                continue;
            }
            if fact.needs.as_ref().is_some_and(|name| !self.kept.contains_key(name)) {
                absent += 1;
                continue;
            }
            let (_, answer) = self.step(&fact.read, &Conduct::Assisted).await?;
            let Some(answer) = answer else {
                unclear += 1;
                continue;
            };
            let variables = self.variables(None, false);
            if fact.applied.holds(&answer, &variables).map_err(|error| error.to_string())? {
                applied += 1;
            } else if fact.absent.holds(&answer, &variables).map_err(|error| error.to_string())? {
                absent += 1;
            } else if let Some(partial) = &fact.partial
                && partial.holds(&answer, &variables).map_err(|error| error.to_string())?
            {
                return Ok(Effect::Partial);
            } else {
                unclear += 1;
            }
        }
        Ok(match (applied, absent, unclear) {
            (0, 0, 0) => Effect::None,
            (_, 0, 0) => Effect::Applied,
            (0, _, 0) => Effect::NotApplied,
            (0, _, _) => Effect::Unknown,
            _ => Effect::Partial,
        })
    }

    async fn send(
        &mut self,
        step: &Step,
        carried: Option<&Secret>,
        entered: Option<&Secret>,
    ) -> Result<Option<Answer>, Mistake> {
        self.tick += 1;
        let real = self.variables(entered, false);
        let shown = self.variables(entered, true);
        let outgoing = self.fill(step, carried, &real, &shown).map_err(|error| error.to_string())?;
        let hide = |text: &str| self.hide(text);
        let (answer, exchange) = self.stage.wire.send(outgoing, hide).await;
        self.exchanges.push(exchange);
        Ok(answer)
    }

    fn fill(&self, step: &Step, carried: Option<&Secret>, real: &Value, shown: &Value) -> Result<Outgoing, Unfilled> {
        let dialect = &self.stage.dialect;
        let line = step.request.as_ref();
        let place = |variables: &Value| line.map_or(Ok(String::new()), |line| line.place.text(variables));
        let mut headers = Vec::new();
        for (name, value) in dialect.headers.iter().chain(&step.headers) {
            headers.push((name.clone(), value.text(real)?, value.text(shown)?));
        }
        let token = match step.auth {
            Auth::User => self.user.token.clone(),
            Auth::Other => self.other.as_ref().and_then(|other| other.token.clone()),
            Auth::Kept => self
                .kept
                .get("token")
                .and_then(serde_json::Value::as_str)
                .map(|token| Secret::new(SecretKind::Token, token)),
            Auth::None => None,
        };
        if let Some(token) = token {
            headers.push(("authorization".to_owned(), format!("Bearer {}", token.reveal()), format!("Bearer {token}")));
        }
        if let (Some(proof), None) = (carried, &step.proof_field) {
            headers.push((dialect.proof_header.clone(), proof.reveal().to_owned(), proof.to_string()));
        }
        let field = |document: &mut serde_json::Value, value: &str| {
            if let (Some(field), serde_json::Value::Object(members)) = (&step.proof_field, document) {
                members.insert(field.clone(), value.into());
            }
        };
        let mut body = None;
        for (document, is_form) in [(&step.json, false), (&step.form, true)] {
            let Some(document) = document else { continue };
            let (mut sent, mut told) = (document.fill(real)?, document.fill(shown)?);
            if let Some(proof) = carried {
                field(&mut sent, proof.reveal());
                field(&mut told, &proof.to_string());
            }
            let (kind, encode): (_, fn(&serde_json::Value) -> String) = if is_form {
                ("application/x-www-form-urlencoded", form)
            } else {
                ("application/json", ToString::to_string)
            };
            headers.push(("content-type".to_owned(), kind.to_owned(), kind.to_owned()));
            body = Some((encode(&sent).into_bytes(), if is_form { encode(&told) } else { self.hide(&encode(&told)) }));
        }
        let method = line.map_or(crate::dialect::step::Method::Get, |line| line.method);
        Ok(Outgoing { method, place: place(real)?, shown_place: self.hide(&place(shown)?), headers, body })
    }

    fn classify(&self, step: &Step, answer: Option<&Answer>) -> Result<Ended, Mistake> {
        let Some(answer) = answer else {
            let fault = self.exchanges.last().and_then(|exchange| exchange.fault.clone()).unwrap_or_default();
            return Ok(Ended { outcome: Outcome::Failed, saw: fault });
        };
        let dialect = &self.stage.dialect;
        let variables = self.variables(None, false);
        let holds = |predicate: &Predicate| predicate.holds(answer, &variables).map_err(|error| error.to_string());
        let any = |predicates: &[Predicate]| -> Result<bool, Mistake> {
            for predicate in predicates {
                if holds(predicate)? {
                    return Ok(true);
                }
            }
            Ok(false)
        };
        let request = self.exchanges.last().map(|exchange| exchange.request.as_str()).unwrap_or_default();
        let ended = |outcome, what: &str| Ok(Ended { outcome, saw: format!("{request} → {} {what}", answer.status) });
        if any(&step.challenge)? {
            return ended(Outcome::Challenged { flaw: None }, "asks for a code on its page");
        }
        if step.challenge.is_empty()
            && let Some(recogniser) = dialect.recognise(answer, &variables).map_err(|error| error.to_string())?
        {
            let Some(flaw) = &recogniser.flaw else {
                return ended(Outcome::Challenged { flaw: None }, "challenge");
            };
            let flaw = format!("{flaw}; breaks {}", recogniser.breaks.join(", "));
            let what = format!("challenge with a flaw: {flaw}");
            return ended(Outcome::Challenged { flaw: Some(flaw) }, &what);
        }
        let success = match &step.expect {
            Some(predicate) => holds(predicate)?,
            None => answer.status / 100 == 2,
        };
        if success {
            ended(Outcome::Accepted, "success")
        } else if any(&dialect.throttled)? {
            ended(Outcome::Throttled, "throttled")
        } else if any(&dialect.not_implemented)? {
            ended(Outcome::NotImplemented, "no such route")
        } else if answer.status >= 500 {
            ended(Outcome::Failed, "server error")
        } else {
            ended(Outcome::Refused, "refused without a challenge")
        }
    }

    /// Keeps what the step says to keep, and lets the persona become what it says.
    fn learn(&mut self, step: &Step, ended: &Ended, answer: Option<&Answer>) -> Result<(), Mistake> {
        let Some(json) = answer.and_then(|answer| answer.json.as_ref()) else {
            return Ok(());
        };
        for (name, pointer) in &step.keep {
            if let Some(value) = json.pointer(pointer).filter(|value| !value.is_null()) {
                self.kept.insert(name.clone(), value.clone());
            }
        }
        for (name, pointer) in &step.count {
            if let Some(items) = json.pointer(pointer).and_then(serde_json::Value::as_array) {
                self.kept.insert(name.clone(), items.len().into());
            }
        }
        if ended.outcome != Outcome::Accepted {
            return Ok(());
        }
        let text = |pointer: &str| json.pointer(pointer).and_then(serde_json::Value::as_str);
        if let Some(token) = step.r#become.token.as_deref().and_then(text) {
            let token = Some(Secret::new(SecretKind::Token, token));
            match (step.auth, &mut self.other) {
                (Auth::Other, Some(other)) => other.token = token,
                _ => self.user.token = token,
            }
        }
        if let Some(pointer) = &step.r#become.totp {
            let secret = TotpSecret::from_otpauth(text(pointer).unwrap_or_default())?;
            self.user.ledger = Some(Ledger::new(secret, self.stage.skew, self.stage.guard_ms));
        }
        if let Some(password) = &step.r#become.password {
            let password = password.text(&self.variables(None, false)).map_err(|error| error.to_string())?;
            let new = Secret::new(SecretKind::Password, password);
            self.user.former = Some(std::mem::replace(&mut self.user.password, new));
        }
        Ok(())
    }

    fn fill_all(&self, documents: &BTreeMap<String, Document>) -> Result<Value, Mistake> {
        let variables = self.variables(None, false);
        let mut filled = serde_json::Map::new();
        for (name, document) in documents {
            filled.insert(name.clone(), document.fill(&variables).map_err(|error| error.to_string())?);
        }
        Ok(Value::from(minijinja::value::Serde(&filled)))
    }

    /// What templates read; with `shown`, secrets are their placeholders.
    fn variables(&self, entered: Option<&Secret>, shown: bool) -> Value {
        let value = |secret: &Secret| Value::from(if shown { secret.to_string() } else { secret.reveal().to_owned() });
        let persona = |persona: &Persona| {
            let token = persona.token.as_ref().map(value).unwrap_or_default();
            let former = persona.former.as_ref().map(value).unwrap_or_default();
            minijinja::context! { name => persona.name.clone(), password => value(&persona.password), former => former, token => token }
        };
        let other = self.other.as_ref().map(persona).unwrap_or_default();
        minijinja::context! {
            user => persona(&self.user),
            other => other,
            mode => self.mode.clone(),
            object => self.object.clone(),
            args => self.args.clone(),
            kept => Value::from(minijinja::value::Serde(&self.kept)),
            tick => self.tick,
            proof => entered.map(value).unwrap_or_default(),
        }
    }

    /// A text from the wire without the secrets that it may hold: those of this scene by value, others by the
    /// names of the JSON members that the dialect says are secret.
    fn hide(&self, text: &str) -> String {
        let mut text = match serde_json::from_str::<serde_json::Value>(text) {
            Ok(mut json) if json.is_object() || json.is_array() => {
                hide_members(&mut json, &self.stage.dialect.secret_members);
                json.to_string()
            }
            _ => text.to_owned(),
        };
        let own = [Some(&self.user), self.other.as_ref()];
        for persona in own.into_iter().flatten() {
            for secret in
                [Some(&persona.password), persona.former.as_ref(), persona.token.as_ref()].into_iter().flatten()
            {
                text = text.replace(secret.reveal(), secret.kind().placeholder());
            }
        }
        let kept = ["token", "secret"].into_iter().filter_map(|name| self.kept.get(name)?.as_str());
        kept.fold(text, |text, token| text.replace(token, SecretKind::Token.placeholder()))
    }
}

fn hide_members(json: &mut serde_json::Value, names: &[String]) {
    match json {
        serde_json::Value::Object(members) => {
            for (name, value) in members {
                match value {
                    serde_json::Value::String(text) if names.contains(name) => *text = "‹hidden›".to_owned(),
                    serde_json::Value::Array(items)
                        if names.contains(name) && items.iter().all(serde_json::Value::is_string) =>
                    {
                        items.iter_mut().for_each(|item| *item = "‹hidden›".into());
                    }
                    _ => hide_members(value, names),
                }
            }
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(|item| hide_members(item, names)),
        _ => {}
    }
}

fn form(document: &serde_json::Value) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    for (name, value) in document.as_object().into_iter().flatten() {
        form.append_pair(name, value.as_str().unwrap_or_default());
    }
    form.finish()
}
