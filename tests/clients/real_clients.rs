//! Runs with real clients, and what is read in their results.
#![allow(dead_code, reason = "each test file uses its part")]

use stepup::check::suite::{Options, Suite};
use stepup::result::{CaseResult, LimitKind, RunResult, Status};

/// Checks a registry with clients.
pub async fn check_on(target: &str, clients: &[&str], cases: &[&str], mutants: &[&str]) -> RunResult {
    run(Options { target: target.to_owned(), ..options(clients, cases, mutants) }).await
}

/// What a check of the embedded registry with clients takes.
pub fn options(clients: &[&str], cases: &[&str], mutants: &[&str]) -> Options {
    Options {
        clients: clients.iter().map(|client| (*client).to_owned()).collect(),
        cases: cases.iter().map(|case| (*case).to_owned()).collect(),
        mutants: mutants.iter().map(|name| name.parse().expect("a fault")).collect(),
        ..Options::default()
    }
}

/// Runs a check.
pub async fn run(options: Options) -> RunResult {
    let folder = tempfile::tempdir().expect("a folder");
    let suite = Suite::new(options).expect("cases");
    let session = suite.begin(&folder.path().join("journal.jsonl")).await.expect("a registry");
    session.run(|_| {}).await
}

/// A case by its id.
pub fn case<'r>(result: &'r RunResult, id: &str) -> &'r CaseResult {
    let found = result.cases.iter().find(|case| case.id == id);
    found.unwrap_or_else(|| {
        panic!("no case {id} among {:?}", result.cases.iter().map(|case| &case.id).collect::<Vec<_>>())
    })
}

/// What deviates, or could not be judged, with what was seen.
pub fn wrong(result: &RunResult) -> Vec<(&str, &str)> {
    let wrong =
        result.cases.iter().filter(|case| matches!(case.status, Status::Fail | Status::Error | Status::Skipped));
    wrong.map(|case| (case.id.as_str(), case.observed.as_str())).collect()
}

/// The kinds of a client's own faults in a case.
pub fn limits(case: &CaseResult) -> Vec<LimitKind> {
    case.session.iter().flat_map(|session| &session.limits).map(|limit| limit.kind).collect()
}
