//! Known deviations: what a target is known to do differently, strict both ways but for what shows now and then.

use globset::Glob;
use jiff::civil::Date;

use crate::judge::Verdict;
use crate::result::renamed::{self, RENAMED};
use crate::result::{CaseResult, FlakyDeviation, Known, Status};
use crate::target::Deviation;

/// What a list of known deviations came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applied {
    /// Entries that do not hold.
    pub stale: Vec<String>,
    /// Entries of deviations that show now and then, and how often they did.
    pub flaky: Vec<FlakyDeviation>,
}

/// Marks the known failures, and returns every entry that does not hold: a case that no longer shows its verdict, a
/// date that has passed, a glob that is none or matches none of the cases that are `known` of the target, run or not. A real client may not come so far
/// that it would show, so only the wire's cases speak against an entry.
pub fn apply(deviations: &[Deviation], today: Date, known: &[String], cases: &mut [CaseResult]) -> Applied {
    let (mut stale, mut flaky) = (Vec::new(), Vec::new());
    let mut explained = vec![Vec::new(); cases.len()];
    for deviation in deviations {
        let matcher = match Glob::new(&deviation.case) {
            Ok(glob) => glob.compile_matcher(),
            Err(error) => {
                stale.push(format!("deviation `{}`: {}", deviation.case, error.kind()));
                continue;
            }
        };
        if deviation.until < today {
            stale.push(format!("deviation `{}`: its date {} has passed", deviation.case, deviation.until));
        }
        // A list that was written before a case was renamed keeps its meaning.
        let means = |id: &str| renamed::all(id, RENAMED).any(|id| matcher.is_match(id));
        let matches = |case: &CaseResult| means(&case.id);
        // Clients' names have a version, and their cases are known where they are asked for.
        let of_clients = deviation.case.contains('@') && !known.iter().any(|id| id.contains('@'));
        if !of_clients && !known.iter().any(|id| means(id)) {
            stale.push(format!("deviation `{}`: no case has such an id", deviation.case));
        }
        let (mut showed, mut judged) = (0, 0);
        for (case, explained) in cases.iter().zip(&mut explained).filter(|(case, _)| matches(case)) {
            judged += usize::from(matches!(case.status, Status::Pass | Status::Fail));
            if case.verdicts.contains(&deviation.verdict) {
                showed += 1;
                explained.push(deviation);
            } else if deviation.flaky {
                // It shows now and then, and now it does not.
            } else if case.status != Status::Skipped && case.situation.is_none() {
                stale
                    .push(format!("deviation `{}`: {} no longer shows {}", deviation.case, case.id, deviation.verdict));
            }
        }
        if deviation.flaky && judged > 0 {
            let (case, verdict, reason) = (deviation.case.clone(), deviation.verdict, deviation.reason.clone());
            flaky.push(FlakyDeviation { case, verdict, showed, judged, reason });
        }
    }
    for (case, explained) in cases.iter_mut().zip(explained) {
        let of = |verdict: &Verdict| explained.iter().any(|deviation: &&Deviation| deviation.verdict == *verdict);
        let until = explained.iter().map(|deviation| deviation.until).min();
        if case.status == Status::Fail
            && case.verdicts.iter().all(of)
            && let (Some(first), Some(until)) = (explained.first(), until)
        {
            case.known = Some(Known { reason: first.reason.clone(), until });
        }
    }
    Applied { stale, flaky }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::Verdict;
    use crate::result::RunResult;

    /// A case that shows these verdicts.
    fn case(verdicts: &[Verdict]) -> CaseResult {
        let text = include_str!("../../fixtures/samples/result-2.json");
        let result: RunResult = serde_json::from_str(text).unwrap();
        let case = result.cases.into_iter().next().unwrap();
        CaseResult { verdicts: verdicts.to_vec(), status: Status::of(verdicts), known: None, ..case }
    }

    fn applied(flaky: bool, shown: &[&[Verdict]]) -> (Applied, Vec<CaseResult>) {
        let mut cases: Vec<CaseResult> = shown.iter().map(|verdicts| case(verdicts)).collect();
        let deviation = Deviation {
            case: cases[0].id.clone(),
            verdict: Verdict::ReplayAccepted,
            reason: "each of two nodes has a list of its own".to_owned(),
            until: "2027-06-30".parse().unwrap(),
            flaky,
        };
        let known = [cases[0].id.clone()];
        let applied = apply(&[deviation], "2026-12-01".parse().unwrap(), &known, &mut cases);
        (applied, cases)
    }

    #[test]
    fn what_shows_now_and_then_is_known_when_it_does_and_not_stale_when_it_does_not() {
        let (applied, cases) = applied(true, &[&[Verdict::Exact], &[Verdict::ReplayAccepted], &[Verdict::Exact]]);
        assert_eq!(applied.stale, Vec::<String>::new());
        let [flaky] = applied.flaky.as_slice() else { panic!("{applied:?}") };
        assert_eq!((flaky.showed, flaky.judged), (1, 3));
        let known: Vec<bool> = cases.iter().map(|case| case.known.is_some()).collect();
        assert_eq!(known, [false, true, false]);
    }

    #[test]
    fn what_is_not_listed_as_flaky_is_strict_and_what_is_explains_nothing_else() {
        let (strict, _) = applied(false, &[&[Verdict::Exact]]);
        assert!(strict.stale[0].ends_with("no longer shows replay-accepted"), "{strict:?}");
        let (_, cases) = applied(true, &[&[Verdict::MissingChallenge, Verdict::ReplayAccepted]]);
        assert_eq!(cases[0].known, None);
    }
}
