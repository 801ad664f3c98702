//! Requests in flight, for the faults of races: whose proof is being verified, and whose mode is being changed.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::model::UserName;

/// What a request in flight is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Matter {
    /// It carries a proof.
    Proof,
    /// It changes 2FA.
    Mode,
}

/// All requests in flight that a fault minds.
#[derive(Debug, Default)]
pub(crate) struct InFlight(Mutex<Vec<(UserName, Matter)>>);

/// One request in flight, until this is dropped.
#[derive(Debug)]
pub(crate) struct Flight<'a> {
    all: &'a InFlight,
    one: (UserName, Matter),
}

impl InFlight {
    /// Counts a request in.
    pub(crate) fn begin(&self, user: UserName, matter: Matter) -> Flight<'_> {
        let one = (user, matter);
        self.lock().push(one.clone());
        Flight { all: self, one }
    }

    /// How many of a user's are about this.
    pub(crate) fn of(&self, user: &UserName, matter: Matter) -> usize {
        self.lock().iter().filter(|(who, what)| who == user && *what == matter).count()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(UserName, Matter)>> {
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
