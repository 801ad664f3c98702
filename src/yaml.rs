//! Reading the files that users write: YAML into checked types, or an error that points at the place.

use std::fmt;
use std::path::Path;

use miette::{Diagnostic, LabeledSpan, MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};
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
    source: Option<Excerpt>,
    span: SourceSpan,
}

impl Place {
    /// What stands there.
    fn seen(&self) -> Option<&str> {
        self.source.as_ref()?.text.get(self.span.offset()..self.span.offset() + self.span.len())
    }
}

/// The lines around a place, as a frame shows them, and of a long line a part.
#[derive(Debug)]
struct Excerpt {
    /// The file.
    name: String,
    text: String,
    /// The number of its first line, the file's first being 0.
    first: usize,
    /// The line and the column (in characters) that it is about, from 0.
    at: (usize, usize),
}

impl SourceCode for Excerpt {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let read = self.text.as_str().read_span(span, before, after)?;
        // Without lines around it, the place itself is asked for.
        let (line, column) = if before == 0 { self.at } else { (self.first + read.line(), 0) };
        let (data, span) = (read.data(), *read.span());
        let contents = MietteSpanContents::new_named(self.name.clone(), data, span, line, column, read.line_count());
        Ok(Box::new(contents.with_language("yaml")))
    }
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
        let seen = place.as_ref().and_then(|place| place.seen());
        let seen = seen.filter(|seen| repeat == Repeat::All && !seen.trim().is_empty());
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

/// How much of a line is shown, in characters, and how much of that stands before the place.
const SHOWN: usize = 200;
const BEFORE: usize = 60;

/// A one-based line and column, in characters. What lies beyond the text is at its end.
fn place(name: &str, text: &str, line: u64, column: u64) -> Box<Place> {
    let index = |one_based: u64| usize::try_from(one_based.saturating_sub(1)).unwrap_or(usize::MAX);
    let lines: Vec<&str> = text.split('\n').map(|line| line.trim_end_matches('\r')).collect();
    // There is one at least, an empty one.
    let number = index(line).min(lines.len() - 1);
    let column_at = index(column).min(lines[number].chars().count());
    let (first, last) = (number.saturating_sub(1), (number + 1).min(lines.len() - 1));
    let mut excerpt = String::new();
    let mut start = 0;
    for (shown, whole) in lines.iter().enumerate().take(last + 1).skip(first) {
        let from = if shown == number { column_at.saturating_sub(BEFORE) } else { 0 };
        let long = whole.chars().count() > SHOWN;
        let from = if long { from } else { 0 };
        if from > 0 {
            excerpt.push('…');
        }
        if shown == number {
            start = excerpt.len() + whole.chars().skip(from).take(column_at - from).map(char::len_utf8).sum::<usize>();
        }
        excerpt.extend(whole.chars().skip(from).take(SHOWN));
        if long && whole.chars().count() > from + SHOWN {
            excerpt.push('…');
        }
        if shown < last {
            excerpt.push('\n');
        }
    }
    let rest = &excerpt[start..];
    let length = rest.find(['\n', ':', ',', '}', ']', '…']).unwrap_or(rest.len()).max(1).min(rest.len());
    let at = (index(line), index(column));
    Box::new(Place {
        line,
        column,
        source: Some(Excerpt { name: name.to_owned(), text: excerpt, first, at }),
        span: SourceSpan::new(start.into(), length),
    })
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
    fn places_stay_inside_the_text() {
        let seen = |text: &str, line, column| {
            let place = place("f", text, line, column);
            (place.seen().unwrap().to_owned(), place.source.unwrap().text)
        };
        assert_eq!(seen("aé\nb", 1, 2), ("é".to_owned(), "aé\nb".to_owned()));
        assert_eq!(seen("a\n", 9, 9), (String::new(), "a\n".to_owned()));
        assert_eq!(seen("", 1, 1), (String::new(), String::new()));
    }

    #[test]
    fn of_a_long_line_the_part_around_the_place_is_shown() {
        let text = format!("short\n{}here: {}\nshort", "ü".repeat(5_000), "x".repeat(5_000));
        let place = place("f", &text, 2, 5_001);
        assert_eq!(place.seen(), Some("here"));
        let excerpt = place.source.unwrap();
        assert_eq!(excerpt.text.chars().count(), "short\n\nshort".len() + SHOWN + 2, "{}", excerpt.text);
        let frame = excerpt.read_span(&place.span, 0, 0).unwrap();
        assert_eq!((frame.line(), frame.column()), (1, 5_000));
    }
}
