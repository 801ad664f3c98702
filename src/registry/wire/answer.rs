//! What the registry says: status, headers, body.

use axum::body::{Body, Bytes};
use axum::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{Response, StatusCode};
use serde::Serialize;
use serde_json::json;

use super::Refusal;

/// One answer, not yet written out. It has no `Debug`: it can hold a token.
pub(crate) struct Answer {
    status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
    payload: Payload,
}

/// The body of an answer.
pub(crate) enum Payload {
    Empty,
    Json(Vec<u8>),
    Html(String),
    Tarball(Bytes),
    /// No answer at all until the registry is shut down: a fault.
    Never,
}

impl Answer {
    pub(crate) fn ok(body: impl Serialize) -> Self {
        Self::json(StatusCode::OK, body)
    }

    pub(crate) fn created(body: impl Serialize) -> Self {
        Self::json(StatusCode::CREATED, body)
    }

    pub(crate) fn json(status: StatusCode, body: impl Serialize) -> Self {
        let text = serde_json::to_vec(&body).expect("what is answered has texts for keys, which is all that can fail");
        Self::new(status, Payload::Json(text))
    }

    pub(crate) fn no_content() -> Self {
        Self::new(StatusCode::NO_CONTENT, Payload::Empty)
    }

    pub(crate) fn html(status: StatusCode, page: String) -> Self {
        Self::new(status, Payload::Html(page))
    }

    pub(crate) fn tarball(bytes: Bytes) -> Self {
        Self::new(StatusCode::OK, Payload::Tarball(bytes))
    }

    pub(crate) fn never() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, Payload::Never)
    }

    fn new(status: StatusCode, payload: Payload) -> Self {
        Self { status, headers: Vec::new(), payload }
    }

    pub(crate) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Takes a header out: a fault.
    pub(crate) fn without(mut self, name: &HeaderName) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self
    }

    /// Cuts a JSON body in half: a fault.
    pub(crate) fn halved(mut self) -> Self {
        if let Payload::Json(text) = &mut self.payload {
            text.truncate(text.len() / 2);
        }
        self
    }

    pub(crate) fn is_never(&self) -> bool {
        matches!(self.payload, Payload::Never)
    }

    /// Writes the answer out. Only tarballs may be kept by a cache.
    pub(crate) fn into_response(self) -> Response<Body> {
        let (media, body) = match self.payload {
            Payload::Empty | Payload::Never => (None, Body::empty()),
            Payload::Json(text) => (Some("application/json"), Body::from(text)),
            Payload::Html(page) => (Some("text/html; charset=utf-8"), Body::from(page)),
            Payload::Tarball(bytes) => (Some("application/octet-stream"), Body::from(bytes)),
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        if let Some(media) = media {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
            if media != "application/octet-stream" {
                headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            }
        }
        for (name, value) in self.headers {
            headers.insert(name, value);
        }
        response
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        let says = |status, text: &str| Answer::json(status, json!({ "error": text }));
        match refusal {
            Refusal::Malformed(text) => says(StatusCode::BAD_REQUEST, &text),
            Refusal::Unauthenticated(text) => {
                says(StatusCode::UNAUTHORIZED, text).with(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
            }
            Refusal::Challenge(challenge) => {
                let answer = Answer::json(challenge.status(), challenge.body());
                match challenge.header() {
                    Some(value) => answer.with(WWW_AUTHENTICATE, HeaderValue::from_static(value)),
                    None => answer,
                }
            }
            Refusal::Forbidden(text) => says(StatusCode::FORBIDDEN, &text),
            Refusal::NotFound(text) => says(StatusCode::NOT_FOUND, text),
            Refusal::WrongVerb(verbs) => {
                let allowed: Vec<&str> = verbs.iter().map(|verb| verb.name()).collect();
                let answer = says(StatusCode::METHOD_NOT_ALLOWED, "method not allowed");
                match HeaderValue::try_from(allowed.join(", ")) {
                    Ok(value) => answer.with(ALLOW, value),
                    Err(_) => answer,
                }
            }
            Refusal::Conflict(text) => says(StatusCode::CONFLICT, text),
            Refusal::Unable(text) => says(StatusCode::INTERNAL_SERVER_ERROR, &text),
            Refusal::TooLarge => says(StatusCode::PAYLOAD_TOO_LARGE, "the request body is too large"),
            Refusal::Throttled(left) => {
                let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
                says(StatusCode::TOO_MANY_REQUESTS, "too many wrong codes; try again later")
                    .with(RETRY_AFTER, HeaderValue::from(seconds.max(1)))
            }
        }
    }
}
