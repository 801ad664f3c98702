//! Dialects: how actions, challenges, proofs and effects look on the wire, as data.

pub mod predicate;
pub mod step;
pub mod template;

use std::collections::BTreeMap;

use minijinja::Value;
use serde::Deserialize;

use crate::table::Mode;
use predicate::{Answer, Predicate};
use step::Step;
use template::{Template, Unfilled};

/// A dialect, as its file states it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Dialect {
    /// Its name.
    pub name: String,
    /// Headers of every request.
    pub headers: BTreeMap<String, Template>,
    /// The header in which a proof travels.
    pub proof_header: String,
    /// What is a challenge, first match first.
    pub challenge: Vec<Recogniser>,
    /// Answers that say that there is no such route.
    pub not_implemented: Vec<Predicate>,
    /// Answers that ask for patience.
    pub throttled: Vec<Predicate>,
    /// Names of JSON members whose values are secrets in any answer.
    pub secret_members: Vec<String>,
    /// Named sequences of steps: `sign-up` and `enrol` make personas.
    pub routines: BTreeMap<String, Vec<Step>>,
    /// Every way to perform every action.
    pub surfaces: Vec<Surface>,
}

impl Dialect {
    /// The first rule that takes the answer for a challenge.
    pub fn recognise(&self, answer: &Answer, variables: &Value) -> Result<Option<&Recogniser>, Unfilled> {
        for recogniser in &self.challenge {
            if recogniser.when.holds(answer, variables)? {
                return Ok(Some(recogniser));
            }
        }
        Ok(None)
    }
}

/// One rule of the challenge recogniser.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Recogniser {
    /// The answers it recognises.
    pub when: Predicate,
    /// Why stock clients cannot act on it; absent when they can.
    pub flaw: Option<String>,
    /// The clients that break on it.
    #[serde(default)]
    pub breaks: Vec<String>,
}

/// One way to perform an action.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Surface {
    /// The action: a row of the table, a read, or a write that the table does not name.
    pub action: String,
    /// Which of several surfaces.
    pub surface: Option<String>,
    /// The modes in which the action makes sense; all unless said.
    pub modes: Option<Vec<Mode>>,
    /// Whether the steps need the companion user.
    #[serde(default)]
    pub companion: bool,
    /// What each probe works on.
    #[serde(default)]
    pub object: BTreeMap<String, Template>,
    /// Made for each object before the persona enrols.
    #[serde(default)]
    pub prepare: Vec<Step>,
    /// Read just before each probe.
    #[serde(default)]
    pub before: Vec<Step>,
    /// The command.
    pub perform: Vec<Step>,
    /// What a read-back shows.
    #[serde(default)]
    pub effect: Vec<Fact>,
    /// The read-back spends proofs of its own, so it waits until the replay has been sent.
    #[serde(default)]
    pub late_effect: bool,
    /// The action to spend the replayed proof on first, for actions that end the factor itself.
    pub spend_on: Option<String>,
    /// Why it cannot be driven, where it cannot.
    pub unsupported: Option<String>,
}

impl Surface {
    /// `action` or `action:surface`, as in case ids.
    pub fn id(&self) -> String {
        match &self.surface {
            Some(surface) => format!("{}:{surface}", self.action),
            None => self.action.clone(),
        }
    }
}

/// One thing that a read-back shows.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Fact {
    /// The read.
    pub read: Step,
    /// The value that must have been kept for there to be anything to read; without it nothing was applied.
    pub needs: Option<String>,
    /// Only asked when the facts before it show that the action was applied.
    #[serde(default)]
    pub if_applied: bool,
    /// What shows that the action was applied.
    pub applied: Predicate,
    /// What shows that it was not.
    pub absent: Predicate,
    /// What shows that something happened that is neither.
    pub partial: Option<Predicate>,
}
