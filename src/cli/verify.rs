//! `stepup verify`: whether a bundle of evidence is as it was made.

use std::path::{Path, PathBuf};

use clap::Args;

use super::{Failure, exit};
use crate::report::evidence::Files;
use crate::report::{evidence, text};

#[derive(Debug, Args)]
pub(super) struct Verify {
    /// The folder that `stepup report RESULT --evidence DIR` wrote.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// The digest of its SHA256SUMS, as it was published elsewhere.
    #[arg(long, value_name = "HEX")]
    digest: Option<String>,
}

impl Verify {
    pub(super) fn run(self) -> Result<u8, Failure> {
        let (files, odd) = files(&self.folder)?;
        let mut verified = evidence::verify(&files);
        verified.wrong.extend(odd);
        let mut published = false;
        if let Some(digest) = &self.digest {
            published = digest.eq_ignore_ascii_case(&verified.digest);
            if !published {
                verified.wrong.push(format!("{} is another list: its digest is not {digest}", evidence::SUMS));
            }
        }
        for wrong in &verified.wrong {
            super::say!("wrong: {}", text::clean(wrong));
        }
        for unknown in &verified.unknown {
            super::say!("unknown: {}", text::clean(unknown));
        }
        if !verified.digest.is_empty() {
            super::say!("sha256 of {}: {}", evidence::SUMS, verified.digest);
        }
        if !verified.wrong.is_empty() {
            return Ok(exit::DEVIATING);
        }
        if published {
            super::say!("{} files are as they were made", verified.files);
            return Ok(exit::HELD);
        }
        if verified.unknown.is_empty() {
            super::say!(
                "{} files are those that {} names, and say what result.json says; that result.json is as it was made is \
                 known by the digest that was published (--digest)",
                verified.files,
                evidence::SUMS
            );
            return Ok(exit::HELD);
        }
        super::say!(
            "{} files are those that {} names, which whoever edits them can change as well: verify with that stepup, or \
             with the digest that was published (--digest)",
            verified.files,
            evidence::SUMS
        );
        Ok(exit::INCOMPLETE)
    }
}

/// The files of a folder by name, and what else is in it, in words.
fn files(folder: &Path) -> Result<(Files, Vec<String>), Failure> {
    let cannot = |path: &Path, error: std::io::Error| {
        Failure::new(exit::USAGE, format!("{} cannot be read: {error}", path.display()))
    };
    let (mut files, mut odd) = (Files::new(), Vec::new());
    for entry in std::fs::read_dir(folder).map_err(|error| cannot(folder, error))? {
        let entry = entry.map_err(|error| cannot(folder, error))?;
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        // What a link leads to can change while the bundle stays.
        let kind = entry.file_type().map_err(|error| cannot(&path, error))?;
        if kind.is_file() {
            files.insert(name, std::fs::read(&path).map_err(|error| cannot(&path, error))?);
        } else {
            let what = if kind.is_symlink() { "a symbolic link" } else { "no file" };
            odd.push(format!("{name} is {what}, and a bundle has files alone"));
        }
    }
    Ok((files, odd))
}
