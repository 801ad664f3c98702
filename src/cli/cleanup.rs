//! `stepup cleanup`: remove what a run that was killed has left on its target.

use std::path::PathBuf;

use clap::Args;

use super::connection::{Connection, Timeouts};
use super::{Failure, exit};
use crate::check::cleanup;
use crate::report::text::counted;

#[derive(Debug, Args)]
pub(super) struct Cleanup {
    /// The run's `journal.jsonl`.
    #[arg(value_name = "JOURNAL")]
    journal: PathBuf,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    timeouts: Timeouts,
}

impl Cleanup {
    pub(super) fn run(self) -> Result<u8, Failure> {
        let (trust, limits) = (self.connection.trust(), self.timeouts.limits());
        let cleaned = super::runtime()?.block_on(cleanup::cleanup(&self.journal, trust, limits))?;
        for left in &cleaned.left {
            super::say!("left: {left}");
        }
        super::say!("{} undone, {} perhaps left", cleaned.undone, cleaned.left.len());
        if cleaned.users > 0 {
            let stay = if cleaned.users == 1 { "stays" } else { "stay" };
            let users = counted(cleaned.users, "user");
            super::say!("{users} {stay}, for the protocol has no request that removes one");
        }
        Ok(if cleaned.left.is_empty() { exit::HELD } else { exit::DEVIATING })
    }
}
