//! Patience with wrong codes, per user (RFC 4226 §7.3).

use std::time::{Duration, SystemTime};

use crate::registry::settings::{Limit, Throttle};

/// The wrong codes that a user has sent in a row.
#[derive(Debug, Default)]
pub(crate) struct WrongCodes {
    count: u32,
    first: Option<SystemTime>,
    locked_until: Option<SystemTime>,
}

impl WrongCodes {
    /// How much longer no proof is looked at, if that is so.
    pub(crate) fn locked_for(&self, now: SystemTime) -> Option<Duration> {
        let left = self.locked_until?.duration_since(now).ok()?;
        (!left.is_zero()).then_some(left)
    }

    /// Whether no proof was looked at once, and none has been right since. Only a fault asks.
    pub(crate) fn was_locked(&self) -> bool {
        self.locked_until.is_some()
    }

    /// Counts one wrong code, and closes the door at the limit.
    pub(crate) fn count(&mut self, now: SystemTime, throttle: &Throttle) {
        let Limit::Of(allowed) = throttle.allowed else {
            return;
        };
        let lapsed = self.first.is_none_or(|first| now.duration_since(first).is_ok_and(|age| age > throttle.window));
        if lapsed {
            self.count = 0;
            self.first = Some(now);
        }
        self.count = self.count.saturating_add(1);
        if self.count >= allowed.get() {
            *self = WrongCodes { locked_until: now.checked_add(throttle.lockout), ..WrongCodes::default() };
        }
    }

    /// Forgets the wrong codes after a right one.
    pub(crate) fn forget(&mut self) {
        *self = WrongCodes::default();
    }
}
