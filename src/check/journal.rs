//! The journal: what a run makes on a target, written down before it is made.
//!
//! One JSON object a line, without secrets. What it takes to undo a line is in the [keyring](super::keyring).

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::keyring::{Credentials, Held, Keyring};

/// The journal's format.
pub const FORMAT: &str = "stepup/journal/1";

/// A journal in a file.
#[derive(Debug, Clone)]
pub struct Journal(Arc<Mutex<Book>>);

#[derive(Debug)]
struct Book {
    file: File,
    keyring: Option<Keyring>,
    last: u64,
    /// The numbers of what is not undone.
    open: BTreeSet<u64>,
    /// Whether a case has ended before it could undo what it made.
    broken: bool,
}

/// One line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
pub enum Entry {
    /// A run begins.
    Run {
        /// Always [`FORMAT`].
        format: String,
        /// How the target was named on the command line.
        target: String,
        /// Its address.
        base: String,
        /// Where the keyring is, as long as there is something to undo.
        keyring: PathBuf,
    },
    /// A user is about to be made. The protocol has no request that removes one.
    User {
        /// The case that makes it.
        case: String,
        /// Its name.
        name: String,
    },
    /// A request that makes or changes something is about to be sent.
    Making {
        /// Its number.
        number: u64,
        /// The case that sends it.
        case: String,
        /// Method and path, secrets hidden.
        request: String,
    },
    /// Everything that a case made is gone and what it changed is as before, but for what the list names.
    Undone {
        /// The case.
        case: String,
        /// The numbers of what is undone.
        numbers: Vec<u64>,
        /// What could not be undone.
        left: Vec<String>,
    },
}

impl Journal {
    /// An empty journal.
    pub fn create(path: &Path) -> std::io::Result<Self> {
        let (file, open) = (File::create(path)?, BTreeSet::new());
        Ok(Journal(Arc::new(Mutex::new(Book { file, keyring: None, last: 0, open, broken: false }))))
    }

    /// Begins the journal of a run whose names begin with `prefix`, with a keyring.
    pub(super) fn begin(&self, prefix: &str, target: &str, base: &str) -> Result<(), String> {
        self.begin_with(Keyring::of(&format!("{prefix}-{:08x}", rand::random::<u32>())), target, base)
    }

    pub(super) fn begin_with(&self, keyring: Keyring, target: &str, base: &str) -> Result<(), String> {
        let entry = Entry::Run {
            format: FORMAT.to_owned(),
            target: target.to_owned(),
            base: base.to_owned(),
            keyring: keyring.path().to_owned(),
        };
        keyring.try_out()?;
        self.book().keyring = Some(keyring);
        self.write(&entry)
    }

    /// Holds what undoes a request that is about to be sent, then writes down that it will be. Returns its number.
    pub(super) fn making(&self, request: &str, hold: impl FnOnce(u64) -> Held) -> Result<u64, String> {
        let mut book = self.book();
        book.last += 1;
        let held = hold(book.last);
        let entry = Entry::Making { number: held.number, case: held.case.clone(), request: request.to_owned() };
        if let Some(keyring) = &mut book.keyring {
            keyring.hold(&held)?;
        }
        book.write(&entry)?;
        Ok(held.number)
    }

    /// Holds what is known since the answer has been read.
    pub(super) fn made(&self, hold: impl FnOnce(u64) -> Held) -> Result<u64, String> {
        let mut book = self.book();
        book.last += 1;
        let held = hold(book.last);
        if let Some(keyring) = &mut book.keyring {
            keyring.hold(&held)?;
        }
        Ok(held.number)
    }

    /// Holds how a user is since something about it has changed.
    pub(super) fn changed(&self, user: &Credentials) -> Result<(), String> {
        self.book().keyring.as_mut().map_or(Ok(()), |keyring| keyring.changed(user))
    }

    pub(super) fn write(&self, entry: &Entry) -> Result<(), String> {
        self.book().write(entry)
    }

    /// A case has ended before it could undo what it made: where something is open, the keyring stays when the run ends.
    pub(super) fn keep(&self) {
        self.book().broken = true;
    }

    /// The run has ended, and what it made is undone.
    pub(super) fn end(&self) {
        let mut book = self.book();
        let keep = book.broken && !book.open.is_empty();
        if let Some(mut keyring) = book.keyring.take().filter(|_| !keep) {
            keyring.discard();
        }
    }

    fn book(&self) -> std::sync::MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes a line to the end of a journal whose run is over, in place of one that the run has not finished.
pub(super) fn append(path: &Path, entry: &Entry) -> std::io::Result<()> {
    let text = std::fs::read(path)?;
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let mut line = serde_json::to_string(entry).map_err(std::io::Error::other)?;
    line.push('\n');
    let mut file = File::options().append(true).open(path)?;
    file.set_len(whole as u64)?;
    file.write_all(line.as_bytes())
}

impl Book {
    fn write(&mut self, entry: &Entry) -> Result<(), String> {
        match entry {
            Entry::Making { number, .. } => {
                self.open.insert(*number);
            }
            Entry::Undone { numbers, .. } => self.open.retain(|number| !numbers.contains(number)),
            Entry::Run { .. } | Entry::User { .. } => {}
        }
        let mut line = serde_json::to_string(entry).map_err(|error| error.to_string())?;
        line.push('\n');
        self.file.write_all(line.as_bytes()).map_err(|error| format!("the journal cannot be written: {error}"))
    }
}

/// Reads a journal. The error says which line is none of a journal.
pub(super) fn read(text: &str) -> Result<Vec<Entry>, String> {
    let lines: Vec<&str> = text.lines().collect();
    let mut entries = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        match serde_json::from_str(line) {
            Ok(entry) => entries.push(entry),
            // The process may have ended while it wrote the last one.
            Err(_) if number + 1 == lines.len() && number > 0 => {}
            Err(error) => return Err(format!("line {}: {error}", number + 1)),
        }
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::keyring;
    use super::*;
    use crate::persona::Persona;
    use crate::secret::{Secret, SecretKind};

    fn held(number: u64) -> Held {
        let persona = Persona::new("su-a".to_owned(), Secret::new(SecretKind::Password, "Pw-1".to_owned()));
        Held {
            number,
            case: "auth-only/publish/totp/wire".to_owned(),
            steps: "routine publish, step 1".to_owned(),
            answered: false,
            accepted: false,
            sent_ms: 0,
            mode: "auth-only".to_owned(),
            object: json!({}),
            args: json!({}),
            kept: Default::default(),
            user: Credentials::of(&persona),
            other: None,
        }
    }

    /// A case that panics leaves what it made, and what undoes that stays when the run ends; see `whole`.
    #[test]
    fn what_a_panicking_case_made_can_still_be_undone_when_the_run_has_ended() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (panics, left) in [(false, 0), (true, 1)] {
            let path = folder.path().join(format!("{panics}.jsonl"));
            let journal = Journal::create(&path).expect("a file");
            let keyring = Keyring::at(folder.path().join(format!("{panics}.keys")));
            let keys = keyring.path().to_owned();
            journal.begin_with(keyring, "mine", "http://127.0.0.1:1/").expect("it begins");
            journal.making("PUT /su-a-1", held).expect("it is written down");
            if panics {
                journal.keep();
            }
            journal.end();
            assert_eq!(keyring::read(&keys).map_or(0, |keys| keys.held.len()), left);
        }
    }

    #[test]
    fn a_line_that_a_killed_run_has_not_finished_gives_way() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("journal.jsonl");
        let run = r#"{"event":"run","format":"stepup/journal/1","target":"t","base":"b","keyring":"k"}"#;
        std::fs::write(&path, format!("{run}\n{{\"event\":\"mak")).expect("written");
        let undone = Entry::Undone { case: "clean-up".to_owned(), numbers: vec![1], left: vec![] };
        append(&path, &undone).expect("written");
        let entries = read(&std::fs::read_to_string(&path).expect("the journal")).expect("a journal");
        assert!(matches!(entries.as_slice(), [Entry::Run { .. }, Entry::Undone { .. }]), "{entries:?}");
    }
}
