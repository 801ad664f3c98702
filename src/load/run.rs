//! One run: a thread and an engine for each shard, and what they counted, put together.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::desk::{Brief, Desk, Sent};
use super::engine::{self, Done, Setup};
use super::fate::Reader;
use super::mix::{Dealer, Mix};
use super::objective::{Measured, Part, Quantile, Timing};
use super::pace::{Pace, STEP_NS, Shard};
use super::request::{Connect, Forms};
use super::roster::{Roster, Serves};
use super::sizing::Crew;
use super::stream::Tls;
use super::tally::{Breach, Second, Sums, Tally};
use super::thread::Priority;
use super::users::Users;
use crate::dialect::Dialect;
use crate::quantity::Share;

/// Connections are opened in this time, before the first arrival.
const AHEAD: Duration = Duration::from_millis(150);

/// Everything that a run is made of.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where the target listens.
    pub address: std::net::SocketAddr,
    /// How it speaks.
    pub dialect: Arc<Dialect>,
    /// The action, by its surface.
    pub surface: String,
    /// The requests of the action.
    pub forms: Forms,
    /// What is sent as errands of several requests, where anything is.
    pub errands: Option<Arc<Sent>>,
    /// How often a user serves.
    pub serves: Serves,
    /// The rate of arrivals.
    pub pace: Pace,
    /// What they carry.
    pub mix: Mix,
    /// Everyone.
    pub users: Users,
    /// Who does what.
    pub crew: Crew,
    /// How many connections there may be at once.
    pub connections: u32,
    /// Whether they are used again.
    pub connect: Connect,
    /// How TLS is spoken, where it is.
    pub tls: Option<Tls>,
    /// How long an arrival waits for a connection, and then for its answer.
    pub patience: Duration,
    /// What is left out of the whole.
    pub warm_up: Duration,
    /// The steps around the present one that the target accepts: before and after.
    pub skew: (u32, u32),
    /// What chance depends on.
    pub seed: u64,
    /// The step up to which codes have been spent before.
    pub spent_through: u32,
    /// The core of each shard; one shard for each.
    pub cores: Vec<Option<usize>>,
    /// Whether they are theirs alone, so that those who send may go before all others.
    pub own_cores: bool,
}

/// What a run counted.
#[derive(Debug)]
pub struct Outcome {
    /// When it began.
    pub started: SystemTime,
    /// How long it took.
    pub took: Duration,
    /// Everything after the warm-up.
    pub whole: Sums,
    /// All requests that were put on the wire, the warm-up included.
    pub requests: u64,
    /// Arrivals that were let through and must not have been, the warm-up included.
    pub breaches: u64,
    /// Some of them.
    pub evidence: Vec<Breach>,
    /// Who has spent which codes, for a run that follows.
    pub rosters: Vec<Roster>,
    /// The share of the time in which the busiest thread did not sleep.
    pub busy: f64,
    /// The share of the time in which a sending thread was ready to run and was not let: the largest.
    pub held_up: Option<f64>,
    /// The least priority that a sending thread had.
    pub priority: Priority,
    /// Whether it ran to its end.
    pub complete: bool,
}

impl Outcome {
    /// The last step in which a code was spent.
    pub fn spent_through(&self) -> u32 {
        self.rosters.iter().map(Roster::spent_through).max().unwrap_or_default()
    }
}

impl Measured for Sums {
    fn quantile(&self, quantile: Quantile, of: Timing) -> Option<Duration> {
        self.timed.of(of).quantile(quantile.get())
    }

    fn share(&self, part: Part) -> Option<Share> {
        // Whoever found no user is not the target's failure; too many make a run invalid.
        let starved = self.counts.sum(|_, fate| fate == super::fate::Fate::Starved);
        let ended = self.counts.sum(|_, _| true) - starved;
        let of = |some: u64, all: u64| (all > 0).then(|| Share::of(some as f64 / all as f64));
        match part {
            Part::Success => of(self.counts.sum(|kind, fate| fate.judged(kind) == crate::judge::Verdict::Exact), ended),
            Part::Achieved => {
                of(self.counts.sum(|_, fate| fate.was_sent()), self.planned.saturating_sub(starved).max(ended))
            }
            Part::Throttled => of(self.counts.sum(|_, fate| fate == super::fate::Fate::Throttled), ended),
        }
    }
}

/// Runs a plan to its end, or until `stop` is set. `watch` sees each second when all shards have ended it.
pub fn conduct(plan: &Plan, stop: &AtomicBool, watch: impl FnMut(u64, &Sums)) -> std::io::Result<Outcome> {
    conduct_with(plan, rosters(plan), stop, watch)
}

/// The users of each shard before the first run.
pub fn rosters(plan: &Plan) -> Vec<Roster> {
    let of = shards(plan);
    let roster = |index| Roster::new(&plan.crew, Shard { index, of }, plan.skew.0, plan.spent_through);
    (0..of).map(|index| roster(index).serving(plan.serves)).collect()
}

fn shards(plan: &Plan) -> u32 {
    u32::try_from(plan.cores.len()).unwrap_or(u32::MAX).max(1)
}

/// As [`conduct`], with users who may have spent codes in an earlier run of the same crew.
pub fn conduct_with(
    plan: &Plan,
    rosters: Vec<Roster>,
    stop: &AtomicBool,
    mut watch: impl FnMut(u64, &Sums),
) -> std::io::Result<Outcome> {
    let start = Instant::now() + AHEAD;
    let started = SystemTime::now() + AHEAD;
    let epoch_ns = started.duration_since(UNIX_EPOCH).unwrap_or_default();
    let epoch_ns = u64::try_from(epoch_ns.as_nanos()).unwrap_or(u64::MAX);
    let of = shards(plan);
    let (tell, told) = mpsc::channel();
    let dones = std::thread::scope(|scope| -> std::io::Result<Vec<Done>> {
        let mut threads = Vec::new();
        for ((index, core), roster) in (0..of).zip(&plan.cores).zip(rosters) {
            let shard = Shard { index, of };
            let desk = desk(plan, shard, roster, epoch_ns);
            let connections = shard.part(plan.connections.max(of)).len();
            let setup = Setup {
                address: plan.address,
                connections,
                connect: plan.connect,
                core: *core,
                wanted: wanted(plan),
                tls: plan.tls.clone(),
                start,
            };
            let tell = tell.clone();
            let thread = std::thread::Builder::new().name(format!("load-{index}"));
            threads.push(thread.spawn_scoped(scope, move || engine::run(setup, desk, stop, plan.patience, &tell))?);
        }
        drop(tell);
        gather(&told, of, &mut watch);
        let mut dones = Vec::new();
        for thread in threads {
            dones.push(thread.join().map_err(|_| std::io::Error::other("a load thread panicked"))??);
        }
        Ok(dones)
    })?;
    let mut outcome = Outcome {
        started,
        took: start.elapsed(),
        whole: Sums::of_run(),
        requests: 0,
        breaches: 0,
        evidence: Vec::new(),
        rosters: Vec::new(),
        busy: 0.0,
        held_up: None,
        priority: Priority::RealTime,
        complete: !stop.load(Ordering::Relaxed),
    };
    for Done { tally, roster, busy, held_up, priority } in dones {
        outcome.whole.merge(&tally.whole);
        outcome.requests += tally.requests;
        outcome.breaches += tally.breaches;
        outcome.evidence.extend(tally.evidence);
        outcome.rosters.push(roster);
        outcome.busy = outcome.busy.max(busy);
        outcome.held_up = match (outcome.held_up, held_up) {
            (Some(one), Some(other)) => Some(one.max(other)),
            (one, other) => one.or(other),
        };
        outcome.priority = outcome.priority.min(priority);
    }
    Ok(outcome)
}

/// Puts the seconds of all shards together and shows each in its turn.
fn gather(told: &mpsc::Receiver<Second>, shards: u32, watch: &mut impl FnMut(u64, &Sums)) {
    let mut open: std::collections::BTreeMap<u64, (u32, Box<Sums>)> = std::collections::BTreeMap::new();
    for Second { at, sums } in told {
        let (count, _) = open
            .entry(at)
            .and_modify(|(count, all)| {
                *count += 1;
                all.merge(&sums);
            })
            .or_insert((1, sums));
        if *count == shards
            && let Some((_, sums)) = open.remove(&at)
        {
            watch(at, &sums);
        }
    }
    // A shard that was done before the others has no part in the last seconds.
    for (at, (_, sums)) in open {
        watch(at, &sums);
    }
}

/// The priority that threads that send are to have. Clients who never think leave no time to anybody else, and the system
/// stops a thread that goes first and never sleeps now and then; one that is merely preferred it does not stop.
fn wanted(plan: &Plan) -> Priority {
    match plan.pace.crowd {
        _ if !plan.own_cores => Priority::Normal,
        Some(crowd) if crowd.think.is_zero() => Priority::Raised,
        Some(_) | None => Priority::RealTime,
    }
}

fn desk(plan: &Plan, shard: Shard, roster: Roster, epoch_ns: u64) -> Desk {
    let (behind, ahead) = plan.skew;
    let brief = Brief {
        users: plan.users.clone(),
        forms: plan.forms.clone(),
        patience_ns: u64::try_from(plan.patience.as_nanos()).unwrap_or(u64::MAX),
        epoch_ns,
        // What this run makes has names that neither another thread nor another run gives: nobody sends as often as once a
        // microsecond, and the threads of a machine are far fewer than 4,096.
        numbers_from: (u64::from(shard.index) << 52) + epoch_ns / 1_000,
        reach: behind.max(ahead) + 1,
        errands: plan.errands.clone(),
    };
    // Shards must not deal the same kinds at the same time.
    let seed = plan.seed.wrapping_add(u64::from(shard.index) << 40);
    let first_edge_ns = (STEP_NS - epoch_ns % STEP_NS) % STEP_NS;
    Desk::new(
        brief,
        plan.pace.arrivals(shard, plan.seed, first_edge_ns),
        Dealer::new(&plan.mix, seed),
        roster,
        Reader::new(Arc::clone(&plan.dialect), &plan.surface),
        Tally::new(u64::try_from(plan.warm_up.as_nanos()).unwrap_or(u64::MAX)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::fate::Fate;
    use crate::load::mix::Kind;

    #[test]
    fn whoever_found_no_user_counts_neither_for_nor_against_the_target() {
        let mut tally = Tally::new(0);
        for (due, fate) in
            [Fate::Accepted, Fate::Accepted, Fate::Refused, Fate::Unsent, Fate::Starved].into_iter().enumerate()
        {
            tally.taken_up(due as u64, due as u64);
            tally.ended(Kind::Right, fate, due as u64, None, due as u64);
        }
        assert_eq!(tally.whole.share(Part::Success), Some(Share::of(0.5)));
        assert_eq!(tally.whole.share(Part::Achieved), Some(Share::of(0.75)));
    }
}
