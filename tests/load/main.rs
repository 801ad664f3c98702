//! Load and capacity.

mod command;
mod dashboard;
mod engine;
mod frozen_target;
#[cfg(feature = "goose")]
mod journey;
mod pool;
mod stub;
mod surfaces;
