//! The check: plan the cases, run them, judge them.

pub mod alone;
mod answers;
mod archives;
mod asking;
mod batch;
mod cast;
mod ceremony;
pub mod cleanup;
mod codes;
mod company;
pub mod deviations;
pub mod dry_run;
mod effects;
mod enrolment;
pub mod estimate;
pub mod faults;
mod guess;
mod journal;
mod keyring;
mod keys;
mod late;
mod lock_out;
pub mod mutants;
mod odd;
pub mod operators;
mod order;
mod pages;
pub mod plan;
mod play;
mod preflight;
mod proofs;
mod proving;
mod reads;
mod record;
mod recorded;
pub mod routes;
pub mod scene;
mod script;
pub mod seat;
pub mod session;
mod set_up;
mod sitting;
mod spread;
pub mod stop;
pub mod suite;
mod undo;
mod unread;
mod volley;
pub mod waits;
mod watch;
mod writing;

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::join_all;
use globset::GlobMatcher;
use tokio::sync::mpsc::UnboundedSender;

use crate::clock::UnixMillis;
use crate::dialect::LeavesAccount;
use crate::judge::{Outcome, Verdict};
use crate::persona::Persona;
use crate::persona::totp::PERIOD;
use crate::registry::Mutants;
use crate::result::{CaseResult, ClientSession, Probe, Status, lasting};
use crate::scenario::Scenario;
use crate::secret::{Secret, SecretKind};
use crate::table::Level;
pub use cast::Provisioner;
use estimate::{Means, cost};
pub use journal::Journal;
use plan::{Case, Script};
use play::{Play, Played};
pub use preflight::{Preflight, preflight};
use scene::{Mistake, Scene, Stage};
use spread::Piece;
use stop::Cause;

/// The longest wait, in one-time-password steps, of a scenario that is run on a real target whether it is wanted or not.
const MOST_STEPS: u32 = 2;

/// A case that takes so long begins before accounts are shared.
const LONG: Duration = Duration::from_secs(150);

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
    /// Whether cases that may lock an account out are played on accounts that were handed over.
    pub may_lock_out: bool,
    /// Whether accounts that were handed over are put into mode auth-only while nothing is judged.
    pub may_lower_mode: bool,
    /// The longest lock-out whose end is waited for.
    pub lock_out_patience: Duration,
    /// Cases that are not run, as globs over their ids, each with the reason.
    pub left_out: Vec<(GlobMatcher, String)>,
    /// Where its personas come from.
    pub provisioner: Provisioner,
    /// How long it may take, where that has a bound.
    pub budget: Option<Budget>,
    /// Where the packages of its cases' clients are installed, by the clients' names.
    pub clients: Arc<BTreeMap<String, Vec<PathBuf>>>,
}

/// How long a run may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// So long.
    pub long: Duration,
    /// Until then, once it has begun.
    pub until: Option<UnixMillis>,
}

impl Run {
    /// How its cases come by the codes that they take.
    fn means(&self) -> Means {
        match self.provisioner {
            Provisioner::SelfService => Means::Fresh,
            Provisioner::Accounts(_) => Means::Lent { shared: self.lowers_modes() },
        }
    }

    /// Whether cases share accounts whose mode is lowered. A budget is kept to case by case.
    fn lowers_modes(&self) -> bool {
        self.may_lower_mode && self.budget.is_none() && batch::can_lower(&self.stage.dialect)
    }

    /// The numbers of the cases in the order in which they begin.
    fn order(&self, cases: &[Case]) -> Vec<usize> {
        let dialect = &self.stage.dialect;
        if self.budget.is_some() {
            order::most_telling_first(cases, dialect)
        } else if self.stage.clock.is_real() {
            order::longest_first(cases, dialect, self.means())
        } else {
            // The same seed gives the same run.
            (0..cases.len()).collect()
        }
    }

    /// How many of the cases, in the order in which they begin, take so long that they begin before all others.
    fn long_ones(&self, cases: &[Case], order: &[usize]) -> usize {
        let dialect = &self.stage.dialect;
        let is_long = |case: &Case| {
            cost(case, dialect, self.means()).long >= LONG && case.leaves_account(dialect) != LeavesAccount::UsedUp
        };
        order.iter().take_while(|number| self.stage.clock.is_real() && is_long(&cases[**number])).count()
    }

    /// Why a case is not begun any more, where it would take longer than is left.
    fn too_long(&self, case: &Case) -> Option<(Cause, String)> {
        let budget = self.budget?;
        let left = self.stage.clock.now().until(budget.until?);
        let takes = cost(case, &self.stage.dialect, self.means()).long;
        let words = || format!("it takes about {}, and {} of the budget were left", lasting(takes), lasting(left));
        (takes > left).then(|| (Cause::Budget(budget.long), words()))
    }
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
    let mut tasks = tokio::task::JoinSet::<Told>::new();
    let until = run.budget.map(|budget| run.stage.clock.now().after(budget.long));
    let budget = run.budget.map(|budget| Budget { until, ..budget });
    let begun = Run { budget, ..run.clone() };
    if let Some(Budget { long, until: Some(until) }) = budget {
        run.stage.stop.ask(Cause::Budget(long), until);
    }
    let mut order = begun.order(cases);
    let queue = batch::Queue::of(&begun, cases, &mut order).map(Arc::new);
    let everything: Arc<[Case]> = cases.into();
    let play_alone = |tasks: &mut tokio::task::JoinSet<Told>, numbers: &[usize]| {
        for &number in numbers {
            let (run, case, preflight, done) = (begun.clone(), cases[number].clone(), preflight.clone(), done.clone());
            tasks.spawn(async move {
                let result = whole(&run, number, &case, &preflight).await;
                let mut told = Told::default();
                told.tell(&done, number, again(&run, number, &case, &preflight, result, all).await);
                told
            });
        }
    };
    // Those that take longest begin first, and accounts are shared before the others.
    let long = queue.as_ref().map_or(0, |_| begun.long_ones(cases, &order));
    play_alone(&mut tasks, &order[..long]);
    for account in 0..queue.as_ref().map_or(0, |queue| queue.accounts()) {
        let (run, cases, preflight, done) = (begun.clone(), Arc::clone(&everything), preflight.clone(), done.clone());
        let queue = queue.clone();
        tasks.spawn(async move {
            let mut told = Told::default();
            let Some(queue) = queue else { return told };
            let came = batch::share(&run, &cases, &preflight, &queue, account == 0).await;
            told.left = came.left;
            for (number, result) in came.results {
                let result = again(&run, number, &cases[number], &preflight, result, all).await;
                told.tell(&done, number, result);
            }
            while let Some(number) = queue.next_alone() {
                let case = &cases[number];
                let result = whole(&run, number, case, &preflight).await;
                told.tell(&done, number, again(&run, number, case, &preflight, result, all).await);
            }
            told
        });
    }
    play_alone(&mut tasks, &order[long..]);
    drop(starting);
    let (mut unsettled, mut left) = (Vec::new(), Vec::new());
    while let Some(ended) = tasks.join_next().await {
        let told = ended.unwrap_or_default();
        unsettled.extend(told.unsettled);
        left.extend(told.left);
    }
    for (number, result) in unsettled {
        let result = result.settled(&run.stage.proven).by_what_is_known(&run.stage.routes, &run.stage.dialect);
        let _ = done.send((number, result));
    }
    drop(done);
    left.extend(cast::log_out(run).await);
    left
}

/// What a task leaves to be told at the end.
#[derive(Default)]
struct Told {
    /// Cases of which another may show more.
    unsettled: Vec<(usize, CaseResult)>,
    /// What is left of it beside what its cases leave, in words.
    left: Vec<String>,
}

impl Told {
    /// Tells of a case that has ended, now or at the end.
    fn tell(&mut self, done: &UnboundedSender<(usize, CaseResult)>, number: usize, result: CaseResult) {
        if result.is_unsupported_by_an_answer() || result.unsettled.is_some() {
            // Whether there is such a route, and whether a read finds anything, may be shown later, by another case.
            self.unsettled.push((number, result));
        } else {
            // The receiver lives until all senders are gone.
            let _ = done.send((number, result));
        }
    }
}

/// Plays a case again that could not be judged, as often as the run says. Of so many cases each has a number.
async fn again(
    run: &Run,
    number: usize,
    case: &Case,
    preflight: &Preflight,
    mut result: CaseResult,
    all: usize,
) -> CaseResult {
    for retry in 1..=usize::from(run.retries) {
        // A deviation is never played again: a hole that was open once is open.
        if result.status != Status::Error || run.stage.stop.cause(run.stage.clock.now()).is_some() {
            break;
        }
        result = whole(run, number + retry * all, case, preflight).await.after(result);
    }
    result
}

/// Plays a case to its end, whatever comes. Its number is one that no other has.
async fn whole(run: &Run, number: usize, case: &Case, preflight: &Preflight) -> CaseResult {
    let Some(spread) = spread::of(run, case, number) else {
        return piece(run, &Piece { case: case.clone(), first: 0, number }, preflight).await;
    };
    let pieces = spread.pieces().iter().map(|one| piece(run, one, preflight));
    spread.together(run, case, join_all(pieces).await)
}

/// Plays what one user plays of a case to its end, whatever comes.
async fn piece(run: &Run, piece: &Piece, preflight: &Preflight) -> CaseResult {
    match caught(one(run, piece, preflight)).await {
        Ok(result) => result,
        Err(panic) => broken(run, &piece.case, &panic),
    }
}

/// The result of a case that panicked with these words.
fn broken(run: &Run, case: &Case, panic: &str) -> CaseResult {
    // What the case made is not undone, so what that takes must not be forgotten.
    if let Some(journal) = &run.stage.journal {
        journal.keep();
    }
    CaseResult::new(case, run).ended(
        Status::Error,
        vec![Verdict::HarnessError],
        format!("stepup itself failed: {panic}"),
    )
}

/// What comes of a case, or the words that it panicked with: one that does must not be missing from the result.
async fn caught<T>(case: impl Future<Output = T>) -> Result<T, String> {
    AssertUnwindSafe(case).catch_unwind().await.map_err(|panic| {
        let words = panic.downcast_ref::<String>().map(String::as_str);
        words.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without words").to_owned()
    })
}

/// The result of a case that is not played, whoever would play it.
fn not_played(run: &Run, case: &Case, preflight: &Preflight) -> Option<CaseResult> {
    let dialect = &run.stage.dialect;
    let result = CaseResult::new(case, run);
    if let Some(reason) = case.unspoken(dialect) {
        let session = ClientSession { unspoken: Some(reason.clone()), ..ClientSession::default() };
        let result = CaseResult { session: Some(session), ..result };
        return Some(result.ended(Status::Unsupported, vec![Verdict::Unsupported], reason));
    }
    if let Some(undriven) = case.undriven(dialect) {
        return Some(result.undriven(&undriven));
    }
    if let Some(look) = case.lacks(preflight) {
        return Some(result.without_its_factor(look).by_what_is_known(&run.stage.routes, dialect));
    }
    if let Some((_, reason)) = run.left_out.iter().find(|(glob, _)| glob.is_match(&case.id)) {
        return Some(result.ended(Status::Skipped, vec![], reason.clone()));
    }
    if let Script::Scenario(scenario) = &case.script
        && run.stage.clock.is_real()
        && !is_wanted(scenario, run.level)
        && let Some(burden) = burden(scenario)
    {
        let reason = format!("{burden}; --level {} runs it", Level::Recommended);
        return Some(result.ended(Status::Skipped, vec![], reason));
    }
    if let Script::Scenario(scenario) = &case.script
        && scenario.guesses()
        && matches!(run.provisioner, Provisioner::Accounts(_))
        && !run.may_lock_out
    {
        let reason = "it may lock the account; `may-lock-out: true` in the target file lets it".to_owned();
        return Some(result.ended(Status::Skipped, vec![], reason));
    }
    None
}

async fn one(run: &Run, &Piece { ref case, first, number }: &Piece, preflight: &Preflight) -> CaseResult {
    if let Some(result) = not_played(run, case, preflight) {
        return result;
    }
    let result = CaseResult::new(case, run);
    run.prove_reads(case).await;
    let cast = match run.provisioner.cast(run, case, number).await {
        Ok(cast) => cast,
        Err(missing) => return result.ended(Status::Skipped, vec![], missing),
    };
    let mut scene = Scene::open(&run.stage, cast.user, case.mode.name(), &case.id).await;
    scene.other = cast.other;
    scene.spares_recovery_codes =
        !matches!(&case.script, Script::Scenario(scenario) if scenario.takes_recovery_codes());
    if let Some(cause) = run.stage.stop.cause(run.stage.clock.now()) {
        run.provisioner.release(scene, cast.loans, true);
        return result.left_out_by(cause, format!("{} before it started", cause.words()));
    }
    if let Some((cause, why)) = run.too_long(case) {
        run.provisioner.release(scene, cast.loans, true);
        return result.left_out_by(cause, why);
    }
    let began = run.stage.clock.now();
    let mut play = Play::new(run, case, &mut scene, number);
    play.first = first;
    let shown = shown(play).await;
    let (mut result, as_before) = finished(run, case, &mut scene, shown).await;
    if run.stage.clock.is_real() {
        result.timing = Some(run.stage.waits.timing_of(began, run.stage.clock.now(), &scene.waited));
    }
    run.provisioner.release(scene, cast.loans, as_before);
    result
}

/// What a case has shown, before what it made is undone.
struct Shown {
    result: CaseResult,
    undone: Vec<late::Undone>,
    statements: Vec<String>,
}

/// Plays a case and judges it.
async fn shown(mut play: Play<'_>) -> Shown {
    let played = play.play().await;
    let Play { run, case, scene, probes, statements, session, undone, unsettled, .. } = play;
    let result = CaseResult { unsettled, ..CaseResult::new(case, run) };
    let mut result = judged(result, scene, played, probes);
    if let (Some(why), Some(cause), Status::Error) =
        (scene.cut_short.take(), run.stage.stop.cause(run.stage.clock.now()), result.status)
    {
        result = result.left_out_by(cause, why);
    }
    result.session = session;
    Shown { result, undone, statements }
}

/// Undoes what a case has made. Its result, and whether its account is as it was.
async fn finished(run: &Run, case: &Case, scene: &mut Scene, shown: Shown) -> (CaseResult, bool) {
    let Shown { result, undone, statements } = shown;
    let dialect = &run.stage.dialect;
    let clock = record::clock_doubt(&result, run.stage.offset_ms, run.stage.skew);
    let cleaned = cast::clean_up(run, scene, &case.id).await;
    // Where there was nothing to undo, all that would have changed the account was refused.
    let all_undone = cleaned.as_ref().is_none_or(|cleaned| cleaned.left.is_empty());
    let cleaned = cleaned.unwrap_or_default();
    let mut result = result.reopened(&undone, &cleaned.done_all_the_same);
    result.state(&statements.into_iter().chain(clock).collect::<Vec<_>>());
    result = result.by_what_is_known(&run.stage.routes, dialect);
    let as_before = match case.leaves_account(dialect) {
        LeavesAccount::AsItWas => true,
        // After a case that did not hold nobody knows what it did to its account.
        LeavesAccount::Restored => all_undone && result.status == Status::Pass,
        LeavesAccount::UsedUp => false,
    };
    result.left = cleaned.left;
    if scene.user.lent && !as_before {
        result.left.push(cast::written_off(scene).await);
    }
    (result, as_before)
}

/// Whether a scenario is run on a real target whatever it costs: everything is at level `recommended`, and a user's own
/// file at its level.
fn is_wanted(scenario: &Scenario, level: Level) -> bool {
    level >= Level::Recommended || (scenario.file.is_some() && scenario.level <= level)
}

/// Why a scenario is not run on a real target unless it is wanted.
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
            result.probes.push(Probe { route: scene.missing.take(), ..Probe::set_up(&ended, evidence) });
            result.ended(Status::Unsupported, vec![Verdict::Unsupported], format!("set-up: {}", ended.saw))
        }
        Ok(Played::Judged(mut verdicts)) => {
            if verdicts.contains(&Verdict::RightProofRefused) && !scene.user.confirmed {
                let doubt = "no code of this account has been accepted yet: is its `totp` in the accounts file right?";
                result.probes.push(Probe::mistake(doubt, vec![]));
                verdicts.retain(|verdict| *verdict != Verdict::RightProofRefused);
                // What else was seen takes no code that is right.
                if Status::of(&verdicts) != Status::Fail || verdicts.is_empty() {
                    return result.ended(Status::Error, vec![Verdict::HarnessError], doubt.to_owned());
                }
            }
            if verdicts.contains(&Verdict::WrongShape)
                && let Some(bare) = result.probes.first_mut().filter(|probe| probe.shape.is_none())
            {
                bare.shape = Some(UNRECOGNISED.to_owned());
            }
            result.ended(Status::of(&verdicts), verdicts, String::new())
        }
        Ok(Played::SetUpFailed(mut ended)) => {
            let evidence = std::mem::take(&mut scene.exchanges);
            let verdict = match ended.outcome {
                Outcome::NotImplemented => Verdict::Unsupported,
                Outcome::Throttled => Verdict::Throttled,
                // What went through where it had to be asked for, too, is not as set-up needs it.
                Outcome::Failed | Outcome::Accepted => Verdict::TargetFailed,
                Outcome::Challenged { .. } | Outcome::Refused => Verdict::SetUpRefused,
            };
            if verdict == Verdict::SetUpRefused
                && let Some(said) = evidence.last().and_then(record::said)
            {
                ended.saw = format!("{}: {said}", ended.saw);
            }
            result.probes.push(Probe { route: scene.missing.take(), ..Probe::set_up(&ended, evidence) });
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
