//! A bundle to publish: the result with its requests and answers, its reports, what it was made with, and a digest of
//! each file; and the check that none of it was changed.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::json;

use super::terminal::Paper;
use super::{Document, Format};
use crate::built_in;
pub use crate::built_in::digest_of as digest;
use crate::result::RunResult;

/// The list of digests, as `sha256sum` reads it.
pub const SUMS: &str = "SHA256SUMS";
/// What the result was made with.
const MADE_WITH: &str = "evidence.json";
const README: &str = "README.txt";

/// The reports of a bundle.
const REPORTS: [Format; 7] = Format::WRITTEN;

const HOW: &str = "\
Evidence of a run of stepup, which checks where a package registry asks for a second factor.

index.html      the run, for people
summary.md      the same in short, for a pull request
result.json     the run, with every request and answer; secrets are hidden
junit.xml       the cases, for CI servers
report.tap      the cases, for test harnesses
stepup.sarif    what deviates, for code scanning
badge.json      the run in a few words, for an endpoint badge
evidence.json   what it was made with: the program, its suite, the table, the target, the options
SHA256SUMS      a digest of each file

To verify that nothing was changed:

    sha256sum --check SHA256SUMS        the files are those that the list names
    stepup verify .                     the same; and that the reports say what result.json says

Whoever changes a file can change the list as well. The digest of SHA256SUMS, published elsewhere (in a signed tag, a
release, a mail), closes that gap: `stepup verify . --digest HEX` compares it.
";

/// The files of a bundle, by name; the error is that of a report.
pub fn bundle(document: &Document) -> Result<BTreeMap<String, String>, String> {
    let Document::Run(result) = document else {
        return Err("only the result of a check has an evidence bundle".to_owned());
    };
    let mut files = BTreeMap::new();
    for format in REPORTS {
        files.insert(format.file().to_owned(), document.render(format, Paper::default())?);
    }
    files.insert(MADE_WITH.to_owned(), made_with(result)?);
    files.insert(README.to_owned(), HOW.to_owned());
    let sums = files.iter().fold(String::new(), |mut sums, (name, text)| {
        let _ = writeln!(sums, "{}  {name}", digest(text.as_bytes()));
        sums
    });
    files.insert(SUMS.to_owned(), sums);
    Ok(files)
}

fn made_with(result: &RunResult) -> Result<String, String> {
    let made = json!({
        "format": "stepup/evidence/1",
        "tool": result.tool,
        "suite": result.suite,
        "table": result.table,
        "target": result.target,
        "config": result.config,
        "level": result.level,
        "seed": result.seed,
        "started": result.started,
        "finished": result.finished,
        "complete": result.complete,
        "summary": result.summary,
    });
    serde_json::to_string_pretty(&made).map_err(|error| error.to_string())
}

/// The files of a bundle, by name.
pub type Files = BTreeMap<String, Vec<u8>>;

/// What was found of a bundle.
#[derive(Debug, Default)]
pub struct Verified {
    /// The digest of its list.
    pub digest: String,
    /// What is not as it was made.
    pub wrong: Vec<String>,
    /// What could not be looked at, so that it may have been edited.
    pub unknown: Vec<String>,
    /// How many files were looked at.
    pub files: usize,
}

/// Looks at a bundle, given as its files by name.
pub fn verify(files: &Files) -> Verified {
    let mut verified = Verified { files: files.len().saturating_sub(1), ..Verified::default() };
    let Some(sums) = files.get(SUMS) else {
        verified.wrong.push(format!("there is no {SUMS}"));
        return verified;
    };
    verified.digest = digest(sums);
    let mut listed = Vec::new();
    for (number, line) in String::from_utf8_lossy(sums).lines().enumerate() {
        let Some((sum, name)) = line.split_once("  ") else {
            verified.wrong.push(format!("{SUMS}:{}: `{line}` is no digest and name", number + 1));
            continue;
        };
        match files.get(name) {
            None => verified.wrong.push(format!("{name} is listed and not there")),
            Some(bytes) if !digest(bytes).eq_ignore_ascii_case(sum) => {
                verified.wrong.push(format!("{name} was changed"))
            }
            Some(_) => {}
        }
        listed.push(name.to_owned());
    }
    for name in files.keys().filter(|name| *name != SUMS && !listed.contains(name)) {
        verified.wrong.push(format!("{name} is there and not listed"));
    }
    let name = Format::Result.file();
    match files.get(name).map(|bytes| Document::parse(name, &String::from_utf8_lossy(bytes))) {
        None => verified.wrong.push(format!("there is no {name}")),
        Some(Err(error)) => verified.wrong.push(error.to_string()),
        Some(Ok(document)) => agree(&document, files, &mut verified),
    }
    verified
}

/// Whether the reports say what the result says.
fn agree(document: &Document, files: &Files, verified: &mut Verified) {
    let Document::Run(result) = document else {
        verified.wrong.push("result.json is no result of a check".to_owned());
        return;
    };
    let own = format!("stepup {}", env!("CARGO_PKG_VERSION"));
    if result.tool != own {
        let why = format!(
            "whether the reports say what result.json says: they are of {}, and this is {own}",
            super::text::clean(&result.tool)
        );
        verified.unknown.push(why);
        return;
    }
    if result.suite.as_ref().is_none_or(|suite| suite.digest != built_in::digest()) {
        let why = "whether the reports say what result.json says: it is of another suite than this program carries";
        verified.unknown.push(why.to_owned());
        return;
    }
    match bundle(document) {
        Err(error) => verified.wrong.push(error),
        Ok(made) => {
            for (name, text) in made.iter().filter(|(name, _)| *name != SUMS) {
                if files.get(name).is_none_or(|bytes| bytes != text.as_bytes()) {
                    verified.wrong.push(format!("{name} does not say what result.json says"));
                }
            }
            for name in files.keys().filter(|name| !made.contains_key(*name)) {
                verified.wrong.push(format!("{name} is no part of a bundle"));
            }
            if verified.wrong.is_empty() && files.get(SUMS).map(Vec::as_slice) != made.get(SUMS).map(String::as_bytes) {
                verified.wrong.push(format!("{SUMS} is not written as it was made"));
            }
        }
    }
}
