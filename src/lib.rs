//! stepup tells whether a package registry asks for a second factor exactly where npm's two action tables say it
//! must, nowhere else, and without letting the action through first.
//!
//! A map of the rooms; dependencies point down:
//!
//! - [`registry`] is the reference registry: the other side of the wire. It shares no code with the checker.
//! - [`clock`], [`secret`] and [`yaml`] are the floor that everything stands on.

pub mod clock;
pub mod registry;
pub mod secret;
pub mod yaml;
