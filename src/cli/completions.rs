//! `stepup completions` and `stepup man`: made from the one definition of the command line.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::{Arguments, Failure, exit};

#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell.
    shell: Shell,
}

impl Completions {
    pub(super) fn run(self) -> Result<u8, Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Arguments::command(), "stepup", &mut script);
        super::say!("{}", String::from_utf8_lossy(&script).trim_end());
        Ok(exit::HELD)
    }
}

#[derive(Debug, Args)]
pub(super) struct Man {
    /// The page of one command; that of all when not said.
    command: Option<String>,
}

impl Man {
    pub(super) fn run(self) -> Result<u8, Failure> {
        let mut all = Arguments::command();
        all.build();
        let command = match &self.command {
            None => all,
            Some(name) => {
                let known: Vec<&str> = all.get_subcommands().map(clap::Command::get_name).collect();
                let hint = crate::yaml::allowed(name, &known);
                let found = all.find_subcommand(name).cloned();
                let found = found.ok_or_else(|| Failure::new(exit::USAGE, format!("no command `{name}`; {hint}")))?;
                found.display_name(format!("stepup-{name}"))
            }
        };
        // A command of its own states no version; its page is of the same program.
        let command = command.version(env!("CARGO_PKG_VERSION"));
        let mut page = Vec::new();
        clap_mangen::Man::new(command)
            .render(&mut page)
            .map_err(|error| Failure::new(exit::USAGE, format!("the page cannot be written: {error}")))?;
        super::say!("{}", String::from_utf8_lossy(&page).trim_end());
        Ok(exit::HELD)
    }
}
