//! What is wrong with a file: everything that its reader refuses, and what neither a reader nor a schema sees, such as a
//! deviation that matches nothing.
//!
//! All findings of a file are told, in the order of its lines; where a reader cannot go on, its finding is the only one.

mod reach;
mod templates;

use std::path::{Path, PathBuf};

use globset::Glob;
use jiff::civil::Date;

use crate::check::suite::{self, Unready};
use crate::check::{faults, plan};
use crate::client;
use crate::client::limits::Measured;
use crate::dialect::{Change, Dialect, Surface};
use crate::load::profile;
use crate::report::Document;
use crate::scenario::Scenario;
use crate::schema::Kind;
use crate::source::Source;
use crate::table::Table;
use crate::target::{self, Deviation, Target};
use crate::yaml::{FileError, Spanned};
use crate::{accounts, yaml};

/// What files are held against.
#[derive(Debug)]
pub struct Linter {
    target: Target,
    table: Table,
    cases: Vec<String>,
    today: Date,
}

impl Linter {
    /// Scenarios and deviations are held against a target: by name, file or address.
    pub fn new(target: &str, today: Date) -> Result<Self, FileError> {
        let target = target::find(target)?;
        let table = suite::table()?;
        let cases = case_ids(&table, &target)?;
        Ok(Linter { target, table, cases, today })
    }

    /// The findings in a file; its kind is told from the file where it is not given.
    pub fn lint(&self, path: &Path, kind: Option<Kind>) -> Vec<FileError> {
        let source = Source::File(path.to_owned());
        let found = source.text().and_then(|text| match kind {
            Some(kind) => Ok(kind),
            // Of what is no YAML at all, that is what is wrong.
            None => kind_of(path, &text).map_err(|unknown| {
                yaml::parse::<serde::de::IgnoredAny>(&source.name(), &text).err().unwrap_or(unknown)
            }),
        });
        let mut findings = match found {
            Ok(kind) => self.of_kind(&source, path, kind),
            Err(unknown) => vec![unknown],
        };
        findings.sort_by_key(FileError::place);
        findings
    }

    fn of_kind(&self, source: &Source, path: &Path, kind: Kind) -> Vec<FileError> {
        match kind {
            Kind::Target => self.target(source, path),
            Kind::Deviations => self.deviations(source, path),
            Kind::Accounts => accounts::read(path).err().into_iter().collect(),
            Kind::Scenario => self.scenario(source, path),
            Kind::Table => read::<Table>(source, |table| reach::table(source, table, &self.target.dialect)),
            Kind::Dialect => match Dialect::read(source, Change::none(source)) {
                Ok(dialect) => templates::check(source, &dialect),
                Err(error) => vec![error],
            },
            Kind::Surfaces => read::<Vec<Spanned<Surface>>>(source, |surfaces| self.surfaces(source, path, surfaces)),
            Kind::Client => client::file::read(source).err().into_iter().collect(),
            Kind::ClientLimits => read::<Vec<Measured>>(source, |_| Vec::new()),
            Kind::Faults => faults::check(source, &self.cases),
            Kind::Load => profile::read(source).err().into_iter().collect(),
            Kind::Result | Kind::LoadResult | Kind::CapacityResult => Document::read(path).err().into_iter().collect(),
        }
    }

    fn target(&self, source: &Source, path: &Path) -> Vec<FileError> {
        let name = path.display().to_string();
        // A file may allow that its host is loaded and not that it is checked.
        let found = target::find(&name).or_else(|error| target::find_to_load(&name).map_err(|_| error));
        let target = match found {
            Ok(target) => target,
            Err(error) => return vec![error],
        };
        let mut findings = templates::check(source, &target.dialect);
        let own = reach::own_surfaces(source);
        let own = own.iter().filter(|surface| surface.value.undriven.is_none());
        findings.extend(reach::surfaces(
            source,
            own.map(|surface| (Some(surface.referenced), &surface.value)),
            &self.table,
        ));
        let cases = match case_ids(&self.table, &target) {
            Ok(cases) => cases,
            // Surfaces of which no cases come have been told with their places.
            Err(error) if findings.is_empty() => return vec![error],
            Err(_) => return findings,
        };
        findings.extend(reach::left_out(source, &cases));
        findings.extend(reach::idle_routines(source, &target.dialect));
        if let Some(list) = target::deviations_of(source) {
            findings
                .extend(read::<Vec<Deviation>>(&list, |listed| reach::deviations(&list, listed, &cases, self.today)));
        }
        findings
    }

    /// Deviations are those of the target whose file, in the same folder, names this one.
    fn deviations(&self, source: &Source, path: &Path) -> Vec<FileError> {
        let named = beside(path).into_iter().find_map(|file| {
            let list = target::deviations_of(&Source::File(file.clone()))?;
            (list == *source).then(|| target::find(&file.display().to_string())).and_then(Result::ok)
        });
        let own = named.and_then(|target| case_ids(&self.table, &target).ok());
        let cases = own.as_ref().unwrap_or(&self.cases);
        read::<Vec<Deviation>>(source, |listed| reach::deviations(source, listed, cases, self.today))
    }

    fn scenario(&self, source: &Source, path: &Path) -> Vec<FileError> {
        let id = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        match Scenario::findings(source, id, &self.target.dialect) {
            Ok((scenario, mut findings)) => {
                findings.extend(reach::scenario(source, &scenario, &self.target.dialect));
                findings
            }
            Err(error) => vec![error],
        }
    }

    /// Surfaces are those of the dialect whose file, in the folder above or the same one, names this one.
    fn surfaces(&self, source: &Source, path: &Path, surfaces: &[Spanned<Surface>]) -> Vec<FileError> {
        let above = path.parent().and_then(Path::parent).map(|folder| beside(&folder.join("surfaces")));
        let files = beside(path).into_iter().chain(above.unwrap_or_default());
        let dialect =
            files.map(Source::File).filter(|file| file.text().is_ok_and(|text| text.contains("proof-header")));
        let dialect = dialect.map(|file| Dialect::read(&file, Change::none(&file))).find(|read| match read {
            Ok(dialect) => surfaces.iter().all(|own| dialect.surfaces.iter().any(|known| known.id() == own.value.id())),
            Err(error) => error.is_in(&source.name()),
        });
        let own = surfaces.iter().map(|surface| (Some(surface.referenced), &surface.value));
        let mut findings = reach::surfaces(source, own, &self.table);
        match dialect {
            Some(Ok(dialect)) => findings.extend(templates::check(source, &dialect)),
            Some(Err(error)) => findings.push(error),
            None => findings.extend(templates::check(source, &self.target.dialect)),
        }
        findings
    }
}

fn read<T: serde::de::DeserializeOwned>(source: &Source, check: impl FnOnce(&T) -> Vec<FileError>) -> Vec<FileError> {
    match source.parse::<T>() {
        Ok(file) => check(&file),
        Err(error) => vec![error],
    }
}

fn case_ids(table: &Table, target: &Target) -> Result<Vec<String>, FileError> {
    let cases = suite::all_cases(table, target).map_err(|unready| match unready {
        Unready::File(error) => error,
        Unready::Options(message) => FileError::whole(&target.name, message, None),
        // Listing cases does nothing else.
        Unready::NothingSelected(_) | Unready::Journal(_) | Unready::Client(_) | Unready::Target(_) => {
            FileError::whole(&target.name, "its cases cannot be listed", None)
        }
    })?;
    Ok(cases.into_iter().map(|case: plan::Case| case.id).collect())
}

/// The YAML files in the folder of this one, this one among them.
fn beside(path: &Path) -> Vec<PathBuf> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    // As the file itself was named, so that the two are the same source.
    let mut files: Vec<PathBuf> = entries.map(|entry| path.with_file_name(entry.file_name())).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "yaml" || extension == "yml"));
    files.sort();
    files
}

/// The kind of a file: as its editor header says, or else as its keys tell.
fn kind_of(path: &Path, text: &str) -> Result<Kind, FileError> {
    let header = text.lines().find_map(|line| line.strip_prefix("# yaml-language-server: $schema="));
    let named = header.and_then(|schema| Path::new(schema.trim()).file_name()?.to_str());
    let named = named.map(|file| file.trim_end_matches(".json").trim_end_matches(".schema"));
    if let Some(kind) = Kind::ALL.into_iter().find(|kind| Some(kind.name()) == named) {
        return Ok(kind);
    }
    let top = |key: &str| text.lines().any(|line| line.starts_with(&format!("{key}:")));
    let item = |key: &str| {
        let first = text.lines().find(|line| line.starts_with("- ") || line.starts_with('['));
        first.is_some_and(|line| line.contains(&format!("{key}:")))
    };
    let told = [
        (path.extension().is_some_and(|extension| extension == "json"), Kind::Result),
        (top("acts"), Kind::Scenario),
        (top("pace"), Kind::Load),
        (top("tells-challenge") || top("like"), Kind::Client),
        (top("proof-header"), Kind::Dialect),
        (top("start") || top("base"), Kind::Target),
        (top("auth-and-writes") || top("auth-only"), Kind::Table),
        (item("password") || item("totp"), Kind::Accounts),
        (item("action"), Kind::Surfaces),
        (item("case") || item("verdict"), Kind::Deviations),
    ];
    told.into_iter().find_map(|(is, kind)| is.then_some(kind)).ok_or_else(|| {
        let kinds = Kind::ALL.map(Kind::name);
        let hint = format!("say it with --kind; {}", yaml::allowed("", &kinds));
        FileError::whole(path.display().to_string(), "which kind of file this is cannot be told", Some(hint))
    })
}

/// A glob over case ids, or what is wrong with it.
fn glob(text: &str) -> Result<globset::GlobMatcher, String> {
    Glob::new(text).map(|glob| glob.compile_matcher()).map_err(|error| error.kind().to_string())
}
