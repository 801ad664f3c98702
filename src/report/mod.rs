//! Reports: pure functions of a run's result.

pub mod checks;
pub mod junit;
pub mod matrix;
pub mod terminal;
