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

/// The cases that are named for each fault, by the fault's name. Each must be one of `cases`.
pub(super) fn named(cases: &[String]) -> Result<BTreeMap<String, Vec<Named>>, FileError> {
    let source = Source::BuiltIn(FILE.to_owned());
    let entries: File = source.parse()?;
    let known: Vec<&str> = Mutant::ALL.iter().map(|mutant| mutant.name()).collect();
    let mut all = BTreeMap::new();
    for (mutant, entries) in entries {
        if !known.contains(&mutant.as_str()) {
            let hint = Some(yaml::allowed(&mutant, &known));
            return Err(FileError::whole(source.name(), format!("no fault is called `{mutant}`"), hint));
        }
        let mut named = Vec::new();
        for Entry { case, verdict, alone } in entries {
            if !cases.contains(&case.value) {
                let hint = Some("`stepup list cases` names them all".to_owned());
                return Err(source.wrong(&case, format!("no case is called `{}`", case.value), hint));
            }
            named.push(Named { case: case.value, verdict, alone });
        }
        all.insert(mutant, named);
    }
    Ok(all)
}
