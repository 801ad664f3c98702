//! Steps: one request each, or a named routine of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{self, Deserializer};

use super::predicate::Predicate;
use super::template::{Document, Template};

/// One request of a command, a set-up or a read-back.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Step {
    /// The routine to run in this step's place.
    #[serde(rename = "do")]
    pub routine: Option<String>,
    /// The step is left out when this is false, empty or none.
    pub when: Option<Template>,
    /// What the routine reads as `args`.
    #[serde(default)]
    pub with: BTreeMap<String, Document>,
    /// Method and path, or method and absolute address.
    pub request: Option<RequestLine>,
    /// Headers beside the dialect's own.
    #[serde(default)]
    pub headers: BTreeMap<String, Template>,
    /// Who asks: the persona's token unless said otherwise.
    #[serde(default)]
    pub auth: Auth,
    /// A JSON body.
    pub json: Option<Document>,
    /// An HTML form's body (application/x-www-form-urlencoded).
    pub form: Option<Document>,
    /// Success. Any 2xx unless said otherwise.
    pub expect: Option<Predicate>,
    /// What later steps read as `kept`: a pointer into the JSON body, from any answer that has it.
    #[serde(default)]
    pub keep: BTreeMap<String, String>,
    /// The lengths of arrays in the body, kept likewise.
    #[serde(default)]
    pub count: BTreeMap<String, String>,
    /// What the persona becomes once the step has succeeded.
    #[serde(default)]
    pub r#become: Become,
    /// The body carries a fresh one-time password as `proof`.
    #[serde(default)]
    pub enters_code: bool,
    /// This step never carries a proof, because the command's proof is for a later one.
    #[serde(default)]
    pub unproven: bool,
    /// Undoes what the request makes or changes, on a target that lives on. It reads what was kept by then; finding
    /// nothing to undo is as good.
    #[serde(default, deserialize_with = "shared")]
    pub undo: Arc<Vec<Step>>,
    /// This step's own challenge, where a page asks and not the protocol.
    #[serde(default)]
    pub challenge: Vec<Predicate>,
    /// The form or JSON member in which this step's proof travels, in place of the dialect's header.
    pub proof_field: Option<String>,
}

fn shared<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<Vec<Step>>, D::Error> {
    Vec::deserialize(deserializer).map(Arc::new)
}

/// What a persona becomes by a step.
#[derive(Debug, Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Become {
    /// Its token: a pointer into the body.
    pub token: Option<String>,
    /// Its one-time-password secret: a pointer to an `otpauth://` address.
    pub totp: Option<String>,
    /// Its password.
    pub password: Option<Template>,
}

/// Who asks.
#[derive(Debug, Deserialize, Default, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Auth {
    /// The persona, with its token.
    #[default]
    User,
    /// The persona's companion: another user, without a second factor.
    Other,
    /// The token that the command under test handed out.
    Kept,
    /// Nobody.
    None,
}

/// The methods that the protocol uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// GET.
    Get,
    /// POST.
    Post,
    /// PUT.
    Put,
    /// DELETE.
    Delete,
}

impl Method {
    /// The method's name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Delete => "DELETE",
        }
    }
}

/// A method and where it goes.
#[derive(Debug)]
pub struct RequestLine {
    /// The method.
    pub method: Method,
    /// A path, or an absolute address that the registry handed out.
    pub place: Template,
}

impl<'de> Deserialize<'de> for RequestLine {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let (method, place) = text.split_once(' ').unwrap_or((&text, ""));
        let method = match method {
            "GET" => Method::Get,
            "POST" => Method::Post,
            "PUT" => Method::Put,
            "DELETE" => Method::Delete,
            other => {
                let message =
                    format!("`{other}` is not a method; allowed: `GET`, `POST`, `PUT`, `DELETE`, then the path");
                return Err(de::Error::custom(message));
            }
        };
        Ok(RequestLine { method, place: Template::parse(place).map_err(de::Error::custom)? })
    }
}
