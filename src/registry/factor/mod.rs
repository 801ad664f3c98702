//! The second factor: when it is asked for, how the question looks, and which answers are right.

mod challenge;
mod enrolment;
mod follow_up;
mod gate;
mod lapses;
mod mode;
mod policy;
mod recovery;
mod throttle;
mod totp;

pub(super) use challenge::{Challenge, Shape, Why};
pub(super) use enrolment::{Factor, Pending, TwoFactor};
pub(super) use follow_up::FollowUp;
pub(super) use gate::Cleared;
pub(super) use lapses::Lapses;
pub(super) use mode::Mode;
pub(super) use policy::Action;
pub(super) use throttle::WrongCodes;
pub(super) use totp::{CodeVerdict, Seed, Spent, Window};
