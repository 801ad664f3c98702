//! The option that says where the passphrase of an encrypted pool is.

use std::path::PathBuf;

use clap::Args;

use crate::load::passphrase::Whence;

#[derive(Debug, Args)]
pub(super) struct PassphraseOption {
    /// A file whose first line is the passphrase of an encrypted pool; without it, the environment variable
    /// STEPUP_PASSPHRASE, or the terminal.
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

impl PassphraseOption {
    pub(super) fn whence(self) -> Whence {
        self.passphrase_file.map_or(Whence::Around, Whence::File)
    }
}
