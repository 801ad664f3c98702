//! Finding the capacity: the search asks, a run answers, and the document says how sure that is.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde::Serialize;

use super::document::{self, TargetNote};
use super::mix::Kind;
use super::objective::{Measured as _, Objective, Part, Quantile, Standing, Timing};
use super::pace::Pace;
use super::quantity::{Rate, Share};
use super::run::{self, Outcome};
use super::search::{Bounds, End, Next, Purpose, Search, Shown};
use super::session::Session;
use super::sizing;

/// The format of a capacity document.
pub const FORMAT: &str = "stepup/capacity/1";

/// In a probe, which may be far beyond what the target bears, nobody is waited for longer.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a search for the capacity showed.
#[derive(Debug, Serialize)]
pub struct CapacityResult {
    /// `stepup/capacity/1`.
    pub format: &'static str,
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
    /// What chance depended on.
    pub seed: u64,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub finished: Timestamp,
    /// Whether it came to its end.
    pub complete: bool,
    /// How it ended; none when it was interrupted or the second factor failed.
    #[serde(flatten)]
    pub end: Option<End>,
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
    /// Every probe, in order.
    pub probes: Vec<Probe>,
}

/// What the confirmations of the last rate showed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Confirmed {
    /// How many there were.
    pub runs: usize,
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
#[derive(Debug, Clone, Serialize)]
pub struct Probe {
    /// The rate of arrivals, a second.
    pub rate: f64,
    /// What it was for.
    pub purpose: Purpose,
    /// What it showed.
    pub shown: Shown,
    /// What was missed, or why it says nothing.
    pub why: Vec<String>,
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
    /// The lateness of 99 percent, in microseconds.
    pub lateness_p99_us: Option<f64>,
    /// The share of the time in which the busiest sending thread did not sleep.
    pub busy: f64,
}

/// Searches until it ends, is stopped, or the second factor fails. `watch` sees each probe.
pub fn search(session: &Session, stop: &AtomicBool, mut watch: impl FnMut(&Probe)) -> std::io::Result<CapacityResult> {
    let started = SystemTime::now();
    let wanted = session.profile.capacity;
    let users_bear = session.users_bear();
    let bounds =
        Bounds { from: wanted.from, up_to: wanted.up_to, users_bear, within: wanted.within, repeats: wanted.repeats };
    let mut searching = Search::new(bounds);
    let mut next = searching.first();
    let mut rosters = run::rosters(&session.plan);
    let mut probes: Vec<Probe> = Vec::new();
    let mut breaches = 0;
    let end = loop {
        let (rate, purpose) = match next {
            Next::End(end) => break Some(end),
            Next::Probe(rate, purpose) => (rate, purpose),
        };
        let lasts = wanted.warm_up.0
            + match purpose {
                Purpose::Search => wanted.probe.0,
                Purpose::Confirmation => wanted.confirm.0,
            };
        let pace = Pace::constant(rate, lasts, session.profile.pace.spacing);
        let patience = session.profile.patience.min(PATIENCE);
        let seed = session.plan.seed.wrapping_add(probes.len() as u64);
        let plan = session.probe(pace, wanted.warm_up.0, patience, seed);
        let mut outcome = run::conduct_with(&plan, rosters, stop, |_, _| {})?;
        rosters = std::mem::take(&mut outcome.rosters);
        breaches += outcome.breaches;
        if stop.load(Ordering::Relaxed) {
            break None;
        }
        let probe = probe(session, rate, purpose, lasts - wanted.warm_up.0, &outcome);
        let shown = probe.shown;
        watch(&probe);
        probes.push(probe);
        if breaches > 0 {
            break None;
        }
        next = searching.next(shown);
    };
    let spent = rosters.iter().map(super::roster::Roster::spent_through).max().unwrap_or_default();
    session.note_spent(spent)?;
    let instant = |time| Timestamp::try_from(time).unwrap_or_default();
    Ok(CapacityResult {
        format: FORMAT,
        tool: format!("stepup {}", env!("CARGO_PKG_VERSION")),
        target: TargetNote { name: session.target.clone(), base: session.base.to_string() },
        profile: session.profile.name.clone(),
        action: session.profile.action.clone(),
        objectives: session.profile.objectives.clone(),
        seed: session.plan.seed,
        started: instant(started),
        finished: instant(SystemTime::now()),
        complete: end.is_some(),
        confirmed: end.and_then(|end| confirmed(&probes, borne(end)?)),
        end,
        users: session.users,
        users_bear_per_s: users_bear.get(),
        users_sustain_per_s: sizing::sustained(session.plan.crew.spending).get(),
        breaches,
        probes,
    })
}

/// The rate that was found to be borne.
fn borne(end: End) -> Option<Rate> {
    match end {
        End::Found { rate, .. } => Some(rate),
        End::GeneratorBound { at_least } | End::UserBound { at_least } | End::BeyondAsked { at_least } => {
            Some(at_least)
        }
        End::Doomed { .. } => None,
    }
}

/// What the confirmations of a rate that met the objectives accepted.
fn confirmed(probes: &[Probe], rate: Rate) -> Option<Confirmed> {
    let of_rate = probes.iter().filter(|probe| {
        probe.purpose == Purpose::Confirmation
            && probe.shown == Shown::Met
            && (probe.rate - rate.get()).abs() <= rate.get() * 1e-9
    });
    let accepted: Vec<f64> = of_rate.map(|probe| probe.accepted_per_s).collect();
    let least = accepted.iter().copied().reduce(f64::min)?;
    let most = accepted.iter().copied().reduce(f64::max)?;
    let mean = accepted.iter().sum::<f64>() / accepted.len() as f64;
    let spread = if mean > 0.0 { (most - least) / mean } else { 0.0 };
    Some(Confirmed { runs: accepted.len(), accepted_per_s: mean, least_per_s: least, most_per_s: most, spread })
}

fn probe(session: &Session, rate: Rate, purpose: Purpose, measured: Duration, outcome: &Outcome) -> Probe {
    let whole = &outcome.whole;
    let mut why = document::invalid(&session.profile, outcome);
    let shown = if why.is_empty() {
        for objective in &session.profile.objectives {
            if objective.judge(whole) != Standing::Met {
                why.push(format!("{objective}: {}", objective.seen(whole)));
            }
        }
        if why.is_empty() { Shown::Met } else { Shown::Missed }
    } else {
        Shown::Invalid
    };
    let us = |duration: Duration| duration.as_secs_f64() * 1e6;
    let at = |quantile, of| whole.quantile(quantile, of).map(us);
    let accepted = whole.counts.sum(|kind: Kind, fate| fate == super::fate::Fate::Accepted && !fate.is_breach(kind));
    Probe {
        rate: rate.get(),
        purpose,
        shown,
        why,
        accepted_per_s: accepted as f64 / measured.as_secs_f64().max(1e-9),
        success: whole.share(Part::Success).map(Share::get),
        response_p50_us: at(Quantile::MEDIAN, Timing::ResponseTime),
        response_p99_us: at(Quantile::P99, Timing::ResponseTime),
        service_mean_us: whole.timed.of(Timing::ServiceTime).mean().map(us),
        lateness_p99_us: at(Quantile::P99, Timing::Lateness),
        busy: outcome.busy,
    }
}

/// The line of a probe, for people.
pub fn line(probe: &Probe) -> String {
    let shown = match probe.shown {
        Shown::Met => "met",
        Shown::Missed => "missed",
        Shown::Invalid => "invalid",
    };
    let purpose = match probe.purpose {
        Purpose::Search => "probe",
        Purpose::Confirmation => "confirmation",
    };
    let ms = |us: Option<f64>| us.map_or_else(|| "-".to_owned(), |us| format!("{:.2} ms", us / 1e3));
    let why = if probe.why.is_empty() { String::new() } else { format!("  {}", probe.why.join("; ")) };
    format!(
        "{purpose:<13}{:>10.1}/s  accepted {:>10.1}/s  p50 {:>10}  p99 {:>10}  late p99 {:>10}  {shown}{why}",
        probe.rate,
        probe.accepted_per_s,
        ms(probe.response_p50_us),
        ms(probe.response_p99_us),
        ms(probe.lateness_p99_us),
    )
}

/// How a search ended, for people.
pub fn summary(result: &CapacityResult) -> String {
    let ended = match result.end {
        _ if result.breaches > 0 => {
            format!("Breached: {} requests were let through that must not be; the search was ended", result.breaches)
        }
        None => "Incomplete: interrupted".to_owned(),
        Some(End::Found { rate, missed }) => {
            format!("Capacity: {rate} met the objectives, {missed} did not")
        }
        Some(End::Doomed { tried }) => format!("Doomed: the objectives are met at no rate, not even at {tried}"),
        Some(End::GeneratorBound { at_least }) => {
            format!("Generator-bound: at least {at_least}; this program could not send more")
        }
        Some(End::UserBound { at_least }) => {
            format!("User-bound: at least {at_least}; {} users have no more codes to spend", result.users)
        }
        Some(End::BeyondAsked { at_least }) => {
            format!("At least {at_least}, the highest rate that the profile asks for")
        }
    };
    let mut text = format!("{ended}\n");
    if let Some(confirmed) = &result.confirmed {
        text.push_str(&format!(
            "  confirmed {} times: {:.1}/s accepted, from {:.1} to {:.1}/s (spread {})\n",
            confirmed.runs,
            confirmed.accepted_per_s,
            confirmed.least_per_s,
            confirmed.most_per_s,
            Share::of(confirmed.spread)
        ));
    }
    text.push_str(&format!(
        "  users: {}, who sustain {:.1} valid codes a second, one for each 30 s; of this mix they bear {:.1}/s\n",
        result.users, result.users_sustain_per_s, result.users_bear_per_s
    ));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(rate: f64, purpose: Purpose, shown: Shown, accepted: f64) -> Probe {
        Probe {
            rate,
            purpose,
            shown,
            why: Vec::new(),
            accepted_per_s: accepted,
            success: None,
            response_p50_us: None,
            response_p99_us: None,
            service_mean_us: None,
            lateness_p99_us: None,
            busy: 0.0,
        }
    }

    #[test]
    fn only_the_confirmations_of_the_rate_that_was_found_count() {
        let probes = [
            probe(100.0, Purpose::Search, Shown::Met, 1.0),
            probe(105.0, Purpose::Confirmation, Shown::Met, 105.0),
            probe(100.0, Purpose::Confirmation, Shown::Missed, 2.0),
            probe(100.0, Purpose::Confirmation, Shown::Met, 99.0),
            probe(100.0, Purpose::Confirmation, Shown::Met, 101.0),
        ];
        let confirmed = confirmed(&probes, Rate::per_second(100.0)).expect("there are some");
        assert_eq!((confirmed.runs, confirmed.accepted_per_s, confirmed.spread), (2, 100.0, 0.02));
        assert_eq!(super::confirmed(&probes, Rate::per_second(7.0)), None);
    }
}
