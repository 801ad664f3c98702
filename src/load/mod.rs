//! How many verifications a second: load, capacity, and numbers that one can stand behind.
//!
//! A map of the rooms, from what is pure to what is not:
//!
//! - [`crate::quantity`] reads `250 ms`, `1000/s` and `99.9 %`.
//! - [`pace`] says when each arrival is due, or [`crowd`] who comes when answered, [`mix`] what it carries, [`sizing`] how
//!   many users that takes, [`objective`] what a run must show, [`search`] which rate to try next, [`scaling`] how
//!   throughput grows, [`trend`] whether a queue does, and [`nodes`] how many bear a rate. No clock, no network.
//! - [`pool`] is a file of enrolled users, [`seal`] encrypts what is secret in it, [`passphrase`] says where that comes
//!   from, and [`enrol`] fills it.
//! - [`users`] are the simulated users, [`roster`] hands them out, [`request`] writes what they send, [`answer`] reads
//!   what comes back, [`fate`] says what it means.
//! - A command of several requests is a [`script`], and a user on his way through it an [`errand`]; his security key is in
//!   the [`keychain`], and what the command works on is made ahead of the run by [`preparing`].
//! - [`desk`] brings these together for one shard, without socket or clock; [`tally`] and [`histogram`] are what it
//!   counts. [`engine`] gives it both on a [`thread`] of its own, over [`stream`]s, and [`run`] has one for each
//!   core.
//! - [`journey`] is the other way to load: users who walk through several actions, driven by goose.
//! - [`noting`] and [`capacity`] put what a run or a search showed into a [`document`]; [`limit`] is what limited it where the
//!   target did not, and [`exposition`] is for whoever watches.

pub mod answer;
pub mod capacity;
pub mod crowd;
pub mod desk;
pub mod document;
pub mod embedded;
pub mod engine;
pub mod enrol;
pub mod errand;
pub mod exposition;
pub mod fate;
pub mod hdr_log;
pub mod histogram;
pub mod journey;
pub mod keychain;
pub mod limit;
pub mod manner;
pub mod mix;
pub mod nodes;
pub mod noting;
pub mod objective;
pub mod pace;
pub mod passphrase;
pub mod pool;
pub mod preparing;
pub mod profile;
pub mod request;
pub mod roster;
pub mod run;
pub mod scaling;
pub mod script;
pub mod seal;
pub mod search;
pub mod session;
pub mod sizing;
mod staircase;
pub mod stream;
pub mod summary;
pub mod tally;
pub mod thread;
pub mod trend;
pub mod users;
