//! Which cases must find each seeded fault, and by which verdict.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::judge::Verdict;
use crate::registry::Mutant;
use crate::source::Source;
use crate::yaml::{self, FileError, Spanned};

/// The file that says so.
const FILE: &str = "fixtures/faults.yaml";

/// A case that must find a fault.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Named {
    /// The case's id.
    pub case: String,
    /// What it must show.
    pub verdict: Verdict,
    /// Whether what other cases do at the same time would hide the fault, or show it elsewhere.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub alone: bool,
}

/// The cases that must find each fault, by the fault's name.
pub(crate) type File = BTreeMap<String, Vec<Entry>>;

/// A case that must find a fault, as the file states it.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    /// The case's id.
    #[schemars(with = "String")]
    case: Spanned<String>,
    /// What it must show.
    verdict: Verdict,
    /// Whether what other cases do at the same time would hide the fault, or show it elsewhere.
    #[serde(default)]
    alone: bool,
}

/// What is wrong with a file of faults: names that are no fault's, and cases that are not among `cases`.
pub(crate) fn check(source: &Source, cases: &[String]) -> Vec<FileError> {
    let entries: File = match source.parse() {
        Ok(entries) => entries,
        Err(error) => return vec![error],
    };
    let known: Vec<&str> = Mutant::ALL.iter().map(|mutant| mutant.name()).collect();
    let nameless = entries.keys().filter(|mutant| !known.contains(&mutant.as_str())).map(|mutant| {
        source.wrong_key(mutant, format!("no fault is called `{mutant}`"), Some(yaml::allowed(mutant, &known)))
    });
    let unknown = entries.values().flatten().filter(|entry| !cases.contains(&entry.case.value)).map(|entry| {
        let hint = Some("`stepup list cases` names them all".to_owned());
        source.wrong(&entry.case, format!("no case is called `{}`", entry.case.value), hint)
    });
    nameless.chain(unknown).collect()
}

/// The cases that are named for each fault, by the fault's name. Each must be one of `cases`.
pub(super) fn named(cases: &[String]) -> Result<BTreeMap<String, Vec<Named>>, FileError> {
    let source = Source::BuiltIn(FILE.to_owned());
    if let Some(wrong) = check(&source, cases).into_iter().next() {
        return Err(wrong);
    }
    let entries: File = source.parse()?;
    let named = |Entry { case, verdict, alone }| Named { case: case.value, verdict, alone };
    Ok(entries.into_iter().map(|(mutant, entries)| (mutant, entries.into_iter().map(named).collect())).collect())
}
