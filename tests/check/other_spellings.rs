//! Registries that know a scoped name by some of its spellings alone, each in a way of its own: none of them is at fault.

use axum::http::StatusCode;
use axum::http::request::Parts;
use serde_json::json;
use stepup::check::Provisioner;
use stepup::judge::Verdict;
use stepup::result::{CaseResult, Status};

use crate::in_process::Target;
use crate::in_process::relay::{Alteration, Relayed, relay};

const CASES: [&str; 1] = ["packages/scoped-name-*/*/totp/*"];

fn nowhere(_: &str) -> String {
    "/-/no/such/route".to_owned()
}

/// Whether a path has a scope whose name follows in another way than npm's.
fn is_foreign(path: &str) -> bool {
    path.contains("/@") && !path.contains("%2f")
}

/// The cases on a registry that turns these paths away.
async fn turned_away(is_unknown: fn(&str) -> bool, answer: Alteration) -> Vec<CaseResult> {
    let mut target = Target::start(&[]).await;
    let decide = move |parts: &Parts| match is_unknown(parts.uri.path()) {
        true => Relayed::Altered(nowhere, answer),
        false => Relayed::Forwarded,
    };
    target.base = relay(&target, "/", decide).await;
    let results = target.run(Provisioner::SelfService, &CASES).await;
    assert_eq!(results.len(), 3);
    results
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spelling_that_is_turned_away_is_unsupported() {
    let answers: [Alteration; 4] = [
        |status, json| (status, json),
        |_, _| (StatusCode::BAD_REQUEST, json!({ "error": "that is no name of a package" })),
        |_, _| (StatusCode::METHOD_NOT_ALLOWED, json!({})),
        |_, _| (StatusCode::UNAUTHORIZED, json!({ "error": "you must be logged in" })),
    ];
    for answer in answers {
        for case in turned_away(is_foreign, answer).await {
            let expected = if case.id.contains("-lower") { Status::Pass } else { Status::Unsupported };
            assert_eq!(case.status, expected, "{}: {}", case.id, case.observed);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spelling_that_is_known_for_some_actions_is_judged_there() {
    let of_settings = |path: &str| path.starts_with("/-/package/") && is_foreign(path);
    for case in turned_away(of_settings, |status, json| (status, json)).await {
        assert_eq!(case.verdicts, [Verdict::Exact], "{}: {}", case.id, case.observed);
        let told = case.observed.contains("` is not known: ");
        assert_eq!(told, !case.id.contains("-lower"), "{}: {}", case.id, case.observed);
    }
}

/// One that answers success and does nothing at a name that it takes for another.
#[tokio::test(flavor = "multi_thread")]
async fn a_success_that_does_nothing_at_another_spelling_is_no_way_through() {
    let answer: Alteration = |_, _| (StatusCode::OK, json!({ "ok": true }));
    for case in turned_away(is_foreign, answer).await {
        let expected = if case.id.contains("-lower") { Status::Pass } else { Status::Unsupported };
        assert_eq!(case.status, expected, "{}: {}", case.id, case.observed);
    }
}
