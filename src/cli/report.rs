//! `stepup report`: renders the document of an earlier run again.

use std::path::{Path, PathBuf};

use clap::Args;

use super::out;
pub(super) use super::out::unwritable;
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
            (formats, Some(folder)) => {
                // What a document does not have is told before anything is written.
                for format in formats {
                    document.render(*format, Paper::default()).map_err(|message| unmade(&document, message))?;
                }
                write(folder, &document, formats)?;
            }
            ([format], None) => {
                let text = document.render(*format, check::paper()).map_err(|message| unmade(&document, message))?;
                out::print(&text)?;
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
    let files = evidence::bundle(document).map_err(|message| unmade(document, message))?;
    std::fs::create_dir_all(folder).map_err(|error| unwritable(folder, &error))?;
    if std::fs::read_dir(folder).map_err(|error| unwritable(folder, &error))?.next().is_some() {
        let message = format!("{} is not empty: what is there already would be taken for evidence", folder.display());
        return Err(Failure::new(exit::USAGE, message));
    }
    for (name, text) in &files {
        out::write(&folder.join(name), text)?;
    }
    let digest = files.get(evidence::SUMS).map(|sums| evidence::digest(sums.as_bytes())).unwrap_or_default();
    super::say!("sha256 of {}: {digest}", evidence::SUMS);
    Ok(exit::HELD)
}

/// Writes reports, each to its own file of the folder.
pub(super) fn write(folder: &Path, document: &Document, formats: &[Format]) -> Result<(), Failure> {
    std::fs::create_dir_all(folder).map_err(|error| unwritable(folder, &error))?;
    for format in formats {
        let text = document.render(*format, Paper::default()).map_err(unrenderable)?;
        out::write(&folder.join(format.file()), &text)?;
    }
    Ok(())
}

/// A report that a document does not have, or that cannot be made of it.
fn unmade(document: &Document, message: String) -> Failure {
    match document {
        Document::Run(_) => unrenderable(message),
        Document::Load(_) | Document::Capacity(_) => Failure::new(exit::USAGE, message),
    }
}

/// A report that cannot be made.
pub(super) fn unrenderable(message: String) -> Failure {
    Failure::new(exit::INCOMPLETE, message)
}
