//! Accounts that an operator hands over: right verdicts with a handful of them, and a target left as it was.

use std::collections::BTreeSet;

use serde_json::Value;
use stepup::check::Provisioner;
use stepup::judge::Verdict;
use stepup::registry::Mutant;
use stepup::result::Status;

use crate::in_process::{Target, wrong};

/// One account for each use.
async fn accounts(target: &Target) -> String {
    let mut entries = target.account("companion", "disabled", "companion").await;
    for (name, mode, role) in [
        ("plain", "disabled", "lasting"),
        ("plain-spare", "disabled", "expendable"),
        ("careful", "auth-only", "lasting"),
        ("careful-spare", "auth-only", "expendable"),
        ("careful-spare-2", "auth-only", "expendable"),
        ("careful-spare-3", "auth-only", "expendable"),
        ("careful-spare-4", "auth-only", "expendable"),
        ("careful-spare-5", "auth-only", "expendable"),
        ("careful-spare-6", "auth-only", "expendable"),
        ("careful-spare-7", "auth-only", "expendable"),
        ("careful-spare-8", "auth-only", "expendable"),
        ("careful-spare-9", "auth-only", "expendable"),
        ("careful-spare-10", "auth-only", "expendable"),
        ("careful-spare-11", "auth-only", "expendable"),
        ("careful-spare-12", "auth-only", "expendable"),
        ("careful-spare-13", "auth-only", "expendable"),
        ("careful-spare-14", "auth-only", "expendable"),
        ("writer", "auth-and-writes", "lasting"),
        ("writer-spare", "auth-and-writes", "expendable"),
        ("writer-spare-2", "auth-and-writes", "expendable"),
        ("writer-spare-3", "auth-and-writes", "expendable"),
        ("writer-spare-4", "auth-and-writes", "expendable"),
        ("writer-spare-5", "auth-and-writes", "expendable"),
        ("writer-spare-6", "auth-and-writes", "expendable"),
        ("writer-spare-7", "auth-and-writes", "expendable"),
        ("writer-spare-8", "auth-and-writes", "expendable"),
    ] {
        entries += &target.account(name, mode, role).await;
    }
    entries
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handful_of_accounts_gives_right_verdicts_for_every_case_and_is_left_as_it_was() {
    let target = Target::start(&[]).await;
    let entries = accounts(&target).await;
    let mut results = target.run(target.pool(&entries), &[]).await;
    // None of these accounts has a security key.
    results.retain(|case| !matches!(case.factor.as_str(), "security-key" | "both"));
    // What an operator does not hand over cannot be tried, and is said not to have been.
    let (without, results): (Vec<_>, Vec<_>) = results.into_iter().partition(|case| case.status == Status::Skipped);
    let without: Vec<_> = without.iter().map(|case| (case.action.as_str(), case.observed.as_str())).collect();
    let (with_a_cast, without): (Vec<_>, Vec<_>) =
        without.into_iter().partition(|(_, reason)| reason.starts_with("it takes users"));
    let reason = "it takes users who sign themselves up, and accounts are lent here";
    assert!(with_a_cast.len() == 13 && with_a_cast.iter().all(|case| case.1 == reason), "{with_a_cast:#?}");
    let reasons = [
        ("otp/enrolment-code-again", "the account was enrolled before the run began"),
        ("otp/of-another-user", "a second user's one-time passwords are needed, and accounts are lent one at a time"),
        (
            "otp/of-another-user-on-the-account",
            "a second user's one-time passwords are needed, and accounts are lent one at a time",
        ),
        (
            "otp/of-another-user-on-writes",
            "a second user's one-time passwords are needed, and accounts are lent one at a time",
        ),
        (
            "packages/second-maintainer",
            "a second user's one-time passwords are needed, and accounts are lent one at a time",
        ),
        ("otp/recovery-code-at-once", "recovery code 0 of the account is not known"),
        ("otp/recovery-code-at-the-prompt", "recovery code 0 of the account is not known"),
        ("otp/recovery-code-on-the-account", "recovery code 0 of the account is not known"),
        ("otp/recovery-code-once", "recovery code 0 of the account is not known"),
        ("otp/recovery-codes-each", "recovery code 4 of the account is not known"),
    ];
    assert!(without.len() == 16 && without.iter().all(|case| reasons.contains(case)), "{without:#?}");
    // Expendable accounts that were used up are named, for their entries are wrong from now on.
    let (used_up, results): (Vec<_>, Vec<_>) = results.into_iter().partition(|case| !case.left.is_empty());
    assert!(used_up.len() == 17 && used_up.iter().all(|case| case.status == Status::Pass), "{:#?}", wrong(&used_up));
    assert!(used_up.iter().all(|case| case.left.len() == 1 && case.left[0].contains("-spare")), "{used_up:#?}");
    let wrong = wrong(&results);
    assert!(wrong.is_empty(), "{} of {}: {wrong:#?}", wrong.len(), results.len());
    assert_eq!(target.packages().await, 0);
    for name in ["plain", "careful", "writer", "plain-spare"] {
        let profile = target.profile(&entries, name).await;
        assert!(profile["fullname"].as_str().unwrap_or_default().is_empty(), "{profile}");
        let mode = if name == "writer" { "auth-and-writes" } else { "auth-only" };
        if name.starts_with("plain") {
            assert!(profile["tfa"].is_null() || profile["tfa"] == false, "{profile}");
        } else {
            assert_eq!(profile["tfa"]["mode"], mode, "{profile}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_with_security_keys_are_lent_and_their_keys_go_on_counting() {
    let target = Target::start(&[]).await;
    let mut entries = target.account("companion", "disabled", "companion").await;
    for mode in ["auth-only", "auth-and-writes"] {
        entries += &target.account_with_key(mode, mode, "lasting").await;
        for spare in 0..6 {
            entries += &target.account_with_key(&format!("{mode}-spare-{spare}"), mode, "expendable").await;
        }
    }
    let counter = |name: &str| {
        let text = std::fs::read_to_string(target.key_file(name)).expect("the key's file");
        serde_json::from_str::<Value>(&text).expect("JSON")["signCount"].as_u64().expect("a counter")
    };
    let before = counter("auth-only");
    let results = target.run(target.pool(&entries), &["*/*/security-key/*", "*/*/*/security-key/*"]).await;
    let (skipped, results): (Vec<_>, Vec<_>) = results.into_iter().partition(|case| case.status == Status::Skipped);
    let reasons: BTreeSet<_> = skipped.iter().map(|case| case.observed.as_str()).collect();
    let allowed = [
        "a second user's one-time passwords are needed, and accounts are lent one at a time",
        "recovery code 0 of the account is not known",
    ];
    assert!(skipped.len() == 9 && reasons == BTreeSet::from(allowed), "{} {reasons:#?}", skipped.len());
    assert!(results.len() > 130, "{}", results.len());
    // What the cases that wear accounts out leave is said.
    let (worn, results): (Vec<_>, Vec<_>) = results.into_iter().partition(|case| !case.left.is_empty());
    assert!(worn.iter().all(|case| case.status == Status::Pass && case.left[0].contains("-spare")), "{worn:#?}");
    let wrong = wrong(&results);
    assert!(wrong.is_empty(), "{} of {}: {wrong:#?}", wrong.len(), results.len());
    assert!(counter("auth-only") > before);
    // The next run goes on with the same files.
    let again = target.run(target.pool(&entries), &["auth-and-writes/publish/security-key/wire"]).await;
    assert!(again.len() == 1 && again[0].status == Status::Pass, "{again:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_are_found_with_accounts_as_well() {
    for (mutant, case, verdict) in [
        (Mutant::PublishUnchallenged, "auth-and-writes/publish/totp/wire", Verdict::MissingChallenge),
        (Mutant::DisableUnchallenged, "auth-only/disable-2fa/totp/wire", Verdict::MissingChallenge),
        (Mutant::PasswordBeforeChallenge, "auth-only/profile-set:password/totp/wire", Verdict::EffectBeforeFactor),
        (Mutant::ReplayAccepted, "auth-and-writes/publish/totp/wire", Verdict::ReplayAccepted),
    ] {
        let target = Target::start(&[mutant]).await;
        let entries = accounts(&target).await;
        let results = target.run(target.pool(&entries), &[case]).await;
        assert_eq!(results[0].verdicts.first(), Some(&verdict), "{mutant}: {}", results[0].observed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_without_its_account_is_skipped_with_the_reason() {
    let target = Target::start(&[]).await;
    let entries = target.account("careful", "auth-only", "lasting").await;
    let results = target.run(target.pool(&entries), &["auth-only/*", "*/ping/*"]).await;
    let told = |id: &str| results.iter().find(|case| case.id == id).map(|case| (case.status, case.observed.as_str()));
    assert_eq!(told("auth-only/token-create/totp/wire").expect("the case").0, Status::Pass);
    let (status, reason) = told("auth-only/disable-2fa/totp/wire").expect("the case");
    assert!(status == Status::Skipped && reason.contains("`role: expendable`"), "{reason}");
    let (status, reason) = told("disabled/ping/none/wire").expect("the case");
    assert!(status == Status::Skipped && reason.contains("no account in mode disabled"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_is_not_the_accounts_is_no_fault_of_the_target() {
    let target = Target::start(&[]).await;
    let entry = target.account("careful", "auth-only", "lasting").await;
    let (before, _) = entry.split_once("totp: ").expect("a secret");
    let entry = format!("{before}totp: GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ }}");
    let results = target.run(target.pool(&entry), &["auth-only/token-create/totp/*"]).await;
    assert_eq!(results[0].status, Status::Error, "{}", results[0].observed);
    assert!(!results[0].verdicts.contains(&Verdict::RightProofRefused), "{:?}", results[0].verdicts);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_in_another_mode_than_its_file_says_is_not_judged() {
    let target = Target::start(&[]).await;
    let entry = target.account("careful", "auth-only", "lasting").await.replace("auth-only", "auth-and-writes");
    let results = target.run(target.pool(&entry), &["auth-and-writes/publish/totp/*"]).await;
    assert_eq!((results[0].status, results[0].verdicts.as_slice()), (Status::Error, &[Verdict::HarnessError][..]));
    assert!(results[0].observed.contains("not in the mode"), "{}", results[0].observed);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_run_makes_is_journalled_without_secrets_and_gone_afterwards() {
    let target = Target::start(&[]).await;
    let results = target.run(Provisioner::SelfService, &[]).await;
    let wrong = wrong(&results);
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(target.packages().await, 0);
    let journal = std::fs::read_to_string(target.journal()).expect("the journal");
    let entries: Vec<Value> =
        journal.lines().map(|line| serde_json::from_str(line).expect("a line is a document")).collect();
    let of = |event: &str| entries.iter().filter(|entry| entry["event"] == event).count();
    assert!(of("user") > 100 && of("making") > 100 && of("undone") > 40, "{journal}");
    for entry in entries.iter().filter(|entry| entry["event"] == "making") {
        let undone = entries.iter().any(|other| other["event"] == "undone" && other["case"] == entry["case"]);
        assert!(undone, "{entry}");
    }
    assert!(!journal.contains("Pw-") && !journal.contains("npm_") && !journal.contains("otpauth"), "{journal}");
}
