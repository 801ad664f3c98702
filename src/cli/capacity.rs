//! `stepup capacity`: find the highest rate that meets the objectives.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;

use super::load::{Common, listen, write_json};
use super::{Failure, exit};
use crate::load::capacity::{self, CapacityResult};
use crate::load::search::End;
use crate::load::session::For;

#[derive(Debug, Args)]
pub(super) struct Capacity {
    /// A built-in load profile, or a file.
    #[arg(value_name = "PROFILE")]
    profile: String,
    #[command(flatten)]
    common: Common,
}

impl Capacity {
    pub(super) fn run(self) -> Result<u8, Failure> {
        super::runtime()?.block_on(self.play())
    }

    async fn play(self) -> Result<u8, Failure> {
        let mut interruptions = listen()?;
        let (session, out) = self.common.begin(&self.profile, For::Search, &mut interruptions).await?;
        let stop = Arc::new(AtomicBool::new(false));
        let heard = Arc::clone(&stop);
        let mut search = tokio::task::spawn_blocking(move || {
            capacity::search(&session, &heard, |probe| eprintln!("{}", capacity::line(probe)))
        });
        let result = loop {
            tokio::select! {
                done = &mut search => {
                    break done.map_err(|error| Failure::new(exit::INCOMPLETE, format!("the search: {error}")))?;
                }
                () = interruptions.next() => {
                    eprintln!("interrupted: reporting what was measured");
                    stop.store(true, Ordering::Relaxed);
                }
            }
        };
        let result = result.map_err(|error| Failure::new(exit::USAGE, format!("a probe cannot be made: {error}")))?;
        write_json(&out.join("result.json"), &result)?;
        let _ = std::io::stdout().write_all(capacity::summary(&result).as_bytes());
        super::say!("reports: {}", out.display());
        Ok(code(&result))
    }
}

fn code(result: &CapacityResult) -> u8 {
    match result.end {
        _ if result.breaches > 0 => exit::DEVIATING,
        None => exit::INCOMPLETE,
        Some(End::Found { .. } | End::UserBound { .. } | End::BeyondAsked { .. }) => exit::HELD,
        Some(End::Doomed { .. }) => exit::DEVIATING,
        Some(End::GeneratorBound { .. }) => exit::INVALID,
    }
}
