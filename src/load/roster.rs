//! Who sends what: the users of one shard, handed out so that no code is spent twice but on purpose.
//!
//! Users take turns, so that the one whose last code is the longest ago is next. If even his has been spent in the
//! present step, nobody has an unspent one: the arrival is starved, and the run says so. Between the parts of a search
//! the turn goes back to those who have sent before, as soon as enough of them have something to send again: a registry
//! that meets a new user with each request keeps ever more of them in memory, and what that costs is not verifying.

use std::collections::VecDeque;
use std::ops::Range;

use super::mix::Kind;
use super::pace::Shard;
use super::sizing::{Crew, RECOVERY_CODES};

/// How many accepted codes are remembered for replays.
const REMEMBERED: usize = 1_024;

/// The users of one shard.
#[derive(Debug)]
pub struct Roster {
    first: u32,
    /// The step in which each spending user has last been given a code to send; 0 for none.
    last: Vec<u32>,
    turn: usize,
    guessing: Turns,
    recovering: Range<u32>,
    recovered: u32,
    accepted: VecDeque<(u32, u32)>,
    /// How many steps before the present one are still accepted.
    behind: u32,
    /// Who is next, beside the first, of those who spend no code.
    touch: usize,
    serves: Serves,
}

/// How often a user serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Serves {
    /// Whenever he has something to send.
    Again,
    /// Once, whatever he sends: he was prepared for it, or is not as he was after it.
    Once,
}

#[derive(Debug)]
struct Turns {
    users: Range<u32>,
    at: u32,
}

/// Who sends an arrival, and which proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Who.
    pub user: u32,
    /// Which proof.
    pub proof: Planned,
}

/// Which proof an arrival carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Planned {
    /// None.
    Nothing,
    /// The code of a step.
    Code(u32),
    /// A code that is wrong in this step.
    WrongIn(u32),
    /// A code that has expired by this step.
    ExpiredBy(u32),
    /// A recovery code of an index.
    Recovery(u32),
}

impl Roster {
    /// The users of a shard of a crew. `spent` is the step up to which codes may have been spent before.
    pub fn new(crew: &Crew, shard: Shard, behind: u32, spent: u32) -> Self {
        let spending = shard.part(crew.spending);
        let after = |range: Range<u32>, skipped: u32| range.start + skipped..range.end + skipped;
        let guessing = after(shard.part(crew.guessing), crew.spending);
        Roster {
            first: spending.start,
            last: vec![spent; spending.len()],
            turn: 0,
            guessing: Turns { at: guessing.start, users: guessing },
            recovering: after(shard.part(crew.recovering), crew.spending + crew.guessing),
            recovered: 0,
            accepted: VecDeque::with_capacity(REMEMBERED),
            behind,
            touch: 0,
            serves: Serves::Again,
        }
    }

    /// The same users, each of whom serves so often.
    pub fn serving(self, serves: Serves) -> Self {
        Roster { serves, ..self }
    }

    /// Hands out a user and a proof for an arrival in the present step, and what kind it has become: what there is
    /// nothing to replay for yet is a valid code. None when nobody can send it.
    pub fn cast(&mut self, kind: Kind, step: u32) -> Option<(Kind, Part)> {
        match kind {
            _ if self.serves == Serves::Once => self.once(kind, step),
            Kind::Right => self.spend(step).map(|user| (kind, Part { user, proof: Planned::Code(step) })),
            Kind::Exchange => self.spend(step).map(|user| (kind, Part { user, proof: Planned::Nothing })),
            Kind::ChallengeOnly => {
                let user = self.first + u32::try_from(self.turn).unwrap_or_default();
                (!self.last.is_empty()).then_some((kind, Part { user, proof: Planned::Nothing }))
            }
            Kind::Wrong => self.guess().map(|user| (kind, Part { user, proof: Planned::WrongIn(step) })),
            Kind::Expired => self.guess().map(|user| (kind, Part { user, proof: Planned::ExpiredBy(step) })),
            Kind::Key | Kind::Unprotected => {
                let user = self.first + u32::try_from(self.touch).unwrap_or_default();
                self.touch = (self.touch + 1) % self.last.len().max(1);
                (!self.last.is_empty()).then_some((kind, Part { user, proof: Planned::Nothing }))
            }
            Kind::Replayed => match self.spent_before(step) {
                Some((user, spent)) => Some((kind, Part { user, proof: Planned::Code(spent) })),
                None => self.cast(Kind::Right, step),
            },
            Kind::RecoveryCode => {
                let user = self.recovering.start + self.recovered / RECOVERY_CODES;
                let proof = Planned::Recovery(self.recovered % RECOVERY_CODES);
                self.recovered += u32::from(user < self.recovering.end);
                (user < self.recovering.end).then_some((kind, Part { user, proof }))
            }
        }
    }

    /// The code with which a user answers the challenge of an exchange, in the step that has come meanwhile.
    pub fn answer(&mut self, user: u32, step: u32) -> Part {
        if let Some(last) = self.last.get_mut((user - self.first) as usize) {
            *last = (*last).max(step);
        }
        Part { user, proof: Planned::Code(step) }
    }

    /// Notes that a user's code of a step was accepted, so that it can be replayed.
    pub fn note_accepted(&mut self, user: u32, step: u32) {
        if self.accepted.len() == REMEMBERED {
            self.accepted.pop_front();
        }
        self.accepted.push_back((user, step));
    }

    /// The last step in which any user has been given a code.
    pub fn spent_through(&self) -> u32 {
        self.last.iter().copied().max().unwrap_or_default()
    }

    /// Lets those who have sent before come again: the turn goes to the first of the first so many neighbours whose
    /// codes of the present step are unspent, or where there are none, to the first of the most.
    pub fn rewind(&mut self, arrivals: usize, step: u32) {
        if self.serves == Serves::Once {
            return;
        }
        self.touch = 0;
        let (mut longest, mut start) = (0, 0);
        // Who comes after the last is the first.
        for at in 0..2 * self.last.len() {
            if self.last[at % self.last.len()] >= step {
                start = at + 1;
                continue;
            }
            let unspent = at + 1 - start;
            if unspent > longest {
                (longest, self.turn) = (unspent, start % self.last.len());
            }
            if unspent >= arrivals.min(self.last.len()) {
                return;
            }
        }
    }

    fn spend(&mut self, step: u32) -> Option<u32> {
        let last = self.last.get_mut(self.turn)?;
        if *last >= step {
            return None;
        }
        *last = step;
        let user = self.first + u32::try_from(self.turn).unwrap_or_default();
        self.turn = (self.turn + 1) % self.last.len();
        Some(user)
    }

    /// The next user who has not served, whatever he is to send.
    fn once(&mut self, kind: Kind, step: u32) -> Option<(Kind, Part)> {
        let last = self.last.get_mut(self.turn).filter(|last| **last < step)?;
        let (kind, proof) = match kind {
            // There is nothing to replay for who sends once.
            Kind::Right | Kind::Replayed => (Kind::Right, Planned::Code(step)),
            Kind::Exchange | Kind::Key | Kind::ChallengeOnly | Kind::Unprotected => (kind, Planned::Nothing),
            Kind::Wrong => (kind, Planned::WrongIn(step)),
            Kind::Expired => (kind, Planned::ExpiredBy(step)),
            Kind::RecoveryCode => (kind, Planned::Recovery(0)),
        };
        *last = step;
        let user = self.first + u32::try_from(self.turn).unwrap_or_default();
        self.turn += 1;
        Some((kind, Part { user, proof }))
    }

    fn guess(&mut self) -> Option<u32> {
        let Turns { users, at } = &mut self.guessing;
        let user = *at;
        *at = if user + 1 < users.end { user + 1 } else { users.start };
        users.contains(&user).then_some(user)
    }

    /// A code that was accepted, and of a step that still is.
    fn spent_before(&mut self, step: u32) -> Option<(u32, u32)> {
        loop {
            let (user, spent) = self.accepted.pop_front()?;
            if spent + self.behind >= step {
                return Some((user, spent));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn roster(spending: u32, guessing: u32, recovering: u32) -> Roster {
        Roster::new(&Crew { spending, guessing, recovering }, Shard::WHOLE, 1, 0)
    }

    #[test]
    fn each_user_spends_one_code_a_step_and_then_nobody_has_one() {
        let mut roster = roster(3, 0, 0);
        let users = |roster: &mut Roster, step| {
            (0..4).map(|_| roster.cast(Kind::Right, step).map(|(_, part)| part.user)).collect::<Vec<_>>()
        };
        assert_eq!(users(&mut roster, 7), [Some(0), Some(1), Some(2), None]);
        assert_eq!(users(&mut roster, 8), [Some(0), Some(1), Some(2), None]);
        assert_eq!(users(&mut roster, 8), [None; 4]);
    }

    #[test]
    fn a_replay_needs_an_accepted_code_that_is_not_too_old() {
        let mut roster = roster(9, 0, 0);
        assert_eq!(roster.cast(Kind::Replayed, 7).map(|(kind, _)| kind), Some(Kind::Right));
        roster.note_accepted(0, 7);
        let replayed = Some((Kind::Replayed, Part { user: 0, proof: Planned::Code(7) }));
        assert_eq!(roster.cast(Kind::Replayed, 8), replayed);
        roster.note_accepted(0, 7);
        assert_eq!(roster.cast(Kind::Replayed, 9).map(|(kind, _)| kind), Some(Kind::Right));
    }

    #[test]
    fn guesses_and_recovery_codes_are_sent_by_users_of_their_own() {
        let mut roster = roster(4, 2, 1);
        let mut user = |kind| roster.cast(kind, 7).map(|(_, part)| part.user);
        assert_eq!([user(Kind::Wrong), user(Kind::Expired), user(Kind::Wrong)], [Some(4), Some(5), Some(4)]);
        let recovered: Vec<_> = (0..6).map(|_| roster.cast(Kind::RecoveryCode, 7).map(|(_, part)| part)).collect();
        assert_eq!(recovered[4], Some(Part { user: 6, proof: Planned::Recovery(4) }));
        assert_eq!(recovered[5], None);
    }

    #[test]
    fn who_serves_once_is_not_asked_again_whatever_he_sends() {
        let mut roster = roster(4, 0, 0).serving(Serves::Once);
        let kinds = [Kind::Wrong, Kind::Key, Kind::Replayed, Kind::Exchange, Kind::Right];
        let cast = kinds.map(|kind| roster.cast(kind, 7).map(|(kind, part)| (kind, part.user)));
        let wanted = [(Kind::Wrong, 0), (Kind::Key, 1), (Kind::Right, 2), (Kind::Exchange, 3)].map(Some);
        assert_eq!((&cast[..4], cast[4]), (&wanted[..], None));
        assert_eq!(roster.cast(Kind::Right, 8), None);
    }

    #[test]
    fn those_who_have_sent_come_again_once_enough_of_them_have_unspent_codes() {
        let mut roster = roster(10, 0, 0);
        let send = |roster: &mut Roster, arrivals, step| {
            roster.rewind(arrivals, step);
            (0..arrivals).map(|_| roster.cast(Kind::Right, step).map(|(_, part)| part.user)).collect::<Vec<_>>()
        };
        assert_eq!(send(&mut roster, 3, 7), [0, 1, 2].map(Some));
        assert_eq!(send(&mut roster, 2, 7), [3, 4].map(Some), "theirs are spent");
        assert_eq!(send(&mut roster, 2, 8), [0, 1].map(Some), "a new step");
        assert_eq!(send(&mut roster, 8, 8), [2, 3, 4, 5, 6, 7, 8, 9].map(Some), "with those who have not sent yet");
        assert_eq!(send(&mut roster, 6, 8), [None; 6], "nobody is left");
        assert_eq!(send(&mut roster, 12, 9)[9..], [Some(9), None, None], "more than there are");
        let mut roster = Roster::new(&Crew { spending: 5, guessing: 0, recovering: 0 }, Shard::WHOLE, 1, 0);
        assert_eq!(send(&mut roster, 4, 7), [0, 1, 2, 3].map(Some));
        assert_eq!(send(&mut roster, 2, 8), [0, 1].map(Some));
        assert_eq!(send(&mut roster, 3, 8), [2, 3, 4].map(Some));
        let mut roster = Roster::new(&Crew { spending: 5, guessing: 0, recovering: 0 }, Shard::WHOLE, 1, 0);
        roster.last = vec![7, 0, 7, 7, 0];
        assert_eq!(send(&mut roster, 2, 7), [Some(1), None], "the first of the most");
        roster.last = vec![0, 0, 7, 7, 0];
        assert_eq!(send(&mut roster, 3, 7), [4, 0, 1].map(Some), "the first come after the last");
    }

    #[test]
    fn who_has_served_once_does_not_come_again() {
        let mut roster = roster(2, 0, 0).serving(Serves::Once);
        assert_eq!(roster.cast(Kind::Right, 7).map(|(_, part)| part.user), Some(0));
        roster.rewind(1, 8);
        assert_eq!(roster.cast(Kind::Right, 8).map(|(_, part)| part.user), Some(1));
    }

    #[test]
    fn keys_are_touched_in_turn_and_spend_no_code() {
        let mut roster = roster(2, 0, 0);
        let touched = [(); 3].map(|()| roster.cast(Kind::Key, 7).map(|(_, part)| part.user));
        assert_eq!(touched, [Some(0), Some(1), Some(0)]);
        assert_eq!(roster.cast(Kind::Right, 7).map(|(_, part)| part.user), Some(0));
    }

    proptest! {
        #[test]
        fn no_code_is_handed_out_twice(
            steps in proptest::collection::vec(0_u32..2, 0..400),
            spending in 1_u32..40,
            of in 1_u32..4,
        ) {
            let mut handed_out = HashSet::new();
            for index in 0..of {
                let crew = Crew { spending, guessing: 0, recovering: 0 };
                let mut roster = Roster::new(&crew, Shard { index, of }, 1, 0);
                let mut step = 1;
                for (at, later) in steps.iter().enumerate() {
                    step += later;
                    if at % 7 == 3 {
                        roster.rewind(at % 5, step);
                    }
                    if let Some((_, part)) = roster.cast(Kind::Right, step) {
                        prop_assert!(handed_out.insert((part.user, step)), "{part:?} twice");
                        prop_assert!(part.user < spending);
                    }
                }
            }
        }
    }
}
