//! The files that people write, and what is said of mistakes in them.

mod diagnostics;
mod lint;
mod lint_edited;
#[path = "../support/places.rs"]
mod places;
#[path = "../support/program.rs"]
mod program;
mod scenario_files;
mod schema;
mod table;
mod target_files;
