//! A registry's verdicts depend neither on who makes the security keys nor on how its pages are answered.

use stepup::judge::Verdict;
use stepup::result::{CaseResult, Status};

use crate::program;

const WITH_A_KEY: &str = "*/*/{security-key,both}/wire";

/// A case's id and what it showed.
type Shown = (String, Status, Vec<Verdict>);

/// What each case showed.
fn verdicts(arguments: &[&str]) -> Vec<Shown> {
    told(arguments).0
}

/// What each case showed, and what was said.
fn told(arguments: &[&str]) -> (Vec<Shown>, String) {
    let ran = program::check(arguments);
    let of = |case: CaseResult| (case.id, case.status, case.verdicts);
    let cases = ran.result.unwrap_or_else(|| panic!("{}", ran.said)).cases;
    (cases.into_iter().map(of).collect(), ran.said)
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
    let rows = ["--case", "*/{token-create,login:web,publish}/{security-key,both}/wire"];
    // In the other mode the same pages are opened.
    let scenarios = ["--case", "security-key/*/{disabled,auth-only}/**"];
    let some = ["--case", "security-key/{proof-*,broken-signature,user-not-present}/auth-only/**"];
    let faults = ["login-unchallenged", "done-twice", "user-presence-ignored"].map(|name| ["--mutant", name]).concat();
    for (cases, registry, least) in [([rows, scenarios].concat(), vec![], 37), ([rows, some].concat(), faults, 20)] {
        let by = |pages| told(&[&cases[..], &["--pages", pages], &registry].concat());
        let ((requests, _), (browser, said)) = (by("http"), by("browser"));
        assert!(registry.is_empty() == requests.iter().all(|(_, status, _)| *status == Status::Pass));
        let (mut played, mut compared) = (browser.clone(), requests);
        played.retain(|(_, status, _)| *status != Status::Skipped);
        compared.retain(|(id, ..)| played.iter().any(|(other, ..)| other == id));
        assert!(played.len() >= least, "{} of {}: {browser:?}", played.len(), browser.len());
        assert!(compared == played, "{registry:?}: {said}");
    }
}

#[test]
fn the_command_that_repeats_a_case_opens_the_browser_again_where_keys_are_registered_on_the_way() {
    let ran = program::check(&["--case", "security-key/key-beside-codes/**", "--pages", "browser"]);
    let cases = ran.result.unwrap_or_else(|| panic!("{}", ran.said)).cases;
    assert_eq!((cases.len(), cases[0].status), (1, Status::Pass), "{}", ran.said);
    assert!(cases[0].repeat.contains("--pages browser"), "{}", cases[0].repeat);
}
