//! `stepup check`: run the tables against a registry, judge, report.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use clap::Args;
use jiff::Timestamp;
use tokio::sync::{Semaphore, mpsc};

use super::interrupt::Interruptions;
use super::{Failure, exit, progress};
use crate::accounts::Pool;
use crate::check::plan::{self, Case};
use crate::check::scene::Stage;
use crate::check::{self, Journal, Preflight, Provisioner, Run, deviations};
use crate::host::Host;
use crate::persona::ledger::GUARD_MS;
use crate::registry::{Mutant, Mutants};
use crate::report;
use crate::report::terminal::{Paper, WIDTH};
use crate::result::{CaseResult, FORMAT, RunResult, Status, Summary, TableInfo, TargetInfo};
use crate::scenario::Scenario;
use crate::table::{Level, Table};
use crate::target::{self, Deviation, Start, Target};
use crate::wire::{Reuse, Wire};
use crate::yaml::{self, FileError};

#[derive(Debug, Args)]
pub(super) struct Check {
    /// A built-in target, a target file, or the address of a running registry.
    #[arg(long, value_name = "NAME|FILE|URL", default_value = "embedded")]
    target: String,
    /// Only the cases whose id matches; may be given several times.
    #[arg(long, value_name = "GLOB")]
    case: Vec<String>,
    /// The least binding level whose deviations decide the exit code.
    #[arg(long, value_enum, default_value_t = Level::Implied)]
    level: Level,
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
    /// What the target is known to do differently, in place of the list that its own file names.
    #[arg(long, value_name = "FILE")]
    deviations: Option<PathBuf>,
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
        let mut interruptions = Interruptions::listen()
            .map_err(|error| Failure::new(exit::USAGE, format!("signals cannot be listened for: {error}")))?;
        let session = tokio::select! {
            session = self.set_up() => session?,
            () = interruptions.next() => return Err(Failure::new(exit::INCOMPLETE, "interrupted before the first case")),
        };
        let (left, results) = session.collect(interruptions).await?;
        let out = session.out.clone();
        let result = session.result(left, results, self.case.is_empty());
        // Whoever stops reading early still gets the reports below.
        let mut stdout = std::io::stdout();
        let _ = stdout.write_all(report::terminal::render(&result, paper()).as_bytes());
        if let Err(message) = write(&out, &result) {
            return Err(Failure::new(exit::INCOMPLETE, message));
        }
        let _ = writeln!(stdout, "reports: {}", out.display());
        Ok(code(&result))
    }

    /// Everything before the first case.
    async fn set_up(&self) -> Result<Session, Failure> {
        let started = Timestamp::now();
        let table = table()?;
        let Target { name, start, skew, dialect, mut deviations, .. } = target::find(&self.target)?;
        if let Some(path) = &self.deviations {
            deviations = target::deviations(path)?;
        }
        let scenarios = Scenario::all(&dialect)?;
        let once = plan::cases(&table, &dialect)
            .and_then(|rows| plan::select([rows, plan::scenarios(scenarios)].concat(), &self.case))
            .map_err(|message| Failure::new(exit::USAGE, message))?;
        let cases: Vec<Case> = (0..self.repeat).flat_map(|_| once.clone()).collect();
        if cases.is_empty() {
            return Err(Failure::new(exit::NOTHING, "no case matches; `stepup list cases` shows their ids"));
        }
        if !matches!(start, Start::Embedded) && !self.mutant.is_empty() {
            return Err(Failure::new(exit::USAGE, "--mutant is for the embedded registry"));
        }
        let out = self
            .out
            .clone()
            .unwrap_or_else(|| PathBuf::from(format!("reports/{}", started.strftime("%Y%m%dT%H%M%SZ"))));
        let unwritable = |error: std::io::Error| {
            Failure::new(exit::INCOMPLETE, format!("{} cannot be written: {error}", out.display()))
        };
        std::fs::create_dir_all(&out).map_err(unwritable)?;
        let unusable = |message: String| Failure::new(exit::UNREACHABLE, format!("target {name}: {message}"));
        let mutants = self.mutant.iter().copied().collect::<Mutants>();
        let mut host = Host::bring_up(start, self.seed, mutants).await.map_err(unusable)?;
        let simulated = !host.clock.is_real();
        let guard_ms = if simulated { 0 } else { GUARD_MS };
        let journal =
            if host.lives_on { Some(Journal::create(&out.join("journal.jsonl")).map_err(unwritable)?) } else { None };
        let reuse = if simulated { Reuse::WhenIdle } else { Reuse::Never };
        let mut stage = Stage {
            wire: Wire::new(host.base.clone(), reuse).map_err(unusable)?,
            dialect: Arc::new(dialect),
            guard_ms,
            offset_ms: 0,
            journal,
            clock: host.clock.clone(),
            skew,
            jobs: Arc::new(Semaphore::new(self.jobs.into())),
            waiting: Arc::new(AtomicUsize::new(0)),
        };
        stage.read_clock().await;
        let provisioner = match host.accounts.take() {
            Some(accounts) => Provisioner::Accounts(Pool::new(accounts, stage.skew, guard_ms, stage.target_time())),
            None => Provisioner::SelfService,
        };
        let prefix_seed = if simulated { self.seed } else { self.seed ^ started.as_millisecond().unsigned_abs() };
        let mut run = Run {
            stage,
            prefix: format!("su{:08x}", check::mix(prefix_seed, "prefix") & 0xffff_ffff),
            target: self.target.clone(),
            level: self.level,
            seed: self.seed,
            provisioner,
            interrupted: Arc::new(AtomicBool::new(false)),
        };
        let preflight = check::preflight(&mut run).await.map_err(unusable)?;
        Ok(Session { started, table, name, deviations, cases, out, run, preflight, _host: host })
    }
}

/// A run that can begin.
struct Session {
    started: Timestamp,
    table: Table,
    name: String,
    deviations: Vec<Deviation>,
    cases: Vec<Case>,
    out: PathBuf,
    run: Run,
    preflight: Preflight,
    _host: Host,
}

impl Session {
    /// Runs the cases. The first interruption lets those under way end, the second does not.
    async fn collect(&self, mut interruptions: Interruptions) -> Result<(Vec<String>, Vec<CaseResult>), Failure> {
        let (done, results) = mpsc::unbounded_channel();
        let playing = async {
            tokio::join!(
                check::run(&self.run, &self.cases, &self.preflight, done),
                progress::follow(&self.run.stage, self.cases.len(), results)
            )
        };
        let mut playing = pin!(playing);
        let (left, mut numbered) = loop {
            tokio::select! {
                ended = &mut playing => break ended,
                () = interruptions.next() => {
                    if self.run.interrupted.swap(true, Ordering::Relaxed) {
                        let journal = self.out.join("journal.jsonl");
                        let hint = if journal.exists() { format!("; {} says what they made", journal.display()) } else { String::new() };
                        let message = format!("interrupted twice: the cases under way were abandoned{hint}");
                        return Err(Failure::new(exit::INCOMPLETE, message));
                    }
                    eprintln!("interrupted: finishing the cases under way; once more to abandon them");
                }
            }
        };
        numbered.sort_by_key(|(number, _)| *number);
        Ok((left, numbered.into_iter().map(|(_, result)| result).collect()))
    }

    /// The document of the run.
    fn result(self, left: Vec<String>, results: Vec<CaseResult>, all: bool) -> RunResult {
        let (observed, judged): (Vec<_>, Vec<_>) =
            results.into_iter().zip(&self.cases).partition(|(_, case)| case.is_observed());
        let strip = |pairs: Vec<(CaseResult, &Case)>| pairs.into_iter().map(|(result, _)| result).collect::<Vec<_>>();
        let (observations, mut judged) = (strip(observed), strip(judged));
        let today = self.started.to_zoned(jiff::tz::TimeZone::UTC).date();
        let stale_deviations = deviations::apply(&self.deviations, today, all, &mut judged);
        RunResult {
            format: FORMAT.to_owned(),
            tool: format!("stepup {}", env!("CARGO_PKG_VERSION")),
            target: TargetInfo {
                name: self.name,
                no_second_factor: self.preflight.no_second_factor,
                clock_offset_ms: self.preflight.clock_offset_ms,
            },
            table: TableInfo { id: self.table.id, revision: self.table.revision, source: self.table.source },
            level: self.run.level,
            seed: self.run.seed,
            started: self.started.to_string(),
            finished: Timestamp::now().to_string(),
            complete: !self.run.interrupted.load(Ordering::Relaxed),
            summary: Summary::of(&judged, observations.len()),
            stale_deviations,
            left,
            cases: judged,
            observations,
        }
    }
}

/// How standard output takes a report: `NO_COLOR`, `CLICOLOR` and `CLICOLOR_FORCE` are heeded.
fn paper() -> Paper {
    let stdout = std::io::stdout();
    let colour = anstream::AutoStream::choice(&stdout) != anstream::ColorChoice::Never;
    let width = terminal_size::terminal_size_of(&stdout).map_or(WIDTH, |(width, _)| usize::from(width.0));
    Paper { width, colour }
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
    } else if !result.stale_deviations.is_empty() || result.cases.iter().any(|case| result.decides(case)) {
        exit::DEVIATING
    } else {
        exit::HELD
    }
}
