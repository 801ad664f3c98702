//! Known deviations: what a target is known to do differently, strict both ways.

use globset::Glob;
use jiff::civil::Date;
use serde::Deserialize;

use crate::judge::Verdict;
use crate::result::{CaseResult, Status};

/// One known deviation.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deviation {
    /// The cases, as a glob over their ids.
    pub case: String,
    /// The verdict that each of them shows.
    pub verdict: Verdict,
    /// The evidence, in words.
    pub reason: String,
    /// When it must be looked at again.
    pub until: Date,
}

/// Marks the known failures, and returns every entry that does not hold: a case that no longer shows its verdict, a
/// date that has passed, a glob that is none.
pub fn apply(deviations: &[Deviation], today: Date, cases: &mut [CaseResult]) -> Vec<String> {
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
        for (case, explained) in cases.iter().zip(&mut explained).filter(|(case, _)| matcher.is_match(&case.id)) {
            if case.verdicts.contains(&deviation.verdict) {
                explained.push((deviation.verdict, deviation.reason.clone()));
            } else if case.status != Status::Skipped {
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
