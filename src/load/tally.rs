//! What a shard counts: what became of every arrival, and how long it took, for the whole run and for each second.
//!
//! One shard writes it and no other looks on. Once a second it hands a [`Second`] over; at the end, the [`Tally`].

use std::time::Duration;

use super::fate::Fate;
use super::histogram::Times;
use super::mix::Kind;
use super::objective::Timing;

const KINDS: usize = Kind::ALL.len();
const FATES: usize = Fate::ALL.len();

/// How many arrivals of each kind became what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts([[u64; FATES]; KINDS]);

impl Counts {
    fn add(&mut self, kind: Kind, fate: Fate) {
        self.0[kind as usize][fate as usize] += 1;
    }

    /// How many of a kind became this.
    pub fn of(&self, kind: Kind, fate: Fate) -> u64 {
        self.0[kind as usize][fate as usize]
    }

    /// How many for which something holds.
    pub fn sum(&self, holds: impl Fn(Kind, Fate) -> bool) -> u64 {
        Kind::ALL
            .iter()
            .flat_map(|kind| Fate::ALL.iter().map(move |fate| (*kind, *fate)))
            .filter(|(kind, fate)| holds(*kind, *fate))
            .map(|(kind, fate)| self.of(kind, fate))
            .sum()
    }

    fn merge(&mut self, other: &Counts) {
        for (row, other) in self.0.iter_mut().zip(&other.0) {
            for (count, other) in row.iter_mut().zip(other) {
                *count += other;
            }
        }
    }
}

/// The times of everything that is timed.
#[derive(Debug, Clone)]
pub struct Timed {
    times: [Times; Timing::ALL.len()],
}

impl Timed {
    fn new(times: impl Fn() -> Times) -> Self {
        Timed { times: std::array::from_fn(|_| times()) }
    }

    /// The times of one thing.
    pub fn of(&self, timing: Timing) -> &Times {
        &self.times[timing as usize]
    }

    fn record(&mut self, timing: Timing, ns: u64) {
        self.times[timing as usize].record(ns);
    }

    fn merge(&mut self, other: &Timed) {
        for (times, other) in self.times.iter_mut().zip(&other.times) {
            times.merge(other);
        }
    }
}

/// Why a connection could not be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unopened {
    /// The target refused it, broke it off, or could not agree on keys.
    ByTarget,
    /// This machine had no local port left for one more.
    NoPort,
    /// This process, or this machine, had no file descriptor left for one more.
    NoFile,
}

impl Unopened {
    /// All of them.
    pub const ALL: [Unopened; 3] = [Unopened::ByTarget, Unopened::NoPort, Unopened::NoFile];

    /// Which it is.
    pub fn of(error: &std::io::Error) -> Self {
        use rustix::io::Errno;
        match Errno::from_io_error(error) {
            Some(Errno::ADDRNOTAVAIL) => Unopened::NoPort,
            Some(Errno::MFILE | Errno::NFILE) => Unopened::NoFile,
            Some(_) | None => Unopened::ByTarget,
        }
    }

    /// Its name in results.
    pub fn name(self) -> &'static str {
        match self {
            Unopened::ByTarget => "by-target",
            Unopened::NoPort => "no-local-port",
            Unopened::NoFile => "no-file-descriptor",
        }
    }
}

/// What is counted.
#[derive(Debug, Clone)]
pub struct Sums {
    /// Arrivals that were due.
    pub planned: u64,
    /// Requests that were put on the wire; an exchange has two.
    pub requests: u64,
    /// Arrivals that waited for a connection; of a journey, acts whose user waited for his next code.
    pub waited: u64,
    /// How long was waited for connections, in nanoseconds, all added.
    pub waited_ns: u64,
    /// How long requests held their connections, in nanoseconds, all added.
    pub held_ns: u64,
    /// How long connections took to be opened, in nanoseconds, all added.
    pub opening_ns: u64,
    /// Valid codes that were refused, and were on their way across the edge of a step.
    pub across_edge: u64,
    /// Connections that were opened.
    pub opened: u64,
    /// Connections that could not be opened, by why.
    pub unopened: [u64; Unopened::ALL.len()],
    /// What became of the arrivals.
    pub counts: Counts,
    /// How long it took.
    pub timed: Timed,
}

impl Sums {
    fn new(times: impl Fn() -> Times) -> Self {
        let (planned, requests, waited, across_edge, opened) = (0, 0, 0, 0, 0);
        let (waited_ns, held_ns, opening_ns) = (0, 0, 0);
        let unopened = [0; Unopened::ALL.len()];
        Sums {
            planned,
            requests,
            waited,
            waited_ns,
            held_ns,
            opening_ns,
            across_edge,
            opened,
            unopened,
            counts: Counts::default(),
            timed: Timed::new(times),
        }
    }

    /// For a whole run.
    pub fn of_run() -> Self {
        Self::new(Times::of_run)
    }

    /// For a second.
    pub fn of_second() -> Self {
        Self::new(Times::of_second)
    }

    /// How long a request held its connection on average, that connections were opened included.
    pub fn held_mean(&self) -> Option<Duration> {
        let held_ns = self.held_ns.saturating_add(self.opening_ns);
        (self.requests > 0).then(|| Duration::from_nanos(held_ns / self.requests))
    }

    /// How long a request waited on average because there may be no more connections, those that waited in vain included;
    /// that one was being opened is the target's time.
    pub fn waited_mean(&self) -> Option<Duration> {
        let waited_ns = self.waited_ns.saturating_sub(self.opening_ns);
        let all = self.requests + self.counts.sum(|_, fate| fate == Fate::Unsent);
        (all > 0).then(|| Duration::from_nanos(waited_ns / all))
    }

    /// How many connections could not be opened for this reason.
    pub fn unopened(&self, why: Unopened) -> u64 {
        self.unopened[why as usize]
    }

    /// Takes in all that another of the same sort has.
    pub fn merge(&mut self, other: &Sums) {
        self.planned += other.planned;
        self.requests += other.requests;
        self.waited += other.waited;
        self.waited_ns = self.waited_ns.saturating_add(other.waited_ns);
        self.held_ns = self.held_ns.saturating_add(other.held_ns);
        self.opening_ns = self.opening_ns.saturating_add(other.opening_ns);
        self.across_edge += other.across_edge;
        self.opened += other.opened;
        for (count, other) in self.unopened.iter_mut().zip(other.unopened) {
            *count += other;
        }
        self.counts.merge(&other.counts);
        self.timed.merge(&other.timed);
    }
}

/// One second of one shard.
#[derive(Debug)]
pub struct Second {
    /// Which, from the start.
    pub at: u64,
    /// What was counted in it.
    pub sums: Box<Sums>,
}

/// An arrival that was let through and must not have been.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    /// What it carried.
    pub kind: Kind,
    /// Who sent it.
    pub user: u32,
    /// When it was due, in nanoseconds from the start.
    pub due_ns: u64,
    /// The status of the answer.
    pub status: u16,
}

/// How many breaches are kept as evidence. All are counted.
const KEPT: usize = 20;

/// What a shard counts.
#[derive(Debug)]
pub struct Tally {
    warm_up_ns: u64,
    /// Everything after the warm-up.
    pub whole: Sums,
    /// Everything, the warm-up included: what the target's own count must equal.
    pub requests: u64,
    /// Breaches, the warm-up included.
    pub breaches: u64,
    /// The first of them.
    pub evidence: Vec<Breach>,
    second: Box<Sums>,
    at: u64,
}

/// The end of a second, in nanoseconds from the start.
fn end_of(second: u64) -> u64 {
    (second + 1) * 1_000_000_000
}

impl Tally {
    /// Nothing counted yet. Arrivals that are due within the warm-up are left out of the whole.
    pub fn new(warm_up_ns: u64) -> Self {
        Tally {
            warm_up_ns,
            whole: Sums::of_run(),
            requests: 0,
            breaches: 0,
            evidence: Vec::new(),
            second: Box::new(Sums::of_second()),
            at: 0,
        }
    }

    /// When the present second ends.
    pub fn turns_at(&self) -> u64 {
        end_of(self.at)
    }

    /// Ends the present second and begins the next.
    pub fn turn(&mut self) -> Second {
        let sums = std::mem::replace(&mut self.second, Box::new(Sums::of_second()));
        let at = self.at;
        self.at += 1;
        Second { at, sums }
    }

    fn each(&mut self, due: u64, mut count: impl FnMut(&mut Sums)) {
        count(&mut self.second);
        if due >= self.warm_up_ns {
            count(&mut self.whole);
        }
    }

    /// An arrival has been taken up.
    pub fn taken_up(&mut self, due: u64, now: u64) {
        self.each(due, |sums| {
            sums.planned += 1;
            sums.timed.record(Timing::Lateness, now.saturating_sub(due));
        });
    }

    /// Somebody acts of his own accord, which nothing can be late for.
    pub fn begun(&mut self, now: u64) {
        self.each(now, |sums| sums.planned += 1);
    }

    /// It has to wait for a connection; or whoever acts of his own accord, for his next code.
    pub fn waits(&mut self, due: u64) {
        self.each(due, |sums| sums.waited += 1);
    }

    /// A connection was waited for.
    pub fn waited(&mut self, due: u64, ns: u64) {
        self.each(due, |sums| sums.waited_ns = sums.waited_ns.saturating_add(ns));
    }

    /// A request has held its connection.
    pub fn held(&mut self, due: u64, ns: u64) {
        self.each(due, |sums| sums.held_ns = sums.held_ns.saturating_add(ns));
    }

    /// Connections were opened in so long, added.
    pub fn opening_took(&mut self, now: u64, ns: u64) {
        self.each(now, |sums| sums.opening_ns = sums.opening_ns.saturating_add(ns));
    }

    /// A request has been put on the wire.
    pub fn requested(&mut self, due: u64) {
        self.requests += 1;
        self.each(due, |sums| sums.requests += 1);
    }

    /// A valid code was refused after the step that it was sent in.
    pub fn across_edge(&mut self, due: u64) {
        self.each(due, |sums| sums.across_edge += 1);
    }

    /// A connection has been opened.
    pub fn connected(&mut self, now: u64) {
        self.each(now, |sums| sums.opened += 1);
    }

    /// A connection could not be opened.
    pub fn not_connected(&mut self, why: Unopened, now: u64) {
        self.each(now, |sums| sums.unopened[why as usize] += 1);
    }

    /// It is known what became of an arrival.
    pub fn ended(&mut self, kind: Kind, fate: Fate, due: u64, sent: Option<u64>, now: u64) {
        let response = now.saturating_sub(due);
        self.each(due, |sums| {
            sums.counts.add(kind, fate);
            let must_succeed = kind.must_succeed();
            match fate {
                Fate::Accepted => {
                    sums.timed.record(Timing::ResponseTime, response);
                    if let Some(sent) = sent {
                        sums.timed.record(Timing::ServiceTime, now.saturating_sub(sent));
                    }
                }
                Fate::Challenged | Fate::Misshapen | Fate::Refused if !must_succeed => {
                    sums.timed.record(Timing::RefusalTime, response);
                }
                Fate::Throttled => sums.timed.record(Timing::ThrottledTime, response),
                // Who has given up has waited so long at the least. Leaving it out would hide the slowest.
                Fate::TimedOut | Fate::Unsent if must_succeed => sums.timed.record(Timing::ResponseTime, response),
                Fate::TimedOut | Fate::Unsent => sums.timed.record(Timing::RefusalTime, response),
                Fate::Challenged
                | Fate::Misshapen
                | Fate::Refused
                | Fate::NotImplemented
                | Fate::ServerError
                | Fate::Garbage
                | Fate::BrokenOff
                | Fate::Starved => {}
            }
        });
    }

    /// An arrival was let through and must not have been.
    pub fn breach(&mut self, breach: Breach) {
        self.breaches += 1;
        if self.evidence.len() < KEPT {
            self.evidence.push(breach);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waited_in_vain_counts_among_those_who_waited() {
        let mut tally = Tally::new(0);
        tally.requested(0);
        for due in 0..4 {
            tally.waited(due, 1_000);
        }
        for due in 1..4 {
            tally.ended(Kind::Right, Fate::Unsent, due, None, due);
        }
        assert_eq!(tally.whole.waited_mean(), Some(Duration::from_nanos(1_000)));
    }

    #[test]
    fn what_this_machine_lacks_is_told_from_what_the_target_does() {
        let of = |errno: rustix::io::Errno| Unopened::of(&errno.into());
        assert_eq!(of(rustix::io::Errno::ADDRNOTAVAIL), Unopened::NoPort);
        assert_eq!([of(rustix::io::Errno::MFILE), of(rustix::io::Errno::NFILE)], [Unopened::NoFile; 2]);
        assert_eq!([of(rustix::io::Errno::CONNREFUSED), of(rustix::io::Errno::CONNRESET)], [Unopened::ByTarget; 2]);
        assert_eq!(Unopened::of(&std::io::Error::other("a certificate")), Unopened::ByTarget);
    }
}
