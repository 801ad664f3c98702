//! A stream to the target: TCP, or TLS over it. Nothing here waits: what cannot be done at once says so.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, ConfigBuilder, RootCertStore, WantsVerifier};
use rustls_platform_verifier::BuilderVerifierExt as _;

/// How the target is spoken to over TLS.
#[derive(Debug, Clone)]
pub struct Tls {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Tls {
    /// To a host whose certificate must come from the authorities in a file (PEM).
    pub fn new(host: &str, authorities: &Path) -> Result<Self, String> {
        let cannot = |what: &dyn std::fmt::Display| format!("--cacert {}: {what}", authorities.display());
        let mut roots = RootCertStore::empty();
        let found = CertificateDer::pem_file_iter(authorities).map_err(|error| cannot(&error))?;
        for certificate in found {
            roots.add(certificate.map_err(|error| cannot(&error))?).map_err(|error| cannot(&error))?;
        }
        if roots.is_empty() {
            return Err(cannot(&"holds no certificate in PEM"));
        }
        Self::with(host, builder()?.with_root_certificates(roots).with_no_client_auth())
    }

    /// To a host whose certificate must come from an authority that the system trusts.
    pub fn of_system(host: &str) -> Result<Self, String> {
        let verified = builder()?.with_platform_verifier().map_err(|error| error.to_string())?;
        Self::with(host, verified.with_no_client_auth())
    }

    fn with(host: &str, config: ClientConfig) -> Result<Self, String> {
        let name = ServerName::try_from(host.to_owned()).map_err(|error| format!("{host}: {error}"))?;
        Ok(Tls { config: Arc::new(config), name })
    }
}

fn builder() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    builder.map_err(|error| error.to_string())
}

/// A stream.
#[derive(Debug)]
pub(super) struct Stream {
    tcp: TcpStream,
    tls: Option<Box<ClientConnection>>,
}

impl Stream {
    /// A stream over a connection that is being opened.
    pub(super) fn new(tcp: TcpStream, tls: Option<&Tls>) -> std::io::Result<Self> {
        let tls = tls.map(|tls| ClientConnection::new(Arc::clone(&tls.config), tls.name.clone()));
        Ok(Stream { tcp, tls: tls.transpose().map_err(std::io::Error::other)?.map(Box::new) })
    }

    /// The connection below it.
    pub(super) fn tcp(&self) -> &TcpStream {
        &self.tcp
    }

    /// Whether one read may leave more to be read that the connection has no news of.
    pub(super) fn holds_back(&self) -> bool {
        self.tls.is_some()
    }

    /// Goes on agreeing on keys. True once it is done.
    pub(super) fn agree(&mut self) -> std::io::Result<bool> {
        let Some(tls) = &mut self.tls else { return Ok(true) };
        while tls.is_handshaking() {
            if tls.wants_write() {
                match tls.write_tls(&mut self.tcp) {
                    Ok(_) => continue,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                    Err(error) => return Err(error),
                }
            }
            match tls.read_tls(&mut self.tcp) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(_) => {
                    tls.process_new_packets().map_err(std::io::Error::other)?;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        self.flush()?;
        Ok(true)
    }

    /// Whether something that was written waits to be sent.
    pub(super) fn owes(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.wants_write())
    }

    /// Sends what waits. True when nothing does any more.
    pub(super) fn flush(&mut self) -> std::io::Result<bool> {
        let Some(tls) = &mut self.tls else { return Ok(true) };
        while tls.wants_write() {
            match tls.write_tls(&mut self.tcp) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Takes bytes to send, as many as there is room for.
    pub(super) fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match &mut self.tls {
            None => self.tcp.write(bytes),
            Some(tls) => {
                let taken = tls.writer().write(bytes)?;
                self.flush()?;
                Ok(taken)
            }
        }
    }

    /// Reads what there is. Zero at the end.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let Some(tls) = &mut self.tls else { return self.tcp.read(buffer) };
        loop {
            match tls.reader().read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                // A target that closes without a word of farewell has closed all the same: what is whole is judged.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(0),
                read => return read,
            }
            match tls.read_tls(&mut self.tcp) {
                Ok(_) => {
                    tls.process_new_packets().map_err(std::io::Error::other)?;
                }
                Err(error) => return Err(error),
            }
        }
    }
}
