//! The forms that a report can have.

use clap::ValueEnum;

/// A form of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ValueEnum)]
pub enum Format {
    /// What a run shows on the terminal.
    Terminal,
    /// The document itself.
    Result,
    /// For CI servers.
    Junit,
    /// For people: one page that opens from a disk.
    Html,
}

impl Format {
    /// Those that a run writes unless told otherwise: each is a file that something reads.
    pub const WRITTEN: [Format; 3] = [Format::Result, Format::Junit, Format::Html];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Format::Terminal => "terminal",
            Format::Result => "result",
            Format::Junit => "junit",
            Format::Html => "html",
        }
    }

    /// The name of its file.
    pub fn file(self) -> &'static str {
        match self {
            Format::Terminal => "report.txt",
            Format::Result => "result.json",
            Format::Junit => "junit.xml",
            Format::Html => "index.html",
        }
    }
}
