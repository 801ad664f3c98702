//! The reference registry behind a relay that misbehaves on one route and passes everything else on.
#![allow(dead_code, reason = "each test file uses its part")]

use std::sync::Arc;
use std::time::SystemTime;

use stepup::registry::{Registry, Settings, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What happens on the route.
#[derive(Debug, Clone, Copy)]
pub enum Misbehaviour {
    /// The connection is reset.
    Resets,
    /// The connection is closed without an answer.
    Closes,
    /// Nothing is ever answered.
    Hangs,
    /// These bytes are the answer.
    Answers(&'static str),
    /// An answer whose head says two gibibytes, and whose body goes on for as long as it is read.
    Floods,
}

/// One route: a method and path, where `*` stands for anything.
#[derive(Debug, Clone, Copy)]
pub struct Route(pub &'static str);

impl Route {
    fn covers(self, request: &str) -> bool {
        let glob = globset::Glob::new(self.0).expect("a glob");
        glob.compile_matcher().is_match(request)
    }
}

/// Starts a registry and a relay in front of it, for as long as the test's runtime lives, and says the relay's address.
pub async fn registry_that(route: Route, misbehaviour: Misbehaviour) -> String {
    let (registry, upstream) = listener().await;
    let settings = Settings::new(Arc::new(SystemTime::now));
    tokio::spawn(serve(registry, Registry::new(settings), std::future::pending()));
    let (relay, address) = listener().await;
    tokio::spawn(async move {
        while let Ok((client, _)) = relay.accept().await {
            let upstream = upstream.clone();
            tokio::spawn(async move {
                // A client that has seen enough closes first.
                let _ = pass_on(client, &upstream, route, misbehaviour).await;
            });
        }
    });
    format!("http://{address}")
}

async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address").to_string();
    (listener, address)
}

/// Serves the one request of a connection.
async fn pass_on(
    mut client: TcpStream,
    upstream: &str,
    route: Route,
    misbehaviour: Misbehaviour,
) -> std::io::Result<()> {
    let (head, body) = request(&mut client).await?;
    let (line, headers) = head.split_once("\r\n").expect("a request line");
    if route.covers(line.trim_end_matches(" HTTP/1.1")) {
        return misbehave(client, misbehaviour).await;
    }
    let mut registry = TcpStream::connect(upstream).await?;
    registry.write_all(format!("{line}\r\nconnection: close\r\n{headers}").as_bytes()).await?;
    registry.write_all(&body).await?;
    tokio::io::copy(&mut registry, &mut client).await?;
    client.shutdown().await
}

/// Reads a request's head, with the empty line that ends it, and its body.
async fn request(client: &mut TcpStream) -> std::io::Result<(String, Vec<u8>)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await?);
    }
    let head = String::from_utf8(head).expect("text");
    let length = head.lines().filter_map(|line| line.split_once(": ")).find_map(|(name, value)| {
        name.eq_ignore_ascii_case("content-length").then(|| value.parse().expect("a length"))
    });
    let mut body = vec![0; length.unwrap_or(0)];
    client.read_exact(&mut body).await?;
    Ok((head, body))
}

async fn misbehave(mut client: TcpStream, misbehaviour: Misbehaviour) -> std::io::Result<()> {
    match misbehaviour {
        Misbehaviour::Resets => client.set_zero_linger(),
        Misbehaviour::Closes => client.shutdown().await,
        Misbehaviour::Hangs => std::future::pending().await,
        Misbehaviour::Answers(bytes) => {
            client.write_all(bytes.as_bytes()).await?;
            client.shutdown().await
        }
        Misbehaviour::Floods => {
            client.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2147483648\r\n\r\n").await?;
            loop {
                client.write_all(&[b'x'; 65536]).await?;
            }
        }
    }
}
