//! The command line and the pages that name it.

mod command_line;
mod pipelines;
#[path = "../support/program.rs"]
mod program;
mod readme;
mod target_command;
mod walk_through;
