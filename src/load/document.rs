//! The document that a load run writes: `result.json` of kind load. Every report of a run is a function of it.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::fate::Fate;
use super::histogram::Times;
use super::mix::Kind;
use super::objective::{Objective, Standing, Timing};
use super::profile::Profile;
use super::run::Outcome;
use super::session::Session;
use super::sizing::{self, Crew};
use super::tally::Sums;

/// The format of a load run's document.
pub const FORMAT: &str = "stepup/load/1";

/// What a load run showed.
#[derive(Debug, Serialize)]
pub struct LoadResult {
    /// `stepup/load/1`.
    pub format: &'static str,
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
    pub times: BTreeMap<&'static str, TimesNote>,
    /// Second by second.
    pub seconds: Vec<SecondNote>,
    /// What the embedded registry counted itself.
    pub counted_by_target: Option<CountedNote>,
}

/// How a run is judged as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
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
    /// An objective had nothing to measure.
    NoData,
    /// The run was interrupted.
    Incomplete,
    /// Nothing was answered.
    Unreachable,
}

/// The registry.
#[derive(Debug, Serialize)]
pub struct TargetNote {
    /// Its name.
    pub name: String,
    /// Its address.
    pub base: String,
}

/// The profile, as it was run.
#[derive(Debug, Serialize)]
pub struct ProfileNote {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub about: String,
    /// The action.
    pub action: String,
    /// The request.
    pub request: String,
    /// The mix, by weight.
    pub mix: BTreeMap<&'static str, u32>,
    /// How long it lasts, in seconds.
    pub lasts_s: f64,
    /// How much of it is left out.
    pub warm_up_s: f64,
    /// How many connections there may be.
    pub connections: u32,
    /// Whether they are used again.
    pub connect: super::request::Connect,
    /// How many threads sent.
    pub threads: usize,
    /// How long an arrival waits for a connection, and then for its answer.
    pub patience_s: f64,
}

/// The users, and what they sustain.
#[derive(Debug, Serialize)]
pub struct UsersNote {
    /// How many there are.
    pub there: u32,
    /// How many the profile needs, by what they do.
    pub needed: Crew,
    /// How many valid codes a second they have.
    pub sustain_per_s: f64,
    /// The rate of arrivals of this mix that they bear.
    pub bear_per_s: f64,
}

/// Sums over a run.
#[derive(Debug, Serialize)]
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
    /// Arrivals that waited for a connection.
    pub waited: u64,
    /// Valid codes that were refused, and were on their way across the edge of a step.
    pub refused_across_edge: u64,
    /// Connections that were opened, the warm-up left out.
    pub connections_opened: u64,
    /// Connections that could not be opened.
    pub connections_failed: u64,
    /// How many arrivals a second were planned, put on the wire and accepted.
    pub planned_per_s: f64,
    /// See above.
    pub sent_per_s: f64,
    /// See above.
    pub accepted_per_s: f64,
    /// The share of the time in which the busiest sending thread did not sleep.
    pub busy: f64,
}

/// How many arrivals of a kind became what, and what the judge says of it.
#[derive(Debug, Serialize)]
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
#[derive(Debug, Serialize)]
pub struct Breaches {
    /// How many.
    pub count: u64,
    /// Some of them.
    pub evidence: Vec<BreachNote>,
}

/// An arrival that was let through and must not have been.
#[derive(Debug, Serialize)]
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
#[derive(Debug, Serialize)]
pub struct ObjectiveNote {
    /// The objective.
    pub objective: Objective,
    /// What became of it.
    pub standing: Standing,
    /// What was measured.
    pub seen: String,
}

/// How long something took.
#[derive(Debug, Serialize)]
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
#[derive(Debug, Serialize)]
pub struct Percentile {
    /// Of how many, in percent.
    pub percent: f64,
    /// How long, in microseconds.
    pub us: f64,
}

/// One second of a run.
#[derive(Debug, Clone, Serialize, Deserialize)]
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
#[derive(Debug, Serialize)]
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

/// The percents of the plot that HDR histograms are drawn on.
const PERCENTS: [f64; 21] = [
    0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 75.0, 80.0, 85.0, 90.0, 95.0, 97.5, 99.0, 99.5, 99.9, 99.95, 99.99,
    99.999, 100.0,
];

fn us(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e9).round() / 1e3
}

fn four(times: &Times) -> Option<[f64; 4]> {
    let at = |quantile| times.quantile(quantile).map(us);
    Some([at(0.5)?, at(0.9)?, at(0.99)?, at(1.0)?])
}

impl TimesNote {
    /// What a histogram shows; none of an empty one.
    pub fn of(times: &Times) -> Option<Self> {
        let percentile =
            |percent: &f64| Some(Percentile { percent: *percent, us: us(times.quantile(percent / 100.0)?) });
        Some(TimesNote {
            count: times.len(),
            mean_us: us(times.mean()?),
            max_us: us(times.longest()?),
            percentiles: PERCENTS.iter().filter_map(percentile).collect(),
        })
    }
}

impl SecondNote {
    /// What a second shows.
    pub fn of(at: u64, sums: &Sums, warm_up: Duration) -> Self {
        let mut outcomes = BTreeMap::new();
        for fate in Fate::ALL {
            let count = sums.counts.sum(|_, seen| seen == fate);
            if count > 0 {
                outcomes.insert(fate.name().to_owned(), count);
            }
        }
        SecondNote {
            at,
            warm_up: at < warm_up.as_secs_f64().ceil() as u64,
            planned: sums.planned,
            requests: sums.requests,
            accepted: sums.counts.sum(|_, fate| fate == Fate::Accepted),
            outcomes,
            response_us: four(sums.timed.of(Timing::ResponseTime)),
            service_us: four(sums.timed.of(Timing::ServiceTime)),
            lateness_us: four(sums.timed.of(Timing::Lateness)),
        }
    }
}

/// Why a run says nothing about the target: this program, or its users, were the limit.
pub fn invalid(profile: &Profile, outcome: &Outcome) -> Vec<String> {
    let mut why = Vec::new();
    let whole = &outcome.whole;
    let limit = profile.valid.lateness_p99;
    if let Some(late) = whole.timed.of(Timing::Lateness).quantile(0.99).filter(|late| *late > limit.0) {
        let late = super::quantity::Span(late);
        why.push(format!("arrivals were taken up late: p99 {late}, allowed {limit}; this machine was the limit"));
    }
    let starved = whole.counts.sum(|_, fate| fate == Fate::Starved);
    if whole.planned > 0 && (starved as f64) > (1.0 - profile.valid.cast.get()) * whole.planned as f64 {
        why.push(format!(
            "{starved} of {} arrivals found no user with an unspent code; the pool was the limit",
            whole.planned
        ));
    }
    why
}

/// Makes the document of a run.
pub fn document(session: &Session, outcome: &Outcome, seconds: Vec<SecondNote>, aborted: Option<String>) -> LoadResult {
    let Session { profile, plan, needed, .. } = session;
    let whole = &outcome.whole;
    let started = Timestamp::try_from(outcome.started).unwrap_or_default();
    let lasts = outcome.took.min(profile.pace.lasts());
    let measured = lasts.saturating_sub(profile.warm_up).as_secs_f64().max(1e-9);
    let counted_by_target = session.counted().map(|counted| CountedNote {
        requests: counted.requests,
        accepted_proofs: counted.accepted_proofs,
        refused_proofs: counted.refused_proofs,
        bare_challenges: counted.bare_challenges,
        throttled: counted.throttled,
    });
    let mut invalid = invalid(profile, outcome);
    if let Some(counted) = counted_by_target.as_ref().filter(|counted| counted.requests != outcome.requests) {
        // Requests that were given up may not have been read by the target.
        let given_up = whole.counts.sum(|_, fate| matches!(fate, Fate::TimedOut | Fate::BrokenOff | Fate::Garbage));
        if counted.requests.abs_diff(outcome.requests) > given_up && outcome.complete {
            invalid.push(format!(
                "{} requests were sent, and the registry counted {}",
                outcome.requests, counted.requests
            ));
        }
    }
    let objectives: Vec<ObjectiveNote> = profile
        .objectives
        .iter()
        .map(|objective| ObjectiveNote {
            objective: *objective,
            standing: objective.judge(whole),
            seen: objective.seen(whole),
        })
        .collect();
    let sent = whole.counts.sum(|_, fate| fate.was_sent());
    let accepted = whole.counts.sum(|_, fate| fate == Fate::Accepted);
    let verdict = verdict(outcome, &invalid, aborted.as_deref(), &objectives);
    LoadResult {
        format: FORMAT,
        tool: format!("stepup {}", env!("CARGO_PKG_VERSION")),
        target: TargetNote { name: session.target.clone(), base: session.base.to_string() },
        profile: ProfileNote {
            name: profile.name.clone(),
            about: profile.about.clone(),
            action: profile.action.clone(),
            request: plan.forms.shown.clone(),
            mix: Kind::ALL
                .iter()
                .map(|kind| (kind.name(), profile.mix.weight(*kind)))
                .filter(|(_, weight)| *weight > 0)
                .collect(),
            lasts_s: profile.pace.lasts().as_secs_f64(),
            warm_up_s: profile.warm_up.as_secs_f64(),
            connections: profile.connections,
            connect: profile.connect,
            threads: plan.cores.len(),
            patience_s: profile.patience.as_secs_f64(),
        },
        seed: plan.seed,
        started,
        finished: started.checked_add(outcome.took).unwrap_or(started),
        complete: outcome.complete,
        aborted,
        invalid,
        verdict,
        users: UsersNote {
            there: session.users,
            needed: *needed,
            sustain_per_s: sizing::sustained(plan.crew.spending).get(),
            bear_per_s: session.users_bear().get(),
        },
        totals: Totals {
            planned: whole.planned,
            sent,
            accepted,
            requests: whole.requests,
            requests_with_warm_up: outcome.requests,
            waited: whole.waited,
            refused_across_edge: whole.across_edge,
            connections_opened: whole.opened,
            connections_failed: whole.unopened,
            planned_per_s: whole.planned as f64 / measured,
            sent_per_s: sent as f64 / measured,
            accepted_per_s: accepted as f64 / measured,
            busy: outcome.busy,
        },
        outcomes: outcomes(whole),
        breaches: Breaches { count: outcome.breaches, evidence: evidence(session, outcome) },
        objectives,
        times: Timing::ALL
            .iter()
            .filter_map(|timing| Some((timing.name(), TimesNote::of(whole.timed.of(*timing))?)))
            .collect(),
        seconds,
        counted_by_target,
    }
}

fn outcomes(whole: &Sums) -> Vec<OutcomeCount> {
    let pairs = Kind::ALL.iter().flat_map(|kind| Fate::ALL.iter().map(move |fate| (*kind, *fate)));
    pairs
        .map(|(kind, fate)| OutcomeCount { kind, fate, count: whole.counts.of(kind, fate), verdict: fate.judged(kind) })
        .filter(|outcome| outcome.count > 0)
        .collect()
}

fn evidence(session: &Session, outcome: &Outcome) -> Vec<BreachNote> {
    let note = |breach: &super::tally::Breach| BreachNote {
        kind: breach.kind,
        verdict: Fate::Accepted.judged(breach.kind),
        user: session.plan.users.name(breach.user),
        at_s: breach.due_ns as f64 / 1e9,
        status: breach.status,
    };
    outcome.evidence.iter().take(20).map(note).collect()
}

fn verdict(outcome: &Outcome, invalid: &[String], aborted: Option<&str>, objectives: &[ObjectiveNote]) -> Verdict {
    let counts = &outcome.whole.counts;
    let answered = counts.sum(|_, fate| {
        !matches!(fate, Fate::Unsent | Fate::Starved | Fate::TimedOut | Fate::BrokenOff | Fate::Garbage)
    });
    let any = |standing| objectives.iter().any(|note| note.standing == standing);
    if outcome.breaches > 0 {
        Verdict::Breached
    } else if aborted.is_some() {
        Verdict::Missed
    } else if !outcome.complete {
        Verdict::Incomplete
    } else if !invalid.is_empty() {
        Verdict::Invalid
    } else if answered == 0 {
        Verdict::Unreachable
    } else if any(Standing::Missed) {
        Verdict::Missed
    } else if any(Standing::NoData) {
        Verdict::NoData
    } else {
        Verdict::Held
    }
}
