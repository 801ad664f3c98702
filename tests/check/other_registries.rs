//! Registries of another make that do what the tables ask, each in a way of its own: none of them is at fault.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::http::StatusCode;
use axum::http::request::Parts;
use serde_json::{Value, json};
use stepup::check::Provisioner;
use stepup::judge::Verdict;
use stepup::registry::Mutant;
use stepup::result::{CaseResult, Status};

use crate::in_process::relay::{Alteration, Relayed, relay};
use crate::in_process::{Target, wrong};
use crate::program;

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

/// Counts the requests with a code by who sends them, and says of each how many there have been.
fn counted() -> impl Fn(&Parts) -> u32 + Send + Sync {
    let counts: Mutex<HashMap<String, u32>> = Mutex::default();
    move |parts| {
        if !parts.headers.contains_key("npm-otp") {
            return 0;
        }
        let who = parts.headers.get("authorization").map_or(parts.uri.path(), |value| value.to_str().expect("text"));
        let mut counts = counts.lock().expect("no test panics with it");
        let count = counts.entry(who.to_owned()).or_default();
        *count += 1;
        *count
    }
}

/// The verdicts and observations of the cases on guessing, where the fifth wrong code and those after it are answered
/// with a warning.
async fn warned(mutants: &[Mutant]) -> Vec<(String, Vec<Verdict>, String)> {
    let warning: Alteration = |status, mut json| {
        if status == StatusCode::UNAUTHORIZED && json.is_object() {
            json["warning"] = "few tries are left".into();
        }
        (status, json)
    };
    let plain: Alteration = |status, json| (status, json);
    let mut target = Target::start(mutants).await;
    let count = counted();
    let decide = move |parts: &Parts| Relayed::Altered(same, if count(parts) > 4 { warning } else { plain });
    target.base = relay(&target, "/", decide).await;
    let results = target.run(Provisioner::SelfService, &["otp/guesses-*/*/*/*"]).await;
    results.into_iter().map(|case| (case.id, case.verdicts, case.observed)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_warning_before_a_lock_out_is_not_the_lock_out() {
    let sound = warned(&[]).await;
    assert!(sound.len() == 2 && sound.iter().all(|case| case.1 == [Verdict::Exact]), "{sound:#?}");
    assert!(sound.iter().all(|case| case.2.starts_with("10 wrong codes in a row")), "{sound:#?}");
    let endless = warned(&[Mutant::WrongCodesNeverThrottled]).await;
    assert!(endless.iter().all(|case| case.1 == [Verdict::NeverThrottled]), "{endless:#?}");
}

/// One that throttles whatever comes from an address says nothing of what a stranger elsewhere does to the user.
#[tokio::test(flavor = "multi_thread")]
async fn a_limit_of_the_address_is_no_lock_out_by_a_stranger() {
    let mut target = Target::start(&[]).await;
    let guesses = AtomicU32::new(0);
    let decide = move |parts: &Parts| {
        let guess = parts.method == "PUT" && parts.uri.path().starts_with("/-/user/");
        let sent = guesses.fetch_add(u32::from(guess && parts.headers.contains_key("npm-otp")), Ordering::Relaxed);
        let limited = sent >= 20 && parts.method == "POST";
        if limited { Relayed::Throttled(60) } else { Relayed::Forwarded }
    };
    target.base = relay(&target, "/", decide).await;
    let results = target.run(Provisioner::SelfService, &["otp/lock-out-by-a-stranger/*/*/*"]).await;
    let told = |case: &CaseResult| case.observed.ends_with("whatever comes from this address is throttled by then");
    assert!(results.len() == 1 && results[0].status == Status::Skipped && told(&results[0]), "{results:#?}");
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
