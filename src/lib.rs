//! stepup tells whether a package registry asks for a second factor exactly where npm's two action tables say it
//! must, nowhere else, and without letting the action through first.
//!
//! A map of the rooms; dependencies point down:
//!
//! - [`cli`] is the command line; nothing imports it.
//! - [`check`] plans cases, plays them and sends results ([`check::suite`] is the door for other programs); [`judge`] says what they show, without I/O or clock.
//! - [`explore`] makes random sequences and shrinks what deviates; [`check`] plays them.
//! - [`load`] finds how many verifications a second a registry bears.
//! - [`persona`] holds the simulated users, the ledger of their proofs and their security keys; [`wire`] sends requests,
//!   [`browser`] opens a registry's own pages.
//! - [`client`] runs the command-line tools that people use, and records what they send.
//! - [`accounts`] lends users that an operator handed over.
//! - [`target`] says whom we drive, [`host`] brings it up ([`installed`] from the npm registry), [`dialect`] how it speaks, [`table`] and [`scenario`] what must hold: files into checked types.
//! - [`consent`] says which hosts may be driven.
//! - [`result`] is the document that a run writes; [`report`] renders it.
//! - [`registry`] is the reference registry: the other side of the wire. It shares no code with the checker.
//! - [`schema`] makes the JSON Schemas of all these files from the types that read them, and [`lint`] finds what is wrong with one.
//! - [`clock`], [`secret`], [`source`] and [`yaml`] are the floor that everything stands on.

pub mod accounts;
pub mod browser;
mod built_in;
pub mod capability;
pub mod check;
pub mod cli;
pub mod client;
pub mod clock;
pub mod consent;
pub mod dialect;
pub mod explore;
pub mod host;
pub mod installed;
pub mod judge;
pub mod lint;
pub mod load;
pub mod persona;
pub mod quantity;
pub mod registry;
pub mod report;
pub mod result;
pub mod scenario;
pub mod schema;
pub mod secret;
pub mod source;
pub mod table;
pub mod target;
pub mod wire;
pub mod yaml;

/// Much of the time of a check, and of the registry under load, goes into many small texts that live for one request.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
