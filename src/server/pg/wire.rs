//! A connection's bytes: one buffer in, one buffer out, and the only places that read or write the socket.

use std::io;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

use super::frame::{Frame, HEADER_BYTES, Header, Phase, header};
use super::transport::Transport;
use crate::error::PgError;

/// What a connection reads into when it has nothing; an idle one holds no more.
const READ_BYTES: usize = 8 << 10;
/// A buffer that had to grow over this is given back before the connection rests.
const KEPT_BYTES_MAX: usize = 32 << 10;
/// Read ahead this much, at most, while a statement runs.
const READ_AHEAD_BYTES_MAX: usize = 64 << 10;
/// Output is written when it has grown to this.
pub(super) const FLUSH_BYTES: usize = 64 << 10;
/// How long a closing connection waits for the client to take what was written, usually.
const LINGER: Duration = Duration::from_secs(2);

/// Why no frame came.
#[derive(Debug)]
pub(super) enum ReadError {
    /// The client closed the connection, or it broke.
    Gone,
    /// The client broke the protocol.
    Violation(PgError),
}

/// A socket with its buffers.
pub(super) struct Wire {
    transport: Transport,
    /// Which frames may come.
    pub(super) phase: Phase,
    input: BytesMut,
    /// Bytes of a too long frame still to be thrown away.
    skip_bytes: usize,
    /// Replies not yet written. Whole messages only, except while one is being appended.
    pub(super) out: BytesMut,
    /// Bytes at the front of `out` that are written.
    sent: usize,
    /// Length of `out` before the message that is being appended; what a panic leaves behind it is cut off.
    pub(super) whole: Option<usize>,
    /// How long closing waits for the client to take what was written.
    pub(super) linger: Duration,
    /// ReadyForQuery is in `out`, held back because more input was there already.
    pub(super) owes_reply: bool,
}

impl Wire {
    pub(super) fn new(transport: Transport) -> Self {
        Self {
            transport,
            phase: Phase::Login,
            input: BytesMut::new(),
            skip_bytes: 0,
            out: BytesMut::new(),
            sent: 0,
            whole: None,
            linger: LINGER,
            owes_reply: false,
        }
    }

    /// Whether the bytes are encrypted.
    pub(super) fn is_tls(&self) -> bool {
        matches!(self.transport, Transport::Tls(_))
    }

    /// The bytes that came and were not looked at.
    pub(super) fn buffered(&self) -> &[u8] {
        if self.skip_bytes > 0 { &[] } else { &self.input }
    }

    /// Whether there are bytes that were not looked at, here or in the socket.
    pub(super) fn has_unread(&self) -> bool {
        !self.input.is_empty() || self.transport.has_unread()
    }

    /// Takes bytes off the front of [`Self::buffered`] that were answered.
    pub(super) fn consume(&mut self, bytes: usize) {
        if bytes >= self.input.len() {
            // The buffer is read into again from its start.
            self.input.clear();
        } else {
            self.input.advance(bytes);
        }
    }

    /// Reads more, once. Dropping the future loses nothing.
    pub(super) async fn fill(&mut self) -> Result<(), ReadError> {
        self.read().await.map_err(|_| ReadError::Gone)
    }

    /// The next frame, if all of it is here.
    pub(super) fn buffered_frame(&mut self) -> Result<Option<Frame>, ReadError> {
        self.skip();
        if self.skip_bytes > 0 {
            return Ok(None);
        }
        let Some(Header { tag, body_length, too_long }) =
            header(&self.input, self.phase).map_err(ReadError::Violation)?
        else {
            return Ok(None);
        };
        if too_long {
            self.skip_bytes = HEADER_BYTES + body_length;
            self.skip();
            return Ok(Some(Frame::TooLong { tag, length: body_length }));
        }
        let frame_bytes = HEADER_BYTES + body_length;
        if self.input.len() < frame_bytes {
            return Ok(None);
        }
        let body = self.input.split_to(frame_bytes).freeze().slice(HEADER_BYTES..);
        Ok(Some(Frame::Message { tag, body }))
    }

    /// The next frame, reading as long as it is not complete. Dropping the future loses nothing.
    pub(super) async fn frame(&mut self) -> Result<Frame, ReadError> {
        loop {
            if let Some(frame) = self.buffered_frame()? {
                return Ok(frame);
            }
            self.read().await.map_err(|_| ReadError::Gone)?;
        }
    }

    fn skip(&mut self) {
        let skipped = self.skip_bytes.min(self.input.len());
        if skipped > 0 {
            let _ = self.input.split_to(skipped);
            self.skip_bytes -= skipped;
        }
    }

    /// Gives back what buffers had to grow by, before the client is waited for: an idle connection is a small one.
    pub(super) fn shrink(&mut self) {
        for buffer in [&mut self.input, &mut self.out] {
            if buffer.is_empty() && buffer.capacity() > KEPT_BYTES_MAX {
                *buffer = BytesMut::new();
            }
        }
    }

    /// Reads once. Memory grows with the bytes that come, never with the length that was announced.
    async fn read(&mut self) -> io::Result<()> {
        let more = self.input.len().clamp(READ_BYTES, 8 << 20);
        if self.input.capacity() - self.input.len() < more / 2 {
            self.input.reserve(more);
        }
        match self.transport.read_buf(&mut self.input).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// Ends when the client is gone; reads ahead meanwhile, to notice.
    ///
    /// Polled only while something else is waited for, so it also writes the reply that was held back.
    async fn until_gone(&mut self) {
        if self.owes_reply && self.flush().await.is_err() {
            return;
        }
        while self.input.len() < READ_AHEAD_BYTES_MAX {
            if self.read().await.is_err() {
                return;
            }
        }
        std::future::pending().await
    }

    /// Waits for `work`; `None` if the client goes first.
    pub(super) async fn watch<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            done = work => Some(done),
            () = self.until_gone() => None,
        }
    }

    /// Writes all replies.
    pub(super) async fn flush(&mut self) -> io::Result<()> {
        self.owes_reply = false;
        if self.out.is_empty() {
            return Ok(());
        }
        while let Some(rest) = self.out.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match self.transport.write(rest).await? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                written => self.sent += written,
            }
        }
        self.transport.flush().await?;
        self.sent = 0;
        self.out.clear();
        Ok(())
    }

    /// Writes all replies, unless `cancel` comes first; what is left is written by the next flush.
    pub(super) async fn flush_unless(&mut self, cancel: &CancellationToken) -> io::Result<()> {
        tokio::select! {
            biased;
            done = self.flush() => done,
            () = cancel.cancelled() => Ok(()),
        }
    }

    /// Bytes that wait to be written.
    pub(super) fn unsent(&self) -> usize {
        self.out.len() - self.sent
    }

    /// Cuts off the message that a panic or an error left half written.
    pub(super) fn cut_to_whole(&mut self) {
        if let Some(whole) = self.whole.take() {
            self.out.truncate(whole);
        }
    }

    /// Writes what is left and closes, as far as the client takes part.
    pub(super) async fn close(&mut self) {
        let linger = self.linger;
        let closing = async {
            if self.flush().await.is_ok() && self.transport.shutdown().await.is_ok() {
                // Closing a socket with unread input resets it, and the reset can overtake the error just written.
                while matches!(self.transport.read_buf(&mut self.input).await, Ok(1..)) {
                    self.input.clear();
                }
            }
        };
        let _ = tokio::time::timeout(linger, closing).await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::UnixStream;

    use super::*;

    const PHASE: Phase = Phase::Ready { max_message_bytes: 100 };

    fn pair() -> (Wire, UnixStream) {
        let (server, client) = UnixStream::pair().unwrap();
        let mut wire = Wire::new(Transport::Unix(server));
        wire.phase = PHASE;
        (wire, client)
    }

    fn frame(tag: u8, body: &[u8]) -> Vec<u8> {
        let mut frame = vec![tag];
        frame.extend_from_slice(&u32::try_from(body.len() + 4).unwrap().to_be_bytes());
        frame.extend_from_slice(body);
        frame
    }

    #[tokio::test]
    async fn frames_come_whole_however_they_are_cut() {
        let (mut wire, mut client) = pair();
        let bytes = [frame(b'Q', b"one\0"), frame(b'S', b""), frame(b'Q', b"two\0")].concat();
        let sender = tokio::spawn(async move {
            for byte in bytes {
                client.write_all(&[byte]).await.unwrap();
                tokio::task::yield_now().await;
            }
            client
        });
        for expected in [&b"one\0"[..], b"", b"two\0"] {
            let Frame::Message { body, .. } = wire.frame().await.unwrap() else {
                panic!("too long")
            };
            assert_eq!(body, expected);
        }
        drop(sender.await.unwrap());
        assert!(matches!(wire.frame().await, Err(ReadError::Gone)));
    }

    #[tokio::test]
    async fn a_long_frame_is_thrown_away_without_being_kept() {
        let (mut wire, mut client) = pair();
        let long = vec![b'x'; 1 << 20];
        let sender = tokio::spawn(async move {
            client.write_all(&frame(b'Q', &long)).await.unwrap();
            client.write_all(&frame(b'S', b"")).await.unwrap();
            client
        });
        let first = wire.frame().await.unwrap();
        assert!(matches!(first, Frame::TooLong { tag: b'Q', length: 0x10_0000 }), "{first:?}");
        let second = wire.frame().await.unwrap();
        assert!(matches!(second, Frame::Message { tag: b'S', .. }), "{second:?}");
        assert!(wire.input.capacity() < 256 << 10, "{}", wire.input.capacity());
        drop(sender.await.unwrap());
    }

    #[tokio::test]
    async fn a_flush_that_is_given_up_loses_and_repeats_nothing() {
        let (mut wire, mut client) = pair();
        let bytes: Vec<u8> = (0..1_000_000_u32).map(|n| n as u8).collect();
        wire.out.extend_from_slice(&bytes);
        let cancel = CancellationToken::new();
        cancel.cancel();
        wire.flush_unless(&cancel).await.unwrap();
        assert!(wire.unsent() > 0 && wire.unsent() < bytes.len(), "{}", wire.unsent());
        let reader = tokio::spawn(async move {
            let mut received = Vec::new();
            client.read_to_end(&mut received).await.unwrap();
            received
        });
        wire.out.extend_from_slice(b"end");
        wire.flush().await.unwrap();
        drop(wire);
        assert!(reader.await.unwrap() == [&bytes[..], b"end"].concat());
    }

    #[tokio::test]
    async fn work_is_watched_over_a_client_that_goes() {
        let (mut wire, client) = pair();
        assert_eq!(wire.watch(std::future::ready(1)).await, Some(1));
        drop(client);
        assert_eq!(wire.watch(std::future::pending::<()>()).await, None);
    }

    #[tokio::test]
    async fn half_a_message_is_cut_off() {
        let (mut wire, _client) = pair();
        wire.out.extend_from_slice(b"whole");
        wire.whole = Some(5);
        wire.out.extend_from_slice(b"half");
        wire.cut_to_whole();
        wire.cut_to_whole();
        assert_eq!(wire.out, b"whole"[..]);
    }
}
