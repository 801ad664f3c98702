//! The relay: it passes requests on, learns users' recovery codes on the way, and goes wrong as its operator says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, Method, Response, StatusCode, header};
use reqwest::Url;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::Operator;
use crate::clock::Clock;
use crate::dialect::step::{Deed, Step};
use crate::dialect::{Dialect, Surface};

/// The header in which a proof travels.
const PROOF: &str = "npm-otp";
/// The most of a body that is passed on, in bytes.
const BODY_LIMIT: usize = 4 * 1024 * 1024;
/// What a challenge is made of.
const CHALLENGE: &str =
    r#"{"error":"You must provide a one-time pass. Upgrade your client to npm@latest in order to use 2FA."}"#;

/// One write of a command that a proof decides about.
#[derive(Debug, Clone)]
struct Deciding {
    method: Method,
    path: regex::Regex,
    /// The member of a form in which the proof travels, in place of the header.
    field: Option<String>,
}

/// A relay that is up until this is dropped.
#[derive(Debug)]
pub(super) struct Relay {
    /// Its address.
    pub(super) base: Url,
    acted: Arc<AtomicUsize>,
    _stop: oneshot::Sender<()>,
}

impl Relay {
    /// How many requests it has gone wrong at.
    pub(super) fn acted(&self) -> usize {
        self.acted.load(Ordering::Relaxed)
    }
}

/// Why there is no relay.
#[derive(Debug)]
pub(super) enum NoRelay {
    /// The surface's writes cannot be told from other requests.
    NoWrite,
    /// It cannot listen.
    Listen(std::io::Error),
    /// Its client of the registry cannot start.
    Client(reqwest::Error),
}

impl std::fmt::Display for NoRelay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            NoRelay::NoWrite => f.write_str("the surface sends nothing that changes anything"),
            NoRelay::Listen(error) => write!(f, "the relay cannot listen: {error}"),
            NoRelay::Client(error) => write!(f, "the relay's client cannot start: {error}"),
        }
    }
}

/// Brings a relay up before a registry, which goes wrong at the writes of a surface.
pub(super) async fn bring_up(
    (registry, clock): (&Url, &Clock),
    operator: Operator,
    dialect: &Dialect,
    surface: &Surface,
) -> Result<Relay, NoRelay> {
    let mut deciding = Vec::new();
    writes(dialect, &surface.perform, &mut deciding);
    if deciding.is_empty() {
        return Err(NoRelay::NoWrite);
    }
    let acted = Arc::new(AtomicUsize::new(0));
    let front = Arc::new(Front {
        client: reqwest::Client::builder().no_proxy().build().map_err(NoRelay::Client)?,
        registry: registry.clone(),
        clock: clock.clone(),
        operator,
        deciding,
        users: Mutex::default(),
        acted: Arc::clone(&acted),
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(NoRelay::Listen)?;
    let mut base = registry.clone();
    // A loopback address always takes a port.
    let _ = base.set_port(Some(listener.local_addr().map_err(NoRelay::Listen)?.port()));
    let app = Router::new().fallback(move |request: Request| {
        let front = Arc::clone(&front);
        async move { front.serve(request).await }
    });
    let (stop, stopped) = oneshot::channel::<()>();
    tokio::spawn(
        axum::serve(listener, app)
            .with_graceful_shutdown(async {
                // Dropping the sender ends it as well.
                let _ = stopped.await;
            })
            .into_future(),
    );
    Ok(Relay { base, acted, _stop: stop })
}

/// The writes among steps that a proof may go with.
fn writes(dialect: &Dialect, steps: &[Step], found: &mut Vec<Deciding>) {
    for step in steps {
        match &step.deed {
            Deed::Routine { name, .. } => {
                writes(dialect, dialect.routines.get(&name.value).map_or(&[], Vec::as_slice), found);
            }
            Deed::Request(request) => {
                let Ok(method) = request.line.method.name().parse::<Method>() else { continue };
                if method == Method::GET || request.unproven {
                    continue;
                }
                let Ok(path) = regex::Regex::new(&pattern(&request.line.place.to_string())) else { continue };
                found.push(Deciding { method, path, field: request.proof_field.clone() });
            }
            Deed::Key(_) | Deed::Browse(_) => {}
        }
    }
}

/// A pattern of the paths that a template makes.
fn pattern(template: &str) -> String {
    let mut out = String::from("^");
    let mut rest = template;
    while let Some(start) = rest.find("{{") {
        out.push_str(&regex::escape(&rest[..start]));
        let Some(end) = rest[start..].find("}}") else { break };
        // A name is one segment; an address that the registry handed out is all of a path.
        let address = out == "^";
        out.push_str(if address { ".+" } else { "[^/?]+" });
        rest = &rest[start + end + 2..];
    }
    out.push_str(&regex::escape(rest));
    out.push('$');
    out
}

/// What is known of a user.
#[derive(Debug, Default)]
struct User {
    /// Recovery codes that nobody has used.
    codes: Vec<String>,
    /// Proofs that were accepted.
    spent: BTreeSet<String>,
    /// What makes right codes.
    totp: Option<totp_rs::Totp>,
    /// What was challenged and is to be carried out later.
    later: Option<Passed>,
}

#[derive(Debug, Default)]
struct Users {
    /// Their names, by their tokens.
    names: BTreeMap<String, String>,
    users: BTreeMap<String, User>,
}

/// A request as it came.
#[derive(Debug, Clone)]
struct Passed {
    method: Method,
    path_and_query: String,
    headers: HeaderMap,
    body: Bytes,
}

/// An answer as it came.
#[derive(Debug)]
struct Came {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

struct Front {
    client: reqwest::Client,
    registry: Url,
    clock: Clock,
    operator: Operator,
    deciding: Vec<Deciding>,
    users: Mutex<Users>,
    acted: Arc<AtomicUsize>,
}

impl Front {
    async fn serve(&self, request: Request) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let path_and_query = parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let Ok(body) = to_bytes(body, BODY_LIMIT).await else { return plain(StatusCode::PAYLOAD_TOO_LARGE, "{}") };
        let passed = Passed { method: parts.method, path_and_query, headers: parts.headers, body };
        let name = self.name_of(&passed);
        let field = self.decides(&passed);
        if let (Some(field), Some(name)) = (&field, &name)
            && self.has_factor(name)
        {
            return self.go_wrong(passed, name, field.as_deref()).await;
        }
        let proof = proof_of(&passed, None);
        match self.pass(&passed).await {
            Some(came) => {
                self.learn(&passed, name.as_deref(), proof.as_deref(), &came);
                came.into_response()
            }
            None => plain(StatusCode::BAD_GATEWAY, "{}"),
        }
    }

    /// Answers a deciding request of a user who has a second factor, as the operator says.
    async fn go_wrong(&self, passed: Passed, name: &str, field: Option<&str>) -> Response<Body> {
        let proof = proof_of(&passed, field);
        if proof.is_some()
            && let Some(later) = self.with(name, |user| user.later.take())
        {
            self.carry_out(&later, name, field).await;
        }
        let fresh = proof.as_deref().is_some_and(|proof| !self.with(name, |user| user.spent.contains(proof)));
        match (self.operator, &proof) {
            (Operator::AlwaysAsked, None) => {
                self.act();
                return challenge();
            }
            (Operator::Throttled, Some(_)) => {
                self.act();
                let mut answer = plain(StatusCode::TOO_MANY_REQUESTS, "{}");
                answer.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("31536000"));
                return answer;
            }
            (Operator::ServerError, Some(_)) => {
                self.act();
                return plain(StatusCode::SERVICE_UNAVAILABLE, "{}");
            }
            (Operator::NotFound, Some(_)) => {
                self.act();
                return plain(StatusCode::NOT_FOUND, r#"{"error":"not found"}"#);
            }
            (Operator::Dropped, Some(_)) => {
                self.act();
                return broken();
            }
            _ => {}
        }
        if matches!(self.operator, Operator::SuccessThatSaysNo | Operator::RightRefused)
            && let Some(proof) = &proof
        {
            return self.instead_of_success(passed, name, proof, fresh).await;
        }
        let Some(came) = self.pass(&passed).await else { return plain(StatusCode::BAD_GATEWAY, "{}") };
        self.learn(&passed, Some(name), proof.as_deref(), &came);
        if !came.is_challenge() {
            return came.into_response();
        }
        let spent = proof.is_some() && !fresh;
        match (self.operator, &proof) {
            (Operator::ChallengeDropped, None) | (Operator::AnyProof, Some(_)) => {
                self.carried_out_or(came, &passed, name, field).await
            }
            (Operator::Replay, Some(_)) if spent => self.carried_out_or(came, &passed, name, field).await,
            (Operator::EffectBeforeAnswer, None) => {
                self.carry_out(&passed, name, field).await;
                came.into_response()
            }
            (Operator::EffectLate, None) => {
                self.with(name, |user| user.later.get_or_insert(passed).method.clone());
                self.act();
                came.into_response()
            }
            (Operator::ChallengeForbidden, None) => {
                self.act();
                Came { status: StatusCode::FORBIDDEN, ..came }.into_response()
            }
            (Operator::ChallengeInSuccess, None) => {
                self.act();
                let mut answer = plain(StatusCode::OK, CHALLENGE);
                answer.headers_mut().remove(header::WWW_AUTHENTICATE);
                answer
            }
            (Operator::ChallengeUnsaid, None) => {
                self.act();
                let mut answer = plain(StatusCode::UNAUTHORIZED, r#"{"error":"log in first"}"#);
                answer.headers_mut().insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Basic"));
                answer
            }
            _ => came.into_response(),
        }
    }

    /// Answers a right proof without carrying anything out. A wrong one is passed on as it is.
    async fn instead_of_success(&self, passed: Passed, name: &str, proof: &str, fresh: bool) -> Response<Body> {
        if !fresh || !self.is_right(name, proof) {
            let Some(came) = self.pass(&passed).await else { return plain(StatusCode::BAD_GATEWAY, "{}") };
            self.learn(&passed, Some(name), Some(proof), &came);
            return came.into_response();
        }
        self.act();
        match self.operator {
            Operator::RightRefused => challenge(),
            _ => plain(StatusCode::OK, r#"{"ok":true}"#),
        }
    }

    /// Whether a proof is the user's code of the present step or of one beside it.
    fn is_right(&self, name: &str, proof: &str) -> bool {
        let now = self.clock.now().0.div_euclid(1_000);
        let near = [now - 30, now, now + 30].into_iter().filter_map(|time| u64::try_from(time).ok());
        self.with(name, |user| {
            user.totp.as_ref().is_some_and(|totp| near.into_iter().any(|time| totp.generate(time).to_string() == proof))
        })
    }

    /// Carries out what was challenged, with a recovery code of the user's.
    async fn carry_out(&self, passed: &Passed, name: &str, field: Option<&str>) -> Option<Came> {
        let code = self.with(name, |user| user.codes.pop())?;
        let came = self.pass(&proven(passed, &code, field)).await?;
        self.act();
        Some(came)
    }

    async fn carried_out_or(&self, came: Came, passed: &Passed, name: &str, field: Option<&str>) -> Response<Body> {
        match self.carry_out(passed, name, field).await {
            Some(done) => done.into_response(),
            None => came.into_response(),
        }
    }
}

impl Front {
    fn act(&self) {
        self.acted.fetch_add(1, Ordering::Relaxed);
    }

    fn with<T>(&self, name: &str, deed: impl FnOnce(&mut User) -> T) -> T {
        // What is known of a user is valid between any two statements.
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        deed(users.users.entry(name.to_owned()).or_default())
    }

    fn has_factor(&self, name: &str) -> bool {
        self.with(name, |user| !user.codes.is_empty() || !user.spent.is_empty())
    }

    /// Whether a request is one that the proof decides about, and where that travels then.
    fn decides(&self, passed: &Passed) -> Option<Option<String>> {
        let path = passed.path_and_query.split('?').next().unwrap_or_default();
        let is_form = text(&passed.headers, header::CONTENT_TYPE.as_str()).is_some_and(|kind| kind.contains("form"));
        let deciding = self.deciding.iter().find(|deciding| {
            deciding.method == passed.method && is_form == deciding.field.is_some() && deciding.path.is_match(path)
        })?;
        Some(deciding.field.clone())
    }

    /// Who sends a request: by the token, by the path of a log-in, or by a form.
    fn name_of(&self, passed: &Passed) -> Option<String> {
        let by_token = text(&passed.headers, "authorization").and_then(|value| {
            let token = value.strip_prefix("Bearer ")?;
            let users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
            users.names.get(token).cloned()
        });
        let by_path = || {
            let (_, rest) = passed.path_and_query.split_once("org.couchdb.user:")?;
            rest.split(['/', '?']).next().map(str::to_owned)
        };
        let by_form = || {
            let (_, name) = form_urlencoded::parse(&passed.body).find(|(key, _)| key == "username")?;
            Some(name.into_owned())
        };
        by_token.or_else(by_path).or_else(by_form)
    }

    /// Learns from an answer: whose token it is, the codes, and that a proof was accepted.
    fn learn(&self, passed: &Passed, name: Option<&str>, proof: Option<&str>, came: &Came) {
        if !came.status.is_success() {
            return;
        }
        let Some(name) = name else { return };
        if let Some(proof) = proof {
            self.with(name, |user| user.spent.insert(proof.to_owned()));
        }
        let Ok(json) = serde_json::from_slice::<Value>(&came.body) else { return };
        if let Some(token) = json.get("token").and_then(Value::as_str) {
            let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
            users.names.insert(token.to_owned(), name.to_owned());
        }
        let tfa = json.get("tfa");
        if let Some(totp) = tfa.and_then(Value::as_str).and_then(|url| totp_rs::Totp::from_url(url).ok()) {
            self.with(name, |user| user.totp = Some(totp));
        }
        if let Some(codes) = tfa.and_then(Value::as_array) {
            let codes: Vec<String> = codes.iter().filter_map(Value::as_str).map(str::to_owned).collect();
            self.with(name, |user| user.codes = codes);
            // The code that confirmed an enrolment is spent, too.
            let sent = serde_json::from_slice::<Value>(&passed.body).unwrap_or_default();
            let confirmed = sent.pointer("/tfa/0").and_then(Value::as_str);
            self.with(name, |user| user.spent.extend(confirmed.map(str::to_owned)));
        }
    }

    /// Passes a request on to the registry.
    async fn pass(&self, passed: &Passed) -> Option<Came> {
        let mut url = self.registry.clone();
        let (path, query) = match passed.path_and_query.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (passed.path_and_query.as_str(), None),
        };
        url.set_path(path);
        url.set_query(query);
        let mut headers = passed.headers.clone();
        headers.remove(header::CONTENT_LENGTH);
        let request = self.client.request(passed.method.clone(), url).headers(headers).body(passed.body.clone());
        let answer = request.send().await.ok()?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        Some(Came { status, headers, body: answer.bytes().await.ok()? })
    }
}

impl Came {
    fn is_challenge(&self) -> bool {
        let says = text(&self.headers, header::WWW_AUTHENTICATE.as_str()).is_some_and(|value| value.contains("OTP"));
        self.status == StatusCode::UNAUTHORIZED && says
    }

    fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response.headers_mut().remove(header::TRANSFER_ENCODING);
        response.headers_mut().remove(header::CONTENT_LENGTH);
        response
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The proof that a request carries.
fn proof_of(passed: &Passed, field: Option<&str>) -> Option<String> {
    let proof = match field {
        None => text(&passed.headers, PROOF).map(str::to_owned),
        Some(field) => {
            form_urlencoded::parse(&passed.body).find(|(key, _)| key == field).map(|(_, value)| value.into_owned())
        }
    };
    proof.filter(|proof| !proof.is_empty())
}

/// A request with a proof in place of what it carries.
fn proven(passed: &Passed, proof: &str, field: Option<&str>) -> Passed {
    let mut proven = passed.clone();
    match field {
        None => {
            if let Ok(value) = proof.parse() {
                proven.headers.insert(PROOF, value);
            }
        }
        Some(field) => {
            let others = form_urlencoded::parse(&passed.body).filter(|(key, _)| key != field);
            let mut form = form_urlencoded::Serializer::new(String::new());
            form.extend_pairs(others).append_pair(field, proof);
            proven.body = form.finish().into();
        }
    }
    proven
}

fn plain(status: StatusCode, body: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    response
}

fn challenge() -> Response<Body> {
    let mut response = plain(StatusCode::UNAUTHORIZED, CHALLENGE);
    response.headers_mut().insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("OTP"));
    response
}

/// An answer that says how long it is and ends before.
fn broken() -> Response<Body> {
    let parts = [Ok(Bytes::from_static(b"{")), Err(std::io::Error::other("the relay closes the connection"))];
    let mut response = Response::new(Body::from_stream(futures_util::stream::iter(parts)));
    response.headers_mut().insert(header::CONTENT_LENGTH, header::HeaderValue::from_static("64"));
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_a_pattern_of_the_paths_that_it_makes() {
        for (template, path, fits) in [
            ("/{{ object.name }}", "/su-1", true),
            ("/{{ object.name }}", "/-/package/su-1/access", false),
            ("/-/package/{{ object.scoped | npm_path }}/access", "/-/package/@u%2fp/access", true),
            ("{{ kept.tarball }}/-rev/{{ kept.rev | default('undefined') }}", "/su-1/-/su-1-1.0.1.tgz/-rev/3-a", true),
            ("/-/npm/v1/user", "/-/npm/v1/user", true),
            ("/-/npm/v1/user", "/-/npm/v1/users", false),
        ] {
            let pattern = regex::Regex::new(&pattern(template)).unwrap();
            assert_eq!(pattern.is_match(path), fits, "{template} {path}");
        }
    }
}
