//! Accounts whose mode may be lowered while nothing is judged: the same verdicts with fewer codes, and the mode as it was.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::StatusCode;
use axum::http::request::Parts;
use serde_json::Value;
use stepup::judge::Verdict;
use stepup::registry::Mutant;
use stepup::result::{CaseResult, Status};

use crate::in_process::relay::{Relayed, Rewriting, relay};
use crate::in_process::{Target, wrong};

/// Rows, and scenarios of codes.
const ROWS: [&str; 1] = ["auth-and-writes/*/totp/wire"];
const CASES: [&str; 2] = [ROWS[0], "otp/*/auth-and-writes/totp/wire"];

/// What makes what a relay decides by.
type Deciding = fn() -> Box<dyn Fn(&Parts) -> Relayed + Send + Sync>;

struct Ran {
    results: Vec<CaseResult>,
    took: Duration,
    /// The modes of both accounts afterwards.
    modes: Vec<String>,
    packages: usize,
    left: Vec<String>,
}

/// Runs the cases on two accounts, with or without a relay in between.
async fn ran(mutants: &[Mutant], lowers: bool, decide: Option<Deciding>) -> Ran {
    ran_cases(mutants, lowers, decide, &CASES).await
}

async fn ran_cases(mutants: &[Mutant], lowers: bool, decide: Option<Deciding>, cases: &[&str]) -> Ran {
    let mut target = Target::start(mutants).await;
    let mut entries = target.account("companion", "disabled", "companion").await;
    for name in ["writer", "other-writer"] {
        entries += &target.account(name, "auth-and-writes", "lasting").await;
    }
    let registry = target.base.clone();
    if let Some(decide) = decide {
        target.base = relay(&target, "/", decide()).await;
    }
    target.may_lower_mode.set(lowers);
    let began = target.clock.now();
    let (results, left) = target.run_and_tell(target.pool(&entries), cases).await;
    let took = began.until(target.clock.now());
    target.base = registry;
    let mut modes = Vec::new();
    for name in ["writer", "other-writer"] {
        let profile = target.profile(&entries, name).await;
        modes.push(profile["tfa"]["mode"].as_str().unwrap_or_default().to_owned());
    }
    Ran { results, took, modes, packages: target.packages().await, left }
}

/// What each case showed.
fn verdicts(ran: &Ran) -> Vec<(&str, Status, &[Verdict])> {
    ran.results.iter().map(|case| (case.id.as_str(), case.status, case.verdicts.as_slice())).collect()
}

/// A rewriting of the mode that somebody asks for.
fn asks_for(mode: &'static str, instead: &'static str) -> Relayed {
    let rewriting: Rewriting = Arc::new(move |json| {
        if let Some(asked) = json.pointer_mut("/tfa/mode").filter(|asked| *asked == mode) {
            *asked = instead.into();
        }
    });
    Relayed::Rewritten(rewriting)
}

fn is_change(parts: &Parts) -> bool {
    parts.method == "POST" && parts.uri.path() == "/-/npm/v1/user"
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_is_judged_with_fewer_codes_and_accounts_are_in_their_mode_again() {
    let (alone, shared) = (ran(&[], false, None).await, ran(&[], true, None).await);
    let bad = |case: &&CaseResult| matches!(case.status, Status::Fail | Status::Error);
    assert_eq!(shared.results.iter().filter(bad).count(), 0, "{:#?}", wrong(&shared.results));
    assert_eq!(verdicts(&shared), verdicts(&alone));
    assert!(shared.took * 10 < alone.took * 7, "{:?} {:?}", shared.took, alone.took);
    assert_eq!(shared.modes, ["auth-and-writes"; 2]);
    assert_eq!((shared.packages, shared.left.len()), (0, 0), "{:?}", shared.left);
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_are_found_where_accounts_are_shared() {
    let faults = [Mutant::PublishUnchallenged, Mutant::DeprecateUnchallenged];
    let (alone, shared) = (ran(&faults, false, None).await, ran(&faults, true, None).await);
    assert_eq!(verdicts(&shared), verdicts(&alone));
    assert!(shared.results.iter().any(|case| case.verdicts.contains(&Verdict::MissingChallenge)));
    assert_eq!(shared.packages, 0);
}

/// One that lets nobody turn writes off.
#[tokio::test(flavor = "multi_thread")]
async fn where_a_mode_cannot_be_lowered_each_case_is_played_alone() {
    let refusing = || -> Box<dyn Fn(&Parts) -> Relayed + Send + Sync> {
        Box::new(|parts| if is_change(parts) { asks_for("auth-only", "no-mode") } else { Relayed::Forwarded })
    };
    let (alone, shared) = (ran(&[], false, None).await, ran(&[], true, Some(refusing)).await);
    assert_eq!(verdicts(&shared), verdicts(&alone));
    assert_eq!(shared.modes, ["auth-and-writes"; 2]);
    assert_eq!((shared.packages, shared.left.len()), (0, 0), "{:?}", shared.left);
}

/// One that ends the session with which a mode was changed.
#[tokio::test(flavor = "multi_thread")]
async fn sessions_may_end_with_a_change_of_the_mode() {
    let ending = || -> Box<dyn Fn(&Parts) -> Relayed + Send + Sync> {
        let ended: Mutex<HashSet<String>> = Mutex::default();
        Box::new(move |parts| {
            let by = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
            let mut ended = ended.lock().expect("nobody panics");
            if !by("authorization").is_empty() && ended.contains(by("authorization")) {
                return Relayed::Refused(StatusCode::UNAUTHORIZED);
            }
            if is_change(parts) && !by("npm-otp").is_empty() {
                ended.insert(by("authorization").to_owned());
            }
            Relayed::Forwarded
        })
    };
    let shared = ran(&[], true, Some(ending)).await;
    let judged = shared.results.iter().filter(|case| case.status == Status::Pass).count();
    assert!(judged > 20, "{:#?}", wrong(&shared.results));
    assert_eq!(shared.modes, ["auth-and-writes"; 2]);
    assert_eq!(shared.packages, 0);
}

/// One that takes the wish to be back in the former mode for nothing.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_stays_in_the_lower_mode_is_told_and_nothing_is_judged_there() {
    let staying = || -> Box<dyn Fn(&Parts) -> Relayed + Send + Sync> {
        Box::new(|parts| if is_change(parts) { asks_for("auth-and-writes", "auth-only") } else { Relayed::Forwarded })
    };
    let shared = ran_cases(&[], true, Some(staying), &ROWS).await;
    let names = ["writer", "other-writer"];
    let lowered: Vec<bool> = shared.modes.iter().map(|mode| mode == "auth-only").collect();
    assert!(lowered.contains(&true), "{:?}", shared.modes);
    let told = names.map(|name| {
        let words = format!("account {name} is not in mode auth-and-writes again");
        shared.left.iter().any(|left| left.contains(&words))
    });
    assert_eq!(told.as_slice(), lowered, "{:?}", shared.left);
    let accused: Vec<_> = shared.results.iter().filter(|case| case.status == Status::Fail).collect();
    assert!(accused.is_empty(), "{accused:#?}");
    assert_eq!(shared.packages, 0);
}

/// A request that was challenged, and whose code was not waited for, is looked after as any other.
#[tokio::test(flavor = "multi_thread")]
async fn an_interruption_leaves_the_mode_as_it_was_and_nothing_open_in_the_journal() {
    let target = Target::start(&[]).await;
    let entries = target.account("writer", "auth-and-writes", "lasting").await;
    target.may_lower_mode.set(true);
    // The first code is the log-in's; that of the mode would come 30 s later.
    target.interrupted_after.set(Some(Duration::from_secs(40)));
    let cases = ["auth-and-writes/deprecate*/totp/wire"];
    let (results, left) = target.run_and_tell(target.pool(&entries), &cases).await;
    assert!(results.iter().all(|case| case.status != Status::Fail), "{:#?}", wrong(&results));
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(target.profile(&entries, "writer").await["tfa"]["mode"], "auth-and-writes");
    let journal = std::fs::read_to_string(target.journal()).expect("a journal");
    let entries = journal.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let (making, undone): (Vec<_>, Vec<_>) = entries.partition(|entry| entry["event"] == "making");
    let made: BTreeSet<u64> = making.iter().filter_map(|entry| entry["number"].as_u64()).collect();
    let gone = undone.iter().filter_map(|entry| entry["numbers"].as_array()).flatten().filter_map(Value::as_u64);
    assert!(!made.is_empty());
    assert!(made.is_subset(&gone.collect()), "{journal}");
}
