//! Cleaning up after a run that ended before it could: its journal and keyring are replayed, the last first.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use minijinja::Value;
use minijinja::value::Serde;
use tokio::sync::Semaphore;

use super::journal::{self, Entry};
use super::keyring::{self, Credentials, Held};
use super::scene::{Conduct, Ended, NEVER_READ, NOTHING_TO_DO, Scene, Stage};
use super::suite::Unready;
use super::waits::Waits;
use crate::clock::UnixMillis;
use crate::host::Host;
use crate::judge::Outcome;
use crate::persona::Persona;
use crate::persona::key::{Maker, SecurityKey};
use crate::persona::ledger::{GUARD_MS, Ledger};
use crate::registry::Mutants;
use crate::target::{self, Start};
use crate::wire::{ChosenLimits, Limits, Reuse, Trust, Wire};
use crate::yaml::FileError;

/// What cleaning up came to.
#[derive(Debug, Default)]
pub struct Cleaned {
    /// How many requests were undone.
    pub undone: usize,
    /// What may be left, in words.
    pub left: Vec<String>,
    /// The users that were made, whom no request removes.
    pub users: usize,
}

/// What a journal says.
struct Replay {
    target: String,
    base: String,
    keyring: PathBuf,
    users: usize,
    /// What is not undone: number, case and request.
    open: Vec<(u64, String)>,
}

/// Removes what the run of a journal left on its target.
pub async fn cleanup(path: &Path, trust: Trust, limits: ChosenLimits) -> Result<Cleaned, Unready> {
    let replay = read(path)?;
    let mut cleaned = Cleaned { users: replay.users, ..Cleaned::default() };
    if replay.open.is_empty() {
        keyring::remove(&replay.keyring);
        return Ok(cleaned);
    }
    let Ok(keys) = keyring::read(&replay.keyring) else {
        let gone = format!("{} is not there, so nothing can be undone", replay.keyring.display());
        cleaned.left = replay.open.into_iter().map(|(_, request)| format!("{request}: {gone}")).collect();
        return Ok(cleaned);
    };
    let mut crew = Crew::assemble(&replay, &keys.users, trust, limits).await?;
    let numbers = replay.open.iter().map(|(number, _)| *number).collect();
    let journal = std::fs::read_to_string(path).unwrap_or_default();
    for record in open(keys.held, &journal).into_iter().rev() {
        match crew.undo(&record).await {
            // Where the dialect takes that for an answer, it says so.
            Ok(Ended { outcome: Outcome::NotImplemented, saw }) if record.accepted => {
                cleaned.left.push(format!("{}: {saw}", whereabouts(&record)));
            }
            Ok(Ended { outcome: Outcome::Accepted | Outcome::NotImplemented, .. }) if record.answered => {
                cleaned.undone += 1
            }
            Ok(Ended { outcome: Outcome::Accepted | Outcome::NotImplemented, .. }) => {}
            Ok(ended) => cleaned.left.push(format!("{}: {}", whereabouts(&record), ended.saw)),
            Err(mistake) => cleaned.left.push(format!("{}: {mistake}", whereabouts(&record))),
        }
    }
    cleaned.left.extend(crew.log_out().await);
    if cleaned.left.is_empty() {
        keyring::remove(&replay.keyring);
        // So that nobody is told again of what is gone; where it cannot be written, that happens and does no harm.
        let _ = journal::append(path, &Entry::Undone { case: "clean-up".to_owned(), numbers, left: Vec::new() });
    }
    Ok(cleaned)
}

/// What a request was about: its case, its object, and the steps that undo it.
fn whereabouts(record: &Held) -> String {
    let object = record.object.get("name").and_then(serde_json::Value::as_str).map(|name| format!("{name}, "));
    format!("{}, {}{}", record.case, object.unwrap_or_default(), record.steps)
}

/// How many requests the run of this journal has not undone; none where it is no journal.
pub fn left_open(path: &Path) -> usize {
    read(path).map_or(0, |replay| replay.open.len())
}

fn read(path: &Path) -> Result<Replay, FileError> {
    let name = path.display().to_string();
    let wrong = |message: String, hint: Option<String>| FileError::whole(&name, message, hint);
    let text = std::fs::read_to_string(path).map_err(|error| wrong(format!("cannot be read: {error}"), None))?;
    let entries = journal::read(&text).map_err(|message| wrong(format!("is no journal: {message}"), None))?;
    let mut replay =
        Replay { target: String::new(), base: String::new(), keyring: PathBuf::new(), users: 0, open: Vec::new() };
    for entry in entries {
        match entry {
            Entry::Run { target, base, keyring, .. } => {
                (replay.target, replay.base, replay.keyring) = (target, base, keyring)
            }
            Entry::User { .. } => replay.users += 1,
            Entry::Making { number, case, request } => replay.open.push((number, format!("{case}, {request}"))),
            Entry::Undone { numbers, .. } => replay.open.retain(|(number, _)| !numbers.contains(number)),
        }
    }
    if replay.target.is_empty() {
        let hint = Some("a run writes `journal.jsonl` on a target that lives on".to_owned());
        return Err(wrong("is no journal: it names no target".to_owned(), hint));
    }
    Ok(replay)
}

/// The records that are not undone. One that was sent again, or whose answer was read, is held once: with the most that
/// is known.
fn open(held: Vec<Held>, journal: &str) -> Vec<Held> {
    let entries = journal::read(journal).unwrap_or_default();
    let undone: BTreeSet<u64> = entries
        .into_iter()
        .flat_map(|entry| match entry {
            Entry::Undone { numbers, .. } => numbers,
            Entry::Run { .. } | Entry::User { .. } | Entry::Making { .. } => Vec::new(),
        })
        .collect();
    let open: Vec<Held> = held.into_iter().filter(|record| !undone.contains(&record.number)).collect();
    let same = |one: &Held, other: &Held| {
        (&one.case, &one.steps, &one.user.name, &one.object)
            == (&other.case, &other.steps, &other.user.name, &other.object)
    };
    let stays = |number: usize| {
        let record = &open[number];
        record.answered || !open[number + 1..].iter().any(|later| later.answered && same(record, later))
    };
    let keep: Vec<bool> = (0..open.len()).map(stays).collect();
    open.into_iter().zip(keep).filter_map(|(record, keep)| keep.then_some(record)).collect()
}

/// The users of a run, and where they act.
struct Crew {
    stage: Stage,
    personas: BTreeMap<String, Persona>,
}

impl Crew {
    async fn assemble(
        replay: &Replay,
        users: &[Credentials],
        trust: Trust,
        limits: ChosenLimits,
    ) -> Result<Self, Unready> {
        let target = target::find(&replay.target)?;
        let unusable = |message: String| Unready::Target(format!("target {}: {message}", replay.target));
        if !matches!(target.start, Start::Running { .. }) {
            return Err(unusable("it does not live on, so nothing is left on it".to_owned()));
        }
        let mut host = Host::bring_up(target.start, 0, Mutants::none()).await.map_err(unusable)?;
        if host.base.as_str() != replay.base {
            return Err(unusable(format!("the run was on {}, and the target's file says {}", replay.base, host.base)));
        }
        let mut stage = Stage {
            wire: Wire::trusting(host.base.clone(), Reuse::Never, trust, Limits::chosen(target.limits, limits))
                .map_err(Unready::Options)?,
            dialect: Arc::new(target.dialect),
            maker: Maker::Own,
            browser: Arc::default(),
            guard_ms: GUARD_MS,
            routes: Arc::default(),
            offset_ms: 0,
            journal: None,
            clock: host.clock.clone(),
            skew: target.skew,
            proven: Default::default(),
            jobs: Arc::new(Semaphore::new(1)),
            waits: Waits::default(),
            spread: false,
            stop: super::stop::Stop::default(),
        };
        let reached = stage.read_clock().await;
        reached.map_err(|why| unusable(format!("it cannot be reached, so nothing is undone yet: {why}")))?;
        let accounts = host.accounts.take().unwrap_or_default();
        let mut personas = BTreeMap::new();
        // The last that was held of each is how it is.
        for credentials in users {
            let (name, now) = (credentials.name.clone(), stage.target_time());
            let mut persona = credentials.clone().persona(stage.skew, GUARD_MS, now).map_err(unusable)?;
            if let Some(account) = accounts.iter().find(|account| account.name() == name) {
                let (secret, key) = account.factors();
                persona.ledger = secret.map(|secret| Ledger::resumed(secret.clone(), stage.skew, GUARD_MS, now));
                persona.key = key.map(SecurityKey::kept_in).transpose().map_err(unusable)?;
            }
            personas.insert(name, persona);
        }
        Ok(Crew { stage, personas })
    }

    /// Lets somebody act, and takes the stage back.
    async fn act<'a, T>(
        &'a mut self,
        name: &str,
        record: Option<&Held>,
        deed: impl AsyncFnOnce(&mut Scene) -> T,
    ) -> Result<T, String> {
        let user = self.personas.remove(name).ok_or_else(|| format!("nothing is known of {name}"))?;
        let other = record.and_then(|record| self.personas.remove(&record.other.as_ref()?.name));
        let (mode, case) = record.map_or(("", "clean-up"), |record| (&record.mode, &record.case));
        let mut scene = Scene::open(&self.stage, user, mode, case).await;
        scene.other = other;
        let done = deed(&mut scene).await;
        let (user, other) = scene.exit();
        for persona in std::iter::once(user).chain(other) {
            self.personas.insert(persona.name.clone(), persona);
        }
        Ok(done)
    }

    async fn undo(&mut self, record: &Held) -> Result<Ended, String> {
        let steps = self.stage.dialect.undoing(&record.steps);
        let steps = steps.ok_or_else(|| format!("the dialect has no such step any more: `{}`", record.steps))?;
        let ended = self
            .act(&record.user.name, Some(record), async |scene| {
                if !record.user.lent && (scene.user.ledger.is_some() || scene.user.key.is_some()) {
                    // Without its second factor a user of our own cleans up without waiting for codes.
                    let down = scene.routine("step-down", &Conduct::Assisted).await;
                    if down.is_ok_and(|ended| ended.outcome == Outcome::Accepted) {
                        (scene.user.ledger, scene.user.key) = (None, None);
                    }
                }
                scene.take_up(Value::from(Serde(&record.object)), record.kept.clone());
                scene.set_args(Value::from(Serde(&record.args)));
                let ended = scene.perform(&steps, &Conduct::Assisted).await?;
                // What a user of the run's own may have made so is the user's, and stays with it.
                if record.answered || ended.saw != NOTHING_TO_DO || !record.user.lent {
                    return Ok(ended);
                }
                match scene.undo_unread(&steps, UnixMillis(record.sent_ms)).await? {
                    true => Ok(ended),
                    false => Err(NEVER_READ.to_owned()),
                }
            })
            .await??;
        Ok(ended)
    }

    /// Ends the sessions that the run opened for accounts.
    async fn log_out(&mut self) -> Vec<String> {
        let names: Vec<String> =
            self.personas.values().filter(|p| p.lent && p.logged_in).map(|p| p.name.clone()).collect();
        let mut left = Vec::new();
        for name in names {
            let ended = self
                .act(&name, None, async |scene| {
                    // It may have ended already.
                    let lives = scene.routine("recognise", &Conduct::Assisted).await;
                    if lives.is_ok_and(|ended| ended.outcome == Outcome::Refused) {
                        return Ok(None);
                    }
                    scene.routine("log-out", &Conduct::Assisted).await.map(Some)
                })
                .await;
            match ended.and_then(|ended| ended) {
                Ok(None | Some(Ended { outcome: Outcome::Accepted, .. })) => {}
                Ok(Some(ended)) => left.push(format!("a session of {name}: {}", ended.saw)),
                Err(mistake) => left.push(format!("a session of {name}: {mistake}")),
            }
        }
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A journal may come from anywhere, and names a file.
    #[tokio::test]
    async fn a_file_that_is_no_keyring_is_not_removed_whatever_a_journal_says() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let journal = folder.path().join("journal.jsonl");
        for (name, text) in [
            ("notes.txt", "mine\n"),
            ("notes.keys", "mine\n"),
            ("half.keys", "{\"changed\":1}\nmine\n"),
            ("empty.keys", ""),
        ] {
            let keyring = folder.path().join(name);
            std::fs::write(&keyring, text).expect("written");
            let run = Entry::Run {
                format: journal::FORMAT.to_owned(),
                target: "mine".to_owned(),
                base: "http://127.0.0.1:1/".to_owned(),
                keyring: keyring.clone(),
            };
            std::fs::write(&journal, serde_json::to_string(&run).expect("JSON") + "\n").expect("written");
            let cleaned = cleanup(&journal, Trust::default(), ChosenLimits::default()).await.expect("nothing to do");
            assert_eq!((cleaned.undone, cleaned.left), (0, Vec::new()));
            assert!(keyring.exists(), "{name}");
        }
    }
}
