//! Encodes backend messages, each appended to the connection's output buffer.

use bytes::{BufMut, BytesMut};

use super::message::Formats;
use crate::session::outcome::{Format, OutputColumn, TransactionStatus};
use crate::types::pg_type::PgType;

/// Appends a message whose body `body` writes.
///
/// A body is bounded by what the callers write (a column list, an error, one piece of COPY), far below 2 GiB.
pub(super) fn message(out: &mut BytesMut, tag: u8, body: impl FnOnce(&mut BytesMut)) {
    out.put_u8(tag);
    let at = out.len();
    out.put_u32(0);
    body(out);
    let length = u32::try_from(out.len() - at).unwrap_or(u32::MAX);
    if let Some(slot) = out.get_mut(at..at + 4) {
        slot.copy_from_slice(&length.to_be_bytes());
    }
}

/// Appends `text` up to its first NUL, and a NUL.
pub(super) fn put_text(out: &mut BytesMut, text: &str) {
    let bytes = text.as_bytes();
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    out.put_slice(bytes.get(..end).unwrap_or(bytes));
    out.put_u8(0);
}

fn empty(out: &mut BytesMut, tag: u8) {
    out.put_slice(&[tag, 0, 0, 0, 4]);
}

/// A count that the protocol holds in 16 bits; what is counted is bounded below that elsewhere (columns, parameters).
fn put_count(out: &mut BytesMut, count: usize) {
    out.put_u16(u16::try_from(count).unwrap_or(u16::MAX));
}

pub(super) fn authentication_ok(out: &mut BytesMut) {
    message(out, b'R', |out| out.put_i32(0));
}

/// AuthenticationSASL with the mechanisms offered, best first.
pub(super) fn authentication_sasl(out: &mut BytesMut, mechanisms: &[&str]) {
    message(out, b'R', |out| {
        out.put_i32(10);
        for mechanism in mechanisms {
            put_text(out, mechanism);
        }
        out.put_u8(0);
    });
}

pub(super) fn authentication_sasl_continue(out: &mut BytesMut, data: &str) {
    message(out, b'R', |out| {
        out.put_i32(11);
        out.put_slice(data.as_bytes());
    });
}

pub(super) fn authentication_sasl_final(out: &mut BytesMut, data: &str) {
    message(out, b'R', |out| {
        out.put_i32(12);
        out.put_slice(data.as_bytes());
    });
}

/// NegotiateProtocolVersion: the newest minor version we have, and the options we do not know.
pub(super) fn negotiate_protocol_version(out: &mut BytesMut, unknown: &[String]) {
    message(out, b'v', |out| {
        out.put_i32(super::startup::PROTOCOL_3_0);
        out.put_u32(u32::try_from(unknown.len()).unwrap_or(u32::MAX));
        for option in unknown {
            put_text(out, option);
        }
    });
}

pub(super) fn parameter_status(out: &mut BytesMut, name: &str, value: &str) {
    message(out, b'S', |out| {
        put_text(out, name);
        put_text(out, value);
    });
}

pub(super) fn backend_key_data(out: &mut BytesMut, pid: i32, secret: &[u8]) {
    message(out, b'K', |out| {
        out.put_i32(pid);
        out.put_slice(secret);
    });
}

pub(super) fn ready_for_query(out: &mut BytesMut, status: TransactionStatus) {
    let status = match status {
        TransactionStatus::Idle => b'I',
        TransactionStatus::InTransaction => b'T',
        TransactionStatus::Failed => b'E',
    };
    out.put_slice(&[b'Z', 0, 0, 0, 5, status]);
}

pub(super) fn command_complete(out: &mut BytesMut, tag: &str) {
    message(out, b'C', |out| put_text(out, tag));
}

pub(super) fn empty_query(out: &mut BytesMut) {
    empty(out, b'I');
}

pub(super) fn parse_complete(out: &mut BytesMut) {
    empty(out, b'1');
}

pub(super) fn bind_complete(out: &mut BytesMut) {
    empty(out, b'2');
}

pub(super) fn close_complete(out: &mut BytesMut) {
    empty(out, b'3');
}

pub(super) fn no_data(out: &mut BytesMut) {
    empty(out, b'n');
}

pub(super) fn portal_suspended(out: &mut BytesMut) {
    empty(out, b's');
}

pub(super) fn parameter_description(out: &mut BytesMut, parameters: &[PgType]) {
    message(out, b't', |out| {
        put_count(out, parameters.len());
        for parameter in parameters {
            out.put_u32(parameter.oid());
        }
    });
}

pub(super) fn row_description(out: &mut BytesMut, columns: &[OutputColumn], formats: &Formats) {
    message(out, b'T', |out| {
        put_count(out, columns.len());
        for (index, column) in columns.iter().enumerate() {
            put_text(out, &column.name);
            out.put_u32(column.table);
            out.put_i16(column.attnum);
            out.put_u32(column.ty.oid());
            out.put_i16(column.ty.typlen());
            out.put_i32(if column.declared { column.ty.typmod() } else { -1 });
            out.put_i16(code(formats.at(index)));
        }
    });
}

/// CopyInResponse (`G`) or CopyOutResponse (`H`): all columns have the one format.
pub(super) fn copy_response(out: &mut BytesMut, tag: u8, binary: bool, columns: usize) {
    message(out, tag, |out| {
        out.put_u8(u8::from(binary));
        put_count(out, columns);
        for _ in 0..columns {
            out.put_i16(i16::from(binary));
        }
    });
}

pub(super) fn copy_data(out: &mut BytesMut, row: &[u8]) {
    message(out, b'd', |out| out.put_slice(row));
}

pub(super) fn copy_done(out: &mut BytesMut) {
    empty(out, b'c');
}

/// NotificationResponse: a message on a channel the client listens on.
pub(super) fn notification(out: &mut BytesMut, pid: i32, channel: &str, payload: &str) {
    message(out, b'A', |out| {
        out.put_i32(pid);
        put_text(out, channel);
        put_text(out, payload);
    });
}

fn code(format: Format) -> i16 {
    match format {
        Format::Text => 0,
        Format::Binary => 1,
    }
}
