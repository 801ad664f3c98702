//! Exploration: random sequences of what users do, against a model that knows the tables and rules alone.
//!
//! A seed stands for one sequence. [`writing`] makes a scenario of it, [`crate::check`] plays that and its judge decides
//! each step, so that a deviation is a file that `stepup check` replays. Shrinking makes such a sequence as small as
//! it gets.

pub mod document;
mod findings;
pub mod model;
mod run;
pub mod sequence;
mod shrink;
pub mod world;
pub mod writing;

pub use document::{Deviation, Explored, Sequence};
pub use run::{Explorer, Options};
