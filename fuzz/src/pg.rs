//! The frame guard and the decoder of messages, as the server has them.

#[path = "../../src/server/pg/frame.rs"]
mod frame;
#[path = "../../src/server/pg/message.rs"]
mod message;

use bytes::Bytes;

/// Reads bytes as a connection does, before and after login.
pub(crate) fn read(bytes: &[u8]) {
    for phase in [frame::Phase::Login, frame::Phase::Ready { max_message_bytes: 1 << 16 }] {
        let mut rest = bytes;
        while let Ok(Some(header)) = frame::header(rest, phase) {
            let Some(after) = rest.get(frame::HEADER_BYTES..) else { break };
            let body = after.get(..header.body_length.min(after.len())).unwrap_or_default();
            let _ = message::decode(header.tag, &Bytes::copy_from_slice(body));
            rest = after.get(body.len()..).unwrap_or_default();
        }
    }
    // Whatever the guard says, a body must not break the decoder.
    if let Some((tag, body)) = bytes.split_first() {
        let _ = message::decode(*tag, &Bytes::copy_from_slice(body));
    }
}
