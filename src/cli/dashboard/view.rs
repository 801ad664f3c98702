//! What a dashboard shows: the last seconds, and sums over all of them.

use std::collections::{BTreeMap, VecDeque};

use crate::load::document::SecondNote;

/// No terminal is wider.
const KEPT: usize = 512;

/// What has been seen of a run so far.
#[derive(Debug, Clone, Default)]
pub(in crate::cli) struct View {
    /// What runs, on what.
    pub title: String,
    /// What a search tries at the moment.
    pub doing: Option<String>,
    /// How long it lasts, in seconds; none where that depends on what is seen.
    pub lasts_s: Option<f64>,
    /// Whether there are colours.
    pub colours: bool,
    /// The seconds that have passed.
    pub passed: u64,
    /// The last of them.
    pub seconds: VecDeque<SecondNote>,
    /// What became of all arrivals.
    pub outcomes: BTreeMap<String, u64>,
}

/// What is shown of a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Rates {
    /// Arrivals that were due.
    pub planned: u64,
    /// Arrivals that were put on the wire, as far as they have ended.
    pub achieved: u64,
    /// Arrivals that were accepted.
    pub accepted: u64,
}

impl Rates {
    pub(super) fn of(second: &SecondNote) -> Self {
        let never_sent = ["unsent", "starved"];
        let sent = second.outcomes.iter().filter(|(fate, _)| !never_sent.contains(&fate.as_str()));
        let achieved = sent.map(|(_, count)| count).sum();
        Rates { planned: second.planned, achieved, accepted: second.accepted }
    }
}

impl View {
    /// Takes in a second.
    pub(super) fn note(&mut self, second: &SecondNote) {
        for (fate, count) in &second.outcomes {
            *self.outcomes.entry(fate.clone()).or_default() += count;
        }
        self.passed += 1;
        if self.seconds.len() == KEPT {
            self.seconds.pop_front();
        }
        self.seconds.push_back(second.clone());
    }

    /// Begins another part of a search. What became of earlier arrivals stays.
    pub(super) fn begin(&mut self, doing: &str) {
        self.doing = Some(doing.to_owned());
        self.seconds.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_never_sent_was_not_achieved_and_outcomes_add_up() {
        let outcomes = [("accepted", 7), ("refused", 2), ("starved", 4), ("unsent", 1)];
        let second = super::super::draw::tests::second(0, 14, 7, &outcomes);
        assert_eq!(Rates::of(&second), Rates { planned: 14, achieved: 9, accepted: 7 });
        let mut view = View::default();
        for _ in 0..KEPT + 3 {
            view.note(&second);
        }
        assert_eq!((view.seconds.len(), view.passed), (KEPT, KEPT as u64 + 3));
        assert_eq!(view.outcomes["refused"], 2 * (KEPT as u64 + 3));
        view.begin("probe of 200/s");
        assert_eq!((view.seconds.len(), view.outcomes["refused"]), (0, 2 * (KEPT as u64 + 3)));
    }
}
