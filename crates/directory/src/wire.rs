//! The connection: opened, encrypted, and read message by message, each bounded in bytes and in time. It knows who asks
//! and what comes back, and nothing of what it means.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::account::Account;
use crate::address::{Address, Security};
use crate::ber::{Mangled, SEQUENCE, length_of, long};
use crate::limits::{Limits, ReadFault};
use crate::message::{self, Answer, Question};

/// What a directory is spoken to over.
pub trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

/// Whose word counts for a server's certificate.
#[derive(Clone)]
pub struct Authorities(Arc<RootCertStore>);

impl fmt::Debug for Authorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authorities({})", self.0.len())
    }
}

impl Authorities {
    /// Those whose word browsers take, for a directory with a public certificate.
    pub fn public() -> Self {
        Self(Arc::new(webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect()))
    }

    /// The certificates in a PEM file, and no others.
    ///
    /// # Errors
    /// When there is none in it, or one that cannot be read.
    pub fn from_pem(pem: &[u8]) -> Result<Self, WireFault> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|_| WireFault::Authorities)?;
            roots.add(certificate).map_err(|_| WireFault::Authorities)?;
        }
        if roots.is_empty() { Err(WireFault::Authorities) } else { Ok(Self(Arc::new(roots))) }
    }
}

/// A connection that could not be made or that ended.
#[derive(Debug, thiserror::Error)]
pub enum WireFault {
    #[error("{address} cannot be reached: {source}")]
    Unreachable { address: String, source: io::Error },
    #[error("{address} has a certificate of an authority that is not known here")]
    UnknownAuthority { address: String },
    #[error("no encrypted connection to {address}: {source}")]
    Tls { address: String, source: io::Error },
    #[error("{address}: a certificate cannot be made out for a host of this name")]
    HostName { address: String },
    #[error("no certificates of authorities, or one that cannot be read")]
    Authorities,
    #[error("the connection broke: {0}")]
    Broken(io::Error),
    #[error("the server ended the connection")]
    Closed,
    #[error("the server was silent for {} seconds", .0.as_secs())]
    Silent(Duration),
    #[error("reading takes longer than {} minutes", .0.as_secs() / 60)]
    TooLong(Duration),
    #[error("an answer of more than {limit} bytes")]
    LargeAnswer { limit: usize },
    #[error("answers of more than {limit} bytes together")]
    LargeAnswers { limit: u64 },
    #[error("the server answers something else than it was asked")]
    Unexpected,
}

/// When it is to be over, however little arrives at a time.
#[derive(Clone, Copy, Debug)]
struct Clock {
    end: Instant,
    silence: Duration,
    time: Duration,
}

impl Clock {
    fn new(limits: &Limits) -> Self {
        Self { end: Instant::now() + limits.time, silence: limits.silence, time: limits.time }
    }

    fn left(&self) -> io::Result<Duration> {
        let left = self.end.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left.min(self.silence)) }
    }

    fn fault(&self, error: io::Error) -> WireFault {
        match error.kind() {
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock if Instant::now() >= self.end => {
                WireFault::TooLong(self.time)
            }
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => WireFault::Silent(self.silence),
            io::ErrorKind::UnexpectedEof => WireFault::Closed,
            _ => WireFault::Broken(error),
        }
    }
}

/// A socket that waits no longer than the clock says. Beneath the encryption, so that a server cannot draw out one record.
struct Timed {
    socket: TcpStream,
    clock: Clock,
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.set_read_timeout(Some(self.clock.left()?))?;
        self.socket.read(buffer)
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.set_write_timeout(Some(self.clock.left()?))?;
        self.socket.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

pub(crate) struct Connection<S = Box<dyn Stream>> {
    stream: S,
    clock: Clock,
    limits: Limits,
    received: u64,
    /// The number of the newest message.
    number: i32,
}

impl Connection {
    pub(crate) fn open(
        address: &Address,
        authorities: Option<&Authorities>,
        limits: Limits,
    ) -> Result<Self, ReadFault> {
        let clock = Clock::new(&limits);
        let socket = dial(address).map_err(|source| WireFault::Unreachable { address: address.to_string(), source })?;
        let mut socket = Timed { socket, clock };
        if address.security == Security::Plain {
            return Ok(Self::over(Box::new(socket), limits));
        }
        let authorities = authorities.ok_or(WireFault::Authorities)?;
        if address.security == Security::StartTls {
            // Read to the last byte of the answer and not beyond: what somebody put behind it stays in the socket, and is no
            // handshake.
            let mut plain = Connection::<&mut Timed>::over(&mut socket, limits);
            plain.send(message::start_tls)?;
            match plain.receive()? {
                Answer::Extended(outcome) => outcome.done("encryption (StartTLS)")?,
                _ => return Err(WireFault::Unexpected.into()),
            }
        }
        Ok(Self::over(Box::new(encrypted(socket, address, authorities)?), limits))
    }
}

impl<S: Stream> Connection<S> {
    /// Over a stream that is as safe as it has to be.
    pub(crate) fn over(stream: S, limits: Limits) -> Self {
        Self { stream, clock: Clock::new(&limits), limits, received: 0, number: 0 }
    }

    pub(crate) fn bind(&mut self, account: &Account) -> Result<(), ReadFault> {
        self.send(|id| message::bind(id, account))?;
        match self.receive()? {
            Answer::Bound(outcome) => Ok(outcome.without(&account.password).done("signing in")?),
            _ => Err(WireFault::Unexpected.into()),
        }
    }

    pub(crate) fn ask(&mut self, question: &Question<'_>, page: Option<(u32, &[u8])>) -> Result<(), ReadFault> {
        self.send(|id| message::search(id, question, page))
    }

    /// Says that nothing more comes. Whether the server hears it makes no difference.
    pub(crate) fn close(mut self) {
        let _ = self.send(message::unbind);
    }

    fn send(&mut self, message: impl FnOnce(i32) -> Vec<u8>) -> Result<(), ReadFault> {
        self.number = self.number.checked_add(1).ok_or(ReadFault::Endless)?;
        let message = message(self.number);
        let sent = self.stream.write_all(&message).and_then(|()| self.stream.flush());
        sent.map_err(|error| self.clock.fault(error).into())
    }

    /// The next answer to the newest message.
    pub(crate) fn receive(&mut self) -> Result<Answer, ReadFault> {
        let bytes = self.message()?;
        let (number, answer) = message::answer(&bytes)?;
        if number == 0 {
            // RFC 4511, 4.4.1: the server says that it is about to end the connection.
            return Err(WireFault::Closed.into());
        }
        if number != i64::from(self.number) {
            return Err(WireFault::Unexpected.into());
        }
        Ok(answer)
    }

    /// The bytes of one message, and not one of the next.
    fn message(&mut self) -> Result<Vec<u8>, ReadFault> {
        let mut bytes = Vec::new();
        self.take(&mut bytes, 2)?;
        let &[tag, first] = bytes.as_slice() else { return Err(WireFault::Closed.into()) };
        if tag != SEQUENCE {
            return Err(Mangled("a message begins with another byte").into());
        }
        let length = match long(first)? {
            None => usize::from(first),
            Some(count) => {
                self.take(&mut bytes, count)?;
                length_of(bytes.get(2..).unwrap_or_default())
            }
        };
        if length > self.limits.message {
            return Err(WireFault::LargeAnswer { limit: self.limits.message }.into());
        }
        self.received += length as u64;
        if self.received > self.limits.bytes {
            return Err(WireFault::LargeAnswers { limit: self.limits.bytes }.into());
        }
        self.take(&mut bytes, length)?;
        Ok(bytes)
    }

    /// So many bytes more; memory grows with what arrives, not with what was said to.
    fn take(&mut self, bytes: &mut Vec<u8>, count: usize) -> Result<(), ReadFault> {
        match (&mut self.stream).take(count as u64).read_to_end(bytes) {
            Ok(read) if read == count => Ok(()),
            Ok(_) => Err(WireFault::Closed.into()),
            Err(error) => Err(self.clock.fault(error).into()),
        }
    }
}

fn dial(address: &Address) -> io::Result<TcpStream> {
    const PATIENCE: Duration = Duration::from_secs(10);
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in (address.host.as_str(), address.port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(socket) => {
                socket.set_nodelay(true)?;
                return Ok(socket);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn encrypted(
    mut socket: Timed,
    address: &Address,
    authorities: &Authorities,
) -> Result<StreamOwned<ClientConnection, Timed>, WireFault> {
    let shown = || address.to_string();
    let tls = |error: rustls::Error| WireFault::Tls { address: shown(), source: io::Error::other(error) };
    let name = ServerName::try_from(address.host.clone()).map_err(|_| WireFault::HostName { address: shown() })?;
    let configuration = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(tls)?
        .with_root_certificates(Arc::clone(&authorities.0))
        .with_no_client_auth();
    let mut connection = ClientConnection::new(Arc::new(configuration), name).map_err(tls)?;
    while connection.is_handshaking() {
        connection.complete_io(&mut socket).map_err(|error| {
            let refused = error.get_ref().and_then(|inner| inner.downcast_ref());
            match refused {
                // Of no authority that is known, or of one that only has the name of one.
                Some(rustls::Error::InvalidCertificate(
                    CertificateError::UnknownIssuer | CertificateError::BadSignature,
                )) => WireFault::UnknownAuthority { address: shown() },
                _ => match socket.clock.fault(error) {
                    WireFault::Broken(source) => WireFault::Tls { address: shown(), source },
                    other => other,
                },
            }
        })?;
    }
    Ok(StreamOwned::new(connection, socket))
}
