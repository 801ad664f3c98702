//! A relay between the checker and the registry, for what happens on the way.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, Response, StatusCode, Uri};

use tokio::sync::Mutex;

use super::Target;

/// What becomes of a request.
pub enum Relayed {
    /// The registry answers it.
    Forwarded,
    /// The registry answers it, and the answer says another `date`.
    Stamped(&'static str),
    /// The relay asks for a one-time password.
    Challenged,
    /// The relay turns it down, with this status and no challenge.
    Refused(StatusCode),
    /// The relay asks for patience, in seconds.
    Throttled(u32),
    /// The connection breaks before there is an answer.
    Dropped,
    /// The relay answers with this status, header and JSON.
    Answered(StatusCode, (&'static str, &'static str), &'static str),
    /// The registry is asked for another path, and its answer is altered.
    Altered(fn(&str) -> String, Alteration),
    /// The registry answers it, and the headers of its answer are altered.
    Headed(Headed),
    /// The registry answers it until that is 200, which is what everybody is told who asks again.
    Same,
    /// The registry is asked what the relay makes of the JSON body.
    Rewritten(Rewriting),
}

/// What a registry of another make would say in the headers of an answer.
pub type Headed = Arc<dyn Fn(StatusCode, &mut HeaderMap) + Send + Sync>;

/// What a registry of another make would have been asked.
pub type Rewriting = Arc<dyn Fn(&mut serde_json::Value) + Send + Sync>;

/// What a registry of another make would answer in place of a JSON answer.
pub type Alteration = fn(StatusCode, serde_json::Value) -> (StatusCode, serde_json::Value);

/// The address of a relay that serves the target below a path.
pub async fn relay(
    target: &Target,
    path: &'static str,
    decide: impl Fn(&Parts) -> Relayed + Send + Sync + 'static,
) -> reqwest::Url {
    let (client, base) = (reqwest::Client::builder().no_proxy().build().expect("a client"), target.base.clone());
    let decide = Arc::new(decide);
    let told: Arc<Mutex<HashMap<String, Bytes>>> = Arc::default();
    let app = Router::new().fallback(move |request: Request| {
        let (client, url, decide) = (client.clone(), base.clone(), Arc::clone(&decide));
        let told = Arc::clone(&told);
        async move {
            let (mut parts, mut body) = request.into_parts();
            let mut alteration: Option<Alteration> = None;
            let mut headed: Option<Headed> = None;
            let date = match decide(&parts) {
                Relayed::Forwarded => None,
                Relayed::Stamped(date) => Some(date),
                Relayed::Altered(other, altered) => {
                    alteration = Some(altered);
                    parts.uri = other(&parts.uri.to_string()).parse().expect("an address");
                    None
                }
                Relayed::Headed(alteration) => {
                    headed = Some(alteration);
                    None
                }
                Relayed::Same => {
                    // Whoever asks at the same time waits for what the first is told.
                    let mut told = told.lock().await;
                    let place = parts.uri.to_string();
                    if let Some(body) = told.get(&place) {
                        return Response::new(Body::from(body.clone()));
                    }
                    let (answered, body) = forward(client, url, path, parts, body, None).await.into_parts();
                    let body = to_bytes(body, usize::MAX).await.expect("a body");
                    if answered.status == StatusCode::OK {
                        told.insert(place, body.clone());
                    }
                    return Response::from_parts(answered, Body::from(body));
                }
                Relayed::Rewritten(rewrite) => {
                    let bytes = to_bytes(body, usize::MAX).await.expect("a body");
                    let rewritten = serde_json::from_slice(&bytes).map(|mut json| {
                        rewrite(&mut json);
                        parts.headers.remove("content-length");
                        json.to_string()
                    });
                    body = rewritten.map_or_else(|_| Body::from(bytes), Body::from);
                    None
                }
                Relayed::Challenged => {
                    let answer = Response::builder().status(StatusCode::UNAUTHORIZED).header("www-authenticate", "OTP");
                    let words = r#"{"error":"You must provide a one-time pass."}"#;
                    let answer = answer.header("content-type", "application/json");
                    return answer.body(Body::from(words)).expect("an answer");
                }
                Relayed::Refused(status) => {
                    let answer = Response::builder().status(status).header("content-type", "application/json");
                    return answer.body(Body::from(r#"{"error":"not here"}"#)).expect("an answer");
                }
                Relayed::Dropped => {
                    let broken = futures_util::stream::iter([Err::<Vec<u8>, _>(std::io::ErrorKind::ConnectionReset)]);
                    let broken = futures_util::TryStreamExt::map_err(broken, std::io::Error::from);
                    return Response::new(Body::from_stream(broken));
                }
                Relayed::Answered(status, (header, value), json) => {
                    let answer = Response::builder().status(status).header("content-type", "application/json");
                    return answer.header(header, value).body(Body::from(json)).expect("an answer");
                }
                Relayed::Throttled(seconds) => {
                    let answer = Response::builder().status(StatusCode::TOO_MANY_REQUESTS);
                    return answer.header("retry-after", seconds).body(Body::empty()).expect("an answer");
                }
            };
            let mut answer = forward(client, url, path, parts, body, date).await;
            if let Some(headed) = headed {
                headed(answer.status(), answer.headers_mut());
            }
            match alteration {
                Some(alteration) => altered(answer, alteration).await,
                None => answer,
            }
        }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = format!("http://{}{path}", listener.local_addr().expect("an address"));
    tokio::spawn(axum::serve(listener, app).into_future());
    address.parse().expect("an address")
}

async fn altered(answer: Response<Body>, alteration: Alteration) -> Response<Body> {
    let (mut parts, body) = answer.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.expect("a body");
    let Ok(json) = serde_json::from_slice(&bytes) else {
        return Response::from_parts(parts, Body::from(bytes));
    };
    let (status, json) = alteration(parts.status, json);
    parts.status = status;
    parts.headers.remove("content-length");
    Response::from_parts(parts, Body::from(json.to_string()))
}

async fn forward(
    client: reqwest::Client,
    mut url: reqwest::Url,
    path: &str,
    parts: Parts,
    body: Body,
    date: Option<&str>,
) -> Response<Body> {
    let Some(rest) = parts.uri.path().strip_prefix(path) else {
        return Response::builder().status(StatusCode::IM_A_TEAPOT).body(Body::empty()).expect("an answer");
    };
    url.set_path(rest);
    url.set_query(parts.uri.query());
    let body = to_bytes(body, usize::MAX).await.expect("a body");
    let sent = client.request(parts.method, url).headers(parts.headers).body(body).send().await;
    let answer = sent.expect("the registry answers");
    let mut relayed = Response::builder().status(answer.status());
    for (name, value) in answer.headers().iter().filter(|(name, _)| date.is_none() || *name != "date") {
        relayed = relayed.header(name, value);
    }
    if let Some(date) = date {
        relayed = relayed.header("date", date);
    }
    relayed.body(Body::from(answer.bytes().await.expect("a body"))).expect("an answer")
}

/// An answer as a front gives it.
pub struct Answered {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// Whether the connection breaks before the body is whole.
    pub breaks: bool,
}

impl Answered {
    /// One that breaks off.
    pub fn broken() -> Self {
        Answered { breaks: true, ..Answered::json(StatusCode::OK, "{") }
    }

    /// One with a JSON body, or with a text that only says so.
    pub fn json(status: StatusCode, text: &str) -> Self {
        let headers = [("content-type", "application/json")];
        let headers = headers.map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value")));
        Answered {
            status,
            headers: HeaderMap::from_iter(headers),
            body: Bytes::copy_from_slice(text.as_bytes()),
            breaks: false,
        }
    }

    /// With one header more.
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.insert(name, value.parse().expect("a value"));
        self
    }

    /// Its body as JSON; null where it is none.
    pub fn read(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// One request to a front.
#[derive(Clone)]
pub struct Asked {
    pub method: Method,
    pub uri: Uri,
    pub headers: HeaderMap,
    pub body: Bytes,
    client: reqwest::Client,
    base: reqwest::Url,
}

impl Asked {
    /// What the registry answers.
    pub async fn forward(&self) -> Answered {
        let mut url = self.base.clone();
        url.set_path(self.uri.path());
        url.set_query(self.uri.query());
        let sent = self.client.request(self.method.clone(), url).headers(self.headers.clone()).body(self.body.clone());
        let answer = sent.send().await.expect("the registry answers");
        let (status, mut headers) = (answer.status(), answer.headers().clone());
        headers.remove("content-length");
        headers.remove("transfer-encoding");
        Answered { status, headers, body: answer.bytes().await.expect("a body"), breaks: false }
    }

    /// Whether it carries this header.
    pub fn has(&self, header: &str) -> bool {
        self.headers.contains_key(header)
    }

    /// Its method and path.
    pub fn line(&self) -> String {
        format!("{} {}", self.method, self.uri)
    }
}

/// The address of a front of the target that answers each request in its own way.
pub async fn front<F, A>(target: &Target, answer: F) -> reqwest::Url
where
    F: Fn(Asked) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Answered> + Send + 'static,
{
    let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build();
    let (client, base) = (client.expect("a client"), target.base.clone());
    let app = Router::new().fallback(move |request: Request| {
        let (client, base, answer) = (client.clone(), base.clone(), answer.clone());
        async move {
            let (parts, body) = request.into_parts();
            let body = to_bytes(body, usize::MAX).await.expect("a body");
            let Parts { method, uri, headers, .. } = parts;
            let Answered { status, headers, body, breaks } =
                answer(Asked { method, uri, headers, body, client, base }).await;
            let rest = if breaks { Some(Err(std::io::Error::other("it breaks off"))) } else { None };
            let parts = futures_util::stream::iter(std::iter::once(Ok(body)).chain(rest));
            let mut response = Response::new(Body::from_stream(parts));
            (*response.status_mut(), *response.headers_mut()) = (status, headers);
            response
        }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = format!("http://{}/", listener.local_addr().expect("an address"));
    tokio::spawn(axum::serve(listener, app).into_future());
    address.parse().expect("an address")
}
