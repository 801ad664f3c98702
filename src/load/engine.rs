//! The engine of a shard: one thread, one epoll, its own connections, and nothing shared while it runs.
//!
//! No asynchronous runtime stands between the schedule and the socket: the thread sleeps in `epoll_pwait2` until the
//! next arrival is due, to the nanosecond, or until a connection has news. Requests are written whole and answers read
//! whole, most of them with one system call each.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use rustix::event::{Timespec, epoll};
use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto, sockopt};
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime};

use super::answer::{self, Read};
use super::desk::{Desk, Line, Lines};
use super::fate::Fate;
use super::request::Connect;
use super::roster::Roster;
use super::stream::{Stream, Tls};
use super::tally::{Second, Tally, Unopened};
use super::thread::{self, Priority};

/// How many connections report at once.
const EVENTS: usize = 128;
/// The longest sleep, so that a stop is heard soon.
const LOOK_UP_NS: u64 = 50_000_000;
/// What the epoll calls the timer that ends it: no connection has this number.
const LOOK_UP: u64 = u64::MAX;
/// After a connection that could not be opened: the first wait, doubled up to the longest.
const BACK_OFF_NS: u64 = 2_000_000;
const LONGEST_BACK_OFF_NS: u64 = 500_000_000;
/// Going to sleep and waking up takes as long as this: before it is worth while, the time is passed awake.
const NAP_NS: u64 = 4_000;
/// What one read takes in.
const BUFFER: usize = 64 * 1024;
/// What is watched for: each piece of news once, so that what has been read is not looked at again.
const NEWS: epoll::EventFlags = epoll::EventFlags::IN.union(epoll::EventFlags::RDHUP).union(epoll::EventFlags::ET);
/// The connection has ended, or ends once what is there has been read.
const ENDED: epoll::EventFlags = epoll::EventFlags::RDHUP.union(epoll::EventFlags::HUP).union(epoll::EventFlags::ERR);

/// How an engine is set up.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Where the target listens.
    pub address: SocketAddr,
    /// How many connections there may be at once.
    pub connections: usize,
    /// Whether they are used again.
    pub connect: Connect,
    /// The core to run on.
    pub core: Option<usize>,
    /// The priority that it is to have there.
    pub wanted: Priority,
    /// How TLS is spoken, where it is.
    pub tls: Option<Tls>,
    /// When the run begins.
    pub start: Instant,
}

/// What an engine has to say when it is done.
#[derive(Debug)]
pub struct Done {
    /// What was counted.
    pub tally: Tally,
    /// Who has spent which codes.
    pub roster: Roster,
    /// The share of the time in which the thread did not sleep.
    pub busy: f64,
    /// The share of the time in which it was ready to run and was not let; none where the system does not say.
    pub held_up: Option<f64>,
    /// The priority that it had.
    pub priority: Priority,
}

/// Runs a desk until it is done or is told to stop. It then waits for what is outstanding no longer than `drain`.
pub fn run(
    setup: Setup,
    mut desk: Desk,
    stop: &AtomicBool,
    drain: Duration,
    tell: &Sender<Second>,
) -> std::io::Result<Done> {
    let priority = thread::settle(setup.core, setup.wanted);
    let mut connections = Connections::new(setup)?;
    connections.open_all();
    let mut events = Vec::with_capacity(EVENTS);
    // Until the run begins, its clock stands still and nobody is served.
    while let Some(left) = connections.until_start() {
        connections.wait(&mut events, nanos(left))?;
        for event in &events {
            connections.heed(*event, &mut desk);
        }
    }
    let held_up_before = thread::held_up();
    let mut asleep_ns = 0;
    let mut until = u64::MAX;
    let mut offered: Option<Awake> = None;
    loop {
        let now = connections.now();
        if stop.load(Ordering::Relaxed) || desk.is_over(now) {
            desk.stop();
            until = until.min(now.saturating_add(nanos(drain)));
            // How busy it was while somebody came, and not while the last answers are waited for.
            if now >= nanos(LONG_ENOUGH) {
                offered.get_or_insert_with(|| Awake::until(now, asleep_ns, held_up_before));
            }
        }
        if desk.is_done() || now >= until {
            break;
        }
        desk.work(now, &mut connections);
        connections.report(&mut desk);
        for second in desk.take_seconds() {
            // Nobody listens once the run has been given up.
            let _ = tell.send(second);
        }
        let slept_at = connections.now();
        let attempt = if desk.is_waited_for() { connections.next_attempt() } else { u64::MAX };
        let wake = desk.next_due().unwrap_or(u64::MAX).min(until).min(attempt);
        let long = Some(wake.saturating_sub(slept_at)).filter(|long| *long > NAP_NS).unwrap_or_default();
        connections.wait(&mut events, long)?;
        asleep_ns += connections.now().saturating_sub(slept_at);
        if desk.is_waited_for() && connections.next_attempt() <= connections.now() {
            desk.serve_waiting(&mut connections);
        }
        for event in &events {
            connections.heed(*event, &mut desk);
            // The schedule comes first: no batch of answers makes an arrival late.
            desk.keep_up(&mut connections);
        }
    }
    let Awake { busy, held_up } = offered.unwrap_or_else(|| Awake::until(connections.now(), asleep_ns, held_up_before));
    let (tally, roster, seconds) = desk.close(&mut connections);
    for second in seconds {
        let _ = tell.send(second);
    }
    // Whoever has sent nothing was busy with nothing.
    let busy = if tally.requests == 0 { 0.0 } else { busy };
    Ok(Done { tally, roster, busy, held_up, priority })
}

/// Of a shorter time it is not known for which share of it a thread was awake.
pub const LONG_ENOUGH: Duration = Duration::from_secs(1);

/// For which shares of the time a thread did not sleep, and was ready to run and not let.
#[derive(Debug, Clone, Copy)]
struct Awake {
    busy: f64,
    held_up: Option<f64>,
}

impl Awake {
    /// From the start of the run until now.
    fn until(now: u64, asleep_ns: u64, held_up_before: Option<Duration>) -> Self {
        let whole = now.max(1) as f64;
        let held_up = thread::held_up().zip(held_up_before).map(|(after, before)| after.saturating_sub(before));
        Awake {
            busy: (1.0 - asleep_ns as f64 / whole).clamp(0.0, 1.0),
            held_up: held_up.map(|held_up| nanos(held_up) as f64 / whole),
        }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn timespec(ns: u64) -> Timespec {
    let part = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    Timespec { tv_sec: part(ns / 1_000_000_000), tv_nsec: part(ns % 1_000_000_000) }
}

/// A connection.
#[derive(Debug)]
struct Connection {
    stream: Stream,
    /// Which of all that ever were: news of an earlier one on the same line is not its own.
    serial: u32,
    state: State,
    /// When it began to be opened.
    since: u64,
    /// What of the request has not been written yet.
    unwritten: Vec<u8>,
    /// What of the answer has been read.
    read: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Being opened.
    Opening,
    /// Open, and agreeing on keys.
    Agreeing,
    /// Open, and nobody's.
    Free,
    /// Taken.
    Taken,
}

/// The connections of a shard.
struct Connections {
    setup: Setup,
    epoll: OwnedFd,
    /// Ends every sleep that is not timed by itself: a timer that runs by itself costs nothing for each sleep.
    look_up: OwnedFd,
    all: Vec<Option<Connection>>,
    /// Lines that are open and nobody's, the last given back first.
    free: Vec<Line>,
    /// Numbers without a connection.
    vacant: Vec<Line>,
    opening: usize,
    back_off_ns: u64,
    /// Before this no connection is tried.
    not_before: u64,
    opened: u64,
    /// How long they took, in nanoseconds, added.
    opening_ns: u64,
    unopened: Vec<Unopened>,
    serial: u32,
    buffer: Vec<u8>,
}

/// What the epoll calls a connection by.
fn label(line: Line, serial: u32) -> epoll::EventData {
    epoll::EventData::new_u64((u64::from(serial) << 32) | line as u64)
}

impl Connections {
    fn new(setup: Setup) -> std::io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let look_up = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        let every = timespec(LOOK_UP_NS);
        timerfd_settime(&look_up, TimerfdTimerFlags::empty(), &Itimerspec { it_interval: every, it_value: every })?;
        let news = epoll::EventFlags::IN | epoll::EventFlags::ET;
        epoll::add(&epoll, &look_up, epoll::EventData::new_u64(LOOK_UP), news)?;
        let vacant = (0..setup.connections).rev().collect();
        let all = std::iter::repeat_with(|| None).take(setup.connections).collect();
        Ok(Connections {
            setup,
            epoll,
            look_up,
            all,
            free: Vec::new(),
            vacant,
            opening: 0,
            back_off_ns: BACK_OFF_NS,
            not_before: 0,
            opened: 0,
            opening_ns: 0,
            unopened: Vec::new(),
            serial: 0,
            buffer: vec![0; BUFFER],
        })
    }

    /// How long it is until the run begins; none once it has.
    fn until_start(&self) -> Option<Duration> {
        self.setup.start.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
    }

    /// Sleeps until a connection has news, and no longer than so many nanoseconds or the next look up.
    fn wait(&self, events: &mut Vec<epoll::Event>, long: u64) -> std::io::Result<()> {
        events.clear();
        let long = Some(timespec(long)).filter(|_| long < LOOK_UP_NS);
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(events), long.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Opens every connection ahead of the run, where they are used again.
    fn open_all(&mut self) {
        if self.setup.connect == Connect::KeepAlive {
            while !self.vacant.is_empty() && self.open(self.not_before) {}
        }
    }

    /// Begins to open a connection. False when it failed at once.
    fn open(&mut self, now: u64) -> bool {
        let Some(line) = self.vacant.pop() else { return false };
        self.serial = self.serial.wrapping_add(1);
        let serial = self.serial;
        match self.begin(line, serial) {
            Ok(stream) => {
                self.opening += 1;
                let (state, unwritten, read) = (State::Opening, Vec::new(), Vec::new());
                let connection = Connection { stream, serial, state, since: now, unwritten, read };
                self.all[line] = Some(connection);
                true
            }
            Err(error) => {
                self.vacant.push(line);
                self.failed(Unopened::of(&error), now);
                false
            }
        }
    }

    fn begin(&self, line: Line, serial: u32) -> std::io::Result<Stream> {
        let family = if self.setup.address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP))?;
        // A request is one write, so there is nothing to gather.
        sockopt::set_tcp_nodelay(&socket, true)?;
        match rustix::net::connect(&socket, &self.setup.address) {
            Ok(()) | Err(rustix::io::Errno::INPROGRESS) => {}
            Err(error) => return Err(error.into()),
        }
        let events = epoll::EventFlags::OUT;
        epoll::add(&self.epoll, &socket, label(line, serial), events)?;
        Stream::new(TcpStream::from(socket), self.setup.tls.as_ref())
    }

    fn failed(&mut self, why: Unopened, now: u64) {
        self.unopened.push(why);
        self.not_before = now.saturating_add(self.back_off_ns);
        self.back_off_ns = (self.back_off_ns * 2).min(LONGEST_BACK_OFF_NS);
    }

    /// When opening a connection may be tried again, if none is being opened.
    fn next_attempt(&self) -> u64 {
        if self.opening == 0 && !self.vacant.is_empty() { self.not_before } else { u64::MAX }
    }

    /// Tells the desk which connections were opened.
    fn report(&mut self, desk: &mut Desk) {
        let now = self.now();
        (0..std::mem::take(&mut self.opened)).for_each(|_| desk.connected(now));
        if self.opening_ns > 0 {
            desk.opening_took(now, std::mem::take(&mut self.opening_ns));
        }
        self.unopened.drain(..).for_each(|why| desk.not_connected(why, now));
    }

    fn watch(&self, line: Line, events: epoll::EventFlags) {
        if let Some(connection) = &self.all[line] {
            // A connection that cannot be watched is found out by its deadline.
            let _ = epoll::modify(&self.epoll, connection.stream.tcp(), label(line, connection.serial), events);
        }
    }

    /// Closes a connection: the epoll forgets it with it.
    fn close(&mut self, line: Line) {
        if let Some(connection) = self.all[line].take() {
            match connection.state {
                State::Opening | State::Agreeing => self.opening -= 1,
                State::Free => self.free.retain(|free| *free != line),
                State::Taken => {}
            }
            self.vacant.push(line);
        }
    }

    /// Acts on the news of a connection.
    fn heed(&mut self, event: epoll::Event, desk: &mut Desk) {
        let (label, flags) = (event.data.u64(), event.flags);
        if label == LOOK_UP {
            // Once it has been read, it runs on.
            let _ = rustix::io::read(&self.look_up, &mut [0; 8]);
            return;
        }
        let Ok(line) = Line::try_from(label & u64::from(u32::MAX)) else { return };
        let Some(connection) = self.all.get(line).and_then(Option::as_ref) else { return };
        if u64::from(connection.serial) != label >> 32 {
            return;
        }
        match connection.state {
            State::Opening => self.opening_ended(line, desk),
            State::Agreeing => self.agree(line, desk),
            State::Free => self.unasked(line),
            State::Taken => {
                if flags.contains(epoll::EventFlags::OUT) && !self.write_rest(line) {
                    self.lose(line, Fate::BrokenOff, desk);
                    return;
                }
                if flags.intersects(epoll::EventFlags::IN | ENDED) {
                    let ends = flags.intersects(ENDED);
                    while self.read_on(line, ends, desk) {}
                }
            }
        }
    }

    fn opening_ended(&mut self, line: Line, desk: &mut Desk) {
        let Some(connection) = &mut self.all[line] else { return };
        match connection.stream.tcp().take_error() {
            Ok(None) => {
                connection.state = State::Agreeing;
                self.agree(line, desk);
            }
            Ok(Some(error)) | Err(error) => self.not_opened(line, Unopened::of(&error)),
        }
    }

    fn not_opened(&mut self, line: Line, why: Unopened) {
        self.close(line);
        let now = self.now();
        self.failed(why, now);
    }

    /// Goes on agreeing on keys, where there are any; the connection is open after it.
    fn agree(&mut self, line: Line, desk: &mut Desk) {
        let Some(connection) = &mut self.all[line] else { return };
        match connection.stream.agree() {
            Ok(true) => {
                self.opening -= 1;
                connection.state = State::Free;
                let since = connection.since;
                self.opened += 1;
                self.opening_ns += self.now().saturating_sub(since);
                self.back_off_ns = BACK_OFF_NS;
                self.watch(line, NEWS);
                self.free.push(line);
                desk.serve_waiting(self);
            }
            Ok(false) => {
                let wants = if connection.stream.owes() { epoll::EventFlags::OUT } else { epoll::EventFlags::empty() };
                self.watch(line, epoll::EventFlags::IN | wants);
            }
            Err(_) => self.not_opened(line, Unopened::ByTarget),
        }
    }

    /// A connection has news that nobody asked for: the target has closed it, or says what nobody can place. What TLS
    /// says on its own account is neither.
    fn unasked(&mut self, line: Line) {
        let Some(connection) = &mut self.all[line] else { return };
        match connection.stream.read(&mut self.buffer) {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Ok(_) | Err(_) => self.close(line),
        }
    }

    fn lose(&mut self, line: Line, fate: Fate, desk: &mut Desk) {
        self.close(line);
        desk.lost(line, fate, self);
    }

    /// Writes what is left of a request. False when the connection is gone.
    fn write_rest(&mut self, line: Line) -> bool {
        let Some(connection) = &mut self.all[line] else { return true };
        match connection.stream.flush() {
            Ok(true) => {}
            Ok(false) => return true,
            Err(_) => return false,
        }
        while !connection.unwritten.is_empty() {
            match connection.stream.write(&connection.unwritten) {
                Ok(written) => drop(connection.unwritten.drain(..written)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
        if !connection.stream.owes() {
            self.watch(line, NEWS);
        }
        true
    }

    /// Reads on; `ends` when nothing comes after what is there. True when there may be more of an answer that there is no
    /// news of.
    fn read_on(&mut self, line: Line, ends: bool, desk: &mut Desk) -> bool {
        let mut buffer = std::mem::take(&mut self.buffer);
        let more = self.read_into(line, &mut buffer, ends, desk);
        self.buffer = buffer;
        more
    }

    fn read_into(&mut self, line: Line, buffer: &mut [u8], ends: bool, desk: &mut Desk) -> bool {
        let Some(connection) = &mut self.all[line] else { return false };
        let capacity = buffer.len();
        let (length, ended) = match connection.stream.read(buffer) {
            Ok(length) => (length, length == 0),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => return false,
            Err(_) => (0, true),
        };
        let mut before = std::mem::take(&mut connection.read);
        let bytes = if before.is_empty() {
            &buffer[..length]
        } else {
            before.extend_from_slice(&buffer[..length]);
            &before[..]
        };
        match answer::read(bytes, ended && !bytes.is_empty()) {
            Read::Whole(mut reply) => {
                // What comes after a whole answer belongs to none, and a full buffer may have left some of it behind.
                reply.reusable &= reply.length == bytes.len() && length < capacity && !ended && !ends;
                desk.answered(line, &reply, self);
            }
            Read::Part if ended => self.lose(line, Fate::BrokenOff, desk),
            Read::Garbage => self.lose(line, Fate::Garbage, desk),
            Read::Part => {
                let kept = if before.is_empty() { bytes.to_vec() } else { before };
                if let Some(connection) = &mut self.all[line] {
                    connection.read = kept;
                    return ends || length == capacity || connection.stream.holds_back();
                }
            }
        }
        false
    }
}

impl Lines for Connections {
    fn now(&mut self) -> u64 {
        nanos(self.setup.start.elapsed())
    }

    fn take(&mut self) -> Option<Line> {
        while let Some(line) = self.free.pop() {
            if let Some(connection) = &mut self.all[line] {
                connection.state = State::Taken;
                return Some(line);
            }
        }
        None
    }

    fn want(&mut self, waiting: usize) {
        let now = self.now();
        while self.opening < waiting && now >= self.not_before && self.open(now) {}
    }

    fn send(&mut self, line: Line, bytes: &[u8]) {
        let Some(connection) = &mut self.all[line] else { return };
        // A connection that is gone says so when it is read.
        let written = connection.stream.write(bytes).unwrap_or_default();
        if written < bytes.len() || connection.stream.owes() {
            connection.unwritten = bytes[written..].to_vec();
            self.watch(line, NEWS | epoll::EventFlags::OUT);
        }
    }

    fn give_back(&mut self, line: Line, reusable: bool) {
        if !reusable || self.setup.connect == Connect::PerRequest {
            self.close(line);
        } else if let Some(connection) = &mut self.all[line] {
            connection.state = State::Free;
            self.free.push(line);
        }
    }
}
