//! Preparing: what a command works on is made before the run, by the users themselves and as `check` makes it.
//!
//! None of it is timed, and the run begins when all of it is there. Each user is prepared for one arrival.

use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use minijinja::Value;
use rand::RngCore as _;
use reqwest::Url;
use tokio::sync::Semaphore;

use super::enrol::MODE;
use super::errand::{Companion, Prepared};
use super::keychain;
use super::users::Users;
use crate::check::scene::{Conduct, Ended, Scene, Stage};
use crate::clock::{Clock, UnixMillis};
use crate::dialect::template::json;
use crate::dialect::{Dialect, Surface};
use crate::judge::Outcome;
use crate::persona::Persona;
use crate::persona::key::{Maker, SecurityKey};
use crate::persona::ledger::{GUARD_MS, Ledger, Skew};
use crate::persona::totp::{PERIOD, TotpSecret};
use crate::secret::{Secret, SecretKind};
use crate::wire::Wire;

/// How many users are at work at once, and how many more may wait for the next time step meanwhile.
const JOBS: usize = 16;
const WAITING: usize = 4_096;

/// How users prove themselves while they prepare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Means {
    /// With their security keys, which spends nothing.
    Keys,
    /// With codes: one for each request that takes a proof, and each of another time step.
    Codes,
}

/// What has been prepared.
#[derive(Debug)]
pub struct Ready {
    /// For each user, what he works on.
    pub prepared: Vec<Prepared>,
    /// Whom some commands name.
    pub other: Option<Companion>,
    /// The step up to which codes have been spent.
    pub spent_through: u32,
}

/// Who prepares, and where.
#[derive(Debug)]
pub struct Preparing {
    stage: Stage,
    origin: Url,
    means: Means,
    /// No other run has it.
    mark: String,
}

impl Preparing {
    /// On the target that this wire goes to.
    pub fn new(wire: Wire, dialect: Arc<Dialect>, skew: Skew, means: Means) -> Self {
        let origin = keychain::origin(wire.base());
        let stage = Stage {
            wire,
            dialect,
            maker: Maker::Own,
            browser: Arc::default(),
            clock: Clock::system(),
            skew,
            guard_ms: GUARD_MS,
            routes: Arc::default(),
            offset_ms: 0,
            journal: None,
            proven: Default::default(),
            jobs: Arc::new(Semaphore::new(JOBS)),
            waits: crate::check::waits::Waits::default(),
            spread: false,
            stop: crate::check::stop::Stop::default(),
        };
        Preparing { stage, origin, means, mark: format!("{:08x}", rand::rng().next_u32()) }
    }

    /// Prepares so many users for a surface's command. `tell` hears how many are ready.
    pub async fn prepare(
        &self,
        surface: &Surface,
        users: &Users,
        wanted: u32,
        spent_through: u32,
        tell: impl Fn(usize),
    ) -> Result<Ready, String> {
        let other = if surface.companion { Some(self.companion().await?) } else { None };
        let one = |user: u32| {
            let other = other.clone();
            async move {
                let made = self.user(surface, users, user, spent_through, other.as_ref()).await;
                made.map_err(|why| format!("{} could not be prepared: {why}", users.name(user)))
            }
        };
        let mut ready = Ready { prepared: Vec::new(), other: None, spent_through };
        let mut made = stream::iter(0..wanted).map(one).buffered(WAITING);
        while let Some((prepared, step)) = made.try_next().await? {
            ready.prepared.push(prepared);
            ready.spent_through = ready.spent_through.max(step);
            tell(ready.prepared.len());
        }
        drop(made);
        Ok(Ready { other, ..ready })
    }

    /// A user without a second factor.
    async fn companion(&self) -> Result<Companion, String> {
        let mut bytes = [0; 16];
        rand::rng().fill_bytes(&mut bytes);
        let password = Secret::new(SecretKind::Password, format!("Pw-{}", data_encoding::HEXLOWER.encode(&bytes)));
        let persona = Persona::new(format!("su{}-other", self.mark), password);
        let mut scene = Scene::open(&self.stage, persona, "disabled", "load").await;
        let ended = scene.routine("sign-up", &Conduct::Bare).await?;
        if ended.outcome != Outcome::Accepted {
            return Err(format!("a companion could not sign up: {}", ended.saw));
        }
        let (user, _) = scene.exit();
        Ok(Companion { name: user.name, token: user.token.ok_or("signing up gave no token")? })
    }

    async fn user(
        &self,
        surface: &Surface,
        users: &Users,
        user: u32,
        spent_through: u32,
        other: Option<&Companion>,
    ) -> Result<(Prepared, u32), String> {
        let name = format!("su-load-{}-{user}", self.mark);
        let (scene, object) = self.ready(surface, &name, (users, user), spent_through, other).await?;
        Ok((Prepared { object, kept: scene.kept() }, last_step(&scene, spent_through)))
    }

    /// Sends a command without a proof, for one user: whether it was let through, and how it was answered. The step up
    /// to which codes have been spent by then comes with it.
    pub async fn look(
        &self,
        surface: &Surface,
        (users, user): (&Users, u32),
        spent_through: u32,
    ) -> Result<(Ended, u32), String> {
        let other = if surface.companion { Some(self.companion().await?) } else { None };
        let name = format!("su-load-{}-look", self.mark);
        let (mut scene, _) = self.ready(surface, &name, (users, user), spent_through, other.as_ref()).await?;
        let ended = scene.perform(&surface.perform, &Conduct::Bare).await?;
        Ok((ended, last_step(&scene, spent_through)))
    }

    /// A user for whom everything is there that a command works on.
    async fn ready(
        &self,
        surface: &Surface,
        name: &str,
        (users, user): (&Users, u32),
        spent_through: u32,
        other: Option<&Companion>,
    ) -> Result<(Scene, serde_json::Value), String> {
        let mut persona = Persona::new(users.name(user), users.password(user));
        persona.token = Some(users.token(user));
        let secret = TotpSecret::from_bytes(users.papers(user).secret().to_vec());
        let spent = UnixMillis(i64::from(spent_through) * PERIOD * 1_000);
        persona.ledger = Some(Ledger::resumed(secret, self.stage.skew, self.stage.guard_ms, spent));
        if self.means == Means::Keys {
            let stored = keychain::stored(users, user, &self.origin).ok_or("there is no security key")?;
            persona.key = Some(SecurityKey::uncounted(stored)?);
        }
        let mut scene = Scene::open(&self.stage, persona, MODE, "load").await;
        scene.other = other.map(|other| {
            let mut persona = Persona::new(other.name.clone(), Secret::new(SecretKind::Password, ""));
            persona.token = Some(other.token.clone());
            persona
        });
        let object = object(surface, name, &users.name(user), user.into())?;
        scene.take_up(Value::from(minijinja::value::Serde(&object)), std::collections::BTreeMap::new());
        for steps in [&surface.prepare, &surface.before] {
            let ended = scene.perform(steps, &Conduct::Assisted).await?;
            if ended.outcome != Outcome::Accepted {
                return Err(ended.saw);
            }
        }
        Ok((scene, object))
    }
}

/// The step up to which a user has spent codes.
fn last_step(scene: &Scene, spent_through: u32) -> u32 {
    scene.step().map_or(spent_through, |step| u32::try_from(step.0).unwrap_or(spent_through))
}

/// What a command works on: names that nothing else on the target has.
pub fn object(surface: &Surface, name: &str, user: &str, n: u64) -> Result<serde_json::Value, String> {
    let variables = minijinja::context! { n, name, user, password => format!("Pw-{name}") };
    let mut object = serde_json::Map::new();
    object.insert("name".to_owned(), name.into());
    for (key, template) in &surface.object {
        let value = template.value(&variables).map_err(|error| error.to_string())?;
        object.insert(key.clone(), json(value));
    }
    Ok(object.into())
}
