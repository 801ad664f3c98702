//! `stepup verify`: whether a bundle of evidence is as it was made.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;

use super::{Failure, exit};
use crate::report::evidence;

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
        let mut verified = evidence::verify(&files(&self.folder)?);
        if let Some(digest) = self.digest.filter(|digest| !digest.eq_ignore_ascii_case(&verified.digest)) {
            verified.wrong.push(format!("{} is another list: its digest is not {digest}", evidence::SUMS));
        }
        for wrong in &verified.wrong {
            super::say!("wrong: {}", crate::report::text::clean(wrong));
        }
        for unknown in &verified.unknown {
            super::say!("unknown: {}", crate::report::text::clean(unknown));
        }
        if !verified.digest.is_empty() {
            super::say!("sha256 of {}: {}", evidence::SUMS, verified.digest);
        }
        if verified.wrong.is_empty() {
            super::say!("{} files are as they were made", verified.files);
            Ok(exit::HELD)
        } else {
            Ok(exit::DEVIATING)
        }
    }
}

fn files(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>, Failure> {
    let cannot = |path: &Path, error: std::io::Error| {
        Failure::new(exit::USAGE, format!("{} cannot be read: {error}", path.display()))
    };
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(folder).map_err(|error| cannot(folder, error))? {
        let path = entry.map_err(|error| cannot(folder, error))?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        // A folder is no part of a bundle, and is told as a file that is not listed.
        let bytes =
            if path.is_dir() { Vec::new() } else { std::fs::read(&path).map_err(|error| cannot(&path, error))? };
        files.insert(name, bytes);
    }
    Ok(files)
}
