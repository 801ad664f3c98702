//! Sharing an account: in mode auth-only nothing asks for a code to make and to remove packages.
//!
//! On accounts that are lent, an object that a case works on costs a code to make and another to remove, each of a time
//! step of its own. Where the target file lets it (`may-lower-mode`), an account in mode auth-and-writes is put into
//! auth-only while the objects of several cases are made and those of the cases before are removed, and back into its own
//! mode for what is judged. That costs two codes for all of them. Where a registry refuses that, or no read shows the mode,
//! each case is played alone.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::cast::{self, Provisioner};
use super::plan::{Case, Script};
use super::play::{Play, Played};
use super::scene::{Conduct, Ended, Mistake, Scene};
use super::set_up::Made;
use super::stop::Part;

use super::{Preflight, Run, Shown, broken, caught, finished, not_played, shown};
use crate::accounts::{Loan, Role, Shelf};
use crate::clock::UnixMillis;
use crate::dialect::{Dialect, LeavesAccount};
use crate::judge::Outcome;
use crate::result::CaseResult;
use crate::scenario::Act;
use crate::table::{Factor, Mode};

/// What puts an account into mode auth-only.
const LOWER: &str = "lower-mode";
/// How many cases share one lowering of a mode at most.
pub(super) const MOST: u32 = 20;

/// Whether a dialect says how a mode is lowered, and what that saves.
pub(super) fn can_lower(dialect: &Dialect) -> bool {
    !dialect.eased.is_empty() && dialect.routines.get(LOWER).is_some_and(|steps| !steps.is_empty())
}

impl Case {
    /// Whether it can share an account with others: by the wire it works on what mode auth-only lets it make and remove
    /// without a code, and it leaves the account itself alone.
    pub(super) fn shares_account(&self, dialect: &Dialect) -> bool {
        let alone = match &self.script {
            Script::Row { .. } => true,
            Script::Scenario(scenario) => {
                let attempts = scenario.acts.iter().all(|act| matches!(act, Act::Attempt(_)));
                attempts && scenario.cast.is_empty() && !scenario.needs_another()
            }
        };
        let surfaces = self.surfaces(dialect);
        let is_eased = |surface: &usize| dialect.eases(&dialect.surfaces[*surface]);
        let is_on_object = |surface: &usize| {
            let surface = &dialect.surfaces[*surface];
            surface.feature.is_some() || !surface.prepare.is_empty()
        };
        alone
            && self.mode == Mode::AuthAndWrites
            && self.factor == Factor::Totp
            && self.seat.is_none()
            && self.leaves_account(dialect) == LeavesAccount::AsItWas
            && surfaces.iter().all(is_eased)
            && surfaces.iter().any(is_on_object)
    }

    /// Whether another user takes part in it, who has no second factor.
    pub(super) fn needs_companion(&self, dialect: &Dialect) -> bool {
        self.surfaces(dialect).into_iter().any(|surface| dialect.surfaces[surface].companion)
            || matches!(&self.script, Script::Scenario(scenario) if scenario.needs_companion())
    }
}

/// Cases that share accounts of one kind.
pub(super) struct Queue {
    shelf: Shelf,
    accounts: usize,
    /// So many cases are a batch.
    batch: usize,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    shared: VecDeque<usize>,
    /// Those in which another user takes part: one account after the other plays them.
    accompanied: VecDeque<usize>,
    /// Those that are played alone after all.
    alone: VecDeque<usize>,
}

impl Queue {
    /// Takes those of these cases that can share accounts.
    pub(super) fn of(run: &Run, cases: &[Case], order: &mut Vec<usize>) -> Option<Self> {
        let Provisioner::Accounts(pool) = &run.provisioner else { return None };
        let dialect = &run.stage.dialect;
        if !run.lowers_modes() {
            return None;
        }
        let shares = |number: &usize| cases[*number].shares_account(dialect);
        let numbers: Vec<usize> = order.iter().copied().filter(shares).collect();
        let first = &cases[*numbers.first()?];
        let shelf = Shelf::of(first.mode, first.factor, LeavesAccount::AsItWas);
        // Each account that is lowered takes codes for that, so there are no more of them than it takes.
        let accounts = pool.number(shelf).min(numbers.len().div_ceil(MOST as usize));
        if accounts == 0 || numbers.len() < 2 {
            return None;
        }
        order.retain(|number| !shares(number));
        let accompanied = |number: &usize| cases[*number].needs_companion(dialect);
        let (accompanied, shared) = numbers.into_iter().partition(accompanied);
        let waiting = Waiting { shared, accompanied, ..Waiting::default() };
        let batch = waiting.shared.len().div_ceil(accounts).clamp(1, MOST as usize);
        Some(Queue { shelf, accounts, batch, waiting: Mutex::new(waiting) })
    }

    /// How many accounts its cases can be played on at once.
    pub(super) fn accounts(&self) -> usize {
        self.accounts
    }

    fn has_accompanied(&self) -> bool {
        !self.waiting().accompanied.is_empty()
    }

    /// The next cases for an account, and whether another user takes part in them.
    fn take(&self, accompanied: bool) -> (Vec<usize>, bool) {
        let waiting = &mut *self.waiting();
        if accompanied && !waiting.accompanied.is_empty() {
            let number = waiting.accompanied.len().min(MOST as usize);
            return (waiting.accompanied.drain(..number).collect(), true);
        }
        let number = waiting.shared.len().min(self.batch);
        (waiting.shared.drain(..number).collect(), false)
    }

    /// These are played alone.
    fn leave(&self, taken: Vec<usize>) {
        self.waiting().alone.extend(taken);
    }

    /// These and all others are played alone.
    fn end(&self, taken: Vec<usize>) {
        let Waiting { shared, accompanied, alone } = &mut *self.waiting();
        alone.extend(taken);
        alone.append(shared);
        alone.append(accompanied);
    }

    /// The next one that is played alone.
    pub(super) fn next_alone(&self) -> Option<usize> {
        self.waiting().alone.pop_front()
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Waiting> {
        // No code panics while holding the lock, and the state is valid between any two statements.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What came of the cases that were played on one account.
#[derive(Default)]
pub(super) struct Came {
    /// The cases that have ended, by their numbers.
    pub(super) results: Vec<(usize, CaseResult)>,
    /// What is left of it beside what each case leaves, in words.
    pub(super) left: Vec<String>,
}

/// A case whose objects are made.
struct Ready<'c> {
    number: usize,
    case: &'c Case,
    scene: Scene,
    /// How its set-up ended, where that ends it.
    end: Result<Option<Played>, Mistake>,
    made: Vec<Made>,
    worked_for: Duration,
}

/// A case that was played, and whose objects are still there.
struct Over<'c> {
    number: usize,
    case: &'c Case,
    scene: Scene,
    shown: Shown,
    worked_for: Duration,
}

/// One account and those who share it.
struct Account<'c> {
    run: &'c Run,
    cases: &'c [Case],
    preflight: &'c Preflight,
    /// Who lowers its mode and raises it.
    keeper: Scene,
    /// What has to go back of the other user, as long as they are needed.
    companion: Option<Loan>,
    came: Came,
}

/// Plays cases of the queue on an account, one batch after the other. The first account plays those as well in which
/// another user takes part.
pub(super) async fn share(run: &Run, cases: &[Case], preflight: &Preflight, queue: &Queue, is_first: bool) -> Came {
    let Provisioner::Accounts(pool) = &run.provisioner else { return Came::default() };
    let Shelf { mode, factor, role } = queue.shelf;
    // The companion is always taken first, so that two never wait for each other.
    let companion = match is_first && queue.has_accompanied() {
        true => pool.lend(Mode::Disabled, Factor::None, Role::Companion).await.ok(),
        false => None,
    };
    let (other, companion) = companion.unzip();
    let lent = pool.lend(mode, factor, role).await;
    let Ok((user, loan)) = lent else {
        if let (Some(other), Some(loan)) = (other, companion) {
            pool.give_back(other, loan);
        }
        // Each case says that there is none.
        queue.end(Vec::new());
        return Came::default();
    };
    let mut keeper = Scene::open(&run.stage, user, mode.name(), LOWER).await;
    keeper.other = other;
    let mut account = Account { run, cases, preflight, keeper, companion, came: Came::default() };
    let whole = account.serve(queue).await;
    account.let_companion_go();
    let Account { keeper, came, .. } = account;
    run.provisioner.release(keeper, vec![loan], whole);
    came
}

impl<'c> Account<'c> {
    /// Plays batches until there is no case any more. Whether the account is as it was.
    async fn serve(&mut self, queue: &Queue) -> bool {
        let entered = self.run.provisioner.enter(&mut self.keeper).await;
        if !entered.is_ok_and(|ended| ended.outcome == Outcome::Accepted) {
            // The cases tell of it, each on its own.
            queue.end(Vec::new());
            return true;
        }
        let mut over: Vec<Over<'c>> = Vec::new();
        loop {
            let (taken, accompanied) = queue.take(self.companion.is_some());
            let batch = self.playable(taken);
            if batch.is_empty() && over.is_empty() {
                return true;
            }
            let lowered = if self.stops() { Ok(false) } else { self.lower().await };
            if !matches!(lowered, Ok(true)) {
                // What is there is removed with a code for each.
                queue.end(batch);
                self.clear(over).await;
                return lowered.inspect_err(|left| self.came.left.push(left.clone())).is_ok();
            }
            self.clear(std::mem::take(&mut over)).await;
            if !accompanied {
                self.let_companion_go();
            }
            let mut ready = Vec::new();
            for number in batch {
                if self.stops() {
                    queue.leave(vec![number]);
                    continue;
                }
                ready.push(self.make(number).await);
            }
            if let Err(left) = self.raise().await {
                self.came.left.push(left.clone());
                for ready in ready {
                    let mode = format!("the mode of the account could not be put back: {left}");
                    let ended = Ended { outcome: Outcome::Failed, saw: mode };
                    let failed = Ready { end: Ok(Some(Played::SetUpFailed(ended))), ..ready };
                    over.push(self.play(failed).await);
                }
                self.clear(over).await;
                queue.end(Vec::new());
                return false;
            }
            for ready in ready {
                over.push(self.play(ready).await);
            }
        }
    }

    /// Those that are played at all. What comes of the others is noted.
    fn playable(&mut self, numbers: Vec<usize>) -> Vec<usize> {
        let mut playable = Vec::new();
        for number in numbers {
            match not_played(self.run, &self.cases[number], self.preflight) {
                Some(result) => self.came.results.push((number, result)),
                None => playable.push(number),
            }
        }
        playable
    }

    /// Gives the other user back.
    fn let_companion_go(&mut self) {
        let Provisioner::Accounts(pool) = &self.run.provisioner else { return };
        if let (Some(other), Some(loan)) = (self.keeper.other.take(), self.companion.take()) {
            pool.give_back(other, loan);
        }
    }

    fn stops(&self) -> bool {
        self.run.stage.stop.cause(self.now()).is_some()
    }

    fn now(&self) -> UnixMillis {
        self.run.stage.clock.now()
    }

    /// Puts the account into mode auth-only. Whether that has shown; the error is that it is in neither mode, in words.
    async fn lower(&mut self) -> Result<bool, String> {
        let lowered = self.keeper.routine(LOWER, &Conduct::Assisted).await;
        let lowered = lowered.is_ok_and(|ended| ended.outcome == Outcome::Accepted);
        if lowered && self.is_in(Mode::AuthOnly).await {
            return Ok(true);
        }
        self.raise().await.map(|()| false)
    }

    /// Puts the account back into its mode. The error is why it is not, in words.
    async fn raise(&mut self) -> Result<(), String> {
        let undone = cast::clean_up(self.run, &mut self.keeper, LOWER).await.unwrap_or_default();
        let is_back = undone.left.is_empty() && self.is_in(Mode::AuthAndWrites).await;
        self.keeper.part = Part::Play;
        if is_back {
            return Ok(());
        }
        let name = &self.keeper.user.name;
        let why = undone.left.first().map_or_else(String::new, |why| format!(": {why}"));
        Err(format!("account {name} is not in mode {} again{why}", Mode::AuthAndWrites))
    }

    /// Whether the account is in a mode, and somebody is logged in: a registry may end sessions with a change of the mode.
    async fn is_in(&mut self, mode: Mode) -> bool {
        let entered = self.run.provisioner.enter_one(&mut self.keeper).await;
        if !entered.is_ok_and(|ended| ended.outcome == Outcome::Accepted) {
            return false;
        }
        let own = std::mem::replace(&mut self.keeper.mode, mode.name().to_owned());
        let seen = self.keeper.routine("recognise-mode", &Conduct::Assisted).await;
        self.keeper.mode = own;
        seen.is_ok_and(|ended| ended.outcome == Outcome::Accepted)
    }

    /// Makes what a case works on.
    async fn make(&mut self, number: usize) -> Ready<'c> {
        let (run, case) = (self.run, &self.cases[number]);
        let with = case.needs_companion(&run.stage.dialect);
        let mut scene = self.keeper.beside(&case.id);
        self.keeper.hand_over_to(&mut scene, with).await;
        let began = self.now();
        let mut play = Play::new(run, case, &mut scene, number);
        let end = match caught(play.make_all()).await {
            Ok(Ok(ended)) => Ok(ended.map(Played::SetUpFailed)),
            Ok(Err(mistake)) => Err(mistake),
            Err(panic) => Err(format!("stepup itself failed: {panic}")),
        };
        let made = play.hand_out();
        let worked_for = began.until(self.now());
        scene.hand_over_to(&mut self.keeper, with).await;
        Ready { number, case, scene, end, made, worked_for }
    }

    /// Plays a case whose objects are made.
    async fn play(&mut self, ready: Ready<'c>) -> Over<'c> {
        let Ready { number, case, mut scene, end, made, worked_for } = ready;
        let with = case.needs_companion(&self.run.stage.dialect);
        self.keeper.hand_over_to(&mut scene, with).await;
        let began = self.now();
        let mut play = Play::new(self.run, case, &mut scene, number);
        play.take_over(made, end);
        let shown = caught(shown(play)).await.unwrap_or_else(|panic| {
            let result = broken(self.run, case, &panic);
            Shown { result, undone: Vec::new(), statements: Vec::new() }
        });
        let worked_for = worked_for + began.until(self.now());
        scene.hand_over_to(&mut self.keeper, with).await;
        Over { number, case, scene, shown, worked_for }
    }

    /// Removes what cases have made, and says what came of them.
    async fn clear(&mut self, over: Vec<Over<'c>>) {
        for Over { number, case, mut scene, shown, worked_for } in over {
            let with = case.needs_companion(&self.run.stage.dialect);
            self.keeper.hand_over_to(&mut scene, with).await;
            let began = self.now();
            let (mut result, _) = finished(self.run, case, &mut scene, shown).await;
            let stage = &self.run.stage;
            if stage.clock.is_real() {
                // What others did on the account meanwhile is theirs.
                let (now, worked_for) = (self.now(), worked_for + began.until(self.now()));
                let began = UnixMillis(now.0.saturating_sub(i64::try_from(worked_for.as_millis()).unwrap_or(0)));
                result.timing = Some(stage.waits.timing_of(began, now, &scene.waited));
            }
            scene.hand_over_to(&mut self.keeper, with).await;
            self.came.results.push((number, result));
        }
    }
}
