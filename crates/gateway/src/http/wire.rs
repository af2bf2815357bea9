//! A strict reading of HTTP/1 framing, in front of the parser. hyper is lenient where servers disagree: it takes a bare
//! LF for a line end, lets `Transfer-Encoding` win over `Content-Length`, and folds equal lengths into one, and none of
//! that can be seen any more once a request is parsed. This reader sees the bytes first. At the first ambiguity it puts
//! a NUL in place of the line's end, which the parser can only answer with 400, in its turn, and reads no further.
//! It does not parse what it lets through; that is the parser's.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

/// No parser takes a NUL in a head; the empty line makes it look.
const POISON: &[u8] = b"\0\r\n\r\n";
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// A chunk-size or trailer line. Head lines are bounded by the parser's buffer.
const LONGEST_LINE: usize = 64 * 1024;

/// Which protocol a client speaks, and what was read to find out.
pub(super) struct Sniffed {
    pub(super) http2: bool,
    read: Vec<u8>,
}

/// Reads until it is certain whether this is the HTTP/2 preface.
pub(super) async fn sniff(io: &mut (impl AsyncRead + Unpin)) -> io::Result<Sniffed> {
    let mut read = Vec::with_capacity(PREFACE.len());
    while PREFACE.starts_with(&read) && read.len() < PREFACE.len() {
        let mut rest = io.take(u64::try_from(PREFACE.len().saturating_sub(read.len())).unwrap_or(0));
        if rest.read_buf(&mut read).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(Sniffed { http2: read == PREFACE, read })
}

/// Tells a [`Wire`] that what follows is not HTTP any more.
#[derive(Clone, Default)]
pub(super) struct Opened(Arc<AtomicBool>);

impl Opened {
    pub(super) fn set(&self) {
        self.0.store(true, Ordering::Release);
    }
}

pub(super) struct Wire<I> {
    io: I,
    /// Comes before anything else from `io`.
    prefix: Vec<u8>,
    /// `None` for HTTP/2, whose frames leave no doubt.
    scanner: Option<Scanner>,
    opened: Opened,
    ended: bool,
}

impl<I> Wire<I> {
    pub(super) fn new(io: I, sniffed: Sniffed, opened: Opened) -> Self {
        let scanner = (!sniffed.http2).then(Scanner::default);
        Self { io, prefix: sniffed.read, scanner, opened, ended: false }
    }

    fn put_prefix(&mut self, buf: &mut ReadBuf<'_>) {
        let rest = self.prefix.split_off(self.prefix.len().min(buf.remaining()));
        buf.put_slice(&std::mem::replace(&mut self.prefix, rest));
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Wire<I> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let start = buf.filled().len();
        if !this.prefix.is_empty() {
            this.put_prefix(buf);
        } else if !this.ended {
            ready!(Pin::new(&mut this.io).poll_read(cx, buf))?;
        }
        if this.ended {
            return Poll::Ready(Ok(()));
        }
        let Some(scanner) = &mut this.scanner else { return Poll::Ready(Ok(())) };
        if this.opened.0.load(Ordering::Acquire) {
            this.scanner = None;
            return Poll::Ready(Ok(()));
        }
        match scanner.scan(buf.filled().get(start..).unwrap_or_default()) {
            Ok(()) => Poll::Ready(Ok(())),
            Err(Fault::InHead { at }) => {
                this.ended = true;
                buf.set_filled(start + at);
                this.prefix = POISON.to_vec();
                this.put_prefix(buf);
                Poll::Ready(Ok(()))
            }
            Err(Fault::InBody) => {
                this.ended = true;
                Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, "ambiguous body framing")))
            }
        }
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Wire<I> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}

/// Whether HTTP/1 requests that come in these pieces have one reading, as far as they go.
pub fn reads_one_way<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> bool {
    let mut scanner = Scanner::default();
    pieces.into_iter().all(|piece| scanner.scan(piece).is_ok())
}

#[derive(Debug, PartialEq, Eq)]
enum Fault {
    /// `at` is the offset of the offending line's LF in the bytes that were scanned.
    InHead {
        at: usize,
    },
    InBody,
}

#[derive(Default)]
struct Scanner {
    state: State,
    /// The part of the current line that came with earlier reads.
    line: Vec<u8>,
}

#[derive(Clone, Copy, Default)]
enum State {
    #[default]
    RequestLine,
    Field(Framing),
    Body {
        left: u64,
    },
    ChunkSize,
    Chunk {
        left: u64,
    },
    ChunkEnd,
    Trailer,
}

/// What one head has said about its body so far.
#[derive(Clone, Copy, Default)]
struct Framing {
    http10: bool,
    length: Option<u64>,
    chunked: bool,
    host: bool,
}

impl Scanner {
    fn scan(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            match self.state {
                State::Body { left } | State::Chunk { left } => {
                    let skipped = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
                    at += skipped;
                    let left = left.saturating_sub(u64::try_from(skipped).unwrap_or(u64::MAX));
                    self.state = match (self.state, left) {
                        (State::Chunk { .. }, 0) => State::ChunkEnd,
                        (State::Chunk { .. }, left) => State::Chunk { left },
                        (_, 0) => State::RequestLine,
                        (_, left) => State::Body { left },
                    };
                }
                state => {
                    let Some(end) = rest.iter().position(|&byte| byte == b'\n') else {
                        if self.line.len().saturating_add(rest.len()) > LONGEST_LINE && !state.in_head() {
                            return Err(Fault::InBody);
                        }
                        self.line.extend_from_slice(rest);
                        return Ok(());
                    };
                    let piece = rest.get(..end).unwrap_or_default();
                    let next = if self.line.is_empty() {
                        state.after(piece)
                    } else {
                        self.line.extend_from_slice(piece);
                        let next = state.after(&self.line);
                        self.line.clear();
                        next
                    };
                    match next {
                        Some(next) => self.state = next,
                        None if state.in_head() => return Err(Fault::InHead { at: at + end }),
                        None => return Err(Fault::InBody),
                    }
                    at += end + 1;
                }
            }
        }
        Ok(())
    }
}

impl State {
    const fn in_head(self) -> bool {
        matches!(self, Self::RequestLine | Self::Field(_))
    }

    /// The state after a line, which comes without its LF; `None` if the line has more than one reading.
    fn after(self, line: &[u8]) -> Option<Self> {
        let line = line.strip_suffix(b"\r")?;
        if line.iter().any(|&byte| byte == b'\r' || byte == 0) {
            return None;
        }
        match self {
            Self::RequestLine => {
                let mut words = line.split(|&byte| byte == b' ');
                let (method, target, version) = (words.next()?, words.next()?, words.next()?);
                let plain = !method.is_empty() && !target.is_empty() && !line.contains(&b'\t');
                let http10 = version == b"HTTP/1.0";
                (words.next().is_none() && plain && (http10 || version == b"HTTP/1.1"))
                    .then_some(Self::Field(Framing { http10, ..Framing::default() }))
            }
            Self::Field(framing) if line.is_empty() => Some(match (framing.chunked, framing.length) {
                (true, _) => Self::ChunkSize,
                (false, Some(left)) if left > 0 => Self::Body { left },
                (false, _) => Self::RequestLine,
            }),
            Self::Field(framing) => framing.with(line).map(Self::Field),
            Self::ChunkSize => {
                // Chunk extensions have no meaning here and many readings; nobody needs them.
                let plain = (1..=15).contains(&line.len()) && line.iter().all(u8::is_ascii_hexdigit);
                let size = std::str::from_utf8(line).ok().filter(|_| plain)?;
                let left = u64::from_str_radix(size, 16).ok()?;
                Some(if left == 0 { Self::Trailer } else { Self::Chunk { left } })
            }
            Self::ChunkEnd => line.is_empty().then_some(Self::ChunkSize),
            Self::Trailer if line.is_empty() => Some(Self::RequestLine),
            Self::Trailer => field(line).map(|_| Self::Trailer),
            Self::Body { .. } | Self::Chunk { .. } => Some(self),
        }
    }
}

impl Framing {
    fn with(mut self, line: &[u8]) -> Option<Self> {
        let (name, value) = field(line)?;
        let value = value.trim_ascii();
        if name.eq_ignore_ascii_case(b"content-length") {
            let plain = (1..=18).contains(&value.len()) && value.iter().all(u8::is_ascii_digit);
            let length = std::str::from_utf8(value).ok().filter(|_| plain)?.parse().ok()?;
            if self.chunked || self.length.replace(length).is_some() {
                return None;
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if self.http10 || self.chunked || self.length.is_some() || !value.eq_ignore_ascii_case(b"chunked") {
                return None;
            }
            self.chunked = true;
        } else if name.eq_ignore_ascii_case(b"host") && std::mem::replace(&mut self.host, true) {
            return None;
        }
        Some(self)
    }
}

/// Name and value of a field line. A folded line, and white space around the name, have no place here.
fn field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().position(|&byte| byte == b':')?;
    let (name, value) = line.split_at_checked(colon)?;
    let token = |&byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    (!name.is_empty() && name.iter().all(token)).then_some((name, value.get(1..)?))
}

#[cfg(test)]
mod tests;
