//! Registrations under way.

use std::time::{Duration, SystemTime};

use webauthn_rs::prelude::PasskeyRegistration;

use super::UserHandle;
use crate::registry::factor::Mode;
use crate::registry::model::{Expiring, Of, Revision, UserName};
use crate::registry::secrets::random_hex;

/// How long a person may take to touch his key.
const LIFETIME: Duration = Duration::from_secs(600);

/// The registrations under way, by identifier.
pub(crate) struct Ceremonies(Expiring<String, Ceremony>);

/// A registration that waits for the key's answer.
#[derive(Clone)]
pub(crate) struct Ceremony {
    pub(crate) user: UserName,
    /// The account as it was. A change of it, of its password or its factors above all, puts an
    /// end to what was allowed before.
    pub(crate) revision: Revision,
    pub(crate) handle: UserHandle,
    /// The mode, should this key be the first factor.
    pub(crate) mode: Mode,
    /// The challenge in base64url, as the client data repeats it.
    pub(crate) challenge: String,
    pub(crate) state: PasskeyRegistration,
}

impl Default for Ceremonies {
    fn default() -> Self {
        Self(Expiring::new(LIFETIME))
    }
}

impl Ceremonies {
    pub(crate) fn start(&mut self, ceremony: Ceremony, now: SystemTime) -> String {
        let id = random_hex::<16>();
        self.0.keep(id.clone(), ceremony, now);
        id
    }

    /// A user's own registration.
    pub(crate) fn of_user(&self, id: &str, user: &UserName, of: Of) -> Option<&Ceremony> {
        self.0.get(id, of).filter(|ceremony| ceremony.user == *user)
    }

    pub(crate) fn end(&mut self, id: &str) {
        self.0.remove(id);
    }
}
