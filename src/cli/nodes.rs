//! `stepup nodes`: how many nodes bear a rate, by what searches for the capacity have measured.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;

use super::{Failure, exit};
use crate::load::document::{CapacityResult, Ending};
use crate::load::nodes::{self, Answer, Measured};
use crate::quantity::{Rate, Share};
use crate::report::Document;
use crate::report::load::{asked_otherwise, made_otherwise};
use crate::report::text::counted;

#[derive(Debug, Args)]
pub(super) struct Nodes {
    /// Results of `stepup capacity`, each with the number of nodes that it measured; one node unless said.
    #[arg(value_name = "[NODES=]RESULT", required = true)]
    results: Vec<Counted>,
    /// How many verifications a second are to be borne.
    #[arg(long, value_name = "RATE")]
    rate: Rate,
    /// The share of what the nodes could bear that is to be kept free.
    #[arg(long, value_name = "SHARE", default_value = "30 %")]
    head_room: Share,
}

/// A result, and how many nodes it measured.
#[derive(Debug, Clone)]
struct Counted {
    nodes: u32,
    result: PathBuf,
}

impl FromStr for Counted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // A path may have a `=` in it as well.
        let counted = text.split_once('=').filter(|(nodes, _)| !nodes.contains(['/', '.']));
        match counted {
            None => Ok(Counted { nodes: 1, result: PathBuf::from(text) }),
            Some((nodes, result)) => {
                let nodes = nodes.parse().ok().filter(|nodes| (1..=100_000).contains(nodes));
                let hint = "allowed: `2=RESULT`, from 1 to 100000 nodes; a path with a `=` in it begins with `./`";
                let nodes = nodes.ok_or_else(|| format!("`{text}`: {hint}"))?;
                Ok(Counted { nodes, result: PathBuf::from(result) })
            }
        }
    }
}

impl Nodes {
    pub(super) fn run(self) -> Result<u8, Failure> {
        let mut measured = Vec::new();
        let mut first: Option<Box<CapacityResult>> = None;
        for Counted { nodes, result } in &self.results {
            let Document::Capacity(capacity) = Document::read(result)? else {
                let message = format!("{}: no result of `stepup capacity`", result.display());
                return Err(Failure::new(exit::USAGE, message));
            };
            if let Some(first) = &first {
                let asked = asked_otherwise(first, &capacity);
                if !asked.is_empty() {
                    let asked = asked.join("; ");
                    let message =
                        format!("{}: asked for something else than the first result: {asked}", result.display());
                    return Err(Failure::new(exit::USAGE, message));
                }
                let made = made_otherwise(first, &capacity).join("; ");
                if !made.is_empty() {
                    super::say!("{nodes} measured otherwise than the first: {made}");
                }
            }
            let Some((confirmed, least_per_s)) =
                capacity.confirmed.as_ref().zip(capacity.borne_throughout_per_s()).filter(|_| capacity.breaches == 0)
            else {
                let message = format!("{}: no rate was confirmed, so it says nothing of nodes", result.display());
                return Err(Failure::new(exit::NO_DATA, message));
            };
            let (nodes, mean_per_s) = (*nodes, confirmed.accepted_per_s);
            let slower = if confirmed.missed_below_per_s.is_some() { ", for it was slower for a while" } else { "" };
            let (mean, least) = (Rate::per_second(mean_per_s), Rate::per_second(least_per_s));
            super::say!("{nodes} measured: {mean} accepted, {least} at least{slower}");
            let missed_per_s = capacity.missed_throughout_per_s().filter(|_| capacity.end == Some(Ending::Found));
            measured.push(Measured { nodes, least_per_s, mean_per_s, missed_per_s });
            first.get_or_insert(capacity);
        }
        let (rate, head_room) = (self.rate, self.head_room);
        let asked = format!("for {rate} with {head_room} kept free");
        match nodes::needed(&measured, rate.get(), head_room.get()) {
            Some(Answer::Measured { nodes }) => super::say!("{nodes}, as was measured, {asked}"),
            Some(Answer::Fitted { nodes, bears_per_s, misfit }) => super::say!(
                "{nodes}, by the law that fits what was measured (off by {} at most; {bears_per_s:.0}/s), {asked}",
                Share::of(misfit)
            ),
            Some(Answer::Beyond { measured, at_least }) => {
                super::say!(
                    "no answer {asked}: {} at most, which were not seen to bear it",
                    counted(measured as usize, "measured node")
                );
                super::say!("at least {at_least}, as long as nodes do not help each other; measure more to know");
                return Ok(exit::NO_DATA);
            }
            Some(Answer::Unmeasured) => {
                super::say!("no answer {asked}: no number of nodes was measured to its limit");
                return Ok(exit::NO_DATA);
            }
            None => {
                let message = format!("--head-room {head_room} leaves nothing to use; allowed: below 100 %");
                return Err(Failure::new(exit::USAGE, message));
            }
        }
        Ok(exit::HELD)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_may_have_an_equals_sign_in_it() {
        let read = |text: &str| text.parse::<Counted>().map(|counted| (counted.nodes, counted.result));
        assert_eq!(read("4=runs/four"), Ok((4, PathBuf::from("runs/four"))));
        assert_eq!(read("4=runs/n=4"), Ok((4, PathBuf::from("runs/n=4"))));
        assert_eq!(read("runs/n=4"), Ok((1, PathBuf::from("runs/n=4"))));
        assert_eq!(read("./n=4"), Ok((1, PathBuf::from("./n=4"))));
        for wrong in ["n=4", "0=four", "-1=four", "100001=four"] {
            assert!(read(wrong).expect_err(wrong).contains("begins with `./`"));
        }
    }
}
