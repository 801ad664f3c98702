//! The command line. One file per command, each thin.

/// Writes a line to standard output, or ends the command with why it cannot.
macro_rules! say {
    ($($part:tt)*) => {
        $crate::cli::out::print(&(format!($($part)*) + "\n"))?
    };
}
use say;

mod capacity;
mod check;
mod cleanup;
mod compare;
mod completions;
mod connection;
mod dashboard;
pub mod exit;
mod explore;
mod folder;
mod interrupt;
mod lint;
mod list;
mod load;
mod mutants;
mod nodes;
mod out;
mod passphrase;
mod pool;
mod progress;
mod prometheus;
mod report;
mod schema;
mod serve;
mod target;
mod verify;

use clap::{Parser, Subcommand};

use crate::check::suite::Unready;
use crate::report::annotations;

/// Checks whether a package registry asks for a second factor exactly where npm's documentation says it must.
#[derive(Debug, Parser)]
#[command(name = "stepup", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Find the highest rate that meets the objectives of a load profile.
    Capacity(capacity::Capacity),
    /// Run the tables against a registry, judge, report.
    Check(check::Check),
    /// Remove what a run that was killed has left on a target.
    Cleanup(cleanup::Cleanup),
    /// Tell what has changed between two results, or show several registries in one grid.
    Compare(compare::Compare),
    /// Play random sequences against a model of the tables and the rules.
    Explore(explore::Explore),
    /// Find what is wrong with scenario, target, dialect and other files.
    Lint(lint::Lint),
    /// List what there is.
    List(list::List),
    /// Run one load profile.
    Load(load::Load),
    /// Measure the suite: every seeded fault of the reference registry must be found.
    Mutants(mutants::MutantsCommand),
    /// Say how many nodes bear a rate, by what searches for the capacity have measured.
    Nodes(nodes::Nodes),
    /// Enrol simulated users ahead of a load run.
    Pool(pool::PoolCommand),
    /// Render the result of an earlier run again.
    Report(report::ReportCommand),
    /// Print the JSON Schema of a kind of file, for editors.
    Schema(schema::Schema),
    /// Print the completions of a shell.
    Completions(completions::Completions),
    /// Print the man page.
    Man(completions::Man),
    /// Run the reference registry on its own.
    Serve(serve::Serve),
    /// List, install or start the registries that target files describe.
    Target(target::TargetCommand),
    /// Tell whether a bundle of evidence is as it was made.
    Verify(verify::Verify),
}

/// Why a command ended early.
#[derive(Debug)]
pub struct Failure {
    code: u8,
    report: miette::Report,
}

impl Failure {
    fn new(code: u8, message: impl Into<String>) -> Self {
        Failure { code, report: miette::Report::msg(message.into()) }
    }
}

impl From<crate::yaml::FileError> for Failure {
    fn from(error: crate::yaml::FileError) -> Self {
        Failure { code: exit::USAGE, report: miette::Report::new(error) }
    }
}

impl From<Unready> for Failure {
    fn from(unready: Unready) -> Self {
        match unready {
            Unready::File(error) => error.into(),
            Unready::Options(_) => Failure::new(exit::USAGE, unready.to_string()),
            Unready::NothingSelected(_) => Failure::new(exit::NOTHING, unready.to_string()),
            Unready::Journal(_) => Failure::new(exit::INCOMPLETE, unready.to_string()),
            Unready::Client(_) | Unready::Target(_) => Failure::new(exit::UNREACHABLE, unready.to_string()),
        }
    }
}

/// Runs the command that the process was called with, and returns its exit code.
pub fn main() -> u8 {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version go to stdout and are no errors.
            let _ = error.print();
            return if error.use_stderr() { exit::USAGE } else { exit::HELD };
        }
    };
    let outcome = match arguments.command {
        Command::Capacity(capacity) => capacity.run(),
        Command::Check(check) => check.run(),
        Command::Cleanup(cleanup) => cleanup.run(),
        Command::Compare(compare) => compare.run(),
        Command::Explore(explore) => explore.run(),
        Command::Lint(lint) => lint.run(),
        Command::List(list) => list.run(),
        Command::Load(load) => load.run(),
        Command::Mutants(mutants) => mutants.run(),
        Command::Nodes(nodes) => nodes.run(),
        Command::Pool(pool) => pool.run(),
        Command::Report(report) => report.run(),
        Command::Schema(schema) => schema.run(),
        Command::Completions(completions) => completions.run(),
        Command::Man(man) => man.run(),
        Command::Serve(serve) => serve.run(),
        Command::Target(target) => target.run(),
        Command::Verify(verify) => verify.run(),
    };
    outcome.unwrap_or_else(|failure| {
        eprintln!("{:?}", failure.report);
        if annotations::are_read() {
            // Where it cannot be said, the exit code says it.
            let _ = out::print(&annotations::failure(&failure.report.to_string()));
        }
        failure.code
    })
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(exit::USAGE, format!("the runtime cannot start: {error}")))
}
