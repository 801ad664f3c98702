//! `stepup pool`: simulated users, enrolled ahead of a load run.

use std::fs::OpenOptions;
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use rand::RngCore as _;

use super::connection::Connection;
use super::load::listen;
use super::passphrase::PassphraseOption;
use super::report::unwritable;
use super::{Failure, exit};
use crate::load::enrol::Factors;
use crate::load::pool::{Heading, Line, PoolFile, Writing};
use crate::load::seal::{Seal, Unlock};
use crate::load::users::Users;
use crate::load::{enrol, sizing};
use crate::report::text::counted;
use crate::target;
use crate::wire::Trust;

/// Between two lines of progress.
const LINE_EVERY: Duration = Duration::from_secs(2);

#[derive(Debug, Args)]
pub(super) struct PoolCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Enrol users on a running target, or go on with a pool that was interrupted.
    Create {
        /// The pool file. One that exists is filled up.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// How many users the pool is to have.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=50_000_000))]
        users: u32,
        /// A target file, or the address of a running registry.
        #[arg(long, value_name = "NAME|FILE|URL")]
        target: String,
        /// How many are enrolled at once.
        #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
        jobs: u16,
        /// The users follow from a fresh seed, and the registry is told of them by `pool export`: nothing is sent.
        #[arg(long)]
        seeded: bool,
        /// Encrypt what is secret in a new pool with a passphrase (age).
        #[arg(long)]
        encrypt: bool,
        /// Register a security key for each user as well; users of a seed have one in any case.
        #[arg(long)]
        keys: bool,
        /// Sign users up and enrol nothing: for a base line, profiles whose mix is `unprotected`.
        #[arg(long, conflicts_with_all = ["keys", "seeded"])]
        without_factor: bool,
        #[command(flatten)]
        passphrase: PassphraseOption,
        #[command(flatten)]
        connection: Connection,
    },
    /// Say what a pool holds, and what it sustains.
    Info {
        /// The pool file.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        passphrase: PassphraseOption,
    },
    /// Write what a registry's database can load in bulk: CSV of name, secret, mode.
    Export {
        /// The pool file.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Where to, readable by its owner alone; standard output unless said.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// With two more columns: token, password.
        #[arg(long)]
        with_credentials: bool,
        #[command(flatten)]
        passphrase: PassphraseOption,
    },
    /// Take the users' second factors away, end their sessions, and remove the pool file.
    Remove {
        /// The pool file.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// How many at once.
        #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
        jobs: u16,
        #[command(flatten)]
        passphrase: PassphraseOption,
        #[command(flatten)]
        connection: Connection,
    },
}

impl PoolCommand {
    pub(super) fn run(self) -> Result<u8, Failure> {
        let unlock = |passphrase: PassphraseOption| Unlock::new(passphrase.whence());
        match self.what {
            What::Create {
                file,
                users,
                target,
                jobs,
                seeded,
                encrypt,
                keys,
                without_factor,
                passphrase,
                connection,
            } => {
                let secrets = if encrypt { Secrets::Sealed } else { Secrets::Plain };
                let factors = match (keys, without_factor) {
                    (_, true) => Factors::None,
                    (true, false) => Factors::CodesAndKeys,
                    (false, false) => Factors::Codes,
                };
                let wanted = Wanted { file: &file, users, target: &target, secrets, factors };
                match seeded {
                    true => make_seeded(wanted, &mut unlock(passphrase)),
                    false => super::runtime()?.block_on(create(
                        wanted,
                        jobs.into(),
                        connection.trust(),
                        &mut unlock(passphrase),
                    )),
                }
            }
            What::Info { file, passphrase } => info(&file, &mut unlock(passphrase)),
            What::Export { file, out, with_credentials, passphrase } => {
                export(&file, out.as_deref(), with_credentials, &mut unlock(passphrase))
            }
            What::Remove { file, jobs, passphrase, connection } => {
                super::runtime()?.block_on(remove(&file, jobs.into(), connection.trust(), &mut unlock(passphrase)))
            }
        }
    }
}

/// The pool that is wanted.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    file: &'a Path,
    users: u32,
    target: &'a str,
    secrets: Secrets,
    factors: Factors,
}

/// How the secrets of a new pool are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Secrets {
    Plain,
    Sealed,
}

impl Secrets {
    fn seal(self, file: &Path, unlock: &mut Unlock) -> Result<Option<Seal>, Failure> {
        match self {
            Secrets::Plain => Ok(None),
            Secrets::Sealed => {
                let seal = unlock.make(&file.display().to_string());
                seal.map(Some).map_err(|message| Failure::new(exit::USAGE, message))
            }
        }
    }
}

fn unusable(target: &str, message: impl std::fmt::Display) -> Failure {
    Failure::new(exit::USAGE, format!("target {target}: {message}"))
}

/// A pool whose users follow from a seed that nobody else has.
fn make_seeded(Wanted { file, users, target, secrets, .. }: Wanted<'_>, unlock: &mut Unlock) -> Result<u8, Failure> {
    target::find_to_load(target)?;
    let seal = secrets.seal(file, unlock)?;
    let mut seed = [0; 32];
    rand::rng().fill_bytes(&mut seed);
    let seed = data_encoding::HEXLOWER.encode(&seed);
    Writing::begin(file, Heading { target, base: None, prefix: "", seal: seal.as_ref() })
        .and_then(|mut writing| writing.line(&Line::Seeded { seed, users }))
        .map_err(|error| unwritable(file, &error))?;
    info(file, unlock)
}

async fn create(
    Wanted { file, users, target: name, secrets, factors }: Wanted<'_>,
    jobs: usize,
    trust: Trust,
    unlock: &mut Unlock,
) -> Result<u8, Failure> {
    let mut interruptions = listen()?;
    let staged = enrol::stage(target::find_to_load(name)?, jobs, trust, factors).await;
    let (stage, base) = staged.map_err(|message| unusable(name, message))?;
    if file.exists() {
        let pool = PoolFile::read(file, unlock)?;
        if secrets == Secrets::Sealed && !pool.sealed {
            let message = format!("{}: its secrets stand in the clear; `--encrypt` is for a new pool", file.display());
            return Err(Failure::new(exit::USAGE, message));
        }
        if pool.base.as_deref() != Some(base.as_str()) {
            let known = pool.base.unwrap_or(pool.target);
            return Err(unusable(name, format_args!("{} is a pool of {known}", file.display())));
        }
        if !pool.users.is_empty() && pool.users.have_codes() != (factors != Factors::None) {
            let they = if pool.users.have_codes() { "have a" } else { "have no" };
            let message = format!("{}: its users {they} second factor, and one pool is of one kind", file.display());
            return Err(Failure::new(exit::USAGE, message));
        }
        eprintln!("{}: going on with {} users", file.display(), pool.users.len());
    } else {
        let (seal, prefix) = (secrets.seal(file, unlock)?, enrol::prefix());
        let heading = Heading { target: name, base: Some(base.as_str()), prefix: &prefix, seal: seal.as_ref() };
        Writing::begin(file, heading).map_err(|error| unwritable(file, &error))?;
    }
    let pool = PoolFile::read(file, unlock)?;
    let stop = AtomicBool::new(false);
    let (began, had) = (Instant::now(), pool.users.len() as usize);
    let told = std::cell::Cell::new(Instant::now());
    let tell = |done: usize| {
        if told.get().elapsed() >= LINE_EVERY {
            told.set(Instant::now());
            let pace = done.saturating_sub(had) as f64 / began.elapsed().as_secs_f64();
            let left = (users as usize).saturating_sub(done) as f64 / pace.max(1e-9);
            eprintln!("{done} of {}, {pace:.1} a second, about {left:.0} s left", counted(users as usize, "user"));
        }
    };
    let ended = {
        let mut enrolling =
            std::pin::pin!(enrol::enrol(&stage, (file, &pool), users as usize, jobs, &stop, factors, tell));
        loop {
            tokio::select! {
                ended = &mut enrolling => break ended,
                () = interruptions.next() => {
                    eprintln!("interrupted: finishing the users under way");
                    stop.store(true, Ordering::Relaxed);
                }
            }
        }
    };
    let ended = ended.map_err(|message| Failure::new(exit::INCOMPLETE, message))?;
    if let Some(why) = &ended.last_failure {
        eprintln!("{} could not be enrolled; the last: {why}", counted(ended.failed, "user"));
    }
    info(file, unlock)?;
    Ok(match ended.users {
        enough if enough >= users as usize => exit::HELD,
        0 => exit::UNREACHABLE,
        _ => exit::INCOMPLETE,
    })
}

fn info(file: &Path, unlock: &mut Unlock) -> Result<u8, Failure> {
    let pool = PoolFile::read(file, unlock)?;
    let users = pool.users.len();
    let how = match pool.users {
        Users::Seeded(_) => "of a seed",
        Users::Kept(_) if pool.users.have_codes() => "enrolled",
        Users::Kept(_) => "signed up",
    };
    let sealed = if pool.sealed { ", encrypted" } else { "" };
    let counted = counted(users as usize, "user");
    super::say!("{}: {counted} {how}, for target {}{sealed}", file.display(), pool.target);
    if pool.users.have_codes() {
        super::say!("they sustain {} valid codes a second, one for each 30 s", sizing::sustained(users));
    } else {
        super::say!("they have no second factor");
    }
    if !pool.unfinished.is_empty() {
        super::say!("{} more were begun and not finished", pool.unfinished.len());
    }
    Ok(exit::HELD)
}

fn export(file: &Path, out: Option<&Path>, with_credentials: bool, unlock: &mut Unlock) -> Result<u8, Failure> {
    let pool = PoolFile::read(file, unlock)?;
    let written = match out {
        None => write_csv(std::io::stdout().lock(), &pool.users, with_credentials),
        Some(path) => OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .and_then(|file| write_csv(file, &pool.users, with_credentials)),
    };
    match written {
        // Whoever has stopped reading wants no more of it.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(exit::HELD),
        written => written.map(|()| exit::HELD).map_err(|error| unwritable(out.unwrap_or(Path::new("-")), &error)),
    }
}

fn write_csv(out: impl Write, users: &Users, with_credentials: bool) -> std::io::Result<()> {
    let mut out = BufWriter::new(out);
    writeln!(out, "name,secret,mode{}", if with_credentials { ",token,password" } else { "" })?;
    for user in 0..users.len() {
        let mode = if users.have_codes() { enrol::MODE } else { enrol::NO_MODE };
        write!(out, "{},{},{mode}", users.name(user), users.base32(user).reveal())?;
        if with_credentials {
            let mut password = Vec::new();
            users.write_password(user, &mut password);
            write!(out, ",{},{}", users.token(user).reveal(), String::from_utf8_lossy(&password))?;
        }
        writeln!(out)?;
    }
    out.flush()
}

async fn remove(file: &Path, jobs: usize, trust: Trust, unlock: &mut Unlock) -> Result<u8, Failure> {
    let pool = PoolFile::read(file, unlock)?;
    if matches!(pool.users, Users::Kept(_)) {
        let staged = enrol::stage(target::find_to_load(&pool.target)?, jobs, trust, Factors::Codes).await;
        let (stage, _) = staged.map_err(|message| unusable(&pool.target, message))?;
        let left = enrol::retire(&stage, &pool, jobs).await;
        if let Some(first) = left.first() {
            let message = format!(
                "{} of {} users could not be retired, so the pool is kept: {first}",
                left.len(),
                pool.users.len()
            );
            return Err(Failure::new(exit::INCOMPLETE, message));
        }
        eprintln!(
            "{} users have no second factor and no session any more; the protocol has no request that removes a user",
            pool.users.len()
        );
    }
    std::fs::remove_file(file).map_err(|error| unwritable(file, &error))?;
    Ok(exit::HELD)
}
