//! The wire client: sends one request within stated bounds and records the exchange with its secrets hidden.

mod archives;
mod fault;
mod limits;

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Url};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use crate::dialect::predicate::Answer;
use crate::dialect::step::Method;
pub use archives::Whereabouts;
pub use fault::{Fault, FaultKind};
pub use limits::{ChosenLimits, Limit, Limits, SetBy};

/// Of the requests that may be under way at once so many are, however slow the answers.
const LEAST_UNDER_WAY: u32 = 4;
/// An answer that takes longer is slow: with fewer requests at once the next ones come sooner. A shorter one is swift.
const SLOW: Duration = Duration::from_secs(1);
const SWIFT: Duration = Duration::from_millis(250);
/// The largest body that is read, in bytes.
const BODY_LIMIT: usize = 4 * 1024 * 1024;
/// How much of a body is kept as evidence, in characters.
const EVIDENCE_LIMIT: usize = 2_000;

/// One request and what came back, fit for a report.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq, JsonSchema)]
pub struct Exchange {
    /// The method and path.
    pub request: String,
    /// The request's headers, secrets hidden.
    pub headers: Vec<(String, String)>,
    /// The request's body, secrets hidden.
    pub body: Option<String>,
    /// The status, when there was an answer.
    pub status: Option<u16>,
    /// The answer's headers.
    pub answer_headers: Vec<(String, String)>,
    /// The answer's body, secrets hidden, shortened.
    pub answer_body: Option<String>,
    /// What went wrong, when there was no usable answer.
    pub fault: Option<String>,
    /// What kind of fault that was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault_kind: Option<FaultKind>,
    /// How long it took, in microseconds.
    pub elapsed_us: u64,
}

impl Exchange {
    /// Notes why there was no usable answer.
    pub fn failed(&mut self, fault: &Fault) {
        self.fault = Some(fault.to_string());
        self.fault_kind = Some(fault.kind);
    }

    /// One of which nothing is known yet but the request.
    fn of(request: String) -> Self {
        Exchange {
            request,
            headers: Vec::new(),
            body: None,
            status: None,
            answer_headers: Vec::new(),
            answer_body: None,
            fault: None,
            fault_kind: None,
            elapsed_us: 0,
        }
    }

    /// Notes what came back, and passes it on where it is an answer.
    fn note(&mut self, came: Result<Answer, Fault>, hide: impl Fn(&str) -> String) -> Option<Answer> {
        match came {
            Ok(answer) => {
                self.status = Some(answer.status);
                self.answer_headers = answer.headers.iter().map(|(name, value)| (name.clone(), hide(value))).collect();
                self.answer_body = Some(shorten(&hide(&String::from_utf8_lossy(&answer.body))));
                Some(answer)
            }
            Err(fault) => {
                self.failed(&fault);
                None
            }
        }
    }

    /// Why there was no usable answer, with the request that has none.
    pub fn unanswered(&self) -> String {
        format!("{}: {}", self.request, self.fault.as_deref().unwrap_or("no usable answer"))
    }
}

/// A request that is ready to be sent, beside the form in which it may be shown.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// The method.
    pub method: Method,
    /// A path below the target's address, or an absolute address on it.
    pub place: String,
    /// The place as it may be shown.
    pub shown_place: String,
    /// Headers: name, value, value as it may be shown.
    pub headers: Vec<(String, String, String)>,
    /// The body, and as it may be shown.
    pub body: Option<(Vec<u8>, String)>,
}

impl Outgoing {
    /// The method and the place, as they may be shown.
    pub fn shown_line(&self) -> String {
        format!("{} {}", self.method.name(), self.shown_place)
    }
}

/// Whether connections are used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reuse {
    /// Idle connections are kept and used again.
    WhenIdle,
    /// Each request has its own.
    Never,
}

/// How the certificate of an https target is verified.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Trust {
    /// Against the authorities that the system trusts.
    #[default]
    System,
    /// Against those in this file (PEM), and no others.
    Authorities(PathBuf),
    /// Not at all.
    Unverified,
}

/// A client of one target, and of no other host but those that it may fetch archives from.
#[derive(Debug, Clone)]
pub struct Wire {
    client: Client,
    base: Url,
    trust: Trust,
    limits: Limits,
    /// Places for requests under way, and how many there are; as many as are sent without.
    places: Option<Arc<Places>>,
    /// How many requests were sent, by it and by the clients that were made of it.
    sent: Arc<AtomicU64>,
    /// The hosts that archives may be fetched from, by GET and without credentials, and the client that does it.
    archives: Option<Arc<(Client, Vec<Url>)>>,
}

/// Places for requests under way: fewer while answers are slow.
#[derive(Debug)]
struct Places {
    free: Semaphore,
    most: u32,
    /// How many are taken away, and how many want several at once, for which none is.
    fewer: Mutex<Fewer>,
}

#[derive(Debug, Default)]
struct Fewer {
    by: u32,
    wanted: u32,
}

/// Places for requests under way, until it is dropped.
#[derive(Debug)]
pub struct UnderWay {
    places: Option<(Arc<Places>, u32)>,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let Some((places, number)) = self.places.take() {
            places.free.add_permits(number as usize);
        }
    }
}

impl Places {
    fn fewer(&self) -> MutexGuard<'_, Fewer> {
        // No code panics while holding the lock, and both numbers are right between any two statements.
        self.fewer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for so many of them.
    async fn take(self: &Arc<Self>, number: u32) -> UnderWay {
        let number = number.min(self.most);
        let several = number > LEAST_UNDER_WAY;
        if several {
            let mut fewer = self.fewer();
            fewer.wanted += 1;
            self.free.add_permits(std::mem::take(&mut fewer.by) as usize);
        }
        // They are never closed.
        if let Ok(taken) = self.free.acquire_many(number).await {
            taken.forget();
        }
        if several {
            self.fewer().wanted -= 1;
        }
        UnderWay { places: Some((Arc::clone(self), number)) }
    }

    /// Takes one away when an answer was slow, and gives one back when it was not.
    fn heed(&self, taken: &mut UnderWay, took: Duration) {
        let mut fewer = self.fewer();
        if took > SLOW && fewer.wanted == 0 && self.most.saturating_sub(fewer.by) > LEAST_UNDER_WAY {
            fewer.by += 1;
            taken.places = None;
        } else if took < SWIFT && fewer.by > 0 {
            fewer.by -= 1;
            self.free.add_permits(1);
        }
    }
}

impl Wire {
    /// A client of the target at `base`. Without `reuse` each request has a connection of its own, so that a target
    /// that closes an idle one at the wrong moment is not taken for one that fails.
    pub fn new(base: Url, reuse: Reuse) -> Result<Self, String> {
        Wire::trusting(base, reuse, Trust::System, Limits::default())
    }

    /// Such a client that verifies certificates in this way, and waits so long.
    pub fn trusting(base: Url, reuse: Reuse, trust: Trust, limits: Limits) -> Result<Self, String> {
        Wire::built(base, reuse, trust, None, limits)
    }

    /// Such a client that goes to this address of the host, past any proxy.
    pub fn straight(base: Url, trust: Trust, address: SocketAddr) -> Result<Self, String> {
        Wire::built(base, Reuse::Never, trust, Some(address), Limits::default())
    }

    /// Such a client that waits so long for a connection, and for an answer, as a profile says, and goes to the address if
    /// one is given, past any proxy.
    pub fn patient(
        base: Url,
        reuse: Reuse,
        trust: Trust,
        address: Option<SocketAddr>,
        patience: Duration,
    ) -> Result<Self, String> {
        Wire::built(base, reuse, trust, address, Limits::of_profile(patience))
    }

    fn built(
        base: Url,
        reuse: Reuse,
        trust: Trust,
        address: Option<SocketAddr>,
        limits: Limits,
    ) -> Result<Self, String> {
        // A second call finds the provider installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = Client::builder()
            .redirect(Policy::none())
            .connect_timeout(limits.connect)
            .timeout(limits.answer)
            // Stock clients are asked for no encoding, and none is undone behind the judge's back.
            .no_gzip()
            .tcp_nodelay(true);
        if reuse == Reuse::Never {
            builder = builder.pool_max_idle_per_host(0);
        }
        if is_loopback(&base) {
            // A name of loopback is loopback, whatever the resolver says of it.
            let own: [SocketAddr; 2] = [(Ipv4Addr::LOCALHOST, 0).into(), (Ipv6Addr::LOCALHOST, 0).into()];
            builder = builder.no_proxy().resolve_to_addrs("localhost", &own);
        }
        if let (Some(address), Some(host)) = (address, base.host_str()) {
            builder = builder.no_proxy().resolve(host, address);
        }
        builder = match &trust {
            // No certificate is ever shown to a client of loopback over http, and reading the system's takes long.
            Trust::System if is_loopback(&base) && base.scheme() == "http" => builder.tls_certs_only([]),
            Trust::System => builder,
            Trust::Authorities(file) => builder.tls_certs_only(authorities(file)?),
            Trust::Unverified => builder.tls_danger_accept_invalid_certs(true),
        };
        let client = builder.build().map_err(|error| format!("the HTTP client cannot start: {error}"))?;
        Ok(Wire { client, base, trust, limits, places: None, sent: Arc::default(), archives: None })
    }

    /// The same client, of whose requests at most so many are under way at once, those of its clones included.
    #[must_use]
    pub fn with_at_most(self, requests: u32) -> Self {
        let free = Semaphore::new(requests as usize);
        Wire { places: Some(Arc::new(Places { free, most: requests, fewer: Mutex::default() })), ..self }
    }

    /// Waits for the places of so many requests at once, which are then sent by a client that [keeps idle
    /// connections](Wire::keeping_idle).
    pub async fn places(&self, requests: usize) -> UnderWay {
        match &self.places {
            Some(places) => places.take(u32::try_from(requests).unwrap_or(u32::MAX)).await,
            None => UnderWay { places: None },
        }
    }

    /// A client of the same target that keeps idle connections and uses them again.
    pub fn keeping_idle(&self) -> Result<Self, String> {
        let wire = Wire::trusting(self.base.clone(), Reuse::WhenIdle, self.trust.clone(), self.limits)?;
        Ok(Wire { sent: Arc::clone(&self.sent), archives: self.archives.clone(), ..wire })
    }

    /// How long it waits.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// How many requests were sent so far.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// The target's address.
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// Whether an address is on the target. The error says where else it is.
    pub fn reaches(&self, address: &str) -> Result<(), String> {
        locate(&self.base, address).map(|_| ())
    }

    /// Sends a request. The answer is absent when there was no usable one; the exchange says why.
    pub async fn send(&self, outgoing: Outgoing, hide: impl Fn(&str) -> String) -> (Option<Answer>, Exchange) {
        let mut place = self.places(1).await;
        let started = Instant::now();
        let mut exchange = Exchange {
            headers: outgoing.headers.iter().map(|(name, _, shown)| (name.clone(), shown.clone())).collect(),
            body: outgoing.body.as_ref().map(|(_, shown)| shorten(shown)),
            ..Exchange::of(outgoing.shown_line())
        };
        let answer = exchange.note(self.exchange(outgoing).await, hide);
        let took = started.elapsed();
        if let Some(places) = &self.places {
            places.heed(&mut place, took);
        }
        exchange.elapsed_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        (answer, exchange)
    }

    /// Passes on what another client has sent to a place of the target, as it is. What came back is as it came.
    pub async fn relay(
        &self,
        method: &str,
        place: &str,
        headers: &[(String, String)],
        body: Vec<u8>,
    ) -> Result<Answer, Fault> {
        let mut url = self.base.clone();
        let (path, query) = place.split_once('?').map_or((place, None), |(path, query)| (path, Some(query)));
        url.set_path(path);
        url.set_query(query);
        let method = reqwest::Method::from_bytes(method.as_bytes())
            .map_err(|error| Fault::new(FaultKind::NotSendable, error.to_string()))?;
        let mut request = self.client.request(method, url).body(body);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        self.answered(request).await
    }

    async fn exchange(&self, outgoing: Outgoing) -> Result<Answer, Fault> {
        let url = locate(&self.base, &outgoing.place).map_err(|error| Fault::new(FaultKind::NotSendable, error))?;
        let method = match outgoing.method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
            Method::Put => reqwest::Method::PUT,
            Method::Delete => reqwest::Method::DELETE,
        };
        let mut request = self.client.request(method, url);
        for (name, value, _) in &outgoing.headers {
            request = request.header(name, value);
        }
        if let Some((body, _)) = outgoing.body {
            request = request.body(body);
        }
        let answer = self.answered(request).await?;
        if answer.is_garbled() {
            return Err(unreadable(answer.status, "a body that says JSON and is not"));
        }
        Ok(answer)
    }

    /// All of an answer, within the bounds.
    async fn answered(&self, request: reqwest::RequestBuilder) -> Result<Answer, Fault> {
        let fault = |error: reqwest::Error| Fault::of(&error, self.limits);
        self.sent.fetch_add(1, Ordering::Relaxed);
        let mut response = request.send().await.map_err(fault)?;
        let status = response.status().as_u16();
        let headers = response
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(fault)? {
            if body.len() + chunk.len() > BODY_LIMIT {
                return Err(unreadable(status, &format!("a body of more than {BODY_LIMIT} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, json: serde_json::from_slice(&body).ok(), headers, body })
    }
}

fn unreadable(status: u16, what: &str) -> Fault {
    Fault::new(FaultKind::Unreadable, format!("status {status} with {what}"))
}

/// The certificates in a file.
fn authorities(file: &Path) -> Result<Vec<Certificate>, String> {
    let cannot = |what: String| format!("--cacert {}: {what}", file.display());
    let pem = std::fs::read(file).map_err(|error| cannot(format!("cannot be read: {error}")))?;
    match Certificate::from_pem_bundle(&pem) {
        Ok(certificates) if certificates.is_empty() => Err(cannot("holds no certificate in PEM".to_owned())),
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(cannot(format!("holds no certificate in PEM: {error}"))),
    }
}

/// The address of a place: a path below the target's own, or an absolute address that the target handed out, which
/// must be on it. A target that calls itself by another name of loopback is spoken to under the name it was given by.
pub(crate) fn locate(base: &Url, place: &str) -> Result<Url, String> {
    let mut url = base.clone();
    let path_and_query = if place.starts_with("http://") || place.starts_with("https://") {
        let named = Url::parse(place).map_err(|error| format!("not an address: {error}"))?;
        if !same_origin(&named, base) {
            return Err(format!("an address outside the target, on {}", named.host_str().unwrap_or("no host")));
        }
        named.query().map_or_else(|| named.path().to_owned(), |query| format!("{}?{query}", named.path()))
    } else {
        format!("{}/{}", base.path().trim_end_matches('/'), place.trim_start_matches('/'))
    };
    let (path, query) = match path_and_query.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (path_and_query.as_str(), None),
    };
    url.set_path(path);
    url.set_query(query);
    Ok(url)
}

/// Whether the address is this machine's own.
pub fn is_loopback(url: &Url) -> bool {
    match url.host_str() {
        Some("localhost") => true,
        Some(host) => {
            host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        None => false,
    }
}

/// The same scheme, host and port; the names of loopback count as one host.
fn same_origin(one: &Url, other: &Url) -> bool {
    let host = one.host_str() == other.host_str() || (is_loopback(one) && is_loopback(other));
    host && one.scheme() == other.scheme() && one.port_or_known_default() == other.port_or_known_default()
}

/// A text of evidence, shortened to what is kept of one.
pub fn shorten(text: &str) -> String {
    match text.char_indices().nth(EVIDENCE_LIMIT) {
        Some((end, _)) => format!("{}… ({} bytes in all)", &text[..end], text.len()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_below_the_targets_path_and_never_on_another_host() {
        let at = |base: &str, place: &str| locate(&Url::parse(base).expect("a base"), place).map(String::from);
        let local = "http://127.0.0.1:4873";
        assert_eq!(
            at(local, "/-/v1/search?text=a&size=1").as_deref(),
            Ok("http://127.0.0.1:4873/-/v1/search?text=a&size=1")
        );
        assert_eq!(at(local, "/@a%2fb").as_deref(), Ok("http://127.0.0.1:4873/@a%2fb"));
        for base in ["http://127.0.0.1:4873/npm", "http://127.0.0.1:4873/npm/"] {
            assert_eq!(at(base, "/-/ping").as_deref(), Ok("http://127.0.0.1:4873/npm/-/ping"));
            let handed_out = "http://localhost:4873/npm/-/v1/done?id=1";
            assert_eq!(at(base, handed_out).as_deref(), Ok("http://127.0.0.1:4873/npm/-/v1/done?id=1"));
        }
        for elsewhere in [
            "http://example.test/",
            "https://127.0.0.1:4873/",
            "http://127.0.0.1:4874/",
            "http://127.0.0.1:4873@example.test/",
        ] {
            assert!(at(local, elsewhere).is_err(), "{elsewhere}");
        }
        // A place is never an address of its own, whatever it looks like.
        assert_eq!(at(local, "//example.test/a").as_deref(), Ok("http://127.0.0.1:4873/example.test/a"));
    }
}
