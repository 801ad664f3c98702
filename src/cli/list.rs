//! `stepup list`.

use clap::{Args, ValueEnum};

use super::{Failure, exit};
use crate::check::suite;
use crate::client;
use crate::load::profile;
use crate::scenario::Scenario;
use crate::target;

#[derive(Debug, Args)]
pub(super) struct List {
    /// What to list.
    what: What,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum What {
    /// The table's cases, by id.
    Cases,
    /// The scenarios beside the tables, each with its rule.
    Scenarios,
    /// The real clients that can perform the rows.
    Clients,
    /// The reference registry's seeded faults.
    Mutants,
    /// The load profiles that are built in.
    Load,
}

impl List {
    pub(super) fn run(self) -> Result<u8, Failure> {
        match self.what {
            What::Cases => {
                for case in suite::carried()? {
                    let level = if case.is_observed() { "observed" } else { case.level.name() };
                    super::say!("{:<12} {}", level, case.id);
                }
            }
            What::Scenarios => {
                for scenario in Scenario::all(&target::find("embedded")?.dialect)? {
                    super::say!("{:<12} {:<40} {}", scenario.level.name(), scenario.id, scenario.rule);
                }
            }
            What::Clients => {
                for client in client::find("all")? {
                    super::say!("{:<12} {}", client.name, client.about);
                }
            }
            What::Mutants => {
                for mutant in crate::registry::Mutant::ALL {
                    super::say!("{:<32} {}", mutant.name(), mutant.about());
                }
            }
            What::Load => {
                for name in profile::names() {
                    super::say!("{:<16} {}", name, profile::find(name)?.about);
                }
            }
        }
        Ok(exit::HELD)
    }
}
