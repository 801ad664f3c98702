//! What an accusation rests on: it is made only where that was seen.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use axum::http::StatusCode;
use axum::http::request::Parts;
use stepup::check::Provisioner;
use stepup::judge::Verdict;
use stepup::registry::Mutant;
use stepup::result::{CaseResult, Status};

use crate::in_process::relay::{Alteration, Relayed, relay};
use crate::in_process::{Target, wrong};
use crate::program;

/// Runs these cases on a registry with these faults, behind a relay.
async fn run(
    mutants: &[Mutant],
    decide: impl Fn(&Parts) -> Relayed + Send + Sync + 'static,
    cases: &[&str],
) -> Vec<CaseResult> {
    let mut target = Target::start(mutants).await;
    target.base = relay(&target, "/", decide).await;
    target.run(Provisioner::SelfService, cases).await
}

fn only(results: &[CaseResult]) -> &CaseResult {
    let [case] = results else { panic!("one case: {}", results.len()) };
    case
}

fn carries_code(parts: &Parts) -> bool {
    parts.headers.contains_key("npm-otp")
}

/// Whether it is the first log-in of its user that carries a code.
fn first_proven_log_in() -> impl Fn(&Parts) -> bool + Send + Sync {
    let seen: Mutex<HashSet<String>> = Mutex::default();
    move |parts| {
        let log_in = parts.method == "PUT" && parts.uri.path().starts_with("/-/user/org.couchdb.user:");
        log_in && carries_code(parts) && seen.lock().expect("no panic").insert(parts.uri.path().to_owned())
    }
}

const REPLAYED_ELSEWHERE: [&str; 1] = ["otp/replay-through-another-surface/auth-and-writes/totp/wire"];

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_that_was_never_accepted_is_not_sent_again() {
    let losses: [(fn() -> Relayed, Verdict); 3] = [
        (|| Relayed::Throttled(31_536_000), Verdict::Throttled),
        (|| Relayed::Challenged, Verdict::RightProofRefused),
        (|| Relayed::Dropped, Verdict::TargetFailed),
    ];
    for (lost, verdict) in losses {
        let is_first = first_proven_log_in();
        let decide = move |parts: &Parts| if is_first(parts) { lost() } else { Relayed::Forwarded };
        let results = run(&[], decide, &REPLAYED_ELSEWHERE).await;
        assert_eq!(only(&results).verdicts, [verdict], "{}", only(&results).observed);
        assert_eq!(only(&results).probes.len(), 1, "{}", only(&results).observed);
    }
    let results = run(&[Mutant::ReplayAccepted], |_: &Parts| Relayed::Forwarded, &REPLAYED_ELSEWHERE).await;
    assert_eq!(only(&results).verdicts, [Verdict::ReplayAccepted], "one that was accepted is");
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_whose_connections_break_were_not_refused() {
    let decide = |parts: &Parts| {
        let writes = parts.method == "PUT" && !parts.uri.path().starts_with("/-/");
        if writes && carries_code(parts) { Relayed::Dropped } else { Relayed::Forwarded }
    };
    let results = run(&[], decide, &["otp/replay-at-once/auth-and-writes/totp/wire"]).await;
    assert_eq!(only(&results).verdicts, [Verdict::TargetFailed], "{}", only(&results).observed);
}

/// Of the copies that fetch one proof at once, all but the first break off: nobody knows what they would have been given.
#[tokio::test(flavor = "multi_thread")]
async fn fetches_that_break_off_have_not_been_turned_away() {
    let seen: Mutex<HashMap<String, u32>> = Mutex::default();
    let decide = move |parts: &Parts| {
        if !parts.uri.path().starts_with("/-/v1/done/") {
            return Relayed::Forwarded;
        }
        let mut seen = seen.lock().expect("no panic");
        let times = seen.entry(parts.uri.path().to_owned()).or_default();
        *times += 1;
        if *times == 2 { Relayed::Dropped } else { Relayed::Forwarded }
    };
    let results = run(&[], decide, &["security-key/proof-at-once/auth-and-writes/security-key/wire"]).await;
    assert_eq!(only(&results).verdicts, [Verdict::TargetFailed], "{}", only(&results).observed);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_seen_stands_though_nothing_more_can_be_tried() {
    let decide = |parts: &Parts| match parts.uri.path().starts_with("/-/v1/done/") {
        true => Relayed::Answered(StatusCode::ACCEPTED, ("retry-after", "60"), "{}"),
        false => Relayed::Forwarded,
    };
    let results = run(&[], decide, &["auth-only/login:web/totp/wire"]).await;
    assert_eq!(only(&results).verdicts, [Verdict::NoEffect], "{}", only(&results).observed);
}

const NEEDS_FACTOR: &str = r#"{"error":"Two-factor authentication is required to publish packages."}"#;

/// One where only users with a second factor publish, as npm has it today.
fn publishing_needs_factor() -> impl Fn(&Parts) -> Relayed + Send + Sync {
    let enrolling: Mutex<HashMap<String, u32>> = Mutex::default();
    move |parts| {
        let who = parts.headers.get("authorization").map_or("", |value| value.to_str().expect("text")).to_owned();
        let path = parts.uri.path();
        let mut enrolling = enrolling.lock().expect("no panic");
        let steps = enrolling.entry(who).or_default();
        let enrols = path == "/-/npm/v1/user" || path.starts_with("/-/account/keys");
        *steps += u32::from(parts.method == "POST" && enrols);
        if parts.method == "PUT" && !path.starts_with("/-/") && *steps < 2 {
            return Relayed::Answered(StatusCode::FORBIDDEN, ("x-from", "relay"), NEEDS_FACTOR);
        }
        Relayed::Forwarded
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_users_with_a_factor_may_make_is_made_by_them() {
    let results = run(
        &[],
        publishing_needs_factor(),
        &["{disabled,auth-only,auth-and-writes}/deprecate/*/wire", "auth-*/unpublish:version/totp/wire"],
    )
    .await;
    let (without, with): (Vec<CaseResult>, Vec<CaseResult>) =
        results.into_iter().partition(|case| case.mode == "disabled");
    assert!(with.len() > 6);
    assert_eq!(wrong(&with), Vec::<String>::new());
    for case in &without {
        let told = "make what it takes: 403 \"Two-factor authentication is required to publish packages.\"";
        assert!(case.status == Status::Skipped && case.observed.ends_with(told), "{}: {}", case.id, case.observed);
    }
    assert_eq!(without.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_up_that_is_refused_is_no_error_of_ours() {
    let decide = |parts: &Parts| {
        let revokes = parts.method == "POST" && parts.uri.path() == "/-/npm/v1/tokens";
        let answer = r#"{"error":"tokens are made by our support"}"#;
        if revokes { Relayed::Answered(StatusCode::FORBIDDEN, ("x-from", "relay"), answer) } else { Relayed::Forwarded }
    };
    let results = run(&[], decide, &["auth-only/token-revoke/totp/wire"]).await;
    let case = only(&results);
    assert_eq!((case.status, case.verdicts.as_slice()), (Status::Error, [Verdict::SetUpRefused].as_slice()));
    assert!(case.observed.contains("tokens are made by our support"), "{}", case.observed);
}

/// One whose profile says nothing of a second factor, and which does everything else.
fn silent_profile(parts: &Parts) -> Relayed {
    let path: fn(&str) -> String = |path| path.to_owned();
    let alteration: Alteration = |status, mut json| {
        if let Some(profile) = json.as_object_mut() {
            profile.remove("tfa");
        }
        (status, json)
    };
    if parts.method == "GET" && parts.uri.path() == "/-/npm/v1/user" {
        Relayed::Altered(path, alteration)
    } else {
        Relayed::Forwarded
    }
}

const ROWS: [&str; 4] = [
    "auth-*/publish/*/wire",
    "auth-*/token-create/*/wire",
    "otp/of-another-user/*/totp/wire",
    "auth-*/disable-2fa/*/wire",
];

#[tokio::test(flavor = "multi_thread")]
async fn an_enrolment_that_no_profile_shows_is_shown_by_a_challenge() {
    let results = run(&[], silent_profile, &ROWS[..3]).await;
    assert_eq!(wrong(&results), Vec::<String>::new());
    let results =
        run(&[Mutant::PublishUnchallenged], silent_profile, &["auth-and-writes/publish/{totp,security-key}/wire"])
            .await;
    assert_eq!(results.len(), 2);
    for case in results {
        assert_eq!(case.verdicts, [Verdict::MissingChallenge], "{}: {}", case.id, case.observed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_enrolment_that_did_nothing_is_told_as_that_and_not_as_missing_challenges() {
    for (mutant, factor, own) in [
        (Mutant::EnrolmentNoEffect, "totp", "sequences/enrolment-takes-hold/disabled/none/wire"),
        (Mutant::KeyEnrolmentNoEffect, "security-key", "security-key/registration-takes-hold/disabled/none/wire"),
    ] {
        let cases: Vec<&str> = ROWS.iter().copied().chain([own]).collect();
        let results = run(&[mutant], |_: &Parts| Relayed::Forwarded, &cases).await;
        let found = results.iter().find(|case| case.id == own).expect("the case that is made for it");
        assert_eq!(found.verdicts, [Verdict::NoEffect], "{}", found.observed);
        let asks_for_it = |case: &&CaseResult| case.factor == factor && case.verdicts != [Verdict::Exact];
        let others: Vec<&CaseResult> = results.iter().filter(asks_for_it).collect();
        assert!(others.len() >= 5, "{others:#?}");
        for case in others {
            let told = case.observed.contains("nothing shows it");
            assert!(case.status == Status::Skipped && told, "{}: {:?} {}", case.id, case.verdicts, case.observed);
        }
    }
}

/// Where neither a profile nor a challenge can show an enrolment, nothing is said of what it protects.
#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_can_show_an_enrolment_nobody_is_accused() {
    let decide = |parts: &Parts| match parts.method == "GET" && parts.uri.path() == "/-/npm/v1/user" {
        true => Relayed::Answered(StatusCode::NOT_FOUND, ("x-from", "relay"), "{}"),
        false => Relayed::Forwarded,
    };
    let mutants = [Mutant::TokenCreateUnchallenged, Mutant::PublishUnchallenged];
    let results = run(&mutants, decide, &["auth-and-writes/publish/totp/wire"]).await;
    assert_eq!(only(&results).status, Status::Skipped, "{}", only(&results).observed);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_and_done_all_the_same_is_one_verdict_for_every_factor() {
    let cases = ["auth-and-writes/publish/{totp,security-key,both}/wire"];
    let results = run(&[Mutant::PublishBeforeChallenge], |_: &Parts| Relayed::Forwarded, &cases).await;
    assert_eq!(results.len(), 3);
    for case in results {
        assert_eq!(case.verdicts, [Verdict::EffectBeforeFactor], "{}: {}", case.id, case.observed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_badly_named_is_no_wrong_factor() {
    let cases = ["auth-and-writes/publish/security-key/wire"];
    let results = run(&[Mutant::WebChallengeRelativeUrls], |_: &Parts| Relayed::Forwarded, &cases).await;
    assert_eq!(only(&results).verdicts, [Verdict::WrongShape], "{}", only(&results).observed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_far_off_is_named_where_right_codes_are_refused() {
    for (ahead, named) in [(Duration::from_secs(600), true), (Duration::ZERO, false)] {
        let target = Target::ahead(&[Mutant::RightProofRefused], ahead).await;
        let results = target.run(Provisioner::SelfService, &["auth-only/token-create/totp/wire"]).await;
        let case = only(&results);
        assert_eq!(case.verdicts, [Verdict::RightProofRefused], "{}", case.observed);
        assert_eq!(case.observed.contains("s ahead of this machine's clock"), named, "{}", case.observed);
    }
}

/// The embedded target with a part of its file in place of another.
fn edited(folder: &tempfile::TempDir, edit: impl Fn(&str) -> String) -> String {
    let file: PathBuf = folder.path().join("edited.yaml");
    std::fs::write(&file, edit(include_str!("../../fixtures/targets/embedded.yaml"))).expect("written");
    file.display().to_string()
}

#[test]
fn a_routine_that_makes_no_credential_leaves_users_of_keys_unjudged() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = edited(&folder, |text| {
        let (before, rest) = text.split_once("  register-key: &register-key\n").expect("the routine");
        let (_, after) = rest.split_once("  # The page that a challenge names.").expect("what comes after it");
        format!("{before}  register-key: &register-key [{{ request: GET /-/ping }}]\n  #{after}")
    });
    let ran = program::check(&["--target", &target, "--case", "*/publish/security-key/wire"]);
    let cases = ran.result.unwrap_or_else(|| panic!("{}", ran.said)).cases;
    assert_eq!(cases.len(), 2);
    for case in cases {
        let told = case.observed.contains("made no credential");
        assert!(case.status == Status::Skipped && told, "{}: {:?} {}", case.id, case.verdicts, case.observed);
    }
}

#[test]
fn an_act_that_does_not_exist_ends_its_scenario() {
    let folder = tempfile::tempdir().expect("a folder");
    let surface = |action: &str| {
        format!(
            "  - action: {action}\n    modes: [auth-only, auth-and-writes]\n    leaves-account: used-up\n    perform: [{{ request: POST /-/no/such/route, json: {{}} }}]\n    effect:\n      - read: {{ request: GET /-/npm/v1/user }}\n        applied: {{ status: 200, json: {{ /tfa: false }} }}\n        absent: {{ status: 200 }}\n"
        )
    };
    let target =
        edited(&folder, |text| format!("{text}\nsurfaces:\n{}{}", surface("mode-change"), surface("disable-2fa")));
    let cases = ["--case", "sequences/*/**", "--case", "otp/mode-change-beside-writes/**"];
    let ran = program::check(&[&["--target", &target], &cases[..]].concat());
    let cases = ran.result.unwrap_or_else(|| panic!("{}", ran.said)).cases;
    let need = ["disabled-and-back", "former-recovery-code", "spent-on-a-mode-change", "mode-change-beside-writes"];
    for case in &cases {
        let wanted = if need.iter().any(|name| case.id.contains(name)) { Status::Unsupported } else { Status::Pass };
        assert_eq!(case.status, wanted, "{}: {:?} {}", case.id, case.verdicts, case.observed);
    }
    assert!(cases.len() > need.len() + 2);
}

#[test]
fn an_action_may_be_a_routine_of_routines() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = edited(&folder, |text| {
        let publish =
            "publish, with: { name: \"{{ object.name }}\", version: 1.0.0, file: \"{{ object.name }}-1.0.0.tgz\" }";
        let text = text.replace("routines:\n", &format!("routines:\n  my-publish: [{{ do: {publish} }}]\n"));
        format!(
            "{text}\nsurfaces:\n  - action: publish\n    perform: [{{ do: my-publish }}]\n    effect:\n      - read: {{ request: \"GET /{{{{ object.name }}}}\" }}\n        applied: {{ status: 200 }}\n        absent: {{ status: 404 }}\n"
        )
    });
    let cases = ["--case", "*/publish/totp/wire", "--case", "otp/replay-at-once/*/totp/wire"];
    let ran = program::check(&[&["--target", &target], &cases[..]].concat());
    let cases = ran.result.unwrap_or_else(|| panic!("{}", ran.said)).cases;
    let held = cases.iter().filter(|case| case.status == Status::Pass).count();
    assert!(held == cases.len() && held > 2, "{}", ran.said);
}

#[test]
fn a_deviation_that_shows_now_and_then_turns_nothing_red_and_is_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let list = folder.path().join("deviations.yaml");
    let entry = "case: auth-and-writes/publish/totp/wire, verdict: replay-accepted, until: 2099-01-01";
    let check = |flaky: &str, mutant: &[&str]| {
        std::fs::write(&list, format!("- {{ {entry}, reason: a list per node{flaky} }}\n")).expect("written");
        let list = list.display().to_string();
        let arguments = ["--case", "auth-and-writes/publish/totp/wire", "--deviations", &list];
        program::check(&[&arguments[..], mutant].concat())
    };
    for (mutant, showed) in [(&[][..], 0), (&["--mutant", "replay-accepted"][..], 1)] {
        let ran = check(", flaky: true", mutant);
        assert_eq!(ran.code, Some(0), "{}", ran.said);
        let flaky = ran.result.expect("a result").flaky_deviations;
        assert_eq!((flaky[0].showed, flaky[0].judged), (showed, 1));
        assert!(ran.said.contains(&format!("replay-accepted in {showed} of 1")), "{}", ran.said);
    }
    assert_eq!(check("", &[]).code, Some(1), "one that is not listed so is strict");
}

/// The rows whose action ends or changes the factor, so that a proof is spent on another action.
const SPENT_ELSEWHERE: [&str; 1] = ["auth-and-writes/{profile-set:password,mode-change,disable-2fa}/*/wire"];

/// What takes no proof spends none, and what refuses one may not have: such a proof says nothing where it is sent again.
#[tokio::test(flavor = "multi_thread")]
async fn a_proof_counts_as_spent_only_where_it_was_asked_for_and_taken() {
    let makes_token = |parts: &Parts| parts.method == "POST" && parts.uri.path() == "/-/npm/v1/tokens";
    let refuses = move |parts: &Parts| {
        if makes_token(parts) && carries_code(parts) { Relayed::Challenged } else { Relayed::Forwarded }
    };
    let unasked = run(&[Mutant::TokenCreateUnchallenged], |_| Relayed::Forwarded, &SPENT_ELSEWHERE).await;
    let refused = run(&[], refuses, &SPENT_ELSEWHERE).await;
    for case in unasked.iter().chain(&refused) {
        // Whether a spent one is refused was not seen, so that the case is not judged in full.
        assert_eq!(case.verdicts, [Verdict::TargetFailed], "{}: {}", case.id, case.observed);
        assert!(case.probes.iter().all(|probe| probe.name != "replay"), "{case:#?}");
        assert!(case.probes.iter().any(|probe| probe.name == "right"), "{case:#?}");
    }
    assert_eq!((unasked.len(), refused.len()), (9, 9));
    let sound = run(&[], |_| Relayed::Forwarded, &SPENT_ELSEWHERE).await;
    assert!(sound.iter().all(|case| case.probes.iter().any(|probe| probe.name == "replay")), "{sound:#?}");
    let faulty = run(&[Mutant::ReplayAccepted], |_| Relayed::Forwarded, &SPENT_ELSEWHERE).await;
    assert!(faulty.iter().any(|case| case.verdicts.contains(&Verdict::ReplayAccepted)), "{faulty:#?}");
}

/// What an earlier answer did not have is the target's, and no mistake of ours.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_no_answer_has_made_possible_is_not_sent_and_the_target_has_failed() {
    let target = Target::start(&[Mutant::PublishNoEffect]).await;
    let results = target.run(Provisioner::SelfService, &["auth-and-writes/deprecate/totp/wire"]).await;
    assert_eq!(results.len(), 1);
    assert_eq!(results[0].verdicts, [Verdict::TargetFailed], "{:#?}", results[0]);
    let told = "was not sent: it does not go with what answers had: invalid operation: no object at `/versions/1.0.0`";
    assert!(results[0].observed.contains(told), "{}", results[0].observed);
}
