//! Targets: whom we drive. One file adds a registry.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};

use globset::{Glob, GlobMatcher};
use jiff::civil::Date;
use reqwest::Url;
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::accounts::{self, Account};
use crate::built_in;
use crate::capability::Capability;
use crate::consent::{self, Allow, Permit};
use crate::dialect::predicate::Predicate;
use crate::dialect::step::Step;
use crate::dialect::{Change, Dialect, Surface};
use crate::judge::Verdict;
use crate::persona::ledger::Skew;
use crate::quantity::Span;
use crate::registry::Verifiers;
use crate::result::{OwnTarget, Status};
use crate::source::Source;
use crate::wire::ChosenLimits;
use crate::yaml::{self, FileError, Spanned};

/// The folder of the built-in target files.
const FOLDER: &str = "fixtures/targets";

/// A registry, and how it is driven.
#[derive(Debug)]
pub struct Target {
    /// Its name.
    pub name: String,
    /// What it is, in a line.
    pub about: String,
    /// What the user's own file says, where it is from one.
    pub own: Option<OwnTarget>,
    /// How it comes to run.
    pub start: Start,
    /// The hosts that its packages' archives may be fetched from, beside itself.
    pub archives: Vec<Url>,
    /// What its host serves as its consent to load and races, where it is not this machine.
    pub consent: Option<String>,
    /// Which one-time passwords it accepts.
    pub skew: Skew,
    /// How long it is waited for, where its file says so.
    pub limits: ChosenLimits,
    /// How it speaks.
    pub dialect: Dialect,
    /// What it is known to do differently.
    pub deviations: Vec<Deviation>,
    /// Cases that are not run unless asked for one by one, as globs over their ids, each with the reason.
    pub left_out: Vec<(GlobMatcher, String)>,
    /// Whether cases that may lock an account out are played on accounts that were handed over.
    pub may_lock_out: bool,
    /// Whether such accounts are put into mode auth-only while nothing is judged.
    pub may_lower_mode: bool,
    /// What must be judged with a second factor.
    pub requires: Vec<Capability>,
    /// Whether it has no second factor, so that nothing must be judged with one.
    pub without_second_factor: bool,
}

/// How a target comes to run.
#[derive(Debug)]
pub enum Start {
    /// In this process.
    Embedded {
        /// Who verifies proofs, where that takes a while.
        verifiers: Option<Verifiers>,
    },
    /// It runs already.
    Running {
        /// Its address.
        base: Url,
        /// Users that exist, where users cannot make themselves.
        accounts: Option<Vec<Account>>,
    },
    /// It is installed from the npm registry and started for the run.
    Installed(Program),
}

/// A registry from the npm registry.
#[derive(Debug)]
pub struct Program {
    /// What it is installed as.
    pub name: String,
    /// Its `package.json`.
    pub manifest: String,
    /// Its `package-lock.json`.
    pub lockfile: String,
    /// The program, relative to where it is installed, then its arguments.
    pub command: Vec<String>,
    /// Environment variables of the process, beside those of this one.
    pub environment: BTreeMap<String, String>,
    /// The content of its configuration file, with `{port}`.
    pub config: String,
}

/// A target file.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(extend("if" = { "properties": { "start": { "const": "installed" } } }, "then" = { "required": ["program"] }))]
pub(crate) struct TargetFile {
    /// Its name.
    name: String,
    /// What it is, in a line.
    #[serde(default)]
    about: String,
    /// How it comes to run.
    #[schemars(with = "HowToStart")]
    start: Spanned<HowToStart>,
    /// Who verifies proofs in the reference registry, where its capacity is to be known.
    #[schemars(with = "Option<VerifiersFields>")]
    verifiers: Option<Spanned<VerifiersFields>>,
    /// The address of one that runs already; it may have a path.
    #[schemars(with = "Option<String>")]
    base: Option<Spanned<String>>,
    /// What is allowed on a host other than this machine.
    allow: Option<Allow>,
    /// Other hosts on which the archives of its packages lie, such as `https://cdn.example`. They are only read, by GET, and
    /// without credentials; archives on a host that is not named are not read.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    archives: Vec<Spanned<String>>,
    /// The accounts file, where users cannot sign themselves up.
    accounts: Option<PathBuf>,
    /// How it speaks: `npm`, or the file of a dialect.
    #[serde(default = "npm")]
    #[schemars(with = "String")]
    dialect: Spanned<String>,
    /// Which one-time passwords it accepts beside those of the present step.
    #[serde(default)]
    skew: SkewFields,
    /// How long it is waited for; `--connect-timeout` and `--answer-timeout` go before it.
    #[serde(default)]
    limits: ChosenLimits,
    /// Routines in place of the dialect's, and those that only a target can describe.
    #[serde(default)]
    routines: BTreeMap<String, Vec<Step>>,
    /// Routines that open the registry's pages in a browser, in place of those of the same name.
    #[serde(default)]
    browser: BTreeMap<String, Vec<Step>>,
    /// Doors to actions beside the dialect's, or in place of those of the same id.
    #[serde(default)]
    surfaces: Vec<Surface>,
    /// Answers that say that there is no such route, beside the dialect's.
    #[serde(default)]
    not_implemented: Vec<Predicate>,
    /// Where the body of an answer that asks for patience (429) says for how many seconds, for one without the header
    /// `retry-after`: a pointer into it (RFC 6901).
    retry_after: Option<String>,
    /// Whether cases that may lock an account out, by many wrong codes, are played on the accounts of the accounts file.
    #[serde(default)]
    may_lock_out: bool,
    /// Whether accounts of the accounts file in mode auth-and-writes are put into auth-only while packages are made and
    /// removed, which then takes no codes, and back for what is judged.
    #[serde(default)]
    may_lower_mode: bool,
    /// Surfaces that it does not have, or that cannot be driven, each with the reason.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    unsupported: BTreeMap<String, Spanned<String>>,
    /// What must be judged with a second factor, or a run ends with exit code 8. Any one case is enough unless said.
    #[serde(default)]
    requires: Vec<Capability>,
    /// `none` where the registry has no second factor: nothing must be judged with one then, and each report says so.
    /// Where an enrolment succeeds all the same, this is outdated, and the run does not hold.
    #[schemars(with = "Option<StatedFactor>")]
    second_factor: Option<Spanned<StatedFactor>>,
    /// The program of an installed one, then its arguments.
    #[serde(default)]
    program: Vec<String>,
    /// Environment variables of the program, beside those of stepup.
    #[serde(default)]
    environment: BTreeMap<String, String>,
    /// The content of the program's configuration file, with `{port}`.
    #[serde(default)]
    config: String,
    /// The file of its known deviations.
    deviations: Option<String>,
    /// Cases that are not run unless asked for one by one, as globs over their ids, each with the reason.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    left_out: BTreeMap<String, Spanned<String>>,
}

/// Verifiers of the reference registry: it bears `number` divided by `time`.
#[derive(Debug, Deserialize, Clone, Copy, JsonSchema)]
#[serde(deny_unknown_fields)]
struct VerifiersFields {
    /// How many proofs are verified at once.
    number: NonZeroU16,
    /// How long one takes, such as `1 ms`.
    time: Span,
}

impl From<VerifiersFields> for Verifiers {
    fn from(VerifiersFields { number, time: Span(time) }: VerifiersFields) -> Self {
        Verifiers { number, time }
    }
}

#[derive(Debug, Deserialize, Clone, Copy, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum HowToStart {
    /// In stepup's own process: the reference registry.
    Embedded,
    /// It runs already.
    Running,
    /// It is installed from the npm registry and started for the run.
    Installed,
}

/// What a target file says of the second factor.
#[derive(Debug, Deserialize, Clone, Copy, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum StatedFactor {
    /// There is none.
    None,
}

/// One thing that a target is known to do differently.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Deviation {
    /// The cases, as a glob over their ids.
    pub case: String,
    /// The verdict that each of them shows.
    #[serde(deserialize_with = "deviating")]
    pub verdict: Verdict,
    /// The evidence, in words.
    #[serde(deserialize_with = "evidence")]
    #[schemars(length(min = 1))]
    pub reason: String,
    /// When it must be looked at again.
    #[serde(deserialize_with = "date")]
    pub until: Date,
    /// Whether it shows now and then: where it does not, the entry holds all the same.
    #[serde(default)]
    pub flaky: bool,
}

fn deviating<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Verdict, D::Error> {
    let verdict = Verdict::deserialize(deserializer)?;
    match Status::of(&[verdict]) {
        Status::Fail => Ok(verdict),
        Status::Pass => Err(D::Error::custom("a case that holds does not deviate: `exact` cannot be listed")),
        Status::Unsupported | Status::NotDescribed | Status::Skipped | Status::Error => {
            Err(D::Error::custom(format!("`{verdict}` says nothing of the target, so it is never a known deviation")))
        }
    }
}

fn evidence<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let reason = String::deserialize(deserializer)?;
    if reason.trim().is_empty() {
        Err(D::Error::custom("a reason is evidence, and this one is empty"))
    } else {
        Ok(reason)
    }
}

fn date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Date, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| D::Error::custom(format!("`{text}` is no date; allowed: one such as `2027-06-30`")))
}

/// The accepted steps, as written.
#[derive(Debug, Deserialize, Clone, Copy, Default, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SkewFields {
    /// So many steps before the present one.
    behind: u8,
    /// So many after it.
    ahead: u8,
}

fn npm() -> Spanned<String> {
    let nowhere = yaml::Location::UNKNOWN;
    Spanned::new("npm".to_owned(), nowhere, nowhere)
}

/// The names of the built-in targets.
pub fn names() -> Vec<&'static str> {
    // `url` is what an address on the command line becomes.
    built_in::names(FOLDER).into_iter().filter(|name| *name != "url").collect()
}

/// How a registry's own pages are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Pages {
    /// By the requests that they make, where the target file says which.
    #[default]
    Http,
    /// In headless Chromium, as the section `browser` of the target file says.
    Browser,
}

/// Finds a target by built-in name, file or address.
pub fn find(name: &str) -> Result<Target, FileError> {
    find_with(name, Pages::Http)
}

/// Finds a target that is to be loaded, which its file must allow where it is not this machine.
pub fn find_to_load(name: &str) -> Result<Target, FileError> {
    find_for(name, Pages::Http, Permit::Load)
}

/// Finds a target whose pages are to be answered in this way.
pub fn find_with(name: &str, pages: Pages) -> Result<Target, FileError> {
    find_for(name, pages, Permit::Check)
}

fn find_for(name: &str, pages: Pages, permit: Permit) -> Result<Target, FileError> {
    if name.starts_with("http://") || name.starts_with("https://") {
        let source = Source::BuiltIn(format!("{FOLDER}/url.yaml"));
        let mut file: TargetFile = source.parse()?;
        name.clone_into(&mut file.name);
        let base =
            address(name, None, permit).map_err(|(message, hint)| FileError::whole("--target", message, hint))?;
        return checked(&source, file, Some(base), (pages, permit));
    }
    let is_file = Path::new(name).extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
    let source = if is_file {
        Source::File(PathBuf::from(name))
    } else if names().contains(&name) {
        Source::BuiltIn(format!("{FOLDER}/{name}.yaml"))
    } else {
        let hint = format!("{}; or a .yaml file, or http://HOST:PORT", yaml::allowed(name, &names()));
        return Err(FileError::whole(name, "no target of this name", Some(hint)));
    };
    checked(&source, source.parse()?, None, (pages, permit))
}

fn checked(
    source: &Source,
    mut file: TargetFile,
    base: Option<Url>,
    (pages, permit): (Pages, Permit),
) -> Result<Target, FileError> {
    let own = own(source, &file)?;
    let how = file.start.value;
    if let Some(verifiers) = file.verifiers.as_ref().filter(|_| how != HowToStart::Embedded) {
        let hint = Some("how another registry verifies is its own".to_owned());
        return Err(source.wrong(verifiers, "`verifiers` are for `start: embedded`", hint));
    }
    let start = match how {
        HowToStart::Embedded => Start::Embedded { verifiers: file.verifiers.as_ref().map(|known| known.value.into()) },
        HowToStart::Running => {
            let base = match (&base, &file.base) {
                (Some(base), _) => base.clone(),
                (None, Some(text)) => address(&text.value, file.allow.as_ref(), permit)
                    .map_err(|(message, hint)| source.wrong(text, message, hint))?,
                (None, None) => {
                    let hint = Some("`base: http://127.0.0.1:PORT`".to_owned());
                    return Err(source.wrong(&file.start, "a target that runs already needs its address", hint));
                }
            };
            let accounts = match (&file.accounts, source) {
                (None, _) => None,
                (Some(path), Source::File(own)) => Some(accounts::read(&own.with_file_name("").join(path))),
                (Some(path), Source::BuiltIn(_) | Source::Written { .. }) => Some(accounts::read(path)),
            };
            let accounts = accounts.transpose().map_err(|error| named(source, "accounts", error))?;
            Start::Running { base, accounts }
        }
        HowToStart::Installed => {
            if file.program.is_empty() {
                return Err(source.wrong(&file.start, "an installed target needs its `program`", None));
            }
            let folder = source.name();
            let folder = Path::new(&folder).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_owned();
            Start::Installed(Program {
                manifest: beside(source, &folder, "package.json")?,
                lockfile: beside(source, &folder, "package-lock.json")?,
                name: folder,
                command: file.program,
                environment: file.environment,
                config: file.config,
            })
        }
    };
    if let Some(verifiers) = file.verifiers.as_ref().filter(|verifiers| verifiers.value.time.0.is_zero()) {
        return Err(source.wrong(verifiers, "a verifier takes some time, such as `1 ms`", None));
    }
    let dialect = dialect_source(source, &file.dialect)?;
    match pages {
        // Where the requests of a page are not described, the page itself may be.
        Pages::Http => file.browser.retain(|name, _| !file.routines.contains_key(name)),
        Pages::Browser if file.browser.is_empty() => {
            let hint = Some("it names routines such as `authorise-by-key`".to_owned());
            let name = if base.is_some() { "--pages browser".to_owned() } else { source.name() };
            return Err(FileError::whole(name, "the target file has no section `browser`", hint));
        }
        Pages::Browser => {}
    }
    let change = Change {
        source: source.clone(),
        routines: file.routines,
        pages: file.browser,
        surfaces: file.surfaces,
        unsupported: file.unsupported,
        not_implemented: file.not_implemented,
        retry_after: file.retry_after,
    };
    let dialect = Dialect::read(&dialect, change).map_err(|error| named(source, "dialect", error))?;
    let deviations = match &file.deviations {
        Some(path) => listed(&source.beside(path)).map_err(|error| named(source, "deviations", error))?,
        None => Vec::new(),
    };
    let mut left_out = Vec::new();
    for (glob, reason) in file.left_out {
        match Glob::new(&glob) {
            Ok(known) => left_out.push((known.compile_matcher(), reason.value)),
            Err(error) => return Err(source.wrong(&reason, format!("`{glob}`: {}", error.kind()), None)),
        }
    }
    let archives = file
        .archives
        .iter()
        .map(|named| archive_host(named).map_err(|(message, hint)| source.wrong(named, message, Some(hint))));
    let archives = archives.collect::<Result<Vec<Url>, FileError>>()?;
    let skew = Skew { behind: file.skew.behind.into(), ahead: file.skew.ahead.into() };
    let consent = file.allow.and_then(|allow| allow.consent).map(|consent| consent.value);
    if let Some(stated) = file.second_factor.as_ref().filter(|_| !file.requires.is_empty()) {
        let hint = Some("`requires` names what must be judged with a second factor".to_owned());
        return Err(source.wrong(stated, "`second-factor: none` beside `requires`", hint));
    }
    let TargetFile { name, about, limits, may_lock_out, may_lower_mode, requires, second_factor, .. } = file;
    let without_second_factor = second_factor.is_some();
    Ok(Target {
        archives,
        name,
        about,
        own,
        start,
        consent,
        skew,
        limits,
        dialect,
        deviations,
        left_out,
        requires,
        without_second_factor,
        may_lock_out,
        may_lower_mode,
    })
}

/// What reports say of a file that the user has written.
fn own(source: &Source, file: &TargetFile) -> Result<Option<OwnTarget>, FileError> {
    if !matches!(source, Source::File(_)) {
        return Ok(None);
    }
    Ok(Some(OwnTarget {
        digest: built_in::digest_of(source.text()?.as_bytes()),
        base: file.base.as_ref().map(|base| base.value.clone()),
        dialect: file.dialect.value.clone(),
        accounts: file.accounts.is_some(),
        behind: file.skew.behind,
        ahead: file.skew.ahead,
        routines: file.routines.keys().chain(file.browser.keys()).cloned().collect(),
        surfaces: file.surfaces.iter().map(Surface::id).collect(),
    }))
}

/// An error about another file as a whole, where this key of the target's file names it.
fn named(target: &Source, key: &str, error: FileError) -> FileError {
    let elsewhere = error.place().is_none() && !error.is_in(&target.name());
    if elsewhere { target.wrong_key(key, error.to_string(), error.hint()) } else { error }
}

/// The text of a file in the folder beside the target's own.
fn beside(target: &Source, folder: &str, file: &str) -> Result<String, FileError> {
    let text = target.beside(&format!("{folder}/{file}")).text();
    text.map(Cow::into_owned).map_err(|error| named(target, "start", error))
}

/// The deviations file that a target file names.
pub fn deviations_of(target: &Source) -> Option<Source> {
    let file: TargetFile = target.parse().ok()?;
    file.deviations.map(|path| target.beside(&path))
}

/// Reads a deviations file.
pub fn deviations(path: &Path) -> Result<Vec<Deviation>, FileError> {
    listed(&Source::File(path.to_owned()))
}

/// A list of deviations, whose globs are such.
fn listed(source: &Source) -> Result<Vec<Deviation>, FileError> {
    #[derive(Deserialize)]
    struct Entry {
        case: Spanned<String>,
    }
    let listed: Vec<Deviation> = source.parse()?;
    for Entry { case } in source.parse::<Vec<Entry>>()? {
        if let Err(error) = Glob::new(&case.value) {
            return Err(source.wrong(&case, format!("`{}`: {}", case.value, error.kind()), None));
        }
    }
    Ok(listed)
}

fn dialect_source(target: &Source, name: &Spanned<String>) -> Result<Source, FileError> {
    if Path::new(&name.value).extension().is_some_and(|extension| extension == "yaml") {
        return Ok(target.beside(&name.value));
    }
    let known = built_in::names("fixtures/dialects");
    if known.contains(&name.value.as_str()) {
        Ok(Source::BuiltIn(format!("fixtures/dialects/{}.yaml", name.value)))
    } else {
        let hint = format!("{}; or a .yaml file", yaml::allowed(&name.value, &known));
        Err(target.wrong(name, format!("no dialect `{}`", name.value), Some(hint)))
    }
}

/// A host that archives may be fetched from. The error is what is wrong with it, and a hint.
fn archive_host(named: &Spanned<String>) -> Result<Url, (String, String)> {
    let text = &named.value;
    let hint = || "allowed: an address without a path, such as `https://cdn.example`".to_owned();
    let url = Url::parse(text).map_err(|error| (format!("`{text}` is no address: {error}"), hint()))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(("the address holds a name or a password".to_owned(), "archives are read without any".to_owned()));
    }
    let whole = matches!(url.scheme(), "http" | "https") && url.path() == "/" && url.query().is_none();
    if whole { Ok(url) } else { Err((format!("`{text}` is no address of a host alone"), hint())) }
}

/// An address that may be driven. The error is what is wrong with it, and a hint.
fn address(text: &str, allow: Option<&Allow>, permit: Permit) -> Result<Url, (String, Option<String>)> {
    let url = Url::parse(text)
        .map_err(|error| (format!("`{text}` is no address: {error}"), Some("allowed: http://HOST:PORT".to_owned())))?;
    if !url.username().is_empty() || url.password().is_some() {
        let message = "the address holds a name or a password".to_owned();
        return Err((message, Some("accounts belong into an accounts file".to_owned())));
    }
    if !matches!(url.scheme(), "http" | "https") {
        return Err((format!("`{text}` is neither http nor https"), Some("allowed: http://HOST:PORT".to_owned())));
    }
    match consent::allowed(&url, allow, permit) {
        Ok(()) => Ok(url),
        Err((message, hint)) => Err((format!("`{text}`: {message}"), Some(hint))),
    }
}
