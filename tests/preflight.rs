//! What is learnt of a target before its first case.

mod in_process;

use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{Response, StatusCode};
use in_process::{Target, wrong};
use stepup::check::Provisioner;

#[tokio::test(flavor = "multi_thread")]
async fn a_target_whose_clock_is_ahead_is_sent_codes_of_its_own_time() {
    let target = Target::ahead(&[], Duration::from_secs(100)).await;
    let results =
        target.run(Provisioner::SelfService, &["auth-only/token-create/*", "auth-and-writes/publish/*"]).await;
    assert_eq!((results.len(), wrong(&results)), (2, vec![]));
    let offset = target.offset_ms.get();
    assert!((99_000..=101_000).contains(&offset), "{offset}");
}

/// A relay that puts the target below a path and stamps its answers with a time of its own.
async fn relay(target: &Target, date: &'static str) -> reqwest::Url {
    let (client, base) = (reqwest::Client::builder().no_proxy().build().expect("a client"), target.base.clone());
    let app = Router::new().fallback(move |request: Request| {
        let (client, mut url) = (client.clone(), base.clone());
        async move {
            let (parts, body) = request.into_parts();
            let Some(path) = parts.uri.path().strip_prefix("/npm") else {
                return Response::builder().status(StatusCode::IM_A_TEAPOT).body(Body::empty()).expect("an answer");
            };
            url.set_path(path);
            url.set_query(parts.uri.query());
            let body = to_bytes(body, usize::MAX).await.expect("a body");
            let sent = client.request(parts.method, url).headers(parts.headers).body(body).send().await;
            let answer = sent.expect("the registry answers");
            let mut relayed = Response::builder().status(answer.status());
            for (name, value) in answer.headers().iter().filter(|(name, _)| *name != "date") {
                relayed = relayed.header(name, value);
            }
            let relayed = relayed.header("date", date);
            relayed.body(Body::from(answer.bytes().await.expect("a body"))).expect("an answer")
        }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = format!("http://{}/npm/", listener.local_addr().expect("an address"));
    tokio::spawn(axum::serve(listener, app).into_future());
    address.parse().expect("an address")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_below_a_path_whose_relay_stamps_a_false_date_is_judged_right() {
    let mut target = Target::start(&[]).await;
    target.base = relay(&target, "Sun, 06 Nov 1994 08:49:37 GMT").await;
    let results =
        target.run(Provisioner::SelfService, &["auth-only/token-create/*", "auth-and-writes/publish/*"]).await;
    assert_eq!((results.len(), wrong(&results)), (2, vec![]));
    assert_eq!(target.offset_ms.get(), 0, "codes of our own time were right");
}
