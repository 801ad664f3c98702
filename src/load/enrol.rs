//! Enrolling a pool over the wire, as any client does: each user signs up, asks for a secret and confirms it.
//!
//! Many are at work at once. What is about to be made stands in the pool file before it is made, so that an enrolment
//! that was interrupted goes on where it stopped, with names that have never been used.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use rand::RngCore as _;
use reqwest::Url;
use tokio::sync::Semaphore;

use super::pool::{Line, PoolFile, Writing};
use super::users::Users;
use crate::check::scene::{Conduct, Scene, Stage};
use crate::clock::Clock;
use crate::consent;
use crate::judge::Outcome;
use crate::persona::Persona;
use crate::persona::key::{Maker, SecurityKey};
use crate::persona::ledger::{GUARD_MS, Ledger};
use crate::persona::totp::{PERIOD, TotpSecret};
use crate::secret::{Secret, SecretKind};
use crate::target::{Start, Target};
use crate::wire::{Reuse, Trust, Wire};

/// An enrolment is given up after so many users that failed, one after the other.
const FAILURES: usize = 10;
/// The mode that every user of a pool is in.
pub const MODE: &str = "auth-and-writes";

/// The mode of those of a pool that has no second factor.
pub const NO_MODE: &str = "disabled";

/// How an enrolment ended.
#[derive(Debug, PartialEq, Eq)]
pub struct Enrolled {
    /// How many users the pool has now.
    pub users: usize,
    /// Those that failed, and why the last one did.
    pub failed: usize,
    /// See above.
    pub last_failure: Option<String>,
}

/// A target whose users sign themselves up, and how many at once. Many users at once are load: where the target is not
/// on this machine its host has to consent first.
pub async fn stage(target: Target, jobs: usize, trust: Trust, factors: Factors) -> Result<(Stage, Url), String> {
    let hint = format!("`stepup target start {}` runs it, and its address is a target", target.name);
    let base = match target.start {
        Start::Running { base, accounts: None } => base,
        Start::Running { accounts: Some(_), .. } => {
            return Err("its accounts are handed over by its operator".to_owned());
        }
        Start::Embedded { .. } => return Err("the embedded registry has users of a seed, and needs no pool".to_owned()),
        Start::Installed(_) => return Err(format!("it would end with this command; {hint}")),
    };
    let wire = Wire::trusting(base.clone(), Reuse::WhenIdle, trust, target.limits.in_file())?;
    consent::given(&wire, target.consent.as_deref())
        .await
        .map_err(|why| format!("load, with the users for it, needs the host's own consent: {why}"))?;
    if factors == Factors::CodesAndKeys
        && let Some(why) = &target.dialect.no_keys
    {
        return Err(format!("no security key can be registered: {why}"));
    }
    let stage = Stage {
        wire,
        dialect: Arc::new(target.dialect),
        // A key that is kept must be one that can be.
        maker: Maker::Own,
        browser: Arc::default(),
        clock: Clock::system(),
        skew: target.skew,
        guard_ms: GUARD_MS,
        routes: Arc::default(),
        offset_ms: 0,
        journal: None,
        proven: Default::default(),
        jobs: Arc::new(Semaphore::new(jobs)),
        waits: crate::check::waits::Waits::default(),
        spread: false,
        stop: crate::check::stop::Stop::default(),
    };
    Ok((stage, base))
}

/// A name that begins as no other pool's do.
pub fn prefix() -> String {
    format!("su{:08x}", rand::rng().next_u32())
}

/// Enrols users until the pool, which stands at `path`, has `wanted`, `jobs` at once. `tell` hears how many there are.
pub async fn enrol(
    stage: &Stage,
    (path, pool): (&Path, &PoolFile),
    wanted: usize,
    jobs: usize,
    stop: &AtomicBool,
    factors: Factors,
    tell: impl Fn(usize),
) -> Result<Enrolled, String> {
    let Users::Kept(there) = &pool.users else {
        return Err("the users of this pool follow from a seed; there is nothing to enrol".to_owned());
    };
    let used = there.iter().map(|user| &*user.name).chain(pool.unfinished.iter().map(String::as_str));
    let next = used.filter_map(|name| name.rsplit_once("-p")?.1.parse::<usize>().ok()).max().map_or(0, |last| last + 1);
    let writing = Writing::resume(path).map_err(|error| format!("{} cannot be written: {error}", path.display()))?;
    let writing = Mutex::new(writing);
    let write = |line: &Line| {
        let mut writing = writing.lock().unwrap_or_else(PoisonError::into_inner);
        writing.line(line).map_err(|error| format!("{} cannot be written: {error}", path.display()))
    };
    let mut ended = Enrolled { users: there.len(), failed: 0, last_failure: None };
    let one = |number: usize| {
        let (write, prefix) = (&write, &pool.prefix);
        async move {
            let name = format!("{prefix}-p{number:07}");
            write(&Line::Making(name.clone()))?;
            let made = make(stage, name, factors).await;
            if let Ok(line) = &made {
                write(line)?;
            }
            Ok::<_, String>(made.err())
        }
    };
    let (mut next, mut in_a_row) = (next, 0);
    let mut running = FuturesUnordered::new();
    loop {
        while running.len() < jobs && ended.users + running.len() < wanted && in_a_row < FAILURES {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            running.push(one(next));
            next += 1;
        }
        match running.next().await {
            None => break,
            Some(made) => match made? {
                None => {
                    ended.users += 1;
                    in_a_row = 0;
                    tell(ended.users);
                }
                Some(why) => {
                    ended.failed += 1;
                    in_a_row += 1;
                    ended.last_failure = Some(why);
                }
            },
        }
    }
    drop(running);
    write(&Line::SpentThrough(present_step(stage)))?;
    Ok(ended)
}

fn present_step(stage: &Stage) -> u32 {
    let step = stage.clock.now().0.div_euclid(PERIOD * 1_000);
    // With skew, the code of the next step may have been sent.
    u32::try_from(step + stage.skew.ahead).unwrap_or_default()
}

/// What each user of a pool enrols.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Factors {
    /// Codes.
    Codes,
    /// Codes, and a security key.
    CodesAndKeys,
    /// Nothing: users without a second factor, for a base line.
    None,
}

impl Factors {
    fn mode(self) -> &'static str {
        match self {
            Factors::Codes | Factors::CodesAndKeys => MODE,
            Factors::None => NO_MODE,
        }
    }
}

/// Makes and enrols one user.
async fn make(stage: &Stage, name: String, factors: Factors) -> Result<Line, String> {
    let mut bytes = [0; 16];
    rand::rng().fill_bytes(&mut bytes);
    let password = Secret::new(SecretKind::Password, format!("Pw-{}", data_encoding::HEXLOWER.encode(&bytes)));
    let mut scene = Scene::open(stage, Persona::new(name, password), factors.mode(), "pool").await;
    let routines: &[&str] = match factors {
        Factors::Codes => &["sign-up", "enrol"],
        Factors::CodesAndKeys => &["sign-up", "enrol", "register-key"],
        Factors::None => &["sign-up"],
    };
    for routine in routines {
        let ended = scene.routine(routine, &Conduct::Assisted).await?;
        if ended.outcome != Outcome::Accepted {
            return Err(format!("{routine}: {}", ended.saw));
        }
    }
    let (user, _) = scene.exit();
    let secret = match (&user.ledger, factors) {
        (Some(ledger), _) => ledger.secret().base32().reveal().to_owned(),
        (None, Factors::None) => String::new(),
        (None, Factors::Codes | Factors::CodesAndKeys) => return Err("enrolling gave no secret".to_owned()),
    };
    let token = user.token.as_ref().ok_or("signing up gave no token")?;
    Ok(Line::User {
        name: user.name.as_str().into(),
        token: token.reveal().into(),
        password: user.password.reveal().into(),
        secret,
        recovery: user.recovery_codes.iter().map(|code| code.reveal().into()).collect(),
        key: user.key.as_ref().and_then(SecurityKey::stored).map(Box::new),
    })
}

/// Takes the second factor of every user away and ends his session. Returns those for whom that failed, in words. The
/// protocol has no request that removes a user.
pub async fn retire(stage: &Stage, pool: &PoolFile, jobs: usize) -> Vec<String> {
    let Users::Kept(users) = &pool.users else { return Vec::new() };
    let one = |user: &super::users::Kept| {
        let mut persona = Persona::new(user.name.to_string(), Secret::new(SecretKind::Password, &*user.password));
        persona.token = Some(Secret::new(SecretKind::Token, &*user.token));
        let routines: &[&str] = if user.secret.is_empty() {
            &["log-out"]
        } else {
            let secret = TotpSecret::from_bytes(user.secret.to_vec());
            persona.ledger = Some(Ledger::resumed(secret, stage.skew, stage.guard_ms, stage.target_time()));
            &["step-down", "log-out"]
        };
        async move {
            let name = persona.name.clone();
            let mut scene = Scene::open(stage, persona, MODE, "pool").await;
            for routine in routines {
                match scene.routine(routine, &Conduct::Assisted).await {
                    Ok(ended) if ended.outcome == Outcome::Accepted => {}
                    Ok(ended) => return Some(format!("{name}: {routine}: {}", ended.saw)),
                    Err(mistake) => return Some(format!("{name}: {routine}: {mistake}")),
                }
            }
            None
        }
    };
    let left = futures_util::stream::iter(users.iter()).map(one).buffer_unordered(jobs);
    left.filter_map(|left| async move { left }).collect().await
}
