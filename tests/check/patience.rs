//! Targets that are slow or ask for patience: waited for within bounds, and never judged for what time did.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use stepup::check::Provisioner;
use stepup::judge::Verdict;
use stepup::registry::Mutant;
use stepup::result::Status;

use crate::in_process::relay::{Relayed, relay};
use crate::in_process::{Target, wrong};

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_ages_out_on_the_way_is_no_fault_of_the_target() {
    let mut target = Target::start(&[]).await;
    let clock = target.clock.clone();
    let slow = move |parts: &axum::http::request::Parts| {
        if parts.headers.contains_key("npm-otp") {
            clock.pass(Duration::from_secs(120));
        }
        Relayed::Forwarded
    };
    target.base = relay(&target, "/", slow).await;
    let results = target.run(Provisioner::SelfService, &["auth-only/token-create/totp/*"]).await;
    assert_eq!((results[0].status, results[0].verdicts.as_slice()), (Status::Error, &[Verdict::HarnessError][..]));
    assert!(results[0].observed.contains("aged out"), "{}", results[0].observed);
}

/// A target that asks for patience the first few times that a token is to be created.
async fn impatient(times: usize, seconds: u32) -> Target {
    let mut target = Target::start(&[]).await;
    let asked = AtomicUsize::new(0);
    let decide = move |parts: &axum::http::request::Parts| {
        let creates = parts.method == "POST" && parts.uri.path() == "/-/npm/v1/tokens";
        if creates && asked.fetch_add(1, Ordering::Relaxed) < times {
            Relayed::Throttled(seconds)
        } else {
            Relayed::Forwarded
        }
    };
    target.base = relay(&target, "/", decide).await;
    target
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_asks_for_patience_gets_it_once_and_is_judged_after() {
    let target = impatient(1, 60).await;
    let began = target.clock.now();
    let results = target.run(Provisioner::SelfService, &["auth-only/token-create/totp/*"]).await;
    assert_eq!(wrong(&results), Vec::<String>::new());
    assert!(began.until(target.clock.now()) >= Duration::from_secs(60));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_asks_for_a_years_patience_or_asks_again_is_throttled_and_not_judged() {
    for (times, seconds) in [(1, 31_536_000), (2, 1)] {
        let target = impatient(times, seconds).await;
        let results = target.run(Provisioner::SelfService, &["disabled/token-create/*"]).await;
        assert_eq!((results[0].status, results[0].verdicts.as_slice()), (Status::Error, &[Verdict::Throttled][..]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_judged_is_played_again_where_that_is_asked_for_and_is_flaky() {
    let target = impatient(2, 1).await;
    target.retries.set(1);
    let results = target.run(Provisioner::SelfService, &["disabled/token-create/*"]).await;
    assert_eq!(wrong(&results), Vec::<String>::new());
    let [earlier] = results[0].earlier.as_slice() else { panic!("{:?}", results[0].earlier) };
    assert!(results[0].is_flaky() && earlier.verdicts == [Verdict::Throttled], "{earlier:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deviation_is_never_played_again() {
    let target = Target::start(&[Mutant::TokenCreateUnchallenged]).await;
    target.retries.set(3);
    let results = target.run(Provisioner::SelfService, &["auth-only/token-create/totp/*"]).await;
    assert_eq!((results[0].status, results[0].earlier.as_slice()), (Status::Fail, &[][..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_lags_behind_a_write_is_waited_for() {
    let mut target = Target::start(&[]).await;
    let (clock, written) = (target.clock.clone(), Mutex::new(HashMap::new()));
    let lagging = move |parts: &axum::http::request::Parts| {
        let (package, now) = (parts.uri.path().to_owned(), clock.now());
        let mut written = written.lock().expect("no test panics while holding it");
        if parts.method == "PUT" {
            written.insert(package, now);
            return Relayed::Forwarded;
        }
        match written.get(&package) {
            Some(at) if now < at.after(Duration::from_secs(3)) => {
                Relayed::Altered(|_| "/nothing-was-ever-here".to_owned(), |status, json| (status, json))
            }
            _ => Relayed::Forwarded,
        }
    };
    target.base = relay(&target, "/", lagging).await;
    let results = target.run(Provisioner::SelfService, &["*/publish/*/*"]).await;
    assert_eq!((results.len(), wrong(&results)), (8, Vec::new()));
}
