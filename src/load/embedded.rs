//! The reference registry under load: on a thread and a core of its own, by the machine's clock, with users of a seed.

use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::time::SystemTime;

use tokio::sync::oneshot;

use super::thread;
use crate::registry::{Mutants, Registry, Seeded, Settings, Statistics, Verifiers};

/// A reference registry that runs until this is dropped.
#[derive(Debug)]
pub struct Embedded {
    /// Where it listens.
    pub address: SocketAddr,
    statistics: Counted,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// The registry's own count.
#[derive(Clone)]
struct Counted(Registry);

impl std::fmt::Debug for Counted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(&self.0.statistics(), f)
    }
}

impl Embedded {
    /// Starts one with these users.
    pub fn start(
        users: Seeded,
        mutants: Mutants,
        verifiers: Option<Verifiers>,
        core: Option<usize>,
    ) -> Result<Self, String> {
        let mut settings = Settings::new(Arc::new(SystemTime::now));
        (settings.mutants, settings.verifiers, settings.seeded) = (mutants, verifiers, Some(users));
        let registry = Registry::new(settings);
        let served = registry.clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let (tell, told) = mpsc::channel();
        let thread = std::thread::Builder::new().name("registry".to_owned()).spawn(move || {
            if let Some(core) = core {
                thread::pin(core);
            }
            let said = tell.clone();
            if let Err(error) = serve(served, stopped, &tell) {
                // Whoever started it may have gone.
                let _ = said.send(Err(error));
            }
        });
        let cannot = |error: &dyn std::fmt::Display| format!("the embedded registry: {error}");
        let thread = thread.map_err(|error| cannot(&error))?;
        match told.recv() {
            Ok(Ok(address)) => {
                Ok(Embedded { address, statistics: Counted(registry), stop: Some(stop), thread: Some(thread) })
            }
            Ok(Err(error)) => Err(cannot(&error)),
            Err(error) => Err(cannot(&error)),
        }
    }

    /// What it has counted so far.
    pub fn statistics(&self) -> Statistics {
        self.statistics.0.statistics()
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        // Dropping the sender ends the registry.
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(
    registry: Registry,
    stopped: oneshot::Receiver<()>,
    tell: &mpsc::Sender<std::io::Result<SocketAddr>>,
) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let _ = tell.send(listener.local_addr());
        crate::registry::serve(listener, registry, async {
            let _ = stopped.await;
        })
        .await
    })
}
