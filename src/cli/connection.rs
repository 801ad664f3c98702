//! How the target is connected to, where a command takes one.

use std::path::PathBuf;

use clap::Args;

use crate::wire::Trust;

#[derive(Debug, Args)]
pub(super) struct Connection {
    /// The certificates (PEM) of the authorities that an https target's certificate must come from, in place of the
    /// system's.
    #[arg(long, value_name = "FILE")]
    cacert: Option<PathBuf>,
    /// Do not verify the certificate of an https target; the reports say so.
    #[arg(long, conflicts_with = "cacert")]
    insecure: bool,
}

impl Connection {
    pub(super) fn trust(&self) -> Trust {
        match (&self.cacert, self.insecure) {
            (Some(file), _) => Trust::Authorities(file.clone()),
            (None, true) => Trust::Unverified,
            (None, false) => Trust::System,
        }
    }
}
