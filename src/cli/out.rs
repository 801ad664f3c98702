//! What commands write: standard output, which whoever reads it may close early, and files, which are there whole or not
//! at all.

use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::{Failure, exit};

/// Writes to standard output. Whoever has stopped reading it wants no more of it; that it cannot be written for another
/// reason, such as a full disk, must not pass for a report.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Failure::new(exit::INCOMPLETE, format!("standard output cannot be written: {error}"))),
    }
}

/// Writes a file so that whoever reads it finds all of it: a half-written report is worse than none.
pub(super) fn write(file: &Path, text: &str) -> Result<(), Failure> {
    whole(file, text).map_err(|error| unwritable(file, &error))
}

fn whole(file: &Path, text: &str) -> std::io::Result<()> {
    // What is no plain file, such as a pipe, cannot be put in place of another.
    if std::fs::metadata(file).is_ok_and(|there| !there.is_file()) {
        return std::fs::write(file, text);
    }
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // As any other file is made: what may read it is for the process's mask to say.
    let mut making = tempfile::Builder::new()
        .prefix(".stepup-")
        .permissions(std::fs::Permissions::from_mode(0o666))
        .tempfile_in(folder)?;
    making.write_all(text.as_bytes())?;
    making.persist(file).map_err(|error| error.error)?;
    Ok(())
}

/// A file or folder that cannot be written.
pub(super) fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(exit::INCOMPLETE, format!("{} cannot be written: {error}", path.display()))
}
