//! Registries with other sessions, log-in pages and maintainers, each in a way of its own: none of them is at fault.

use axum::http::StatusCode;
use axum::http::request::Parts;
use serde_json::json;
use stepup::check::Provisioner;
use stepup::judge::Verdict;
use stepup::result::{CaseResult, Status};

use crate::in_process::Target;
use crate::in_process::relay::{Alteration, Relayed, relay};

/// The cases on a registry before which a relay decides.
async fn on(decide: impl Fn(&Parts) -> Relayed + Send + Sync + 'static, cases: &[&str]) -> Vec<CaseResult> {
    let mut target = Target::start(&[]).await;
    target.base = relay(&target, "/", decide).await;
    target.run(Provisioner::SelfService, cases).await
}

/// A registry that asks for nothing where this holds, and answers so.
fn instead(holds: fn(&Parts) -> bool, answer: Alteration) -> impl Fn(&Parts) -> Relayed {
    move |parts| match holds(parts) {
        true => Relayed::Altered(|_| "/-/no/such/route".to_owned(), answer),
        false => Relayed::Forwarded,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_without_a_log_out_or_with_a_door_for_sign_up_alone_is_not_judged_by_dead_sessions() {
    let log_out = |parts: &Parts| parts.uri.path().starts_with("/-/user/token/");
    let again = |parts: &Parts| parts.method == "PUT" && parts.uri.path().contains("org.couchdb.user:su0-0");
    let missing: Alteration = |status, json| (status, json);
    let results = on(instead(log_out, missing), &["tokens/logged-out-token-is-dead/*/*/*"]).await;
    assert_eq!(results.iter().map(|case| case.status).collect::<Vec<_>>(), [Status::Unsupported], "{results:#?}");
    let conflict: Alteration = |_, _| (StatusCode::CONFLICT, json!({ "error": "username is already registered" }));
    let times = std::sync::atomic::AtomicU32::new(0);
    let second = move |parts: &Parts| match again(parts) && times.fetch_add(1, std::sync::atomic::Ordering::Relaxed) > 0
    {
        true => Relayed::Altered(|_| "/-/no/such/route".to_owned(), conflict),
        false => Relayed::Forwarded,
    };
    let results = on(second, &["tokens/logged-out-token-is-dead/*/*/*"]).await;
    assert_eq!(results.iter().map(|case| case.status).collect::<Vec<_>>(), [Status::Unsupported], "{results:#?}");
}

/// One that hands the same session to whoever asks while its client may have missed the first answer.
#[tokio::test(flavor = "multi_thread")]
async fn the_same_session_for_every_poll_is_one_session() {
    let polls = |parts: &Parts| parts.uri.path().starts_with("/-/v1/done/");
    let decide = move |parts: &Parts| if polls(parts) { Relayed::Same } else { Relayed::Forwarded };
    let results = on(decide, &["security-key/log-in-at-once/*/*/*"]).await;
    assert_eq!(results.len(), 1);
    assert_eq!(results[0].verdicts, [Verdict::Exact], "{}", results[0].observed);
}

/// One that knows no address of a page that nobody has answered.
#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_not_known_yet_yields_nothing() {
    let gone: Alteration = |status, json| match status {
        StatusCode::ACCEPTED => (StatusCode::NOT_FOUND, json!({ "error": "not found" })),
        _ => (status, json),
    };
    let decide = move |_: &Parts| Relayed::Altered(str::to_owned, gone);
    let results = on(decide, &["security-key/log-in-of-another-page/*/*/*"]).await;
    assert_eq!(results.len(), 1);
    assert_eq!(results[0].verdicts, [Verdict::Exact], "{}", results[0].observed);
}

/// One that lets nobody without a second factor join a package that requires one has shown nothing of who publishes.
#[tokio::test(flavor = "multi_thread")]
async fn a_maintainer_who_may_not_join_is_no_fault() {
    let joins = |parts: &Parts| parts.method == "PUT" && parts.uri.path().contains("/-rev/");
    let refused: Alteration = |_, _| (StatusCode::FORBIDDEN, json!({ "error": "maintainers need a second factor" }));
    let results = on(instead(joins, refused), &["packages/maintainer-added-later/*/*/*"]).await;
    assert_eq!(results.len(), 1);
    assert!(!matches!(results[0].status, Status::Fail | Status::Pass), "{:#?}", results[0]);
}

/// One that answers what is no good any more in words of its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_s_proof_that_is_dead_may_be_refused_without_a_challenge() {
    let refused: Alteration = |status, json| match status {
        StatusCode::UNAUTHORIZED if json["error"].as_str().is_some_and(|text| text.contains("not accepted")) => {
            (StatusCode::FORBIDDEN, json!({ "error": "that proof has ended" }))
        }
        _ => (status, json),
    };
    let decide = move |_: &Parts| Relayed::Altered(str::to_owned, refused);
    let results = on(decide, &["security-key/token-after-*/*/*/*"]).await;
    assert_eq!(results.len(), 2);
    for case in results {
        assert_eq!(case.verdicts, [Verdict::Exact], "{}: {}", case.id, case.observed);
    }
}
