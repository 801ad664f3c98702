//! `stepup lint`: what is wrong with files.

use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use miette::{GraphicalReportHandler, GraphicalTheme};

use super::{Failure, check, exit};
use crate::lint::Linter;
use crate::schema::Kind;
use crate::yaml::FileError;

#[derive(Debug, Args)]
pub(super) struct Lint {
    /// Scenario, target, dialect, accounts, deviations and other files.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// What the files are; told from each file unless said.
    #[arg(long, value_enum)]
    kind: Option<Kind>,
    /// The target that scenarios and deviations are for, where no target file says so.
    #[arg(long, value_name = "NAME|FILE|URL", default_value = "embedded")]
    target: String,
}

impl Lint {
    pub(super) fn run(self) -> Result<u8, Failure> {
        let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
        let linter = Linter::new(&self.target, today)?;
        let (mut findings, mut files) = (0, 0);
        for path in &self.files {
            let found = linter.lint(path, self.kind);
            files += usize::from(!found.is_empty());
            findings += found.len();
            for finding in &found {
                super::say!("{}", rendered(finding));
            }
        }
        let of = match self.files.len() {
            1 => "1 file".to_owned(),
            many => format!("{many} files"),
        };
        if findings == 0 {
            eprintln!("nothing is wrong with {of}");
            return Ok(exit::HELD);
        }
        let things = if findings == 1 { "1 thing is".to_owned() } else { format!("{findings} things are") };
        eprintln!("{things} wrong in {files} of {of}");
        Ok(exit::USAGE)
    }
}

/// A finding as standard output takes it.
fn rendered(finding: &FileError) -> String {
    let paper = check::paper();
    let theme = if paper.colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let mut text = String::new();
    let handler = GraphicalReportHandler::new_themed(theme).with_width(paper.width.max(40)).with_links(false);
    match handler.render_report(&mut text, finding) {
        Ok(()) => text,
        // What cannot be drawn is said.
        Err(_) => finding.to_string(),
    }
}
