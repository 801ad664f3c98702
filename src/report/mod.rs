//! Reports: pure functions of a run's result.

pub mod junit;
pub mod matrix;
pub mod terminal;
