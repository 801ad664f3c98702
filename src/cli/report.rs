//! `stepup report`: renders the document of an earlier run again.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;

use super::{Failure, check, exit};
use crate::report::terminal::Paper;
use crate::report::{Document, Format, evidence};

#[derive(Debug, Args)]
pub(super) struct ReportCommand {
    /// A `result.json`, or the folder that holds it.
    #[arg(value_name = "RESULT")]
    result: PathBuf,
    /// What is made of it; may be given several times.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "FORMAT", default_value = "terminal")]
    format: Vec<Format>,
    /// Where the files go; one report alone goes to standard output unless this is said.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Writes a bundle to publish instead: the run, its reports and a digest of each file, into a folder of its own.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["format", "out"])]
    evidence: Option<PathBuf>,
}

impl ReportCommand {
    pub(super) fn run(self) -> Result<u8, Failure> {
        let document = Document::read(&self.result)?;
        if let Some(folder) = &self.evidence {
            return publish(folder, &document);
        }
        match (self.format.as_slice(), &self.out) {
            (_, Some(out)) => write(out, &document, &self.format)?,
            ([format], None) => {
                let text = document.render(*format, check::paper()).map_err(unrenderable)?;
                // Whoever stops reading early wants no more of it.
                let _ = std::io::stdout().write_all(text.as_bytes());
            }
            (_, None) => {
                return Err(Failure::new(exit::USAGE, "several reports are files: `--out DIR` says where they go"));
            }
        }
        Ok(exit::HELD)
    }
}

/// Writes a bundle, and says by which digest it is known.
fn publish(folder: &Path, document: &Document) -> Result<u8, Failure> {
    let files = evidence::bundle(document).map_err(unrenderable)?;
    std::fs::create_dir_all(folder).map_err(|error| unwritable(folder, &error))?;
    if std::fs::read_dir(folder).map_err(|error| unwritable(folder, &error))?.next().is_some() {
        let message = format!("{} is not empty: what is there already would be taken for evidence", folder.display());
        return Err(Failure::new(exit::USAGE, message));
    }
    for (name, text) in &files {
        let file = folder.join(name);
        std::fs::write(&file, text).map_err(|error| unwritable(&file, &error))?;
    }
    let digest = files.get(evidence::SUMS).map(|sums| evidence::digest(sums.as_bytes())).unwrap_or_default();
    super::say!("sha256 of {}: {digest}", evidence::SUMS);
    Ok(exit::HELD)
}

/// Writes reports, each to its own file of the folder.
pub(super) fn write(out: &Path, document: &Document, formats: &[Format]) -> Result<(), Failure> {
    std::fs::create_dir_all(out).map_err(|error| unwritable(out, &error))?;
    for format in formats {
        let file = out.join(format.file());
        let text = document.render(*format, Paper::default()).map_err(unrenderable)?;
        std::fs::write(&file, text).map_err(|error| unwritable(&file, &error))?;
    }
    Ok(())
}

/// A report that cannot be made.
pub(super) fn unrenderable(message: String) -> Failure {
    Failure::new(exit::INCOMPLETE, message)
}

/// A file or folder that cannot be written.
pub(super) fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(exit::INCOMPLETE, format!("{} cannot be written: {error}", path.display()))
}
