//! The wire client: sends one request within stated bounds and records the exchange with its secrets hidden.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Url};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::dialect::predicate::Answer;
use crate::dialect::step::Method;

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long an answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// The largest body that is read, in bytes.
const BODY_LIMIT: usize = 4 * 1024 * 1024;
/// How the fault of an exchange begins in which no answer came in time.
pub const NO_ANSWER: &str = "no answer in time";
/// How it begins where there was no connection, so that nothing was sent.
pub const NO_CONNECTION: &str = "connection refused";
/// How it begins where what came back is no answer that can be read: the status, and what is wrong.
pub const UNREADABLE: &str = "status ";
/// How what rustls says of a certificate begins.
const BAD_CERTIFICATE: &str = "invalid peer certificate";
/// How rustls calls what many make with `openssl req -x509` for a server.
const CA_AS_SERVER: &str = "CaUsedAsEndEntity";
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
    /// How long it took, in microseconds.
    pub elapsed_us: u64,
}

/// A request that is ready to be sent, beside the form in which it may be shown.
#[derive(Debug)]
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

/// A client of one target, and of no other host.
#[derive(Debug, Clone)]
pub struct Wire {
    client: Client,
    base: Url,
    trust: Trust,
}

impl Wire {
    /// A client of the target at `base`. Without `reuse` each request has a connection of its own, so that a target
    /// that closes an idle one at the wrong moment is not taken for one that fails.
    pub fn new(base: Url, reuse: Reuse) -> Result<Self, String> {
        Wire::trusting(base, reuse, Trust::System)
    }

    /// Such a client that verifies certificates in this way.
    pub fn trusting(base: Url, reuse: Reuse, trust: Trust) -> Result<Self, String> {
        Wire::built(base, reuse, trust, None, (CONNECT_TIMEOUT, ANSWER_TIMEOUT))
    }

    /// Such a client that goes to this address of the host, past any proxy.
    pub fn straight(base: Url, trust: Trust, address: SocketAddr) -> Result<Self, String> {
        Wire::built(base, Reuse::Never, trust, Some(address), (CONNECT_TIMEOUT, ANSWER_TIMEOUT))
    }

    /// Such a client that waits so long for a connection, and for an answer, and goes to the address if one is given, past
    /// any proxy.
    pub fn patient(
        base: Url,
        reuse: Reuse,
        trust: Trust,
        address: Option<SocketAddr>,
        patience: Duration,
    ) -> Result<Self, String> {
        Wire::built(base, reuse, trust, address, (patience, patience))
    }

    fn built(
        base: Url,
        reuse: Reuse,
        trust: Trust,
        address: Option<SocketAddr>,
        (connect, answer): (Duration, Duration),
    ) -> Result<Self, String> {
        // A second call finds the provider installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = Client::builder()
            .redirect(Policy::none())
            .connect_timeout(connect)
            .timeout(answer)
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
        Ok(Wire { client, base, trust })
    }

    /// A client of the same target that keeps idle connections and uses them again.
    pub fn keeping_idle(&self) -> Result<Self, String> {
        Wire::trusting(self.base.clone(), Reuse::WhenIdle, self.trust.clone())
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
        let started = Instant::now();
        let mut exchange = Exchange {
            request: outgoing.shown_line(),
            headers: outgoing.headers.iter().map(|(name, _, shown)| (name.clone(), shown.clone())).collect(),
            body: outgoing.body.as_ref().map(|(_, shown)| shorten(shown)),
            status: None,
            answer_headers: Vec::new(),
            answer_body: None,
            fault: None,
            elapsed_us: 0,
        };
        let answer = match self.exchange(outgoing).await {
            Ok(answer) => {
                exchange.status = Some(answer.status);
                exchange.answer_headers =
                    answer.headers.iter().map(|(name, value)| (name.clone(), hide(value))).collect();
                exchange.answer_body = Some(shorten(&hide(&String::from_utf8_lossy(&answer.body))));
                Some(answer)
            }
            Err(fault) => {
                exchange.fault = Some(fault);
                None
            }
        };
        exchange.elapsed_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        (answer, exchange)
    }

    /// Passes on what another client has sent to a place of the target, as it is. What came back is as it came.
    pub async fn relay(
        &self,
        method: &str,
        place: &str,
        headers: &[(String, String)],
        body: Vec<u8>,
    ) -> Result<Answer, String> {
        let mut url = self.base.clone();
        let (path, query) = place.split_once('?').map_or((place, None), |(path, query)| (path, Some(query)));
        url.set_path(path);
        url.set_query(query);
        let method = reqwest::Method::from_bytes(method.as_bytes()).map_err(|error| error.to_string())?;
        let mut request = self.client.request(method, url).body(body);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        received(request.send().await.map_err(|error| describe(&error))?).await
    }

    async fn exchange(&self, outgoing: Outgoing) -> Result<Answer, String> {
        let url = locate(&self.base, &outgoing.place)?;
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
        let answer = received(request.send().await.map_err(|error| describe(&error))?).await?;
        let claims_json = answer.header("content-type").any(|kind| kind.contains("json"));
        if claims_json && answer.json.is_none() && !answer.body.is_empty() {
            return Err(format!("{UNREADABLE}{} with a body that says JSON and is not", answer.status));
        }
        Ok(answer)
    }
}

/// All of an answer, within the bound.
async fn received(mut response: reqwest::Response) -> Result<Answer, String> {
    let status = response.status().as_u16();
    let headers = response
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| describe(&error))? {
        if body.len() + chunk.len() > BODY_LIMIT {
            return Err(format!("{UNREADABLE}{status} with a body of more than {BODY_LIMIT} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer { status, json: serde_json::from_slice(&body).ok(), headers, body })
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

fn describe(error: &reqwest::Error) -> String {
    let what = if error.is_timeout() {
        NO_ANSWER
    } else if error.is_connect() {
        NO_CONNECTION
    } else {
        "the answer broke off"
    };
    let mut cause = std::error::Error::source(error);
    while let Some(deeper) = cause.and_then(std::error::Error::source) {
        cause = Some(deeper);
    }
    match cause {
        Some(cause) if cause.to_string().contains(CA_AS_SERVER) => {
            "its certificate is that of an authority (CA:TRUE, RFC 5280 §4.2.1.9), which shows another one as a server: \
             issue it one, or say --insecure, which reports then tell"
                .to_owned()
        }
        Some(cause) if cause.to_string().starts_with(BAD_CERTIFICATE) => {
            format!("its certificate cannot be verified: {cause}; `--cacert FILE` names who has issued it")
        }
        Some(cause) => format!("{what}: {cause}"),
        None => what.to_owned(),
    }
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
