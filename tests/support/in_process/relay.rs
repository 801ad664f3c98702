//! A relay between the checker and the registry, for what happens on the way.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{Response, StatusCode};

use super::Target;

/// What becomes of a request.
pub enum Relayed {
    /// The registry answers it.
    Forwarded,
    /// The registry answers it, and the answer says another `date`.
    Stamped(&'static str),
    /// The relay asks for a one-time password.
    Challenged,
    /// The relay asks for patience, in seconds.
    Throttled(u32),
    /// The registry is asked for another path, and its answer is altered.
    Altered(fn(&str) -> String, Alteration),
}

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
    let app = Router::new().fallback(move |request: Request| {
        let (client, url, decide) = (client.clone(), base.clone(), Arc::clone(&decide));
        async move {
            let (mut parts, body) = request.into_parts();
            let mut alteration: Option<Alteration> = None;
            let date = match decide(&parts) {
                Relayed::Forwarded => None,
                Relayed::Stamped(date) => Some(date),
                Relayed::Altered(other, altered) => {
                    alteration = Some(altered);
                    parts.uri = other(&parts.uri.to_string()).parse().expect("an address");
                    None
                }
                Relayed::Challenged => {
                    let answer = Response::builder().status(StatusCode::UNAUTHORIZED).header("www-authenticate", "OTP");
                    let words = r#"{"error":"You must provide a one-time pass."}"#;
                    let answer = answer.header("content-type", "application/json");
                    return answer.body(Body::from(words)).expect("an answer");
                }
                Relayed::Throttled(seconds) => {
                    let answer = Response::builder().status(StatusCode::TOO_MANY_REQUESTS);
                    return answer.header("retry-after", seconds).body(Body::empty()).expect("an answer");
                }
            };
            let answer = forward(client, url, path, parts, body, date).await;
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
