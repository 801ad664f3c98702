//! A registry's verdicts depend neither on who makes the security keys nor on how its pages are answered.

mod program;

use stepup::judge::Verdict;
use stepup::result::{CaseResult, Status};

const WITH_A_KEY: &str = "*/*/{security-key,both}/wire";

/// What each case showed, by id.
fn verdicts(arguments: &[&str]) -> Vec<(String, Status, Vec<Verdict>)> {
    let ran = program::check(arguments);
    let of = |case: CaseResult| (case.id, case.status, case.verdicts);
    ran.result.unwrap_or_else(|| panic!("{}", ran.said)).cases.into_iter().map(of).collect()
}

#[test]
fn two_independent_authenticators_and_our_own_agree_on_every_row() {
    for registry in [&[][..], &["--mutant", "signature-ignored"], &["--mutant", "web-token-reusable"]] {
        let by = |maker| verdicts(&[&["--case", WITH_A_KEY, "--authenticator", maker], registry].concat());
        let first = by("soft-passkey");
        assert!(first.len() > 100 && registry.is_empty() == first.iter().all(|(_, status, _)| *status == Status::Pass));
        assert_eq!(first, by("passkey"), "{registry:?}");
        assert_eq!(first, by("own"), "{registry:?}");
    }
}

#[test]
fn a_browser_agrees_with_the_requests_that_it_makes() {
    let cases =
        ["--case", "*/{token-create,login:web,publish}/{security-key,both}/wire", "--case", "security-key/proof-*/**"];
    for registry in [&[][..], &["--mutant", "login-unchallenged", "--mutant", "done-twice"]] {
        let by = |pages| verdicts(&[&cases[..], &["--pages", pages], registry].concat());
        let (requests, browser) = (by("http"), by("browser"));
        assert!(
            requests.len() > 12 && registry.is_empty() == requests.iter().all(|(_, status, _)| *status == Status::Pass)
        );
        assert_eq!(requests, browser, "{registry:?}");
    }
}
