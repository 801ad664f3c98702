//! Makes the document of a run out of what it counted.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::document::{
    BreachNote, Breaches, ClientsNote, ConnectionsNote, CountedNote, GeneratorNote, LOAD, LoadResult, Model,
    ObjectiveNote, OutcomeCount, Percentile, ProfileNote, SecondNote, TargetNote, TimesNote, Totals, UsersNote,
    Verdict,
};
use super::engine::LONG_ENOUGH;
use super::fate::Fate;
use super::histogram::Times;
use super::journey::Walked;
use super::limit::{self, Limit, Reason};
use super::mix::{Kind, Mix};
use super::objective::{Standing, Timing};
use super::profile::Validity;
use super::run::{Outcome, Plan};
use super::session::Session;
use super::tally::{Sums, Unopened};
use super::thread::Priority;
use crate::quantity::Share;

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

/// A sender by schedule that is ready and not let run for a larger share of the time reads answers too late.
const MOST_HELD_UP: f64 = 0.5;

/// Why a run says nothing about the target: this program, or its users, were the limit.
pub fn invalid(valid: &Validity, closed: bool, outcome: &Outcome) -> Vec<Reason> {
    let mut why = Vec::new();
    let mut sender = |words| why.push(Reason { limit: Limit::Sender, words });
    let whole = &outcome.whole;
    let limit = valid.lateness_p99;
    if let Some(late) = whole.timed.of(Timing::Lateness).quantile(0.99).filter(|late| *late > limit.0) {
        let late = crate::quantity::Span(late);
        sender(format!("arrivals were taken up late: p99 {late}, allowed {limit}; this machine was the limit"));
    }
    // Clients who wait hide a sender that cannot keep up: it is late to nothing but its own turns.
    if closed && outcome.busy > valid.busy.get() {
        let (busy, allowed) = (Share::of(outcome.busy), valid.busy);
        sender(format!("a sending thread was busy {busy} of the time, allowed {allowed}; this program was the limit"));
    }
    // Arrivals are taken up before answers are read, so that a sender without time left is not late: its answers wait.
    let held_up = outcome.held_up.unwrap_or_default();
    let is_spent =
        (outcome.busy + held_up).min(1.0) > valid.busy.get() || held_up > MOST_HELD_UP.max(valid.held_up.get());
    if !closed && is_spent && outcome.took >= LONG_ENOUGH {
        let (busy, held_up, allowed) = (Share::of(outcome.busy), Share::of(held_up), valid.busy);
        sender(format!(
            "a sending thread was busy {busy} of the time and ready but not let run {held_up}; together {allowed} is allowed, \
             and half the time of the second; this machine was the limit"
        ));
    }
    // Neither is one that wakes up late late to anything: clients come when their answer has been read.
    if let Some(held_up) = outcome.held_up.filter(|held_up| closed && *held_up > valid.held_up.get()) {
        let (held_up, allowed) = (Share::of(held_up), valid.held_up);
        sender(format!(
            "a sending thread was ready and not let run {held_up} of the time, allowed {allowed}; this machine was the limit"
        ));
    }
    for (why_not, message) in [
        (Unopened::NoPort, "no local port was left (net.ipv4.ip_local_port_range)"),
        (Unopened::NoFile, "no file descriptor was left (`ulimit -n`)"),
    ] {
        let count = whole.unopened(why_not);
        if count > 0 {
            sender(format!("{count} connections could not be opened, for {message}; this machine was the limit"));
        }
    }
    let starved = whole.counts.sum(|_, fate| fate == Fate::Starved);
    if whole.planned > 0 && (starved as f64) > (1.0 - valid.cast.get()) * whole.planned as f64 {
        let words = format!(
            "{starved} of {} arrivals found no user with an unspent code; the pool was the limit",
            whole.planned
        );
        why.push(Reason { limit: Limit::Users, words });
    }
    why
}

/// Makes the document of a run.
pub fn of_run(session: &Session, outcome: &Outcome, seconds: Vec<SecondNote>, aborted: Option<String>) -> LoadResult {
    let Session { profile, plan, needed, .. } = session;
    let whole = &outcome.whole;
    let started = Timestamp::try_from(outcome.started).unwrap_or_default();
    // The last answer may have come before the end.
    let lasts = if outcome.complete { profile.pace.lasts() } else { outcome.took.min(profile.pace.lasts()) };
    let measured = lasts.saturating_sub(profile.warm_up).as_secs_f64().max(1e-9);
    let counted_by_target = session.counted().map(|counted| CountedNote {
        requests: counted.requests,
        accepted_proofs: counted.accepted_proofs,
        refused_proofs: counted.refused_proofs,
        bare_challenges: counted.bare_challenges,
        throttled: counted.throttled,
    });
    let closed = profile.pace.crowd.is_some();
    let mut invalid: Vec<String> =
        invalid(&profile.valid, closed, outcome).into_iter().map(|reason| reason.words).collect();
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
        format: LOAD.to_owned(),
        tool: format!("stepup {}", env!("CARGO_PKG_VERSION")),
        target: TargetNote { name: session.target.clone(), base: session.base.to_string() },
        profile: ProfileNote {
            name: profile.name.clone(),
            about: profile.about.clone(),
            action: profile.action.clone(),
            journey: profile.journey.as_ref().map(|journey| journey.acts().to_vec()).unwrap_or_default(),
            request: plan.forms.shown.clone(),
            mix: weights(&profile.mix),
            model: if closed { Model::Closed } else { Model::Open },
            clients: profile
                .pace
                .crowd
                .map(|crowd| ClientsNote { number: crowd.clients, think_s: crowd.think.as_secs_f64() }),
            lasts_s: profile.pace.lasts().as_secs_f64(),
            warm_up_s: profile.warm_up.as_secs_f64(),
            connections: profile.connections,
            connect: profile.connect,
            patience_s: profile.patience.as_secs_f64(),
            lateness_limit_us: us(profile.valid.lateness_p99.0),
        },
        seed: plan.seed,
        started,
        finished: started.checked_add(outcome.took).unwrap_or(started),
        complete: outcome.complete,
        aborted,
        invalid,
        verdict,
        unperformed: Vec::new(),
        generator: sender(plan, outcome),
        connections: Some(connections(session, lasts.saturating_sub(profile.warm_up), whole)),
        users: UsersNote {
            there: session.users,
            needed: *needed,
            sustain_per_s: session.users_sustain().get(),
            bear_per_s: session.users_bear().get(),
            prepared: session.prepared,
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
            connections_failed: whole.unopened.iter().sum(),
            connections_failed_by: Unopened::ALL
                .iter()
                .map(|why| (why.name().to_owned(), whole.unopened(*why)))
                .filter(|(_, count)| *count > 0)
                .collect(),
            planned_per_s: whole.planned as f64 / measured,
            sent_per_s: sent as f64 / measured,
            accepted_per_s: accepted_each(&seconds, whole_seconds(profile.warm_up, lasts))
                .unwrap_or(accepted as f64 / measured),
        },
        outcomes: outcomes(whole),
        breaches: Breaches { count: outcome.breaches, evidence: evidence(session, outcome) },
        objectives,
        times: Timing::ALL
            .iter()
            .filter_map(|timing| Some((timing.name().to_owned(), TimesNote::of(whole.timed.of(*timing))?)))
            .collect(),
        seconds,
        counted_by_target,
        goose: None,
    }
}

/// Makes the document of a journey that was walked.
pub fn of_journey(session: &Session, walked: Walked, seconds: Vec<SecondNote>, aborted: Option<String>) -> LoadResult {
    let Walked { outcome, goose, unperformed, .. } = walked;
    let mut result = of_run(session, &outcome, seconds, aborted);
    let mistakes = goose.mistakes.iter().map(|mistake| format!("an act could not be performed: {mistake}"));
    result.invalid.extend(mistakes);
    let aborted = result.aborted.as_deref();
    result.verdict = match verdict(&outcome, &result.invalid, aborted, &result.objectives) {
        // What was never tried has not held.
        Verdict::Held if !unperformed.is_empty() => Verdict::NoData,
        verdict => verdict,
    };
    result.unperformed = unperformed;
    (result.goose, result.connections) = (Some(goose), None);
    result
}

fn connections(session: &Session, lasted: Duration, whole: &Sums) -> ConnectionsNote {
    let number = session.connections();
    ConnectionsNote {
        number,
        in_use: limit::in_use(number, lasted, whole).min(1.0),
        held_mean_us: whole.held_mean().map(us),
        waited_mean_us: whole.waited_mean().map(us),
        short: limit::is_short_of_connections(number, lasted, whole),
    }
}

/// How many were accepted in a second of those that lie within what is measured: what is answered later, out of a queue
/// that is worked off when nobody comes any more, was not borne. None where no whole second was.
pub fn accepted_each(seconds: &[SecondNote], measured: std::ops::Range<u64>) -> Option<f64> {
    let within = seconds.iter().filter(|second| measured.contains(&second.at));
    let long = measured.end.saturating_sub(measured.start);
    (long > 0).then(|| within.map(|second| second.accepted).sum::<u64>() as f64 / long as f64)
}

/// The seconds that lie within what is measured from their beginning to their end.
pub fn whole_seconds(warm_up: Duration, lasts: Duration) -> std::ops::Range<u64> {
    warm_up.as_secs() + u64::from(warm_up.subsec_nanos() > 0)..lasts.as_secs()
}

/// What a mix is made of.
pub fn weights(mix: &Mix) -> BTreeMap<String, u32> {
    let weights = Kind::ALL.iter().map(|kind| (kind.name().to_owned(), mix.weight(*kind)));
    weights.filter(|(_, weight)| *weight > 0).collect()
}

fn outcomes(whole: &Sums) -> Vec<OutcomeCount> {
    let pairs = Kind::ALL.iter().flat_map(|kind| Fate::ALL.iter().map(move |fate| (*kind, *fate)));
    pairs
        .map(|(kind, fate)| OutcomeCount { kind, fate, count: whole.counts.of(kind, fate), verdict: fate.judged(kind) })
        .filter(|outcome| outcome.count > 0)
        .collect()
}

/// Some of what was let through and must not have been.
pub fn evidence(session: &Session, outcome: &Outcome) -> Vec<BreachNote> {
    let note = |breach: &super::tally::Breach| BreachNote {
        kind: breach.kind,
        verdict: Fate::Accepted.judged(breach.kind),
        user: session.plan.users.name(breach.user),
        at_s: breach.due_ns as f64 / 1e9,
        status: breach.status,
    };
    outcome.evidence.iter().take(20).map(note).collect()
}

/// Whether nothing that must succeed did, though it was answered: of such a target nothing is known.
pub fn accepts_no_proof(whole: &Sums) -> bool {
    let must_succeed = |wanted: fn(Fate) -> bool| whole.counts.sum(|kind, fate| kind.must_succeed() && wanted(fate));
    must_succeed(Fate::is_answer) > 0 && must_succeed(|fate| fate == Fate::Accepted) == 0
}

fn verdict(outcome: &Outcome, invalid: &[String], aborted: Option<&str>, objectives: &[ObjectiveNote]) -> Verdict {
    let counts = &outcome.whole.counts;
    let (ended, answered) = (counts.sum(|_, _| true), counts.sum(|_, fate| fate.is_answer()));
    let any = |standing| objectives.iter().any(|note| note.standing == standing);
    if outcome.breaches > 0 {
        Verdict::Breached
    } else if aborted.is_none() && !outcome.complete {
        Verdict::Incomplete
    } else if !invalid.is_empty() {
        // What ended an invalid run may have been what made it invalid.
        Verdict::Invalid
    } else if ended == 0 {
        // Nobody came, or whoever came had not begun.
        Verdict::NoData
    } else if answered == 0 {
        Verdict::Unreachable
    } else if aborted.is_some() || any(Standing::Missed) {
        Verdict::Missed
    } else if any(Standing::NoData) || accepts_no_proof(&outcome.whole) {
        Verdict::NoData
    } else {
        Verdict::Held
    }
}

/// What is to send.
pub fn generator(plan: &Plan) -> GeneratorNote {
    GeneratorNote {
        threads: plan.cores.len(),
        cores: plan.cores.iter().copied().flatten().collect(),
        priority: Priority::RealTime,
        busy: 0.0,
        held_up: None,
        load_average: None,
    }
}

/// Takes in what sent in a run.
pub fn add_sender(generator: &mut GeneratorNote, outcome: &Outcome) {
    generator.priority = generator.priority.min(outcome.priority);
    generator.busy = generator.busy.max(outcome.busy);
    generator.held_up = match (generator.held_up, outcome.held_up) {
        (Some(one), Some(other)) => Some(one.max(other)),
        (one, other) => one.or(other),
    };
    generator.load_average = load_average();
}

fn sender(plan: &Plan, outcome: &Outcome) -> GeneratorNote {
    let mut generator = generator(plan);
    add_sender(&mut generator, outcome);
    generator
}

fn load_average() -> Option<f64> {
    std::fs::read_to_string("/proc/loadavg").ok()?.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(busy: f64, held_up: f64, took: Duration) -> Outcome {
        Outcome {
            started: std::time::SystemTime::UNIX_EPOCH,
            took,
            whole: Sums::of_run(),
            requests: 0,
            breaches: 0,
            evidence: Vec::new(),
            rosters: Vec::new(),
            busy,
            held_up: Some(held_up),
            priority: Priority::Normal,
            complete: true,
        }
    }

    #[test]
    fn a_sender_by_schedule_that_has_no_time_left_is_the_limit() {
        let valid = crate::load::profile::find("verify").expect("the profile").valid;
        let long = Duration::from_secs(8);
        let limits = |outcome: &Outcome| {
            invalid(&valid, false, outcome).into_iter().map(|reason| reason.limit).collect::<Vec<_>>()
        };
        // Three loops that never sleep on its core.
        assert_eq!(limits(&outcome(0.22, 0.746, long)), [Limit::Sender]);
        assert_eq!(limits(&outcome(0.1, 0.6, long)), [Limit::Sender]);
        assert_eq!(limits(&outcome(0.52, 0.004, long)), []);
        assert_eq!(limits(&outcome(0.99, 0.01, Duration::from_millis(2))), []);
    }

    #[test]
    fn a_run_in_which_nobody_came_says_nothing_of_who_answers() {
        let mut outcome = outcome(0.1, 0.0, Duration::from_secs(8));
        assert_eq!(verdict(&outcome, &[], None, &[]), Verdict::NoData);
        let mut tally = super::super::tally::Tally::new(0);
        tally.ended(Kind::Right, Fate::TimedOut, 0, Some(0), 1);
        outcome.whole = tally.whole;
        assert_eq!(verdict(&outcome, &[], None, &[]), Verdict::Unreachable);
    }

    #[test]
    fn what_is_answered_after_the_end_was_not_borne() {
        let sums = Sums::of_run();
        let second = |at, accepted| SecondNote { accepted, ..SecondNote::of(at, &sums, Duration::from_secs(1)) };
        let seconds = [second(0, 9), second(1, 8_000), second(2, 8_100), second(3, 7_000), second(4, 300)];
        let each = |warm_up, lasts| {
            accepted_each(&seconds, whole_seconds(Duration::from_millis(warm_up), Duration::from_millis(lasts)))
        };
        assert_eq!(each(1_000, 3_000), Some(8_050.0));
        assert_eq!(each(500, 3_900), Some(8_050.0));
        assert_eq!(each(500, 1_900), None);
    }
}
