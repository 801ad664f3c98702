//! Registries of another make that have fewer doors, or ask other clients in other words: none of them is at fault.

use axum::http::StatusCode;
use axum::http::request::Parts;
use serde_json::json;
use stepup::check::Provisioner;
use stepup::result::{CaseResult, Status};

use crate::in_process::relay::{Alteration, Relayed, relay};
use crate::in_process::{Target, wrong};

fn header<'a>(parts: &'a Parts, name: &str) -> &'a str {
    parts.headers.get(name).map_or("", |value| value.to_str().expect("text"))
}

/// The cases of Basic credentials on a registry that takes none.
async fn without_basic(refusal: StatusCode) -> Vec<CaseResult> {
    let mut target = Target::start(&[]).await;
    let decide = move |parts: &Parts| match header(parts, "authorization").starts_with("Basic ") {
        true => Relayed::Refused(refusal),
        false => Relayed::Forwarded,
    };
    target.base = relay(&target, "/", decide).await;
    target.run(Provisioner::SelfService, &["basic/**", "*/login:legacy-rev/*/*"]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_need_not_take_a_name_and_a_password_with_each_request() {
    for refusal in [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN, StatusCode::NOT_FOUND] {
        let results = without_basic(refusal).await;
        assert!(results.len() > 12, "{}", results.len());
        for case in results {
            assert_eq!((case.status, &case.left[..]), (Status::Unsupported, &[][..]), "{}: {}", case.id, case.observed);
        }
    }
}

/// One that asks npm in npm's words, and others, whatever they say that they can open, in its own.
#[tokio::test(flavor = "multi_thread")]
async fn other_clients_may_be_asked_in_other_words_and_without_a_page() {
    let plain: Alteration = |status, json| (status, json);
    let own_words: Alteration = |status, json| match status {
        StatusCode::UNAUTHORIZED => (status, json!({ "message": "a code, please", "otp": true })),
        _ => (status, json),
    };
    let mut target = Target::start(&[]).await;
    let decide = move |parts: &Parts| {
        let npm = header(parts, "user-agent").starts_with("npm/11");
        Relayed::Altered(str::to_owned, if npm { plain } else { own_words })
    };
    target.base = relay(&target, "/", decide).await;
    let results = target.run(Provisioner::SelfService, &["clients/**"]).await;
    assert_eq!((results.len(), wrong(&results)), (13, vec![]));
}
