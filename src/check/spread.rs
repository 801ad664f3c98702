//! Spreading a scenario over several users, where users cost nothing and each of their codes takes half a minute.
//!
//! Attempts that each need a code of one user are played by a user each, side by side, where none of them can change
//! what the next one shows: all of them must be refused. So are the volleys of a race, whose wrong codes would lock one
//! user out besides. What the pieces showed is put
//! together to the result of one case.

use std::sync::Arc;

use super::plan::{Case, Script};
use super::script::{most_volleys, told_confidence};
use super::{Provisioner, Run};
use crate::dialect::Dialect;
use crate::judge::{self, Verdict, worst_first};
use crate::result::{CaseResult, CaseTiming, CaseWait, Status};
use crate::scenario::{Act, Attempt, ErrandEnd, Must, Proof, Race, Scenario};

/// More cases than a run has: what lies between the numbers of a case's pieces.
const NUMBERS: usize = 1_000_000;

/// A part of a case that a user of its own plays.
pub(super) struct Piece {
    pub(super) case: Case,
    /// How many attempts the pieces before it make.
    pub(super) first: usize,
    /// A number that no other case and no other piece has.
    pub(super) number: usize,
}

/// How a case is spread.
pub(super) enum Spread {
    /// Each piece makes attempts of its own.
    Attempts(Vec<Piece>),
    /// Each piece is a volley of the same race: of so many copies, where so many volleys were sought.
    Volleys { pieces: Vec<Piece>, copies: usize, wanted: u32 },
}

/// How the case is spread over several users; not at all where that saves nothing, or could change what is seen.
pub(super) fn of(run: &Run, case: &Case, number: usize) -> Option<Spread> {
    let Script::Scenario(scenario) = &case.script else { return None };
    if !run.stage.spread || !matches!(run.provisioner, Provisioner::SelfService) || !scenario.cast.is_empty() {
        return None;
    }
    // What the target lacks of a case ends all of it.
    if lacks_a_surface(scenario, &run.stage.dialect) {
        return None;
    }
    let piece = |(at, (acts, first)): (usize, (Vec<Act>, usize))| {
        let scenario = Scenario { acts, ..Scenario::clone(scenario) };
        let script = Script::Scenario(Arc::new(scenario));
        Piece { case: Case { script, ..case.clone() }, first, number: number + (at + 1) * NUMBERS }
    };
    if let [Act::AtOnce(race)] = scenario.acts.as_slice() {
        let wanted = judge::volleys_for(race.confidence?);
        let volleys = wanted.min(most_volleys(run));
        if volleys < 2 {
            return None;
        }
        let once = Race { attempts: race.attempts.clone(), confidence: None };
        let pieces = (0..volleys as usize).map(|at| piece((at, (vec![Act::AtOnce(once.clone())], 0)))).collect();
        let copies = race.attempts.iter().map(|attempt| attempt.times as usize).sum();
        return Some(Spread::Volleys { pieces, copies, wanted });
    }
    let groups = groups(scenario)?;
    Some(Spread::Attempts(groups.into_iter().enumerate().map(piece).collect()))
}

/// Whether an attempt is at a surface that the target does not have.
fn lacks_a_surface(scenario: &Scenario, dialect: &Dialect) -> bool {
    let mut surfaces = scenario.attempts().filter_map(|attempt| Scenario::surface(attempt, dialect));
    surfaces.any(|surface| dialect.surfaces[surface].undriven.is_some())
}

/// The acts of each piece, and how many attempts come before it. None where one user plays them all.
fn groups(scenario: &Scenario) -> Option<Vec<(Vec<Act>, usize)>> {
    let begun = scenario.acts.iter().position(|act| !matches!(act, Act::Run(_)))?;
    let (runs, attempts) = scenario.acts.split_at(begun);
    let repeatable = |act: &Act| match act {
        Act::Run(errand) => match errand.end {
            ErrandEnd::Succeed | ErrandEnd::SucceedWhereSupported | ErrandEnd::Any => true,
            ErrandEnd::Judged | ErrandEnd::ShowNoSecret | ErrandEnd::BeUnderstood => false,
        },
        Act::Attempt(_) | Act::AtOnce(_) | Act::Wait(_) | Act::Guess(_) => false,
    };
    let alone = |act: &Act| matches!(act, Act::Attempt(attempt) if stands_alone(attempt));
    if !runs.iter().all(repeatable) || !attempts.iter().all(alone) {
        return None;
    }
    let with_code = |act: &&Act| matches!(act, Act::Attempt(attempt) if takes_code(&attempt.proof));
    if attempts.iter().filter(with_code).count() < 2 {
        return None;
    }
    let mut groups: Vec<(Vec<Act>, usize)> = Vec::new();
    let mut has_code = true;
    let mut made = 0;
    for act in attempts {
        let (Act::Attempt(attempt), takes) = (act, with_code(&act)) else { return None };
        match groups.last_mut() {
            Some((acts, _)) if !(takes && has_code) => {
                acts.push(act.clone());
                has_code |= takes;
            }
            _ => {
                groups.push((runs.iter().chain([act]).cloned().collect(), made));
                has_code = takes;
            }
        }
        made += attempt.times as usize;
    }
    Some(groups)
}

/// Whether an attempt changes nothing for the next one, whatever comes of it on a registry that does what it must.
fn stands_alone(attempt: &Attempt) -> bool {
    let refused = match attempt.must {
        Must::BeRefused | Must::BeDenied => true,
        Must::Succeed
        | Must::BeChallenged
        | Must::BeChallengedIfKnown
        | Must::SucceedOnce
        | Must::BeWhole
        | Must::AgreeWithFile
        | Must::EndIfItSucceeds => false,
    };
    let fresh = match &attempt.proof {
        Proof::None | Proof::Wrong | Proof::Zeros | Proof::RecoveryShaped | Proof::Empty | Proof::Text(_) => true,
        proof => takes_code(proof),
    };
    refused && fresh && attempt.name.is_none() && !attempt.withheld && attempt.times == 1
}

/// Whether a proof takes a code that no earlier attempt of its user has taken.
fn takes_code(proof: &Proof) -> bool {
    match proof {
        Proof::Right | Proof::Short | Proof::Long | Proof::OfAnother | Proof::FormerSecret | Proof::PendingSecret => {
            true
        }
        // They are of a certain step, of an earlier attempt, of a cast, or of no step.
        Proof::None
        | Proof::Wrong
        | Proof::Zeros
        | Proof::RecoveryShaped
        | Proof::Empty
        | Proof::Text(_)
        | Proof::LeadingZero
        | Proof::LeadingZeroDropped
        | Proof::Expired(_)
        | Proof::Early(_)
        | Proof::Again(_)
        | Proof::Kept(_)
        | Proof::Recovery(_)
        | Proof::FormerRecovery(_)
        | Proof::Of(_)
        | Proof::Key(_)
        | Proof::Fetched(_) => false,
    }
}

impl Spread {
    /// The pieces.
    pub(super) fn pieces(&self) -> &[Piece] {
        match self {
            Spread::Attempts(pieces) | Spread::Volleys { pieces, .. } => pieces,
        }
    }

    /// The result of the case, from those of its pieces in their order.
    pub(super) fn together(&self, run: &Run, case: &Case, pieces: Vec<CaseResult>) -> CaseResult {
        let timing = timing(&pieces);
        let left: Vec<String> = pieces.iter().flat_map(|piece| piece.left.clone()).collect();
        let not_run = pieces.iter().find_map(|piece| piece.not_run);
        let result = match self {
            Spread::Attempts(_) => attempts(CaseResult::new(case, run), pieces),
            Spread::Volleys { copies, wanted, .. } => {
                let clean = pieces.iter().filter(|piece| piece.status == Status::Pass).count();
                let mut result = volleys(pieces);
                if clean > 0 {
                    let volleys = u32::try_from(clean).unwrap_or(u32::MAX);
                    result.state(&[told_confidence(volleys, *copies, *wanted, most_volleys(run))]);
                }
                result
            }
        };
        CaseResult { timing, left, not_run, ..result }
    }
}

/// What comes first of a case that a single user would have ended with: what failed, what could not be judged, what was
/// not run, what the target lacks.
const WORST: [Status; 6] =
    [Status::Fail, Status::Error, Status::Skipped, Status::Unsupported, Status::NotDescribed, Status::Pass];

/// All that the attempts showed.
fn attempts(result: CaseResult, pieces: Vec<CaseResult>) -> CaseResult {
    let worst = WORST.into_iter().find(|status| pieces.iter().any(|piece| piece.status == *status));
    let status = worst.unwrap_or(Status::Error);
    let deciding = || pieces.iter().filter(|piece| piece.status == status);
    let verdicts = match status {
        Status::Fail => worst_first(deciding().flat_map(|piece| piece.verdicts.clone()).collect()),
        _ => deciding().next().map(|piece| piece.verdicts.clone()).unwrap_or_default(),
    };
    let saw = deciding().next().map(|piece| piece.observed.clone()).unwrap_or_default();
    let mut statements: Vec<String> = Vec::new();
    for statement in pieces.iter().flat_map(|piece| &piece.statements) {
        if !statements.contains(statement) {
            statements.push(statement.clone());
        }
    }
    let probes = pieces.into_iter().flat_map(|piece| piece.probes).collect();
    let mut result = CaseResult { probes, ..result }.ended(status, verdicts, saw);
    result.state(&statements);
    result
}

/// What the volleys showed: the first one that was not clean, or the last one. A target that stops listening to some of
/// them takes nothing from what the others showed.
fn volleys(pieces: Vec<CaseResult>) -> CaseResult {
    let clean = pieces.iter().any(|piece| piece.status == Status::Pass);
    let counts = |piece: &CaseResult| {
        let says_nothing = match piece.status {
            Status::Error => piece.verdicts == [Verdict::Throttled],
            Status::Skipped => piece.not_run.is_none(),
            Status::Pass | Status::Fail | Status::Unsupported | Status::NotDescribed => false,
        };
        !(clean && says_nothing)
    };
    let rank = |piece: &CaseResult| WORST.iter().position(|status| *status == piece.status);
    let mut counted: Vec<CaseResult> = pieces.into_iter().filter(counts).collect();
    // The sort is stable, so of alike ones the last comes last; a race that is lost shows in the first.
    counted.sort_by_key(rank);
    let first = counted.first().map(|piece| piece.status);
    let at = if first == Some(Status::Pass) { counted.len() - 1 } else { 0 };
    counted.swap_remove(at)
}

/// From the beginning of the first to the end of the last.
fn timing(pieces: &[CaseResult]) -> Option<CaseTiming> {
    let timed = || pieces.iter().filter_map(|piece| piece.timing.as_ref());
    let began_ms = timed().map(|timing| timing.began_ms).min()?;
    let ended = timed().map(|timing| timing.began_ms + timing.took_ms).max()?;
    let mut waits: Vec<CaseWait> = Vec::new();
    for wait in timed().flat_map(|timing| &timing.waits) {
        match waits.iter_mut().find(|known| known.kind == wait.kind) {
            // Side by side they waited as long as the longest.
            Some(known) => known.waited_ms = known.waited_ms.max(wait.waited_ms),
            None => waits.push(wait.clone()),
        }
    }
    Some(CaseTiming { began_ms, took_ms: ended - began_ms, waits })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Source;
    use crate::target;

    fn acts(acts: &str) -> Scenario {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("own.yaml");
        std::fs::write(&file, format!("rule: r\nlevel: implied\ncites: [c]\nacts:\n{acts}")).expect("written");
        let dialect = target::find("embedded").expect("npm").dialect;
        Scenario::read(&Source::File(file), "own", &dialect).expect("a scenario")
    }

    fn words(scenario: &Scenario) -> Option<Vec<(Vec<String>, usize)>> {
        let words = |acts: Vec<Act>| acts.iter().map(Act::words).collect();
        Some(groups(scenario)?.into_iter().map(|(acts, first)| (words(acts), first)).collect())
    }

    #[test]
    fn each_attempt_with_a_code_of_its_own_is_a_piece_after_the_same_routines() {
        let scenario = acts(
            "  - { run: plain-token, as: t }\n\
             \x20 - { perform: publish, with: t, proof: none, must: be-denied }\n\
             \x20 - { perform: publish, with: t, proof: right, must: be-denied }\n\
             \x20 - { perform: token-create, with: t, proof: right, must: be-denied }\n\
             \x20 - { perform: token-create, with: t, proof: wrong, must: be-refused }\n",
        );
        let pieces = words(&scenario).expect("it is spread");
        let sizes: Vec<(usize, usize)> = pieces.iter().map(|(acts, first)| (acts.len(), *first)).collect();
        assert_eq!(sizes, [(3, 0), (3, 2)], "{pieces:#?}");
        assert_eq!(pieces[0].0[0], pieces[1].0[0], "each makes the token first");
    }

    #[test]
    fn what_the_target_lacks_of_a_case_ends_all_of_it() {
        let scenario = acts(
            "  - { perform: login, proof: right, must: be-refused }\n  - { perform: publish, proof: right, must: be-refused }\n",
        );
        let mut dialect = target::find("embedded").expect("npm").dialect;
        assert!(!lacks_a_surface(&scenario, &dialect));
        for surface in dialect.surfaces.iter_mut().filter(|surface| surface.id() == "login") {
            surface.undriven = Some(crate::dialect::Undriven::Missing("the door is for sign-up alone".to_owned()));
        }
        assert!(lacks_a_surface(&scenario, &dialect));
    }

    #[test]
    fn what_an_earlier_attempt_could_change_stays_with_one_user() {
        for (why, text) in [
            (
                "a success changes what the next one finds",
                "  - { perform: token-create, proof: right, must: succeed }\n  - { perform: publish, proof: right, must: be-refused }\n",
            ),
            (
                "a proof is sent again",
                "  - { perform: token-create, proof: right, as: a, must: be-refused }\n  - { perform: publish, proof: right, must: be-refused }\n",
            ),
            (
                "time passes between",
                "  - { perform: token-create, proof: right, must: be-refused }\n  - { wait: 1 }\n  - { perform: publish, proof: right, must: be-refused }\n",
            ),
            ("one code is enough", "  - { perform: token-create, proof: right, must: be-refused }\n"),
        ] {
            assert_eq!(words(&acts(text)), None, "{why}");
        }
    }
}
