//! `stepup schema`: the JSON Schema of a kind of file.

use clap::Args;

use super::{Failure, exit};
use crate::schema::Kind;

#[derive(Debug, Args)]
pub(super) struct Schema {
    /// The kind of file.
    kind: Kind,
}

impl Schema {
    pub(super) fn run(self) -> Result<u8, Failure> {
        super::say!("{}", self.kind.text().trim_end());
        Ok(exit::HELD)
    }
}
