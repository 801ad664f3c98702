//! Playing sequences: several at a time, each on a clock that it has to itself, and all the same for one seed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::document::{Deviation, End, Explored, FORMAT, Sequence, Told};
use super::model::{Deed, Proof, Step};
use super::sequence;
use super::world::World;
use super::writing::{self, Written};
use crate::check::alone;
use crate::check::suite::{self, Session, Suite, Unready};
use crate::judge::{Effect, Verdict};
use crate::registry::Mutants;
use crate::result::{Answered, quoted};
use crate::scenario::Scenario;
use crate::source::Source;

/// The most deviations that are shrunk and told one by one.
const MOST_TOLD: usize = 8;
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
    options: Options,
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
    written: Written,
    acted: alone::Acted,
}

impl Tried {
    /// The worst that it showed, if anything.
    pub fn verdict(&self) -> Option<Verdict> {
        match &self.acted.end {
            alone::End::Deviated(verdicts) => verdicts.first().copied(),
            alone::End::Held | alone::End::Unplayable(_) => None,
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
        if world.doors.is_empty() {
            return Err(Unready::Target(format!("target {name}: it has no surface that could be explored")));
        }
        let mut sessions = vec![suite.begin(&options.out.join("journal.jsonl")).await?];
        let first = &sessions[0];
        let unusable = |why: String| Err(Unready::Target(format!("target {name}: {why}")));
        if let Some(evidence) = &first.preflight().no_second_factor {
            return unusable(format!("it has no second factor to be explored: {evidence}"));
        }
        if !first.makes_users() {
            return unusable("exploring takes users who sign themselves up, and accounts are lent here".to_owned());
        }
        if !first.stage().clock.is_real() {
            for _ in 1..options.jobs {
                sessions.push(Suite::without_cases(check_options(&options))?.begin(Path::new("")).await?);
            }
        }
        Ok(Explorer {
            world,
            options,
            target: name,
            sessions,
            number: AtomicUsize::new(0),
            actions: AtomicUsize::new(0),
            done: AtomicUsize::new(0),
            interrupted: AtomicBool::new(false),
            began: Instant::now(),
            shrinking: AtomicBool::new(false),
        })
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

    /// Whether nothing more should be begun.
    pub(super) fn is_over(&self) -> bool {
        let parts = if self.is_shrinking() { 2 } else { 1 };
        self.interrupted.load(Ordering::Relaxed) || self.began.elapsed() > self.options.limit * parts
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
            Ok(scenario) => session.act(scenario, self.number.fetch_add(1, Ordering::Relaxed)).await,
            Err(error) => alone::Acted { probes: vec![], end: alone::End::Unplayable(error.to_string()) },
        };
        let last = acted.probes.last().and_then(|(act, _)| written.step_of.get(*act)).copied();
        let reached = match (&acted.end, last) {
            (alone::End::Held, _) => steps.len(),
            (alone::End::Deviated(_) | alone::End::Unplayable(_), last) => last.map_or(0, |last| last + 1),
        };
        self.actions.fetch_add(reached, Ordering::Relaxed);
        Tried { steps: steps[..reached].to_vec(), written, acted }
    }

    fn told(&self, number: u64, tried: &Tried, steps: usize) -> Sequence {
        let end = match &tried.acted.end {
            alone::End::Held => End::Held,
            alone::End::Deviated(verdicts) => End::Deviated { step: tried.steps.len(), verdicts: verdicts.clone() },
            alone::End::Unplayable(reason) => End::Unplayable(reason.clone()),
        };
        Sequence { seed: self.options.seed.wrapping_add(number), steps, end }
    }

    /// One deviation for each verdict and action, in the order of the sequences.
    async fn deviations(&self, played: Vec<(u64, Tried, usize)>) -> (Vec<Deviation>, usize) {
        let mut groups: Vec<(Kind, u64, Tried, Vec<u64>)> = Vec::new();
        for (number, tried, _) in played {
            let Some(kind) = self.kind(&tried) else { continue };
            let seed = self.options.seed.wrapping_add(number);
            match groups.iter_mut().find(|(known, ..)| *known == kind) {
                Some((.., alike)) => alike.push(seed),
                None => groups.push((kind, seed, tried, Vec::new())),
            }
        }
        let mut found: Vec<(Vec<Step>, Deviation)> = Vec::new();
        let mut untold = 0;
        for (_, seed, first, alike) in groups {
            if found.len() == MOST_TOLD {
                untold += 1;
                continue;
            }
            let found_after = first.steps.len();
            let shrunk = self.shrink(seed, first).await;
            let steps = shrunk.least.steps.clone();
            let mut deviation = self.deviation(seed, found_after, &shrunk.least, found.len() + 1);
            deviation.shrinking_cut_short = shrunk.cut_short;
            let same = |(known, other): &&mut (Vec<Step>, Deviation)| {
                let but_last = |steps: &[Step]| steps.split_last().map(|(_, before)| before.to_vec());
                but_last(known) == but_last(&steps) && other.verdicts == deviation.verdicts
            };
            if let Some((_, known)) = found.iter_mut().find(same) {
                let last = deviation.steps.last().map(Told::words);
                if last != known.steps.last().map(Told::words) {
                    known.also.extend(last.filter(|last| !known.also.contains(last)));
                }
                known.alike.push(seed);
                known.alike.extend(alike);
                continue;
            }
            deviation.alike = alike;
            deviation.replays = self.replays(&steps, &deviation.verdicts).await;
            found.push((steps, deviation));
        }
        (found.into_iter().map(|(_, deviation)| deviation).collect(), untold)
    }

    /// Whether the steps show the same on a registry that has seen nothing else.
    async fn replays(&self, steps: &[Step], verdicts: &[Verdict]) -> Option<bool> {
        if self.is_real() {
            return None;
        }
        let text = writing::write(&self.world, steps).text;
        let session = Suite::without_cases(check_options(&self.options)).ok()?.begin(Path::new("")).await.ok()?;
        let source = Source::Written { name: "sequence.yaml".to_owned(), text };
        let scenario = Scenario::read(&source, "sequence", &session.stage().dialect).ok()?;
        let acted = session.act(scenario, 0).await;
        Some(matches!(acted.end, alone::End::Deviated(again) if again == verdicts))
    }

    fn kind(&self, tried: &Tried) -> Option<Kind> {
        let (verdict, last) = (tried.verdict()?, tried.steps.last()?);
        Some(match last.deed {
            Deed::Act { door, proof } => {
                let label = self.world.doors.get(door).map_or_else(String::new, |door| door.label.clone());
                (verdict, label, std::mem::discriminant(&proof))
            }
            Deed::SignUp | Deed::Enrol(_) => (verdict, String::new(), std::mem::discriminant(&Proof::None)),
        })
    }

    fn deviation(&self, seed: u64, found_after: usize, tried: &Tried, number: usize) -> Deviation {
        let verdicts = match &tried.acted.end {
            alone::End::Deviated(verdicts) => verdicts.clone(),
            alone::End::Held | alone::End::Unplayable(_) => Vec::new(),
        };
        // What came after the deviating step has no place in the file.
        let written = writing::write(&self.world, &tried.steps);
        let steps = written.lines.iter().enumerate().map(|(step, line)| {
            let probe = tried.acted.probes.iter().find(|(act, _)| tried.written.step_of.get(*act) == Some(&step));
            Told {
                who: line.who.clone(),
                what: line.what.clone(),
                proof: line.proof.clone(),
                // A sign-up that does not succeed ends the sequence, and is no deviation.
                answer: probe.map_or(Answered::Accepted, |(_, probe)| probe.answer),
                saw: probe.map_or_else(String::new, |(_, probe)| probe.outcome.clone()),
                effect: probe.map_or(Effect::None, |(_, probe)| probe.effect),
                exchanges: probe.map_or_else(Vec::new, |(_, probe)| probe.exchanges.clone()),
            }
        });
        let last = written.lines.last();
        let file = format!("deviation-{number}.yaml");
        Deviation {
            verdicts,
            seed,
            found_after,
            steps: steps.collect(),
            due: last.map_or_else(String::new, |line| line.due.clone()),
            cite: last.map_or_else(String::new, |line| line.cite.clone()),
            also: Vec::new(),
            shrinking_cut_short: false,
            replays: None,
            repeat: self.repeat(&file, number),
            file,
            text: written.text,
            alike: Vec::new(),
        }
    }

    fn repeat(&self, file: &str, number: usize) -> String {
        let mut repeat = vec!["stepup check".to_owned()];
        if self.options.target != "embedded" {
            repeat.push(format!("--target {}", quoted(&self.options.target)));
        }
        repeat.extend(self.options.mutants.iter().map(|mutant| format!("--mutant {mutant}")));
        repeat.push(format!("--scenario {}", quoted(&self.options.out.join(file).display().to_string())));
        repeat.push(format!("--case 'deviation-{number}/*'"));
        repeat.join(" ")
    }
}

fn interrupted() -> String {
    "interrupted".to_owned()
}

/// What makes two deviations look alike before they are shrunk.
type Kind = (Verdict, String, std::mem::Discriminant<Proof>);

fn check_options(options: &Options) -> suite::Options {
    suite::Options {
        target: options.target.clone(),
        seed: options.seed,
        jobs: options.jobs,
        mutants: options.mutants.clone(),
        ..suite::Options::default()
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
