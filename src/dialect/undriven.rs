//! Why something of a dialect cannot be driven on a target: two different things that are never told as one.

use std::fmt;

/// Why a surface, or a kind of second factor, cannot be driven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undriven {
    /// The target file says that the target does not have it, with this reason.
    Missing(String),
    /// The target file does not describe how it is driven: this routine is to be written.
    NotDescribed(String),
}

impl fmt::Display for Undriven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Undriven::Missing(reason) => f.write_str(reason),
            Undriven::NotDescribed(routine) => write!(f, "the target file does not describe the routine `{routine}`"),
        }
    }
}
