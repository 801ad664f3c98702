//! `stepup capacity`: find the highest rate that meets the objectives.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;

use super::dashboard::Watch;
use super::load::{Common, finish, listen};
use super::{Failure, exit, report};
use crate::load::capacity::{self, Searched, Seen};
use crate::load::document::{CapacityResult, Ending};
use crate::load::session::For;
use crate::report::Document;

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
        let (fed, _endpoint) = self.common.metrics().await?;
        let (session, out) = self.common.begin(&self.profile, For::Search, &mut interruptions).await?;
        let stop = Arc::new(AtomicBool::new(false));
        let heard = Arc::clone(&stop);
        let watch = Arc::new(Watch::begin(format!("capacity of {}", session.target), None));
        let told = Arc::clone(&watch);
        let mut search = tokio::task::spawn_blocking(move || {
            capacity::search(&session, &heard, |seen| match seen {
                Seen::Begins(doing) => told.doing(doing),
                Seen::Second(second) => {
                    fed.note(second);
                    told.second(second, || None);
                }
                Seen::Probe(_) | Seen::Crowd(_) => told.say(&capacity::line(seen).unwrap_or_default()),
            })
        });
        let result = loop {
            tokio::select! {
                done = &mut search => {
                    break done.map_err(|error| Failure::new(exit::INCOMPLETE, format!("the search: {error}")))?;
                }
                () = interruptions.next() => {
                    watch.say("interrupted: reporting what was measured");
                    stop.store(true, Ordering::Relaxed);
                }
            }
        };
        watch.close();
        let result = result.map_err(|error| Failure::new(exit::USAGE, format!("a probe cannot be made: {error}")))?;
        let Searched { result, unnoted } = result;
        let broken_off = result.broken_off.clone();
        let code = code(&result);
        finish(&out, &Document::Capacity(Box::new(result)))?;
        if let Some(error) = unnoted {
            return Err(report::unwritable(Path::new("the pool"), &error));
        }
        match broken_off {
            Some(why) => Err(Failure::new(exit::INCOMPLETE, format!("the search was broken off: {why}"))),
            None => Ok(code),
        }
    }
}

fn code(result: &CapacityResult) -> u8 {
    match result.end {
        _ if result.breaches > 0 => exit::DEVIATING,
        None => exit::INCOMPLETE,
        Some(_) if !result.complete => exit::INCOMPLETE,
        // Nothing was met before the users were at their end.
        Some(Ending::UserBound) if result.borne_per_s.is_none() => exit::INVALID,
        Some(Ending::Found | Ending::UserBound | Ending::BeyondAsked) => exit::HELD,
        Some(Ending::Doomed) => exit::DEVIATING,
        Some(Ending::GeneratorBound | Ending::ConnectionBound) => exit::INVALID,
        Some(Ending::Unreachable) => exit::UNREACHABLE,
        Some(Ending::NoData) => exit::NO_DATA,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_whose_rest_was_interrupted_is_incomplete() {
        let text = include_str!("../../fixtures/samples/capacity-1.json");
        let mut result: CapacityResult = serde_json::from_str(text).unwrap();
        assert_eq!(code(&result), exit::HELD);
        result.complete = false;
        assert_eq!(code(&result), exit::INCOMPLETE);
        result.breaches = 1;
        assert_eq!(code(&result), exit::DEVIATING);
    }
}
