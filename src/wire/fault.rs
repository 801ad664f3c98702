//! Why a request has no usable answer: what kind of fault it was, for those who decide, and in words, for people.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Limits;

/// How what rustls says of a certificate begins.
const BAD_CERTIFICATE: &str = "invalid peer certificate";
/// How rustls calls what many make with `openssl req -x509` for a server.
const CA_AS_SERVER: &str = "CaUsedAsEndEntity";

/// What kind of fault kept an answer from being had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// There was no connection, so nothing was sent.
    NoConnection,
    /// The target's certificate cannot be verified, so nothing was sent.
    Certificate,
    /// The request is none that may be sent: it goes to another host, or is no HTTP.
    NotSendable,
    /// It was sent, and no answer came in time, or not all of it.
    TimedOut,
    /// The connection ended before the answer did.
    BrokenOff,
    /// What came back cannot be read: it is too large, or not what it says it is.
    Unreadable,
    /// A page in a browser did not come to what it must.
    Page,
}

impl FaultKind {
    /// Whether the target may have got the request, and may have done what it asks for.
    pub fn was_sent(self) -> bool {
        match self {
            FaultKind::NoConnection | FaultKind::Certificate | FaultKind::NotSendable => false,
            FaultKind::TimedOut | FaultKind::BrokenOff | FaultKind::Unreadable | FaultKind::Page => true,
        }
    }
}

/// Why a request has no usable answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What kind of fault it is.
    pub kind: FaultKind,
    words: String,
}

impl Fault {
    /// A fault of this kind, in these words.
    pub fn new(kind: FaultKind, words: impl Into<String>) -> Self {
        Fault { kind, words: words.into() }
    }

    /// What the HTTP client says, where these limits were set.
    pub(super) fn of(error: &reqwest::Error, limits: Limits) -> Self {
        if error.is_timeout() {
            return match error.is_connect() {
                true => Fault::new(FaultKind::NoConnection, limits.no_connection()),
                false => Fault::new(FaultKind::TimedOut, limits.no_answer()),
            };
        }
        let (kind, what) = match error.is_connect() {
            true => (FaultKind::NoConnection, "no connection"),
            false if error.is_builder() => (FaultKind::NotSendable, "no request of HTTP"),
            false => (FaultKind::BrokenOff, "the answer broke off"),
        };
        let mut cause = std::error::Error::source(error);
        while let Some(deeper) = cause.and_then(std::error::Error::source) {
            cause = Some(deeper);
        }
        match cause.map(ToString::to_string) {
            Some(cause) if cause.contains(CA_AS_SERVER) => Fault::new(
                FaultKind::Certificate,
                "its certificate is that of an authority (CA:TRUE, RFC 5280 §4.2.1.9), which shows another one as a \
                 server: issue it one, or say --insecure, which reports then tell",
            ),
            Some(cause) if cause.starts_with(BAD_CERTIFICATE) => Fault::new(
                FaultKind::Certificate,
                format!("its certificate cannot be verified: {cause}; `--cacert FILE` names who has issued it"),
            ),
            Some(cause) => Fault::new(kind, format!("{what}: {cause}")),
            None => Fault::new(kind, what),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

impl std::error::Error for Fault {}
