//! `stepup serve`: the reference registry on its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use clap::Args;
use tokio::net::TcpListener;

use super::interrupt::Interruptions;
use super::{Failure, exit};
use crate::load::pool::PoolFile;
use crate::load::seal::Unlock;
use crate::registry::{Mutant, Mutants, Registry, Seeded, Settings};

#[derive(Debug, Args)]
pub(super) struct Serve {
    /// Where to listen.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:4873")]
    listen: SocketAddr,
    /// A seeded fault; `stepup list mutants` names them.
    #[arg(long, value_name = "NAME")]
    mutant: Vec<Mutant>,
    /// A pool whose users follow from a seed: they are there from the beginning.
    #[arg(long, value_name = "FILE")]
    pool: Option<PathBuf>,
    #[command(flatten)]
    passphrase: super::passphrase::PassphraseOption,
}

/// The users of a pool file, for a registry that is to have them.
fn seeded(path: &Path, unlock: &mut Unlock) -> Result<Seeded, Failure> {
    let pool = PoolFile::read(path, unlock)?;
    let seed = pool.seed.ok_or_else(|| {
        let message = "its users do not follow from a seed; `stepup pool create --seeded` makes such a pool";
        Failure::new(exit::USAGE, format!("{}: {message}", path.display()))
    })?;
    Ok(Seeded::new(&seed.0, pool.users.len()))
}

impl Serve {
    pub(super) fn run(self) -> Result<u8, Failure> {
        super::runtime()?.block_on(async {
            let listener = TcpListener::bind(self.listen).await.map_err(|error| {
                Failure::new(exit::USAGE, format!("{} cannot be listened on: {error}", self.listen))
            })?;
            let address = listener.local_addr().map_or(self.listen, |address| address);
            let mut unlock = Unlock::new(self.passphrase.whence());
            let mut settings = Settings::new(Arc::new(SystemTime::now));
            settings.seeded = self.pool.as_deref().map(|path| seeded(path, &mut unlock)).transpose()?;
            settings.mutants = self.mutant.into_iter().collect::<Mutants>();
            // Security keys know a registry by name, so the name is what is shown.
            match address.ip().is_loopback() {
                true => super::say!("http://localhost:{}", address.port()),
                false => super::say!("http://{address}"),
            }
            let interruptions = Interruptions::listen();
            crate::registry::serve(listener, Registry::new(settings), async {
                match interruptions {
                    Ok(mut interruptions) => interruptions.next().await,
                    // The default action ends the process all the same.
                    Err(_) => std::future::pending().await,
                }
            })
            .await
            .map_err(|error| Failure::new(exit::UNREACHABLE, format!("the registry stopped: {error}")))?;
            Ok(exit::HELD)
        })
    }
}
