//! Several results side by side: what has changed between two, or how registries differ, as one grid.

mod changes;
mod grid;
mod html;
mod markdown;
mod terminal;

pub use changes::{Change, Changes, Kind};
pub use grid::{Column, Grid, GridCell, GridRow, Section};

use super::terminal::Paper;

/// Results side by side.
#[derive(Debug)]
pub enum Compared<'a> {
    /// An earlier and a later result of one registry.
    Changes(Changes<'a>),
    /// Results of several registries.
    Grid(Grid<'a>),
}

/// How a comparison is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Form {
    /// For the terminal
    Terminal,
    /// For a pull request or a page: compare.md
    Markdown,
    /// For people, one page that opens from a disk: compare.html
    Html,
}

impl Form {
    /// The name of its file.
    pub fn file(self) -> &'static str {
        match self {
            Form::Terminal => "compare.txt",
            Form::Markdown => "compare.md",
            Form::Html => "compare.html",
        }
    }
}

impl Compared<'_> {
    /// Renders it; the error is the template's.
    pub fn render(&self, form: Form, paper: Paper) -> Result<String, String> {
        match form {
            Form::Terminal => Ok(terminal::render(self, paper)),
            Form::Markdown => Ok(markdown::render(self)),
            Form::Html => html::render(self),
        }
    }
}
