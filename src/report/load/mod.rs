//! Reports of load runs and of searches for the capacity: pure functions of their documents.

mod capacity_charts;
mod chart;
mod compare;
mod goose;
mod markdown;
mod page;
mod run_charts;
mod terminal;
mod words;

pub use compare::{Comparison, Difference, asked_otherwise, made_otherwise};

use super::Format;
use crate::load::document::{CapacityResult, LoadResult};

/// The forms that these documents have.
pub const FORMS: [Format; 4] = [Format::Terminal, Format::Result, Format::Html, Format::Markdown];
/// Those that a run writes.
pub const WRITTEN: [Format; 3] = [Format::Result, Format::Html, Format::Markdown];

/// Renders a run; the error says what is wrong with it or with the form.
pub fn run(result: &LoadResult, format: Format) -> Result<String, String> {
    match format {
        Format::Terminal => Ok(terminal::of_run(result)),
        Format::Result => serde_json::to_string_pretty(result).map_err(|error| error.to_string()),
        Format::Html => page::of_run(result),
        Format::Markdown => Ok(markdown::of_run(result)),
        other => Err(no_such_form("load run", other)),
    }
}

/// Renders a search for the capacity; the error says what is wrong with it or with the form.
pub fn capacity(result: &CapacityResult, format: Format) -> Result<String, String> {
    match format {
        Format::Terminal => Ok(terminal::of_capacity(result)),
        Format::Result => serde_json::to_string_pretty(result).map_err(|error| error.to_string()),
        Format::Html => page::of_capacity(result),
        Format::Markdown => Ok(markdown::of_capacity(result)),
        other => Err(no_such_form("capacity", other)),
    }
}

fn no_such_form(document: &str, format: Format) -> String {
    let allowed: Vec<&str> = FORMS.iter().map(|form| form.file()).collect();
    format!("a {document} has no {}; allowed: {}", format.file(), allowed.join(", "))
}
