//! Every client performs every row that it can express, with a code and with a security key: minutes, so no test.
//!
//! `cargo run --release --locked --example all_clients`; it fails where a case deviates or could not be judged, and where a
//! client of npm asks otherwise than is known of it.

use std::path::Path;
use std::process::ExitCode;

use stepup::check::suite::{Options, Suite};
use stepup::report::terminal::{self, Paper};
use stepup::result::{LimitKind, RunResult, Status};

/// The rows in which npm 9 and 10 ask nobody in a terminal, though they are challenged; the others of npm ask in all.
const SILENT: [&str; 2] = ["package-access:grant", "package-access:revoke"];

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let suite = Suite::new(Options { clients: vec!["all".to_owned()], ..Options::default() })?;
    // The embedded registry is thrown away, so nothing is written to a journal.
    let result = suite.begin(Path::new("")).await?.run(|_| {}).await;
    println!("{}", terminal::render(&result, Paper::default()));
    let ends = [Status::Fail, Status::Error, Status::Skipped];
    let mut holds = result.complete && !result.cases.iter().any(|case| ends.contains(&case.status));
    for client in ["npm@6", "npm@7", "npm@8", "npm@9", "npm@10", "npm@11", "npm@12"] {
        let known: &[&str] = if matches!(client, "npm@9" | "npm@10") { &SILENT } else { &[] };
        let silent = not_asked(&result, client);
        if silent != known {
            println!("{client} asks nobody in {silent:?}; known are {known:?}");
            holds = false;
        }
    }
    Ok(if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn not_asked<'r>(result: &'r RunResult, client: &str) -> Vec<&'r str> {
    let of_client = result.cases.iter().filter(|case| case.client == client && case.factor == "totp");
    let silent = of_client.filter(|case| {
        let mut limits = case.session.iter().flat_map(|session| &session.limits);
        limits.any(|limit| limit.kind == LimitKind::NotAsked)
    });
    let mut rows: Vec<&str> = silent.filter_map(|case| case.id.split('/').nth(1)).collect();
    rows.sort_unstable();
    rows
}
