//! What a load run says on a terminal: a pure function of its document.

use std::fmt::Write as _;

use super::document::{LoadResult, SecondNote, Verdict};
use super::objective::Standing;

/// A time in microseconds, as people read it.
fn time(us: f64) -> String {
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

/// The summary of a run.
pub fn render(result: &LoadResult) -> String {
    let mut text = String::new();
    let mut say = |line: std::fmt::Arguments<'_>| {
        // Writing into memory does not fail.
        let _ = writeln!(text, "{line}");
    };
    for reason in &result.invalid {
        say(format_args!("INVALID: {reason}"));
    }
    if result.breaches.count > 0 {
        say(format_args!("BREACHED: {} requests were let through that must not be:", result.breaches.count));
        for breach in result.breaches.evidence.iter().take(5) {
            say(format_args!(
                "  {} ({}) by {} at {:.3} s, status {}",
                breach.kind.name(),
                breach.verdict,
                breach.user,
                breach.at_s,
                breach.status
            ));
        }
    }
    if let Some(aborted) = &result.aborted {
        say(format_args!("ABORTED: {aborted}"));
    }
    say(format_args!("{}: {}", result.profile.name, result.profile.about));
    say(format_args!("target: {}, {}", result.target.name, result.profile.request));
    let totals = &result.totals;
    say(format_args!(""));
    say(format_args!("  planned    {:>10}   {:>10.1}/s", totals.planned, totals.planned_per_s));
    say(format_args!("  sent       {:>10}   {:>10.1}/s", totals.sent, totals.sent_per_s));
    say(format_args!("  accepted   {:>10}   {:>10.1}/s", totals.accepted, totals.accepted_per_s));
    say(format_args!(
        "  users      {:>10}   {:>10.1}/s sustained, one code for each 30 s",
        result.users.there, result.users.sustain_per_s
    ));
    say(format_args!(""));
    say(format_args!("  {:<16}{:>10}{:>12}{:>12}{:>12}{:>12}{:>12}", "", "count", "p50", "p90", "p99", "p99.9", "max"));
    for (name, times) in &result.times {
        let at = |percent: f64| {
            times.percentiles.iter().find(|at| at.percent >= percent).map_or(String::new(), |at| time(at.us))
        };
        let max = time(times.max_us);
        let name = name.replace('_', " ");
        let (p50, p90, p99, p999) = (at(50.0), at(90.0), at(99.0), at(99.9));
        say(format_args!("  {name:<16}{:>10}{p50:>12}{p90:>12}{p99:>12}{p999:>12}{max:>12}", times.count));
    }
    say(format_args!(""));
    for outcome in &result.outcomes {
        say(format_args!(
            "  {:<16}{:<22}{:>10}   {}",
            outcome.kind.name(),
            outcome.fate.name(),
            outcome.count,
            outcome.verdict
        ));
    }
    say(format_args!(""));
    for note in &result.objectives {
        let standing = match note.standing {
            Standing::Met => "met",
            Standing::Missed => "MISSED",
            Standing::NoData => "NO DATA",
        };
        say(format_args!("  {:<40} {standing:<8} {}", note.objective.to_string(), note.seen));
    }
    let verdict = match result.verdict {
        Verdict::Held => "Held: all objectives met",
        Verdict::Missed => "Missed: not all objectives met",
        Verdict::Breached => "Breached: the second factor let through what it must not",
        Verdict::Invalid => "Invalid: the run says nothing about the target",
        Verdict::NoData => "No data: an objective had nothing to measure",
        Verdict::Incomplete => "Incomplete: interrupted",
        Verdict::Unreachable => "Unreachable: nothing was answered",
    };
    say(format_args!("{verdict}"));
    text
}
