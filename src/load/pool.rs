//! Pools: enrolled users in a file that only its owner can read, one JSON object a line.
//!
//! The file is its own journal: a line before a user is made says so, and one after it holds what the user proves
//! himself with, so that an interrupted enrolment goes on where it stopped. Lines of later runs say which codes have
//! been spent.
//!
//! In a sealed pool, each line that holds secrets is sealed on its own (see [`super::seal`]); names, and which codes have
//! been spent, stand in the clear, so that noting them takes no passphrase.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::seal::{Opener, Seal, Sealer, Unlock};
use super::users::{Kept, PoolSeed, Users};
use crate::persona::key::Stored;
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
        /// How its secrets are sealed, where they are.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seal: Option<Seal>,
    },
    /// One of the others, sealed.
    Sealed(String),
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
        /// The security key, where one was registered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<Box<Stored>>,
    },
    /// Codes up to this step may have been spent.
    SpentThrough(u32),
}

impl Line {
    fn is_secret(&self) -> bool {
        match self {
            Line::Seeded { .. } | Line::User { .. } => true,
            Line::Pool { .. } | Line::Sealed(_) | Line::Making(_) | Line::SpentThrough(_) => false,
        }
    }
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
    /// Whether its secrets are sealed.
    pub sealed: bool,
}

impl std::fmt::Debug for PoolFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a pool of {:?} for {}", self.users, self.target)
    }
}

impl PoolFile {
    /// Reads a pool. The half-written last line of an interrupted run is passed over.
    pub fn read(path: &Path, unlock: &mut Unlock) -> Result<Self, FileError> {
        let name = path.display().to_string();
        let wrong = |message: String| FileError::whole(&name, message, None);
        let (lines, seal) = lines(path, &name)?;
        let opener = match &seal {
            Some(seal) => Some(unlock.open(&name, seal).map_err(&wrong)?),
            None => None,
        };
        let mut lines = match &opener {
            Some(opener) => opened(opener, lines).map_err(&wrong)?,
            None => lines,
        }
        .into_iter();
        let Some(Line::Pool { target, base, prefix, .. }) = lines.next() else {
            return Err(wrong(format!("line 1 does not say `{FORMAT}`")));
        };
        let (mut kept, mut seeded) = (Vec::new(), None);
        let (mut spent_through, mut unfinished) = (0, BTreeSet::new());
        for (at, line) in (2..).zip(lines) {
            match line {
                Line::Pool { format, .. } => {
                    return Err(wrong(format!("line {at}: format `{format}`; allowed: `{FORMAT}`, on line 1")));
                }
                Line::Sealed(_) => return Err(wrong(format!("line {at}: it is sealed, in a pool that is not"))),
                Line::Seeded { seed, users } => {
                    let seed = data_encoding::HEXLOWER.decode(seed.as_bytes()).ok();
                    let seed: [u8; 32] = seed
                        .and_then(|seed| seed.try_into().ok())
                        .ok_or_else(|| wrong(format!("line {at}: the seed is not 64 hexadecimal digits")))?;
                    seeded = Some((PoolSeed(seed), users));
                }
                Line::Making(name) => drop(unfinished.insert(name)),
                Line::User { name, token, password, secret, recovery, key } => {
                    let secret = data_encoding::BASE32_NOPAD
                        .decode(secret.as_bytes())
                        .map_err(|_| wrong(format!("line {at}: the secret is not base32")))?;
                    unfinished.remove(&*name);
                    kept.push(Kept {
                        name,
                        token,
                        password,
                        secret: secret.into(),
                        recovery,
                        key: key.map(|key| *key),
                    });
                }
                Line::SpentThrough(step) => spent_through = spent_through.max(step),
            }
        }
        let users = seeded.map_or_else(|| Users::Kept(Arc::new(kept)), |(seed, users)| Users::seeded(seed, users));
        let seed = seeded.map(|(seed, _)| seed);
        Ok(PoolFile { target, base, prefix, users, seed, spent_through, unfinished, sealed: seal.is_some() })
    }
}

/// The lines of a pool as they stand in the file, and how its secrets are sealed.
fn lines(path: &Path, name: &str) -> Result<(Vec<Line>, Option<Seal>), FileError> {
    let wrong = |message: String| FileError::whole(name, message, None);
    let cannot = |error: std::io::Error| wrong(format!("cannot be read: {error}"));
    let file = File::open(path).map_err(cannot)?;
    let texts: Vec<String> = BufReader::new(file).lines().collect::<Result<_, _>>().map_err(cannot)?;
    let mut lines = Vec::with_capacity(texts.len());
    for (at, text) in texts.iter().enumerate() {
        // What is wrong is said without showing the line.
        match serde_json::from_str(text) {
            Ok(line) => lines.push(line),
            Err(_) if at + 1 == texts.len() && at > 0 => break,
            Err(error) => {
                let message = format!("line {}, column {}: not a line of a pool", at + 1, error.column());
                return Err(FileError::whole(name, message, Some(format!("a pool is of format `{FORMAT}`"))));
            }
        }
    }
    match lines.first() {
        Some(Line::Pool { format, seal, .. }) if format == FORMAT => {
            let seal = seal.clone();
            Ok((lines, seal))
        }
        Some(Line::Pool { format, .. }) => {
            Err(wrong(format!("line 1: format `{format}`; allowed: `{FORMAT}`, on line 1")))
        }
        Some(_) | None => Err(wrong(format!("line 1 does not say `{FORMAT}`"))),
    }
}

/// The lines of a sealed pool, opened on all cores: each takes a good tenth of a millisecond.
fn opened(opener: &Opener, lines: Vec<Line>) -> Result<Vec<Line>, String> {
    let open = |(at, line): (usize, Line)| match line {
        Line::Sealed(text) => {
            let plain = opener.open(&text).map_err(|closed| format!("line {at}: {closed}"))?;
            let line: Line = serde_json::from_slice(&plain).map_err(|_| format!("line {at}: not a line of a pool"))?;
            if line.is_secret() { Ok(line) } else { Err(format!("line {at}: nothing that is sealed")) }
        }
        line if line.is_secret() => Err(format!("line {at}: it is not sealed, in a pool that is")),
        line => Ok(line),
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let part = lines.len().div_ceil(cores).max(256);
    let mut numbered = (1..).zip(lines);
    let parts: Vec<Vec<(usize, Line)>> =
        std::iter::repeat_with(|| numbered.by_ref().take(part).collect()).take(cores).collect();
    std::thread::scope(|scope| {
        let threads: Vec<_> = parts
            .into_iter()
            .map(|part: Vec<(usize, Line)>| {
                scope.spawn(move || part.into_iter().map(open).collect::<Result<Vec<Line>, String>>())
            })
            .collect();
        let mut all = Vec::new();
        for thread in threads {
            all.extend(thread.join().map_err(|_| "a thread that opens lines has panicked".to_owned())??);
        }
        Ok(all)
    })
}

/// A pool file that is being written.
pub struct Writing {
    file: File,
    sealer: Option<Sealer>,
}

/// What the first line of a new pool says.
#[derive(Debug, Clone, Copy)]
pub struct Heading<'a> {
    /// The target that the users are for.
    pub target: &'a str,
    /// Its address, where it has one of its own.
    pub base: Option<&'a str>,
    /// What the names of its users begin with.
    pub prefix: &'a str,
    /// How its secrets are sealed, where they are.
    pub seal: Option<&'a Seal>,
}

impl Writing {
    /// Begins a pool file, which must not exist yet. Only its owner may read it.
    pub fn begin(path: &Path, heading: Heading<'_>) -> std::io::Result<Self> {
        let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(path)?;
        let mut writing = Writing { file, sealer: sealer(heading.seal)? };
        writing.line(&Line::Pool {
            format: FORMAT.to_owned(),
            target: heading.target.to_owned(),
            base: heading.base.map(str::to_owned),
            prefix: heading.prefix.to_owned(),
            seal: heading.seal.cloned(),
        })?;
        Ok(writing)
    }

    /// Goes on with a pool file.
    pub fn resume(path: &Path) -> std::io::Result<Self> {
        let file = OpenOptions::new().append(true).read(true).open(path)?;
        file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
        // A line that an interruption has cut is no part of the next.
        let text = std::fs::read(path)?;
        if let Some(cut) = text.rsplit(|byte| *byte == b'\n').next().filter(|rest| !rest.is_empty()) {
            file.set_len((text.len() - cut.len()) as u64)?;
        }
        let first = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let seal = match serde_json::from_slice(first) {
            Ok(Line::Pool { seal, .. }) => seal,
            Ok(_) | Err(_) => return Err(std::io::Error::other("its first line is not that of a pool")),
        };
        Ok(Writing { file, sealer: sealer(seal.as_ref())? })
    }

    /// Writes a line, whole.
    pub fn line(&mut self, line: &Line) -> std::io::Result<()> {
        let mut text = serde_json::to_vec(line).map_err(std::io::Error::other)?;
        if let Some(sealer) = self.sealer.as_ref().filter(|_| line.is_secret()) {
            text = serde_json::to_vec(&Line::Sealed(sealer.seal(&text)?)).map_err(std::io::Error::other)?;
        }
        text.push(b'\n');
        self.file.write_all(&text)
    }
}

fn sealer(seal: Option<&Seal>) -> std::io::Result<Option<Sealer>> {
    seal.map(|seal| seal.sealer().map_err(|closed| std::io::Error::other(closed.to_string()))).transpose()
}

/// Notes in a pool up to which step codes may have been spent.
pub fn note_spent(path: &Path, step: u32) -> std::io::Result<()> {
    Writing::resume(path)?.line(&Line::SpentThrough(step))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::passphrase::{Passphrase, Whence};

    fn read(path: &Path) -> Result<PoolFile, FileError> {
        PoolFile::read(path, &mut Unlock::new(Whence::Around))
    }

    const PLAIN: Heading<'_> = Heading { target: "t", base: None, prefix: "su", seal: None };

    fn user(name: &str) -> Line {
        let secret = data_encoding::BASE32_NOPAD.encode(b"12345678901234567890");
        let (token, password) = ("npm_t".into(), "p".into());
        Line::User { name: name.into(), token, password, secret, recovery: vec!["r".into()], key: None }
    }

    #[test]
    fn a_pool_is_its_owners_alone_and_reads_back_after_an_interruption() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("pool.jsonl");
        let mut writing = Writing::begin(&path, PLAIN).expect("written");
        writing.line(&Line::Making("a".to_owned())).expect("written");
        writing.line(&user("a")).expect("written");
        writing.line(&Line::Making("b".to_owned())).expect("written");
        drop(writing);
        let mode = std::fs::metadata(&path).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        OpenOptions::new().append(true).open(&path).expect("opened").write_all(b"{\"user\":{\"na").expect("written");
        let pool = read(&path).expect("reads");
        assert_eq!((pool.users.len(), pool.users.name(0).as_str()), (1, "a"));
        assert_eq!(pool.unfinished, BTreeSet::from(["b".to_owned()]));
        Writing::resume(&path).expect("opened").line(&user("c")).expect("written");
        note_spent(&path, 77).expect("written");
        let pool = read(&path).expect("reads");
        assert_eq!((pool.users.len(), pool.spent_through), (2, 77));
        assert!(Writing::begin(&path, PLAIN).is_err(), "a pool is never written over");
    }

    #[test]
    fn what_is_no_pool_is_refused_without_showing_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("pool.jsonl");
        for text in ["", "hunter2\n{}\n", "{\"pool\":{\"format\":\"x\",\"target\":\"t\",\"base\":null}}\n"] {
            std::fs::write(&path, text).expect("written");
            let error = read(&path).expect_err(text).to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_sealed_pool_shows_no_secret_and_goes_on_after_an_interruption_without_the_passphrase() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("pool.jsonl");
        let secret = folder.path().join("passphrase");
        std::fs::write(&secret, "correct horse").expect("written");
        let (seal, _) = Seal::new(&Passphrase::new("correct horse")).expect("made");
        let mut writing = Writing::begin(&path, Heading { seal: Some(&seal), ..PLAIN }).expect("written");
        writing.line(&Line::Making("a".to_owned())).expect("written");
        writing.line(&user("a")).expect("written");
        writing.line(&Line::Making("b".to_owned())).expect("written");
        drop(writing);
        OpenOptions::new().append(true).open(&path).expect("opened").write_all(b"{\"sealed\":\"YWdl").expect("written");
        Writing::resume(&path).expect("opened").line(&user("c")).expect("written");
        note_spent(&path, 77).expect("written");
        let text = std::fs::read_to_string(&path).expect("text");
        assert!(!text.contains("npm_t") && !text.contains("recovery"), "{text}");
        let mut unlock = Unlock::new(Whence::File(secret.clone()));
        let pool = PoolFile::read(&path, &mut unlock).expect("opens");
        assert_eq!((pool.users.len(), pool.users.token(1).reveal(), pool.spent_through), (2, "npm_t", 77));
        assert_eq!((pool.unfinished, pool.sealed), (BTreeSet::from(["b".to_owned()]), true));
        std::fs::write(&secret, "battery staple").expect("written");
        let error = PoolFile::read(&path, &mut Unlock::new(Whence::File(secret))).expect_err("another passphrase");
        assert!(error.to_string().contains("the passphrase is wrong"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).expect("text"), text);
        // A secret that stands in the clear was not written by this program.
        let clear = serde_json::to_string(&user("d")).expect("JSON") + "\n";
        OpenOptions::new().append(true).open(&path).expect("opened").write_all(clear.as_bytes()).expect("written");
        let error = PoolFile::read(&path, &mut unlock).expect_err("it is not sealed").to_string();
        assert!(error.contains("line 7: it is not sealed") && !error.contains("npm_t"), "{error}");
    }
}
