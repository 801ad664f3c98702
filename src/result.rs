//! The one versioned document that a run writes; every report is a pure function of it.

mod end;
mod factors;
pub mod renamed;
mod session;
mod shape;
pub mod sound;
mod timing;
mod unsettled;

use std::fmt;

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use end::{RunEnd, SecondFactor};
pub use factors::{Factors, Found, Look};
pub use session::{Asked, ClientCommand, ClientLimit, ClientSession, LimitKind, Situation};
pub use shape::{OnReference, Shape, Trait};
pub use timing::{Budget, CaseTiming, CaseWait, NotRun, Timing, Wait, Waits, lasting};
pub use unsettled::Unsettled;

use crate::capability::Capability;
use crate::judge::{Effect, Verdict};
use crate::table::Level;
use crate::wire::Exchange;

/// The document's format.
pub const FORMAT: &str = "stepup/result/2";

/// What a run found.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq, JsonSchema)]
pub struct RunResult {
    /// The document's format.
    #[schemars(extend("const" = FORMAT))]
    pub format: String,
    /// The program and its version.
    pub tool: String,
    /// The target.
    pub target: TargetInfo,
    /// The table.
    pub table: TableInfo,
    /// The least binding level whose deviations decide the exit code.
    #[serde(default = "RunResult::usual_level")]
    pub level: Level,
    /// What was chosen about the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<Config>,
    /// The files that say what must hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suite: Option<SuiteInfo>,
    /// The seed.
    pub seed: u64,
    /// When the run began (RFC 3339).
    pub started: String,
    /// When it ended.
    pub finished: String,
    /// Whether every selected case was run.
    pub complete: bool,
    /// The counts. They add up.
    pub summary: Summary,
    /// How many requests were sent to the target in all: set-up, probes, read-backs and undoing.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub requests: u64,
    /// Entries of the target's deviations that do not hold any more.
    pub stale_deviations: Vec<String>,
    /// Deviations that the target's file lists as showing now and then, and how often they did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flaky_deviations: Vec<FlakyDeviation>,
    /// What must be judged with a second factor, beside any one case: by the target's file and by `--require`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<Capability>,
    /// What the run as a whole could not undo on the target.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<String>,
    /// The time that it was given, where it was given one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
    /// How long it took and what it waited for, on a real clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timing: Option<Timing>,
    /// The judged cases.
    pub cases: Vec<CaseResult>,
    /// Writes that the table does not name: run and reported, never judged.
    pub observations: Vec<CaseResult>,
}

/// A deviation that the target's file lists as one that shows now and then.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq, JsonSchema)]
pub struct FlakyDeviation {
    /// The cases, as the file names them.
    pub case: String,
    /// The verdict.
    pub verdict: Verdict,
    /// How many of them showed it.
    pub showed: usize,
    /// How many of them were judged.
    pub judged: usize,
    /// Why it is known.
    pub reason: String,
}

impl FlakyDeviation {
    /// It in words.
    pub fn words(&self) -> String {
        let Self { case, verdict, showed, judged, reason } = self;
        format!("{case}: {verdict} in {showed} of {judged}; {reason}")
    }
}

impl RunResult {
    fn usual_level() -> Level {
        Level::Implied
    }

    /// What the run waited for, in a sentence; none when it waited for nothing.
    pub fn waited(&self) -> Option<String> {
        let timed = self.cases.iter().chain(&self.observations);
        let longest = timed.filter_map(|case| Some((case.id.as_str(), case.timing.as_ref()?)));
        self.timing.as_ref()?.sentence(longest.max_by_key(|(_, timing)| timing.took_ms))
    }

    /// Whether a case turns the exit code to 1.
    pub fn decides(&self, case: &CaseResult) -> bool {
        match case.status {
            Status::Fail => case.level <= self.level && case.known.is_none(),
            Status::Error => true,
            Status::Pass | Status::Unsupported | Status::NotDescribed | Status::Skipped => false,
        }
    }
}

/// The target of a run.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq, JsonSchema)]
pub struct TargetInfo {
    /// Its name.
    pub name: String,
    /// Whether its certificate was not verified.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unverified: bool,
    /// What a first look found of each kind of second factor.
    #[serde(default)]
    pub factors: Factors,
    /// Whether its file says `second-factor: none`, so that nothing has to be judged with one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub without_second_factor: bool,
    /// How far its clock is ahead of this machine's, in milliseconds; zero when that cannot be told from none.
    #[serde(default)]
    pub clock_offset_ms: i64,
    /// How it ended of itself during the run, with its last words, when it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
}

/// What was chosen about a run. Nothing in it is secret.
#[derive(Debug, Clone, Default, Serialize, Deserialize, PartialEq, Eq, JsonSchema)]
pub struct Config {
    /// How the target was named.
    pub target: String,
    /// What the user's own file of the target says, where that is what was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_file: Option<OwnTarget>,
    /// The clients that were named; none for the wire alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clients: Vec<String>,
    /// The globs that chose the cases; none for all.
    pub cases: Vec<String>,
    /// Files of scenarios beside those that the program carries.
    pub scenarios: Vec<String>,
    /// The seeded faults of the embedded registry.
    pub mutants: Vec<String>,
    /// How many cases were at work at once.
    pub jobs: u16,
    /// How many times each was run.
    pub repeat: u16,
    /// Who made the security keys.
    pub authenticator: String,
    /// How the registry's own pages were answered: `http` or `browser`.
    pub pages: String,
    /// How many deviations were known before.
    pub deviations: usize,
    /// How often a case that could not be judged was played again.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retries: u8,
    /// The options by which the target was waited for longer or shorter than its file says; none where none were given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<String>,
}

/// The user's own file of a target, for readers who do not have it: what it decides, and what it has of its own. The
/// content of what it has is not here, for it may hold secrets.
#[derive(Debug, Clone, Default, Serialize, Deserialize, PartialEq, Eq, JsonSchema)]
pub struct OwnTarget {
    /// The SHA-256 digest of the file.
    pub digest: String,
    /// The address that it names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// The dialect that it begins with: `npm`, or a file.
    pub dialect: String,
    /// Whether users are lent from an accounts file.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub accounts: bool,
    /// So many steps before the present one are valid as well (RFC 6238 §5.2).
    pub behind: u8,
    /// So many steps after it.
    pub ahead: u8,
    /// Its own routines, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub routines: Vec<String>,
    /// Its own surfaces, by id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub surfaces: Vec<String>,
}

/// The suite of a run.
#[derive(Debug, Clone, Default, Serialize, Deserialize, PartialEq, Eq, JsonSchema)]
pub struct SuiteInfo {
    /// The SHA-256 digest of all files that the program carries: tables, scenarios, dialects, targets.
    pub digest: String,
    /// That of the table's file.
    pub table: String,
    /// Those of the user's own scenario files, in the order of their names in the configuration.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scenarios: Vec<String>,
}

/// The table of a run.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq, JsonSchema)]
pub struct TableInfo {
    /// Its name.
    pub id: String,
    /// The page's revision.
    pub revision: String,
    /// The page.
    pub source: String,
}

/// How many cases ended how.
#[derive(Debug, Clone, Default, Serialize, Deserialize, PartialEq, Eq, JsonSchema)]
pub struct Summary {
    /// The sum of the cases that are exact, deviating, unsupported, not described, skipped and errored.
    pub selected: usize,
    /// As documented.
    pub exact: usize,
    /// Not as documented.
    pub deviating: usize,
    /// How many of the deviating the target's file lists.
    pub known: usize,
    /// The target answered that it has no such route, or its file says so; or a client cannot express it.
    pub unsupported: usize,
    /// The target file does not describe how they are driven.
    pub not_described: usize,
    /// Not run.
    pub skipped: usize,
    /// Could not be judged.
    pub errored: usize,
    /// Cases beside these that were observed and not judged.
    pub observed: usize,
    /// How many of the exact could not be judged at first.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub flaky: usize,
}

impl Summary {
    /// Counts.
    pub fn of(cases: &[CaseResult], observed: usize) -> Self {
        let mut summary = Summary { selected: cases.len(), observed, ..Summary::default() };
        for case in cases {
            match case.status {
                Status::Pass => {
                    summary.exact += 1;
                    summary.flaky += usize::from(case.is_flaky());
                }
                Status::Fail => {
                    summary.deviating += 1;
                    summary.known += usize::from(case.known.is_some());
                }
                Status::Unsupported => summary.unsupported += 1,
                Status::NotDescribed => summary.not_described += 1,
                Status::Skipped => summary.skipped += 1,
                Status::Error => summary.errored += 1,
            }
        }
        summary
    }
}

/// How a case ended.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It held.
    Pass,
    /// It did not.
    Fail,
    /// The target answered that it has no such route, or its file says so; or a client cannot express it.
    Unsupported,
    /// The target file does not describe how it is driven.
    NotDescribed,
    /// It was not run.
    Skipped,
    /// It could not be judged.
    Error,
}

impl Status {
    /// How a case ends that was run and shows these verdicts, the worst first.
    pub fn of(verdicts: &[Verdict]) -> Self {
        match verdicts.first() {
            None | Some(Verdict::Exact) => Status::Pass,
            Some(Verdict::Unsupported | Verdict::ClientLimit) => Status::Unsupported,
            Some(Verdict::NotDescribed) => Status::NotDescribed,
            Some(Verdict::Throttled | Verdict::TargetFailed | Verdict::SetUpRefused | Verdict::HarnessError) => {
                Status::Error
            }
            Some(
                Verdict::MissingChallenge
                | Verdict::EffectBeforeFactor
                | Verdict::WrongProofAccepted
                | Verdict::ReplayAccepted
                | Verdict::RightsExceeded
                | Verdict::SecretShown
                | Verdict::NeverThrottled
                | Verdict::UnexpectedChallenge
                | Verdict::WrongShape
                | Verdict::WrongFactorOffered
                | Verdict::RightProofRefused
                | Verdict::NoEffect,
            ) => Status::Fail,
        }
    }

    /// The status's word.
    pub fn word(self) -> &'static str {
        match self {
            Status::Pass => "pass",
            Status::Fail => "fail",
            Status::Unsupported => "unsupported",
            Status::NotDescribed => "not-described",
            Status::Skipped => "skipped",
            Status::Error => "error",
        }
    }
}

/// Where a table has an action.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It is a documented row.
    Row,
    /// It is a read, which the table leaves alone.
    Read,
    /// It is a write that the table does not name.
    Observed,
    /// It is a scenario, which says what a table cannot.
    Scenario,
}

/// What must hold of a case.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Expected {
    /// It is asked for a second factor, and succeeds with a valid proof alone.
    Challenged,
    /// It succeeds without being asked.
    Unchallenged,
    /// Nothing: it is observed only.
    Observed,
    /// What the scenario says.
    Scenario,
}

/// One case's result.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq, JsonSchema)]
pub struct CaseResult {
    /// The stable id.
    pub id: String,
    /// The action.
    pub action: String,
    /// Which surface of it.
    pub surface: Option<String>,
    /// Where the table has the action.
    pub standing: Standing,
    /// The row in the document's words.
    pub label: String,
    /// The row's command.
    pub command: String,
    /// The persona's mode.
    pub mode: String,
    /// The persona's factor.
    pub factor: String,
    /// Who performed the action.
    pub client: String,
    /// How binding the case is.
    pub level: Level,
    /// How it ended.
    pub status: Status,
    /// What it showed, the worst first.
    pub verdicts: Vec<Verdict>,
    /// What must hold, in one word of a closed set.
    pub expectation: Expected,
    /// What it shows of the target, where its users have a second factor; none where they have none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<Capability>,
    /// What must hold.
    pub expected: String,
    /// What was seen.
    pub observed: String,
    /// What it states beside its verdict: what an attacker's guesses are worth, how sure it is of a race.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub statements: Vec<String>,
    /// Where it is said.
    pub cites: Vec<String>,
    /// Why it is known to deviate, when the target's file says so.
    pub known: Option<Known>,
    /// Where the real client ran that was to perform the action.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub situation: Option<Situation>,
    /// What it did, where it could express the action.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<ClientSession>,
    /// What was tried.
    pub probes: Vec<Probe>,
    /// How it ended before, where it could not be judged and was played again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<Earlier>,
    /// The command that runs this case again.
    pub repeat: String,
    /// Why it was not run to its end, where the run ended early.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_run: Option<NotRun>,
    /// When it began, how long it took and what it waited for, on a real clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timing: Option<CaseTiming>,
    /// What it made or changed on the target and could not undo.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<String>,
    /// The file that says what must hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Place>,
    /// What it shows instead where more is known by the end of the run; nothing once that has come.
    #[serde(skip)]
    pub unsettled: Option<Unsettled>,
}

/// Why a case is known to deviate.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq, JsonSchema)]
pub struct Known {
    /// The evidence, in words.
    pub reason: String,
    /// When it must be looked at again: the earliest date of the entries that explain the case.
    #[schemars(with = "String")]
    pub until: Date,
}

impl fmt::Display for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (until {})", self.reason, self.until)
    }
}

/// An end of a case that said nothing of the target, so that the case was played again.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq, JsonSchema)]
pub struct Earlier {
    /// What it showed, the worst first.
    pub verdicts: Vec<Verdict>,
    /// What was seen.
    pub observed: String,
    /// What was tried.
    pub probes: Vec<Probe>,
}

impl CaseResult {
    /// Whether it could not be judged at first, and then held.
    pub fn is_flaky(&self) -> bool {
        self.status == Status::Pass && !self.earlier.is_empty()
    }

    /// This end of a case that has ended otherwise before.
    #[must_use]
    pub fn after(mut self, before: CaseResult) -> Self {
        let CaseResult { verdicts, observed, probes, earlier, left, .. } = before;
        self.earlier = earlier;
        self.earlier.push(Earlier { verdicts, observed, probes });
        self.left.splice(0..0, left);
        self
    }
}

/// A line of a file.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq, JsonSchema)]
pub struct Place {
    /// The file: one that the program carries, by its path from the root of stepup's repository, or one of the user's.
    pub file: String,
    /// The line, the first being 1.
    pub line: usize,
}

fn is_zero<N: Default + PartialEq>(number: &N) -> bool {
    *number == N::default()
}

/// A word as a shell takes it.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=".contains(c);
    if word.chars().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

/// The kind of answer that a probe got.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Answered {
    /// It succeeded.
    Accepted,
    /// A second factor was asked for.
    Challenged,
    /// It was refused, and no second factor was asked for.
    Refused,
    /// The target has no such route.
    NotImplemented,
    /// The target asked for more patience than the run has.
    Throttled,
    /// There was no usable answer.
    Failed,
}

impl Answered {
    /// The kind, in words for people.
    pub fn words(self) -> &'static str {
        match self {
            Answered::Accepted => "accepted",
            Answered::Challenged => "challenged",
            Answered::Refused => "refused",
            Answered::NotImplemented => "found no such route",
            Answered::Throttled => "throttled",
            Answered::Failed => "got no usable answer",
        }
    }
}

/// One probe of a case.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq, JsonSchema)]
pub struct Probe {
    /// `bare`, `wrong`, `right`, `replay`, or `set-up`.
    pub name: String,
    /// Whether it was challenged.
    pub challenged: bool,
    /// What is wrong with the challenge's shape, when something is.
    pub shape: Option<String>,
    /// What proof it carried.
    pub proof: String,
    /// What it was answered, as one word of a closed set.
    pub answer: Answered,
    /// What it was answered, in words for people.
    pub outcome: String,
    /// What the read-back showed.
    pub effect: Effect,
    /// Which reads of the effect said nothing, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect_detail: Option<String>,
    /// Every request and answer.
    pub exchanges: Vec<Exchange>,
    /// The route that was answered by "no such route": the method, and the path before names are filled in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
}

impl Probe {
    /// What the read-back showed, in words for people: where that is not known, with the reason.
    pub fn effect_words(&self) -> String {
        match (&self.effect_detail, self.effect) {
            (Some(why), Effect::Unknown | Effect::Unconfirmed) => format!("{} ({why})", self.effect.words()),
            (Some(_) | None, _) => self.effect.words().to_owned(),
        }
    }
}
