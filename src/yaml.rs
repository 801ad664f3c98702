//! Reading the files that users write: YAML into checked types, or an error that points at the place.

use std::fmt;
use std::path::Path;

use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode, SourceSpan};
use serde::de::DeserializeOwned;
use serde_saphyr::{Error as YamlError, UserMessageFormatter};
pub use serde_saphyr::{Location, Spanned};

/// A file that could not be read, or whose content is not what it must be.
#[derive(Debug)]
pub struct FileError {
    name: String,
    place: Option<Box<Place>>,
    message: String,
    hint: Option<String>,
}

#[derive(Debug)]
struct Place {
    line: u64,
    column: u64,
    source: Option<NamedSource<String>>,
    span: SourceSpan,
}

impl FileError {
    /// An error about a file as a whole.
    pub fn whole(name: impl Into<String>, message: impl Into<String>, hint: Option<String>) -> Self {
        FileError { name: name.into(), place: None, message: message.into(), hint }
    }

    /// An error about a value that was read from the file called `name`, whose content is `text`.
    pub fn at_value<T>(
        name: &str,
        text: &str,
        value: &Spanned<T>,
        message: impl Into<String>,
        hint: Option<String>,
    ) -> Self {
        let at = &value.referenced;
        FileError {
            name: name.to_owned(),
            place: Some(place(name, text, at.line(), at.column())),
            message: message.into(),
            hint,
        }
    }

    /// An error at a one-based line and column of the file called `name`, whose content is `text`.
    pub fn at_place(name: &str, text: &str, (line, column): (u64, u64), message: String, hint: Option<String>) -> Self {
        FileError { name: name.to_owned(), place: Some(place(name, text, line, column)), message, hint }
    }

    /// Line and column, where it is about a place.
    pub fn place(&self) -> Option<(u64, u64)> {
        self.place.as_ref().map(|place| (place.line, place.column))
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        self.hint.clone()
    }

    /// Whether it is about this file.
    pub fn is_in(&self, name: &str) -> bool {
        self.name == name
    }

    fn without_source(mut self) -> Self {
        if let Some(place) = &mut self.place {
            place.source = None;
        }
        self
    }

    /// `file:line:column` where the error is, or the file's name alone.
    pub fn at(&self) -> String {
        match &self.place {
            Some(place) => format!("{}:{}:{}", self.name, place.line, place.column),
            None => self.name.clone(),
        }
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at(), self.message)
    }
}

impl std::error::Error for FileError {}

impl Diagnostic for FileError {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.hint.as_ref().map(|hint| Box::new(hint) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.place.as_ref()?.source.as_ref().map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let place = self.place.as_ref()?;
        Some(Box::new(std::iter::once(LabeledSpan::new_with_span(Some("here".to_owned()), place.span))))
    }
}

/// Reads the file at `path` into `T`.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<T, FileError> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|error| FileError::whole(&name, format!("cannot be read: {error}"), None))?;
    parse(&name, &text)
}

/// Reads a file that holds secrets: its errors point at the place and never show it, nor repeat what stands there.
pub fn read_secret<T: DeserializeOwned>(path: &Path) -> Result<T, FileError> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|error| FileError::whole(&name, format!("cannot be read: {error}"), None))?;
    parsed(&text).map_err(|error| locate(&name, &text, &error, Repeat::Typos).without_source())
}

/// Parses `text`, the content of the file called `name`, into `T`.
pub fn parse<T: DeserializeOwned>(name: &str, text: &str) -> Result<T, FileError> {
    parsed(text).map_err(|error| locate(name, text, &error, Repeat::All))
}

fn parsed<T: DeserializeOwned>(text: &str) -> Result<T, YamlError> {
    let options = serde_saphyr::options! { with_snippet: false };
    serde_saphyr::from_str_with_options(text, options)
}

/// What of a file's words an error repeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Repeat {
    /// Whatever is wrong.
    All,
    /// What is nearly a word that is allowed, and so none of the file's secrets.
    Typos,
}

impl Repeat {
    /// The word that was seen, between quotes and after a space, if it may be repeated.
    fn seen(self, word: &str, allowed: &[&str]) -> String {
        let may = self == Repeat::All || nearest(word, allowed).is_some();
        if may { format!(" `{word}`") } else { String::new() }
    }
}

fn locate(name: &str, text: &str, error: &YamlError, repeat: Repeat) -> FileError {
    let (mut message, hint) = explain(error, repeat);
    let place = error.location().map(|location| place(name, text, location.line(), location.column()));
    if let Some(allowed) = message.strip_prefix("invalid ").and_then(whole_numbers) {
        let span = place.as_ref().map_or(0..0, |place| place.span.offset()..place.span.offset() + place.span.len());
        let seen = text.get(span).filter(|seen| repeat == Repeat::All && !seen.trim().is_empty());
        let seen = seen.map_or_else(|| "this".to_owned(), |seen| format!("`{}`", seen.trim()));
        message = format!("{seen} is no whole number from {allowed}");
    }
    FileError { name: name.to_owned(), place, message, hint }
}

/// The numbers that a type of this name holds.
fn whole_numbers(name: &str) -> Option<String> {
    match name {
        "u8" => Some(format!("0 to {}", u8::MAX)),
        "u16" => Some(format!("0 to {}", u16::MAX)),
        "u32" => Some(format!("0 to {}", u32::MAX)),
        "u64" => Some(format!("0 to {}", u64::MAX)),
        "i64" => Some(format!("{} to {}", i64::MIN, i64::MAX)),
        _ => None,
    }
}

fn place(name: &str, text: &str, line: u64, column: u64) -> Box<Place> {
    let start = byte_offset(text, line, column);
    let length =
        text[start..].find(['\n', ':', ',', '}', ']']).unwrap_or(text.len() - start).max(1).min(text.len() - start);
    Box::new(Place {
        line,
        column,
        source: Some(NamedSource::new(name, text.to_owned()).with_language("yaml")),
        span: SourceSpan::new(start.into(), length),
    })
}

/// The byte at a one-based line and column (in characters); the end of the text when there is none.
fn byte_offset(text: &str, line: u64, column: u64) -> usize {
    let mut start = 0;
    for (number, content) in text.split_inclusive('\n').enumerate() {
        if number as u64 + 1 == line {
            let before = usize::try_from(column.saturating_sub(1)).unwrap_or(usize::MAX);
            return start + content.char_indices().nth(before).map_or(content.len(), |(at, _)| at);
        }
        start += content.len();
    }
    text.len()
}

fn explain(error: &YamlError, repeat: Repeat) -> (String, Option<String>) {
    match error.without_snippet() {
        YamlError::SerdeUnknownField { field, expected, .. } => {
            (format!("unknown key{}", repeat.seen(field, expected)), Some(allowed(field, expected)))
        }
        YamlError::SerdeUnknownVariant { variant, expected, .. } => {
            (format!("unknown value{}", repeat.seen(variant, expected)), Some(allowed(variant, expected)))
        }
        YamlError::SerdeMissingField { field, .. } => (format!("the key `{field}` is missing"), None),
        other => {
            let text = other.render_with_formatter(&UserMessageFormatter);
            let mut lines = text.split("\nhint: ");
            let message = lines.next().unwrap_or_default().trim();
            // The location stands in front of the message already.
            let message = message.split(" at line ").next().unwrap_or(message);
            (message.to_owned(), lines.next().map(|hint| hint.trim().to_owned()))
        }
    }
}

/// The values allowed, and the nearest of them to what was seen.
pub fn allowed<S: AsRef<str>>(seen: &str, values: &[S]) -> String {
    let list = values.iter().map(|value| format!("`{}`", value.as_ref())).collect::<Vec<_>>().join(", ");
    match nearest(seen, values) {
        Some(near) => format!("did you mean `{near}`? allowed: {list}"),
        None => format!("allowed: {list}"),
    }
}

fn nearest<'a, S: AsRef<str>>(seen: &str, values: &'a [S]) -> Option<&'a str> {
    values
        .iter()
        .map(|value| (strsim::damerau_levenshtein(seen, value.as_ref()), value.as_ref()))
        .filter(|(distance, value)| *distance <= 1 + value.len() / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "kebab-case")]
    #[expect(dead_code, reason = "only its reading is tested")]
    struct Sample {
        expect: u16,
        mode: Mode,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Mode {
        AuthOnly,
        AuthAndWrites,
    }

    fn error(text: &str) -> FileError {
        parse::<Sample>("sample.yaml", text).expect_err("the text is wrong")
    }

    #[test]
    fn an_unknown_key_names_the_nearest_known_one() {
        let error = error("expcet: 200\nmode: auth-only\n");
        assert_eq!(error.to_string(), "sample.yaml:1:1: unknown key `expcet`");
        assert_eq!(error.hint.as_deref(), Some("did you mean `expect`? allowed: `expect`, `mode`"));
    }

    #[test]
    fn an_unknown_value_lists_the_allowed_ones() {
        let error = error("expect: 200\nmode: auth-onyl\n");
        assert_eq!(error.to_string(), "sample.yaml:2:7: unknown value `auth-onyl`");
        assert_eq!(error.hint.as_deref(), Some("did you mean `auth-only`? allowed: `auth-only`, `auth-and-writes`"));
    }

    #[test]
    fn a_wrong_type_says_what_was_seen_where() {
        let error = error("expect: soon\nmode: auth-only\n");
        assert!(error.to_string().starts_with("sample.yaml:1:9: "), "{error}");
    }

    #[test]
    fn offsets_stay_inside_the_text() {
        assert_eq!(byte_offset("aé\nb", 1, 3), 3);
        assert_eq!(byte_offset("a\n", 9, 9), 2);
    }
}
