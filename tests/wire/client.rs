//! A client that sends what it is told and says what it got.

use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use rustls::{ClientConnection, StreamOwned};

/// Longer than any answer takes; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) trait Stream: Read + Write + Send {
    /// Says that nothing more will be sent.
    fn finish(&mut self);
}

impl Stream for TcpStream {
    fn finish(&mut self) {
        let _ = self.shutdown(Shutdown::Write);
    }
}

impl Stream for StreamOwned<ClientConnection, TcpStream> {
    fn finish(&mut self) {
        self.conn.send_close_notify();
        let _ = self.flush();
    }
}

/// A connection, in the clear or not.
pub(crate) struct Client {
    stream: Box<dyn Stream>,
    received: Vec<u8>,
}

/// A message from the server.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) tag: u8,
    pub(crate) body: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::over(Box::new(tcp(address)))
    }

    pub(crate) fn over(stream: Box<dyn Stream>) -> Self {
        Self { stream, received: Vec::new() }
    }

    /// Sends bytes as they are. A server that has closed is not an error here: what it said is read later.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
        let _ = self.stream.flush();
    }

    /// Sends no more.
    pub(crate) fn finish(&mut self) {
        self.stream.finish();
    }

    pub(crate) fn send_startup(&mut self, parameters: &[(&str, &str)]) {
        self.send(&startup(3 << 16, parameters));
    }

    /// Sends Query and reads to ReadyForQuery.
    pub(crate) fn query(&mut self, text: &str) -> Vec<String> {
        self.send(&query(text));
        self.transcript()
    }

    /// Reads to ReadyForQuery.
    pub(crate) fn transcript(&mut self) -> Vec<String> {
        self.until(b'Z').iter().map(Reply::to_string).collect()
    }

    /// Reads to the first message of type `tag`.
    pub(crate) fn until(&mut self, tag: u8) -> Vec<Reply> {
        let mut replies = Vec::new();
        loop {
            let reply = self.reply().unwrap_or_else(|| {
                panic!("closed before {}; got {replies:?}", char::from(tag));
            });
            let last = reply.tag == tag;
            replies.push(reply);
            if last {
                return replies;
            }
        }
    }

    /// Reads to the end of the connection.
    pub(crate) fn rest(&mut self) -> Vec<Reply> {
        std::iter::from_fn(|| self.reply()).collect()
    }

    /// Reads until the server has said something, and gives all of it.
    pub(crate) fn some(&mut self) -> Vec<Reply> {
        let first = self.reply();
        let mut replies: Vec<Reply> = first.into_iter().collect();
        while let Some(reply) = self.take_reply() {
            replies.push(reply);
        }
        replies
    }

    /// The connection must end with FATAL `code`, and nothing was ever served on it.
    #[track_caller]
    pub(crate) fn assert_refused(&mut self, code: &str) {
        let replies = self.rest();
        assert!(replies.iter().all(|reply| reply.tag != b'Z'), "ReadyForQuery in {replies:?}");
        let last = replies.last().map(Reply::to_string).unwrap_or_default();
        assert_eq!(last, format!("ErrorResponse(FATAL {code})"), "{replies:?}");
    }

    /// The next message; `None` at the end of the connection.
    pub(crate) fn reply(&mut self) -> Option<Reply> {
        loop {
            if let Some(reply) = self.take_reply() {
                return Some(reply);
            }
            if !self.receive() {
                assert!(self.received.is_empty(), "half a message: {:?}", self.received);
                return None;
            }
        }
    }

    /// One raw byte.
    pub(crate) fn byte(&mut self) -> Option<u8> {
        while self.received.is_empty() {
            if !self.receive() {
                return None;
            }
        }
        Some(self.received.remove(0))
    }

    fn take_reply(&mut self) -> Option<Reply> {
        let length = u32::from_be_bytes(*self.received.get(1..)?.first_chunk::<4>()?);
        let end = 1 + usize::try_from(length).unwrap();
        if self.received.len() < end {
            return None;
        }
        let rest = self.received.split_off(end);
        let frame = std::mem::replace(&mut self.received, rest);
        Some(Reply { tag: frame[0], body: frame[5..].to_vec() })
    }

    fn receive(&mut self) -> bool {
        let mut bytes = vec![0; 64 << 10];
        match self.stream.read(&mut bytes) {
            Ok(0) => false,
            Ok(n) => {
                self.received.extend_from_slice(&bytes[..n]);
                true
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                panic!("no answer within {PATIENCE:?}; got {:?}", self.received);
            }
            Err(_) => false,
        }
    }
}

pub(crate) fn tcp(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

// Messages to send.

pub(crate) fn frame(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut frame = vec![tag];
    frame.extend_from_slice(&u32::try_from(body.len() + 4).unwrap().to_be_bytes());
    frame.extend_from_slice(body);
    frame
}

pub(crate) fn startup(version: i32, parameters: &[(&str, &str)]) -> Vec<u8> {
    let mut body = version.to_be_bytes().to_vec();
    for (name, value) in parameters {
        body.extend_from_slice(name.as_bytes());
        body.push(0);
        body.extend_from_slice(value.as_bytes());
        body.push(0);
    }
    body.push(0);
    packet(&body)
}

/// A packet without a type byte.
pub(crate) fn packet(body: &[u8]) -> Vec<u8> {
    let mut packet = u32::try_from(body.len() + 4).unwrap().to_be_bytes().to_vec();
    packet.extend_from_slice(body);
    packet
}

pub(crate) fn ssl_request() -> Vec<u8> {
    packet(&80_877_103_u32.to_be_bytes())
}

pub(crate) fn gssenc_request() -> Vec<u8> {
    packet(&80_877_104_u32.to_be_bytes())
}

pub(crate) fn cancel_request(pid: i32, secret: &[u8]) -> Vec<u8> {
    let mut body = 80_877_102_u32.to_be_bytes().to_vec();
    body.extend_from_slice(&pid.to_be_bytes());
    body.extend_from_slice(secret);
    packet(&body)
}

pub(crate) fn text(value: &str) -> Vec<u8> {
    let mut bytes = value.as_bytes().to_vec();
    bytes.push(0);
    bytes
}

pub(crate) fn query(sql: &str) -> Vec<u8> {
    frame(b'Q', &text(sql))
}

pub(crate) fn parse(name: &str, sql: &str) -> Vec<u8> {
    frame(b'P', &[text(name), text(sql), vec![0, 0]].concat())
}

/// Bind with parameter formats, values and result formats.
pub(crate) fn bind(
    portal: &str,
    statement: &str,
    formats: &[i16],
    values: &[Option<&[u8]>],
    results: &[i16],
) -> Vec<u8> {
    let codes = |codes: &[i16]| {
        let mut bytes = u16::try_from(codes.len()).unwrap().to_be_bytes().to_vec();
        codes.iter().for_each(|code| bytes.extend_from_slice(&code.to_be_bytes()));
        bytes
    };
    let mut body = [text(portal), text(statement), codes(formats)].concat();
    body.extend_from_slice(&u16::try_from(values.len()).unwrap().to_be_bytes());
    for value in values {
        match value {
            None => body.extend_from_slice(&[0xff; 4]),
            Some(value) => {
                body.extend_from_slice(&u32::try_from(value.len()).unwrap().to_be_bytes());
                body.extend_from_slice(value);
            }
        }
    }
    body.extend_from_slice(&codes(results));
    frame(b'B', &body)
}

pub(crate) fn describe(kind: u8, name: &str) -> Vec<u8> {
    frame(b'D', &[vec![kind], text(name)].concat())
}

pub(crate) fn close(kind: u8, name: &str) -> Vec<u8> {
    frame(b'C', &[vec![kind], text(name)].concat())
}

pub(crate) fn execute(portal: &str, rows: i32) -> Vec<u8> {
    frame(b'E', &[text(portal), rows.to_be_bytes().to_vec()].concat())
}

pub(crate) fn sync() -> Vec<u8> {
    frame(b'S', &[])
}

pub(crate) fn flush() -> Vec<u8> {
    frame(b'H', &[])
}

// What came back, one line a message.

impl Reply {
    /// A field of an ErrorResponse or NoticeResponse.
    pub(crate) fn field(&self, field: u8) -> Option<String> {
        self.body
            .split(|byte| *byte == 0)
            .find(|part| part.first() == Some(&field))
            .map(|part| String::from_utf8_lossy(&part[1..]).into_owned())
    }

    fn report(&self) -> String {
        let mut text = format!(
            "{} {}",
            self.field(b'V').unwrap_or_default(),
            self.field(b'C').unwrap_or_default()
        );
        if let Some(position) = self.field(b'P') {
            text.push_str(&format!(" at {position}"));
        }
        text
    }

    fn strings(&self) -> String {
        let parts: Vec<_> = self
            .body
            .split(|byte| *byte == 0)
            .filter(|part| !part.is_empty())
            .map(String::from_utf8_lossy)
            .collect();
        parts.join("=")
    }

    fn values(&self) -> String {
        let mut values = Vec::new();
        let mut rest = &self.body[2..];
        while let Some((length, behind)) = rest.split_first_chunk::<4>() {
            let length = i32::from_be_bytes(*length);
            let Ok(length) = usize::try_from(length) else {
                values.push("NULL".to_owned());
                rest = behind;
                continue;
            };
            let (value, behind) = behind.split_at(length);
            values.push(value.escape_ascii().to_string());
            rest = behind;
        }
        values.join(", ")
    }

    /// The type OIDs and formats of a RowDescription.
    pub(crate) fn columns(&self) -> Vec<(u32, i16)> {
        let mut columns = Vec::new();
        let mut rest = &self.body[2..];
        while let Some(end) = rest.iter().position(|byte| *byte == 0) {
            let fixed = &rest[end + 1..end + 19];
            let oid = u32::from_be_bytes(*fixed[6..].first_chunk().unwrap());
            columns.push((oid, i16::from_be_bytes(*fixed[16..].first_chunk().unwrap())));
            rest = &rest[end + 19..];
        }
        columns
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code =
            |body: &[u8]| body.first_chunk::<4>().map_or(-1, |code| i32::from_be_bytes(*code));
        match self.tag {
            b'R' => write!(f, "Authentication({})", code(&self.body)),
            b'S' => write!(f, "ParameterStatus({})", self.strings()),
            b'K' => write!(f, "BackendKeyData"),
            b'v' => write!(f, "NegotiateProtocolVersion({:#x})", code(&self.body)),
            // Behind the sender's number: channel and text.
            b'A' => {
                let texts = Reply { tag: b'A', body: self.body[4..].to_vec() };
                write!(f, "NotificationResponse({})", texts.strings())
            }
            b'Z' => write!(f, "ReadyForQuery({})", self.body.escape_ascii()),
            b'T' => write!(f, "RowDescription"),
            b't' => write!(f, "ParameterDescription({})", (self.body.len() - 2) / 4),
            b'D' => write!(f, "DataRow({})", self.values()),
            b'C' => write!(f, "CommandComplete({})", self.strings()),
            b'E' => write!(f, "ErrorResponse({})", self.report()),
            b'N' => write!(f, "NoticeResponse({})", self.report()),
            b'1' => write!(f, "ParseComplete"),
            b'2' => write!(f, "BindComplete"),
            b'3' => write!(f, "CloseComplete"),
            b'n' => write!(f, "NoData"),
            b's' => write!(f, "PortalSuspended"),
            b'I' => write!(f, "EmptyQueryResponse"),
            b'G' => write!(f, "CopyInResponse"),
            b'H' => write!(f, "CopyOutResponse"),
            b'c' => write!(f, "CopyDone"),
            b'd' => write!(f, "CopyData({})", self.body.escape_ascii()),
            other => write!(f, "{}?", char::from(other)),
        }
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
