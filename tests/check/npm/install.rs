//! The pinned npm, installed as `stepup check --client npm@11` installs it: once for all tests and test runs.

use std::path::PathBuf;

use tokio::sync::OnceCell;

static NPM_11: OnceCell<PathBuf> = OnceCell::const_new();

/// npm 11's program, for node to run.
pub async fn npm_11() -> PathBuf {
    let home = NPM_11.get_or_try_init(install).await;
    let home = home.unwrap_or_else(|message| panic!("npm 11 could not be installed for this test: {message}"));
    home.join("node_modules/npm/bin/npm-cli.js")
}

async fn install() -> Result<PathBuf, String> {
    let client = stepup::client::find("npm@11").map_err(|error| error.to_string())?.remove(0);
    let own = &client.packages[0];
    stepup::installed::packages("clients", &own.folder, &own.manifest, &own.lockfile).await
}
