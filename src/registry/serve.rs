//! Serving a registry on a socket.

use std::future::{Future, IntoFuture};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::pin;
use std::time::Duration;

use axum::serve::{Listener, ListenerExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use super::Registry;

/// How long requests that are under way may take to end once the registry is shut down.
const DRAIN: Duration = Duration::from_secs(2);

/// The sockets of a registry. `localhost` has two addresses, and pages for security keys are known
/// by that name alone, so a registry at one of them is at the other, too, where that one is free.
struct Sockets {
    given: TcpListener,
    twin: Option<TcpListener>,
}

impl Sockets {
    async fn beside(given: TcpListener) -> Self {
        let twin = match given.local_addr().ok().and_then(twin_of) {
            Some(address) => TcpListener::bind(address).await.ok(),
            None => None,
        };
        Self { given, twin }
    }
}

/// The other address of `localhost`, with the same port.
fn twin_of(address: SocketAddr) -> Option<SocketAddr> {
    let twin = match address.ip() {
        IpAddr::V4(Ipv4Addr::LOCALHOST) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::LOCALHOST) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V4(_) | IpAddr::V6(_) => return None,
    };
    Some(SocketAddr::new(twin, address.port()))
}

impl Listener for Sockets {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        match &mut self.twin {
            None => Listener::accept(&mut self.given).await,
            Some(twin) => tokio::select! {
                accepted = Listener::accept(&mut self.given) => accepted,
                accepted = Listener::accept(twin) => accepted,
            },
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.given.local_addr()
    }
}

/// Serves a registry until `shutdown` is ready, then lets the requests under way end, within a
/// bound. A listener at one address of `localhost` is joined by one at the other.
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
    let listener = Sockets::beside(listener).await.tap_io(|socket| drop(socket.set_nodelay(true)));
    let (told, closing) = oneshot::channel::<()>();
    let server = axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>())
        .with_graceful_shutdown(async move {
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
