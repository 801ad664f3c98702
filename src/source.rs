//! Where the files that users write come from: the program itself, or a folder of the user's.

use std::borrow::Cow;
use std::path::PathBuf;

use serde::de::DeserializeOwned;

use crate::built_in;
use crate::yaml::{self, FileError, Spanned};

/// A file, read when asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// One that the program carries, by its path from the root of the repository.
    BuiltIn(String),
    /// One on disk.
    File(PathBuf),
    /// One that has been made up and is not written yet.
    Written {
        /// What it is called.
        name: String,
        /// Its text.
        text: String,
    },
}

impl Source {
    /// Its name in messages.
    pub fn name(&self) -> String {
        match self {
            Source::BuiltIn(path) => path.clone(),
            Source::File(path) => path.display().to_string(),
            Source::Written { name, .. } => name.clone(),
        }
    }

    /// Its text.
    pub fn text(&self) -> Result<Cow<'static, str>, FileError> {
        match self {
            Source::BuiltIn(path) => built_in::text(path)
                .map(Cow::Borrowed)
                .ok_or_else(|| FileError::whole(path, "the program carries no such file", None)),
            Source::File(path) => std::fs::read_to_string(path)
                .map(Cow::Owned)
                .map_err(|error| FileError::whole(self.name(), format!("cannot be read: {error}"), None)),
            Source::Written { text, .. } => Ok(Cow::Owned(text.clone())),
        }
    }

    /// Its content.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, FileError> {
        yaml::parse(&self.name(), &self.text()?)
    }

    /// The file that a path in this one means: relative to its own folder.
    #[must_use]
    pub fn beside(&self, path: &str) -> Source {
        match self {
            Source::BuiltIn(own) => {
                let folder = own.rsplit_once('/').map_or("", |(folder, _)| folder);
                Source::BuiltIn(format!("{folder}/{path}"))
            }
            Source::File(own) => Source::File(own.with_file_name("").join(path)),
            Source::Written { .. } => Source::File(PathBuf::from(path)),
        }
    }

    /// An error about a value in it.
    pub fn wrong<T>(&self, value: &Spanned<T>, message: impl Into<String>, hint: Option<String>) -> FileError {
        match self.text() {
            Ok(text) => FileError::at_value(&self.name(), &text, value, message, hint),
            Err(unreadable) => unreadable,
        }
    }
    /// An error about the first line that is like this, or about the file as a whole where there is none.
    pub fn wrong_line(&self, is: impl Fn(&str) -> bool, message: impl Into<String>, hint: Option<String>) -> FileError {
        let text = match self.text() {
            Ok(text) => text,
            Err(unreadable) => return unreadable,
        };
        let Some((number, line)) = text.lines().enumerate().find(|(_, line)| is(line)) else {
            return FileError::whole(self.name(), message, hint);
        };
        let column = line.chars().take_while(|character| character.is_whitespace() || *character == '-').count();
        let at = (number as u64 + 1, column as u64 + 1);
        FileError::at_place(&self.name(), &text, at, message.into(), hint)
    }

    /// An error about a key of the file itself, or about the file where the key does not stand on a line of its own.
    pub fn wrong_key(&self, key: &str, message: impl Into<String>, hint: Option<String>) -> FileError {
        self.wrong_line(|line| line.strip_prefix(key).is_some_and(|rest| rest.starts_with(':')), message, hint)
    }
}
