//! How long cases take, before they are run and while they are: what a plan says of codes and waits, set right by what
//! happened.

use std::collections::BTreeMap;
use std::time::Duration;

use super::batch::MOST;
use super::plan::{Case, Script};
use crate::accounts::Shelf;
use crate::dialect::{Dialect, LeavesAccount, Surface};
use crate::judge::Expectation;
use crate::persona::totp::PERIOD;
use crate::result::lasting;
use crate::scenario::{Act, Must, Proof, Scenario};
use crate::table::{Factor, Mode};

/// How long a case works when it waits for nothing.
const WORK: Duration = Duration::from_millis(150);
/// How many cases work side by side.
const SIDE_BY_SIDE: u32 = 8;

/// Whose codes a case takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Means {
    /// Those of users who sign themselves up for it.
    Fresh,
    /// Those of an account that is lent, and that other cases need after it.
    Lent {
        /// Whether cases share accounts whose mode is lowered while nothing is judged.
        shared: bool,
    },
}

/// What a case is expected to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// One-time passwords of one user, one after the other, each of a time step of its own.
    pub codes: u32,
    /// How long it takes from its beginning to its end.
    pub long: Duration,
}

/// What a case is expected to take.
pub fn cost(case: &Case, dialect: &Dialect, means: Means) -> Cost {
    let (codes, own) = match &case.script {
        Script::Row { surface, expectation } => {
            (row(case, &dialect.surfaces[*surface], *expectation, dialect, means), Duration::ZERO)
        }
        Script::Scenario(scenario) => {
            let own = Duration::from_secs(u64::from(scenario.waits()) * PERIOD.unsigned_abs());
            (acts(case, scenario, dialect, means), own)
        }
    };
    let codes = if case.factor.has_codes() { codes } else { 0 };
    // A step passes while another wait does.
    let waits = steps(codes).max(own);
    Cost { codes, long: waits + WORK }
}

/// So many time steps.
fn steps(number: u32) -> Duration {
    Duration::from_secs(u64::from(number) * PERIOD.unsigned_abs())
}

/// How many codes a row takes.
fn row(case: &Case, surface: &Surface, expectation: Option<Expectation>, dialect: &Dialect, means: Means) -> u32 {
    let challenged = expectation == Some(Expectation::Challenged);
    let own = match (challenged, case.factor) {
        (true, Factor::Totp | Factor::Both) => 1 + u32::from(surface.spend_on.is_some()),
        (true, Factor::SecurityKey | Factor::None) | (false, _) => 0,
    };
    match means {
        Means::Fresh => own,
        Means::Lent { shared: true } if case.shares_account(dialect) => own,
        Means::Lent { .. } => {
            let objects = number(case.surfaces(dialect).len());
            own + made(case, surface, dialect) * objects + u32::from(leaves_object(case, surface, dialect))
        }
    }
}

/// How many codes making and removing an object takes of an account that is lent, at a guess: one for each step, and one
/// for the removal, which asks for none of what the account itself has.
fn made(case: &Case, surface: &Surface, dialect: &Dialect) -> u32 {
    let steps = number(surface.prepare.len());
    match (case.mode, dialect.eases(surface)) {
        (Mode::AuthAndWrites, true) => steps + u32::from(steps > 0),
        (Mode::AuthAndWrites | Mode::AuthOnly, false) => steps,
        (Mode::AuthOnly, true) | (Mode::Disabled, _) => 0,
    }
}

/// Whether what goes through at a surface makes an object whose removal takes a code.
fn leaves_object(case: &Case, surface: &Surface, dialect: &Dialect) -> bool {
    case.mode == Mode::AuthAndWrites
        && surface.prepare.is_empty()
        && surface.feature.is_some()
        && dialect.eases(surface)
}

fn number(of: usize) -> u32 {
    u32::try_from(of).unwrap_or(u32::MAX)
}

/// How many codes the acts of a scenario take of the user who takes most.
fn acts(case: &Case, scenario: &Scenario, dialect: &Dialect, means: Means) -> u32 {
    let attempts = scenario.attempts().filter(|attempt| is_code(&attempt.proof)).count();
    let runs = scenario.acts.iter().filter(|act| matches!(act, Act::Run(_))).count();
    let attempts = number(attempts);
    match means {
        // They are spread over several users.
        Means::Fresh if scenario.cast.is_empty() => attempts.min(1),
        Means::Fresh => attempts,
        Means::Lent { shared: true } if case.shares_account(dialect) => attempts,
        Means::Lent { .. } => {
            let objects = case.surfaces(dialect).into_iter();
            let objects = objects.map(|surface| made(case, &dialect.surfaces[surface], dialect));
            let through =
                scenario.attempts().filter(|attempt| matches!(attempt.must, Must::Succeed | Must::SucceedOnce));
            let through = through.filter_map(|attempt| Scenario::surface(attempt, dialect));
            let left = through.filter(|surface| leaves_object(case, &dialect.surfaces[*surface], dialect)).count();
            attempts + number(runs) + number(left) + objects.sum::<u32>()
        }
    }
}

fn is_code(proof: &Proof) -> bool {
    matches!(
        proof,
        Proof::Right
            | Proof::Short
            | Proof::Long
            | Proof::LeadingZero
            | Proof::LeadingZeroDropped
            | Proof::FormerSecret
            | Proof::PendingSecret
    )
}

/// Cases that take turns: those of accounts of one kind, or all where users sign themselves up.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Lane {
    shelf: Option<Shelf>,
    /// How many of them can be under way at once, where that has a bound.
    accounts: Option<u32>,
    /// What its cases take one after the other.
    all: Duration,
    codes: u32,
    /// How many of its cases share accounts.
    sharing: u32,
    longest: (Duration, String),
    /// What of it has ended: as planned, and as it was.
    planned: Duration,
    took: Duration,
}

/// How long cases take, and what of it dominates.
#[derive(Debug, Clone)]
pub struct Estimate {
    lanes: Vec<Lane>,
    costs: BTreeMap<String, (usize, Duration)>,
    cases: usize,
    /// How long all would take if modes might be lowered, where they might and may not.
    by_lowering: Option<Duration>,
}

impl Estimate {
    /// What these cases take, with these accounts or, where there are none, with users who sign themselves up.
    pub fn of<'c>(
        cases: impl IntoIterator<Item = &'c Case>,
        dialect: &Dialect,
        accounts: Option<&[(Shelf, u32)]>,
        shared: bool,
    ) -> Self {
        let means = if accounts.is_some() { Means::Lent { shared } } else { Means::Fresh };
        let mut estimate = Estimate { lanes: Vec::new(), costs: BTreeMap::new(), cases: 0, by_lowering: None };
        for case in cases {
            let shelf = accounts.map(|accounts| {
                let shelf = Shelf::of(case.mode, case.factor, case.leaves_account(dialect));
                shelf.served_by(|shelf| accounts.iter().any(|(known, _)| *known == shelf))
            });
            let number =
                accounts.into_iter().flatten().find(|(known, _)| Some(*known) == shelf).map(|(_, number)| *number);
            if accounts.is_some() && (number.is_none() || case.needs_own_users()) {
                // Without its account it is not run.
                continue;
            }
            let cost = cost(case, dialect, means);
            let at = estimate.lane(shelf, number);
            let lane = &mut estimate.lanes[at];
            lane.all += cost.long;
            lane.codes += cost.codes;
            lane.sharing += u32::from(shared && case.shares_account(dialect));
            if cost.long > lane.longest.0 {
                lane.longest = (cost.long, case.id.clone());
            }
            estimate.costs.insert(case.id.clone(), (at, cost.long));
            estimate.cases += 1;
        }
        for lane in &mut estimate.lanes {
            // A lowering and what takes it back, and one more of each account for what is left to clean up.
            let batches = lane.sharing.div_ceil(MOST);
            let lowered = batches + batches.min(lane.accounts.unwrap_or(1));
            lane.codes += 2 * lowered;
            lane.all += steps(2 * lowered);
        }
        estimate
    }

    /// The same, with a hint where this other one, of the same run with `may-lower-mode`, is a good deal shorter.
    #[must_use]
    pub fn beside(self, lowering: &Estimate) -> Self {
        let (long, short) = (self.left(Duration::ZERO), lowering.left(Duration::ZERO));
        Estimate { by_lowering: Some(short).filter(|short| *short * 4 < long * 3), ..self }
    }

    fn lane(&mut self, shelf: Option<Shelf>, accounts: Option<u32>) -> usize {
        if let Some(at) = self.lanes.iter().position(|lane| lane.shelf == shelf) {
            return at;
        }
        let none = Duration::ZERO;
        let longest = (none, String::new());
        self.lanes.push(Lane { shelf, accounts, all: none, codes: 0, sharing: 0, longest, planned: none, took: none });
        self.lanes.len() - 1
    }

    /// What a case is expected to take.
    pub fn of_case(&self, id: &str) -> Option<Duration> {
        self.costs.get(id).map(|(_, long)| *long)
    }

    /// A case has ended that took so long.
    pub fn ended(&mut self, id: &str, took: Duration) {
        if let Some((at, planned)) = self.costs.get(id) {
            let lane = &mut self.lanes[*at];
            lane.planned += *planned;
            lane.took += took;
        }
        self.cases = self.cases.saturating_sub(1);
    }

    /// How long the rest takes, when so much time has passed since the beginning.
    pub fn left(&self, passed: Duration) -> Duration {
        let work = WORK * u32::try_from(self.cases).unwrap_or(u32::MAX) / SIDE_BY_SIDE;
        let lanes = self.lanes.iter().map(|lane| lane.left(passed));
        lanes.max().unwrap_or_default().max(work)
    }

    /// How long all of it takes and what of it dominates, in a sentence.
    pub fn sentence(&self) -> String {
        let long = self.left(Duration::ZERO);
        let Some(lane) = self.lanes.iter().max_by_key(|lane| lane.left(Duration::ZERO)) else {
            return "nothing to run".to_owned();
        };
        let why = match (lane.shelf, lane.accounts) {
            _ if lane.longest.0 <= WORK => format!("{} cases, which wait for nothing", self.cases),
            (Some(shelf), Some(accounts)) if lane.left_by_turns() > lane.longest.0 => {
                format!("{} one-time passwords of {accounts} accounts ({shelf}), one in 30 s of each", lane.codes)
            }
            _ => format!("{} alone waits for {}", lane.longest.1, lasting(lane.longest.0)),
        };
        let hint = self.by_lowering.map_or_else(String::new, |short| {
            format!("; with `may-lower-mode: true` in the target file about {}", lasting(short))
        });
        format!("about {}: {why}{hint}", lasting(long))
    }
}

impl Lane {
    /// What is not done yet by plan, by turns on its accounts.
    fn left_by_turns(&self) -> Duration {
        self.all.saturating_sub(self.planned) / self.accounts.unwrap_or(1).max(1)
    }

    /// How many times longer than planned its cases take.
    fn ratio(&self) -> f64 {
        if self.planned.is_zero() { 1.0 } else { self.took.as_secs_f64() / self.planned.as_secs_f64() }
    }

    fn left(&self, passed: Duration) -> Duration {
        if self.planned >= self.all {
            return Duration::ZERO;
        }
        match self.accounts {
            Some(_) => {
                let turns =
                    self.left_by_turns().max(if self.planned.is_zero() { self.longest.0 } else { Duration::ZERO });
                turns.mul_f64(self.ratio().clamp(0.1, 10.0))
            }
            // All wait at the same time.
            None => self.longest.0.saturating_sub(passed),
        }
    }
}

impl Shelf {
    /// The accounts that a case can use which leaves its account so.
    pub(super) fn of(mode: Mode, factor: Factor, leaves: LeavesAccount) -> Self {
        Shelf { mode, factor, role: leaves.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::super::suite;
    use super::*;
    use crate::accounts::Role;
    use crate::target;

    const SECOND: Duration = Duration::from_secs(1);

    /// The estimate of the default run by wire, with these accounts or with users who sign themselves up.
    fn estimate(accounts: Option<&[(Shelf, u32)]>, shared: bool) -> Estimate {
        let dialect = target::find("embedded").expect("npm").dialect;
        let cases = suite::carried().expect("the cases");
        let played = |case: &&Case| match &case.script {
            Script::Scenario(scenario) => super::super::burden(scenario).is_none(),
            Script::Row { .. } => true,
        };
        Estimate::of(cases.iter().filter(played), &dialect, accounts, shared)
    }

    fn writers(number: u32) -> Vec<(Shelf, u32)> {
        let writers = Shelf { mode: Mode::AuthAndWrites, factor: Factor::Totp, role: Role::Lasting };
        vec![(writers, number), (Shelf { mode: Mode::Disabled, factor: Factor::None, role: Role::Lasting }, 1)]
    }

    #[test]
    fn more_accounts_take_less_time_and_the_kind_that_dominates_is_named() {
        let (few, many) = (estimate(Some(&writers(2)), false), estimate(Some(&writers(8)), false));
        let zero = Duration::ZERO;
        assert!(few.left(zero) > many.left(zero) * 3, "{:?} {:?}", few.left(zero), many.left(zero));
        assert!(few.sentence().contains("of 2 accounts (mode auth-and-writes, totp, lasting)"), "{}", few.sentence());
    }

    #[test]
    fn accounts_that_are_shared_take_less_time_and_whoever_may_not_share_them_is_told_so() {
        let accounts = writers(4);
        let (alone, shared) = (estimate(Some(&accounts), false), estimate(Some(&accounts), true));
        let (long, short) = (alone.left(Duration::ZERO), shared.left(Duration::ZERO));
        assert!(short * 4 < long * 3, "{long:?} {short:?}");
        assert!(!shared.sentence().contains("may-lower-mode"), "{}", shared.sentence());
        let told = alone.beside(&shared).sentence();
        assert!(told.contains("; with `may-lower-mode: true` in the target file about "), "{told}");
        assert!(!shared.clone().beside(&shared).sentence().contains("may-lower-mode"));
    }

    #[test]
    fn users_who_sign_themselves_up_wait_at_the_same_time_and_the_longest_case_is_named() {
        let estimate = estimate(None, false);
        let long = estimate.left(Duration::ZERO);
        assert!(long >= 30 * SECOND && long <= 180 * SECOND, "{}", estimate.sentence());
        assert!(estimate.sentence().contains(" alone waits for "), "{}", estimate.sentence());
    }

    #[test]
    fn what_is_left_follows_what_happened() {
        let accounts = writers(4);
        let mut slow = estimate(Some(&accounts), false);
        let mut fast = slow.clone();
        let ids: Vec<(String, Duration)> = slow
            .costs
            .iter()
            .filter(|(_, (at, _))| *at == slow.costs["auth-and-writes/publish/totp/wire"].0)
            .map(|(id, (_, long))| (id.clone(), *long))
            .collect();
        let before = slow.left(Duration::ZERO);
        let (first, rest) = ids.split_at(ids.len() / 4);
        for (id, planned) in first {
            slow.ended(id, *planned * 2);
            fast.ended(id, *planned / 2);
        }
        assert!(slow.left(SECOND) > fast.left(SECOND) * 3, "{:?} {:?}", slow.left(SECOND), fast.left(SECOND));
        assert!(fast.left(SECOND) < before);
        for (id, planned) in rest {
            slow.ended(id, *planned);
        }
        assert!(slow.left(SECOND) < before / 4, "the others take little: {:?}", slow.left(SECOND));
    }
}
