//! `stepup target`: the registries that target files describe.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::interrupt::Interruptions;
use super::{Failure, exit};
use crate::installed;
use crate::target::{self, Program, Start};

#[derive(Debug, Args)]
pub(super) struct TargetCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Name the built-in targets.
    List,
    /// Install a registry, once, and say where.
    Install {
        /// A built-in target, or a target file.
        #[arg(value_name = "NAME|FILE")]
        name: String,
    },
    /// Run a registry on its own until Ctrl-C; its address goes to stdout.
    Start {
        /// A built-in target, or a target file.
        #[arg(value_name = "NAME|FILE")]
        name: String,
        /// The loopback port to listen on; a free one unless said.
        #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
        port: Option<u16>,
    },
}

impl TargetCommand {
    pub(super) fn run(self) -> Result<u8, Failure> {
        match self.what {
            What::List => {
                for name in target::names() {
                    super::say!("{name:<16} {}", target::find(name)?.about);
                }
                Ok(exit::HELD)
            }
            What::Install { name } => {
                let program = program(&name)?;
                super::say!("{}", super::runtime()?.block_on(install(&program))?.display());
                Ok(exit::HELD)
            }
            What::Start { name, port } => super::runtime()?.block_on(start(&program(&name)?, port)),
        }
    }
}

fn program(name: &str) -> Result<Program, Failure> {
    let target = target::find(name)?;
    let why = match target.start {
        Start::Installed(program) => return Ok(program),
        Start::Embedded { .. } => "it is part of stepup: `stepup serve` runs it on its own",
        Start::Running { .. } => "it runs already, and is not stepup's to install",
    };
    Err(Failure::new(exit::USAGE, format!("target {}: {why}", target.name)))
}

fn unusable(program: &Program, message: impl std::fmt::Display) -> Failure {
    Failure::new(exit::UNREACHABLE, format!("target {}: {message}", program.name))
}

async fn install(program: &Program) -> Result<PathBuf, Failure> {
    installed::install(program).await.map_err(|message| unusable(program, message))
}

async fn start(program: &Program, port: Option<u16>) -> Result<u8, Failure> {
    // Heard from here on, so that a signal during the start, too, removes what was started.
    let mut interruptions = Interruptions::listen()
        .map_err(|error| unusable(program, format_args!("signals cannot be listened for: {error}")))?;
    let mut running = tokio::select! {
        running = installed::start(program, port) => running.map_err(|message| unusable(program, message))?,
        () = interruptions.next() => return Ok(exit::HELD),
    };
    super::say!("{}", running.base);
    eprintln!("{} runs in {} until Ctrl-C", program.name, running.folder.display());
    let ended = tokio::select! {
        how = running.ended() => Some(how),
        () = interruptions.next() => None,
    };
    running.stop().await;
    match ended {
        Some(how) => Err(unusable(program, format_args!("it ended: {how}"))),
        None => Ok(exit::HELD),
    }
}
