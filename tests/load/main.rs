//! Load and capacity.

mod capacity;
mod command;
mod dashboard;
mod engine;
mod frozen_target;
#[cfg(feature = "goose")]
mod journey;
mod place;
mod pool;
mod stub;
mod surfaces;
