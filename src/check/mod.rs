//! The check: plan the cases, run them, judge them.

pub mod alone;
mod answers;
mod asking;
mod cast;
mod ceremony;
pub mod cleanup;
mod company;
pub mod deviations;
pub mod dry_run;
pub mod faults;
mod guess;
mod journal;
mod keyring;
mod keys;
pub mod mutants;
mod pages;
pub mod plan;
mod play;
mod preflight;
mod proving;
mod record;
mod recorded;
pub mod scene;
mod script;
pub mod seat;
mod sitting;
pub mod stop;
pub mod suite;
mod unread;
mod volley;
mod watch;
mod writing;

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::FutureExt as _;
use globset::GlobMatcher;
use tokio::sync::mpsc::UnboundedSender;

use crate::dialect::LeavesAccount;
use crate::judge::{Outcome, Verdict};
use crate::persona::Persona;
use crate::persona::totp::PERIOD;
use crate::registry::Mutants;
use crate::result::{CaseResult, ClientSession, Probe, Status};
use crate::scenario::Scenario;
use crate::secret::{Secret, SecretKind};
use crate::table::{Level, Mode};
pub use cast::Provisioner;
pub use journal::Journal;
use plan::{Case, Script};
use play::{Play, Played};
pub use preflight::{Preflight, preflight};
use scene::{Mistake, Scene, Stage};

/// The longest wait, in one-time-password steps, of a scenario that is run though nobody asked for its level.
const MOST_STEPS: u32 = 2;

/// What is wrong with a challenge that no rule of the recogniser takes for one.
const UNRECOGNISED: &str = "no stock client takes it for a challenge; breaks npm 6 to 12, pnpm, yarn and bun";

/// One run's constants.
#[derive(Debug, Clone)]
pub struct Run {
    /// Where it plays.
    pub stage: Stage,
    /// What the names of everything it makes start with.
    pub prefix: String,
    /// How the target was named on the command line.
    pub target: String,
    /// The least binding level that is wanted.
    pub level: Level,
    /// How often a case that cannot be judged is played again.
    pub retries: u8,
    /// The seed.
    pub seed: u64,
    /// What passwords are made from: the seed on a simulated clock, and a number that nobody knows elsewhere.
    pub password_seed: u64,
    /// The seeded faults of the embedded registry.
    pub mutants: Mutants,
    /// Cases that are not run, as globs over their ids, each with the reason.
    pub left_out: Vec<(GlobMatcher, String)>,
    /// Where its personas come from.
    pub provisioner: Provisioner,
    /// Where the packages of its cases' clients are installed, by the clients' names.
    pub clients: Arc<BTreeMap<String, Vec<PathBuf>>>,
}

/// Runs the cases, a bounded number at a time, and sends each result as it comes. Returns what is left of the run as a
/// whole on the target, in words.
pub async fn run(
    run: &Run,
    cases: &[Case],
    preflight: &Preflight,
    done: UnboundedSender<(usize, CaseResult)>,
) -> Vec<String> {
    // While cases are being started, simulated time stands still, so that the same seed gives the same run.
    let starting = run.stage.clock.work();
    let all = cases.len();
    let mut tasks = tokio::task::JoinSet::new();
    for (number, case) in cases.iter().cloned().enumerate() {
        let (run, preflight, done) = (run.clone(), preflight.clone(), done.clone());
        tasks.spawn(async move {
            let mut result = whole(&run, number, &case, &preflight).await;
            for retry in 1..=usize::from(run.retries) {
                // A deviation is never played again: a hole that was open once is open.
                if result.status != Status::Error || run.stage.stop.is_asked() {
                    break;
                }
                result = whole(&run, number + retry * all, &case, &preflight).await.after(result);
            }
            // The receiver lives until all senders are gone.
            let _ = done.send((number, result));
        });
    }
    drop((starting, done));
    while tasks.join_next().await.is_some() {}
    cast::log_out(run).await
}

/// Plays a case to its end, whatever comes. Its number is one that no other has.
async fn whole(run: &Run, number: usize, case: &Case, preflight: &Preflight) -> CaseResult {
    match caught(one(run, number, case, preflight)).await {
        Ok(result) => result,
        Err(panic) => {
            // What the case made is not undone, so what that takes must not be forgotten.
            if let Some(journal) = &run.stage.journal {
                journal.keep();
            }
            let saw = format!("stepup itself failed: {panic}");
            CaseResult::new(case, run).ended(Status::Error, vec![Verdict::HarnessError], saw)
        }
    }
}

/// What comes of a case, or the words that it panicked with: one that does must not be missing from the result.
async fn caught<T>(case: impl Future<Output = T>) -> Result<T, String> {
    AssertUnwindSafe(case).catch_unwind().await.map_err(|panic| {
        let words = panic.downcast_ref::<String>().map(String::as_str);
        words.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without words").to_owned()
    })
}

async fn one(run: &Run, number: usize, case: &Case, preflight: &Preflight) -> CaseResult {
    let dialect = &run.stage.dialect;
    let result = CaseResult::new(case, run);
    if let Some(reason) = case.unspoken(dialect) {
        let session = ClientSession { unspoken: Some(reason.clone()), ..ClientSession::default() };
        let result = CaseResult { session: Some(session), ..result };
        return result.ended(Status::Unsupported, vec![Verdict::Unsupported], reason);
    }
    let mut surfaces = case.surfaces(dialect).into_iter();
    if let Some(reason) = surfaces.find_map(|surface| dialect.surfaces[surface].unsupported.as_ref()) {
        return result.ended(Status::Unsupported, vec![Verdict::Unsupported], reason.clone());
    }
    let enrols = matches!(&case.script, Script::Scenario(scenario) if scenario.enrols());
    if let Some(evidence) = &preflight.no_second_factor
        && (enrols || case.mode != Mode::Disabled)
    {
        let saw = format!("the registry has no second factor: {evidence}");
        return result.ended(Status::Unsupported, vec![Verdict::Unsupported], saw);
    }
    if let Script::Scenario(scenario) = &case.script
        && let Some(name) = scenario.undescribed(dialect)
    {
        let reason = format!("the target file does not describe the routine `{name}`");
        return result.ended(Status::Unsupported, vec![Verdict::Unsupported], reason);
    }
    if let Some(reason) = dialect.no_keys.as_ref().filter(|_| case.factor.has_key()) {
        return result.ended(Status::Unsupported, vec![Verdict::Unsupported], reason.clone());
    }
    if let Some((_, reason)) = run.left_out.iter().find(|(glob, _)| glob.is_match(&case.id)) {
        return result.ended(Status::Skipped, vec![], reason.clone());
    }
    if let Script::Scenario(scenario) = &case.script
        && run.stage.clock.is_real()
        && case.level > run.level
        && let Some(burden) = burden(scenario)
    {
        let reason = format!("{burden}; --level {} runs it", case.level);
        return result.ended(Status::Skipped, vec![], reason);
    }
    let cast = match run.provisioner.cast(run, case, number).await {
        Ok(cast) => cast,
        Err(missing) => return result.ended(Status::Skipped, vec![], missing),
    };
    let mut scene = Scene::open(&run.stage, cast.user, case.mode.name(), &case.id).await;
    scene.other = cast.other;
    if run.stage.stop.is_asked() {
        run.provisioner.release(scene, cast.loans, true);
        return result.ended(Status::Skipped, vec![], "interrupted before it started".to_owned());
    }
    let mut play = Play::new(run, case, &mut scene, number);
    let played = play.play().await;
    let (probes, statements, session) = (play.probes, play.statements, play.session);
    let mut result = judged(result, &mut scene, played, probes);
    if scene.cut_short && result.status == Status::Error {
        result = result.ended(Status::Skipped, vec![], "interrupted while it waited".to_owned());
    }
    result.session = session;
    result.state(&statements);
    let undone = cast::clean_up(run, &mut scene, &case.id).await;
    let as_before = match case.leaves_account(dialect) {
        LeavesAccount::AsItWas => true,
        // After a case that did not hold nobody knows what it did to its account.
        LeavesAccount::Restored => undone.as_ref().is_some_and(Vec::is_empty) && result.status == Status::Pass,
        LeavesAccount::UsedUp => false,
    };
    result.left = undone.unwrap_or_default();
    if scene.user.lent && !as_before {
        result.left.push(cast::written_off(&mut scene).await);
    }
    run.provisioner.release(scene, cast.loans, as_before);
    result
}

/// Why a scenario is not run on a real target though nobody asked for its level.
fn burden(scenario: &Scenario) -> Option<String> {
    if scenario.guesses() {
        return Some(
            "it sends wrong codes until the target stops listening, perhaps to other cases as well".to_owned(),
        );
    }
    let steps = scenario.waits();
    (steps > MOST_STEPS).then(|| format!("it waits for {} s", i64::from(steps) * PERIOD))
}

fn judged(
    mut result: CaseResult,
    scene: &mut Scene,
    played: Result<Played, Mistake>,
    probes: Vec<Probe>,
) -> CaseResult {
    result.probes = probes;
    match played {
        Ok(Played::Inconclusive(reason)) => result.ended(Status::Skipped, vec![], reason),
        Ok(Played::Unsupported(ended)) => {
            let evidence = std::mem::take(&mut scene.exchanges);
            result.probes.push(Probe::set_up(&ended, evidence));
            result.ended(Status::Unsupported, vec![Verdict::Unsupported], format!("set-up: {}", ended.saw))
        }
        Ok(Played::Judged(verdicts)) => {
            if verdicts.contains(&Verdict::RightProofRefused) && !scene.user.confirmed {
                let doubt = "no code of this account has been accepted yet: is its `totp` in the accounts file right?";
                result.probes.push(Probe::mistake(doubt, vec![]));
                return result.ended(Status::Error, vec![Verdict::HarnessError], doubt.to_owned());
            }
            if verdicts.contains(&Verdict::WrongShape)
                && let Some(bare) = result.probes.first_mut().filter(|probe| probe.shape.is_none())
            {
                bare.shape = Some(UNRECOGNISED.to_owned());
            }
            result.ended(Status::of(&verdicts), verdicts, String::new())
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
            result.ended(Status::of(&[verdict]), vec![verdict], format!("set-up: {}", ended.saw))
        }
        Err(mistake) => {
            let evidence = std::mem::take(&mut scene.exchanges);
            result.probes.push(Probe::mistake(&mistake, evidence));
            result.ended(Status::Error, vec![Verdict::HarnessError], mistake)
        }
    }
}

fn persona(run: &Run, role: &str) -> Persona {
    let name = format!("{}-{role}", run.prefix);
    let password = Secret::new(SecretKind::Password, format!("Pw-{:016x}-{role}", mix(run.password_seed, &name)));
    Persona::new(name, password)
}

/// A number that depends on the seed and a text alone (FNV-1a).
pub fn mix(seed: u64, text: &str) -> u64 {
    text.bytes().fold(seed ^ 0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_case_that_panics_is_told_in_the_words_of_its_panic() {
        let number = 7;
        assert_eq!(caught(async { panic!("case {number}") }).await, Err::<(), _>("case 7".to_owned()));
        assert_eq!(caught(async { panic!("plain") }).await, Err::<(), _>("plain".to_owned()));
        assert_eq!(caught(async { 1 }).await, Ok(1));
    }
}
