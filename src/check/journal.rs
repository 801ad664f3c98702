//! The journal: what a run makes on a target, written down before it is made.
//!
//! One JSON object a line, without secrets.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

/// A journal in a file.
#[derive(Debug, Clone)]
pub struct Journal(Arc<Mutex<File>>);

/// One line.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
pub enum Entry<'a> {
    /// A user is about to be made. The protocol has no request that removes one.
    User {
        /// The case that makes it.
        case: &'a str,
        /// Its name.
        name: &'a str,
    },
    /// A request that makes or changes something is about to be sent.
    Making {
        /// The case that sends it.
        case: &'a str,
        /// Method and path, secrets hidden.
        request: &'a str,
    },
    /// Everything that a case made is gone and what it changed is as before, but for what the list names.
    Undone {
        /// The case.
        case: &'a str,
        /// What could not be undone.
        left: &'a [String],
    },
}

impl Journal {
    /// An empty journal.
    pub fn create(path: &Path) -> std::io::Result<Self> {
        Ok(Journal(Arc::new(Mutex::new(File::create(path)?))))
    }

    pub(super) fn write(&self, entry: &Entry<'_>) -> Result<(), String> {
        let mut line = serde_json::to_string(entry).map_err(|error| error.to_string())?;
        line.push('\n');
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(line.as_bytes()).map_err(|error| format!("the journal cannot be written: {error}"))
    }
}
