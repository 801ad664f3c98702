//! Step scenarios: what a table cannot say. A sequence of attempts at actions, each with a proof and with what must
//! become of it, and the waits and set-ups between them.

pub mod cast;
pub mod key;

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::{self, Deserializer};

use crate::built_in;
use crate::dialect::{Dialect, LeavesAccount};
use crate::source::Source;
use crate::table::{Factor, Level, Mode};
use crate::yaml::{self, FileError, Spanned};
use key::{Assertion, Fetch};

/// The folders of scenarios below `scenarios/`.
const FOLDERS: [&str; 3] = ["otp", "security-key", "sequences"];

/// A scenario.
#[derive(Debug, Deserialize)]
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
    /// The users who play it, where its acts say who does what. They begin as nobody, and sign up and enrol by acts.
    #[serde(default)]
    pub cast: Vec<Spanned<String>>,
    /// What happens, in order.
    pub acts: Vec<Act>,
}

fn codes() -> Vec<Factor> {
    vec![Factor::Totp]
}

/// One act of a scenario.
#[derive(Debug)]
pub enum Act {
    /// An attempt at an action, whose outcome is judged.
    Attempt(Attempt),
    /// Attempts that are all sent before any is answered.
    AtOnce(Vec<Attempt>),
    /// Time passes: so many one-time-password steps.
    Wait(u32),
    /// A routine of the dialect that must succeed for the scenario to go on.
    Run(Errand),
}

/// A routine that is run between the attempts.
#[derive(Debug)]
pub struct Errand {
    /// The routine's name.
    pub routine: Spanned<String>,
    /// Who runs it and in which mode, where there is a cast.
    pub part: Part,
    /// The name under which the code that it entered can be sent again.
    pub name: Option<String>,
    /// Whether its success is judged, and no proof is given for it.
    pub judged: bool,
}

/// Who acts, where there is a cast.
#[derive(Debug, Default)]
pub struct Part {
    /// The user.
    pub by: Option<Spanned<String>>,
    /// The mode that the user is in by then or, where the act enrols, asks for.
    pub mode: Option<Mode>,
}

/// An attempt at an action.
#[derive(Debug)]
pub struct Attempt {
    /// The surface of the action, as in case ids.
    pub perform: Spanned<String>,
    /// Who makes it, where there is a cast.
    pub part: Part,
    /// What it carries.
    pub proof: Proof,
    /// How the proof travels.
    pub carried: Carrier,
    /// The name under which the proof can be sent again.
    pub name: Option<String>,
    /// What must become of it.
    pub must: Must,
    /// How often it is made: one after the other, or at once.
    pub times: u32,
    /// Whether the client says that it can open a page; as the factor needs it when not said.
    pub client: Option<Client>,
    /// Whether only the proof for it is had, and kept back.
    pub withheld: bool,
}

/// Clients, by what they do with a challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Client {
    /// It opens the page that a challenge names.
    Web,
    /// It asks for a code at its prompt.
    Legacy,
}

/// A second factor, or what pretends to be one.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Proof {
    /// Nothing.
    None,
    /// A valid, unspent code.
    Right,
    /// Six digits that are wrong in every near step.
    Wrong,
    /// An empty text.
    Empty,
    /// Other text in place of a code.
    Text(String),
    /// A valid code without its last digit.
    Short,
    /// A valid code with a digit more.
    Long,
    /// A valid code of another user.
    OfAnother,
    /// The code of a step that passed so many steps ago.
    Expired(u32),
    /// The code of a step that begins in so many steps.
    Early(u32),
    /// The proof of an earlier attempt, by its name; `enrolment` is the code that confirmed the enrolment.
    Again(String),
    /// The code of the present step, computed from the secret before the last enrolment.
    FormerSecret,
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

/// How a proof travels.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Default)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Must {
    /// It succeeds, with its effect.
    Succeed,
    /// It is refused, without effect.
    BeRefused,
    /// It is answered with a challenge that stock clients act on, without effect.
    BeChallenged,
    /// Of its copies that are sent at once exactly one succeeds, and the others have no effect.
    SucceedOnce,
}

impl Part {
    /// What is done, after the name of who does it.
    pub fn name_before(&self, deed: &str) -> String {
        self.by.as_ref().map_or_else(|| deed.to_owned(), |by| format!("{}, {deed}", by.value))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Raw {
    perform: Option<Spanned<String>>,
    proof: Option<Proof>,
    #[serde(default)]
    carried: Carrier,
    r#as: Option<String>,
    must: Option<Must>,
    #[serde(default = "once")]
    times: u32,
    #[serde(default)]
    at_once: Vec<Act>,
    wait: Option<u32>,
    run: Option<Spanned<String>>,
    obtain: Option<Spanned<String>>,
    client: Option<Client>,
    by: Option<Spanned<String>>,
    mode: Option<Mode>,
}

fn once() -> u32 {
    1
}

/// The longest wait of a scenario, in steps, and the most attempts of one act.
const MOST: u32 = 40;

impl<'de> Deserialize<'de> for Act {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Raw::deserialize(deserializer)?;
        if raw.times == 0 || raw.times > MOST || raw.wait.is_some_and(|steps| steps == 0 || steps > MOST) {
            return Err(de::Error::custom(format!("`times` and `wait` are numbers from 1 to {MOST}")));
        }
        if !raw.at_once.is_empty() {
            let attempts = raw.at_once.into_iter().map(|act| match act {
                Act::Attempt(attempt) => Ok(attempt),
                Act::AtOnce(_) | Act::Wait(_) | Act::Run(_) => Err(de::Error::custom("only attempts are made at once")),
            });
            return attempts.collect::<Result<_, _>>().map(Act::AtOnce);
        }
        let part = Part { by: raw.by, mode: raw.mode };
        if let Some(perform) = raw.obtain {
            if raw.perform.is_some() || raw.wait.is_some() || raw.run.is_some() || raw.r#as.is_none() {
                return Err(de::Error::custom("what is obtained says the name that it is kept under: `as: NAME`"));
            }
            return Ok(Act::Attempt(Attempt {
                perform,
                part,
                proof: Proof::Key(Assertion::Right),
                carried: Carrier::AsDocumented,
                name: raw.r#as,
                must: Must::Succeed,
                times: 1,
                client: raw.client,
                withheld: true,
            }));
        }
        match (raw.perform, raw.wait, raw.run) {
            (Some(perform), None, None) => match (raw.proof, raw.must) {
                (Some(proof), Some(must)) => Ok(Act::Attempt(Attempt {
                    perform,
                    part,
                    proof,
                    carried: raw.carried,
                    name: raw.r#as,
                    must,
                    times: raw.times,
                    client: raw.client,
                    withheld: false,
                })),
                (_, _) => Err(de::Error::custom("an attempt says its `proof` and what `must` become of it")),
            },
            (None, Some(steps), None) => Ok(Act::Wait(steps)),
            (None, None, Some(routine)) => match raw.must {
                None | Some(Must::Succeed) => {
                    Ok(Act::Run(Errand { routine, part, name: raw.r#as, judged: raw.must.is_some() }))
                }
                Some(_) => Err(de::Error::custom("a routine can only be said to `succeed`")),
            },
            (_, _, _) => Err(de::Error::custom("an act is one of `perform`, `at-once`, `obtain`, `wait` and `run`")),
        }
    }
}

impl Attempt {
    /// Checks that it is of a surface, and sends no proof again that is not among those sent before.
    fn check(&self, source: &Source, dialect: &Dialect, names: &mut Vec<String>) -> Result<(), FileError> {
        if let Proof::Again(name) = &self.proof
            && !names.contains(name)
        {
            let hint = Some(yaml::allowed(name, names));
            return Err(source.wrong(&self.perform, format!("no earlier attempt has `as: {name}`"), hint));
        }
        names.extend(self.name.clone());
        if Scenario::surface(self, dialect).is_none() {
            let ids: Vec<String> = dialect.surfaces.iter().map(crate::dialect::Surface::id).collect();
            let message = format!("`{}` is no surface", self.perform.value);
            return Err(source.wrong(&self.perform, message, Some(yaml::allowed(&self.perform.value, &ids))));
        }
        Ok(())
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

    /// Reads a scenario and checks that each proof that is sent again has been sent before.
    pub fn read(source: &Source, id: &str, dialect: &Dialect) -> Result<Self, FileError> {
        let mut scenario: Scenario = source.parse()?;
        if scenario.cites.is_empty() {
            return Err(FileError::whole(source.name(), "a scenario cites at least one source", None));
        }
        cast::check(source, &mut scenario)?;
        let mut names = if scenario.cast.is_empty() { vec!["enrolment".to_owned()] } else { Vec::new() };
        let routines: Vec<&str> = dialect.routines.keys().map(String::as_str).collect();
        for act in &scenario.acts {
            match act {
                Act::Run(Errand { routine, name, .. }) => {
                    if !routines.contains(&routine.value.as_str()) && !dialect.undescribed.contains(&routine.value) {
                        let hint = Some(yaml::allowed(&routine.value, &routines));
                        return Err(source.wrong(routine, format!("no routine `{}`", routine.value), hint));
                    }
                    names.extend(name.clone());
                }
                Act::Attempt(attempt) if attempt.must == Must::SucceedOnce => {
                    return Err(source.wrong(&attempt.perform, "`succeed-once` is for attempts `at-once`", None));
                }
                Act::Attempt(attempt) => attempt.check(source, dialect, &mut names)?,
                Act::AtOnce(attempts) => {
                    attempts.iter().try_for_each(|attempt| attempt.check(source, dialect, &mut names))?;
                }
                Act::Wait(_) => {}
            }
        }
        Ok(Scenario { id: id.to_owned(), ..scenario })
    }

    /// The factors that it is played with in a mode.
    pub fn factors(&self, mode: Mode) -> impl Iterator<Item = Factor> {
        let factors: &[Factor] = if mode == Mode::Disabled { &[Factor::None] } else { &self.factors };
        factors.iter().copied()
    }

    /// How many steps it waits in all.
    pub fn waits(&self) -> u32 {
        let wait = |act: &Act| match act {
            Act::Wait(steps) => *steps,
            Act::Attempt(_) | Act::AtOnce(_) | Act::Run(_) => 0,
        };
        let late = self.attempts().map(|attempt| match attempt.proof {
            Proof::Fetched(Fetch::After(steps)) => steps,
            _ => 0,
        });
        self.acts.iter().map(wait).chain(late).sum()
    }

    /// The attempts.
    pub fn attempts(&self) -> impl Iterator<Item = &Attempt> {
        self.acts.iter().flat_map(|act| match act {
            Act::Attempt(attempt) => std::slice::from_ref(attempt),
            Act::AtOnce(attempts) => attempts,
            Act::Wait(_) | Act::Run(_) => &[],
        })
    }

    /// A routine that it runs and the target file does not describe.
    pub fn undescribed<'a>(&'a self, dialect: &Dialect) -> Option<&'a str> {
        self.acts.iter().find_map(|act| match act {
            Act::Run(errand) if dialect.undescribed.contains(&errand.routine.value) => {
                Some(errand.routine.value.as_str())
            }
            Act::Run(_) | Act::Attempt(_) | Act::AtOnce(_) | Act::Wait(_) => None,
        })
    }

    /// Whether a user of the cast enrols, so that it says nothing of a registry without a second factor.
    pub fn enrols(&self) -> bool {
        self.acts.iter().any(|act| matches!(act, Act::Run(errand) if errand.routine.value == "enrol"))
    }

    /// Whether a proof of another user is sent.
    pub fn needs_another(&self) -> bool {
        self.attempts().any(|attempt| {
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
