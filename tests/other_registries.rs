//! Registries of another make that do what the tables ask, each in a way of its own: none of them is at fault.

mod in_process;
mod program;

use axum::http::StatusCode;
use axum::http::request::Parts;
use in_process::relay::{Alteration, Relayed, relay};
use in_process::{Target, wrong};
use serde_json::{Value, json};
use stepup::check::Provisioner;
use stepup::result::Status;

fn same(path: &str) -> String {
    path.to_owned()
}

/// Runs these cases on a registry that answers so, and says what did not hold.
async fn faults(path: fn(&str) -> String, alteration: Alteration, cases: &[&str]) -> Vec<String> {
    let mut target = Target::start(&[]).await;
    target.base = relay(&target, "/", move |_: &Parts| Relayed::Altered(path, alteration)).await;
    let results = target.run(Provisioner::SelfService, cases).await;
    assert!(results.len() > 1, "{cases:?} selects too little");
    wrong(&results)
}

#[tokio::test(flavor = "multi_thread")]
async fn success_may_be_200_where_npm_says_201() {
    let alteration: Alteration =
        |status, json| (if status == StatusCode::CREATED { StatusCode::OK } else { status }, json);
    assert_eq!(faults(same, alteration, &["*/login/*/*", "*/profile-set:password/*/*"]).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mode_may_come_without_pending() {
    let alteration: Alteration = |status, mut json| {
        if let Some(tfa) = json.get_mut("tfa").and_then(Value::as_object_mut) {
            tfa.remove("pending");
        }
        (status, json)
    };
    let cases = ["*/mode-change/*/*", "*/mode-change:*/*/*", "*/disable-2fa/*/*"];
    assert_eq!(faults(same, alteration, &cases).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_tokens_may_come_in_pages() {
    let alteration: Alteration = |status, mut json| {
        if let Some(objects) = json.get_mut("objects").and_then(Value::as_array_mut)
            && objects.len() > 1
        {
            objects.truncate(1);
            json["urls"] = json!({ "next": "/-/npm/v1/tokens?page=1" });
        }
        (status, json)
    };
    assert_eq!(faults(same, alteration, &["*/token-create/*/*", "*/token-revoke/*/*"]).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn tarballs_may_lie_where_the_registry_says() {
    let path = |path: &str| {
        let elsewhere = path.contains(".tgz") && !path.contains("/download/");
        if elsewhere { "/nowhere/at/all".to_owned() } else { path.replace("/download/", "/-/") }
    };
    let alteration: Alteration = |status, mut json| {
        for version in
            json.get_mut("versions").and_then(Value::as_object_mut).into_iter().flat_map(|all| all.values_mut())
        {
            if let Some(tarball) = version["dist"]["tarball"].as_str() {
                version["dist"]["tarball"] = tarball.replace("/-/", "/download/").into();
            }
        }
        (status, json)
    };
    let cases = ["*/publish/*/*", "*/unpublish:*/*/*", "*/tarball/*/*"];
    assert_eq!(faults(path, alteration, &cases).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_package_that_is_gone_may_be_remembered() {
    let alteration: Alteration = |status, json| match status {
        StatusCode::NOT_FOUND => (StatusCode::OK, json!({ "name": "gone", "time": { "unpublished": {} } })),
        _ => (status, json),
    };
    assert_eq!(faults(same, alteration, &["*/unpublish:all/*/*"]).await, Vec::<String>::new());
}

/// One whose pages do not work says nothing of what they would do with a forged assertion.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_takes_no_assertion_at_all_has_turned_none_down() {
    let alteration: Alteration = |status, json| match json.pointer("/publicKey/rpId") {
        Some(_) => (StatusCode::FORBIDDEN, json!({})),
        None => (status, json),
    };
    let mut target = Target::start(&[]).await;
    target.base = relay(&target, "/", move |_: &Parts| Relayed::Altered(same, alteration)).await;
    let cases = ["security-key/{wrong-origin,for-another-page,of-another-user,assertion-again,proof-twice}/*/*/*"];
    let results = target.run(Provisioner::SelfService, &cases).await;
    assert_eq!(results.len(), 10);
    for case in results {
        assert!(!matches!(case.status, Status::Pass | Status::Unsupported), "{}: {}", case.id, case.observed);
    }
}

/// One that asks only the first time, and lets who has proven something once go on without.
#[test]
fn an_action_that_is_not_asked_for_its_page_any_more_is_one_without_a_challenge() {
    let run =
        program::check(&["--mutant", "unchallenged-after-right-proof", "--case", "*/mode-change/security-key/wire"]);
    for case in &run.result.expect("a result").cases {
        assert_eq!(case.verdicts[0], stepup::judge::Verdict::MissingChallenge, "{}: {}", case.id, case.observed);
    }
}

/// One that says success, with a flag in the body, where it should have asked.
#[tokio::test(flavor = "multi_thread")]
async fn a_challenge_behind_a_success_is_a_shape_that_no_client_acts_on() {
    let alteration: Alteration = |status, json| match status {
        StatusCode::UNAUTHORIZED => (StatusCode::OK, json!({ "otp_required": true })),
        _ => (status, json),
    };
    let mut target = Target::start(&[]).await;
    target.base = relay(&target, "/", move |_: &Parts| Relayed::Altered(same, alteration)).await;
    let results = target.run(Provisioner::SelfService, &["auth-and-writes/publish/totp/*"]).await;
    assert_eq!(results[0].verdicts, [stepup::judge::Verdict::WrongShape], "{}", results[0].observed);
    assert!(results[0].probes[0].shape.is_some(), "the report says which clients break");
}
