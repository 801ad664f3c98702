//! What a run leaves on its target: less than it made, and what it leaves it says.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{Method, Response};
use stepup::check::Provisioner;
use stepup::check::scene::{Conduct, Scene, Stage};
use stepup::dialect::step::Step;
use stepup::judge::Outcome;
use stepup::persona::Persona;
use stepup::persona::key::Maker;
use stepup::persona::ledger::Skew;
use stepup::registry::{Registry, Settings, serve};
use stepup::secret::{Secret, SecretKind};
use stepup::wire::{Reuse, Wire};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::in_process::relay::{Relayed, relay};
use crate::in_process::{Target, wrong};
use crate::program;

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_a_scenario_opens_beside_the_first_is_ended() {
    let mut target = Target::start(&[]).await;
    let ended: Arc<Mutex<Vec<(String, String)>>> = Arc::default();
    let heard = Arc::clone(&ended);
    let decide = move |parts: &Parts| {
        if let (&Method::DELETE, Some(session)) = (&parts.method, parts.uri.path().strip_prefix("/-/user/token/")) {
            let by = parts.headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
            let mut ended = heard.lock().expect("no test panics with it");
            ended.push((by.trim_start_matches("Bearer ").to_owned(), session.to_owned()));
        }
        Relayed::Forwarded
    };
    target.base = relay(&target, "/", decide).await;
    let results = target.run(Provisioner::SelfService, &["sequences/password-changed/**"]).await;
    assert_eq!(wrong(&results), Vec::<String>::new());
    let ended = ended.lock().expect("no test panics with it");
    assert!(ended.iter().all(|(by, session)| by == session), "each session ends itself: {ended:?}");
    // One is of the log-in that shows the new password, the other of the scenario's own.
    let sessions: BTreeSet<&String> = ended.iter().map(|(_, session)| session).collect();
    assert_eq!(sessions.len(), 2, "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_package_without_versions_is_removed_as_well() {
    let target = Target::start(&[]).await;
    let dialect = Arc::new(stepup::target::find("embedded").expect("the target").dialect);
    let stage = Stage {
        wire: Wire::new(target.base.clone(), Reuse::WhenIdle).expect("a client"),
        dialect,
        clock: target.clock.clone(),
        skew: Skew { behind: 1, ahead: 1 },
        maker: Maker::default(),
        browser: Arc::default(),
        guard_ms: 0,
        routes: Arc::default(),
        offset_ms: 0,
        proven: Default::default(),
        journal: None,
        jobs: Arc::new(Semaphore::new(1)),
        waits: stepup::check::waits::Waits::default(),
        spread: false,
        stop: stepup::check::stop::Stop::default(),
    };
    let user = Persona::new("anna".to_owned(), Secret::new(SecretKind::Password, "a long password"));
    let mut scene = Scene::open(&stage, user, "disabled", "a shell").await;
    let object = minijinja::Value::from(minijinja::value::Serde(&serde_json::json!({ "name": "su0-shell" })));
    scene.take_up(object, std::collections::BTreeMap::new());
    let steps = r#"
        - { do: sign-up }
        - { do: one-package }
        - { request: "GET /su0-shell?write=true", keep: { rev: /_rev, document: "" } }
        - request: "PUT /su0-shell/-rev/{{ kept.rev }}"
          json: "{{ kept.document | with('/versions', {}) | with('/dist-tags', {}) }}"
        - { request: GET /su0-shell, expect: { status: 200, json: { /versions: { length: 0 } } } }
        - { do: remove-package, with: { name: su0-shell } }
        - { request: GET /su0-shell, expect: { status: 404 } }
    "#;
    let steps: Vec<Step> = stepup::yaml::parse("steps", steps).expect("steps");
    let ended = scene.perform(&steps, &Conduct::Bare).await.expect("no mistake of ours");
    assert_eq!(ended.outcome, Outcome::Accepted, "{}", ended.saw);
}

/// A registry behind a relay that never answers the first publish, and passes it on when the package has been looked for
/// in order to be removed.
async fn that_publishes_late() -> String {
    let registry = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let upstream = registry.local_addr().expect("an address");
    tokio::spawn(serve(registry, Registry::new(Settings::new(Arc::new(SystemTime::now))), std::future::pending()));
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let held: Arc<Mutex<Vec<(Parts, Bytes)>>> = Arc::default();
    let app = Router::new().fallback(move |request: Request| {
        let (client, held) = (client.clone(), Arc::clone(&held));
        async move {
            let (parts, body) = request.into_parts();
            let body = to_bytes(body, usize::MAX).await.expect("a body");
            let forward = async |parts: &Parts, body: Bytes| {
                let url = format!("http://{upstream}{}", parts.uri);
                let sent = client.request(parts.method.clone(), url).headers(parts.headers.clone()).body(body);
                sent.send().await.expect("the registry answers")
            };
            if parts.method == Method::PUT && parts.uri.path().starts_with("/su") {
                held.lock().expect("no test panics with it").push((parts, body));
                return std::future::pending().await;
            }
            let answer = forward(&parts, body).await;
            let late = match parts.uri.query() {
                Some("write=true") => held.lock().expect("no test panics with it").pop(),
                _ => None,
            };
            if let Some((parts, body)) = late {
                assert!(forward(&parts, body).await.status().is_success(), "it is published in the end");
            }
            let mut relayed = Response::builder().status(answer.status());
            for (name, value) in answer.headers() {
                relayed = relayed.header(name, value);
            }
            relayed.body(Body::from(answer.bytes().await.expect("a body"))).expect("an answer")
        }
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(axum::serve(listener, app).into_future());
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_to_be_after_it_was_to_be_undone_is_found_and_removed() {
    let base = that_publishes_late().await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("late.yaml").display().to_string();
    let text = format!("name: late\nstart: running\nbase: {base}\nlimits: {{ answer: 3 s }}\n");
    std::fs::write(&file, text).expect("written");
    let check = move || program::check(&["--target", &file, "--case", "disabled/publish/none/wire"]);
    let ran = tokio::task::spawn_blocking(check).await.expect("it ends");
    let result = ran.result.unwrap_or_else(|| panic!("no result: {}", ran.said));
    assert!(result.cases[0].observed.contains("no answer within 3 s"), "{}", result.cases[0].observed);
    assert_eq!(result.cases[0].left, Vec::<String>::new());
    let found = reqwest::get(format!("{base}/-/v1/search?text=su&size=9")).await.expect("an answer");
    let found: serde_json::Value = found.json().await.expect("JSON");
    assert_eq!(found["objects"], serde_json::json!([]), "it was removed");
}
