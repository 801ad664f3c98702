//! `stepup check`: run the tables against a registry, judge, report.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use clap::Args;
use jiff::Timestamp;
use reqwest::Url;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::{Failure, exit, progress};
use crate::check::plan::{self, Case};
use crate::check::scene::Stage;
use crate::check::{self, Run, deviations};
use crate::clock::{Clock, UnixMillis};
use crate::installed;
use crate::persona::ledger::GUARD_MS;
use crate::registry::{Mutant, Mutants, Registry, Settings};
use crate::report;
use crate::report::terminal::{Paper, WIDTH};
use crate::result::{CaseResult, FORMAT, RunResult, Status, Summary, TableInfo, TargetInfo};
use crate::table::Table;
use crate::target::{self, Start};
use crate::wire::{Reuse, Wire, is_loopback};
use crate::yaml::{self, FileError};

#[derive(Debug, Args)]
pub(super) struct Check {
    /// A built-in target, a target file, or the address of a running registry.
    #[arg(long, value_name = "NAME|FILE|URL", default_value = "embedded")]
    target: String,
    /// Only the cases whose id matches; may be given several times.
    #[arg(long, value_name = "GLOB")]
    case: Vec<String>,
    /// Where the reports go.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Names, passwords and the simulated start depend on it alone.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many cases may be at work at once.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: u16,
    /// Run the selected cases this many times over.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=100))]
    repeat: u16,
    /// A seeded fault of the embedded registry.
    #[arg(long, value_name = "NAME")]
    mutant: Vec<Mutant>,
}

/// The action table.
pub(super) fn table() -> Result<Table, FileError> {
    let text = include_str!("../../scenarios/tables/npm-docs-2022-08.yaml");
    yaml::parse("scenarios/tables/npm-docs-2022-08.yaml", text)
}

impl Check {
    pub(super) fn run(self) -> Result<u8, Failure> {
        super::runtime()?.block_on(self.play())
    }

    async fn play(self) -> Result<u8, Failure> {
        let started = Timestamp::now();
        let table = table()?;
        let mut target = target::find(&self.target)?;
        let dialect = Arc::new(target.dialect()?);
        let once = plan::select(plan::cases(&table, &dialect), &self.case)
            .map_err(|message| Failure::new(exit::USAGE, message))?;
        let cases: Vec<Case> = (0..self.repeat).flat_map(|_| once.clone()).collect();
        if cases.is_empty() {
            return Err(Failure::new(exit::NOTHING, "no case matches; `stepup list cases` shows their ids"));
        }
        let mut installed = None;
        let (clock, base, _registry) = match target.start {
            Start::Embedded => self.embedded().await?,
            Start::Installed => {
                let running = installed::start(&target)
                    .await
                    .map_err(|message| Failure::new(exit::UNREACHABLE, format!("target {}: {message}", target.name)))?;
                let base = address(&running.base)?;
                installed = Some(running);
                (Clock::system(), base, None)
            }
            Start::Running => {
                if !self.mutant.is_empty() {
                    return Err(Failure::new(exit::USAGE, "--mutant is for the embedded registry"));
                }
                let base = target.base.clone().unwrap_or_default();
                (Clock::system(), address(&base)?, None)
            }
        };
        let simulated = !clock.is_real();
        let prefix_seed = if simulated { self.seed } else { self.seed ^ started.as_millisecond().unsigned_abs() };
        let run = Run {
            stage: Stage {
                wire: Wire::new(base, if simulated { Reuse::WhenIdle } else { Reuse::Never })
                    .map_err(|message| Failure::new(exit::UNREACHABLE, message))?,
                dialect,
                guard_ms: if simulated { 0 } else { GUARD_MS },
                clock,
                skew: target.skew.into(),
                jobs: Arc::new(Semaphore::new(self.jobs.into())),
                waiting: Arc::new(AtomicUsize::new(0)),
            },
            prefix: format!("su{:08x}", check::mix(prefix_seed, "prefix") & 0xffff_ffff),
            target: self.target.clone(),
            seed: self.seed,
            interrupted: Arc::new(AtomicBool::new(false)),
        };
        let no_factor = check::second_factor(&run)
            .await
            .map_err(|message| Failure::new(exit::UNREACHABLE, format!("target {}: {message}", target.name)))?;
        let results = collect(&run, &cases, &no_factor).await;
        let (observed, judged): (Vec<_>, Vec<_>) =
            results.into_iter().zip(&cases).partition(|(_, case)| case.expectation.is_none());
        let strip = |pairs: Vec<(CaseResult, &Case)>| pairs.into_iter().map(|(result, _)| result).collect::<Vec<_>>();
        let (observations, mut judged) = (strip(observed), strip(judged));
        let today = started.to_zoned(jiff::tz::TimeZone::UTC).date();
        let stale_deviations = deviations::apply(&target.deviations, today, self.case.is_empty(), &mut judged);
        drop(installed);
        let result = RunResult {
            format: FORMAT.to_owned(),
            tool: format!("stepup {}", env!("CARGO_PKG_VERSION")),
            target: TargetInfo { name: target.name.clone(), no_second_factor: no_factor },
            table: TableInfo { id: table.id, revision: table.revision, source: table.source },
            seed: self.seed,
            started: started.to_string(),
            finished: Timestamp::now().to_string(),
            complete: !run.interrupted.load(Ordering::Relaxed),
            summary: Summary::of(&judged, observations.len()),
            stale_deviations,
            cases: judged,
            observations,
        };
        print!("{}", report::terminal::render(&result, paper()));
        let out = self.out.unwrap_or_else(|| PathBuf::from(format!("reports/{}", started.strftime("%Y%m%dT%H%M%SZ"))));
        if let Err(message) = write(&out, &result) {
            return Err(Failure::new(exit::INCOMPLETE, message));
        }
        println!("reports: {}", out.display());
        Ok(code(&result))
    }

    /// The reference registry on a free loopback port, on a clock that the run shares.
    async fn embedded(&self) -> Result<(Clock, Url, Option<oneshot::Sender<()>>), Failure> {
        let cannot = |error: std::io::Error| Failure::new(exit::UNREACHABLE, format!("the embedded registry: {error}"));
        let offset = i64::try_from(check::mix(self.seed, "start") % 60_000).unwrap_or_default();
        let clock = Clock::simulated(UnixMillis(1_767_225_600_000 + offset));
        let registry_clock = clock.clone();
        let mut settings = Settings::new(Arc::new(move || registry_clock.system_time()));
        settings.mutants = self.mutant.iter().copied().collect::<Mutants>();
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(cannot)?;
        let base = address(&format!("http://{}", listener.local_addr().map_err(cannot)?))?;
        let (stop, stopped) = oneshot::channel();
        tokio::spawn(crate::registry::serve(listener, Registry::new(settings), async {
            // Dropping the sender ends the registry too.
            let _ = stopped.await;
        }));
        Ok((clock, base, Some(stop)))
    }
}

/// How standard output takes a report: `NO_COLOR`, `CLICOLOR` and `CLICOLOR_FORCE` are heeded.
fn paper() -> Paper {
    let stdout = std::io::stdout();
    let colour = anstream::AutoStream::choice(&stdout) != anstream::ColorChoice::Never;
    let width = terminal_size::terminal_size_of(&stdout).map_or(WIDTH, |(width, _)| usize::from(width.0));
    Paper { width, colour }
}

fn address(text: &str) -> Result<Url, Failure> {
    let url =
        Url::parse(text).map_err(|error| Failure::new(exit::USAGE, format!("target address `{text}`: {error}")))?;
    if url.path() != "/" {
        let message =
            format!("target address `{text}`: a registry below a path is not supported yet; allowed: http://HOST:PORT");
        return Err(Failure::new(exit::USAGE, message));
    }
    if is_loopback(&url) {
        Ok(url)
    } else {
        Err(Failure::new(
            exit::USAGE,
            format!("target address `{text}`: only this machine's own registries may be driven"),
        ))
    }
}

async fn collect(run: &Run, cases: &[Case], no_factor: &check::NoFactor) -> Vec<CaseResult> {
    let interrupted = Arc::clone(&run.interrupted);
    let listener = tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            eprintln!("interrupted: finishing what is under way");
            interrupted.store(true, Ordering::Relaxed);
        }
    });
    let (done, results) = mpsc::unbounded_channel();
    let follow = progress::follow(&run.stage, cases.len(), results);
    let ((), mut numbered) = tokio::join!(check::run(run, cases, no_factor, done), follow);
    listener.abort();
    numbered.sort_by_key(|(number, _)| *number);
    numbered.into_iter().map(|(_, result)| result).collect()
}

fn write(out: &Path, result: &RunResult) -> Result<(), String> {
    let cannot = |error: std::io::Error| format!("{} cannot be written: {error}", out.display());
    std::fs::create_dir_all(out).map_err(cannot)?;
    let json = serde_json::to_string_pretty(result).map_err(|error| error.to_string())?;
    std::fs::write(out.join("result.json"), json).map_err(cannot)?;
    std::fs::write(out.join("junit.xml"), report::junit::render(result)?).map_err(cannot)
}

fn code(result: &RunResult) -> u8 {
    let summary = &result.summary;
    let observed =
        result.observations.iter().filter(|case| matches!(case.status, Status::Pass | Status::Error)).count();
    let executed = summary.exact + summary.deviating + summary.errored + observed;
    let reached =
        result.cases.iter().chain(&result.observations).any(|case| matches!(case.status, Status::Pass | Status::Fail));
    if !result.complete {
        exit::INCOMPLETE
    } else if executed == 0 {
        exit::NOTHING
    } else if !reached {
        exit::UNREACHABLE
    } else if summary.deviating - summary.known + summary.errored + result.stale_deviations.len() > 0 {
        exit::DEVIATING
    } else {
        exit::HELD
    }
}
