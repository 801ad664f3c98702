//! Registries of another make that enrol, disable and answer in ways of their own: none of them is at fault.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use stepup::check::Provisioner;
use stepup::judge::Verdict;
use stepup::registry::Mutant;
use stepup::result::{CaseResult, Status};

use crate::in_process::relay::{Alteration, Relayed, Rewriting, relay};
use crate::in_process::{Target, wrong};

const ACCOUNT: &str = "/-/npm/v1/user";
/// The cases that send a wrong password, or none.
const PASSWORDS: [&str; 2] = ["account/{enrol,disable,mode-change}-*/*/*/*", "security-key/key-*-with*-password/*/*/*"];

fn same(path: &str) -> String {
    path.to_owned()
}

fn unaltered(status: StatusCode, json: Value) -> (StatusCode, Value) {
    (status, json)
}

async fn played(
    mutants: &[Mutant],
    decide: impl Fn(&Parts) -> Relayed + Send + Sync + 'static,
    cases: &[&str],
) -> Vec<CaseResult> {
    let mut target = Target::start(mutants).await;
    target.base = relay(&target, "/", decide).await;
    let results = target.run(Provisioner::SelfService, cases).await;
    assert!(!results.is_empty(), "{cases:?} selects nothing");
    results
}

/// Answers a wrong password, and a missing one, with this status.
fn refuses_with<const STATUS: u16>(status: StatusCode, json: Value) -> (StatusCode, Value) {
    let of_password = json["error"].as_str().is_some_and(|error| error.contains("password"));
    if of_password { (StatusCode::from_u16(STATUS).expect("a status"), json) } else { (status, json) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_may_be_refused_by_any_status() {
    for alteration in
        [refuses_with::<400>, refuses_with::<401>, refuses_with::<403>, refuses_with::<422>] as [Alteration; 4]
    {
        let results = played(&[], move |_| Relayed::Altered(same, alteration), &PASSWORDS).await;
        assert!(results.len() > 6, "{}", results.len());
        assert_eq!(wrong(&results), Vec::<String>::new());
    }
}

/// One that asks for the second factor first, and looks at the password only then.
#[tokio::test(flavor = "multi_thread")]
async fn the_challenge_may_come_before_the_password_is_looked_at() {
    let seen: Mutex<HashMap<String, u32>> = Mutex::default();
    let decide = move |parts: &Parts| {
        if parts.method != Method::POST || parts.uri.path() != ACCOUNT || parts.headers.contains_key("npm-otp") {
            return Relayed::Forwarded;
        }
        let who = parts.headers["authorization"].to_str().expect("text").to_owned();
        let mut seen = seen.lock().expect("no test panics with it");
        let count = seen.entry(who).or_default();
        *count += 1;
        // The first two are those of the enrolment.
        if *count > 2 { Relayed::Challenged } else { Relayed::Forwarded }
    };
    let results = played(&[], decide, &["account/{disable,mode-change}-*/*/*/*"]).await;
    assert_eq!(wrong(&results), Vec::<String>::new());
}

/// A relay that knows the password of the one user of a case, and gives it to every change that comes with a code.
fn knows_the_password() -> impl Fn(&Parts) -> Relayed + Send + Sync {
    let known: Arc<Mutex<Option<String>>> = Arc::default();
    move |parts: &Parts| {
        let (known, proven) = (Arc::clone(&known), parts.headers.contains_key("npm-otp"));
        let signs_up = parts.method == Method::PUT && parts.uri.path().starts_with("/-/user/");
        let rewriting: Rewriting = Arc::new(move |json: &mut Value| {
            let mut known = known.lock().expect("no test panics with it");
            if signs_up && json["email"].is_string() {
                *known = json["password"].as_str().map(str::to_owned);
            }
            if proven && json["tfa"].is_object() {
                json["tfa"]["password"] = json!(*known);
            }
        });
        Relayed::Rewritten(rewriting)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_alone_may_disable_and_change_the_mode() {
    for case in ["account/disable-with-a-wrong-password/*/*/*", "account/mode-change-with-a-wrong-password/*/*/*"] {
        let results = played(&[], knows_the_password(), &[case]).await;
        let [case] = results.as_slice() else { panic!("one case: {}", results.len()) };
        assert_eq!(case.status, Status::Skipped, "{}: {:?} {}", case.id, case.verdicts, case.observed);
        assert!(case.observed.ends_with("would say nothing of this registry"), "{}", case.observed);
    }
}

/// What no request may do without a proof, whether or not the password counts for anything.
#[tokio::test(flavor = "multi_thread")]
async fn where_a_code_alone_disables_none_does_not() {
    let case = ["account/{disable,mode-change}-unproven/*/*/*"];
    let sound = played(&[], knows_the_password(), &case[..]).await;
    assert_eq!(wrong(&sound), Vec::<String>::new());
    let open = played(&[Mutant::DisableWithoutPasswordUnchallenged], knows_the_password(), &case[..]).await;
    let found: Vec<&CaseResult> = open.iter().filter(|case| case.status == Status::Fail).collect();
    assert!(found.len() == 1 && found[0].verdicts[0] == Verdict::MissingChallenge, "{found:#?}");
}

/// One that says once more that an enrolment stands, without the codes.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_confirmation_may_be_answered_with_success_that_yields_nothing() {
    let alteration: Alteration = |status, json| match json["error"].as_str() {
        Some("no enrolment is pending") => {
            (StatusCode::OK, json!({ "tfa": { "pending": false, "mode": "auth-only" } }))
        }
        _ => (status, json),
    };
    let results = played(&[], move |_| Relayed::Altered(same, alteration), &["account/confirm-twice/*/*/*"]).await;
    assert_eq!(wrong(&results), Vec::<String>::new());
}

/// One that knows no codes beside keys, and takes the request for a change to the mode that is on already.
#[tokio::test(flavor = "multi_thread")]
async fn asking_for_the_mode_that_is_on_may_be_a_success_that_adds_nothing() {
    let decide = |parts: &Parts| {
        let nothing: Alteration = |status, json| match status {
            StatusCode::UNAUTHORIZED => (StatusCode::OK, json!({ "tfa": { "pending": false, "mode": "auth-only" } })),
            _ => (status, json),
        };
        let asked = parts.method == Method::POST && parts.uri.path() == ACCOUNT;
        Relayed::Altered(same, if asked { nothing } else { unaltered })
    };
    let results = played(&[], decide, &["security-key/codes-added/*/*/*"]).await;
    assert_eq!(wrong(&results), Vec::<String>::new());
}
