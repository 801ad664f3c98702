//! Accounts that an operator hands over, for registries where users cannot be made: the file, and the pool that lends
//! each account to one case at a time.
//!
//! The account that has rested longest is lent first, because its one-time passwords are the freshest. Cases that may
//! leave an account without its authenticator or password are lent only accounts that the file calls expendable. Where a
//! mode has no others, these serve for all of its cases.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use schemars::JsonSchema;
use serde::de::{self, Deserializer};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use crate::clock::UnixMillis;
use crate::dialect::LeavesAccount;
use crate::persona::Persona;
use crate::persona::key::SecurityKey;
use crate::persona::ledger::{Ledger, Skew};
use crate::persona::totp::TotpSecret;
use crate::secret::{self, Secret};
use crate::table::{Factor, Mode};
use crate::yaml::{self, FileError};

/// One account. A mode other than `disabled` always has a factor.
#[derive(Debug)]
pub struct Account {
    name: String,
    password: Secret,
    token: Option<Secret>,
    mode: Mode,
    secret: Option<TotpSecret>,
    key: Option<PathBuf>,
    role: Role,
}

impl Account {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its one-time-password secret and the file of its security key, where it has them.
    pub fn factors(&self) -> (Option<&TotpSecret>, Option<&Path>) {
        (self.secret.as_ref(), self.key.as_deref())
    }

    fn factor(&self) -> Factor {
        Factor::made_of(self.secret.as_ref(), self.key.as_ref())
    }
}

/// What an account may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Cases that leave it as it was.
    #[default]
    Lasting,
    /// Cases that may leave it without its authenticator or with another password.
    Expendable,
    /// The other user of cases that need two: a maintainer without a second factor.
    Companion,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(extend(
    "if" = { "properties": { "mode": { "enum": ["auth-only", "auth-and-writes"] } }, "required": ["mode"] },
    "then" = {
        "anyOf": [{ "required": ["totp"] }, { "required": ["security-key"] }],
        "properties": { "role": { "enum": ["lasting", "expendable"] } },
    },
    "else" = { "properties": { "totp": { "type": "null" }, "security-key": { "type": "null" } } },
))]
struct Raw {
    /// Its name.
    name: String,
    /// Its password.
    #[serde(deserialize_with = "secret::password")]
    #[schemars(with = "String")]
    password: Secret,
    /// A bearer token, where logging in with the password cannot be had.
    #[serde(default, deserialize_with = "secret::token")]
    #[schemars(with = "Option<String>")]
    token: Option<Secret>,
    /// The mode that it is in; `disabled` unless said.
    #[serde(default)]
    mode: Option<Mode>,
    /// Its one-time-password secret in base32, or the whole `otpauth://` address.
    #[schemars(with = "Option<String>")]
    totp: Option<TotpSecret>,
    /// The file of its security key, beside the accounts file.
    security_key: Option<PathBuf>,
    /// What it may be used for.
    #[serde(default)]
    role: Role,
}

crate::schema::read_as!(Account, Raw);

impl<'de> Deserialize<'de> for Account {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Raw { name, password, token, mode, totp: secret, security_key: key, role } =
            Raw::deserialize(deserializer)?;
        let mode = mode.unwrap_or(Mode::Disabled);
        let wrong = match (mode, secret.is_some() || key.is_some(), role) {
            (Mode::AuthOnly | Mode::AuthAndWrites, false, _) => {
                Some("has no `totp` and no `security-key`; a mode with 2FA needs one of them")
            }
            (Mode::Disabled, true, _) => {
                Some("has a second factor, but mode `disabled`; allowed with one: `auth-only`, `auth-and-writes`")
            }
            (Mode::AuthOnly | Mode::AuthAndWrites, _, Role::Companion) => {
                Some("is a companion; a companion has mode `disabled`")
            }
            (Mode::Disabled | Mode::AuthOnly | Mode::AuthAndWrites, ..) => None,
        };
        match wrong {
            Some(wrong) => Err(de::Error::custom(format!("account `{name}` {wrong}"))),
            None => Ok(Account { name, password, token, mode, secret, key, role }),
        }
    }
}

/// Reads an accounts file. A name may stand in it once.
pub fn read(path: &Path) -> Result<Vec<Account>, FileError> {
    let mut accounts: Vec<Account> = yaml::read_secret(path)?;
    for key in accounts.iter_mut().filter_map(|account| account.key.as_mut()) {
        *key = path.parent().unwrap_or(Path::new("")).join(&*key);
        SecurityKey::kept_in(key).map_err(|message| FileError::whole(key.display().to_string(), message, None))?;
    }
    for (at, account) in accounts.iter().enumerate() {
        if accounts[..at].iter().any(|other| other.name == account.name) {
            let message = format!("account `{}` is listed twice", account.name);
            return Err(FileError::whole(path.display().to_string(), message, None));
        }
    }
    Ok(accounts)
}

/// Which accounts a case can use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shelf {
    /// Their mode.
    pub mode: Mode,
    /// Their second factor.
    pub factor: Factor,
    /// What they may be used for.
    pub role: Role,
}

impl fmt::Display for Shelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let role = match self.role {
            Role::Lasting => "lasting",
            Role::Expendable => "expendable",
            Role::Companion => "companion",
        };
        write!(f, "mode {}, {}, {role}", self.mode, self.factor)
    }
}

impl Shelf {
    /// The accounts that serve for these: themselves, or where there are none that last, those that may be used up.
    pub fn served_by(self, is_there: impl Fn(Shelf) -> bool) -> Self {
        let spare = Shelf { role: Role::Expendable, ..self };
        if self.role == Role::Lasting && !is_there(self) && is_there(spare) { spare } else { self }
    }
}

impl From<LeavesAccount> for Role {
    /// The accounts that a case needs which leaves its account so.
    fn from(leaves: LeavesAccount) -> Self {
        match leaves {
            LeavesAccount::AsItWas => Role::Lasting,
            LeavesAccount::Restored | LeavesAccount::UsedUp => Role::Expendable,
        }
    }
}

/// How many accounts of each kind there are.
pub fn shelves(accounts: &[Account]) -> Vec<(Shelf, u32)> {
    let mut shelves: Vec<(Shelf, u32)> = Vec::new();
    for account in accounts {
        let shelf = Shelf { mode: account.mode, factor: account.factor(), role: account.role };
        match shelves.iter_mut().find(|(known, _)| *known == shelf) {
            Some((_, number)) => *number += 1,
            None => shelves.push((shelf, 1)),
        }
    }
    shelves
}

#[derive(Debug)]
struct Resting {
    free: Semaphore,
    personas: Mutex<Shelved>,
}

#[derive(Debug, Default)]
struct Shelved {
    resting: VecDeque<Persona>,
    /// All that exist, lent or resting.
    all: usize,
}

/// The accounts, each lent to one case at a time.
#[derive(Debug, Clone)]
pub struct Pool(Arc<HashMap<Shelf, Resting>>);

/// An account that is lent, and where it goes back to. One that is dropped, as when a case panics, is written off: nobody
/// knows what was done to it.
#[derive(Debug)]
pub struct Loan {
    pool: Pool,
    shelf: Option<Shelf>,
}

impl Drop for Loan {
    fn drop(&mut self) {
        if let Some(resting) = self.shelf.take().and_then(|shelf| self.pool.0.get(&shelf)) {
            let mut shelved = lock(&resting.personas);
            shelved.all -= 1;
            if shelved.all == 0 {
                resting.free.close();
            }
        }
    }
}

impl Pool {
    /// A pool of these accounts on a target that accepts codes within `skew` and whose clock shows `now`.
    pub fn new(accounts: Vec<Account>, skew: Skew, guard_ms: i64, now: UnixMillis) -> Self {
        let mut shelves: HashMap<Shelf, Shelved> = HashMap::new();
        for account in accounts {
            let factor = account.factor();
            let mut persona = Persona::new(account.name, account.password);
            persona.lent = true;
            persona.token = account.token;
            persona.ledger = account.secret.map(|secret| Ledger::resumed(secret, skew, guard_ms, now));
            // That it can be read was checked with the accounts file.
            persona.key = account.key.as_deref().and_then(|key| SecurityKey::kept_in(key).ok());
            let shelf = shelves.entry(Shelf { mode: account.mode, factor, role: account.role }).or_default();
            shelf.resting.push_back(persona);
            shelf.all += 1;
        }
        let rest = |shelved: Shelved| Resting { free: Semaphore::new(shelved.all), personas: Mutex::new(shelved) };
        Pool(Arc::new(shelves.into_iter().map(|(shelf, shelved)| (shelf, rest(shelved))).collect()))
    }

    /// Lends the account that has rested longest, once one is free. The error says which account is missing.
    pub async fn lend(&self, mode: Mode, factor: Factor, role: Role) -> Result<(Persona, Loan), String> {
        let shelf = self.serving(Shelf { mode, factor, role });
        let with = match factor {
            Factor::None | Factor::Totp => "",
            Factor::SecurityKey => " with a security key alone",
            Factor::Both => " with both factors",
        };
        let missing = || match shelf.role {
            Role::Lasting => format!("the accounts file has no account in mode {mode}{with}"),
            Role::Expendable => {
                format!("no account in mode {mode}{with}, `role: expendable`, is left, and this case may use one up")
            }
            Role::Companion => "the accounts file has no account with `role: companion`".to_owned(),
        };
        let resting = self.0.get(&shelf).ok_or_else(missing)?;
        resting.free.acquire().await.map_err(|_| missing())?.forget();
        let persona = lock(&resting.personas).resting.pop_front().ok_or_else(missing)?;
        Ok((persona, Loan { pool: self.clone(), shelf: Some(shelf) }))
    }

    /// How many accounts of a kind there are, lent or not.
    pub fn number(&self, shelf: Shelf) -> usize {
        self.0.get(&self.serving(shelf)).map_or(0, |resting| lock(&resting.personas).all)
    }

    fn serving(&self, shelf: Shelf) -> Shelf {
        shelf.served_by(|shelf| self.0.contains_key(&shelf))
    }

    /// Takes an account back.
    pub fn give_back(&self, persona: Persona, mut loan: Loan) {
        if let Some(resting) = loan.shelf.take().and_then(|shelf| self.0.get(&shelf)) {
            lock(&resting.personas).resting.push_back(persona);
            resting.free.add_permits(1);
        }
    }

    /// Ends the lending: all accounts that rest.
    pub fn close(&self) -> Vec<Persona> {
        let all = self.0.values().flat_map(|resting| std::mem::take(&mut lock(&resting.personas).resting));
        all.collect()
    }
}

fn lock(shelved: &Mutex<Shelved>) -> std::sync::MutexGuard<'_, Shelved> {
    // No code panics while holding the lock, and the state is valid between any two statements.
    shelved.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

    fn parsed(text: &str) -> Result<Vec<Account>, FileError> {
        yaml::parse("accounts.yaml", text)
    }

    #[test]
    fn a_mode_without_its_secret_is_refused_where_it_stands() {
        for (text, seen) in [
            ("- { name: a, password: p, mode: auth-only }", "account `a` has no `totp` and no `security-key`"),
            (&*format!("- {{ name: a, password: p, totp: {SECRET} }}"), "mode `disabled`"),
            (&*format!("- {{ name: a, password: p, mode: auth-only, role: companion, totp: {SECRET} }}"), "companion"),
            ("- { name: a, password: p, mode: auth-only, totp: '0189' }", "base32"),
            ("- { name: a, pasword: p }", "unknown key `pasword`"),
        ] {
            let error = parsed(text).expect_err("the account is wrong").to_string();
            assert!(error.starts_with("accounts.yaml:1:") && error.contains(seen), "{error}");
            assert!(!error.contains(SECRET), "{error}");
        }
    }

    #[test]
    fn what_is_shown_of_a_broken_file_holds_no_secret() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("accounts.yaml");
        let line = format!("{{ name: a, password: hunter2hunter2, mode: auth-onyl, totp: {SECRET} }}");
        for text in [format!("- {line}"), format!("- {{ name: b, pasword: hunter2hunter2 }}\n- {line}")] {
            std::fs::write(&path, text).expect("written");
            let shown = format!("{:?}", miette::Report::new(read(&path).expect_err("the file is wrong")));
            assert!(shown.contains("accounts.yaml:1:"), "{shown}");
            assert!(!shown.contains("hunter2") && !shown.contains(SECRET), "{shown}");
        }
    }

    #[tokio::test]
    async fn the_account_that_rested_longest_is_lent_first_and_the_last_one_used_up_ends_all_waits() {
        let accounts = parsed("[{ name: a, password: p }, { name: b, password: p }]").expect("they parse");
        let pool = Pool::new(accounts, Skew { behind: 1, ahead: 1 }, 0, UnixMillis(0));
        let (first, loan) = pool.lend(Mode::Disabled, Factor::None, Role::Lasting).await.expect("two are free");
        let (second, other) = pool.lend(Mode::Disabled, Factor::None, Role::Lasting).await.expect("one is free");
        assert_eq!((first.name.as_str(), second.name.as_str()), ("a", "b"));
        pool.give_back(second, other);
        pool.give_back(first, loan);
        let (third, other) = pool.lend(Mode::Disabled, Factor::None, Role::Lasting).await.expect("two are free");
        assert_eq!(third.name, "b");
        drop(other);
        let (_, last) = pool.lend(Mode::Disabled, Factor::None, Role::Lasting).await.expect("one is left");
        let waiting = pool.clone();
        let waiting =
            tokio::spawn(async move { waiting.lend(Mode::Disabled, Factor::None, Role::Lasting).await.map(|_| ()) });
        tokio::task::yield_now().await;
        drop(last);
        assert!(waiting.await.expect("the task ends").is_err());
        assert!(pool.lend(Mode::AuthOnly, Factor::Totp, Role::Lasting).await.is_err());
    }

    #[tokio::test]
    async fn where_no_account_lasts_one_that_may_be_used_up_serves() {
        let accounts = parsed("[{ name: a, password: p, role: expendable }]").expect("they parse");
        let pool = Pool::new(accounts, Skew { behind: 1, ahead: 1 }, 0, UnixMillis(0));
        let (only, loan) = pool.lend(Mode::Disabled, Factor::None, Role::Lasting).await.expect("it serves");
        assert_eq!(only.name, "a");
        pool.give_back(only, loan);
        let (again, used_up) = pool.lend(Mode::Disabled, Factor::None, Role::Expendable).await.expect("it is back");
        assert_eq!(again.name, "a");
        drop(used_up);
        let missing = pool.lend(Mode::Disabled, Factor::None, Role::Lasting).await.expect_err("none is left");
        assert!(missing.contains("`role: expendable`, is left"), "{missing}");
        assert!(pool.lend(Mode::Disabled, Factor::None, Role::Companion).await.is_err());
    }
}
