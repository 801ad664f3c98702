//! What a run came to. The exit code and every headline follow from it, and it follows from the document alone.

use super::{CaseResult, Expected, RunResult, Status};
use crate::capability::Capability;

/// What a run came to, the first that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunEnd {
    /// It was interrupted.
    Incomplete,
    /// No case was executed.
    NothingExecuted,
    /// No case got so far that it could be judged.
    NotReached,
    /// A case decides against the target, or its list does not hold any more.
    Deviating,
    /// Cases that need a second factor were selected, and none was judged, or none for what is required.
    SecondFactorNotJudged,
    /// Cases were judged, and none of them could have decided.
    NothingDecides,
    /// All that decides held.
    Held,
}

/// Whether a second factor was judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecondFactor {
    /// No selected case needs one.
    Exempt,
    /// For all that is required, or for any one.
    Judged,
    /// The target's file says that there is none.
    Lifted,
    /// It was not.
    NotJudged {
        /// What is required and was not judged; none where nothing was judged at all.
        missing: Vec<Capability>,
        /// How many selected cases would have shown it.
        cases: usize,
    },
}

impl RunResult {
    /// What the run came to.
    pub fn end(&self) -> RunEnd {
        let summary = &self.summary;
        let unjudged = matches!(self.second_factor(), SecondFactor::NotJudged { .. });
        let observed =
            self.observations.iter().filter(|case| matches!(case.status, Status::Pass | Status::Error)).count();
        // Where cases were selected that are judged, those that are only observed do not stand for them.
        let executed =
            if summary.selected > 0 { summary.exact + summary.deviating + summary.errored } else { observed };
        let reached = self.cases.iter().chain(&self.observations).any(is_judged);
        if !self.complete {
            RunEnd::Incomplete
        } else if executed == 0 {
            if unjudged { RunEnd::SecondFactorNotJudged } else { RunEnd::NothingExecuted }
        } else if !reached {
            RunEnd::NotReached
        } else if !self.stale_deviations.is_empty() || self.cases.iter().any(|case| self.decides(case)) {
            RunEnd::Deviating
        } else if unjudged {
            RunEnd::SecondFactorNotJudged
        } else if !self.cases.iter().any(|case| is_judged(case) && case.level <= self.level) {
            RunEnd::NothingDecides
        } else {
            RunEnd::Held
        }
    }

    /// Whether a second factor was judged, of the selected cases that need one: those that must be asked for it or are
    /// about proofs, where there are some, and else those whose users have one.
    pub fn second_factor(&self) -> SecondFactor {
        let needing = || self.cases.iter().filter(|case| !case.capabilities.is_empty());
        if needing().next().is_none() {
            return SecondFactor::Exempt;
        }
        if self.target.without_second_factor {
            return SecondFactor::Lifted;
        }
        let of_any = telling(&needing().collect::<Vec<_>>());
        if !of_any.iter().any(|case| is_judged(case)) {
            return SecondFactor::NotJudged { missing: Vec::new(), cases: of_any.len() };
        }
        let (mut missing, mut cases) = (Vec::new(), 0);
        for required in &self.requires {
            let of = needing().filter(|case| case.capabilities.contains(required)).collect::<Vec<_>>();
            let of = telling(&of);
            if !of.is_empty() && !of.iter().any(|case| is_judged(case)) {
                missing.push(*required);
                cases += of.len();
            }
        }
        if missing.is_empty() { SecondFactor::Judged } else { SecondFactor::NotJudged { missing, cases } }
    }
}

/// The cases that must be asked for a second factor or are about proofs, where there are some, and else all.
fn telling<'a>(cases: &[&'a CaseResult]) -> Vec<&'a CaseResult> {
    let asks = |case: &&&CaseResult| match case.expectation {
        Expected::Challenged | Expected::Scenario => true,
        Expected::Unchallenged | Expected::Observed => false,
    };
    let asking: Vec<&CaseResult> = cases.iter().filter(asks).copied().collect();
    if asking.is_empty() { cases.to_vec() } else { asking }
}

fn is_judged(case: &CaseResult) -> bool {
    matches!(case.status, Status::Pass | Status::Fail)
}
