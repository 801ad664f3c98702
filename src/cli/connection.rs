//! How the target is connected to, where a command takes one.

use std::path::PathBuf;

use clap::Args;

use crate::quantity::Span;
use crate::wire::{ChosenLimits, Limit, Trust};

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

/// How long the target is waited for, in place of what its file says.
#[derive(Debug, Args)]
pub(super) struct Timeouts {
    /// How long a connection may take, such as `3 s`, in place of what the target file says. Three seconds unless said.
    #[arg(long, value_name = "TIME")]
    connect_timeout: Option<Limit>,
    /// How long an answer may take, such as `20 s`, in place of what the target file says. Five seconds unless said.
    #[arg(long, value_name = "TIME")]
    answer_timeout: Option<Limit>,
}

impl Timeouts {
    pub(super) fn limits(&self) -> ChosenLimits {
        let span = |limit: Option<Limit>| -> Option<Span> { limit.map(|Limit(span)| span) };
        ChosenLimits { connect: span(self.connect_timeout), answer: span(self.answer_timeout) }
    }
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
