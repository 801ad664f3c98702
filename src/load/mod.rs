//! How many verifications a second: load, capacity, and numbers that one can stand behind.
//!
//! A map of the rooms, from what is pure to what is not:
//!
//! - [`quantity`] reads `250 ms`, `1000/s` and `99.9 %`.
//! - [`pace`] says when each arrival is due, [`mix`] what it carries, [`sizing`] how many users that takes,
//!   [`objective`] what a run must show, and [`search`] which rate to try next. No clock, no network.

pub mod mix;
pub mod objective;
pub mod pace;
pub mod quantity;
pub mod search;
pub mod sizing;
