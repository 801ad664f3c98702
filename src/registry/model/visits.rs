//! Visits: a person is sent to a page, and his client polls a ticket until the page is answered.
//!
//! The two addresses share nothing that can be guessed from one another: whoever sees the page's
//! address cannot collect what the ticket yields.

use std::time::{Duration, SystemTime};

use super::{Expiring, Of};
use crate::registry::secrets::random_hex;

/// How long a person may take.
const LIFETIME: Duration = Duration::from_secs(600);

/// The visits of one kind. They have no `Debug`: a ticket is as good as a token.
pub(crate) struct Visits<T> {
    by_page: Expiring<String, T>,
    pages_by_ticket: Expiring<String, String>,
}

/// Where a visit takes place.
pub(crate) struct Addresses {
    /// The last segment of the page's path.
    pub(crate) page: String,
    /// The last segment of the path that is polled.
    pub(crate) ticket: String,
}

impl<T> Default for Visits<T> {
    fn default() -> Self {
        Self { by_page: Expiring::new(LIFETIME), pages_by_ticket: Expiring::new(LIFETIME) }
    }
}

impl<T> Visits<T> {
    pub(crate) fn start(&mut self, visit: T, now: SystemTime) -> Addresses {
        let (page, ticket) = (random_hex::<24>(), random_hex::<24>());
        self.by_page.keep(page.clone(), visit, now);
        self.pages_by_ticket.keep(ticket.clone(), page.clone(), now);
        Addresses { page, ticket }
    }

    /// The visit at a page.
    pub(crate) fn at(&self, page: &str, of: Of) -> Option<&T> {
        self.by_page.get(page, of)
    }

    /// The visit at a page, to be moved on.
    pub(crate) fn at_mut(&mut self, page: &str, of: Of) -> Option<&mut T> {
        self.by_page.get_mut(page, of)
    }

    /// The page that a ticket belongs to.
    pub(crate) fn page_of(&self, ticket: &str, of: Of) -> Option<String> {
        self.pages_by_ticket.get(ticket, of).cloned()
    }

    /// Ends a visit: its page and its ticket are unknown from now on.
    pub(crate) fn end(&mut self, page: &str) {
        self.by_page.remove(page);
    }

    /// Every visit that is remembered.
    pub(crate) fn all(&self) -> impl Iterator<Item = &T> {
        self.by_page.all()
    }
}
