//! What the npm dialect sees of the embedded registry beside the documented rows.

use stepup::judge::Verdict;
use stepup::result::{CaseResult, RunResult, Status};

use crate::program;

fn check(arguments: &[&str]) -> RunResult {
    let ran = program::check(arguments);
    assert!(matches!(ran.code, Some(0 | 1)), "{}", ran.said);
    ran.result.unwrap_or_else(|| panic!("no result: {}", ran.said))
}

fn asked(case: &CaseResult) -> bool {
    let probe = case.probes.last().expect("a probe");
    assert!(probe.challenged || probe.outcome.ends_with("success"), "{}: {}", case.id, probe.outcome);
    assert_eq!(case.status, Status::Pass, "{}: {}", case.id, case.observed);
    probe.challenged
}

#[test]
fn observed_actions_are_asked_about_as_the_registry_page_says() {
    let result = check(&[]);
    // All writes but stars, tags other than `latest`, and those that no client can answer for.
    let never = [
        "dist-tag-add:other",
        "dist-tag-rm",
        "star",
        "logout",
        "stage-publish",
        "stage-list",
        "stage-view",
        "stage-download",
    ];
    assert_eq!(result.observations.len(), 22 * 3 + 3 * 2, "keys and codes are added and removed in two modes");
    for case in &result.observations {
        let action = case.id.split('/').nth(1).expect("an action");
        let of_the_factor = ["key-add", "key-remove", "code-add"].contains(&action);
        let expected = of_the_factor || (case.mode == "auth-and-writes" && !never.contains(&action));
        assert_eq!(asked(case), expected, "{}", case.id);
        assert!(!case.cites.is_empty() && case.verdicts.is_empty(), "{}", case.id);
    }
}

#[test]
fn the_removal_of_a_tarball_is_judged_on_its_own() {
    let result = check(&["--mutant", "tarball-delete-unchallenged", "--case", "auth-and-writes/unpublish*/totp/*"]);
    let deviating: Vec<_> = result.cases.iter().filter(|case| case.status == Status::Fail).collect();
    assert_eq!(deviating.len(), 1, "{deviating:#?}");
    assert_eq!(deviating[0].id, "auth-and-writes/unpublish:tarball/totp/wire");
    assert_eq!(deviating[0].verdicts, [Verdict::MissingChallenge]);
}
