//! `stepup serve`: the reference registry on its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use clap::Args;
use tokio::net::TcpListener;

use super::interrupt::Interruptions;
use super::{Failure, exit};
use crate::registry::{Mutant, Mutants, Registry, Settings};

#[derive(Debug, Args)]
pub(super) struct Serve {
    /// Where to listen.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:4873")]
    listen: SocketAddr,
    /// A seeded fault; `stepup list mutants` names them.
    #[arg(long, value_name = "NAME")]
    mutant: Vec<Mutant>,
}

impl Serve {
    pub(super) fn run(self) -> Result<u8, Failure> {
        super::runtime()?.block_on(async {
            let listener = TcpListener::bind(self.listen).await.map_err(|error| {
                Failure::new(exit::USAGE, format!("{} cannot be listened on: {error}", self.listen))
            })?;
            let address = listener.local_addr().map_or(self.listen, |address| address);
            let mut settings = Settings::new(Arc::new(SystemTime::now));
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
