//! Where the passphrase of a sealed pool comes from: a file, the environment, or whoever sits at the terminal.

use std::io::IsTerminal as _;
use std::path::PathBuf;

use crate::secret::PASSPHRASE_VARIABLE as VARIABLE;

/// A passphrase. It does not print.
#[derive(Clone)]
pub struct Passphrase(String);

impl std::fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("‹passphrase›")
    }
}

impl Passphrase {
    /// Hides a text.
    pub fn new(text: impl Into<String>) -> Self {
        Passphrase(text.into())
    }

    /// The text in the clear, for the key that is derived from it alone.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// Where it comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Whence {
    /// The first line of a file.
    File(PathBuf),
    /// The environment; where there is none, the terminal.
    #[default]
    Around,
}

/// What it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// A pool that is sealed already.
    Open,
    /// A new one: at a terminal it is asked for twice.
    Make,
}

impl Whence {
    /// Fetches it. `what` it is for is shown at the terminal.
    pub fn fetch(&self, what: &str, wanted: Use) -> Result<Passphrase, String> {
        let passphrase = match self {
            Whence::File(path) => {
                let text = std::fs::read_to_string(path)
                    .map_err(|error| format!("--passphrase-file {}: cannot be read: {error}", path.display()))?;
                Passphrase::new(text.lines().next().unwrap_or_default())
            }
            Whence::Around => match std::env::var(VARIABLE) {
                Ok(text) => Passphrase::new(text),
                Err(std::env::VarError::NotUnicode(_)) => return Err(format!("{VARIABLE} is not UTF-8")),
                Err(std::env::VarError::NotPresent) => asked(what, wanted)?,
            },
        };
        if passphrase.0.is_empty() { Err("the passphrase is empty".to_owned()) } else { Ok(passphrase) }
    }
}

fn asked(what: &str, wanted: Use) -> Result<Passphrase, String> {
    if !std::io::stdin().is_terminal() {
        return Err(format!("{what} takes a passphrase: `--passphrase-file FILE`, {VARIABLE}, or a terminal"));
    }
    let ask = |prompt: String| {
        rpassword::prompt_password(prompt).map(Passphrase::new).map_err(|error| format!("the terminal: {error}"))
    };
    let first = ask(format!("Passphrase of {what}: "))?;
    match wanted {
        Use::Open => Ok(first),
        Use::Make if ask("The same again: ".to_owned())?.0 == first.0 => Ok(first),
        Use::Make => Err("the two are not the same".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_holds_it_in_its_first_line_and_nothing_shows_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("passphrase");
        std::fs::write(&path, "correct horse\r\nmore\n").expect("written");
        let passphrase = Whence::File(path.clone()).fetch("p", Use::Open).expect("read");
        assert_eq!((passphrase.reveal(), format!("{passphrase:?}").as_str()), ("correct horse", "‹passphrase›"));
        std::fs::write(&path, "\n").expect("written");
        assert!(Whence::File(path.clone()).fetch("p", Use::Open).is_err());
        let error = Whence::File(path.join("none")).fetch("p", Use::Open).expect_err("it is no folder");
        assert!(error.contains("--passphrase-file"), "{error}");
    }
}
