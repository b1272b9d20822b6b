//! The quick way: a statement that came whole (Bind, perhaps Describe, Execute, Sync) is answered from the bytes as they
//! are.
//!
//! Drivers send an execution of a prepared statement as one packet of these messages, on the unnamed portal. If the
//! session can answer at once ([`Session::answer_at_once`]), nothing is copied or awaited between the client's bytes and
//! the reply, but for a commit. Anything else, malformed messages among it, is left in the buffer for the ordinary way.
//!
//! [`Session::answer_at_once`]: crate::session::Session::answer_at_once

use bytes::BytesMut;

use super::connection::{Connection, Flow, Halt};
use super::frame::HEADER_BYTES;
use super::message::Formats;
use super::reply;
use crate::session::outcome::Format;
use crate::session::{AtOnce, HeldRow, LookedUp, Session};
use crate::types::field::{append_binary_value, append_text_value};

/// Parameters of a statement that are read here; longer ones go the ordinary way.
const VALUES_MAX: usize = 16;

/// How far the messages at the front of the buffer were answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Quick {
    /// Not at all; nothing of them was taken.
    No,
    /// They are.
    Answered,
    /// But for what there is to wait for, which [`commit`] does.
    Commits(Pending),
    /// Not yet: [`wait`], and answer again.
    Held(Wait),
}

/// What is to be waited for before the messages are looked at again.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wait {
    held: HeldRow,
    describe: bool,
    bytes: usize,
}

/// What is to be committed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Pending {
    /// The transaction around a statement that was run; its command tag.
    Statement(String),
    /// A transaction block.
    Block,
}

/// Answers the messages at the front of the buffer, if they are a whole statement that is answered at once.
pub(super) fn answer(connection: &mut Connection<'_>) -> Quick {
    let max = connection.max_message_bytes;
    let Some(asked) = Asked::read(connection.wire.buffered(), max) else { return Quick::No };
    let Asked { statement, values, formats, describe, bytes } = asked;
    let Some(answer) = connection.session.answer_at_once(statement, &values) else {
        return Quick::No;
    };
    let found = match answer {
        AtOnce::LookedUp(found) => found,
        AtOnce::Done(tag) => {
            connection.wire.consume(bytes);
            bound(connection, formats, describe);
            reply::command_complete(&mut connection.wire.out, &tag);
            ready(connection);
            return Quick::Answered;
        }
        AtOnce::Written(tag) => {
            connection.wire.consume(bytes);
            bound(connection, formats, describe);
            return Quick::Commits(Pending::Statement(tag));
        }
        AtOnce::Commit => {
            connection.wire.consume(bytes);
            bound(connection, formats, describe);
            return Quick::Commits(Pending::Block);
        }
        AtOnce::Held(held) => return Quick::Held(Wait { held, describe, bytes }),
    };
    if formats.each_len().is_some_and(|count| count != found.columns.len()) {
        return Quick::No;
    }
    let row = &mut connection.scratch;
    row.clear();
    if encode(&connection.session, &found, &formats, row).is_none()
        || !connection.session.admits(&found)
    {
        return Quick::No;
    }
    let out = &mut connection.wire.out;
    reply::bind_complete(out);
    if describe {
        reply::row_description(out, &found.columns, &formats);
    }
    finish(out, row, found.row.is_some());
    connection.wire.consume(bytes);
    ready(connection);
    Quick::Answered
}

/// A statement without rows is bound, and described if that was asked for.
fn bound(connection: &mut Connection<'_>, formats: Formats, describe: bool) {
    connection.portals.open("", formats);
    let out = &mut connection.wire.out;
    reply::bind_complete(out);
    if describe {
        reply::no_data(out);
    }
}

fn ready(connection: &mut Connection<'_>) {
    let status = connection.session.transaction_status();
    reply::ready_for_query(&mut connection.wire.out, status);
    connection.wire.owes_reply = true;
}

/// Waits for a row; the messages are still there if it could be had.
///
/// # Errors
/// What the wait says; the client is to be told so, and that the session is ready.
pub(super) async fn wait(connection: &mut Connection<'_>, wait: Wait) -> Flow<()> {
    let Wait { held, describe, bytes } = wait;
    let waiting = connection.session.wait_for_row(held);
    let waited = connection.wire.watch(waiting).await.ok_or(Halt::Gone)?;
    if waited.is_err() {
        connection.wire.consume(bytes);
        bound(connection, Formats::AllText, describe);
    }
    Ok(waited?)
}

/// Commits, and completes the answer up to its ReadyForQuery. Not given up when the client goes: a commit that has begun is
/// carried out.
///
/// # Errors
/// What the commit says; the client is to be told so, and that the session is ready.
pub(super) async fn commit(connection: &mut Connection<'_>, pending: Pending) -> Flow<()> {
    let tag = match pending {
        Pending::Statement(tag) => {
            connection.session.finish().await?;
            tag
        }
        Pending::Block => connection.session.commit_block().await?,
    };
    connection.notices();
    reply::command_complete(&mut connection.wire.out, &tag);
    connection.ready();
    Ok(())
}

/// Appends what a look-up of the simple protocol gave, up to its completion; whether it could be written here.
pub(super) fn write(connection: &mut Connection<'_>, found: &LookedUp) -> bool {
    let row = &mut connection.scratch;
    row.clear();
    if encode(&connection.session, found, &Formats::AllText, row).is_none()
        || !connection.session.admits(found)
    {
        return false;
    }
    let out = &mut connection.wire.out;
    reply::row_description(out, &found.columns, &Formats::AllText);
    finish(out, row, found.row.is_some());
    true
}

fn finish(out: &mut BytesMut, row: &[u8], found: bool) {
    out.extend_from_slice(row);
    reply::command_complete(out, if found { "SELECT 1" } else { "SELECT 0" });
}

/// Appends the DataRow message; `None` if the row cannot be written here.
fn encode(session: &Session, found: &LookedUp, formats: &Formats, out: &mut Vec<u8>) -> Option<()> {
    let Some(row) = &found.row else { return Some(()) };
    let settings = session.output_settings();
    out.extend_from_slice(b"D\0\0\0\0");
    out.extend_from_slice(&i16::try_from(found.columns.len()).ok()?.to_be_bytes());
    for (at, column) in found.columns.iter().enumerate() {
        let (array, place) = row.value(at)?;
        match formats.at(at) {
            // Numbers of objects are written as their names, which needs the catalog.
            Format::Text if crate::session::ObjectNames::are_for(&column.ty) => return None,
            Format::Text => append_text_value(&column.ty, array, place, &settings, out).ok()?,
            Format::Binary => append_binary_value(&column.ty, array, place, out).ok()?,
        }
    }
    let length = i32::try_from(out.len() - 1).ok()?;
    out.get_mut(1..5)?.copy_from_slice(&length.to_be_bytes());
    Some(())
}

/// An execution of a prepared statement, as it lies in the buffer.
#[derive(Debug)]
struct Asked<'a> {
    statement: &'a str,
    values: Vec<(Format, Option<&'a [u8]>)>,
    /// Of the result.
    formats: Formats,
    /// Whether the portal is described before it is executed.
    describe: bool,
    /// How long the messages are.
    bytes: usize,
}

impl<'a> Asked<'a> {
    /// Reads the messages; `None` if they are others, are not all there, or are not well-formed.
    fn read(bytes: &'a [u8], max_message_bytes: usize) -> Option<Self> {
        if bytes.first() != Some(&b'B') {
            return None;
        }
        let (mut bind, rest) = frame(bytes, b'B', max_message_bytes)?;
        let (describe, rest) = match frame(rest, b'D', max_message_bytes) {
            Some((b"P\0", rest)) => (true, rest),
            Some(_) => return None,
            None => (false, rest),
        };
        let (b"\0\0\0\0\0", rest) = frame(rest, b'E', max_message_bytes)? else { return None };
        let (b"", rest) = frame(rest, b'S', max_message_bytes)? else { return None };
        if !text(&mut bind)?.is_empty() {
            return None;
        }
        let statement = text(&mut bind)?;
        let parameter_formats = formats(&mut bind)?;
        let count = usize::from(number(&mut bind)?);
        if count > VALUES_MAX || parameter_formats.each_len().is_some_and(|codes| codes != count) {
            return None;
        }
        let mut values = Vec::with_capacity(count);
        for at in 0..count {
            let length = i32::from_be_bytes(take(&mut bind, 4)?.try_into().ok()?);
            let value = match length {
                -1 => None,
                length => Some(take(&mut bind, usize::try_from(length).ok()?)?),
            };
            values.push((parameter_formats.at(at), value));
        }
        let formats = formats(&mut bind)?;
        let bytes = bytes.len() - rest.len();
        bind.is_empty().then_some(Self { statement, values, formats, describe, bytes })
    }
}

/// The body of a message of a type, and what comes after it.
fn frame(bytes: &[u8], tag: u8, max_message_bytes: usize) -> Option<(&[u8], &[u8])> {
    let (header, rest) = bytes.split_at_checked(HEADER_BYTES)?;
    let [found, length @ ..] = header else { return None };
    let length = u32::from_be_bytes(length.try_into().ok()?).checked_sub(4)?;
    let length = usize::try_from(length).ok().filter(|length| *length <= max_message_bytes)?;
    if *found == tag { rest.split_at_checked(length) } else { None }
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(count)?;
    *bytes = rest;
    Some(taken)
}

fn number(bytes: &mut &[u8]) -> Option<u16> {
    Some(u16::from_be_bytes(take(bytes, 2)?.try_into().ok()?))
}

/// A string that ends with a NUL.
fn text<'a>(bytes: &mut &'a [u8]) -> Option<&'a str> {
    let length = memchr::memchr(0, bytes)?;
    let text = take(bytes, length)?;
    take(bytes, 1)?;
    std::str::from_utf8(text).ok()
}

fn formats(bytes: &mut &[u8]) -> Option<Formats> {
    let count = number(bytes)?;
    let mut one = || match number(bytes)? {
        0 => Some(Format::Text),
        1 => Some(Format::Binary),
        _ => None,
    };
    Some(match count {
        0 => Formats::AllText,
        1 => Formats::All(one()?),
        count => Formats::Each((0..count).map(|_| one()).collect::<Option<_>>()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: usize = 1 << 20;

    fn message(tag: u8, body: &[u8]) -> Vec<u8> {
        let mut message = vec![tag];
        message.extend_from_slice(&u32::try_from(body.len() + 4).unwrap().to_be_bytes());
        message.extend_from_slice(body);
        message
    }

    fn look_up() -> Vec<Vec<u8>> {
        vec![
            message(b'B', b"\0s1\0\0\x01\0\0\0\x02\0\0\0\x0242\xff\xff\xff\xff\0\x01\0\x01"),
            message(b'D', b"P\0"),
            message(b'E', b"\0\0\0\0\0"),
            message(b'S', b""),
        ]
    }

    #[test]
    fn a_whole_look_up_is_read() {
        let mut bytes = look_up().concat();
        let length = bytes.len();
        bytes.extend_from_slice(b"X");
        let asked = Asked::read(&bytes, MAX).unwrap();
        assert_eq!((asked.statement, asked.describe, asked.bytes), ("s1", true, length));
        assert_eq!(asked.values, vec![(Format::Text, Some(&b"42"[..])), (Format::Text, None)]);
        assert_eq!(asked.formats, Formats::All(Format::Binary));
    }

    #[test]
    fn describe_may_be_left_out() {
        let mut messages = look_up();
        messages.remove(1);
        assert!(!Asked::read(&messages.concat(), MAX).unwrap().describe);
    }

    #[test]
    fn what_is_cut_short_or_malformed_is_left_alone() {
        let whole = look_up().concat();
        for length in 0..whole.len() {
            assert!(Asked::read(&whole[..length], MAX).is_none(), "{length}");
        }
        assert!(Asked::read(&whole, 10).is_none(), "longer than a message may be");
        let mut messages = look_up();
        messages[2] = message(b'E', b"\0\0\0\0\x05");
        assert!(Asked::read(&messages.concat(), MAX).is_none(), "a limit of rows");
        let mut messages = look_up();
        messages[0] = message(b'B', b"p\0s1\0\0\0\0\0\0\0");
        assert!(Asked::read(&messages.concat(), MAX).is_none(), "a named portal");
        // Counts and lengths that the body does not hold.
        for at in 5..messages[0].len() {
            let mut messages = look_up();
            messages[0][at] = 0x7f;
            let _ = Asked::read(&messages.concat(), MAX);
        }
    }
}
