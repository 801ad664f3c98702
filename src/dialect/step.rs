//! Steps: one request each, or a named routine of them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{self, Deserializer};

use super::headers::Command;
use super::predicate::Predicate;
use super::template::{Document, Template};
use crate::yaml::Spanned;

/// One request of a command, a set-up or a read-back, or a routine of them.
#[derive(Debug)]
pub struct Step {
    /// What it does.
    pub deed: Deed,
    /// The step is left out when this is false, empty or none.
    pub when: Option<Template>,
    /// Undoes what the step makes or changes, on a target that lives on. It reads what was kept by then; finding
    /// nothing to undo is as good.
    pub undo: Arc<Vec<Step>>,
}

/// What a step does.
#[derive(Debug)]
pub enum Deed {
    /// It runs a routine.
    Routine {
        /// The routine's name.
        name: Spanned<String>,
        /// What the routine reads as `args`.
        with: BTreeMap<String, Document>,
    },
    /// It sends a request.
    Request(Box<Request>),
    /// The persona's security key does something, and no request is sent.
    Key(Ceremony),
    /// It does what a person does on a page, in a browser.
    Browse(Box<Page>),
}

/// A page, and what a person does there.
#[derive(Debug)]
pub struct Page {
    /// The address; the page that is open already when there is none.
    pub open: Option<Template>,
    /// What goes into which field: by CSS selector.
    pub fill: BTreeMap<String, Template>,
    /// The button to press: its text or its CSS selector; the one obvious button when not said.
    pub press: Option<Template>,
    /// The text that shows that it worked.
    pub until: Template,
    /// The text that shows that it was turned down.
    pub or_fails: Option<Template>,
    /// What the page does where it asks for a code in between.
    pub asks_for_code: Option<CodePrompt>,
    /// What is read then: names, and CSS selectors of the elements whose texts are wanted.
    pub read: BTreeMap<String, String>,
    /// What the persona becomes once it has worked: pointers into what was read.
    pub r#become: Become,
}

/// How a page asks for a one-time password, and is answered.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CodePrompt {
    /// The text that shows that it asks.
    pub shows: Template,
    /// The field that the code goes into, by CSS selector.
    pub fill: String,
    /// The button to press then, as `press` of the step.
    pub press: Option<Template>,
}

/// What a security key does with the options that a page was given.
#[derive(Debug)]
pub struct Ceremony {
    /// Which ceremony.
    pub kind: CeremonyKind,
    /// The options: the value of `publicKey`, or an object that has it.
    pub options: Document,
    /// The name under which its answer is kept.
    pub to: String,
}

/// The ceremonies of WebAuthn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CeremonyKind {
    /// The key makes a credential (WebAuthn §7.1).
    Register,
    /// The key signs an assertion (WebAuthn §7.2).
    Assert,
}

/// One request, and what is made of its answer.
#[derive(Debug)]
pub struct Request {
    /// Method and path, or method and absolute address.
    pub line: RequestLine,
    /// Headers beside the dialect's own.
    pub headers: BTreeMap<String, Template>,
    /// The command that sends it, where one does.
    pub command: Option<Command>,
    /// Who asks: the persona's token unless said otherwise.
    pub auth: Auth,
    /// A JSON body.
    pub json: Option<Document>,
    /// An HTML form's body (application/x-www-form-urlencoded).
    pub form: Option<Document>,
    /// Success. Any 2xx unless said otherwise.
    pub expect: Option<Predicate>,
    /// What later steps read as `kept`: a pointer into the JSON body, from any answer that has it.
    pub keep: BTreeMap<String, String>,
    /// The lengths of arrays in the body, kept likewise.
    pub count: BTreeMap<String, String>,
    /// While this holds, the request is sent again after the `retry-after` of the answer, a few times.
    pub poll: Option<Predicate>,
    /// What the persona becomes once the step has succeeded.
    pub r#become: Become,
    /// The body carries a fresh one-time password as `proof`.
    pub enters_code: bool,
    /// The body carries the attempt's own proof as `proof`, and no header does.
    pub enters_proof: bool,
    /// This step never carries a proof, because the command's proof is for a later one.
    pub unproven: bool,
    /// This step's own challenge, where a page asks and not the protocol.
    pub challenge: Vec<Predicate>,
    /// The form or JSON member in which this step's proof travels, in place of the dialect's header.
    pub proof_field: Option<String>,
    /// The routine that answers this page's own challenge with a security key.
    pub by_key: Option<Spanned<String>>,
    /// What is read is a package's archive, which may lie on another host.
    pub archive: bool,
    /// What shows, where this step looks for something to undo, that it is there.
    pub finds: Option<Predicate>,
}

/// One step: a `request`, a routine (`do`), what a security key does (`register-with`, `assert-with`), or what a person
/// does on a page (`browse` and `until`).
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(extend("oneOf" = [
    { "required": ["request"] },
    { "required": ["do"] },
    { "required": ["register-with", "to"] },
    { "required": ["assert-with", "to"] },
    { "required": ["until"] },
]))]
struct Raw {
    /// A routine that is run.
    #[schemars(with = "Option<String>")]
    r#do: Option<Spanned<String>>,
    /// What the routine reads as `args`.
    #[serde(default)]
    with: BTreeMap<String, Document>,
    /// The step is left out when this is false, empty or none.
    when: Option<Template>,
    /// A request: its method, and a path or an address that the registry handed out.
    request: Option<RequestLine>,
    /// Headers beside the dialect's own, or in place of those of the same name.
    #[serde(default)]
    headers: BTreeMap<String, Template>,
    /// The command that sends the request, in place of what the surface and the dialect's `commands` say.
    command: Option<Command>,
    /// Who asks.
    #[serde(default)]
    auth: Auth,
    /// A JSON body.
    json: Option<Document>,
    /// An HTML form's body.
    form: Option<Document>,
    /// Success; any 2xx unless said.
    expect: Option<Predicate>,
    /// What later steps read as `kept`: names, and pointers into the JSON body.
    #[serde(default)]
    keep: BTreeMap<String, String>,
    /// The lengths of arrays in the body, kept likewise.
    #[serde(default)]
    count: BTreeMap<String, String>,
    /// While this holds, the request is sent again after the `retry-after` of the answer, a few times.
    poll: Option<Predicate>,
    /// What the user becomes once the step has succeeded.
    #[serde(default)]
    r#become: Become,
    /// The body carries a fresh one-time password as `proof`.
    #[serde(default)]
    enters_code: bool,
    /// The body carries the attempt's own proof as `proof`, and no header does. What it lets through is confirmed by it:
    /// a secret that was pending is the user's from then on.
    #[serde(default)]
    enters_proof: bool,
    /// This step never carries a proof, because the command's proof is for a later one.
    #[serde(default)]
    unproven: bool,
    /// Undoes what the step makes or changes, on a target that lives on.
    #[serde(default)]
    undo: Vec<Step>,
    /// This step's own challenge, where a page asks and not the protocol.
    #[serde(default)]
    challenge: Vec<Predicate>,
    /// The form or JSON member in which this step's proof travels, in place of the dialect's header.
    proof_field: Option<String>,
    /// The routine that answers this page's own challenge with a security key.
    #[schemars(with = "Option<String>")]
    by_key: Option<Spanned<String>>,
    /// What is read is a package's archive: a redirect within the target is followed, and one to a host that the target
    /// file names in `archives`, as is an address there, without credentials.
    #[serde(default)]
    archive: bool,
    /// What shows, where this step looks for something to undo, that it is there: what a refused request has made
    /// all the same is judged.
    finds: Option<Predicate>,
    /// The options with which the user's security key makes a credential: the value of `publicKey`.
    register_with: Option<Document>,
    /// The options with which it signs an assertion.
    assert_with: Option<Document>,
    /// The name under which the key's answer is kept.
    to: Option<String>,
    /// The page that a browser opens; the one that is open already when there is none.
    browse: Option<Template>,
    /// What goes into which field of the page: by CSS selector.
    #[serde(default)]
    fill: BTreeMap<String, Template>,
    /// The button to press: its text or its CSS selector; the one obvious button when not said.
    press: Option<Template>,
    /// The text that shows that it worked.
    until: Option<Template>,
    /// The text that shows that it was turned down.
    or_fails: Option<Template>,
    /// What shows that the page asks for a code, and where that goes.
    asks_for_code: Option<CodePrompt>,
    /// What is read then: names, and CSS selectors.
    #[serde(default)]
    read: BTreeMap<String, String>,
}

crate::schema::read_as!(Step, Raw);

impl<'de> Deserialize<'de> for Step {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Raw::deserialize(deserializer)?;
        let ceremony = match (raw.register_with, raw.assert_with) {
            (Some(options), None) => Some((CeremonyKind::Register, options)),
            (None, Some(options)) => Some((CeremonyKind::Assert, options)),
            (None, None) => None,
            (Some(_), Some(_)) => return Err(de::Error::custom("a step has both `register-with` and `assert-with`")),
        };
        if let Some((kind, options)) = ceremony {
            let to = raw.to.ok_or_else(|| de::Error::custom("a ceremony says where its answer is kept: `to: NAME`"))?;
            if raw.r#do.is_some() || raw.request.is_some() {
                return Err(de::Error::custom("a ceremony sends nothing; a `request` is a step of its own"));
            }
            let deed = Deed::Key(Ceremony { kind, options, to });
            return Ok(Step { deed, when: raw.when, undo: Arc::new(raw.undo) });
        }
        if let Some(until) = raw.until {
            if raw.r#do.is_some() || raw.request.is_some() {
                return Err(de::Error::custom("what a person does on a page is a step of its own, without `request`"));
            }
            let deed = Deed::Browse(Box::new(Page {
                open: raw.browse,
                fill: raw.fill,
                press: raw.press,
                until,
                or_fails: raw.or_fails,
                asks_for_code: raw.asks_for_code,
                read: raw.read,
                r#become: raw.r#become,
            }));
            return Ok(Step { deed, when: raw.when, undo: Arc::new(raw.undo) });
        }
        if raw.browse.is_some() {
            return Err(de::Error::custom("a step with `browse` says by which text it has worked: `until: TEXT`"));
        }
        if raw.enters_code && raw.enters_proof {
            return Err(de::Error::custom("a body carries a fresh code or the attempt's own proof, not both"));
        }
        let deed = match (raw.r#do, raw.request) {
            (Some(name), None) => Deed::Routine { name, with: raw.with },
            (None, Some(line)) => Deed::Request(Box::new(Request {
                line,
                headers: raw.headers,
                command: raw.command,
                auth: raw.auth,
                json: raw.json,
                form: raw.form,
                expect: raw.expect,
                keep: raw.keep,
                count: raw.count,
                poll: raw.poll,
                r#become: raw.r#become,
                enters_code: raw.enters_code,
                enters_proof: raw.enters_proof,
                unproven: raw.unproven,
                challenge: raw.challenge,
                proof_field: raw.proof_field,
                by_key: raw.by_key,
                archive: raw.archive,
                finds: raw.finds,
            })),
            (None, None) => {
                return Err(de::Error::custom("a step has none of `request`, `do`, `register-with` and `assert-with`"));
            }
            (Some(_), Some(_)) => {
                return Err(de::Error::custom("a step has both `request` and `do`; allowed: one of them"));
            }
        };
        Ok(Step { deed, when: raw.when, undo: Arc::new(raw.undo) })
    }
}

/// What a persona becomes by a step.
#[derive(Debug, Deserialize, Default, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Become {
    /// Its token: a pointer into the body.
    pub token: Option<String>,
    /// Its one-time-password secret: a pointer to an `otpauth://` address.
    pub totp: Option<String>,
    /// A one-time-password secret that still waits for its confirmation: a pointer to an `otpauth://` address. Where
    /// there is no such address, nothing is pending.
    pub pending_totp: Option<String>,
    /// Its recovery codes: a pointer to a list of them.
    pub recovery_codes: Option<String>,
    /// Its password.
    pub password: Option<Template>,
}

/// Who asks.
#[derive(Debug, Deserialize, Default, Clone, Copy, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Auth {
    /// The persona, with its token.
    #[default]
    User,
    /// The persona's companion: another user, without a second factor.
    Other,
    /// The token that the command under test handed out.
    Kept,
    /// The persona, with name and password (RFC 7617) in place of a token.
    Basic,
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

impl JsonSchema for RequestLine {
    fn schema_name() -> Cow<'static, str> {
        "RequestLine".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^(GET|POST|PUT|DELETE)( |$)" })
    }
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
