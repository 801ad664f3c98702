//! A thread that sends: the core that it keeps to, its timers, and its priority.
//!
//! Whoever shares a core with others is late whenever they run, by a whole slice of theirs. A thread whose target is on
//! other cores asks to go before all others on its own, where the system allows it; it sleeps most of the time. What was
//! had is told in the report.

use std::num::NonZeroU64;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thread_priority::unix::{RealtimeThreadSchedulePolicy, ThreadSchedulePolicy, set_thread_priority_and_policy};
use thread_priority::{ThreadPriority, thread_native_id};

/// The nice value of whoever may not go before all others.
const NICE: i32 = -20;

/// Whom a thread goes before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Priority {
    /// Nobody.
    Normal,
    /// Most others: it has a nice value of -20.
    Raised,
    /// All others that are not as urgent: it is scheduled first come, first served.
    RealTime,
}

impl Priority {
    /// Its name in results.
    pub fn name(self) -> &'static str {
        match self {
            Priority::Normal => "normal",
            Priority::Raised => "raised",
            Priority::RealTime => "real-time",
        }
    }
}

/// Keeps the present thread on its core, and its timers exact, and gives it the highest priority that it may have, up to
/// the one that it wants. None of these is needed for a right result, only for a good one.
pub fn settle(core: Option<usize>, wanted: Priority) -> Priority {
    if let Some(core) = core {
        pin(core);
    }
    let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
    match wanted {
        Priority::Normal => Priority::Normal,
        Priority::Raised => raise(),
        Priority::RealTime => go_first(),
    }
}

fn go_first() -> Priority {
    let first_come = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo);
    if set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, first_come).is_ok() {
        return Priority::RealTime;
    }
    raise()
}

fn raise() -> Priority {
    // On Linux a thread's number is what a nice value belongs to.
    match rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICE) {
        Ok(()) => Priority::Raised,
        Err(_) => Priority::Normal,
    }
}

/// How long the present thread has been ready to run and was not let; none where the system does not say.
pub fn held_up() -> Option<Duration> {
    nth(&std::fs::read_to_string("/proc/thread-self/schedstat").ok()?, 1)
}

/// How long the present thread has run; none where the system does not say.
pub fn ran() -> Option<Duration> {
    nth(&std::fs::read_to_string("/proc/thread-self/schedstat").ok()?, 0)
}

/// The first number is the time spent on a processor, and the second the time spent waiting for one, in nanoseconds
/// (proc_pid_schedstat, Linux Documentation/scheduler/sched-stats.rst).
fn nth(schedstat: &str, number: usize) -> Option<Duration> {
    Some(Duration::from_nanos(schedstat.split_whitespace().nth(number)?.parse().ok()?))
}

/// Keeps the present thread on a core, where the system allows it.
pub fn pin(core: usize) {
    let mut cores = rustix::thread::CpuSet::new();
    cores.set(core);
    let _ = rustix::thread::sched_setaffinity(None, &cores);
}

/// The cores that this process may run on.
pub fn cores() -> Vec<usize> {
    let allowed = rustix::thread::sched_getaffinity(None);
    allowed
        .map(|set| (0..rustix::thread::CpuSet::MAX_CPU).filter(|core| set.is_set(*core)).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_running_is_the_first_number_and_that_of_waiting_the_second() {
        assert_eq!(nth("764478 13085945 3\n", 0), Some(Duration::from_nanos(764_478)));
        assert_eq!(nth("764478 13085945 3\n", 1), Some(Duration::from_nanos(13_085_945)));
        assert_eq!(nth("", 1), None);
    }

    #[test]
    fn only_who_wants_more_gets_more_than_others() {
        assert_eq!(std::thread::spawn(|| settle(None, Priority::Normal)).join().expect("it ends"), Priority::Normal);
        let urgent = std::thread::spawn(|| {
            let first = cores().first().copied();
            let had = settle(first, Priority::RealTime);
            (had, thread_priority::unix::thread_schedule_policy().ok(), cores().len())
        });
        let (had, policy, cores) = urgent.join().expect("it ends");
        let is_first = policy == Some(ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo));
        assert_eq!(had == Priority::RealTime, is_first, "{had:?} {policy:?}");
        assert_eq!(cores, 1);
    }
}
