//! Playing sequences: several at a time, each on a clock that it has to itself, and all the same for one seed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::document::{End, Explored, FORMAT, Sequence};
use super::model::{Deed, Proof, Step};
use super::sequence;
use super::world::{Door, World};
use super::writing::{self, Written};
use crate::check::alone;
use crate::check::session::Session;
use crate::check::suite::{self, Suite, Unready};
use crate::judge::Verdict;
use crate::registry::Mutants;
use crate::scenario::Scenario;
use crate::source::Source;
use crate::table::Mode;
use crate::wire::{ChosenLimits, Trust};

/// How often a sequence is played at most while it is shrunk, on a simulated clock and on a real one.
const MOST_TRIES: usize = 600;
const MOST_REAL_TRIES: usize = 60;
/// The most sequences that wait for codes side by side on a real clock.
const MOST_WAITING: usize = 64;

/// What can be chosen about an exploration.
#[derive(Debug, Clone)]
pub struct Options {
    /// A built-in target, a target file, or the address of a running registry.
    pub target: String,
    /// How many sequences; as many as suit the target's clock unless said.
    pub cases: Option<u64>,
    /// The seed of the first sequence; each next has the next number.
    pub seed: u64,
    /// How many sequences may be at work at once.
    pub jobs: u16,
    /// How long is explored at most; shrinking may take as long again.
    pub limit: Duration,
    /// How the certificate of an https target is verified.
    pub trust: Trust,
    /// How long the target is waited for, in place of what its file says.
    pub limits: ChosenLimits,
    /// The seeded faults of the embedded registry.
    pub mutants: Mutants,
    /// Where the scenario files will be.
    pub out: PathBuf,
}

/// How many sequences there are unless said: where waiting costs nothing, and where it does.
pub const USUAL_CASES: u64 = 500;
/// The same on a real clock, where every code that is sent has to wait for its step.
pub const USUAL_REAL_CASES: u64 = 20;

/// An exploration that can begin.
#[derive(Debug)]
pub struct Explorer {
    pub(super) world: Arc<World>,
    pub(super) options: Options,
    target: String,
    sessions: Vec<Session>,
    number: AtomicUsize,
    actions: AtomicUsize,
    done: AtomicUsize,
    interrupted: AtomicBool,
    began: Instant,
    /// In which of its two parts the exploration is: each may take the limit.
    shrinking: AtomicBool,
}

/// A sequence that was played: the steps up to the one at which it ended.
#[derive(Debug)]
pub(super) struct Tried {
    pub steps: Vec<Step>,
    pub written: Written,
    pub acted: alone::Acted,
}

impl Tried {
    /// The worst that it showed, if anything.
    pub fn verdict(&self) -> Option<Verdict> {
        match &self.acted.end {
            alone::End::Deviated(verdicts) => verdicts.first().copied(),
            alone::End::Held | alone::End::Unsupported(_) | alone::End::Unplayable(_) => None,
        }
    }
}

impl Explorer {
    /// Brings the target up. On a simulated clock each worker has a registry, and so a clock, of its own.
    pub async fn begin(options: Options) -> Result<Self, Unready> {
        let suite = Suite::without_cases(check_options(&options))?;
        let (table, target) = suite.subject();
        let world = Arc::new(World::of(table, target));
        let name = target.name.clone();
        let mut sessions = vec![suite.begin(&options.out.join("journal.jsonl")).await?];
        let first = &sessions[0];
        let unusable = |why: String| Err(Unready::Target(format!("target {name}: {why}")));
        if let Some(evidence) = first.preflight().factors.totp.absent() {
            return unusable(format!("it has no one-time passwords to be explored with: {evidence}"));
        }
        if !first.makes_users() {
            return unusable("exploring takes users who sign themselves up, and accounts are lent here".to_owned());
        }
        if !first.stage().clock.is_real() {
            for _ in 1..options.jobs {
                sessions.push(Suite::without_cases(check_options(&options))?.begin(Path::new("")).await?);
            }
        }
        let mut explorer = Explorer {
            world,
            options,
            target: name.clone(),
            sessions,
            number: AtomicUsize::new(0),
            actions: AtomicUsize::new(0),
            done: AtomicUsize::new(0),
            interrupted: AtomicBool::new(false),
            began: Instant::now(),
            shrinking: AtomicBool::new(false),
        };
        explorer.leave_out_what_is_not_there().await;
        if explorer.world.doors.is_empty() {
            return unusable("it has no surface that could be explored".to_owned());
        }
        let asked = |door: &Door| door.clauses.iter().flatten().any(|clause| clause.challenged);
        if !explorer.world.doors.iter().any(asked) {
            let what = "SECOND FACTOR NOT JUDGED: it has nothing that must be asked for one";
            let left_out = explorer.world.left_out.iter().map(|(id, why)| format!("{id}: {why}"));
            return unusable(format!("{what} ({})", left_out.collect::<Vec<_>>().join("; ")));
        }
        Ok(explorer)
    }

    /// Tries each door once without a proof. What the target lacks has no place in the sequences.
    async fn leave_out_what_is_not_there(&mut self) {
        let mut lacking = Vec::new();
        for (number, door) in self.world.doors.iter().enumerate() {
            let step = |deed| Step { by: 0, deed };
            let mut steps = vec![step(Deed::SignUp)];
            if door.clause(Mode::Disabled).is_none() {
                steps.push(step(Deed::Enrol(Mode::AuthOnly)));
            }
            steps.push(step(Deed::Act { door: number, proof: Proof::None }));
            if let alone::End::Unsupported(reason) = self.play(0, &steps).await.acted.end {
                lacking.push((door.id.clone(), reason));
            }
        }
        self.world = Arc::new(World::clone(&self.world).without(lacking));
        self.actions.store(0, Ordering::Relaxed);
        self.began = Instant::now();
    }

    /// How many sequences are wanted.
    pub fn wanted(&self) -> u64 {
        let usual = if self.is_real() { USUAL_REAL_CASES } else { USUAL_CASES };
        self.options.cases.unwrap_or(usual)
    }

    /// Whether waiting takes real time.
    pub fn is_real(&self) -> bool {
        self.sessions[0].stage().clock.is_real()
    }

    /// How many sequences were played.
    pub fn done(&self) -> usize {
        self.done.load(Ordering::Relaxed)
    }

    /// Whether what deviates is being made smaller.
    pub fn is_shrinking(&self) -> bool {
        self.shrinking.load(Ordering::Relaxed)
    }

    /// Lets the sequences under way end and begins no other. Whether it was the first call.
    pub fn interrupt(&self) -> bool {
        !self.interrupted.swap(true, Ordering::Relaxed)
    }

    /// When what is under way has to end.
    fn until(&self) -> Instant {
        let parts = if self.is_shrinking() { 2 } else { 1 };
        self.began + self.options.limit * parts
    }

    /// Whether nothing more should be begun.
    pub(super) fn is_over(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed) || Instant::now() > self.until()
    }

    pub(super) fn most_tries(&self) -> usize {
        if self.is_real() { MOST_REAL_TRIES } else { MOST_TRIES }
    }

    /// Explores, then shrinks what deviates.
    pub async fn run(self: &Arc<Self>) -> Explored {
        // Who waits for a code is not at work, so that on a real clock all may wait side by side.
        let side_by_side = usize::try_from(self.wanted()).unwrap_or(MOST_WAITING).min(MOST_WAITING);
        let workers = if self.is_real() { side_by_side } else { usize::from(self.options.jobs).max(1) };
        let mut tasks = tokio::task::JoinSet::new();
        for worker in 0..workers {
            let explorer = Arc::clone(self);
            tasks.spawn(async move { explorer.work(worker, workers).await });
        }
        let mut played: Vec<(u64, Tried, usize)> = tasks.join_all().await.into_iter().flatten().collect();
        played.sort_by_key(|(number, ..)| *number);
        let elapsed_ms = millis(self.began.elapsed());
        let sequences: Vec<Sequence> =
            played.iter().map(|(number, tried, of)| self.told(*number, tried, *of)).collect();
        let cut_short = self.why_over(sequences.len() as u64 == self.wanted());
        self.shrinking.store(true, Ordering::Relaxed);
        let (deviations, untold) = self.deviations(played).await;
        let cut_short = cut_short.or_else(|| self.interrupted.load(Ordering::Relaxed).then(interrupted));
        self.sessions.iter().for_each(Session::end);
        Explored {
            format: FORMAT.to_owned(),
            tool: format!("stepup {}", env!("CARGO_PKG_VERSION")),
            target: self.target.clone(),
            seed: self.options.seed,
            wanted: self.wanted(),
            actions: self.actions.load(Ordering::Relaxed),
            elapsed_ms,
            shrinking_ms: millis(self.began.elapsed()).saturating_sub(elapsed_ms),
            cut_short,
            left_out: self.world.left_out.clone(),
            sequences,
            deviations,
            untold,
        }
    }

    fn why_over(&self, complete: bool) -> Option<String> {
        match (complete, self.interrupted.load(Ordering::Relaxed)) {
            (true, _) => None,
            (false, true) => Some(interrupted()),
            (false, false) if self.is_over() => Some(format!("{} s were over", self.options.limit.as_secs())),
            (false, false) => None,
        }
    }

    /// One worker's share: which sequences it plays does not depend on how fast the others are.
    async fn work(&self, worker: usize, workers: usize) -> Vec<(u64, Tried, usize)> {
        let mut played = Vec::new();
        for number in (worker as u64..self.wanted()).step_by(workers) {
            if self.is_over() {
                break;
            }
            let seed = self.options.seed.wrapping_add(number);
            // From a closed set of steps there is always one to be had.
            let Ok(steps) = sequence::steps(&self.world, seed) else { break };
            let tried = self.play(worker, &steps).await;
            self.done.fetch_add(1, Ordering::Relaxed);
            played.push((number, tried, steps.len()));
        }
        played
    }

    /// Plays steps on a worker's registry, with users that are new to it.
    pub(super) async fn play(&self, worker: usize, steps: &[Step]) -> Tried {
        let written = writing::write(&self.world, steps);
        let session = &self.sessions[worker % self.sessions.len()];
        let source = Source::Written { name: "sequence.yaml".to_owned(), text: written.text.clone() };
        let acted = match Scenario::read(&source, "sequence", &session.stage().dialect) {
            Ok(scenario) => {
                session.act(scenario, self.number.fetch_add(1, Ordering::Relaxed), Some(self.until())).await
            }
            Err(error) => alone::Acted { probes: vec![], end: alone::End::Unplayable(error.to_string()) },
        };
        let last = acted.probes.last().and_then(|(act, _)| written.step_of.get(*act)).copied();
        let reached = match (&acted.end, last) {
            (alone::End::Held, _) => steps.len(),
            (alone::End::Deviated(_) | alone::End::Unsupported(_) | alone::End::Unplayable(_), last) => {
                last.map_or(0, |last| last + 1)
            }
        };
        self.actions.fetch_add(reached, Ordering::Relaxed);
        Tried { steps: steps[..reached].to_vec(), written, acted }
    }

    fn told(&self, number: u64, tried: &Tried, steps: usize) -> Sequence {
        let end = match &tried.acted.end {
            alone::End::Held => End::Held,
            alone::End::Deviated(verdicts) => End::Deviated { step: tried.steps.len(), verdicts: verdicts.clone() },
            alone::End::Unsupported(reason) | alone::End::Unplayable(reason) => End::Unplayable(reason.clone()),
        };
        Sequence { seed: self.options.seed.wrapping_add(number), steps, end }
    }
}

fn interrupted() -> String {
    "interrupted".to_owned()
}

pub(super) fn check_options(options: &Options) -> suite::Options {
    suite::Options {
        target: options.target.clone(),
        seed: options.seed,
        jobs: Some(options.jobs),
        trust: options.trust.clone(),
        limits: options.limits,
        mutants: options.mutants.clone(),
        ..suite::Options::default()
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
