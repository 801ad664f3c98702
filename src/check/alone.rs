//! One scenario by itself, as far as it holds: how exploration plays its sequences.

use std::time::Instant;

use super::plan::Case;
use super::play::{Play, Played};
use super::scene::Scene;
use super::{Run, cast};
use crate::judge::{Outcome, Verdict, judge_attempts};
use crate::result::{Probe, Status};

/// What became of a scenario.
#[derive(Debug)]
pub struct Acted {
    /// The judged acts that were played, by their number in the scenario, each with its probe.
    pub probes: Vec<(usize, Probe)>,
    /// How it ended.
    pub end: End,
}

/// How a scenario ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// Every act held, up to one that would have said nothing.
    Held,
    /// The last of the acts that were played did not hold.
    Deviated(Vec<Verdict>),
    /// The target lacks what the last act, or a set-up, needs.
    Unsupported(String),
    /// An act could not be played or judged.
    Unplayable(String),
}

/// Plays the scenario of a case until an act does not hold, or this moment, if any. `number` is one that no other play of the run
/// has.
pub(super) async fn act(run: &Run, case: &Case, number: usize, until: Option<Instant>) -> Acted {
    let unplayable = |reason| Acted { probes: Vec::new(), end: End::Unplayable(reason) };
    run.prove_reads(case).await;
    let cast = match run.provisioner.cast(run, case, number).await {
        Ok(cast) => cast,
        Err(missing) => return unplayable(missing),
    };
    let mut scene = Scene::open(&run.stage, cast.user, case.mode.name(), &case.id).await;
    let mut play = Play::new(run, case, &mut scene, number);
    play.stops = true;
    play.until = until;
    let played = play.play().await;
    let (shown, probes) = (play.shown, play.probes);
    let last = shown.last().map(|(_, must, seen)| (*must, seen.clone()));
    let end = match played {
        Ok(Played::Judged(_)) => {
            let saw = probes.last().map_or("", |probe: &Probe| &probe.outcome);
            judged(&judge_attempts(last.as_slice()), saw)
        }
        Ok(Played::Inconclusive(_)) => End::Held,
        Ok(Played::Unsupported(ended)) => End::Unsupported(ended.saw),
        Ok(Played::SetUpFailed(ended)) if ended.outcome == Outcome::NotImplemented => End::Unsupported(ended.saw),
        Ok(Played::SetUpFailed(ended)) => End::Unplayable(ended.saw),
        Err(mistake) => End::Unplayable(mistake),
    };
    let missing = probes.last().and_then(|probe| probe.route.as_ref()).or(scene.missing.as_ref());
    let there = missing.and_then(|route| run.stage.routes.shows(&run.stage.dialect, route));
    let end = match (end, there) {
        (End::Unsupported(_), Some(_)) => End::Deviated(vec![Verdict::TargetFailed]),
        (end, _) => end,
    };
    // What is left is in the journal.
    let _ = cast::clean_up(run, &mut scene, &case.id).await;
    run.provisioner.release(scene, cast.loans, false);
    Acted { probes: shown.into_iter().map(|(act, _, _)| act).zip(probes).collect(), end }
}

fn judged(verdicts: &[Verdict], saw: &str) -> End {
    match (Status::of(verdicts), verdicts.first()) {
        (_, Some(verdict @ (Verdict::Throttled | Verdict::HarnessError))) => End::Unplayable(verdict.to_string()),
        (Status::Fail | Status::Error, _) => End::Deviated(verdicts.to_vec()),
        (Status::Unsupported | Status::NotDescribed, _) => End::Unsupported(saw.to_owned()),
        (Status::Pass | Status::Skipped, _) => End::Held,
    }
}
