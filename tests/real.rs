//! Real registries: installed from the npm registry at pinned versions, started on loopback, checked, stopped.

#[path = "support/program.rs"]
mod program;

use stepup::result::{Found, RunResult, Status};

fn check(target: &str) -> (RunResult, String) {
    let ran = program::check(&["--target", target]);
    let said = ran.said;
    assert_eq!(ran.code, Some(0), "{said}");
    let result = ran.result.expect("result.json is there");
    let summary = &result.summary;
    let sum = summary.exact
        + summary.deviating
        + summary.unsupported
        + summary.not_described
        + summary.skipped
        + summary.errored;
    assert_eq!((summary.selected, summary.errored, summary.known), (sum, 0, summary.deviating), "{said}");
    (result, said)
}

#[test]
fn verdaccio_9_deviates_exactly_as_its_target_file_says() {
    let (result, said) = check("verdaccio-9");
    assert_eq!(result.target.factors.totp.found, Found::Works);
    assert!(result.summary.exact > 40 && result.summary.deviating > 5, "{said}");
    // A door that the target file adds is a case like those of the dialect.
    let doors: Vec<_> = result
        .cases
        .iter()
        .filter(|case| {
            case.surface.as_deref() == Some("web-interface") && !case.factor.contains("key") && case.factor != "both"
        })
        .map(|case| case.status)
        .collect();
    assert_eq!(doors, [Status::Pass, Status::Fail, Status::Fail]);
    // Clauses beyond the tables that take minutes are run only when asked for, and said not to have been.
    assert!(said.contains("--level recommended runs it") && result.summary.skipped > 0, "{said}");
}

#[test]
fn a_registry_without_a_second_factor_is_said_to_have_none() {
    for target in ["verdaccio-6", "pnpr"] {
        let (result, said) = check(target);
        assert!(said.contains("This registry has no one-time passwords"), "{said}");
        assert!(said.contains("WITHOUT A SECOND FACTOR"), "{said}");
        assert!(result.summary.exact > 10, "{said}");
        let with_factor = result.cases.iter().filter(|case| case.factor == "totp");
        assert!(with_factor.clone().count() > 40);
        assert!(with_factor.clone().all(|case| case.status == Status::Unsupported), "{said}");
    }
}
