//! An endpoint for Prometheus while a run lasts.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::routing::get;
use tokio::net::TcpListener;

use super::{Failure, exit};
use crate::load::document::SecondNote;
use crate::load::exposition::Exposition;

/// What is served, fed from elsewhere.
#[derive(Debug, Clone, Default)]
pub(super) struct Fed(Arc<Mutex<Exposition>>);

impl Fed {
    /// Takes a second in.
    pub(super) fn note(&self, second: &SecondNote) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).note(second);
    }

    fn text(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).text()
    }
}

/// An endpoint that answers until this is dropped.
#[derive(Debug)]
pub(super) struct Endpoint(tokio::task::JoinHandle<()>);

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Answers at an address of this machine, and nowhere else.
pub(super) async fn serve(address: SocketAddr, fed: Fed) -> Result<Endpoint, Failure> {
    if !address.ip().is_loopback() {
        let message = format!("--prometheus {address}: not this machine's own; allowed: 127.0.0.1:PORT, [::1]:PORT");
        return Err(Failure::new(exit::USAGE, message));
    }
    let cannot = |error: std::io::Error| Failure::new(exit::USAGE, format!("--prometheus {address}: {error}"));
    let listener = TcpListener::bind(address).await.map_err(cannot)?;
    let address = listener.local_addr().map_err(cannot)?;
    let metrics = move || async move { ([("content-type", "text/plain; version=0.0.4; charset=utf-8")], fed.text()) };
    let router = Router::new().route("/metrics", get(metrics));
    eprintln!("metrics: http://{address}/metrics");
    Ok(Endpoint(tokio::spawn(async move {
        // An endpoint that fails takes nothing away from the run.
        let _ = axum::serve(listener, router).await;
    })))
}
