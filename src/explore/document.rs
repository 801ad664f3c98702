//! What an exploration found.

use serde::{Deserialize, Serialize};

use crate::judge::{Effect, Verdict};
use crate::result::Answered;
use crate::wire::Exchange;

/// The document's format.
pub const FORMAT: &str = "stepup/explored/1";

/// What an exploration found.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct Explored {
    /// Always [`FORMAT`].
    pub format: String,
    /// The program and its version.
    pub tool: String,
    /// The target's name.
    pub target: String,
    /// The seed of the first sequence; each next has the next number.
    pub seed: u64,
    /// How many sequences were asked for.
    pub wanted: u64,
    /// How many actions all of them and all shrinking took.
    pub actions: usize,
    /// How long exploring took, in milliseconds.
    pub elapsed_ms: u64,
    /// How long shrinking took after that, in milliseconds.
    pub shrinking_ms: u64,
    /// Why it ended before all sequences were played or shrunk, when it did.
    pub cut_short: Option<String>,
    /// Surfaces that had no place in the sequences, each with the reason.
    pub left_out: Vec<(String, String)>,
    /// The sequences that were played, by seed.
    pub sequences: Vec<Sequence>,
    /// What deviates, each as small as it got.
    pub deviations: Vec<Deviation>,
    /// How many other kinds of deviation were seen and not made smaller.
    pub untold: usize,
}

/// A sequence that was played.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct Sequence {
    /// Its seed.
    pub seed: u64,
    /// How many steps it has.
    pub steps: usize,
    /// How it ended.
    pub end: End,
}

/// How a sequence ended.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// Everything happened as it must.
    Held,
    /// A step did not.
    Deviated {
        /// Its number, from 1.
        step: usize,
        /// What it showed, the worst first.
        verdicts: Vec<Verdict>,
    },
    /// A step could not be played, so that nothing is known of it and of those after it.
    Unplayable(String),
}

/// A deviation.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct Deviation {
    /// What the last step showed, the worst first.
    pub verdicts: Vec<Verdict>,
    /// The seed of the sequence that it was found in.
    pub seed: u64,
    /// How many steps that took.
    pub found_after: usize,
    /// The steps that are left, the last of which deviates.
    pub steps: Vec<Told>,
    /// What had to become of the last step.
    pub due: String,
    /// Where that is said.
    pub cite: String,
    /// Other last steps that deviate after the same steps.
    pub also: Vec<String>,
    /// Whether making it smaller was given up before nothing could be left out any more.
    pub shrinking_cut_short: bool,
    /// Whether the written file shows the same on a registry of its own; unknown where there is only one.
    pub replays: Option<bool>,
    /// The scenario file, below the folder of the reports.
    pub file: String,
    /// Its text.
    #[serde(skip)]
    pub text: String,
    /// The command that repeats it.
    pub repeat: String,
    /// Seeds of other sequences that ended in the like.
    pub alike: Vec<u64>,
}

/// A step, and what was answered.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct Told {
    /// Who did it.
    pub who: String,
    /// What was done.
    pub what: String,
    /// Which proof was sent, where one could be.
    pub proof: Option<String>,
    /// What it was answered, as one word of a closed set.
    pub answer: Answered,
    /// What it was answered, in words for people.
    pub saw: String,
    /// What the read-back showed.
    pub effect: Effect,
    /// Every request and answer.
    pub exchanges: Vec<Exchange>,
}

impl Told {
    /// What was done with which proof.
    pub fn words(&self) -> String {
        self.proof.as_ref().map_or_else(|| self.what.clone(), |proof| format!("{}, with {proof}", self.what))
    }
}

impl Explored {
    /// The sequences that deviated.
    pub fn deviating(&self) -> impl Iterator<Item = &Sequence> {
        self.sequences.iter().filter(|sequence| matches!(sequence.end, End::Deviated { .. }))
    }

    /// Why sequences could not be played, each with the seed of one.
    pub fn unplayable(&self) -> impl Iterator<Item = (u64, &str)> {
        self.sequences.iter().filter_map(|sequence| match &sequence.end {
            End::Unplayable(reason) => Some((sequence.seed, reason.as_str())),
            End::Held | End::Deviated { .. } => None,
        })
    }
}
