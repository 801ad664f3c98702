//! Pools: enrolled users in a file that only its owner can read, one JSON object a line.
//!
//! The file is its own journal: a line before a user is made says so, and one after it holds what the user proves
//! himself with, so that an interrupted enrolment goes on where it stopped. Lines of later runs say which codes have
//! been spent.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::users::{Kept, PoolSeed, Users};
use crate::yaml::FileError;

/// The format of a pool file.
const FORMAT: &str = "stepup/pool/1";

/// A line of a pool file. It has no `Debug`: most hold secrets.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Line {
    /// The first.
    Pool {
        /// The format.
        format: String,
        /// The target that the users are for.
        target: String,
        /// Its address, where it has one of its own.
        base: Option<String>,
        /// What the names of its users begin with.
        #[serde(default)]
        prefix: String,
    },
    /// All users follow from a seed.
    Seeded {
        /// The seed, in hexadecimal.
        seed: String,
        /// How many.
        users: u32,
    },
    /// A user of this name is about to be made.
    Making(String),
    /// A user has been made and enrolled.
    User {
        /// The name.
        name: Box<str>,
        /// The bearer token.
        token: Box<str>,
        /// The password.
        password: Box<str>,
        /// The secret of the codes, in base32.
        secret: String,
        /// The recovery codes.
        recovery: Vec<Box<str>>,
    },
    /// Codes up to this step may have been spent.
    SpentThrough(u32),
}

/// A pool, as it is read.
pub struct PoolFile {
    /// The target that it is for.
    pub target: String,
    /// Its address, where it has one of its own.
    pub base: Option<String>,
    /// What the names of its users begin with.
    pub prefix: String,
    /// The users.
    pub users: Users,
    /// The seed that they follow from, if they do.
    pub seed: Option<PoolSeed>,
    /// The last step in which a code may have been spent.
    pub spent_through: u32,
    /// Names of users who may have been made, and are not in the pool.
    pub unfinished: BTreeSet<String>,
}

impl std::fmt::Debug for PoolFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a pool of {:?} for {}", self.users, self.target)
    }
}

impl PoolFile {
    /// Reads a pool. The half-written last line of an interrupted run is passed over.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        let name = path.display().to_string();
        let wrong = |message: String| FileError::whole(&name, message, None);
        let file = File::open(path).map_err(|error| wrong(format!("cannot be read: {error}")))?;
        let lines: Vec<String> = BufReader::new(file)
            .lines()
            .collect::<Result<_, _>>()
            .map_err(|error| wrong(format!("cannot be read: {error}")))?;
        let mut pool: Option<(String, Option<String>, String)> = None;
        let (mut kept, mut seeded) = (Vec::new(), None);
        let (mut spent_through, mut unfinished) = (0, BTreeSet::new());
        for (at, text) in lines.iter().enumerate() {
            // What is wrong is said without showing the line.
            let line: Line = match serde_json::from_str(text) {
                Ok(line) => line,
                Err(_) if at + 1 == lines.len() && at > 0 => break,
                Err(error) => {
                    let message = format!("line {}, column {}: not a line of a pool", at + 1, error.column());
                    return Err(FileError::whole(&name, message, Some(format!("a pool is of format `{FORMAT}`"))));
                }
            };
            match line {
                Line::Pool { format, target, base, prefix } if format == FORMAT && at == 0 => {
                    pool = Some((target, base, prefix));
                }
                Line::Pool { format, .. } => {
                    return Err(wrong(format!("line {}: format `{format}`; allowed: `{FORMAT}`, on line 1", at + 1)));
                }
                Line::Seeded { seed, users } => {
                    let seed = data_encoding::HEXLOWER.decode(seed.as_bytes()).ok();
                    let seed: [u8; 32] = seed
                        .and_then(|seed| seed.try_into().ok())
                        .ok_or_else(|| wrong(format!("line {}: the seed is not 64 hexadecimal digits", at + 1)))?;
                    seeded = Some((PoolSeed(seed), users));
                }
                Line::Making(name) => drop(unfinished.insert(name)),
                Line::User { name, token, password, secret, recovery } => {
                    let secret = data_encoding::BASE32_NOPAD
                        .decode(secret.as_bytes())
                        .map_err(|_| wrong(format!("line {}: the secret is not base32", at + 1)))?;
                    unfinished.remove(&*name);
                    kept.push(Kept { name, token, password, secret: secret.into(), recovery });
                }
                Line::SpentThrough(step) => spent_through = spent_through.max(step),
            }
        }
        let (target, base, prefix) = pool.ok_or_else(|| wrong(format!("line 1 does not say `{FORMAT}`")))?;
        let users = seeded.map_or_else(|| Users::Kept(Arc::new(kept)), |(seed, users)| Users::seeded(seed, users));
        let seed = seeded.map(|(seed, _)| seed);
        Ok(PoolFile { target, base, prefix, users, seed, spent_through, unfinished })
    }
}

/// A pool file that is being written.
pub struct Writing(File);

impl Writing {
    /// Begins a pool file, which must not exist yet. Only its owner may read it.
    pub fn begin(path: &Path, target: &str, base: Option<&str>, prefix: &str) -> std::io::Result<Self> {
        let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(path)?;
        let mut writing = Writing(file);
        let (format, target, base) = (FORMAT.to_owned(), target.to_owned(), base.map(str::to_owned));
        writing.line(&Line::Pool { format, target, base, prefix: prefix.to_owned() })?;
        Ok(writing)
    }

    /// Goes on with a pool file.
    pub fn resume(path: &Path) -> std::io::Result<Self> {
        let file = OpenOptions::new().append(true).read(true).open(path)?;
        file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
        let writing = Writing(file);
        // A line that an interruption has cut is no part of the next.
        let text = std::fs::read(path)?;
        if let Some(cut) = text.rsplit(|byte| *byte == b'\n').next().filter(|rest| !rest.is_empty()) {
            writing.0.set_len((text.len() - cut.len()) as u64)?;
        }
        Ok(writing)
    }

    /// Writes a line, whole.
    pub fn line(&mut self, line: &Line) -> std::io::Result<()> {
        let mut text = serde_json::to_vec(line).map_err(std::io::Error::other)?;
        text.push(b'\n');
        self.0.write_all(&text)
    }
}

/// Notes in a pool up to which step codes may have been spent.
pub fn note_spent(path: &Path, step: u32) -> std::io::Result<()> {
    Writing::resume(path)?.line(&Line::SpentThrough(step))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str) -> Line {
        let secret = data_encoding::BASE32_NOPAD.encode(b"12345678901234567890");
        let (token, password) = ("npm_t".into(), "p".into());
        Line::User { name: name.into(), token, password, secret, recovery: vec!["r".into()] }
    }

    #[test]
    fn a_pool_is_its_owners_alone_and_reads_back_after_an_interruption() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("pool.jsonl");
        let mut writing = Writing::begin(&path, "t", None, "su").expect("written");
        writing.line(&Line::Making("a".to_owned())).expect("written");
        writing.line(&user("a")).expect("written");
        writing.line(&Line::Making("b".to_owned())).expect("written");
        drop(writing);
        let mode = std::fs::metadata(&path).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        OpenOptions::new().append(true).open(&path).expect("opened").write_all(b"{\"user\":{\"na").expect("written");
        let pool = PoolFile::read(&path).expect("reads");
        assert_eq!((pool.users.len(), pool.users.name(0).as_str()), (1, "a"));
        assert_eq!(pool.unfinished, BTreeSet::from(["b".to_owned()]));
        Writing::resume(&path).expect("opened").line(&user("c")).expect("written");
        note_spent(&path, 77).expect("written");
        let pool = PoolFile::read(&path).expect("reads");
        assert_eq!((pool.users.len(), pool.spent_through), (2, 77));
        assert!(Writing::begin(&path, "t", None, "su").is_err(), "a pool is never written over");
    }

    #[test]
    fn what_is_no_pool_is_refused_without_showing_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("pool.jsonl");
        for text in ["", "hunter2\n{}\n", "{\"pool\":{\"format\":\"x\",\"target\":\"t\",\"base\":null}}\n"] {
            std::fs::write(&path, text).expect("written");
            let error = PoolFile::read(&path).expect_err(text).to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
