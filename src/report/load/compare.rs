//! Two searches for the capacity, side by side: what differs by more than either is sure of.

use super::terminal::{confirmed, ended};
use super::words::{number, share};
use crate::load::document::{CapacityResult, Ending, SearchNote};
use crate::report::text::clean;

/// What two searches show of each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difference {
    /// The later one's capacity is lower, beyond the spread of both.
    Lower,
    /// It is higher.
    Higher,
    /// They do not differ by more than either is sure of.
    WithinSpread,
    /// One of them says nothing that could be compared.
    Unknown,
}

/// Where the capacity lies, as far as a search is sure of it.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Range {
    least: f64,
    /// Infinite where the target bears more than was tried.
    most: f64,
}

/// An earlier and a later search.
#[derive(Debug)]
pub struct Comparison<'a> {
    before: &'a CapacityResult,
    after: &'a CapacityResult,
}

/// From what was borne throughout to the most that a confirmation accepted, and on to the lowest rate above that missed
/// the objectives, or a higher one that was met for a while.
fn range(result: &CapacityResult) -> Option<Range> {
    let confirmed = result.confirmed.as_ref();
    // Verifications a second on both sides: of some mixes but a part is accepted.
    let share = result.accepted_share();
    let borne = result.borne_per_s? * share;
    let least = result.borne_throughout_per_s().unwrap_or(borne);
    let most = match result.end? {
        Ending::Found => {
            confirmed.map_or(borne, |confirmed| confirmed.most_per_s.max(borne)).max(result.missed_throughout_per_s()?)
        }
        end if end.is_lower_bound() => f64::INFINITY,
        _ => return None,
    };
    (result.breaches == 0).then_some(Range { least, most })
}

fn differing<const N: usize>(pairs: [(&'static str, String, String); N]) -> impl Iterator<Item = String> {
    let differ = pairs.into_iter().filter(|(_, before, after)| before != after);
    differ.map(|(what, before, after)| format!("{what}: {} and {}", clean(&before), clean(&after)))
}

/// In what two searches did not ask for the same; empty where they did. What an earlier version did not note differs
/// from nothing.
pub fn asked_otherwise(one: &CapacityResult, other: &CapacityResult) -> Vec<String> {
    let objectives =
        |result: &CapacityResult| result.objectives.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let mix = |search: &SearchNote| {
        search.mix.iter().map(|(kind, weight)| format!("{kind} {weight}")).collect::<Vec<_>>().join(", ")
    };
    let noted = one.search.as_ref().zip(other.search.as_ref());
    let mixes = noted.map(|(one, other)| ("the mix", mix(one), mix(other)));
    let asked = [
        ("the action", one.action.clone(), other.action.clone()),
        ("the objectives", objectives(one), objectives(other)),
    ];
    differing(asked).chain(mixes.into_iter().flat_map(|mixes| differing([mixes]))).collect()
}

/// In what two searches were not made in the same way, although they may have asked for the same.
pub fn made_otherwise(one: &CapacityResult, other: &CapacityResult) -> Vec<String> {
    let sender = [
        ("the threads that sent", one.generator.threads.to_string(), other.generator.threads.to_string()),
        ("their priority", one.generator.priority.name().to_owned(), other.generator.priority.name().to_owned()),
    ];
    let noted = one.search.as_ref().zip(other.search.as_ref()).map(|(one, other)| {
        let lines = |search: &SearchNote| format!("{} ({})", search.connections, search.connect.name());
        let long = |search: &SearchNote| format!("{} s", search.confirm_s);
        let arrivals = |search: &SearchNote| search.arrivals.name().to_owned();
        [
            ("the connections", lines(one), lines(other)),
            ("the arrivals", arrivals(one), arrivals(other)),
            ("how long a confirmation lasted", long(one), long(other)),
        ]
    });
    differing(sender).chain(noted.into_iter().flat_map(differing)).collect()
}

/// Whether a search met the objectives at no rate, and tried below this one, which the other bore.
fn is_doomed_below(result: &CapacityResult, rate: f64) -> bool {
    result.end == Some(Ending::Doomed) && result.breaches == 0 && result.missed_per_s.is_some_and(|tried| tried < rate)
}

impl<'a> Comparison<'a> {
    /// The later beside the earlier.
    pub fn of(before: &'a CapacityResult, after: &'a CapacityResult) -> Self {
        Comparison { before, after }
    }

    /// What differs.
    pub fn difference(&self) -> Difference {
        match (range(self.before), range(self.after)) {
            (Some(before), Some(after)) if after.most < before.least => Difference::Lower,
            (Some(before), Some(after)) if after.least > before.most => Difference::Higher,
            (Some(before), Some(after)) if before.most.is_finite() && after.most.is_finite() => {
                Difference::WithinSpread
            }
            (Some(before), None) if is_doomed_below(self.after, before.least / self.before.accepted_share()) => {
                Difference::Lower
            }
            (None, Some(after)) if is_doomed_below(self.before, after.least / self.after.accepted_share()) => {
                Difference::Higher
            }
            (Some(_), Some(_)) | (None, _) | (_, None) => Difference::Unknown,
        }
    }

    /// Why there is nothing to compare, of whichever of the two it is.
    fn unknown(&self) -> String {
        let of = |name: &str, result: &CapacityResult| {
            let why = match result.end {
                _ if result.breaches > 0 => "let through what it must not",
                None => "was interrupted",
                Some(Ending::Doomed) => "met the objectives at no rate",
                Some(Ending::NoData) => "had nothing to measure",
                Some(Ending::Unreachable) => "was not answered",
                Some(Ending::Found) => return None,
                Some(_) => "is a lower bound alone",
            };
            Some(format!("the one {name} {why}"))
        };
        let reasons = [of("before", self.before), of("after", self.after)];
        format!("Nothing to compare: {}", reasons.into_iter().flatten().collect::<Vec<_>>().join("; "))
    }

    /// Why the two say nothing of each other; empty where they were made alike.
    fn unlike(&self) -> Vec<String> {
        let (before, after) = (self.before, self.after);
        let target = [("the target", before.target.name.clone(), after.target.name.clone())];
        differing(target).chain(asked_otherwise(before, after)).chain(made_otherwise(before, after)).collect()
    }

    /// What is told of it, line by line.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (name, result) in [("before", self.before), ("after", self.after)] {
            lines.push(format!("{name}: {} ({})", clean(&result.target.name), result.started));
            lines.push(format!("  {}", ended(result)));
            lines.extend(confirmed(result).map(|line| format!("  {line}")));
        }
        let unlike = self.unlike();
        if !unlike.is_empty() {
            lines.push(format!("they were not made alike: {}", unlike.join("; ")));
        }
        if let Some(caveat) = self.unrepeated() {
            lines.push(caveat);
        }
        lines.push(self.told());
        lines
    }

    /// What has no spread, since it was confirmed but once.
    fn unrepeated(&self) -> Option<String> {
        let once = |result: &CapacityResult| result.confirmed.as_ref().is_some_and(|confirmed| confirmed.runs <= 1);
        let which = match (once(self.before), once(self.after)) {
            (true, true) => "both were",
            (true, false) => "the one before was",
            (false, true) => "the one after was",
            (false, false) => return None,
        };
        Some(format!("{which} confirmed but once, which shows no spread: a difference may be one of chance"))
    }

    fn told(&self) -> String {
        let middle = |result: &CapacityResult| {
            result
                .confirmed
                .as_ref()
                .map_or(result.borne_per_s.unwrap_or_default(), |confirmed| confirmed.accepted_per_s)
        };
        let (before, after) = (middle(self.before), middle(self.after));
        let apart = (before > 0.0).then(|| share((after - before).abs() / before));
        let by = apart.as_ref().map_or_else(String::new, |apart| format!(" by {apart}"));
        let apart = apart.as_ref().map_or_else(String::new, |apart| format!(", which lie {apart} apart"));
        let (before, after) = (number(before), number(after));
        match self.difference() {
            Difference::Lower => format!("Lower{by}, beyond the spread of both: from {before} to {after}/s"),
            Difference::Higher => format!("Higher{by}, beyond the spread of both: from {before} to {after}/s"),
            Difference::WithinSpread => {
                format!("No difference beyond the spread: {before} and {after}/s{apart}")
            }
            Difference::Unknown => self.unknown(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(borne: f64, missed: f64, least: f64, most: f64, end: &str) -> CapacityResult {
        let missed = if end == "found" { serde_json::json!(missed) } else { serde_json::Value::Null };
        serde_json::from_value(serde_json::json!({
            "format": "stepup/capacity/1", "tool": "stepup", "target": { "name": "t", "base": "http://127.0.0.1:1" },
            "profile": "p", "action": "a", "objectives": ["success >= 99 %"], "seed": 1,
            "started": "2026-01-01T00:00:00Z", "finished": "2026-01-01T00:01:00Z", "complete": true, "end": end,
            "borne_per_s": borne, "missed_per_s": missed,
            "confirmed": { "runs": 2, "accepted_per_s": f64::midpoint(least, most), "least_per_s": least,
                           "most_per_s": most, "spread": 0.01 },
            "users": 9, "users_bear_per_s": 1.0, "users_sustain_per_s": 1.0, "breaches": 0, "probes": [],
            "generator": { "threads": 1, "cores": [1], "priority": "real-time", "busy": 0.1, "load_average": 0.5 },
        }))
        .expect("a result")
    }

    #[test]
    fn only_what_lies_beyond_the_spread_is_a_difference() {
        let before = result(1_000.0, 1_040.0, 990.0, 1_010.0, "found");
        let difference = |after: &CapacityResult| Comparison::of(&before, after).difference();
        assert_eq!(difference(&result(960.0, 1_000.0, 950.0, 965.0, "found")), Difference::WithinSpread);
        assert_eq!(difference(&result(900.0, 940.0, 890.0, 910.0, "found")), Difference::Lower);
        assert_eq!(difference(&result(1_100.0, 1_140.0, 1_090.0, 1_120.0, "found")), Difference::Higher);
        // A rate that was merely the highest that was tried may be far below what the target bears.
        let bounded = result(900.0, 0.0, 890.0, 910.0, "generator-bound");
        assert_eq!(difference(&bounded), Difference::Unknown);
        let told = Comparison::of(&before, &bounded).lines().join("\n");
        assert!(told.ends_with("Nothing to compare: the one after is a lower bound alone"), "{told}");
        assert_eq!(difference(&result(1_100.0, 0.0, 1_090.0, 1_120.0, "user-bound")), Difference::Higher);
        let mut doomed = result(900.0, 940.0, 890.0, 910.0, "doomed");
        doomed.borne_per_s = None;
        (doomed.missed_per_s, doomed.confirmed) = (Some(30.0), None);
        assert_eq!(difference(&doomed), Difference::Lower);
        assert_eq!(Comparison::of(&doomed, &before).difference(), Difference::Higher);
        let told = Comparison::of(&doomed, &before).lines().join("\n");
        assert!(told.ends_with("\nHigher, beyond the spread of both: from 0 to 1,000/s"), "{told}");
        // What was not tried as low as the other bore may be as good.
        doomed.missed_per_s = Some(1_500.0);
        assert_eq!(Comparison::of(&doomed, &before).difference(), Difference::Unknown);
        let told = Comparison::of(&doomed, &before).lines().join("\n");
        assert!(told.ends_with("Nothing to compare: the one before met the objectives at no rate"), "{told}");
        assert!(!told.contains("confirmed but once"), "{told}");
        let mut once = before.clone();
        once.confirmed.as_mut().expect("confirmations").runs = 1;
        let told = Comparison::of(&once, &before).lines().join("\n");
        assert!(told.contains("confirmed 1 time: 1,000/s accepted, whose spread one run does not show"), "{told}");
        assert!(told.contains("the one before was confirmed but once"), "{told}");
    }

    #[test]
    fn what_a_target_missed_while_it_was_slower_belongs_to_the_spread() {
        let mut before = result(1_000.0, 1_040.0, 990.0, 1_010.0, "found");
        let after = result(900.0, 940.0, 890.0, 910.0, "found");
        assert_eq!(Comparison::of(&before, &after).difference(), Difference::Lower);
        let slow = before.confirmed.as_mut().expect("confirmations");
        (slow.missed_below_per_s, slow.missed_runs) = (Some(920.0), std::num::NonZeroUsize::new(3));
        let probe = |rate: f64, shown: &str| {
            serde_json::from_value(serde_json::json!({
                "rate": rate, "purpose": "confirmation", "shown": shown, "why": [], "accepted_per_s": rate, "busy": 0.1,
            }))
            .expect("a probe")
        };
        // What was missed is not what was borne.
        before.probes = vec![probe(1_000.0, "met"), probe(920.0, "missed"), probe(890.0, "met"), probe(870.0, "met")];
        assert_eq!(before.borne_throughout_per_s(), Some(890.0));
        assert_eq!(Comparison::of(&before, &after).difference(), Difference::WithinSpread);
        // Neither is what was met while it was faster anything that it does not bear.
        let mut faster = after.clone();
        faster.confirmed.as_mut().expect("confirmations").met_above_per_s = Some(1_000.0);
        assert_eq!(faster.missed_throughout_per_s(), Some(1_000.0));
        let told = confirmed(&faster).expect("a line");
        assert!(told.ends_with("; the target was faster for a while, and met 1,000/s"), "{told}");
        let steady = result(1_000.0, 1_040.0, 990.0, 1_010.0, "found");
        assert_eq!(Comparison::of(&steady, &after).difference(), Difference::Lower);
        assert_eq!(Comparison::of(&steady, &faster).difference(), Difference::WithinSpread);
        let lower = result(800.0, 832.0, 790.0, 810.0, "found");
        assert_eq!(Comparison::of(&before, &lower).difference(), Difference::Lower);
        let told = confirmed(&before).expect("a line");
        assert!(told.starts_with("confirmed 2 of 5 times: 1,000/s accepted"), "{told}");
        before.probes = (0..9).map(|_| probe(1_000.0, "met")).collect();
        let told = confirmed(&before).expect("a line");
        assert!(told.starts_with("confirmed 2 of 5 times in 9 longer probes up and down: 1,000/s"), "{told}");
        assert!(told.ends_with("; the target was slower for a while, and missed 920/s"), "{told}");
    }

    #[test]
    fn a_search_that_was_interrupted_after_its_answer_says_so() {
        let mut found = result(1_000.0, 1_040.0, 990.0, 1_010.0, "found");
        assert_eq!(ended(&found), "Capacity: 1,000/s met the objectives, 1,040/s did not");
        found.complete = false;
        assert!(ended(&found).ends_with("1,040/s did not; interrupted before all clients were measured"));
    }

    #[test]
    fn of_a_mix_of_which_a_part_is_accepted_the_accepted_are_compared() {
        let before = result(1_000.0, 1_020.0, 499.0, 501.0, "found");
        let difference = |after: &CapacityResult| Comparison::of(&before, after).difference();
        assert_eq!(difference(&result(600.0, 612.0, 299.0, 301.0, "found")), Difference::Lower);
        assert_eq!(difference(&result(990.0, 1_010.0, 494.0, 496.0, "found")), Difference::WithinSpread);
        assert_eq!(difference(&result(1_100.0, 1_122.0, 549.0, 551.0, "found")), Difference::Higher);
        // Which part that is follows from the mix, and not from how many happened to come.
        let mut noted = result(10.0, 11.0, 6.1, 6.3, "found");
        assert!((noted.accepted_share() - 0.62).abs() < 1e-9);
        noted.search = Some(
            serde_json::from_value(serde_json::json!({
                "mix": { "right": 2, "exchange": 1, "wrong": 1, "challenge-only": 2 }, "connections": 8,
                "connect": "keep-alive", "arrivals": "poisson", "probe_s": 4.0, "confirm_s": 8.0, "within": 0.02, "repeats": 3,
            }))
            .expect("a note"),
        );
        assert_eq!(noted.accepted_share(), 0.5);
        // Of ten a second five are accepted, whatever came in the confirmations.
        assert_eq!(noted.borne_throughout_per_s(), Some(5.0));
    }

    #[test]
    fn what_was_sent_and_over_how_many_connections_belongs_to_what_must_be_alike() {
        let mut before = result(1_000.0, 1_040.0, 990.0, 1_010.0, "found");
        let mut after = before.clone();
        let note = |mix: &str, connections: u32| {
            serde_json::from_value(serde_json::json!({
                "mix": { (mix): 1 }, "connections": connections, "connect": "keep-alive", "arrivals": "poisson",
                "probe_s": 4.0, "confirm_s": 8.0, "within": 0.02, "repeats": 3,
            }))
            .expect("a note")
        };
        after.search = Some(note("wrong", 8));
        // An earlier version did not note it.
        assert_eq!(asked_otherwise(&before, &after), Vec::<String>::new());
        before.search = Some(note("right", 64));
        assert_eq!(asked_otherwise(&before, &after), ["the mix: right 1 and wrong 1"]);
        assert_eq!(made_otherwise(&before, &after), ["the connections: 64 (keep-alive) and 8 (keep-alive)"]);
        after.end = Some(Ending::ConnectionBound);
        assert_eq!(
            ended(&after),
            "Connection-bound: at least 1,000/s; at 1,040/s all 8 connections were in use, and each request was answered as \
             fast as at lower rates"
        );
        assert_eq!(Comparison::of(&before, &after).difference(), Difference::Unknown);
    }

    #[test]
    fn what_was_not_made_alike_is_said() {
        let before = result(1_000.0, 1_040.0, 990.0, 1_010.0, "found");
        let mut after = before.clone();
        after.objectives = vec!["success >= 98 %".parse().expect("an objective")];
        let told = Comparison::of(&before, &after).lines().join("\n");
        assert!(told.contains("not made alike: the objectives: success >= 99 % and success >= 98 %"), "{told}");
    }
}
