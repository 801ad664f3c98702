//! How long a run and its cases took, and what they waited for.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a case waits for.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Wait {
    /// The next one-time password of a user whose codes are spent.
    NewCode,
    /// The edge of a time step, so that a code is of the step that is meant.
    StepEdge,
    /// What the registry asked for (`retry-after`).
    RetryAfter,
    /// What the scenario is about: an age of a proof.
    Scenario,
    /// The end of a lock-out that was told.
    LockOut,
    /// An effect that was answered with success and is not seen yet.
    Settling,
    /// The next look at something that the registry has not finished.
    Polling,
}

impl Wait {
    /// What is waited for, in words.
    pub fn words(self) -> &'static str {
        match self {
            Wait::NewCode => "for new codes",
            Wait::StepEdge => "for the edge of a time step",
            Wait::RetryAfter => "because the registry asked for it",
            Wait::Scenario => "as scenarios say",
            Wait::LockOut => "for lock-outs to end",
            Wait::Settling => "for effects to be seen",
            Wait::Polling => "between polls",
        }
    }
}

/// How long a run took, and what it waited for. On a simulated clock nobody waits.
#[derive(Debug, Clone, Default, Serialize, Deserialize, PartialEq, Eq, JsonSchema)]
pub struct Timing {
    /// How long all cases took together, side by side, in milliseconds.
    pub took_ms: u64,
    /// How long of that no case did anything but wait.
    pub waited_ms: u64,
    /// That, by what ended each wait.
    pub waits: Vec<Waits>,
}

/// The waits of one kind.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq, JsonSchema)]
pub struct Waits {
    /// What was waited for.
    pub kind: Wait,
    /// How long no case did anything else until a wait of this kind ended, in milliseconds.
    pub waited_ms: u64,
    /// How often cases waited for it.
    pub times: usize,
    /// How long the longest of these waits was.
    pub longest_ms: u64,
}

/// The time that a run was given.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq, JsonSchema)]
pub struct Budget {
    /// How long it might take, in seconds.
    pub seconds: u64,
    /// How many cases were not run, or not to their end, for that.
    pub left: usize,
}

/// Why a case was not run to its end.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NotRun {
    /// The run was interrupted.
    Interrupted,
    /// The run's budget was spent, or too little was left of it.
    Budget,
}

/// When a case began and how long it took, on a real clock.
#[derive(Debug, Clone, Default, Serialize, Deserialize, PartialEq, Eq, JsonSchema)]
pub struct CaseTiming {
    /// When it began, in milliseconds from the first case's beginning.
    pub began_ms: u64,
    /// How long it took.
    pub took_ms: u64,
    /// What its users waited for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waits: Vec<CaseWait>,
}

/// What a case waited for.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq, JsonSchema)]
pub struct CaseWait {
    /// The kind.
    pub kind: Wait,
    /// How long in all, in milliseconds.
    pub waited_ms: u64,
}

impl Timing {
    /// What was waited for, in a sentence; none when nothing was.
    pub fn sentence(&self, longest: Option<(&str, &CaseTiming)>) -> Option<String> {
        let mut kinds: Vec<&Waits> = self.waits.iter().filter(|waits| waits.waited_ms >= 500).collect();
        if kinds.is_empty() {
            return None;
        }
        kinds.sort_by_key(|waits| std::cmp::Reverse(waits.waited_ms));
        let parts: Vec<String> =
            kinds.iter().map(|waits| format!("{} s {}", seconds(waits.waited_ms), waits.kind.words())).collect();
        let longest = longest.map_or_else(String::new, |(id, timing)| {
            format!("; the longest case took {} s: {id}", seconds(timing.took_ms))
        });
        let (took, waited) = (seconds(self.took_ms), seconds(self.waited_ms));
        Some(format!("waited {waited} s of {took} s: {}{longest}", parts.join(", ")))
    }
}

/// So long, in words.
pub fn lasting(long: Duration) -> String {
    let seconds = long.as_millis().saturating_add(500) / 1_000;
    match (seconds / 60, seconds % 60) {
        (0, seconds) => format!("{seconds} s"),
        (minutes, 0) => format!("{minutes} min"),
        (minutes, seconds) if minutes < 10 => format!("{minutes} min {seconds} s"),
        (minutes, _) => format!("{minutes} min"),
    }
}

/// Whole seconds, to the nearest.
fn seconds(milliseconds: u64) -> u64 {
    milliseconds.saturating_add(500) / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_names_what_dominates_first_and_leaves_out_what_is_nothing() {
        let waits = |kind, waited_ms| Waits { kind, waited_ms, times: 3, longest_ms: waited_ms };
        let timing = Timing {
            took_ms: 98_400,
            waited_ms: 84_100,
            waits: vec![waits(Wait::Settling, 4_000), waits(Wait::NewCode, 80_000), waits(Wait::StepEdge, 100)],
        };
        let longest = CaseTiming { began_ms: 0, took_ms: 93_000, waits: vec![] };
        assert_eq!(
            timing.sentence(Some(("a/b", &longest))).expect("it waited"),
            "waited 84 s of 98 s: 80 s for new codes, 4 s for effects to be seen; the longest case took 93 s: a/b"
        );
        assert_eq!(Timing { waits: vec![], ..timing }.sentence(None), None);
    }

    #[test]
    fn a_time_is_told_as_people_tell_it() {
        let told: Vec<String> =
            [4, 60, 84, 600, 754].into_iter().map(|long| lasting(Duration::from_secs(long))).collect();
        assert_eq!(told, ["4 s", "1 min", "1 min 24 s", "10 min", "12 min"]);
    }
}
