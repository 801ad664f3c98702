//! The reference registry: an in-memory npm registry whose second factor is right.
//!
//! It exists to be driven over HTTP by the checker, by stock clients and by load, and to be
//! broken on purpose, one switch at a time, so that a checker can show what it catches. It keeps
//! nothing on disk, reads no clock but the one it is given, and shares no code with the checker.
//!
//! A map of the rooms, from the door inwards:
//!
//! - [`serve()`] puts a [`Registry`] behind a listening socket.
//! - `service` turns one HTTP request into one call and one answer; `routes` is the list of all
//!   paths and verbs and where each goes.
//! - `wire` holds what crosses the socket: the parsed call, its body, the answer, the refusals.
//! - `factor` is the subject of the whole registry: `policy` is the table of actions and modes,
//!   `gate` asks for a proof, `proving`, `totp`, `recovery` and `throttle` judge it, `challenge` is
//!   the shape of the question, and `authorization` the way to answer it on a page.
//! - `keys` are security keys: what is kept of each, and the two ceremonies of WebAuthn.
//! - `secrets` are the types that do not print.
//! - `model` is what is remembered: users, tokens, packages, scopes.
//! - `transaction` is one request's exclusive hold of that memory; `authority` says who may do what.
//! - `accounts`, `packages`, `scopes` and `hooks` are the endpoints, one file per group.
//! - `seeded` are users that exist by a seed, for load.
//! - `mutants` lists the faults that can be switched on; `overasked` has those that ask too much.

mod accounts;
mod authority;
mod factor;
mod hooks;
mod in_flight;
mod keys;
mod model;
mod mutants;
mod overasked;
mod packages;
mod routes;
mod scopes;
mod secrets;
mod seeded;
mod serve;
mod service;
mod settings;
mod transaction;
mod verifiers;
mod wire;

pub use mutants::{Mutant, Mutants, UnknownMutant};
pub use seeded::Seeded;
pub use serve::serve;
pub use service::{Registry, Statistics};
pub use settings::{BODY_LIMIT, Limit, Now, Settings, Throttle};
pub use verifiers::Verifiers;
