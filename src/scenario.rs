//! Step scenarios: what a table cannot say. A sequence of attempts at actions, each with a proof and with what must
//! become of it, and the waits and set-ups between them.

pub mod cast;
pub mod key;
mod names;
mod reading;
mod words;
pub mod writing;

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::built_in;
use crate::dialect::{Dialect, LeavesAccount};
use crate::persona::key::Manner;
use crate::source::Source;
use crate::table::{Factor, Level, Mode};
use crate::yaml::{FileError, Spanned};
use key::{Assertion, Fetch};
use writing::Writing;

/// The folders of scenarios below `scenarios/`.
const FOLDERS: [&str; 8] = ["otp", "account", "security-key", "tokens", "packages", "sequences", "clients", "basic"];

/// A scenario.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Scenario {
    /// Its id: its file's path below `scenarios/`, without extension.
    #[serde(skip)]
    pub id: String,
    /// Its file, where it is none of those that the program carries.
    #[serde(skip)]
    pub file: Option<PathBuf>,
    /// The rule, in our own words.
    pub rule: String,
    /// Where it is said.
    #[schemars(length(min = 1))]
    pub cites: Vec<String>,
    /// How binding it is.
    pub level: Level,
    /// The modes that it is played in.
    #[serde(default)]
    pub modes: Vec<Mode>,
    /// The second factors that it is played with.
    #[serde(default = "codes")]
    pub factors: Vec<Factor>,
    /// How it leaves the account that it was played on.
    #[serde(default)]
    pub leaves_account: LeavesAccount,
    /// Whether the companion user has a second factor like the user's, in the mode of the case.
    #[serde(default)]
    pub companion_enrols: bool,
    /// The users who play it, where its acts say who does what. They begin as nobody, and sign up and enrol by acts.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub cast: Vec<Spanned<String>>,
    /// What happens, in order.
    pub acts: Vec<Act>,
}

fn codes() -> Vec<Factor> {
    vec![Factor::Totp]
}

/// One act of a scenario.
#[derive(Debug, Clone)]
pub enum Act {
    /// An attempt at an action, whose outcome is judged.
    Attempt(Box<Attempt>),
    /// Attempts that are all sent before any is answered.
    AtOnce(Race),
    /// Time passes: so many one-time-password steps.
    Wait(u32),
    /// A routine of the dialect.
    Run(Errand),
    /// Wrong codes, one after the other.
    Guess(Guess),
}

impl Act {
    /// Whether a registry can fail by it.
    fn is_judged(&self) -> bool {
        match self {
            Act::Attempt(_) | Act::Guess(_) => true,
            Act::AtOnce(race) => !race.attempts.is_empty(),
            Act::Run(errand) => {
                matches!(errand.end, ErrandEnd::Judged | ErrandEnd::ShowNoSecret | ErrandEnd::BeUnderstood)
            }
            Act::Wait(_) => false,
        }
    }
}

/// A routine that is run between the attempts.
#[derive(Debug, Clone)]
pub struct Errand {
    /// The routine's name.
    pub routine: Spanned<String>,
    /// Who runs it and in which mode, where there is a cast.
    pub part: Part,
    /// The name under which what it leaves is used again: the code that it entered, and what it kept, such as a token.
    pub name: Option<String>,
    /// The name of what an earlier routine has kept, which this one reads as `kept`.
    pub with: Option<Spanned<String>>,
    /// What must become of it.
    pub end: ErrandEnd,
}

/// What must become of a routine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrandEnd {
    /// It succeeds, or the scenario cannot be played.
    Succeed,
    /// Its success is judged, and no proof is given for it.
    Judged,
    /// It succeeds, or the target does not have what the scenario is about.
    SucceedWhereSupported,
    /// It may be refused.
    Any,
    /// It may be refused; no answer shows a secret that is shown once.
    ShowNoSecret,
    /// It succeeds with an answer that stock clients take, which is the one that the routine expects.
    BeUnderstood,
}

/// Attempts at once, made again with fresh proofs and objects as long as nothing shows.
#[derive(Debug, Clone)]
pub struct Race {
    /// The attempts.
    pub attempts: Vec<Attempt>,
    /// The confidence that is sought, in percent; one volley is enough without.
    pub confidence: Option<u8>,
}

/// Wrong codes that are sent one after the other until the target says that it stops listening.
#[derive(Debug, Clone)]
pub struct Guess {
    /// The routine that carries each.
    pub routine: Spanned<String>,
    /// Whether they are requests without any code.
    pub bare: bool,
    /// The most that are sent.
    pub at_most: u32,
    /// What must become of them.
    pub must: Listening,
}

/// What must become of many wrong codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listening {
    /// The target stops listening.
    Stop,
    /// Where the target stops listening, its answer differs from the one to a wrong code.
    BeTold,
    /// Where the target stops listening and says for how long, a right code is accepted after that time.
    EndAsTold,
    /// Where the target says that it stops listening with status 429, it says for how long.
    SayHowLong,
    /// It is stated what becomes of them.
    BeStated,
    /// A right code of the user's own session is accepted after them.
    BeHarmless,
}

/// Who acts, where there is a cast.
#[derive(Debug, Clone, Default)]
pub struct Part {
    /// The user.
    pub by: Option<Spanned<String>>,
    /// The mode that the user is in by then or, where the act enrols, asks for.
    pub mode: Option<Mode>,
}

/// An attempt at an action.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The surface of the action, as in case ids.
    pub perform: Spanned<String>,
    /// A routine that performs it, in place of the surface's own steps. The effect is read back as the surface says.
    pub through: Option<Spanned<String>>,
    /// Routines that are run for the attempt's object first, with what the user has.
    pub given: Vec<Spanned<String>>,
    /// The token that it is made with, by the name under which a routine kept it or that of the companion user, or
    /// `basic` for the user's name and password; the user's own token unless said.
    pub with: Option<Spanned<String>>,
    /// Who makes it, where there is a cast.
    pub part: Part,
    /// What it carries.
    pub proof: Proof,
    /// How the proof travels.
    pub carried: Carrier,
    /// How the proof is written.
    pub written: Writing,
    /// Whether it is typed at npm's prompt, which does not take every text.
    pub typed: bool,
    /// The name under which the proof can be sent again.
    pub name: Option<String>,
    /// What must become of it.
    pub must: Must,
    /// How often it is made: one after the other, or at once.
    pub times: u32,
    /// Whether the client says that it can open a page; as the factor needs it when not said.
    pub client: Option<Client>,
    /// The client whose headers it has, by the dialect's name for it; the dialect's own unless said.
    pub as_client: Option<Spanned<String>>,
    /// Whether its being refused without a challenge says that the target does not have this way in.
    pub where_supported: bool,
    /// Whether only the proof for it is had, and kept back.
    pub withheld: bool,
    /// How a security key that it registers does so.
    pub registration: Manner,
    /// The confidence that is sought by making it again, in percent; once is enough without.
    pub confidence: Option<u8>,
}

/// Clients, by what they do with a challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Client {
    /// It opens the page that a challenge names.
    Web,
    /// It asks for a code at its prompt.
    Legacy,
}

/// A second factor, or what pretends to be one.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Proof {
    /// Nothing.
    None,
    /// A valid, unspent code.
    Right,
    /// Six digits that are wrong in every near step.
    Wrong,
    /// Six zeros.
    Zeros,
    /// A text of the form of the user's recovery codes, which is none of them.
    RecoveryShaped,
    /// An empty text.
    Empty,
    /// Other text in place of a code.
    Text(String),
    /// A valid code without its last digit.
    Short,
    /// A valid code with a digit more.
    Long,
    /// A valid code that begins with a zero.
    LeadingZero,
    /// Such a code without its leading zeros, as a number is written.
    LeadingZeroDropped,
    /// A valid code of another user.
    OfAnother,
    /// The code of a step that passed so many steps ago.
    Expired(u32),
    /// The code of a step that begins in so many steps.
    Early(u32),
    /// The proof of an earlier attempt, by its name; `enrolment` is the code that confirmed the enrolment.
    Again(String),
    /// A proof that was had and not sent, by its name.
    Kept(String),
    /// The code of the present step, computed from the secret before the last enrolment.
    FormerSecret,
    /// The code of the present step, computed from a secret that was handed out and never confirmed. Where none was
    /// handed out, the attempt is passed over.
    PendingSecret,
    /// A recovery code, by its number.
    Recovery(usize),
    /// A recovery code of the enrolment before the last, by its number.
    FormerRecovery(usize),
    /// A valid code of another user of the cast.
    Of(String),
    /// What a page makes of an assertion.
    Key(Assertion),
    /// What a page has made of a right assertion, fetched in this way.
    Fetched(Fetch),
}

impl Proof {
    /// Whether the user who sends it needs a second factor to have it.
    pub fn takes_factor(&self) -> bool {
        match self {
            Proof::None
            | Proof::Wrong
            | Proof::Zeros
            | Proof::RecoveryShaped
            | Proof::Empty
            | Proof::Text(_)
            | Proof::OfAnother
            | Proof::Of(_) => false,
            // They are of an attempt, which is looked at itself, or passed over.
            Proof::Again(_) | Proof::Kept(_) | Proof::PendingSecret => false,
            Proof::Key(assertion) => *assertion != Assertion::OfAnother,
            Proof::Fetched(fetch) => *fetch != Fetch::ByAnother,
            Proof::Right
            | Proof::Short
            | Proof::Long
            | Proof::LeadingZero
            | Proof::LeadingZeroDropped
            | Proof::Expired(_)
            | Proof::Early(_)
            | Proof::FormerSecret
            | Proof::Recovery(_)
            | Proof::FormerRecovery(_) => true,
        }
    }
}

/// How a proof travels.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Default, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Carrier {
    /// As the dialect says.
    #[default]
    AsDocumented,
    /// In another header.
    Header(String),
    /// In the query string, under this name.
    Query(String),
}

/// What must become of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Must {
    /// It succeeds, with its effect.
    Succeed,
    /// It is refused, without effect.
    BeRefused,
    /// It is refused, without effect, because no second factor gives the right to it.
    BeDenied,
    /// It is answered with a challenge that stock clients act on, without effect.
    BeChallenged,
    /// It is challenged, or not known at all: it is turned away as what the target does not have, without effect.
    BeChallengedIfKnown,
    /// Of its copies that are sent at once exactly one succeeds, and the others have no effect.
    SucceedOnce,
    /// It succeeds with its effect, or is refused without.
    BeWhole,
    /// The code is accepted where the target's file says so.
    AgreeWithFile,
    /// It may succeed. Then what follows would say nothing of the registry, which asks for less by its own choice, or by a
    /// fault that is found elsewhere; and nothing follows.
    EndIfItSucceeds,
}

/// The name of the other user, who has no second factor, among those of tokens.
pub const COMPANION: &str = "companion";
/// What stands for the user's name and password (RFC 7617) among the names of tokens.
pub const BASIC: &str = "basic";

impl Part {
    /// What is done, after the name of who does it.
    pub fn name_before(&self, deed: &str) -> String {
        self.by.as_ref().map_or_else(|| deed.to_owned(), |by| format!("{}, {deed}", by.value))
    }
}

impl Scenario {
    /// Every scenario that the program carries, checked against a dialect, by id.
    pub fn all(dialect: &Dialect) -> Result<Vec<Self>, FileError> {
        let ids = FOLDERS.iter().flat_map(|folder| {
            built_in::names(&format!("scenarios/{folder}")).into_iter().map(move |name| format!("{folder}/{name}"))
        });
        ids.map(|id| Scenario::read(&Source::BuiltIn(format!("scenarios/{id}.yaml")), &id, dialect)).collect()
    }

    /// Reads a scenario from a file of the user's. Its id is the file's name without extension.
    pub fn from_file(path: &Path, dialect: &Dialect) -> Result<Self, FileError> {
        let id = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_owned();
        let scenario = Scenario::read(&Source::File(path.to_owned()), &id, dialect)?;
        Ok(Scenario { file: Some(path.to_owned()), ..scenario })
    }

    /// Reads a scenario and checks every name in it: users, surfaces, routines, tokens, and proofs that are sent again.
    pub fn read(source: &Source, id: &str, dialect: &Dialect) -> Result<Self, FileError> {
        let (scenario, findings) = Scenario::findings(source, id, dialect)?;
        findings.into_iter().next().map_or(Ok(scenario), Err)
    }

    /// Reads a scenario, and finds all that is wrong with what it says. The error is why it cannot be read at all.
    pub fn findings(source: &Source, id: &str, dialect: &Dialect) -> Result<(Self, Vec<FileError>), FileError> {
        let mut scenario: Scenario = source.parse()?;
        let mut findings = Vec::new();
        if scenario.cites.is_empty() {
            findings.push(source.wrong_key("cites", "a scenario cites at least one source", None));
        }
        findings.extend(cast::check(source, &mut scenario).err());
        findings.extend(names::check(&scenario, source, dialect));
        if !scenario.acts.iter().any(Act::is_judged) {
            let hint = "`perform`, `at-once` and `guess` are judged, and `run` with `must`".to_owned();
            let message = "nothing of what it does is judged, so it would hold on every registry";
            findings.push(source.wrong_key("acts", message, Some(hint)));
        }
        Ok((Scenario { id: id.to_owned(), ..scenario }, findings))
    }

    /// The factors that it is played with in a mode.
    pub fn factors(&self, mode: Mode) -> impl Iterator<Item = Factor> {
        let factors: &[Factor] = if mode == Mode::Disabled { &[Factor::None] } else { &self.factors };
        factors.iter().copied()
    }

    /// How many steps it waits in all.
    pub fn waits(&self) -> u32 {
        let wait = |act: &Act| if let Act::Wait(steps) = act { *steps } else { 0 };
        let late = self.attempts().map(|attempt| match &attempt.proof {
            Proof::Fetched(Fetch::After(steps)) => *steps,
            _ => 0,
        });
        self.acts.iter().map(wait).chain(late).sum()
    }

    /// Whether it sends so many wrong codes that the target may stop listening, perhaps to others as well.
    pub fn guesses(&self) -> bool {
        self.acts.iter().any(|act| matches!(act, Act::Guess(_)))
    }

    /// Whether it strains the target: much at once, or many wrong codes.
    pub fn strains(&self) -> bool {
        self.guesses() || self.races()
    }

    /// Whether it has several requests under way at once.
    pub fn races(&self) -> bool {
        let at_once = |act: &Act| matches!(act, Act::AtOnce(_));
        let fetched = |attempt: &Attempt| matches!(attempt.proof, Proof::Fetched(Fetch::AtOnce(_)));
        self.acts.iter().any(at_once) || self.attempts().any(fetched)
    }

    /// The attempts.
    pub fn attempts(&self) -> impl Iterator<Item = &Attempt> {
        self.acts.iter().flat_map(|act| match act {
            Act::Attempt(attempt) => std::slice::from_ref(&**attempt),
            Act::AtOnce(race) => &race.attempts,
            Act::Wait(_) | Act::Run(_) | Act::Guess(_) => &[],
        })
    }

    /// A routine that it runs and the target file does not describe.
    pub fn undescribed<'a>(&'a self, dialect: &Dialect) -> Option<&'a str> {
        let ran = self.acts.iter().filter_map(|act| match act {
            Act::Run(errand) => Some(&errand.routine),
            Act::Guess(guess) => Some(&guess.routine),
            Act::Attempt(_) | Act::AtOnce(_) | Act::Wait(_) => None,
        });
        let given = self.attempts().flat_map(|attempt| attempt.given.iter().chain(&attempt.through));
        ran.chain(given).map(|name| name.value.as_str()).find(|name| dialect.undescribed.iter().any(|one| one == name))
    }

    /// Whether a recovery code is sent, so that none may be spent on anything else.
    pub fn takes_recovery_codes(&self) -> bool {
        self.attempts().any(|attempt| matches!(attempt.proof, Proof::Recovery(_) | Proof::FormerRecovery(_)))
    }

    /// Whether an attempt is the companion user's.
    pub fn needs_companion(&self) -> bool {
        self.attempts().any(|attempt| attempt.with.as_ref().is_some_and(|with| with.value == COMPANION))
    }

    /// Whether a user of the cast enrols, so that it says nothing of a registry without a second factor.
    pub fn enrols(&self) -> bool {
        self.acts.iter().any(|act| matches!(act, Act::Run(errand) if errand.routine.value == "enrol"))
    }

    /// Whether a user of the cast registers a security key.
    pub fn registers(&self) -> bool {
        self.acts.iter().any(|act| matches!(act, Act::Run(errand) if errand.routine.value == "register-key"))
    }

    /// Whether another user has a second factor, or a proof of another user is sent.
    pub fn needs_another(&self) -> bool {
        self.companion_enrols
            || self.attempts().any(|attempt| {
                matches!(
                    attempt.proof,
                    Proof::OfAnother | Proof::Key(Assertion::OfAnother) | Proof::Fetched(Fetch::ByAnother)
                )
            })
    }

    /// The surface that an attempt names, by its index in the dialect.
    pub fn surface(attempt: &Attempt, dialect: &Dialect) -> Option<usize> {
        dialect.surfaces.iter().position(|surface| surface.id() == attempt.perform.value)
    }
}
