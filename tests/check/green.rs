//! Green means judged: what a run must have judged before it may end with 0, what a 404 means, and which second factors
//! a registry has.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::http::StatusCode;
use axum::http::request::Parts;
use stepup::capability::Capability;
use stepup::check::Provisioner;
use stepup::judge::Verdict;
use stepup::report::compare::Changes;
use stepup::result::{CaseResult, Found, RunResult, Status};

use crate::in_process::relay::{Alteration, Relayed, relay};
use crate::in_process::{Target, wrong};
use crate::program::{self, Ran};
use crate::relay::{Misbehaviour, Route, registry_that};

const NO_ROUTE: &str =
    "HTTP/1.1 404 Not Found\r\ncontent-type: application/json\r\ncontent-length: 21\r\n\r\n{\"error\":\"not found\"}";

fn result(ran: &Ran) -> &RunResult {
    ran.result.as_ref().unwrap_or_else(|| panic!("no result: {}", ran.said))
}

fn status(ran: &Ran, id: &str) -> Status {
    let cases = &result(ran).cases;
    cases.iter().find(|case| case.id == id).unwrap_or_else(|| panic!("{id} was not run: {}", ran.said)).status
}

/// The built-in target's file with these lines in place of others.
fn target(folder: &Path, changed: &[(&str, &str)]) -> PathBuf {
    let mut text = include_str!("../../fixtures/targets/embedded.yaml").to_owned();
    for (line, by) in changed {
        assert!(text.contains(line), "{line}");
        text = text.replacen(line, by, 1);
    }
    let file = folder.join("target.yaml");
    std::fs::write(&file, text).expect("written");
    file
}

/// Checks a target of this file.
fn check(file: &Path, arguments: &[&str]) -> Ran {
    program::check(&[&["--target", file.to_str().expect("a path of letters")], arguments].concat())
}

const SOME: [&str; 3] =
    ["disabled/publish/none/wire", "auth-only/publish/totp/wire", "auth-only/publish/security-key/wire"];

fn some(target: &str) -> Ran {
    let cases = SOME.iter().flat_map(|id| ["--case", id]);
    program::check(&["--target", target].into_iter().chain(cases).collect::<Vec<_>>())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_whose_enrolment_is_gone_is_not_green_unasked() {
    let gone = registry_that(Route("POST /-/npm/v1/user"), Misbehaviour::Answers(NO_ROUTE)).await;
    let whole = registry_that(Route("GET /nowhere"), Misbehaviour::Closes).await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("none.yaml");
    let stated = format!("name: none\nstart: running\nbase: {gone}\nsecond-factor: none\n");
    std::fs::write(&file, stated).expect("written");
    let (gone, whole, stated) = tokio::task::spawn_blocking(move || {
        let stated = some(file.to_str().expect("a path of letters"));
        (some(&gone), some(&whole), stated)
    })
    .await
    .expect("they ran");

    assert_eq!(gone.code, Some(8), "{}", gone.said);
    assert!(
        gone.said.contains("SECOND FACTOR NOT JUDGED: none of the 2 selected cases that need one"),
        "{}",
        gone.said
    );
    assert!(
        gone.said.contains("This registry has no one-time passwords (enrolment was answered POST"),
        "{}",
        gone.said
    );
    assert_eq!(status(&gone, "disabled/publish/none/wire"), Status::Pass);
    assert_eq!(status(&gone, "auth-only/publish/totp/wire"), Status::Unsupported);
    // Of what the target file does not describe nothing is said to be missing.
    assert_eq!(status(&gone, "auth-only/publish/security-key/wire"), Status::NotDescribed);
    assert!(gone.said.contains("does not describe the routine `register-key`"), "{}", gone.said);
    let factors = &result(&gone).target.factors;
    assert_eq!((factors.totp.found, factors.security_key.found), (Found::Absent, Found::NotDescribed));

    assert_eq!(whole.code, Some(0), "{}", whole.said);
    let changes = Changes::of(result(&whole), result(&gone));
    assert!(changes.regresses(), "{}", changes.conclusion());

    assert_eq!(stated.code, Some(0), "{}", stated.said);
    assert!(stated.said.contains("WITHOUT A SECOND FACTOR, for the target's file says"), "{}", stated.said);
}

#[test]
fn a_statement_that_there_is_no_second_factor_is_outdated_where_enrolment_succeeds() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = target(folder.path(), &[("start: embedded", "start: embedded\nsecond-factor: none")]);
    let ran = check(&file, &["--case", "disabled/publish/none/wire"]);
    assert_eq!(ran.code, Some(1), "{}", ran.said);
    let outdated = &result(&ran).stale_deviations;
    assert!(
        outdated[0].contains("`second-factor: none`") && outdated[0].contains("enrolment succeeded"),
        "{outdated:?}"
    );
    let ran = check(&file, &["--case", "disabled/**", "--require", "totp"]);
    assert!(ran.code == Some(2) && ran.said.contains("says `second-factor: none`"), "{}", ran.said);
}

#[test]
fn what_is_required_must_be_judged_and_what_no_case_shows_cannot_be_required() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let logins = ["--case", "auth-only/login*/totp/wire"];
    let required = [&logins[..], &["--require", "web-login"]].concat();
    let whole = target(folder.path(), &[]);
    assert_eq!(check(&whole, &required).code, Some(0));
    let without = "start: embedded\nunsupported: { \"login:web\": \"there is no page\" }";
    let file = target(folder.path(), &[("start: embedded", without)]);
    let ran = check(&file, &required);
    assert_eq!(ran.code, Some(8), "{}", ran.said);
    assert!(ran.said.contains("SECOND FACTOR NOT JUDGED for web-login"), "{}", ran.said);
    assert_eq!(result(&ran).requires, [Capability::WebLogin]);
    // Any one is enough unless more is asked for.
    assert_eq!(check(&file, &logins).code, Some(0));
    // The file may ask for it as well; a selection that leaves it out is not held to it.
    let file = target(folder.path(), &[("start: embedded", &format!("{without}\nrequires: [web-login]"))]);
    assert_eq!(check(&file, &logins).code, Some(8));
    assert_eq!(check(&file, &["--case", "auth-only/login/totp/wire"]).code, Some(0));
    let ran = check(&whole, &[&logins[..], &["--require", "tokens"]].concat());
    assert_eq!(ran.code, Some(2), "{}", ran.said);
    assert!(ran.said.contains("no selected case shows it"), "{}", ran.said);
}

#[test]
fn a_selection_without_a_second_factor_is_exempt_and_one_that_decides_nothing_is_not_held() {
    let ran = |cases: &[&str]| program::check(&cases.iter().flat_map(|case| ["--case", case]).collect::<Vec<_>>());
    assert_eq!(ran(&["disabled/publish/none/wire"]).code, Some(0));
    for (cases, said) in [("*/star/*/*", "none of them decides"), ("otp/early-by-2/**", "Nothing decides")] {
        let ran = ran(&[cases]);
        assert!(ran.code == Some(4) && ran.said.contains(said), "{cases}: {:?} {}", ran.code, ran.said);
    }
    let ran = ran(&["disabled/**", "auth-and-writes/publsh/totp/wire"]);
    let said = ran.said.replace("\n  │ ", " ");
    assert!(ran.code == Some(4) && said.contains("`auth-and-writes/publsh/totp/wire` matches no case"), "{said}");
    assert!(said.contains("nearest ids: `auth-and-writes/publish/totp/wire`"), "{said}");
}

#[test]
fn a_registry_with_security_keys_alone_has_a_second_factor() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let keys_alone = "routines:\n  enrol: [{ request: POST /-/no/such/route }]\n";
    let file = target(folder.path(), &[("routines:\n", keys_alone)]);
    let ran = check(&file, &["--case", "*/publish/*/wire"]);
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    for mode in ["auth-only", "auth-and-writes"] {
        for (factor, ended) in
            [("security-key", Status::Pass), ("totp", Status::Unsupported), ("both", Status::Unsupported)]
        {
            assert_eq!(status(&ran, &format!("{mode}/publish/{factor}/wire")), ended, "{mode} {factor}");
        }
    }
    assert!(ran.said.contains("This registry has no one-time passwords"), "{}", ran.said);
    assert!(!ran.said.contains("no second factor ("), "{}", ran.said);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_odd_answer_to_the_first_enrolment_says_nothing() {
    let mut target = Target::start(&[]).await;
    let enrolments = AtomicU32::new(0);
    target.base = relay(&target, "/", move |parts: &Parts| {
        let first = parts.method == "POST"
            && parts.uri.path() == "/-/npm/v1/user"
            && enrolments.fetch_add(1, Ordering::Relaxed) == 0;
        let unchanged: Alteration = |status, json| (status, json);
        if first { Relayed::Altered(|_| "/nowhere/at/all".to_owned(), unchanged) } else { Relayed::Forwarded }
    })
    .await;
    let results = target.run(Provisioner::SelfService, &["auth-only/token-create/totp/wire"]).await;
    assert_eq!((results.len(), wrong(&results)), (1, vec![]));
}

/// Runs cases on a registry that answers 404 to these requests.
async fn without(missing: fn(&Parts) -> bool, cases: &[&str]) -> Vec<CaseResult> {
    let mut target = Target::start(&[]).await;
    target.base = relay(&target, "/", move |parts: &Parts| {
        let no: Alteration = |_, _| (StatusCode::NOT_FOUND, serde_json::json!({ "error": "not found" }));
        if missing(parts) { Relayed::Altered(|_| "/-/ping".to_owned(), no) } else { Relayed::Forwarded }
    })
    .await;
    target.run(Provisioner::SelfService, cases).await
}

fn verdicts(results: &[CaseResult]) -> Vec<(&str, &[Verdict])> {
    results.iter().map(|case| (case.id.as_str(), case.verdicts.as_slice())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_404_for_what_was_just_made_is_never_a_missing_route() {
    let unpublish: fn(&Parts) -> bool = |parts| parts.uri.path().contains("/-rev/");
    let revoke: fn(&Parts) -> bool =
        |parts| parts.method == "DELETE" && parts.uri.path().starts_with("/-/npm/v1/tokens/token/");
    for (missing, cases) in
        [(unpublish, "auth-and-writes/unpublish*/totp/wire"), (revoke, "auth-*/token-revoke/totp/wire")]
    {
        let results = without(missing, &[cases]).await;
        assert!(results.len() > 1, "{cases}");
        for (id, verdicts) in verdicts(&results) {
            assert_eq!(verdicts, [Verdict::TargetFailed], "{id}");
        }
        assert!(results.iter().all(|case| case.observed.contains("was answered with success")), "{results:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_that_nothing_has_shown_is_missing() {
    let access: fn(&Parts) -> bool = |parts| parts.uri.path().ends_with("/access");
    let tokens: fn(&Parts) -> bool = |parts| parts.uri.path().starts_with("/-/npm/v1/tokens");
    for (missing, cases) in
        [(access, "auth-and-writes/package-2fa:required/totp/wire"), (tokens, "auth-only/token-*/totp/wire")]
    {
        let results = without(missing, &[cases]).await;
        assert!(!results.is_empty(), "{cases}");
        for (id, verdicts) in verdicts(&results) {
            assert_eq!(verdicts, [Verdict::Unsupported], "{id}");
        }
    }
}

/// A route that one case has seen is there for all others, whichever ended first.
#[tokio::test(flavor = "multi_thread")]
async fn a_404_of_a_route_that_another_case_has_seen_is_the_targets_failure() {
    static CREATED: AtomicU32 = AtomicU32::new(0);
    let after_the_first: fn(&Parts) -> bool = |parts| {
        parts.method == "POST" && parts.uri.path() == "/-/npm/v1/tokens" && CREATED.fetch_add(1, Ordering::Relaxed) > 0
    };
    let results =
        without(after_the_first, &["disabled/token-create/none/wire", "disabled/token-revoke/none/wire"]).await;
    let mut ended: Vec<&[Verdict]> = results.iter().map(|case| case.verdicts.as_slice()).collect();
    ended.sort_unstable();
    assert_eq!(ended, [&[Verdict::TargetFailed][..], &[Verdict::Exact]], "{results:#?}");
}

/// An enrolment that is gone from a route which the run has seen is broken, and says nothing of a missing factor.
#[tokio::test(flavor = "multi_thread")]
async fn an_enrolment_that_is_answered_404_on_a_route_that_is_there_is_the_targets_failure() {
    let enrolments = AtomicU32::new(0);
    let mut target = Target::start(&[]).await;
    target.base = relay(&target, "/", move |parts: &Parts| {
        let no: Alteration = |_, _| (StatusCode::NOT_FOUND, serde_json::json!({ "error": "not found" }));
        // The first look, and what it is asked again.
        let gone = parts.method == "POST"
            && parts.uri.path() == "/-/npm/v1/user"
            && enrolments.fetch_add(1, Ordering::Relaxed) < 2;
        if gone { Relayed::Altered(|_| "/-/ping".to_owned(), no) } else { Relayed::Forwarded }
    })
    .await;
    let cases = ["disabled/profile-set:fullname/none/wire", "auth-only/whoami/*/wire"];
    let results = target.run(Provisioner::SelfService, &cases).await;
    let shown = |id: &str| results.iter().find(|case| case.id == id).map(|case| case.verdicts.as_slice());
    assert_eq!(shown("disabled/profile-set:fullname/none/wire"), Some(&[Verdict::Exact][..]), "{results:#?}");
    assert_eq!(shown("auth-only/whoami/totp/wire"), Some(&[Verdict::TargetFailed][..]), "{results:#?}");
    assert_eq!(shown("auth-only/whoami/security-key/wire"), Some(&[Verdict::Exact][..]), "{results:#?}");
}

#[test]
fn an_exception_of_a_comparison_is_named_and_must_match() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (before, after) = (folder.path().join("before"), folder.path().join("after"));
    let cases = ["--case", "disabled/publish/none/wire", "--case", "disabled/login*/none/wire"];
    assert_eq!(program::check_into(&cases, &before).code, Some(0));
    let without = "start: embedded\nunsupported: { \"login:web\": \"there is no page\" }";
    let file = target(folder.path(), &[("start: embedded", without)]);
    let named = [&["--target", file.to_str().expect("letters")][..], &cases].concat();
    assert_eq!(program::check_into(&named, &after).code, Some(0));
    let compare = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stepup"));
        let output = command.arg("compare").args([&before, &after]).args(more).output().expect("stepup starts");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert_eq!(compare(&[]).0, Some(1));
    assert_eq!(compare(&["--allow", "disabled/login:web/**"]).0, Some(0));
    assert_eq!(compare(&["--allow", "disabled/publish/**"]).0, Some(1));
    let (code, said) = compare(&["--allow", "disabled/lgin/**"]);
    assert!(code == Some(2) && said.contains("matches no case"), "{said}");
}
