//! Every way in which the registry says no.
//!
//! Only a [`Challenge`] speaks of a one-time pass or carries the `OTP` header: a client must be
//! able to tell it from every other refusal.

use std::time::Duration;

use super::Verb;
use crate::registry::factor::Challenge;

/// A request that is not granted.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// 400: the request makes no sense.
    Malformed(String),
    /// 401: nobody, or somebody with the wrong password or a dead token.
    Unauthenticated(&'static str),
    /// 401 or a fault's idea of it: a second factor is wanted.
    Challenge(Challenge),
    /// 403: somebody known who may not do this.
    Forbidden(String),
    /// 404: there is no such thing, or none that the caller may know of.
    NotFound(&'static str),
    /// 405: there is such a thing, but not with this verb.
    WrongVerb(Vec<Verb>),
    /// 409: the revision in the path is not the current one.
    Conflict(&'static str),
    /// 413: the body is longer than the registry takes in.
    TooLarge,
    /// 500: a library could not do what it never fails to do.
    Unable(String),
    /// 429: too many wrong codes; this much later, perhaps.
    Throttled(Duration),
}

impl Refusal {
    pub(crate) fn malformed(text: impl Into<String>) -> Self {
        Refusal::Malformed(text.into())
    }

    pub(crate) fn forbidden(text: impl Into<String>) -> Self {
        Refusal::Forbidden(text.into())
    }

    /// The answer to a wrong name or password. It is the same for both, and no challenge.
    pub(crate) fn wrong_password() -> Self {
        Refusal::Unauthenticated("unauthorized: the user name or the password is wrong")
    }

    pub(crate) fn no_package() -> Self {
        Refusal::NotFound("package not found")
    }

    pub(crate) fn no_user() -> Self {
        Refusal::NotFound("user not found")
    }
}
