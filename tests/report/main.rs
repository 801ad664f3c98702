//! Reports: what they hold, and how they look.

mod command;
mod document;
mod edited;
mod formats;
mod in_a_browser;
mod kept;
mod load;
mod page;
#[path = "../support/places.rs"]
mod places;
#[path = "../support/program.rs"]
mod program;
mod regression;
mod run;
