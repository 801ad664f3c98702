//! The folder of a run's reports, which an earlier run may have used.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::Failure;
use super::out::unwritable;
use crate::check::cleanup;
use crate::report::Format;

/// The name of a journal.
pub(super) const JOURNAL: &str = "journal.jsonl";

/// Where reports go unless said.
pub(super) fn named_after(started: Timestamp) -> PathBuf {
    PathBuf::from(format!("reports/{}", started.strftime("%Y%m%dT%H%M%SZ")))
}

/// Makes the folder before anything is done to a target. The reports that the run would write anew go: should it not
/// come so far, those of an earlier one are not its. What an earlier one has not undone is not forgotten.
pub(super) fn prepare(folder: &Path, formats: &[Format]) -> Result<(), Failure> {
    std::fs::create_dir_all(folder).map_err(|error| unwritable(folder, &error))?;
    keep_journal(folder)?;
    for file in formats.iter().map(|format| folder.join(format.file())) {
        match std::fs::remove_file(&file) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(unwritable(&file, &error)),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

/// Gives the journal of a run that did not live to clean up a name of its own, and says so.
fn keep_journal(folder: &Path) -> Result<(), Failure> {
    let journal = folder.join(JOURNAL);
    let left = cleanup::left_open(&journal);
    if left == 0 {
        return Ok(());
    }
    let names = (1_u32..).map(|number| folder.join(format!("journal-{number}.jsonl")));
    let kept = names.into_iter().find(|name| !name.exists()).unwrap_or_else(|| journal.clone());
    std::fs::rename(&journal, &kept).map_err(|error| unwritable(&kept, &error))?;
    let kept = kept.display();
    eprintln!("an earlier run has not undone {left} requests; its journal is {kept} now: `stepup cleanup {kept}`");
    Ok(())
}
