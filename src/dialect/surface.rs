//! Surfaces: the ways to perform an action, and what a read-back of each shows.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::Value;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{self, Deserializer};

use super::headers::Command;
use super::predicate::Predicate;
use super::step::{Deed, Request, Step};
use super::template::{self, Template, Unfilled};
use super::{Undriven, know};
use crate::capability::Capability;
use crate::source::Source;
use crate::table::{Factor, Mode};
use crate::yaml::{self, FileError, Spanned};

/// One way to perform an action.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Surface {
    /// The action: a row of the table, a read, or a write that the table does not name.
    pub action: String,
    /// Which of several surfaces.
    pub surface: Option<String>,
    /// The command that sends the requests of `before` and `perform`, where its steps do not name one.
    pub command: Option<Command>,
    /// What it belongs to. Where one action of a feature was answered with success, the others' routes exist.
    pub feature: Option<Capability>,
    /// The modes in which the action makes sense; all unless said.
    pub modes: Option<Vec<Mode>>,
    /// The factors with which it does; all unless said.
    pub factors: Option<Vec<Factor>>,
    /// Whether it is for scenarios alone: no row of the table is made of it. For what a registry may turn away, such as
    /// another spelling of a name.
    #[serde(default)]
    pub scenarios_only: bool,
    /// Whether a registry may do without it: a refusal that asks for no second factor says then that it does.
    #[serde(default)]
    pub where_supported: bool,
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
    /// Whether what was not applied is read once more before the right proof is sent, as it is unless said.
    #[serde(default = "yes")]
    pub read_again: bool,
    /// How it leaves the account that it was played on.
    #[serde(default)]
    pub leaves_account: LeavesAccount,
    /// The action to spend the replayed proof on first, for actions that end the factor itself.
    #[schemars(with = "Option<String>")]
    pub spend_on: Option<Spanned<String>>,
    /// Why it cannot be driven, where it cannot.
    #[serde(skip)]
    pub undriven: Option<Undriven>,
}

/// How a case leaves its account, for registries where accounts are few.
#[derive(Debug, Deserialize, Default, Clone, Copy, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LeavesAccount {
    /// As it was.
    #[default]
    AsItWas,
    /// As it was when all goes well; else without its authenticator, or with another password.
    Restored,
    /// Without its authenticator.
    UsedUp,
}

fn yes() -> bool {
    true
}

impl Surface {
    /// `action` or `action:surface`, as in case ids.
    pub fn id(&self) -> String {
        match &self.surface {
            Some(surface) => format!("{}:{surface}", self.action),
            None => self.action.clone(),
        }
    }

    /// What one probe works on: a name that nothing else on the target has, and what the surface says beside it.
    pub fn object_named(&self, name: &str, n: usize, user: &str, password: &str) -> Result<Value, Unfilled> {
        let variables = minijinja::context! { n, name, user, password };
        let mut object = serde_json::Map::new();
        object.insert("name".to_owned(), name.into());
        for (key, template) in &self.object {
            object.insert(key.clone(), template::json(template.value(&variables)?));
        }
        Ok(Value::from(minijinja::value::Serde(&object)))
    }

    /// Whether a step of it runs this routine.
    pub(super) fn runs(&self, routine: &str) -> bool {
        [&self.prepare, &self.before, &self.perform].into_iter().flatten().any(|step| match &step.deed {
            Deed::Routine { name, .. } => name.value == routine,
            Deed::Request(_) | Deed::Key(_) | Deed::Browse(_) => false,
        })
    }

    pub(super) fn check(&self, source: &Source, routines: &[String]) -> Result<(), FileError> {
        for steps in [&self.prepare, &self.before, &self.perform] {
            know(source, steps, routines)?;
        }
        match &self.spend_on {
            Some(name) if !routines.contains(&name.value) => {
                let message = format!("no routine `{}` to spend a code on", name.value);
                Err(source.wrong(name, message, Some(yaml::allowed(&name.value, routines))))
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// One read, and how it is undone where it makes something itself: logging in makes a session.
#[derive(Debug)]
pub struct Read {
    /// The request.
    pub request: Request,
    /// Its undoing.
    pub undo: Arc<Vec<Step>>,
}

impl JsonSchema for Read {
    fn schema_name() -> Cow<'static, str> {
        "Read".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "description": "One read.", "allOf": [generator.subschema_for::<Step>(), { "required": ["request"] }] })
    }
}

impl<'de> Deserialize<'de> for Read {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Step { deed, undo, .. } = Step::deserialize(deserializer)?;
        match deed {
            Deed::Request(request) => Ok(Read { request: *request, undo }),
            Deed::Routine { .. } | Deed::Key(_) | Deed::Browse(_) => {
                Err(de::Error::custom("a read-back is one `request`, not a routine nor a ceremony"))
            }
        }
    }
}

impl Fact {
    /// Whether it is about what one probe alone works on.
    pub fn is_about_own_object(&self) -> bool {
        let read = |name: &str| name == "object" || name.starts_with("object.");
        self.needs.is_some() || self.read.request.line.place.variables().iter().any(|name| read(name))
    }

    /// Whether nothing of it can have been there before the probe: what it reads is of the probe's own making, or is what
    /// the probe was handed out. One that is asked after others only adds doubt to what they show.
    pub fn is_about_something_fresh(&self) -> bool {
        self.fresh || self.if_applied || self.needs.is_some()
    }
}

/// One thing that a read-back shows.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Fact {
    /// The read.
    pub read: Read,
    /// What shows that this read says nothing either way.
    pub neutral: Option<Predicate>,
    /// The value that must have been kept for there to be anything to read; without it nothing was applied.
    pub needs: Option<String>,
    /// Only asked when the facts before it show that the action was applied.
    #[serde(default)]
    pub if_applied: bool,
    /// It is about something that the probe makes under a name of its own, or whose state the set-up has shown: it is not
    /// read before the probe. Otherwise it is, in the same way, and what it showed then was not done by the probe.
    #[serde(default)]
    pub fresh: bool,
    /// The read is a log-in, or another request that asks for a second factor by its nature: where it is challenged it is
    /// answered with a fresh code. Otherwise a challenged read shows nothing, and no code is spent on it.
    #[serde(default)]
    pub takes_code: bool,
    /// What shows that the action was applied is one value that was not there before: a pointer (RFC 6901) in which `*`
    /// stands for each element, such as `/objects/*/key`. More than one say that it was done more than once. That a list
    /// stays as it was shows nothing where another fact shows more.
    pub gains: Option<String>,
    /// What shows that the action was applied.
    pub applied: Predicate,
    /// What shows that it was not.
    pub absent: Predicate,
    /// What shows that something happened that is neither.
    pub partial: Option<Predicate>,
}
