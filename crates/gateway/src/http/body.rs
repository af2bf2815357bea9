//! Bodies that hold the lease they flow under. When it is cut they end: the request body with an error, the response
//! body with an error or, for gRPC over HTTP/2, with trailers that say why.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http::{HeaderMap, HeaderValue};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;

use super::access::{Access, Cut};
use super::pool::Lent;

/// The body of a request to, or a response from, a part of Countersign in this process.
pub type Body = UnsyncBoxBody<Bytes, BodyError>;

/// Why a body ended early.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    #[error("the access was revoked")]
    Revoked,
    #[error("nothing moved for too long")]
    Idle,
    #[error("the body is larger than the configured limit")]
    TooLarge,
    #[error("the connection failed")]
    Connection(#[from] hyper::Error),
    #[error("a part of Countersign could not finish its answer: {0}")]
    Part(String),
}

impl From<Cut> for BodyError {
    fn from(cut: Cut) -> Self {
        match cut {
            Cut::Revoked => Self::Revoked,
            Cut::Idle => Self::Idle,
        }
    }
}

/// What goes upstream.
pub(super) struct RequestBody {
    /// `None` where the request has no body, or it is done.
    flow: Option<Upload>,
}

struct Upload {
    body: Incoming,
    access: Arc<Access>,
    /// Made when the client first lets us wait.
    cut: Option<Pin<Box<dyn Future<Output = Cut> + Send>>>,
    left: Option<u64>,
    too_large: Arc<AtomicBool>,
}

impl RequestBody {
    pub(super) const fn empty() -> Self {
        Self { flow: None }
    }

    /// `too_large` is set when more than `limit` bytes came.
    pub(super) fn new(body: Incoming, access: &Arc<Access>, limit: Option<u64>, too_large: Arc<AtomicBool>) -> Self {
        if body.is_end_stream() {
            return Self::empty();
        }
        Self { flow: Some(Upload { body, access: Arc::clone(access), cut: None, left: limit, too_large }) }
    }
}

impl Upload {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.access.revocation().is_some() {
            return Poll::Ready(Some(Err(BodyError::Revoked)));
        }
        loop {
            match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    // Trailers could carry what the header check removed, and no upstream needs them in a request.
                    let Ok(data) = frame.into_data() else { continue };
                    let length = u64::try_from(data.len()).unwrap_or(u64::MAX);
                    self.access.usage().add_received(length);
                    if let Some(left) = &mut self.left {
                        let Some(rest) = left.checked_sub(length) else {
                            self.too_large.store(true, Ordering::Relaxed);
                            return Poll::Ready(Some(Err(BodyError::TooLarge)));
                        };
                        *left = rest;
                    }
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error.into()))),
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => {
                    let access = &self.access;
                    let cut = self.cut.get_or_insert_with(|| Box::pin(access.cut()));
                    return cut.as_mut().poll(cx).map(|cut| Some(Err(cut.into())));
                }
            }
        }
    }
}

impl HttpBody for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Some(flow) = &mut self.flow else { return Poll::Ready(None) };
        let frame = ready!(flow.poll(cx));
        if !matches!(frame, Some(Ok(_))) {
            self.flow = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.flow.as_ref().is_none_or(|flow| flow.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.flow.as_ref().map_or_else(|| SizeHint::with_exact(0), |flow| flow.body.size_hint())
    }
}

/// What goes to the client.
pub(super) struct Outgoing(Content);

enum Content {
    Local(Bytes),
    /// One message of gRPC, and what stands behind it.
    Message(Bytes, HeaderMap),
    Leased(Box<Download>),
    Done,
}

struct Download {
    source: Source,
    access: Arc<Access>,
    grpc: bool,
    /// The upstream connection, to give back once the response has been read to its end.
    lent: Option<Lent>,
}

pub(super) enum Source {
    Wire(Incoming),
    Part(Body),
}

impl Outgoing {
    /// Countersign's own words.
    pub(super) fn local(text: impl Into<Bytes>) -> Self {
        Self(Content::Local(text.into()))
    }

    /// One message of gRPC, framed, with its trailers.
    pub(super) const fn message(framed: Bytes, trailers: HeaderMap) -> Self {
        Self(Content::Message(framed, trailers))
    }

    /// Countersign's own words again; nothing of anybody else's.
    pub(super) fn words(self) -> Bytes {
        match self.0 {
            Content::Local(bytes) => bytes,
            Content::Message(..) | Content::Leased(_) | Content::Done => Bytes::new(),
        }
    }

    /// A response under its lease. `grpc` when its end may be told in trailers.
    pub(super) fn leased(source: Source, access: Arc<Access>, grpc: bool, lent: Option<Lent>) -> Self {
        let mut download = Box::new(Download { source, access, grpc, lent });
        if download.source.is_end_stream() {
            download.give_back();
        }
        Self(Content::Leased(download))
    }
}

impl Source {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self {
            Self::Wire(body) => Pin::new(body).poll_frame(cx).map_err(BodyError::from),
            Self::Part(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Wire(body) => body.is_end_stream(),
            Self::Part(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Wire(body) => body.size_hint(),
            Self::Part(body) => body.size_hint(),
        }
    }
}

impl Download {
    fn give_back(&mut self) {
        if let Some(lent) = self.lent.take() {
            lent.give_back();
        }
    }

    fn farewell(&self) -> Result<Frame<Bytes>, BodyError> {
        if !self.grpc {
            return Err(BodyError::Revoked);
        }
        let mut trailers = HeaderMap::with_capacity(2);
        trailers.insert("grpc-status", HeaderValue::from_static("7"));
        trailers.insert("grpc-message", HeaderValue::from_static("the access was revoked"));
        Ok(Frame::trailers(trailers))
    }
}

impl HttpBody for Outgoing {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let download = match &mut self.0 {
            Content::Done => return Poll::Ready(None),
            Content::Local(bytes) => {
                let bytes = std::mem::take(bytes);
                self.0 = Content::Done;
                return Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))));
            }
            Content::Message(bytes, trailers) => {
                if !bytes.is_empty() {
                    return Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes)))));
                }
                let trailers = std::mem::take(trailers);
                self.0 = Content::Done;
                return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
            }
            Content::Leased(download) => download,
        };
        if download.access.revocation().is_some() {
            let farewell = download.farewell();
            self.0 = Content::Done;
            return Poll::Ready(Some(farewell));
        }
        match ready!(download.source.poll_frame(cx)) {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    download.access.usage().add_sent(u64::try_from(data.remaining()).unwrap_or(u64::MAX));
                }
                if download.source.is_end_stream() {
                    download.give_back();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            end => {
                if end.is_none() {
                    download.give_back();
                }
                self.0 = Content::Done;
                Poll::Ready(end)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Content::Done => true,
            Content::Local(bytes) => bytes.is_empty(),
            Content::Message(..) => false,
            Content::Leased(download) => download.source.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Content::Done => SizeHint::with_exact(0),
            Content::Local(bytes) | Content::Message(bytes, _) => {
                SizeHint::with_exact(u64::try_from(bytes.len()).unwrap_or(u64::MAX))
            }
            Content::Leased(download) => download.source.size_hint(),
        }
    }
}
