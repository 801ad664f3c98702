//! `stepup check`: run the tables and scenarios against a registry, judge, report.

use std::path::{Path, PathBuf};
use std::pin::pin;

use clap::Args;
use jiff::Timestamp;

use super::connection::{Connection, Timeouts};
use super::interrupt::Interruptions;
use super::progress::Progress;
use super::{Failure, exit, folder, out, report};
use crate::capability::Capability;
use crate::check::dry_run;
use crate::check::session::Session;
use crate::check::suite::{Options, Suite};
use crate::persona::key::Maker;
use crate::quantity::Span;
use crate::registry::Mutant;
use crate::report::terminal::{self, Paper, WIDTH};
use crate::report::{Document, Format, annotations, deviations};
use crate::result::{RunEnd, RunResult};
use crate::table::Level;
use crate::target::{self, Pages};

#[derive(Debug, Args)]
pub(super) struct Check {
    /// A built-in target, a target file, or the address of a running registry.
    #[arg(long, value_name = "NAME|FILE|URL", default_value = "embedded")]
    target: String,
    /// Who performs the rows: `wire` (the default), a built-in client such as `npm@11`, a client file, or `all` built-in
    /// clients; may be given several times.
    #[arg(long, value_name = "NAME|FILE")]
    client: Vec<String>,
    /// Only the cases whose id matches; may be given several times.
    #[arg(long, value_name = "GLOB")]
    case: Vec<String>,
    /// A file of a scenario, beside the built-in ones; may be given several times.
    #[arg(long, value_name = "FILE")]
    scenario: Vec<PathBuf>,
    /// The least binding level whose deviations decide the exit code.
    #[arg(long, value_enum, default_value_t = Level::Implied)]
    level: Level,
    /// What must be judged with a second factor, or the run ends with exit code 8; may be given several times. Any one
    /// case is enough where neither this nor the target's file says more.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "NAME")]
    require: Vec<Capability>,
    /// Where the reports go.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Which reports are written there, in place of all of them; may be given several times.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "FORMAT")]
    format: Vec<Format>,
    /// Names, passwords and the simulated start depend on it alone.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many cases may be at work at once: 16 on a real clock and 8 on a simulated one unless said. At most 16 requests,
    /// or as many as this, are under way at once.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: Option<u16>,
    /// Run the selected cases this many times over.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=100))]
    repeat: u16,
    /// Play a case that cannot be judged again, up to this many times. A deviation is never played again.
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=5))]
    retries: u8,
    /// The longest lock-out, after many wrong codes, whose end is waited for. A longer one is told, and not judged.
    #[arg(long, value_name = "DURATION", default_value = "60 s")]
    wait_for_lock_out: Span,
    /// What the target is known to do differently, in place of the list that its own file names.
    #[arg(long, value_name = "FILE")]
    deviations: Option<PathBuf>,
    /// Drafts a list of what deviates, to be looked through and named by the target's file; the file must be new.
    #[arg(long, value_name = "FILE", conflicts_with = "dry_run")]
    write_deviations: Option<PathBuf>,
    /// Who makes the users' security keys.
    #[arg(long, value_enum, default_value_t = Maker::SoftPasskey)]
    authenticator: Maker,
    /// How the registry's own pages are answered.
    #[arg(long, value_enum, default_value_t = Pages::Http)]
    pages: Pages,
    /// Say what would be sent for the selected cases, and send nothing.
    #[arg(long)]
    dry_run: bool,
    /// How long the run may take, as in `5min`: the most telling cases are then played first, and the report says what was
    /// left. It ends within half a minute after.
    #[arg(long, value_name = "TIME")]
    budget: Option<Span>,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    timeouts: Timeouts,
    /// A seeded fault of the embedded registry.
    #[arg(long, value_name = "NAME")]
    mutant: Vec<Mutant>,
}

/// Whether a file can be made here, which is better known before a run than after it.
fn new(file: &Path) -> Result<(), String> {
    if file.exists() {
        return Err(format!("{} exists, and reasons in it would be lost", file.display()));
    }
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    match folder.filter(|folder| !folder.is_dir()) {
        Some(folder) => Err(format!("there is no folder {}", folder.display())),
        None => Ok(()),
    }
}

impl Check {
    pub(super) fn run(self) -> Result<u8, Failure> {
        if self.dry_run {
            let suite = self.suite()?;
            let (_, target) = suite.subject();
            super::say!("{}", dry_run::render(target, suite.cases(), suite.estimate().as_ref()).trim_end());
            return Ok(exit::HELD);
        }
        super::runtime()?.block_on(self.play())
    }

    async fn play(self) -> Result<u8, Failure> {
        let mut interruptions = Interruptions::listen()
            .map_err(|error| Failure::new(exit::USAGE, format!("signals cannot be listened for: {error}")))?;
        if let Some(file) = &self.write_deviations {
            new(file).map_err(|message| Failure::new(exit::USAGE, format!("--write-deviations: {message}")))?;
        }
        let folder = self.out.clone().unwrap_or_else(|| folder::named_after(Timestamp::now()));
        let session = tokio::select! {
            session = self.begin(&folder) => session?,
            () = interruptions.next() => return Err(Failure::new(exit::INCOMPLETE, "interrupted before the first case")),
        };
        let result = follow(&session, &folder, interruptions).await?;
        let code = code(&result);
        // Where it cannot be shown, the reports below are written all the same.
        let shown = terminal::render(&result, paper());
        let shown = out::print(&if annotations::are_read() { annotated(&shown, &result) } else { shown });
        if let Some(file) = &self.write_deviations {
            let draft = deviations::draft(&result).map_err(report::unrenderable)?;
            out::write(file, &draft)?;
        }
        report::write(&folder, &Document::Run(Box::new(result)), self.formats())?;
        shown?;
        super::say!("reports: {}", folder.display());
        Ok(code)
    }

    /// The reports that are written.
    fn formats(&self) -> &[Format] {
        if self.format.is_empty() { &Format::WRITTEN } else { &self.format }
    }

    /// What was selected, on a target that has not been touched.
    fn suite(&self) -> Result<Suite, Failure> {
        let mut suite = Suite::new(Options {
            target: self.target.clone(),
            clients: self.client.clone(),
            cases: self.case.clone(),
            scenarios: self.scenario.clone(),
            level: self.level,
            seed: self.seed,
            jobs: self.jobs,
            repeat: self.repeat,
            mutants: self.mutant.iter().copied().collect(),
            authenticator: self.authenticator,
            pages: self.pages,
            trust: self.connection.trust(),
            limits: self.timeouts.limits(),
            retries: self.retries,
            lock_out_patience: self.wait_for_lock_out.0,
            budget: self.budget.map(|Span(long)| long),
            requires: self.require.clone(),
        })?;
        if let Some(path) = &self.deviations {
            suite.with_deviations(target::deviations(path)?);
        }
        Ok(suite)
    }

    /// Everything before the first case.
    async fn begin(&self, out: &Path) -> Result<Session, Failure> {
        let suite = self.suite()?;
        folder::prepare(out, self.formats())?;
        Ok(suite.begin(&out.join(folder::JOURNAL)).await?)
    }
}

/// The report, in which a target's words are no commands to the workflow, and then the annotations.
fn annotated(shown: &str, result: &RunResult) -> String {
    let word = format!("{:032x}", rand::random::<u128>());
    format!("::stop-commands::{word}\n{shown}::{word}::\n{}", annotations::render(result))
}

/// Runs the cases. The first interruption lets those under way end, the second does not.
async fn follow(session: &Session, out: &Path, mut interruptions: Interruptions) -> Result<RunResult, Failure> {
    if let Some(estimate) = session.estimate() {
        eprintln!("{}", estimate.sentence());
    }
    let progress = Progress::new(session.len(), session.estimate().cloned());
    let mut running = pin!(session.run(|result| progress.one_more(result)));
    loop {
        tokio::select! {
            result = &mut running => return Ok(result),
            () = progress.show(session.stage()) => {}
            () = interruptions.next() => {
                if !session.interrupt() {
                    let journal = out.join(folder::JOURNAL);
                    let hint = match journal.exists() {
                        true => format!("; `stepup cleanup {}` removes what they made", journal.display()),
                        false => String::new(),
                    };
                    let message = format!("interrupted twice: the cases under way were abandoned{hint}");
                    return Err(Failure::new(exit::INCOMPLETE, message));
                }
                eprintln!("interrupted: finishing the cases under way; once more to abandon them");
            }
        }
    }
}

/// How standard output takes a report: `NO_COLOR`, `CLICOLOR` and `CLICOLOR_FORCE` are heeded.
pub(super) fn paper() -> Paper {
    let stdout = std::io::stdout();
    let colour = anstream::AutoStream::choice(&stdout) != anstream::ColorChoice::Never;
    let width = terminal_size::terminal_size_of(&stdout).map_or(WIDTH, |(width, _)| usize::from(width.0));
    Paper { width, colour }
}

fn code(result: &RunResult) -> u8 {
    match result.end() {
        RunEnd::Held => exit::HELD,
        RunEnd::Deviating => exit::DEVIATING,
        RunEnd::NotReached => exit::UNREACHABLE,
        RunEnd::NothingExecuted | RunEnd::NothingDecides => exit::NOTHING,
        RunEnd::Incomplete => exit::INCOMPLETE,
        RunEnd::SecondFactorNotJudged => exit::SECOND_FACTOR_NOT_JUDGED,
    }
}
