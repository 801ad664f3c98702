//! The document that a load run writes: `result.json` of kind load. Every report of a run is a function of it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::GooseNote;
use crate::load::fate::Fate;
use crate::load::journey::act::Act;
use crate::load::mix::Kind;
use crate::load::objective::{Objective, Standing};
use crate::load::request::Connect;
use crate::load::sizing::Crew;
use crate::load::thread::Priority;

/// The format of a load run's document.
pub const FORMAT: &str = "stepup/load/1";

/// What a load run showed.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct LoadResult {
    /// `stepup/load/1`.
    #[schemars(extend("const" = FORMAT))]
    pub format: String,
    /// What made it: name and version.
    pub tool: String,
    /// The registry.
    pub target: TargetNote,
    /// The profile.
    pub profile: ProfileNote,
    /// What chance depended on.
    pub seed: u64,
    /// When the first arrival was due.
    pub started: Timestamp,
    /// When the last answer had come, or was given up.
    pub finished: Timestamp,
    /// Whether the run came to its end.
    pub complete: bool,
    /// Why it was ended before, by a rule of the profile.
    pub aborted: Option<String>,
    /// Why it says nothing about the target; empty for a valid run.
    pub invalid: Vec<String>,
    /// How it is judged as a whole.
    pub verdict: Verdict,
    /// The acts of a journey that nobody got to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unperformed: Vec<String>,
    /// What sent.
    pub generator: GeneratorNote,
    /// How connections were used; none of a journey, whose clients do not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections: Option<ConnectionsNote>,
    /// The users, and what they sustain.
    pub users: UsersNote,
    /// Sums over the run, the warm-up left out.
    pub totals: Totals,
    /// What became of the arrivals, the warm-up left out.
    pub outcomes: Vec<OutcomeCount>,
    /// What was let through and must not have been, the warm-up included.
    pub breaches: Breaches,
    /// The objectives.
    pub objectives: Vec<ObjectiveNote>,
    /// What took how long, the warm-up left out.
    pub times: BTreeMap<String, TimesNote>,
    /// Second by second.
    pub seconds: Vec<SecondNote>,
    /// What the embedded registry counted itself.
    pub counted_by_target: Option<CountedNote>,
    /// What goose measured, where it drove a journey.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goose: Option<GooseNote>,
}

/// How a run is judged as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// All objectives were met.
    Held,
    /// An objective was missed.
    Missed,
    /// The second factor let through what it must not.
    Breached,
    /// The run says nothing about the target.
    Invalid,
    /// An objective had nothing to measure, or an act of a journey was never performed.
    NoData,
    /// The run was interrupted.
    Incomplete,
    /// Nothing was answered.
    Unreachable,
}

/// The registry.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct TargetNote {
    /// Its name.
    pub name: String,
    /// Its address.
    pub base: String,
}

/// The profile, as it was run.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ProfileNote {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub about: String,
    /// The action; of a journey, its acts in a line.
    pub action: String,
    /// The acts of a journey.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub journey: Vec<Act>,
    /// The request.
    pub request: String,
    /// The mix, by weight.
    pub mix: BTreeMap<String, u32>,
    /// How arrivals come.
    pub model: Model,
    /// Who comes again and again, in the closed model.
    pub clients: Option<ClientsNote>,
    /// How long it lasts, in seconds.
    pub lasts_s: f64,
    /// How much of it is left out.
    pub warm_up_s: f64,
    /// How many connections there may be.
    pub connections: u32,
    /// Whether they are used again.
    pub connect: Connect,
    /// How long an arrival waits for a connection, and then for its answer.
    pub patience_s: f64,
    /// A valid run takes up 99 of 100 arrivals no later than this, in microseconds.
    pub lateness_limit_us: f64,
}

/// How arrivals come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Model {
    /// By schedule, whatever becomes of those before.
    Open,
    /// From clients who each wait for an answer first.
    Closed,
}

/// The clients of the closed model.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ClientsNote {
    /// How many.
    pub number: u32,
    /// How long each thinks after an answer, in seconds.
    pub think_s: f64,
}

/// The users, and what they sustain.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct UsersNote {
    /// How many there are.
    pub there: u32,
    /// How many the profile needs, by what they do.
    pub needed: Crew,
    /// How many valid codes a second they have: none without a second factor.
    pub sustain_per_s: f64,
    /// The rate of arrivals of this mix that they bear.
    pub bear_per_s: f64,
    /// For how many of them something was made before the run; each of these serves one arrival.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prepared: Option<u32>,
}

/// Sums over a run.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Totals {
    /// Arrivals that were due.
    pub planned: u64,
    /// Arrivals that were put on the wire.
    pub sent: u64,
    /// Arrivals that were accepted.
    pub accepted: u64,
    /// Requests that were put on the wire; an exchange has two.
    pub requests: u64,
    /// The same, the warm-up included: what the target must have counted.
    pub requests_with_warm_up: u64,
    /// Arrivals that waited for a connection; of a journey, acts whose user waited for his next code.
    pub waited: u64,
    /// Valid codes that were refused, and were on their way across the edge of a step.
    pub refused_across_edge: u64,
    /// Connections that were opened, the warm-up left out; 0 for a journey, whose clients do not tell.
    pub connections_opened: u64,
    /// Connections that could not be opened.
    pub connections_failed: u64,
    /// Why they could not, where any could not.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub connections_failed_by: BTreeMap<String, u64>,
    /// How many arrivals a second were planned, put on the wire and accepted.
    pub planned_per_s: f64,
    /// See above.
    pub sent_per_s: f64,
    /// See above.
    pub accepted_per_s: f64,
}

/// What sent.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct GeneratorNote {
    /// How many threads.
    pub threads: usize,
    /// The cores that they kept to; none where the system chose.
    pub cores: Vec<usize>,
    /// The least priority that one of them had.
    pub priority: Priority,
    /// The share of the time in which the busiest one did not sleep.
    pub busy: f64,
    /// The largest share of the time in which one was ready to run and was not let; where the system says.
    #[serde(default)]
    pub held_up: Option<f64>,
    /// How many wanted to run on this machine on average of the last minute, when the run ended; where the system says.
    pub load_average: Option<f64>,
}

/// How connections were used, the warm-up left out.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ConnectionsNote {
    /// How many there might be.
    pub number: u32,
    /// The share of the time in which one was in use or being opened, on average of them all.
    pub in_use: f64,
    /// How long a request held one on average, in microseconds.
    pub held_mean_us: Option<f64>,
    /// How long a request waited for one on average because there might be no more, in microseconds.
    pub waited_mean_us: Option<f64>,
    /// Whether all were in use and waited for, and nothing else was amiss: they may have been the limit, and not the target.
    pub short: bool,
}

/// How many arrivals of a kind became what, and what the judge says of it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct OutcomeCount {
    /// What they carried.
    pub kind: Kind,
    /// What they became.
    pub fate: Fate,
    /// How many.
    pub count: u64,
    /// The judge's word.
    pub verdict: crate::judge::Verdict,
}

/// What was let through and must not have been.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Breaches {
    /// How many.
    pub count: u64,
    /// Some of them.
    pub evidence: Vec<BreachNote>,
}

/// An arrival that was let through and must not have been.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct BreachNote {
    /// What it carried.
    pub kind: Kind,
    /// What that is.
    pub verdict: crate::judge::Verdict,
    /// Who sent it.
    pub user: String,
    /// When it was due, in seconds from the start.
    pub at_s: f64,
    /// The status of the answer.
    pub status: u16,
}

/// An objective, and what became of it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ObjectiveNote {
    /// The objective.
    pub objective: Objective,
    /// What became of it.
    pub standing: Standing,
    /// What was measured.
    pub seen: String,
}

/// How long something took.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct TimesNote {
    /// How many there are.
    pub count: u64,
    /// The mean, in microseconds.
    pub mean_us: f64,
    /// The longest.
    pub max_us: f64,
    /// Quantiles, by percent: of so many percent, all took no longer.
    pub percentiles: Vec<Percentile>,
}

/// A quantile.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Percentile {
    /// Of how many, in percent.
    pub percent: f64,
    /// How long, in microseconds.
    pub us: f64,
}

/// One second of a run.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct SecondNote {
    /// Which, from the start.
    pub at: u64,
    /// Whether it is left out of the whole.
    pub warm_up: bool,
    /// Arrivals that were due.
    pub planned: u64,
    /// Requests that were put on the wire.
    pub requests: u64,
    /// Arrivals that were accepted.
    pub accepted: u64,
    /// What became of those that ended in it.
    pub outcomes: BTreeMap<String, u64>,
    /// Quantiles of the response time, in microseconds: 50, 90, 99 and 100 percent.
    pub response_us: Option<[f64; 4]>,
    /// Those of the service time.
    pub service_us: Option<[f64; 4]>,
    /// Those of the lateness.
    pub lateness_us: Option<[f64; 4]>,
}

/// What a registry counted itself.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct CountedNote {
    /// Requests.
    pub requests: u64,
    /// Second factors that were accepted.
    pub accepted_proofs: u64,
    /// Second factors that were not.
    pub refused_proofs: u64,
    /// Challenges to requests without one.
    pub bare_challenges: u64,
    /// Second factors that were not looked at.
    pub throttled: u64,
}
