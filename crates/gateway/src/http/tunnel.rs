//! An open WebSocket: bytes both ways, under the lease. Messages are not looked into; frame heads towards the client
//! are followed so that, when the access ends, a Close frame can be put between two frames.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use countersign_lease::RevocationCause;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::access::{Access, Cut};

/// Per direction. Ten thousand open tunnels are the usual case, bulk transfer is not.
const BUFFER: usize = 4096;
/// How long a client that does not read may put off its own end.
const FAREWELL: Duration = Duration::from_millis(500);

/// Carries the tunnel to its end; the lease ends with it.
pub(super) async fn carry(access: Arc<Access>, client: OnUpgrade, upstream: OnUpgrade) {
    access.leave_slot();
    let mut cut = std::pin::pin!(access.cut());
    let ends = async { Ok::<_, hyper::Error>((client.await?, upstream.await?)) };
    let (client, upstream) = tokio::select! {
        biased;
        _ = &mut cut => return,
        Ok(ends) = ends => ends,
        else => return,
    };
    let (mut from_client, mut to_client) = tokio::io::split(TokioIo::new(client));
    let (mut from_upstream, mut to_upstream) = tokio::io::split(TokioIo::new(upstream));
    let mut frames = Frames::default();
    let reason = {
        let up = pump(&mut from_client, &mut to_upstream, |bytes| access.usage().add_received(count(bytes)));
        let down = pump(&mut from_upstream, &mut to_client, |bytes| {
            access.usage().add_sent(count(bytes));
            frames.follow(bytes);
        });
        tokio::select! {
            biased;
            reason = &mut cut => reason,
            // Closed by either side, properly or not: both ends go.
            _ = async { tokio::try_join!(up, down) } => return,
        }
    };
    drop((from_upstream, to_upstream));
    // Between frames a Close says why; inside one, only the end of the connection can.
    let goodbye = async {
        if frames.between() {
            to_client.write_all(&close_frame(&access, reason)).await?;
        }
        to_client.shutdown().await
    };
    if tokio::time::timeout(FAREWELL, goodbye).await.is_err() {
        tracing::debug!(decision = %access.decision(), "the client did not read its close frame");
    }
}

fn count(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

async fn pump(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    mut written: impl FnMut(&[u8]),
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let length = from.read(&mut buffer).await?;
        if length == 0 {
            return to.shutdown().await;
        }
        let mut rest = buffer.get(..length).unwrap_or_default();
        while !rest.is_empty() {
            let taken = to.write(rest).await?;
            if taken == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            let (done, left) = rest.split_at_checked(taken).unwrap_or((rest, &[]));
            written(done);
            rest = left;
        }
        to.flush().await?;
    }
}

/// RFC 6455, 5.5.1: 1008 where policy ended it, 1001 where this end went away.
fn close_frame(access: &Access, cut: Cut) -> Vec<u8> {
    let (code, reason): (u16, &str) = match (cut, access.revocation()) {
        (Cut::Idle, None) => (1001, "nothing moved for too long"),
        (_, Some(revocation)) if revocation.cause == RevocationCause::Shutdown => (1001, &revocation.message),
        (_, Some(revocation)) => (1008, &revocation.message),
        (Cut::Revoked, None) => (1008, "the access was revoked"),
    };
    // A control frame carries 125 bytes, two of them the code.
    let mut end = reason.len().min(123);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    let reason = reason.get(..end).unwrap_or_default();
    let mut frame = vec![0x88, u8::try_from(reason.len() + 2).unwrap_or(2)];
    frame.extend_from_slice(&code.to_be_bytes());
    frame.extend_from_slice(reason.as_bytes());
    frame
}

/// Where in the stream of frames the last written byte was (RFC 6455, 5.2).
#[derive(Default)]
struct Frames {
    head: Vec<u8>,
    payload: u64,
}

impl Frames {
    fn between(&self) -> bool {
        self.head.is_empty() && self.payload == 0
    }

    fn follow(&mut self, mut bytes: &[u8]) {
        while let Some((&byte, rest)) = bytes.split_first() {
            if self.payload > 0 {
                let skipped = usize::try_from(self.payload).unwrap_or(usize::MAX).min(bytes.len());
                self.payload = self.payload.saturating_sub(u64::try_from(skipped).unwrap_or(u64::MAX));
                bytes = bytes.get(skipped..).unwrap_or_default();
                continue;
            }
            self.head.push(byte);
            bytes = rest;
            if let Some(payload) = payload_length(&self.head) {
                self.payload = payload;
                self.head.clear();
            }
        }
    }
}

/// How much follows a complete frame head; `None` while it is not complete.
fn payload_length(head: &[u8]) -> Option<u64> {
    let second = *head.get(1)?;
    let mask = if second & 0x80 == 0 { 0 } else { 4 };
    let (extended, length) = match second & 0x7f {
        126 => (2, head.get(2..4)?),
        127 => (8, head.get(2..10)?),
        _ => (0, head.get(1..2)?),
    };
    if head.len() < 2 + extended + mask {
        return None;
    }
    let length = length.iter().fold(0u64, |length, &byte| (length << 8) | u64::from(byte));
    Some(if extended == 0 { length & 0x7f } else { length })
}

#[cfg(test)]
mod tests;
