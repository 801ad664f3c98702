//! The shape of what a client was answered: the parts of an answer that clients read, without their values.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the requests of a row were answered, as far as clients read it.
#[derive(Debug, Clone, Default, Serialize, Deserialize, PartialEq, Eq, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Shape {
    /// The first challenge; empty where there was none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub challenge: Vec<Trait>,
    /// The last answer to a write that was no challenge; empty where there was none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answer: Vec<Trait>,
}

impl Shape {
    /// Whether nothing was answered.
    pub fn is_empty(&self) -> bool {
        self.challenge.is_empty() && self.answer.is_empty()
    }

    /// Takes in what later requests were answered.
    pub fn followed_by(&mut self, later: Shape) {
        if self.challenge.is_empty() {
            self.challenge = later.challenge;
        }
        if !later.answer.is_empty() {
            self.answer = later.answer;
        }
    }
}

/// One part of an answer's shape.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Trait {
    /// There was no answer.
    NoAnswer,
    /// A status of class 2xx.
    Success,
    /// A status of class 3xx.
    Redirect,
    /// Status 401.
    Unauthorized,
    /// Status 403.
    Forbidden,
    /// Another status of class 4xx.
    ClientError,
    /// Any other status.
    OtherStatus,
    /// `www-authenticate` names the scheme `OTP`, and no parameter of it.
    Otp,
    /// `www-authenticate` names the scheme `OTP` with a parameter.
    OtpWithParameter,
    /// `www-authenticate` names other schemes alone.
    OtherScheme,
    /// `retry-after` gives a minute at most.
    RetryAfter,
    /// `retry-after` gives more than a minute.
    RetryAfterLong,
    /// `retry-after` gives no number of seconds.
    RetryAfterOther,
    /// The content type is not JSON's.
    OtherType,
    /// The body is no JSON.
    NoJson,
    /// The member `error` asks for a one-time password in the stock words.
    ErrorAsks,
    /// The member `error` holds another text.
    Error,
    /// The member `message` asks for a one-time password in the stock words.
    MessageAsks,
    /// The member `message` holds another text.
    Message,
    /// The member `authUrl` is there.
    AuthUrl,
    /// The member `doneUrl` is there.
    DoneUrl,
    /// The member `token` holds a text.
    Token,
    /// The member `tfa` is null.
    TfaNull,
    /// The member `tfa` holds a text.
    TfaText,
    /// The member `tfa` is a list.
    TfaList,
    /// The member `tfa` is an object.
    TfaObject,
    /// The member `tfa` is something else.
    TfaOther,
}

/// How a client fares with the same shape on the reference registry.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnReference {
    /// It does the same there, so it does so by itself.
    Same,
    /// It takes this shape there.
    Taken,
    /// Nobody has seen it with this shape there.
    NotSeen,
}

impl OnReference {
    /// In words, after what was seen of the client.
    pub fn words(self) -> &'static str {
        match self {
            OnReference::Same => "as on the reference registry, with answers of the same shape",
            OnReference::Taken => "on the reference registry it takes answers of the same shape",
            OnReference::NotSeen => "not seen on the reference registry with answers of the same shape",
        }
    }
}
