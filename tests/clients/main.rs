//! Checks with real clients.

mod apart;
mod behaviours;
mod faults;
#[path = "../support/in_process/mod.rs"]
mod in_process;
mod limits;
#[path = "../support/program.rs"]
mod program;
mod real_clients;
#[path = "../support/relay.rs"]
mod relay;
mod rows;
