//! The suite: everything between the name of a target and the result of a run.
//!
//! This is the library's own door: what `stepup check` does, in process. `examples/in_process.rs` goes through it.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use globset::{Glob, GlobMatcher};
use jiff::Timestamp;
use reqwest::Url;
use tokio::sync::Semaphore;

use super::batch;
use super::dry_run;
use super::estimate::Estimate;
use super::plan::{self, Case, Script};
use super::scene::Stage;
use super::session::Session;
use super::stop::Stop;
use super::waits::Waits;
use super::{Budget, Journal, Provisioner, Run, mix, seat};
use crate::accounts::{self, Pool};
use crate::built_in;
use crate::capability::Capability;
use crate::clock::Clock;
use crate::consent;
use crate::dialect::Dialect;
use crate::host::Host;
use crate::persona::key::Maker;
use crate::persona::ledger::GUARD_MS;
use crate::registry::Mutants;
use crate::result::{Config, SuiteInfo};
use crate::scenario::Scenario;
use crate::source::Source;
use crate::table::{Level, Table};
use crate::target::{self, Deviation, Pages, Start, Target};
use crate::wire::{ChosenLimits, Limits, Reuse, Trust, Wire};
use crate::yaml::FileError;

/// The file of the action table.
pub(super) const TABLE: &str = "scenarios/tables/npm-docs-2022-08.yaml";

/// The longest lock-out whose end is waited for, unless said.
pub const LOCK_OUT_PATIENCE: Duration = Duration::from_secs(60);
/// How long a registry in the same process is waited for: that the machine is busy is no fault of the registry's.
const SAME_PROCESS: Duration = Duration::from_secs(30);
/// How many cases may be at work at once unless said: on a simulated clock, and on a real one, where they wait most of
/// the time.
const JOBS: (u16, u16) = (8, 16);
/// How many requests may be under way at once on a real clock, unless more cases may be at work.
const UNDER_WAY: u16 = 16;

/// What can be chosen about a run.
#[derive(Debug, Clone)]
pub struct Options {
    /// A built-in target, a target file, or the address of a running registry.
    pub target: String,
    /// Who performs the rows: `wire`, built-in clients, client files, or `all` built-in clients; the wire when none.
    pub clients: Vec<String>,
    /// Only the cases whose id one of these globs matches; all when there is none.
    pub cases: Vec<String>,
    /// Files of scenarios beside those that the program carries.
    pub scenarios: Vec<PathBuf>,
    /// The least binding level whose deviations decide.
    pub level: Level,
    /// Names, passwords and the simulated start depend on it alone.
    pub seed: u64,
    /// How many cases may be at work at once; 16 on a real clock and 8 on a simulated one when not said.
    pub jobs: Option<u16>,
    /// How many times the selected cases are run.
    pub repeat: u16,
    /// The seeded faults of the embedded registry.
    pub mutants: Mutants,
    /// Who makes the personas' security keys.
    pub authenticator: Maker,
    /// How the target's own pages are answered.
    pub pages: Pages,
    /// How the certificate of an https target is verified.
    pub trust: Trust,
    /// How long the target is waited for, in place of what its file says.
    pub limits: ChosenLimits,
    /// How often a case that cannot be judged is played again.
    pub retries: u8,
    /// The longest lock-out whose end is waited for.
    pub lock_out_patience: Duration,
    /// How long it may take, where that has a bound: the most telling cases are then played first.
    pub budget: Option<Duration>,
    /// What must be judged with a second factor, beside what the target's file says.
    pub requires: Vec<Capability>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            target: "embedded".to_owned(),
            clients: Vec::new(),
            cases: Vec::new(),
            scenarios: Vec::new(),
            level: Level::Implied,
            seed: 1,
            jobs: None,
            repeat: 1,
            mutants: Mutants::none(),
            authenticator: Maker::default(),
            pages: Pages::default(),
            trust: Trust::default(),
            limits: ChosenLimits::default(),
            retries: 0,
            lock_out_patience: LOCK_OUT_PATIENCE,
            budget: None,
            requires: Vec::new(),
        }
    }
}

/// Why a run cannot begin.
#[derive(Debug)]
pub enum Unready {
    /// A file is wrong.
    File(FileError),
    /// The options are.
    Options(String),
    /// No case was selected, by one of the globs or at all.
    NothingSelected(String),
    /// The journal cannot be written.
    Journal(std::io::Error),
    /// A client cannot be installed.
    Client(String),
    /// The target cannot be used.
    Target(String),
}

impl fmt::Display for Unready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unready::File(error) => error.fmt(f),
            Unready::Options(message)
            | Unready::NothingSelected(message)
            | Unready::Client(message)
            | Unready::Target(message) => f.write_str(message),
            Unready::Journal(error) => write!(f, "what the run makes cannot be written down: {error}"),
        }
    }
}

impl std::error::Error for Unready {}

impl From<FileError> for Unready {
    fn from(error: FileError) -> Self {
        Unready::File(error)
    }
}

/// A run's cases, chosen, on a target that has not been touched yet.
#[derive(Debug)]
pub struct Suite {
    options: Options,
    table: Table,
    cases: Vec<Case>,
    /// The ids of every case, selected or not.
    known: Vec<String>,
    target: Target,
}

/// Whether what is required can be judged by the cases at all.
fn required(options: &Options, target: &Target, selected: &[Case]) -> Result<(), Unready> {
    let shown: BTreeSet<Capability> = selected
        .iter()
        .filter(|case| !case.is_observed())
        .flat_map(|case| case.capabilities(&target.dialect))
        .collect();
    if let Some(first) = options.requires.first().filter(|_| target.without_second_factor) {
        let message = format!("--require {first}: the file of {} says `second-factor: none`", target.name);
        return Err(Unready::Options(message));
    }
    // Of what the target's file requires, a selection may leave something out.
    let all = options.cases.is_empty() && options.clients.is_empty();
    let by_file = target.requires.iter().filter(|_| all).map(|wanted| ("requires:", *wanted));
    let by_option = options.requires.iter().map(|wanted| ("--require", *wanted));
    match by_option.chain(by_file).find(|(_, wanted)| !shown.contains(wanted)) {
        None => Ok(()),
        Some((said, wanted)) => {
            let names: Vec<&str> = shown.iter().map(|shown| shown.name()).collect();
            let can = if names.is_empty() { "nothing with a second factor".to_owned() } else { names.join(", ") };
            Err(Unready::Options(format!("{said} {wanted}: no selected case shows it; the selected ones show {can}")))
        }
    }
}

impl Suite {
    /// Reads all files and selects the cases.
    pub fn new(options: Options) -> Result<Self, Unready> {
        let suite = Suite::read(options)?;
        if suite.cases.is_empty() {
            let message = "there is no case to run; `stepup list cases` shows their ids".to_owned();
            return Err(Unready::NothingSelected(message));
        }
        Ok(suite)
    }

    /// Reads all files, and leaves the cases to others.
    pub fn without_cases(options: Options) -> Result<Self, Unready> {
        let mut suite = Suite::read(options)?;
        suite.cases.clear();
        Ok(suite)
    }

    /// What must hold, and whom it is asked of.
    pub fn subject(&self) -> (&Table, &Target) {
        (&self.table, &self.target)
    }

    fn read(options: Options) -> Result<Self, Unready> {
        let target = target::find_with(&options.target, options.pages)?;
        if !matches!(target.start, Start::Embedded { .. }) && !options.mutants.is_empty() {
            return Err(Unready::Options("--mutant is for the embedded registry".to_owned()));
        }
        let table = table()?;
        let wire = [all_cases(&table, &target)?, plan::scenarios(own_scenarios(&options.scenarios, &target)?)].concat();
        let mut known: Vec<String> = wire.iter().map(|case| case.id.clone()).collect();
        let all = seat::take(wire, &target.dialect, &options.clients)?;
        known.extend(all.iter().filter(|case| case.seat.is_some()).map(|case| case.id.clone()));
        let once = plan::select(all, &options.cases, &known)?;
        required(&options, &target, &once)?;
        let cases: Vec<Case> = (0..options.repeat).flat_map(|_| once.clone()).collect();
        Ok(Suite { options, table, cases, known, target })
    }

    /// Judges against this list of known deviations in place of the target's own.
    pub fn with_deviations(&mut self, deviations: Vec<Deviation>) {
        self.target.deviations = deviations;
    }

    fn config(&self) -> Config {
        let options = &self.options;
        Config {
            target: options.target.clone(),
            target_file: self.target.own.clone(),
            clients: options.clients.clone(),
            cases: options.cases.clone(),
            scenarios: options.scenarios.iter().map(|file| file.display().to_string()).collect(),
            mutants: options.mutants.iter().map(|mutant| mutant.name().to_owned()).collect(),
            jobs: options.jobs.unwrap_or(JOBS.0),
            repeat: options.repeat,
            authenticator: options.authenticator.name().to_owned(),
            pages: match options.pages {
                Pages::Http => "http".to_owned(),
                Pages::Browser => "browser".to_owned(),
            },
            deviations: self.target.deviations.len(),
            retries: options.retries,
            limits: options.limits.options(),
        }
    }

    fn made_of(&self) -> SuiteInfo {
        let digest = built_in::digest_of;
        SuiteInfo {
            digest: built_in::digest(),
            table: built_in::text(TABLE).map(|text| digest(text.as_bytes())).unwrap_or_default(),
            // They were read a moment ago; one that is gone has no digest.
            scenarios: self
                .options
                .scenarios
                .iter()
                .map(|file| std::fs::read(file).map(|text| digest(&text)).unwrap_or_default())
                .collect(),
        }
    }

    /// The selected cases.
    pub fn cases(&self) -> &[Case] {
        &self.cases
    }

    /// How long they take on a real clock; nothing of the registry in this process, on which waiting takes no time.
    pub fn estimate(&self) -> Option<Estimate> {
        let accounts = match &self.target.start {
            Start::Embedded { .. } => return None,
            Start::Installed(_) => None,
            Start::Running { accounts, .. } => accounts.as_deref().map(accounts::shelves),
        };
        let dialect = &self.target.dialect;
        let own_clients = |case: &&Case| case.seat.is_none();
        let played = |case: &&Case| {
            let described = match &case.script {
                Script::Scenario(scenario) => {
                    let level = self.options.level;
                    let runs = super::is_wanted(scenario, level) || super::burden(scenario).is_none();
                    runs && scenario.undescribed(dialect).is_none()
                }
                Script::Row { .. } => true,
            };
            described && dry_run::why_not(&self.target, case).is_none()
        };
        let cases = self.cases.iter().filter(own_clients).filter(played);
        let can_share = accounts.is_some() && self.options.budget.is_none() && batch::can_lower(dialect);
        let of = |shared| Estimate::of(cases.clone(), dialect, accounts.as_deref(), shared);
        Some(match (can_share, self.target.may_lower_mode) {
            (false, _) => of(false),
            (true, true) => of(true),
            (true, false) => of(false).beside(&of(true)),
        })
    }

    /// Brings the target up and looks at it. What is made on one that lives on is written to `journal` before.
    pub async fn begin(self, journal: &Path) -> Result<Session, Unready> {
        self.begin_behind(journal, async |base, _, _| Ok(base)).await
    }

    /// The same, with something before the target: it is given the target's address, its clock and how it speaks, and
    /// says which address is driven in its place.
    pub(super) async fn begin_behind(
        self,
        journal: &Path,
        front: impl AsyncFnOnce(Url, &Clock, &Dialect) -> Result<Url, Unready>,
    ) -> Result<Session, Unready> {
        let started = Timestamp::now();
        let (mut config, made_of, estimate) = (self.config(), self.made_of(), self.estimate());
        let Suite { options, table, cases, known, target } = self;
        let Target {
            name,
            start,
            skew,
            limits,
            dialect,
            deviations,
            mut left_out,
            consent,
            archives,
            may_lock_out,
            may_lower_mode,
            ..
        } = target;
        let limits = match &start {
            Start::Embedded { .. } => limits.or(SAME_PROCESS),
            Start::Installed(_) | Start::Running { .. } => limits,
        };
        let limits = Limits::chosen(limits, options.limits);
        let (without_second_factor, requires) =
            (target.without_second_factor, target.requires.into_iter().chain(options.requires).collect());
        // Who names a case wants it.
        left_out.retain(|(glob, _)| !options.cases.iter().any(|id| glob.is_match(id) && !id.contains('*')));
        let unusable = |message: String| Unready::Target(format!("target {name}: {message}"));
        let clients = seat::install(&cases).await.map_err(Unready::Client)?;
        let mut host = Host::bring_up(start, options.seed, options.mutants.clone()).await.map_err(unusable)?;
        host.base = front(host.base.clone(), &host.clock, &dialect).await?;
        let simulated = !host.clock.is_real();
        let guard_ms = if simulated { 0 } else { GUARD_MS };
        let journal = if host.lives_on { Some(Journal::create(journal).map_err(Unready::Journal)?) } else { None };
        let jobs = options.jobs.unwrap_or(if simulated { JOBS.0 } else { JOBS.1 });
        config.jobs = jobs;
        let reuse = if simulated { Reuse::WhenIdle } else { Reuse::Never };
        // What a browser makes can be kept by ours alone.
        // So can what cleaning up after a run that was killed needs.
        let kept = dialect.in_browser || (host.lives_on && options.authenticator == Maker::default());
        let maker = if kept { Maker::Own } else { options.authenticator };
        let wire = Wire::trusting(host.base.clone(), reuse, options.trust.clone(), limits)
            .and_then(|wire| wire.with_archives(archives))
            .map_err(Unready::Options)?;
        let wire = if simulated { wire } else { wire.with_at_most(UNDER_WAY.max(jobs).into()) };
        let mut stage = Stage {
            wire,
            dialect: Arc::new(dialect),
            maker,
            browser: Arc::default(),
            guard_ms,
            routes: Arc::default(),
            offset_ms: 0,
            journal,
            clock: host.clock.clone(),
            skew,
            proven: Default::default(),
            jobs: Arc::new(Semaphore::new(jobs.into())),
            waits: Waits::default(),
            spread: !simulated && host.accounts.is_none(),
            stop: Stop::default(),
        };
        let unverified = options.trust == Trust::Unverified && host.base.scheme() == "https";
        // A target that gives no answer is told of when the first user is made.
        let _ = stage.read_clock().await;
        left_out.extend(unconsented(&stage.wire, consent.as_deref(), &cases).await);
        let provisioner = match host.accounts.take() {
            Some(accounts) => Provisioner::Accounts(Pool::new(accounts, stage.skew, guard_ms, stage.target_time())),
            None => Provisioner::SelfService,
        };
        // On a target that lives on, two runs of one seed must not make the same names.
        let prefix_seed = if simulated { options.seed } else { options.seed ^ started.as_millisecond().unsigned_abs() };
        let mut run = Run {
            stage,
            prefix: format!("su{:08x}", mix(prefix_seed, "prefix") & 0xffff_ffff),
            target: options.target,
            level: options.level,
            retries: options.retries,
            seed: options.seed,
            password_seed: if simulated { options.seed } else { rand::random() },
            mutants: options.mutants,
            may_lock_out,
            may_lower_mode,
            lock_out_patience: options.lock_out_patience,
            left_out,
            provisioner,
            budget: options.budget.map(|long| Budget { long, until: None }),
            clients: Arc::new(clients),
        };
        if let Some(journal) = &run.stage.journal {
            let begun = journal.begin(&run.prefix, &anywhere(&run.target), run.stage.wire.base().as_str());
            begun.map_err(|message| Unready::Journal(std::io::Error::other(message)))?;
        }
        let mut preflight = super::preflight(&mut run).await.map_err(unusable)?;
        if without_second_factor {
            preflight.factors.are_stated_missing();
        }
        Ok(Session {
            started,
            config,
            made_of,
            table,
            name,
            deviations,
            requires,
            without_second_factor,
            cases,
            known,
            unverified,
            run,
            preflight,
            estimate,
            host: Mutex::new(host),
        })
    }
}

/// A target's name as it is understood from any folder.
fn anywhere(target: &str) -> String {
    match std::path::absolute(target) {
        Ok(file) if file.is_file() => file.display().to_string(),
        _ => target.to_owned(),
    }
}

/// The cases that strain a host which has not consented to it, each with the reason that it is not run.
async fn unconsented(wire: &Wire, consent: Option<&str>, cases: &[Case]) -> Vec<(GlobMatcher, String)> {
    let strains = |case: &&Case| matches!(&case.script, Script::Scenario(scenario) if scenario.strains());
    let ids: Vec<&str> = cases.iter().filter(strains).map(|case| case.id.as_str()).collect();
    if ids.is_empty() {
        return Vec::new();
    }
    let Err(why) = consent::given(wire, consent).await else { return Vec::new() };
    let reason = format!("races and guessing need the host's own consent: {why}");
    let exactly = |id: &str| Glob::new(&globset::escape(id)).ok().map(|glob| glob.compile_matcher());
    ids.into_iter().filter_map(|id| Some((exactly(id)?, reason.clone()))).collect()
}

/// The action table.
pub fn table() -> Result<Table, FileError> {
    Source::BuiltIn(TABLE.to_owned()).parse()
}

/// Every case of the table and of the scenarios on a target.
pub fn all_cases(table: &Table, target: &Target) -> Result<Vec<Case>, Unready> {
    let rows = plan::cases(table, &target.dialect).map_err(Unready::Options)?;
    Ok([rows, plan::scenarios(Scenario::all(&target.dialect)?)].concat())
}

/// Every case that the program carries, as on the embedded registry.
pub fn carried() -> Result<Vec<Case>, Unready> {
    all_cases(&table()?, &target::find("embedded")?)
}

/// The scenarios of the user's own files.
fn own_scenarios(files: &[PathBuf], target: &Target) -> Result<Vec<Scenario>, Unready> {
    let mut read: Vec<Scenario> = Vec::new();
    for file in files {
        let scenario = Scenario::from_file(file, &target.dialect)?;
        if read.iter().any(|known| known.id == scenario.id) {
            return Err(Unready::Options(format!("--scenario: two files are called `{}`", scenario.id)));
        }
        read.push(scenario);
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::SystemTime;

    use super::super::cleanup::{cleanup, left_open};
    use super::super::keyring::Keyring;
    use super::*;
    use crate::registry::{Registry, Settings, serve};
    use crate::result::Status;

    /// How many packages the registry has.
    async fn packages(base: &str) -> usize {
        let answer = reqwest::get(format!("{base}/-/v1/search?text=su&size=200")).await.expect("an answer");
        let found: serde_json::Value = answer.json().await.expect("JSON");
        found["objects"].as_array().expect("a list").len()
    }

    /// Plays a case that publishes, whose clock breaks at its reading of this number. Whether it broke, and how many
    /// packages were left before and after cleaning up.
    async fn break_at(base: &str, reading: usize, folder: &Path) -> (bool, usize, usize) {
        let journal_path = folder.join(format!("{reading}.jsonl"));
        let options = Options {
            target: base.to_owned(),
            cases: vec!["disabled/publish/*".to_owned()],
            jobs: Some(1),
            ..Options::default()
        };
        let suite = Suite::new(options).expect("it is ready");
        let mut session = suite.begin(&folder.join("first.jsonl")).await.expect("it begins");
        session.end();
        let journal = Journal::create(&journal_path).expect("a file");
        let keyring = Keyring::at(folder.join(format!("{reading}.keys")));
        let written = session.run.stage.wire.base().as_str();
        journal.begin_with(keyring, &session.run.target, written).expect("it begins");
        (session.run.stage.journal, session.run.stage.clock) = (Some(journal), Clock::breaking(reading));
        let result = session.run(|_| {}).await;
        let [case] = result.cases.as_slice() else { panic!("one case: {}", result.cases.len()) };
        let broke = case.observed.contains("stepup itself failed: the clock breaks");
        assert_eq!(case.status, if broke { Status::Error } else { Status::Pass }, "{}", case.observed);
        let left = packages(base).await;
        assert!(left == 0 || left_open(&journal_path) > 0, "{left} packages that the journal does not know");
        let cleaned = cleanup(&journal_path, Trust::default(), ChosenLimits::default()).await.expect("it cleans up");
        assert!(cleaned.left.is_empty(), "{:?}", cleaned.left);
        assert!(!folder.join(format!("{reading}.keys")).exists(), "what undid it is kept no longer");
        (broke, left, packages(base).await)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn whenever_a_case_panics_its_run_ends_and_cleaning_up_leaves_nothing() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let settings = Settings::new(Arc::new(SystemTime::now));
        tokio::spawn(serve(listener, Registry::new(settings), std::future::pending()));
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut seen = BTreeSet::new();
        for reading in 0.. {
            let (broke, left, after) = break_at(&base, reading, folder.path()).await;
            assert_eq!(after, 0, "after a panic at reading {reading}");
            seen.insert((broke, left));
            if !broke {
                break;
            }
        }
        assert_eq!(
            seen,
            BTreeSet::from([(true, 0), (true, 1), (false, 0)]),
            "before it publishes, after it, and never"
        );
    }
}
