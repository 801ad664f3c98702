//! Seeded faults of the reference registry, found with real clients: what a client can see of a fault has the verdict that
//! the wire has of it.

use std::time::Duration;

use axum::http::Method;
use axum::http::request::Parts;
use stepup::check::suite::Options;
use stepup::judge::Verdict;
use stepup::registry::Mutant;
use stepup::result::{Asked, Status};
use stepup::target::Pages;

use crate::in_process::Target;
use crate::in_process::relay::{Relayed, relay};
use crate::real_clients::{case, check_on, limits, options, run};

/// Faults, the client, the rows in which they show, and the verdict.
const FAULTS: [(&str, &str, &str, Verdict); 19] = [
    ("publish-before-challenge", "npm@11", "auth-and-writes/publish/totp", Verdict::EffectBeforeFactor),
    ("packument-before-challenge", "npm@11", "auth-and-writes/publish/totp", Verdict::EffectBeforeFactor),
    ("token-create-before-challenge", "npm@11", "auth-and-writes/token-create/totp", Verdict::EffectBeforeFactor),
    ("auth-only-publish-challenged", "npm@11", "auth-only/publish/totp", Verdict::UnexpectedChallenge),
    ("disabled-publish-challenged", "bun@1", "disabled/publish/none", Verdict::UnexpectedChallenge),
    ("right-proof-refused", "npm@11", "auth-and-writes/publish/totp", Verdict::RightProofRefused),
    ("right-proof-refused", "yarn@4", "auth-and-writes/publish/totp", Verdict::RightProofRefused),
    ("publish-no-effect", "pnpm@12", "auth-and-writes/publish/totp", Verdict::TargetFailed),
    ("key-users-unchallenged", "npm@11", "auth-and-writes/publish/security-key", Verdict::MissingChallenge),
    ("classic-challenge-to-key-user", "npm@11", "auth-and-writes/publish/security-key", Verdict::WrongFactorOffered),
    ("key-offered-to-code-user", "npm@11", "auth-and-writes/publish/totp", Verdict::WrongFactorOffered),
    ("web-challenge-without-header", "bun@1", "auth-and-writes/publish/security-key", Verdict::WrongShape),
    ("web-challenge-relative-urls", "npm@11", "auth-and-writes/publish/security-key", Verdict::WrongShape),
    ("web-client-unchallenged", "npm@11", "auth-and-writes/token-create/totp", Verdict::MissingChallenge),
    ("web-login-unchallenged", "pnpm@12", "auth-and-writes/login:web/totp", Verdict::MissingChallenge),
    ("web-login-token-before-factor", "npm@11", "auth-and-writes/login:web/totp", Verdict::EffectBeforeFactor),
    (
        "done-before-assertion",
        "bun@1",
        "auth-and-writes/publish/security-key/bun@1/terminal",
        Verdict::WrongProofAccepted,
    ),
    ("later-version-unchallenged", "yarn@1", "auth-and-writes/publish:later-version/totp", Verdict::MissingChallenge),
    // It asks before it is asked, so a wrong code is what shows that none is needed.
    ("mode-change-unchallenged", "npm@9", "auth-and-writes/mode-change/totp", Verdict::WrongProofAccepted),
];

#[tokio::test]
async fn a_fault_that_a_client_can_see_is_found_with_it() {
    let find = |(fault, client, row, _): (&'static str, &'static str, &'static str, Verdict)| {
        Box::pin(async move { check_on("embedded", &[client], &[&format!("{row}*")], &[fault]).await })
    };
    let runs: Vec<_> = FAULTS.into_iter().map(find).collect();
    // Each registry is one of its own; the commands take turns all the same.
    for ((fault, .., verdict), result) in FAULTS.into_iter().zip(futures_util::future::join_all(runs).await) {
        let spoken = |case: &&stepup::result::CaseResult| {
            case.session.as_ref().is_some_and(|session| session.unspoken.is_none())
        };
        let cases: Vec<_> = result.cases.iter().filter(spoken).collect();
        assert!(!cases.is_empty(), "{fault}");
        for case in cases {
            let found = case.verdicts.contains(&verdict);
            assert_eq!((case.status, found), (Status::of(&[verdict]), true), "{fault}: {case:?}");
        }
    }
}

/// How long the next test may take before it counts as stuck.
const STUCK: Duration = Duration::from_secs(300);

#[tokio::test]
async fn clients_who_wait_for_their_turn_do_not_hold_up_those_who_wait_for_an_effect() {
    let clients = ["npm@11", "pnpm@12", "yarn@4", "bun@1"];
    let checked = check_on("embedded", &clients, &["auth-and-writes/publish/totp/**"], &["publish-no-effect"]);
    let result = tokio::time::timeout(STUCK, Box::pin(checked)).await.expect("the run ends");
    for case in &result.cases {
        // No read of a package has ever found one here, so that nothing found is no sign.
        let seen = (case.status, case.verdicts.as_slice());
        assert_eq!(seen, (Status::Error, [Verdict::TargetFailed].as_slice()), "{case:?}");
    }
}

#[tokio::test]
async fn a_read_that_is_challenged_is_not_taken_for_the_challenge_of_the_write() {
    let target = Target::start(&[Mutant::PublishUnchallenged]).await;
    let address = relay(&target, "/", |parts: &Parts| {
        let reads = parts.method == Method::GET && parts.uri.path().starts_with("/su");
        if reads && !parts.headers.contains_key("npm-otp") { Relayed::Challenged } else { Relayed::Forwarded }
    });
    let target = address.await.to_string();
    let cases = ["auth-and-writes/publish/totp/*"];
    let result = run(Options { target, ..options(&["npm@11"], &cases, &[]) }).await;
    for case in &result.cases {
        // The client goes on after the read, and its write is not asked for anything.
        let verdicts = [Verdict::MissingChallenge, Verdict::UnexpectedChallenge];
        assert_eq!((case.status, case.verdicts.as_slice()), (Status::Fail, verdicts.as_slice()), "{case:?}");
        assert_eq!(limits(case), [], "{case:?}");
    }
}

#[tokio::test]
async fn a_page_that_a_client_shows_is_answered_in_a_browser() {
    let rows = "auth-and-writes/{publish,login:web}/security-key/npm@11/terminal";
    let result = run(Options { pages: Pages::Browser, ..options(&["npm@11"], &[rows], &[]) }).await;
    for row in ["publish", "login:web"] {
        let case = case(&result, &format!("auth-and-writes/{row}/security-key/npm@11/terminal"));
        let session = case.session.as_ref().expect("a session");
        let seen = (case.verdicts.as_slice(), session.asked, session.through);
        assert_eq!(seen, ([Verdict::Exact].as_slice(), Asked::ForPage, true), "{case:?}");
        let exchanges = case.probes.iter().flat_map(|probe| &probe.exchanges);
        assert!(exchanges.into_iter().any(|exchange| exchange.request.starts_with("BROWSER ")), "{case:?}");
    }
}
