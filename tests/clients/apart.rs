//! Real clients run apart from whoever runs stepup: nothing of their own settings is read, and none of it is written; and
//! apart from any host but the target.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use stepup::check::suite::Options;
use stepup::result::{RunResult, Status};

use crate::real_clients::{self, case, options, run};
use crate::relay::{Misbehaviour, Route, registry_that};

/// One of each make.
const CLIENTS: [&str; 5] = ["npm@11", "pnpm@12", "yarn@1", "yarn@4", "bun@1"];

/// Settings of a user, each of which would break every command that read it.
const SETTINGS: [(&str, &str); 7] = [
    (".npmrc", "registry=http://127.0.0.1:9/\notp=000000\nauth-type=legacy\nproxy=http://127.0.0.1:9/\ndry-run=true\n"),
    (".yarnrc", "registry \"http://127.0.0.1:9/\"\n"),
    (".yarnrc.yml", "npmRegistryServer: \"http://127.0.0.1:9\"\nhttpProxy: \"http://127.0.0.1:9\"\n"),
    ("bunfig.toml", "[install]\nregistry = \"http://127.0.0.1:9/\"\n"),
    (".bunfig.toml", "[install]\nregistry = \"http://127.0.0.1:9/\"\n"),
    ("config/pnpm/rc", "registry=http://127.0.0.1:9/\nproxy=http://127.0.0.1:9/\n"),
    ("config/pnpm/config.yaml", "registry: http://127.0.0.1:9/\n"),
];

/// Variables of such a user.
const VARIABLES: [(&str, &str); 10] = [
    ("npm_config_otp", "000000"),
    ("NPM_CONFIG_REGISTRY", "http://127.0.0.1:9/"),
    ("npm_config_registry", "http://127.0.0.1:9/"),
    ("NPM_TOKEN", "none"),
    ("YARN_NPM_REGISTRY_SERVER", "http://127.0.0.1:9"),
    ("YARN_HTTP_PROXY", "http://127.0.0.1:9"),
    ("BUN_CONFIG_REGISTRY", "http://127.0.0.1:9/"),
    ("HTTPS_PROXY", "http://127.0.0.1:9/"),
    ("http_proxy", "http://127.0.0.1:9/"),
    ("NODE_OPTIONS", "--require /nowhere/at/all.js"),
];

/// The files below a folder, and what is in them.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.display().to_string(), std::fs::read(&path).expect("a file"));
        }
    }
    found
}

#[tokio::test]
async fn the_users_own_settings_are_neither_read_nor_written() {
    // What is not installed yet is installed by the settings that this machine really has.
    let installed = run(options(&CLIENTS, &["disabled/publish/none/*/script"], &[])).await;
    assert_eq!(real_clients::wrong(&installed), []);
    let home = tempfile::tempdir().expect("a folder");
    for (name, text) in SETTINGS {
        let path = home.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        std::fs::write(path, text).expect("written");
    }
    let before = files(home.path());
    let own_home = std::env::var("HOME").expect("a home");
    let cache = std::env::var("XDG_CACHE_HOME").unwrap_or_else(|_| format!("{own_home}/.cache"));
    let out = tempfile::tempdir().expect("a folder");
    let check = |temporary: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stepup"));
        command.args(["check", "--case", "auth-and-writes/{publish,unpublish:version}/totp/**", "--out"]);
        command.arg(out.path()).args(CLIENTS.iter().flat_map(|client| ["--client", client]));
        command.env("HOME", home.path()).env("XDG_CACHE_HOME", &cache);
        command.env("XDG_CONFIG_HOME", home.path().join("config")).envs(VARIABLES).env("TMPDIR", temporary);
        command.current_dir(home.path()).output().expect("stepup starts")
    };
    let ran = check(&std::env::temp_dir());
    assert_eq!(ran.status.code(), Some(0), "{ran:?}");
    let text = std::fs::read_to_string(out.path().join("result.json")).expect("a result");
    let result: RunResult = serde_json::from_str(&text).expect("a result");
    for client in CLIENTS {
        for situation in ["script", "terminal"] {
            let case = case(&result, &format!("auth-and-writes/publish/totp/{client}/{situation}"));
            let session = case.session.as_ref().expect("a session");
            assert_eq!((case.status, session.limits.as_slice()), (Status::Pass, [].as_slice()), "{}", case.id);
        }
    }
    assert_eq!(files(home.path()), before);
    // Clients look in the folders above the one in which they run as well.
    let ran = check(home.path());
    assert_eq!(ran.status.code(), Some(3), "{ran:?}");
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(said.contains(".npmrc") && said.contains("hint: set TMPDIR"), "{said}");
}

#[tokio::test]
async fn a_client_that_is_sent_elsewhere_reaches_nobody() {
    const AWAY: &str =
        "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://elsewhere.test/x\r\ncontent-length: 0\r\n\r\n";
    let target = registry_that(Route("GET /su*"), Misbehaviour::Answers(AWAY)).await;
    let result = run(Options { target, ..options(&["npm@11"], &["disabled/publish/none/*/script"], &[]) }).await;
    let case = &result.cases[0];
    assert_eq!(case.status, Status::Error, "{}: {}", case.id, case.observed);
    let exchanges = case.probes.iter().flat_map(|probe| &probe.exchanges);
    let faults: Vec<&str> = exchanges.filter_map(|exchange| exchange.fault.as_deref()).collect();
    assert!(faults.contains(&"an address outside the target, on elsewhere.test"), "{case:?}");
}
