//! Headers as clients send them: those of the dialect, the command that a request belongs to, and what other clients send
//! in their place.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use data_encoding::BASE64;
use minijinja::Value;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{self, Deserializer};

use super::step::{Deed, Request, Step};
use super::template::{Template, Unfilled};
use super::{Dialect, Surface};

/// The word for the command of the request before.
const SAME: &str = "same";

/// The command that a request belongs to: `npm publish` sends several, and says so with each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// This one.
    Named(String),
    /// That of the last request that named one: who asks a page's address for its proof still publishes.
    Same,
}

impl JsonSchema for Command {
    fn schema_name() -> Cow<'static, str> {
        "Command".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "The command's name, or `same` for that of the request before.",
            "type": "string",
            "minLength": 1,
        })
    }
}

impl<'de> Deserialize<'de> for Command {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "" => Err(de::Error::custom("a command has a name")),
            SAME => Ok(Command::Same),
            name => Ok(Command::Named(name.to_owned())),
        }
    }
}

/// A rule that says which command sends a request.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct CommandRule {
    /// The method and path, as the step has them, with `*` for any text.
    request: String,
    /// The command.
    command: Command,
}

impl CommandRule {
    fn covers(&self, line: &str) -> bool {
        let mut parts = self.request.split('*');
        let Some(mut rest) = parts.next().and_then(|first| line.strip_prefix(first)) else { return false };
        let Some(last) = parts.next_back() else { return rest.is_empty() };
        for part in parts {
            let Some(at) = rest.find(part) else { return false };
            rest = &rest[at + part.len()..];
        }
        rest.ends_with(last)
    }
}

/// What another client sends in place of the dialect's headers. A header without a value is not sent.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ClientHeaders {
    /// With every request.
    headers: BTreeMap<String, Option<Template>>,
    /// With the requests of a command, by its name.
    #[serde(default)]
    commands: BTreeMap<String, BTreeMap<String, Option<Template>>>,
}

/// The value of a header that is still to be filled in.
#[derive(Debug, Clone, Copy)]
pub enum HeaderValue<'a> {
    /// A template of a file.
    Template(&'a Template),
    /// A text.
    Text(&'a str),
}

impl HeaderValue<'_> {
    /// The value as it is sent.
    pub fn text(&self, variables: &Value) -> Result<String, Unfilled> {
        match self {
            HeaderValue::Template(template) => template.text(variables),
            HeaderValue::Text(text) => Ok((*text).to_owned()),
        }
    }
}

/// The headers of a request, each name once.
pub type Headers<'a> = Vec<(&'a str, HeaderValue<'a>)>;

impl Dialect {
    /// The headers of a request, beside who asks, the proof and the kind of body: the dialect's own, the command's, those
    /// of the step and of the client that sends it, where another is said. The later take the place of the earlier.
    /// `before` is the command of the last request that named one.
    pub fn headers_of<'a>(
        &'a self,
        request: &'a Request,
        before: Option<&'a str>,
        client: Option<&'a ClientHeaders>,
    ) -> Headers<'a> {
        let command = request.command.as_ref().and_then(|command| match command {
            Command::Named(name) => Some(name.as_str()),
            Command::Same => before,
        });
        let template = |(name, value): (&'a String, &'a Template)| (name.as_str(), Some(HeaderValue::Template(value)));
        let replaced = |(name, value): (&'a String, &'a Option<Template>)| {
            (name.as_str(), value.as_ref().map(HeaderValue::Template))
        };
        let of_command = self.command_header.as_deref().zip(command);
        let own = client.map(|client| &client.headers).into_iter().flatten().map(replaced);
        let of_client = client.zip(command).and_then(|(client, command)| client.commands.get(command));
        let mut headers: Headers<'a> = Vec::new();
        let all = self
            .headers
            .iter()
            .map(template)
            .chain(of_command.map(|(name, command)| (name, Some(HeaderValue::Text(command)))))
            .chain(request.headers.iter().map(template))
            .chain(own)
            .chain(of_client.into_iter().flatten().map(replaced));
        for (name, value) in all {
            headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
            headers.extend(value.map(|value| (name, value)));
        }
        headers
    }
}

impl Dialect {
    /// The headers of a request that is no command's, sent before there is anybody whom templates could name.
    pub fn headers_alone(&self, client: &str) -> Result<Vec<(String, String)>, Unfilled> {
        let variables = minijinja::context! { client };
        self.headers.iter().map(|(name, value)| Ok((name.clone(), value.text(&variables)?))).collect()
    }
}

/// The `authorization` of who sends a name and a password with each request (RFC 7617 §2).
pub fn basic(name: &str, password: &str) -> String {
    format!("Basic {}", BASE64.encode(format!("{name}:{password}").as_bytes()))
}

/// Says of each request of a surface which command sends it, where its step does not: what the surface says, or what the
/// rules do.
pub(super) fn assign_to_surface(surface: &mut Surface, rules: &[CommandRule]) {
    if let Some(command) = &surface.command {
        for step in surface.before.iter_mut().chain(&mut surface.perform) {
            if let Deed::Request(request) = &mut step.deed {
                request.command.get_or_insert_with(|| command.clone());
            }
        }
    }
    for steps in [&mut surface.prepare, &mut surface.before, &mut surface.perform] {
        assign(steps, rules);
    }
    for fact in &mut surface.effect {
        name_command(&mut fact.read.request, rules);
        assign_to_undo(&mut fact.read.undo, rules);
    }
}

/// Says of each request of these steps which command sends it, where the step does not.
pub(super) fn assign(steps: &mut [Step], rules: &[CommandRule]) {
    for step in steps {
        if let Deed::Request(request) = &mut step.deed {
            name_command(request, rules);
        }
        assign_to_undo(&mut step.undo, rules);
    }
}

fn assign_to_undo(undo: &mut Arc<Vec<Step>>, rules: &[CommandRule]) {
    // Nothing else holds them before the dialect has been read.
    if let Some(steps) = Arc::get_mut(undo) {
        assign(steps, rules);
    }
}

fn name_command(request: &mut Request, rules: &[CommandRule]) {
    if request.command.is_none() {
        let line = format!("{} {}", request.line.method.name(), request.line.place);
        request.command = rules.iter().find(|rule| rule.covers(&line)).map(|rule| rule.command.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_covers_what_its_stars_leave_open_and_nothing_else() {
        let covers =
            |request: &str, line| CommandRule { request: request.to_owned(), command: Command::Same }.covers(line);
        assert!(covers("GET /-/whoami", "GET /-/whoami"));
        assert!(!covers("GET /-/whoami", "GET /-/whoami/x") && !covers("GET /-/whoami", "PUT /-/whoami"));
        assert!(covers("* /-/team/*/package", "DELETE /-/team/{{ user.name }}/{{ object.team }}/package"));
        assert!(!covers("* /-/team/*/package", "DELETE /-/team/{{ user.name }}/{{ object.team }}/user"));
        assert!(covers("GET *?write=true", "GET /{{ object.name }}?write=true"));
        assert!(!covers("GET *?write=true", "GET /{{ object.name }}"));
    }

    #[test]
    fn a_step_and_another_client_send_their_own_header_in_place_of_the_dialects() {
        let dialect = crate::target::find("embedded").expect("the target").dialect;
        let publish = &dialect.routines["publish"][0];
        let Deed::Request(request) = &publish.deed else { panic!("a request") };
        let variables = minijinja::context! { client => "web", session => "0123456789abcdef", proven => false };
        let sent = |client: Option<&str>| {
            let client = client.map(|name| &dialect.clients[name]);
            let headers = dialect.headers_of(request, None, client);
            let text =
                |(name, value): &(&str, HeaderValue<'_>)| ((*name).to_owned(), value.text(&variables).expect("filled"));
            headers.iter().map(text).collect::<BTreeMap<_, _>>()
        };
        let npm = sent(None);
        assert_eq!((npm["npm-command"].as_str(), npm["npm-auth-type"].as_str()), ("publish", "web"));
        let yarn = sent(Some("yarn-1"));
        assert!(yarn["user-agent"].starts_with("yarn/1"), "{yarn:?}");
        assert!(!yarn.contains_key("npm-command") && !yarn.contains_key("npm-auth-type"), "{yarn:?}");
    }
}
