//! Serving a registry on a socket.

use std::future::{Future, IntoFuture};
use std::io;
use std::pin::pin;
use std::time::Duration;

use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::Registry;

/// How long requests that are under way may take to end once the registry is shut down.
const DRAIN: Duration = Duration::from_secs(2);

/// Serves a registry until `shutdown` is ready, then lets the requests under way end, within a
/// bound.
///
/// # Errors
///
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    registry: Registry,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let router = registry.router();
    // Small answers go out at once. A socket that refuses the option still works.
    let listener = listener.tap_io(|socket| drop(socket.set_nodelay(true)));
    let (told, closing) = oneshot::channel::<()>();
    let server = axum::serve(listener, router).with_graceful_shutdown(async move {
        shutdown.await;
        registry.close();
        drop(told);
    });
    let mut server = pin!(server.into_future());
    tokio::select! {
        ended = &mut server => return ended,
        _ = closing => {}
    }
    tokio::time::timeout(DRAIN, server).await.unwrap_or(Ok(()))
}
