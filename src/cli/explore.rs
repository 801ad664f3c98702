//! `stepup explore`: random sequences against a model of the tables and the rules, shrunk to scenarios that replay.

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;

use super::connection::{Connection, Timeouts};
use super::interrupt::Interruptions;
use super::out::{print, unwritable};
use super::{Failure, check, exit, folder};
use crate::explore::{Explored, Explorer, Options};
use crate::registry::Mutant;
use crate::report::terminal::exploration;

/// Between two looks at how far it has come, on a terminal and elsewhere.
const LOOK_EVERY: Duration = Duration::from_millis(200);
const LINE_EVERY: Duration = Duration::from_secs(10);

#[derive(Debug, Args)]
pub(super) struct Explore {
    /// A built-in target, a target file, or the address of a running registry.
    #[arg(long, value_name = "NAME|FILE|URL", default_value = "embedded")]
    target: String,
    /// How many sequences; 500 unless said, and 20 where waiting for codes takes real time.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    cases: Option<u64>,
    /// The seed of the first sequence; each next has the next number.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Where the scenario files of what deviates go, with the failing seeds.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// How many sequences may be at work at once.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    jobs: u16,
    /// How long is explored at most, in seconds; making what deviates smaller may take as long again.
    #[arg(long, value_name = "SECONDS", default_value_t = 900, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    limit: u64,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    timeouts: Timeouts,
    /// A seeded fault of the embedded registry.
    #[arg(long, value_name = "NAME")]
    mutant: Vec<Mutant>,
}

impl Explore {
    pub(super) fn run(self) -> Result<u8, Failure> {
        super::runtime()?.block_on(self.play())
    }

    async fn play(self) -> Result<u8, Failure> {
        let mut interruptions = Interruptions::listen()
            .map_err(|error| Failure::new(exit::USAGE, format!("signals cannot be listened for: {error}")))?;
        let out = self.out.unwrap_or_else(|| folder::named_after(Timestamp::now()));
        folder::prepare(&out, &[])?;
        let begin = Explorer::begin(Options {
            target: self.target,
            cases: self.cases,
            seed: self.seed,
            jobs: self.jobs,
            limit: Duration::from_secs(self.limit),
            trust: self.connection.trust(),
            limits: self.timeouts.limits(),
            mutants: self.mutant.into_iter().collect(),
            out: out.clone(),
        });
        let explorer = tokio::select! {
            explorer = begin => Arc::new(explorer?),
            () = interruptions.next() => return Err(Failure::new(exit::INCOMPLETE, "interrupted before the first sequence")),
        };
        let explored = follow(&explorer, interruptions).await?;
        // Where it cannot be shown, it is written all the same.
        let shown = print(&exploration::render(&explored, check::paper()));
        write(&out, &explored).map_err(|error| unwritable(&out, &error))?;
        shown?;
        super::say!("reports: {}", out.display());
        Ok(code(&explored))
    }
}

/// Explores. The first interruption lets the sequences under way end, the second does not.
async fn follow(explorer: &Arc<Explorer>, mut interruptions: Interruptions) -> Result<Explored, Failure> {
    let wanted = explorer.wanted();
    eprintln!("exploring {wanted} sequences");
    if explorer.is_real() {
        eprintln!("each code waits for its 30-second step on this target, so a sequence takes minutes");
    }
    let bar = ProgressBar::new(wanted);
    if let Ok(style) = ProgressStyle::with_template("{wide_bar} {msg}") {
        bar.set_style(style);
    }
    let mut running = pin!(explorer.run());
    let explored = loop {
        tokio::select! {
            explored = &mut running => break Ok(explored),
            () = show(explorer, &bar) => {}
            () = interruptions.next() => {
                if !explorer.interrupt() {
                    break Err(Failure::new(exit::INCOMPLETE, "interrupted twice: the sequences under way were abandoned"));
                }
                eprintln!("interrupted: finishing the sequences under way; once more to abandon them");
            }
        }
    };
    bar.finish_and_clear();
    explored
}

/// Waits a while, then says how far it has come.
async fn show(explorer: &Explorer, bar: &ProgressBar) {
    tokio::time::sleep(if bar.is_hidden() { LINE_EVERY } else { LOOK_EVERY }).await;
    let (done, wanted) = (explorer.done(), explorer.wanted());
    let words = match explorer.is_shrinking() {
        true => format!("{done} of {wanted} sequences done; making what deviates smaller"),
        false => format!("{done} of {wanted} sequences done"),
    };
    if bar.is_hidden() {
        eprintln!("{words}");
    }
    bar.set_position(done as u64);
    bar.set_message(words);
}

/// Writes the document, a scenario file for each deviation, and the seeds that failed.
fn write(out: &Path, explored: &Explored) -> std::io::Result<()> {
    let json = serde_json::to_string_pretty(explored).map_err(std::io::Error::other)?;
    std::fs::write(out.join("explored.json"), json)?;
    for deviation in &explored.deviations {
        std::fs::write(out.join(&deviation.file), &deviation.text)?;
    }
    let failing = explored.deviating().map(|sequence| sequence.seed);
    let failing = failing.chain(explored.unplayable().map(|(seed, _)| seed));
    let seeds: String = failing.map(|seed| format!("{seed}\n")).collect();
    std::fs::write(out.join("failing-seeds.txt"), seeds)
}

fn code(explored: &Explored) -> u8 {
    let held = explored.deviating().next().is_none() && explored.unplayable().next().is_none();
    if explored.cut_short.is_some() {
        exit::INCOMPLETE
    } else if held {
        exit::HELD
    } else {
        exit::DEVIATING
    }
}
