//! Finding the capacity: the search asks, a run answers, and the document says how sure that is.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;

use super::crowd::Crowd;
use super::document::{
    CAPACITY, CapacityResult, Confirmed, CrowdNote, Ending, Probe, SearchNote, SecondNote, TargetNote,
};
use super::fate::Fate;
use super::limit::{self, Limit};
use super::mix::Kind;
use super::noting;
use super::objective::{Measured as _, Objective, Part, Quantile, Standing, Timing};
use super::pace::Pace;
use super::roster::Roster;
use super::run::{self, Outcome};
use super::scaling;
use super::search::{Bounds, End, Next, Purpose, Search, Shown};
use super::session::Session;
use super::tally::Sums;
use super::trend::{self, Slope};
use crate::quantity::{Rate, Share};

/// In a probe, which may be far beyond what the target bears, nobody is waited for longer than this, or than twice as long
/// as an objective allows.
const PATIENCE: Duration = Duration::from_secs(2);
/// How many more users a probe starts with than it has arrivals on average.
const SLACK: f64 = 1.1;

/// What a search showed.
#[derive(Debug)]
pub struct Searched {
    /// The document.
    pub result: CapacityResult,
    /// Why it could not be noted in the pool which codes have been spent, where it could not.
    pub unnoted: Option<std::io::Error>,
}

/// Searches until it ends, is stopped, or the second factor fails. `watch` sees each probe. An error is one of the first
/// probe; what was measured before a later one is kept.
pub fn search(session: &Session, stop: &AtomicBool, mut watch: impl FnMut(Seen<'_>)) -> std::io::Result<Searched> {
    let started = SystemTime::now();
    let wanted = session.profile.capacity;
    let users_bear = session.users_bear();
    let bounds =
        Bounds { from: wanted.from, up_to: wanted.up_to, users_bear, within: wanted.within, repeats: wanted.repeats };
    let mut searching = Search::new(bounds);
    let mut next = searching.first();
    let mut rosters = run::rosters(&session.plan);
    let mut probes: Vec<Probe> = Vec::new();
    let (mut breaches, mut evidence) = (0, Vec::new());
    let mut generator = noting::generator(&session.plan);
    let mut broken_off = None;
    let end = loop {
        let (rate, purpose) = match next {
            Next::End(end) => break Some(end),
            Next::Probe(rate, purpose) => (rate, purpose),
        };
        let usual = match purpose {
            Purpose::Search => wanted.probe,
            Purpose::Confirmation => wanted.confirm,
        };
        let lasts = wanted.warm_up.0 + wanted.lasting(rate, usual);
        let pace = Pace::constant(rate, lasts, session.profile.pace.spacing);
        let patience = patience(session);
        let seed = session.plan.seed.wrapping_add(probes.len() as u64);
        let plan = session.probe(pace, wanted.warm_up.0, patience, seed);
        watch(Seen::Begins(&format!("{} of {rate}", purpose_word(purpose))));
        let arrivals = rate.get() * lasts.as_secs_f64() * SLACK / rosters.len().max(1) as f64;
        let step = session.present_step();
        for roster in &mut rosters {
            roster.rewind(arrivals.ceil() as usize, step);
        }
        let measured = noting::whole_seconds(plan.warm_up, lasts);
        let (mut seconds, mut means) = (Vec::new(), Vec::new());
        let outcome = run::conduct_with(&plan, rosters, stop, |at, sums| {
            let mean = sums.timed.of(Timing::ResponseTime).mean().filter(|_| measured.contains(&at));
            means.extend(mean.map(|mean| (at as f64, mean.as_secs_f64())));
            let second = SecondNote::of(at, sums, plan.warm_up);
            watch(Seen::Second(&second));
            seconds.push(second);
        });
        let mut outcome = match outcome {
            Ok(outcome) => outcome,
            Err(error) if probes.is_empty() => {
                // That nothing could be measured is what there is to say, whatever becomes of the note.
                let _ = session.note_spent(session.present_step());
                return Err(error);
            }
            Err(error) => {
                broken_off = Some(error);
                rosters = Vec::new();
                break None;
            }
        };
        rosters = std::mem::take(&mut outcome.rosters);
        breaches += outcome.breaches;
        evidence.extend(noting::evidence(session, &outcome));
        noting::add_sender(&mut generator, &outcome);
        if stop.load(Ordering::Relaxed) {
            break None;
        }
        let course = Course {
            lasted: lasts - wanted.warm_up.0,
            accepted_per_s: noting::accepted_each(&seconds, measured),
            slope: trend::slope(&means),
        };
        let probe = probe(session, (rate, purpose), &course, &outcome);
        let shown = probe.shown;
        watch(Seen::Probe(&probe));
        probes.push(probe);
        if breaches > 0 {
            break None;
        }
        next = searching.next(shown);
    };
    let mut crowds = Vec::new();
    for clients in session.profile.capacity_clients() {
        if stop.load(Ordering::Relaxed) || breaches > 0 || broken_off.is_some() {
            break;
        }
        watch(Seen::Begins(&format!("{clients} clients who never think")));
        let (note, outcome) = match crowd(session, clients, rosters, crowds.len(), stop, &mut watch) {
            Ok(crowd) => crowd,
            Err(error) => {
                broken_off = Some(error);
                rosters = Vec::new();
                break;
            }
        };
        breaches += outcome.breaches;
        evidence.extend(noting::evidence(session, &outcome));
        rosters = outcome.rosters;
        if !stop.load(Ordering::Relaxed) {
            watch(Seen::Crowd(&note));
            crowds.push(note);
        }
    }
    let measured: Vec<(f64, f64)> = crowds
        .iter()
        .filter(|note| note.invalid.is_empty())
        .map(|note| (f64::from(note.clients), note.accepted_per_s))
        .collect();
    // Of a run that failed nobody knows which codes it sent; they were of no later step than this one.
    let spent = rosters.iter().map(Roster::spent_through).max().unwrap_or_else(|| session.present_step());
    let unnoted = session.note_spent(spent).err();
    let instant = |time| Timestamp::try_from(time).unwrap_or_default();
    let result = CapacityResult {
        format: CAPACITY.to_owned(),
        tool: format!("stepup {}", env!("CARGO_PKG_VERSION")),
        target: TargetNote { name: session.target.clone(), base: session.base.to_string() },
        profile: session.profile.name.clone(),
        action: session.profile.action.clone(),
        objectives: session.profile.objectives.clone(),
        search: Some(search_note(session)),
        seed: session.plan.seed,
        started: instant(started),
        finished: instant(SystemTime::now()),
        complete: end.is_some() && broken_off.is_none() && !stop.load(Ordering::Relaxed),
        broken_off: broken_off.map(|error| error.to_string()),
        confirmed: end.and_then(|end| confirmed(&probes, borne(end)?, missed(end))),
        end: end.map(|end| ending(end, &probes)),
        borne_per_s: end.and_then(borne).map(Rate::get),
        missed_per_s: end.and_then(missed).map(Rate::get),
        users: session.users,
        users_bear_per_s: users_bear.get(),
        users_sustain_per_s: session.users_sustain().get(),
        breaches,
        evidence,
        probes,
        scaling: scaling::fit(&measured),
        crowds,
        generator,
    };
    Ok(Searched { result, unnoted })
}

/// The rate that was found to be borne.
fn borne(end: End) -> Option<Rate> {
    match end {
        End::Found { rate, .. } => Some(rate),
        End::GeneratorBound { at_least } | End::UserBound { at_least } | End::BeyondAsked { at_least } => {
            Some(at_least).filter(|rate| rate.get() > 0.0)
        }
        End::Doomed { .. } | End::NoData { .. } | End::Unreachable { .. } => None,
    }
}

/// The rate that was found not to be borne.
fn missed(end: End) -> Option<Rate> {
    match end {
        End::Found { missed, .. } => Some(missed),
        End::Doomed { tried } | End::NoData { tried } | End::Unreachable { tried } => Some(tried),
        End::GeneratorBound { .. } | End::UserBound { .. } | End::BeyondAsked { .. } => None,
    }
}

/// How a search ended, by what limited the probes that decided it.
fn ending(end: End, probes: &[Probe]) -> Ending {
    match end {
        End::Found { missed, .. } if limit::were_connections(probes, missed.get()) => Ending::ConnectionBound,
        End::Found { .. } => Ending::Found,
        End::Doomed { .. } => Ending::Doomed,
        // A rate so low that hardly anybody came says nothing of the rates that were missed.
        End::NoData { .. } if probes.iter().any(|probe| probe.shown == Shown::Missed) => Ending::Doomed,
        End::GeneratorBound { .. } if limit::of_last_invalid(probes) == Some(Limit::Users) => Ending::UserBound,
        End::GeneratorBound { .. } => Ending::GeneratorBound,
        End::UserBound { .. } => Ending::UserBound,
        End::BeyondAsked { .. } => Ending::BeyondAsked,
        End::NoData { .. } => Ending::NoData,
        End::Unreachable { .. } => Ending::Unreachable,
    }
}

/// How long anybody is waited for in a probe: no less than an objective allows.
fn patience(session: &Session) -> Duration {
    let allowed = session.profile.objectives.iter().map(|objective| match objective {
        Objective::Time { below, .. } => *below,
        Objective::AtLeast(..) | Objective::AtMost(..) => Duration::ZERO,
    });
    let longest = allowed.max().unwrap_or_default();
    session.profile.patience.min(PATIENCE.max(longest.saturating_mul(2)))
}

/// How many arrivals were accepted that had to be.
fn accepted_of(sums: &Sums) -> u64 {
    sums.counts.sum(|kind: Kind, fate| fate == Fate::Accepted && !fate.is_breach(kind))
}

fn search_note(session: &Session) -> SearchNote {
    let Session { profile, .. } = session;
    let wanted = profile.capacity;
    SearchNote {
        mix: noting::weights(&profile.mix),
        connections: session.connections(),
        connect: profile.connect,
        arrivals: profile.pace.spacing,
        probe_s: wanted.probe.0.as_secs_f64(),
        confirm_s: wanted.confirm.0.as_secs_f64(),
        within: wanted.within.get(),
        repeats: wanted.repeats,
    }
}

/// Lets so many clients who never think get through what they can.
fn crowd(
    session: &Session,
    clients: u32,
    rosters: Vec<Roster>,
    before: usize,
    stop: &AtomicBool,
    watch: &mut impl FnMut(Seen<'_>),
) -> std::io::Result<(CrowdNote, Outcome)> {
    let wanted = session.profile.capacity;
    let measured = wanted.probe.0;
    let mut pace = Pace::constant(wanted.up_to, wanted.warm_up.0 + measured, session.profile.pace.spacing);
    pace.crowd = Some(Crowd { clients, think: Duration::ZERO });
    let seed = session.plan.seed.wrapping_add(1_000 + before as u64);
    let plan = session.probe(pace, wanted.warm_up.0, patience(session), seed);
    let outcome = run::conduct_with(&plan, rosters, stop, |at, sums| {
        watch(Seen::Second(&SecondNote::of(at, sums, plan.warm_up)));
    })?;
    let whole = &outcome.whole;
    let accepted = accepted_of(whole);
    let note = CrowdNote {
        clients,
        accepted_per_s: accepted as f64 / measured.as_secs_f64().max(1e-9),
        service_mean_us: whole.timed.of(Timing::ServiceTime).mean().map(|mean| mean.as_secs_f64() * 1e6),
        busy: outcome.busy,
        invalid: noting::invalid(&session.profile.valid, true, &outcome)
            .into_iter()
            .map(|reason| reason.words)
            .collect(),
    };
    Ok((note, outcome))
}

/// What the confirmations of a rate that met the objectives accepted.
fn confirmed(probes: &[Probe], rate: Rate, missed_at: Option<Rate>) -> Option<Confirmed> {
    // What says nothing about the target is no miss of its.
    let says = |probe: &&Probe| probe.purpose == Purpose::Confirmation && probe.shown != Shown::Invalid;
    let confirmations = || probes.iter().filter(says);
    let is_of_rate = |probe: &&Probe| (probe.rate - rate.get()).abs() <= rate.get() * 1e-9;
    let (met, missed): (Vec<&Probe>, Vec<&Probe>) =
        confirmations().filter(is_of_rate).partition(|probe| probe.shown == Shown::Met);
    let below = confirmations().filter(|probe| probe.rate < rate.get() * (1.0 - 1e-9));
    let above = |missed: Rate| {
        let met = confirmations().filter(move |probe| probe.shown == Shown::Met);
        met.map(|probe| probe.rate).filter(|rate| *rate > missed.get() * (1.0 + 1e-9)).reduce(f64::max)
    };
    let accepted: Vec<f64> = met.iter().map(|probe| probe.accepted_per_s).collect();
    let least = accepted.iter().copied().reduce(f64::min)?;
    let most = accepted.iter().copied().reduce(f64::max)?;
    let mean = accepted.iter().sum::<f64>() / accepted.len() as f64;
    let spread = if mean > 0.0 { (most - least) / mean } else { 0.0 };
    Some(Confirmed {
        runs: met.len(),
        missed_runs: NonZeroUsize::new(missed.len()),
        missed_below_per_s: below.filter(|probe| probe.shown == Shown::Missed).map(|probe| probe.rate).reduce(f64::min),
        met_above_per_s: missed_at.and_then(above),
        accepted_per_s: mean,
        least_per_s: least,
        most_per_s: most,
        spread,
    })
}

/// How a probe went, from second to second.
#[derive(Debug)]
struct Course {
    /// How long it lasted, the warm-up left out.
    lasted: Duration,
    /// How many were accepted a second; none where no whole second was.
    accepted_per_s: Option<f64>,
    /// How response times rose, where there were seconds enough.
    slope: Option<Slope>,
}

/// What a probe of a rate showed.
fn probe(session: &Session, (rate, purpose): (Rate, Purpose), course: &Course, outcome: &Outcome) -> Probe {
    let Course { lasted, accepted_per_s, slope } = course;
    let whole = &outcome.whole;
    let profile = &session.profile;
    let (mut why, limit, shown) = match noting::invalid(&profile.valid, false, outcome) {
        reasons if reasons.is_empty() => {
            let (why, shown) = judged(&profile.objectives, whole);
            (why, None, shown)
        }
        reasons => {
            let limit = reasons.first().map(|reason| reason.limit);
            (reasons.into_iter().map(|reason| reason.words).collect(), limit, Shown::Invalid)
        }
    };
    // A queue that grows breaks every objective about time sooner or later.
    let grows = slope.filter(|slope| slope.at_least > profile.capacity.within.get() / 2.0);
    let shown = match grows {
        Some(Slope { value, .. }) if shown == Shown::Met => {
            let behind = Share::of((value * 1e4).round() / 1e4);
            why.push(format!("{behind} more came than was answered, all through: a queue that grows"));
            Shown::Missed
        }
        Some(_) | None => shown,
    };
    let us = |duration: Duration| duration.as_secs_f64() * 1e6;
    let at = |quantile, of| whole.quantile(quantile, of).map(us);
    let on_the_whole = || accepted_of(whole) as f64 / lasted.as_secs_f64().max(1e-9);
    Probe {
        rate: rate.get(),
        purpose,
        shown,
        why,
        limit,
        accepted_per_s: accepted_per_s.unwrap_or_else(on_the_whole),
        success: whole.share(Part::Success).map(Share::get),
        response_p50_us: at(Quantile::MEDIAN, Timing::ResponseTime),
        response_p99_us: at(Quantile::P99, Timing::ResponseTime),
        service_mean_us: whole.timed.of(Timing::ServiceTime).mean().map(us),
        held_mean_us: whole.held_mean().map(us),
        waited_mean_us: whole.waited_mean().map(us),
        saturated: limit::is_saturated(session.connections(), *lasted, whole),
        rise: slope.map(|slope| slope.value),
        lateness_p99_us: at(Quantile::P99, Timing::Lateness),
        busy: outcome.busy,
    }
}

/// What the objectives make of a probe, and those that were not met.
fn judged(objectives: &[Objective], whole: &Sums) -> (Vec<String>, Shown) {
    let standings = || objectives.iter().map(|objective| (objective, objective.judge(whole)));
    let unmet = standings().filter(|(_, standing)| *standing != Standing::Met);
    let why: Vec<String> = unmet.map(|(objective, _)| format!("{objective}: {}", objective.seen(whole))).collect();
    let shown = match why.is_empty() {
        _ if whole.planned == 0 => Shown::NoData,
        _ if whole.counts.sum(|_, fate| fate.is_answer()) == 0 => Shown::Silent,
        true if noting::accepts_no_proof(whole) => Shown::NoData,
        true => Shown::Met,
        false if standings().any(|(_, standing)| standing == Standing::Missed) => Shown::Missed,
        false => Shown::NoData,
    };
    (why, shown)
}

/// What is seen of a search while it goes on.
#[derive(Debug, Clone, Copy)]
pub enum Seen<'a> {
    /// A part of it begins: a probe, or a crowd.
    Begins(&'a str),
    /// A second of that part has passed.
    Second(&'a SecondNote),
    /// A probe.
    Probe(&'a Probe),
    /// A crowd.
    Crowd(&'a CrowdNote),
}

/// The line of what was seen, for people: of whole probes and crowds alone.
pub fn line(seen: Seen<'_>) -> Option<String> {
    let probe = match seen {
        Seen::Begins(_) | Seen::Second(_) => return None,
        Seen::Probe(probe) => probe,
        Seen::Crowd(note) => {
            let CrowdNote { clients, accepted_per_s, busy, invalid, .. } = note;
            let why = if invalid.is_empty() { String::new() } else { format!("  invalid: {}", invalid.join("; ")) };
            return Some(format!(
                "{:<13}{clients:>10}    accepted {accepted_per_s:>10.1}/s  sender busy {}{why}",
                "clients",
                Share::of(*busy)
            ));
        }
    };
    let shown = match probe.shown {
        Shown::Met => "met",
        Shown::Missed => "missed",
        Shown::NoData => "no data",
        Shown::Silent => "no answer",
        Shown::Invalid => "invalid",
    };
    let purpose = purpose_word(probe.purpose);
    let ms = |us: Option<f64>| us.map_or_else(|| "-".to_owned(), |us| format!("{:.2} ms", us / 1e3));
    let why = if probe.why.is_empty() { String::new() } else { format!("  {}", probe.why.join("; ")) };
    Some(format!(
        "{purpose:<13}{:>10.1}/s  accepted {:>10.1}/s  p50 {:>10}  p99 {:>10}  late p99 {:>10}  {shown}{why}",
        probe.rate,
        probe.accepted_per_s,
        ms(probe.response_p50_us),
        ms(probe.response_p99_us),
        ms(probe.lateness_p99_us),
    ))
}

/// What a probe is for, in a word.
fn purpose_word(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Search => "probe",
        Purpose::Confirmation => "confirmation",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(rate: f64, purpose: Purpose, shown: Shown, accepted: f64) -> Probe {
        Probe { accepted_per_s: accepted, ..Probe::bare(rate, purpose, shown) }
    }

    #[test]
    fn a_search_ends_at_what_limited_the_probes_that_decided_it() {
        let rate = Rate::per_second;
        let found = End::Found { rate: rate(50.0), missed: rate(51.0) };
        let times = |probe: Probe, held_mean_us, waited_mean_us| Probe { held_mean_us, waited_mean_us, ..probe };
        let light = times(probe(10.0, Purpose::Search, Shown::Met, 10.0), Some(100.0), Some(0.0));
        let waits = times(probe(51.0, Purpose::Confirmation, Shown::Missed, 50.0), Some(110.0), Some(9_000.0));
        let waits = Probe { saturated: true, ..waits };
        let slow = Probe { held_mean_us: Some(900.0), ..waits.clone() };
        assert_eq!(ending(found, &[light.clone(), waits]), Ending::ConnectionBound);
        assert_eq!(ending(found, &[light, slow.clone()]), Ending::Found);
        let bound = End::GeneratorBound { at_least: rate(50.0) };
        let limited = |limit| Probe { limit: Some(limit), ..probe(51.0, Purpose::Search, Shown::Invalid, 0.0) };
        assert_eq!(ending(bound, &[limited(Limit::Sender), limited(Limit::Users)]), Ending::UserBound);
        assert_eq!(ending(bound, &[limited(Limit::Users), limited(Limit::Sender)]), Ending::GeneratorBound);
        let nothing = End::NoData { tried: rate(1.0) };
        assert_eq!(ending(nothing, &[probe(1.0, Purpose::Search, Shown::NoData, 0.0)]), Ending::NoData);
        assert_eq!(ending(nothing, &[slow]), Ending::Doomed);
    }

    #[test]
    fn only_the_confirmations_of_the_rate_that_was_found_count() {
        let probes = [
            probe(100.0, Purpose::Search, Shown::Met, 1.0),
            probe(90.0, Purpose::Search, Shown::Missed, 1.0),
            probe(95.0, Purpose::Confirmation, Shown::Missed, 95.0),
            probe(93.0, Purpose::Confirmation, Shown::Invalid, 95.0),
            probe(100.0, Purpose::Confirmation, Shown::Invalid, 95.0),
            probe(105.0, Purpose::Confirmation, Shown::Met, 105.0),
            probe(100.0, Purpose::Confirmation, Shown::Missed, 2.0),
            probe(100.0, Purpose::Confirmation, Shown::Met, 99.0),
            probe(100.0, Purpose::Confirmation, Shown::Met, 101.0),
        ];
        let rate = Rate::per_second;
        let confirmed = confirmed(&probes, rate(100.0), Some(rate(102.0))).expect("there are some");
        assert_eq!(
            (confirmed.runs, confirmed.missed_runs, confirmed.missed_below_per_s),
            (2, NonZeroUsize::new(1), Some(95.0))
        );
        assert_eq!((confirmed.accepted_per_s, confirmed.spread), (100.0, 0.02));
        assert_eq!(confirmed.met_above_per_s, Some(105.0));
        assert_eq!(super::confirmed(&probes, rate(100.0), Some(rate(105.0))).expect("some").met_above_per_s, None);
        assert_eq!(super::confirmed(&probes, rate(7.0), None), None);
    }
}
