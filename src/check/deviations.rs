//! Known deviations: what a target is known to do differently, strict both ways.

use globset::Glob;
use jiff::civil::Date;

use crate::result::renamed::{self, RENAMED};
use crate::result::{CaseResult, Status};
use crate::target::Deviation;

/// Marks the known failures, and returns every entry that does not hold: a case that no longer shows its verdict, a
/// date that has passed, a glob that is none or matches none of the cases that are `known` of the target, run or not. A real client may not come so far
/// that it would show, so only the wire's cases speak against an entry.
pub fn apply(deviations: &[Deviation], today: Date, known: &[String], cases: &mut [CaseResult]) -> Vec<String> {
    let mut stale = Vec::new();
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
        for (case, explained) in cases.iter().zip(&mut explained).filter(|(case, _)| matches(case)) {
            if case.verdicts.contains(&deviation.verdict) {
                explained.push((deviation.verdict, deviation.reason.clone()));
            } else if case.status != Status::Skipped && case.situation.is_none() {
                stale
                    .push(format!("deviation `{}`: {} no longer shows {}", deviation.case, case.id, deviation.verdict));
            }
        }
    }
    for (case, explained) in cases.iter_mut().zip(explained) {
        let known = case.verdicts.iter().all(|verdict| explained.iter().any(|(explained, _)| explained == verdict));
        if case.status == Status::Fail && known {
            case.known = explained.into_iter().map(|(_, reason)| reason).next();
        }
    }
    stale
}
