//! Checks over the wire.

mod accounts;
mod authenticators;
mod bad_targets;
mod budget;
mod canary;
#[path = "../support/captures.rs"]
mod captures;
mod cleanup;
mod consent;
mod effects;
mod explore;
mod green;
#[path = "../support/in_process/mod.rs"]
mod in_process;
mod interruption;
mod leftovers;
mod library;
mod npm;
mod npm_dialect;
mod other_accounts;
mod other_doors;
mod other_lock_outs;
mod other_registries;
mod other_sessions;
mod other_spellings;
mod patience;
mod preflight;
mod premises;
#[path = "../support/program.rs"]
mod program;
mod recogniser;
#[path = "../support/relay.rs"]
mod relay;
mod runs;
mod same_word;
mod scenario_acts;
mod security_keys;
mod sharing;
mod spread;
mod stock_npm;
mod tls;
mod wire_twin;
