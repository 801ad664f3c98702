//! What a real client did in a case, apart from what the registry did.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::shape::{OnReference, Shape};

/// What a real client did in a case. What the registry showed is judged in the case itself.
#[derive(Debug, Clone, Default, Serialize, Deserialize, PartialEq, Eq, JsonSchema)]
pub struct ClientSession {
    /// Why the client cannot express the action, where it cannot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unspoken: Option<String>,
    /// What it asked of whoever ran it.
    pub asked: Asked,
    /// Whether the command got through, with its effect.
    pub through: bool,
    /// What it could not do, or got wrong: its own faults, unless it takes the same answers on the reference registry.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<ClientLimit>,
    /// The shape of what it was answered.
    #[serde(default, skip_serializing_if = "Shape::is_empty")]
    pub shape: Shape,
    /// The commands, in their order.
    pub commands: Vec<ClientCommand>,
}

/// What a client asked of whoever ran it.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Asked {
    /// Nothing.
    #[default]
    Nothing,
    /// A code, once it had been challenged; in a script it ended with words that say so.
    ForCode,
    /// A visit to a page, once it had been challenged.
    ForPage,
    /// A code, before it had sent anything that could be challenged.
    Beforehand,
}

impl Asked {
    /// In words for people.
    pub fn words(self) -> &'static str {
        match self {
            Asked::Nothing => "nothing asked",
            Asked::ForCode => "code asked for",
            Asked::ForPage => "page shown",
            Asked::Beforehand => "code asked for beforehand",
        }
    }
}

/// What a client could not do, or got wrong.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq, JsonSchema)]
pub struct ClientLimit {
    /// The client.
    pub client: String,
    /// What kind of fault it is.
    pub kind: LimitKind,
    /// What was seen.
    pub saw: String,
    /// How it fares with answers of the same shape on the reference registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_reference: Option<OnReference>,
}

/// The kinds of a client's own faults.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LimitKind {
    /// It was challenged in the stock shape, and asked nobody.
    NotAsked,
    /// It was challenged, and told of another error.
    ChallengeHidden,
    /// It was refused, and told of success.
    SuccessTold,
    /// It was accepted, and told of failure.
    FailureTold,
    /// It does not say that it can open a page, so a user with a security key alone is asked for a code.
    NoPage,
    /// It asked for a code before it was challenged, so nobody saw whether it would have been.
    AskedFirst,
    /// It was given a code, and sent none.
    CodeNotSent,
    /// It sent one code with several writes, and a later one was refused.
    CodeSentAgain,
    /// It sent no write at all.
    NothingSent,
    /// It did not end, and was ended.
    Hung,
}

impl LimitKind {
    /// The kind's words, after the client's name.
    pub fn words(self) -> &'static str {
        match self {
            LimitKind::NotAsked => "asks nobody, though challenged",
            LimitKind::ChallengeHidden => "hides the challenge behind another error",
            LimitKind::SuccessTold => "tells of success, though refused",
            LimitKind::FailureTold => "tells of failure, though accepted",
            LimitKind::NoPage => "cannot be sent to a page",
            LimitKind::AskedFirst => "asks for a code before it is challenged",
            LimitKind::CodeNotSent => "does not send the code that it was given",
            LimitKind::CodeSentAgain => "sends one code with several writes",
            LimitKind::NothingSent => "sends no write",
            LimitKind::Hung => "does not end",
        }
    }
}

/// One command, and how it ended.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq, JsonSchema)]
pub struct ClientCommand {
    /// What was typed, secrets hidden.
    pub line: String,
    /// Its exit code; absent when a signal ended it.
    pub exit: Option<i32>,
    /// Whether it was ended because it did not end.
    pub hung: bool,
    /// What it showed, secrets hidden, shortened.
    pub transcript: String,
    /// How long it took, waits for the harness included, in milliseconds.
    pub elapsed_ms: u64,
}

/// Where a client runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Situation {
    /// In a script: no terminal, and nobody who answers.
    Script,
    /// In a terminal, where a person reads and types.
    Terminal,
}

impl Situation {
    /// Both.
    pub const ALL: [Situation; 2] = [Situation::Script, Situation::Terminal];

    /// Its name, in ids and reports.
    pub fn name(self) -> &'static str {
        match self {
            Situation::Script => "script",
            Situation::Terminal => "terminal",
        }
    }
}

impl fmt::Display for Situation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
