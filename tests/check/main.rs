//! Checks over the wire.

mod accounts;
mod authenticators;
mod bad_targets;
mod canary;
mod cleanup;
mod consent;
mod explore;
#[path = "../support/in_process/mod.rs"]
mod in_process;
mod interruption;
mod library;
mod npm;
mod npm_dialect;
mod other_registries;
mod patience;
mod preflight;
#[path = "../support/program.rs"]
mod program;
mod recogniser;
#[path = "../support/relay.rs"]
mod relay;
mod runs;
mod scenario_acts;
mod security_keys;
mod stock_npm;
mod tls;
