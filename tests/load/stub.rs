//! What the load tests drive: the reference registry on a thread of its own, and a server that misbehaves as told.
#![allow(dead_code, reason = "each test file uses its part")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use stepup::registry::{Mutant, Registry, Seeded, Settings, Statistics};
use tokio::sync::oneshot;

/// A reference registry that runs until this is dropped.
pub struct Running {
    pub address: SocketAddr,
    registry: Registry,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Running {
    pub fn statistics(&self) -> Statistics {
        self.registry.statistics()
    }

    pub fn accepted_proofs(&self) -> u64 {
        self.registry.accepted_proofs()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Starts a registry with so many users of a seed, and perhaps a fault.
pub fn registry(seed: [u8; 32], users: u32, mutant: Option<Mutant>) -> Running {
    let mut settings = Settings::new(Arc::new(SystemTime::now));
    settings.seeded = Some(Seeded::new(&seed, users));
    settings.mutants = mutant.into_iter().collect();
    let registry = Registry::new(settings);
    let served = registry.clone();
    let (stop, stopped) = oneshot::channel::<()>();
    let (tell, told) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
            tell.send(listener.local_addr().expect("an address")).expect("the test listens");
            let stopped = async {
                let _ = stopped.await;
            };
            stepup::registry::serve(listener, served, stopped).await.expect("it serves");
        });
    });
    let address = told.recv().expect("it starts");
    Running { address, registry, stop: Some(stop), thread: Some(thread) }
}

/// How a server behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// It accepts everything that carries a code, and asks for one otherwise.
    Fine,
    /// It accepts everything, whatever it carries.
    Yes,
    /// It answers with what it was sent.
    Echoes,
    /// It asks for a code whatever it was sent.
    Asks,
    /// It answers that it has failed.
    Fails,
    /// It sends half an answer and closes.
    HalfWay,
    /// It answers what is no HTTP.
    Garbage,
    /// It never answers.
    Silent,
    /// It closes each connection once it has been asked something.
    Hangs,
    /// It sends half an answer and resets the connection.
    Resets,
}

/// A server that misbehaves as told, and counts the requests it gets.
pub struct Stub {
    pub address: SocketAddr,
    pub requests: Arc<AtomicU64>,
}

impl Stub {
    pub fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let requests = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&requests);
        // Both end with the process of the test.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let counted = Arc::clone(&counted);
                std::thread::spawn(move || serve(stream, manner, &counted));
            }
        });
        Stub { address, requests }
    }

    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::SeqCst)
    }
}

fn serve(mut stream: TcpStream, manner: Manner, counted: &AtomicU64) {
    let mut pending = Vec::new();
    let mut buffer = [0; 16 * 1024];
    while let Ok(length @ 1..) = stream.read(&mut buffer) {
        pending.extend_from_slice(&buffer[..length]);
        while let Some(whole) = request_length(&pending) {
            let proven = has_code(&pending[..whole]);
            let sent: Vec<u8> = pending.drain(..whole).collect();
            if manner == Manner::Fine && !proven {
                if stream.write_all(CHALLENGE).is_err() {
                    return;
                }
                continue;
            }
            counted.fetch_add(1, Ordering::SeqCst);
            let sent = match manner {
                Manner::Echoes => {
                    let text = String::from_utf8_lossy(&sent).into_owned();
                    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
                    stream.write_all(
                        format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()).as_bytes(),
                    )
                }
                Manner::Asks => stream.write_all(CHALLENGE),
                Manner::Fine | Manner::Yes => stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"),
                Manner::Fails => stream.write_all(b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 2\r\n\r\n{}"),
                Manner::HalfWay => {
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 200\r\n\r\n{}");
                    return;
                }
                Manner::Garbage => stream.write_all(b"no HTTP at all\r\n\r\n"),
                Manner::Silent => Ok(()),
                Manner::Hangs => return,
                Manner::Resets => {
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 200\r\n\r\n{}");
                    // Without time to linger, what has been sent is taken back.
                    let _ = rustix::net::sockopt::set_socket_linger(&stream, Some(std::time::Duration::ZERO));
                    return;
                }
            };
            if sent.is_err() {
                return;
            }
        }
    }
}

/// What asks for a code.
const CHALLENGE: &[u8] = b"HTTP/1.1 401 Unauthorized\r\nwww-authenticate: OTP\r\ncontent-length: 2\r\n\r\n{}";

/// Whether a request carries a code.
fn has_code(request: &[u8]) -> bool {
    String::from_utf8_lossy(request).to_lowercase().contains("\r\nnpm-otp: ")
}

/// The length of the whole request at the beginning, if it has come.
fn request_length(bytes: &[u8]) -> Option<usize> {
    let text = String::from_utf8_lossy(bytes);
    let head = text.find("\r\n\r\n")? + 4;
    let length = text[..head].lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
    (bytes.len() >= head + length).then_some(head + length)
}

/// A server that dies with all its connections after so many requests, and comes back when it is told to.
pub struct Mortal {
    pub address: SocketAddr,
    back: std::sync::mpsc::Sender<()>,
}

impl Mortal {
    pub fn start(lives_for: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let (back, told) = std::sync::mpsc::channel();
        // It ends with the process of the test.
        std::thread::spawn(move || {
            live(&listener, lives_for);
            drop(listener);
            if told.recv().is_ok() {
                live(&TcpListener::bind(address).expect("the same port"), u64::MAX);
            }
        });
        Mortal { address, back }
    }

    pub fn come_back(&self) {
        let _ = self.back.send(());
    }
}

/// Answers until so many requests have come, and then closes every connection.
fn live(listener: &TcpListener, requests: u64) {
    let counted = Arc::new(AtomicU64::new(0));
    let mut streams: Vec<TcpStream> = Vec::new();
    let address = listener.local_addr().expect("an address");
    for stream in listener.incoming().flatten() {
        if counted.load(Ordering::SeqCst) >= requests {
            break;
        }
        streams.extend(stream.try_clone());
        let counted = Arc::clone(&counted);
        std::thread::spawn(move || {
            let mut stream = stream;
            let mut buffer = [0; 16 * 1024];
            // A request of this engine is one write, and so one read.
            while let Ok(length @ 1..) = stream.read(&mut buffer) {
                if !has_code(&buffer[..length]) {
                    if stream.write_all(CHALLENGE).is_err() {
                        return;
                    }
                    continue;
                }
                if counted.fetch_add(1, Ordering::SeqCst) + 1 >= requests {
                    // Whoever accepts is waked up, to see that it is over.
                    let _ = TcpStream::connect(address);
                    return;
                }
                if stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").is_err() {
                    return;
                }
            }
        });
    }
    streams.iter().for_each(|stream| drop(stream.shutdown(std::net::Shutdown::Both)));
}
