//! The question: how a registry asks for a second factor (wire notes §2.1).
//!
//! Every client that was examined understands status 401, a `www-authenticate` header whose list
//! has the element `OTP`, and an `error` text with the words "one-time pass". For a user with a
//! security key and a client that can show a page, the body also carries `authUrl` and `doneUrl`.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::registry::mutants::{Mutant, Mutants};

/// A request for a second factor.
#[derive(Debug)]
pub(crate) struct Challenge {
    pub(crate) why: Why,
    pub(crate) shape: Shape,
    /// Where a person can answer, if the client can send him there.
    pub(crate) web: Option<WebDoor>,
}

/// The two addresses of a web challenge. It has no `Debug` that shows them: the second is as good
/// as a token.
pub(crate) struct WebDoor {
    pub(crate) auth_url: String,
    /// Missing only under a fault.
    pub(crate) done_url: Option<String>,
}

/// Why the question is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// No proof was sent.
    Missing,
    /// A proof was sent and not accepted: wrong, spent, or not a proof at all. The answer does
    /// not say which.
    NotAccepted,
}

/// How the question is put. All but the first are faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Canonical,
    Forbidden,
    WithoutHeader,
    HeaderParameter,
    TextInMessage,
    BasicHeader,
}

impl std::fmt::Debug for WebDoor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WebDoor(hidden)")
    }
}

impl Shape {
    /// The shape of a challenge, classic or web.
    pub(crate) fn under(mutants: &Mutants, is_web: bool) -> Self {
        if is_web && mutants.has(Mutant::WebChallengeWithoutHeader) {
            return Shape::WithoutHeader;
        }
        [
            (Mutant::ChallengeForbidden, Shape::Forbidden),
            (Mutant::ChallengeWithoutHeader, Shape::WithoutHeader),
            (Mutant::ChallengeHeaderParameter, Shape::HeaderParameter),
            (Mutant::ChallengeTextInMessage, Shape::TextInMessage),
            (Mutant::ChallengeBasicHeader, Shape::BasicHeader),
        ]
        .into_iter()
        .find(|(mutant, _)| mutants.has(*mutant))
        .map_or(Shape::Canonical, |(_, shape)| shape)
    }
}

impl Challenge {
    pub(crate) fn status(&self) -> StatusCode {
        match self.shape {
            Shape::Forbidden => StatusCode::FORBIDDEN,
            Shape::Canonical
            | Shape::WithoutHeader
            | Shape::HeaderParameter
            | Shape::TextInMessage
            | Shape::BasicHeader => StatusCode::UNAUTHORIZED,
        }
    }

    /// The value of `www-authenticate`, if there is to be one.
    pub(crate) fn header(&self) -> Option<&'static str> {
        match self.shape {
            Shape::Canonical | Shape::Forbidden => Some("OTP"),
            Shape::WithoutHeader | Shape::TextInMessage => None,
            Shape::HeaderParameter => Some("OTP realm=\"registry\""),
            Shape::BasicHeader => Some("Basic"),
        }
    }

    pub(crate) fn body(&self) -> Value {
        let mut body = self.says();
        if let Some(web) = &self.web {
            body["authUrl"] = json!(web.auth_url);
            if let Some(done_url) = &web.done_url {
                body["doneUrl"] = json!(done_url);
            }
        }
        body
    }

    fn says(&self) -> Value {
        match self.shape {
            Shape::TextInMessage => json!({ "message": self.text() }),
            Shape::Canonical
            | Shape::Forbidden
            | Shape::WithoutHeader
            | Shape::HeaderParameter
            | Shape::BasicHeader => json!({ "error": self.text() }),
        }
    }

    fn text(&self) -> &'static str {
        match self.why {
            Why::Missing => {
                "You must provide a one-time pass. \
                 Upgrade your client to npm@latest in order to use 2FA."
            }
            Why::NotAccepted => "The one-time pass was not accepted. You must provide a current, unused one.",
        }
    }
}
