//! The document that a search for the capacity writes: `result.json` of kind capacity.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::load::{BreachNote, GeneratorNote, TargetNote};
use crate::load::fate::Fate;
use crate::load::limit::Limit;
use crate::load::mix::Kind;
use crate::load::objective::Objective;
use crate::load::pace::Spacing;
use crate::load::request::Connect;
use crate::load::scaling::Fit;
use crate::load::search::{Purpose, Shown};

/// The format of a capacity document.
pub const FORMAT: &str = "stepup/capacity/1";

/// What a search for the capacity showed.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct CapacityResult {
    /// `stepup/capacity/1`.
    #[schemars(extend("const" = FORMAT))]
    pub format: String,
    /// What made it: name and version.
    pub tool: String,
    /// The registry.
    pub target: TargetNote,
    /// The profile's name.
    pub profile: String,
    /// The action.
    pub action: String,
    /// What a rate must show to be borne.
    pub objectives: Vec<Objective>,
    /// How it was made; results of earlier versions do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<SearchNote>,
    /// What chance depended on.
    pub seed: u64,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub finished: Timestamp,
    /// Whether it came to its end.
    pub complete: bool,
    /// Why this machine could not go on, where it could not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken_off: Option<String>,
    /// How it ended; none when it was interrupted or the second factor failed.
    pub end: Option<Ending>,
    /// The highest rate that met the objectives; none when none did.
    pub borne_per_s: Option<f64>,
    /// The lowest rate above it that was tried and missed them.
    pub missed_per_s: Option<f64>,
    /// What the confirmations accepted a second.
    pub confirmed: Option<Confirmed>,
    /// How many users there are.
    pub users: u32,
    /// The rate of arrivals of this mix that they bear: a ceiling of the measurement, not of the target.
    pub users_bear_per_s: f64,
    /// How many valid codes a second the users who send them have.
    pub users_sustain_per_s: f64,
    /// Arrivals that were let through and must not have been, in all probes.
    pub breaches: u64,
    /// Some of them; when they were due is counted from the start of their probe.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<BreachNote>,
    /// Every probe, in order.
    pub probes: Vec<Probe>,
    /// How much so many clients get through who never think, where that was asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub crowds: Vec<CrowdNote>,
    /// The scalability model that fits them, where one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaling: Option<Fit>,
    /// What sent.
    pub generator: GeneratorNote,
}

impl CapacityResult {
    /// The share of the arrivals that is accepted: what a rate of arrivals is worth in verifications. It is the mix's; how
    /// many came in a confirmation is chance. An earlier version did not note the mix.
    pub fn accepted_share(&self) -> f64 {
        if let Some(search) = &self.search {
            let weight = |accepted: bool| {
                let counts = |kind: &&Kind| !accepted || Fate::Accepted.judged(**kind) == crate::judge::Verdict::Exact;
                let weights = Kind::ALL.iter().filter(counts).filter_map(|kind| search.mix.get(kind.name()));
                weights.map(|weight| f64::from(*weight)).sum::<f64>()
            };
            return if weight(true) > 0.0 { weight(true) / weight(false) } else { 1.0 };
        }
        let confirmed = self.confirmed.as_ref().map(|confirmed| confirmed.accepted_per_s);
        let share =
            confirmed.zip(self.borne_per_s.filter(|borne| *borne > 0.0)).map(|(accepted, borne)| accepted / borne);
        share.unwrap_or(1.0)
    }

    /// How many verifications a second were borne throughout: the least that a confirmation accepted, or where a lower rate
    /// was missed while the target was slower, what the highest below it that was met is worth; and never more than the rate
    /// that met the objectives, for more than was to come may have come by chance. None where no rate was confirmed.
    pub fn borne_throughout_per_s(&self) -> Option<f64> {
        let confirmed = self.confirmed.as_ref()?;
        let slowest = confirmed.missed_below_per_s.map(|missed| {
            let met = self.probes.iter().filter(|probe| probe.shown == Shown::Met && probe.rate < missed);
            met.map(|probe| probe.rate).fold(0.0, f64::max) * self.accepted_share()
        });
        let met = self.borne_per_s.map_or(f64::INFINITY, |borne| borne * self.accepted_share());
        Some(slowest.unwrap_or(confirmed.least_per_s).min(confirmed.least_per_s).min(met))
    }

    /// What the target does not bear at any time, as far as was seen, in verifications a second: the lowest rate above the
    /// answer that missed the objectives, or a higher one that was met while the target was faster.
    pub fn missed_throughout_per_s(&self) -> Option<f64> {
        let above = self.confirmed.as_ref().and_then(|confirmed| confirmed.met_above_per_s);
        Some(self.missed_per_s?.max(above.unwrap_or_default()) * self.accepted_share())
    }
}

/// How a search ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// The highest rate that meets the objectives is known.
    Found,
    /// No rate meets them.
    Doomed,
    /// This program could not send more.
    GeneratorBound,
    /// The users cannot spend more codes.
    UserBound,
    /// The highest rate that was asked for meets the objectives.
    BeyondAsked,
    /// There were no more connections, while the target was as fast as at lower rates.
    ConnectionBound,
    /// At no rate was there anything to measure for one of the objectives.
    NoData,
    /// The target answers nothing, not at the lowest rate either.
    Unreachable,
}

impl Ending {
    /// Whether the target bears at least the rate that was borne, and nobody knows what it does not bear.
    pub fn is_lower_bound(self) -> bool {
        match self {
            Ending::GeneratorBound | Ending::UserBound | Ending::BeyondAsked | Ending::ConnectionBound => true,
            Ending::Found | Ending::Doomed | Ending::NoData | Ending::Unreachable => false,
        }
    }
}

/// How a search was made, beside its objectives.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SearchNote {
    /// What was sent, by weight.
    pub mix: BTreeMap<String, u32>,
    /// How many connections there may have been.
    pub connections: u32,
    /// Whether they were used again.
    pub connect: Connect,
    /// How arrivals were spaced.
    pub arrivals: Spacing,
    /// How long a probe lasted at the least, and a confirmation, in seconds; the warm-up left out.
    pub probe_s: f64,
    /// See above.
    pub confirm_s: f64,
    /// How near the two sides of the answer had to come, as a share.
    pub within: f64,
    /// How often each side was to be confirmed.
    pub repeats: u32,
}

/// How much a crowd gets through.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CrowdNote {
    /// How many clients there were.
    pub clients: u32,
    /// Arrivals that were accepted, a second.
    pub accepted_per_s: f64,
    /// The mean service time, in microseconds.
    pub service_mean_us: Option<f64>,
    /// The share of the time in which the busiest sending thread did not sleep.
    pub busy: f64,
    /// Why it says nothing about the target; empty where it does.
    pub invalid: Vec<String>,
}

/// What the confirmations of the rate that was found showed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Confirmed {
    /// How many there were.
    pub runs: usize,
    /// How many of the same rate did not meet the objectives, where any did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missed_runs: Option<NonZeroUsize>,
    /// The lowest rate that such a run did not meet, where it is below: the target was slower then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missed_below_per_s: Option<f64>,
    /// The highest rate that such a run met, where it is above the one that was missed: the target was faster then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub met_above_per_s: Option<f64>,
    /// What they accepted a second: the mean, the least and the most.
    pub accepted_per_s: f64,
    /// See above.
    pub least_per_s: f64,
    /// See above.
    pub most_per_s: f64,
    /// How far the least and the most lie apart, as a share of the mean.
    pub spread: f64,
}

/// A probe.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Probe {
    /// The rate of arrivals, a second.
    pub rate: f64,
    /// What it was for.
    pub purpose: Purpose,
    /// What it showed.
    pub shown: Shown,
    /// What was missed, or why it says nothing.
    pub why: Vec<String>,
    /// What was the limit, where it says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Limit>,
    /// Arrivals that were accepted, a second.
    pub accepted_per_s: f64,
    /// The share that was answered as it had to be.
    pub success: Option<f64>,
    /// The response time, in microseconds: of half, and of 99 percent.
    pub response_p50_us: Option<f64>,
    /// See above.
    pub response_p99_us: Option<f64>,
    /// The mean service time, in microseconds.
    pub service_mean_us: Option<f64>,
    /// How long a request held its connection on average, in microseconds, and how long it waited because there may be no
    /// more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_mean_us: Option<f64>,
    /// See above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waited_mean_us: Option<f64>,
    /// Whether all connections were in use, and nothing was amiss but that they were waited for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub saturated: bool,
    /// By how many seconds response times rose each second, as the best straight line has it: the share of the arrivals that
    /// was not answered as fast as they came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rise: Option<f64>,
    /// The lateness of 99 percent, in microseconds.
    pub lateness_p99_us: Option<f64>,
    /// The share of the time in which the busiest sending thread did not sleep.
    pub busy: f64,
}

#[cfg(test)]
impl Probe {
    /// A probe of which nothing is known but what it showed.
    pub(crate) fn bare(rate: f64, purpose: Purpose, shown: Shown) -> Self {
        Probe {
            rate,
            purpose,
            shown,
            why: Vec::new(),
            limit: None,
            accepted_per_s: 0.0,
            success: None,
            response_p50_us: None,
            response_p99_us: None,
            service_mean_us: None,
            held_mean_us: None,
            waited_mean_us: None,
            saturated: false,
            rise: None,
            lateness_p99_us: None,
            busy: 0.0,
        }
    }
}
