//! The line that a load run says of each second.

use std::fmt::Write as _;

use super::document::SecondNote;

/// A time in microseconds, as people read it.
pub(crate) fn time(us: f64) -> String {
    match us {
        us if us < 1_000.0 => format!("{us:.0} µs"),
        us if us < 1_000_000.0 => format!("{:.2} ms", us / 1e3),
        us => format!("{:.2} s", us / 1e6),
    }
}

/// The line of a second.
pub fn line(second: &SecondNote) -> String {
    let SecondNote { at, planned, requests, accepted, .. } = second;
    let mut line = format!("{:>5} s  planned {planned:>6}  sent {requests:>6}  accepted {accepted:>6}", at + 1);
    if let Some([p50, _, p99, _]) = second.response_us {
        let _ = write!(line, "  p50 {:>8}  p99 {:>8}", time(p50), time(p99));
    }
    if let Some([_, _, late, _]) = second.lateness_us {
        let _ = write!(line, "  late p99 {:>8}", time(late));
    }
    let others = second.outcomes.iter().filter(|(fate, _)| *fate != "accepted" && *fate != "challenged");
    for (fate, count) in others {
        let _ = write!(line, "  {fate} {count}");
    }
    if second.warm_up {
        line.push_str("  (warm-up)");
    }
    line
}
