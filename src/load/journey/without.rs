//! What stands in for goose where it was left out. A session refuses a journey before it comes to this.

use std::sync::atomic::AtomicBool;

use super::Walked;
use super::act::Journey;
use crate::load::session::Session;
use crate::load::tally::Sums;

/// Walks nowhere.
pub fn conduct(session: &Session, _: &Journey, _: &AtomicBool, _: impl FnMut(u64, &Sums)) -> std::io::Result<Walked> {
    Err(std::io::Error::other(super::refused(&session.profile.name)))
}
