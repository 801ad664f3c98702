//! Registries that lock users out, each in a way of its own: none of them is at fault. What is not told, or is too long, is
//! not judged.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use axum::http::request::Parts;
use jiff::Timestamp;
use stepup::check::Provisioner;
use stepup::judge::Verdict;
use stepup::result::{CaseResult, Status};

use crate::in_process::Target;
use crate::in_process::relay::{Alteration, Headed, Relayed, relay};

const CASES: [&str; 1] = ["otp/{lock-out-ends,lock-out-says-how-long,no-code-is-no-guess}/*/*/*"];

/// The cases of lock-outs, by the last part of their scenario's name.
async fn cases(target: &Target) -> (CaseResult, CaseResult, CaseResult) {
    let mut results = target.run(Provisioner::SelfService, &CASES).await;
    results.sort_by(|a, b| a.id.cmp(&b.id));
    let results: [CaseResult; 3] = results.try_into().expect("three cases");
    let [ends, says, bare] = results;
    (ends, says, bare)
}

fn exact(case: &CaseResult) -> bool {
    case.verdicts == [Verdict::Exact]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_out_may_be_told_as_a_date() {
    let mut target = Target::start(&[]).await;
    let clock = target.clock.clone();
    let dated: Headed = Arc::new(move |_, headers| {
        if let Some(seconds) = headers.get("retry-after").and_then(|value| value.to_str().ok()?.parse::<i64>().ok()) {
            let then = Timestamp::from_second(clock.now().0.div_euclid(1_000) + seconds).expect("a time");
            let date = then.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
            headers.insert("retry-after", date.parse().expect("a value"));
        }
    });
    target.base = relay(&target, "/", move |_: &Parts| Relayed::Headed(Arc::clone(&dated))).await;
    let (ends, says, bare) = cases(&target).await;
    assert!(exact(&ends) && exact(&says) && exact(&bare), "{ends:#?} {says:#?} {bare:#?}");
    assert!(
        ends.observed.contains("when it had said that it listens again, a right code was accepted"),
        "{}",
        ends.observed
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_out_may_be_told_by_another_status() {
    let forbidden: Alteration = |status, json| match status {
        StatusCode::TOO_MANY_REQUESTS => (StatusCode::FORBIDDEN, json),
        _ => (status, json),
    };
    let mut target = Target::start(&[]).await;
    target.base = relay(&target, "/", move |_: &Parts| Relayed::Altered(str::to_owned, forbidden)).await;
    let (ends, says, bare) = cases(&target).await;
    assert!(exact(&ends) && exact(&bare), "{ends:#?} {bare:#?}");
    assert!(says.status == Status::Skipped && says.observed.contains("without answering 429"), "{says:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_is_not_told_is_not_judged() {
    let unsaid: Headed = Arc::new(|_, headers| {
        headers.remove("retry-after");
    });
    let mut target = Target::start(&[]).await;
    target.base = relay(&target, "/", move |_: &Parts| Relayed::Headed(Arc::clone(&unsaid))).await;
    let (ends, says, bare) = cases(&target).await;
    assert!(ends.status == Status::Skipped && ends.observed.contains("does not say for how long"), "{ends:#?}");
    assert!(says.verdicts == [Verdict::WrongShape] && exact(&bare), "{says:#?} {bare:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_out_that_is_too_long_is_told_and_not_judged() {
    let target = Target::start(&[]).await;
    target.lock_out_patience.set(Duration::from_secs(59));
    let (ends, says, _) = cases(&target).await;
    assert_eq!(ends.status, Status::Skipped, "{ends:#?}");
    assert!(ends.observed.contains("listens again in 60 s") && exact(&says), "{ends:#?} {says:#?}");
}

/// One that throttles whatever comes too fast, with or without a code, locks nobody out by that.
#[tokio::test(flavor = "multi_thread")]
async fn a_limit_of_requests_without_a_code_is_no_lock_out() {
    let mut target = Target::start(&[]).await;
    let decide = |parts: &Parts| match parts.method == "POST" && parts.uri.path() == "/-/npm/v1/tokens" {
        true => Relayed::Throttled(5),
        false => Relayed::Forwarded,
    };
    target.base = relay(&target, "/", decide).await;
    let (_, _, bare) = cases(&target).await;
    assert!(bare.status == Status::Skipped && bare.observed.contains("as any may be"), "{bare:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_of_a_file_are_locked_out_only_where_the_target_lets_it() {
    let target = Target::start(&[]).await;
    target.may_lock_out.set(false);
    let entries = target.account("spare", "auth-only", "expendable").await;
    let results = target.run(target.pool(&entries), &["otp/{guesses,lock-out}-*/*/*/*", CASES[0]]).await;
    assert_eq!(results.len(), 7);
    for case in results {
        assert_eq!(case.status, Status::Skipped, "{case:#?}");
        assert!(case.observed.contains("`may-lock-out: true`") && case.left.is_empty(), "{case:#?}");
    }
}
