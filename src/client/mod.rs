//! Real clients: the command-line tools that people type the documented commands into.
//!
//! A client is data ([`file`]): what is installed, how each row is spelled, which prompts it shows. [`process`] runs one
//! command as a script or a person does, [`home`] gives it settings of its own, and [`proxy`] stands between it and the
//! registry and records what really crossed the wire. Nothing here judges.

pub mod file;
pub mod home;
pub mod process;
pub mod proxy;

use std::fmt;

pub use file::{Client, find, names};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a client runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Situation {
    /// In a script: no terminal, and nobody who answers.
    Script,
    /// In a terminal, where a person reads and types.
    Terminal,
}

impl Situation {
    /// Both.
    pub const ALL: [Situation; 2] = [Situation::Script, Situation::Terminal];

    /// Its name, in ids and reports.
    pub fn name(self) -> &'static str {
        match self {
            Situation::Script => "script",
            Situation::Terminal => "terminal",
        }
    }
}

impl fmt::Display for Situation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
