//! Documents that are rendered, each known by the `format` that it states. A kind more is a variant more.

use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::terminal::{self, Paper};
use super::{Format, annotations, badge, html, json, junit, load, markdown, sarif, tap};
use crate::load::document::{CAPACITY, CapacityResult, LOAD, LoadResult};
use crate::result::sound::{Contradiction, contradiction};
use crate::result::{FORMAT, RunResult};
use crate::yaml::{self, FileError};

/// A document that reports are made of.
#[derive(Debug)]
pub enum Document {
    /// What a check found.
    Run(Box<RunResult>),
    /// What a load run showed.
    Load(Box<LoadResult>),
    /// What a search for the capacity showed.
    Capacity(Box<CapacityResult>),
}

/// The format of results before the present one.
const FORMER: &str = "stepup/result/1";

/// What every document has.
#[derive(Deserialize)]
struct Head {
    format: Option<serde_json::Value>,
}

impl Document {
    /// The formats that can be read.
    pub const READ: [&str; 3] = [FORMAT, LOAD, CAPACITY];

    /// Reads a document, or the `result.json` of a folder.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        let path = if path.is_dir() { path.join(Format::Result.file()) } else { path.to_owned() };
        let name = path.display().to_string();
        let text = std::fs::read_to_string(&path).map_err(|error| {
            let hint = format!("`stepup check --out DIR` writes DIR/{}", Format::Result.file());
            FileError::whole(&name, format!("cannot be read: {error}"), Some(hint))
        })?;
        Document::parse(&name, &text)
    }

    /// Parses `text`, the content of the file called `name`.
    pub fn parse(name: &str, text: &str) -> Result<Self, FileError> {
        // Some editors begin a file with a byte order mark (RFC 8259 §8.1).
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if text.trim_start().starts_with('[') {
            let message = "it is a list, and a result is an object";
            return Err(FileError::whole(name, message, Some(yaml::allowed("", &Document::READ))));
        }
        let head: Head = from_json(name, text)?;
        let stated = match head.format {
            Some(serde_json::Value::String(stated)) => stated,
            Some(other) => {
                let message = format!("`format` is {other}, which is not a text");
                return Err(FileError::whole(name, message, Some(yaml::allowed("", &Document::READ))));
            }
            None => {
                let message = "it states no `format`, so it is no result of stepup's";
                return Err(FileError::whole(name, message, Some(yaml::allowed("", &Document::READ))));
            }
        };
        match stated.as_str() {
            FORMAT => Ok(Document::Run(Box::new(sound(name, from_json(name, text)?)?))),
            LOAD => Ok(Document::Load(Box::new(from_json(name, text)?))),
            CAPACITY => Ok(Document::Capacity(Box::new(from_json(name, text)?))),
            FORMER => {
                let message =
                    format!("`{FORMER}` is what an earlier stepup wrote; this one reads and writes `{FORMAT}`");
                let hint = "the stepup that wrote it renders it; a new run is written in the new format";
                Err(FileError::whole(name, message, Some(hint.to_owned())))
            }
            _ => {
                let message = format!("unknown format `{stated}`");
                Err(FileError::whole(name, message, Some(yaml::allowed(&stated, &Document::READ))))
            }
        }
    }

    /// Renders it; the error says what is wrong with it or with the form.
    pub fn render(&self, format: Format, paper: Paper) -> Result<String, String> {
        match self {
            Document::Run(result) => match format {
                Format::Terminal => Ok(terminal::render(result, paper)),
                Format::Result => json::render(result),
                Format::Junit => junit::render(result),
                Format::Html => html::render(result),
                Format::Markdown => Ok(markdown::render(result)),
                Format::Sarif => sarif::render(result),
                Format::Tap => Ok(tap::render(result)),
                Format::Badge => badge::render(result),
                Format::Annotations => Ok(annotations::render(result)),
            },
            Document::Load(result) => load::run(result, format),
            Document::Capacity(result) => load::capacity(result, format),
        }
    }
}

/// A result that agrees with itself: reports say all of it, and one part may not belie another.
fn sound(name: &str, result: RunResult) -> Result<RunResult, FileError> {
    match contradiction(&result) {
        None => Ok(result),
        Some(Contradiction { says, hint }) => Err(FileError::whole(name, says, Some(hint.to_owned()))),
    }
}

/// JSON into a type, or an error at the place.
fn from_json<T: DeserializeOwned>(name: &str, text: &str) -> Result<T, FileError> {
    serde_json::from_str(text).map_err(|error| {
        let told = error.to_string();
        let message = told.split(" at line ").next().unwrap_or(&told);
        let message = if error.is_data() { message.to_owned() } else { format!("not JSON: {message}") };
        let line = error.line().max(1);
        // Columns of serde_json count bytes.
        let whole = text.split('\n').nth(line - 1).unwrap_or_default();
        let column = whole.char_indices().take_while(|(at, _)| at + 1 < error.column()).count() + 1;
        FileError::at_place(name, text, (line as u64, column as u64), message, None)
    })
}
