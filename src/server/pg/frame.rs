//! The frame guard: what a message's first five bytes may say, decided before any of its body is kept.
//!
//! ```text
//! ┌──────┬───────────────┬─────────────────────┐
//! │ type │ length: i32   │ body                │   length counts itself, not the type
//! │ 1 B  │ 4 B           │ length − 4 B        │
//! └──────┴───────────────┴─────────────────────┘
//! ```
//!
//! A frame is decoded only when it is there in full, and from its own bytes only, so what one message says of its
//! length can neither swallow nor leak bytes of the next.

use bytes::Bytes;

use crate::error::{PgError, Severity, SqlState};

/// Bytes of type and length.
pub(super) const HEADER_BYTES: usize = 5;
/// The longest first packet: startup, cancel or encryption request (PostgreSQL's limit).
pub(super) const STARTUP_PACKET_BYTES_MAX: usize = 10_000;
/// The longest password or SASL message (PostgreSQL's `PG_MAX_AUTH_TOKEN_LENGTH`).
const LOGIN_MESSAGE_BYTES_MAX: usize = 65_535;
/// The longest message that holds a name at most (PostgreSQL's `PQ_SMALL_MESSAGE_LIMIT`).
const SMALL_MESSAGE_BYTES_MAX: usize = 10_000;
/// Beyond this a length is not a length (PostgreSQL's `PQ_LARGE_MESSAGE_LIMIT`, 1 GiB − 2).
const LARGE_MESSAGE_BYTES_MAX: usize = 0x3fff_fffe;

/// Which messages a connection may send now.
#[derive(Debug, Clone, Copy)]
pub(super) enum Phase {
    /// Until login is done: passwords and Terminate.
    Login,
    /// After login: everything else, bodies up to this many bytes.
    Ready {
        /// See [`crate::server::ServerOptions::max_message_bytes`].
        max_message_bytes: usize,
    },
}

/// What a client has sent.
#[derive(Debug)]
pub(super) enum Frame {
    /// A whole message.
    Message {
        /// Its type byte.
        tag: u8,
        /// Its body.
        body: Bytes,
    },
    /// A message longer than `max_message_bytes`; its body is thrown away as it comes.
    TooLong {
        /// Its type byte.
        tag: u8,
        /// Bytes of its body.
        length: usize,
    },
}

/// A frame's header, admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// Its type byte.
    pub(super) tag: u8,
    /// Bytes of the body that follows.
    pub(super) body_length: usize,
    /// The body is to be thrown away.
    pub(super) too_long: bool,
}

/// A violation of the protocol: the connection cannot go on after it.
pub(super) fn violation(message: impl Into<std::borrow::Cow<'static, str>>) -> PgError {
    PgError::new(SqlState::PROTOCOL_VIOLATION, message).severity(Severity::Fatal)
}

/// Reads the header at the start of `buffer`; `None` if it is not there in full.
///
/// # Errors
/// FATAL `08P01` for a type that this phase does not have and for a length that the type cannot have.
pub(super) fn header(buffer: &[u8], phase: Phase) -> Result<Option<Header>, PgError> {
    let Some(&tag) = buffer.first() else { return Ok(None) };
    // The type is looked at as soon as it is there: garbage need not wait for four more bytes.
    let limit = body_limit(tag, phase)?;
    let Some(length) = buffer.get(1..HEADER_BYTES).and_then(|bytes| bytes.first_chunk::<4>())
    else {
        return Ok(None);
    };
    let body_length = usize::try_from(i32::from_be_bytes(*length))
        .ok()
        .and_then(|length| length.checked_sub(4))
        .filter(|length| *length <= limit)
        .ok_or_else(|| violation("invalid message length"))?;
    let too_long = match phase {
        Phase::Login => false,
        Phase::Ready { max_message_bytes } => body_length > max_message_bytes,
    };
    Ok(Some(Header { tag, body_length, too_long }))
}

fn body_limit(tag: u8, phase: Phase) -> Result<usize, PgError> {
    match (phase, tag) {
        (Phase::Login, b'p') => Ok(LOGIN_MESSAGE_BYTES_MAX),
        (Phase::Login, b'X') => Ok(0),
        (Phase::Login, _) => {
            Err(violation(format!("expected password response, got message type {tag}")))
        }
        (Phase::Ready { .. }, b'S' | b'H' | b'c' | b'X') => Ok(0),
        (Phase::Ready { .. }, b'C' | b'D' | b'E' | b'f') => Ok(SMALL_MESSAGE_BYTES_MAX),
        (Phase::Ready { .. }, b'Q' | b'P' | b'B' | b'd' | b'F') => Ok(LARGE_MESSAGE_BYTES_MAX),
        (Phase::Ready { .. }, _) => Err(violation(format!("invalid frontend message type {tag}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const READY: Phase = Phase::Ready { max_message_bytes: 1 << 20 };

    fn bytes(tag: u8, length: i32) -> Vec<u8> {
        let mut bytes = vec![tag];
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes
    }

    #[test]
    fn lengths_below_four_negative_and_huge_are_violations() {
        for tag in *b"QPBDECSHXdcfF" {
            for length in [0, 1, 2, 3, -1, i32::MIN, i32::MAX, 0x3fff_ffff + 4] {
                let error = header(&bytes(tag, length), READY).unwrap_err();
                assert_eq!(error.code(), SqlState::PROTOCOL_VIOLATION, "{tag} {length}");
                assert_eq!(error.fields().severity, Severity::Fatal);
            }
        }
    }

    #[test]
    fn an_incomplete_header_waits() {
        let whole = bytes(b'Q', 9);
        for n in 0..HEADER_BYTES {
            assert_eq!(header(&whole[..n], READY).unwrap(), None);
        }
        assert_eq!(
            header(&whole, READY).unwrap(),
            Some(Header { tag: b'Q', body_length: 5, too_long: false })
        );
    }

    #[test]
    fn before_login_only_short_passwords_and_terminate() {
        for tag in 0..=255_u8 {
            assert_eq!(header(&bytes(tag, 4), Phase::Login).is_ok(), matches!(tag, b'p' | b'X'));
        }
        assert!(header(&bytes(b'p', 65_539), Phase::Login).is_ok());
        assert!(header(&bytes(b'p', 65_540), Phase::Login).is_err());
        assert!(header(&bytes(b'p', 0x3fff_ffff), Phase::Login).is_err());
        assert!(header(&bytes(b'X', 5), Phase::Login).is_err());
    }

    #[test]
    fn over_the_configured_limit_is_skipped_not_refused() {
        let header = header(&bytes(b'Q', (1 << 20) + 5), READY).unwrap().unwrap();
        assert!(header.too_long);
    }
}
