//! What crosses the socket: the call as parsed, the fields of its body, the answer, the refusals.

mod answer;
mod call;
mod fields;
mod intake;
mod path;
mod refusal;
mod timestamp;

pub(super) use answer::Answer;
pub(super) use call::{Agent, Authorization, Call, ClientGeneration, Verb};
pub(super) use fields::Fields;
pub(super) use intake::{Intake, take_in};
pub(super) use path::{Spelling, segments};
pub(super) use refusal::Refusal;
pub(super) use timestamp::{Moment, http_date, iso8601};

/// What an endpoint gives back.
pub(super) type Reply = Result<Answer, Refusal>;
