//! `stepup load`: run one load profile.

use std::cell::Cell;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use clap::Args;
use jiff::Timestamp;

use super::dashboard::Watch;
use super::interrupt::Interruptions;
use super::prometheus::{self, Endpoint, Fed};
use super::{Failure, check, exit, folder, report};
use crate::load::document::{SecondNote, Verdict};
use crate::load::hdr_log::HdrLog;
use crate::load::journey::{self, Walked};
use crate::load::objective::{Objective, Standing, Timing};
use crate::load::run::{self, Outcome};
use crate::load::session::{For, Options, Resolver, Session, Unready};
use crate::load::tally::Sums;
use crate::load::{noting, profile, summary};
use crate::registry::Mutant;
use crate::report::load::WRITTEN;
use crate::report::{Document, Format};

/// A rule that ends a run must fail for so many seconds on end.
const FAILS_FOR: u32 = 3;
/// Between two lines about what is being prepared.
const TOLD_EVERY: Duration = Duration::from_secs(2);

#[derive(Debug, Args)]
pub(super) struct Load {
    /// A built-in load profile, or a file.
    #[arg(value_name = "PROFILE")]
    profile: String,
    #[command(flatten)]
    common: Common,
}

/// What `load` and `capacity` have in common.
#[derive(Debug, Args)]
pub(super) struct Common {
    /// A built-in target, a target file, or the address of a running registry.
    #[arg(long, value_name = "NAME|FILE|URL", default_value = "embedded")]
    target: String,
    /// The pool of users, for targets other than the embedded registry.
    #[arg(long, value_name = "FILE")]
    pool: Option<PathBuf>,
    #[command(flatten)]
    passphrase: super::passphrase::PassphraseOption,
    /// Where the reports go.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Arrivals and the embedded registry's users depend on it alone.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// How many threads send; one for each core that the target leaves unless said.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    threads: Option<u32>,
    /// A seeded fault of the embedded registry.
    #[arg(long, value_name = "NAME")]
    mutant: Vec<Mutant>,
    /// The certificates (PEM) of the authorities that an https target's certificate must come from.
    #[arg(long, value_name = "FILE")]
    cacert: Option<PathBuf>,
    /// An address of this machine at which Prometheus finds `/metrics` meanwhile.
    #[arg(long, value_name = "ADDR")]
    prometheus: Option<std::net::SocketAddr>,
}

impl From<Unready> for Failure {
    fn from(unready: Unready) -> Self {
        match unready {
            Unready::File(error) => error.into(),
            Unready::Options(message) => Failure::new(exit::USAGE, message),
            Unready::Target(message) => Failure::new(exit::UNREACHABLE, message),
            Unready::Unprotected(message) => Failure::new(exit::DEVIATING, message),
        }
    }
}

impl Common {
    /// Whoever asks for metrics is answered until what is returned beside them is dropped.
    pub(super) async fn metrics(&self) -> Result<(Fed, Option<Endpoint>), Failure> {
        let fed = Fed::default();
        let endpoint = match self.prometheus {
            Some(address) => Some(prometheus::serve(address, fed.clone()).await?),
            None => None,
        };
        Ok((fed, endpoint))
    }

    /// Brings the session up, and makes the folder of the reports before anything is sent.
    pub(super) async fn begin(
        self,
        profile: &str,
        what_for: For,
        interruptions: &mut Interruptions,
    ) -> Result<(Session, PathBuf), Failure> {
        let profile = profile::find(profile)?;
        let out = self.out.unwrap_or_else(|| folder::named_after(Timestamp::now()));
        std::fs::create_dir_all(&out).map_err(|error| report::unwritable(&out, &error))?;
        let (target, pool, seed, threads, mutants) = (self.target, self.pool, self.seed, self.threads, self.mutant);
        let (authorities, passphrase) = (self.cacert, self.passphrase.whence());
        let options = Options {
            profile,
            target,
            pool,
            passphrase,
            seed,
            threads,
            mutants,
            authorities,
            resolver: Resolver::System,
        };
        let mut session = Session::begin(options, what_for).await?;
        let interrupted = || Failure::new(exit::INCOMPLETE, "interrupted before anything was measured");
        let told = Cell::new(Instant::now());
        let tell = |ready: usize| {
            if told.get().elapsed() >= TOLD_EVERY {
                told.set(Instant::now());
                eprintln!("preparing: {ready} users are ready");
            }
        };
        tokio::select! {
            prepared = session.prepare(tell) => prepared?,
            () = interruptions.next() => return Err(interrupted()),
        }
        let rest = session.rest();
        if !rest.is_zero() {
            eprintln!("the users' codes were spent before; waiting {:.0} s for fresh ones", rest.as_secs_f64().ceil());
            tokio::select! {
                () = tokio::time::sleep(rest) => {}
                () = interruptions.next() => return Err(interrupted()),
            }
        }
        Ok((session, out))
    }
}

/// Writes the reports of a document, and says what it shows.
pub(super) fn finish(out: &Path, document: &Document) -> Result<(), Failure> {
    report::write(out, document, &WRITTEN)?;
    let text = document.render(Format::Terminal, check::paper()).map_err(report::unrenderable)?;
    super::out::print(&text)?;
    super::say!("reports: {}", out.display());
    Ok(())
}

impl Load {
    pub(super) fn run(self) -> Result<u8, Failure> {
        super::runtime()?.block_on(async {
            let mut interruptions = listen()?;
            let (fed, _endpoint) = self.common.metrics().await?;
            let (session, out) = self.common.begin(&self.profile, For::Pace, &mut interruptions).await?;
            play(session, &out, fed, interruptions).await
        })
    }
}

/// Listens for signals from now on.
pub(super) fn listen() -> Result<Interruptions, Failure> {
    // Goose would listen for Ctrl-C in place of this program. Whoever asks first is the one who does; all else that
    // listens is asked as well.
    #[cfg(feature = "goose")]
    let _ = ctrlc::set_handler(|| {});
    Interruptions::listen()
        .map_err(|error| Failure::new(exit::USAGE, format!("signals cannot be listened for: {error}")))
}

/// What was run.
enum Ran {
    Action(Outcome),
    Journey(Walked),
}

impl Ran {
    fn outcome(&self) -> &Outcome {
        match self {
            Ran::Action(outcome) => outcome,
            Ran::Journey(walked) => &walked.outcome,
        }
    }

    fn spent_through(&self) -> u32 {
        match self {
            Ran::Action(outcome) => outcome.spent_through(),
            Ran::Journey(walked) => walked.spent_through,
        }
    }
}

/// What was seen second by second.
struct Seen {
    seconds: Vec<SecondNote>,
    /// Written as the run goes on, so that its memory does not grow with it.
    log: HdrLog<BufWriter<File>>,
    fed: Fed,
    told: Arc<Watch>,
    unwritten: Option<std::io::Error>,
    failing: u32,
    aborted: Option<String>,
}

async fn play(session: Session, out: &Path, fed: Fed, mut interruptions: Interruptions) -> Result<u8, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    let (heard, session) = (Arc::clone(&stop), Arc::new(session));
    let running = Arc::clone(&session);
    let log_path = out.join("load.hlog");
    let log = File::create(&log_path).and_then(|file| HdrLog::begin(BufWriter::new(file), SystemTime::now()));
    let log = log.map_err(|error| report::unwritable(&log_path, &error))?;
    let title = format!("{} on {}", session.profile.name, session.target);
    let watch = Arc::new(Watch::begin(title, Some(session.profile.pace.lasts().as_secs_f64())));
    let told = Arc::clone(&watch);
    // The threads of the run are its own; this one only waits for them.
    let mut run = tokio::task::spawn_blocking(move || {
        let (unwritten, aborted) = (None, None);
        let mut seen = Seen { seconds: Vec::new(), log, fed, told, unwritten, failing: 0, aborted };
        let watch = |at, sums: &Sums| seen.note(at, sums, &running, &heard);
        let ran = match &running.profile.journey {
            Some(journey) => journey::conduct(&running, journey, &heard, watch).map(Ran::Journey),
            None => run::conduct(&running.plan, &heard, watch).map(Ran::Action),
        };
        (ran, seen)
    });
    let (ran, seen) = loop {
        tokio::select! {
            done = &mut run => break done.map_err(|error| Failure::new(exit::INCOMPLETE, format!("the run: {error}")))?,
            () = interruptions.next() => {
                watch.say("interrupted: reporting what was measured");
                stop.store(true, Ordering::Relaxed);
            }
        }
    };
    watch.close();
    // Of a run that failed nobody knows which codes it sent; they were of no later step than this one.
    let spent = ran.as_ref().map_or_else(|_| session.present_step(), Ran::spent_through);
    let noted = session.note_spent(spent);
    let ran = ran.map_err(|error| Failure::new(exit::USAGE, format!("the run cannot be made: {error}")))?;
    let Seen { seconds, log, unwritten, aborted, .. } = seen;
    unwritten
        .map_or_else(|| end_log(log, ran.outcome()), Err)
        .map_err(|error| report::unwritable(&log_path, &error))?;
    let result = match ran {
        Ran::Action(outcome) => noting::of_run(&session, &outcome, seconds, aborted),
        Ran::Journey(walked) => noting::of_journey(&session, walked, seconds, aborted),
    };
    let code = code(result.verdict);
    finish(out, &Document::Load(Box::new(result)))?;
    noted.map_err(|error| report::unwritable(Path::new("the pool"), &error))?;
    Ok(code)
}

impl Seen {
    fn note(&mut self, at: u64, sums: &Sums, session: &Session, stop: &AtomicBool) {
        let note = SecondNote::of(at, sums, session.profile.warm_up);
        self.fed.note(&note);
        self.told.second(&note, || Some(summary::line(&note)));
        self.seconds.push(note);
        let (from, times) = (Duration::from_secs(at), sums.timed.of(Timing::ResponseTime));
        if let Err(error) = self.log.write("response_time_of_second", from, Duration::from_secs(1), times) {
            self.unwritten.get_or_insert(error);
        }
        let failed = session.profile.abort.iter().find(|rule| rule.judge(sums) == Standing::Missed);
        self.failing = if failed.is_some() { self.failing + 1 } else { 0 };
        if let Some(rule) = failed.filter(|_| self.failing >= FAILS_FOR && self.aborted.is_none()) {
            self.aborted = Some(abort(rule, at));
            stop.store(true, Ordering::Relaxed);
        }
    }
}

fn abort(rule: &Objective, at: u64) -> String {
    format!("`{rule}` did not hold for {FAILS_FOR} seconds, at {} s", at + 1)
}

/// Ends the log with the times of the whole run.
fn end_log(mut log: HdrLog<BufWriter<File>>, outcome: &Outcome) -> std::io::Result<()> {
    for timing in Timing::ALL {
        log.write(timing.name(), Duration::ZERO, outcome.took, outcome.whole.timed.of(timing))?;
    }
    log.end().map(drop)
}

fn code(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Held => exit::HELD,
        Verdict::Missed | Verdict::Breached => exit::DEVIATING,
        Verdict::Unreachable => exit::UNREACHABLE,
        Verdict::Incomplete => exit::INCOMPLETE,
        Verdict::Invalid => exit::INVALID,
        Verdict::NoData => exit::NO_DATA,
    }
}
