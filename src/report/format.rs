//! The forms that a report can have.

use clap::ValueEnum;

/// A form of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ValueEnum)]
pub enum Format {
    /// What a run shows on the terminal
    Terminal,
    /// The document itself: result.json
    Result,
    /// For people, one page that opens from a disk: index.html
    Html,
    /// For a pull request: summary.md
    Markdown,
    /// For CI servers: junit.xml
    Junit,
    /// For code scanning: stepup.sarif
    Sarif,
    /// For test harnesses: report.tap
    Tap,
    /// For an endpoint badge: badge.json
    Badge,
    /// GitHub's workflow commands: annotations.txt
    Annotations,
}

impl Format {
    /// Those that a run writes unless told otherwise; what is for standard output is not among them.
    pub const WRITTEN: [Format; 7] =
        [Format::Result, Format::Html, Format::Markdown, Format::Junit, Format::Sarif, Format::Tap, Format::Badge];

    /// The name of its file.
    pub fn file(self) -> &'static str {
        match self {
            Format::Terminal => "report.txt",
            Format::Result => "result.json",
            Format::Html => "index.html",
            Format::Markdown => "summary.md",
            Format::Junit => "junit.xml",
            Format::Sarif => "stepup.sarif",
            Format::Tap => "report.tap",
            Format::Badge => "badge.json",
            Format::Annotations => "annotations.txt",
        }
    }
}
