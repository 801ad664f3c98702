//! The desk of a shard: takes up each arrival when it is due, sends it on a free line, and notes what became of it.
//!
//! It owns no socket and reads no clock, so that it can be tested to the nanosecond; [`super::engine`] gives it both. An
//! arrival waits for a free line as long as it has patience, and its latency counts from when it was due: a target that
//! stops answering is seen by everyone who would have come meanwhile.

mod errands;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::answer::Reply;
use super::fate::{Breaches, Fate, Reader};
use super::mix::{Dealer, Kind};
use super::pace::{Arrivals, STEP_NS};
use super::request::{Filling, Forms};
use super::roster::{Part, Planned, Roster};
use super::tally::{Breach, Second, Tally, Unopened};
use super::users::{Code, Papers, Users};
use errands::Errands;
pub use errands::{Sent, Sort};

/// A connection, by number.
pub type Line = usize;

/// The connections of a shard, and its clock.
pub trait Lines {
    /// Nanoseconds from the start of the run.
    fn now(&mut self) -> u64;
    /// A free line; none while all are taken or being opened.
    fn take(&mut self) -> Option<Line>;
    /// So many arrivals wait for a line: opens some, as far as there may be more.
    fn want(&mut self, waiting: usize);
    /// Sends a request on a line that was taken.
    fn send(&mut self, line: Line, bytes: &[u8]);
    /// Gives a line back; one that cannot be used again is closed.
    fn give_back(&mut self, line: Line, reusable: bool);
}

/// What does not change during a run.
#[derive(Debug, Clone)]
pub struct Brief {
    /// Everyone.
    pub users: Users,
    /// The requests.
    pub forms: Forms,
    /// How long an arrival waits for a line, and then for its answer, in nanoseconds.
    pub patience_ns: u64,
    /// The time of day at the start, in nanoseconds since the Unix epoch.
    pub epoch_ns: u64,
    /// The number before that of its first request.
    pub numbers_from: u64,
    /// How many steps around the present one a target might accept: wrong codes are none of these.
    pub reach: u32,
    /// What is sent as errands of several requests, where anything is.
    pub errands: Option<Arc<Sent>>,
}

/// An arrival that waits for a line.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    due: u64,
    kind: Kind,
    leg: Leg,
    since: u64,
}

/// How far it is.
#[derive(Debug, Clone, Copy)]
enum Leg {
    /// Nothing has been sent.
    First,
    /// The second half of an exchange, by this user.
    Answer(u32),
    /// The next request of an errand.
    Errand(errands::Number),
}

/// A request that waits for its answer.
#[derive(Debug, Clone, Copy)]
struct Flight {
    due: u64,
    sent: u64,
    kind: Kind,
    part: Part,
    /// Whether it is the first half of an exchange.
    first_half: bool,
    /// The errand that it is part of.
    errand: Option<errands::Number>,
    serial: u64,
}

/// The desk of a shard.
#[derive(Debug)]
pub struct Desk {
    brief: Brief,
    arrivals: Arrivals,
    dealer: Dealer,
    roster: Roster,
    reader: Reader,
    breaches: Breaches,
    tally: Tally,
    waiting: VecDeque<Waiting>,
    /// Those who ask again later, by when.
    resting: BTreeMap<(u64, u64), Waiting>,
    errands: Errands,
    flights: Vec<Option<Flight>>,
    in_flight: usize,
    deadlines: VecDeque<(u64, Line, u64)>,
    seconds: Vec<Second>,
    serial: u64,
    stopped: bool,
    out: Vec<u8>,
    scratch: Vec<u8>,
}

impl Desk {
    /// A desk before its first arrival.
    pub fn new(brief: Brief, arrivals: Arrivals, dealer: Dealer, roster: Roster, reader: Reader, tally: Tally) -> Self {
        let errands = Errands::new(brief.errands.as_deref());
        let numbers_from = brief.numbers_from;
        Desk {
            brief,
            errands,
            resting: BTreeMap::new(),
            arrivals,
            dealer,
            roster,
            reader,
            breaches: Breaches::of_judge(),
            tally,
            waiting: VecDeque::new(),
            flights: Vec::new(),
            in_flight: 0,
            deadlines: VecDeque::new(),
            seconds: Vec::new(),
            serial: numbers_from,
            stopped: false,
            out: Vec::with_capacity(4_096),
            scratch: Vec::with_capacity(4_096),
        }
    }

    /// When there is something to do next, if no line has news before. None once all is done.
    pub fn next_due(&mut self) -> Option<u64> {
        let arrival = if self.stopped { None } else { self.arrivals.peek() };
        let deadline = self.deadlines.front().map(|(deadline, _, _)| *deadline);
        let given_up = self.waiting.front().map(|waiting| waiting.since + self.brief.patience_ns);
        let rested = self.resting.first_key_value().map(|((due, _), _)| *due);
        let next = [arrival, deadline, given_up, rested].into_iter().flatten().min()?;
        Some(next.min(self.tally.turns_at()))
    }

    /// When the next arrival is due: what must not be late.
    pub fn next_arrival(&mut self) -> Option<u64> {
        if self.stopped { None } else { self.arrivals.peek() }
    }

    /// Whether nothing is due and nothing is outstanding.
    pub fn is_done(&mut self) -> bool {
        self.next_arrival().is_none() && self.waiting.is_empty() && self.in_flight == 0 && self.resting.is_empty()
    }

    /// Whether an arrival waits for a line.
    pub fn is_waited_for(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether there are no more arrivals from now on.
    pub fn is_over(&mut self, now: u64) -> bool {
        self.stopped || self.arrivals.are_over(now)
    }

    /// Takes up no further arrivals.
    pub fn stop(&mut self) {
        self.stopped = true;
    }

    /// Seconds that have ended since this was last asked.
    pub fn take_seconds(&mut self) -> std::vec::Drain<'_, Second> {
        self.seconds.drain(..)
    }

    /// Counts how long connections took to be opened, added.
    pub fn opening_took(&mut self, now: u64, ns: u64) {
        self.tally.opening_took(now, ns);
    }

    /// Counts a connection that was opened.
    pub fn connected(&mut self, now: u64) {
        self.tally.connected(now);
    }

    /// Counts a connection that could not be.
    pub fn not_connected(&mut self, why: Unopened, now: u64) {
        self.tally.not_connected(why, now);
    }

    /// Takes up an arrival that has become due meanwhile.
    pub fn keep_up(&mut self, lines: &mut impl Lines) {
        if let Some(due) = self.next_arrival() {
            let now = lines.now();
            if due <= now {
                self.work(now, lines);
            }
        }
    }

    /// Does what is due at this moment.
    pub fn work(&mut self, mut now: u64, lines: &mut impl Lines) {
        self.wake(now);
        while !self.stopped && self.arrivals.peek().is_some_and(|due| due <= now) {
            let Some(due) = self.arrivals.next() else { break };
            let kind = self.dealer.deal();
            self.tally.taken_up(due, now);
            let waiting = Waiting { due, kind, leg: Leg::First, since: now };
            // Nobody is served before those who came before.
            match if self.waiting.is_empty() { lines.take() } else { None } {
                Some(line) => self.send(waiting, line, now, lines),
                None => {
                    self.tally.waits(due);
                    self.waiting.push_back(waiting);
                    lines.want(self.waiting.len());
                }
            }
            // Sending has taken its time, and who has become due meanwhile is served at once.
            if self.arrivals.peek().is_some() {
                now = lines.now();
                self.turn(now);
            }
        }
        self.give_up(now, lines);
        self.turn(now);
    }

    /// Serves those who wait, as far as lines are free.
    pub fn serve_waiting(&mut self, lines: &mut impl Lines) {
        while !self.waiting.is_empty() {
            let Some(line) = lines.take() else {
                lines.want(self.waiting.len());
                return;
            };
            if let Some(waiting) = self.waiting.pop_front() {
                let now = lines.now();
                self.send(waiting, line, now, lines);
            }
        }
    }

    /// A line has brought a whole answer.
    pub fn answered(&mut self, line: Line, reply: &Reply<'_>, lines: &mut impl Lines) {
        let now = lines.now();
        let Some(flight) = self.land(line, now) else {
            // An answer that nobody waits for: what follows it cannot be told apart.
            lines.give_back(line, false);
            return;
        };
        if let Some(errand) = flight.errand {
            let next = self.errand_answered(errand, reply, now);
            lines.give_back(line, reply.reusable);
            self.errand_goes_on(errand, flight, next, (reply.status, now));
            self.serve_waiting(lines);
            return;
        }
        let fate = self.reader.read(reply);
        lines.give_back(line, reply.reusable);
        if flight.first_half && fate == Fate::Challenged {
            let Flight { due, kind, part, .. } = flight;
            self.waiting.push_front(Waiting { due, kind, leg: Leg::Answer(part.user), since: now });
        } else if flight.first_half && fate == Fate::Accepted {
            // It went through without the proof that it was to be asked for.
            self.end(flight, Kind::ChallengeOnly, fate, reply.status, now);
        } else {
            self.end(flight, flight.kind, fate, reply.status, now);
        }
        self.serve_waiting(lines);
    }

    /// A line has ended without a whole answer. It has been given back already.
    pub fn lost(&mut self, line: Line, fate: Fate, lines: &mut impl Lines) {
        let now = lines.now();
        if let Some(flight) = self.land(line, now) {
            self.end(flight, flight.kind, fate, 0, now);
        }
        self.serve_waiting(lines);
    }

    /// Gives up all that is outstanding, and ends the last second. What was counted, and who has spent what.
    pub fn close(mut self, lines: &mut impl Lines) -> (Tally, Roster, Vec<Second>) {
        let now = lines.now();
        for line in 0..self.flights.len() {
            if let Some(flight) = self.land(line, now) {
                self.end(flight, flight.kind, Fate::TimedOut, 0, now);
            }
        }
        while let Some(waiting) = self.waiting.pop_front() {
            self.never_sent(waiting, Fate::Unsent, now);
        }
        while let Some((_, waiting)) = self.resting.pop_first() {
            self.never_sent(waiting, Fate::TimedOut, now);
        }
        self.turn(now);
        self.seconds.push(self.tally.turn());
        (self.tally, self.roster, self.seconds)
    }

    fn turn(&mut self, now: u64) {
        while now >= self.tally.turns_at() {
            self.seconds.push(self.tally.turn());
        }
    }

    fn step(&self, now: u64) -> u32 {
        u32::try_from((self.brief.epoch_ns + now) / STEP_NS).unwrap_or(u32::MAX)
    }

    /// Sends an arrival on a line. Its code is that of this very moment.
    fn send(&mut self, waiting: Waiting, line: Line, now: u64, lines: &mut impl Lines) {
        if now > waiting.since {
            self.tally.waited(waiting.due, now - waiting.since);
        }
        let step = self.step(now);
        let cast = match waiting.leg {
            Leg::First => self.roster.cast(waiting.kind, step),
            Leg::Answer(user) => Some((waiting.kind, self.roster.answer(user, step))),
            Leg::Errand(errand) => return self.send_errand(errand, waiting, line, now, lines),
        };
        let Some((kind, part)) = cast else {
            lines.give_back(line, true);
            self.never_sent(waiting, Fate::Starved, now);
            return;
        };
        if self.brief.errands.as_ref().is_some_and(|sent| sent.takes(kind)) {
            return self.set_out(Waiting { kind, ..waiting }, part, line, now, lines);
        }
        self.serial += 1;
        self.write(part);
        let first_half = kind == Kind::Exchange && matches!(waiting.leg, Leg::First);
        let flight = Flight { due: waiting.due, sent: now, kind, part, first_half, errand: None, serial: self.serial };
        self.take_off(flight, line, now, lines);
    }

    /// Puts what has been written on a line.
    fn take_off(&mut self, flight: Flight, line: Line, now: u64, lines: &mut impl Lines) {
        lines.send(line, &self.out);
        self.tally.requested(flight.due);
        if self.flights.len() <= line {
            self.flights.resize(line + 1, None);
        }
        self.flights[line] = Some(flight);
        self.in_flight += 1;
        self.deadlines.push_back((now + self.brief.patience_ns, line, self.serial));
    }

    fn write(&mut self, part: Part) {
        let Brief { users, forms, reach, .. } = &self.brief;
        let papers = users.papers(part.user);
        let mut recovery = Vec::new();
        let code = planned(users, &papers, part, *reach, &mut recovery);
        let proof = code.as_ref().map_or(recovery.as_slice(), |code| code.as_slice());
        let form = if part.proof == Planned::Nothing { &forms.bare } else { &forms.proven };
        let filling = Filling { users, papers: &papers, proof, number: self.serial };
        self.out.clear();
        form.write(&filling, &mut self.scratch, &mut self.out);
    }

    fn land(&mut self, line: Line, now: u64) -> Option<Flight> {
        let flight = self.flights.get_mut(line)?.take()?;
        self.in_flight -= 1;
        self.tally.held(flight.due, now.saturating_sub(flight.sent));
        Some(flight)
    }

    fn never_sent(&mut self, waiting: Waiting, fate: Fate, now: u64) {
        let errand = match waiting.leg {
            Leg::Errand(errand) => self.errands.end(errand),
            Leg::First | Leg::Answer(_) => None,
        };
        let sent = errand.and_then(|errand| errand.sent);
        if fate == Fate::Unsent {
            self.tally.waited(waiting.due, now.saturating_sub(waiting.since));
        }
        // Whoever stopped half-way has sent something.
        let fate = if sent.is_some() && fate == Fate::Unsent { Fate::TimedOut } else { fate };
        self.tally.ended(waiting.kind, fate, waiting.due, sent, now);
        self.arrivals.ended(sent.is_some(), now);
    }

    fn end(&mut self, flight: Flight, kind: Kind, fate: Fate, status: u16, now: u64) {
        let Flight { due, mut sent, part, .. } = flight;
        if let Some(errand) = flight.errand.and_then(|errand| self.errands.end(errand)) {
            sent = errand.sent.unwrap_or(sent);
        }
        self.tally.ended(kind, fate, due, Some(sent), now);
        self.arrivals.ended(true, now);
        match (fate, part.proof) {
            (Fate::Accepted, Planned::Code(step)) if kind.spends() => self.roster.note_accepted(part.user, step),
            (Fate::Challenged | Fate::Misshapen | Fate::Refused, Planned::Code(step))
                if kind.spends() && self.step(now) > step =>
            {
                self.tally.across_edge(due);
            }
            _ => {}
        }
        if self.breaches.hold(kind, fate) {
            self.tally.breach(Breach { kind, user: part.user, due_ns: due, status });
        }
    }

    fn give_up(&mut self, now: u64, lines: &mut impl Lines) {
        while let Some((_, line, serial)) = self.deadlines.front().copied().filter(|(deadline, ..)| *deadline <= now) {
            self.deadlines.pop_front();
            let still = self.flights.get(line).copied().flatten().is_some_and(|flight| flight.serial == serial);
            if still && let Some(flight) = self.land(line, now) {
                lines.give_back(line, false);
                self.end(flight, flight.kind, Fate::TimedOut, 0, now);
            }
        }
        // Deadlines of answers that have come are only in the way.
        while self.deadlines.front().is_some_and(|(_, line, serial)| {
            self.flights.get(*line).copied().flatten().is_none_or(|flight| flight.serial != *serial)
        }) {
            self.deadlines.pop_front();
        }
        while self.waiting.front().is_some_and(|waiting| waiting.since + self.brief.patience_ns <= now) {
            if let Some(waiting) = self.waiting.pop_front() {
                self.never_sent(waiting, Fate::Unsent, now);
            }
        }
        self.serve_waiting(lines);
    }
}

/// The code that was planned; a recovery code is written into `recovery`.
fn planned(users: &Users, papers: &Papers, part: Part, reach: u32, recovery: &mut Vec<u8>) -> Option<Code> {
    match part.proof {
        Planned::Nothing => None,
        Planned::Code(step) => Some(papers.code(step)),
        Planned::WrongIn(step) => Some(papers.wrong_code(step, reach)),
        Planned::ExpiredBy(step) => Some(papers.expired_code(step, reach)),
        Planned::Recovery(index) => {
            users.write_recovery(part.user, index, recovery);
            None
        }
    }
}
