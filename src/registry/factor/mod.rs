//! The second factor: when it is asked for, how the question looks, and which answers are right.

mod authorization;
mod challenge;
mod enrolment;
mod follow_up;
mod gate;
mod lapses;
mod misjudged;
mod mode;
mod overlooked;
mod policy;
mod proving;
mod recovery;
mod throttle;
mod totp;

pub(super) use authorization::{Authorization, FactorChanges, Leniency, Stage, TokenVerdict, WebTokens};
pub(super) use challenge::{Challenge, Shape, WebDoor, Why};
pub(super) use enrolment::{Description, Factor, Pending, TwoFactor};
pub(super) use follow_up::FollowUp;
pub(super) use gate::{Cleared, Offer};
pub(super) use lapses::{Kept, Lapses};
pub(super) use misjudged::keeps_former_secret;
pub(super) use mode::Mode;
pub(super) use policy::Action;
pub(super) use recovery::RecoveryCodes;
pub(super) use throttle::WrongCodes;
pub(super) use totp::{CodeVerdict, Seed, Spent, Window, step_at};
