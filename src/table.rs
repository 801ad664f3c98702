//! Action tables: which actions must be challenged in which mode, row for row as documented.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What an account asks a second factor for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// No second factor.
    Disabled,
    /// Authorization only.
    AuthOnly,
    /// Authorization and writes.
    AuthAndWrites,
}

/// What an account proves itself with beside its password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Factor {
    /// Nothing.
    None,
    /// Time-based one-time passwords (RFC 6238).
    Totp,
    /// A security key (WebAuthn).
    SecurityKey,
    /// One-time passwords or a security key, as the user likes.
    Both,
}

impl Factor {
    /// The factors that an account in a mode can have.
    pub fn of(mode: Mode) -> &'static [Factor] {
        match mode {
            Mode::Disabled => &[Factor::None],
            Mode::AuthOnly | Mode::AuthAndWrites => &[Factor::Totp, Factor::SecurityKey, Factor::Both],
        }
    }

    /// The factor of who has this secret and this key, or has none.
    pub fn made_of<S, K>(secret: Option<S>, key: Option<K>) -> Self {
        match (secret, key) {
            (None, None) => Factor::None,
            (Some(_), None) => Factor::Totp,
            (None, Some(_)) => Factor::SecurityKey,
            (Some(_), Some(_)) => Factor::Both,
        }
    }

    /// The factor's name in case ids.
    pub fn name(self) -> &'static str {
        match self {
            Factor::None => "none",
            Factor::Totp => "totp",
            Factor::SecurityKey => "security-key",
            Factor::Both => "both",
        }
    }

    /// Whether the account has one-time passwords.
    pub fn has_codes(self) -> bool {
        matches!(self, Factor::Totp | Factor::Both)
    }

    /// Whether it has a security key.
    pub fn has_key(self) -> bool {
        matches!(self, Factor::SecurityKey | Factor::Both)
    }
}

impl fmt::Display for Factor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Mode {
    /// Every mode, weakest first.
    pub const ALL: [Mode; 3] = [Mode::Disabled, Mode::AuthOnly, Mode::AuthAndWrites];

    /// The name in files and case ids.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Disabled => "disabled",
            Mode::AuthOnly => "auth-only",
            Mode::AuthAndWrites => "auth-and-writes",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How binding a case is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, Serialize, clap::ValueEnum, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// A row of a table, or a sentence beside it.
    Documented,
    /// A row is empty without it: what would let an action through on something that is not the user's present, valid,
    /// unspent proof, whichever document says so, or keep a right one out.
    Implied,
    /// What is the registry's choice, or advice of an RFC or of WebAuthn.
    Recommended,
}

impl Level {
    /// The name in files and reports.
    pub fn name(self) -> &'static str {
        match self {
            Level::Documented => "documented",
            Level::Implied => "implied",
            Level::Recommended => "recommended",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A table, as its file states it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Table {
    /// The table's name.
    pub id: String,
    /// The revision of the page it was taken from.
    pub revision: String,
    /// The page.
    pub source: String,
    /// The rows that must be challenged in mode *authorization and writes*.
    pub auth_and_writes: Vec<Row>,
    /// The rows that must be challenged in mode *authorization only*.
    pub auth_only: Vec<Row>,
    /// Rules beside the rows.
    pub rules: Vec<Rule>,
    /// Reads: never challenged, in any mode.
    pub reads: Vec<Row>,
    /// Writes that the table does not name: run and reported, never failed.
    pub observed: Vec<Observed>,
}

/// One documented row.
#[derive(Debug, Deserialize, Clone, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// The action's id.
    pub action: String,
    /// The document's label.
    pub label: String,
    /// The command as documented.
    pub command: String,
}

/// A documented sentence that is not a row.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The surface that shows it, as in case ids.
    pub surface: String,
    /// The rule in our own words.
    pub statement: String,
}

/// A write outside the table.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Observed {
    /// The action's id.
    pub action: String,
    /// What it is.
    pub label: String,
    /// The command.
    pub command: String,
    /// What other first-party pages say of it; they do not always agree.
    pub says: Vec<String>,
}

impl Table {
    /// Every action that it knows, in its order.
    pub fn actions(&self) -> Vec<&str> {
        let rows = self.auth_and_writes.iter().chain(&self.reads).map(|row| row.action.as_str());
        rows.chain(self.observed.iter().map(|row| row.action.as_str())).collect()
    }

    /// The row that demands a challenge of `action` in `mode`.
    pub fn row(&self, mode: Mode, action: &str) -> Option<&Row> {
        let rows = match mode {
            Mode::Disabled => return None,
            Mode::AuthOnly => &self.auth_only,
            Mode::AuthAndWrites => &self.auth_and_writes,
        };
        rows.iter().find(|row| row.action == action)
    }
}
