//! The engine's own honesty, on an injected clock: a target that freezes for two seconds must show in what is reported,
//! although nobody was answered slowly but those who happened to be on their way.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use stepup::load::answer::{Read, read};
use stepup::load::desk::{Brief, Desk, Line, Lines};
use stepup::load::fate::Reader;
use stepup::load::mix::{Dealer, Mix};
use stepup::load::objective::Timing;
use stepup::load::pace::{Pace, Shard, Spacing};
use stepup::load::request::{self, Connect};
use stepup::load::roster::Roster;
use stepup::load::sizing::Crew;
use stepup::load::tally::Tally;
use stepup::load::users::{PoolSeed, Users};
use stepup::quantity::Rate;

const MS: u64 = 1_000_000;

/// A target that answers each request a while later, but for two seconds in the middle.
#[derive(Default)]
struct Simulated {
    now: u64,
    free: Vec<Line>,
    service_ns: u64,
    /// Who is answered when.
    due: BTreeMap<(u64, Line), ()>,
    frozen: Option<(u64, u64)>,
}

impl Lines for Simulated {
    fn now(&mut self) -> u64 {
        self.now
    }
    fn take(&mut self) -> Option<Line> {
        self.free.pop()
    }
    fn want(&mut self, _waiting: usize) {}
    fn send(&mut self, line: Line, _bytes: &[u8]) {
        let answered = self.now + self.service_ns;
        let answered = match self.frozen {
            Some((from, to)) if answered >= from && self.now < to => to + self.service_ns,
            _ => answered,
        };
        self.due.insert((answered, line), ());
    }
    fn give_back(&mut self, line: Line, _reusable: bool) {
        self.free.push(line);
    }
}

/// Ten seconds of a thousand arrivals a second over fifty lines, each answered after a millisecond; what was counted.
fn played(frozen: Option<(u64, u64)>) -> Tally {
    played_on(Simulated { free: (0..50).collect(), service_ns: MS, frozen, ..Simulated::default() })
}

/// Ten seconds of a thousand arrivals a second.
fn played_on(mut lines: Simulated) -> Tally {
    let dialect = Arc::new(stepup::target::find("embedded").expect("the target").dialect);
    let base = "http://127.0.0.1:4873".parse().expect("an address");
    let forms = request::forms(&dialect, "profile-set:fullname", &base, Connect::KeepAlive).expect("forms");
    let pace = Pace::constant(Rate::per_second(1000.0), Duration::from_secs(10), Spacing::Even);
    let mix = Mix::of_right_codes();
    let crew = Crew::needed(&pace, &mix, 8, 1);
    let users = Users::seeded(PoolSeed::of_number(1), crew.all());
    let brief = Brief {
        users,
        forms,
        patience_ns: 30_000 * MS,
        epoch_ns: 1_767_225_600_000 * MS,
        numbers_from: 0,
        reach: 2,
        errands: None,
    };
    let mut desk = Desk::new(
        brief,
        pace.arrivals(Shard::WHOLE, 1, 0),
        Dealer::new(&mix, 1),
        Roster::new(&crew, Shard::WHOLE, 1, 0),
        Reader::new(dialect, "profile-set:fullname"),
        Tally::new(0),
    );
    while !desk.is_done() {
        let news = lines.due.keys().next().copied();
        let next = desk.next_due().into_iter().chain(news.map(|(due, _)| due)).min().expect("something is due");
        lines.now = lines.now.max(next);
        if let Some((due, line)) = news.filter(|(due, _)| *due <= lines.now) {
            lines.due.remove(&(due, line));
            let Read::Whole(reply) = read(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", false) else {
                panic!("an answer");
            };
            desk.answered(line, &reply, &mut lines);
        }
        desk.work(lines.now(), &mut lines);
    }
    desk.close(&mut lines).0
}

fn p99_ms(tally: &Tally, timing: Timing) -> u128 {
    tally.whole.timed.of(timing).quantile(0.99).expect("there are some").as_millis()
}

#[test]
fn a_freeze_shows_in_the_response_times_that_a_closed_loop_would_hide() {
    let smooth = played(None);
    assert_eq!(smooth.whole.planned, 10_000);
    assert_eq!(smooth.whole.timed.of(Timing::ResponseTime).len(), 10_000);
    assert!(p99_ms(&smooth, Timing::ResponseTime) <= 1);

    let frozen = played(Some((4_000 * MS, 6_000 * MS)));
    assert_eq!(frozen.whole.timed.of(Timing::ResponseTime).len(), 10_000);
    // A fifth of all arrivals came during the freeze, so the slowest hundredth waited nearly all of it.
    assert!(
        (1_850..=2_010).contains(&p99_ms(&frozen, Timing::ResponseTime)),
        "{}",
        p99_ms(&frozen, Timing::ResponseTime)
    );
    let median = frozen.whole.timed.of(Timing::ResponseTime).quantile(0.85).expect("there are some").as_millis();
    assert!((200..1_000).contains(&median), "{median}");
    // What a tool sees that sends the next request when the last was answered: fifty slow ones in ten thousand.
    assert!(p99_ms(&frozen, Timing::ServiceTime) <= 1, "{}", p99_ms(&frozen, Timing::ServiceTime));
    // The target was late, not the generator.
    assert_eq!(p99_ms(&frozen, Timing::Lateness), 0);
}

#[test]
fn what_is_waited_for_a_connection_is_told_from_what_the_target_takes() {
    // One line and two milliseconds are half of what comes: the last of ten thousand waits for ten seconds.
    let tally = played_on(Simulated { free: vec![0], service_ns: 2 * MS, ..Simulated::default() });
    assert_eq!(tally.whole.held_mean(), Some(Duration::from_millis(2)));
    let waited = tally.whole.waited_mean().expect("ten thousand requests");
    assert!((4_900..5_100).contains(&waited.as_millis()), "{waited:?}");
    let enough = played(None);
    assert_eq!(enough.whole.held_mean(), Some(Duration::from_millis(1)));
    assert_eq!(enough.whole.waited_mean(), Some(Duration::ZERO));
}
