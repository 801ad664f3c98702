//! A registry's own test suite calls the checker in process: against the address that its server listens on, with the
//! cases that it cares about.
//!
//!     cargo run --example in_process -- http://127.0.0.1:4873 'disabled/*'

use std::error::Error;

use stepup::check::suite::{Options, Suite};
use stepup::result::Status;

/// Checks a registry, and says how many cases are exact. The error names those that are not as documented.
pub async fn check(target: String, cases: Vec<String>) -> Result<String, Box<dyn Error>> {
    let suite = Suite::new(Options { target, cases, ..Options::default() })?;
    // What a run makes on a registry that lives on is written down here before it is made.
    let folder = tempfile::tempdir()?;
    let session = suite.begin(&folder.path().join("journal.jsonl")).await?;
    let result = session.run(|case| eprintln!("{}: {:?}", case.id, case.status)).await;

    let held = |status| matches!(status, Status::Pass | Status::Unsupported | Status::Skipped);
    let failed: Vec<&str> =
        result.cases.iter().filter(|case| !held(case.status)).map(|case| case.id.as_str()).collect();
    if !failed.is_empty() {
        return Err(format!("did not hold: {}", failed.join(", ")).into());
    }
    Ok(format!("{} of {} cases are exact", result.summary.exact, result.summary.selected))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let target = arguments.next().unwrap_or_else(|| "embedded".to_owned());
    println!("{}", check(target, arguments.collect()).await?);
    Ok(())
}
