//! One request, parsed once at the edge.

use std::net::{IpAddr, SocketAddr};

use axum::body::Bytes;
use axum::extract::ConnectInfo;
use axum::http::header::{ACCEPT, AUTHORIZATION, HOST, USER_AGENT};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use data_encoding::BASE64;
use serde_json::Value;

use super::{Fields, Refusal, Spelling, segments};
use crate::registry::secrets::{Password, Proof, TokenText};

/// A request, with nothing left to decode but its body. It has no `Debug`: a body can hold a
/// password, and a path a token.
pub(crate) struct Call {
    verb: Option<Verb>,
    segments: Vec<String>,
    spelling: Option<Spelling>,
    query: Vec<(String, String)>,
    base: String,
    peer: Option<IpAddr>,
    authorization: Option<Authorization>,
    proof: Option<Proof>,
    empty_proof: bool,
    is_web: bool,
    names_auth_type: bool,
    is_from_pipeline: bool,
    agent: Agent,
    generation: ClientGeneration,
    abbreviated: bool,
    body: Bytes,
}

/// A method that some route knows. HEAD is answered like GET, without the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    Put,
    Post,
    Delete,
}

/// What the `authorization` header holds.
#[derive(Debug)]
pub(crate) enum Authorization {
    Bearer(TokenText),
    Basic {
        name: String,
        password: Password,
    },
    /// Something else.
    Unknown,
}

/// What a client calls itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Agent {
    Npm,
    Pnpm,
    Yarn,
    Bun,
    /// Something else, or nothing.
    Other,
}

/// Which reply a client understands after a mode change (wire notes §6.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClientGeneration {
    /// npm 7 to 11.3 takes anything but null for an enrolment address.
    WantsNull,
    /// Everyone else wants to see the mode.
    WantsMode,
}

impl Call {
    pub(crate) fn parse(parts: &Parts, body: Bytes) -> Result<Self, Refusal> {
        let headers = &parts.headers;
        Ok(Self {
            verb: Verb::parse(&parts.method),
            segments: segments(parts.uri.path())?,
            spelling: Spelling::of(parts.uri.path()),
            query: form_urlencoded::parse(parts.uri.query().unwrap_or("").as_bytes()).into_owned().collect(),
            base: format!("http://{}", host(headers)),
            peer: parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip()),
            authorization: text(headers, AUTHORIZATION.as_str()).map(Authorization::parse),
            proof: headers
                .get("npm-otp")
                .map(|proof| String::from_utf8_lossy(proof.as_bytes()))
                .filter(|proof| !proof.trim().is_empty())
                .map(|proof| Proof::parse(&proof)),
            empty_proof: text(headers, "npm-otp").is_some_and(|proof| proof.trim().is_empty()),
            is_web: text(headers, "npm-auth-type").is_some_and(|kind| kind.trim().eq_ignore_ascii_case("web")),
            names_auth_type: headers.contains_key("npm-auth-type"),
            is_from_pipeline: text(headers, "npm-in-ci").is_some_and(|says| says == "true"),
            agent: Agent::of(text(headers, USER_AGENT.as_str()).unwrap_or("")),
            generation: ClientGeneration::of(text(headers, USER_AGENT.as_str()).unwrap_or("")),
            abbreviated: text(headers, ACCEPT.as_str())
                .is_some_and(|accept| accept.contains("application/vnd.npm.install-v1+json")),
            body,
        })
    }

    pub(crate) fn verb(&self) -> Option<Verb> {
        self.verb
    }

    pub(crate) fn segments(&self) -> Vec<&str> {
        self.segments.iter().map(String::as_str).collect()
    }

    /// How the path tells a scope from a name. Only faults ask.
    pub(crate) fn spelling(&self) -> Option<Spelling> {
        self.spelling
    }

    /// The first value of a query parameter.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The registry's own address as the client wrote it, without a trailing slash.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// Where the request comes from, where that is known.
    pub(crate) fn peer(&self) -> Option<IpAddr> {
        self.peer
    }

    pub(crate) fn authorization(&self) -> Option<&Authorization> {
        self.authorization.as_ref()
    }

    /// The second factor that came along, if any.
    pub(crate) fn proof(&self) -> Option<&Proof> {
        self.proof.as_ref()
    }

    /// Whether a second factor came along that is empty, which counts as none. Only a fault asks.
    pub(crate) fn has_empty_proof(&self) -> bool {
        self.empty_proof
    }

    /// Whether the client can send a person to a page and poll until he has been there.
    pub(crate) fn is_from_web_client(&self) -> bool {
        self.is_web
    }

    /// Whether the client says how its user is asked for a second factor. Only a fault asks.
    pub(crate) fn names_auth_type(&self) -> bool {
        self.names_auth_type
    }

    /// Whether the client says that it runs in a pipeline. Only a fault asks.
    pub(crate) fn is_from_pipeline(&self) -> bool {
        self.is_from_pipeline
    }

    /// What the client calls itself, if it does. Only a fault asks.
    pub(crate) fn agent(&self) -> Agent {
        self.agent
    }

    /// Whether it is a change of 2FA through the profile.
    pub(crate) fn changes_mode(&self) -> bool {
        self.verb == Some(Verb::Post)
            && self.segments().as_slice() == ["-", "npm", "v1", "user"]
            && self.fields().is_ok_and(|fields| fields.has("tfa"))
    }

    pub(crate) fn generation(&self) -> ClientGeneration {
        self.generation
    }

    /// Whether the client asked for the abbreviated packument.
    pub(crate) fn wants_abbreviated(&self) -> bool {
        self.abbreviated
    }

    pub(crate) fn json(&self) -> Result<Value, Refusal> {
        serde_json::from_slice(&self.body).map_err(|error| Refusal::malformed(format!("the body is not JSON: {error}")))
    }

    pub(crate) fn fields(&self) -> Result<Fields, Refusal> {
        Fields::new(self.json()?)
    }

    /// The fields of an HTML form.
    pub(crate) fn form(&self) -> Vec<(String, String)> {
        form_urlencoded::parse(&self.body).into_owned().collect()
    }
}

impl Verb {
    fn parse(method: &Method) -> Option<Self> {
        match method.as_str() {
            "GET" | "HEAD" => Some(Verb::Get),
            "PUT" => Some(Verb::Put),
            "POST" => Some(Verb::Post),
            "DELETE" => Some(Verb::Delete),
            _ => None,
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Verb::Get => "GET",
            Verb::Put => "PUT",
            Verb::Post => "POST",
            Verb::Delete => "DELETE",
        }
    }
}

impl Authorization {
    fn parse(header: &str) -> Self {
        let (scheme, rest) = header.trim().split_once(' ').unwrap_or((header, ""));
        let rest = rest.trim();
        if scheme.eq_ignore_ascii_case("bearer") {
            return Authorization::Bearer(TokenText::new(rest.to_owned()));
        }
        if scheme.eq_ignore_ascii_case("basic") {
            let decoded = BASE64.decode(rest.as_bytes()).unwrap_or_default();
            let decoded = String::from_utf8(decoded).unwrap_or_default();
            if let Some((name, password)) = decoded.split_once(':') {
                return Authorization::Basic { name: name.to_owned(), password: Password::new(password.to_owned()) };
            }
        }
        Authorization::Unknown
    }
}

impl Agent {
    fn of(user_agent: &str) -> Self {
        let (name, _) = user_agent.split_once('/').unwrap_or((user_agent, ""));
        match name {
            "npm" => Agent::Npm,
            "pnpm" => Agent::Pnpm,
            // Yarn 2 and later say the name of the library that sends their requests.
            "yarn" | "got (https:" => Agent::Yarn,
            "Bun" => Agent::Bun,
            _ => Agent::Other,
        }
    }
}

impl ClientGeneration {
    fn of(user_agent: &str) -> Self {
        let version = user_agent.strip_prefix("npm/").and_then(|rest| rest.split_whitespace().next()).unwrap_or("");
        let mut numbers = version.split('.').map_while(|part| part.parse::<u32>().ok());
        match (numbers.next(), numbers.next()) {
            (Some(7..=10), _) | (Some(11), Some(0..=3)) => ClientGeneration::WantsNull,
            _ => ClientGeneration::WantsMode,
        }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The host that the client named. It is only ever written into addresses within JSON.
fn host(headers: &HeaderMap) -> &str {
    text(headers, HOST.as_str()).filter(|host| !host.is_empty()).unwrap_or("localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_generations_are_told_apart_by_user_agent() {
        for old in [
            "npm/7.24.2 node/v20.1.0 linux x64 workspaces/false",
            "npm/10.9.9 node/v20.1.0 linux x64",
            "npm/11.3.0 node/v20.1.0 linux x64",
        ] {
            assert_eq!(ClientGeneration::of(old), ClientGeneration::WantsNull);
        }
        for new in [
            "npm/11.4.0 node/v20.1.0 linux x64",
            "npm/12.2.0",
            "npm/6.14.18",
            "pnpm/12.21.0 npm/? node/? linux x64",
            "Bun/1.4.5 linux x64",
            "",
        ] {
            assert_eq!(ClientGeneration::of(new), ClientGeneration::WantsMode);
        }
    }
}
