//! The model: pure, and ignorant of any registry. It knows the tables and the rules, and says what must become of each
//! step of a sequence.

use std::sync::Arc;

use super::world::{Door, Makes, World};
use crate::table::Mode;

/// The users of a sequence, by name.
pub const NAMES: [&str; 2] = ["ann", "ben"];

/// The most refused proofs in a row of one user: registries lock accounts.
const MOST_REFUSED: u8 = 3;
/// The most enrolments, and the most recovery codes of one enrolment that are used, of one user.
const MOST_ENROLMENTS: u8 = 3;
const MOST_RECOVERY: u8 = 3;
/// How far back a proof that is sent again may lie: older ones are refused for their age.
const LATEST: usize = 2;

/// One step of a sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// The user, by its number.
    pub by: usize,
    /// What the user does.
    pub deed: Deed,
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// The user signs up.
    SignUp,
    /// The user enables a factor in a mode.
    Enrol(Mode),
    /// The user performs an action.
    Act {
        /// The door, by its number in the world.
        door: usize,
        /// The proof that is sent.
        proof: Proof,
    },
}

/// What an action carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// No proof.
    None,
    /// A fresh code.
    Right,
    /// The next unused recovery code.
    Recovery,
    /// Six digits that are no code.
    Wrong,
    /// One of the proofs that were accepted last: 0 is the very last.
    Replayed(usize),
    /// A valid code of another user, by its number.
    OfAnother(usize),
    /// A code of the secret before the last enrolment.
    FormerSecret,
    /// An unused recovery code of the enrolment before the last.
    FormerRecovery,
}

/// What must become of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// It succeeds.
    Success,
    /// It is challenged, without effect.
    Challenge,
    /// It is refused, without effect.
    Refusal,
}

/// Where everybody stands.
#[derive(Debug, Clone)]
pub struct Model {
    world: Arc<World>,
    users: [User; NAMES.len()],
    steps: usize,
}

#[derive(Debug, Clone)]
struct User {
    signed_up: bool,
    mode: Mode,
    enrolments: u8,
    /// The accepted proofs of this enrolment, by the numbers of their steps.
    spent: Vec<usize>,
    recovery_used: u8,
    refused: u8,
}

impl Model {
    /// Nobody has signed up.
    pub fn new(world: Arc<World>) -> Self {
        let nobody = || User {
            signed_up: false,
            mode: Mode::Disabled,
            enrolments: 0,
            spent: Vec::new(),
            recovery_used: 0,
            refused: 0,
        };
        Model { world, users: std::array::from_fn(|_| nobody()), steps: 0 }
    }

    /// What the model knows of.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// The mode that a user is in.
    pub fn mode(&self, user: usize) -> Mode {
        self.users[user].mode
    }

    /// The number of the recovery code that a user would use next.
    pub fn next_recovery(&self, user: usize) -> u8 {
        self.users[user].recovery_used
    }

    /// The step at which a proof was accepted that is now sent again.
    pub fn spent_at(&self, user: usize, back: usize) -> Option<usize> {
        self.users[user].spent.iter().rev().nth(back).copied()
    }

    /// The door of a step, when it is one.
    pub fn door(&self, step: &Step) -> Option<&Door> {
        match step.deed {
            Deed::Act { door, .. } => self.world.doors.get(door),
            Deed::SignUp | Deed::Enrol(_) => None,
        }
    }

    /// Whether a step makes sense now.
    pub fn allows(&self, step: &Step) -> bool {
        let user = &self.users[step.by];
        match step.deed {
            Deed::SignUp => !user.signed_up,
            Deed::Enrol(mode) => {
                let off = user.signed_up && user.mode == Mode::Disabled && mode != Mode::Disabled;
                off && user.enrolments < MOST_ENROLMENTS
            }
            Deed::Act { proof, .. } => {
                let clause = self.door(step).and_then(|door| door.clause(user.mode));
                user.signed_up && clause.is_some_and(|clause| self.allows_proof(step.by, proof, clause.challenged))
            }
        }
    }

    fn allows_proof(&self, by: usize, proof: Proof, challenged: bool) -> bool {
        let user = &self.users[by];
        let patient = user.refused < MOST_REFUSED;
        match proof {
            Proof::None => true,
            // What is sent where nothing is asked for is not looked at.
            _ if !challenged => false,
            Proof::Right => true,
            Proof::Recovery => user.recovery_used < MOST_RECOVERY,
            Proof::Wrong => patient,
            Proof::Replayed(back) => patient && back < LATEST && back < user.spent.len(),
            Proof::OfAnother(other) => patient && other != by && self.users[other].mode != Mode::Disabled,
            Proof::FormerSecret | Proof::FormerRecovery => patient && user.enrolments > 1,
        }
    }

    /// What must become of a step that it allows.
    pub fn due(&self, step: &Step) -> Due {
        let Deed::Act { proof, .. } = step.deed else { return Due::Success };
        let clause = self.door(step).and_then(|door| door.clause(self.mode(step.by)));
        match proof {
            Proof::None if clause.is_some_and(|clause| clause.challenged) => Due::Challenge,
            Proof::None | Proof::Right | Proof::Recovery => Due::Success,
            Proof::Wrong | Proof::Replayed(_) | Proof::OfAnother(_) | Proof::FormerSecret | Proof::FormerRecovery => {
                Due::Refusal
            }
        }
    }

    /// Where everybody stands once what is due has happened.
    #[must_use]
    pub fn after(mut self, step: &Step) -> Self {
        let number = self.steps;
        let due = self.due(step);
        let makes = self.door(step).map_or(Makes::Nothing, |door| door.makes);
        self.steps += 1;
        let user = &mut self.users[step.by];
        match step.deed {
            Deed::SignUp => user.signed_up = true,
            Deed::Enrol(mode) => {
                user.mode = mode;
                user.enrolments += 1;
                (user.spent, user.recovery_used, user.refused) = (vec![number], 0, 0);
            }
            Deed::Act { proof, .. } if due == Due::Success => {
                if proof != Proof::None {
                    user.spent.push(number);
                    user.refused = 0;
                }
                user.recovery_used += u8::from(proof == Proof::Recovery);
                user.turn(makes);
            }
            Deed::Act { .. } => user.refused += u8::from(due == Due::Refusal),
        }
        self
    }

    /// Whether each step makes sense after those before it.
    pub fn allows_all(mut self, steps: &[Step]) -> bool {
        for step in steps {
            if !self.allows(step) {
                return false;
            }
            self = self.after(step);
        }
        true
    }
}

impl User {
    fn turn(&mut self, makes: Makes) {
        match makes {
            Makes::Nothing | Makes::OtherPassword => {}
            Makes::Disabled => {
                self.mode = Mode::Disabled;
                self.spent.clear();
            }
            Makes::OtherMode => {
                self.mode = match self.mode {
                    Mode::AuthOnly => Mode::AuthAndWrites,
                    Mode::AuthAndWrites | Mode::Disabled => Mode::AuthOnly,
                }
            }
        }
    }
}
