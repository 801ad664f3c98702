//! Revisions, as CouchDB writes them: a count, and something that cannot be guessed.

use std::fmt;

use data_encoding::HEXLOWER;

use crate::registry::secrets::random_bytes;
use crate::registry::wire::Refusal;

/// The revision of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Revision {
    count: u64,
    tail: [u8; 8],
}

impl Revision {
    pub(crate) fn first() -> Self {
        Self { count: 1, tail: random_bytes() }
    }

    pub(crate) fn advance(&mut self) {
        self.count += 1;
        self.tail = random_bytes();
    }

    /// Refuses a revision that is not this one.
    pub(crate) fn check(&self, sent: &str) -> Result<(), Refusal> {
        if self.to_string() == sent { Ok(()) } else { Err(Refusal::Conflict("document update conflict")) }
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.count, HEXLOWER.encode(&self.tail))
    }
}
