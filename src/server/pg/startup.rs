//! A connection's first packets: encryption requests, cancel requests and the startup message.
//!
//! ```text
//! ┌─────────────┬────────────┬──────────────────────────────────────────┐
//! │ length: i32 │ code: i32  │ startup: name NUL value NUL … NUL        │
//! │             │            │ cancel:  pid i32, key 4–256 B            │
//! └─────────────┴────────────┴──────────────────────────────────────────┘
//! ```
//!
//! Each packet is read to its last byte and no further, so nothing sent in the clear behind an SSLRequest can be taken
//! for something that came through TLS (CVE-2021-23214).

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::frame::{STARTUP_PACKET_BYTES_MAX, violation};
use super::message::utf8;
use super::options::split_options;
use super::transport::Transport;
use crate::error::{PgError, Severity, SqlState};
use crate::server::listener::Socket;
use crate::server::tls::{ALPN, Tls};
use crate::session::Peer;

/// Protocol 3.0: the one spoken here.
pub(super) const PROTOCOL_3_0: i32 = 3 << 16;
const CANCEL_REQUEST: i32 = (1234 << 16) | 5678;
const SSL_REQUEST: i32 = (1234 << 16) | 5679;
const GSSENC_REQUEST: i32 = (1234 << 16) | 5680;
/// Type byte of a TLS handshake record: what a client that starts TLS at once sends first.
const TLS_HANDSHAKE: u8 = 0x16;
/// The longest cancel key of any protocol version (3.2).
const CANCEL_KEY_BYTES_MAX: usize = 256;

/// What a client came for.
pub(super) enum Request {
    /// To log in.
    Login(Startup),
    /// To cancel another connection's statement.
    Cancel {
        /// That connection's process number.
        pid: i32,
        /// That connection's secret.
        secret: Bytes,
    },
}

/// A startup message.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Startup {
    pub(super) user: String,
    pub(super) database: String,
    /// Settings: those of `options` first, so that the packet's own win; and `database`, if the client named one.
    pub(super) settings: Vec<(String, String)>,
    /// The client asked for a minor version that we do not have, or for one of these protocol options.
    pub(super) negotiate: Option<Vec<String>>,
}

/// A connection whose request is known.
pub(super) struct Opened {
    pub(super) transport: Transport,
    pub(super) peer: Peer,
    pub(super) request: Request,
}

/// Why a connection did not get as far as a request.
pub(super) enum OpenError {
    /// The client went, or the TLS handshake failed (which TLS itself tells the client).
    Gone,
    /// The client is to be told.
    Refused(Box<Transport>, PgError),
}

/// Reads packets until the client's request is known, and starts TLS if it is asked for.
pub(super) async fn open(socket: Socket, tls: Option<&Tls>) -> Result<Opened, OpenError> {
    let (mut transport, address) = match socket {
        Socket::Unix(stream) => (Transport::Unix(stream), None),
        Socket::Tcp(stream, address) => {
            keep_alive(&stream);
            (direct_tls(stream, tls).await?, Some(address))
        }
    };
    let mut ssl_done = matches!(transport, Transport::Tls(_));
    let mut gss_done = ssl_done;
    loop {
        let (code, body) = match packet(&mut transport).await {
            Ok(packet) => packet,
            Err(PacketError::Gone) => return Err(OpenError::Gone),
            Err(PacketError::Invalid(error)) => return Err(refused(transport, error)),
        };
        let request = match code {
            SSL_REQUEST if !ssl_done && body.is_empty() => {
                ssl_done = true;
                transport = encrypt(transport, tls).await?;
                gss_done |= matches!(transport, Transport::Tls(_));
                continue;
            }
            GSSENC_REQUEST if !gss_done && body.is_empty() => {
                gss_done = true;
                transport = no_plaintext_behind(transport, "GSSAPI encryption")?;
                transport.write_all(b"N").await.map_err(|_| OpenError::Gone)?;
                continue;
            }
            CANCEL_REQUEST => cancel_request(&body),
            version => startup(version, &body).map(Request::Login),
        };
        let peer = peer(&transport, address);
        return match request {
            Ok(request) => Ok(Opened { transport, peer, request }),
            Err(error) => Err(refused(transport, error)),
        };
    }
}

/// Replies go out at once, and a client whose machine has vanished is noticed in about two minutes.
fn keep_alive(stream: &TcpStream) {
    let probes = TcpKeepalive::new()
        .with_time(Duration::from_secs(60))
        .with_interval(Duration::from_secs(10))
        .with_retries(6);
    // A socket that does not take these is served all the same.
    let _ = stream.set_nodelay(true);
    let _ = SockRef::from(stream).set_tcp_keepalive(&probes);
}

fn refused(transport: Transport, error: PgError) -> OpenError {
    OpenError::Refused(Box::new(transport), error)
}

fn peer(transport: &Transport, address: Option<SocketAddr>) -> Peer {
    match (transport, address) {
        (Transport::Unix(stream), _) => {
            Peer::Unix { uid: stream.peer_cred().ok().map(|credentials| credentials.uid()) }
        }
        (transport, Some(address)) => {
            Peer::Tcp { address, tls: matches!(transport, Transport::Tls(_)) }
        }
        // A TCP transport is always made with its address.
        (_, None) => Peer::Unix { uid: None },
    }
}

/// Starts TLS if the client's first byte is a TLS record's and TLS is configured.
async fn direct_tls(stream: TcpStream, tls: Option<&Tls>) -> Result<Transport, OpenError> {
    let Some(tls) = tls else { return Ok(Transport::Tcp(stream)) };
    let mut first = [0];
    match stream.peek(&mut first).await {
        Ok(1..) => {}
        Ok(0) | Err(_) => return Err(OpenError::Gone),
    }
    if first != [TLS_HANDSHAKE] {
        return Ok(Transport::Tcp(stream));
    }
    let stream = tls.acceptor.accept(stream).await.map_err(|_| OpenError::Gone)?;
    let agreed = stream.get_ref().1.alpn_protocol() == Some(ALPN);
    let transport = Transport::Tls(Box::new(stream));
    if agreed {
        return Ok(transport);
    }
    let error = violation(
        "received direct SSL connection request without ALPN protocol negotiation extension",
    );
    Err(refused(transport, error))
}

/// Answers an SSLRequest.
async fn encrypt(transport: Transport, tls: Option<&Tls>) -> Result<Transport, OpenError> {
    let mut transport = no_plaintext_behind(transport, "SSL")?;
    let answer = if tls.is_some() && matches!(transport, Transport::Tcp(_)) { b"S" } else { b"N" };
    transport.write_all(answer).await.map_err(|_| OpenError::Gone)?;
    match (tls, transport) {
        (Some(tls), Transport::Tcp(stream)) => {
            let stream = tls.acceptor.accept(stream).await.map_err(|_| OpenError::Gone)?;
            Ok(Transport::Tls(Box::new(stream)))
        }
        (_, transport) => Ok(transport),
    }
}

/// A client waits for the answer to an encryption request; whatever else is there, somebody else sent.
fn no_plaintext_behind(transport: Transport, kind: &str) -> Result<Transport, OpenError> {
    let mut byte = [0];
    let behind = match &transport {
        Transport::Tcp(stream) => stream.try_read(&mut byte),
        Transport::Unix(stream) => stream.try_read(&mut byte),
        Transport::Tls(_) => Ok(0),
    };
    if !matches!(behind, Ok(1..)) {
        return Ok(transport);
    }
    let error = violation(format!("received unencrypted data after {kind} request")).detail(
        "This could be either a client-software bug or evidence of an attempted \
         man-in-the-middle attack.",
    );
    Err(refused(transport, error))
}

enum PacketError {
    Gone,
    Invalid(PgError),
}

/// Reads one packet: its code and what follows it.
async fn packet(transport: &mut Transport) -> Result<(i32, Bytes), PacketError> {
    let mut head = [0; 8];
    // Four bytes first: a length that cannot be is refused without waiting for what it announces.
    transport.read_exact(&mut head[..4]).await.map_err(|_| PacketError::Gone)?;
    let length = usize::try_from(i32::from_be_bytes([head[0], head[1], head[2], head[3]]))
        .ok()
        .filter(|length| (8..=STARTUP_PACKET_BYTES_MAX).contains(length))
        .ok_or_else(|| PacketError::Invalid(violation("invalid length of startup packet")))?;
    transport.read_exact(&mut head[4..]).await.map_err(|_| PacketError::Gone)?;
    let mut body = vec![0; length - 8];
    transport.read_exact(&mut body).await.map_err(|_| PacketError::Gone)?;
    Ok((i32::from_be_bytes([head[4], head[5], head[6], head[7]]), body.into()))
}

fn cancel_request(body: &Bytes) -> Result<Request, PgError> {
    match body.first_chunk::<4>() {
        Some(pid) if (5..=4 + CANCEL_KEY_BYTES_MAX).contains(&body.len()) => {
            Ok(Request::Cancel { pid: i32::from_be_bytes(*pid), secret: body.slice(4..) })
        }
        _ => Err(violation("invalid length of cancel request packet")),
    }
}

/// Decodes a startup message.
fn startup(version: i32, body: &[u8]) -> Result<Startup, PgError> {
    let (major, minor) = (version >> 16, version & 0xffff);
    if major != 3 {
        return Err(fatal(
            SqlState::FEATURE_NOT_SUPPORTED,
            format!("unsupported frontend protocol {major}.{minor}: server supports 3.0 to 3.0"),
        ));
    }
    let mut user = None;
    let mut database = None;
    let mut settings = Vec::new();
    let mut from_options = Vec::new();
    let mut unknown = Vec::new();
    for (name, value) in pairs(body)? {
        match name {
            "user" => user = Some(value),
            "database" => database = Some(value),
            "options" => from_options = split_options(value)?,
            "replication" => refuse_replication(value)?,
            name if name.starts_with("_pq_.") => unknown.push(name.to_owned()),
            name => settings.push((name.to_owned(), value.to_owned())),
        }
    }
    let user = user.filter(|user| !user.is_empty()).ok_or_else(|| {
        fatal(
            SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
            "no PostgreSQL user name specified in startup packet",
        )
    })?;
    let database = database.filter(|database| !database.is_empty());
    from_options.append(&mut settings);
    // A session treats a database that was asked for unlike one that is only the user's name.
    from_options.extend(database.map(|name| ("database".to_owned(), name.to_owned())));
    let database = database.unwrap_or(user);
    Ok(Startup {
        user: user.to_owned(),
        database: database.to_owned(),
        settings: from_options,
        negotiate: (minor > 0 || !unknown.is_empty()).then_some(unknown),
    })
}

/// Splits `name NUL value NUL … NUL`.
fn pairs(body: &[u8]) -> Result<Vec<(&str, &str)>, PgError> {
    let layout = || violation("invalid startup packet layout: expected terminator as last byte");
    let body = body.strip_suffix(&[0]).ok_or_else(layout)?;
    if body.is_empty() {
        return Ok(Vec::new());
    }
    let body = body.strip_suffix(&[0]).ok_or_else(layout)?;
    let mut pairs = Vec::new();
    let mut strings = body.split(|byte| *byte == 0);
    while let Some(name) = strings.next() {
        let value = strings.next().filter(|_| !name.is_empty()).ok_or_else(layout)?;
        let text = |bytes| utf8(bytes).map_err(|error| error.severity(Severity::Fatal));
        pairs.push((text(name)?, text(value)?));
    }
    Ok(pairs)
}

fn refuse_replication(value: &str) -> Result<(), PgError> {
    match value.to_ascii_lowercase().as_str() {
        "false" | "off" | "no" | "0" => Ok(()),
        _ => {
            Err(fatal(SqlState::FEATURE_NOT_SUPPORTED, "replication connections are not supported")
                .hint("Connect without the \"replication\" parameter."))
        }
    }
}

fn fatal(code: SqlState, message: impl Into<std::borrow::Cow<'static, str>>) -> PgError {
    PgError::new(code, message).severity(Severity::Fatal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_is_the_user_unless_named() {
        let startup = startup(PROTOCOL_3_0, b"user\0ann\0application_name\0x\0\0").unwrap();
        assert_eq!(startup.user, "ann");
        assert_eq!(startup.database, "ann");
        assert_eq!(startup.settings, [("application_name".to_owned(), "x".to_owned())]);
        assert_eq!(startup.negotiate, None);
    }

    #[test]
    fn a_named_database_is_among_the_parameters() {
        let startup = startup(PROTOCOL_3_0, b"user\0ann\0database\0d\0\0").unwrap();
        assert_eq!(startup.database, "d");
        assert_eq!(startup.settings, [("database".to_owned(), "d".to_owned())]);
    }

    #[test]
    fn options_come_before_the_packets_own_settings() {
        let startup =
            startup(PROTOCOL_3_0, b"user\0a\0DateStyle\0SQL\0options\0-c DateStyle=ISO\0\0")
                .unwrap();
        let values: Vec<_> = startup.settings.iter().map(|(_, value)| value.as_str()).collect();
        assert_eq!(values, ["ISO", "SQL"]);
    }

    #[test]
    fn newer_minor_versions_and_unknown_protocol_options_are_negotiated() {
        let known = startup(PROTOCOL_3_0 + 2, b"user\0a\0\0").unwrap();
        assert_eq!(known.negotiate, Some(vec![]));
        let unknown = startup(PROTOCOL_3_0, b"user\0a\0_pq_.x\0on\0\0").unwrap();
        assert_eq!(unknown.negotiate, Some(vec!["_pq_.x".to_owned()]));
    }

    #[test]
    fn every_malformed_packet_is_fatal() {
        for (version, body, code) in [
            (PROTOCOL_3_0, &b""[..], "08P01"),
            (PROTOCOL_3_0, b"user\0a\0", "08P01"),
            (PROTOCOL_3_0, b"user\0a", "08P01"),
            (PROTOCOL_3_0, b"user\0\0", "08P01"),
            (PROTOCOL_3_0, b"\0a\0\0", "08P01"),
            (PROTOCOL_3_0, b"user\0a\0\0\0", "08P01"),
            (PROTOCOL_3_0, b"\0", "28000"),
            (PROTOCOL_3_0, b"user\0\0\0", "28000"),
            (PROTOCOL_3_0, b"user\0a\xff\0\0", "22021"),
            (PROTOCOL_3_0, b"user\0a\0replication\0true\0\0", "0A000"),
            (2 << 16, b"user\0a\0\0", "0A000"),
            (SSL_REQUEST, b"", "0A000"),
            (-1, b"user\0a\0\0", "0A000"),
        ] {
            let error = startup(version, body).unwrap_err();
            assert_eq!(error.code().0, code, "{body:?}");
            assert_eq!(error.fields().severity, Severity::Fatal, "{body:?}");
        }
    }
}
