//! What clients were seen to send: rows of real runs, and requests reduced to the same form.
#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::BTreeMap;

use axum::http::request::Parts;
use serde::Deserialize;

/// A request, with what differs from one to the next replaced by words in angle brackets.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct Sent {
    /// The method, and the path as a template.
    pub request: String,
    /// Those of the headers that are compared.
    pub headers: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Row {
    client: String,
    #[serde(flatten)]
    sent: Sent,
}

/// The rows of a client, by how its name begins.
pub fn rows(client: &str) -> Vec<Sent> {
    let all: Vec<Row> = serde_json::from_str(include_str!("../../fixtures/clients/wire/captures.json")).expect("rows");
    all.into_iter().filter(|row| row.client.starts_with(client)).map(|row| row.sent).collect()
}

/// The headers that are compared. Others are the transport's.
const COMPARED: [&str; 10] = [
    "authorization",
    "content-type",
    "npm-auth-type",
    "npm-command",
    "npm-in-ci",
    "npm-otp",
    "npm-scope",
    "npm-session",
    "referer",
    "user-agent",
];

impl Sent {
    /// A request in the form of the rows.
    pub fn of(parts: &Parts) -> Self {
        let path = template(parts.uri.path());
        let query = match parts.uri.query() {
            None => "",
            Some("write=true") => "?write=true",
            Some(_) => "?<query>",
        };
        let request = format!("{} {path}{query}", parts.method);
        let headers = COMPARED.into_iter().filter_map(|name| {
            let value = parts.headers.get(name)?.to_str().expect("text");
            Some((name.to_owned(), reduced(name, value)))
        });
        let headers = headers.collect();
        Sent { request, headers }
    }

    /// The same without what `npm --auth-type` decides: whether the client opens pages.
    pub fn whatever_its_auth_type(&self) -> Self {
        let mut same = self.clone();
        if let Some(kind) = same.headers.get_mut("npm-auth-type") {
            assert!(["web", "legacy"].contains(&kind.as_str()), "{self:?}");
            "<web or legacy>".clone_into(kind);
        }
        same
    }
}

fn reduced(name: &str, value: &str) -> String {
    match name {
        "authorization" => format!("{} <credentials>", value.split(' ').next().unwrap_or_default()),
        "npm-otp" => "<code>".to_owned(),
        "npm-scope" => "<scope>".to_owned(),
        "npm-session" => {
            assert!(value.len() == 16 && value.bytes().all(|byte| byte.is_ascii_hexdigit()), "{value}");
            "<session>".to_owned()
        }
        "referer" => {
            let mut words = value.split(' ');
            let (command, package) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            match (command, package.split_once('@')) {
                ("deprecate", Some(_)) => "deprecate <name>@<version> <words>".to_owned(),
                ("unpublish", None) => "unpublish <name>".to_owned(),
                _ => value.to_owned(),
            }
        }
        "user-agent" => value
            .split(' ')
            .map(|word| if word.starts_with("node/v") { "node/<version>" } else { word })
            .collect::<Vec<_>>()
            .join(" "),
        _ => value.to_owned(),
    }
}

fn template(path: &str) -> String {
    let name = |name: &str| if name.to_lowercase().contains("%2f") { "@<scope>%2f<name>" } else { "<name>" };
    let mut segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match segments.as_mut_slice() {
        ["-", "npm", "v1", "tokens", "token", key] => *key = "<key>",
        ["-", "npm", "v1", "hooks", "hook", id] => *id = "<id>",
        ["-", "user", "token", token] => *token = "<token>",
        ["-", "user", user, "package"] => *user = "<user>",
        ["-", "user", user, rest @ ..] if user.starts_with("org.couchdb.user:") => {
            *user = "org.couchdb.user:<user>";
            if let ["-rev", revision] = rest {
                *revision = "<rev>";
            }
        }
        ["-", "package", package, "dist-tags", tag] => (*package, *tag) = (name(package), "<tag>"),
        ["-", "package", package, ..] => *package = name(package),
        ["-", "org", scope, ..] => *scope = "<scope>",
        ["-", "team", scope, team, ..] => (*scope, *team) = ("<scope>", "<team>"),
        ["-", "stage", "package", package] => *package = name(package),
        ["-", "stage", id, ..] => *id = "<id>",
        ["-", "v1", "done", _] => segments = vec!["-", "done", "<id>"],
        ["-", "v1", "login", page, ..] => *page = "<page>",
        ["-", "auth", page, ..] => *page = "<page>",
        ["-", ..] => {}
        // npm takes a tarball's own address, in which the scope is a folder.
        [scope, package, "-", file, "-rev", revision] if scope.starts_with('@') => {
            (*scope, *package, *file, *revision) = ("@<scope>", "<name>", "<file>", "<rev>");
        }
        [package, "-", file, "-rev", revision] => (*package, *file, *revision) = (name(package), "<file>", "<rev>"),
        [package, "-", file] => (*package, *file) = (name(package), "<file>"),
        [package, "-rev", revision] => (*package, *revision) = (name(package), "<rev>"),
        [package, ..] => *package = name(package),
        [] => {}
    }
    format!("/{}", segments.join("/"))
}
