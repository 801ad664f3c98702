//! Requests in flight, for the faults of races: whose proof is being verified, whose mode is being changed, and which
//! ticket is being polled.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// What a request in flight is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Matter {
    /// It carries a proof.
    Proof,
    /// It changes 2FA.
    Mode,
    /// It polls.
    Poll,
}

/// All requests in flight that a fault minds.
#[derive(Debug, Default)]
pub(crate) struct InFlight(Mutex<Vec<(String, Matter)>>);

/// One request in flight, until this is dropped.
#[derive(Debug)]
pub(crate) struct Flight<'a> {
    all: &'a InFlight,
    one: (String, Matter),
}

impl InFlight {
    /// Counts a request in.
    pub(crate) fn begin(&self, whose: String, matter: Matter) -> Flight<'_> {
        let one = (whose, matter);
        self.lock().push(one.clone());
        Flight { all: self, one }
    }

    /// How many of a user's, or of a ticket's, are about this.
    pub(crate) fn of(&self, whose: &str, matter: Matter) -> usize {
        self.lock().iter().filter(|(who, what)| who == whose && *what == matter).count()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(String, Matter)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        let mut all = self.all.lock();
        if let Some(at) = all.iter().position(|one| *one == self.one) {
            all.swap_remove(at);
        }
    }
}
