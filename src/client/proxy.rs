//! A proxy between one command of a client and the registry: it passes on what it gets, on loopback, and records it.
//!
//! Only addresses are changed on the way, in JSON: where the registry names itself, the client reads the proxy's address,
//! and where the client names the proxy, the registry reads its own. So the client stays with the proxy, and the registry
//! learns of none. Answers are asked for uncompressed, so that what is judged is what was read.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, HeaderName};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use reqwest::Url;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};

use crate::dialect::predicate::Answer;
use crate::wire::{Fault, FaultKind, Wire, is_loopback};

/// How long is waited for a request that a client is to send.
const PATIENCE: Duration = Duration::from_secs(5);

/// The largest request that is passed on, in bytes.
const REQUEST_LIMIT: usize = 16 * 1024 * 1024;

/// Headers of one connection (RFC 9110 §7.6.1), the name of the host, and what is settled anew for each connection.
const NOT_PASSED_ON: [&str; 10] = [
    "accept-encoding",
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// A proxy that runs until it is dropped.
#[derive(Debug)]
pub struct Proxy {
    /// Its address, with the path of the registry's own and without a slash at the end.
    pub base: String,
    road: Arc<Road>,
    _stop: oneshot::Sender<()>,
}

/// One request of the client, and what came back, in the clear.
#[derive(Clone)]
pub struct Recorded {
    /// The method.
    pub method: String,
    /// The path and query.
    pub place: String,
    /// The request's headers.
    pub headers: Vec<(String, String)>,
    /// The request's body, as the registry got it.
    pub body: Vec<u8>,
    /// The answer, as the registry gave it, or why there was none.
    pub answer: Result<Answer, Fault>,
    /// How long it took.
    pub elapsed: Duration,
}

#[derive(Debug)]
struct Road {
    wire: Wire,
    own: Url,
    recorded: Mutex<Vec<Recorded>>,
    /// How many have been recorded.
    count: watch::Sender<usize>,
}

impl Proxy {
    /// Opens a proxy to a target on a free loopback port.
    pub async fn open(wire: &Wire) -> Result<Self, String> {
        let cannot = |error: std::io::Error| format!("no proxy on loopback: {error}");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;
        let own = Url::parse(&format!("http://{address}")).map_err(|error| error.to_string())?;
        let base = format!("http://{address}{}", wire.base().path().trim_end_matches('/'));
        let road =
            Arc::new(Road { wire: wire.clone(), own, recorded: Mutex::default(), count: watch::Sender::default() });
        let router = axum::Router::new().fallback(pass_on).with_state(Arc::clone(&road));
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(async move {
            let served = axum::serve(listener, router).with_graceful_shutdown(async {
                // Dropping the sender ends the proxy.
                let _ = stopped.await;
            });
            // A proxy that fails answers nobody, which its client tells.
            let _ = served.await;
        });
        Ok(Proxy { base, road, _stop: stop })
    }

    /// Its origin, to which clients are told to send what is for other hosts.
    pub fn origin(&self) -> String {
        origin(&self.road.own)
    }

    /// What has been recorded so far.
    pub fn recorded(&self) -> Vec<Recorded> {
        // The list is valid between any two statements.
        self.road.recorded.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for a request of this kind behind the first so many, for a bounded time.
    pub async fn request_after(&self, seen: usize, is_it: impl Fn(&Recorded) -> bool) -> Option<Recorded> {
        let mut count = self.road.count.subscribe();
        let come = async {
            loop {
                let found = self.recorded().into_iter().skip(seen).find(|one| is_it(one));
                // The sender lives as long as this does.
                if found.is_some() || count.changed().await.is_err() {
                    return found;
                }
            }
        };
        tokio::time::timeout(PATIENCE, come).await.ok().flatten()
    }

    /// An address that the client shows, as the registry has it.
    pub fn direct(&self, address: &str) -> String {
        self.road.to_registry(address)
    }
}

async fn pass_on(State(road): State<Arc<Road>>, request: Request) -> Response {
    let started = Instant::now();
    let (parts, body) = request.into_parts();
    if let Some(host) = parts.uri.authority().filter(|host| host.as_str() != road.own.authority()) {
        return road.turned_away(&parts, host.as_str(), started);
    }
    let place = parts.uri.path_and_query().map_or("/", |place| place.as_str()).to_owned();
    let headers = texts(&parts.headers);
    let Ok(body) = to_bytes(body, REQUEST_LIMIT).await else { return refused(StatusCode::PAYLOAD_TOO_LARGE) };
    let body = match is_json(&parts.headers) {
        true => road.to_registry(&String::from_utf8_lossy(&body)).into_bytes(),
        false => body.to_vec(),
    };
    let passed: Vec<(String, String)> = headers.iter().filter(|(name, _)| is_passed_on(name)).cloned().collect();
    let answer = road.wire.relay(parts.method.as_str(), &place, &passed, body.clone()).await;
    let response = match &answer {
        Ok(answer) => road.response(answer),
        Err(_) => refused(StatusCode::BAD_GATEWAY),
    };
    let elapsed = started.elapsed();
    road.keep(Recorded { method: parts.method.to_string(), place, headers, body, answer, elapsed });
    response
}

fn refused(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

impl Road {
    /// A request to another host than the target, which a client was sent to, or goes to of itself. None is driven but the
    /// target, so it ends here.
    fn turned_away(&self, parts: &axum::http::request::Parts, host: &str, started: Instant) -> Response {
        self.keep(Recorded {
            method: parts.method.to_string(),
            place: parts.uri.to_string(),
            headers: texts(&parts.headers),
            body: Vec::new(),
            answer: Err(Fault::new(FaultKind::NotSendable, format!("an address outside the target, on {host}"))),
            elapsed: started.elapsed(),
        });
        refused(StatusCode::FORBIDDEN)
    }

    fn keep(&self, recorded: Recorded) {
        let mut all = self.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(recorded);
        self.count.send_replace(all.len());
    }

    fn response(&self, answer: &Answer) -> Response {
        let is_json = answer.header("content-type").any(|kind| kind.contains("json"));
        let body = match is_json {
            true => self.to_client(&String::from_utf8_lossy(&answer.body)).into_bytes(),
            false => answer.body.clone(),
        };
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::BAD_GATEWAY);
        for (name, value) in answer.headers.iter().filter(|(name, _)| is_passed_on(name)) {
            let value = if name.eq_ignore_ascii_case("location") { self.to_client(value) } else { value.clone() };
            if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse()) {
                response.headers_mut().append(name, value);
            }
        }
        response
    }

    fn to_client(&self, text: &str) -> String {
        all_renamed(text, &names(self.wire.base()), &origin(&self.own))
    }

    fn to_registry(&self, text: &str) -> String {
        all_renamed(text, &names(&self.own), &origin(self.wire.base()))
    }
}

/// A text in which one origin stands where another stood, under any of its names. JSON may write a slash as `\/`.
fn all_renamed(text: &str, from: &[String], to: &str) -> String {
    let escaped = |name: &str| name.replace('/', r"\/");
    from.iter().fold(text.to_owned(), |text, name| {
        let text = renamed(&text, name, to);
        if text.contains(r"\/") { renamed(&text, &escaped(name), &escaped(to)) } else { text }
    })
}

/// A text in which one origin stands where another stood; a longer port is another origin.
fn renamed(text: &str, from: &str, to: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(from) {
        let after = &rest[at + from.len()..];
        out.push_str(&rest[..at]);
        out.push_str(if after.starts_with(|next: char| next.is_ascii_digit()) { from } else { to });
        rest = after;
    }
    out.push_str(rest);
    out
}

/// An origin under each name that it goes by: those of loopback are one host.
fn names(url: &Url) -> Vec<String> {
    let own = origin(url);
    if !is_loopback(url) {
        return vec![own];
    }
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    ["localhost", "127.0.0.1", "[::1]"].iter().map(|host| format!("{}://{host}{port}", url.scheme())).collect()
}

fn origin(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}", url.scheme(), url.host_str().unwrap_or_default())
}

fn is_passed_on(name: &str) -> bool {
    !NOT_PASSED_ON.iter().any(|known| name.eq_ignore_ascii_case(known))
}

fn is_json(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).is_some_and(|kind| kind.contains("json"))
}

fn texts(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &axum::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect()
}

/// It holds secrets in the clear.
impl std::fmt::Debug for Recorded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorded").field("method", &self.method).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_renamed_wherever_it_stands_and_no_other_is() {
        let text = r#"{"a":"http://127.0.0.1:80/x","b":"http://127.0.0.1:8080/y","c":"http://127.0.0.1:80"}"#;
        let renamed = renamed(text, "http://127.0.0.1:80", "http://127.0.0.1:9");
        assert_eq!(renamed, r#"{"a":"http://127.0.0.1:9/x","b":"http://127.0.0.1:8080/y","c":"http://127.0.0.1:9"}"#);
    }

    #[test]
    fn an_origin_is_renamed_where_its_slashes_are_escaped() {
        let text = r#"{"a":"http:\/\/localhost:80\/x","b":"http://localhost:80/y"}"#;
        let renamed = all_renamed(text, &["http://localhost:80".to_owned()], "http://127.0.0.1:9");
        assert_eq!(renamed, r#"{"a":"http:\/\/127.0.0.1:9\/x","b":"http://127.0.0.1:9/y"}"#);
    }

    #[test]
    fn the_names_of_loopback_are_one_host() {
        let names = |url: &str| names(&Url::parse(url).expect("an address"));
        assert_eq!(names("http://localhost:1/a"), ["http://localhost:1", "http://127.0.0.1:1", "http://[::1]:1"]);
        assert_eq!(names("https://example.test/npm/"), ["https://example.test"]);
    }
}
