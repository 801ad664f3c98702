//! `stepup check` as a user runs it: what it says of a compliant registry and of seeded faults.

mod program;

use program::check_into;
use stepup::judge::Verdict;
use stepup::result::{RunResult, Status};

fn check(arguments: &[&str]) -> (i32, RunResult) {
    let ran = program::check(arguments);
    (ran.code.expect("an exit code"), ran.result.unwrap_or_else(|| panic!("no result: {}", ran.said)))
}

#[test]
fn the_compliant_registry_is_exact_for_every_seed_tried() {
    for seed in 1..=20 {
        let (code, result) = check(&["--seed", &seed.to_string()]);
        let wrong: Vec<_> = result.cases.iter().filter(|case| case.status != Status::Pass).collect();
        assert!(wrong.is_empty(), "seed {seed}: {wrong:#?}");
        assert_eq!((code, result.summary.selected), (0, result.summary.exact));
    }
}

#[test]
fn a_seeded_fault_gets_its_verdict_and_exit_code_1() {
    let faults = [
        ("login-unchallenged", "auth-only/login/totp/wire", Verdict::MissingChallenge),
        ("web-login-unchallenged", "auth-only/login:web/totp/wire", Verdict::MissingChallenge),
        ("profile-unchallenged", "auth-only/profile-set:fullname/totp/wire", Verdict::MissingChallenge),
        ("password-unchallenged", "auth-only/profile-set:password/totp/wire", Verdict::MissingChallenge),
        ("mode-change-unchallenged", "auth-only/mode-change/totp/wire", Verdict::MissingChallenge),
        ("disable-unchallenged", "auth-only/disable-2fa/totp/wire", Verdict::MissingChallenge),
        ("token-create-unchallenged", "auth-only/token-create/totp/wire", Verdict::MissingChallenge),
        ("token-revoke-unchallenged", "auth-only/token-revoke/totp/wire", Verdict::MissingChallenge),
        ("publish-unchallenged", "auth-and-writes/publish/totp/wire", Verdict::MissingChallenge),
        ("unpublish-unchallenged", "auth-and-writes/unpublish:all/totp/wire", Verdict::MissingChallenge),
        ("deprecate-unchallenged", "auth-and-writes/deprecate/totp/wire", Verdict::MissingChallenge),
        ("visibility-unchallenged", "auth-and-writes/package-visibility:public/totp/wire", Verdict::MissingChallenge),
        ("grant-unchallenged", "auth-and-writes/package-access:grant/totp/wire", Verdict::MissingChallenge),
        ("revoke-grant-unchallenged", "auth-and-writes/package-access:revoke/totp/wire", Verdict::MissingChallenge),
        ("package-2fa-unchallenged", "auth-and-writes/package-2fa:required/totp/wire", Verdict::MissingChallenge),
        ("auth-only-publish-challenged", "auth-only/publish/totp/wire", Verdict::UnexpectedChallenge),
        ("disabled-publish-challenged", "disabled/publish/none/wire", Verdict::UnexpectedChallenge),
        ("whoami-challenged", "auth-only/whoami/totp/wire", Verdict::UnexpectedChallenge),
        ("challenge-forbidden", "auth-and-writes/publish/totp/wire", Verdict::WrongShape),
        ("challenge-without-header", "auth-and-writes/publish/totp/wire", Verdict::WrongShape),
        ("challenge-text-in-message", "auth-and-writes/publish/totp/wire", Verdict::WrongShape),
        ("challenge-header-parameter", "auth-and-writes/publish/totp/wire", Verdict::WrongShape),
        ("challenge-basic-header", "auth-and-writes/publish/totp/wire", Verdict::WrongShape),
        ("publish-before-challenge", "auth-and-writes/publish/totp/wire", Verdict::EffectBeforeFactor),
        ("packument-before-challenge", "auth-and-writes/publish/totp/wire", Verdict::EffectBeforeFactor),
        ("token-create-before-challenge", "auth-only/token-create/totp/wire", Verdict::EffectBeforeFactor),
        ("password-before-challenge", "auth-only/profile-set:password/totp/wire", Verdict::EffectBeforeFactor),
        ("any-proof-accepted", "auth-only/token-create/totp/wire", Verdict::WrongProofAccepted),
        ("any-six-digits-accepted", "auth-only/token-create/totp/wire", Verdict::WrongProofAccepted),
        ("replay-accepted", "auth-and-writes/publish/totp/wire", Verdict::ReplayAccepted),
        ("replay-accepted", "auth-only/profile-set:password/totp/wire", Verdict::ReplayAccepted),
        ("replay-accepted-elsewhere", "auth-only/disable-2fa/totp/wire", Verdict::ReplayAccepted),
        ("right-proof-refused", "auth-only/token-create/totp/wire", Verdict::RightProofRefused),
        ("publish-no-effect", "auth-and-writes/publish/totp/wire", Verdict::NoEffect),
        ("deprecate-no-effect", "auth-and-writes/deprecate/totp/wire", Verdict::NoEffect),
        ("profile-no-effect", "auth-only/profile-set:fullname/totp/wire", Verdict::NoEffect),
        ("mode-change-no-effect", "auth-only/mode-change/totp/wire", Verdict::NoEffect),
        ("login-token-dead", "disabled/login/none/wire", Verdict::NoEffect),
        ("default-mode-auth-only", "disabled/mode-change:default/none/wire", Verdict::NoEffect),
        ("old-password-works", "auth-only/profile-set:password/totp/wire", Verdict::NoEffect),
        ("wide-window", "otp/expired-by-2/auth-only/totp/wire", Verdict::WrongProofAccepted),
        ("wide-window", "otp/expired-by-10/auth-only/totp/wire", Verdict::WrongProofAccepted),
        ("wide-window", "otp/early-by-2/auth-only/totp/wire", Verdict::WrongProofAccepted),
        ("recovery-code-reusable", "otp/recovery-code-once/auth-only/totp/wire", Verdict::ReplayAccepted),
        ("replay-accepted-elsewhere", "otp/replay-on-another-action/auth-only/totp/wire", Verdict::ReplayAccepted),
        ("replay-accepted-elsewhere", "otp/replay-on-a-write/auth-and-writes/totp/wire", Verdict::ReplayAccepted),
        ("replay-accepted", "otp/replay-later-in-the-step/auth-only/totp/wire", Verdict::ReplayAccepted),
        ("replay-accepted", "otp/replay-one-step-later/auth-only/totp/wire", Verdict::ReplayAccepted),
        ("replay-accepted", "otp/enrolment-code-again/auth-only/totp/wire", Verdict::ReplayAccepted),
        ("replay-accepted", "otp/replay-through-another-surface/auth-only/totp/wire", Verdict::ReplayAccepted),
        ("any-proof-accepted", "otp/letters/auth-only/totp/wire", Verdict::WrongProofAccepted),
        ("any-proof-accepted", "otp/short/auth-only/totp/wire", Verdict::WrongProofAccepted),
        ("any-proof-accepted", "otp/long/auth-only/totp/wire", Verdict::WrongProofAccepted),
        ("any-six-digits-accepted", "otp/of-another-user/auth-only/totp/wire", Verdict::WrongProofAccepted),
        ("former-secret-accepted", "otp/former-secret/auth-only/totp/wire", Verdict::WrongProofAccepted),
        ("any-six-digits-accepted", "otp/former-secret/auth-only/totp/wire", Verdict::WrongProofAccepted),
        ("right-proof-refused", "otp/wrong-then-right/auth-only/totp/wire", Verdict::RightProofRefused),
        ("token-create-unchallenged", "otp/empty/auth-only/totp/wire", Verdict::WrongProofAccepted),
        ("token-create-unchallenged", "otp/in-another-header/auth-only/totp/wire", Verdict::WrongProofAccepted),
        ("token-create-unchallenged", "otp/in-the-query-string/auth-only/totp/wire", Verdict::WrongProofAccepted),
        ("spent-too-late", "otp/replay-at-once/auth-and-writes/totp/wire", Verdict::ReplayAccepted),
        ("spent-too-late", "otp/log-in-replay-at-once/auth-only/totp/wire", Verdict::ReplayAccepted),
        ("spent-too-late", "otp/recovery-code-at-once/auth-and-writes/totp/wire", Verdict::ReplayAccepted),
        ("open-while-verifying", "otp/none-beside-a-verification/auth-and-writes/totp/wire", Verdict::MissingChallenge),
        ("any-six-digits-accepted", "otp/wrong-at-once/auth-and-writes/totp/wire", Verdict::WrongProofAccepted),
        ("half-json", "auth-only/token-create/totp/wire", Verdict::TargetFailed),
        ("token-create-hangs", "disabled/token-create/none/wire", Verdict::TargetFailed),
        ("throttled-at-once", "auth-only/token-create/totp/wire", Verdict::Throttled),
    ];
    for (mutant, case, verdict) in faults {
        let (_, result) = check(&["--mutant", mutant, "--case", case]);
        let found = &result.cases[0];
        assert!(found.verdicts.contains(&verdict), "{mutant}: {:?}: {}", found.verdicts, found.observed);
    }
}

#[test]
fn a_recommended_clause_decides_the_exit_code_only_when_asked() {
    let fault = ["--mutant", "wide-window", "--case", "otp/expired-by-2/*/*/*"];
    let (code, result) = check(&fault);
    assert_eq!((code, result.summary.deviating), (0, 2));
    let (code, _) = check(&[&fault[..], &["--level", "recommended"]].concat());
    assert_eq!(code, 1);
}

#[test]
fn exit_codes_are_those_documented() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let code = |arguments: &[&str]| check_into(arguments, folder.path()).code;
    assert_eq!(code(&["--case", "*/whoami/*"]), Some(0));
    assert_eq!(code(&["--case", "auth-only/whoami/*", "--mutant", "whoami-challenged"]), Some(1));
    assert_eq!(code(&["--target", "nobody"]), Some(2));
    assert_eq!(code(&["--target", "http://192.0.2.1:4873"]), Some(2));
    assert_eq!(code(&["--target", "http://127.0.0.1:9/below"]), Some(3));
    assert_eq!(code(&["--target", "http://127.0.0.1:9"]), Some(3));
    assert_eq!(code(&["--case", "nothing/like/this"]), Some(4));
    let file = folder.path().join("file");
    std::fs::write(&file, "in the way").expect("a file");
    assert_eq!(check_into(&["--case", "*/ping/*"], &file).code, Some(5));
}

#[test]
fn the_same_seed_gives_the_same_verdicts_and_names() {
    let strip = |mut result: RunResult| {
        for case in &mut result.cases {
            for exchange in case.probes.iter_mut().flat_map(|probe| &mut probe.exchanges) {
                (exchange.elapsed_us, exchange.answer_headers) = (0, vec![]);
                exchange.answer_body = None;
            }
        }
        serde_json::to_string(&result.cases).expect("serialises").replace(char::is_numeric, "0")
    };
    let run = || strip(check(&["--seed", "7", "--case", "*/publish/{none,totp}/*"]).1);
    assert_eq!(run(), run());
}

#[test]
fn no_secret_reaches_a_report() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let ran = check_into(&[], folder.path());
    let mut texts = vec![ran.said];
    for file in ["result.json", "junit.xml"] {
        texts.push(std::fs::read_to_string(folder.path().join(file)).expect("the report is there"));
    }
    let result: RunResult = serde_json::from_str(&texts[1]).expect("a result");
    let exchanges = || result.cases.iter().flat_map(|case| &case.probes).flat_map(|probe| &probe.exchanges);
    let proofs: Vec<_> =
        exchanges().flat_map(|exchange| &exchange.headers).filter(|(name, _)| name == "npm-otp").collect();
    assert!(
        proofs.len() > 50
            && proofs.iter().all(|(_, value)| {
                ["‹one-time password›", "‹recovery code›", "‹web token›"].contains(&value.as_str())
            }),
        "a code"
    );
    assert!(exchanges().any(|exchange| exchange.headers.iter().any(|(_, value)| value == "Bearer ‹token›")));
    for text in texts {
        // Every password that a run makes up starts like this, and every enrolment answer carries such an address.
        assert!(!text.contains("Pw-"), "a password");
        assert!(!text.contains("otpauth://totp/"), "a TOTP secret");
        let bearers = text.matches("Bearer ").count();
        assert_eq!(bearers, text.matches("Bearer ‹token›").count(), "a token");
    }
}
