//! What each client does wrong by itself, measured on the reference registry, and the committed files held to it.

use std::path::PathBuf;

use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use serde_json::Value as Json;
use stepup::check::suite::Options;
use stepup::client;
use stepup::client::limits::Measured;
use stepup::judge::Verdict;
use stepup::result::{CaseResult, LimitKind, OnReference, RunResult, Status};

use crate::in_process::Target;
use crate::in_process::relay::{Alteration, Relayed, relay};
use crate::real_clients::{case, check_on, options, run};

/// Shapes that the reference registry is set to, beside its own.
const SHAPES: [&str; 2] = ["challenge-forbidden", "challenge-text-in-message"];

/// Set, it writes the files that are not what was measured, and fails all the same.
const UPDATE: &str = "STEPUP_UPDATE_LIMITS";

/// What a case measures: what the client did wrong with these answers, or that it got through.
fn measured(case: &CaseResult) -> Option<Measured> {
    let session = case.session.as_ref().filter(|session| session.unspoken.is_none())?;
    let limits: Vec<LimitKind> = session.limits.iter().map(|limit| limit.kind).collect();
    let factor = serde_json::from_value(case.factor.clone().into()).expect("a factor");
    let row = case.id.split('/').nth(1)?.to_owned();
    let situation = case.situation?;
    let one = Measured { row, factor, situation, shape: session.shape.clone(), limits };
    (session.through || !one.limits.is_empty()).then_some(one)
}

/// The file of a client, from runs.
fn file(runs: &[&RunResult], client: &str) -> String {
    let cases = runs.iter().flat_map(|run| &run.cases).filter(|case| case.client == client);
    let mut lines: Vec<String> = cases
        .filter_map(measured)
        .map(|one| {
            format!("- {}\n", serde_json::to_string(&one).expect("JSON").replace("\":", "\": ").replace(",\"", ", \""))
        })
        .collect();
    lines.sort_unstable();
    lines.dedup();
    format!(
        "# yaml-language-server: $schema=../../docs/schema/client-limits.json\n# What {client} does on the reference registry, by the shape of its answers. Written by tests/clients/limits.rs.\n{}",
        lines.concat()
    )
}

#[tokio::test]
async fn what_clients_do_wrong_by_themselves_is_recorded_as_it_is() {
    let sound = crate::rows::performed().await;
    let mut shaped = Vec::new();
    for shape in SHAPES {
        shaped.push(check_on("embedded", &["all"], &["auth-and-writes/publish/totp/*/terminal"], &[shape]).await);
    }
    let runs: Vec<&RunResult> = std::iter::once(sound).chain(&shaped).collect();
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/clients");
    let mut stale = Vec::new();
    for name in client::names() {
        let path = folder.join(format!("{}.limits.yaml", name.replace('@', "-")));
        let file = file(&runs, &name);
        if std::fs::read_to_string(&path).ok().as_ref() != Some(&file) {
            stale.push(name);
            if std::env::var_os(UPDATE).is_some() {
                std::fs::write(&path, &file).expect("written");
            }
        }
    }
    assert!(stale.is_empty(), "{stale:?} do something else than their files say; set {UPDATE} to write these anew");
}

/// Checks a registry that answers these requests in another way.
async fn check_altered(clients: &[&str], cases: &[&str], of: fn(&Parts) -> bool, alteration: Alteration) -> RunResult {
    let target = Target::start(&[]).await;
    let address =
        relay(
            &target,
            "/",
            move |parts: &Parts| {
                if of(parts) { Relayed::Altered(str::to_owned, alteration) } else { Relayed::Forwarded }
            },
        );
    let target = address.await.to_string();
    run(Options { target, ..options(clients, cases, &[]) }).await
}

#[tokio::test]
async fn a_target_is_blamed_for_an_answer_that_a_client_takes_on_the_reference_registry() {
    // npm joins what it takes for a list, and ends with an error.
    let alteration: Alteration = |status: StatusCode, mut json: Json| {
        if status.is_success() {
            json["cidr_whitelist"] = "10.0.0.0/8".into();
        }
        (status, json)
    };
    let of = |parts: &Parts| parts.method == Method::POST && parts.uri.path() == "/-/npm/v1/tokens";
    let cases = ["auth-and-writes/token-create/totp/npm@11/terminal"];
    let result = check_altered(&["npm@11"], &cases, of, alteration).await;
    let case = case(&result, cases[0]);
    let limits = &case.session.as_ref().expect("a session").limits;
    let seen: Vec<_> = limits.iter().map(|limit| (limit.kind, limit.on_reference)).collect();
    assert_eq!(seen, [(LimitKind::FailureTold, Some(OnReference::Taken))], "{case:?}");
    assert_eq!((case.status, case.verdicts.as_slice()), (Status::Fail, [Verdict::WrongShape].as_slice()), "{case:?}");
}

#[tokio::test]
async fn a_registry_that_asks_in_other_words_and_says_more_is_not_blamed() {
    let alteration: Alteration = |status: StatusCode, mut json: Json| {
        if status == StatusCode::UNAUTHORIZED {
            json["error"] = "A one-time password is needed here.".into();
        }
        json["more"] = 1.into();
        (status, json)
    };
    let of = |parts: &Parts| parts.method == Method::PUT && parts.uri.path().starts_with("/su");
    let clients = ["npm@11", "pnpm@12", "yarn@1", "yarn@4", "bun@1"];
    let result = check_altered(&clients, &["auth-and-writes/publish/totp/*/terminal"], of, alteration).await;
    assert_eq!(result.cases.len(), clients.len());
    for case in &result.cases {
        assert!(matches!(case.status, Status::Pass | Status::Unsupported), "{case:?}");
        let limits = case.session.iter().flat_map(|session| &session.limits);
        assert!(limits.into_iter().all(|limit| limit.on_reference == Some(OnReference::NotSeen)), "{case:?}");
    }
}
