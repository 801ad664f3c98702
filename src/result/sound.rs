//! Whether a result agrees with itself: what one member says, no other may belie, or reports of it contradict each other.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{CaseResult, RunResult, Standing, Status, Summary};
use crate::capability::Capability;
use crate::judge::{Effect, Verdict};
use crate::table::Mode;

/// Something in a result that contradicts the rest of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contradiction {
    /// What is wrong.
    pub says: String,
    /// How it comes right.
    pub hint: &'static str,
}

const DERIVED: &str = "a case's status follows from its verdicts, the worst first; a case that was not run has none";

/// The first contradiction of a result.
pub fn contradiction(result: &RunResult) -> Option<Contradiction> {
    if Summary::of(&result.cases, result.observations.len()) != result.summary {
        return Some(Contradiction {
            says: "its `summary` does not count its cases".to_owned(),
            hint: "who takes cases out of a result, or puts some in, counts them anew",
        });
    }
    let moments = [("started", &result.started), ("finished", &result.finished)];
    if let Some((member, value)) = moments.into_iter().find(|(_, value)| value.parse::<Timestamp>().is_err()) {
        return Some(Contradiction {
            says: format!("its `{member}` is `{}`, which is no moment", shortened(value)),
            hint: "a date and a time with their offset (RFC 3339), such as 2026-01-31T12:00:00Z",
        });
    }
    let repeat = result.config.as_ref().map_or(1, |config| usize::from(config.repeat).max(1));
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for case in result.cases.iter().chain(&result.observations) {
        let times = seen.entry(&case.id).or_default();
        *times += 1;
        if *times > repeat {
            return Some(Contradiction {
                says: format!("case `{}` is there {times} times, and each was run {repeat} times", shortened(&case.id)),
                hint: "`config.repeat` says how many times each case was run, once where it is not there",
            });
        }
    }
    of_target(result).or_else(|| result.cases.iter().find_map(of_case))
}

/// What the headline says of the second factor has to follow from the rest.
fn of_target(result: &RunResult) -> Option<Contradiction> {
    let target = &result.target;
    if target.without_second_factor && !result.requires.is_empty() {
        return Some(Contradiction {
            says: "its target is said to have no second factor, and `requires` names what must be judged with one"
                .to_owned(),
            hint: "a target file says one of both",
        });
    }
    let with_one =
        |case: &CaseResult| !case.capabilities.is_empty() && matches!(case.status, Status::Pass | Status::Fail);
    if target.without_second_factor
        && result.stale_deviations.is_empty()
        && (target.factors.any_works() || result.cases.iter().any(with_one))
    {
        return Some(Contradiction {
            says: "its target is said to have no second factor, and shows one".to_owned(),
            hint: "`second-factor: none` is outdated then, which is an entry of `stale_deviations`",
        });
    }
    None
}

/// Whether a row's capabilities are those that its user's second factor gives it.
fn shows_its_factor(case: &CaseResult) -> bool {
    if case.standing == Standing::Scenario {
        return true;
    }
    let has = |factors: [&str; 2]| case.mode != Mode::Disabled.name() && factors.contains(&case.factor.as_str());
    let (codes, keys) = (has(["totp", "both"]), has(["security-key", "both"]));
    let shows = |capability| case.capabilities.contains(&capability);
    if !codes && !keys {
        return case.capabilities.is_empty();
    }
    // What a surface belongs to may be a factor as well.
    (!codes || shows(Capability::Totp)) && (!keys || shows(Capability::SecurityKey))
}

fn of_case(case: &CaseResult) -> Option<Contradiction> {
    let wrong =
        |what: String| Some(Contradiction { says: format!("case `{}` {what}", shortened(&case.id)), hint: DERIVED });
    if !case.verdicts.is_sorted() {
        return wrong(format!("has its verdicts in another order than the worst first: {}", words(&case.verdicts)));
    }
    let follows = match case.status {
        Status::Skipped => case.verdicts.is_empty(),
        status => !case.verdicts.is_empty() && Status::of(&case.verdicts) == status,
    };
    if !follows {
        return wrong(format!("has status `{}` and verdicts {}", case.status.word(), words(&case.verdicts)));
    }
    if !shows_its_factor(case) {
        return Some(Contradiction {
            says: format!(
                "case `{}` has other `capabilities` than its user's second factor gives it",
                shortened(&case.id)
            ),
            hint: "a user in mode `disabled` has no second factor, and the case none of them",
        });
    }
    if case.known.is_some() && case.status != Status::Fail {
        return wrong(format!("is known to deviate and has status `{}`", case.status.word()));
    }
    if let Some(probe) = carried_out(case) {
        return Some(Contradiction {
            says: format!("case `{}` has status `pass`, and its probe `{probe}` was carried out", shortened(&case.id)),
            hint: "what is carried out without a valid proof, where one is asked for, is no pass",
        });
    }
    None
}

/// The probe without a valid proof that had its effect, of a row that asks for one and passes: what the judge never says.
fn carried_out(case: &CaseResult) -> Option<&str> {
    const WITHOUT_RIGHT: [&str; 4] = ["bare", "other client", "wrong", "replay"];
    let asks = case.probes.iter().any(|probe| probe.name == "right");
    if case.status != Status::Pass || case.standing != Standing::Row || case.situation.is_some() || !asks {
        return None;
    }
    let names = case.probes.iter().filter(|probe| probe.effect == Effect::Applied).map(|probe| probe.name.as_str());
    names.into_iter().find(|name| WITHOUT_RIGHT.contains(name))
}

fn words(verdicts: &[Verdict]) -> String {
    let words: Vec<&str> = verdicts.iter().map(|verdict| verdict.word()).collect();
    format!("[{}]", words.join(", "))
}

/// A text of a document, as much of it as a message bears.
fn shortened(text: &str) -> String {
    const MOST: usize = 120;
    if text.chars().count() <= MOST { text.to_owned() } else { text.chars().take(MOST).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_whose_probes_say_otherwise_is_a_contradiction() {
        let text = include_str!("../../fixtures/samples/result-2.json");
        let mut result: RunResult = serde_json::from_str(text).unwrap();
        assert_eq!(contradiction(&result), None);
        let case = &mut result.cases[0];
        (case.status, case.verdicts, case.known) = (Status::Pass, vec![Verdict::Exact], None);
        result.summary = Summary::of(&result.cases, result.observations.len());
        assert_eq!(contradiction(&result), None);
        let replay = result.cases[0].probes.iter_mut().find(|probe| probe.name == "replay").unwrap();
        replay.effect = Effect::Applied;
        let says = contradiction(&result).map(|found| found.says).unwrap_or_default();
        assert!(says.ends_with("has status `pass`, and its probe `replay` was carried out"), "{says}");
    }
}
