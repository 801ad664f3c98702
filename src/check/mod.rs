//! The check: plan the cases, run them, judge them.

pub mod deviations;
pub mod plan;
pub mod scene;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use minijinja::Value;
use tokio::sync::mpsc::UnboundedSender;

use crate::dialect::Surface;
use crate::judge::{Effect, Expectation, Observation, Outcome, Seen, Verdict, judge};
use crate::persona::Persona;
use crate::result::{CaseResult, Probe, Status};
use crate::secret::{Secret, SecretKind};
use crate::table::Mode;
use plan::Case;
use scene::{Conduct, Ended, Mistake, Scene, Stage};

/// One run's constants.
#[derive(Debug, Clone)]
pub struct Run {
    /// Where it plays.
    pub stage: Stage,
    /// What the names of everything it makes start with.
    pub prefix: String,
    /// How the target was named on the command line.
    pub target: String,
    /// The seed.
    pub seed: u64,
    /// Set when the run should end early.
    pub interrupted: Arc<AtomicBool>,
}

/// Why the target's personas cannot have a second factor, when they cannot.
pub type NoFactor = Option<String>;

/// Tries once to enrol a user, so that a registry without a second factor is told from one with a fault.
pub async fn second_factor(run: &Run) -> Result<NoFactor, String> {
    let user = persona(run, "probe");
    let mut scene = Scene::open(&run.stage, user, Mode::AuthOnly.name()).await;
    for routine in ["sign-up", "enrol"] {
        let ended = scene.routine(routine, &Conduct::Bare).await?;
        match (routine, ended.outcome) {
            (_, Outcome::Accepted) => {}
            ("enrol", Outcome::NotImplemented) => return Ok(Some(ended.saw)),
            ("sign-up", _) => return Err(format!("a user cannot be made: {}", ended.saw)),
            // Every case will show it with its own evidence.
            _ => return Ok(None),
        }
    }
    Ok(None)
}

/// Runs the cases, a bounded number at a time, and sends each result as it comes.
pub async fn run(run: &Run, cases: &[Case], no_factor: &NoFactor, done: UnboundedSender<(usize, CaseResult)>) {
    // While cases are being started, simulated time stands still, so that the same seed gives the same run.
    let starting = run.stage.clock.work();
    let mut tasks = tokio::task::JoinSet::new();
    for (number, case) in cases.iter().cloned().enumerate() {
        let (run, no_factor, done) = (run.clone(), no_factor.clone(), done.clone());
        tasks.spawn(async move {
            let result = one(&run, number, &case, &no_factor).await;
            // The receiver lives until all senders are gone.
            let _ = done.send((number, result));
        });
    }
    drop((starting, done));
    while tasks.join_next().await.is_some() {}
}

async fn one(run: &Run, number: usize, case: &Case, no_factor: &NoFactor) -> CaseResult {
    let surface = &run.stage.dialect.surfaces[case.surface];
    let mut result = CaseResult::new(case, surface, run);
    if let Some(reason) = &surface.unsupported {
        return result.ended(Status::Unsupported, vec![Verdict::Unsupported], reason.clone());
    }
    if let (Some(evidence), Mode::AuthOnly | Mode::AuthAndWrites) = (no_factor, case.mode) {
        let saw = format!("the registry has no second factor: {evidence}");
        return result.ended(Status::Unsupported, vec![Verdict::Unsupported], saw);
    }
    let mut user = persona(run, &number.to_string());
    user.name.make_ascii_lowercase();
    let mut scene = Scene::open(&run.stage, user, case.mode.name()).await;
    if run.interrupted.load(Ordering::Relaxed) {
        return result.ended(Status::Skipped, vec![], "interrupted before it started".to_owned());
    }
    match play(run, case, surface, &mut scene, number, &mut result.probes).await {
        Ok(Played::Judged(observation, saw)) => {
            let verdicts = match case.expectation {
                Some(expectation) => judge(expectation, &observation),
                None => vec![],
            };
            let status = status(&verdicts);
            result.ended(status, verdicts, saw)
        }
        Ok(Played::SetUpFailed(ended)) => {
            let evidence = std::mem::take(&mut scene.exchanges);
            result.probes.push(Probe::set_up(&ended, evidence));
            let verdict = match ended.outcome {
                Outcome::NotImplemented => Verdict::Unsupported,
                Outcome::Throttled => Verdict::Throttled,
                Outcome::Failed => Verdict::TargetFailed,
                Outcome::Accepted | Outcome::Challenged { .. } | Outcome::Refused => Verdict::HarnessError,
            };
            result.ended(status(&[verdict]), vec![verdict], format!("set-up: {}", ended.saw))
        }
        Err(mistake) => {
            let evidence = std::mem::take(&mut scene.exchanges);
            result.probes.push(Probe::mistake(&mistake, evidence));
            result.ended(Status::Error, vec![Verdict::HarnessError], mistake)
        }
    }
}

fn status(verdicts: &[Verdict]) -> Status {
    match verdicts.first() {
        None | Some(Verdict::Exact) => Status::Pass,
        Some(Verdict::Unsupported) => Status::Unsupported,
        Some(Verdict::Throttled | Verdict::TargetFailed | Verdict::HarnessError) => Status::Error,
        Some(
            Verdict::MissingChallenge
            | Verdict::EffectBeforeFactor
            | Verdict::WrongProofAccepted
            | Verdict::ReplayAccepted
            | Verdict::UnexpectedChallenge
            | Verdict::WrongShape
            | Verdict::WrongFactorOffered
            | Verdict::RightProofRefused
            | Verdict::NoEffect,
        ) => Status::Fail,
    }
}

enum Played {
    Judged(Observation, String),
    SetUpFailed(Ended),
}

/// A probe that was sent and whose effect is still to be read.
struct Sent {
    name: &'static str,
    proof: &'static str,
    ended: Ended,
    kept: BTreeMap<String, serde_json::Value>,
    object: Value,
}

async fn play(
    run: &Run,
    case: &Case,
    surface: &Surface,
    scene: &mut Scene,
    number: usize,
    probes: &mut Vec<Probe>,
) -> Result<Played, Mistake> {
    let expects = case.expectation == Some(Expectation::Challenged);
    let mut cast = vec!["sign-up"];
    if surface.companion {
        scene.other = Some(persona(run, &format!("{number}-other")));
        cast.push("sign-up-other");
    }
    for routine in cast {
        let ended = scene.routine(routine, &Conduct::Bare).await?;
        if ended.outcome != Outcome::Accepted {
            return Ok(Played::SetUpFailed(ended));
        }
    }
    // Everything that each probe needs is made while nothing is challenged yet.
    let mut objects = Vec::new();
    for n in 0..if expects { 4 } else { 1 } {
        let object = object(run, surface, number, n)?;
        scene.take_up(object.clone(), BTreeMap::new());
        let ended = scene.perform(&surface.prepare, &Conduct::Assisted).await?;
        if ended.outcome != Outcome::Accepted {
            return Ok(Played::SetUpFailed(ended));
        }
        objects.push((object, scene.kept()));
    }
    if case.mode != Mode::Disabled {
        let ended = scene.routine("enrol", &Conduct::Bare).await?;
        if ended.outcome != Outcome::Accepted {
            return Ok(Played::SetUpFailed(ended));
        }
    }
    scene.exchanges.clear();
    let mut objects = objects.into_iter();
    let mut next = || objects.next().ok_or_else(|| "more probes than objects".to_owned());

    let bare = send(scene, surface, "bare", "none", Conduct::Bare, next()?).await?;
    let saw = bare.ended.saw.clone();
    let bare = read_back(scene, surface, bare, probes).await?;
    let mut observation = Observation { bare, wrong: None, right: None, replay: None };
    if !expects || observation.bare.outcome == Outcome::Accepted {
        return Ok(Played::Judged(observation, saw));
    }
    let wrong = Conduct::Proof(scene.wrong_code()?);
    let wrong = send(scene, surface, "wrong", "wrong code", wrong, next()?).await?;
    observation.wrong = Some(read_back(scene, surface, wrong, probes).await?);

    let proof = scene.code().await?;
    if let Some(action) = &surface.spend_on {
        // The action ends the factor, so the replayed proof is spent elsewhere and refused here first.
        let ended = scene.routine(action, &Conduct::Proof(proof.clone())).await?;
        let spent = ended.outcome == Outcome::Accepted;
        probes.push(Probe::set_up(&ended, std::mem::take(&mut scene.exchanges)));
        let third = next()?;
        if !spent {
            return Err("no spent code could be had: the action to spend it on did not succeed".to_owned());
        }
        {
            let replay = send(scene, surface, "replay", "spent code", Conduct::Proof(proof), third).await?;
            observation.replay = Some(read_back(scene, surface, replay, probes).await?);
        }
        let fresh = Conduct::Proof(scene.code().await?);
        let right = send(scene, surface, "right", "valid code", fresh, next()?).await?;
        observation.right = Some(read_back(scene, surface, right, probes).await?);
        return Ok(Played::Judged(observation, saw));
    }
    let right = send(scene, surface, "right", "valid code", Conduct::Proof(proof.clone()), next()?).await?;
    if right.ended.outcome != Outcome::Accepted {
        observation.right = Some(read_back(scene, surface, right, probes).await?);
        return Ok(Played::Judged(observation, saw));
    }
    if surface.late_effect {
        // Reading the effect takes codes of its own: the replay must be sent while its code is still live.
        let evidence = std::mem::take(&mut scene.exchanges);
        let replay = send(scene, surface, "replay", "spent code", Conduct::Proof(proof), next()?).await?;
        let replayed = std::mem::replace(&mut scene.exchanges, evidence);
        let seen = if replay.ended.outcome == Outcome::Accepted {
            // What came after it has covered the first effect.
            let seen = Seen { outcome: right.ended.outcome.clone(), effect: Effect::None };
            probes.push(Probe::new(
                right.name,
                right.proof,
                &right.ended,
                seen.effect,
                std::mem::take(&mut scene.exchanges),
            ));
            seen
        } else {
            read_back(scene, surface, right, probes).await?
        };
        observation.right = Some(seen);
        scene.exchanges = replayed;
        observation.replay = Some(read_back(scene, surface, replay, probes).await?);
    } else {
        observation.right = Some(read_back(scene, surface, right, probes).await?);
        let replay = send(scene, surface, "replay", "spent code", Conduct::Proof(proof), next()?).await?;
        observation.replay = Some(read_back(scene, surface, replay, probes).await?);
    }
    Ok(Played::Judged(observation, saw))
}

async fn send(
    scene: &mut Scene,
    surface: &Surface,
    name: &'static str,
    proof: &'static str,
    conduct: Conduct,
    (object, kept): (Value, BTreeMap<String, serde_json::Value>),
) -> Result<Sent, Mistake> {
    scene.take_up(object.clone(), kept);
    scene.perform(&surface.before, &Conduct::Assisted).await?;
    let ended = scene.perform(&surface.perform, &conduct).await?;
    // A slow target may let a code age out under way: its refusal would say nothing of the code, nor of a replay.
    if matches!(name, "right" | "replay") && ended.outcome != Outcome::Accepted && !scene.code_is_live() {
        return Err(format!("the {proof} aged out before the target answered: {}", ended.saw));
    }
    Ok(Sent { name, proof, ended, kept: scene.kept(), object })
}

async fn read_back(scene: &mut Scene, surface: &Surface, sent: Sent, probes: &mut Vec<Probe>) -> Result<Seen, Mistake> {
    scene.take_up(sent.object, sent.kept);
    let effect = scene.effect(&surface.effect).await?;
    let exchanges = std::mem::take(&mut scene.exchanges);
    probes.push(Probe::new(sent.name, sent.proof, &sent.ended, effect, exchanges));
    Ok(Seen { outcome: sent.ended.outcome, effect })
}

fn persona(run: &Run, role: &str) -> Persona {
    let name = format!("{}-{role}", run.prefix);
    let password = Secret::new(SecretKind::Password, format!("Pw-{:016x}-{role}", mix(run.seed, &name)));
    Persona::new(name, password)
}

fn object(run: &Run, surface: &Surface, number: usize, n: usize) -> Result<Value, Mistake> {
    let user = format!("{}-{number}", run.prefix);
    let name = format!("{user}-{n}");
    let password = format!("Pw-{:016x}-{n}", mix(run.seed, &name));
    let variables = minijinja::context! { n, name => name.clone(), user, password };
    let mut object = serde_json::Map::new();
    object.insert("name".to_owned(), name.clone().into());
    for (key, template) in &surface.object {
        let value = template.value(&variables).map_err(|error| error.to_string())?;
        object.insert(key.clone(), crate::dialect::template::json(value));
    }
    Ok(Value::from(minijinja::value::Serde(&object)))
}

/// A number that depends on the seed and a text alone (FNV-1a).
pub fn mix(seed: u64, text: &str) -> u64 {
    text.bytes().fold(seed ^ 0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}
