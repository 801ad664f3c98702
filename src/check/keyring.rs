//! The keyring: what `stepup cleanup` needs to undo what a run made, should the run not live to do it itself.
//!
//! Undoing takes the users' passwords, tokens and second factors, which a journal must not hold: it lies among the
//! reports, and reports are handed round. So they are in a file of their own, outside the reports, readable for its
//! owner alone, and removed when the run has ended and undone what it made. Of accounts that an operator handed over it
//! holds no second factor; those are in the operator's file.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::clock::UnixMillis;
use crate::persona::Persona;
use crate::persona::key::{SecurityKey, Stored};
use crate::persona::ledger::{Ledger, Skew};
use crate::persona::totp::TotpSecret;
use crate::secret::{Secret, SecretKind};

/// A keyring that is being written.
#[derive(Debug)]
pub(super) struct Keyring {
    path: PathBuf,
    file: Option<File>,
}

/// What it takes to undo one request.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Held {
    /// The number that the journal has it under.
    pub number: u64,
    /// The case.
    pub case: String,
    /// Where its undoing stands in the dialect.
    pub steps: String,
    /// Whether the answer to the request has been read.
    pub answered: bool,
    /// Whether it was a success.
    #[serde(default)]
    pub accepted: bool,
    /// When it was sent, by the target's clock.
    /// A keyring of an earlier version does not say it, and then nothing is found by it.
    #[serde(default)]
    pub sent_ms: i64,
    /// What templates read then.
    pub mode: String,
    /// The object.
    pub object: serde_json::Value,
    /// The arguments.
    pub args: serde_json::Value,
    /// What was kept.
    pub kept: BTreeMap<String, serde_json::Value>,
    /// Who sent it.
    pub user: Credentials,
    /// The companion.
    pub other: Option<Credentials>,
}

/// A line of a keyring.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Line<H, C> {
    /// What it takes to undo a request, and how the users were then.
    Held(H),
    /// How a user is since something about it has changed.
    Changed { changed: C },
}

/// What a keyring holds.
#[derive(Debug, Default)]
pub(super) struct Keys {
    /// What it takes to undo each request, in the order in which it was held.
    pub held: Vec<Held>,
    /// The users as they were, the last of each as it is.
    pub users: Vec<Credentials>,
}

/// A user's credentials, in the clear.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Credentials {
    pub name: String,
    password: String,
    first: String,
    former: Option<String>,
    token: Option<String>,
    totp: Option<String>,
    key: Option<Stored>,
    pub lent: bool,
    pub logged_in: bool,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the credentials of {}", self.name)
    }
}

impl Credentials {
    /// What a persona proves itself with.
    pub(super) fn of(persona: &Persona) -> Self {
        let revealed = |secret: &Secret| secret.reveal().to_owned();
        let own = !persona.lent;
        Credentials {
            name: persona.name.clone(),
            password: revealed(&persona.password),
            first: revealed(&persona.first),
            former: persona.former.as_ref().map(revealed),
            token: persona.token.as_ref().map(revealed),
            totp: persona.ledger.as_ref().filter(|_| own).map(|ledger| ledger.secret().base32().reveal().to_owned()),
            key: persona.key.as_ref().filter(|_| own).and_then(SecurityKey::stored),
            lent: persona.lent,
            logged_in: persona.logged_in,
        }
    }

    /// The persona, whose codes up to `now` others may have spent.
    pub(super) fn persona(self, skew: Skew, guard_ms: i64, now: UnixMillis) -> Result<Persona, String> {
        let password = |value| Secret::new(SecretKind::Password, value);
        let mut persona = Persona::new(self.name, password(self.first));
        persona.password = password(self.password);
        persona.former = self.former.map(password);
        persona.token = self.token.map(|token| Secret::new(SecretKind::Token, token));
        persona.ledger = match self.totp {
            Some(secret) => Some(Ledger::resumed(TotpSecret::from_base32(&secret)?, skew, guard_ms, now)),
            None => None,
        };
        persona.key = self.key.map(SecurityKey::resumed).transpose()?;
        persona.lent = self.lent;
        persona.logged_in = self.logged_in;
        Ok(persona)
    }
}

impl Keyring {
    /// The keyring of a run. Its file is made when there is something to hold.
    pub(super) fn of(run: &str) -> Self {
        let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        let home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".local/state"));
        let folder = state.or_else(home).unwrap_or_else(std::env::temp_dir).join("stepup");
        Keyring::at(folder.join(format!("{run}.keys")))
    }

    /// The keyring at a path.
    pub(super) fn at(path: PathBuf) -> Self {
        Keyring { path, file: None }
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it can be written, which is asked before anything is made.
    pub(super) fn try_out(&self) -> Result<(), String> {
        self.create().and_then(|_| std::fs::remove_file(&self.path)).map_err(|error| self.cannot(&error))
    }

    fn cannot(&self, error: &std::io::Error) -> String {
        let hint = "`XDG_STATE_HOME` says where it goes";
        format!("the keyring {} cannot be written: {error}; {hint}", self.path.display())
    }

    /// Makes its file, which is new, and the folder.
    fn create(&self) -> std::io::Result<File> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.path)
    }

    /// Holds what undoes a request.
    pub(super) fn hold(&mut self, held: &Held) -> Result<(), String> {
        self.write(&Line::<_, ()>::Held(held))
    }

    /// Holds how a user is now, where something of it is held already: what is held later says it by itself.
    pub(super) fn changed(&mut self, user: &Credentials) -> Result<(), String> {
        if self.file.is_none() { Ok(()) } else { self.write(&Line::<(), _>::Changed { changed: user }) }
    }

    fn write(&mut self, line: &impl Serialize) -> Result<(), String> {
        let mut line = serde_json::to_string(line).map_err(|error| error.to_string())?;
        line.push('\n');
        if self.file.is_none() {
            self.file = Some(self.create().map_err(|error| self.cannot(&error))?);
        }
        let written = self.file.as_mut().map_or(Ok(()), |file| file.write_all(line.as_bytes()));
        written.map_err(|error| self.cannot(&error))
    }

    /// Removes it: there is nothing to undo any more.
    pub(super) fn discard(&mut self) {
        if self.file.take().is_some() {
            // One that cannot be removed is still its owner's alone.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Removes the keyring that a journal names, once nothing is left to undo. A journal may come from anywhere, so what does
/// not read as a keyring from its first line to its last stays.
pub(super) fn remove(path: &Path) {
    let is_ours = || {
        let is_file = path.extension()? == "keys" && path.symlink_metadata().ok()?.is_file();
        let text = if is_file { std::fs::read_to_string(path).ok()? } else { return None };
        // The last line may be half written.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let is_line = |line: &str| serde_json::from_str::<Line<Held, Credentials>>(line).is_ok();
        Some(!whole.is_empty() && whole.lines().all(is_line))
    };
    if is_ours() == Some(true) {
        // One that cannot be removed is still its owner's alone.
        let _ = std::fs::remove_file(path);
    }
}

/// Reads a keyring. Nothing of what it holds is repeated in the error.
pub(super) fn read(path: &Path) -> Result<Keys, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("the keyring {} cannot be read: {error}", path.display()))?;
    let mut keys = Keys::default();
    // The last line may be half written.
    for line in text.lines().filter_map(|line| serde_json::from_str(line).ok()) {
        match line {
            Line::Held::<Held, Credentials>(held) => {
                keys.users.extend([Some(&held.user), held.other.as_ref()].into_iter().flatten().cloned());
                keys.held.push(held);
            }
            Line::Changed { changed } => keys.users.push(changed),
        }
    }
    Ok(keys)
}
