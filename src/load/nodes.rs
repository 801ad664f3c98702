//! How many nodes bear a rate, and no more than what was measured supports.
//!
//! A search for the capacity measures one number of nodes. Whether two bear twice as much is what only a search with two
//! shows: nodes share a database, and the spent codes have to be known to all. So the answer is a number that was measured,
//! or one between two that were, by the law of [`super::scaling`]; beyond that there is a least number, which holds as
//! long as nodes do not help each other, and no answer.

use super::scaling;

/// What so many nodes were measured to bear, a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// How many nodes.
    pub nodes: u32,
    /// What they bore throughout.
    pub least_per_s: f64,
    /// The mean of the confirmations.
    pub mean_per_s: f64,
    /// The lowest rate above that they do not bear; none where what was measured was not their limit.
    pub missed_per_s: Option<f64>,
}

/// How many nodes bear a rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Answer {
    /// So many, as was measured.
    Measured {
        /// How many.
        nodes: u32,
    },
    /// So many, by the law that fits what was measured.
    Fitted {
        /// How many.
        nodes: u32,
        /// What they bear by the law, a second.
        bears_per_s: f64,
        /// How far a measured point lies from the law at most, as a share.
        misfit: f64,
    },
    /// No number of nodes was measured to its limit, and what was measured bears less.
    Unmeasured,
    /// What was measured does not answer.
    Beyond {
        /// The most nodes that were measured.
        measured: u32,
        /// So many at least, as long as nodes do not help each other.
        at_least: u32,
    },
}

/// How many nodes bear `rate` verifications a second while a share of what they could bear is kept free. None when
/// the share is all.
pub fn needed(measured: &[Measured], rate: f64, head_room: f64) -> Option<Answer> {
    let usable = 1.0 - head_room;
    if usable <= 0.0 {
        return None;
    }
    // Of several measurements of as many nodes the worst counts.
    let bears = |one: &Measured| {
        let alike = measured.iter().filter(|other| other.nodes == one.nodes && other.missed_per_s.is_some());
        alike.chain([one]).all(|other| other.least_per_s * usable >= rate)
    };
    let measured_nodes = measured.iter().filter(|one| bears(one)).map(|one| one.nodes).min();
    // What was bounded by something else says nothing of what nodes do not bear.
    let limits = || measured.iter().filter(|one| one.missed_per_s.is_some());
    let Some(most) = limits().map(|one| one.nodes).max() else {
        return Some(measured_nodes.map_or(Answer::Unmeasured, |nodes| Answer::Measured { nodes }));
    };
    // The law may know a number between two that were measured.
    let points: Vec<(f64, f64)> = limits().map(|one| (f64::from(one.nodes), one.mean_per_s)).collect();
    let fitted = scaling::fit(&points).and_then(|fit| {
        let below = measured_nodes.unwrap_or(most + 1);
        (1..below).find_map(|nodes| {
            // What a point may lie below the law is taken off.
            let bears_per_s = fit.throughput(f64::from(nodes))? * (1.0 - fit.misfit);
            let is_measured = measured.iter().any(|one| one.nodes == nodes);
            // A law that has more nodes bear what they were measured not to says nothing of fewer.
            let has_bear = |one: &&Measured| {
                fit.throughput(f64::from(one.nodes)).is_some_and(|all| all * (1.0 - fit.misfit) * usable >= rate)
            };
            let is_refuted = limits().filter(has_bear).any(|one| one.nodes > nodes && !bears(one));
            let enough = !is_measured && !is_refuted && bears_per_s * usable >= rate;
            enough.then_some(Answer::Fitted { nodes, bears_per_s, misfit: fit.misfit })
        })
    });
    if let Some(fitted) = fitted {
        return Some(fitted);
    }
    if let Some(nodes) = measured_nodes {
        return Some(Answer::Measured { nodes });
    }
    let not_borne = |one: &Measured| one.missed_per_s.unwrap_or(one.mean_per_s);
    let each = limits().map(|one| not_borne(one) / f64::from(one.nodes.max(1))).fold(0.0, f64::max);
    let by_each = if each > 0.0 { (rate / usable / each).ceil() } else { f64::from(u32::MAX) };
    // Between what they bore and what they missed nobody knows.
    let ruled_out = limits().filter(|one| not_borne(one) * usable <= rate).map(|one| one.nodes).max();
    let at_least = (by_each as u32).max(ruled_out.unwrap_or_default().saturating_add(1));
    Some(Answer::Beyond { measured: most, at_least })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(nodes: u32, mean: f64) -> Measured {
        Measured { nodes, least_per_s: mean * 0.98, mean_per_s: mean, missed_per_s: Some(mean * 1.02) }
    }

    #[test]
    fn one_measurement_answers_for_its_own_number_alone() {
        let one = [measured(1, 1_000.0)];
        assert_eq!(needed(&one, 900.0, 0.0), Some(Answer::Measured { nodes: 1 }));
        assert_eq!(needed(&one, 900.0, 0.3), Some(Answer::Beyond { measured: 1, at_least: 2 }));
        assert_eq!(needed(&one, 5_000.0, 0.5), Some(Answer::Beyond { measured: 1, at_least: 10 }));
        assert_eq!(needed(&[], 1.0, 0.0), Some(Answer::Unmeasured));
        // One bears 980 and misses 1,020; whether it bears 1,000 was not tried.
        assert_eq!(needed(&one, 1_000.0, 0.0), Some(Answer::Beyond { measured: 1, at_least: 1 }));
        assert_eq!(needed(&one, 1_020.0, 0.0), Some(Answer::Beyond { measured: 1, at_least: 2 }));
        // Two of which each bears a hair less than 1,020 bear 2,030.
        assert_eq!(needed(&one, 2_030.0, 0.0), Some(Answer::Beyond { measured: 1, at_least: 2 }));
        let bounded = Measured { missed_per_s: None, ..one[0] };
        assert_eq!(needed(&[bounded], 900.0, 0.0), Some(Answer::Measured { nodes: 1 }));
        assert_eq!(needed(&[bounded], 5_000.0, 0.0), Some(Answer::Unmeasured));
        let worse = measured(1, 800.0);
        assert_eq!(needed(&[one[0], worse], 900.0, 0.0), Some(Answer::Beyond { measured: 1, at_least: 2 }));
        assert_eq!(needed(&one, 1.0, 1.0), None);
    }

    #[test]
    fn between_what_was_measured_the_law_answers_and_beyond_it_nothing_does() {
        let law = |nodes: u32| {
            let n = f64::from(nodes);
            measured(nodes, 1_000.0 * n / (1.0 + 0.05 * (n - 1.0)))
        };
        let all = [1, 2, 4, 8].map(law);
        assert_eq!(needed(&all, 3_300.0, 0.0), Some(Answer::Measured { nodes: 4 }));
        // Six bear 4,800.
        let Some(Answer::Fitted { nodes: 6, bears_per_s, misfit }) = needed(&all, 4_700.0, 0.0) else {
            panic!("{:?}", needed(&all, 4_700.0, 0.0));
        };
        assert!((bears_per_s - 4_800.0).abs() < 1.0 && misfit < 1e-6);
        assert_eq!(needed(&all, 5_800.0, 0.0), Some(Answer::Measured { nodes: 8 }));
        // By the law three bear 2,727; four that were slower for a while bore less throughout.
        assert!(matches!(needed(&all, 2_600.0, 0.0), Some(Answer::Fitted { nodes: 3, .. })));
        let mut slower = all;
        slower[2].least_per_s = 2_500.0;
        assert!(matches!(needed(&slower, 2_600.0, 0.0), Some(Answer::Fitted { nodes: 5, .. })));
        assert!(matches!(needed(&all, 9_000.0, 0.0), Some(Answer::Beyond { measured: 8, at_least: 9.. })));
    }
}
