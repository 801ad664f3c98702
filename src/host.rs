//! Bringing a target up: in this process, installed and started, or already there.

use std::sync::Arc;

use reqwest::Url;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::accounts::Account;
use crate::clock::{Clock, UnixMillis};
use crate::installed::{self, Running};
use crate::registry::{Mutants, Registry, Settings, Verifiers};
use crate::target::Start;

/// The embedded registry's simulated time begins within a minute of this, in milliseconds: the year 2026.
const EPOCH_MS: i64 = 1_767_225_600_000;

/// A target that answers, until this is dropped.
#[derive(Debug)]
pub struct Host {
    /// Its address.
    pub base: Url,
    /// The clock to drive it by.
    pub clock: Clock,
    /// Whether it lives on after the run, so that it must be left as it was found.
    pub lives_on: bool,
    /// The accounts that were handed over for it.
    pub accounts: Option<Vec<Account>>,
    keeper: Keeper,
}

#[derive(Debug)]
enum Keeper {
    /// Dropping the sender ends the registry.
    Embedded {
        _stop: oneshot::Sender<()>,
    },
    /// Dropping it ends the process and removes its folder.
    Installed(Box<Running>),
    Nobody,
}

impl Host {
    /// Brings a target up. The embedded registry's simulated time begins where the seed says.
    pub async fn bring_up(start: Start, seed: u64, mutants: Mutants) -> Result<Self, String> {
        match start {
            Start::Embedded { verifiers } => embedded(seed, mutants, verifiers).await,
            Start::Installed(program) => {
                let running = Box::new(installed::start(&program, None).await?);
                let base = address(&running.base)?;
                let (clock, lives_on, accounts) = (Clock::system(), false, None);
                Ok(Host { base, clock, lives_on, accounts, keeper: Keeper::Installed(running) })
            }
            Start::Running { base, accounts } => {
                Ok(Host { base, clock: Clock::system(), lives_on: true, accounts, keeper: Keeper::Nobody })
            }
        }
    }
}

impl Host {
    /// How a process of ours has ended of itself, with its last words, if it has.
    pub fn has_ended(&mut self) -> Option<String> {
        match &mut self.keeper {
            Keeper::Installed(running) => running.has_ended(),
            Keeper::Embedded { .. } | Keeper::Nobody => None,
        }
    }
}

/// The reference registry on a free loopback port, on a clock that the run shares.
async fn embedded(seed: u64, mutants: Mutants, verifiers: Option<Verifiers>) -> Result<Host, String> {
    let cannot = |error: std::io::Error| format!("the embedded registry: {error}");
    let offset = i64::try_from(crate::check::mix(seed, "start") % 60_000).unwrap_or_default();
    let clock = Clock::simulated(UnixMillis(EPOCH_MS + offset));
    let registry_clock = clock.clone();
    let mut settings = Settings::new(Arc::new(move || registry_clock.system_time()));
    (settings.mutants, settings.verifiers) = (mutants, verifiers);
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(cannot)?;
    let base = address(&format!("http://{}", listener.local_addr().map_err(cannot)?))?;
    let (stop, stopped) = oneshot::channel();
    tokio::spawn(crate::registry::serve(listener, Registry::new(settings), async {
        // Dropping the sender ends the registry too.
        let _ = stopped.await;
    }));
    Ok(Host { base, clock, lives_on: false, accounts: None, keeper: Keeper::Embedded { _stop: stop } })
}

fn address(text: &str) -> Result<Url, String> {
    Url::parse(text).map_err(|error| format!("{text}: {error}"))
}
