//! Targets: whom we drive. One file adds a registry.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use serde::Deserialize;

use crate::dialect::Dialect;
use crate::dialect::predicate::Predicate;
use crate::dialect::step::Step;
use crate::judge::Verdict;
use crate::persona::ledger::Skew;
use crate::yaml::{self, FileError};

/// A target file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Target {
    /// Its name.
    pub name: String,
    /// How it comes to run.
    pub start: Start,
    /// Its address, for a target that runs already.
    pub base: Option<String>,
    /// The accounts file, beside the target file, for a registry where users cannot make themselves.
    pub accounts: Option<PathBuf>,
    /// Which one-time passwords it accepts.
    #[serde(default)]
    pub skew: SkewFields,
    /// Routines that it does differently from the dialect.
    #[serde(default)]
    pub routines: BTreeMap<String, Vec<Step>>,
    /// Answers that say that there is no such route, beside the dialect's.
    #[serde(default)]
    pub not_implemented: Vec<Predicate>,
    /// Surfaces that it does not have, each with the reason.
    #[serde(default)]
    pub unsupported: BTreeMap<String, String>,
    /// The program of an installed target, relative to its folder, then its arguments.
    #[serde(default)]
    pub program: Vec<String>,
    /// The content of its configuration file, with `{port}`.
    #[serde(default)]
    pub config: String,
    /// What it is known to do differently.
    #[serde(default)]
    pub deviations: Vec<Deviation>,
}

/// One thing that a target is known to do differently.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deviation {
    /// The cases, as a glob over their ids.
    pub case: String,
    /// The verdict that each of them shows.
    pub verdict: Verdict,
    /// The evidence, in words.
    pub reason: String,
    /// When it must be looked at again.
    pub until: Date,
}

/// How a target comes to run.
#[derive(Debug, Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// In this process.
    Embedded,
    /// It runs already.
    Running,
    /// It is installed from the npm registry and started for the run.
    Installed,
}

/// The accepted steps, as written.
#[derive(Debug, Deserialize, Clone, Copy, Default)]
#[serde(deny_unknown_fields)]
pub struct SkewFields {
    /// Steps before the present one.
    pub behind: u8,
    /// Steps after it.
    pub ahead: u8,
}

impl From<SkewFields> for Skew {
    fn from(fields: SkewFields) -> Self {
        Skew { behind: fields.behind.into(), ahead: fields.ahead.into() }
    }
}

/// The built-in target files.
const BUILT_IN: [(&str, &str); 5] = [
    ("embedded", include_str!("../fixtures/targets/embedded.yaml")),
    ("verdaccio-9", include_str!("../fixtures/targets/verdaccio-9.yaml")),
    ("verdaccio-6", include_str!("../fixtures/targets/verdaccio-6.yaml")),
    ("pnpr", include_str!("../fixtures/targets/pnpr.yaml")),
    ("url", include_str!("../fixtures/targets/url.yaml")),
];

/// Finds a target by built-in name, file or address.
pub fn find(name: &str) -> Result<Target, FileError> {
    if name.starts_with("http://") || name.starts_with("https://") {
        let mut target = built_in("url")?;
        target.base = Some(name.to_owned());
        name.clone_into(&mut target.name);
        return Ok(target);
    }
    if Path::new(name).extension().is_some_and(|extension| extension == "yaml") {
        let path = Path::new(name);
        let mut target: Target = yaml::read(path)?;
        target.accounts = target.accounts.map(|file| path.with_file_name("").join(file));
        return Ok(target);
    }
    built_in(name)
}

fn built_in(name: &str) -> Result<Target, FileError> {
    match BUILT_IN.iter().find(|(known, _)| *known == name) {
        Some((_, text)) => yaml::parse(&format!("fixtures/targets/{name}.yaml"), text),
        None => {
            let names: Vec<&str> = BUILT_IN.iter().map(|(known, _)| *known).filter(|known| *known != "url").collect();
            let hint = format!("{}; or a .yaml file, or http://HOST:PORT", yaml::allowed(name, &names));
            Err(FileError::whole(name, "no target of this name", Some(hint)))
        }
    }
}

impl Target {
    /// The npm dialect with this target's own ways.
    pub fn dialect(&mut self) -> Result<Dialect, FileError> {
        let mut dialect: Dialect =
            yaml::parse("fixtures/dialects/npm.yaml", include_str!("../fixtures/dialects/npm.yaml"))?;
        dialect.routines.append(&mut self.routines);
        dialect.not_implemented.append(&mut self.not_implemented);
        let ids: Vec<String> = dialect.surfaces.iter().map(crate::dialect::Surface::id).collect();
        if let Some(unknown) = self.unsupported.keys().find(|key| !ids.contains(key)) {
            let message = format!("`unsupported` names `{unknown}`, which is no surface");
            return Err(FileError::whole(&self.name, message, Some(yaml::allowed(unknown, &ids))));
        }
        for surface in &mut dialect.surfaces {
            surface.unsupported = self.unsupported.get(&surface.id()).cloned();
        }
        Ok(dialect)
    }
}
